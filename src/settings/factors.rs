//! `/settings/factors`: the app with codes, passkeys, recovery codes, and when they are asked for.

use actix_session::SessionExt;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use diesel::prelude::*;
use fast_qr::qr::QRBuilder;

use crate::{
    app::App,
    audit::{Action, Event},
    auth::{
        accounts,
        factors::{
            self, Held,
            check::{self, CODE},
            passkey::{self, Answered, LONGEST_NAME, Place},
            recovery, totp,
        },
        form::{self, Form, Problems},
        proof::Proved,
        session::{Me, Signed},
        sign_in,
    },
    body,
    db::{Conn, schema::users},
    error::{Error, Result},
    page::{Ui, render, see_other},
    records::field::FieldError,
};

const HERE: &str = factors::required::PAGE;

#[derive(Template)]
#[template(path = "settings/factors.html")]
struct FactorsPage {
    ui: Ui,
    held: Held,
    /// Since when there is an app, and when it was used last.
    app_since: String,
    app_used: String,
    keys: Vec<KeyRow>,
    asks_after_provider: bool,
    is_required: bool,
    place: Place,
    public_url: String,
    name: String,
    done: &'static str,
    problems: Problems,
}

struct KeyRow {
    id: String,
    name: String,
    since: String,
    used: String,
}

impl FactorsPage {
    fn load(conn: &mut Conn, app: &App, me: Me, place: Place) -> Result<Self> {
        let user = me.id.clone();
        let is_required = me.needs_factor;
        let ui = Ui::new(Some(me), HERE);
        let moment = |at: Option<chrono::NaiveDateTime>| at.map_or_else(|| ui.t("settings.never_used"), |at| ui.moment(&at));
        let app_times = totp::since(conn, &user)?;
        let row =
            |key: passkey::Listed| KeyRow { id: key.id, name: key.name, since: ui.moment(&key.created_at), used: moment(key.last_used_at) };
        Ok(Self {
            held: factors::held(conn, &user)?,
            app_since: app_times.map(|(since, _)| ui.moment(&since)).unwrap_or_default(),
            app_used: moment(app_times.and_then(|(_, used)| used)),
            keys: passkey::list(conn, &user)?.into_iter().map(row).collect(),
            asks_after_provider: factors::asks_after_provider(conn, &user)?,
            is_required,
            place,
            public_url: app.config.public_url.to_string(),
            name: String::new(),
            done: "",
            problems: Problems::default(),
            ui,
        })
    }
    fn place_key(&self) -> String {
        format!("passkey.place_{}", self.place.word())
    }
}

/// `GET /settings/factors`.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let told = Form(body::query(&request));
    let done = ["removed", "saved"].into_iter().find(|word| told.raw("done") == *word).unwrap_or_default();
    let place = Place::of(&app.config, &request);
    let page = app.read(move |conn, app| FactorsPage::load(conn, app, signed.me, place)).await?;
    render(&FactorsPage { done, ..page })
}

#[derive(Template)]
#[template(path = "settings/totp.html")]
struct TotpPage {
    ui: Ui,
    /// The secret in groups of four.
    groups: Vec<String>,
    /// What the browser copies.
    secret: String,
    /// Of a QR code: its side in squares, and the dark ones as a path.
    side: usize,
    dark: String,
    problems: Problems,
}

/// The dark squares of a QR code as an SVG path, with the white border that a camera needs.
fn drawn(text: &str) -> Result<(usize, String)> {
    use std::fmt::Write;
    const BORDER: usize = 4;
    let code = QRBuilder::new(text).build().map_err(|_| Error::Internal("a QR code cannot be made".to_owned()))?;
    let mut path = String::new();
    for y in 0..code.size {
        for (x, square) in code[y].iter().take(code.size).enumerate() {
            if square.value() {
                write!(path, "M{} {}h1v1h-1z", x + BORDER, y + BORDER)
                    .map_err(|_| Error::Internal("a QR code cannot be drawn".to_owned()))?;
            }
        }
    }
    Ok((code.size + 2 * BORDER, path))
}

impl TotpPage {
    fn new(app: &App, me: Me) -> Result<Option<Self>> {
        let host = app.config.public_url.host().split(':').next().unwrap_or_default();
        let label = format!("{}@{host}", me.username);
        let Some(new) = app.db.read(|conn| totp::waiting(conn, &app.key, &me.id, &label))? else { return Ok(None) };
        let (side, dark) = drawn(&new.address)?;
        let groups = new.secret.chars().collect::<Vec<_>>().chunks(4).map(|four| four.iter().collect()).collect();
        Ok(Some(Self { ui: Ui::new(Some(me), HERE), groups, secret: new.secret, side, dark, problems: Problems::default() }))
    }
}

