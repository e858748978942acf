//! The rows behind the bytes: each is there before its bytes are and gone after them, so that nothing on the disk is unexplained.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
};

use chrono::{Duration, NaiveDateTime};
use diesel::{prelude::*, sql_types::Bool};

use super::owner::Owner;
use crate::{
    app::App,
    auth::{key_change, secret::SecretKey},
    checksums::Checksums,
    db::{
        Conn, Tx,
        schema::{blobs, encryption_keys, file_previews, files, patients},
        sql::{among, worded},
        types::{FileId, HouseholdId, PatientId, PractitionerId, RecordId},
    },
    error::{Error, Result},
    paperless::Fault,
    storage::{
        Arrived, BlobName, Span, Storage,
        paperless::{self, NotNow},
        seal::FileKey,
    },
};

/// Longer than anybody's upload takes; what is still arriving then has broken off.
const LONGEST_UPLOAD: Duration = Duration::hours(24);
/// What was given up is taken away by whoever gave it up; the sweep takes what they could not.
const LEAVING: Duration = Duration::minutes(10);
/// Why a document that lies in Paperless-ngx only is not given out: it is another one there.
pub const DIFFERS: &str = "paperless_differs";
/// What one sweep takes at most.
const MOST: i64 = 500;
const ALGORITHM: &str = "XChaCha20-Poly1305";

/// Bytes that are stored and belong to nothing yet.
#[derive(Clone, Debug)]
pub struct Kept {
    pub name: BlobName,
    pub arrived: Arrived,
}

/// Says that bytes will come under a new name, with a key of their own.
pub fn expect(app: &App, storage: &dyn Storage) -> Result<(BlobName, FileKey)> {
    let (name, now) = (BlobName::new(), app.clock.now());
    let key = FileKey::generate().map_err(|error| Error::Internal(error.to_string()))?;
    let wrapped = key.wrap(&app.key, &name).map_err(|error| Error::Internal(error.to_string()))?;
    app.db.write(|tx| {
        // A file that came after the key was changed would be sealed with a key that nobody has: this server is about to end.
        if !key_change::is_current(tx, &app.key)? {
            return Err(Error::Busy);
        }
        let id = register(tx, &app.key, now)?;
        diesel::insert_into(blobs::table)
            .values((
                blobs::name.eq(name.as_str()),
                blobs::storage_backend.eq(storage.name()),
                blobs::state.eq("arriving"),
                blobs::key_id.eq(id),
                blobs::wrapped_key.eq(&wrapped),
                blobs::created_at.eq(now),
            ))
            .execute(&mut **tx)?;
        Ok(())
    })?;
    Ok((name, key))
}

/// The id of the installation's key in the registry of keys, which tells since when it protects what.
pub fn register(tx: &mut Tx<'_>, key: &SecretKey, now: NaiveDateTime) -> Result<String> {
    let id = key.check_value();
    let known = encryption_keys::table.find(&id).select(encryption_keys::id).first::<String>(&mut **tx).optional()?;
    if known.is_some() {
        return Ok(id);
    }
    diesel::insert_into(encryption_keys::table)
        .values((
            encryption_keys::id.eq(&id),
            encryption_keys::purpose.eq("keys of files"),
            encryption_keys::algorithm.eq(ALGORITHM),
            encryption_keys::since.eq(now),
        ))
        .execute(&mut **tx)?;
    Ok(id)
}

/// Stores bytes that are at hand; nobody's yet.
pub fn store(app: &App, bytes: &[u8]) -> Result<Kept> {
    let storage = app.storage.as_ref();
    let (name, key) = expect(app, storage)?;
    let stored = storage.begin(&name, &key).and_then(|mut incoming| {
        incoming.write(bytes)?;
        incoming.finish()
    });
    stored.map(|arrived| Kept { name: name.clone(), arrived }).map_err(|error| {
        give_up(app, storage, &name);
        log::error!("the file store does not take what was made: {}", error.kind());
        Error::StorageFailed
    })
}

/// How many of these are stored and nobody's yet.
pub fn arriving(conn: &mut Conn, names: &[&str]) -> Result<usize> {
    let found: Vec<String> =
        blobs::table.filter(among(conn, "blobs.name", names)).filter(blobs::state.eq("arriving")).select(blobs::name).load(conn)?;
    Ok(found.len())
}

