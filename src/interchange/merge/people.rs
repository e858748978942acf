//! Which patients of ours a file is about, and what it says of them.

use std::collections::HashMap;

use diesel::{QueryDsl, RunQueryDsl};

use super::super::draft::{PersonDraft, Told};
use super::report::{Change, Line, PatientReport};
use super::{Fate, Target, Work, storable};
use crate::{
    access::{self, Actor, Edit, Full, PatientAccess, Rank},
    db::{
        Conn, Tx,
        schema::users,
        types::{HouseholdId, PatientId, PractitionerId},
    },
    error::{Error, Result},
    patients::{self, NewPatient, Patient, PatientFields},
    records::field::{Field, FieldError, Mode},
    text,
};

/// A person of the file and the patient they are, if there is one yet.
pub struct Pair<'a> {
    pub draft: &'a PersonDraft,
    pub patient: Option<Patient>,
    /// A patient of ours has the same key and is somebody else.
    pub is_namesake: bool,
}

/// Finds the patients of the file. A file about several people cannot be meant for one of them, unless it knows that one by key.
pub fn pair<'a>(tx: &mut Tx<'_>, actor: &Actor, told: &'a Told, target: &Target, now: chrono::NaiveDateTime) -> Result<Vec<Pair<'a>>> {
    let keys: Vec<String> = told.patients.iter().map(|draft| storable(&draft.source_key)).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut owned = patients::owned_by_source(tx, &actor.user, &keys)?;
    let alike = if let Target::Patient(_) = target { Vec::new() } else { alike(tx, actor, told, now)? };
    let chosen = chosen(tx, actor, target, &alike, now)?;
    let mut meant = match target {
        Target::Matching | Target::Each(_) => None,
        Target::Patient(id) => Some(access::grant::<Edit>(tx, actor, id, now)?.patient),
    };
    let is_meant = |draft: &PersonDraft, patient: &Patient| {
        told.patients.len() == 1 || patient.source_key.as_deref() == Some(storable(&draft.source_key).as_str())
    };
    if let Some(patient) = &meant
        && !told.patients.iter().any(|draft| is_meant(draft, patient))
    {
        return Err(Error::BadRequest("import_several_patients"));
    }
    let pairs = told.patients.iter().map(|draft| {
        if let Some(patient) = meant.take_if(|patient| is_meant(draft, patient)) {
            return Pair { draft, patient: Some(patient), is_namesake: false };
        }
        let key = storable(&draft.source_key);
        if let Some(choice) = chosen.get(draft.source_key.as_str()) {
            return Pair { draft, patient: choice.clone(), is_namesake: false };
        }
        let has_key = |patient: &Patient| patient.source_key.as_deref() == Some(key.as_str());
        let place = owned.iter().position(|patient| has_key(patient) && same_person(&draft_fields(draft), &patient.fields));
        let is_namesake = place.is_none() && owned.iter().any(has_key);
        Pair { draft, patient: place.map(|at| owned.swap_remove(at)), is_namesake }
    });
    Ok(pairs.collect())
}

/// How sure it is that somebody of the file is a patient who is here under another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Likeness {
    /// A number of the same system, and nothing says otherwise.
    Identifier,
    /// The whole name and the birth date: almost sure, and a person's to decide.
    Name,
}

/// Somebody of the file, by key, and the patient of ours who is probably the same.
#[derive(Clone, Debug)]
pub struct Alike {
    pub key: String,
    pub patient: Patient,
    pub by: Likeness,
}

/// Who of the file is probably one of the patients whose whole chart this person may write, though no import has told of the key.
pub fn alike(conn: &mut Conn, actor: &Actor, told: &Told, now: chrono::NaiveDateTime) -> Result<Vec<Alike>> {
    let keys: Vec<String> = told.patients.iter().map(|draft| storable(&draft.source_key)).collect();
    let owned = patients::owned_by_source(conn, &actor.user, &keys.iter().map(String::as_str).collect::<Vec<_>>())?;
    let all = access::all(conn, actor, now)?.list;
    let mine: Vec<Patient> = all.into_iter().filter(|a| a.may(Rank::Edit) && a.scope().is_whole()).map(|a| a.patient).collect();
    let mut found = Vec::new();
    for (draft, key) in told.patients.iter().zip(keys) {
        let fields = draft_fields(draft);
        if owned.iter().any(|patient| patient.source_key.as_ref() == Some(&key) && same_person(&fields, &patient.fields)) {
            continue;
        }
        let known = patients::by_identifiers(conn, &draft.identifiers)?;
        let by_number = mine.iter().find(|patient| known.contains(&patient.id) && same_person(&fields, &patient.fields));
        let by_name = || mine.iter().find(|patient| patient.fields.is_namesake(&fields)).map(|patient| (patient, Likeness::Name));
        if let Some((patient, by)) = by_number.map(|patient| (patient, Likeness::Identifier)).or_else(by_name) {
            found.push(Alike { key: draft.source_key.clone(), patient: patient.clone(), by });
        }
    }
    Ok(found)
}

