//! Sessions are rows: the cookie holds a random key, the table its hash. Listed, revocable, ended by time.

use std::collections::HashMap;

use actix_session::{
    Session, SessionExt,
    storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError},
};
use actix_web::{
    Error as WebError, FromRequest, HttpMessage, HttpRequest,
    body::{BoxBody, MessageBody},
    cookie::time::Duration as CookieDuration,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header::{self, HeaderValue},
    middleware::Next,
    web,
};
use anyhow::anyhow;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{Duration, NaiveDateTime};
use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{BigInt, Bool},
};
use serde::{Deserialize, Serialize};

use super::{arrival::Arrival, factors, token_text};
use crate::{
    access::{Actor, Via},
    app::App,
    db::{
        Conn, Tx,
        schema::{sessions, user_preferences, users},
        sql::worded,
        types::UserId,
    },
    error::{Error, Result},
    i18n::DateStyle,
    records::input::UnitSystem,
};

/// Without "remember this device" a session ends within a day, whatever happens (source document 003).
const LONGEST: Duration = Duration::hours(24);
/// With it, within thirty days.
pub const LONGEST_REMEMBERED: Duration = Duration::days(30);
/// How exactly "last seen" is kept: a write a minute, not one a page.
const SEEN_EVERY: Duration = Duration::seconds(60);

const USER: &str = "user";
const REMEMBER: &str = "remember";
const ADDRESS: &str = "address";
const AGENT: &str = "agent";
const WAY: &str = "way";
const IDENTITY: &str = "identity";
const ID_TOKEN: &str = "id_token";
/// What a session that begins with this request is called.
const NAME: &str = "name";
const CREATED: &str = "created";
const ME: &str = "me";
const WAITING_FOR: &str = "waiting";
/// How long a second factor is waited for.
const LONGEST_WAIT: Duration = Duration::minutes(10);

/// What the session's cookie is called. Browsers take one of the second name over https only, and from this host alone.
pub fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-kinchart" } else { "kinchart" }
}

/// The signed-in person, read together with the session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
pub struct Me {
    pub id: UserId,
    pub session: String,
    pub name: String,
    pub username: String,
    pub role: String,
    pub language: String,
    pub metric: bool,
    #[serde(with = "date_style")]
    pub dates: DateStyle,
    /// Documents in the inboxes of their households, when the request came.
    pub waiting: i64,
    /// When its person last proved who they are: at the sign-in, or when they were asked again.
    pub proved_at: NaiveDateTime,
    /// Nobody has said yet that they keep a copy of the installation's key.
    pub key_is_unkept: bool,
    /// What they have not read of what their account was told.
    pub notices: i64,
    /// When the session ends, counted from this request.
    pub ends: Ends,
    pub has_factor: bool,
    /// The installation requires a second factor of this person.
    pub needs_factor: bool,
    /// Their factors were taken away by somebody else, and they have not said yet that they know.
    pub factors_reset_at: Option<NaiveDateTime>,
}

/// When a session ends by itself, in seconds from a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// Without a click; none for a session that is remembered.
    pub idle: Option<i64>,
    /// Whatever happens.
    pub at_most: i64,
}

/// So long before the end of a session a page says so, whatever its person does.
const LAST_MINUTES: i64 = 15;

/// How many documents wait in the inboxes of a session's person.
const WAITING: &str = "(SELECT COUNT(*) FROM household_members m JOIN files f ON f.household_id = m.household_id \
    WHERE m.user_id = users.id AND f.deleted_at IS NULL)";

/// How much of what their account was told they have not read.
const NOTICES: &str = "(SELECT COUNT(*) FROM account_notices n WHERE n.user_id = users.id AND n.seen_at IS NULL)";

