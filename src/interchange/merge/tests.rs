//! Small bundles, each for one rule, on every database at hand; and the samples, for everything at once.

mod samples;
mod world;

use serde_json::{Value, json};

use super::super::draft::{CodeDraft, Draft, Fields, LinkDraft, PersonDraft, Told};
use super::*;
use crate::{
    access::grant,
    patients,
    records::{self, field::Mode, origins, query::ListQuery},
};
use world::worlds;

fn ana() -> Value {
    json!({"resourceType": "Patient", "id": "ana", "name": [{"family": "Reyes", "given": ["Ana"]}], "birthDate": "1980-02-03",
        "generalPractitioner": [{"reference": "Practitioner/7"}]})
}

fn doctor() -> Value {
    json!({"resourceType": "Practitioner", "id": "7", "name": [{"family": "Okafor", "given": ["Ify"], "prefix": ["Dr."]}],
        "telecom": [{"system": "phone", "value": "555-0100"}]})
}

fn medication(dose: &str, status: &str) -> Value {
    json!({"resourceType": "MedicationRequest", "id": "m1", "status": status, "subject": {"reference": "Patient/ana"},
        "requester": {"reference": "Practitioner/7"},
        "medicationCodeableConcept": {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "860975", "display": "Metformin"}]},
        "dosageInstruction": [{"text": dose}]})
}

fn panel(glucose: &str) -> Vec<Value> {
    let result = |id: &str, name: &str, value: &str| {
        let value: Value = serde_json::from_str(value).unwrap();
        json!({"resourceType": "Observation", "id": id, "status": "final", "subject": {"reference": "Patient/ana"},
            "category": [{"coding": [{"code": "laboratory"}]}], "code": {"text": name}, "valueQuantity": {"value": value, "unit": "mg/dL"}})
    };
    let report = json!({"resourceType": "DiagnosticReport", "id": "r1", "status": "final", "subject": {"reference": "Patient/ana"},
        "code": {"text": "Metabolic panel"}, "effectiveDateTime": "2020-05-06", "result": [{"reference": "Observation/o1"}, {"reference": "Observation/o2"}]});
    vec![report, result("o1", "Glucose", glucose), result("o2", "Calcium", "9.10")]
}

fn told(resources: &[Value]) -> Told {
    let entries: Vec<Value> = resources.iter().map(|resource| json!({"resource": resource})).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    super::super::read(bundle.to_string().as_bytes()).unwrap()
}

fn sum(counts: &std::collections::BTreeMap<String, usize>) -> usize {
    counts.values().sum()
}

#[test]
fn the_same_file_again_writes_no_record_and_no_version() {
    for world in worlds() {
        let mut file = vec![ana(), doctor(), medication("500 mg", "active")];
        file.extend(panel("98.60"));
        file.push(json!({"resourceType": "Claim", "id": "c1", "patient": {"reference": "Patient/ana"}}));
        let first = world.import(&told(&file));
        let patient = &first.patients[0];
        assert!(patient.is_new);
        assert_eq!((sum(&patient.added), sum(&patient.kept)), (6, 1));
        let id = patient.patient.clone().unwrap();
        let before = world.versions(&id);

        let preview = preview(&world.db, &world.actor, &told(&file), &Target::Matching, world.now).unwrap();
        let second = world.import(&told(&file));
        for report in [preview, second] {
            let patient = &report.patients[0];
            assert_eq!((patient.patient.as_ref(), patient.is_new), (Some(&id), false));
            assert_eq!((sum(&patient.added), sum(&patient.updated), patient.offers), (0, 0, 0));
            assert_eq!((sum(&patient.unchanged), sum(&patient.kept)), (6, 1));
        }
        assert_eq!(world.versions(&id), before);
        assert_eq!(before.len(), 2);
    }
}

#[test]
fn a_preview_leaves_nothing_behind() {
    for world in worlds() {
        let report =
            preview(&world.db, &world.actor, &told(&[ana(), doctor(), medication("500 mg", "active")]), &Target::Matching, world.now)
                .unwrap();
        assert_eq!((report.patients[0].patient.as_ref(), report.patients[0].is_new), (None, true));
        assert!(report.patients[0].lines.iter().any(|line| line.title == "Metformin" && line.fate == Fate::Added && line.record.is_none()));
        assert!(world.patients().is_empty());
        assert!(serde_json::to_string(&report).unwrap().contains("Metformin"));
    }
}

