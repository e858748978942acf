//! The family's history as a whole: a pedigree, what runs in the family, and members shared with others.

mod blood;
pub mod pages;
pub mod pedigree;
pub mod received;
pub mod risk;
pub mod share_form;
pub mod shares;
pub mod taken;
pub mod tree;
mod view;

use std::collections::HashMap;

use crate::{
    access::{self, PatientAccess, View, family::KIND},
    dates::PartialDate,
    db::{
        Conn,
        types::{PatientId, RecordId},
    },
    error::{Error, Result},
    page::Ui,
    patients::PatientStatus,
    records::{self, AnyRecord, Kind, chart::Loaded, several},
    text::fold,
};
use risk::Had;
use tree::{Relation, Sex, Side, Told};

/// A relative as pages and counts need them.
#[derive(Clone, Debug)]
pub struct Relative {
    pub record: RecordId,
    pub name: String,
    /// The words of the record's columns, for the catalogue.
    pub relationship: String,
    pub relation: Relation,
    pub side: Side,
    pub sex: Sex,
    pub birth_year: Option<i32>,
    pub death_year: Option<i32>,
    pub is_deceased: bool,
    pub is_adopted: bool,
    pub father: Option<RecordId>,
    pub mother: Option<RecordId>,
    pub had: Vec<Had>,
    /// The patient this relative is, where the reader may see that patient.
    pub linked: Option<PatientId>,
}

/// The person themselves.
#[derive(Clone, Debug)]
pub struct Own {
    pub name: String,
    pub sex: Sex,
    pub birth_year: Option<i32>,
    pub is_deceased: bool,
    pub had: Vec<Had>,
}

#[derive(Clone, Debug)]
pub struct Family {
    pub own: Own,
    pub relatives: Vec<Relative>,
}

/// The kind whose records these are.
pub fn kind() -> Result<&'static Kind> {
    records::kind(KIND).ok_or_else(|| Error::Internal("there is no kind of family members".to_owned()))
}

fn value(kind: &Kind, entry: &dyn AnyRecord, name: &str) -> Option<String> {
    kind.field(name).and_then(|(index, _)| entry.get(index))
}

/// Everything this access shows of the family, in a fixed number of statements. A relative who is a patient of the household is told of as
/// far as the reader's own access to that patient goes; to everybody else the record speaks for itself.
pub fn load(conn: &mut Conn, access: &PatientAccess<View>) -> Result<Family> {
    let kind = kind()?;
    access.chart(kind)?;
    let rows = several::load(conn, &[access], kind)?;
    let mut relatives: Vec<Relative> = rows.iter().map(|row| relative(kind, row)).collect();
    let is_linked = relatives.iter().any(|one| one.linked.is_some());
    let seen = if is_linked { access::all(conn, &access.actor, access.now)?.list } else { Vec::new() };
    let linked: HashMap<PatientId, &PatientAccess<View>> = seen
        .iter()
        .filter(|other| other.id() != access.id() && relatives.iter().any(|one| one.linked.as_ref() == Some(other.id())))
        .map(|other| (other.id().clone(), other))
        .collect();
    let everybody: Vec<&PatientAccess<View>> = std::iter::once(access).chain(linked.values().copied()).collect();
    let mut had = conditions(conn, &everybody)?;
    for one in &mut relatives {
        if let Some(patient) = one.linked.as_ref().and_then(|id| linked.get(id)) {
            told_by_patient(one, patient, had.get(patient.id()).map(Vec::as_slice).unwrap_or_default());
        }
    }
    let own = Own {
        name: access.patient.name(),
        sex: Sex::of(access.patient.fields.gender.map(|gender| gender.as_str()), None),
        birth_year: access.patient.fields.birth_date.as_ref().and_then(year),
        is_deceased: access.patient.status() == PatientStatus::Deceased,
        had: had.remove(access.id()).unwrap_or_default(),
    };
    Ok(Family { own, relatives })
}

/// What a record says of a relative.
pub fn relative(kind: &Kind, row: &Loaded) -> Relative {
    told_of(kind, &row.head.id, &row.head.title, row.entry.as_ref())
}

/// A relative in two cells: how they are related, and what they had.
pub struct InBrief {
    pub relation: String,
    pub conditions: String,
    /// The nearest by blood come first where what matters is what runs in the family.
    pub degree: u8,
}

pub fn in_brief(ui: &Ui, kind: &Kind, record: &RecordId, title: &str, entry: &dyn AnyRecord) -> InBrief {
    let one = told_of(kind, record, title, entry);
    let degree = risk::Degree::of(one.relation).filter(|_| !one.is_adopted);
    InBrief {
        relation: view::told_relation(ui, &one),
        conditions: view::told_conditions(ui, &one.had),
        degree: degree.map_or(u8::MAX, |degree| degree as u8),
    }
}