mod date_style {
    use super::DateStyle;
    use serde::{Deserialize, Deserializer, Serializer};
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(style: &DateStyle, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(style.word())
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DateStyle, D::Error> {
        Ok(DateStyle::parse(&String::deserialize(from)?))
    }
}

impl Me {
    pub fn units(&self) -> UnitSystem {
        if self.metric { UnitSystem::Metric } else { UnitSystem::Imperial }
    }
    pub fn is_admin(&self) -> bool {
        self.role == "admin"
    }
    /// Administrators are reminded of the key until somebody keeps a copy.
    pub fn key_reminder(&self) -> bool {
        self.is_admin() && self.key_is_unkept
    }
    /// Minutes until the session ends whatever happens, if they are few.
    pub fn last_minutes(&self) -> Option<i64> {
        let minutes = (self.ends.at_most + 30) / 60;
        (self.ends.at_most > 0 && minutes < LAST_MINUTES).then_some(minutes.max(1))
    }
    /// Who must have a second factor and has none sets one up before anything else.
    pub fn must_get_factor(&self) -> bool {
        self.needs_factor && !self.has_factor
    }
    pub fn may_add_patients(&self) -> bool {
        self.role != "guest"
    }
}

/// A signed-in request: the handler's proof that there is a session.
#[derive(Clone, Debug)]
pub struct Signed {
    pub me: Me,
    pub actor: Actor,
}

impl FromRequest for Signed {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(signed(request).ok_or(Error::NoSession))
    }
}

/// Who is signed in, if anybody.
pub fn me(session: &Session) -> Option<Me> {
    session.get::<Me>(ME).ok().flatten()
}

pub fn signed(request: &HttpRequest) -> Option<Signed> {
    let me = me(&request.get_session())?;
    let actor = Actor { user: me.id.clone(), name: me.name.clone(), via: Via::Session(me.session.clone()), address: address(request) };
    Some(Signed { me, actor })
}

/// The client's address as `security` found it (a trusted proxy's word, else the socket's).
pub fn address(request: &HttpRequest) -> Option<String> {
    crate::security::client_address(request)
}

/// Somebody whose second factor is waited for. They have no session: nothing is theirs to see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Waiting {
    pub arrival: Arrival,
    pub name: String,
    pub since: NaiveDateTime,
}

/// Has somebody wait. A new key, which is worth nothing but to go on with.
pub fn wait(session: &Session, arrival: Arrival, name: String, since: NaiveDateTime) -> Result<()> {
    session.clear();
    session.renew();
    session.insert(WAITING_FOR, Waiting { arrival, name, since }).map_err(|_| Error::Internal("session".into()))
}

/// Who waits, if anybody.
pub fn waiting(session: &Session) -> Option<Waiting> {
    session.get::<Waiting>(WAITING_FOR).ok().flatten()
}

/// See [`coming`].
struct Coming(String);

fn new_name() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The public id of the session that this request may begin: known before, so that the audit of the sign-in can name it.
pub fn coming(request: &HttpRequest) -> String {
    let mut extensions = request.extensions_mut();
    if let Some(Coming(name)) = extensions.get::<Coming>() {
        return name.clone();
    }
    let name = new_name();
    extensions.insert(Coming(name.clone()));
    name
}

/// Begins a session for somebody who proved who they are. A new key: what was before the sign-in is worth nothing after it.
pub fn begin(session: &Session, request: &HttpRequest, arrival: &Arrival) -> Result<()> {
    let agent = request.headers().get("user-agent").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let failed = |_| Error::Internal("session".into());
    session.clear();
    session.renew();
    session.insert(USER, &arrival.user).map_err(failed)?;
    session.insert(REMEMBER, arrival.remember).map_err(failed)?;
    session.insert(WAY, arrival.way.word()).map_err(failed)?;
    if let Some((identity, token)) = &arrival.identity {
        session.insert(IDENTITY, identity).map_err(failed)?;
        session.insert(ID_TOKEN, token).map_err(failed)?;
    }
    session.insert(NAME, coming(request)).map_err(failed)?;
    session.insert(ADDRESS, address(request)).map_err(failed)?;
    session.insert(AGENT, agent.chars().take(300).collect::<String>()).map_err(failed)?;
    Ok(())
}

/// A new key for a session whose person proved just now that they are there; the new row takes the moment from the state.
pub fn proved(session: &Session, me: &Me, now: NaiveDateTime) -> Result<()> {
    session.insert(ME, Me { proved_at: now, ..me.clone() }).map_err(|_| Error::Internal("session".into()))?;
    session.renew();
    Ok(())
}

/// Whose session this request began.
pub fn comer(session: &Session) -> Option<UserId> {
    session.get::<UserId>(USER).ok().flatten()
}

/// Says of a request that its session is to be remembered.
struct Remembered;