/// `GET /settings/factors/totp`: the secret that waits for its first code.
pub async fn show_totp(app: web::Data<App>, signed: Signed, _: Proved) -> Result<HttpResponse> {
    match app.run(move |app| TotpPage::new(app, signed.me)).await? {
        Some(page) => render(&page),
        None => Ok(see_other(HERE)),
    }
}

/// `POST /settings/factors/totp`: a new secret.
pub async fn begin_totp(app: web::Data<App>, signed: Signed, _: Proved) -> Result<HttpResponse> {
    app.write(move |tx, app| totp::begin(tx, &app.key, &signed.me.id, app.clock.now())).await?;
    Ok(see_other("/settings/factors/totp"))
}

/// `POST /settings/factors/totp/confirm`: the first code. It is counted like any other.
pub async fn confirm_totp(
    app: web::Data<App>,
    signed: Signed,
    _: Proved,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let who = signed.clone();
    match app.run(move |app| confirm(app, &who, &form)).await {
        Ok(codes) => added(&app, &request, signed.me, codes).await,
        Err(error) => {
            let (status, problems) = form::shown(&Ui::new(Some(signed.me.clone()), HERE).words, error)?;
            let page = app.run(move |app| TotpPage::new(app, signed.me)).await?.ok_or(Error::NotFound)?;
            form::again(status, problems.wait, &TotpPage { problems, ..page })
        }
    }
}

fn confirm(app: &App, signed: &Signed, form: &Form) -> Result<Option<Vec<String>>> {
    let (now, user) = (app.clock.now(), &signed.me.id);
    let wrong = |error| Error::Invalid(vec![(CODE.to_owned(), error)]);
    let code = form.text(CODE);
    let is_waiting = app.db.read(|conn| totp::waiting(conn, &app.key, user, "app"))?.is_some();
    if !is_waiting {
        return Err(Error::NotFound);
    }
    if code.is_empty() {
        return Err(wrong(FieldError::Required));
    }
    let guess = check::guess(app, user, signed.actor.address.as_deref());
    app.db.write(|tx| guess.reserve(tx, now))?;
    let own = signed.actor.session_id();
    app.db.write(|tx| {
        if !totp::confirm(tx, &app.key, user, &code, now)? {
            return Err(wrong(FieldError::Rule("error.factor_code_first")));
        }
        guess.succeeded(tx, now)?;
        factors::added(tx, user, own.as_deref(), "totp", Event::new(&signed.actor, Action::FactorAdded, now))
    })
}

/// After a factor more: with the first one the recovery codes, shown once. The session's key changes with its person's rights.
async fn added(app: &App, request: &HttpRequest, me: Me, codes: Option<Vec<String>>) -> Result<HttpResponse> {
    match codes {
        Some(codes) => {
            request.get_session().renew();
            let wanted = factors::required::wanted(app, me.id.clone()).await?;
            let me = Me { has_factor: true, factors_reset_at: None, ..me };
            let page = CodesPage::new(me, &codes, true);
            render(&CodesPage { onwards: wanted.map_or(page.onwards, |path| sign_in::next(&path).to_owned()), ..page })
        }
        None => Ok(see_other(&format!("{HERE}?done=saved"))),
    }
}

/// `POST /settings/factors/totp/remove`.
pub async fn remove_totp(app: web::Data<App>, signed: Signed, _: Proved) -> Result<HttpResponse> {
    app.write(move |tx, app| {
        if totp::remove(tx, &signed.me.id)? {
            let event = Event::new(&signed.actor, Action::FactorRemoved, app.clock.now());
            factors::removed(tx, &signed.me.id, signed.actor.session_id().as_deref(), "totp", event)?;
        }
        Ok(())
    })
    .await?;
    Ok(see_other(&format!("{HERE}?done=removed")))
}

#[derive(Template)]
#[template(path = "settings/codes.html")]
struct CodesPage {
    ui: Ui,
    codes: Vec<String>,
    /// All of them, to be copied.
    line: String,
    /// They come with the first factor.
    is_first: bool,
    /// Where one goes on.
    onwards: String,
}

impl CodesPage {
    fn new(me: Me, codes: &[String], is_first: bool) -> Self {
        Self { ui: Ui::new(Some(me), HERE), codes: codes.to_vec(), line: codes.join(" "), is_first, onwards: HERE.to_owned() }
    }
}

