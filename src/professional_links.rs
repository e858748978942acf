//! Links for professionals: somebody without an account looks at a part of one patient's records for a while.
//!
//! The address is made from the link's id and the installation's key (`auth::sealed`); a passcode is kept as a password is. A wrong passcode is
//! counted before it is looked at, in one conditional update: of any number of guesses sent at once, exactly the allowed ones are tried, and
//! then the link is locked for good. An opening is counted the same way, so that the last one is given once. Whoever opened a link has a
//! visit, which ends with the link or after an hour. What a visit shows is granted anew for every page (`access`).

pub mod pages;
mod summary;
pub mod visit;

use std::collections::HashMap;

use chrono::{Duration, NaiveDateTime};
use diesel::{dsl::sql, prelude::*, sql_types::Bool};
use unicode_normalization::UnicodeNormalization;

use crate::{
    access::{Actor, Columns, Full, Own, PatientAccess, Scope, Via},
    audit::{Action, Event},
    auth::{
        sealed::{self, Purpose},
        secret::SecretKey,
        token_text,
    },
    db::{
        Conn, MultiBackend, Tx,
        schema::{link_openings, professional_links, users},
        sql::{among, worded},
        types::{LinkId, PatientId, UserId},
    },
    error::{Error, Result},
};

/// How many wrong passcodes a link bears in its whole life.
pub const MOST_WRONG_TRIES: i32 = 5;
/// The fewest characters of a passcode somebody made up, blanks and dashes aside.
pub const FEWEST_CHARS: usize = 6;
/// How long an opening lasts, unless the link ends before.
pub const VISIT: Duration = Duration::hours(1);
/// Texts of a link before another generation: a link is ended, never renewed.
const GENERATION: i32 = 1;
/// Openings told of one link; the count tells how many there were.
const MOST_OPENINGS_TOLD: i64 = 20;
/// Links told of one patient, newest first.
const MOST_LINKS_TOLD: i64 = 200;

/// A link as its maker wants it.
pub struct NewLink {
    pub title: String,
    pub scope: Scope,
    pub passcode_hash: Option<String>,
    pub most_openings: Option<i32>,
    pub expires_at: NaiveDateTime,
    /// The documents of what it shows, too.
    pub documents: bool,
}

/// A row of `professional_links`.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = professional_links, check_for_backend(MultiBackend))]
pub struct Link {
    pub id: LinkId,
    pub patient_id: PatientId,
    pub created_by: UserId,
    pub title: String,
    pub kinds: Option<String>,
    pub tags: Option<String>,
    pub without: Option<String>,
    pub passcode_hash: Option<String>,
    pub wrong_tries: i32,
    pub most_wrong_tries: i32,
    pub openings: i32,
    pub most_openings: Option<i32>,
    pub expires_at: NaiveDateTime,
    pub revoked_at: Option<NaiveDateTime>,
    pub created_at: NaiveDateTime,
    /// It opens the documents of what it shows, too.
    pub documents: bool,
}

/// Whether a link can be opened, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Revoked,
    Ended,
    Locked,
    UsedUp,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Revoked => "revoked",
            Self::Ended => "ended",
            Self::Locked => "locked",
            Self::UsedUp => "used_up",
        }
    }
}

impl Link {
    pub fn state(&self, now: NaiveDateTime) -> State {
        match self {
            Self { revoked_at: Some(_), .. } => State::Revoked,
            _ if self.expires_at <= now => State::Ended,
            _ if self.wrong_tries >= self.most_wrong_tries => State::Locked,
            _ if self.most_openings.is_some_and(|most| self.openings >= most) => State::UsedUp,
            _ => State::Open,
        }
    }
    /// Nothing for a scope that cannot be read; such a link opens nothing.
    pub fn scope(&self) -> Option<Scope> {
        let columns: Columns = (self.kinds.clone(), self.tags.clone(), self.without.clone());
        Scope::of_columns(columns)
    }
    /// What its address ends with.
    pub fn text(&self, key: &SecretKey) -> String {
        sealed::text(key, Purpose::ProfessionalLink, self.id.as_str(), GENERATION)
    }
    /// Who looks through it: the link, on behalf of whoever made it.
    pub fn actor(&self, address: Option<String>) -> Actor {
        Actor { user: self.created_by.clone(), name: self.title.clone(), via: Via::Link(self.id.clone()), address }
    }
    fn event(&self, action: Action, address: Option<String>, now: NaiveDateTime) -> Event {
        Event::new(&self.actor(address), action, now).patient(&self.patient_id)
    }
}

