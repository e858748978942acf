//! Pages of events, newest first, by key: a page begins after an event and not after so many, so that the millionth costs as much as the first.

use chrono::{DateTime, NaiveDateTime, NaiveTime};
use diesel::{
    prelude::*,
    sql_types::{Bool, Text},
};

use super::Event;
use crate::{
    dates::{PartialDate, Typing},
    db::{Conn, MultiBackend, schema::audit_events, sql::worded, statement::Statement},
    error::Result,
    records::field::{Errors, FieldError},
};

pub const PER_PAGE: i64 = 50;
const MOST_PER_PAGE: i64 = 200;
/// As many rows as a file has.
pub const MOST_ROWS: i64 = 20_000;
/// More people than look at one record.
const MOST_PEOPLE: i64 = 200;

/// Events in no order yet.
pub type Events = audit_events::BoxedQuery<'static, MultiBackend>;

pub fn everything() -> Events {
    audit_events::table.into_boxed::<MultiBackend>()
}

/// An event's place in the order of all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    at: NaiveDateTime,
    id: String,
}

impl Place {
    fn of(event: &Event) -> String {
        format!("{}-{}", event.at.and_utc().timestamp_micros(), event.id)
    }
    fn parse(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once('-')?;
        let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?.naive_utc();
        (id.len() <= 64).then(|| Self { at, id: id.to_owned() })
    }
}

/// Which page of what is asked for.
#[derive(Clone, Debug)]
pub struct Turn {
    side: Side,
    pub per_page: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Side {
    Newest,
    OlderThan(Place),
    NewerThan(Place),
}

/// One page, newest first, and what leads to the ones beside it: a parameter and its value.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub events: Vec<Event>,
    pub newer: Option<(&'static str, String)>,
    pub older: Option<(&'static str, String)>,
}

const OLDER: &str = "before";
const NEWER: &str = "after";

impl Turn {
    /// The whole of it, for a file.
    pub fn all() -> Self {
        Self { side: Side::Newest, per_page: MOST_ROWS }
    }

    /// Of a request: `before` or `after` an event, and `per_page`.
    pub fn read(pairs: &[(String, String)], errors: &mut Errors) -> Self {
        let mut place = |name: &'static str| {
            let place = Place::parse(given(pairs, name)?);
            if place.is_none() {
                errors.push((name.to_owned(), FieldError::UnknownChoice));
            }
            place
        };
        let side = match (place(OLDER), place(NEWER)) {
            (Some(place), _) => Side::OlderThan(place),
            (None, Some(place)) => Side::NewerThan(place),
            (None, None) => Side::Newest,
        };
        let per_page =
            given(pairs, "per_page").map_or(Some(PER_PAGE), |text| text.parse().ok().filter(|n| (1..=MOST_PER_PAGE).contains(n)));
        if per_page.is_none() {
            errors.push(("per_page".to_owned(), FieldError::OutOfRange { min: "1".into(), max: MOST_PER_PAGE.to_string() }));
        }
        Self { side, per_page: per_page.unwrap_or(PER_PAGE) }
    }

    /// The part of these events that the page may begin with, and one more, which tells that there are more.
    fn of(&self, events: Events) -> Events {
        let events = events.limit(self.per_page.saturating_add(1));
        match &self.side {
            Side::Newest => events.order((audit_events::at.desc(), audit_events::id.desc())),
            // The moment alone first: that is what an index finds.
            Side::OlderThan(Place { at, id }) => events
                .filter(audit_events::at.le(*at))
                .filter(audit_events::at.lt(*at).or(audit_events::id.lt(id.clone())))
                .order((audit_events::at.desc(), audit_events::id.desc())),
            Side::NewerThan(Place { at, id }) => events
                .filter(audit_events::at.ge(*at))
                .filter(audit_events::at.gt(*at).or(audit_events::id.gt(id.clone())))
                .order((audit_events::at.asc(), audit_events::id.asc())),
        }
    }

    /// The page of what all of these hold together; no event may be in two. Each is asked for by its own index.
    pub fn load(&self, conn: &mut Conn, sources: Vec<Events>) -> Result<Page> {
        let mut events: Vec<Event> = Vec::new();
        for source in sources {
            events.extend(self.of(source).select(Event::as_select()).load::<Event>(conn)?);
        }
        let upwards = matches!(self.side, Side::NewerThan(_));
        events.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        let page = usize::try_from(self.per_page).unwrap_or(usize::MAX);
        let more = events.len() > page;
        if upwards {
            events.drain(..events.len().saturating_sub(page));
        } else {
            events.truncate(page);
        }
        let newer = if upwards { more } else { self.side != Side::Newest };
        let older = upwards || more;
        Ok(Page {
            newer: events.first().filter(|_| newer).map(|event| (NEWER, Place::of(event))),
            older: events.last().filter(|_| older).map(|event| (OLDER, Place::of(event))),
            events,
        })
    }
}

/// What every page of events can be asked.
const NAMES: &[&str] = &["from", "to", "success", "what", OLDER, NEWER, "per_page"];

/// A name that means nothing here is told: who mistypes one must not take everything for the answer. `more` are the page's own.
pub fn check_names(pairs: &[(String, String)], more: &[&str], errors: &mut Errors) {
    for (name, _) in pairs.iter().filter(|(name, _)| !NAMES.contains(&name.as_str()) && !more.contains(&name.as_str())) {
        errors.push((name.clone(), FieldError::UnknownName(name.clone())));
    }
}

/// What is wrong, in sentences, each with the id of its field; empty where it is of none in the form.
pub fn told(errors: &Errors, sentence: impl Fn(&FieldError) -> String) -> Vec<(String, String)> {
    const FIELDS: &[&str] = &["from", "to", "success", "what"];
    let field = |name: &str| if FIELDS.contains(&name) { format!("f-{name}") } else { String::new() };
    errors.iter().map(|(name, error)| (field(name), sentence(error))).collect()
}

/// A parameter that is there and not empty.
pub fn given<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, v)| n == name && !v.trim().is_empty()).map(|(_, v)| v.trim())
}

