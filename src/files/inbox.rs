//! The inbox of a household: documents that wait to be filed, and their way to a patient.

pub mod api;
pub mod filing;
pub mod folder;
pub mod pages;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{
    File, check_place,
    owner::{Hand, Owner},
    quota::Quota,
    shelf::{self, Place},
    words,
};
use crate::{
    access::{self, Actor, AtLeast, Edit, PatientAccess, View},
    app::App,
    audit::Action,
    db::{
        Conn, Tx,
        schema::{files, household_members, inbox_filings, users},
        types::{FileId, HouseholdId, PatientId, RecordId, UserId},
    },
    error::{Error, Result},
    paperless::sync::copies,
    records::{Head, chart::headings},
};

/// The key of the conflict that somebody else filed the document.
pub const FILED_MEANWHILE: &str = "filed_meanwhile";

/// A document that waits, for a member of its household who may file it. [`FILED_MEANWHILE`] if somebody was faster and this person knew of it.
pub fn waiting(conn: &mut Conn, actor: &Actor, id: &FileId, now: NaiveDateTime) -> Result<File> {
    match shelf::grant::<Edit>(conn, actor, &Place::InboxOf(id.clone()), now) {
        Ok(shelf) => shelf.living(conn, id),
        Err(Error::NotFound) if filing(conn, actor, id)?.is_some() => Err(Error::Conflict(FILED_MEANWHILE)),
        Err(error) => Err(error),
    }
}

/// Files a document with a patient, or with a record of theirs. Of two who do it at once one comes first, and the other is told
/// ([`FILED_MEANWHILE`]).
pub fn file_to<L: AtLeast<Edit>>(
    tx: &mut Tx<'_>,
    access: &PatientAccess<L>,
    id: &FileId,
    record: Option<&RecordId>,
    quota: Quota,
) -> Result<()> {
    let file = waiting(tx, &access.actor, id, access.now)?;
    check_place(tx, access, record)?;
    let from = file.household_id.clone().ok_or(Error::NotFound)?;
    if from != *access.household() {
        quota.check(tx, access.household(), Some(&access.actor.user), file.size())?;
    }
    take_out(tx, access, &file, &from, record)
}

/// The document's way out of the inbox, if it is still there: whoever comes second changes nothing.
fn take_out<L: AtLeast<Edit>>(
    tx: &mut Tx<'_>,
    access: &PatientAccess<L>,
    file: &File,
    from: &HouseholdId,
    record: Option<&RecordId>,
) -> Result<()> {
    let next = file.version.saturating_add(1);
    let waits = files::table.filter(files::id.eq(&file.id)).filter(files::household_id.eq(from)).filter(files::deleted_at.is_null());
    let taken = diesel::update(waits)
        .set((
            files::household_id.eq(None::<HouseholdId>),
            files::patient_id.eq(access.id()),
            files::record_id.eq(record),
            files::updated_at.eq(access.now),
            files::version.eq(next),
        ))
        .execute(&mut **tx)?;
    if taken != 1 {
        return Err(Error::Conflict(FILED_MEANWHILE));
    }
    diesel::insert_into(inbox_filings::table)
        .values((
            inbox_filings::file_id.eq(&file.id),
            inbox_filings::household_id.eq(from),
            inbox_filings::filed_by.eq(access.actor.user.as_str()),
            inbox_filings::filed_at.eq(access.now),
        ))
        .execute(&mut **tx)?;
    let owner = Owner::Patient(access.id().clone(), record.cloned());
    Hand { actor: Some(&access.actor), now: access.now }.note(tx, &owner, Action::Filed, &file.id, next)?;
    // Found from now on by who sees it there, and no longer by the household that it came to.
    words::index(tx, &file.id)?;
    copies::added(tx, access, &file.id)
}

/// What became of a document that was in the inbox, as far as this person may know it.
#[derive(Clone, Debug)]
pub struct Filed {
    pub id: FileId,
    pub name: String,
    /// Who filed it.
    pub by: Option<String>,
    pub at: NaiveDateTime,
    /// The patient's name and the record, where this person sees them.
    pub place: Option<(PatientId, String, Option<Head>)>,
}

type FilingRow = (NaiveDateTime, Option<UserId>, HouseholdId);

