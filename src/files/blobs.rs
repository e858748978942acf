//! The rows behind the bytes: each is there before its bytes are and gone after them, so that nothing on the disk is unexplained.

use chrono::{Duration, NaiveDateTime};
use diesel::{prelude::*, sql_types::Bool};

use crate::{
    app::App,
    auth::{key_change, secret::SecretKey},
    db::{
        Conn, Tx,
        schema::{blobs, encryption_keys},
        sql::{among, worded},
    },
    error::{Error, Result},
    storage::{Arrived, BlobName, Storage, seal::FileKey},
};

/// Longer than anybody's upload takes; what is still arriving then has broken off.
const LONGEST_UPLOAD: Duration = Duration::hours(24);
/// What was given up is taken away by whoever gave it up; the sweep takes what they could not.
const LEAVING: Duration = Duration::minutes(10);
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

/// The key of bytes that are kept.
pub fn key(conn: &mut Conn, key: &SecretKey, name: &BlobName) -> Result<FileKey> {
    key_in(conn, key, name, "kept")
}

/// The key of bytes that are nobody's yet.
pub fn key_of_new(conn: &mut Conn, key: &SecretKey, name: &BlobName) -> Result<FileKey> {
    key_in(conn, key, name, "arriving")
}

fn key_in(conn: &mut Conn, key: &SecretKey, name: &BlobName, state: &str) -> Result<FileKey> {
    let wrapped: Option<String> = blobs::table
        .filter(blobs::name.eq(name.as_str()))
        .filter(blobs::state.eq(state))
        .select(blobs::wrapped_key)
        .first(conn)
        .optional()?;
    let wrapped = wrapped.ok_or(Error::NotFound)?;
    match FileKey::unwrap(&wrapped, key, name) {
        Some(key) => Ok(key),
        // The key was changed, and this server is about to end.
        None if !key_change::is_current(conn, key)? => Err(Error::Busy),
        None => Err(Error::Internal("a file's key does not open with the installation's".to_owned())),
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
    /// On their way in or out: the sweep knows of them.
    pub waiting: usize,
    /// Kept, and not there.
    pub missing: Vec<String>,
    /// There, with another length.
    pub changed: Vec<String>,
    /// There, and nobody's.
    pub unknown: Vec<String>,
}

impl Found {
    pub fn is_well(&self) -> bool {
        self.missing.is_empty() && self.changed.is_empty() && self.unknown.is_empty()
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
    let mut found = Found::default();
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
            Some(weight) if weight != crate::storage::seal::sealed_size(size) => found.changed.push(name.clone()),
            Some(_) if deep && !opens(app, storage, &blob, wrapped, size) => found.changed.push(name.clone()),
            Some(_) => found.whole += 1,
        }
    }
    Ok(found)
}

/// Every piece, read and proved.
fn opens(app: &App, storage: &dyn Storage, name: &BlobName, wrapped: &str, size: u64) -> bool {
    let read = || {
        let key = FileKey::unwrap(wrapped, &app.key, name)?;
        let mut bytes = storage.open(name, &key, size, crate::storage::Span::whole(size)).ok()?;
        std::io::copy(&mut bytes, &mut std::io::sink()).ok().filter(|read| *read == size)
    };
    read().is_some()
}
