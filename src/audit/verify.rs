//! Is the audit as it was written? Every seal and every event that is still there, read on one snapshot, beside whoever writes.

use std::fmt;

use chrono::{Duration, NaiveDateTime};
use diesel::{
    dsl::{max, min},
    prelude::*,
};

use super::{
    Event, guards,
    head::{self, Differs, Kept},
    seal::{self, AuditKey, Head, Seal, is_same},
};
use crate::{
    app::App,
    auth::secret::SecretKey,
    db::{
        Conn,
        schema::{audit_events, audit_seals},
    },
    error::Result,
};

/// Seals in memory at once.
const PART: i64 = 500;
/// A server that was there so long, and sealed nothing, does not seal.
const UNSEALED: Duration = Duration::minutes(30);

/// What is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    pub seals: i64,
    /// Events that were read and are as they were sealed.
    pub events: i64,
    /// Events that no seal covers yet: of these nothing is proven.
    pub waiting: i64,
    /// When the oldest of these happened.
    pub waiting_since: Option<NaiveDateTime>,
    pub pruned: Option<Pruned>,
    pub head: Option<Head>,
    /// What the data folder tells, which the database holds.
    pub folder: Option<Kept>,
}

/// What was removed by age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    pub seals: i64,
    pub events: i64,
    pub first_at: NaiveDateTime,
    pub last_at: NaiveDateTime,
}

/// The first thing that is not as it was written; the number is the batch's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// There are seals, and the key they were made with is gone or does not open.
    Key,
    SealMissing(i64),
    SealChanged(i64),
    /// The mark that it was pruned.
    MarkChanged(i64),
    EventMissing(i64),
    EventAdded(i64),
    EventChanged(i64),
    /// The head that was kept is of a batch that is not there any more.
    Behind {
        kept: i64,
        newest: i64,
    },
    /// The batch is there, and is not the one that the head was kept of.
    OtherHead(i64),
    /// It is not the one that the data folder knows.
    Folder(Differs),
    /// A trigger by which the tables take only what is new is missing, changed, off, or one too many.
    Unguarded(String),
    /// A server answered people at both moments, and sealed nothing in between.
    Unsealed {
        from: NaiveDateTime,
        to: NaiveDateTime,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => write!(f, "The key of the audit is missing, or not the one it was sealed with: nothing can be proven."),
            Self::SealMissing(n) => write!(f, "Batch {n}: its seal is missing."),
            Self::SealChanged(n) => write!(f, "Batch {n}: the seal was changed, or was not made with this installation's key."),
            Self::MarkChanged(n) => write!(f, "Batch {n}: the mark that it was pruned was changed, or was not made here."),
            Self::EventMissing(n) => write!(f, "Batch {n}: an event is missing."),
            Self::EventAdded(n) => write!(f, "Batch {n}: an event was added."),
            Self::EventChanged(n) => write!(f, "Batch {n}: an event was changed, or put in the place of another."),
            Self::Behind { kept, newest } => {
                write!(f, "The audit ends with batch {newest}, and the head that was kept is of batch {kept}: its end was cut off.")
            }
            Self::OtherHead(n) => write!(f, "Batch {n} is not the one that the head was kept of: the audit was written anew."),
            Self::Folder(differs) => write!(f, "{differs}"),
            Self::Unguarded(name) => write!(
                f,
                "What is sealed is as it was, but the tables of the audit do not refuse changes as they should: look at the trigger {name}."
            ),
            Self::Unsealed { from, to } => write!(
                f,
                "Nothing of what people did from {} to {} UTC is sealed, although the server ran: of that nothing is proven.",
                from.format("%Y-%m-%d %H:%M"),
                to.format("%Y-%m-%d %H:%M")
            ),
        }
    }
}

/// Looks at everything, and compares it with a head that was kept elsewhere.
pub fn verify(conn: &mut Conn, secret: &SecretKey, kept: Option<&Head>) -> Result<Result<Proven, Broken>> {
    let mut walk = Walk { proven: Proven::default(), kept, kept_mac: None };
    Ok(match walk.all(conn, secret)? {
        None => Ok(Proven { waiting: seal::waiting(conn)?, ..walk.proven }),
        Some(broken) => Err(broken),
    })
}

/// Looks at everything of an installation: also at what its data folder tells of the audit, at the tables' triggers, and whether it is sealed.
pub fn installation(app: &App, kept: Option<&Head>) -> Result<Result<Proven, Broken>> {
    // Before the database: what is sealed in between is there only.
    let found = head::read(&app.config.data);
    app.db.read(|conn| {
        let proven = match verify(conn, &app.key, kept)? {
            Ok(proven) => proven,
            Err(broken) => return Ok(Err(broken)),
        };
        let key = seal::key(conn, &app.key)?;
        let folder = match head::compare(conn, key.as_ref(), &found)? {
            Ok(kept) => kept.cloned(),
            Err(differs) => return Ok(Err(Broken::Folder(differs))),
        };
        if let Some(name) = guards::fault(conn)? {
            return Ok(Err(Broken::Unguarded(name)));
        }
        if let Some((from, to)) = unsealed(conn)?.filter(|(from, to)| *to - *from > UNSEALED) {
            return Ok(Err(Broken::Unsealed { from, to }));
        }
        let waiting = audit_events::table.filter(audit_events::seal.is_null());
        let waiting_since = waiting.select(min(audit_events::at)).first(conn)?;
        Ok(Ok(Proven { waiting_since, folder, ..proven }))
    })
}

