//! FHIR R4: a bundle's bytes in, what it told out. Knows no database and no chart.
//!
//! Rules that hold in every file of this folder:
//!
//! * What the source does not say stays absent: no status, date, unit or name is derived from another field.
//! * Digits and dates are the source's own text, never a number or a moment in between.
//! * Every resource ends in exactly one place (see `unaccounted`); records, people and leftovers keep their originals.
//! * What is wrong with one resource is a `Problem` of that resource; only a file that cannot be read at all is a `ReadError`.

mod allergy;
mod book;
mod care;
mod codes;
mod condition;
mod desk;
mod directory;
mod family;
mod json;
mod lab;
mod medication;
mod observation;
mod people;
mod scan;
mod sheet;
mod supplies;
#[cfg(test)]
mod tests;
mod values;
mod vitals;

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::draft::{LeftoverReason, ReadError, Told};
use book::{Book, Entry, Fate};
use desk::Desk;
use sheet::{Reading, Sheet};

/// Larger files are refused before anything of them is kept.
pub const SIZE_LIMIT: usize = 64 * 1024 * 1024;
/// Real bundles nest about fifteen levels; this leaves room and still keeps every recursion here shallow.
pub const DEPTH_LIMIT: usize = 64;

/// Reads one bundle.
///
/// # Errors
/// When the file as a whole is of no use: too large, not JSON, not a bundle, about nobody.
pub fn read(bytes: &[u8]) -> Result<Told, ReadError> {
    let bundle = scan::parse(bytes, SIZE_LIMIT, DEPTH_LIMIT)?;
    check_bundle(&bundle)?;
    let (mut told, roles) = tell(&bundle)?;
    attach_originals(&mut told, bundle, &roles);
    told.format = "fhir";
    Ok(told)
}

/// Type and key of every resource that ended nowhere, or in more than one place.
#[must_use]
pub fn unaccounted(told: &Told) -> Vec<(String, String)> {
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    let people = [
        (&told.patients, "Patient"),
        (&told.practitioners, "Practitioner"),
        (&told.practices, "Organization"),
        (&told.pharmacies, "Organization"),
    ];
    for (persons, kind) in people {
        for person in persons {
            *places.entry((kind, &person.source_key)).or_default() += 1;
        }
    }
    for draft in &told.records {
        *places.entry((&draft.resource_type, &draft.source_key)).or_default() += 1;
        for (kind, key) in &draft.parts {
            *places.entry((kind, key)).or_default() += 1;
        }
    }
    for leftover in &told.leftovers {
        *places.entry((&leftover.resource_type, &leftover.source_key)).or_default() += 1;
    }
    for (kind, key) in &told.handled {
        *places.entry((kind, key)).or_default() += 1;
    }
    told.entries.iter().filter(|(kind, key)| places.get(&(kind.as_str(), key.as_str())) != Some(&1)).cloned().collect()
}

fn check_bundle(bundle: &Value) -> Result<(), ReadError> {
    let kind = bundle.get("resourceType").and_then(Value::as_str).ok_or(ReadError::NotFhir)?;
    if kind != "Bundle" {
        return Err(ReadError::WrongResource(json::short(kind)));
    }
    let sort = bundle.get("type").and_then(Value::as_str).unwrap_or("unknown");
    let readable = ["transaction", "collection", "document", "batch", "searchset", "message", "history"];
    if !readable.contains(&sort) {
        return Err(ReadError::WrongBundle(json::short(sort)));
    }
    Ok(())
}

fn tell(bundle: &Value) -> Result<(Told, Vec<(String, String)>), ReadError> {
    let book = Book::open(bundle);
    if book.entries.is_empty() {
        return Err(ReadError::NoEntries);
    }
    let mut desk = Desk::new(&book);
    people::patients(&mut desk);
    if desk.told.patients.is_empty() {
        return Err(ReadError::NoPatient);
    }
    let owners = lab::owners(&desk);
    for index in 0..book.entries.len() {
        if let Some(entry) = book.entries.get(index) {
            desk.turn_to(entry);
            one(&mut desk, index, entry, &owners);
        }
    }
    vitals::file(&mut desk);
    directory::read(&mut desk);
    unclaimed_devices(&mut desk, &owners);
    Ok(desk.finish())
}

/// A device whose statement of use came to nothing is a record of its own after all.
fn unclaimed_devices<'a>(desk: &mut Desk<'a>, owners: &lab::Owners) {
    let book: &'a Book<'a> = desk.book;
    for (index, entry) in book.entries.iter().enumerate() {
        if entry.kind == "Device" && !desk.is_placed(index) {
            desk.turn_to(entry);
            about_someone(desk, index, entry, owners);
        }
    }
}

/// Puts one entry where it belongs. Directory types wait: whether a location or an organisation is part of a record shows only at the end.
fn one<'a>(desk: &mut Desk<'a>, index: usize, entry: &'a Entry<'a>, owners: &lab::Owners) {
    match entry.fate {
        Fate::Live => {}
        Fate::Copy => return desk.handled(index),
        Fate::Older | Fate::Deleted => return desk.leftover(index, LeftoverReason::Withdrawn),
    }
    match entry.kind.as_str() {
        "Patient" | "Practitioner" | "PractitionerRole" | "Organization" | "Location" | "Medication" => {}
        "Composition" | "Bundle" | "MessageHeader" | "OperationOutcome" | "Parameters" => desk.handled(index),
        "Observation" if owners.is_owned(index) => {}
        "Device" if desk.is_used_device(index) => {}
        kind if is_record(kind) => about_someone(desk, index, entry, owners),
        kind => without_home(desk, index, kind),
    }
}

