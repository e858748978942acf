//! People who use a test's Kinchart, and their programs with tokens.

use actix_web::{
    cookie::{Cookie, CookieJar, Key},
    http::Method,
    test::TestRequest,
    web::Bytes,
};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use kinchart::{
    access::{self, Actor, Edit, Permission, Via, View},
    audit::Event,
    auth::token_text::{self, TokenText},
    db::{
        Db,
        schema::{
            api_tokens, audit_events, household_members, households, imports, invitation_patients, invitations, patient_shares,
            professional_links, sessions, user_preferences, users,
        },
        types::{HouseholdId, LinkId, PatientId, RecordId, UserId},
    },
    directory::{self, Listed},
    patients::{self, NewPatient, PatientFields},
    records::{
        self, Kind,
        chart::{Draft, Loaded},
        field::{Errors, Mode},
    },
};

use super::{Answer, TestApp, html::Form, log, sample::Sample};

/// Somebody with a browser. Without a session they are anybody.
#[derive(Clone)]
pub struct Person {
    t: TestApp,
    pub id: UserId,
    pub name: String,
    pub household: HouseholdId,
    cookie: Option<String>,
}

/// What a share says; the default is everything, to be looked at, for ever.
#[derive(Clone, Debug)]
pub struct Share {
    pub level: Permission,
    pub kinds: Option<Vec<String>>,
    pub tags: Option<Vec<String>>,
    pub without: Option<Vec<String>>,
    pub active: bool,
    pub starts_at: Option<NaiveDateTime>,
    pub expires_at: Option<NaiveDateTime>,
}

impl Default for Share {
    fn default() -> Self {
        Self { level: Permission::View, kinds: None, tags: None, without: None, active: true, starts_at: None, expires_at: None }
    }
}

impl Share {
    pub fn to(level: Permission) -> Self {
        Self { level, ..Self::default() }
    }
}

impl TestApp {
    fn household(&self) -> HouseholdId {
        let known = self.household.borrow().clone();
        let id = known.unwrap_or_else(|| self.new_household().to_string());
        *self.household.borrow_mut() = Some(id.clone());
        HouseholdId::parse(&id).unwrap()
    }

    fn new_household(&self) -> HouseholdId {
        let id = HouseholdId::new();
        let row = (households::id.eq(&id), households::name.eq("Household"), households::created_at.eq(self.now()));
        self.app.db.write(|tx| Ok(diesel::insert_into(households::table).values(&row).execute(&mut **tx)?)).unwrap();
        id
    }

    /// Somebody of the test's one household, signed in.
    pub fn user(&self, name: &str) -> Person {
        self.person(name, "user", self.household())
    }

    /// Somebody of another household, signed in.
    pub fn stranger(&self, name: &str) -> Person {
        self.person(name, "user", self.new_household())
    }

    pub fn admin(&self, name: &str) -> Person {
        self.person(name, "admin", self.household())
    }

    /// Nobody in particular: no session.
    pub fn anon(&self) -> Person {
        Person { t: self.clone(), id: UserId::new(), name: "nobody".into(), household: HouseholdId::new(), cookie: None }
    }

