use serde_json::{Value, json};

use super::{about_ana, field, told, told_of};

fn patient(members: Value) -> super::Told {
    let mut resource = json!({"resourceType": "Patient", "id": "p"});
    for (name, member) in members.as_object().unwrap() {
        resource[name] = member.clone();
    }
    told_of(&json!({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": resource}]}))
}

#[test]
fn a_patient_is_called_by_the_official_name_of_today() {
    let told = patient(json!({"name": [
        {"use": "maiden", "family": "Old"}, {"use": "usual", "given": ["Nan"]}, {"use": "official", "family": "Bo77", "given": ["Nora3", "L."], "prefix": ["Ms."]},
    ]}));
    assert_eq!(field(&told.patients[0].fields, "first_name"), "Nora3 L.");
    assert_eq!(field(&told.patients[0].fields, "last_name"), "Bo77");
    let told = patient(json!({"name": [{"text": "Maria del Carmen Ruiz"}]}));
    assert_eq!(field(&told.patients[0].fields, "first_name"), "Maria del Carmen");
    assert_eq!(field(&told.patients[0].fields, "last_name"), "Ruiz");
}

#[test]
fn a_patient_brings_what_the_chart_asks_for() {
    let told = patient(json!({
        "birthDate": "1950-07", "gender": "female", "deceasedDateTime": "2019",
        "identifier": [{"system": "urn:ppn", "value": "P1", "type": {"coding": [{"code": "PPN"}]}}, {"value": "M-9", "type": {"coding": [{"code": "MR"}]}}],
        "telecom": [{"system": "phone", "value": "1", "use": "work"}, {"system": "phone", "value": "tel:+2", "use": "home"}, {"system": "email", "value": "a@b.example"}],
        "address": [{"use": "old", "text": "Gone"}, {"line": ["1 Main St", "Apt 2"], "city": "Town", "state": "MA", "postalCode": "02108", "country": "US"}],
        "communication": [{"language": {"text": "Dutch"}}, {"language": {"text": "Frisian"}, "preferred": true}],
        "contact": [{"name": {"text": "Tom"}, "relationship": [{"coding": [{"code": "C"}]}], "telecom": [{"system": "phone", "value": "3"}, {"system": "phone", "value": "4"}]}],
    }));
    let fields = &told.patients[0].fields;
    for (column, text) in [
        ("birth_date", "1950-07"),
        ("gender", "female"),
        ("status", "deceased"),
        ("deceased_on", "2019"),
        ("record_number", "M-9"),
        ("phone_number", "+2"),
        ("email", "a@b.example"),
        ("address", "1 Main St, Apt 2, Town, MA 02108, US"),
        ("language", "Frisian"),
    ] {
        assert_eq!(field(fields, column), text, "{column}");
    }
    let contact = &told.records[0];
    assert_eq!((contact.kind, contact.source_key.as_str()), ("emergency-contacts", "Patient/p/contact/1"));
    assert_eq!(field(&contact.fields, "relationship"), "Emergency Contact");
    assert_eq!((field(&contact.fields, "phone_number"), field(&contact.fields, "secondary_phone")), ("3", "4"));
}

#[test]
fn a_practitioner_gets_specialty_and_practice_from_the_role() {
    let told = told(&[
        json!({"resourceType": "Practitioner", "id": "d", "name": [{"family": "Stone", "given": ["Eva"], "prefix": ["Dr."]}],
            "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}]}),
        json!({"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "Practitioner/d"}, "organization": {"reference": "Organization/o"},
            "specialty": [{"text": "Cardiology"}]}),
        json!({"resourceType": "Organization", "id": "o", "name": "Heart House"}),
        json!({"resourceType": "Organization", "id": "ph", "name": "Corner", "type": [{"text": "Pharmacy"}], "address": [{"city": "Town"}]}),
        about_ana("Condition", json!({"code": {"text": "Cough"}, "recorder": {"reference": "PractitionerRole/r"}})),
    ]);
    let doctor = &told.practitioners[0];
    assert_eq!(field(&doctor.fields, "name"), "Dr. Eva Stone");
    assert_eq!(field(&doctor.fields, "npi"), "1234567893");
    assert_eq!(field(&doctor.fields, "specialty"), "Cardiology");
    assert_eq!(doctor.belongs_to.as_deref(), Some("Organization/o"));
    assert_eq!(doctor.original.as_array().map(Vec::len), Some(2));
    assert_eq!(told.records[0].practitioner.as_deref(), Some("Practitioner/d"));
    assert_eq!(field(&told.pharmacies[0].fields, "city"), "Town");
}

#[test]
fn a_practitioner_who_is_only_named_or_contained_is_still_somebody() {
    let contained = json!({"id": "1", "code": {"text": "Cough"}, "contained": [{"resourceType": "Practitioner", "id": "in", "name": [{"text": "Dr. In"}]}],
        "recorder": {"reference": "#in"}});
    let by_number = json!({"id": "2", "code": {"text": "Fever"}, "recorder": {"reference": "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|99", "display": "Dr. Out"}});
    let told = told(&[about_ana("Condition", contained), about_ana("Condition", by_number)]);
    let names: Vec<_> = told.practitioners.iter().map(|person| field(&person.fields, "name")).collect();
    assert_eq!(names, ["Dr. In", "Dr. Out"]);
    assert_eq!(field(&told.practitioners[1].fields, "npi"), "99");
    assert!(told.records.iter().all(|draft| draft.practitioner.is_some()));
    assert!(told.problems.is_empty());
}

#[test]
fn roles_that_name_each_other_end() {
    let role = |id: &str, other: &str| json!({"resourceType": "PractitionerRole", "id": id, "practitioner": {"reference": format!("PractitionerRole/{other}")}});
    let told = told(&[
        role("a", "b"),
        role("b", "a"),
        about_ana("Condition", json!({"code": {"text": "Cough"}, "recorder": {"reference": "PractitionerRole/a"}})),
    ]);
    assert_eq!(told.records[0].practitioner, None);
    assert_eq!(told.leftovers.len(), 2);
}

#[test]
fn insurers_and_makers_are_no_practices() {
    let told = told(&[
        json!({"resourceType": "Organization", "id": "pay", "name": "Payer Inc", "telecom": [{"system": "phone", "value": "800"}]}),
        json!({"resourceType": "Organization", "id": "make", "name": "Vaxx"}),
        about_ana(
            "Coverage",
            json!({"id": "c", "payor": [{"reference": "Organization/pay"}], "subscriberId": "S1", "status": "active", "period": {"start": "2020"}}),
        ),
        about_ana(
            "Immunization",
            json!({"id": "i", "vaccineCode": {"text": "Tetanus"}, "manufacturer": {"reference": "Organization/make"}}),
        ),
    ]);
    assert!(told.practices.is_empty());
    let coverage = told.records.iter().find(|draft| draft.kind == "insurance").unwrap();
    assert_eq!(field(&coverage.fields, "company_name"), "Payer Inc");
    assert_eq!(field(&coverage.fields, "contact_info"), r#"{"phone":"800"}"#);
    assert_eq!(field(&coverage.fields, "member_name"), "Ana Reyes");
    assert_eq!(field(&coverage.fields, "insurance_type"), "medical");
    assert_eq!(coverage.parts, [("Organization".to_owned(), "Organization/pay".to_owned())]);
}
