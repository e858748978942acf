//! Imports: what a large file does to others, what is asked, and what is said about it.

use kinchart::{
    access::{Actor, Via},
    db::types::UserId,
    interchange::{
        self,
        merge::{self, Report, Target},
    },
};
use serde_json::{Value, json};

use crate::common::{Person, TestApp};

pub fn ana() -> Value {
    json!({"resourceType": "Patient", "id": "ana", "name": [{"family": "Reyes", "given": ["Ana"]}], "birthDate": "1980-02-03"})
}

pub fn bundle(resources: &[Value]) -> String {
    let entries: Vec<Value> = resources.iter().map(|resource| json!({"resource": resource})).collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string()
}

/// A file that is written in stages: visits with a doctor, and conditions tied to them.
fn large(count: usize) -> Vec<Value> {
    let doctor = json!({"resourceType": "Practitioner", "id": "7", "name": [{"family": "Okafor", "given": ["Ify"]}]});
    let ana_is = json!({"reference": "Patient/ana"});
    let mut all = vec![ana(), doctor];
    for n in 0..count {
        all.push(json!({"resourceType": "Encounter", "id": format!("e{n}"), "status": "finished", "subject": ana_is,
            "participant": [{"individual": {"reference": "Practitioner/7"}}], "type": [{"text": format!("Visit {n}")}]}));
        all.push(json!({"resourceType": "Condition", "id": format!("c{n}"), "subject": ana_is, "code": {"text": format!("Cough {n}")},
            "encounter": {"reference": format!("Encounter/e{n}")}}));
    }
    all
}

pub fn actor(person: &Person) -> Actor {
    Actor { user: UserId::parse(&person.id.to_string()).unwrap(), name: person.name.clone(), via: Via::Cli, address: None }
}

fn import(t: &TestApp, person: &Person, file: &[Value], heard: &mut dyn FnMut(usize, usize)) -> kinchart::error::Result<Report> {
    let told = interchange::read(bundle(file).as_bytes()).unwrap();
    merge::import(&t.app.db, &actor(person), &told, &Target::Matching, t.now(), heard)
}

#[actix_web::test]
async fn a_large_file_is_whole_and_again_changes_nothing() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let report = import(&t, &owner, &large(300), &mut |_, _| {}).unwrap();
    let patient = report.patients[0].patient.clone().unwrap();
    assert!(report.patients[0].is_new);
    assert_eq!(report.patients[0].added.get("Encounter"), Some(&300));
    assert_eq!(report.patients[0].added.get("Practitioner"), Some(&1));
    owner.get(&format!("/patients/{patient}/conditions")).await.is(200).has("Cough 299").has("300");
    owner.get(&format!("/patients/{patient}/trash")).await.is(200).lacks("Cough");
    owner.get("/search?q=cough").await.is(200).has("Cough");
    let condition = report.patients[0].lines.iter().find(|line| line.title == "Cough 7").unwrap().record.clone().unwrap();
    owner.get(&format!("/patients/{patient}/conditions/{condition}")).await.is(200).has("Visit 7");

    let again = import(&t, &owner, &large(300), &mut |_, _| {}).unwrap();
    assert_eq!(again.patients[0].patient.as_ref(), Some(&patient));
    assert!(again.patients[0].added.is_empty() && again.patients[0].updated.is_empty());
}

#[actix_web::test]
async fn while_a_large_file_is_written_nobody_sees_it_and_others_write() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let mut in_between = 0;
    let mut last = 0;
    let db = t.app.db.clone();
    let count = move |sql: &str| {
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }
        use diesel::RunQueryDsl;
        db.read(|conn| Ok(diesel::sql_query(sql).get_result::<Count>(conn)?.n)).unwrap()
    };
    let report = import(&t, &owner, &large(300), &mut |done, _| {
        if done > last + 200 {
            last = done;
            in_between += 1;
            assert_eq!(count("SELECT count(*) AS n FROM records WHERE deleted_at IS NULL"), 0);
            assert_eq!(count("SELECT count(*) AS n FROM patient_owners"), 0);
        }
    });
    report.unwrap();
    assert!(in_between >= 2, "{in_between}");
}