#[test]
fn a_newer_file_updates_and_makes_one_version() {
    for world in worlds() {
        let first = world.import(&told(&[ana(), doctor(), medication("500 mg", "active")]));
        let id = first.patients[0].patient.clone().unwrap();
        let second = world.import(&told(&[ana(), doctor(), medication("850 mg", "stopped")]));
        let patient = &second.patients[0];
        assert_eq!(patient.updated.get("MedicationRequest"), Some(&1));
        let line = patient.lines.iter().find(|line| line.fate == Fate::Updated).unwrap();
        let mut fields: Vec<&str> = line.changes.iter().map(|change| change.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["dosage", "status"]);
        let (record, values) = world.only(&id, "medications");
        assert_eq!((values["dosage"].as_str(), values["status"].as_str()), ("850 mg", "stopped"));
        assert_eq!((record.head.version, record.head.source.as_str()), (2, "import:fhir"));
        assert!(values.contains_key("practitioner_id"));
    }
}

#[test]
fn what_a_person_changed_stays_and_the_newer_value_is_offered() {
    for world in worlds() {
        let first = world.import(&told(&[ana(), doctor(), medication("500 mg", "active")]));
        let id = first.patients[0].patient.clone().unwrap();
        let record = world.edit(&id, "medications", "dosage", "two in the morning");

        let second = world.import(&told(&[ana(), doctor(), medication("850 mg", "stopped")]));
        assert_eq!(second.patients[0].offers, 1);
        let (_, values) = world.only(&id, "medications");
        assert_eq!((values["dosage"].as_str(), values["status"].as_str()), ("two in the morning", "stopped"));
        assert_eq!(world.offers(&id, &record), [("dosage".to_owned(), "850 mg".to_owned())]);

        // Again, and nothing is offered twice; back to what it was, and the offer is taken back.
        let third = world.import(&told(&[ana(), doctor(), medication("850 mg", "stopped")]));
        assert_eq!((third.patients[0].offers, sum(&third.patients[0].updated)), (0, 0));
        world.import(&told(&[ana(), doctor(), medication("500 mg", "stopped")]));
        assert_eq!(world.offers(&id, &record), []);
    }
}

#[test]
fn an_offer_is_taken_or_dismissed_for_good() {
    for world in worlds() {
        let first = world.import(&told(&[ana(), doctor(), medication("500 mg", "active")]));
        let id = first.patients[0].patient.clone().unwrap();
        let record = world.edit(&id, "medications", "dosage", "mine");
        world.import(&told(&[ana(), doctor(), medication("850 mg", "active")]));
        world.with(&id, |tx, access| dismiss(tx, access, &record, "dosage"));
        assert_eq!(world.offers(&id, &record), []);
        // The original changed, the dismissed value did not.
        world.import(&told(&[ana(), doctor(), medication("850 mg", "stopped")]));
        assert_eq!(world.offers(&id, &record), []);
        assert_eq!(world.only(&id, "medications").1["dosage"], "mine");

        world.import(&told(&[ana(), doctor(), medication("1 g", "stopped")]));
        assert_eq!(world.offers(&id, &record).len(), 1);
        world.with(&id, |tx, access| accept(tx, access, &record, "dosage"));
        assert_eq!(world.only(&id, "medications").1["dosage"], "1 g");
        assert_eq!(world.offers(&id, &record), []);
        // Taken means in step with the source again: the next value simply comes.
        world.import(&told(&[ana(), doctor(), medication("2 g", "stopped")]));
        assert_eq!(world.only(&id, "medications").1["dosage"], "2 g");
    }
}

