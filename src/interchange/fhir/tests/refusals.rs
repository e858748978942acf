use serde_json::json;

use super::super::super::draft::ReadError;
use super::super::{SIZE_LIMIT, read};
use super::bundle;

fn refusal(bytes: &[u8]) -> ReadError {
    read(bytes).unwrap_err()
}

#[test]
fn a_file_that_is_no_bundle_is_refused_with_its_own_reason() {
    assert_eq!(refusal(b""), ReadError::Empty);
    assert_eq!(refusal(b"\xef\xbb\xbf \n\t"), ReadError::Empty);
    assert!(matches!(refusal(b"%PDF-1.7 ["), ReadError::NotJson(_)));
    assert!(matches!(refusal(b"<Bundle/>"), ReadError::NotJson(_)));
    assert!(matches!(refusal(b"{\"resourceType\": \"\xff\"}"), ReadError::NotJson(_)));
    assert!(matches!(refusal(b"{\"resourceType\": \"Bundle\0\"}"), ReadError::NotJson(_)));
    assert!(matches!(refusal(b"{}\0\0"), ReadError::NotJson(_)));
    assert!(matches!(refusal(b"\xff\xfe{\0}\0"), ReadError::NotJson(_)));
    assert_eq!(refusal(b"[1, 2]"), ReadError::NotFhir);
    assert_eq!(refusal(b"\"Bundle\""), ReadError::NotFhir);
    assert_eq!(refusal(b"{\"name\": \"Ana\"}"), ReadError::NotFhir);
    assert_eq!(refusal(b"{\"resourceType\": 7}"), ReadError::NotFhir);
    assert_eq!(refusal(b"{\"resourceType\": \"Patient\"}"), ReadError::WrongResource("Patient".to_owned()));
    let answer = b"{\"resourceType\": \"Bundle\", \"type\": \"transaction-response\"}";
    assert_eq!(refusal(answer), ReadError::WrongBundle("transaction-response".to_owned()));
    assert_eq!(refusal(b"{\"resourceType\": \"Bundle\"}"), ReadError::WrongBundle("unknown".to_owned()));
    assert_eq!(refusal(b"{\"resourceType\": \"Bundle\", \"type\": \"batch\"}"), ReadError::NoEntries);
    assert_eq!(refusal(b"{\"resourceType\": \"Bundle\", \"type\": \"batch\", \"entry\": [{}, 3, null]}"), ReadError::NoEntries);
}

#[test]
fn a_file_about_nobody_is_refused() {
    let practice = json!({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {"resourceType": "Organization", "id": "o", "name": "Clinic"}}]});
    assert_eq!(refusal(practice.to_string().as_bytes()), ReadError::NoPatient);
}

#[test]
fn every_cut_of_a_bundle_is_called_truncated() {
    let text = serde_json::to_string_pretty(&bundle(&[json!({"resourceType": "Flag", "status": "a\\\"b{["})])).unwrap();
    for end in 1..text.len() {
        match read(&text.as_bytes()[..end]) {
            Err(ReadError::Truncated { line }) => assert!(line >= 1),
            other => panic!("{end}: {other:?}"),
        }
    }
}

#[test]
fn size_and_depth_are_looked_at_first() {
    let large = vec![b' '; SIZE_LIMIT + 1];
    assert_eq!(refusal(&large), ReadError::TooLarge { limit: SIZE_LIMIT });
    let deep = "[".repeat(5_000_000);
    assert_eq!(refusal(deep.as_bytes()), ReadError::TooDeep { limit: 64 });
    let nested = format!("{}1{}", "{\"a\":".repeat(65), "}".repeat(65));
    assert_eq!(refusal(nested.as_bytes()), ReadError::TooDeep { limit: 64 });
    let allowed = format!("{}1{}", "{\"a\":".repeat(64), "}".repeat(64));
    assert_eq!(refusal(allowed.as_bytes()), ReadError::NotFhir);
    // Brackets in a text do not nest.
    let words = format!("{{\"a\": \"{}\"}}", "[".repeat(200));
    assert_eq!(refusal(words.as_bytes()), ReadError::NotFhir);
}

#[test]
fn a_byte_order_mark_is_no_obstacle() {
    let mut bytes = b"\xef\xbb\xbf".to_vec();
    bytes.extend(bundle(&[]).to_string().into_bytes());
    assert_eq!(read(&bytes).unwrap().patients.len(), 1);
}

#[test]
fn wrong_shapes_inside_are_never_fatal() {
    let kinds = [
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Location",
        "Medication",
        "Observation",
        "DiagnosticReport",
        "Condition",
        "AllergyIntolerance",
        "MedicationRequest",
        "MedicationStatement",
        "Immunization",
        "Procedure",
        "Encounter",
        "CarePlan",
        "Device",
        "DeviceUseStatement",
        "Coverage",
        "FamilyMemberHistory",
        "RelatedPerson",
        "Composition",
        "Bundle",
        "Claim",
        "Nonsense",
        "",
    ];
    let keys = [
        "id",
        "status",
        "code",
        "category",
        "subject",
        "patient",
        "beneficiary",
        "name",
        "telecom",
        "address",
        "identifier",
        "contact",
        "component",
        "result",
        "hasMember",
        "valueQuantity",
        "valueRatio",
        "valueRange",
        "referenceRange",
        "interpretation",
        "note",
        "dosage",
        "dosageInstruction",
        "medicationReference",
        "medicationCodeableConcept",
        "reaction",
        "period",
        "performedPeriod",
        "participant",
        "location",
        "diagnosis",
        "class",
        "activity",
        "device",
        "payor",
        "condition",
        "relationship",
        "practitioner",
        "contained",
        "entry",
        "communication",
        "presentedForm",
        "protocolApplied",
        "onsetDateTime",
        "birthDate",
        "deceasedDateTime",
        "effectiveDateTime",
        "encounter",
        "clinicalStatus",
        "verificationStatus",
    ];
    let shapes = [
        json!(null),
        json!(7),
        json!("x"),
        json!([]),
        json!({}),
        json!([[]]),
        json!([null, 3, {"reference": "#x"}]),
        json!({"reference": "Patient/ana"}),
        json!({"coding": 3, "text": ["a"]}),
        json!({"coding": [null, {"code": 5}], "start": "2020-13-40", "value": {"value": "1"}}),
        json!("\u{0}\u{1}é"),
    ];
    for kind in kinds {
        for shape in &shapes {
            let mut resource = json!({"resourceType": kind});
            for key in keys {
                resource[key] = shape.clone();
            }
            let mut about = resource.clone();
            about["id"] = json!("y");
            about["subject"] = json!({"reference": "Patient/ana"});
            about["patient"] = about["subject"].clone();
            about["beneficiary"] = about["subject"].clone();
            about["code"] = json!({"text": "Something"});
            super::told(&[resource, about]);
        }
    }
}