/// The address of another page of the same.
pub fn turned(base: &str, pairs: &[(String, String)], to: &(&'static str, String)) -> String {
    let mut kept: Vec<(&str, &str)> = kept(pairs);
    kept.extend(given(pairs, "per_page").map(|number| ("per_page", number)));
    kept.push((to.0, &to.1));
    format!("{base}?{}", serde_urlencoded::to_string(kept).unwrap_or_default())
}

/// The address of all of it as a file.
pub fn as_file(base: &str, pairs: &[(String, String)]) -> String {
    format!("{base}/csv?{}", serde_urlencoded::to_string(kept(pairs)).unwrap_or_default())
}

/// The filters of an address, without what says which page.
fn kept(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    let is_kept = |(name, value): &&(String, String)| !value.is_empty() && !matches!(name.as_str(), OLDER | NEWER | "per_page");
    pairs.iter().filter(is_kept).map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// From a day until a day, and whether it was done or refused: what every page of events can be asked.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    pub from: Option<NaiveDateTime>,
    pub before: Option<NaiveDateTime>,
    pub success: Option<bool>,
}

/// The words of `success` in an address.
pub const OUTCOMES: &[(&str, bool)] = &[("done", true), ("refused", false)];

impl Limits {
    pub fn read(pairs: &[(String, String)], typing: Typing, errors: &mut Errors) -> Self {
        let mut date = |name: &str| {
            let date = PartialDate::parse_typed(given(pairs, name)?, typing);
            date.map_err(|error| errors.push((name.to_owned(), error.into()))).ok()
        };
        let from = date("from").map(|date| date.earliest_day().and_time(NaiveTime::MIN));
        let before = date("to").map(|date| date.latest_day().succ_opt().unwrap_or(date.latest_day()).and_time(NaiveTime::MIN));
        if let (Some(from), Some(before)) = (from, before)
            && from >= before
        {
            errors.push(("to".to_owned(), FieldError::EndBeforeStart));
        }
        let success = given(pairs, "success").map(|word| OUTCOMES.iter().find(|(known, _)| *known == word).map(|(_, success)| *success));
        if success == Some(None) {
            errors.push(("success".to_owned(), FieldError::UnknownChoice));
        }
        Self { from, before, success: success.flatten() }
    }

    pub fn is_some(&self) -> bool {
        self.from.is_some() || self.before.is_some() || self.success.is_some()
    }

    pub fn of(&self, mut events: Events) -> Events {
        if let Some(from) = self.from {
            events = events.filter(audit_events::at.ge(from));
        }
        if let Some(before) = self.before {
            events = events.filter(audit_events::at.lt(before));
        }
        // In words, because the index of those refused knows them by these.
        if let Some(success) = self.success {
            events = events.filter(worded::<Bool>(if success { "audit_events.success = TRUE" } else { "audit_events.success = FALSE" }));
        }
        events
    }
}

/// Everybody who did something (with this patient), and what they were called last. From one to the next in the index, downwards: the number
/// of events does not matter.
pub fn people(conn: &mut Conn, patient: Option<&str>) -> Result<Vec<(String, String)>> {
    let below = |statement: Statement<(Text, Text)>, actor: &str| {
        let statement = statement.words("(SELECT e.id FROM audit_events e WHERE ");
        let of = match patient {
            Some(patient) => statement.words("e.patient_id = ").text(patient).words(" AND "),
            None => statement,
        };
        of.words(format!("e.actor < {actor} ORDER BY e.actor DESC, e.at DESC LIMIT 1)"))
    };
    // Of links there may be many, and where no patient is asked for, they are nobody's name: one is enough to go on below them.
    let from = if patient.is_some() { "p.actor" } else { "CASE WHEN p.actor LIKE 'link:%' THEN 'link:' ELSE p.actor END" };
    let first = below(Statement::new("WITH RECURSIVE people (id) AS (SELECT "), "'~'").words(" UNION ALL SELECT ");
    let next = below(first, from).words(" FROM people JOIN audit_events p ON p.id = people.id)");
    let all = next.words(" SELECT p.actor, p.actor_name FROM people JOIN audit_events p ON p.id = people.id LIMIT ");
    let found: Vec<(String, String)> = all.number(MOST_PEOPLE).load(conn)?;
    Ok(found.into_iter().filter(|(actor, _)| patient.is_some() || !actor.starts_with("link:")).collect())
}

/// What one actor did, with one patient or all.
pub fn by(actor: &str, patient: Option<&str>) -> Events {
    let events = everything().filter(audit_events::actor.eq(actor.to_owned()));
    match patient {
        Some(patient) => events.filter(audit_events::patient_id.eq(patient.to_owned())),
        None => events,
    }
}

/// What others did with an account.
pub fn about(account: &str) -> Events {
    let events = everything().filter(audit_events::detail.eq(account.to_owned())).filter(audit_events::patient_id.is_null());
    events.filter(audit_events::actor.ne(account.to_owned()))
}

pub fn of_action(action: &'static str) -> Events {
    everything().filter(audit_events::action.eq(action))
}

pub fn of_actions(events: Events, actions: Vec<&'static str>) -> Events {
    events.filter(audit_events::action.eq_any(actions))
}

/// All links together, of those who acted.
pub fn of_links(events: Events) -> Events {
    // ';' comes after ':'.
    events.filter(worded::<Bool>("(audit_events.actor >= 'link:' AND audit_events.actor < 'link;')"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let at = chrono::NaiveDate::from_ymd_opt(2026, 3, 14).unwrap().and_hms_micro_opt(12, 0, 0, 123_456).unwrap();
        let event = Event { id: "0190-ab".to_owned(), ..Event::by_the_program(crate::audit::Action::Read, at) };
        assert_eq!(Place::parse(&Place::of(&event)), Some(Place { at, id: "0190-ab".to_owned() }));
        for wrong in ["", "-", "x-1", "99999999999999999999-1", &format!("1-{}", "a".repeat(65))] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }
}
