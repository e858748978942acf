//! Which patients of ours a file is about, and what it says of them.

use diesel::{QueryDsl, RunQueryDsl};

use super::super::draft::{PersonDraft, Told};
use super::report::{Change, Line, PatientReport};
use super::{Fate, Target, Work, storable};
use crate::{
    access::{self, Actor, Edit, Full, Rank},
    db::{
        Tx,
        schema::users,
        types::{HouseholdId, PatientId, PractitionerId},
    },
    error::{Error, Result},
    patients::{self, NewPatient, Patient, PatientFields},
    records::field::Mode,
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
    let mut meant = match target {
        Target::Matching => None,
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
        let has_key = |patient: &Patient| patient.source_key.as_deref() == Some(key.as_str());
        let place = owned.iter().position(|patient| has_key(patient) && same_person(&draft_fields(draft), &patient.fields));
        let is_namesake = place.is_none() && owned.iter().any(has_key);
        Pair { draft, patient: place.map(|at| owned.swap_remove(at)), is_namesake }
    });
    Ok(pairs.collect())
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

/// Makes the patient, or completes the one there is.
pub fn settle(
    work: &mut Work<'_>,
    tx: &mut Tx<'_>,
    pair: &Pair<'_>,
    household: &HouseholdId,
    report: &mut PatientReport,
) -> Result<PatientId> {
    let fields = read(work, pair.draft, household);
    let key = storable(&pair.draft.source_key);
    let (id, fate, filled) = if let Some(patient) = &pair.patient {
        if !same_person(&fields, &patient.fields) {
            work.problem(&key, "other_person", None);
        }
        let filled = complete(work, tx, &patient.id, &fields, &key)?;
        (patient.id.clone(), if filled.is_empty() { Fate::Unchanged } else { Fate::Updated }, filled)
    } else {
        if pair.is_namesake {
            work.problem(&key, "same_key_other_person", None);
        }
        let new = NewPatient { fields: fields.clone(), source: work.source.clone(), source_key: Some(key.clone()), strict: false };
        report.is_new = true;
        let id = patients::create(tx, work.actor, new, work.now, Vec::new())?;
        (id, Fate::Added, PatientFields::FIELDS.iter().map(|field| field.spec.name).collect())
    };
    work.count(report, "Patient", &pair.draft.source_key, fate);
    report.lines.push(line(work, &key, fate, &fields, &filled, household));
    Ok(id)
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
