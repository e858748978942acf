//! `/patients/{patient}/links`: a link made in two clicks, the links there are, who opened them, and the end of one.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use chrono::{Duration, NaiveDateTime};

use super::{Link, NewLink, Opening, State, create, is_weak, list, make_passcode, openings, plain_passcode, revoke as end};
use crate::{
    access::{self, Full, PatientAccess},
    app::App,
    audit::Action,
    auth::{
        form::{self, Form, Problems},
        password::HashError,
        proof::Proved,
        session::{Me, Signed},
    },
    body,
    db::{
        Conn,
        types::{LinkId, PatientId},
    },
    error::{Error, Result},
    page::{self, Ui, note_read, see_other},
    records::{
        field::{Errors, FieldError},
        overview,
        view::Choice,
    },
    sharing::sets::{self, Choices},
    tags::Tag,
};

/// How long a link can last, in hours; the first is preset: a doctor looks at it now.
const LASTS: &[(&str, i64)] = &[("1h", 1), ("4h", 4), ("1d", 24), ("3d", 72), ("7d", 168), ("30d", 720)];
/// Where the passcode comes from; the first is preset.
const PASSCODES: &[&str] = &["made", "own", "none"];
const LONGEST_TITLE: usize = 100;
const LONGEST_PASSCODE: usize = 100;
const MOST_OPENINGS: i32 = 1000;

#[derive(Template)]
#[template(path = "sharing/links.html")]
struct LinksPage {
    ui: Ui,
    base: String,
    patient_name: String,
    revoked: bool,
    made: Option<Made>,
    problems: Problems,
    scope: Choices,
    title: String,
    lasts: Vec<Choice>,
    most_openings: String,
    documents: bool,
    passcodes: Vec<Choice>,
    rows: Vec<Row>,
}

/// The link just made. The passcode is shown this once.
struct Made {
    title: String,
    address: String,
    passcode: Option<String>,
    until: String,
}

struct Row {
    id: String,
    title: String,
    part: String,
    maker: String,
    until: String,
    opened: String,
    wrong: Option<String>,
    state: &'static str,
    state_word: String,
    has_passcode: bool,
    documents: bool,
    address: Option<String>,
    openings: Vec<OpeningLine>,
}

struct OpeningLine {
    at: String,
    what: String,
    wrong: bool,
    from: String,
}

/// `GET /patients/{patient}/links`.
pub async fn show(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let revoked = Form(body::query(&request)).has("revoked");
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Full>(conn, &signed.actor, &patient, app.clock.now())?;
            note_read(app, &access, Action::Listed, Some("professional_links"), None);
            page::text(&LinksPage { revoked, ..LinksPage::load(conn, app, &access, &signed.me, &Form::default())? })
        })
        .await?;
    Ok(page::html(StatusCode::OK, page))
}

/// `POST /patients/{patient}/links`. The answer is a page, not a redirect: the passcode is nowhere else, least of all in an address.
pub async fn make(
    app: web::Data<App>,
    signed: Signed,
    _: Proved,
    patient: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    access::must_be::<Full>(&app, &signed.actor, &patient).await?;
    let form = Form::read(&request, payload).await?;
    let page = app.run(move |app| made(app, &signed, &patient, &form)).await?;
    match page {
        Ok(page) => page::render(&page),
        Err(page) => form::again(StatusCode::UNPROCESSABLE_ENTITY, None, &page),
    }
}

/// `POST /patients/{patient}/links/{link}/revoke`.
pub async fn revoke(app: web::Data<App>, signed: Signed, place: web::Path<(String, String)>) -> Result<HttpResponse> {
    let patient = PatientId::parse(&place.0).ok_or(Error::NotFound)?;
    let link = LinkId::parse(&place.1).ok_or(Error::NotFound)?;
    let next = format!("/patients/{patient}/links?revoked=1");
    app.write(move |tx, app| {
        let access = access::grant::<Full>(tx, &signed.actor, &patient, app.clock.now())?;
        end(tx, &access, &link)
    })
    .await?;
    Ok(see_other(&next))
}

