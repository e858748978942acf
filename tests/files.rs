//! Documents: kept sealed, given back whole or in part, seen by who sees their record, and never lost without a word.

mod bad_input;
mod charset;
mod lists;
mod twins;

use actix_web::http::Method;
use chrono::Duration;
use kinchart::{
    access::Permission,
    db::types::{PatientId, RecordId},
    files::blobs,
    jobs, records,
    storage::BlobName,
};
use serde_json::Value;

use crate::common::{Answer, Api, Person, Share, TestApp, sample::Sample};

pub const PDF: &str = "%PDF-1.4\n1 0 obj << /Type /Catalog >> endobj\ntrailer << >>\n%%EOF\n";
const SAME_SITE: [(&str, &str); 2] = [("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")];
pub const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=part");

/// A form as a browser sends it: fields, then files with their names.
pub fn form(fields: &[(&str, &str)], files: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| format!("--part\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let file = |(name, content): &(&str, &str)| {
        let told = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/x-anything");
        format!("--part\r\n{told}\r\n\r\n{content}\r\n")
    };
    let parts: Vec<String> = fields.iter().map(field).chain(files.iter().map(file)).collect();
    parts.concat() + "--part--\r\n"
}

async fn upload(person: &Person, patient: &PatientId, fields: &[(&str, &str)], files: &[(&str, &str)]) -> Answer {
    let headers = [FORM, SAME_SITE[0], SAME_SITE[1]];
    person.send(Method::POST, &format!("/patients/{patient}/files"), &headers, form(fields, files)).await
}

async fn put(api: &Api, patient: &PatientId, fields: &[(&str, &str)], name: &str, content: &str) -> Answer {
    api.send(Method::POST, &format!("/api/v1/patients/{patient}/files"), &[FORM], form(fields, &[(name, content)])).await
}

fn medication(person: &Person, patient: &PatientId, variant: usize) -> RecordId {
    let kind = records::kind("medications").unwrap();
    person.record(patient, kind, &Sample::least(kind, variant))
}

async fn items(api: &Api, patient: &PatientId) -> Vec<Value> {
    api.get(&format!("/api/v1/patients/{patient}/files")).await.is(200).json()["items"].as_array().unwrap().clone()
}

/// Everything under the folder of the files, as one text.
pub fn on_disk(t: &TestApp) -> (usize, Vec<u8>) {
    fn walk(folder: &std::path::Path, into: &mut (usize, Vec<u8>)) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                walk(&entry.path(), into);
            } else {
                into.0 += 1;
                into.1.extend(std::fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut found = (0, Vec::new());
    walk(&t.app.config.uploads, &mut found);
    found
}

/// What the thread in the background would do now.
fn work(t: &TestApp) {
    jobs::ensure_standing(&t.app).unwrap();
    jobs::run_due(&t.app).unwrap();
}

#[actix_web::test]
async fn a_paper_is_attached_to_its_record_found_there_and_given_back() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let record = medication(&owner, &ada, 1);
    let page = format!("/patients/{ada}/medications/{record}");
    let letter = PDF.replace("Catalog", "Letter");
    let answer =
        upload(&owner, &ada, &[("record", record.as_str()), ("category", "letter")], &[("scan.pdf", PDF), ("letter.pdf", &letter)]).await;
    assert_eq!(answer.location(), page);
    let shown = owner.get(&page).await.is(200).has("scan.pdf").has("letter.pdf").says("scan.pdf PDF · 65 B · Letter");
    let href =
        shown.nodes().into_iter().filter_map(|node| node.attr("href").map(str::to_owned)).find(|href| href.contains("/files/")).unwrap();
    let one = owner.get(&href).await.is(200).has("/content");
    assert!(one.body.contains(&page), "the way back to its record");

    let all = owner.get(&format!("/patients/{ada}/files")).await.is(200).has("scan.pdf").has("letter.pdf");
    assert!(all.body.contains(&page));
    let got = owner.get(&format!("{href}/content")).await.is(200);
    assert!(got.body == PDF || got.body == letter);
    let header = |name: &str| got.header(name).unwrap();
    assert_eq!((header("content-type").as_str(), header("x-content-type-options").as_str()), ("application/pdf", "nosniff"));
    assert!(header("content-security-policy").contains("sandbox") && header("content-disposition").starts_with("attachment"));
    let shown = owner.get(&format!("{href}/content?inline=1")).await.is(200);
    assert!(shown.header("content-disposition").unwrap().starts_with("inline"));

    let (files, bytes) = on_disk(&t);
    assert_eq!(files, 2);
    assert!(!bytes.windows(7).any(|part| part == b"Catalog"), "it can be read on the disk");
}

