//! Documents that come with the form of a record: kept with it once it is saved, held on to while something is wrong, nobody else's.

use actix_web::http::Method;
use chrono::Duration;
use kinchart::{
    access::Permission,
    db::types::{PatientId, RecordId},
    jobs, records,
};

use crate::{
    common::{Answer, Person, Share, TestApp, html::Form, sample::Sample},
    files::{FORM, form},
};

const SAME_SITE: [(&str, &str); 2] = [("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")];
const LETTER: &str = "Dear Ada,\nall is well.\n";

async fn send(person: &Person, path: &str, fields: &[(&str, &str)], files: &[(&str, &str)]) -> Answer {
    person.send(Method::POST, path, &[FORM, SAME_SITE[0], SAME_SITE[1]], form(fields, files)).await
}

/// What the page's form would send now.
fn again<'a>(form: &'a Form, change: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = form.pairs.iter().filter(|(name, _)| change.iter().all(|(changed, _)| changed != name));
    kept.map(|(name, value)| (name.as_str(), value.as_str())).chain(change.iter().copied()).collect()
}

async fn papers(person: &Person, patient: &PatientId, record: &str) -> Vec<String> {
    let list = person.api(false).get(&format!("/api/v1/patients/{patient}/files?record={record}")).await.is(200).json();
    let mut names: Vec<String> =
        list["items"].as_array().unwrap().iter().map(|file| file["file_name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn sweep(t: &TestApp) {
    jobs::ensure_standing(&t.app).unwrap();
    jobs::run_due(&t.app).unwrap();
}

fn stored(t: &TestApp) -> usize {
    t.app.storage.names().unwrap().len()
}

#[actix_web::test]
async fn a_record_is_saved_with_its_documents() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let base = format!("/patients/{ada}/medications");
    owner.get(&format!("{base}/new")).await.is(200).has("multipart/form-data");
    let made = send(&owner, &base, &[("medication_name", "Metformin")], &[("a.txt", LETTER), ("b.pdf", "%PDF-1.4\n%%EOF\n")]).await;
    let page = made.location();
    let id = page.rsplit('/').next().unwrap();
    assert_eq!(papers(&owner, &ada, id).await, ["a.txt", "b.pdf"]);
    owner.get(&page).await.is(200).has("a.txt").has("b.pdf");
    let edit = format!("{page}/edit");
    let fields = [("medication_name", "Metformin"), ("dosage", "500 mg"), ("_version", "1")];
    send(&owner, &edit, &fields, &[("c.txt", "more")]).await.location();
    assert_eq!(papers(&owner, &ada, id).await, ["a.txt", "b.pdf", "c.txt"]);
    assert_eq!(owner.audit(&ada).iter().filter(|event| event.kind.as_deref() == Some("files") && event.action == "created").count(), 3);
}

#[actix_web::test]
async fn what_is_wrong_elsewhere_loses_no_document() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let base = format!("/patients/{ada}/medications");
    let fields = [("medication_name", ""), ("dosage", "500 mg")];
    let page = send(&owner, &base, &fields, &[("letter.txt", LETTER), ("photo.txt", "x"), ("other.txt", "y")]).await.is(422);
    let page = page.has("letter.txt").has("photo.txt").has("500 mg");
    assert_eq!(stored(&t), 3);
    // The second try is wrong, too, brings one more and leaves one out; the form asks for another thing first, and nothing is lost.
    let first = page.form(&base);
    let leave = blob_of(&page, "photo.txt");
    let second = send(&owner, &base, &again(&first, &[("_leave", &leave)]), &[("late.txt", "z")]).await.is(422);
    let second = second.has("letter.txt").has("late.txt").lacks("photo.txt").form(&base);
    let third = send(&owner, &base, &again(&second, &[("_find", "medication_name")]), &[]).await.is(200).has("late.txt").form(&base);
    let made = send(&owner, &base, &again(&third, &[("medication_name", "Metformin")]), &[]).await.location();
    let id = made.rsplit('/').next().unwrap();
    assert_eq!(papers(&owner, &ada, id).await, ["late.txt", "letter.txt", "other.txt"]);
    assert_eq!(owner.count(&ada, records::kind("medications").unwrap()), 1);
    t.later(Duration::hours(25));
    sweep(&t);
    assert_eq!(stored(&t), 3, "what was left out is gone");
}