/// What was sent as a passcode, as it is hashed: letters alike whether small or large, without the blanks and dashes people add when they
/// write it down.
pub fn plain_passcode(typed: &str) -> String {
    typed.nfkc().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '–' | '_')).flat_map(char::to_lowercase).collect()
}

/// Letters and digits that nobody takes for another when they are read out or copied by hand.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789+";

/// A passcode nobody guesses in five tries: eight letters and digits, in two groups.
pub fn make_passcode() -> Result<String> {
    let mut made = String::new();
    while made.len() < 9 {
        let mut byte = [0u8; 1];
        getrandom::fill(&mut byte).map_err(|_| Error::Internal("no randomness".into()))?;
        // Thirty-one letters in use; the thirty-second is drawn again, so that all are equally likely.
        let letter = LETTERS.get(usize::from(byte[0] % 32)).copied().map(char::from).filter(char::is_ascii_alphanumeric);
        made.extend(letter);
        if made.len() == 4 {
            made.push('-');
        }
    }
    Ok(made)
}

/// Is a passcode that somebody made up too short, or one letter over and over?
pub fn is_weak(passcode: &str) -> bool {
    let plain = plain_passcode(passcode);
    let different: std::collections::BTreeSet<char> = plain.chars().collect();
    plain.chars().count() < FEWEST_CHARS || different.len() < 3
}

/// Makes the link. Nobody gives on more than they have.
pub fn create(tx: &mut Tx<'_>, access: &PatientAccess<Full>, new: &NewLink) -> Result<LinkId> {
    if !new.scope.is_within(access.scope()) {
        return Err(Error::Forbidden);
    }
    let id = LinkId::new();
    let (kinds, tags, without) = new.scope.to_columns();
    diesel::insert_into(professional_links::table)
        .values((
            professional_links::id.eq(&id),
            professional_links::patient_id.eq(access.id()),
            professional_links::created_by.eq(&access.actor.user),
            professional_links::title.eq(&new.title),
            professional_links::kinds.eq(kinds),
            professional_links::tags.eq(tags),
            professional_links::without.eq(without),
            professional_links::passcode_hash.eq(&new.passcode_hash),
            professional_links::most_wrong_tries.eq(MOST_WRONG_TRIES),
            professional_links::most_openings.eq(new.most_openings),
            professional_links::expires_at.eq(new.expires_at),
            professional_links::created_at.eq(access.now),
            professional_links::documents.eq(new.documents),
        ))
        .execute(&mut **tx)?;
    of_link(access, Action::LinkMade, &id).write(tx)?;
    Ok(id)
}

/// What somebody did with a link. Which one is told by its id: its title is a person's words, which the audit does not keep.
fn of_link(access: &PatientAccess<Full>, action: Action, link: &LinkId) -> Event {
    Event { detail: Some(key_of(link)), ..Event::new(&access.actor, action, access.now).patient(access.id()) }
}

/// A link as the audit names it.
pub fn key_of(link: &LinkId) -> String {
    format!("link:{link}")
}

