use serde_json::{Value, json};

use super::super::super::draft::{LeftoverReason, ProblemKind};
use super::{about_ana, coded, field, number, record, told};

fn reason(kind: &str, members: Value) -> LeftoverReason {
    let told = told(&[about_ana(kind, members)]);
    assert!(told.records.is_empty());
    told.leftovers[0].reason
}

#[test]
fn a_condition_with_two_names_and_codes() {
    let draft = record(
        "Condition",
        json!({
            "code": {"text": "Sugar", "coding": [
                {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E11.9", "display": "Type 2 diabetes mellitus without complications"},
                {"system": "http://snomed.info/sct", "code": "44054006"},
            ]},
            "clinicalStatus": {"coding": [{"code": "relapse"}]}, "verificationStatus": {"coding": [{"code": "provisional"}]},
            "severity": coded("http://snomed.info/sct", "6736007", "Matig"), "onsetAge": {"value": 41, "unit": "years"},
            "note": [{"text": "line one\r\nline\u{7} two"}],
        }),
    );
    for (column, text) in [
        ("diagnosis", "Sugar"),
        ("condition_name", "Type 2 diabetes mellitus without complications"),
        ("icd10_code", "E11.9"),
        ("snomed_code", "44054006"),
        ("status", "relapse"),
        ("severity", "moderate"),
        ("notes", "onset: 41 years\nverification: provisional\nline one\nline two"),
        ("onset_date", ""),
    ] {
        assert_eq!(field(&draft.fields, column), text, "{column}");
    }
    assert_eq!(draft.codes.len(), 2);
}

#[test]
fn an_end_is_kept_and_questioned_where_the_status_denies_it() {
    let told =
        told(&[about_ana("Condition", json!({"code": {"text": "Cough"}, "clinicalStatus": "active", "abatementDateTime": "2020-02"}))]);
    assert_eq!(field(&told.records[0].fields, "end_date"), "2020-02");
    assert_eq!(field(&told.records[0].fields, "status"), "active");
    assert_eq!(told.problems[0].what, ProblemKind::Other("end_without_resolved"));
}

#[test]
fn refuted_withdrawn_and_nameless_are_no_records() {
    let verified = |code: &str| json!({"code": {"text": "Cough"}, "verificationStatus": {"coding": [{"code": code}]}});
    assert_eq!(reason("Condition", verified("refuted")), LeftoverReason::Withdrawn);
    assert_eq!(reason("AllergyIntolerance", verified("entered-in-error")), LeftoverReason::Withdrawn);
    assert_eq!(reason("Condition", json!({"note": [{"text": "?"}]})), LeftoverReason::NotUnderstood);
    assert_eq!(reason("Immunization", json!({"status": "not-done", "vaccineCode": {"text": "Tetanus"}})), LeftoverReason::NotUnderstood);
    assert_eq!(
        reason("MedicationRequest", json!({"doNotPerform": true, "medicationCodeableConcept": {"text": "Aspirin"}})),
        LeftoverReason::NotUnderstood
    );
}

#[test]
fn nothing_known_is_a_statement_and_no_record() {
    let absent = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips";
    let told = told(&[
        about_ana("AllergyIntolerance", json!({"id": "1", "code": coded("http://snomed.info/sct", "716186003", "No known allergy")})),
        about_ana("AllergyIntolerance", json!({"id": "2", "code": {"text": "No known allergies."}})),
        about_ana("Condition", json!({"id": "3", "code": coded(absent, "no-known-problems", "No known problems")})),
        about_ana("MedicationStatement", json!({"id": "4", "medicationCodeableConcept": coded(absent, "no-known-medications", "None")})),
        about_ana("MedicationStatement", json!({"id": "5", "medicationCodeableConcept": coded(absent, "no-medication-info", "Unknown")})),
        about_ana("AllergyIntolerance", json!({"id": "6", "code": {"text": "No known allergies except latex"}})),
    ]);
    let ana = "Patient/ana".to_owned();
    assert_eq!(told.none_known, [(ana.clone(), "allergies"), (ana.clone(), "conditions"), (ana, "medications")]);
    assert_eq!(told.handled.len(), 4);
    assert_eq!(told.leftovers[0].reason, LeftoverReason::NotUnderstood);
    assert_eq!(told.records.len(), 1);
}

#[test]
fn a_denial_that_no_longer_holds_denies_nothing() {
    let none = coded("http://snomed.info/sct", "716186003", "No known allergy");
    let over = json!({"code": none, "clinicalStatus": {"coding": [{"code": "inactive"}]}});
    assert_eq!(reason("AllergyIntolerance", over), LeftoverReason::Withdrawn);
}

#[test]
fn an_allergy_shows_its_worst_reaction_and_invents_no_date() {
    let draft = record(
        "AllergyIntolerance",
        json!({
            "code": {"text": "Walnut"}, "criticality": "high", "recordedDate": "2011-01-01", "clinicalStatus": {"coding": [{"code": "active"}]},
            "verificationStatus": {"coding": [{"code": "unconfirmed"}]},
            "reaction": [{"manifestation": [{"text": "Hives"}, {"text": "Swelling"}], "severity": "mild"}, {"manifestation": [{"text": "Hives"}], "severity": "severe"}],
        }),
    );
    assert_eq!(field(&draft.fields, "reaction"), "Hives, Swelling");
    assert_eq!(field(&draft.fields, "severity"), "severe");
    assert_eq!(field(&draft.fields, "status"), "unconfirmed");
    assert_eq!(field(&draft.fields, "notes"), "criticality: high");
    assert_eq!(field(&draft.fields, "onset_date"), "");
}

fn dosed(dosage: Value) -> (String, String, String) {
    let draft = record("MedicationRequest", json!({"medicationCodeableConcept": {"text": "Pill"}, "dosageInstruction": dosage}));
    let get = |column| field(&draft.fields, column).to_owned();
    (get("dosage"), get("frequency"), get("notes"))
}

fn owned(dosage: &str, frequency: &str, notes: &str) -> (String, String, String) {
    (dosage.to_owned(), frequency.to_owned(), notes.to_owned())
}

#[test]
fn how_to_take_it_is_written_in_words() {
    let dose = json!([{"doseQuantity": {"value": 2, "unit": "tablet"}}]);
    assert_eq!(
        dosed(
            json!([{"text": "2 tablets three times daily with food", "doseAndRate": dose, "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d", "when": ["PC"]}}}])
        ),
        owned("2 tablet", "3 times a day, after a meal", "2 tablets three times daily with food")
    );
    assert_eq!(dosed(json!([{"text": "as directed"}])), owned("as directed", "", ""));
    assert_eq!(
        dosed(json!([{"text": "when it hurts", "doseAndRate": dose, "asNeededBoolean": true}])),
        owned("2 tablet", "when it hurts", "")
    );
    assert_eq!(
        dosed(
            json!([{"timing": {"repeat": {"frequency": 1, "period": 8, "periodUnit": "h"}}, "asNeededCodeableConcept": {"text": "pain"}}])
        ),
        owned("", "every 8 hours, as needed for pain", "")
    );
    assert_eq!(
        dosed(json!([{"timing": {"repeat": {"frequency": 2, "period": number("1.0"), "periodUnit": "d"}}}])),
        owned("", "2 times a day", "")
    );
    assert_eq!(dosed(json!([{"asNeededBoolean": true}])), owned("", "as needed", ""));
    assert_eq!(
        dosed(json!([{"timing": {"code": {"coding": [{"code": "BID"}]}, "repeat": {"boundsDuration": {"value": 10, "unit": "days"}}}}])),
        owned("", "2 times a day, for 10 days", "")
    );
    assert_eq!(
        dosed(json!([
            {"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon"], "timeOfDay": ["08:00:00"]}}},
            {"text": "then half", "doseAndRate": [{"doseRange": {"low": {"value": 0.5}, "high": {"value": 1, "unit": "mg"}}}], "patientInstruction": "No milk"},
        ])),
        owned("", "once a week, at 08:00, on Monday", "then half, 0.5 - 1 mg\nNo milk")
    );
}