/// Looks at the session before its layer takes it away: inside that layer.
pub async fn mark(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let response = next.call(request).await?.map_into_boxed_body();
    if response.request().get_session().get::<bool>(REMEMBER).ok().flatten() == Some(true) {
        response.request().extensions_mut().insert(Remembered);
    }
    Ok(response)
}

/// The session's layer writes cookies that end with the browser; that of a remembered session lasts. Outside that layer.
pub async fn last(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let mut response = next.call(request).await?.map_into_boxed_body();
    if response.request().extensions().contains::<Remembered>() {
        let cookies: Vec<HeaderValue> = response.headers().get_all(header::SET_COOKIE).cloned().collect();
        response.headers_mut().remove(header::SET_COOKIE);
        for cookie in cookies {
            response.headers_mut().append(header::SET_COOKIE, lasting(cookie));
        }
    }
    Ok(response)
}

/// A cookie that is taken away has its time already.
fn lasting(cookie: HeaderValue) -> HeaderValue {
    let text = cookie.to_str().unwrap_or_default();
    if text.contains("Max-Age") {
        return cookie;
    }
    let lasting = format!("{text}; Max-Age={}", LONGEST_REMEMBERED.num_seconds());
    HeaderValue::from_str(&lasting).unwrap_or(cookie)
}

/// Ends a person's sessions: all, or all but one, or a single one by its public id.
pub fn end(tx: &mut Tx<'_>, user: &UserId, only: Option<&str>, except: Option<&str>) -> Result<usize> {
    let mut query = diesel::delete(sessions::table.filter(sessions::user_id.eq(user))).into_boxed();
    if let Some(only) = only {
        query = query.filter(sessions::id.eq(only.to_owned()));
    }
    if let Some(except) = except {
        query = query.filter(sessions::id.ne(except.to_owned()));
    }
    Ok(query.execute(&mut **tx)?)
}

/// A session as its owner sees it in the settings.
#[derive(Clone, Debug, Queryable)]
pub struct Listed {
    pub id: String,
    pub address: Option<String>,
    pub agent: Option<String>,
    pub remember: bool,
    pub created_at: NaiveDateTime,
    pub last_seen_at: NaiveDateTime,
    pub expires_at: NaiveDateTime,
    /// How it began; a word of [`Way`](super::arrival::Way).
    pub way: String,
}

pub fn list(conn: &mut Conn, user: &UserId, now: NaiveDateTime) -> Result<Vec<Listed>> {
    Ok(sessions::table
        .filter(sessions::user_id.eq(user))
        .filter(sessions::expires_at.gt(now))
        .order(sessions::last_seen_at.desc())
        .select((
            sessions::id,
            sessions::address,
            sessions::agent,
            sessions::remember,
            sessions::created_at,
            sessions::last_seen_at,
            sessions::expires_at,
            sessions::way,
        ))
        .load(conn)?)
}

/// Everybody's, the latest used first, with account and name: for administrators. At most so many.
pub fn all(conn: &mut Conn, now: NaiveDateTime, most: i64) -> Result<Vec<(UserId, String, Listed)>> {
    Ok(sessions::table
        .inner_join(users::table.on(sessions::user_id.eq(users::id.nullable())))
        .filter(sessions::expires_at.gt(now))
        .order(sessions::last_seen_at.desc())
        .limit(most)
        .select((
            users::id,
            users::full_name,
            (
                sessions::id,
                sessions::address,
                sessions::agent,
                sessions::remember,
                sessions::created_at,
                sessions::last_seen_at,
                sessions::expires_at,
                sessions::way,
            ),
        ))
        .load(conn)?)
}