/// What the links of a patient are called, by their keys; those of the same title with the moment each was made.
pub fn names(conn: &mut Conn, access: &PatientAccess<Own>, moment: impl Fn(&NaiveDateTime) -> String) -> Result<HashMap<String, String>> {
    let links: Vec<(LinkId, String, NaiveDateTime)> = professional_links::table
        .filter(professional_links::patient_id.eq(access.id()))
        .select((professional_links::id, professional_links::title, professional_links::created_at))
        .load(conn)?;
    let is_only = |title: &str| links.iter().filter(|(_, other, _)| other == title).count() == 1;
    let name = |(id, title, made): &(LinkId, String, NaiveDateTime)| {
        let name = if is_only(title) { title.clone() } else { format!("{title}, {}", moment(made)) };
        (key_of(id), name)
    };
    Ok(links.iter().map(name).collect())
}

/// The links of a patient that this person sees: an owner all of them, anybody else their own.
fn seen(access: &PatientAccess<Full>) -> professional_links::BoxedQuery<'static, MultiBackend> {
    let all = professional_links::table.filter(professional_links::patient_id.eq(access.id().clone())).into_boxed::<MultiBackend>();
    if access.owner { all } else { all.filter(professional_links::created_by.eq(access.actor.user.clone())) }
}

/// Newest first, each with its maker's name.
pub fn list(conn: &mut Conn, access: &PatientAccess<Full>) -> Result<Vec<(Link, String)>> {
    let links: Vec<Link> = seen(access)
        .order((professional_links::created_at.desc(), professional_links::id.desc()))
        .limit(MOST_LINKS_TOLD)
        .select(Link::as_select())
        .load(conn)?;
    let makers: Vec<&UserId> = links.iter().map(|link| &link.created_by).collect();
    let names: HashMap<UserId, String> =
        users::table.filter(among(conn, "users.id", &makers)).select((users::id, users::full_name)).load(conn)?.into_iter().collect();
    Ok(links
        .into_iter()
        .map(|link| {
            let maker = names.get(&link.created_by).cloned().unwrap_or_default();
            (link, maker)
        })
        .collect())
}

/// One opening, or a wrong passcode.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = link_openings, check_for_backend(MultiBackend))]
pub struct Opening {
    pub link_id: LinkId,
    pub at: NaiveDateTime,
    pub outcome: String,
    pub address: Option<String>,
    pub agent: Option<String>,
}

/// The latest openings of these links, each link's newest first.
pub fn openings(conn: &mut Conn, links: &[&LinkId]) -> Result<HashMap<LinkId, Vec<Opening>>> {
    // The twentieth moment of the link, by its index; a link with fewer openings shows them all.
    let lately = format!(
        "link_openings.at >= COALESCE((SELECT n.at FROM link_openings n WHERE n.link_id = link_openings.link_id ORDER BY n.at DESC \
         LIMIT 1 OFFSET {}), link_openings.at)",
        MOST_OPENINGS_TOLD - 1
    );
    let rows: Vec<Opening> = link_openings::table
        .filter(among(conn, "link_openings.link_id", links))
        .filter(worded::<Bool>(lately))
        .order((link_openings::at.desc(), link_openings::id.desc()))
        .select(Opening::as_select())
        .load(conn)?;
    let mut found: HashMap<LinkId, Vec<Opening>> = HashMap::new();
    for row in rows {
        found.entry(row.link_id.clone()).or_default().push(row);
    }
    Ok(found)
}

/// Ends a link at once, open visits with it. Ending it again changes nothing.
pub fn revoke(tx: &mut Tx<'_>, access: &PatientAccess<Full>, id: &LinkId) -> Result<()> {
    let link: Link = seen(access)
        .filter(professional_links::id.eq(id.clone()))
        .select(Link::as_select())
        .first(&mut **tx)
        .optional()?
        .ok_or(Error::NotFound)?;
    let mine = professional_links::table.find(&link.id).filter(professional_links::revoked_at.is_null());
    let ended = diesel::update(mine).set(professional_links::revoked_at.eq(access.now)).execute(&mut **tx)?;
    if ended > 0 {
        of_link(access, Action::LinkRevoked, &link.id).write(tx)?;
    }
    Ok(())
}