#[test]
fn a_prescription_never_gets_an_end_that_nobody_told() {
    let draft = record(
        "MedicationRequest",
        json!({"status": "completed", "authoredOn": "2020-05-01", "medicationCodeableConcept": {"text": "Pill"}}),
    );
    assert_eq!(field(&draft.fields, "effective_period_start"), "2020-05-01");
    assert_eq!(field(&draft.fields, "status"), "completed");
    assert!(!draft.fields.contains_key("effective_period_end"));
    let draft = record(
        "MedicationStatement",
        json!({"status": "not-taken", "effectivePeriod": {"end": "2021"}, "medicationCodeableConcept": {"text": "Pill"}}),
    );
    assert_eq!(field(&draft.fields, "effective_period_end"), "2021");
    assert_eq!(field(&draft.fields, "status"), "stopped");
    assert_eq!(field(&draft.fields, "medication_type"), "");
}

#[test]
fn a_medication_of_its_own_goes_to_the_first_that_uses_it() {
    let told = told(&[
        json!({"resourceType": "Medication", "id": "m", "code": coded("http://www.nlm.nih.gov/research/umls/rxnorm", "1191", "Aspirin")}),
        json!({"resourceType": "Organization", "id": "ph", "name": "Corner Drugs"}),
        json!({"resourceType": "Condition", "id": "c", "code": {"text": "Pain"}, "subject": {"reference": "Patient/ana"}}),
        about_ana(
            "MedicationRequest",
            json!({"id": "1", "medicationReference": {"reference": "Medication/m"}, "reasonReference": [{"reference": "Condition/c"}],
            "dispenseRequest": {"performer": {"reference": "Organization/ph"}}}),
        ),
        about_ana("MedicationStatement", json!({"id": "2", "medicationReference": {"reference": "Medication/m"}})),
        about_ana(
            "MedicationStatement",
            json!({"id": "3", "medicationReference": {"reference": "#in"}, "contained": [{"resourceType": "Medication", "id": "in", "code": {"text": "Tea"}}]}),
        ),
    ]);
    let names: Vec<_> = told.records.iter().skip(1).map(|draft| field(&draft.fields, "medication_name")).collect();
    assert_eq!(names, ["Aspirin", "Aspirin", "Tea"]);
    let first = &told.records[1];
    assert_eq!(first.parts, [("Medication".to_owned(), "Medication/m".to_owned())]);
    assert_eq!(first.original.as_array().map(Vec::len), Some(2));
    assert_eq!(first.codes[0].code, "1191");
    assert_eq!((first.links[0].relation, first.links[0].to.as_str()), ("related", "Condition/c"));
    assert_eq!(first.pharmacy.as_deref(), Some("Organization/ph"));
    assert_eq!(told.pharmacies.len(), 1);
}