/// Removes what is over; a job's work.
pub fn purge(tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<usize> {
    Ok(diesel::delete(sessions::table.filter(sessions::expires_at.le(now))).execute(&mut **tx)?)
}

/// actix-session's store on our table.
#[derive(Clone)]
pub struct Store {
    app: App,
}

impl Store {
    pub fn new(app: App) -> Self {
        Self { app }
    }
}

type State = HashMap<String, String>;

/// Session, user and preferences in one row.
type Row = (
    (String, Option<String>, Option<String>),
    String,
    String,
    bool,
    NaiveDateTime,
    Option<NaiveDateTime>,
    NaiveDateTime,
    NaiveDateTime,
    UserId,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i32>,
    bool,
    i64,
    i64,
    bool,
    Option<NaiveDateTime>,
);

/// A copy of the key was confirmed.
const KEPT: &str = "EXISTS (SELECT 1 FROM installation WHERE name = 'key_kept')";

fn load(conn: &mut Conn, hash: &str) -> Result<Option<Row>> {
    Ok(sessions::table
        .inner_join(users::table.on(sessions::user_id.eq(users::id.nullable())))
        .left_join(user_preferences::table.on(user_preferences::user_id.eq(users::id)))
        .filter(sessions::key_hash.eq(hash))
        .filter(users::disabled_at.is_null())
        .select((
            (sessions::way, sessions::identity_id, sessions::id_token),
            sessions::id,
            sessions::state,
            sessions::remember,
            sessions::created_at,
            sessions::proved_at,
            sessions::last_seen_at,
            sessions::expires_at,
            users::id,
            users::full_name,
            users::username,
            users::role,
            user_preferences::language.nullable(),
            user_preferences::unit_system.nullable(),
            user_preferences::date_format.nullable(),
            user_preferences::session_timeout_minutes.nullable(),
            sql::<Bool>(KEPT),
            worded::<BigInt>(WAITING),
            worded::<BigInt>(NOTICES),
            worded::<Bool>(factors::HAS_ONE),
            users::factors_reset_at,
        ))
        .first(conn)
        .optional()?)
}

/// The state of who waits for a session; it has no user.
fn load_waiting(conn: &mut Conn, hash: &str, now: NaiveDateTime) -> Result<Option<State>> {
    let row = sessions::table.find(hash).filter(sessions::user_id.is_null()).filter(sessions::expires_at.gt(now));
    let state: Option<String> = row.select(sessions::state).first(conn).optional()?;
    Ok(state.and_then(|state| serde_json::from_str(&state).ok()))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Internal(error.to_string()))
}

impl Store {
    fn load_now(&self, hash: &str) -> Result<Option<State>> {
        let now = self.app.clock.now();
        let Some(row) = self.app.db.read(|conn| load(conn, hash))? else {
            return self.app.db.read(|conn| load_waiting(conn, hash, now));
        };
        let (
            (way, identity, id_token),
            session,
            state,
            remember,
            created,
            proved,
            seen,
            expires,
            id,
            name,
            username,
            role,
            language,
            units,
            dates,
            minutes,
            kept,
            waiting,
            notices,
            has_factor,
            factors_reset_at,
        ) = row;
        let idle = Duration::minutes(i64::from(minutes.unwrap_or(30).max(1)));
        if now >= expires || (!remember && now - seen > idle) {
            return Ok(None);
        }
        if now - seen > SEEN_EVERY {
            self.app.db.write(|tx| {
                diesel::update(sessions::table.find(hash)).set(sessions::last_seen_at.eq(now)).execute(&mut **tx)?;
                diesel::update(users::table.find(&id)).set(users::last_seen_at.eq(now)).execute(&mut **tx)?;
                Ok(())
            })?;
        }
        let needs_factor = factors::required::must_have(self.app.config.second_factor, &role);
        let me = Me {
            id,
            session,
            name,
            username,
            role,
            language: language.unwrap_or_else(|| "en".into()),
            metric: units.as_deref() == Some("metric"),
            dates: DateStyle::parse(dates.as_deref().unwrap_or_default()),
            waiting,
            proved_at: proved.unwrap_or(created),
            key_is_unkept: !kept,
            notices,
            ends: Ends { idle: (!remember).then_some(idle.num_seconds()), at_most: (expires - now).num_seconds() },
            has_factor,
            needs_factor,
            factors_reset_at,
        };
        let mut state: State = serde_json::from_str(&state).unwrap_or_default();
        state.insert(ME.to_owned(), json(&me)?);
        // What a new key of the same session must not lose.
        state.insert(CREATED.to_owned(), json(&created)?);
        for (name, text) in [(WAY, Some(way)), (IDENTITY, identity), (ID_TOKEN, id_token)] {
            if let Some(text) = text {
                state.insert(name.to_owned(), json(&text)?);
            }
        }
        Ok(Some(state))
    }