/// When the first and the last of what waits happened at a page or by a token, which only a server answers.
fn unsealed(conn: &mut Conn) -> Result<Option<(NaiveDateTime, NaiveDateTime)>> {
    let of_server = audit_events::table.filter(audit_events::seal.is_null()).filter(audit_events::session_id.is_not_null());
    let (from, to): (Option<NaiveDateTime>, Option<NaiveDateTime>) =
        of_server.select((min(audit_events::at), max(audit_events::at))).first(conn)?;
    Ok(from.zip(to))
}

struct Walk<'a> {
    proven: Proven,
    kept: Option<&'a Head>,
    /// The mac of the batch that the kept head tells of.
    kept_mac: Option<String>,
}

impl Walk<'_> {
    fn all(&mut self, conn: &mut Conn, secret: &SecretKey) -> Result<Option<Broken>> {
        let key = match seal::key(conn, secret) {
            Ok(Some(key)) => key,
            Ok(None) if seal::last(conn)?.is_none() => return self.ends(conn),
            Ok(None) | Err(crate::error::Error::Internal(_)) => return Ok(Some(Broken::Key)),
            Err(error) => return Err(error),
        };
        loop {
            let part: Vec<Seal> = audit_seals::table
                .filter(audit_seals::number.gt(self.number()))
                .order(audit_seals::number)
                .limit(PART)
                .select(Seal::as_select())
                .load(conn)?;
            if part.is_empty() {
                return self.ends(conn);
            }
            for seal in &part {
                if let Some(broken) = self.step(conn, &key, seal)? {
                    return Ok(Some(broken));
                }
            }
        }
    }

    fn number(&self) -> i64 {
        self.proven.head.as_ref().map_or(0, |head| head.number)
    }

    /// One batch, after all before it were right.
    fn step(&mut self, conn: &mut Conn, key: &AuditKey, seal: &Seal) -> Result<Option<Broken>> {
        let number = self.number() + 1;
        if seal.number != number {
            return Ok(Some(Broken::SealMissing(number)));
        }
        let before = self.proven.head.as_ref().map_or("", |head| head.mac.as_str());
        if !is_same(&seal.mac, &key.mac(seal, before)) {
            return Ok(Some(Broken::SealChanged(number)));
        }
        let broken = match (seal.pruned_at, &seal.pruned_mac) {
            (None, None) => self.events(conn, seal)?,
            (Some(at), Some(mac)) if is_same(mac, &key.pruned_mac(seal, at)) => self.pruned(conn, seal)?,
            _ => Some(Broken::MarkChanged(number)),
        };
        self.proven.seals += 1;
        self.proven.head = Some(Head::from(seal));
        if self.kept.is_some_and(|kept| kept.number == number) {
            self.kept_mac = Some(seal.mac.clone());
        }
        Ok(broken)
    }

    fn events(&mut self, conn: &mut Conn, seal: &Seal) -> Result<Option<Broken>> {
        // One more than there should be is enough to know.
        let events: Vec<Event> = audit_events::table
            .filter(audit_events::seal.eq(seal.number))
            .order((audit_events::seal, audit_events::id))
            .limit(seal.events.saturating_add(1))
            .select(Event::as_select())
            .load(conn)?;
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        self.proven.events += count;
        Ok(match count.cmp(&seal.events) {
            std::cmp::Ordering::Greater => Some(Broken::EventAdded(seal.number)),
            std::cmp::Ordering::Less => Some(Broken::EventMissing(seal.number)),
            std::cmp::Ordering::Equal if !is_same(&seal.hash, &seal::hash(&events)) => Some(Broken::EventChanged(seal.number)),
            std::cmp::Ordering::Equal => None,
        })
    }

    fn pruned(&mut self, conn: &mut Conn, seal: &Seal) -> Result<Option<Broken>> {
        let pruned = self.proven.pruned.get_or_insert(Pruned { seals: 0, events: 0, first_at: seal.first_at, last_at: seal.last_at });
        pruned.seals += 1;
        pruned.events += seal.events;
        pruned.first_at = pruned.first_at.min(seal.first_at);
        pruned.last_at = pruned.last_at.max(seal.last_at);
        Ok(holds(conn, seal.number)?.then_some(Broken::EventAdded(seal.number)))
    }

    /// After the last seal: nothing claims to be of a batch that is not there, and the head that was kept is among those seen.
    fn ends(&self, conn: &mut Conn) -> Result<Option<Broken>> {
        let newest = self.number();
        let beyond: Option<Option<i64>> = audit_events::table
            .filter(audit_events::seal.gt(newest).or(audit_events::seal.lt(1)))
            .order(audit_events::seal)
            .select(audit_events::seal)
            .first(conn)
            .optional()?;
        if let Some(number) = beyond.flatten() {
            return Ok(Some(Broken::SealMissing(number)));
        }
        Ok(match self.kept {
            Some(kept) if kept.number > newest => Some(Broken::Behind { kept: kept.number, newest }),
            Some(kept) if self.kept_mac.as_ref() != Some(&kept.mac) => Some(Broken::OtherHead(kept.number)),
            _ => None,
        })
    }
}

fn holds(conn: &mut Conn, number: i64) -> Result<bool> {
    let one: Option<String> = audit_events::table.filter(audit_events::seal.eq(number)).select(audit_events::id).first(conn).optional()?;
    Ok(one.is_some())
}
