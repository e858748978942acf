//! The originals of people: what a source told of a patient, a practitioner, a practice or a pharmacy, as it came. Records have theirs in
//! `records::origins`.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::{
    access::{AtLeast, Edit, Level, PatientAccess},
    db::{
        Conn, Tx,
        schema::{directory_originals, patient_originals},
        types::HouseholdId,
    },
    error::{Error, Result},
};

/// Something to be kept.
pub struct Original<'a> {
    pub source_key: &'a str,
    pub resource_type: &'a str,
    /// Of the text: the same means that there is nothing to write.
    pub fingerprint: String,
    pub text: String,
    pub at: NaiveDateTime,
}

/// An entry of the directory: whose, which list, its id.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub household: &'a HouseholdId,
    pub list: &'a str,
    pub entry: &'a str,
}

/// Source key and resource type of one that is kept.
pub type Line = (String, String);

/// Is this telling of a patient another one than what is kept?
pub fn is_news<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, original: &Original<'_>) -> Result<bool> {
    let known = patient_originals::table.find((access.id(), original.source_key));
    let before: Option<String> = known.select(patient_originals::fingerprint).first(conn).optional()?;
    Ok(before.as_ref() != Some(&original.fingerprint))
}

/// Keeps what is told of a patient, in place of an older telling under its key.
pub fn keep_of_patient<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, original: &Original<'_>) -> Result<()> {
    let known = patient_originals::table.find((access.id(), original.source_key));
    diesel::delete(known).execute(&mut **tx)?;
    diesel::insert_into(patient_originals::table)
        .values((
            patient_originals::patient_id.eq(access.id()),
            patient_originals::source_key.eq(original.source_key),
            patient_originals::resource_type.eq(original.resource_type),
            patient_originals::fingerprint.eq(&original.fingerprint),
            patient_originals::original.eq(&original.text),
            patient_originals::imported_at.eq(original.at),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// What is kept of a patient. A person's original may tell of what a share leaves out, so that it is there for who sees everything.
pub fn of_patient<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<Line>> {
    if !access.scope().is_whole() {
        return Ok(Vec::new());
    }
    Ok(patient_originals::table
        .filter(patient_originals::patient_id.eq(access.id()))
        .order((patient_originals::resource_type.desc(), patient_originals::source_key))
        .select((patient_originals::source_key, patient_originals::resource_type))
        .load(conn)?)
}

/// One of them, as it came.
pub fn one_of_patient<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, key: &str) -> Result<String> {
    if !access.scope().is_whole() {
        return Err(Error::NotFound);
    }
    let found = patient_originals::table.find((access.id(), key)).select(patient_originals::original).first(conn).optional()?;
    found.ok_or(Error::NotFound)
}

/// Fingerprints of what a household keeps of one of its lists, by entry and key.
pub fn known_of_list(conn: &mut Conn, household: &HouseholdId, list: &str) -> Result<HashMap<(String, String), String>> {
    type Row = (String, String, String);
    let rows: Vec<Row> = directory_originals::table
        .filter(directory_originals::household_id.eq(household))
        .filter(directory_originals::list.eq(list))
        .select((directory_originals::entry_id, directory_originals::source_key, directory_originals::fingerprint))
        .load(conn)?;
    Ok(rows.into_iter().map(|(entry, key, fingerprint)| ((entry, key), fingerprint)).collect())
}

/// Keeps what is told of an entry, in place of an older telling under its key.
pub fn keep_of_entry(tx: &mut Tx<'_>, place: Place<'_>, original: &Original<'_>) -> Result<()> {
    let known = directory_originals::table.find((place.household, place.list, place.entry, original.source_key));
    diesel::delete(known).execute(&mut **tx)?;
    diesel::insert_into(directory_originals::table)
        .values((
            directory_originals::household_id.eq(place.household),
            directory_originals::list.eq(place.list),
            directory_originals::entry_id.eq(place.entry),
            directory_originals::source_key.eq(original.source_key),
            directory_originals::resource_type.eq(original.resource_type),
            directory_originals::fingerprint.eq(&original.fingerprint),
            directory_originals::original.eq(&original.text),
            directory_originals::imported_at.eq(original.at),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// What this household keeps of an entry.
pub fn of_entry(conn: &mut Conn, place: Place<'_>) -> Result<Vec<Line>> {
    Ok(directory_originals::table
        .filter(directory_originals::household_id.eq(place.household))
        .filter(directory_originals::list.eq(place.list))
        .filter(directory_originals::entry_id.eq(place.entry))
        .order(directory_originals::source_key)
        .select((directory_originals::source_key, directory_originals::resource_type))
        .load(conn)?)
}

/// One of them, as it came.
pub fn one_of_entry(conn: &mut Conn, place: Place<'_>, key: &str) -> Result<String> {
    let found = directory_originals::table.find((place.household, place.list, place.entry, key));
    found.select(directory_originals::original).first(conn).optional()?.ok_or(Error::NotFound)
}

/// Nothing is left of an entry that is gone.
pub fn forget_entry(tx: &mut Tx<'_>, entry: &str) -> Result<()> {
    diesel::delete(directory_originals::table.filter(directory_originals::entry_id.eq(entry))).execute(&mut **tx)?;
    Ok(())
}

/// Addresses and words for originals under a page: the person's own is "the original", the others go by their keys.
pub fn links(base: &str, lines: Vec<Line>, own: &str, words: &str) -> Vec<(String, String)> {
    let link = |(key, resource_type): Line| {
        let query = serde_urlencoded::to_string([("key", &key)]).unwrap_or_default();
        (format!("{base}/original?{query}"), if resource_type == own { words.to_owned() } else { key })
    };
    lines.into_iter().map(link).collect()
}
