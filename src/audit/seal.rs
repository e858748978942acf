//! Seals: a job puts what was noted into batches and lays a keyed hash over each, which covers the one before. Whoever changes, removes or
//! adds an event later cannot make the hash fit without the key, and whoever rewrites the end cannot make it fit a [`Head`] that is kept
//! elsewhere: by the operator, and by the program itself in the data folder ([`head`]).
//!
//! The key of the audit is random, made with the first seal, and lies in the database sealed with the installation's, so that another key
//! for the installation ([`rewrap_key`]) leaves every seal as it is.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    Action, Event,
    head::{self, Found, Kept},
};
use crate::{
    app::App,
    auth::{
        accounts,
        sealed_text::{Purpose, open_text, seal_text},
        secret::{SecretKey, hmac_sha256, random},
    },
    checksums::hex,
    db::{
        Conn, MultiBackend, Tx,
        schema::{audit_events, audit_seals, installation, jobs},
        sql::among,
    },
    error::{Error, Result},
    installation as facts,
};

pub const TASK: &str = "seal_audit";
/// How long an event may wait for its seal.
pub const EVERY: Duration = Duration::minutes(1);
/// Events of one batch, at most.
const MOST: usize = 1000;
/// Where the sealed key lies, and what it is sealed for.
const KEY: &str = "audit_key";
const SEALED_FOR: &str = "audit";

/// A sealed batch, as the table has it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_seals, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
pub struct Seal {
    /// From 1, without a gap.
    pub number: i64,
    /// Events in this batch, and in all up to it.
    pub events: i64,
    pub total: i64,
    pub first_at: NaiveDateTime,
    pub last_at: NaiveDateTime,
    /// SHA-256 of the events in the order of their ids, in hexadecimal.
    pub hash: String,
    /// HMAC-SHA-256 over all of the above, `sealed_at` and the mac of the batch before, in hexadecimal.
    pub mac: String,
    pub sealed_at: NaiveDateTime,
    pub pruned_at: Option<NaiveDateTime>,
    /// The same over `mac` and `pruned_at`.
    pub pruned_mac: Option<String>,
}

/// The newest seal, in a text to be kept elsewhere: `17-` and the mac. What is sealed up to it can be neither changed nor cut off unnoticed by
/// whoever has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub number: i64,
    pub mac: String,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.number, self.mac)
    }
}

impl FromStr for Head {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a head is a number, a dash and 64 hexadecimal digits, as --print-head prints it";
        let (number, mac) = text.trim().split_once('-').ok_or(WRONG)?;
        let number = number.parse().ok().filter(|number| *number > 0).ok_or(WRONG)?;
        let is_mac = mac.len() == 64 && mac.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_mac { Ok(Self { number, mac: mac.to_owned() }) } else { Err(WRONG) }
    }
}

impl From<&Seal> for Head {
    fn from(seal: &Seal) -> Self {
        Self { number: seal.number, mac: seal.mac.clone() }
    }
}

/// What seals are made with.
pub struct AuditKey([u8; 32]);

impl AuditKey {
    /// The mac that this seal should have after one with the mac `before` (empty for the first).
    pub fn mac(&self, seal: &Seal, before: &str) -> String {
        let mut bytes = Canonical::of("kinchart audit seal 1");
        bytes.number(seal.number).number(seal.events).number(seal.total).time(seal.first_at).time(seal.last_at);
        bytes.text(&seal.hash).time(seal.sealed_at).text(before);
        hex(&hmac_sha256(&self.0, &[&bytes.0]))
    }
    /// The mac of the mark that the batch was pruned at that moment.
    pub fn pruned_mac(&self, seal: &Seal, at: NaiveDateTime) -> String {
        let mut bytes = Canonical::of("kinchart audit pruned 1");
        bytes.number(seal.number).text(&seal.mac).time(at);
        hex(&hmac_sha256(&self.0, &[&bytes.0]))
    }
    /// The mac of what the data folder keeps.
    pub fn head_mac(&self, kept: &Kept) -> String {
        let mut bytes = Canonical::of("kinchart audit head 1");
        bytes.number(kept.head.number).text(&kept.head.mac);
        for aside in &kept.aside {
            bytes.number(aside.head.number).text(&aside.head.mac).time(aside.at);
        }
        hex(&hmac_sha256(&self.0, &[&bytes.0]))
    }
    #[cfg(test)]
    pub fn of_test(byte: u8) -> Self {
        Self([byte; 32])
    }
}

