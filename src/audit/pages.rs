//! `/settings/activity`: what was done with one's own account, and by it. `/admin/audit`: what happened in the installation, for
//! administrators, without a patient, a record or a kind of record; and the head of the sealed chain.

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use askama::Template;

use super::{
    Action, Event,
    head::{self as folder, Found},
    lines::{self, Day, Told},
    query::{self, Limits, Page, Turn, given},
    seal::{self, Head},
    table,
};
use crate::{
    access,
    app::App,
    auth::session::Signed,
    body,
    db::Conn,
    error::{Error, Result},
    page::{self, Ui},
    records::{
        export,
        field::{Errors, FieldError},
        view::Choice,
    },
};

type Pairs = [(String, String)];

#[derive(Template)]
#[template(path = "audit/page.html")]
struct EventsPage {
    ui: Ui,
    title: String,
    about: String,
    base: String,
    export: String,
    selects: Vec<Select>,
    from: String,
    to: String,
    narrowed: bool,
    wrong: Vec<(String, String)>,
    days: Vec<Day>,
    newer: Option<String>,
    older: Option<String>,
    /// Of the installation's page.
    chain: Option<Chain>,
}

struct Select {
    name: &'static str,
    label: String,
    any: String,
    choices: Vec<Choice>,
}

/// What the page tells of the seals.
struct Chain {
    sealed: i64,
    waiting: i64,
    head: Option<String>,
    sealed_at: String,
    /// The database is not the one that the data folder knows: nothing is sealed any more.
    wrong: bool,
}

impl EventsPage {
    fn error(&self, name: &str) -> bool {
        self.wrong.iter().any(|(field, _)| field.strip_prefix("f-") == Some(name))
    }
}

/// What is asked for, on both pages.
struct Asked {
    limits: Limits,
    what: Option<&'static [Action]>,
    turn: Turn,
    errors: Errors,
}

impl Asked {
    /// `own` is the name of the filter that only this page has.
    fn read(pairs: &Pairs, own: &str, signed: &Signed, app: &App) -> Self {
        let mut errors = Errors::new();
        query::check_names(pairs, &[own], &mut errors);
        let limits = Limits::read(pairs, signed.me.dates.typing(app.clock.today()), &mut errors);
        let what = given(pairs, "what").map(lines::group);
        if what == Some(None) {
            errors.push(("what".to_owned(), FieldError::UnknownChoice));
        }
        let turn = Turn::read(pairs, &mut errors);
        Self { limits, what: what.flatten(), turn, errors }
    }
    /// The same for a file; a filter that means nothing is refused.
    fn for_a_file(pairs: &Pairs, own: &str, signed: &Signed, app: &App) -> Result<Self> {
        let asked = Self { turn: Turn::all(), ..Self::read(pairs, own, signed, app) };
        if asked.errors.is_empty() { Ok(asked) } else { Err(Error::Invalid(asked.errors)) }
    }
    fn words(&self) -> Option<Vec<&'static str>> {
        self.what.map(|actions| actions.iter().map(|action| action.word()).collect())
    }
    fn status(&self) -> StatusCode {
        if self.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
    }
}

/// `GET /settings/activity`.
pub async fn own(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let pairs = body::query(&request);
    let here = request.path().to_owned();
    let (status, page) = app
        .run(move |app| {
            // What was done a moment ago may still wait to be written.
            app.reads.flush(&app.db)?;
            app.db.read(|conn| {
                let asked = Asked::read(&pairs, "patient", &signed, app);
                let ui = Ui::new(Some(signed.me.clone()), &here);
                let patients = patients(conn, app, &signed)?;
                let found = asked.errors.is_empty().then(|| own_events(conn, &signed, &pairs, &asked)).transpose()?.unwrap_or_default();
                let told = own_words(conn, &signed, patients, &found.events)?;
                let days = lines::days(&ui, &found.events, |ui, event| lines::own(ui, &told, event));
                let chosen = given(&pairs, "patient");
                let choice =
                    |(id, name): (&String, &String)| Choice { selected: chosen == Some(id), value: id.clone(), label: name.clone() };
                let mut choices: Vec<Choice> = told.patients.iter().map(choice).collect();
                choices.sort_by_cached_key(|choice| crate::text::fold(&choice.label));
                let of = Select { name: "patient", label: ui.t("audit.patient"), any: ui.t("audit.anyone"), choices };
                let title = ("audit.own", "audit.own_about");
                Ok((asked.status(), page::text(&events_page(ui, title, &pairs, &asked, found, days, of, None))?))
            })
        })
        .await?;
    Ok(page::html(status, page))
}