fn blob_of(page: &Answer, name: &str) -> String {
    let html = page.body.as_str();
    let (_, after) = html.split_once(&format!(">{name}<")).unwrap();
    let (_, after) = after.split_once("name=\"_leave\" value=\"").unwrap();
    after.split('"').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_document_that_is_not_taken_keeps_the_form() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let base = format!("/patients/{ada}/conditions");
    let page = send(&owner, &base, &[("diagnosis", "Asthma"), ("status", "active")], &[("letter.pdf", "no PDF"), ("good.txt", LETTER)])
        .await
        .is(422);
    let page = page.has("Asthma").has("good.txt").has("aria-invalid").form(&base);
    assert_eq!(owner.count(&ada, records::kind("conditions").unwrap()), 0);
    let made = send(&owner, &base, &again(&page, &[]), &[]).await.location();
    assert_eq!(papers(&owner, &ada, made.rsplit('/').next().unwrap()).await, ["good.txt"]);
    // An empty part is what a browser sends when nothing was chosen.
    send(&owner, &base, &[("diagnosis", "Gout"), ("status", "active")], &[("", "")]).await.location();
}

#[actix_web::test]
async fn what_a_form_holds_on_to_is_its_own_persons_and_not_for_ever() {
    let t = TestApp::new().await;
    let (owner, helper) = (t.user("owner"), t.stranger("helper"));
    let ada = owner.patient("Ada");
    owner.share(&ada, &helper, &Share::to(Permission::Edit));
    let base = format!("/patients/{ada}/medications");
    let page = send(&owner, &base, &[("medication_name", "")], &[("letter.txt", LETTER)]).await.is(422).form(&base);
    let fields = again(&page, &[("medication_name", "Metformin")]);
    let by_helper = send(&helper, &base, &fields, &[]).await.is(422).says("no longer there").lacks("letter.txt");
    assert!(by_helper.form(&base).pairs.iter().all(|(name, _)| name != "_files"));
    let forged = again(&page, &[("medication_name", "Metformin"), ("_files", "1.abcdef")]);
    send(&owner, &base, &forged, &[]).await.is(422).says("no longer there").has("Metformin");
    t.later(Duration::hours(25));
    sweep(&t);
    let owner = owner.signed_in();
    let late = send(&owner, &base, &fields, &[]).await.is(422).says("no longer there").has("Metformin");
    assert!(!late.body.contains("letter.txt"));
    assert_eq!((owner.count(&ada, records::kind("medications").unwrap()), stored(&t)), (0, 0));
}

#[actix_web::test]
async fn a_form_sent_twice_attaches_its_documents_once() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let base = format!("/patients/{ada}/medications");
    let page = send(&owner, &base, &[("medication_name", "")], &[("letter.txt", LETTER)]).await.is(422).form(&base);
    let fields = again(&page, &[("medication_name", "Metformin")]);
    send(&owner, &base, &fields, &[]).await.location();
    send(&owner, &base, &fields, &[]).await.is(422).says("no longer there");
    assert_eq!(owner.api(false).get(&format!("/api/v1/patients/{ada}/files")).await.json()["total"], 1);
}

#[actix_web::test]
async fn another_s_version_first_and_the_documents_still_there() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("medications").unwrap();
    let id: RecordId = owner.record(&ada, kind, &Sample::least(kind, 1));
    let edit = format!("/patients/{ada}/medications/{id}/edit");
    let fields = [("medication_name", "Metformin"), ("dosage", "850 mg"), ("_version", "1")];
    send(&owner, &edit, &fields, &[]).await.location();
    let mine = [("medication_name", "Metformin"), ("dosage", "500 mg"), ("_version", "1")];
    let page = send(&owner, &edit, &mine, &[("letter.txt", LETTER)]).await.is(409).has("850 mg").has("letter.txt").form(&edit);
    send(&owner, &edit, &again(&page, &[]), &[]).await.location();
    assert_eq!(papers(&owner, &ada, id.as_str()).await, ["letter.txt"]);
}

#[actix_web::test]
async fn a_session_that_ran_out_keeps_what_was_typed_and_asks_for_the_documents_again() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let base = format!("/patients/{ada}/medications");
    let nobody = t.anon();
    let page = send(&nobody, &base, &[("medication_name", "Metformin & more"), ("tags", "a, b")], &[("letter.txt", LETTER)]).await.is(401);
    let kept = page.form("/login").pairs.iter().find(|(name, _)| name == "resume_body").unwrap().1.clone();
    assert!(kept.contains("medication_name=Metformin+%26+more") && !kept.contains("Dear"), "{kept}");
    owner.post_body(&base, kept).await.is(422).says("no longer there").has("Metformin &#38; more");
    assert_eq!(stored(&t), 0);
    let plain = send(&nobody, &base, &[("medication_name", "Metformin")], &[("", "")]).await.is(401);
    let kept = plain.form("/login").pairs.iter().find(|(name, _)| name == "resume_body").unwrap().1.clone();
    owner.post_body(&base, kept).await.location();
}