/// In the transaction that makes it somebody's.
pub fn keep(tx: &mut Tx<'_>, kept: &Kept) -> Result<()> {
    let waiting = blobs::table.filter(blobs::name.eq(kept.name.as_str())).filter(blobs::state.eq("arriving"));
    let changed = diesel::update(waiting)
        .set((
            blobs::state.eq("kept"),
            blobs::size.eq(i64::try_from(kept.arrived.size).unwrap_or(i64::MAX)),
            blobs::sha256.eq(&kept.arrived.sums.sha256),
            blobs::md5.eq(&kept.arrived.sums.md5),
        ))
        .execute(&mut **tx)?;
    // The sweep gave it up: whoever brings it sends it again.
    if changed == 1 { Ok(()) } else { Err(Error::Busy) }
}

/// Takes away what nobody wants to keep. A failure leaves it to the sweep.
pub fn give_up(app: &App, storage: &dyn Storage, name: &BlobName) {
    let marked = app.db.write(|tx| {
        let row = blobs::table.filter(blobs::name.eq(name.as_str())).filter(blobs::state.eq("arriving"));
        Ok(diesel::update(row).set(blobs::state.eq("leaving")).execute(&mut **tx)?)
    });
    if let Err(error) = marked.and_then(|marked| if marked == 1 { take_away(app, storage, name) } else { Ok(()) }) {
        log::warn!("a file that was not kept waits for the sweep: {error}");
    }
}

fn take_away(app: &App, storage: &dyn Storage, name: &BlobName) -> Result<()> {
    storage.remove(name).map_err(|error| Error::Internal(format!("storage: {}", error.kind())))?;
    app.db.write(|tx| Ok(diesel::delete(blobs::table.find(name.as_str())).execute(&mut **tx)?)).map(drop)
}

/// Bytes that lie in another store now: their row, which no file names yet. Nothing is sealed there, but every row has a key.
pub fn elsewhere(tx: &mut Tx<'_>, app: &App, store: &str, size: i64, sums: &Checksums) -> Result<BlobName> {
    let (name, now) = (BlobName::new(), app.clock.now());
    let key = FileKey::generate().map_err(|error| Error::Internal(error.to_string()))?;
    let wrapped = key.wrap(&app.key, &name).map_err(|error| Error::Internal(error.to_string()))?;
    if !key_change::is_current(tx, &app.key)? {
        return Err(Error::Busy);
    }
    let id = register(tx, &app.key, now)?;
    diesel::insert_into(blobs::table)
        .values((
            blobs::name.eq(name.as_str()),
            blobs::storage_backend.eq(store),
            blobs::state.eq("kept"),
            blobs::key_id.eq(id),
            blobs::wrapped_key.eq(wrapped),
            blobs::size.eq(size),
            blobs::sha256.eq(&sums.sha256),
            blobs::md5.eq(&sums.md5),
            blobs::created_at.eq(now),
        ))
        .execute(&mut **tx)?;
    Ok(name)
}

/// The same bytes, kept in another place: the file names these from now on, and the sweep takes away what it named before.
pub fn replace(tx: &mut Tx<'_>, file: &FileId, kept: &Kept) -> Result<()> {
    keep(tx, kept)?;
    diesel::update(files::table.find(file)).set(files::blob.eq(kept.name.as_str())).execute(&mut **tx)?;
    Ok(())
}

/// A part of bytes that are kept, from whichever store they lie in.
pub fn open(app: &App, name: &BlobName, span: Span) -> Result<Box<dyn Read + Send>> {
    let (backend, key, size) = app.db.read(|conn| {
        let kept = blobs::table.filter(blobs::name.eq(name.as_str())).filter(blobs::state.eq("kept"));
        let row: Option<(String, String, Option<i64>)> =
            kept.select((blobs::storage_backend, blobs::wrapped_key, blobs::size)).first(conn).optional()?;
        let (backend, wrapped, size) = row.ok_or(Error::NotFound)?;
        match FileKey::unwrap(&wrapped, &app.key, name) {
            Some(key) => Ok((backend, key, size)),
            // The key was changed, and this server is about to end.
            None if !key_change::is_current(conn, &app.key)? => Err(Error::Busy),
            None => Err(Error::Internal("a file's key does not open with the installation's".to_owned())),
        }
    })?;
    let size = size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    app.store(&backend)?.open(name, &key, size, span).map_err(|error| {
        if let Some(NotNow(fault)) = NotNow::of(&error) {
            return not_now(fault);
        }
        if backend == paperless::NAME {
            log::error!("a document in Paperless-ngx cannot be given out: {}", error.kind());
            // Another one than was sent: nobody is given it, and no disk or backup of ours has to do with it.
            return if error.kind() == std::io::ErrorKind::InvalidData { Error::Elsewhere(DIFFERS) } else { Error::StorageFailed };
        }
        log::error!("a stored file cannot be opened: {}", error.kind());
        Error::FileDamaged
    })
}

