//! Who looked: every look at a patient's records by anybody but the owner who asks, and every change, share, download and print, in words.
//!
//! It tells of events and not of values: the audit keeps none. A record's title is looked up while it is there, for the owner alone.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use crate::{
    access::{self, Own, PatientAccess},
    app::App,
    audit::{
        Action, Event,
        query::{self, Events, Limits, Page, Turn, given},
        table,
    },
    auth::session::Signed,
    body,
    dates::Typing,
    db::{
        Conn,
        schema::{audit_events, users},
        sql::among,
        types::{PatientId, RecordId, UserId},
    },
    error::{Error, Result},
    files,
    page::{self, Ui},
    professional_links,
    records::{
        self, Head,
        chart::headings,
        export,
        field::{Errors, FieldError},
        view::Choice,
    },
};

/// Looks at one thing that are no further apart are one.
const TOGETHER: Duration = Duration::minutes(5);

/// Looks, of which one counts as another when it is repeated at once.
pub(crate) const LOOKED: &[Action] = &[Action::Read, Action::Listed, Action::Searched];
pub(crate) const CHANGED: &[Action] =
    &[Action::Created, Action::Changed, Action::Deleted, Action::Restored, Action::Purged, Action::Filed, Action::Imported];
pub(crate) const SHARED: &[Action] =
    &[Action::Shared, Action::ShareChanged, Action::ShareEnded, Action::Invited, Action::InvitationAnswered, Action::OwnershipGiven];
pub(crate) const DOWNLOADED: &[Action] = &[Action::Downloaded, Action::Printed];
pub(crate) const LINK: &[Action] = &[Action::LinkMade, Action::LinkOpened, Action::LinkRefused, Action::LinkRevoked];

/// The kinds of event a person can ask for, as words of the address.
const WHAT: &[(&str, &[Action])] =
    &[("looked", LOOKED), ("changed", CHANGED), ("shared", SHARED), ("downloaded", DOWNLOADED), ("link", LINK)];

fn words(actions: &[Action]) -> Vec<&'static str> {
    actions.iter().map(|action| action.word()).collect()
}

#[derive(Template)]
#[template(path = "sharing/looks.html")]
struct LooksPage {
    ui: Ui,
    base: String,
    export: String,
    patient_name: String,
    days: Vec<Day>,
    people: Vec<Choice>,
    what: Vec<Choice>,
    from: String,
    to: String,
    own: bool,
    /// Of whose record alone, if it is asked for.
    record: Option<String>,
    outcomes: Vec<Choice>,
    newer: Option<String>,
    older: Option<String>,
    narrowed: bool,
    wrong: Vec<(String, String)>,
}

impl LooksPage {
    fn error(&self, id: &str) -> Option<&str> {
        self.wrong.iter().find(|(field, _)| field == id).map(|(_, sentence)| sentence.as_str())
    }
}

struct Day {
    day: String,
    lines: Vec<Line>,
}

struct Line {
    time: String,
    who: String,
    did: String,
    /// Where the record or the link is, and what it is called.
    what: Option<(String, String)>,
    /// "3 times", where it was more than once.
    times: String,
    from: String,
    failed: bool,
}

/// What is asked for.
#[derive(Debug, Default)]
struct Query {
    who: Option<String>,
    what: Option<&'static str>,
    record: Option<String>,
    limits: Limits,
    own: bool,
}

/// `GET /patients/{patient}/looks`, for owners.
pub async fn show(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let pairs = body::query(&request);
    let here = request.path().to_owned();
    let (status, page) = app
        .run(move |app| {
            // What was looked at a moment ago may still wait to be written.
            app.reads.flush(&app.db)?;
            app.db.read(|conn| {
                let access = access::grant::<Own>(conn, &signed.actor, &patient, app.clock.now())?;
                let ui = Ui::new(Some(signed.me.clone()), &here).with_nav(conn, &access)?;
                let (query, mut errors) = Query::read(&pairs, signed.me.dates.typing(app.clock.today()));
                let turn = Turn::read(&pairs, &mut errors);
                let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
                let found = if errors.is_empty() { turn.load(conn, vec![query.events(&access)])? } else { Page::default() };
                Ok((status, page::text(&looks_page(conn, &access, ui, &pairs, &query, found, &errors)?)?))
            })
        })
        .await?;
    Ok(page::html(status, page))
}