fn told_of(kind: &Kind, record: &RecordId, title: &str, entry: &dyn AnyRecord) -> Relative {
    let text = |name: &str| value(kind, entry, name);
    let number = |name: &str| text(name).and_then(|n| n.parse().ok());
    let flag = |name: &str| text(name).as_deref() == Some("true");
    let relationship = text("relationship").unwrap_or_else(|| "other".to_owned());
    let relation = Relation::of(&relationship);
    let parent = |name: &str| entry.head().links.get(name).cloned();
    Relative {
        record: record.clone(),
        name: title.to_owned(),
        side: Side::of(relation, text("side").as_deref()),
        sex: Sex::of(text("gender").as_deref(), Some(relation)),
        birth_year: number("birth_year"),
        death_year: number("death_year"),
        is_deceased: flag("is_deceased") || text("death_year").is_some(),
        is_adopted: flag("is_adopted"),
        father: parent("father_id"),
        mother: parent("mother_id"),
        had: children(kind, entry),
        linked: text("linked_patient_id").and_then(|id| PatientId::parse(&id)),
        relationship,
        relation,
    }
}

fn children(kind: &Kind, entry: &dyn AnyRecord) -> Vec<Had> {
    let Some(children) = &kind.children else { return Vec::new() };
    let cell = |row: usize, name: &str| children.fields.iter().position(|f| f.name == name).and_then(|i| entry.child(row, i));
    (0..entry.child_count())
        .map(|row| Had {
            name: cell(row, "condition_name").unwrap_or_default(),
            code: cell(row, "icd10_code"),
            sort: cell(row, "condition_type"),
            age: cell(row, "diagnosis_age").and_then(|age| age.parse().ok()),
        })
        .collect()
}

/// The conditions in these patients' own charts, as far as each access shows them.
fn conditions(conn: &mut Conn, accesses: &[&PatientAccess<View>]) -> Result<HashMap<PatientId, Vec<Had>>> {
    let kind = records::kind("conditions").ok_or_else(|| Error::Internal("there is no kind of conditions".to_owned()))?;
    let mut found: HashMap<PatientId, Vec<Had>> = HashMap::new();
    for row in several::load(conn, accesses, kind)? {
        let born = accesses.iter().find(|access| *access.id() == row.head.patient_id).and_then(|a| a.patient.fields.birth_date.clone());
        let onset = value(kind, row.entry.as_ref(), "onset_date").and_then(|text| PartialDate::parse_strict(&text).ok());
        let had = Had {
            name: row.head.title.clone(),
            code: value(kind, row.entry.as_ref(), "icd10_code"),
            sort: None,
            age: born.zip(onset).and_then(|(born, onset)| age(&born, &onset)),
        };
        found.entry(row.head.patient_id).or_default().push(had);
    }
    Ok(found)
}

fn year(date: &PartialDate) -> Option<i32> {
    date.as_str().get(..4).and_then(|year| year.parse().ok())
}

/// Whole years from one date to the other; of dates that are not known to the day, the years alone.
fn age(born: &PartialDate, on: &PartialDate) -> Option<i32> {
    let years = year(on)? - year(born)?;
    let is_before = match (born.as_str().get(5..10), on.as_str().get(5..10)) {
        (Some(birthday), Some(day)) => day < birthday,
        _ => false,
    };
    Some(years - i32::from(is_before)).filter(|age| *age >= 0)
}

/// Name, years and conditions of a relative who is written once, as a patient.
fn told_by_patient(one: &mut Relative, access: &PatientAccess<View>, had: &[Had]) {
    let patient = &access.patient;
    one.name = patient.name();
    one.birth_year = patient.fields.birth_date.as_ref().and_then(year).or(one.birth_year);
    one.death_year = patient.fields.deceased_on.as_ref().and_then(year).or(one.death_year);
    one.is_deceased |= patient.status() == PatientStatus::Deceased;
    one.sex = Sex::of(patient.fields.gender.map(|gender| gender.as_str()), Some(one.relation));
    let known: Vec<String> = had.iter().map(|had| fold(&had.name)).collect();
    one.had.retain(|mine| !known.contains(&fold(&mine.name)));
    one.had.splice(0..0, had.iter().cloned());
}

/// What the drawing needs of them.
pub fn told(relatives: &[Relative]) -> Vec<Told> {
    let places: HashMap<&RecordId, usize> = relatives.iter().enumerate().map(|(place, one)| (&one.record, place)).collect();
    let place = |id: &Option<RecordId>| id.as_ref().and_then(|id| places.get(id).copied());
    relatives
        .iter()
        .map(|one| Told {
            relation: one.relation,
            side: one.side,
            sex: one.sex,
            birth_year: one.birth_year,
            is_adopted: one.is_adopted,
            father: place(&one.father),
            mother: place(&one.mother),
        })
        .collect()
}