fn is_record(kind: &str) -> bool {
    matches!(
        kind,
        "Observation"
            | "DiagnosticReport"
            | "Condition"
            | "AllergyIntolerance"
            | "MedicationRequest"
            | "MedicationStatement"
            | "Immunization"
            | "Procedure"
            | "Encounter"
            | "CarePlan"
            | "Device"
            | "DeviceUseStatement"
            | "Coverage"
            | "FamilyMemberHistory"
            | "RelatedPerson"
    )
}

fn about_someone<'a>(desk: &mut Desk<'a>, index: usize, entry: &'a Entry<'a>, owners: &lab::Owners) {
    let Some(patient) = desk.patient_of(entry) else {
        return desk.leftover(index, LeftoverReason::NoPatient);
    };
    if withdrawn(entry.resource) {
        return desk.leftover(index, LeftoverReason::Withdrawn);
    }
    match entry.kind.as_str() {
        "Observation" => observation::read(desk, index, entry, &patient, owners),
        "DiagnosticReport" => lab::report(desk, index, entry, &patient, owners),
        _ => {
            let reading = mapped(desk, entry);
            desk.put(index, entry, &patient, reading);
        }
    }
}

fn mapped<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    match entry.kind.as_str() {
        "Condition" => condition::read(desk, entry),
        "AllergyIntolerance" => allergy::read(desk, entry),
        "MedicationRequest" => medication::request(desk, entry),
        "MedicationStatement" => medication::statement(desk, entry),
        "Immunization" => care::immunization(desk, entry),
        "Procedure" => care::procedure(desk, entry),
        "Encounter" => care::encounter(desk, entry),
        "CarePlan" => care::plan(desk, entry),
        "Device" => supplies::device(desk, entry),
        "DeviceUseStatement" => supplies::device_use(desk, entry),
        "Coverage" => supplies::coverage(desk, entry),
        "FamilyMemberHistory" => family::read(desk, entry),
        "RelatedPerson" => people::related(desk, entry),
        _ => Reading::Kept(LeftoverReason::NotUnderstood),
    }
}

/// `entered-in-error`, wherever the type keeps it.
fn withdrawn(resource: &Value) -> bool {
    ["status", "verificationStatus"].iter().filter_map(|key| codes::code(resource.get(*key))).any(|code| code == "entered-in-error")
}

fn without_home(desk: &mut Desk<'_>, index: usize, kind: &str) {
    if book::is_r4_type(kind) {
        desk.leftover(index, LeftoverReason::NoHomeYet);
    } else {
        desk.problem(super::draft::ProblemKind::UnknownResourceType);
        desk.leftover(index, LeftoverReason::NotUnderstood);
    }
}

/// Moves the resources out of the bundle into what was made of them: nothing of a large file is copied.
fn attach_originals(told: &mut Told, bundle: Value, roles: &[(String, String)]) {
    let keys = told.entries.iter().map(|(_, key)| key.clone());
    let mut originals: HashMap<String, Value> = keys.zip(book::resources(bundle)).collect();
    let mut played: HashMap<&str, Vec<&String>> = HashMap::new();
    for (practitioner, role) in roles {
        played.entry(practitioner).or_default().push(role);
    }
    let people = [&mut told.patients, &mut told.practitioners, &mut told.practices, &mut told.pharmacies];
    for person in people.into_iter().flatten() {
        if let Some(original) = originals.remove(&person.source_key) {
            let mut all = vec![original];
            let roles = played.get(person.source_key.as_str()).into_iter().flatten();
            all.extend(roles.filter_map(|role| originals.remove(*role)));
            person.original = one_or_all(all);
        }
    }
    for draft in &mut told.records {
        attach_to_draft(draft, &mut originals);
    }
    for leftover in &mut told.leftovers {
        if let Some(original) = originals.remove(&leftover.source_key) {
            leftover.original = original;
        }
    }
    let rest = |(kind, key): &(String, String)| Some((kind.clone(), key.clone(), originals.remove(key)?));
    told.asides = told.handled.iter().filter_map(rest).collect();
}

fn attach_to_draft(draft: &mut super::draft::Draft, originals: &mut HashMap<String, Value>) {
    let own = originals.remove(&draft.source_key);
    let mut all: Vec<Value> = own.into_iter().collect();
    all.extend(draft.parts.iter().filter_map(|(_, key)| originals.remove(key)));
    if draft.original.is_null() {
        draft.original = one_or_all(all);
    }
}

fn one_or_all(mut resources: Vec<Value>) -> Value {
    match (resources.pop(), resources.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            resources.push(last);
            Value::Array(resources)
        }
        (None, _) => Value::Null,
    }
}

/// The keys of a set of people, to find references that lead nowhere.
fn keys_of(people: &[super::draft::PersonDraft]) -> HashSet<String> {
    people.iter().map(|person| person.source_key.clone()).collect()
}

/// A sheet without a name is nothing a person could recognise.
fn named(sheet: Sheet, column: &str) -> Reading {
    if sheet.fields.contains_key(column) { Reading::Record(Box::new(sheet)) } else { Reading::Kept(LeftoverReason::NotUnderstood) }
}