/// `GET /patients/{patient}/looks/csv`: the same, for a spreadsheet, as far back as [`MOST_ROWS`] reach.
pub async fn csv(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let pairs = body::query(&request);
    let (name, bytes) = app
        .run(move |app| {
            app.reads.flush(&app.db)?;
            app.db.read(|conn| {
                let access = access::grant::<Own>(conn, &signed.actor, &patient, app.clock.now())?;
                let (query, errors) = Query::read(&pairs, signed.me.dates.typing(app.clock.today()));
                if !errors.is_empty() {
                    return Err(Error::Invalid(errors));
                }
                let found = Turn::all().load(conn, vec![query.events(&access)])?;
                let ui = Ui::new(Some(signed.me.clone()), "");
                let name = export::file_name(&access.patient.given_name(), "who-looked", &access.now.date().to_string());
                Ok((name, table::written(COLUMNS, found.events.iter().map(|event| row(&ui, event)))?))
            })
        })
        .await?;
    Ok(table::answer(&name, bytes))
}

const COLUMNS: [&str; 10] = ["at", "who", "by_link", "action", "what", "kind", "record_id", "version", "address", "success"];

/// One row an event, none joined with another.
fn row(ui: &Ui, event: &Event) -> [String; 10] {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        event.at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        event.actor_name.clone(),
        is_link(&event.actor).to_string(),
        event.action.clone(),
        did(ui, event),
        optional(&event.kind),
        optional(&event.record_id),
        event.version.map(|version| version.to_string()).unwrap_or_default(),
        optional(&event.address),
        event.success.to_string(),
    ]
}

impl Query {
    /// A filter that means nothing is told, and shows nothing.
    fn read(pairs: &[(String, String)], typing: Typing) -> (Self, Errors) {
        let mut errors = Errors::new();
        query::check_names(pairs, &["who", "record", "own"], &mut errors);
        let limits = Limits::read(pairs, typing, &mut errors);
        let what = given(pairs, "what").map(|word| WHAT.iter().find(|(known, _)| *known == word).map(|(known, _)| *known));
        if what == Some(None) {
            errors.push(("what".to_owned(), FieldError::UnknownChoice));
        }
        let text = |name: &str| given(pairs, name).map(str::to_owned);
        let query = Self { who: text("who"), what: what.flatten(), record: text("record"), own: given(pairs, "own").is_some(), limits };
        (query, errors)
    }

    fn is_narrowed(&self) -> bool {
        self.who.is_some() || self.what.is_some() || self.record.is_some() || self.limits.is_some() || self.own
    }

    /// The events asked for, in no order.
    fn events(&self, access: &PatientAccess<Own>) -> Events {
        let me = access.actor.user.to_string();
        let mut found = query::everything().filter(audit_events::patient_id.eq(access.id().to_string()));
        // Who asks for their own looks by name gets them.
        if !self.own && self.who.as_deref() != Some(&me) {
            found = found.filter(audit_events::actor.ne(me).or(audit_events::action.ne_all(words(LOOKED))));
        }
        if let Some(who) = &self.who {
            found = found.filter(audit_events::actor.eq(who.clone()));
        }
        if let Some(record) = &self.record {
            found = found.filter(audit_events::record_id.eq(record.clone()));
        }
        if let Some((_, actions)) = self.what.and_then(|what| WHAT.iter().find(|(known, _)| *known == what)) {
            found = query::of_actions(found, words(actions));
        }
        self.limits.of(found)
    }
}