#[actix_web::test]
async fn a_part_of_a_file_is_that_part() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    let text = (0..40_000).map(|n| format!("{n:05}\n")).collect::<Vec<_>>().concat();
    let made = put(&api, &ada, &[], "numbers.txt", &text).await.is(201).json();
    let content = made["content"].as_str().unwrap();
    assert_eq!(made["file_size"], text.len());
    for (range, part) in [("bytes=6-11", &text[6..12]), ("bytes=239994-", &text[239_994..]), ("bytes=65530-65545", &text[65530..65546])] {
        let got = api.send(Method::GET, content, &[("range", range)], String::new()).await.is(206);
        assert_eq!(got.body, part, "{range}");
        assert!(got.header("content-range").unwrap().ends_with("/240000"));
    }
    assert_eq!(api.get(content).await.is(200).body, text);
    api.send(Method::GET, content, &[("range", "bytes=240000-")], String::new()).await.is(416);
    let tag = api.get(content).await.header("etag").unwrap();
    api.send(Method::GET, content, &[("if-none-match", &tag)], String::new()).await.is(304);
}

#[actix_web::test]
async fn the_api_keeps_a_file_and_tells_what_it_is() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    let record = medication(&owner, &ada, 1);
    let fields = [("record", record.as_str()), ("description", "From the clinic"), ("category", "report"), ("document_date", "2025-03")];
    let answer = put(&api, &ada, &fields, "C:\\\\scans\\\\x.pdf", PDF).await.is(201);
    let made = answer.json();
    assert_eq!(made["file_name"], "x.pdf");
    assert_eq!((made["file_type"].as_str(), made["file_size"].as_u64()), (Some("application/pdf"), Some(PDF.len() as u64)));
    // Of the same bytes by `sha256sum`.
    assert_eq!(made["sha256"].as_str().unwrap().len(), 64);
    assert_eq!((made["record"].as_str(), made["document_date"].as_str()), (Some(record.as_str()), Some("2025-03")));
    let place = answer.header("location").unwrap();
    assert_eq!(api.get(&place).await.is(200).json()["description"], "From the clinic");
    assert_eq!(items(&api, &ada).await.len(), 1);

    let again = put(&api, &ada, &[], "y.pdf", PDF).await.is(201).json();
    assert_eq!(again["duplicate_of"], made["id"]);
    api.send(Method::DELETE, &place, &[], String::new()).await.is(204);
    api.get(&place).await.is(404);
    api.get(&format!("{place}/content")).await.is(404);
    assert_eq!(items(&api, &ada).await.len(), 1);
}