/// `GET /settings/activity/csv`: the same, as far back as a file has rows.
pub async fn own_csv(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let pairs = body::query(&request);
    let (name, bytes) = app
        .run(move |app| {
            app.reads.flush(&app.db)?;
            app.db.read(|conn| {
                let asked = Asked::for_a_file(&pairs, "patient", &signed, app)?;
                let patients = patients(conn, app, &signed)?;
                let found = own_events(conn, &signed, &pairs, &asked)?;
                let told = own_words(conn, &signed, patients, &found.events)?;
                let ui = Ui::new(Some(signed.me.clone()), "");
                let rows = found.events.iter().map(|event| lines::own_row(&ui, &told, event));
                Ok((export::file_name("", "activity", &app.clock.today().to_string()), table::written(lines::OWN_COLUMNS, rows)?))
            })
        })
        .await?;
    Ok(table::answer(&name, bytes))
}

/// What the account did, and what others did with it.
fn own_events(conn: &mut Conn, signed: &Signed, pairs: &Pairs, asked: &Asked) -> Result<Page> {
    let me = signed.me.id.as_str();
    let narrowed = |events| of_words(asked.limits.of(events), asked.words());
    let mut sources = vec![narrowed(match given(pairs, "patient") {
        Some(patient) => query::by(me, Some(patient)),
        None => query::by(me, None),
    })];
    if given(pairs, "patient").is_none() {
        sources.push(narrowed(query::about(me)));
    }
    asked.turn.load(conn, sources)
}

fn of_words(events: query::Events, words: Option<Vec<&'static str>>) -> query::Events {
    words.into_iter().fold(events, query::of_actions)
}

/// The patients this person may look at now: of others the name is not told any more.
fn patients(conn: &mut Conn, app: &App, signed: &Signed) -> Result<HashMap<String, String>> {
    let accesses = access::all(conn, &signed.actor, app.clock.now())?;
    Ok(accesses.list.iter().map(|access| (access.id().to_string(), access.patient.name())).collect())
}

fn own_words(conn: &mut Conn, signed: &Signed, patients: HashMap<String, String>, events: &[Event]) -> Result<Told> {
    let devices = lines::devices(conn, &signed.me.id)?;
    Ok(Told { me: signed.me.id.to_string(), patients, devices, accounts: lines::accounts(conn, events)? })
}

fn administrator(signed: &Signed) -> Result<()> {
    if signed.me.is_admin() { Ok(()) } else { Err(Error::Forbidden) }
}

/// An administrator looked at the audit: that is in it, too.
fn note(app: &App, signed: &Signed, action: Action, kind: &str) {
    app.reads.note(Event::new(&signed.actor, action, app.clock.now()).kind(kind));
}

/// `GET /admin/audit`.
pub async fn installation(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    administrator(&signed)?;
    let pairs = body::query(&request);
    let here = request.path().to_owned();
    let (status, page) = app
        .run(move |app| {
            app.reads.flush(&app.db)?;
            note(app, &signed, Action::Listed, "audit");
            let in_folder = folder::read(&app.config.data);
            app.db.read(|conn| {
                let asked = Asked::read(&pairs, "who", &signed, app);
                let ui = Ui::new(Some(signed.me.clone()), &here);
                let found = asked.errors.is_empty().then(|| all_events(conn, &pairs, &asked)).transpose()?.unwrap_or_default();
                let told = accounts_of(conn, &found.events)?;
                let days = lines::days(&ui, &found.events, |ui, event| lines::installation(ui, &told, event));
                let who = who(conn, &ui, &pairs)?;
                let chain = chain(conn, app, &ui, &in_folder)?;
                let title = ("audit.title", "audit.about");
                Ok((asked.status(), page::text(&events_page(ui, title, &pairs, &asked, found, days, who, Some(chain)))?))
            })
        })
        .await?;
    Ok(page::html(status, page))
}

/// `GET /admin/audit/csv`.
pub async fn installation_csv(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    administrator(&signed)?;
    let pairs = body::query(&request);
    let (name, bytes) = app
        .run(move |app| {
            app.reads.flush(&app.db)?;
            note(app, &signed, Action::Downloaded, "audit");
            app.db.read(|conn| {
                let asked = Asked::for_a_file(&pairs, "who", &signed, app)?;
                let found = all_events(conn, &pairs, &asked)?;
                let told = accounts_of(conn, &found.events)?;
                let ui = Ui::new(Some(signed.me.clone()), "");
                let rows = found.events.iter().map(|event| lines::installation_row(&ui, &told, event));
                Ok((export::file_name("", "audit", &app.clock.today().to_string()), table::written(lines::ALL_COLUMNS, rows)?))
            })
        })
        .await?;
    Ok(table::answer(&name, bytes))
}