#[actix_web::test]
async fn a_large_file_that_fails_leaves_nothing() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    // Another program's stage that was left behind holds the keys; the import sweeps it away.
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        import(&t, &owner, &large(300), &mut |done, _| assert!(done < 400, "the program ends here"))
    }));
    assert!(broken.is_err());
    owner.get("/patients").await.is(200).lacks("Reyes");
    owner.get("/patients/trash").await.is(200).lacks("Reyes");
    t.later(chrono::Duration::minutes(6));
    merge::sweep(&t.app.db, t.now()).unwrap();
    owner.get("/directory/practitioners").await.is(200).lacks("Okafor");
    let report = import(&t, &owner, &large(300), &mut |_, _| {}).unwrap();
    assert_eq!(report.patients[0].added.get("Condition"), Some(&300));
}

fn multipart(file: &str, patient: &str) -> (String, String) {
    let part =
        |name: &str, more: &str, text: &str| format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{text}\r\n");
    let body = format!("{}{}--xx--\r\n", part("file", "; filename=\"a.json\"", file), part("patient", "", patient));
    ("multipart/form-data; boundary=xx".to_owned(), body)
}

async fn upload(person: &Person, file: &str) -> crate::common::Answer {
    let (kind, body) = multipart(file, "");
    person.send(actix_web::http::Method::POST, "/import", &[("content-type", &kind)], body).await
}

fn summary(id: &str, given: &str, identifier: Option<&str>) -> Vec<Value> {
    let mut patient =
        json!({"resourceType": "Patient", "id": id, "name": [{"family": "DeLarosa", "given": [given]}], "birthDate": "1972-05-01"});
    if let Some(value) = identifier {
        patient["identifier"] = json!([{"system": "urn:oid:2.16.1", "value": value}]);
    }
    let allergy = json!({"resourceType": "AllergyIntolerance", "id": format!("{id}-a"), "patient": {"reference": format!("Patient/{id}")},
        "code": {"text": "Penicillin"}});
    vec![patient, allergy]
}

#[actix_web::test]
async fn a_number_finds_the_patient_of_an_earlier_file() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let first = import(&t, &owner, &summary("one", "Martha", Some("574687583")), &mut |_, _| {}).unwrap();
    let second = import(&t, &owner, &summary("two", "Martha", Some("574687583")), &mut |_, _| {}).unwrap();
    assert_eq!(first.patients[0].patient, second.patients[0].patient);
    assert!(!second.patients[0].is_new);
    // The number of another system, or another person under it, is none.
    let other = import(&t, &owner, &summary("three", "Berta", Some("1")), &mut |_, _| {}).unwrap();
    assert!(other.patients[0].is_new);
}

#[actix_web::test]
async fn a_name_and_a_birth_date_are_asked_about_before_anything_is_imported() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let first = import(&t, &owner, &summary("one", "Martha", None), &mut |_, _| {}).unwrap();
    let martha = first.patients[0].patient.clone().unwrap();
    let place = upload(&owner, &bundle(&summary("two", "Martha", None))).await.location();
    let page = owner.get(&place).await.is(200).has("Martha DeLarosa: the same person as one who is here?").lacks("Import now");
    assert!(page.body.contains(&format!("/patients/{martha}")));
    // Without an answer nothing is imported, whatever is sent.
    owner.post(&place, &[]).await.is(303);
    owner.get(&place).await.lacks("Import now");
    owner.post(&format!("{place}/who"), &[("key", "Patient/two"), ("who", "new")]).await.is(303);
    owner.get(&place).await.is(200).has("Import now").has("new person</span>");
    owner.post(&format!("{place}/who"), &[("key", "Patient/two"), ("who", "same")]).await.is(303);
    owner.get(&place).await.is(200).has("Import now").lacks("new person</span>");
    t.user("other").get(&place).await.is(404);
}

#[actix_web::test]
async fn a_namesake_typed_by_hand_is_asked_about() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    import(&t, &owner, &[ana()], &mut |_, _| {}).unwrap();
    let form = [("first_name", "ana"), ("last_name", "Reyes"), ("birth_date", "1980-02-03")];
    owner
        .post("/patients", &form)
        .await
        .is(422)
        .says("Somebody with this name and birth date is here already.")
        .says("this is another person");
    owner.post("/patients", &[&form[..], &[("_confirmed", "birth_date")]].concat()).await.is(303);
    let other = [("first_name", "Ben"), ("last_name", "Reyes"), ("birth_date", "1980-02-03")];
    owner.post("/patients", &other).await.is(303);
}