#[test]
fn children_are_one_field_and_keep_their_digits() {
    for world in worlds() {
        let file = |glucose: &str| told(&[vec![ana(), doctor()], panel(glucose)].concat());
        let first = world.import(&file("98.60"));
        let id = first.patients[0].patient.clone().unwrap();
        assert_eq!(first.patients[0].added.get("Observation"), Some(&2));
        assert_eq!(world.children(&id, "lab-results", "value"), ["98.60", "9.10"]);

        assert_eq!(world.import(&file("99.0")).patients[0].updated.get("Observation"), Some(&2));
        assert_eq!(world.children(&id, "lab-results", "value"), ["99.0", "9.10"]);

        let record = world.edit_child(&id, "lab-results", "value", "101");
        assert_eq!(world.import(&file("97")).patients[0].offers, 1);
        assert_eq!(world.children(&id, "lab-results", "value"), ["101", "9.10"]);
        world.with(&id, |tx, access| accept(tx, access, &record, "components"));
        assert_eq!(world.children(&id, "lab-results", "value"), ["97", "9.10"]);
        assert_eq!(world.import(&file("96")).patients[0].updated.get("DiagnosticReport"), Some(&1));
    }
}

#[test]
fn the_trash_is_left_alone_and_what_was_restored_goes_on() {
    for world in worlds() {
        let first = world.import(&told(&[ana(), doctor(), medication("500 mg", "active")]));
        let id = first.patients[0].patient.clone().unwrap();
        let (record, _) = world.only(&id, "medications");
        world.with(&id, |tx, access| access.chart(records::kind("medications").unwrap())?.remove(tx, &record.head.id, 1));
        let second = world.import(&told(&[ana(), doctor(), medication("850 mg", "active")]));
        assert_eq!(second.patients[0].unchanged.get("MedicationRequest"), Some(&1));
        assert!(world.all(&id, "medications").is_empty());
        world.with(&id, |tx, access| access.chart(records::kind("medications").unwrap())?.restore(tx, &record.head.id));
        world.import(&told(&[ana(), doctor(), medication("850 mg", "active")]));
        assert_eq!(world.only(&id, "medications").1["dosage"], "850 mg");
    }
}

#[test]
fn people_are_found_again_and_completed_never_changed() {
    for world in worlds() {
        let first = world.import(&told(&[ana(), doctor()]));
        let id = first.patients[0].patient.clone().unwrap();
        let mut newer = ana();
        newer["telecom"] = json!([{"system": "phone", "value": "555-0199"}]);
        newer["name"][0]["given"] = json!(["Anna"]);
        let second = world.import(&told(&[newer, doctor()]));
        assert_eq!(second.patients[0].updated.get("Patient"), Some(&1));
        assert_eq!(second.patients[0].unchanged.get("Practitioner"), Some(&1));
        let patient = world.patient(&id);
        assert_eq!((patient.fields.first_name.as_deref(), patient.fields.phone_number.as_deref()), (Some("Ana"), Some("555-0199")));
        assert!(patient.fields.physician_id.is_some());
        assert_eq!((patient.source.as_str(), patient.version), ("import:fhir", 2));
    }
}

#[test]
fn a_key_that_two_systems_share_never_mixes_two_people() {
    for world in worlds() {
        world.import(&told(&[ana(), doctor(), medication("500 mg", "active")]));
        let other = json!({"resourceType": "Patient", "id": "ana", "name": [{"family": "Reyes", "given": ["Bruno"]}], "birthDate": "2011"});
        let surgeon = json!({"resourceType": "Practitioner", "id": "7", "name": [{"family": "Lindqvist", "given": ["Per"]}]});
        let report = world.import(&told(&[other.clone(), surgeon.clone()]));
        assert!(report.patients[0].is_new);
        assert_eq!(report.patients[0].added.get("Practitioner"), Some(&1));
        assert_eq!(report.problems[0].key, "import.problem.same_key_other_person");
        // And each is found again.
        let again = world.import(&told(&[other, surgeon]));
        assert_eq!((again.patients[0].is_new, sum(&again.patients[0].unchanged)), (false, 2));
        assert_eq!(world.patients().len(), 2);
    }
}