/// `POST /settings/factors/codes`: ten new recovery codes in place of the old ones. The answer is a page: they are nowhere else.
pub async fn make_codes(app: web::Data<App>, signed: Signed, _: Proved) -> Result<HttpResponse> {
    let who = signed.clone();
    let codes = app
        .write(move |tx, app| {
            let now = app.clock.now();
            if !factors::held(tx, &who.me.id)?.any() {
                return Err(Error::NotFound);
            }
            Event::new(&who.actor, Action::RecoveryCodesMade, now).write(tx)?;
            recovery::make(tx, &who.me.id, now)
        })
        .await?;
    render(&CodesPage::new(signed.me, &codes, false))
}

/// `POST /settings/factors/passkeys/challenge`: what a browser needs to make a key, as JSON.
pub async fn challenge(app: web::Data<App>, signed: Signed, _: Proved) -> Result<HttpResponse> {
    let challenge = app
        .run(move |app| {
            let account = app.db.read(|conn| accounts::by_id(conn, &signed.me.id))?;
            passkey::start_registration(app, &account)
        })
        .await?;
    Ok(HttpResponse::Ok().json(challenge))
}

/// `POST /settings/factors/passkeys`: the key that the browser made.
pub async fn add_passkey(
    app: web::Data<App>,
    signed: Signed,
    _: Proved,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let (who, sent) = (signed.clone(), form.clone());
    match app.run(move |app| register(app, &who, &sent)).await {
        Ok(codes) => added(&app, &request, signed.me, codes).await,
        Err(error) => {
            let (status, problems) = form::shown(&Ui::new(Some(signed.me.clone()), HERE).words, error)?;
            let place = Place::of(&app.config, &request);
            let page = app.read(move |conn, app| FactorsPage::load(conn, app, signed.me, place)).await?;
            form::again(status, problems.wait, &FactorsPage { problems, name: form.text("name"), ..page })
        }
    }
}

fn register(app: &App, signed: &Signed, form: &Form) -> Result<Option<Vec<String>>> {
    let (now, user) = (app.clock.now(), &signed.me.id);
    let wrong = |field: &str, error| Err(Error::Invalid(vec![(field.to_owned(), error)]));
    let name = form.text("name");
    let length = name.chars().count();
    if name.is_empty() {
        return wrong("name", FieldError::Required);
    }
    if length > LONGEST_NAME {
        return wrong("name", FieldError::TooLong { max: LONGEST_NAME, is: length });
    }
    if name.chars().any(char::is_control) {
        return wrong("name", FieldError::ControlCharacters);
    }
    if !form.has("credential") {
        return wrong("credential", FieldError::Rule("error.passkey_script"));
    }
    let answered = Answered { challenge: form.raw("challenge").to_owned(), credential: form.raw("credential").to_owned() };
    let key = passkey::finish_registration(app, user, &answered)?;
    let own = signed.actor.session_id();
    app.db.write(|tx| {
        passkey::add(tx, user, &name, &key, now)?;
        factors::added(tx, user, own.as_deref(), "passkey", Event::new(&signed.actor, Action::FactorAdded, now))
    })
}

/// `POST /settings/factors/passkeys/{passkey}/remove`.
pub async fn remove_passkey(app: web::Data<App>, signed: Signed, _: Proved, key: web::Path<String>) -> Result<HttpResponse> {
    app.write(move |tx, app| {
        passkey::remove(tx, &signed.me.id, &key)?;
        let event = Event::new(&signed.actor, Action::FactorRemoved, app.clock.now());
        factors::removed(tx, &signed.me.id, signed.actor.session_id().as_deref(), "passkey", event)
    })
    .await?;
    Ok(see_other(&format!("{HERE}?done=removed")))
}

/// `POST /settings/factors/provider`: whether who comes from a provider is asked here, too.
pub async fn choose_provider(
    app: web::Data<App>,
    signed: Signed,
    _: Proved,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let asks = Form::read(&request, payload).await?.has("asks_after_provider");
    app.write(move |tx, app| {
        diesel::update(users::table.find(&signed.me.id)).set(users::asks_after_provider.eq(asks)).execute(&mut **tx)?;
        let detail = Some(if asks { "asks_after_provider" } else { "trusts_provider" }.to_owned());
        Ok(Event { detail, ..Event::new(&signed.actor, Action::AccountChanged, app.clock.now()) }.write(tx)?)
    })
    .await?;
    Ok(see_other(&format!("{HERE}?done=saved")))
}

/// `POST /settings/factors/seen`: they know that their factors were taken away.
pub async fn seen(app: web::Data<App>, signed: Signed) -> Result<HttpResponse> {
    app.write(move |tx, _| {
        let none = None::<chrono::NaiveDateTime>;
        diesel::update(users::table.find(&signed.me.id)).set(users::factors_reset_at.eq(none)).execute(&mut **tx)?;
        Ok(())
    })
    .await?;
    Ok(see_other(HERE))
}