/// Are these the same? In a time that tells nothing.
pub fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// Values as bytes of which no two lists of values have the same: each with what it is and how long.
struct Canonical(Vec<u8>);

impl Canonical {
    fn of(what: &str) -> Self {
        let mut bytes = Self(Vec::new());
        bytes.text(what);
        bytes
    }
    fn text(&mut self, text: &str) -> &mut Self {
        self.0.push(1);
        self.0.extend(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.extend(text.as_bytes());
        self
    }
    fn number(&mut self, number: i64) -> &mut Self {
        self.0.push(2);
        self.0.extend(number.to_be_bytes());
        self
    }
    /// In microseconds, which both databases keep.
    fn time(&mut self, at: NaiveDateTime) -> &mut Self {
        self.number(at.and_utc().timestamp_micros())
    }
    fn nothing(&mut self) -> &mut Self {
        self.0.push(0);
        self
    }
    fn optional(&mut self, text: Option<&String>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.nothing(),
        }
    }
    fn event(&mut self, event: &Event) {
        // Taken apart, so that a new column cannot be forgotten here.
        let Event { id, at, actor, actor_name, action, patient_id, record_id, kind, version, address, session_id, success, detail } = event;
        self.text(id).time(*at).text(actor).text(actor_name).text(action);
        self.optional(patient_id.as_ref()).optional(record_id.as_ref()).optional(kind.as_ref());
        match version {
            Some(version) => self.number(i64::from(*version)),
            None => self.nothing(),
        };
        self.optional(address.as_ref()).optional(session_id.as_ref());
        self.number(i64::from(*success)).optional(detail.as_ref());
    }
}

/// The hash of a batch: its events in the order of their ids.
pub fn hash(events: &[Event]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(Canonical::of("kinchart audit batch 1").0);
    for event in events {
        let mut bytes = Canonical(Vec::with_capacity(300));
        bytes.event(event);
        hasher.update(&bytes.0);
    }
    hex(&hasher.finalize())
}

/// The newest seal.
pub fn last(conn: &mut Conn) -> Result<Option<Seal>> {
    Ok(audit_seals::table.order(audit_seals::number.desc()).select(Seal::as_select()).first(conn).optional()?)
}

/// Events that no seal covers yet.
pub fn waiting(conn: &mut Conn) -> Result<i64> {
    Ok(audit_events::table.filter(audit_events::seal.is_null()).count().get_result(conn)?)
}

/// The key, if there is one.
pub fn key(conn: &mut Conn, secret: &SecretKey) -> Result<Option<AuditKey>> {
    let stored: Option<String> = installation::table.find(KEY).select(installation::value).first(conn).optional()?;
    stored.map(|stored| opened(secret, &stored)).transpose()
}

fn opened(secret: &SecretKey, stored: &str) -> Result<AuditKey> {
    let broken = || Error::Internal("the key of the audit does not open with the installation's".to_owned());
    let text = open_text(secret, Purpose::AuditKey, SEALED_FOR, stored).map_err(|_| broken())?;
    let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| broken())?;
    Ok(AuditKey(bytes.try_into().map_err(|_| broken())?))
}

fn keep(tx: &mut Tx<'_>, secret: &SecretKey, key: &AuditKey) -> Result<()> {
    let sealed = seal_text(secret, Purpose::AuditKey, SEALED_FOR, &STANDARD_NO_PAD.encode(key.0));
    facts::put(tx, KEY, &sealed.map_err(|error| Error::Internal(error.to_string()))?)
}

