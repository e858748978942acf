//! `/l/{text}`: what somebody without an account meets. First a page that tells nothing, then, for the right passcode, one patient's summary.
//!
//! Opening takes a form and not the mere address: the programs that look at every link in a mail must not use openings up. The visit's key is
//! a cookie of this one address. `SameSite=Lax` lets whoever clicks the link in a mail a second time come back to the visit that goes on.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration as CookieDuration},
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    web,
};
use askama::Template;
use chrono::NaiveDateTime;

use super::{From, Met, State, VISIT, give_back, has_visit, meet, open, plain_passcode, refused, reserve, summary::SummaryPage};
use crate::{
    access::{self, PatientAccess, View},
    app::App,
    audit::Action,
    auth::{
        form::Form,
        session,
        token_text::{self, TokenText},
    },
    body,
    db::{Conn, types::FileId},
    error::{Error, Result},
    files,
    page::{self, Ui, note_read, see_other},
};

const COOKIE: &str = "kinchart-visit";
/// Browsers take a cookie of such a name over https only, from this host alone, and for all its pages.
const SECURE_COOKIE: &str = "__Host-kinchart-visit";
/// As much of a browser's name as is kept.
const LONGEST_AGENT: usize = 300;

#[derive(Template)]
#[template(path = "sharing/link_door.html")]
struct DoorPage {
    ui: Ui,
    path: String,
    asks: bool,
    /// What is wrong with what was typed.
    wrong: String,
}

#[derive(Template)]
#[template(path = "sharing/link_closed.html")]
struct ClosedPage {
    ui: Ui,
    /// The passcode just sent was the last wrong one.
    locked: bool,
}

/// What is behind an address now.
enum Door {
    /// Nothing, or nothing any more: which of the two is not told.
    Closed,
    /// It opens, with a passcode or with a click.
    Shut { asks: bool },
    /// This visitor is in already.
    Inside,
}

/// What came of trying to open.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Closed,
    Empty,
    /// With the number of tries left.
    Wrong(i32),
    /// With the visit's key, and how long it lasts.
    Opened(String, chrono::Duration),
}

/// `GET /l/{text}`.
pub async fn door(app: web::Data<App>, text: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let path = path_of(&text);
    match look(&app, text.into_inner(), &request).await? {
        Door::Closed => closed(false),
        Door::Inside => Ok(see_other(&format!("{path}/summary"))),
        Door::Shut { asks } => shut(StatusCode::OK, path, asks, String::new()),
    }
}

/// `POST /l/{text}`: the passcode, or the click where there is none.
pub async fn enter(app: web::Data<App>, text: web::Path<String>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let path = path_of(&text);
    let text = text.into_inner();
    let asks = match look(&app, text.clone(), &request).await? {
        Door::Closed => return closed(false),
        Door::Inside => return Ok(see_other(&format!("{path}/summary"))),
        Door::Shut { asks } => asks,
    };
    let guess = Form::read(&request, payload).await?.raw("passcode").to_owned();
    let agent = request.headers().get(header::USER_AGENT).and_then(|v| v.to_str().ok());
    let from = From { address: session::address(&request), agent: agent.map(|text| text.chars().take(LONGEST_AGENT).collect()) };
    let ui = Ui::new(None, "");
    match app.run(move |app| attempt(app, &text, &guess, &from)).await? {
        Outcome::Closed => closed(false),
        Outcome::Wrong(0) => closed(true),
        Outcome::Wrong(left) => shut(StatusCode::UNPROCESSABLE_ENTITY, path, asks, ui.n("link.wrong_passcode", &i64::from(left))),
        Outcome::Empty => shut(StatusCode::UNPROCESSABLE_ENTITY, path, asks, ui.t("link.no_passcode")),
        Outcome::Opened(visit, lasts) => {
            let mut answer = private(see_other(&format!("{path}/summary")));
            let https = app.config.public_url.is_https();
            let cookie = Cookie::build(cookie_name(https, &path), visit)
                .path(if https { "/".to_owned() } else { path })
                .http_only(true)
                .secure(https)
                .same_site(SameSite::Lax)
                .max_age(CookieDuration::seconds(lasts.num_seconds()))
                .finish();
            answer.add_cookie(&cookie).map_err(|error| Error::Internal(format!("cookie: {error}")))?;
            Ok(answer)
        }
    }
}

/// `GET /l/{text}/summary`, for a visit that goes on.
pub async fn summary(app: web::Data<App>, text: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let path = path_of(&text);
    let text = text.into_inner();
    let visit = visit_of(&request, &text);
    let address = session::address(&request);
    let printed = Form(body::query(&request)).has("print");
    let here = path.clone();
    let found = app
        .read(move |conn, app| {
            let Some((met, access)) = inside(conn, app, &text, visit.as_deref(), address)? else { return Ok(None) };
            note_read(app, &access, if printed { Action::Printed } else { Action::Read }, Some("summary"), None);
            Ok(Some(page::text(&SummaryPage::load(conn, &access, &met, &here)?)?))
        })
        .await?;
    // Without a visit the way in begins at the door, which tells whether there is one.
    Ok(private(found.map_or_else(|| see_other(&path), |page| page::html(StatusCode::OK, page))))
}