/// All of what was just stored and is nobody's yet; it lies where uploads come to.
pub fn open_new(app: &App, kept: &Kept) -> Result<Box<dyn Read + Send>> {
    let wrapped: Option<String> = app.db.read(|conn| {
        let new = blobs::table.filter(blobs::name.eq(kept.name.as_str())).filter(blobs::state.eq("arriving"));
        Ok(new.select(blobs::wrapped_key).first(conn).optional()?)
    })?;
    // The sweep gave it up, or the key was changed since: whoever brings it sends it again.
    let key = wrapped.and_then(|wrapped| FileKey::unwrap(&wrapped, &app.key, &kept.name)).ok_or(Error::Busy)?;
    let size = kept.arrived.size;
    app.storage.open(&kept.name, &key, size, Span::whole(size)).map_err(|_| Error::FileDamaged)
}

/// What whoever opens it is told, who may be somebody else than the one whose Paperless-ngx it is: neither where it is nor more than they need.
fn not_now(fault: &Fault) -> Error {
    log::warn!("a document in Paperless-ngx cannot be read: {fault}");
    match fault {
        Fault::NotFound | Fault::InTrash => Error::Elsewhere("paperless_missing"),
        fault if fault.is_temporary() => Error::Elsewhere("paperless_unreachable"),
        _ => Error::Elsewhere("paperless_refused"),
    }
}

/// Nobody's any more: the file, the picture of a page or the photograph that had it was removed for good or replaced, by itself or with its
/// record or patient.
const NOBODYS: &str = "NOT EXISTS (SELECT 1 FROM files f WHERE f.blob = blobs.name) \
    AND NOT EXISTS (SELECT 1 FROM file_previews v WHERE v.blob = blobs.name) \
    AND NOT EXISTS (SELECT 1 FROM patients p WHERE p.photo = blobs.name) \
    AND NOT EXISTS (SELECT 1 FROM patients p WHERE p.photo_small = blobs.name)";

/// Takes away what broke off, what was given up, and what belongs to nothing any more. Tells how many.
pub fn sweep(app: &App, storage: &dyn Storage) -> Result<usize> {
    let now = app.clock.now();
    let due: Vec<String> = app.db.write(|tx| {
        let broken_off = blobs::state.eq("arriving").and(blobs::created_at.lt(now - LONGEST_UPLOAD));
        let given_up = blobs::state.eq("leaving").and(blobs::created_at.lt(now - LEAVING));
        let left = blobs::state.eq("kept").and(worded::<Bool>(NOBODYS));
        let due: Vec<String> = blobs::table
            .filter(blobs::storage_backend.eq(storage.name()))
            .filter(broken_off.or(given_up).or(left))
            .order(blobs::created_at)
            .limit(MOST)
            .select(blobs::name)
            .load(&mut **tx)?;
        for name in &due {
            diesel::update(blobs::table.find(name)).set(blobs::state.eq("leaving")).execute(&mut **tx)?;
        }
        Ok(due)
    })?;
    // One that cannot be taken away holds up no other, and is told once they are gone.
    let gone = due.iter().filter_map(|name| BlobName::parse(name)).map(|name| take_away(app, storage, &name));
    let failed = gone.filter_map(Result::err).last();
    failed.map_or(Ok(due.len()), Err)
}

/// What a look through the store found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub whole: usize,
    /// Of those: documents, the rest being pictures of their pages and photographs.
    pub documents: usize,
    /// On their way in or out: the sweep knows of them.
    pub waiting: usize,
    /// Kept, and not there.
    pub missing: Vec<String>,
    /// There, with another length.
    pub changed: Vec<String>,
    /// There, as far as is known, in a store that does not give it now.
    pub unread: Vec<String>,
    /// There, and nobody's.
    pub unknown: Vec<String>,
    /// There, and nothing that this program has put there.
    pub strays: Vec<String>,
    /// Whose those are that are missing, changed or unread, by ids alone.
    pub whose: BTreeMap<String, Whose>,
}

/// What a blob is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    Document {
        file: FileId,
        owner: Option<Owner>,
    },
    /// The picture of one of its pages, which is made anew.
    Preview(FileId),
    Photo(PatientId),
}

