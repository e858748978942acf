//! Documents that came with a form which was not saved: they are stored and nobody's, and the form holds on to them until it is saved or left.
//! What it holds is sealed for the person who sent it, so that nobody can name bytes that are not theirs.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Details, NewFile, blobs, quota::Quota};
use crate::{
    access::{AtLeast, Edit, PatientAccess},
    auth::{
        sealed_text::{Purpose, open_text, seal_text},
        secret::SecretKey,
    },
    checksums::Checksums,
    db::{
        Conn, Tx,
        schema::files as documents,
        sql::among,
        types::{FileId, RecordId, UserId},
    },
    error::{Error, Result},
    storage::{Arrived, BlobName, kinds},
};

/// The form's own field for them.
pub const FIELD: &str = "_files";
/// Names the one that shall not be attached after all.
pub const LEAVE: &str = "_leave";

/// What the sealed text holds of each.
#[derive(Serialize, Deserialize)]
struct Held {
    blob: String,
    name: String,
    media_type: String,
    size: u64,
    sha256: String,
    md5: String,
}

/// Seals them for this person; nothing if there are none.
pub fn seal(key: &SecretKey, user: &UserId, files: &[NewFile]) -> Result<String> {
    if files.is_empty() {
        return Ok(String::new());
    }
    let held: Vec<Held> = files.iter().map(held).collect();
    let text = serde_json::to_string(&held).map_err(|error| Error::Internal(error.to_string()))?;
    seal_text(key, Purpose::PendingFiles, user.as_str(), &text).map_err(|error| Error::Internal(error.to_string()))
}

fn held(file: &NewFile) -> Held {
    let (arrived, name) = (&file.blob.arrived, file.name.clone());
    let Checksums { sha256, md5 } = arrived.sums.clone();
    Held { blob: file.blob.name.as_str().to_owned(), name, media_type: file.kind.media_type.to_owned(), size: arrived.size, sha256, md5 }
}

/// What a form held on to, without those that shall not be attached. Nothing if it was sealed for somebody else, or with another key.
pub fn open(key: &SecretKey, user: &UserId, sealed: &str, leave: &[&str]) -> Option<Vec<NewFile>> {
    if sealed.is_empty() {
        return Some(Vec::new());
    }
    let text = open_text(key, Purpose::PendingFiles, user.as_str(), sealed).ok()?;
    let held: Vec<Held> = serde_json::from_str(&text).ok()?;
    held.into_iter().filter(|one| !leave.contains(&one.blob.as_str())).map(file).collect()
}

fn file(held: Held) -> Option<NewFile> {
    let sums = Checksums { sha256: held.sha256, md5: held.md5 };
    let blob =
        blobs::Kept { name: BlobName::parse(&held.blob)?, arrived: Arrived { size: held.size, sums, head: Vec::new(), charset: None } };
    Some(NewFile { blob, name: held.name, kind: kinds::kind(&held.media_type)? })
}

/// Are all of them still there? What waited for more than a day is swept.
pub fn are_there(conn: &mut Conn, files: &[NewFile]) -> Result<bool> {
    let names: Vec<&str> = files.iter().map(|file| file.blob.name.as_str()).collect();
    Ok(names.is_empty() || blobs::arriving(conn, &names)? == files.len())
}

/// The documents that these have become, with their SHA-256.
pub fn became(conn: &mut Conn, files: &[NewFile]) -> Result<Vec<(FileId, String)>> {
    let names: Vec<&str> = files.iter().map(|file| file.blob.name.as_str()).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found = documents::table.filter(among(conn, "files.blob", &names)).order(documents::id);
    Ok(found.select((documents::id, documents::sha256)).load(conn)?)
}

/// Says of a form that was kept over a sign-in that it had documents, which were not.
pub const AGAIN: &str = "_files_again";

/// Makes them documents of a record, in the transaction that saves it.
pub fn attach<L: AtLeast<Edit>>(
    tx: &mut Tx<'_>,
    access: &PatientAccess<L>,
    quota: Quota,
    record: &RecordId,
    files: &[NewFile],
) -> Result<()> {
    let details = Details { record: Some(record.clone()), ..Details::default() };
    files.iter().try_for_each(|file| super::add(tx, access, quota, file, &details).map(drop))
}