/// A link as a visitor meets it: its maker's name is known, and the maker's account is open.
pub struct Met {
    pub link: Link,
    pub maker: String,
}

/// The link of an address's text: nothing for a text that is cut, changed or of no link, and for a link that is over.
pub fn meet(conn: &mut Conn, key: &SecretKey, text: &str, now: NaiveDateTime) -> Result<Option<Met>> {
    let Some(id) = sealed::id_of(text).and_then(LinkId::parse) else { return Ok(None) };
    if !sealed::opens(key, Purpose::ProfessionalLink, id.as_str(), GENERATION, text) {
        return Ok(None);
    }
    let found: Option<(Link, String)> = professional_links::table
        .inner_join(users::table.on(users::id.eq(professional_links::created_by)))
        .filter(professional_links::id.eq(&id))
        .filter(users::disabled_at.is_null())
        .select((Link::as_select(), users::full_name))
        .first(conn)
        .optional()?;
    let met = found.map(|(link, maker)| Met { link, maker });
    Ok(met.filter(|met| !matches!(met.link.state(now), State::Revoked | State::Ended)))
}

/// Is this the key of a visit of the link that still goes on?
pub fn has_visit(conn: &mut Conn, link: &LinkId, visit: Option<&str>, now: NaiveDateTime) -> Result<bool> {
    let Some(visit) = visit else { return Ok(false) };
    let found: Option<String> = link_openings::table
        .filter(link_openings::link_id.eq(link))
        .filter(link_openings::visit_hash.eq(token_text::hash(visit)))
        .filter(link_openings::visit_until.gt(now))
        .select(link_openings::id)
        .first(conn)
        .optional()?;
    Ok(found.is_some())
}

/// The link can be opened now, as the database says it in a change.
fn openable(now: NaiveDateTime) -> Box<dyn BoxableExpression<professional_links::table, MultiBackend, SqlType = Bool>> {
    Box::new(
        professional_links::revoked_at
            .is_null()
            .and(professional_links::expires_at.gt(now))
            .and(sql::<Bool>("(most_openings IS NULL OR openings < most_openings)")),
    )
}

/// Counts a guess before it is looked at. `false`: it is not to be looked at, because too many were wrong or the link is over.
pub fn reserve(tx: &mut Tx<'_>, link: &Link, now: NaiveDateTime) -> Result<bool> {
    let mine = professional_links::table.find(&link.id).filter(openable(now)).filter(sql::<Bool>("wrong_tries < most_wrong_tries"));
    let counted = diesel::update(mine).set(professional_links::wrong_tries.eq(professional_links::wrong_tries + 1)).execute(&mut **tx)?;
    Ok(counted > 0)
}

/// A guess that was counted and was none: it was right, or the machine was too busy to look at it.
pub fn give_back(tx: &mut Tx<'_>, link: &Link) -> Result<()> {
    diesel::update(professional_links::table.find(&link.id))
        .set(professional_links::wrong_tries.eq(professional_links::wrong_tries - 1))
        .execute(&mut **tx)?;
    Ok(())
}

/// Where a visitor comes from, for the owner to see.
#[derive(Clone, Debug, Default)]
pub struct From {
    pub address: Option<String>,
    pub agent: Option<String>,
}

/// Notes a wrong passcode. Tells how many more tries there are.
pub fn refused(tx: &mut Tx<'_>, link: &Link, from: &From, now: NaiveDateTime) -> Result<i32> {
    note(tx, link, "wrong_passcode", from, None, now)?;
    link.event(Action::LinkRefused, from.address.clone(), now).failed("wrong_passcode").write(tx)?;
    let (wrong, most): (i32, i32) = professional_links::table
        .find(&link.id)
        .select((professional_links::wrong_tries, professional_links::most_wrong_tries))
        .first(&mut **tx)?;
    Ok((most - wrong).max(0))
}

