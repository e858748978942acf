//! What an import did, or would do: for the preview, the page afterwards and the command line. Kept as JSON with the import.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::super::draft::{self, ProblemKind, Told};
use crate::db::types::{PatientId, RecordId};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// One for each patient of the file.
    pub patients: Vec<PatientReport>,
    pub problems: Vec<Problem>,
}

/// What became of the part that is about one person. The counts are by the source's resource types and account for every resource: the
/// parts of a record share its fate, and what is about nobody (the directory, a document's table of contents) is counted with the first patient.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PatientReport {
    /// `None` in the preview of a new patient.
    pub patient: Option<PatientId>,
    pub name: String,
    pub is_new: bool,
    pub added: BTreeMap<String, usize>,
    pub updated: BTreeMap<String, usize>,
    pub unchanged: BTreeMap<String, usize>,
    pub kept: BTreeMap<String, usize>,
    /// New offers: fields a person had changed and for which the file tells a newer value.
    pub offers: usize,
    /// Originals of people and places that were not kept yet, or are told anew.
    #[serde(default)]
    pub originals: usize,
    pub lines: Vec<Line>,
}

/// What became of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    Added,
    Updated,
    Unchanged,
    /// Without a home here; kept whole as a leftover.
    Kept,
}

/// One record (or the patient, or a leftover) in the preview.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    pub fate: Fate,
    /// The kind's URL name; `patients` for the person; empty for a leftover.
    pub kind: String,
    pub resource_type: String,
    pub source_key: String,
    pub record: Option<RecordId>,
    pub title: String,
    pub date: Option<String>,
    /// What changes in a record that is there; a new one is told by its title.
    pub changes: Vec<Change>,
    /// Newer values that a person may take or dismiss.
    pub offered: Vec<Change>,
    /// Why it was kept: a word under `import.reason.`.
    pub reason: Option<String>,
}

/// A field by its column name; the page has the words for it. Ids are told as names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub field: String,
    /// The place of a child, counted from 1.
    pub row: Option<usize>,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Something a person should know about the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub place: String,
    /// The sentence, as a key of the catalogue (`import.problem.refused_value`).
    pub key: String,
    pub detail: Option<String>,
    /// Why a field refused its value, as a key of the catalogue (`error.not_a_phone`).
    pub reason: Option<String>,
}

impl From<&draft::Problem> for Problem {
    fn from(problem: &draft::Problem) -> Self {
        let (word, detail) = match &problem.what {
            ProblemKind::DanglingReference(target) => ("dangling_reference", Some(target)),
            ProblemKind::DuplicateId => ("duplicate_id", None),
            ProblemKind::BadDate(text) => ("bad_date", Some(text)),
            ProblemKind::UnknownUnit(unit) => ("unknown_unit", Some(unit)),
            ProblemKind::UnknownResourceType => ("unknown_resource_type", None),
            ProblemKind::MissingResource => ("missing_resource", None),
            ProblemKind::Other(word) => (*word, None),
        };
        Self { place: problem.place.clone(), key: format!("import.problem.{word}"), detail: detail.cloned(), reason: None }
    }
}

impl PatientReport {
    pub(super) fn count(&mut self, resource_type: &str, fate: Fate) {
        let counts = match fate {
            Fate::Added => &mut self.added,
            Fate::Updated => &mut self.updated,
            Fate::Unchanged => &mut self.unchanged,
            Fate::Kept => &mut self.kept,
        };
        *counts.entry(resource_type.to_owned()).or_default() += 1;
    }
}

impl Report {
    /// Types whose resources were not all counted exactly once: type, told, counted. Always empty, unless the program is wrong.
    pub(super) fn miscounted(&self, told: &Told) -> Vec<(String, usize, usize)> {
        let mut counted: HashMap<&str, usize> = HashMap::new();
        for patient in &self.patients {
            for (kind, count) in [&patient.added, &patient.updated, &patient.unchanged, &patient.kept].into_iter().flatten() {
                *counted.entry(kind).or_default() += count;
            }
        }
        let wrong = told.counts.iter().map(|(kind, told)| (kind.clone(), *told, counted.get(kind.as_str()).copied().unwrap_or_default()));
        wrong.filter(|(_, told, counted)| told != counted).collect()
    }
}
