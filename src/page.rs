//! What every page needs besides its own content: words, who is signed in, whose records are shown, the menu.

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use diesel::prelude::*;

use crate::{
    access::{Level, PatientAccess},
    app::App,
    assets,
    auth::session::Me,
    db::{
        Conn,
        schema::users,
        types::{HouseholdId, UserId},
    },
    error::{Error, Result},
    i18n::Locale,
    records::{self, Group, Kind},
};

/// Handed to every template as `ui`.
#[derive(Clone, Debug)]
pub struct Ui {
    pub words: Locale,
    pub me: Option<Me>,
    pub nav: Option<Nav>,
    /// The page's own path, for links that must come back.
    pub here: String,
    /// What stands in the search field.
    pub q: String,
}

/// The menu of one patient.
#[derive(Clone, Debug)]
pub struct Nav {
    pub id: String,
    pub name: String,
    pub given: String,
    pub initials: String,
    /// The small photograph; empty if there is none.
    pub face: String,
    pub about: String,
    pub may_edit: bool,
    /// May give others a part of it.
    pub may_share: bool,
    /// May see who looked.
    pub owns: bool,
    pub groups: Vec<NavGroup>,
}

#[derive(Clone, Debug)]
pub struct NavGroup {
    pub label: String,
    pub items: Vec<NavItem>,
}

#[derive(Clone, Debug)]
pub struct NavItem {
    pub href: String,
    pub label: String,
    pub count: String,
    pub current: bool,
}

impl Ui {
    pub fn new(me: Option<Me>, here: &str) -> Self {
        let words = me.as_ref().map_or_else(Locale::default, |me| Locale::new(&me.language, me.dates));
        Self { words, me, nav: None, here: here.to_owned(), q: String::new() }
    }
    /// With the menu of the patient this access is for. One statement, whatever the number of records.
    pub fn with_nav<L: Level>(self, conn: &mut Conn, access: &PatientAccess<L>) -> Result<Self> {
        let counts = records::overview::counts(conn, access)?;
        Ok(self.with_counts(access, &counts))
    }
    /// The same where the counts are known.
    pub fn with_counts<L: Level>(mut self, access: &PatientAccess<L>, counts: &[(String, i64)]) -> Self {
        self.nav = Some(self.nav_of(access, counts));
        self
    }
    fn nav_of<L: Level>(&self, access: &PatientAccess<L>, counts: &[(String, i64)]) -> Nav {
        let patient = &access.patient;
        let id = patient.id.to_string();
        let item = |kind: &Kind| {
            let href = format!("/patients/{id}/{}", kind.name);
            let count = counts.iter().find(|(name, _)| name == kind.name).map_or(0, |(_, n)| *n);
            NavItem {
                label: self.kind(kind),
                count: if count == 0 { String::new() } else { self.words.number(count) },
                current: self.here == href || self.here.starts_with(&format!("{href}/")),
                href,
            }
        };
        let tree = || {
            let href = format!("/patients/{id}/family");
            NavItem { label: self.t("family.title"), count: String::new(), current: self.here == href, href }
        };
        let groups = Group::ALL
            .into_iter()
            .map(|group| {
                let kinds = records::kinds().iter().filter(|k| k.group == group && access.scope().allows_kind(k.name));
                let has_tree = kinds.clone().any(|k| k.name == crate::access::family::KIND);
                NavGroup { label: self.t(group.key()), items: kinds.map(item).chain(has_tree.then(tree)).collect() }
            })
            .filter(|group| !group.items.is_empty())
            .collect();
        let about = patient.fields.birth_date.as_ref().and_then(|birth| self.words.age(birth, access.now.date())).unwrap_or_default();
        Nav {
            id,
            name: patient.name(),
            given: patient.given_name(),
            initials: patient.initials(),
            face: patient.face(),
            about,
            may_edit: access.may(crate::access::Rank::Edit),
            may_share: access.may(crate::access::Rank::Full),
            owns: access.may(crate::access::Rank::Own),
            groups,
        }
    }

    /// A number of bytes, as file managers tell it.
    pub fn size(&self, bytes: &u64) -> String {
        crate::files::pages::size_word(self, *bytes)
    }
    pub fn is_admin(&self) -> bool {
        self.me.as_ref().is_some_and(Me::is_admin)
    }
    /// Nothing but making a second factor is open to them: what leads elsewhere is not shown.
    pub fn must_get_factor(&self) -> bool {
        self.me.as_ref().is_some_and(Me::must_get_factor)
    }
    /// Administrators are reminded of the key, except where they look after it and before they can.
    pub fn reminds_of_key(&self) -> bool {
        self.me.as_ref().is_some_and(|me| me.key_reminder() && !me.must_get_factor()) && self.here != "/settings/key"
    }