/// `GET /admin/audit/head`: a small text, to be kept elsewhere.
pub async fn head(app: web::Data<App>, signed: Signed) -> Result<HttpResponse> {
    administrator(&signed)?;
    let head = app
        .read(move |conn, app| {
            let newest = seal::last(conn)?.ok_or(Error::NotFound)?;
            note(app, &signed, Action::Downloaded, "audit_head");
            Ok(Head::from(&newest))
        })
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, export::disposition(&format!("kinchart-audit-head-{}.txt", head.number))))
        .body(format!("{head}\n")))
}

/// As a word of `who`: all links together.
const LINKS: &str = "links";

/// Of one account by its index, of one action by that, so that what is rare is found among millions.
fn all_events(conn: &mut Conn, pairs: &Pairs, asked: &Asked) -> Result<Page> {
    let sources = match (given(pairs, "who"), asked.words()) {
        (Some(LINKS), words) => vec![of_words(query::of_links(query::everything()), words)],
        (Some(who), words) => vec![of_words(query::by(who, None), words)],
        (None, Some(words)) => words.into_iter().map(query::of_action).collect(),
        (None, None) => vec![query::everything()],
    };
    asked.turn.load(conn, sources.into_iter().map(|events| asked.limits.of(events)).collect())
}

fn accounts_of(conn: &mut Conn, events: &[Event]) -> Result<Told> {
    let accounts = lines::accounts(conn, events)?;
    Ok(Told { me: String::new(), patients: HashMap::new(), devices: HashMap::new(), accounts })
}

fn who(conn: &mut Conn, ui: &Ui, pairs: &Pairs) -> Result<Select> {
    let chosen = given(pairs, "who");
    let mut choices: Vec<Choice> = query::people(conn, None)?
        .into_iter()
        .map(|(actor, name)| Choice { selected: chosen == Some(&actor), label: lines::name(ui, &actor, &name), value: actor })
        .collect();
    choices.sort_by_cached_key(|choice| crate::text::fold(&choice.label));
    choices.push(Choice { value: LINKS.to_owned(), label: ui.t("audit.by_link"), selected: chosen == Some(LINKS) });
    Ok(Select { name: "who", label: ui.t("looks.who"), any: ui.t("looks.anybody"), choices })
}

fn chain(conn: &mut Conn, app: &App, ui: &Ui, in_folder: &Found) -> Result<Chain> {
    let newest = seal::last(conn)?;
    // One that does not open is none.
    let key = seal::key(conn, &app.key).unwrap_or_default();
    Ok(Chain {
        sealed: newest.as_ref().map_or(0, |seal| seal.total),
        waiting: seal::waiting(conn)?,
        wrong: folder::compare(conn, key.as_ref(), in_folder)?.is_err(),
        sealed_at: newest.as_ref().map(|seal| ui.moment(&seal.sealed_at)).unwrap_or_default(),
        head: newest.as_ref().map(|seal| Head::from(seal).to_string()),
    })
}

#[expect(clippy::too_many_arguments, reason = "what the two pages differ in")]
fn events_page(
    ui: Ui,
    (title, about): (&str, &str),
    pairs: &Pairs,
    asked: &Asked,
    found: Page,
    days: Vec<Day>,
    first: Select,
    chain: Option<Chain>,
) -> EventsPage {
    let base = ui.here.clone();
    let group = |word: &&'static str| Choice {
        value: (*word).to_owned(),
        label: ui.choice("Looks", word),
        selected: given(pairs, "what") == Some(word),
    };
    let what = lines::GROUPS.iter().map(|(word, _)| *word).filter(|word| chain.is_some() || *word != lines::INSTALLATION);
    let what: Vec<Choice> = what.map(|word| group(&word)).collect();
    let outcome = |(word, _): &(&'static str, bool)| Choice {
        value: (*word).to_owned(),
        label: ui.choice("Outcome", word),
        selected: given(pairs, "success") == Some(word),
    };
    let outcomes = query::OUTCOMES.iter().map(outcome).collect();
    let narrowed = ["patient", "who", "what"].iter().any(|name| given(pairs, name).is_some());
    let text = |name: &str| given(pairs, name).unwrap_or_default().to_owned();
    EventsPage {
        title: ui.t(title),
        about: ui.t(about),
        export: query::as_file(&base, pairs),
        newer: found.newer.as_ref().map(|to| query::turned(&base, pairs, to)),
        older: found.older.as_ref().map(|to| query::turned(&base, pairs, to)),
        narrowed: narrowed || asked.limits.is_some() || !asked.errors.is_empty(),
        wrong: query::told(&asked.errors, |error| ui.error(error)),
        selects: vec![
            first,
            Select { name: "what", label: ui.t("looks.what"), any: ui.t("looks.anything"), choices: what },
            Select { name: "success", label: ui.t("audit.outcome"), any: ui.t("audit.any_outcome"), choices: outcomes },
        ],
        from: text("from"),
        to: text("to"),
        base,
        days,
        chain,
        ui,
    }
}
