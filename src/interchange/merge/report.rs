//! What an import did, or would do: for the preview, the page afterwards and the command line. Kept as JSON with the import.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{
    super::draft::{self, ProblemKind, Told},
    people::Likeness,
};
use crate::{
    db::types::{PatientId, RecordId},
    i18n::Locale,
    records::field::FieldError,
};

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
    /// What the file calls the person.
    #[serde(default)]
    pub source_key: String,
    pub is_new: bool,
    /// Somebody who is here already and probably the same person.
    #[serde(default)]
    pub alike: Option<AlikeReport>,
    pub added: BTreeMap<String, usize>,
    pub updated: BTreeMap<String, usize>,
    pub unchanged: BTreeMap<String, usize>,
    pub kept: BTreeMap<String, usize>,
    /// New offers: fields a person had changed and for which the file tells a newer value.
    pub offers: usize,
    /// Originals of people and places that were not kept yet, or are told anew.
    #[serde(default)]
    pub originals: usize,
    /// Of what was kept aside: how much of it was not kept yet, or is told anew.
    #[serde(default)]
    pub newly_kept: usize,
    pub lines: Vec<Line>,
}

/// The question whether somebody of the file is a patient who is here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlikeReport {
    pub patient: PatientId,
    pub name: String,
    pub birth_date: Option<String>,
    pub by: Likeness,
    /// A person has said whether they are.
    pub is_answered: bool,
}

impl PatientReport {
    /// Would importing it change anything?
    pub fn changes_something(&self) -> bool {
        !self.added.is_empty() || !self.updated.is_empty() || self.offers > 0 || self.originals > 0 || self.newly_kept > 0
    }

    /// Does somebody have to say first whether it is the same person?
    pub fn is_in_doubt(&self) -> bool {
        self.alike.as_ref().is_some_and(|alike| alike.by == Likeness::Name && !alike.is_answered)
    }
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
    /// What the sentences name besides, by the name of the gap: `max`, `is`.
    #[serde(default)]
    pub values: Vec<(String, String)>,
}

impl Problem {
    pub(super) fn new(place: &str, word: &str, detail: Option<String>) -> Self {
        Self { place: place.to_owned(), key: format!("import.problem.{word}"), detail, reason: None, values: Vec::new() }
    }

    /// What a field said to a value; `detail` is the field.
    pub(super) fn of_field(place: &str, word: &str, field: &str, error: &FieldError) -> Self {
        let (reason, values) = error.message();
        Self {
            reason: Some(reason.to_owned()),
            values: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ..Self::new(place, word, Some(field.to_owned()))
        }
    }

    /// The whole sentence in somebody's language.
    pub fn sentence(&self, words: &Locale) -> String {
        let own: Vec<(&str, &str)> = self.values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let reason = self.reason.as_deref().map(|key| words.with(key, &own)).unwrap_or_default();
        let told = [("value", self.detail.as_deref().unwrap_or_default()), ("reason", reason.as_str())];
        words.with(&self.key, &told.into_iter().chain(own).collect::<Vec<_>>())
    }
}

impl From<&draft::Problem> for Problem {
    fn from(problem: &draft::Problem) -> Self {
        let (word, detail) = match &problem.what {
            ProblemKind::DanglingReference(target) => ("dangling_reference", Some(target)),
            ProblemKind::OthersRecord(target) => ("others_record", Some(target)),
            ProblemKind::TieWithoutRecord(target) => ("tie_without_record", Some(target)),
            ProblemKind::UnknownSubject(target) => ("unknown_subject", Some(target)),
            ProblemKind::Impossible(value) => ("impossible", Some(value)),
            ProblemKind::DuplicateId => ("duplicate_id", None),
            ProblemKind::BadDate(text) => ("bad_date", Some(text)),
            ProblemKind::UnknownUnit(unit) => ("unknown_unit", Some(unit)),
            ProblemKind::UnknownResourceType => ("unknown_resource_type", None),
            ProblemKind::MissingResource => ("missing_resource", None),
            ProblemKind::Other(word) => (*word, None),
        };
        Self::new(&problem.place, word, detail.cloned())
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