fn looks_page(
    conn: &mut Conn,
    access: &PatientAccess<Own>,
    ui: Ui,
    pairs: &[(String, String)],
    query: &Query,
    found: Page,
    errors: &Errors,
) -> Result<LooksPage> {
    let base = ui.here.clone();
    let events = found.events;
    let asked = query.record.as_deref();
    let ids: Vec<RecordId> =
        events.iter().filter_map(|event| event.record_id.as_deref()).chain(asked).filter_map(RecordId::parse).collect();
    let links = professional_links::names(conn, access, |at| ui.moment(at))?;
    let papers: Vec<&str> =
        events.iter().filter(|event| event.kind.as_deref() == Some(files::KIND)).filter_map(|event| event.detail.as_deref()).collect();
    let told = Told {
        titles: headings(conn, access, &ids)?,
        links,
        receivers: receivers(conn, &events)?,
        files: files::names(conn, access, &papers)?,
        patient: access.id().as_str(),
    };
    let people = people(conn, access, &ui, &told.links, query.who.as_deref())?;
    let typed = |name: &str| given(pairs, name).unwrap_or_default().to_owned();
    let outcome = |(word, _): &(&'static str, bool)| Choice {
        value: (*word).to_owned(),
        label: ui.choice("Outcome", word),
        selected: given(pairs, "success") == Some(word),
    };
    Ok(LooksPage {
        export: query::as_file(&base, pairs),
        days: days(&ui, &told, &events),
        what: WHAT
            .iter()
            .map(|(word, _)| Choice { value: (*word).to_owned(), label: ui.choice("Looks", word), selected: query.what == Some(word) })
            .collect(),
        outcomes: query::OUTCOMES.iter().map(outcome).collect(),
        newer: found.newer.as_ref().map(|to| query::turned(&base, pairs, to)),
        older: found.older.as_ref().map(|to| query::turned(&base, pairs, to)),
        record: asked.map(|id| {
            let head = RecordId::parse(id).and_then(|id| told.titles.get(&id)).filter(|head| !head.title.is_empty());
            head.map_or_else(|| ui.t("record.untitled"), |head| head.title.clone())
        }),
        narrowed: query.is_narrowed() || !errors.is_empty(),
        wrong: query::told(errors, |error| ui.error(error)),
        patient_name: access.patient.given_name(),
        from: typed("from"),
        to: typed("to"),
        own: query.own,
        people,
        base,
        ui,
    })
}

/// Everybody who did anything here, to choose from.
fn people(
    conn: &mut Conn,
    access: &PatientAccess<Own>,
    ui: &Ui,
    links: &HashMap<String, String>,
    chosen: Option<&str>,
) -> Result<Vec<Choice>> {
    let rows = query::people(conn, Some(access.id().as_str()))?;
    let mut people: Vec<Choice> = rows
        .into_iter()
        .map(|(actor, name)| {
            let label = if is_link(&actor) { ui.t1("looks.link", "title", links.get(&actor).unwrap_or(&name)) } else { name };
            Choice { selected: chosen == Some(actor.as_str()), label, value: actor }
        })
        .collect();
    people.sort_by_cached_key(|person| crate::text::fold(&person.label));
    Ok(people)
}

/// The names of those whom a share or ownership of these events is for.
fn receivers(conn: &mut Conn, events: &[Event]) -> Result<HashMap<String, String>> {
    let given = words(&[Action::Shared, Action::ShareChanged, Action::ShareEnded, Action::OwnershipGiven]);
    let ids: Vec<&str> =
        events.iter().filter(|event| given.contains(&event.action.as_str())).filter_map(|event| event.detail.as_deref()).collect();
    let names: Vec<(UserId, String)> =
        users::table.filter(among(conn, "users.id", &ids)).select((users::id, users::full_name)).load(conn)?;
    Ok(names.into_iter().map(|(id, name)| (id.to_string(), name)).collect())
}

fn is_link(actor: &str) -> bool {
    actor.starts_with("link:")
}