#[actix_web::test]
async fn bad_files_are_refused_at_their_field_and_leave_nothing() {
    let t = TestApp::with(|config| config.max_upload = 1000).await;
    let owner = t.user("owner");
    let (ada, bea, api) = (owner.patient("Ada"), owner.patient("Bea"), owner.api(true));
    let of_bea = medication(&owner, &bea, 1);
    for (name, content, code) in [
        ("photo.jpg", PDF, "file_contradiction"),
        ("note.txt", "<html><script>alert(1)</script></html>", "file_contradiction"),
        ("setup.exe", "MZ\u{1}\u{2}\u{3}", "file_not_supported"),
        ("letter.pdf", "PK\u{3}\u{4}\u{14} something.class", "file_not_supported"),
        ("empty.pdf", "", "file_empty"),
    ] {
        let problem = put(&api, &ada, &[], name, content).await.is(422).json();
        assert_eq!(problem["errors"][0]["field"], "file", "{name}: {problem}");
        assert_eq!(problem["errors"][0]["code"], code, "{name}");
    }
    put(&api, &ada, &[], "large.txt", &"x".repeat(1001)).await.is(413);
    put(&api, &ada, &[], "fits.txt", &"x".repeat(1000)).await.is(201);
    put(&api, &ada, &[("record", of_bea.as_str())], "x.pdf", PDF).await.is(422);
    put(&api, &ada, &[("record", "nothing")], "x.pdf", PDF).await.is(422);
    put(&api, &ada, &[("shoe_size", "43")], "x.pdf", PDF).await.is(422);
    put(&api, &ada, &[("description", &"x".repeat(2001))], "x.pdf", PDF).await.is(422);
    let unfinished = "--part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.pdf\"\r\n\r\n%PDF-1.4 and then noth";
    api.send(Method::POST, &format!("/api/v1/patients/{ada}/files"), &[FORM], unfinished.to_owned()).await.is(400);
    let many: Vec<(&str, &str)> = (0..10_000).map(|_| ("description", "x")).collect();
    api.send(Method::POST, &format!("/api/v1/patients/{ada}/files"), &[FORM], form(&many, &[])).await.is(413);
    assert_eq!(items(&api, &ada).await.len(), 1);
    assert_eq!(on_disk(&t).0, 1, "what was refused does not lie about");
}

#[actix_web::test]
async fn of_several_files_the_good_ones_are_kept_and_the_others_named() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let name = format!("{}.pdf", "ä".repeat(300));
    let page = upload(&owner, &ada, &[], &[("good.pdf", PDF), ("bad.jpg", PDF), (&name, &PDF.replace('4', "5"))]).await.is(422);
    let page = page.has("good.pdf").has("bad.jpg").says("The ending of the name says something else");
    assert!(page.body.matches("ä").count() < 300, "names are cut");
    assert_eq!(on_disk(&t).0, 2);
    upload(&owner, &ada, &[], &[]).await.is(422).says("Choose a file first");
    // The same once more: kept, and asked about.
    let next = upload(&owner, &ada, &[], &[("again.pdf", PDF)]).await.location();
    owner.get(&next).await.is(200).says("This document is there already").has("good.pdf");
}

#[actix_web::test]
async fn who_may_not_see_the_record_sees_no_paper_of_it() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    let record = medication(&owner, &ada, 1);
    let of_record = put(&api, &ada, &[("record", record.as_str())], "of-record.pdf", PDF).await.is(201).json();
    let of_patient = put(&api, &ada, &[], "of-patient.pdf", &PDF.replace('4', "5")).await.is(201).json();
    let id = |made: &Value| made["id"].as_str().unwrap().to_owned();

    let pills = t.stranger("pills");
    owner.share(&ada, &pills, &Share { kinds: Some(vec!["medications".into()]), ..Share::to(Permission::Edit) });
    let allergies = t.stranger("allergies");
    owner.share(&ada, &allergies, &Share { kinds: Some(vec!["allergies".into()]), ..Share::to(Permission::Edit) });
    let path = |made: &Value| format!("/patients/{ada}/files/{}", id(made));
    pills.get(&format!("/patients/{ada}/files")).await.is(200).has("of-record.pdf").lacks("of-patient.pdf");
    pills.get(&format!("{}/content", path(&of_record))).await.is(200);
    pills.get(&format!("{}/content", path(&of_patient))).await.is(404);
    allergies.get(&format!("/patients/{ada}/files")).await.is(200).lacks("of-record.pdf").lacks("of-patient.pdf");
    for made in [&of_record, &of_patient] {
        allergies.get(&path(made)).await.is(404);
        allergies.get(&format!("{}/content", path(made))).await.is(404);
        allergies.post(&format!("{}/delete", path(made)), &[]).await.is(404);
    }
    // The same bytes as of what they do not see: not told.
    let own = put(&allergies.api(true), &ada, &[], "mine.pdf", PDF).await;
    own.is(422);
    let kind = records::kind("allergies").unwrap();
    let allergy = owner.record(&ada, kind, &Sample::least(kind, 1));
    let made = put(&allergies.api(true), &ada, &[("record", allergy.as_str())], "mine.pdf", PDF).await.is(201).json();
    assert!(made.get("duplicate_of").is_none(), "{made}");
    // Moved to where they don't see it, a paper is gone for them.
    owner.post(&path(&of_record), &[("_version", "1"), ("record", allergy.as_str())]).await.location();
    pills.get(&path(&of_record)).await.is(404);
    allergies.get(&path(&of_record)).await.is(200);
}

