use serde_json::{Value, json};

use super::super::super::draft::{LeftoverReason, ProblemKind};
use super::{about_ana, bundle, field, loinc, told, told_of};

fn entries(sort: &str, entries: Value) -> Value {
    json!({"resourceType": "Bundle", "type": sort, "entry": entries})
}

#[test]
fn a_reference_finds_its_target_however_it_is_written() {
    let visit = |url: &str, reference: &str| {
        let patient = json!({"fullUrl": url, "resource": {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:x", "value": "77"}]}});
        let condition =
            json!({"resource": {"resourceType": "Condition", "id": "c", "code": {"text": "Cough"}, "subject": {"reference": reference}}});
        told_of(&entries("searchset", json!([condition, patient]))).records.len()
    };
    assert_eq!(visit("urn:uuid:5f9a", "urn:uuid:5f9a"), 1);
    assert_eq!(visit("urn:uuid:5f9a", "Patient/p1"), 1);
    assert_eq!(visit("urn:uuid:p1", "urn:uuid:p1"), 1);
    assert_eq!(visit("https://one.example/fhir/Patient/p1", "https://one.example/fhir/Patient/p1"), 1);
    assert_eq!(visit("https://one.example/fhir/Patient/p1", "Patient/p1/_history/4"), 1);
    assert_eq!(visit("https://one.example/fhir/Patient/p1", "https://inside.example/Patient/p1"), 1);
    assert_eq!(visit("urn:uuid:5f9a", "Patient?identifier=urn:x|77"), 1);
    assert_eq!(visit("urn:uuid:5f9a", "Patient/p2"), 0);
}

#[test]
fn a_missing_target_is_told_once_and_the_record_stays() {
    let lost = json!({"reference": "Encounter/gone"});
    let first = about_ana("Condition", json!({"id": "1", "code": {"text": "Cough"}, "encounter": lost}));
    let second = about_ana("Condition", json!({"id": "2", "code": {"text": "Fever"}, "encounter": lost}));
    let told = told(&[first, second]);
    assert_eq!(told.records.len(), 2);
    assert!(told.records.iter().all(|draft| draft.links.is_empty()));
    assert_eq!(told.problems.len(), 1);
    assert_eq!(told.problems[0].what, ProblemKind::DanglingReference("Encounter/gone".to_owned()));
    assert_eq!(told.problems[0].place, "entry 2: Condition/1");
}

#[test]
fn about_a_stranger_is_a_leftover() {
    let told =
        told(&[json!({"resourceType": "Condition", "id": "c", "code": {"text": "Cough"}, "subject": {"reference": "Patient/other"}})]);
    assert_eq!(told.leftovers[0].reason, LeftoverReason::NoPatient);
    assert_eq!(told.leftovers[0].original["id"], "c");
}

#[test]
fn keys_do_not_depend_on_the_place_in_the_file() {
    let condition = json!({"resourceType": "Condition", "code": {"text": "Cough"}, "subject": {"reference": "Patient/ana"}});
    let mut again = json!({"subject": {"reference": "Patient/ana"}, "code": {"text": "Cough"}, "resourceType": "Condition"});
    again["meta"] = json!({"lastUpdated": "2020-01-01T00:00:00Z"});
    let key = told(&[condition]).records[0].source_key.clone();
    assert_eq!(told(&[json!({"resourceType": "Flag"}), again]).records[0].source_key, key);
    assert!(key.starts_with("Condition/sha256-"));
}

#[test]
fn without_an_id_the_full_url_names_the_record() {
    let bundle = entries(
        "document",
        json!([
            {"fullUrl": "urn:uuid:aaaa", "resource": {"resourceType": "Patient"}},
            {"fullUrl": "https://x.example/fhir/Condition/55", "resource": {"resourceType": "Condition", "code": {"text": "Cough"}, "subject": {"reference": "urn:uuid:aaaa"}}},
        ]),
    );
    let told = told_of(&bundle);
    assert_eq!(told.patients[0].source_key, "Patient/aaaa");
    assert_eq!(told.records[0].source_key, "Condition/55");
}

#[test]
fn of_several_versions_the_newest_is_the_record() {
    let version =
        |number: &str, text: &str| about_ana("Condition", json!({"id": "c", "meta": {"versionId": number}, "code": {"text": text}}));
    let told = told(&[version("1", "Cough"), version("3", "Asthma"), version("2", "Wheeze"), version("3", "Asthma")]);
    assert_eq!(told.records.len(), 1);
    assert_eq!(field(&told.records[0].fields, "diagnosis"), "Asthma");
    assert_eq!(told.records[0].source_key, "Condition/c");
    assert_eq!(told.records[0].original["meta"]["versionId"], "3");
    let withdrawn: Vec<_> = told.leftovers.iter().map(|leftover| leftover.reason).collect();
    assert_eq!(withdrawn, [LeftoverReason::Withdrawn, LeftoverReason::Withdrawn]);
    assert_eq!(told.handled, [("Condition".to_owned(), "Condition/c~4".to_owned())]);
    assert_eq!(told.counts["Condition"], 4);
}

#[test]
fn two_servers_may_count_alike() {
    let on = |server: &str, text: &str| json!({"fullUrl": format!("https://{server}/Condition/1"), "resource": about_ana("Condition", json!({"id": "1", "code": {"text": text}}))});
    let mut bundle = bundle(&[]);
    bundle["entry"].as_array_mut().unwrap().extend([on("a.example", "Cough"), on("b.example", "Fever")]);
    let told = told_of(&bundle);
    assert_eq!(told.records.len(), 2);
    assert_ne!(told.records[0].source_key, told.records[1].source_key);
    assert!(told.problems.is_empty());
}

#[test]
fn a_history_that_ends_with_a_deletion_brings_nothing_back() {
    let mut bundle = bundle(&[about_ana("Condition", json!({"id": "c", "code": {"text": "Cough"}}))]);
    bundle["type"] = json!("history");
    bundle["entry"].as_array_mut().unwrap().insert(0, json!({"request": {"method": "DELETE", "url": "Condition/c"}}));
    let told = told_of(&bundle);
    assert!(told.records.is_empty());
    assert_eq!(told.leftovers[0].reason, LeftoverReason::Withdrawn);
}

#[test]
fn a_bundle_in_the_bundle_is_read_with_it() {
    let inner = json!({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": about_ana("Condition", json!({"code": {"text": "Cough"}}))}]});
    let told = told(&[inner, about_ana("Procedure", json!({"code": {"text": "Spirometry"}}))]);
    let kinds: Vec<_> = told.records.iter().map(|draft| (draft.kind, draft.original["resourceType"].as_str().unwrap())).collect();
    assert_eq!(kinds, [("conditions", "Condition"), ("procedures", "Procedure")]);
}

#[test]
fn a_page_of_a_search_says_that_there_is_more() {
    let mut bundle = bundle(&[]);
    bundle["link"] = json!([{"relation": "next", "url": "https://a.example?page=2"}]);
    assert_eq!(told_of(&bundle).problems[0].what, ProblemKind::Other("more_pages"));
}

#[test]
fn what_has_no_home_or_no_name_is_kept_and_counted() {
    let told = told(&[
        json!({"resourceType": "Claim", "id": "1", "patient": {"reference": "Patient/ana"}}),
        json!({"resourceType": "Composition", "id": "2"}),
        json!({"resourceType": "Spaceship", "id": "3"}),
        json!({"resourceType": "Location", "id": "4", "name": "Nowhere"}),
        about_ana("Observation", json!({"id": "5", "valueString": "?"})),
        about_ana("Observation", json!({"id": "6", "status": "entered-in-error", "code": loinc("8867-4", "Heart rate")})),
    ]);
    let reasons: Vec<_> = told.leftovers.iter().map(|l| (l.resource_type.as_str(), l.reason, l.original["id"].as_str().unwrap())).collect();
    assert_eq!(
        reasons,
        [
            ("Claim", LeftoverReason::NoHomeYet, "1"),
            ("Spaceship", LeftoverReason::NotUnderstood, "3"),
            ("Observation", LeftoverReason::NotUnderstood, "5"),
            ("Observation", LeftoverReason::Withdrawn, "6"),
            ("Location", LeftoverReason::NoHomeYet, "4"),
        ]
    );
    assert_eq!(told.leftovers[0].patient.as_deref(), Some("Patient/ana"));
    assert_eq!(told.problems[0].what, ProblemKind::UnknownResourceType);
    assert_eq!(told.handled.len(), 1);
}

#[test]
fn a_bad_date_is_left_out_and_told() {
    for (text, good) in [
        ("2009", true),
        ("2009-02", true),
        ("2009-02-28", true),
        ("2009-02-28T23:59", true),
        ("2009-02-28T23:59:60Z", true),
        ("2009-02-28T23:59:01.250+05:30", true),
        ("2009-02-28T23:59-11:00", true),
        ("2009-02-30", false),
        ("2009-13", false),
        ("09", false),
        ("2009-2-3", false),
        ("2009-02T10:00", false),
        ("2009-02-28T24:00", false),
        ("2009-02-28T10", false),
        ("2009-02-28T10:00+5", false),
        ("0000", false),
        ("2009-02-28T10:00:00.", false),
        ("yesterday", false),
        ("2009-02-28 10:00", false),
        ("２００９", false),
    ] {
        let told = told(&[about_ana("Condition", json!({"code": {"text": "Cough"}, "onsetDateTime": text}))]);
        let date = field(&told.records[0].fields, "onset_date");
        assert_eq!(date, if good { text } else { "" });
        assert_eq!(told.problems.len(), usize::from(!good), "{text}");
    }
}