/// Whom the person who imports has chosen, and, where nothing was chosen, whom a number names. No patient means a new one.
fn chosen(
    tx: &mut Tx<'_>,
    actor: &Actor,
    target: &Target,
    alike: &[Alike],
    now: chrono::NaiveDateTime,
) -> Result<HashMap<String, Option<Patient>>> {
    let sure = alike.iter().filter(|one| one.by == Likeness::Identifier);
    let mut chosen: HashMap<String, Option<Patient>> = sure.map(|one| (one.key.clone(), Some(one.patient.clone()))).collect();
    if let Target::Each(choices) = target {
        for (key, choice) in choices {
            let patient = choice.as_ref().map(|id| access::grant::<Edit>(tx, actor, id, now)).transpose()?.map(|access| access.patient);
            chosen.insert(key.clone(), patient);
        }
    }
    Ok(chosen)
}

/// Keys such as `Patient/1` are used by many systems, and mixing up two charts is the worst an import could do: the birth dates must agree,
/// or, where one is not known, the first names. A corrected birth date goes through if the whole name is the same.
fn same_person(told: &PatientFields, known: &PatientFields) -> bool {
    let fold = |name: &Option<String>| name.as_deref().map(text::words).unwrap_or_default();
    let first = (fold(&told.first_name), fold(&known.first_name));
    let last = (fold(&told.last_name), fold(&known.last_name));
    let same_first = first.0 == first.1;
    match (&told.birth_date, &known.birth_date) {
        (Some(a), Some(b)) => {
            let (a, b) = (a.as_str(), b.as_str());
            a.starts_with(b) || b.starts_with(a) || (same_first && last.0 == last.1 && !first.0.is_empty())
        }
        _ => same_first || first.0.is_empty() || first.1.is_empty(),
    }
}

/// The household the actor belongs to.
pub fn own_household(tx: &mut Tx<'_>, actor: &Actor) -> Result<HouseholdId> {
    Ok(users::table.find(&actor.user).select(users::household_id).first(&mut **tx)?)
}

/// Makes the patient, or completes the one there is. Returns the access to them, by which all of theirs is written.
pub fn settle(
    work: &mut Work<'_>,
    tx: &mut Tx<'_>,
    pair: &Pair<'_>,
    household: &HouseholdId,
    report: &mut PatientReport,
) -> Result<PatientAccess<Edit>> {
    let fields = read(work, pair.draft, household);
    let key = storable(&pair.draft.source_key);
    let (access, fate, filled) = if let Some(patient) = &pair.patient {
        let access = access::grant::<Edit>(tx, work.actor, &patient.id, work.now)?;
        if !same_person(&fields, &patient.fields) {
            work.problem(&key, "other_person", None);
        }
        let filled = complete(work, tx, &patient.id, &fields, &key)?;
        (access, if filled.is_empty() { Fate::Unchanged } else { Fate::Updated }, filled)
    } else {
        if pair.is_namesake {
            work.problem(&key, "same_key_other_person", None);
        }
        report.is_new = true;
        let access = make(work, tx, &key, &fields)?;
        (access, Fate::Added, PatientFields::FIELDS.iter().map(|field| field.spec.name).collect())
    };
    if !work.is_rehearsal {
        patients::remember_identifiers(tx, &access, &pair.draft.identifiers)?;
    }
    work.count(report, "Patient", &pair.draft.source_key, fate);
    report.source_key.clone_from(&pair.draft.source_key);
    report.lines.push(line(work, &key, fate, &fields, &filled, household));
    Ok(access)
}

/// A new patient: made now, or shown who was made unseen, or only imagined.
fn make(work: &Work<'_>, tx: &mut Tx<'_>, key: &str, fields: &PatientFields) -> Result<PatientAccess<Edit>> {
    if work.is_rehearsal {
        patients::may_create(tx, work.actor)?;
        return Ok(access::imagined(work.actor, &work.household, fields.clone(), work.now));
    }
    let id = if let Some(id) = work.stage.and_then(|stage| stage.patients.get(key)) {
        patients::reveal(tx, work.actor, id, work.now)?;
        id.clone()
    } else {
        patients::create(tx, work.actor, new(work, key, fields), work.now, Vec::new())?
    };
    access::grant::<Edit>(tx, work.actor, &id, work.now)
}

