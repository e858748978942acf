//! Another secret key for the installation. What the old one protects is opened with it and sealed with the new one, in one transaction with
//! the check value, so that a database belongs to one key at any moment; the bytes of files are not touched, because each has a key of its own.
//!
//! The new key lies in the data folder before the transaction and takes its place after it: whatever breaks off, the next start finds the key
//! that the database belongs to ([`secret::load`]).

use std::path::PathBuf;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{
    factors::totp,
    secret::{self, SecretError, SecretKey},
};
use crate::{
    app::App,
    audit::{Action, Event, seal},
    db::{
        Conn, Tx,
        schema::{blobs, encryption_keys, installation, sessions, sign_in_steps},
    },
    error::{Error, Result},
    files::blobs as stored,
    installation::{KEY_CHECK, KEY_KEPT},
    paperless::sync::connection,
    storage::{BlobName, seal::FileKey},
};

/// What was sealed anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub files: usize,
    /// Where the new key waits for whoever gives it in a setting.
    pub waits_in: Option<PathBuf>,
}

/// Why the key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("that is the key that this database has already")]
    Same,
    #[error("somebody else changed the key at the same time; this one was not taken")]
    Changed,
    #[error("the key was changed, and the new one is in {}; it could not take the old one's place, which the next start tries again: {source}", file.display())]
    NotPlaced { file: PathBuf, source: SecretError },
    #[error("the key was not changed: {0}")]
    File(#[from] SecretError),
    #[error("{0}; the next start finds out which key the database belongs to")]
    Database(#[from] Error),
}

/// Does the database still belong to the key that this process works with?
pub fn is_current(conn: &mut Conn, key: &SecretKey) -> Result<bool> {
    let stored: Option<String> = installation::table.find(KEY_CHECK).select(installation::value).first(conn).optional()?;
    Ok(stored.is_none_or(|stored| key.is_that_of(&stored)))
}

/// Changes the key in the database and in the data folder. A key that comes from a setting stays there: who gave it gives the new one, which
/// waits in the data folder for them.
pub fn change(app: &App, new: &SecretKey) -> Result<Changed, ChangeError> {
    if new.check_value() == app.key.check_value() {
        return Err(ChangeError::Same);
    }
    let data = &app.config.data;
    let file = new.write_next(data)?;
    match app.db.write(|tx| reseal(tx, &app.key, new, app.clock.now())) {
        Ok(Some(files)) if app.config.secret_key.is_none() => {
            secret::take_next(data, &file).map_err(|source| ChangeError::NotPlaced { file, source })?;
            Ok(Changed { files, waits_in: None })
        }
        Ok(Some(files)) => Ok(Changed { files, waits_in: Some(file) }),
        Ok(None) => {
            std::fs::remove_file(&file).map_err(|source| SecretError::File { path: file, source })?;
            Err(ChangeError::Changed)
        }
        // The database may have it or not: the next start finds out which key it belongs to.
        Err(error) => Err(error.into()),
    }
}

/// How many files' keys were sealed anew; nothing if the database belongs to another key by now.
fn reseal(tx: &mut Tx<'_>, old: &SecretKey, new: &SecretKey, now: NaiveDateTime) -> Result<Option<usize>> {
    if !is_current(tx, old)? {
        return Ok(None);
    }
    let files = rewrap_files(tx, old, new, now)?;
    connection::reseal(tx, old, new)?;
    totp::reseal(tx, old, new)?;
    // The sessions end with the key of their cookie, and with them what was sealed for the provider.
    diesel::update(sessions::table).set(sessions::id_token.eq(None::<String>)).execute(&mut **tx)?;
    diesel::delete(sign_in_steps::table).execute(&mut **tx)?;
    seal::rewrap_key(tx, old, new)?;
    diesel::update(installation::table.find(KEY_CHECK)).set(installation::value.eq(new.check_value())).execute(&mut **tx)?;
    diesel::delete(installation::table.find(KEY_KEPT)).execute(&mut **tx)?;
    Event::by_the_program(Action::KeyChanged, now).write(tx)?;
    Ok(Some(files))
}

fn rewrap_files(tx: &mut Tx<'_>, old: &SecretKey, new: &SecretKey, now: NaiveDateTime) -> Result<usize> {
    let retired = encryption_keys::table.find(old.check_value());
    diesel::update(retired).set(encryption_keys::retired_at.eq(now)).execute(&mut **tx)?;
    let id = stored::register(tx, new, now)?;
    let all: Vec<(String, String)> =
        blobs::table.filter(blobs::wrapped_key.ne("")).select((blobs::name, blobs::wrapped_key)).load(&mut **tx)?;
    for (name, wrapped) in &all {
        let broken = || Error::Internal("the key of a stored file does not open with the installation's".to_owned());
        let blob = BlobName::parse(name).ok_or_else(broken)?;
        let key = FileKey::unwrap(wrapped, old, &blob).ok_or_else(broken)?;
        let wrapped = key.wrap(new, &blob).map_err(|error| Error::Internal(error.to_string()))?;
        diesel::update(blobs::table.find(name)).set((blobs::wrapped_key.eq(wrapped), blobs::key_id.eq(&id))).execute(&mut **tx)?;
    }
    Ok(all.len())
}