/// The page with the link that was made, or with what is wrong. The passcode is hashed between two looks at the database: while it is, nobody
/// waits for a transaction.
fn made(app: &App, signed: &Signed, patient: &PatientId, form: &Form) -> Result<Result<LinksPage, LinksPage>> {
    let now = app.clock.now();
    let grant = |conn: &mut Conn| access::grant::<Full>(conn, &signed.actor, patient, now);
    let wanted = app.db.read(|conn| {
        let access = grant(conn)?;
        let tags = overview::tags_to_choose(conn, &access)?;
        match wanted(form, &access, &tags, now) {
            Ok(wanted) => Ok(Ok(wanted)),
            Err(errors) => {
                let page = LinksPage::load(conn, app, &access, &signed.me, form)?;
                let problems = Problems::new(&page.ui.words, &errors);
                Ok(Err(LinksPage { problems, ..page }))
            }
        }
    })?;
    let (mut new, passcode) = match wanted {
        Ok(wanted) => wanted,
        Err(page) => return Ok(Err(page)),
    };
    let passcode = passcode.text()?;
    new.passcode_hash = passcode.as_deref().map(|passcode| hash(app, passcode)).transpose()?;
    if new.title.is_empty() {
        new.title = Ui::new(Some(signed.me.clone()), "").t("link.somebody");
    }
    let page = app.db.write(|tx| {
        let access = grant(tx)?;
        let id = create(tx, &access, &new)?;
        let page = LinksPage::load(tx, app, &access, &signed.me, &Form::default())?;
        let made = Made {
            title: new.title.clone(),
            address: page.rows.iter().find(|row| row.id == id.as_str()).and_then(|row| row.address.clone()).unwrap_or_default(),
            passcode: passcode.clone(),
            until: page.ui.moment(&new.expires_at),
        };
        Ok(LinksPage { made: Some(made), ..page })
    })?;
    Ok(Ok(page))
}

fn hash(app: &App, passcode: &str) -> Result<String> {
    app.passwords.hash(&plain_passcode(passcode)).map_err(|error| match error {
        HashError::Busy(_) => Error::Busy,
        other => Error::Internal(other.to_string()),
    })
}

/// What the form asks for.
fn wanted(form: &Form, access: &PatientAccess<Full>, tags: &[Tag], now: NaiveDateTime) -> Result<(NewLink, Passcode), Errors> {
    let mut errors = Errors::new();
    let scope = sets::read(&form.0, tags, access.scope()).map_err(|wrong| errors.extend(wrong)).ok();
    let mut refuse = |name: &str, error| errors.push((name.to_owned(), error));
    let title = form.text("title");
    let length = title.chars().count();
    if length > LONGEST_TITLE {
        refuse("title", FieldError::TooLong { max: LONGEST_TITLE, is: length });
    } else if title.chars().any(char::is_control) {
        refuse("title", FieldError::ControlCharacters);
    }
    let asked = form.text("lasts");
    let hours = LASTS.iter().find(|(word, _)| *word == asked).map(|(_, hours)| *hours);
    if hours.is_none() {
        refuse("lasts", FieldError::UnknownChoice);
    }
    let most_openings = most_openings(&form.text("most_openings")).map_err(|error| refuse("most_openings", error)).ok();
    let passcode = Passcode::read(form).map_err(|(name, error)| refuse(name, error)).ok();
    match (scope, hours, most_openings, passcode) {
        (Some(scope), Some(hours), Some(most_openings), Some(passcode)) if errors.is_empty() => {
            let expires_at = now + Duration::hours(hours);
            let documents = form.has("documents");
            Ok((NewLink { title, scope, passcode_hash: None, most_openings, expires_at, documents }, passcode))
        }
        _ => Err(errors),
    }
}

/// Empty is any number.
fn most_openings(text: &str) -> Result<Option<i32>, FieldError> {
    if text.is_empty() {
        return Ok(None);
    }
    let out = || FieldError::OutOfRange { min: "1".into(), max: MOST_OPENINGS.to_string() };
    text.parse().ok().filter(|n| (1..=MOST_OPENINGS).contains(n)).map(Some).ok_or_else(out)
}

/// Where the passcode comes from.
enum Passcode {
    Made,
    Own(String),
    None,
}

impl Passcode {
    fn read(form: &Form) -> Result<Self, (&'static str, FieldError)> {
        let typed = form.text("passcode");
        let length = typed.chars().count();
        match form.raw("passcode_from") {
            "made" => Ok(Self::Made),
            "own" if length > LONGEST_PASSCODE => Err(("passcode", FieldError::TooLong { max: LONGEST_PASSCODE, is: length })),
            "own" if is_weak(&typed) => Err(("passcode", FieldError::Rule("error.weak_passcode"))),
            "own" => Ok(Self::Own(typed)),
            // Said on purpose, and only with an empty field beside it: a passcode that was typed was meant.
            "none" if typed.is_empty() => Ok(Self::None),
            "none" => Err(("passcode_from", FieldError::Rule("error.passcode_not_meant"))),
            _ => Err(("passcode_from", FieldError::UnknownChoice)),
        }
    }
    /// As it is to be told to whoever opens the link.
    fn text(self) -> Result<Option<String>> {
        match self {
            Self::Made => make_passcode().map(Some),
            Self::Own(text) => Ok(Some(text)),
            Self::None => Ok(None),
        }
    }
}