/// Counts an opening and begins a visit with this key. `false`: the last opening was given to somebody else meanwhile.
pub fn open(tx: &mut Tx<'_>, link: &Link, visit: &str, from: &From, now: NaiveDateTime) -> Result<bool> {
    let mine = professional_links::table.find(&link.id).filter(openable(now));
    let counted = diesel::update(mine).set(professional_links::openings.eq(professional_links::openings + 1)).execute(&mut **tx)?;
    if counted == 0 {
        return Ok(false);
    }
    let until = link.expires_at.min(now + VISIT);
    note(tx, link, "opened", from, Some((token_text::hash(visit), until)), now)?;
    link.event(Action::LinkOpened, from.address.clone(), now).write(tx)?;
    Ok(true)
}

/// The program a visitor reads with, as people call it.
fn browser(agent: &str) -> Option<&'static str> {
    let known =
        [("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("Chrome", "Chrome"), ("CriOS", "Chrome")];
    let named = known.into_iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| name);
    named.or_else(|| agent.contains("Safari").then_some("Safari"))
}

fn note(
    tx: &mut Tx<'_>,
    link: &Link,
    outcome: &str,
    from: &From,
    visit: Option<(String, NaiveDateTime)>,
    now: NaiveDateTime,
) -> Result<()> {
    let (hash, until) = visit.unzip();
    diesel::insert_into(link_openings::table)
        .values((
            link_openings::id.eq(uuid::Uuid::now_v7().to_string()),
            link_openings::link_id.eq(&link.id),
            link_openings::at.eq(now),
            link_openings::outcome.eq(outcome),
            link_openings::address.eq(&from.address),
            link_openings::agent.eq(&from.agent),
            link_openings::visit_hash.eq(hash),
            link_openings::visit_until.eq(until),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_passcode_is_read_out_without_mistakes() {
        for _ in 0..50 {
            let made = make_passcode().unwrap();
            assert_eq!((made.len(), made.chars().nth(4)), (9, Some('-')), "{made}");
            assert!(!made.contains(['l', 'i', 'o', '0', '1', '+']), "{made}");
            assert!(!is_weak(&made));
            assert_eq!(plain_passcode(&made.to_uppercase()), made.replace('-', ""));
        }
    }

    #[test]
    fn a_passcode_may_be_written_down_in_any_way() {
        for typed in ["k7pm-x3dq", " K7PM x3dq ", "k7pm–x3dq", "K 7 P M X 3 D Q"] {
            assert_eq!(plain_passcode(typed), "k7pmx3dq", "{typed}");
        }
        for weak in ["", "12345", "a b-c d", "111111", "121212", "------------"] {
            assert!(is_weak(weak), "{weak}");
        }
        assert!(!is_weak("481516"));
    }

    #[test]
    fn a_state_says_the_reason_that_lasts_longest() {
        let now = chrono::NaiveDate::from_ymd_opt(2026, 3, 14).unwrap().and_hms_opt(12, 0, 0).unwrap();
        let link = Link {
            id: LinkId::new(),
            patient_id: PatientId::new(),
            created_by: UserId::new(),
            title: String::new(),
            kinds: None,
            tags: None,
            without: None,
            passcode_hash: None,
            wrong_tries: 0,
            most_wrong_tries: 5,
            openings: 0,
            most_openings: Some(2),
            expires_at: now + VISIT,
            revoked_at: None,
            created_at: now,
            documents: false,
        };
        assert_eq!(link.state(now), State::Open);
        assert_eq!(link.state(now + VISIT), State::Ended);
        assert_eq!(Link { openings: 2, ..link.clone() }.state(now), State::UsedUp);
        assert_eq!(Link { openings: 2, wrong_tries: 5, ..link.clone() }.state(now), State::Locked);
        assert_eq!(Link { wrong_tries: 5, revoked_at: Some(now), ..link.clone() }.state(now + VISIT), State::Revoked);
        assert_eq!(Link { kinds: Some("not a list".into()), ..link }.scope(), None, "it must not open everything");
    }
}