/// What ids are called, for the owner alone.
struct Told<'a> {
    patient: &'a str,
    titles: HashMap<RecordId, Head>,
    /// By the key that the audit names a link with.
    links: HashMap<String, String>,
    /// Whom shares and ownership are for, by id.
    receivers: HashMap<String, String>,
    /// Documents, by id.
    files: HashMap<String, String>,
}

/// The same person looking at the same thing again and again within minutes is told once.
fn days(ui: &Ui, told: &Told<'_>, events: &[Event]) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    let mut rest = events.iter().peekable();
    while let Some(event) = rest.next() {
        let (mut times, mut earliest) = (1, event.at);
        while let Some(next) = rest.next_if(|next| is_again(event, next, earliest)) {
            (times, earliest) = (times + 1, next.at);
        }
        let day = ui.day(&event.at.date().to_string());
        if days.last().is_none_or(|last| last.day != day) {
            days.push(Day { day, lines: Vec::new() });
        }
        if let Some(day) = days.last_mut() {
            day.lines.push(line(ui, told, event, times));
        }
    }
    days
}

/// Who did what with what, and from where.
fn look_of(event: &Event) -> [Option<&str>; 6] {
    let Event { actor, action, kind, record_id, detail, address, .. } = event;
    [Some(actor), Some(action), kind.as_deref(), record_id.as_deref(), detail.as_deref(), address.as_deref()]
}

/// Is `older` the same look as `event`, a moment before the earliest of it? Newest first, and never over midnight.
fn is_again(event: &Event, older: &Event, earliest: NaiveDateTime) -> bool {
    LOOKED.iter().any(|look| look.word() == event.action)
        && look_of(event) == look_of(older)
        && earliest - older.at <= TOGETHER
        && event.at.date() == older.at.date()
}

fn line(ui: &Ui, told: &Told<'_>, event: &Event, times: i64) -> Line {
    let patient = told.patient;
    let record = event.record_id.as_deref().and_then(RecordId::parse).and_then(|id| told.titles.get(&id)).map(|head| {
        let title = if head.title.is_empty() { ui.t("record.untitled") } else { head.title.clone() };
        (format!("/patients/{patient}/{}/{}", head.kind, head.id), title)
    });
    let named = |names: &HashMap<String, String>, page: &str| {
        let name = names.get(event.detail.as_deref()?)?;
        Some((format!("/patients/{patient}/{page}"), name.clone()))
    };
    let paper = || named(&told.files, &format!("files/{}", event.detail.as_deref().unwrap_or_default()));
    let other = || named(&told.links, "links").or_else(|| named(&told.receivers, "sharing")).or_else(paper);
    Line {
        time: event.at.format("%H:%M").to_string(),
        who: who(ui, told, event),
        did: did(ui, event),
        times: if times > 1 { ui.n("looks.times", &times) } else { String::new() },
        from: event.address.clone().unwrap_or_default(),
        failed: !event.success,
        what: record.or_else(other),
    }
}

/// Who it was; of a link nobody knows more than what it was called.
fn who(ui: &Ui, told: &Told<'_>, event: &Event) -> String {
    if is_link(&event.actor) {
        ui.t1("looks.by_link", "title", told.links.get(&event.actor).unwrap_or(&event.actor_name))
    } else {
        event.actor_name.clone()
    }
}

