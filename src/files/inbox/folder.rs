//! The watched folder (`KINCHART_INBOX`): a folder for each household, from which documents are taken into its inbox.
//!
//! A file is taken when it was the same at two looks, through the same checks as an upload, and leaves the folder only after it is a document.
//! What was taken stands in `inbox_arrivals` until it is gone from the folder, so that a crash in between makes no second document. What is
//! refused is moved to `refused`, with a text beside it that says why. Nothing is followed that is a link.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::{self, File as OpenFile, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use crate::{
    app::App,
    checksums::Hasher,
    db::{
        Conn, Tx,
        schema::{households, inbox_arrivals},
        types::HouseholdId,
    },
    disk,
    error::{Error, Result},
    files::{
        Details, NewFile, blobs, clean_name,
        owner::{self, Hand, Owner},
        upload,
    },
    i18n::Locale,
    records::field::FieldError,
    text::fold,
};

/// The job's name.
pub const TASK: &str = "watch_inbox";
/// In a household's folder: says whose it is, whatever the folder is called.
const NOTE: &str = ".kinchart";
/// In the watched folder: tells people which folder is whose.
const README: &str = "README.txt";
/// Where what is not taken is put.
pub const REFUSED: &str = "refused";
/// What is read at once.
const BATCH: usize = 512 * 1024;
/// What one look takes in at most, so that it ends within its lease.
const MOST: usize = 100;
/// How long what went wrong waits for another try.
const PAUSE: Duration = Duration::minutes(5);
/// What programs write under before a file is whole (scanners, browsers, rsync, editors, file managers).
const UNFINISHED: &[&str] = &["part", "partial", "tmp", "temp", "crdownload", "download", "filepart", "swp", "lock", "!qb"];

type Households = Vec<(HouseholdId, String)>;

/// Looks once through the folders of all households. What is wrong with one file holds up no other.
pub fn look(app: &App) -> Result<()> {
    let Some(root) = &app.config.inbox else { return Ok(()) };
    let folders = match prepare(app, root) {
        Ok(folders) => folders,
        Err(error) => {
            log::error!("the watched folder cannot be used: {}", error.kind());
            return Err(Error::Internal("the watched folder cannot be used".to_owned()));
        }
    };
    let mut left = MOST;
    for (household, folder) in folders? {
        if let Err(error) = look_into(app, &household, &folder, &mut left) {
            log::warn!("a folder of the watched folder: {error}");
        }
    }
    Ok(())
}

/// The folder of each household, made where there is none, and the text that tells which is whose.
fn prepare(app: &App, root: &Path) -> io::Result<Result<Vec<(HouseholdId, PathBuf)>>> {
    fs::create_dir_all(root)?;
    let all = app.db.read(households_of);
    let all = match all {
        Ok(all) => all,
        Err(error) => return Ok(Err(error)),
    };
    let mut known = noted(root)?;
    let mut found = Vec::new();
    for (id, name) in &all {
        let folder = match known.remove(id.as_str()) {
            Some(folder) => folder,
            None => make(root, id, name, &all)?,
        };
        found.push((id.clone(), folder));
    }
    write_readme(root, &all, &found)?;
    Ok(Ok(found))
}

fn households_of(conn: &mut Conn) -> Result<Households> {
    Ok(households::table.order((households::created_at, households::id)).select((households::id, households::name)).load(conn)?)
}

/// The folders that say whose they are, by the household's id: with a note in them, or with the id as their name.
fn noted(root: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let name = entry.file_name();
        let noted = read_note(&entry.path());
        if let Some(id) = noted.or_else(|| name.to_str().map(str::to_owned)) {
            found.entry(id).or_insert_with(|| entry.path());
        }
    }
    Ok(found)
}

/// The first line of the note, if there is one.
fn read_note(folder: &Path) -> Option<String> {
    let path = folder.join(NOTE);
    let is_file = fs::symlink_metadata(&path).ok()?.is_file();
    let mut text = String::new();
    OpenFile::open(path).ok().filter(|_| is_file)?.take(200).read_to_string(&mut text).ok()?;
    text.lines().next().map(|line| line.trim().to_owned())
}