/// `GET /l/{text}/files/{file}`: a document of what the link shows, if it opens documents.
pub async fn document(app: web::Data<App>, place: web::Path<(String, String)>, request: HttpRequest) -> Result<HttpResponse> {
    let (text, file) = place.into_inner();
    let path = path_of(&text);
    let Some(file) = FileId::parse(&file) else { return closed(false) };
    let (visit, address) = (visit_of(&request, &text), session::address(&request));
    let found = app
        .read(move |conn, app| {
            let Some((met, access)) = inside(conn, app, &text, visit.as_deref(), address)? else { return Ok(None) };
            if !met.link.documents {
                return Err(Error::NotFound);
            }
            let (file, _) = files::living(conn, &access, &file)?;
            files::note_look(app, &access, Action::Downloaded, &file);
            Ok(Some(file))
        })
        .await;
    match found {
        Ok(Some(file)) => Ok(private(files::serve::send(&app, &request, &file, true).await?)),
        Ok(None) => Ok(private(see_other(&path))),
        Err(Error::NotFound) => closed(false),
        Err(error) => Err(error),
    }
}

/// The link of this address and what it opens now, for a visit that goes on.
fn inside(
    conn: &mut Conn,
    app: &App,
    text: &str,
    visit: Option<&str>,
    address: Option<String>,
) -> Result<Option<(Met, PatientAccess<View>)>> {
    let now = app.clock.now();
    let Some(met) = meet(conn, &app.key, text, now)? else { return Ok(None) };
    if !has_visit(conn, &met.link.id, visit, now)? {
        return Ok(None);
    }
    Ok(granted(conn, &met, address, now)?.map(|access| (met, access)))
}

fn path_of(text: &str) -> String {
    let plain: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    format!("/l/{plain}")
}

/// One that is sent to every page has a name for each link: a second visit must not end the first.
fn cookie_name(https: bool, path: &str) -> String {
    if !https {
        return COOKIE.to_owned();
    }
    let link: String = token_text::hash(path).chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    format!("{SECURE_COOKIE}-{link}")
}

fn visit_of(request: &HttpRequest, text: &str) -> Option<String> {
    let https = request.app_data::<web::Data<App>>().is_some_and(|app| app.config.public_url.is_https());
    request.cookie(&cookie_name(https, &path_of(text))).map(|cookie| cookie.value().to_owned())
}

async fn look(app: &App, text: String, request: &HttpRequest) -> Result<Door> {
    let visit = visit_of(request, &text);
    app.read(move |conn, app| {
        let now = app.clock.now();
        let Some(met) = meet(conn, &app.key, &text, now)? else { return Ok(Door::Closed) };
        if granted(conn, &met, None, now)?.is_none() {
            return Ok(Door::Closed);
        }
        if has_visit(conn, &met.link.id, visit.as_deref(), now)? {
            return Ok(Door::Inside);
        }
        Ok(if met.link.state(now) == State::Open { Door::Shut { asks: met.link.passcode_hash.is_some() } } else { Door::Closed })
    })
    .await
}

/// What the link opens now; nothing when whoever made it may not share any more.
fn granted(conn: &mut Conn, met: &Met, address: Option<String>, now: NaiveDateTime) -> Result<Option<PatientAccess<View>>> {
    match access::grant::<View>(conn, &met.link.actor(address), &met.link.patient_id, now) {
        Ok(access) => Ok(Some(access)),
        Err(Error::NotFound | Error::Forbidden) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Counts, looks at the passcode, opens: three steps, because nobody must wait for a hash inside a transaction.
pub fn attempt(app: &App, text: &str, guess: &str, from: &From) -> Result<Outcome> {
    let now = app.clock.now();
    let Some(Met { link, .. }) = app.db.read(|conn| meet(conn, &app.key, text, now))? else { return Ok(Outcome::Closed) };
    if let Some(hash) = &link.passcode_hash {
        let guess = plain_passcode(guess);
        if guess.is_empty() {
            return Ok(Outcome::Empty);
        }
        if !app.db.write(|tx| reserve(tx, &link, now))? {
            return Ok(Outcome::Closed);
        }
        match app.passwords.verify(&guess, hash) {
            Ok(true) => {}
            Ok(false) => return app.db.write(|tx| refused(tx, &link, from, now)).map(Outcome::Wrong),
            Err(_) => {
                app.db.write(|tx| give_back(tx, &link))?;
                return Err(Error::Busy);
            }
        }
    }
    let visit = TokenText::generate().map_err(|error| Error::Internal(error.to_string()))?;
    let opened = app.db.write(|tx| {
        if link.passcode_hash.is_some() {
            give_back(tx, &link)?;
        }
        open(tx, &link, visit.as_str(), from, now)
    })?;
    let lasts = VISIT.min(link.expires_at - now);
    Ok(if opened { Outcome::Opened(visit.as_str().to_owned(), lasts) } else { Outcome::Closed })
}

fn shut(status: StatusCode, path: String, asks: bool, wrong: String) -> Result<HttpResponse> {
    let page = DoorPage { ui: Ui::new(None, ""), path, asks, wrong };
    // No `no-referrer` here: browsers then send the form with `Origin: null`, which is refused over plain HTTP, where there is no
    // `Sec-Fetch-Site`. The usual `same-origin` shows the address to nobody else either.
    Ok(unlisted(page::render_with(status, &page)?))
}

/// One answer for every address that opens nothing, whatever the reason.
fn closed(locked: bool) -> Result<HttpResponse> {
    Ok(private(page::render_with(StatusCode::NOT_FOUND, &ClosedPage { ui: Ui::new(None, ""), locked })?))
}

/// The address opens something: no search engine keeps it, and nobody is told that one came from it.
fn private(mut answer: HttpResponse) -> HttpResponse {
    answer.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    unlisted(answer)
}

fn unlisted(mut answer: HttpResponse) -> HttpResponse {
    answer.headers_mut().insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow, noarchive"));
    answer
}