#[actix_web::test]
async fn the_trash_keeps_a_paper_for_its_time_and_then_the_bytes_go() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    let made = put(&api, &ada, &[], "letter.pdf", PDF).await.is(201).json();
    let page = format!("/patients/{ada}/files/{}", made["id"].as_str().unwrap());
    owner.post(&format!("{page}/delete"), &[]).await.location();
    owner.get(&format!("/patients/{ada}/files")).await.is(200).lacks("letter.pdf");
    owner.get(&format!("/patients/{ada}/files?trash=1")).await.is(200).has("letter.pdf");
    owner.get(&format!("/patients/{ada}/trash")).await.is(200).says("1 document in the trash").lacks("trash is empty");
    owner.get(&format!("{page}/content")).await.is(404);
    owner.post(&format!("{page}/restore"), &[]).await.location();
    assert_eq!(owner.get(&format!("{page}/content")).await.is(200).body, PDF);

    owner.post(&format!("{page}/delete"), &[]).await.location();
    t.later(Duration::days(29));
    work(&t);
    assert_eq!(on_disk(&t).0, 1);
    t.later(Duration::days(2));
    work(&t);
    t.later(Duration::hours(2));
    work(&t);
    assert_eq!(on_disk(&t).0, 0);
    owner.signed_in().get(&page).await.is(404);
}

#[actix_web::test]
async fn a_record_that_is_gone_for_good_takes_its_papers_along() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    let record = medication(&owner, &ada, 1);
    put(&api, &ada, &[("record", record.as_str())], "letter.pdf", PDF).await.is(201);
    owner.post(&format!("/patients/{ada}/medications/{record}/delete"), &[("_version", "1")]).await.location();
    assert!(items(&api, &ada).await.is_empty(), "with its record in the trash it is seen nowhere");
    t.later(Duration::days(31));
    work(&t);
    t.later(Duration::hours(2));
    work(&t);
    assert_eq!(on_disk(&t).0, 0);
}

#[actix_web::test]
async fn the_owner_reads_who_had_which_paper() {
    let t = TestApp::new().await;
    let (owner, helper) = (t.user("owner"), t.stranger("helper"));
    let ada = owner.patient("Ada");
    owner.share(&ada, &helper, &Share::to(Permission::Edit));
    let made = put(&helper.api(true), &ada, &[], "letter.pdf", PDF).await.is(201).json();
    let page = format!("/patients/{ada}/files/{}", made["id"].as_str().unwrap());
    helper.get(&format!("{page}/content")).await.is(200);
    helper.get(&page).await.is(200);
    helper.post(&page, &[("_version", "1"), ("category", "letter")]).await.location();
    helper.post(&format!("{page}/delete"), &[]).await.location();
    let looks = owner.get(&format!("/patients/{ada}/looks")).await.is(200);
    for words in ["added the document: letter.pdf", "downloaded the document: letter.pdf", "opened the document: letter.pdf"] {
        assert!(looks.text().contains(words), "{words}: {}", looks.text());
    }
    let looks = looks.says("changed what is said of the document: letter.pdf").says("threw the document away: letter.pdf").has(&page);
    looks.lacks("helper added this person").lacks("helper deleted this person");
    t.later(Duration::days(31));
    work(&t);
    owner.signed_in().get(&format!("/patients/{ada}/looks?own=1")).await.is(200).says("removed a document for good");
}

