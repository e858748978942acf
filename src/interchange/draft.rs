//! What a reader of some foreign format hands over: records as the other system told them, before they meet a chart.
//!
//! A reader (`fhir`, later `ccda`, `csv`, ...) knows its format and nothing of databases; the merge in `interchange::merge` knows charts and
//! nothing of formats. Field names are the kinds' column names, values the text a person would have typed into the form.

use std::collections::BTreeMap;

/// Column name to text. A field that the source does not tell is absent; an empty text does not occur.
pub type Fields = BTreeMap<&'static str, String>;

/// Everything one file told.
#[derive(Debug, Default, Clone)]
pub struct Told {
    /// The reader's name, which every record carries as its source: `fhir`.
    pub format: &'static str,
    pub patients: Vec<PersonDraft>,
    pub practices: Vec<PersonDraft>,
    pub practitioners: Vec<PersonDraft>,
    pub pharmacies: Vec<PersonDraft>,
    pub records: Vec<Draft>,
    /// What has no home yet, or could not be understood: kept whole and counted.
    pub leftovers: Vec<Leftover>,
    /// What a person should know about the file; each names the place and says what was done about it.
    pub problems: Vec<Problem>,
    /// How many resources (or documents' entries) of each type the file holds. Every one ends in exactly one of: a patient, a directory entry, a
    /// record (alone or as a part of it: `Draft::parts`), or a leftover.
    pub counts: BTreeMap<String, usize>,
    /// Patient key and kind (`allergies`, `medications`, `conditions`, ...) for which the source says outright that there is nothing: a statement,
    /// never a record called "no known allergy".
    pub none_known: Vec<(String, &'static str)>,
    /// Type and key of what is neither a record nor a leftover and still accounted for: a document's table of contents, a statement that
    /// nothing is known, a practitioner's role, a second copy of a resource.
    pub handled: Vec<(String, String)>,
    /// The originals of those of `handled` that are no part of another one's original, by type and key.
    pub asides: Vec<(String, String, serde_json::Value)>,
    /// Type and key of every resource of the file, in its order. Each is found again in exactly one of the places that `counts` names.
    pub entries: Vec<(String, String)>,
}

/// A patient, practice, practitioner or pharmacy of the source.
#[derive(Debug, Clone)]
pub struct PersonDraft {
    /// Stable identity in the source, `Type/id` (`Patient/e5c7...`); for contained or id-less ones a stable digest.
    pub source_key: String,
    /// Columns of `patients`, `practices`, `practitioners` or `pharmacies`.
    pub fields: Fields,
    /// What systems call a patient, as `system|value`; others have none here.
    pub identifiers: Vec<String>,
    /// `source_key` of a practitioner's practice or of a patient's physician.
    pub belongs_to: Option<String>,
    /// The resource itself, or an array of all that went in (a practitioner's roles).
    pub original: serde_json::Value,
}

/// One record as told.
#[derive(Debug, Clone)]
pub struct Draft {
    /// URL name of the kind: `lab-results`.
    pub kind: &'static str,
    pub source_key: String,
    /// The source's type, for the counts a person sees: `Observation`.
    pub resource_type: String,
    /// `source_key` of the patient it is about.
    pub patient: String,
    pub fields: Fields,
    /// `None`: the kind has no children or the source tells none. Rows of child columns, in order (lab components, family conditions, occurrences).
    pub children: Option<Vec<Fields>>,
    /// `source_key` of the practitioner, put into the record's `practitioner_id`.
    pub practitioner: Option<String>,
    pub pharmacy: Option<String>,
    pub links: Vec<LinkDraft>,
    pub codes: Vec<CodeDraft>,
    /// Resource types and keys of the other resources that went into this record (a report's observations, a blood pressure's two sides).
    pub parts: Vec<(String, String)>,
    /// The resource itself, or an array of all that went in.
    pub original: serde_json::Value,
}

/// A tie to another record of the same file; dangling ones are dropped by the reader with a `Problem`.
#[derive(Debug, Clone)]
pub struct LinkDraft {
    /// `condition_id`, `medication_id`, `visit_id`, `father_id`, `mother_id` (columns that are links), or `related`.
    pub relation: &'static str,
    pub to: String,
}

/// A code as it came; `system` is the URI of the source (`http://loinc.org`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeDraft {
    pub system: String,
    pub code: String,
    pub display: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Leftover {
    pub source_key: String,
    pub resource_type: String,
    /// `source_key` of the patient it is about, where the source says.
    pub patient: Option<String>,
    pub reason: LeftoverReason,
    pub original: serde_json::Value,
}

/// Why something was kept without becoming a record; the words of the database and of the catalogue (`import.reason.`) are [`Self::word`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftoverReason {
    /// Known, and waiting for a kind of record that will hold it (bills, goals, imaging).
    NoHomeYet,
    /// The source itself withdrew it (`entered-in-error`).
    Withdrawn,
    /// Does not have what it takes to be a record (an observation without a code and a value).
    NotUnderstood,
    /// About nobody in this file.
    NoPatient,
    /// A measurement that cannot be (a negative pulse): no value of a chart, and not to be lost either.
    Impossible,
}

impl LeftoverReason {
    pub fn word(self) -> &'static str {
        match self {
            Self::NoHomeYet => "no_home_yet",
            Self::Withdrawn => "withdrawn",
            Self::NotUnderstood => "not_understood",
            Self::NoPatient => "no_patient",
            Self::Impossible => "impossible",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Problem {
    /// `entry 12: Observation/abc`.
    pub place: String,
    pub what: ProblemKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemKind {
    DanglingReference(String),
    /// A tie to a record of somebody else in the same file.
    OthersRecord(String),
    /// A tie to an entry of the file that became no record.
    TieWithoutRecord(String),
    /// Whom it is about is not in the file.
    UnknownSubject(String),
    /// A value that no living body can have.
    Impossible(String),
    DuplicateId,
    BadDate(String),
    UnknownUnit(String),
    UnknownResourceType,
    MissingResource,
    /// Anything else, as a catalogue key under `import.problem.`.
    Other(&'static str),
}

/// Why a file could not be read at all. Each has one message; nothing was changed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadError {
    #[error("the file is empty")]
    Empty,
    #[error("the file is of no known format; FHIR R4 bundles (JSON) can be read")]
    UnknownFormat,
    #[error("the file is larger than {} MB", limit / 1024 / 1024)]
    TooLarge { limit: usize },
    #[error("the file is not JSON: {0}")]
    NotJson(String),
    #[error("the file ends in the middle (line {line})")]
    Truncated { line: usize },
    #[error("the file is nested deeper than {limit} levels")]
    TooDeep { limit: usize },
    #[error("the file is JSON, but not a FHIR R4 resource")]
    NotFhir,
    #[error("a {0} cannot be imported; a Bundle is expected")]
    WrongResource(String),
    #[error("the bundle is of type {0}; transaction, collection, document, batch, searchset and message bundles can be read")]
    WrongBundle(String),
    #[error("the bundle holds no entries")]
    NoEntries,
    #[error("the file is about no patient")]
    NoPatient,
}