#[test]
fn a_file_about_several_people_is_not_for_one_of_them() {
    for world in worlds() {
        let ben = json!({"resourceType": "Patient", "id": "ben", "name": [{"family": "Reyes", "given": ["Ben"]}]});
        let both = told(&[ana(), ben]);
        let id = world.import(&told(&[json!({"resourceType": "Patient", "id": "x", "name": [{"given": ["Zoe"]}]})])).patients[0]
            .patient
            .clone()
            .unwrap();
        let refused = preview(&world.db, &world.actor, &both, &Target::Patient(id.clone()), world.now);
        assert!(matches!(refused, Err(Error::BadRequest("import_several_patients"))));
        assert_eq!(world.import(&both).patients.len(), 2);
        let into = world.import_into(&told(&[ana(), doctor(), medication("1", "active")]), &Target::Patient(id.clone()));
        assert_eq!(into.patients[0].patient, Some(id));
        assert_eq!(into.problems[0].key, "import.problem.other_person");
    }
}

#[test]
fn a_stranger_imports_into_nobody() {
    for world in worlds() {
        let id = world.import(&told(&[ana(), doctor()])).patients[0].patient.clone().unwrap();
        let stranger = world.another();
        let file = told(&[ana(), doctor(), medication("1", "active")]);
        let refused = preview(&world.db, &stranger, &file, &Target::Patient(id), world.now);
        assert!(matches!(refused, Err(Error::NotFound)));
        // Under the same key, a stranger's patient is a new one.
        assert!(preview(&world.db, &stranger, &file, &Target::Matching, world.now).unwrap().patients[0].is_new);
    }
}

#[test]
fn a_helper_imports_records_and_leaves_the_person_alone() {
    for world in worlds() {
        let id = world.import(&told(&[json!({"resourceType": "Patient", "id": "x", "name": [{"given": ["Ana"]}]})])).patients[0]
            .patient
            .clone()
            .unwrap();
        let helper = world.helper(&id, "edit", None);
        let file = told(&[ana(), doctor(), medication("1", "active")]);
        let target = Target::Patient(id.clone());
        let report = world.db.write(|tx| apply(tx, &helper, &file, &target, world.now, &mut |_, _| {})).unwrap();
        assert_eq!(report.patients[0].added.get("MedicationRequest"), Some(&1));
        assert_eq!(report.patients[0].unchanged.get("Patient"), Some(&1));
        assert_eq!((world.patient(&id).fields.birth_date, world.patient(&id).source_key.as_deref()), (None, Some("Patient/x")));
        for (level, kinds) in [("view", None), ("full", Some("[\"medications\"]"))] {
            let other = world.helper(&id, level, kinds);
            assert!(matches!(preview(&world.db, &other, &file, &target, world.now), Err(Error::Forbidden)), "{level}");
        }
    }
}

#[test]
fn a_record_that_the_source_takes_back_stays_and_is_told() {
    for world in worlds() {
        let id = world.import(&told(&[ana(), doctor(), medication("1", "active")])).patients[0].patient.clone().unwrap();
        let report = world.import(&told(&[ana(), doctor(), medication("1", "entered-in-error")]));
        assert_eq!(report.patients[0].kept.get("MedicationRequest"), Some(&1));
        assert!(report.problems.iter().any(|p| p.key == "import.problem.withdrawn_since" && p.detail.as_deref() == Some("Metformin")));
        world.only(&id, "medications");
    }
}

#[test]
fn ties_lead_to_the_records_of_the_file_and_stand_in_the_first_version() {
    for world in worlds() {
        let visit = json!({"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "AMB"}, "subject": {"reference": "Patient/ana"},
            "type": [{"text": "Check-up"}], "period": {"start": "2020-05-06T09:00:00Z"}});
        // The visit stands behind the medication that names it.
        let file = |dose: &str| {
            let mut medication = medication(dose, "active");
            medication["encounter"] = json!({"reference": "Encounter/e1"});
            told(&[ana(), doctor(), medication, visit.clone()])
        };
        let id = world.import(&file("1")).patients[0].patient.clone().unwrap();
        let (record, values) = world.only(&id, "medications");
        let (stay, _) = world.only(&id, "encounters");
        assert_eq!(values["visit_id"], stay.head.id.to_string());
        let versions = world.with(&id, |tx, access| access.chart(records::kind("medications").unwrap())?.versions(tx, &record.head.id));
        assert_eq!(versions.len(), 1);
        assert!(versions[0].snapshot.contains(stay.head.id.as_str()));

        // A person cuts the tie; a newer file about something else leaves it cut.
        world.edit(&id, "medications", "visit_id", "");
        world.import(&file("2"));
        let (_, values) = world.only(&id, "medications");
        assert_eq!((values["dosage"].as_str(), values.get("visit_id")), ("2", None));
    }
}