#[actix_web::test]
async fn a_second_import_offers_nothing_and_the_first_calls_nothing_unchanged() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let claim = json!({"resourceType": "Claim", "id": "c1", "patient": {"reference": "Patient/ana"}});
    let none = json!({"resourceType": "AllergyIntolerance", "id": "n", "patient": {"reference": "Patient/ana"}, "code": {"text": "No known allergies"}});
    let outline = json!({"resourceType": "Composition", "id": "o", "subject": {"reference": "Patient/ana"}});
    let file = [ana(), claim, none, outline];
    let first = import(&t, &owner, &file, &mut |_, _| {}).unwrap();
    assert!(first.patients[0].unchanged.is_empty(), "{:?}", first.patients[0].unchanged);
    let place = upload(&owner, &bundle(&file)).await.location();
    owner.get(&place).await.is(200).lacks("Import now").says("Claims Claim").says("Allergies AllergyIntolerance");
}

#[actix_web::test]
async fn an_offer_is_seen_on_the_home_and_in_a_list() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let condition = |name: &str| json!({"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/ana"}, "code": {"text": "Asthma"}, "severity": {"text": name}});
    let report = import(&t, &owner, &[ana(), condition("mild")], &mut |_, _| {}).unwrap();
    let patient = report.patients[0].patient.clone().unwrap();
    let record = report.patients[0].lines.iter().find_map(|line| line.record.clone()).unwrap();
    let page = format!("/patients/{patient}/conditions/{record}");
    owner.get(&format!("/patients/{patient}")).await.is(200).lacks("waits for your decision");
    let form = owner.get(&format!("{page}/edit")).await.is(200).form(&format!("{page}/edit"));
    owner.submit(&form.with("severity", "moderate")).await.is(303);
    import(&t, &owner, &[ana(), condition("severe")], &mut |_, _| {}).unwrap();
    owner.get(&format!("/patients/{patient}")).await.is(200).says("1 newer value waits for your decision");
    owner.get(&format!("/patients/{patient}/offers")).await.is(200).says("Asthma").has(&page);
    t.stranger("stranger").get(&format!("/patients/{patient}/offers")).await.is(404);
}

#[actix_web::test]
async fn a_file_over_the_limit_is_called_too_large() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let file = " ".repeat(64 * 1024 * 1024 + 1);
    upload(&owner, &file).await.is(413).says("The file is larger than 64 MB.");
    let error = interchange::fhir::read(file.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "the file is larger than 64 MB");
}

#[actix_web::test]
async fn what_is_too_long_is_told_truly_and_stays_whole() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let long = format!("{} end", "cough ".repeat(60));
    let condition = json!({"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/ana"}, "code": {"text": long}});
    let report = import(&t, &owner, &[ana(), condition], &mut |_, _| {}).unwrap();
    let words = kinchart::i18n::Locale::default();
    let told = report.problems[0].sentence(&words);
    assert_eq!(told, "diagnosis is longer than 300 characters: its beginning stands in the field, the whole text in the notes");
    let patient = report.patients[0].patient.clone().unwrap();
    let record = report.patients[0].lines.iter().find_map(|line| line.record.clone()).unwrap();
    owner.get(&format!("/patients/{patient}/conditions/{record}")).await.is(200).says("diagnosis: cough").says("cough end");
}

#[actix_web::test]
async fn two_systems_that_number_alike_are_kept_apart() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let from = |system: &str, illness: &str| {
        let number = json!([{"system": "http://example.org/number", "value": "574687583"}]);
        let person = json!({"resourceType": "Patient", "id": system, "identifier": number, "birthDate": "1980-02-03",
            "name": [{"family": "Reyes", "given": ["Ana"]}]});
        let of = json!({"reference": format!("Patient/{system}")});
        let condition = json!({"resourceType": "Condition", "id": "1", "subject": of, "code": {"text": illness}});
        let claim = json!({"resourceType": "Claim", "id": "1", "patient": of});
        [person, condition, claim]
    };
    let first = import(&t, &owner, &from("clinic", "Asthma"), &mut |_, _| {}).unwrap();
    let second = import(&t, &owner, &from("hospital", "Migraine"), &mut |_, _| {}).unwrap();
    let patient = first.patients[0].patient.clone().unwrap();
    assert_eq!(second.patients[0].patient.as_ref(), Some(&patient));
    assert_eq!(second.patients[0].added.get("Condition"), Some(&1));
    owner.get(&format!("/patients/{patient}/conditions")).await.is(200).has("Asthma").has("Migraine");
    for file in [from("clinic", "Asthma"), from("hospital", "Migraine")] {
        let again = import(&t, &owner, &file, &mut |_, _| {}).unwrap();
        assert!(again.patients[0].added.is_empty() && again.patients[0].updated.is_empty());
    }
}