/// Who filed it when, for those who were members of the household then: they had seen the document.
fn filing(conn: &mut Conn, actor: &Actor, id: &FileId) -> Result<Option<FilingRow>> {
    let row: Option<FilingRow> = inbox_filings::table
        .find(id)
        .select((inbox_filings::filed_at, inbox_filings::filed_by, inbox_filings::household_id))
        .first(conn)
        .optional()?;
    let Some((at, by, household)) = row else { return Ok(None) };
    let since: Option<NaiveDateTime> =
        household_members::table.find((&household, &actor.user)).select(household_members::created_at).first(conn).optional()?;
    Ok(since.filter(|since| *since <= at).map(|_| (at, by, household)))
}

/// Was it in an inbox that this person knew, until somebody filed it?
pub fn was_known(conn: &mut Conn, actor: &Actor, id: &FileId) -> Result<bool> {
    Ok(filing(conn, actor, id)?.is_some())
}

/// Where the document went; none if it is nothing that this person knew of, or still waits.
pub fn filed(conn: &mut Conn, actor: &Actor, id: &FileId, now: NaiveDateTime) -> Result<Option<Filed>> {
    let Some((at, by, _)) = filing(conn, actor, id)? else { return Ok(None) };
    let file: Option<File> = files::table.find(id).select(File::as_select()).first(conn).optional()?;
    let Some(file) = file else { return Ok(None) };
    let by = match by {
        Some(user) => users::table.find(user).select(users::full_name).first(conn).optional()?,
        None => None,
    };
    Ok(Some(Filed { id: id.clone(), at, by, place: place(conn, actor, &file, now)?, name: file.file_name }))
}

fn place(conn: &mut Conn, actor: &Actor, file: &File, now: NaiveDateTime) -> Result<Option<(PatientId, String, Option<Head>)>> {
    let Some(patient) = &file.patient_id else { return Ok(None) };
    let access = match access::grant::<View>(conn, actor, patient, now) {
        Ok(access) => access,
        Err(Error::NotFound | Error::Forbidden) => return Ok(None),
        Err(error) => return Err(error),
    };
    let ids: Vec<RecordId> = file.record_id.iter().cloned().collect();
    let head = headings(conn, &access, &ids)?.into_values().next();
    let sees = file.deleted_at.is_none() && if file.record_id.is_some() { head.is_some() } else { access.scope().is_whole() };
    Ok(sees.then(|| (patient.clone(), access.patient.name(), head)))
}

/// A document that a form for a new record holds, to be attached when the record is saved.
pub struct Attached {
    pub id: String,
    pub name: String,
}

/// Those of these documents that still wait and this person may file.
pub fn attached(conn: &mut Conn, actor: &Actor, ids: &[FileId], now: NaiveDateTime) -> Result<Vec<Attached>> {
    let mut found = Vec::new();
    for id in ids {
        match waiting(conn, actor, id, now) {
            Ok(file) => found.push(Attached { id: id.to_string(), name: file.file_name }),
            Err(Error::NotFound | Error::Forbidden | Error::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Attaches documents of the inbox to a record that was just saved, in its transaction. What somebody else filed meanwhile, or there is no
/// room for, is left where it is and told: the record is kept in any case.
pub fn attach<L: AtLeast<Edit>>(
    tx: &mut Tx<'_>,
    app: &App,
    access: &PatientAccess<L>,
    ids: &[FileId],
    record: &RecordId,
) -> Result<Vec<FileId>> {
    let mut missed = Vec::new();
    for id in ids {
        match file_to(tx, access, id, Some(record), app.quota()) {
            Ok(()) => {}
            Err(Error::Conflict(_) | Error::NotFound | Error::Forbidden | Error::Invalid(_)) => missed.push(id.clone()),
            Err(error) => return Err(error),
        }
    }
    Ok(missed)
}

/// Where it is told what became of documents that could not be attached to a record, which is here.
pub fn missed(ids: &[FileId], saved: &str) -> String {
    let pairs: Vec<(&str, &str)> = ids.iter().map(|id| ("document", id.as_str())).chain([("saved", saved)]).collect();
    serde_urlencoded::to_string(&pairs).map_or_else(|_| saved.to_owned(), |query| format!("/inbox/file?{query}"))
}

/// The documents that a form or an address names, each once, no more than a page of them.
pub fn named(pairs: &[(String, String)], name: &str) -> Vec<FileId> {
    let mut ids: Vec<FileId> = Vec::new();
    for id in pairs.iter().filter(|(n, _)| n == name).filter_map(|(_, text)| FileId::parse(text.trim())) {
        if !ids.contains(&id) && ids.len() < MOST_AT_ONCE {
            ids.push(id);
        }
    }
    ids
}

/// More than anybody ticks on a page.
pub const MOST_AT_ONCE: usize = 200;