#[test]
fn a_visit_its_procedure_and_its_plan_are_tied() {
    let told = told(&[
        json!({"resourceType": "Location", "id": "l", "name": "Ward 3"}),
        about_ana(
            "Encounter",
            json!({"id": "e", "status": "finished", "class": {"code": "EMER"}, "reasonCode": [{"text": "Fall"}], "location": [{"location": {"reference": "Location/l"}}],
            "period": {"start": "2020-01-01T10:00:00+01:00", "end": "2020-01-01T11:30:00+01:00"}, "diagnosis": [{"condition": {"reference": "Condition/c"}}]}),
        ),
        about_ana("Condition", json!({"id": "c", "code": {"text": "Sprain"}})),
        about_ana(
            "Procedure",
            json!({"id": "p", "status": "completed", "code": {"coding": [{"system": "http://snomed.info/sct", "code": "1"}, {"system": "http://www.ama-assn.org/go/cpt", "code": "29540"}], "text": "Strapping"},
            "performedPeriod": {"start": "2020-01-01", "end": "2020-01-02"}, "encounter": {"reference": "Encounter/e"}, "reasonReference": [{"reference": "Condition/c"}]}),
        ),
        about_ana(
            "CarePlan",
            json!({"id": "t", "status": "revoked", "category": [{"text": "Rest"}], "addresses": [{"reference": "Condition/c"}],
            "activity": [{"detail": {"code": {"text": "Cooling"}, "status": "completed"}}, {"detail": {"description": "Running", "doNotPerform": true}}]}),
        ),
    ]);
    let by = |kind: &str| told.records.iter().find(|draft| draft.kind == kind).unwrap();
    let visit = by("encounters");
    for (column, text) in [
        ("reason", "Fall"),
        ("date", "2020-01-01T10:00:00+01:00"),
        ("duration_minutes", "90"),
        ("visit_type", "emergency"),
        ("priority", "emergency"),
        ("location", "Ward 3"),
        ("status", "completed"),
    ] {
        assert_eq!(field(&visit.fields, column), text, "{column}");
    }
    assert_eq!(visit.parts.len(), 1);
    assert_eq!(visit.links[0].relation, "condition_id");
    let procedure = by("procedures");
    assert_eq!(field(&procedure.fields, "procedure_code"), "29540");
    assert_eq!(field(&procedure.fields, "date"), "2020-01-01");
    // Two days have no minutes between them.
    assert_eq!(field(&procedure.fields, "procedure_duration"), "");
    assert_eq!(field(&procedure.fields, "notes"), "until: 2020-01-02");
    let relations: Vec<_> = procedure.links.iter().map(|link| (link.relation, link.to.as_str())).collect();
    assert_eq!(relations, [("condition_id", "Condition/c"), ("visit_id", "Encounter/e")]);
    let plan = by("treatments");
    assert_eq!(field(&plan.fields, "description"), "Cooling (completed)\nnot to be done: Running");
    assert_eq!(field(&plan.fields, "status"), "cancelled");
}