fn new(work: &Work<'_>, key: &str, fields: &PatientFields) -> NewPatient {
    NewPatient { fields: fields.clone(), source: work.source.clone(), source_key: Some(key.to_owned()), strict: false }
}

/// Makes the patient unseen, for a stage.
pub fn conceive(work: &mut Work<'_>, tx: &mut Tx<'_>, draft: &PersonDraft, household: &HouseholdId) -> Result<PatientId> {
    let fields = read(work, draft, household);
    let key = storable(&draft.source_key);
    patients::conceive(tx, work.actor, new(work, &key, &fields), work.now, Vec::new())
}

fn line(work: &Work<'_>, key: &str, fate: Fate, fields: &PatientFields, filled: &[&str], household: &HouseholdId) -> Line {
    let names = work.directories.get(household).map(|directory| &directory.names);
    let changes = PatientFields::FIELDS.iter().filter(|field| filled.contains(&field.spec.name)).filter_map(|field| {
        let text = (field.get)(fields)?;
        let after = names.and_then(|names| names.get(&text)).cloned().unwrap_or(text);
        Some(Change { field: field.spec.name.to_owned(), row: None, before: None, after: Some(after) })
    });
    let parts = [fields.first_name.as_deref(), fields.last_name.as_deref()];
    Line {
        fate,
        kind: "patients".to_owned(),
        resource_type: "Patient".to_owned(),
        source_key: key.to_owned(),
        record: None,
        title: parts.into_iter().flatten().collect::<Vec<_>>().join(" "),
        date: fields.birth_date.as_ref().map(|date| date.as_str().to_owned()),
        changes: changes.collect(),
        offered: Vec::new(),
        reason: None,
    }
}

/// What is said of a person changes only by whoever may change all of it.
fn complete(work: &Work<'_>, tx: &mut Tx<'_>, id: &PatientId, fields: &PatientFields, key: &str) -> Result<Vec<&'static str>> {
    let access = access::grant::<Edit>(tx, work.actor, id, work.now)?;
    if !access.may(Rank::Full) {
        return Ok(Vec::new());
    }
    let access = access::grant::<Full>(tx, work.actor, id, work.now)?;
    if work.is_rehearsal {
        let is_filled = |field: &&Field<PatientFields>| (field.get)(&access.patient.fields).is_none() && (field.get)(fields).is_some();
        return Ok(PatientFields::FIELDS.iter().filter(is_filled).map(|field| field.spec.name).collect());
    }
    patients::complete(tx, &access, fields, (&work.source, key))
}

fn pairs(draft: &PersonDraft) -> Vec<(String, String)> {
    draft.fields.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect()
}

fn draft_fields(draft: &PersonDraft) -> PatientFields {
    let mut fields = PatientFields::default();
    let _ = fields.fill(&pairs(draft), Mode::Strict);
    fields
}

/// The person as told; what a field refuses goes into the notes.
fn read(work: &mut Work<'_>, draft: &PersonDraft, household: &HouseholdId) -> PatientFields {
    let mut fields = PatientFields::default();
    let pairs = pairs(draft);
    let mut notes: Vec<String> = Vec::new();
    for (name, error) in fields.fill(&pairs, Mode::Strict) {
        let Some((_, text)) = pairs.iter().find(|(other, _)| *other == name) else { continue };
        notes
            .push(format!("{}: {text}", name.replace('_', " ")).chars().map(|c| if c.is_control() { ' ' } else { c }).take(2000).collect());
        if let FieldError::TooLong { max, .. } = &error {
            let begin: String = text.chars().take(*max).collect();
            let _ = fields.fill(&[(name.clone(), begin)], Mode::Strict);
        }
        work.refused(&draft.source_key, &name, &error);
    }
    if !notes.is_empty() {
        let told = fields.notes.take();
        fields.notes = Some(told.into_iter().chain(notes).collect::<Vec<_>>().join("\n"));
    }
    let physicians = work.directories.get(household).map(|directory| &directory.practitioners);
    let physician = draft.belongs_to.as_ref().and_then(|key| physicians?.get(key));
    fields.physician_id = physician.and_then(|id| PractitionerId::parse(id));
    fields
}
