//! A FHIR bundle of about a megabyte: one person, visits, medications, conditions and laboratory values.

use serde_json::{Value, json};

use crate::vocabulary::{CONDITIONS, Dice, MEDICINES, REASONS, TESTS};

const SIZE: usize = 1024 * 1024;

pub fn text() -> String {
    let mut dice = Dice::new(4711);
    let patient = json!({"resourceType": "Patient", "id": "bench", "name": [{"family": "Import", "given": ["Bea"]}], "birthDate": "1970-02-03", "gender": "female"});
    let mut entries = vec![entry("bench", patient)];
    let mut size = 0;
    let mut n = 0;
    while size < SIZE {
        n += 1;
        let id = format!("r{n}");
        let resource = resource(&mut dice, n, &id);
        let made = entry(&id, resource);
        size += made.to_string().len() + 1;
        entries.push(made);
    }
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string()
}

fn entry(id: &str, resource: Value) -> Value {
    json!({"fullUrl": format!("urn:uuid:{id}"), "resource": resource})
}

fn resource(dice: &mut Dice, n: usize, id: &str) -> Value {
    let subject = json!({"reference": "urn:uuid:bench"});
    let day = format!("20{:02}-{:02}-{:02}T09:30:00-05:00", dice.between(10, 24), dice.between(1, 12), dice.between(1, 28));
    let code =
        |system: &str, code: String, text: &str| json!({"coding": [{"system": system, "code": code, "display": text}], "text": text});
    match n % 5 {
        0 => json!({"resourceType": "Encounter", "id": id, "status": "finished", "subject": subject, "period": {"start": day, "end": day},
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "type": [code("http://snomed.info/sct", (185_345_000 + n).to_string(), dice.pick(REASONS))]}),
        1 => {
            json!({"resourceType": "MedicationRequest", "id": id, "status": "active", "intent": "order", "subject": subject, "authoredOn": day,
            "medicationCodeableConcept": code("http://www.nlm.nih.gov/research/umls/rxnorm", (300_000 + n).to_string(), dice.pick(MEDICINES)),
            "dosageInstruction": [{"text": "one tablet twice daily with food"}]})
        }
        2 => json!({"resourceType": "Condition", "id": id, "subject": subject, "onsetDateTime": day,
            "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
            "code": code("http://snomed.info/sct", (195_660_000 + n).to_string(), dice.pick(CONDITIONS))}),
        _ => {
            let (name, loinc, unit, low, high) =
                TESTS.get(dice.below(TESTS.len())).copied().unwrap_or(("Glucose", "2345-7", "mg/dL", 70, 99));
            json!({"resourceType": "Observation", "id": id, "status": "final", "subject": subject, "effectiveDateTime": day,
                "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
                "code": code("http://loinc.org", loinc.to_owned(), name),
                "valueQuantity": {"value": dice.between(low, high), "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}})
        }
    }
}
