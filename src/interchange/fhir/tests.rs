//! Bundles of a few lines, each for one rule; and the samples, for everything at once.

mod book;
mod people;
mod records;
mod refusals;
mod results;
mod samples;
mod truth;

use serde_json::{Value, json};

use super::super::draft::{Draft, Fields, Told};
use super::{read, unaccounted};

/// A collection about Ana, with these resources beside her.
fn bundle(resources: &[Value]) -> Value {
    let ana = json!({"resourceType": "Patient", "id": "ana", "name": [{"family": "Reyes", "given": ["Ana"]}]});
    let entries: Vec<Value> = std::iter::once(&ana).chain(resources).map(|resource| json!({"resource": resource})).collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
}

fn told(resources: &[Value]) -> Told {
    told_of(&bundle(resources))
}

fn told_of(bundle: &Value) -> Told {
    let told = read(bundle.to_string().as_bytes()).unwrap();
    assert_eq!(unaccounted(&told), Vec::new());
    told
}

/// The one record that a resource about Ana becomes. The macro-like merge keeps the tests short: type and subject are added.
fn record(kind: &str, members: Value) -> Draft {
    let mut told = told(&[about_ana(kind, members)]);
    assert_eq!(told.records.len(), 1, "{:?}", told.leftovers);
    told.records.remove(0)
}

fn about_ana(kind: &str, members: Value) -> Value {
    let whom = if matches!(kind, "AllergyIntolerance" | "Immunization" | "FamilyMemberHistory" | "RelatedPerson" | "Device") {
        "patient"
    } else if kind == "Coverage" {
        "beneficiary"
    } else {
        "subject"
    };
    let mut resource = json!({"resourceType": kind, "id": "x", whom: {"reference": "Patient/ana"}});
    for (name, member) in members.as_object().unwrap() {
        resource[name] = member.clone();
    }
    resource
}

fn field<'a>(fields: &'a Fields, column: &str) -> &'a str {
    fields.get(column).map_or("", String::as_str)
}

fn coded(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": display}]})
}

fn loinc(code: &str, display: &str) -> Value {
    coded("http://loinc.org", code, display)
}

fn category(code: &str) -> Value {
    json!([coded("http://terminology.hl7.org/CodeSystem/observation-category", code, code)])
}

/// JSON text with a number that `json!` would have to round.
fn number(digits: &str) -> Value {
    serde_json::from_str(digits).unwrap()
}
