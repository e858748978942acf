//! Coded words: a text for people, the codes beside it for machines.

use serde_json::Value;

use super::super::draft::CodeDraft;
use super::json;

pub const LOINC: &[&str] = &["http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"];
pub const SNOMED: &[&str] = &["http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"];
pub const CPT: &[&str] = &["http://www.ama-assn.org/go/cpt", "urn:oid:2.16.840.1.113883.6.12"];

/// The name people would use: the text, else what was picked on the screen, else the first display, else the bare code.
pub fn name(concept: Option<&Value>) -> Option<String> {
    let concept = concept?;
    match concept {
        Value::String(text) => return json::clean_line(text),
        Value::Array(items) => return items.iter().find_map(|item| name(Some(item))),
        _ => {}
    }
    json::text(concept, "text")
        .or_else(|| picked(concept).and_then(|coding| json::text(coding, "display")))
        .or_else(|| json::list(concept, "coding").iter().find_map(|coding| json::text(coding, "display")))
        .or_else(|| json::text(concept, "display"))
        .or_else(|| code(Some(concept)))
        .or_else(|| name(concept.get("concept")))
}

fn picked(concept: &Value) -> Option<&Value> {
    json::list(concept, "coding").iter().find(|coding| json::flag(coding, "userSelected") == Some(true))
}

/// All names of a list of concepts.
pub fn names(concepts: &[Value], between: &str) -> Option<String> {
    json::joined(concepts.iter().map(|concept| name(Some(concept))), between)
}

/// The first code of a concept, of a coding or of a plain code (STU3 writes statuses as plain codes).
pub fn code(concept: Option<&Value>) -> Option<String> {
    let concept = concept?;
    match concept {
        Value::String(text) => json::clean_line(text),
        Value::Array(items) => items.iter().find_map(|item| code(Some(item))),
        _ => json::list(concept, "coding").iter().find_map(|coding| json::text(coding, "code")).or_else(|| json::text(concept, "code")),
    }
}

/// Every code of a concept or of a list of concepts.
pub fn all(concept: Option<&Value>) -> Vec<CodeDraft> {
    let Some(concept) = concept else { return Vec::new() };
    if let Value::Array(items) = concept {
        return items.iter().flat_map(|item| all(Some(item))).collect();
    }
    let codings = json::list(concept, "coding");
    codings
        .iter()
        .filter_map(|coding| {
            Some(CodeDraft {
                system: json::text(coding, "system").unwrap_or_default(),
                code: json::text(coding, "code")?,
                display: json::text(coding, "display"),
            })
        })
        .collect()
}

/// The first code of one of these systems.
pub fn of<'a>(codes: &'a [CodeDraft], systems: &[&str]) -> Option<&'a CodeDraft> {
    codes.iter().find(|code| systems.contains(&code.system.trim_end_matches('/')))
}

/// ICD-10 in any of its national editions.
pub fn icd10(codes: &[CodeDraft]) -> Option<&CodeDraft> {
    codes.iter().find(|code| {
        let system = code.system.to_ascii_lowercase();
        system.contains("icd-10")
            || system.contains("icd10")
            || system.ends_with("2.16.840.1.113883.6.90")
            || system.ends_with("2.16.840.1.113883.6.3")
    })
}

/// Mild, moderate or severe, from the code or the word.
pub fn severity(concept: Option<&Value>) -> Option<&'static str> {
    let by_code = all(concept).iter().find_map(|coding| match coding.code.as_str() {
        "255604002" | "LA6752-5" => Some("mild"),
        "6736007" | "LA6751-7" => Some("moderate"),
        "24484000" | "LA6750-9" => Some("severe"),
        "442452003" => Some("life-threatening"),
        _ => None,
    });
    by_code.or_else(|| {
        let word = name(concept)?.to_lowercase();
        let words =
            [("life", "life-threatening"), ("fatal", "life-threatening"), ("severe", "severe"), ("moderate", "moderate"), ("mild", "mild")];
        words.into_iter().find(|(part, _)| word.contains(part)).map(|(_, severity)| severity)
    })
}

/// What the source marked as not for everybody's eyes, in the words of a chart.
pub fn sensitivity(resource: &Value) -> Option<&'static str> {
    let labels = json::list(resource.get("meta")?, "security");
    labels.iter().filter_map(|label| json::text(label, "code")).find_map(|code| match code.as_str() {
        "PSY" | "PSYTHPN" | "MH" | "BH" => Some("mental_health"),
        "ETH" | "ETHUD" | "SUD" | "OPIOIDUD" => Some("substance_use"),
        "SDV" | "VIO" => Some("violence"),
        "SEX" | "HIV" | "STD" => Some("sexual_health"),
        _ => None,
    })
}

/// What an International Patient Summary says instead of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// "No known allergies": somebody asked.
    NoneKnown,
    /// "No information about allergies": nobody did.
    NoInformation,
}

pub fn absence(concept: Option<&Value>) -> Option<Absence> {
    let by_code = all(concept).iter().find_map(|coding| {
        let code = coding.code.as_str();
        if coding.system.contains("absent-unknown") {
            if code.starts_with("no-known-") {
                return Some(Absence::NoneKnown);
            }
            if code.starts_with("no-") && code.ends_with("-info") {
                return Some(Absence::NoInformation);
            }
        }
        (SNOMED.contains(&coding.system.as_str()) && NONE_KNOWN.contains(&code)).then_some(Absence::NoneKnown)
    });
    by_code.or_else(|| {
        let words = json::text(concept?, "text")?.to_lowercase();
        NONE_KNOWN_WORDS.contains(&words.trim_end_matches('.')).then_some(Absence::NoneKnown)
    })
}

/// Whether an entry still holds: it may be over, or found to be wrong, and so may "no known allergies".
pub fn holds(resource: &Value) -> bool {
    let over = matches!(code(resource.get("clinicalStatus")).as_deref(), Some("inactive" | "resolved"));
    let wrong = code(resource.get("verificationStatus")).as_deref() == Some("refuted");
    !over && !wrong
}

/// SNOMED: no known allergy (any, drug, food, environment, insect, latex), no current problems, no known medications.
const NONE_KNOWN: &[&str] = &[
    "716186003",
    "409137002",
    "429625007",
    "428607008",
    "428197003",
    "716184000",
    "1003774007",
    "160245001",
    "787481004",
    "160244002",
    "716185004",
];

/// Servers without codes write the statement out. Only whole texts count, so that "no known allergies except latex" stays an entry.
const NONE_KNOWN_WORDS: &[&str] = &[
    "no known allergies",
    "no known allergy",
    "no known drug allergies",
    "no known drug allergy",
    "no known food allergies",
    "nka",
    "nkda",
    "no known medications",
    "no known problems",
    "no known conditions",
];