/// A folder under the household's name, made safe; with the end of the id where two would be called the same.
fn make(root: &Path, id: &HouseholdId, name: &str, all: &Households) -> io::Result<PathBuf> {
    let safe = safe_name(name);
    let is_shared = all.iter().filter(|(_, other)| safe_name(other) == safe).count() > 1;
    let end: String = id.as_str().chars().rev().take(6).collect::<Vec<_>>().into_iter().rev().collect();
    let with_end = format!("{safe}-{end}");
    let free =
        |name: &str| fs::symlink_metadata(root.join(name)).map_or(true, |told| told.is_dir() && read_note(&root.join(name)).is_none());
    let name = if !is_shared && free(&safe) {
        safe
    } else if free(&with_end) {
        with_end
    } else {
        id.to_string()
    };
    let folder = root.join(name);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(NOTE), format!("{id}\n"))?;
    Ok(folder)
}

/// Letters and digits that every file system takes, with hyphens between them.
pub fn safe_name(name: &str) -> String {
    let letters = fold(&name.replace('ß', "ss")).chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>();
    let words: Vec<&str> = letters.split('-').filter(|word| !word.is_empty()).collect();
    let safe: String = words.join("-").chars().take(60).collect();
    if safe.is_empty() || safe == REFUSED { "household".to_owned() } else { safe }
}

fn write_readme(root: &Path, all: &Households, folders: &[(HouseholdId, PathBuf)]) -> io::Result<()> {
    let words = Locale::default();
    let mut text = words.t("folder.readme") + "\n\n";
    for ((_, name), (_, folder)) in all.iter().zip(folders) {
        let folder = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        text.extend([folder.as_str(), ": ", name.as_str(), "\n"]);
    }
    let path = root.join(README);
    if fs::read_to_string(&path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    let fresh = root.join(".README.txt.part");
    fs::write(&fresh, text)?;
    fs::rename(fresh, path)
}

/// A file of the folder as a look finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    size: u64,
    /// Nanoseconds since 1970.
    modified: i64,
}

impl Seen {
    fn of(told: &Metadata) -> io::Result<Self> {
        let since = told.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { size: told.len(), modified: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX) })
    }
}

/// What the table knows of a file.
#[derive(Clone, Debug)]
struct Known {
    seen: Seen,
    /// When it was seen so; later than now while it waits for another try.
    at: NaiveDateTime,
    sha256: Option<String>,
}

