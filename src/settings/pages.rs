//! `/settings`: profile and preferences, and the way to the rest.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use diesel::prelude::*;

use super::preferences::{self, Preferences};
use crate::{
    app::App,
    auth::{
        accounts::{self, Details},
        form::{self, Form, Problems},
        oidc::Door,
        session::{Me, Signed},
    },
    body,
    db::{Conn, schema::users},
    error::{Error, Result},
    page::{Ui, see_other},
    records::view::Choice,
};

/// The page's own path; what follows a change leads back here.
const HERE: &str = "/settings";

#[derive(Template)]
#[template(path = "settings/index.html")]
struct SettingsPage {
    ui: Ui,
    saved: bool,
    profile: Problems,
    preferences: Problems,
    details: Details,
    timeout: String,
    units: Vec<Choice>,
    languages: Vec<Choice>,
    dates: Vec<Choice>,
    /// The way to the provider's page.
    door: Option<Door>,
}

impl SettingsPage {
    fn load(conn: &mut Conn, app: &App, me: Me) -> Result<Self> {
        let stored = preferences::of(conn, &me.id)?;
        let details = profile(conn, &me)?;
        Ok(Self::new(app, me, details, &stored))
    }

    fn new(app: &App, me: Me, details: Details, wanted: &Preferences) -> Self {
        let ui = Ui::new(Some(me), HERE);
        let choices = |set: &str, words: &[&str], now: &str| {
            words.iter().map(|word| Choice { value: (*word).to_owned(), label: ui.choice(set, word), selected: *word == now }).collect()
        };
        Self {
            units: choices("UnitSystem", preferences::UNITS, &wanted.unit_system),
            languages: choices("Language", preferences::LANGUAGES, &wanted.language),
            dates: choices("DateFormat", preferences::DATES, &wanted.date_format),
            timeout: wanted.timeout.clone(),
            saved: false,
            door: Door::of(app),
            profile: Problems::default(),
            preferences: Problems::default(),
            details,
            ui,
        }
    }
}

/// Name and address as they are; `me` knows the name only.
fn profile(conn: &mut Conn, me: &Me) -> Result<Details> {
    let email: Option<String> = users::table.find(&me.id).select(users::email).first(conn)?;
    Ok(Details { full_name: me.name.clone(), username: me.username.clone(), email: email.unwrap_or_default() })
}

/// `GET /settings`.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let saved = Form(body::query(&request)).has("saved");
    let page = app.read(move |conn, app| SettingsPage::load(conn, app, signed.me)).await?;
    crate::page::render(&SettingsPage { saved, ..page })
}

/// `POST /settings/profile`.
pub async fn save_profile(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let full_name = form.text("full_name");
    let (wanted, actor) = (full_name.clone(), signed.actor.clone());
    let outcome = app
        .write(move |tx, app| {
            let errors = accounts::check_name(&wanted);
            if errors.is_empty() { accounts::rename(tx, &actor, &wanted, app.clock.now()) } else { Err(Error::Invalid(errors)) }
        })
        .await;
    let Err(error) = outcome else { return Ok(see_other("/settings?saved=1")) };
    let page = app.read(move |conn, app| SettingsPage::load(conn, app, signed.me)).await?;
    let (status, problems) = form::shown(&page.ui.words, error)?;
    let details = Details { full_name, ..page.details };
    form::again(status, problems.wait, &SettingsPage { profile: problems, details, ..page })
}

/// `POST /settings/preferences`.
pub async fn save_preferences(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let wanted = Preferences {
        unit_system: form.text("unit_system"),
        timeout: form.text("session_timeout_minutes"),
        language: form.text("language"),
        date_format: form.text("date_format"),
    };
    let errors = wanted.check();
    if errors.is_empty() {
        app.write(move |tx, app| preferences::save(tx, &signed.actor, &wanted, app.clock.now())).await?;
        return Ok(see_other("/settings?saved=1"));
    }
    let me = signed.me;
    let page = app.read(move |conn, app| profile(conn, &me).map(|details| SettingsPage::new(app, me, details, &wanted))).await?;
    let problems = Problems::new(&page.ui.words, &errors);
    form::again(StatusCode::UNPROCESSABLE_ENTITY, None, &SettingsPage { preferences: problems, ..page })
}