#[test]
fn a_file_never_takes_the_primary_flag_from_another_policy() {
    for world in worlds() {
        let coverage = |id: &str, payor: &str| {
            json!({"resourceType": "Coverage", "id": id, "status": "active", "order": 1, "beneficiary": {"reference": "Patient/ana"},
                "payor": [{"display": payor}]})
        };
        let id = world.import(&told(&[ana(), coverage("1", "First Mutual")])).patients[0].patient.clone().unwrap();
        let report = world.import(&told(&[ana(), coverage("1", "First Mutual"), coverage("2", "Second Mutual")]));
        assert!(report.problems.iter().any(|problem| problem.key == "import.problem.another_is_primary"));
        let flag = records::kind("insurance").unwrap().field("is_primary").unwrap().0;
        let primary: Vec<String> = world
            .all(&id, "insurance")
            .iter()
            .filter(|r| r.entry.get(flag).as_deref() == Some("true"))
            .map(|r| r.head.title.clone())
            .collect();
        assert_eq!(primary, ["First Mutual"]);
        assert!(world.all(&id, "insurance").iter().all(|record| record.head.version == 1));
    }
}

#[test]
fn several_imports_at_once_all_come_through() {
    for world in worlds() {
        let file = told(&[vec![ana(), doctor(), medication("1", "active")], panel("5")].concat());
        let import = |actor: Actor| {
            for _ in 0..5 {
                world.db.write(|tx| apply(tx, &actor, &file, &Target::Matching, world.now, &mut |_, _| {})).unwrap();
            }
        };
        std::thread::scope(|scope| {
            for actor in [world.actor.clone(), world.actor.clone(), world.another(), world.another()] {
                scope.spawn(|| import(actor));
            }
        });
        // Two at once for one person are one patient.
        assert_eq!(world.patients().len(), 1);
    }
}

#[test]
fn a_failure_in_the_middle_leaves_the_database_as_it_was() {
    for world in worlds() {
        let file = told(&[vec![ana(), doctor(), medication("1", "active")], panel("5")].concat());
        let failed: Result<()> = world.db.write(|tx| {
            apply(tx, &world.actor, &file, &Target::Matching, world.now, &mut |_, _| {})?;
            Err(Error::Busy)
        });
        assert!(failed.is_err() && world.patients().is_empty());
        assert_eq!(world.import(&file).patients[0].added.get("Practitioner"), Some(&1));
    }
}