/// What somebody did, in the particular words before the general ones.
pub(crate) fn did(ui: &Ui, event: &Event) -> String {
    let action = &event.action;
    let kind = event.kind.as_deref();
    let known = kind.and_then(records::kind);
    let mut keys: Vec<String> = event.detail.iter().map(|detail| format!("looks.{action}.{detail}")).collect();
    if event.record_id.is_some() {
        keys.push(format!("looks.{action}.record"));
    } else if let Some(kind) = kind {
        keys.push(format!("looks.{action}.{}", kind.replace('-', "_")));
        keys.extend(known.map(|_| format!("looks.{action}.kind")));
    }
    keys.push(format!("looks.{action}"));
    let what = match (known, &event.record_id) {
        (Some(kind), Some(_)) => ui.kind_one(kind),
        (Some(kind), None) => ui.kind(kind),
        (None, _) => String::new(),
    };
    let words = ui.words.first(&keys).unwrap_or_else(|| ui.t("looks.other"));
    words.replace("{what}", &what.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::{Actor, Via},
        db::types::LinkId,
        i18n::DateStyle,
    };

    fn noon() -> NaiveDateTime {
        chrono::NaiveDate::from_ymd_opt(2026, 3, 14).unwrap().and_hms_opt(12, 0, 0).unwrap()
    }
    fn event(via: Via, action: Action, at: NaiveDateTime) -> Event {
        let actor = Actor { user: UserId::parse("u1").unwrap(), name: "Ana".into(), via, address: Some("192.0.2.1".into()) };
        Event::new(&actor, action, at)
    }

    #[test]
    fn every_action_has_words() {
        let ui = Ui::new(None, "");
        for action in WHAT.iter().flat_map(|(_, actions)| *actions) {
            for event in [
                event(Via::Cli, *action, noon()),
                event(Via::Cli, *action, noon()).kind("medications"),
                event(Via::Cli, *action, noon()).record("medications", &RecordId::new(), 1),
            ] {
                let told = did(&ui, &event);
                assert!(told != ui.t("looks.other") && !told.contains('{'), "{}: {told}", action.word());
            }
        }
        let other = Event { action: "juggled".into(), ..event(Via::Cli, Action::Read, noon()) };
        assert_eq!(did(&ui, &other), ui.t("looks.other"));
    }

    #[test]
    fn looks_at_one_thing_within_minutes_are_one() {
        let ui = Ui::new(None, "");
        let look = |minutes: i64| event(Via::Cli, Action::Read, noon() + Duration::minutes(minutes)).kind("vitals");
        let list = |events: &[Event]| -> Vec<String> {
            days(
                &ui,
                &Told { patient: "p1", titles: HashMap::new(), links: HashMap::new(), receivers: HashMap::new(), files: HashMap::new() },
                events,
            )
            .into_iter()
            .flat_map(|day| day.lines)
            .map(|line| line.times)
            .collect()
        };
        assert_eq!(list(&[look(9), look(5), look(1), look(-30)]), [ui.n("looks.times", &3), String::new()]);
        let change = |minutes| event(Via::Cli, Action::Changed, noon() + Duration::minutes(minutes));
        assert_eq!(list(&[change(1), change(0)]).len(), 2, "every change is told");
        let link = event(Via::Link(LinkId::new()), Action::Read, noon() + Duration::minutes(1)).kind("vitals");
        assert_eq!(list(&[link, look(0)]).len(), 2, "another person");
        let midnight = noon().date().and_time(chrono::NaiveTime::MIN);
        let at = |seconds| event(Via::Cli, Action::Read, midnight + Duration::seconds(seconds));
        assert_eq!(list(&[at(1), at(-1)]).len(), 2, "another day");
    }

    #[test]
    fn a_filter_is_read_or_told() {
        let today = noon().date();
        let read = |text: &str| {
            let pairs: Vec<(String, String)> = serde_urlencoded::from_str(text).unwrap();
            Query::read(&pairs, DateStyle::DayFirst.typing(today))
        };
        let (query, errors) = read("from=3/4/2025&to=2026-03&what=changed&success=refused&own=1");
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(query.limits.from.unwrap().to_string(), "2025-04-03 00:00:00");
        assert_eq!(query.limits.before.unwrap().to_string(), "2026-04-01 00:00:00");
        assert_eq!((query.what, query.limits.success, query.own), (Some("changed"), Some(false), true));
        let (_, errors) = read("from=someday&success=perhaps&what=juggled");
        assert_eq!(errors.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["from", "success", "what"]);
    }
}