/// What every blob is of that somebody has.
fn whose(conn: &mut Conn) -> Result<BTreeMap<String, Whose>> {
    type Row = (String, FileId, Option<PatientId>, Option<RecordId>, Option<PractitionerId>, Option<HouseholdId>);
    let documents: Vec<Row> = files::table
        .select((files::blob, files::id, files::patient_id, files::record_id, files::practitioner_id, files::household_id))
        .load(conn)?;
    let pictures: Vec<(String, FileId)> = file_previews::table.select((file_previews::blob, file_previews::file_id)).load(conn)?;
    let photos: Vec<(Option<String>, Option<String>, PatientId)> = patients::table
        .filter(patients::photo.is_not_null().or(patients::photo_small.is_not_null()))
        .select((patients::photo, patients::photo_small, patients::id))
        .load(conn)?;
    let mut all: BTreeMap<String, Whose> = pictures.into_iter().map(|(blob, file)| (blob, Whose::Preview(file))).collect();
    for (photo, small, patient) in photos {
        all.extend([photo, small].into_iter().flatten().map(|blob| (blob, Whose::Photo(patient.clone()))));
    }
    for (blob, file, patient, record, practitioner, household) in documents {
        let owner = match (patient, practitioner, household) {
            (Some(patient), ..) => Some(Owner::Patient(patient, record)),
            (_, Some(practitioner), _) => Some(Owner::Practitioner(practitioner)),
            (_, _, Some(household)) => Some(Owner::Inbox(household)),
            _ => None,
        };
        all.insert(blob, Whose::Document { file, owner });
    }
    Ok(all)
}

impl Found {
    pub fn is_well(&self) -> bool {
        self.missing.is_empty() && self.changed.is_empty() && self.unread.is_empty() && self.unknown.is_empty() && self.strays.is_empty()
    }
}

/// Compares rows and bytes: is all of it there, in its length, and nothing else? What is in the files is read by `deep` alone, for it takes
/// as long as reading all of them.
pub fn check(app: &App, storage: &dyn Storage, deep: bool) -> Result<Found> {
    let io = |error: std::io::Error| Error::Internal(format!("storage: {}", error.kind()));
    // The listing first: what arrives while we look has its row by then.
    let names = storage.names().map_err(io)?;
    let rows: Vec<(String, String, Option<i64>, String)> = app.db.read(|conn| {
        let all = blobs::table.filter(blobs::storage_backend.eq(storage.name()));
        Ok(all.select((blobs::name, blobs::state, blobs::size, blobs::wrapped_key)).load(conn)?)
    })?;
    let mut found = Found { strays: storage.strays().map_err(io)?, ..Found::default() };
    let mut owners = app.db.read(whose)?;
    let known: std::collections::HashSet<&str> = rows.iter().map(|(name, ..)| name.as_str()).collect();
    found.unknown = names.iter().map(BlobName::as_str).filter(|name| !known.contains(name)).map(str::to_owned).collect();
    for (name, state, size, wrapped) in &rows {
        let Some(blob) = BlobName::parse(name) else { continue };
        if state != "kept" {
            found.waiting += 1;
            continue;
        }
        let size = u64::try_from(size.unwrap_or_default()).unwrap_or_default();
        match storage.weigh(&blob).map_err(io)? {
            None => found.missing.push(name.clone()),
            Some(weight) if weight != storage.weight_of(size) => found.changed.push(name.clone()),
            Some(_) if deep => match read_through(app, storage, &blob, wrapped, size) {
                Ok(()) => found.whole += 1,
                Err(error) if NotNow::of(&error).is_some() => found.unread.push(name.clone()),
                Err(_) => found.changed.push(name.clone()),
            },
            Some(_) => found.whole += 1,
        }
    }
    let bad: BTreeSet<String> = [&found.missing, &found.changed, &found.unread].into_iter().flatten().cloned().collect();
    let kept = rows.iter().filter(|(name, state, ..)| state == "kept" && !bad.contains(name));
    found.documents = kept.filter(|(name, ..)| matches!(owners.get(name), Some(Whose::Document { .. }))).count();
    found.whose = bad.into_iter().filter_map(|name| owners.remove(&name).map(|whose| (name, whose))).collect();
    Ok(found)
}

/// Every piece, read and proved.
fn read_through(app: &App, storage: &dyn Storage, name: &BlobName, wrapped: &str, size: u64) -> std::io::Result<()> {
    let key = FileKey::unwrap(wrapped, &app.key, name).ok_or(std::io::ErrorKind::InvalidData)?;
    let mut bytes = storage.open(name, &key, size, Span::whole(size))?;
    let read = std::io::copy(&mut bytes, &mut std::io::sink())?;
    if read == size { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}