/// What a fall of the power leaves at each step is explained, and goes.
#[actix_web::test]
async fn what_broke_off_is_known_and_swept() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    put(&api, &ada, &[], "letter.pdf", PDF).await.is(201);
    let storage = t.app.storage.as_ref();
    // The row is there and no byte; bytes without their end; bytes under their name, and no file of anybody's.
    blobs::expect(&t.app, storage).unwrap();
    let (name, key) = blobs::expect(&t.app, storage).unwrap();
    let mut half = storage.begin(&name, &key).unwrap();
    half.write(b"half of").unwrap();
    std::mem::forget(half);
    let (name, key) = blobs::expect(&t.app, storage).unwrap();
    let mut whole = storage.begin(&name, &key).unwrap();
    whole.write(b"all of it").unwrap();
    whole.finish().unwrap();

    let found = blobs::check(&t.app, storage, true).unwrap();
    assert_eq!((found.is_well(), found.whole, found.waiting), (true, 1, 3), "{found:?}");
    work(&t);
    assert_eq!(on_disk(&t).0, 3, "somebody may still be sending");
    t.later(Duration::hours(26));
    work(&t);
    let found = blobs::check(&t.app, storage, true).unwrap();
    assert_eq!((found.is_well(), found.whole, found.waiting, on_disk(&t).0), (true, 1, 0, 1), "{found:?}");
}

#[actix_web::test]
async fn what_was_changed_on_the_disk_is_noticed_and_not_given_out() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    let made = put(&api, &ada, &[], "letter.pdf", PDF).await.is(201).json();
    let content = format!("/patients/{ada}/files/{}/content", made["id"].as_str().unwrap());
    let storage = t.app.storage.as_ref();
    let name: BlobName = storage.names().unwrap().pop().unwrap();
    let text = name.as_str();
    let file = t.app.config.uploads.join(&text[text.len() - 2..]).join(text);
    let good = std::fs::read(&file).unwrap();

    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &changed).unwrap();
    owner.get(&content).await.is(500).says("This file is damaged");
    assert!(blobs::check(&t.app, storage, false).unwrap().is_well(), "its length is right");
    assert_eq!(blobs::check(&t.app, storage, true).unwrap().changed, [text]);
    std::fs::write(&file, &good[..good.len() - 1]).unwrap();
    assert_eq!(blobs::check(&t.app, storage, false).unwrap().changed, [text]);
    std::fs::remove_file(&file).unwrap();
    owner.get(&content).await.is(500);
    assert_eq!(blobs::check(&t.app, storage, false).unwrap().missing, [text]);
    std::fs::write(&file, &good).unwrap();
    assert_eq!(owner.get(&content).await.is(200).body, PDF);
    let stranger = t.app.config.uploads.join("aa");
    std::fs::create_dir_all(&stranger).unwrap();
    std::fs::write(stranger.join("0123456789abcdef0123456789abcdef"), b"?").unwrap();
    assert_eq!(blobs::check(&t.app, storage, false).unwrap().unknown.len(), 1);
}

#[actix_web::test]
async fn a_folder_that_takes_no_files_says_so_and_keeps_what_was_there() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    put(&api, &ada, &[], "first.pdf", PDF).await.is(201);
    // A file stands where the folder of what arrives should be: no rights needed to make it fail.
    let arriving = t.app.config.uploads.join(".arriving");
    std::fs::remove_dir(&arriving).unwrap();
    std::fs::write(&arriving, b"in the way").unwrap();
    put(&api, &ada, &[], "second.pdf", &PDF.replace('4', "5")).await.is(503);
    assert_eq!(items(&api, &ada).await.len(), 1);
    std::fs::remove_file(&arriving).unwrap();
    put(&api, &ada, &[], "second.pdf", &PDF.replace('4', "5")).await.is(201);
    assert!(blobs::check(&t.app, t.app.storage.as_ref(), true).unwrap().is_well());
}