    fn save_now(&self, state: &State) -> Result<String> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(|_| Error::Internal("no randomness".into()))?;
        let key = URL_SAFE_NO_PAD.encode(bytes);
        let hash = token_text::hash(&key);
        let now = self.app.clock.now();
        let text = |name: &str| state.get(name).and_then(|json| serde_json::from_str::<String>(json).ok());
        let remember = state.get(REMEMBER).is_some_and(|json| json == "true");
        let user = text(USER).and_then(|id| UserId::parse(&id));
        // A new key for the same session: what it began with, and when it ends, stay.
        let before: Option<Me> = state.get(ME).and_then(|json| serde_json::from_str(json).ok());
        let created: NaiveDateTime = state.get(CREATED).and_then(|json| serde_json::from_str(json).ok()).unwrap_or(now);
        let longest = match (state.contains_key(WAITING_FOR), remember) {
            (true, _) => LONGEST_WAIT,
            (false, true) => LONGEST_REMEMBERED,
            (false, false) => LONGEST,
        };
        self.app.db.write(|tx| {
            diesel::insert_into(sessions::table)
                .values((
                    sessions::key_hash.eq(&hash),
                    sessions::id.eq(before.as_ref().map(|me| me.session.clone()).or_else(|| text(NAME)).unwrap_or_else(new_name)),
                    sessions::user_id.eq(&user),
                    sessions::state.eq(plain(state)),
                    sessions::remember.eq(remember),
                    sessions::address.eq(text(ADDRESS)),
                    sessions::agent.eq(text(AGENT)),
                    sessions::created_at.eq(created),
                    sessions::last_seen_at.eq(now),
                    sessions::expires_at.eq(created + longest),
                    sessions::way.eq(text(WAY).unwrap_or_else(|| "password".to_owned())),
                    sessions::proved_at.eq(before.as_ref().map_or(now, |me| me.proved_at)),
                    sessions::identity_id.eq(text(IDENTITY)),
                    sessions::id_token.eq(text(ID_TOKEN)),
                ))
                .execute(&mut **tx)?;
            if let Some(user) = &user {
                diesel::update(users::table.find(user)).set(users::last_seen_at.eq(now)).execute(&mut **tx)?;
            }
            Ok(())
        })?;
        Ok(key)
    }

    fn update_now(&self, hash: &str, state: &State) -> Result<()> {
        self.app.db.write(|tx| {
            diesel::update(sessions::table.find(hash)).set(sessions::state.eq(plain(state))).execute(&mut **tx)?;
            Ok(())
        })
    }

    fn delete_now(&self, hash: &str) -> Result<()> {
        self.app.db.write(|tx| {
            diesel::delete(sessions::table.find(hash)).execute(&mut **tx)?;
            Ok(())
        })
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T, anyhow::Error> {
        let store = self.clone();
        web::block(move || work(&store)).await.map_err(|e| anyhow!(e))?.map_err(|e| anyhow!(e.to_string()))
    }
}

/// The state without what was only read along with it, and without what stands in a column of its own.
fn plain(state: &State) -> String {
    const ELSEWHERE: &[&str] = &[ME, NAME, WAY, IDENTITY, ID_TOKEN, CREATED];
    let kept: State =
        state.iter().filter(|(name, _)| !ELSEWHERE.contains(&name.as_str())).map(|(name, json)| (name.clone(), json.clone())).collect();
    serde_json::to_string(&kept).unwrap_or_default()
}

impl SessionStore for Store {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let hash = token_text::hash(key.as_ref());
        self.run(move |store| store.load_now(&hash)).await.map_err(LoadError::Other)
    }

    async fn save(&self, state: State, _: &CookieDuration) -> Result<SessionKey, SaveError> {
        let key = self.run(move |store| store.save_now(&state)).await.map_err(SaveError::Other)?;
        SessionKey::try_from(key).map_err(|e| SaveError::Other(anyhow!(e.to_string())))
    }

    async fn update(&self, key: SessionKey, state: State, _: &CookieDuration) -> Result<SessionKey, UpdateError> {
        let hash = token_text::hash(key.as_ref());
        self.run(move |store| store.update_now(&hash, &state)).await.map_err(UpdateError::Other)?;
        Ok(key)
    }

    async fn update_ttl(&self, _: &SessionKey, _: &CookieDuration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        let hash = token_text::hash(key.as_ref());
        self.run(move |store| store.delete_now(&hash)).await
    }
}