#[test]
fn a_tie_to_another_patients_record_is_cut() {
    let told = told(&[
        json!({"resourceType": "Patient", "id": "bo"}),
        json!({"resourceType": "Encounter", "id": "e", "subject": {"reference": "Patient/bo"}, "period": {"start": "2020"}}),
        about_ana("Condition", json!({"code": {"text": "Cough"}, "encounter": {"reference": "Encounter/e"}})),
    ]);
    assert!(told.records[1].links.is_empty());
    assert_eq!(told.problems[0].what, ProblemKind::OthersRecord("Encounter/e".to_owned()));
}

#[test]
fn a_dose_number_is_a_number_or_a_note() {
    let dose = |number: Value| {
        record(
            "Immunization",
            json!({"vaccineCode": coded("http://hl7.org/fhir/sid/cvx", "08", "Hep B"), "occurrenceDateTime": "2001", "protocolApplied": [number]}),
        )
    };
    assert_eq!(field(&dose(json!({"doseNumberPositiveInt": 2})).fields, "dose_number"), "2");
    assert_eq!(field(&dose(json!({"doseNumberString": "3"})).fields, "dose_number"), "3");
    let booster = dose(json!({"doseNumberString": "booster"}));
    assert_eq!((field(&booster.fields, "dose_number"), field(&booster.fields, "notes")), ("", "dose number: booster"));
    assert_eq!(booster.codes[0].code, "08");
}

#[test]
fn a_relative_has_conditions_as_children() {
    let draft = record(
        "FamilyMemberHistory",
        json!({"relationship": coded("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "MUNCLE", "maternal uncle"), "sex": {"coding": [{"code": "male"}]}, "bornDate": "1940-05",
            "deceasedAge": {"value": 70, "unit": "a"}, "condition": [
                {"code": {"text": "Stroke"}, "onsetAge": {"value": 60, "code": "a"}, "contributedToDeath": true}, {"code": {"text": "Asthma"}, "onsetString": "childhood"}]}),
    );
    for (column, text) in [
        ("name", "maternal uncle"),
        ("relationship", "uncle"),
        ("side", "maternal"),
        ("gender", "male"),
        ("birth_year", "1940"),
        ("is_deceased", "true"),
        ("death_year", ""),
        ("notes", "died at: 70 years"),
    ] {
        assert_eq!(field(&draft.fields, column), text, "{column}");
    }
    let rows = draft.children.unwrap();
    assert_eq!((field(&rows[0], "diagnosis_age"), field(&rows[0], "notes")), ("60", "contributed to the death"));
    assert_eq!((field(&rows[1], "diagnosis_age"), field(&rows[1], "notes")), ("", "onset: childhood"));
}

#[test]
fn a_device_and_the_statement_of_its_use() {
    let told = told(&[
        json!({"resourceType": "Device", "id": "d", "type": {"text": "Walker"}, "serialNumber": "S-1", "manufacturer": "Acme"}),
        about_ana(
            "Device",
            json!({"id": "own", "deviceName": [{"name": "Pump 3", "type": "user-friendly-name"}], "status": "active", "udiCarrier": [{"carrierHRF": "(01)55"}]}),
        ),
        about_ana("DeviceUseStatement", json!({"id": "u", "device": {"reference": "Device/d"}, "status": "completed"})),
    ]);
    let kinds: Vec<_> = told
        .records
        .iter()
        .map(|draft| (draft.source_key.as_str(), field(&draft.fields, "equipment_name"), field(&draft.fields, "status")))
        .collect();
    assert_eq!(kinds, [("Device/own", "Pump 3", "active"), ("DeviceUseStatement/u", "Walker", "inactive")]);
    assert_eq!(field(&told.records[0].fields, "notes"), "UDI: (01)55");
    assert_eq!(told.records[1].parts, [("Device".to_owned(), "Device/d".to_owned())]);
}

#[test]
fn a_device_outlives_a_statement_that_was_withdrawn() {
    let told = told(&[
        about_ana("DeviceUseStatement", json!({"id": "u", "device": {"reference": "Device/x"}, "status": "entered-in-error"})),
        about_ana("Device", json!({"type": {"text": "Walker"}})),
    ]);
    assert_eq!(told.records[0].source_key, "Device/x");
}

#[test]
fn what_the_source_calls_sensitive_stays_so() {
    let label = json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"}]});
    let draft = record("Condition", json!({"meta": label, "code": {"text": "Depression"}}));
    assert_eq!(field(&draft.fields, "sensitivity"), "mental_health");
}
