//! Whose a document is, and the rows of documents whoever owns them. Who may write them is asked before: by a `PatientAccess` in
//! [`crate::files`], by a [`super::shelf::Shelf`] for what is a household's own.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{Details, File, KIND, NewFile, blobs, prepared, purging::NOT_IN_TRASH, quota::Quota, words};
use crate::{
    access::Actor,
    audit::{Action, Event},
    db::{
        Tx,
        schema::files,
        types::{FileId, HouseholdId, PatientId, PractitionerId, RecordId, UserId},
    },
    error::{Error, Result},
    text::fold,
};

/// What the audit calls a document that waits to be filed.
const WAITING: &str = "inbox";

/// Exactly one of these, as the table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// With or without a record of theirs.
    Patient(PatientId, Option<RecordId>),
    Practitioner(PractitionerId),
    /// The household's inbox.
    Inbox(HouseholdId),
}

impl Owner {
    pub fn kind(&self) -> &'static str {
        if matches!(self, Self::Inbox(_)) { WAITING } else { KIND }
    }
    fn patient(&self) -> Option<&PatientId> {
        if let Self::Patient(patient, _) = self { Some(patient) } else { None }
    }
    fn columns(&self) -> (Option<&PatientId>, Option<&RecordId>, Option<&PractitionerId>, Option<&HouseholdId>) {
        match self {
            Self::Patient(patient, record) => (Some(patient), record.as_ref(), None, None),
            Self::Practitioner(practitioner) => (None, None, Some(practitioner), None),
            Self::Inbox(household) => (None, None, None, Some(household)),
        }
    }
}

impl File {
    /// None only if the table's own rule were broken.
    pub fn owner(&self) -> Option<Owner> {
        match (&self.patient_id, &self.practitioner_id, &self.household_id) {
            (Some(patient), ..) => Some(Owner::Patient(patient.clone(), self.record_id.clone())),
            (_, Some(practitioner), _) => Some(Owner::Practitioner(practitioner.clone())),
            (_, _, Some(household)) => Some(Owner::Inbox(household.clone())),
            _ => None,
        }
    }
}

/// Who writes, and when.
#[derive(Clone, Copy)]
pub(super) struct Hand<'a> {
    /// Nobody for what the program found in a folder.
    pub actor: Option<&'a Actor>,
    pub now: NaiveDateTime,
}

impl Hand<'_> {
    fn user(&self) -> Option<&UserId> {
        self.actor.map(|actor| &actor.user)
    }
    /// What happened to a file, for the audit: it names the file by its id, which tells nothing.
    pub fn event(&self, owner: &Owner, action: Action, id: &FileId, version: i32) -> Event {
        let event = self.actor.map_or_else(|| Event::by_the_program(action, self.now), |actor| Event::new(actor, action, self.now));
        let event = owner.patient().into_iter().fold(event.kind(owner.kind()), Event::patient);
        Event { version: Some(version), detail: Some(id.to_string()), ..event }
    }
    pub fn note(&self, tx: &mut Tx<'_>, owner: &Owner, action: Action, id: &FileId, version: i32) -> Result<()> {
        Ok(self.event(owner, action, id, version).write(tx)?)
    }
}

/// What a list's filter compares with.
fn folded(name: &str, description: Option<&String>) -> String {
    fold(&format!("{name} {}", description.map(String::as_str).unwrap_or_default()))
}

/// Makes what came in somebody's, if the household still has room for it. The record of `details` is the owner's own matter.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    hand: Hand<'_>,
    owner: &Owner,
    (household, quota): (&HouseholdId, Quota),
    new: &NewFile,
    details: &Details,
) -> Result<FileId> {
    let arrived = &new.blob.arrived;
    quota.check(tx, household, hand.user(), arrived.size)?;
    let id = FileId::new();
    blobs::keep(tx, &new.blob)?;
    let (patient, record, practitioner, inbox) = owner.columns();
    diesel::insert_into(files::table)
        .values((
            (files::id.eq(&id), files::patient_id.eq(patient), files::record_id.eq(record)),
            (files::practitioner_id.eq(practitioner), files::household_id.eq(inbox)),
            files::blob.eq(new.blob.name.as_str()),
            files::file_name.eq(&new.name),
            files::file_type.eq(new.kind.media_type),
            files::file_size.eq(i64::try_from(arrived.size).unwrap_or(i64::MAX)),
            files::sha256.eq(&arrived.sums.sha256),
            files::md5.eq(&arrived.sums.md5),
            (files::description.eq(details.description.as_ref()), files::category.eq(details.category.as_ref())),
            files::document_date.eq(details.document_date.as_ref()),
            files::folded.eq(folded(&new.name, details.description.as_ref())),
            files::charset.eq(arrived.charset.filter(|_| new.kind.media_type.starts_with("text/"))),
            files::uploaded_by.eq(hand.user()),
            (files::uploaded_at.eq(hand.now), files::updated_at.eq(hand.now)),
            files::version.eq(1),
        ))
        .execute(&mut **tx)?;
    words::index(tx, &id)?;
    prepared::expect(tx, &id, hand.now)?;
    hand.note(tx, owner, Action::Created, &id, 1)?;
    Ok(id)
}

/// Says something else of it; `record` is where a patient's document belongs from now on. 412 if somebody was faster.
pub(super) fn describe(
    tx: &mut Tx<'_>,
    hand: Hand<'_>,
    file: &File,
    version: i32,
    (record, details): (Option<&RecordId>, &Details),
) -> Result<()> {
    if file.version != version {
        return Err(Error::Stale { current: file.version });
    }
    let next = version.saturating_add(1);
    diesel::update(files::table.find(&file.id))
        .set((
            files::record_id.eq(record),
            files::description.eq(details.description.as_ref()),
            files::category.eq(details.category.as_ref()),
            files::document_date.eq(details.document_date.as_ref()),
            files::folded.eq(folded(&file.file_name, details.description.as_ref())),
            files::updated_at.eq(hand.now),
            files::version.eq(next),
        ))
        .execute(&mut **tx)?;
    words::index(tx, &file.id)?;
    note_of(tx, hand, file, Action::Changed, next)
}

/// Into the trash or out of it; doing it again changes nothing.
pub(super) fn lay(tx: &mut Tx<'_>, hand: Hand<'_>, file: &File, in_trash: bool) -> Result<()> {
    if file.deleted_at.is_some() == in_trash {
        return Ok(());
    }
    let next = file.version.saturating_add(1);
    diesel::update(files::table.find(&file.id))
        .set((files::deleted_at.eq(in_trash.then_some(hand.now)), files::updated_at.eq(hand.now), files::version.eq(next)))
        .execute(&mut **tx)?;
    note_of(tx, hand, file, if in_trash { Action::Deleted } else { Action::Restored }, next)
}

/// Gone for good, from the trash; its bytes go with the next sweep, and the audit keeps that it was there.
pub(super) fn forget(tx: &mut Tx<'_>, hand: Hand<'_>, file: &File) -> Result<()> {
    // Somebody may have brought it back since it was read.
    let thrown = files::table.filter(files::id.eq(&file.id)).filter(files::deleted_at.is_not_null());
    if diesel::delete(thrown).execute(&mut **tx)? == 1 {
        note_of(tx, hand, file, Action::Purged, file.version)
    } else {
        Err(Error::Conflict(NOT_IN_TRASH))
    }
}

fn note_of(tx: &mut Tx<'_>, hand: Hand<'_>, file: &File, action: Action, version: i32) -> Result<()> {
    file.owner().map_or(Ok(()), |owner| hand.note(tx, &owner, action, &file.id, version))
}