/// What no reader should produce, and a hostile or strange file might make it to.
fn hostile() -> Told {
    let fields = |pairs: &[(&'static str, &str)]| pairs.iter().map(|(name, text)| (*name, (*text).to_owned())).collect::<Fields>();
    let long = "x".repeat(400);
    let draft = |key: &str, kind: &'static str, values: Fields| Draft {
        kind,
        source_key: key.to_owned(),
        resource_type: "Thing".to_owned(),
        patient: "Patient/1".to_owned(),
        fields: values,
        children: None,
        practitioner: Some("Practitioner/none".to_owned()),
        pharmacy: None,
        links: vec![
            LinkDraft { relation: "visit_id", to: "Thing/nowhere".to_owned() },
            LinkDraft { relation: "medication_id", to: "Thing/1".to_owned() },
        ],
        codes: vec![CodeDraft { system: "s".to_owned(), code: "c".to_owned(), display: None }],
        parts: Vec::new(),
        original: json!({"text": "nul \u{0} here"}),
    };
    let mut panel = draft("Thing/4", "lab-results", fields(&[("test_name", "Panel"), ("completed_date", "yesterday")]));
    panel.children = Some(vec![fields(&[("test_name", "Glucose"), ("ref_range_min", "about five"), ("value", "5")])]);
    let records = vec![
        draft(
            "Thing/1",
            "medications",
            fields(&[("medication_name", &long), ("status", "sometimes"), ("colour", "red"), ("notes", "told")]),
        ),
        draft("Thing/2", "allergies", fields(&[("allergen", "Nuts\u{7}"), ("notes", &"n".repeat(21_000))])),
        draft("Thing/3\u{0}", "spaceships", fields(&[("name", "Enterprise")])),
        panel,
        draft("Thing/1", "medications", fields(&[("medication_name", "again")])),
    ];
    let person = PersonDraft {
        source_key: "Patient/1".to_owned(),
        fields: fields(&[("first_name", "Mia"), ("phone_number", "none"), ("gender", "n/a")]),
        identifiers: Vec::new(),
        belongs_to: Some("Practitioner/none".to_owned()),
        original: Value::Null,
    };
    let doctor = PersonDraft {
        source_key: "Practitioner/2".to_owned(),
        fields: fields(&[("name", "Dr. Who"), ("npi", "123")]),
        identifiers: Vec::new(),
        belongs_to: None,
        original: Value::Null,
    };
    Told {
        format: "test",
        patients: vec![person],
        practitioners: vec![doctor],
        records,
        none_known: vec![("Patient/1".to_owned(), "medications")],
        ..Told::default()
    }
}

#[test]
fn refused_values_go_into_the_notes_and_nothing_breaks() {
    for world in worlds() {
        let report = world.import(&hostile());
        let patient = &report.patients[0];
        let id = patient.patient.clone().unwrap();
        assert_eq!((patient.added.get("Thing"), patient.kept.get("Thing"), patient.unchanged.get("Thing")), (Some(&3), Some(&1), Some(&1)));
        let (_, medication) = world.only(&id, "medications");
        assert!(medication["medication_name"].ends_with('…') && medication["medication_name"].chars().count() == 300);
        let notes = &medication["notes"];
        assert!(
            notes.starts_with("told\n")
                && notes.contains("status: sometimes")
                && notes.contains("colour: red")
                && notes.contains(&"x".repeat(400))
        );
        let (_, allergy) = world.only(&id, "allergies");
        assert_eq!((allergy["allergen"].as_str(), allergy["notes"].len()), ("Nuts", 20_000));
        assert_eq!(allergy["medication_id"], world.only(&id, "medications").0.head.id.to_string());
        let (_, panel) = world.only(&id, "lab-results");
        assert_eq!(panel["notes"], "completed date: yesterday\ncomponents 1 (Glucose), ref range min: about five");
        assert!(report.problems.iter().any(|problem| problem.key == "import.problem.notes_cut"));
        assert_eq!(world.patient(&id).fields.notes.as_deref(), Some("gender: n/a\nphone number: none"));
        assert_eq!(world.leftovers(&id), [("Thing".to_owned(), 1)]);
        assert!(world.none_known(&id).is_empty());
        let again = world.import(&hostile());
        assert_eq!((sum(&again.patients[0].added), sum(&again.patients[0].updated)), (0, 0));
    }
}

#[test]
fn a_leftover_that_is_understood_later_is_a_leftover_no_more() {
    for world in worlds() {
        let mut old = hostile();
        old.records.truncate(1);
        old.records[0].kind = "spaceships";
        let id = world.import(&old).patients[0].patient.clone().unwrap();
        assert_eq!(world.leftovers(&id).len(), 1);
        old.records[0].kind = "medications";
        assert_eq!(world.import(&old).patients[0].added.get("Thing"), Some(&1));
        assert_eq!(world.leftovers(&id), []);
    }
}

#[test]
fn nothing_is_known_where_the_source_says_so_and_the_chart_agrees() {
    for world in worlds() {
        let mut file = hostile();
        file.records.clear();
        let id = world.import(&file).patients[0].patient.clone().unwrap();
        assert_eq!(world.none_known(&id), ["medications"]);
    }
}

#[test]
fn a_record_withdraws_that_nothing_is_known_and_the_report_says_so() {
    for world in worlds() {
        let mut file = hostile();
        let records = std::mem::take(&mut file.records);
        let id = world.import(&file).patients[0].patient.clone().unwrap();
        assert_eq!(world.none_known(&id), ["medications"]);
        file.records = records;
        let report = world.import(&file);
        assert!(world.none_known(&id).is_empty());
        assert!(report.problems.iter().any(|problem| problem.key == "import.problem.none_known_withdrawn"));
    }
}

#[test]
fn a_file_of_no_format_is_refused() {
    use super::super::{draft::ReadError, read};
    assert_eq!(read(b"").unwrap_err(), ReadError::Empty);
    assert_eq!(read(b"<ClinicalDocument/>").unwrap_err(), ReadError::UnknownFormat);
    assert!(matches!(read(b"{\"resourceType\":").unwrap_err(), ReadError::Truncated { .. }));
}

#[test]
fn progress_counts_to_the_end() {
    for world in worlds() {
        let mut seen = Vec::new();
        let file = told(&[ana(), doctor(), medication("1", "active")]);
        world
            .db
            .write(|tx| {
                seen.clear();
                apply(tx, &world.actor, &file, &Target::Matching, world.now, &mut |done, total| seen.push((done, total)))
            })
            .unwrap();
        assert_eq!(seen, [(1, 1)]);
    }
}

#[test]
fn nothing_that_is_said_of_people_is_lost() {
    for world in worlds() {
        let mut ana = ana();
        ana["maritalStatus"] = json!({"text": "Widowed"});
        let clinic = json!({"resourceType": "Organization", "id": "o1", "name": "Elm Clinic", "active": true,
            "type": [{"coding": [{"code": "prov"}]}]});
        let contents = json!({"resourceType": "Composition", "id": "c1", "title": "Visit summary"});
        let file = |doctor: &Value| told(&[ana.clone(), doctor.clone(), clinic.clone(), contents.clone()]);
        let first = world.import(&file(&doctor()));
        assert_eq!(first.patients[0].originals, 4);
        let id = first.patients[0].patient.clone().unwrap();
        let lines = world.with(&id, |tx, access| originals::of_patient(tx, access));
        let keys: Vec<&str> = lines.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["Patient/ana", "Composition/c1"]);
        let text = world.with(&id, |tx, access| originals::one_of_patient(tx, access, "Patient/ana"));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), ana);
        assert!(world.with(&id, |tx, access| originals::one_of_patient(tx, access, "Composition/c1")).contains("Visit summary"));

        assert_eq!(world.import(&file(&doctor())).patients[0].originals, 0, "the same again is no news");
        let mut doctor = doctor();
        doctor["gender"] = "female".into();
        let third = world.import(&file(&doctor));
        assert_eq!(third.patients[0].originals, 1);
        assert_eq!(sum(&third.patients[0].updated), 0, "no field of ours changed");
        let household = world.patient(&id).household_id;
        for (list, wanted) in [("practitioners", doctor), ("practices", clinic.clone())] {
            let known = world.with(&id, |tx, _| originals::known_of_list(tx, &household, list));
            let (entry, key) = known.keys().next().unwrap();
            let place = originals::Place { household: &household, list, entry };
            let text = world.with(&id, |tx, _| originals::one_of_entry(tx, place, key));
            assert_eq!((known.len(), serde_json::from_str::<Value>(&text).unwrap()), (1, wanted));
        }
    }
}

