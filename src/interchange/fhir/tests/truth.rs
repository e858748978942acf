use serde_json::json;

use super::super::super::draft::{LeftoverReason, ProblemKind};
use super::{about_ana, category, coded, field, loinc, record, told, told_of};

fn vital(id: &str, code: &str, value: i64, unit: &str) -> serde_json::Value {
    about_ana(
        "Observation",
        json!({"id": id, "status": "final", "category": category("vital-signs"), "code": loinc(code, "Vital"), "effectiveDateTime": "2024-05-06",
            "valueQuantity": {"value": value, "unit": unit, "code": unit}}),
    )
}

#[test]
fn what_no_body_can_have_is_kept_aside_and_told() {
    let told = told(&[vital("pulse", "8867-4", -5, "/min"), vital("oxygen", "59408-5", 140, "%"), vital("fine", "8310-5", 37, "Cel")]);
    assert_eq!(told.records.len(), 1);
    assert_eq!(field(&told.records[0].fields, "temperature"), "37");
    let reasons: Vec<_> = told.leftovers.iter().map(|one| (one.source_key.as_str(), one.reason, one.patient.as_deref())).collect();
    let ana = Some("Patient/ana");
    assert_eq!(reasons, [("Observation/pulse", LeftoverReason::Impossible, ana), ("Observation/oxygen", LeftoverReason::Impossible, ana)]);
    let problems: Vec<_> = told.problems.iter().map(|problem| problem.what.clone()).collect();
    assert_eq!(problems, [ProblemKind::Impossible("-5 /min".into()), ProblemKind::Impossible("140 %".into())]);
}

#[test]
fn bounds_are_in_the_base_unit() {
    let told = told(&[vital("warm", "8310-5", 99, "[degF]"), vital("hot", "8310-5", 99, "Cel")]);
    assert_eq!((told.records.len(), told.leftovers.len()), (1, 1));
}

#[test]
fn of_two_with_one_id_the_last_is_taken() {
    let refuted = json!({"id": "c1", "code": {"text": "Cough"}, "verificationStatus": coded("x", "refuted", "Refuted")});
    let first = about_ana("Condition", refuted);
    let second = about_ana("Condition", json!({"id": "c1", "code": {"text": "Asthma"}}));
    let mut told = told(&[first.clone(), second.clone()]);
    assert_eq!((told.records.len(), told.leftovers.len()), (1, 1));
    assert_eq!(field(&told.records[0].fields, "diagnosis"), "Asthma");
    assert_eq!(told.records[0].source_key, "Condition/c1");
    assert_eq!(told.problems.remove(0).what, ProblemKind::Other("duplicate_id_last"));

    let mut history = super::bundle(&[second, first]);
    history["type"] = "history".into();
    let told = told_of(&history);
    assert_eq!(field(&told.records[0].fields, "diagnosis"), "Asthma");
}

#[test]
fn a_tie_says_why_it_was_cut() {
    let ben = json!({"resourceType": "Patient", "id": "ben", "name": [{"family": "Reyes", "given": ["Ben"]}]});
    let visit = json!({"resourceType": "Encounter", "id": "e1", "status": "finished", "subject": {"reference": "Patient/ben"},
        "type": [{"text": "Visit"}]});
    let others = about_ana("Condition", json!({"id": "c1", "code": {"text": "Cough"}, "encounter": {"reference": "Encounter/e1"}}));
    let told_one = told(&[ben, visit, others]);
    assert_eq!(told_one.problems[0].what, ProblemKind::OthersRecord("Encounter/e1".into()));

    let stranger = json!({"resourceType": "Condition", "id": "c", "code": {"text": "Cough"}, "subject": {"reference": "Patient/other"}});
    let told = told(&[stranger]);
    assert_eq!(told.problems[0].what, ProblemKind::UnknownSubject("Patient/other".into()));
    assert_eq!(told.leftovers.len(), 1);
}

#[test]
fn a_relative_by_code_alone_is_named_in_words() {
    let relative = |code: &str| {
        record(
            "FamilyMemberHistory",
            json!({"relationship": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": code}]},
                "deceasedAge": {"value": 70, "unit": "a", "code": "a"},
                "condition": [{"code": {"text": "Gout"}, "onsetRange": {"low": {"value": 40, "code": "a"}, "high": {"value": 45, "code": "a"}}}]}),
        )
    };
    let known = relative("MGRMTH");
    assert_eq!(field(&known.fields, "name"), "maternal grandmother");
    assert_eq!(field(&known.fields, "relationship"), "maternal_grandmother");
    assert_eq!(field(&known.fields, "notes"), "died at: 70 years");
    assert_eq!(field(&known.children.unwrap()[0], "notes"), "onset: 40 - 45 years");
    assert_eq!(field(&relative("STPMTH").fields, "name"), "stepmother");
    assert_eq!(field(&relative("XYZ").fields, "name"), "XYZ");
}

#[test]
fn a_range_has_the_unit_of_either_end() {
    let observed = record(
        "Observation",
        json!({"status": "final", "category": category("survey"), "code": {"text": "Walks"},
            "valueRange": {"low": {"value": 1}, "high": {"value": 3, "unit": "km"}}}),
    );
    assert_eq!((field(&observed.fields, "value"), field(&observed.fields, "value_unit")), ("1 - 3", "km"));
}

#[test]
fn what_a_card_says_reaches_its_fields() {
    let class = |sort: &str, value: &str| json!({"type": coded("http://terminology.hl7.org/CodeSystem/coverage-class", sort, sort), "value": value});
    let mut plan = class("plan", "B37FC");
    plan["name"] = "Full coverage".into();
    let classes = [
        class("group", "CB135"),
        plan,
        class("subgroup", "123"),
        class("rxbin", "987654"),
        class("rxpcn", "ADV"),
        class("rxgroup", "RX1"),
        class("rxid", "MDF12345"),
    ];
    let policy = record("Coverage", json!({"status": "active", "subscriberId": "S1", "class": classes}));
    assert_eq!(field(&policy.fields, "group_number"), "CB135");
    assert_eq!(field(&policy.fields, "plan_name"), "Full coverage");
    assert_eq!(field(&policy.fields, "member_id"), "S1");
    let details: serde_json::Value = serde_json::from_str(field(&policy.fields, "coverage_details")).unwrap();
    assert_eq!(details, json!({"bin": "987654", "pcn": "ADV", "rx_group": "RX1"}));
    assert_eq!(field(&policy.fields, "notes"), "pharmacy member id: MDF12345\nplan number: B37FC\nsubgroup: 123");
}
