//! A record that tells of another patient of the household. Everybody sees that through their own access to that patient: to anybody else the
//! column is empty, and an edit by somebody who does not see it leaves it as it is.

use std::collections::HashSet;

use diesel::prelude::*;

use super::{
    AnyRecord, Kind,
    field::{Input, Mode},
    query::equals,
    schema::records,
    version::{Snapshot, Version},
};
use crate::{
    access::{self, Accesses, Level, PatientAccess},
    db::{
        Conn,
        schema::patients,
        types::{PatientId, RecordId},
    },
    error::Result,
};

/// The column that names a patient, if the kind has one.
pub fn column(kind: &Kind) -> Option<(usize, &'static str)> {
    kind.fields.iter().enumerate().find(|(_, spec)| matches!(spec.input, Input::Patient)).map(|(index, spec)| (index, spec.name))
}

/// Whom this person may look at; asked only where a record names somebody.
fn seen<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Accesses> {
    access::all(conn, &access.actor, access.now)
}

/// Empties the column where this person may not see the patient it names. At most one statement.
pub fn hide<'e, L: Level>(
    conn: &mut Conn,
    access: &PatientAccess<L>,
    kind: &Kind,
    entries: impl Iterator<Item = &'e mut Box<dyn AnyRecord>>,
) -> Result<()> {
    let Some((index, _)) = column(kind) else { return Ok(()) };
    let naming: Vec<_> = entries.filter(|entry| entry.get(index).is_some()).collect();
    if naming.is_empty() {
        return Ok(());
    }
    let seen = seen(conn, access)?;
    let seen: HashSet<&str> = seen.list.iter().map(|access| access.id().as_str()).collect();
    for entry in naming {
        if !entry.get(index).is_some_and(|id| seen.contains(id.as_str())) {
            // Nothing is a value of every field.
            let _ = entry.set(index, "", Mode::Strict);
        }
    }
    Ok(())
}

/// The same in versions.
pub fn hide_in_versions<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, kind: &Kind, versions: &mut [Version]) -> Result<()> {
    let Some((_, name)) = column(kind) else { return Ok(()) };
    let mark = format!("\"{name}\"");
    if !versions.iter().any(|version| version.snapshot.contains(&mark)) {
        return Ok(());
    }
    let seen = seen(conn, access)?;
    let is_seen = |id: &str| seen.list.iter().any(|access| access.id().as_str() == id);
    for version in versions {
        let Some(mut snapshot) = Snapshot::from_text(&version.snapshot) else { continue };
        snapshot.fields.retain(|(field, id)| field != name || is_seen(id));
        version.snapshot = snapshot.to_text();
    }
    Ok(())
}

/// The entry to store where `wanted` says nothing because its writer could not see whom the record names.
pub fn kept<L: Level>(
    conn: &mut Conn,
    access: &PatientAccess<L>,
    kind: &Kind,
    stored: &dyn AnyRecord,
    wanted: &dyn AnyRecord,
) -> Result<Option<Box<dyn AnyRecord>>> {
    let Some((index, _)) = column(kind) else { return Ok(None) };
    let (Some(id), None) = (stored.get(index), wanted.get(index)) else { return Ok(None) };
    if seen(conn, access)?.list.iter().any(|access| access.id().as_str() == id) {
        return Ok(None);
    }
    let mut entry = wanted.boxed_clone();
    // It is a value of this very column, so this cannot fail.
    let _ = entry.set(index, &id, Mode::Strict);
    Ok(Some(entry))
}

/// Says the name of the patient whom the record names, where its own was left empty: what everybody who sees the record is to read.
pub fn complete_name<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, kind: &Kind, entry: &mut dyn AnyRecord) -> Result<()> {
    let Some((index, of)) = kind.fields.iter().enumerate().find_map(|(index, spec)| Some((index, spec.name_of?))) else { return Ok(()) };
    let named = kind.field(of).and_then(|(index, _)| entry.get(index));
    let (None, Some(id)) = (entry.get(index), named) else { return Ok(()) };
    if let Some(other) = seen(conn, access)?.list.iter().find(|other| other.id().as_str() == id) {
        // A name that cannot be said is missing, and told so.
        let _ = entry.set(index, &other.patient.name(), Mode::Strict);
    }
    Ok(())
}

/// Ids and names, in the order of the list of people.
pub type Choices = Vec<(String, String)>;

/// `Ada Lovelace (1960)`.
pub fn name_of(access: &PatientAccess<impl Level>) -> String {
    let patient = &access.patient;
    match patient.fields.birth_date.as_ref().and_then(|date| date.as_str().get(..4)) {
        Some(year) => format!("{} ({year})", patient.name()),
        None => patient.name(),
    }
}

/// Whom a record of this patient may name: the others of the household whom this person sees in full.
pub fn choices<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Choices> {
    let fits = |other: &&PatientAccess<_>| other.household() == access.household() && other.id() != access.id() && other.scope().is_whole();
    Ok(seen(conn, access)?.list.iter().filter(fits).map(|other| (other.id().to_string(), name_of(other))).collect())
}

/// The names behind these ids, of those whom this person sees.
pub fn names<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ids: &[String]) -> Result<Choices> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let named = |other: &&PatientAccess<_>| ids.iter().any(|id| id == other.id().as_str());
    Ok(seen(conn, access)?.list.iter().filter(named).map(|other| (other.id().to_string(), name_of(other))).collect())
}

/// May the record name this patient? One it names already it may go on naming, if this person sees them at all.
pub fn may_name<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, kind: &Kind, own: Option<&RecordId>, id: &str) -> Result<bool> {
    if choices(conn, access)?.iter().any(|(known, _)| known == id) {
        return Ok(true);
    }
    let (Some(own), Some((_, name))) = (own, column(kind)) else { return Ok(false) };
    let named = records::table.filter(records::id.eq(own)).filter(equals(kind, name, id)).select(records::id);
    let is_named = named.first::<RecordId>(conn).optional()?.is_some();
    Ok(is_named && !names(conn, access, &[id.to_owned()])?.is_empty())
}

/// Is there such a patient at all? For what the program itself has kept.
pub fn exists(conn: &mut Conn, id: &str) -> Result<bool> {
    Ok(patients::table.filter(patients::id.eq(id)).select(patients::id).first::<PatientId>(conn).optional()?.is_some())
}