#[actix_web::test]
async fn a_form_of_many_parts_is_read_and_one_of_too_many_is_not() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let base = format!("/patients/{ada}/lab-results");
    let names: Vec<String> = (0..200).flat_map(|n| [format!("components.{n}.test_name"), format!("components.{n}.value")]).collect();
    let mut fields = vec![("test_name", "Panel")];
    fields.extend(names.iter().map(|name| (name.as_str(), if name.ends_with("value") { "7.10" } else { "Sodium" })));
    let made = send(&owner, &base, &fields, &[("report.txt", LETTER)]).await.location();
    let told = owner.api(false).get(&format!("/api/v1{made}")).await.is(200).json();
    assert_eq!((told["components"].as_array().unwrap().len(), told["components"][199]["value"].as_str()), (200, Some("7.10")));
    let many: Vec<(&str, &str)> = (0..10_001).map(|_| ("notes", "x")).collect();
    send(&owner, &base, &many, &[("late.txt", LETTER)]).await.is(413);
    let long = "x".repeat(3 * 1024 * 1024);
    send(&owner, &base, &[("notes", &long)], &[]).await.is(413);
    assert_eq!(stored(&t), 1);
}

#[actix_web::test]
async fn the_same_bytes_with_a_record_are_asked_about() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, bea) = (owner.patient("Ada"), owner.patient("Bea"));
    let first = send(&owner, &format!("/patients/{bea}/files"), &[], &[("first.txt", LETTER)]).await;
    first.location();
    let base = format!("/patients/{ada}/medications");
    let next = send(&owner, &base, &[("medication_name", "Metformin")], &[("again.txt", LETTER), ("new.txt", "new")]).await.location();
    assert!(next.starts_with("/twins?new="), "{next}");
    let page = owner.get(&next).await.is(200).says("first.txt with Bea").says("again.txt").lacks("new.txt");
    let ask = page.form("/twins").with("keep", "first");
    let on = owner.submit(&ask).await.location();
    assert!(on.starts_with(&format!("{base}/")), "{on}");
    let id = on.rsplit('/').next().unwrap().to_owned();
    assert_eq!(papers(&owner, &ada, &id).await, ["new.txt"]);
    // And with the form for another one, that is where it goes on.
    let fields = [("medication_name", "Aspirin"), ("_then", "new")];
    let next = send(&owner, &base, &fields, &[("third.txt", LETTER)]).await.location();
    assert!(next.starts_with("/twins?new=") && next.contains("saved%3D1"), "{next}");
    // The API tells of it, wherever it is, to who sees it there.
    let path = format!("/api/v1/patients/{ada}/files");
    let told = owner.api(true).send(Method::POST, &path, &[FORM], form_of(LETTER)).await.is(201).json();
    let before = owner.api(false).get(&format!("/api/v1/patients/{bea}/files")).await.is(200).json();
    assert_eq!(told["duplicate_of"], before["items"][0]["id"]);
    let helper = t.stranger("helper");
    owner.share(&ada, &helper, &Share { kinds: Some(vec!["conditions".into()]), ..Share::to(Permission::Edit) });
    let kind = records::kind("conditions").unwrap();
    let record = owner.record(&ada, kind, &Sample::least(kind, 1));
    let body = form(&[("record", record.as_str())], &[("mine.txt", LETTER)]);
    let told = helper.api(true).send(Method::POST, &path, &[FORM], body).await.is(201).json();
    assert!(told["duplicate_of"].is_null(), "{told}");
}

fn form_of(text: &str) -> String {
    form(&[], &[("again.txt", text)])
}

#[actix_web::test]
async fn more_files_than_a_form_takes_are_refused_and_nothing_is_lost() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let base = format!("/patients/{ada}/medications");
    let names: Vec<(String, String)> = (0..203).map(|number| (format!("{number}.txt"), format!("text {number}"))).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let page = send(&owner, &base, &[("medication_name", "Metformin")], &files).await.is(422);
    let page = page.says("At most 200 documents").has("Metformin").has("199.txt").lacks("200.txt");
    assert_eq!(stored(&t), 200);
    let form = page.form(&base);
    let made = send(&owner, &base, &again(&form, &[]), &[]).await.location();
    assert_eq!(papers(&owner, &ada, made.rsplit('/').next().unwrap()).await.len(), 50, "a page of the list");
    assert_eq!(owner.audit(&ada).iter().filter(|event| event.kind.as_deref() == Some("files") && event.action == "created").count(), 200);
}

#[actix_web::test]
async fn of_several_the_one_that_is_not_taken_is_named() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let base = format!("/patients/{ada}/medications");
    let page = send(&owner, &base, &[("medication_name", "Metformin")], &[("good.txt", LETTER), ("wrong.pdf", "no PDF")]).await.is(422);
    page.says("wrong.pdf: The ending of the name").lacks("good.txt: ");
}