#[test]
fn the_original_of_a_person_is_there_for_who_sees_everything() {
    for world in worlds() {
        let id = world.import(&told(&[ana()])).patients[0].patient.clone().unwrap();
        for (kinds, seen) in [(None, 1), (Some("[\"medications\"]"), 0)] {
            let helper = world.helper(&id, "view", kinds);
            let access = world.db.read(|conn| grant::<crate::access::View>(conn, &helper, &id, world.now)).unwrap();
            assert_eq!(world.db.read(|conn| originals::of_patient(conn, &access)).unwrap().len(), seen);
            assert_eq!(world.db.read(|conn| originals::one_of_patient(conn, &access, "Patient/ana")).is_ok(), seen == 1);
        }
    }
}

#[test]
fn an_expired_vaccine_that_was_given_comes_in() {
    for world in worlds() {
        let dose = json!({"resourceType": "Immunization", "id": "i1", "status": "completed", "patient": {"reference": "Patient/ana"},
            "vaccineCode": {"text": "MMR"}, "occurrenceDateTime": "1979-03-02", "expirationDate": "1979-02-01"});
        let report = world.import(&told(&[ana(), dose]));
        let (_, values) = world.only(report.patients[0].patient.as_ref().unwrap(), "immunizations");
        assert_eq!((values["date_administered"].as_str(), values["expiration_date"].as_str()), ("1979-03-02", "1979-02-01"));
    }
}