/// The key, made if nothing was ever sealed: neither in this database nor, as far as the data folder knows, in the one that was there before.
/// One that is gone is not replaced: nobody could prove any more what it sealed.
fn key_to_seal_with(tx: &mut Tx<'_>, secret: &SecretKey, is_first: bool) -> Result<AuditKey> {
    match key(tx, secret)? {
        Some(key) => Ok(key),
        None if is_first => {
            let key = AuditKey(random().map_err(|error| Error::Internal(error.to_string()))?);
            keep(tx, secret, &key)?;
            Ok(key)
        }
        None => Err(Error::Internal("the key of the audit is missing".to_owned())),
    }
}

/// Part of giving the installation another key: the audit's own stays, under the new one.
pub fn rewrap_key(tx: &mut Tx<'_>, old: &SecretKey, new: &SecretKey) -> Result<()> {
    match key(tx, old)? {
        Some(key) => keep(tx, new, &key),
        None => Ok(()),
    }
}

/// Does the database have to hold what the data folder tells of?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Older {
    Refused,
    Accepted,
}

/// Seals everything that waits; how many events that were. Nothing is sealed in a database that is not the one that the data folder knows.
pub fn run(app: &App) -> Result<usize> {
    all(app, Older::Refused)
}

fn all(app: &App, older: Older) -> Result<usize> {
    let mut sealed = 0;
    loop {
        let batch = one_batch(app, older)?;
        sealed += batch;
        if batch < MOST {
            return Ok(sealed);
        }
    }
}

/// Takes the database as it is for the one to go on with, although the data folder knows of a newer one: an event tells of it, is sealed, and
/// its seal is the new head; the old one stays in the file. Answers with the new one.
pub fn accept(app: &App) -> Result<Head> {
    let found = head::read(&app.config.data);
    let now = app.clock.now();
    let event = Event { detail: found.head().map(Head::to_string), ..accounts::by_command(Action::AuditAccepted, now) };
    app.db.write(|tx| {
        event.clone().write(tx)?;
        // A server that refused to seal tries it again without waiting longer.
        diesel::update(jobs::table.filter(jobs::task.eq(TASK))).set(jobs::run_at.eq(now)).execute(&mut **tx)?;
        Ok(())
    })?;
    all(app, Older::Accepted)?;
    let (key, newest) = app.db.read(|conn| Ok((key(conn, &app.key)?, last(conn)?)))?;
    let (Some(key), Some(newest)) = (key, newest) else { return Err(Error::Internal("nothing was sealed".to_owned())) };
    let head = Head::from(&newest);
    head::replace(&app.config.data, &key, &head, now).map_err(|error| Error::Internal(format!("{}: {error}", head::FILE_NAME)))?;
    Ok(head)
}

/// What a batch is made of.
struct Waiting {
    before: Option<Seal>,
    events: Vec<Event>,
    /// The key, and the head of the data folder.
    key: Option<AuditKey>,
    kept: Option<i64>,
}

fn look(app: &App, found: &Found, older: Older) -> Result<Waiting> {
    app.db.read(|conn| {
        let key = key(conn, &app.key)?;
        let kept = match head::compare(conn, key.as_ref(), found)? {
            Ok(kept) => kept.map(|kept| kept.head.number),
            Err(_) if older == Older::Accepted => None,
            Err(differs) => return Err(Error::Internal(format!("the audit is not sealed: {differs}"))),
        };
        Ok(Waiting { before: last(conn)?, events: unsealed(conn)?, key, kept })
    })
}

