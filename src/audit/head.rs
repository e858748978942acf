//! The newest seal outside the database: `audit.head` in the data folder, written after each batch. Whoever can change the database alone cannot
//! take that back: a database that no longer holds what the file tells of is named, and nothing more is sealed in it until somebody at the
//! command line says that they put an older one back ([`super::seal::accept`]).
//!
//! The file may be behind: the program ended before it was written, or another server sealed, which has a data folder of its own. It is never
//! ahead, because it is written after the batch is in the database, and read before the database is looked at.

use std::{fmt, fs, io, path::Path};

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::seal::{self, AuditKey, Head, is_same};
use crate::{
    db::{Conn, schema::audit_seals},
    disk,
    error::Result,
};

pub const FILE_NAME: &str = "audit.head";
/// Held while the file is read and written anew.
const LOCK: &str = "audit.head.lock";
const TEMPORARY: &str = "audit.head.tmp";
/// The first line; another form gets another number.
const TITLE: &str = "kinchart audit head 1";
const MOMENT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// What the file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub head: Head,
    /// Heads that were given up when an older database was accepted, the oldest first.
    pub aside: Vec<Aside>,
}

/// A head that the database no longer reached, and when somebody accepted that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    pub head: Head,
    pub at: NaiveDateTime,
}

/// What is in the data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    /// Something that cannot be read, or is no head.
    Unreadable,
    /// A head with its keyed hash, which only the key of the audit can tell to be right.
    Head {
        kept: Kept,
        mac: String,
    },
}

impl Found {
    pub fn head(&self) -> Option<&Head> {
        match self {
            Self::Head { kept, .. } => Some(&kept.head),
            Self::Nothing | Self::Unreadable => None,
        }
    }
}

/// How the database differs from what the data folder tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Differs {
    Unreadable,
    /// Not made with the key of this database's audit.
    Foreign,
    /// The database has no key of the audit any more, and nothing that was sealed.
    Emptied {
        kept: i64,
    },
    Behind {
        kept: i64,
        newest: i64,
    },
    /// The batch is there, and is another.
    Other(i64),
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => write!(f, "{FILE_NAME} in the data folder cannot be read, or is not as the program wrote it.")?,
            Self::Foreign => write!(f, "{FILE_NAME} in the data folder was changed, or is not of this database's audit.")?,
            Self::Emptied { kept } => {
                write!(f, "The database has no sealed audit, and {FILE_NAME} in the data folder tells of {kept} batches: it was emptied.")?;
            }
            Self::Behind { kept, newest } => write!(
                f,
                "The audit ends with batch {newest}, and {FILE_NAME} in the data folder is of batch {kept}: the end was cut off, or sealed anew."
            )?,
            Self::Other(n) => {
                write!(f, "Batch {n} is not the one that {FILE_NAME} in the data folder is of: the audit was written anew.")?;
            }
        }
        write!(f, " Nothing more is sealed. Only if you put back an older database yourself: kinchart verify --accept-older")
    }
}

/// Read it before the database is looked at: what is sealed in between is then in the database only.
pub fn read(folder: &Path) -> Found {
    match fs::read_to_string(folder.join(FILE_NAME)) {
        Ok(text) => parse(&text).map_or(Found::Unreadable, |(kept, mac)| Found::Head { kept, mac }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
        Err(_) => Found::Unreadable,
    }
}

fn parse(text: &str) -> Option<(Kept, String)> {
    let mut lines = text.lines();
    if lines.next()? != TITLE {
        return None;
    }
    let head = lines.next()?.strip_prefix("head ")?.parse().ok()?;
    let mut aside = Vec::new();
    loop {
        let line = lines.next()?;
        if let Some(mac) = line.strip_prefix("mac ") {
            return lines.next().is_none().then(|| (Kept { head, aside }, mac.to_owned()));
        }
        let (head, at) = line.strip_prefix("aside ")?.split_once(' ')?;
        aside.push(Aside { head: head.parse().ok()?, at: NaiveDateTime::parse_from_str(at, MOMENT).ok()? });
    }
}

fn text(key: &AuditKey, kept: &Kept) -> String {
    use fmt::Write;
    let mut text = format!("{TITLE}\nhead {}\n", kept.head);
    for aside in &kept.aside {
        // Writing to a text does not fail.
        let _ = writeln!(text, "aside {} {}", aside.head, aside.at.format(MOMENT));
    }
    let _ = writeln!(text, "mac {}", key.head_mac(kept));
    text
}

/// Does the database hold what the data folder tells of? What that is, if anything. The seals between are not looked at: that is
/// [`super::verify`]'s work.
pub fn compare<'a>(conn: &mut Conn, key: Option<&AuditKey>, found: &'a Found) -> Result<Result<Option<&'a Kept>, Differs>> {
    let (kept, mac) = match found {
        Found::Nothing => return Ok(Ok(None)),
        Found::Unreadable => return Ok(Err(Differs::Unreadable)),
        Found::Head { kept, mac } => (kept, mac),
    };
    let newest = seal::last(conn)?.map_or(0, |seal| seal.number);
    let Some(key) = key else { return Ok(Err(Differs::Emptied { kept: kept.head.number })) };
    if !is_same(mac, &key.head_mac(kept)) {
        return Ok(Err(Differs::Foreign));
    }
    if kept.head.number > newest {
        return Ok(Err(Differs::Behind { kept: kept.head.number, newest }));
    }
    let there: Option<String> = audit_seals::table.find(kept.head.number).select(audit_seals::mac).first(conn).optional()?;
    Ok(if there.is_some_and(|there| is_same(&there, &kept.head.mac)) { Ok(Some(kept)) } else { Err(Differs::Other(kept.head.number)) })
}