    /// When somebody else took their factors away, as long as they have not said that they know.
    pub fn factors_reset(&self) -> Option<String> {
        self.me.as_ref()?.factors_reset_at.map(|at| self.moment(&at))
    }

    pub fn t(&self, key: &str) -> String {
        self.words.t(key)
    }
    pub fn t1(&self, key: &str, name: &str, value: impl AsRef<str>) -> String {
        self.words.with(key, &[(name, value.as_ref())])
    }
    /// Words about a kind: `kind.medications.add`.
    pub fn about(&self, kind: &Kind, what: &str) -> String {
        self.t(&format!("kind.{}.{what}", kind.word()))
    }
    /// Words about an array of children: `children.components.add`.
    pub fn about_children(&self, name: &str, what: &str) -> String {
        self.t(&format!("children.{name}.{what}"))
    }
    pub fn number(&self, n: &i64) -> String {
        self.words.number(*n)
    }
    /// Words under a key made of two parts.
    pub fn t2(&self, prefix: &str, key: &str) -> String {
        self.t(&format!("{prefix}.{key}"))
    }
    pub fn n(&self, key: &str, n: &i64) -> String {
        self.words.n(key, *n)
    }
    pub fn date(&self, text: &str) -> String {
        self.words.date(text)
    }
    pub fn day(&self, text: &str) -> String {
        self.words.day(text)
    }
    pub fn moment(&self, at: &chrono::NaiveDateTime) -> String {
        self.words.moment(*at)
    }
    pub fn asset(&self, name: &str) -> String {
        assets::path(name)
    }
    /// The kind's name in the plural, as a heading.
    pub fn kind(&self, kind: &Kind) -> String {
        self.t(&format!("kind.{}", kind.word()))
    }
    pub fn kind_one(&self, kind: &Kind) -> String {
        self.t(&format!("kind.{}.one", kind.word()))
    }
    /// A field's label; the kind's own word before the general one.
    pub fn label(&self, word: &str, field: &str) -> String {
        self.words.first(&[format!("field.{word}.{field}"), format!("field.{field}")]).unwrap_or_else(|| field.to_owned())
    }
    pub fn hint(&self, word: &str, field: &str) -> Option<String> {
        self.words.first(&[format!("hint.{word}.{field}"), format!("hint.{field}")])
    }
    /// A word of a fixed choice.
    pub fn choice(&self, set: &str, word: &str) -> String {
        self.words.find(&format!("choice.{set}.{word}")).unwrap_or_else(|| word.to_owned())
    }
    /// A status of this kind, as a word.
    pub fn status(&self, kind: &Kind, word: &str) -> String {
        match kind.field("status").map(|(_, f)| f.input) {
            Some(records::field::Input::Choice { set, .. }) => self.choice(set, word),
            _ => word.to_owned(),
        }
    }
    pub fn unit(&self, unit: &str) -> String {
        self.words.find(&format!("unit.{unit}")).unwrap_or_else(|| unit.to_owned())
    }
    /// The sentence for what is wrong with a field.
    pub fn error(&self, error: &records::field::FieldError) -> String {
        let (key, values) = error.message();
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.words.with(key, &values)
    }
}

/// Renders a page.
pub fn render(template: &impl Template) -> Result<HttpResponse> {
    render_with(StatusCode::OK, template)
}

/// Renders a page that says something went wrong (422 for a form).
pub fn render_with(status: StatusCode, template: &impl Template) -> Result<HttpResponse> {
    Ok(html(status, text(template)?))
}

/// A page's text. Large pages are rendered on the thread that read the database, which also frees what they were made of: memory that
/// changes threads costs the allocator as much as the rendering itself.
pub fn text(template: &impl Template) -> Result<String> {
    template.render().map_err(|error| Error::Internal(format!("template: {error}")))
}

/// A page that was rendered before.
pub fn html(status: StatusCode, body: String) -> HttpResponse {
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(body)
}

/// After a form: the next page, with a new request.
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("Location", location)).finish()
}

/// Notes that a person looked, for the patient's owner to see.
pub fn note_read<L: Level>(
    app: &App,
    access: &PatientAccess<L>,
    action: crate::audit::Action,
    kind: Option<&str>,
    record: Option<(&crate::db::types::RecordId, i32)>,
) {
    let mut event = crate::audit::Event::new(&access.actor, action, access.now).patient(access.id());
    if let Some(kind) = kind {
        event = match record {
            Some((id, version)) => event.record(kind, id, version),
            None => event.kind(kind),
        };
    }
    app.reads.note(event);
}

/// The household a person's directory, tags and new patients belong to.
pub fn household(conn: &mut Conn, user: &UserId) -> Result<HouseholdId> {
    Ok(users::table.find(user).select(users::household_id).first(conn)?)
}