/// Seals the oldest that wait. They are read and hashed before the transaction: on `PostgreSQL` one that read "all that wait" would be in the
/// way of everybody who writes an event. Nothing can change in between, because the tables refuse it.
fn one_batch(app: &App, older: Older) -> Result<usize> {
    let found = head::read(&app.config.data);
    let Waiting { before, events, key, kept } = look(app, &found, older)?;
    let may_be_first = before.is_none() && (found == Found::Nothing || older == Older::Accepted);
    let (Some(first_at), Some(last_at)) = (events.iter().map(|e| e.at).min(), events.iter().map(|e| e.at).max()) else {
        // Another server sealed, or this one ended before it could tell its data folder.
        if let (Some(key), Some(before)) =
            (key, before.filter(|before| older == Older::Refused && kept.is_none_or(|kept| kept < before.number)))
        {
            tell_folder(app, &key, &Head::from(&before));
        }
        return Ok(0);
    };
    let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let (number, total, mac) = before.as_ref().map_or((0, 0, ""), |seal| (seal.number, seal.total, seal.mac.as_str()));
    let seal = Seal {
        number: number + 1,
        events: count,
        total: total + count,
        first_at,
        last_at,
        hash: hash(&events),
        mac: String::new(),
        sealed_at: app.clock.now(),
        pruned_at: None,
        pruned_mac: None,
    };
    let done = app.db.write(|tx| {
        if last(tx)? != before {
            // Another server was faster; what is left is next minute's.
            return Ok(None);
        }
        let key = key_to_seal_with(tx, &app.key, may_be_first)?;
        let seal = Seal { mac: key.mac(&seal, mac), ..seal.clone() };
        diesel::insert_into(audit_seals::table).values(&seal).execute(&mut **tx)?;
        let these = audit_events::table.filter(among(tx, "audit_events.id", &ids)).filter(audit_events::seal.is_null());
        let sealed = diesel::update(these).set(audit_events::seal.eq(seal.number)).execute(&mut **tx)?;
        if sealed == ids.len() {
            Ok(Some((key, Head::from(&seal))))
        } else {
            Err(Error::Internal("events of the audit vanished before they were sealed".to_owned()))
        }
    })?;
    let Some((key, newest)) = done else { return Ok(0) };
    if older == Older::Refused {
        tell_folder(app, &key, &newest);
    }
    Ok(events.len())
}

/// A folder that takes no file is no reason not to seal; `kinchart verify` tells how far behind it is.
fn tell_folder(app: &App, key: &AuditKey, newest: &Head) {
    if let Err(error) = head::advance(&app.config.data, key, newest) {
        log::error!("{} in the data folder: {error}", head::FILE_NAME);
    }
}

/// In the order of their ids. The column of the seal is named in the order, too, because only so does `PostgreSQL` read them by the index.
fn unsealed(conn: &mut Conn) -> Result<Vec<Event>> {
    Ok(audit_events::table
        .filter(audit_events::seal.is_null())
        .order((audit_events::seal, audit_events::id))
        .limit(i64::try_from(MOST).unwrap_or(i64::MAX))
        .select(Event::as_select())
        .load(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Action;

    fn event() -> Event {
        let at = chrono::NaiveDate::from_ymd_opt(2026, 3, 14).unwrap().and_hms_opt(12, 0, 0).unwrap();
        Event::by_the_program(Action::Read, at)
    }

    #[test]
    fn what_moves_from_one_column_to_the_next_has_another_hash() {
        let with = |kind: Option<&str>, record: Option<&str>| Event {
            id: "one".to_owned(),
            kind: kind.map(str::to_owned),
            record_id: record.map(str::to_owned),
            ..event()
        };
        let all = [with(None, None), with(Some(""), None), with(None, Some("")), with(Some("ab"), Some("c")), with(Some("a"), Some("bc"))];
        for (n, one) in all.iter().enumerate() {
            for other in &all[..n] {
                assert_ne!(hash(std::slice::from_ref(one)), hash(std::slice::from_ref(other)), "{one:?}\n{other:?}");
            }
        }
        let (a, b) = (Event { id: "a".to_owned(), ..event() }, Event { id: "b".to_owned(), ..event() });
        assert_ne!(hash(&[a.clone(), b.clone()]), hash(&[b, a]), "the order");
    }

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let head = Head { number: 17, mac: "0a".repeat(32) };
        assert_eq!(format!(" {head}\n").parse::<Head>().unwrap(), head);
        for wrong in ["", "17", "17-", "-17-00", "0-00", &format!("x{head}"), &format!("{head}0"), &head.to_string().to_uppercase()] {
            assert!(wrong.parse::<Head>().is_err(), "{wrong}");
        }
    }
}