    fn person(&self, name: &str, role: &str, household: HouseholdId) -> Person {
        let id = UserId::new();
        let now = self.now();
        log::never(&password_of(name));
        log::never(&format!("{}@example.org", name.to_lowercase()));
        let hash = self.app.passwords.hash(&password_of(name)).unwrap();
        self.app
            .db
            .write(|tx| {
                diesel::insert_into(users::table)
                    .values((
                        users::id.eq(&id),
                        users::household_id.eq(&household),
                        users::username.eq(name),
                        users::username_folded.eq(name.to_lowercase()),
                        users::email.eq(format!("{}@example.org", name.to_lowercase())),
                        users::password_hash.eq(&hash),
                        users::full_name.eq(name),
                        users::role.eq(role),
                        users::auth_method.eq("local"),
                        users::created_at.eq(now),
                        users::updated_at.eq(now),
                    ))
                    .execute(&mut **tx)?;
                diesel::insert_into(user_preferences::table)
                    .values((
                        user_preferences::user_id.eq(&id),
                        user_preferences::unit_system.eq("metric"),
                        user_preferences::created_at.eq(now),
                        user_preferences::updated_at.eq(now),
                    ))
                    .execute(&mut **tx)?;
                diesel::insert_into(household_members::table)
                    .values((
                        household_members::household_id.eq(&household),
                        household_members::user_id.eq(&id),
                        household_members::role.eq("member"),
                        household_members::created_at.eq(now),
                    ))
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
        Person { t: self.clone(), id, name: name.to_owned(), household, cookie: None }.signed_in()
    }
}

/// Long enough for the password rules, and different for everybody.
pub fn password_of(name: &str) -> String {
    format!("{name} brews violet thunder 4711")
}

impl Person {
    pub fn app(&self) -> &kinchart::app::App {
        &self.t.app
    }
    pub fn db(&self) -> &Db {
        &self.t.app.db
    }

    /// A new session: a row as the program's own store writes it, and the cookie sealed with the app's own key.
    pub fn signed_in(mut self) -> Self {
        let key = TokenText::generate().unwrap().as_str().to_owned();
        log::never(&key);
        let now = self.t.now();
        let state = serde_json::json!({"user": serde_json::to_string(&self.id).unwrap(), "remember": "false"}).to_string();
        self.db()
            .write(|tx| {
                diesel::insert_into(sessions::table)
                    .values((
                        sessions::key_hash.eq(token_text::hash(&key)),
                        sessions::id.eq(uuid::Uuid::now_v7().to_string()),
                        sessions::user_id.eq(Some(&self.id)),
                        sessions::state.eq(&state),
                        sessions::remember.eq(false),
                        sessions::created_at.eq(now),
                        sessions::last_seen_at.eq(now),
                        sessions::expires_at.eq(now + chrono::Duration::hours(24)),
                    ))
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
        let name = if self.t.app.config.public_url.is_https() { "__Host-kinchart" } else { "kinchart" };
        let mut jar = CookieJar::new();
        jar.private_mut(&Key::from(&self.t.app.key.derive("session-cookie"))).add(Cookie::new(name, key));
        self.cookie = jar.get(name).map(ToString::to_string);
        self
    }

    /// The cookie a browser would send.
    pub fn cookie(&self) -> String {
        self.cookie.clone().unwrap_or_default()
    }
    /// The same person in a browser with this cookie, or with none.
    pub fn with_cookie(mut self, cookie: Option<String>) -> Self {
        self.cookie = cookie;
        self
    }

    fn request(&self, method: Method, path: &str) -> TestRequest {
        let request =
            TestRequest::with_uri(path).method(method).peer_addr("127.0.0.1:1".parse().unwrap()).insert_header(("host", "localhost:8080"));
        match &self.cookie {
            Some(cookie) => request.insert_header(("cookie", cookie.as_str())),
            None => request,
        }
    }

    /// A download: how many lines came, and whether it came to its end. `on_part` runs after each part.
    pub async fn parts(&self, path: &str, on_part: impl Fn(usize) + 'static) -> (usize, bool) {
        let (text, is_whole) = self.t.stream(self.request(Method::GET, path).to_request(), on_part).await;
        (text.lines().count(), is_whole)
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let mut request = self.request(method, path);
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        self.t.call(request.set_payload(body).to_request()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], String::new()).await
    }

    /// A form, sent from one of our own pages.
    pub async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = serde_urlencoded::to_string(pairs).unwrap();
        self.post_body(path, body).await
    }
    pub async fn post_body(&self, path: &str, body: String) -> Answer {
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")];
        self.send(Method::POST, path, &headers, body).await
    }
    pub async fn submit(&self, form: &Form) -> Answer {
        self.post_body(&form.action, serde_urlencoded::to_string(&form.pairs).unwrap()).await
    }

    /// What of the preferences a test sets: `language`, `unit_system`, `date_format`.
    pub fn prefers(&self, name: &str, value: &str) {
        let row = user_preferences::table.find(&self.id);
        self.db()
            .write(|tx| {
                match name {
                    "language" => diesel::update(row).set(user_preferences::language.eq(value)).execute(&mut **tx)?,
                    "unit_system" => diesel::update(row).set(user_preferences::unit_system.eq(value)).execute(&mut **tx)?,
                    "date_format" => diesel::update(row).set(user_preferences::date_format.eq(value)).execute(&mut **tx)?,
                    other => panic!("no preference {other}"),
                };
                Ok(())
            })
            .unwrap();
    }

    pub fn actor(&self) -> Actor {
        Actor { user: self.id.clone(), name: self.name.clone(), via: Via::Cli, address: None }
    }

    /// A patient of this person, born in 1960.
    pub fn patient(&self, first_name: &str) -> PatientId {
        self.patient_with(&[("first_name", first_name), ("last_name", "Lovelace"), ("birth_date", "1960")])
    }
    pub fn patient_with(&self, pairs: &[(&str, &str)]) -> PatientId {
        let mut fields = PatientFields::default();
        let pairs: Vec<(String, String)> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let errors = fields.fill(&pairs, Mode::Strict);
        assert!(errors.is_empty(), "{errors:?}");
        for (_, text) in pairs.iter().filter(|(name, _)| name.ends_with("_name")) {
            log::never(text);
        }
        let now = self.t.now();
        self.db()
            .write(|tx| {
                let new = NewPatient { fields: fields.clone(), source: "person".into(), source_key: None, strict: true };
                patients::create(tx, &self.actor(), new, now, Errors::new())
            })
            .unwrap()
    }

    pub fn patient_now(&self, id: &PatientId) -> patients::Patient {
        self.db().read(|conn| access::grant::<View>(conn, &self.actor(), id, self.t.now())).unwrap().patient
    }

    /// A record through the library, by the same ways as a form: fill, settle, add.
    pub fn record(&self, patient: &PatientId, kind: &'static Kind, sample: &Sample) -> RecordId {
        self.try_record(patient, kind, sample).unwrap_or_else(|error| panic!("{}: {error:?}", kind.name))
    }
    pub fn try_record(&self, patient: &PatientId, kind: &'static Kind, sample: &Sample) -> kinchart::error::Result<RecordId> {
        self.record_maker()(patient, kind, sample)
    }
    /// [`Person::try_record`] for another thread.
    pub fn record_maker(&self) -> impl Fn(&PatientId, &'static Kind, &Sample) -> kinchart::error::Result<RecordId> + Send + use<> {
        let (app, actor) = (self.t.app.clone(), self.actor());
        move |patient, kind, sample| {
            app.db.write(|tx| {
                let access = access::grant::<Edit>(tx, &actor, patient, app.clock.now())?;
                let mut entry = (kind.blank)();
                let mut errors = records::input::fill(kind, entry.as_mut(), &sample.raw(), Mode::Strict);
                errors.extend(records::input::check_references(tx, &access, kind, entry.as_ref(), None)?);
                let birth = access.patient.fields.birth_date.as_ref();
                let context = records::Context { today: access.now.date(), birth, strict: true };
                records::input::settle(kind, entry.as_mut(), None, &context, &mut errors);
                if !errors.is_empty() {
                    return Err(kinchart::error::Error::Invalid(errors));
                }
                access.chart(kind)?.add(tx, &Draft { entry, tags: Some(sample.tags.clone()), links: None, source: "person".into() })
            })
        }
    }

    pub fn load(&self, patient: &PatientId, kind: &'static Kind, id: &RecordId) -> Loaded {
        let now = self.t.now();
        self.db()
            .read(|conn| access::grant::<View>(conn, &self.actor(), patient, now)?.chart(kind)?.get(conn, id))
            .unwrap_or_else(|error| panic!("{} {id}: {error}", kind.name))
    }

    /// How many living records of the kind this person sees.
    pub fn count(&self, patient: &PatientId, kind: &'static Kind) -> i64 {
        let now = self.t.now();
        let query = records::query::ListQuery::parse(kind, &[], records::field::Mode::Strict).unwrap();
        self.db().read(|conn| Ok(access::grant::<View>(conn, &self.actor(), patient, now)?.chart(kind)?.list(conn, &query)?.1)).unwrap()
    }

    pub fn practitioner(&self, name: &str) -> String {
        let entry = directory::Practitioner { name: Some(name.into()), ..Default::default() };
        self.db().write(|tx| entry.insert(tx, &self.household, None, self.t.now())).unwrap()
    }
    pub fn pharmacy(&self, name: &str) -> String {
        let entry = directory::Pharmacy { name: Some(name.into()), ..Default::default() };
        self.db().write(|tx| entry.insert(tx, &self.household, None, self.t.now())).unwrap()
    }

    /// An import of this person's that is done, with its report.
    pub fn imported(&self, patient: &PatientId, report: &kinchart::interchange::merge::Report) -> String {
        let id = uuid::Uuid::now_v7().to_string();
        let text = serde_json::to_string(report).unwrap();
        self.db()
            .write(|tx| {
                diesel::insert_into(imports::table)
                    .values((
                        imports::id.eq(&id),
                        imports::user_id.eq(&self.id),
                        imports::patient_id.eq(patient),
                        imports::file_name.eq("file.json"),
                        imports::sha256.eq(""),
                        imports::state.eq("done"),
                        imports::done.eq(0),
                        imports::total.eq(0),
                        imports::report.eq(&text),
                        imports::created_at.eq(self.t.now()),
                        imports::updated_at.eq(self.t.now()),
                    ))
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
        id
    }

    /// Shares a patient by a row, until there are pages for it.
    pub fn share(&self, patient: &PatientId, with: &Self, share: &Share) {
        let json = |list: &Option<Vec<String>>| list.as_ref().map(|l| serde_json::to_string(l).unwrap());
        let now = self.t.now();
        self.db()
            .write(|tx| {
                diesel::insert_into(patient_shares::table)
                    .values((
                        patient_shares::id.eq(uuid::Uuid::now_v7().to_string()),
                        patient_shares::patient_id.eq(patient),
                        patient_shares::shared_by_user_id.eq(&self.id),
                        patient_shares::shared_with_user_id.eq(&with.id),
                        patient_shares::permission_level.eq(share.level),
                        patient_shares::kinds.eq(json(&share.kinds)),
                        patient_shares::tags.eq(json(&share.tags)),
                        patient_shares::without.eq(json(&share.without)),
                        patient_shares::is_active.eq(share.active),
                        patient_shares::starts_at.eq(share.starts_at),
                        patient_shares::expires_at.eq(share.expires_at),
                        patient_shares::created_at.eq(now),
                        patient_shares::updated_at.eq(now),
                    ))
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
    }

    /// An invitation to a whole patient, in this state; by rows, as [`Person::share`].
    pub fn invite(&self, patient: &PatientId, whom: &Self, status: &str) -> String {
        let id = uuid::Uuid::now_v7().to_string();
        let now = self.t.now();
        self.db()
            .write(|tx| {
                diesel::insert_into(invitations::table)
                    .values((
                        invitations::id.eq(&id),
                        invitations::sent_by_user_id.eq(self.id.as_str()),
                        invitations::sent_to_user_id.eq(Some(whom.id.as_str())),
                        invitations::sent_to.eq(&whom.name),
                        invitations::invitation_type.eq("patient_share"),
                        invitations::status.eq(status),
                        invitations::title.eq("An invitation"),
                        invitations::context_data.eq(serde_json::json!({
                            "what": "share",
                            "patients": [patient.as_str()],
                            "terms": {"permission": "full", "scope": {}, "starts_at": null, "expires_at": null, "note": null},
                        })
                        .to_string()),
                        invitations::generation.eq(1),
                        invitations::expires_at.eq(now + chrono::Duration::days(7)),
                        invitations::created_at.eq(now),
                        invitations::updated_at.eq(now),
                    ))
                    .execute(&mut **tx)?;
                diesel::insert_into(invitation_patients::table)
                    .values((invitation_patients::invitation_id.eq(&id), invitation_patients::patient_id.eq(patient.as_str())))
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
        id
    }

    /// A link for a professional, made by this person: what of the share says kinds, tags, without and until, else a day.
    pub fn link(&self, patient: &PatientId, share: &Share) -> LinkId {
        let json = |list: &Option<Vec<String>>| list.as_ref().map(|l| serde_json::to_string(l).unwrap());
        let (id, now) = (LinkId::new(), self.t.now());
        self.db()
            .write(|tx| {
                diesel::insert_into(professional_links::table)
                    .values((
                        professional_links::id.eq(&id),
                        professional_links::patient_id.eq(patient.as_str()),
                        professional_links::created_by.eq(self.id.as_str()),
                        professional_links::title.eq("A link"),
                        professional_links::kinds.eq(json(&share.kinds)),
                        professional_links::tags.eq(json(&share.tags)),
                        professional_links::without.eq(json(&share.without)),
                        professional_links::wrong_tries.eq(0),
                        professional_links::most_wrong_tries.eq(5),
                        professional_links::openings.eq(0),
                        professional_links::expires_at.eq(share.expires_at.unwrap_or(now + chrono::Duration::days(1))),
                        professional_links::revoked_at.eq((!share.active).then_some(now)),
                        professional_links::created_at.eq(now),
                        professional_links::documents.eq(true),
                    ))
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
        id
    }

    /// The id of a token of this person's that nobody uses.
    pub fn token_to_revoke(&self) -> String {
        use kinchart::{audit::Action, auth::token};
        let new = token::NewToken { user: self.id.clone(), name: "short".into(), may_write: false, expires_at: None };
        let text = TokenText::generate().unwrap();
        log::never(text.as_str());
        let event = Event::new(&self.actor(), Action::TokenCreated, self.t.now());
        self.db().write(|tx| token::create(tx, &new, &text, event.clone())).unwrap().to_string()
    }

    /// The id of a tag of this person's household.
    pub fn tag(&self, name: &str) -> String {
        self.db().write(|tx| kinchart::tags::ensure(tx, &self.household, name, None, self.t.now())).unwrap().to_string()
    }

    /// The audit of a patient, reads included, oldest first.
    pub fn audit(&self, patient: &PatientId) -> Vec<Event> {
        self.t.app.reads.flush(self.db()).unwrap();
        self.db()
            .read(|conn| {
                Ok(audit_events::table
                    .filter(audit_events::patient_id.eq(patient.as_str()))
                    .order((audit_events::at, audit_events::id))
                    .select(Event::as_select())
                    .load(conn)?)
            })
            .unwrap()
    }

    /// A program that acts for this person, with a token written directly.
    pub fn api(&self, may_write: bool) -> Api {
        let token = TokenText::generate().unwrap();
        log::never(token.as_str());
        let now = self.t.now();
        self.db()
            .write(|tx| {
                diesel::insert_into(api_tokens::table)
                    .values((
                        api_tokens::id.eq(uuid::Uuid::now_v7().to_string()),
                        api_tokens::user_id.eq(self.id.as_str()),
                        api_tokens::name.eq("test"),
                        api_tokens::token_hash.eq(token.hash()),
                        api_tokens::may_write.eq(may_write),
                        api_tokens::created_at.eq(now),
                    ))
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
        Api { person: self.clone().with_cookie(None), token: token.as_str().to_owned() }
    }
}

/// A program with a token.
#[derive(Clone)]
pub struct Api {
    person: Person,
    pub token: String,
}

impl Api {
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], String::new()).await
    }
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_string()).await
    }
    pub async fn put(&self, path: &str, version: i64, body: &serde_json::Value) -> Answer {
        let tag = format!("\"{version}\"");
        self.send(Method::PUT, path, &[("content-type", "application/json"), ("if-match", &tag)], body.to_string()).await
    }
    pub async fn delete(&self, path: &str, version: i64) -> Answer {
        let tag = format!("\"{version}\"");
        self.send(Method::DELETE, path, &[("if-match", &tag)], String::new()).await
    }
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        self.person.send(method, path, &all, body).await
    }
}