/// Writes the head, unless a newer one is there. One that was not made with this key is left as it is.
pub fn advance(folder: &Path, key: &AuditKey, head: &Head) -> io::Result<()> {
    let _lock = lock(folder)?;
    let aside = match read(folder) {
        Found::Nothing => Vec::new(),
        Found::Head { kept, mac } if is_same(&mac, &key.head_mac(&kept)) => {
            if kept.head.number >= head.number {
                return Ok(());
            }
            kept.aside
        }
        Found::Unreadable | Found::Head { .. } => return Err(io::Error::other(Differs::Foreign.to_string())),
    };
    write(folder, &text(key, &Kept { head: head.clone(), aside }))
}

/// Writes the head in the place of whatever is there, which stays in the file as one that was given up.
pub fn replace(folder: &Path, key: &AuditKey, head: &Head, now: NaiveDateTime) -> io::Result<()> {
    let _lock = lock(folder)?;
    let mut aside = Vec::new();
    if let Found::Head { kept, .. } = read(folder) {
        aside = kept.aside;
        aside.push(Aside { head: kept.head, at: now });
    }
    write(folder, &text(key, &Kept { head: head.clone(), aside }))
}

fn lock(folder: &Path) -> io::Result<fs::File> {
    let file = fs::File::options().create(true).truncate(false).write(true).open(folder.join(LOCK))?;
    file.lock()?;
    Ok(file)
}

fn write(folder: &Path, text: &str) -> io::Result<()> {
    let temporary = folder.join(TEMPORARY);
    disk::write_private(&temporary, text.as_bytes())?;
    disk::rename(&temporary, &folder.join(FILE_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(number: i64) -> Head {
        Head { number, mac: "0a".repeat(32) }
    }
    fn moment() -> NaiveDateTime {
        chrono::NaiveDate::from_ymd_opt(2026, 3, 14).unwrap().and_hms_micro_opt(12, 0, 0, 17).unwrap()
    }
    fn told(folder: &Path) -> (i64, Vec<i64>) {
        match read(folder) {
            Found::Head { kept, .. } => (kept.head.number, kept.aside.iter().map(|aside| aside.head.number).collect()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_head_is_read_as_it_was_written_and_never_goes_back_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, key) = (folder.path(), AuditKey::of_test(1));
        assert_eq!(read(folder), Found::Nothing);
        advance(folder, &key, &head(3)).unwrap();
        advance(folder, &key, &head(2)).unwrap();
        assert_eq!(told(folder), (3, vec![]));
        advance(folder, &key, &head(4)).unwrap();
        replace(folder, &key, &head(2), moment()).unwrap();
        advance(folder, &key, &head(3)).unwrap();
        assert_eq!(told(folder), (3, vec![4]));
        let Found::Head { kept, mac } = read(folder) else { panic!() };
        assert_eq!(kept.aside, [Aside { head: head(4), at: moment() }]);
        assert_eq!(mac, key.head_mac(&kept));
        let names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!names.iter().any(|name| name == TEMPORARY), "{names:?}");
    }

    #[test]
    fn what_another_key_wrote_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        advance(folder.path(), &AuditKey::of_test(1), &head(3)).unwrap();
        assert!(advance(folder.path(), &AuditKey::of_test(2), &head(4)).is_err());
        for text in ["", "kinchart audit head 1\n", "kinchart audit head 2\nhead 3-00\nmac 00\n", "kinchart audit head 1\nhead 3\nmac 0\n"]
        {
            fs::write(folder.path().join(FILE_NAME), text).unwrap();
            assert_eq!(read(folder.path()), Found::Unreadable, "{text}");
            assert!(advance(folder.path(), &AuditKey::of_test(1), &head(4)).is_err());
        }
    }
}