impl LinksPage {
    fn load(conn: &mut Conn, app: &App, access: &PatientAccess<Full>, me: &Me, form: &Form) -> Result<Self> {
        let base = format!("/patients/{}/links", access.id());
        let ui = Ui::new(Some(me.clone()), &base).with_nav(conn, access)?;
        let links = list(conn, access)?;
        let ids: Vec<&LinkId> = links.iter().map(|(link, _)| &link.id).collect();
        let mut opened = openings(conn, &ids)?;
        let tags = overview::tags_to_choose(conn, access)?;
        let chosen = |words: Vec<&str>, set: &str, typed: &str| -> Vec<Choice> {
            let selected = words.iter().position(|word| *word == typed).unwrap_or_default();
            let choice = |(place, word): (usize, &&str)| Choice {
                value: (*word).to_owned(),
                label: ui.choice(set, word),
                selected: place == selected,
            };
            words.iter().enumerate().map(choice).collect()
        };
        let rows = links
            .iter()
            .map(|(link, maker)| row(&ui, app, access, &tags, link, maker, opened.remove(&link.id).unwrap_or_default()))
            .collect();
        Ok(Self {
            scope: Choices::new(&ui, &tags, access.scope(), &form.0),
            lasts: chosen(LASTS.iter().map(|(word, _)| *word).collect(), "LinkLasts", &form.text("lasts")),
            passcodes: chosen(PASSCODES.to_vec(), "Passcode", form.raw("passcode_from")),
            title: form.text("title"),
            most_openings: form.text("most_openings"),
            documents: form.has("documents"),
            patient_name: access.patient.given_name(),
            revoked: false,
            made: None,
            problems: Problems::default(),
            rows,
            base,
            ui,
        })
    }
    fn error(&self, name: &str) -> &str {
        self.problems.of(name)
    }
}

fn row(ui: &Ui, app: &App, access: &PatientAccess<Full>, tags: &[Tag], link: &Link, maker: &str, opened: Vec<Opening>) -> Row {
    let state = link.state(access.now);
    let times = i64::from(link.openings);
    let mine = link.created_by == access.actor.user;
    Row {
        id: link.id.to_string(),
        title: link.title.clone(),
        part: link.scope().map(|scope| sets::words(ui, &scope, tags)).unwrap_or_default(),
        maker: if mine { String::new() } else { ui.t1("link.made_by", "name", maker) },
        until: match link.revoked_at {
            Some(at) => ui.t1("link.revoked_at", "at", ui.moment(&at)),
            None => ui.t1(if state == State::Ended { "link.ended_at" } else { "link.until" }, "at", ui.moment(&link.expires_at)),
        },
        opened: match link.most_openings {
            Some(most) => ui.words.with("link.opened_of", &[("n", &ui.number(&times)), ("most", &ui.number(&i64::from(most)))]),
            None if times == 0 => ui.t("link.not_opened"),
            None => ui.n("link.opened", &times),
        },
        wrong: (link.wrong_tries > 0).then(|| {
            let numbers = [("n", ui.number(&i64::from(link.wrong_tries))), ("most", ui.number(&i64::from(link.most_wrong_tries)))];
            ui.words.with("link.wrong_tries", &numbers.each_ref().map(|(name, number)| (*name, number.as_str())))
        }),
        state: state.word(),
        state_word: ui.choice("LinkState", state.word()),
        has_passcode: link.passcode_hash.is_some(),
        documents: link.documents,
        // An address opens what its link opens: whoever has a part of the records sees none that opens more.
        address: (state == State::Open && (access.owner || mine)).then(|| format!("{}/l/{}", app.config.public_url, link.text(&app.key))),
        openings: opened.into_iter().map(|opening| line(ui, opening)).collect(),
    }
}

fn line(ui: &Ui, opening: Opening) -> OpeningLine {
    let from = [opening.address, opening.agent.as_deref().and_then(super::browser).map(str::to_owned)];
    OpeningLine {
        at: ui.moment(&opening.at),
        what: ui.choice("LinkOutcome", &opening.outcome),
        wrong: opening.outcome != "opened",
        from: from.into_iter().flatten().collect::<Vec<_>>().join(" · "),
    }
}