/// What people put there, by readable names, in their order.
fn entries(folder: &Path) -> io::Result<BTreeMap<String, (PathBuf, Seen)>> {
    let (mut found, mut odd) = (BTreeMap::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let told = match fs::symlink_metadata(entry.path()) {
            Ok(told) => told,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if !told.is_file() {
            continue;
        }
        let here = (entry.path(), Seen::of(&told)?);
        match entry.file_name().into_string() {
            Ok(name) => drop(found.insert(name, here)),
            Err(name) => odd.push((readable(&name), here)),
        }
    }
    for (name, here) in odd {
        // If another file has that name, it comes when that one is gone.
        found.entry(name).or_insert(here);
    }
    found.retain(|name, _| !is_unfinished(name));
    Ok(found)
}

/// A name that is no UTF-8 is as an older Windows wrote it: every byte is a letter, and two names stay two.
#[cfg(unix)]
fn readable(name: &OsStr) -> String {
    use std::os::unix::ffi::OsStrExt;
    encoding_rs::WINDOWS_1252.decode_without_bom_handling(name.as_bytes()).0.into_owned()
}
#[cfg(not(unix))]
fn readable(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

/// Hidden, a copy of an editor's, or under a name that means "not whole yet".
fn is_unfinished(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    name.starts_with(['.', '~']) || name.ends_with('~') || UNFINISHED.contains(&ending.as_str())
}

fn look_into(app: &App, household: &HouseholdId, folder: &Path, left: &mut usize) -> Result<()> {
    let broken = |error: io::Error| Error::Internal(format!("watched folder: {}", error.kind()));
    let here = entries(folder).map_err(broken)?;
    let known = app.db.read(|conn| known(conn, household))?;
    remember(app, household, &here, &known)?;
    for (name, (path, seen)) in here {
        let Some(known) = known.get(&name).filter(|known| known.sha256.is_some() || known.seen == seen) else { continue };
        if *left == 0 || known.at > app.clock.now() {
            continue;
        }
        *left -= 1;
        let one = One { app, household, folder, name: &name, path: &path, seen: &seen };
        let done = match &known.sha256 {
            Some(sha256) => one.take_away(sha256),
            None => one.take_in(),
        };
        if let Err(error) = done {
            log::warn!("a file of the watched folder waits: {error}");
            one.wait()?;
        }
    }
    Ok(())
}

fn known(conn: &mut Conn, household: &HouseholdId) -> Result<BTreeMap<String, Known>> {
    type Row = (String, i64, i64, NaiveDateTime, Option<String>);
    let rows: Vec<Row> = inbox_arrivals::table
        .filter(inbox_arrivals::household_id.eq(household))
        .select((inbox_arrivals::name, inbox_arrivals::size, inbox_arrivals::modified, inbox_arrivals::seen_at, inbox_arrivals::sha256))
        .load(conn)?;
    let known = |(name, size, modified, at, sha256): Row| {
        (name, Known { seen: Seen { size: u64::try_from(size).unwrap_or_default(), modified }, at, sha256 })
    };
    Ok(rows.into_iter().map(known).collect())
}

/// Notes what is new or has changed since the last look, and forgets what is gone. Where nothing happened, nothing is written.
fn remember(app: &App, household: &HouseholdId, here: &BTreeMap<String, (PathBuf, Seen)>, known: &BTreeMap<String, Known>) -> Result<()> {
    let gone: Vec<&String> = known.keys().filter(|name| !here.contains_key(*name)).collect();
    let is_fresh = |name: &String, seen: &Seen| known.get(name).is_none_or(|known| known.sha256.is_none() && known.seen != *seen);
    let here = here.iter().map(|(name, (_, seen))| (name, seen));
    let fresh: Vec<(&String, &Seen)> = here.filter(|(name, seen)| is_fresh(name, seen)).collect();
    if gone.is_empty() && fresh.is_empty() {
        return Ok(());
    }
    let now = app.clock.now();
    app.db.write(|tx| {
        let names: BTreeSet<&String> = gone.iter().copied().chain(fresh.iter().map(|(name, _)| *name)).collect();
        for name in names {
            forget(tx, household, name)?;
        }
        for (name, seen) in &fresh {
            arrive(tx, household, name, seen, now)?;
        }
        Ok(())
    })
}

fn forget(tx: &mut Tx<'_>, household: &HouseholdId, name: &str) -> Result<()> {
    diesel::delete(inbox_arrivals::table.find((household, name))).execute(&mut **tx)?;
    Ok(())
}

fn arrive(tx: &mut Tx<'_>, household: &HouseholdId, name: &str, seen: &Seen, now: NaiveDateTime) -> Result<()> {
    diesel::insert_into(inbox_arrivals::table)
        .values((
            inbox_arrivals::household_id.eq(household),
            inbox_arrivals::name.eq(name),
            inbox_arrivals::size.eq(i64::try_from(seen.size).unwrap_or(i64::MAX)),
            inbox_arrivals::modified.eq(seen.modified),
            inbox_arrivals::seen_at.eq(now),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// One file of one folder, as it was at this look.
struct One<'a> {
    app: &'a App,
    household: &'a HouseholdId,
    folder: &'a Path,
    /// As it can be told.
    name: &'a str,
    path: &'a Path,
    seen: &'a Seen,
}

/// The bytes of a file, or why they are not to be had now.
enum Bytes {
    Stored(blobs::Kept),
    Empty,
    TooLarge,
    /// It is being written to, or is another one by now: the next look sees what it has become.
    Moving,
}

impl One<'_> {
    /// Opens it, if it is what the look saw: a regular file, and the one that the name stands for.
    fn open(&self) -> io::Result<Option<OpenFile>> {
        let before = fs::symlink_metadata(self.path)?;
        if !before.is_file() {
            return Ok(None);
        }
        let file = OpenFile::open(self.path)?;
        let told = file.metadata()?;
        Ok((is_same(&before, &told) && Seen::of(&told)? == *self.seen).then_some(file))
    }

    /// What cannot be taken or removed now (a disk that is full, a folder that cannot be written) is not read again at every look.
    fn wait(&self) -> Result<()> {
        let next = self.app.clock.now() + PAUSE;
        let row = inbox_arrivals::table.find((self.household, self.name));
        self.app.db.write(|tx| Ok(diesel::update(row).set(inbox_arrivals::seen_at.eq(next)).execute(&mut **tx)?)).map(drop)
    }

    fn take_in(&self) -> Result<()> {
        let kept = match self.store()? {
            Bytes::Moving => return Ok(()),
            Bytes::Empty => return self.refuse(&FieldError::Rule("error.file_empty")),
            Bytes::TooLarge => return self.refuse(&FieldError::Rule("error.file_too_large")),
            Bytes::Stored(kept) => kept,
        };
        let (blob, sha256) = (kept.name.clone(), kept.arrived.sums.sha256.clone());
        let made = match upload::told(&kept.arrived.head, &clean_name(self.name)) {
            Ok((name, kind)) => self.keep(&NewFile { blob: kept, name, kind }),
            Err(error) => Err(Error::Invalid(vec![("file".to_owned(), error)])),
        };
        if matches!(made, Ok(true)) {
            return self.take_away(&sha256);
        }
        blobs::give_up(self.app, self.app.storage.as_ref(), &blob);
        match made {
            Err(Error::Invalid(errors)) => errors.first().map_or(Ok(()), |(_, error)| self.refuse(error)),
            // Taken by another look, which takes it away too.
            made => made.map(drop),
        }
    }

    /// Into the store, piece by piece; given up if the file is not the same at its end.
    fn store(&self) -> Result<Bytes> {
        let broken = |error: io::Error| Error::Internal(format!("watched folder: {}", error.kind()));
        if self.seen.size == 0 {
            return Ok(Bytes::Empty);
        }
        if self.seen.size > self.app.config.max_upload {
            return Ok(Bytes::TooLarge);
        }
        let Some(mut file) = self.open().map_err(broken)? else { return Ok(Bytes::Moving) };
        let mut writing: Option<upload::Writing> = None;
        let outcome = loop {
            let mut batch = Vec::with_capacity(BATCH);
            match file.by_ref().take(BATCH as u64).read_to_end(&mut batch) {
                Ok(0) => break Ok(()),
                Ok(_) => writing = Some(upload::write(self.app, writing.take(), &batch)?),
                Err(error) => break Err(error),
            }
        };
        let unchanged = outcome.and_then(|()| Ok(Seen::of(&file.metadata()?)? == *self.seen));
        let Some((name, incoming)) = writing else { return unchanged.map(|_| Bytes::Moving).map_err(broken) };
        match unchanged {
            Ok(true) => {
                let kept = upload::finish(self.app, name, incoming)?;
                if kept.arrived.size == self.seen.size {
                    return Ok(Bytes::Stored(kept));
                }
                blobs::give_up(self.app, self.app.storage.as_ref(), &kept.name);
                Ok(Bytes::Moving)
            }
            other => {
                drop(incoming);
                blobs::give_up(self.app, self.app.storage.as_ref(), &name);
                other.map(|_| Bytes::Moving).map_err(broken)
            }
        }
    }

    /// Makes it a document that waits, and notes that it is one. Not if another look did so meanwhile.
    fn keep(&self, new: &NewFile) -> Result<bool> {
        let (app, owner) = (self.app, Owner::Inbox(self.household.clone()));
        app.db.write(|tx| {
            let waits = inbox_arrivals::table.find((self.household, self.name)).filter(inbox_arrivals::sha256.is_null());
            let marked = diesel::update(waits.filter(inbox_arrivals::modified.eq(self.seen.modified)))
                .set(inbox_arrivals::sha256.eq(&new.blob.arrived.sums.sha256))
                .execute(&mut **tx)?;
            if marked != 1 {
                return Ok(false);
            }
            let hand = Hand { actor: None, now: app.clock.now() };
            owner::insert(tx, hand, &owner, (self.household, app.quota()), new, &Details::default())?;
            Ok(true)
        })
    }

    /// Out of the folder, since it is a document: if it still is what was taken. Other bytes under the name are another document.
    fn take_away(&self, sha256: &str) -> Result<()> {
        let broken = |error: io::Error| Error::Internal(format!("watched folder: {}", error.kind()));
        if self.sum().map_err(broken)?.as_deref() == Some(sha256) {
            fs::remove_file(self.path).and_then(|()| disk::sync_folder(self.folder)).map_err(broken)?;
        }
        self.app.db.write(|tx| forget(tx, self.household, self.name))
    }

    /// The checksum of what lies there; none if it is not what the look saw.
    fn sum(&self) -> io::Result<Option<String>> {
        let Some(mut file) = self.open()? else { return Ok(None) };
        let mut hasher = Hasher::default();
        let mut batch = vec![0; BATCH];
        loop {
            match file.read(&mut batch)? {
                0 => break,
                read => hasher.update(batch.get(..read).unwrap_or_default()),
            }
        }
        Ok((Seen::of(&file.metadata()?)? == *self.seen).then(|| hasher.finish().sha256))
    }

    /// Aside, with a text beside it that says why.
    fn refuse(&self, why: &FieldError) -> Result<()> {
        let broken = |error: io::Error| Error::Internal(format!("watched folder: {}", error.kind()));
        let words = Locale::default();
        let (key, values) = why.message();
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let text = words.with("folder.refused", &[("name", self.name), ("why", &words.with(key, &values))]) + "\n";
        let aside = self.folder.join(REFUSED);
        set_aside(self.path, &aside, self.name, &text).map_err(broken)?;
        log::warn!("a file of the watched folder was refused: {}", why.code());
        self.app.db.write(|tx| forget(tx, self.household, self.name))
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    other.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
}
#[cfg(not(unix))]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    other.is_file() && one.len() == other.len()
}

/// Moves a file into a folder, under a name that is free there; the text lies there first, so that nothing is there without its reason.
fn set_aside(from: &Path, folder: &Path, name: &str, text: &str) -> io::Result<()> {
    match fs::symlink_metadata(folder) {
        Ok(told) if told.is_dir() => {}
        Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
        Err(_) => fs::create_dir(folder)?,
    }
    let is_free = |name: &str| !folder.join(name).exists() && !folder.join(format!("{name}.txt")).exists();
    let numbered = (2..10_000).map(|n| format!("{n}-{name}"));
    let name = std::iter::once(name.to_owned()).chain(numbered).find(|name| is_free(name)).ok_or(io::ErrorKind::AlreadyExists)?;
    let told = folder.join(format!("{name}.txt"));
    fs::write(&told, text)?;
    let moved = match fs::rename(from, folder.join(&name)) {
        // Another file system was mounted there.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            fs::copy(from, folder.join(&name)).and_then(|_| fs::remove_file(from))
        }
        other => other,
    };
    if moved.is_err() {
        drop(fs::remove_file(told));
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::{is_unfinished, safe_name};

    #[test]
    fn folders_have_names_that_every_file_system_takes() {
        for (name, safe) in [
            ("Lovelace family", "lovelace-family"),
            ("Größe & Söhne", "grosse-sohne"),
            ("../../etc", "etc"),
            ("检查", "household"),
            ("", "household"),
            ("refused", "household"),
            ("a/b\\c\0d", "a-b-c-d"),
        ] {
            assert_eq!(safe_name(name), safe, "{name}");
        }
        assert_eq!(safe_name(&"x".repeat(300)).len(), 60);
    }

    #[test]
    fn names_of_what_is_not_whole_are_known() {
        for name in [".scan.pdf.Xy12", "scan.pdf.part", "scan.PDF.TMP", "~$letter.docx", "letter.docx~", "a.crdownload", ".kinchart"] {
            assert!(is_unfinished(name), "{name}");
        }
        for name in ["scan.pdf", "part", "temporary.pdf", "a~b.pdf", "partial report.pdf"] {
            assert!(!is_unfinished(name), "{name}");
        }
    }
}
