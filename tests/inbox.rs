//! The inbox of a household: documents come in by the page, the API and the watched folder, and are filed once, by whoever may.

mod folder;

use actix_web::http::Method;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use kinchart::{
    access::{self, Edit, Permission},
    db::{
        schema::{household_members, inbox_filings, users},
        types::{FileId, PatientId, RecordId},
    },
    error::Error,
    files::{blobs, inbox, quota::Quota},
    records,
};
use serde_json::{Value, json};

use crate::{
    common::{Answer, Api, Person, Share, TestApp, at_once, sample::Sample},
    files::{FORM, PDF, form},
};

const SAME_SITE: [(&str, &str); 2] = [("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")];

pub async fn upload_to(person: &Person, path: &str, files: &[(&str, &str)]) -> Answer {
    person.send(Method::POST, path, &[FORM, SAME_SITE[0], SAME_SITE[1]], form(&[], files)).await
}

/// Other bytes for each number.
fn pdf(number: usize) -> String {
    PDF.replace("Catalog", &format!("Paper{number}"))
}

pub async fn waiting(api: &Api) -> Vec<Value> {
    api.get("/api/v1/inbox/files").await.is(200).json()["items"].as_array().unwrap().clone()
}

pub async fn drop_in(person: &Person, name: &str, content: &str) -> FileId {
    let made = person.api(true).send(Method::POST, "/api/v1/inbox/files", &[FORM], form(&[], &[(name, content)])).await.is(201).json();
    FileId::parse(made["id"].as_str().unwrap()).unwrap()
}

fn medication(person: &Person, patient: &PatientId) -> RecordId {
    let kind = records::kind("medications").unwrap();
    person.record(patient, kind, &Sample::least(kind, 1))
}

/// What somebody's inbox says waits, in the bar of any page.
async fn told_waiting(person: &Person) -> bool {
    person.get("/settings").await.is(200).text().contains("waits") || person.get("/settings").await.text().contains("wait ")
}

#[actix_web::test]
async fn papers_are_dropped_first_and_filed_later() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let record = medication(&owner, &ada);
    assert!(!told_waiting(&owner).await);
    let next = upload_to(&owner, "/inbox", &[("one.pdf", &pdf(1)), ("two.pdf", &pdf(2)), ("three.pdf", &pdf(3))]).await.location();
    let page = owner.get(&next).await.is(200).has("one.pdf").has("two.pdf").says("Kept.").says("3 documents wait");
    let ids: Vec<String> = page
        .nodes()
        .into_iter()
        .filter(|n| n.attr("name") == Some("document"))
        .filter_map(|n| n.attr("value").map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), 3);
    let one = format!("/inbox/{}", ids[0]);
    owner.get(&one).await.is(200).has(&format!("/inbox/file?document={}", ids[0]));
    assert!(owner.get(&format!("{one}/content")).await.is(200).body.starts_with("%PDF"));
    owner
        .post(&one, &[("_version", "1"), ("description", "From the clinic"), ("category", "letter"), ("document_date", "2025-03")])
        .await
        .location();
    owner.get("/inbox").await.is(200).says("From the clinic").says("Letter");

    // Two at once, with a record.
    let file = format!("/inbox/file?document={}&document={}&patient={ada}", ids[0], ids[1]);
    owner.get(&file).await.is(200).has(record.as_str());
    let form =
        [("document", ids[0].as_str()), ("document", &ids[1]), ("patient", ada.as_str()), ("record", record.as_str()), ("_what", "record")];
    let next = owner.post("/inbox/file", &form).await.location();
    assert_eq!(next, format!("/patients/{ada}/medications/{record}"));
    owner.get(&next).await.is(200).says("From the clinic").has(&ids[1]);
    owner.get("/inbox").await.is(200).says("1 document waits").lacks(&ids[0]);
    // And one with the person alone.
    owner.post("/inbox/file", &[("document", &ids[2]), ("patient", ada.as_str()), ("_what", "patient")]).await.location();
    owner.get(&format!("/patients/{ada}/files/{}", ids[2])).await.is(200);
    owner.get("/inbox").await.is(200).says("Nothing waits");
    // What was in the inbox tells where it is.
    owner.get(&one).await.is(410).says("was filed with Ada Lovelace").has(&format!("/patients/{ada}/files/{}", ids[0]));
    let audit: Vec<String> = owner.audit(&ada).into_iter().filter(|e| e.action == "filed").filter_map(|e| e.detail).collect();
    assert_eq!(audit.len(), 3);
    owner.get(&format!("/patients/{ada}/looks?own=1")).await.is(200).says("filed the document from the inbox");
}

#[actix_web::test]
async fn a_paper_becomes_a_new_record_when_the_record_is_saved_and_not_before() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let id = drop_in(&owner, "letter.pdf", PDF).await;
    let asked = [("document", id.as_str()), ("patient", ada.as_str()), ("kind", "allergies"), ("_what", "new")];
    let next = owner.post("/inbox/file", &asked).await.location();
    assert_eq!(next, format!("/patients/{ada}/allergies/new?inbox={id}"));
    let base = format!("/patients/{ada}/allergies");
    let blank = owner.get(&next).await.is(200).says("letter.pdf").form(&base);
    assert_eq!(blank.value("_inbox"), Some(id.as_str()));
    // Not finished: it stays where it is, and the form that comes back still holds it.
    let again = owner.submit(&blank.clone().with("allergen", "")).await.is(422).form(&base);
    assert_eq!(again.value("_inbox"), Some(id.as_str()));
    assert_eq!(waiting(&owner.api(false)).await.len(), 1);
    let saved = owner.submit(&again.with("allergen", "Peanut").with("reaction", "Hives")).await.location();
    owner.get(&saved).await.is(200).has("letter.pdf");
    assert!(waiting(&owner.api(false)).await.is_empty());
    // Saved again from the old form: the record is kept, and it is told what became of the document.
    let told = owner.submit(&blank.with("allergen", "Milk").with("reaction", "Hives")).await.location();
    let told = owner.get(&told).await.is(409).says("Your record is saved").says("letter.pdf was filed with Ada Lovelace, Peanut by owner");
    let kept = told
        .nodes()
        .into_iter()
        .filter_map(|n| n.attr("href").map(str::to_owned))
        .find(|href| href.starts_with(&format!("{base}/")))
        .unwrap();
    owner.get(&kept).await.is(200).says("Milk");
}

#[actix_web::test]
async fn the_inbox_is_the_households_and_nobody_elses() {
    let t = TestApp::new().await;
    let (owner, sibling, stranger) = (t.user("owner"), t.user("sibling"), t.stranger("stranger"));
    let ada = owner.patient("Ada");
    owner.share(&ada, &stranger, &Share::to(Permission::Full));
    let id = drop_in(&owner, "secret.pdf", PDF).await;
    let of_owner = format!("/inbox?household={}", owner.household);
    sibling.get("/inbox").await.is(200).has("secret.pdf");
    sibling.get(&format!("/inbox/{id}/content")).await.is(200);
    stranger.get("/inbox").await.is(200).lacks("secret.pdf");
    for path in
        [of_owner.clone(), format!("/inbox/{id}"), format!("/inbox/{id}/content"), format!("/inbox/file?document={id}&patient={ada}")]
    {
        stranger.get(&path).await.is(404);
    }
    upload_to(&stranger, &of_owner, &[("x.pdf", PDF)]).await.is(404);
    for verb in ["delete", "restore"] {
        stranger.post(&format!("/inbox/{id}/{verb}"), &[]).await.is(404);
    }
    let file = |patient: &PatientId| {
        vec![
            ("document".to_owned(), id.to_string()),
            ("patient".to_owned(), patient.to_string()),
            ("_what".to_owned(), "patient".to_owned()),
        ]
    };
    let post = async |person: &Person, pairs: Vec<(String, String)>| {
        person.post_body("/inbox/file", serde_urlencoded::to_string(pairs).unwrap()).await
    };
    post(&stranger, file(&ada)).await.is(404);
    let form = stranger
        .get(&format!("/patients/{ada}/allergies/new?inbox={id}"))
        .await
        .is(200)
        .lacks("secret.pdf")
        .form(&format!("/patients/{ada}/allergies"));
    let stolen = stranger.submit(&form.with("allergen", "Peanut").with("reaction", "Hives").with("_inbox", id.as_str())).await.location();
    stranger.get(&stranger.get(&stolen).await.location()).await.is(200).says("Peanut").lacks("secret.pdf");
    assert_eq!(waiting(&owner.api(false)).await.len(), 1, "it was not taken");
    // A member who sees no patient keeps it waiting; to look at somebody is not enough to file with them.
    post(&sibling, file(&ada)).await.is(404);
    sibling.get(&format!("/inbox/file?document={id}")).await.is(200).says("nobody whose records you may change");
    owner.share(&ada, &sibling, &Share::default());
    post(&sibling, file(&ada)).await.is(403);
    // Of a part, a record of that part: without a record it takes everything.
    let part = t.user("part");
    owner.share(&ada, &part, &Share { kinds: Some(vec!["medications".into()]), ..Share::to(Permission::Edit) });
    post(&part, file(&ada)).await.is(422).says("secret.pdf");
    let allergies = records::kind("allergies").unwrap();
    let hidden = owner.record(&ada, allergies, &Sample::least(allergies, 1));
    let mut to_hidden = file(&ada);
    to_hidden.retain(|(name, _)| name != "_what");
    to_hidden.extend([("record".to_owned(), hidden.to_string()), ("_what".to_owned(), "record".to_owned())]);
    post(&part, to_hidden.clone()).await.is(422);
    let seen = medication(&owner, &ada);
    to_hidden[2].1 = seen.to_string();
    post(&part, to_hidden).await.is(303);
    // Where it went is told to whom it is shown there, and its place to nobody else.
    let other = t.user("other");
    set_joined(&t, &other);
    other.get(&format!("/inbox/{id}")).await.is(410).says("secret.pdf was filed by part").lacks("Ada").lacks(ada.as_str());
    let late = t.user("late");
    t.app
        .db
        .write(|tx| {
            let of = household_members::table.filter(household_members::user_id.eq(&late.id));
            Ok(diesel::update(of).set(household_members::created_at.eq(t.now() + chrono::Duration::days(1))).execute(&mut **tx)?)
        })
        .unwrap();
    late.get(&format!("/inbox/{id}")).await.is(404);
}

/// Has been a member all along.
fn set_joined(t: &TestApp, person: &Person) {
    let at = t.now() - chrono::Duration::days(1);
    let set = t.app.db.write(|tx| {
        let of = household_members::table.filter(household_members::user_id.eq(&person.id));
        Ok(diesel::update(of).set(household_members::created_at.eq(at)).execute(&mut **tx)?)
    });
    set.unwrap();
}

#[actix_web::test]
async fn a_guest_looks_and_a_token_to_read_too() {
    let t = TestApp::new().await;
    let (owner, guest) = (t.user("owner"), t.user("guest"));
    t.app.db.write(|tx| Ok(diesel::update(users::table.find(&guest.id)).set(users::role.eq("guest")).execute(&mut **tx)?)).unwrap();
    let guest = guest.signed_in();
    let id = drop_in(&owner, "letter.pdf", PDF).await;
    guest.get("/inbox").await.is(200).has("letter.pdf").lacks("multipart");
    upload_to(&guest, "/inbox", &[("x.pdf", &pdf(1))]).await.is(403);
    guest.post(&format!("/inbox/{id}/delete"), &[]).await.is(403);
    let reader = owner.api(false);
    reader.get(&format!("/api/v1/inbox/files/{id}")).await.is(200);
    reader.send(Method::DELETE, &format!("/api/v1/inbox/files/{id}"), &[], String::new()).await.is(403);
}

/// Threads instead of requests, so that they truly meet.
#[actix_web::test]
async fn of_two_who_file_the_same_paper_exactly_one_comes_first() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let patients = [owner.patient("Ada"), owner.patient("Bea"), owner.patient("Cleo"), owner.patient("Dora")];
    for round in 0..8 {
        let id = drop_in(&owner, "letter.pdf", &pdf(round)).await;
        let (app, actor, now) = (t.app.clone(), owner.actor(), t.now());
        let outcomes = at_once(patients.len(), |thread| {
            app.db.write(|tx| {
                let access = access::grant::<Edit>(tx, &actor, &patients[thread], now)?;
                inbox::file_to(tx, &access, &id, None, Quota::default())
            })
        });
        let won: Vec<usize> = outcomes.iter().enumerate().filter(|(_, o)| o.is_ok()).map(|(i, _)| i).collect();
        assert_eq!(won.len(), 1, "round {round}: {outcomes:?}");
        for outcome in outcomes.into_iter().filter_map(Result::err) {
            assert!(matches!(outcome, Error::Conflict(inbox::FILED_MEANWHILE)), "{outcome}");
        }
        for (place, patient) in patients.iter().enumerate() {
            let found = owner.get(&format!("/patients/{patient}/files/{id}/content")).await.status;
            assert_eq!(found, if won.contains(&place) { 200 } else { 404 });
        }
        let filings: i64 =
            t.app.db.read(|conn| Ok(inbox_filings::table.filter(inbox_filings::file_id.eq(&id)).count().get_result(conn)?)).unwrap();
        assert_eq!(filings, 1);
    }
    assert!(blobs::check(&t.app, t.app.storage.as_ref(), true).unwrap().is_well());
}

#[actix_web::test]
async fn whoever_comes_second_is_told_who_was_faster() {
    let t = TestApp::new().await;
    let (owner, second) = (t.user("owner"), t.user("second"));
    let (ada, bea) = (owner.patient("Ada"), owner.patient("Bea"));
    owner.share(&bea, &second, &Share::to(Permission::Edit));
    let (one, two) = (drop_in(&owner, "one.pdf", &pdf(1)).await, drop_in(&owner, "two.pdf", &pdf(2)).await);
    owner.post("/inbox/file", &[("document", one.as_str()), ("patient", ada.as_str()), ("_what", "patient")]).await.location();
    // The page was open meanwhile, with both of them.
    let both = [("document", one.as_str()), ("document", two.as_str()), ("patient", bea.as_str()), ("_what", "patient")];
    let told = second.post("/inbox/file", &both).await.is(409).says("1 document was filed.").says("one.pdf was filed by owner on");
    told.lacks("Ada").lacks(ada.as_str());
    second.get(&format!("/patients/{bea}/files/{two}")).await.is(200);
    owner.get(&format!("/patients/{ada}/files/{one}")).await.is(200);
    for verb in ["", "/delete"] {
        second.post(&format!("/inbox/{one}{verb}"), &[("_version", "1")]).await.is(409).says("Somebody else filed this document meanwhile");
    }
    let json = json!({"patient": bea});
    second.api(true).post(&format!("/api/v1/inbox/files/{one}/file"), &json).await.is(409).has("filed_meanwhile");
}

#[actix_web::test]
async fn two_versions_of_a_paper_stand_beside_each_other() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let id = drop_in(&owner, "letter.pdf", PDF).await;
    let page = format!("/inbox/{id}");
    let old = owner.get(&page).await.is(200).form(&page);
    owner.post(&page, &[("_version", "1"), ("description", "Theirs"), ("category", "letter")]).await.location();
    let told = owner.submit(&old.with("description", "Mine").with("document_date", "2025-03")).await.is(409);
    let again = told.says("Somebody else changed this document").says("Description Theirs Mine").says("What it is Letter").form(&page);
    assert_eq!(
        (again.value("description"), again.value("document_date"), again.value("_version")),
        (Some("Mine"), Some("2025-03"), Some("2"))
    );
    owner.submit(&again).await.location();
    owner.get("/inbox").await.says("Mine");
    owner.post(&page, &[("_version", "3"), ("document_date", "2025-13"), ("description", "Kept")]).await.is(422).has("Kept").has("2025-13");
}

#[actix_web::test]
async fn programs_drop_and_file_too() {
    let t = TestApp::new().await;
    let (owner, stranger) = (t.user("owner"), t.stranger("stranger"));
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    let record = medication(&owner, &ada);
    let files = "/api/v1/inbox/files";
    let fields = [("description", "From the scanner"), ("category", "report"), ("household", owner.household.as_str())];
    let answer = api.send(Method::POST, files, &[FORM], form(&fields, &[("scan.pdf", PDF)])).await.is(201);
    let made = answer.json();
    assert_eq!((made["household_id"].as_str(), made["patient_id"].as_str()), (Some(owner.household.as_str()), None));
    let place = answer.header("location").unwrap();
    assert_eq!(api.get(&place).await.is(200).json()["description"], "From the scanner");
    assert_eq!(api.get(made["content"].as_str().unwrap()).await.is(200).body, PDF);
    // The same bytes, wherever they are seen; and only there.
    let again = api.send(Method::POST, files, &[FORM], form(&[], &[("again.pdf", PDF)])).await.is(201).json();
    assert_eq!(again["duplicate_of"], made["id"]);
    let other = stranger.api(true).send(Method::POST, files, &[FORM], form(&[], &[("mine.pdf", PDF)])).await.is(201).json();
    assert!(other.get("duplicate_of").is_none(), "{other}");
    let list = api.get(&format!("{files}?per_page=1&household={}", owner.household)).await.is(200).json();
    assert_eq!((list["total"].as_i64(), list["items"].as_array().unwrap().len()), (Some(2), 1));
    for wrong in ["?per_page=201", "?color=red", "?page=0"] {
        api.get(&format!("{files}{wrong}")).await.is(422);
    }
    stranger.api(true).get(&format!("{files}?household={}", owner.household)).await.is(404);
    let fields = [("household", owner.household.as_str())];
    stranger.api(true).send(Method::POST, files, &[FORM], form(&fields, &[("x.pdf", PDF)])).await.is(404);
    for (body, status) in [
        (json!({}), 422),
        (json!({"patient": 1}), 422),
        (json!({"patient": ada, "record": "nothing"}), 422),
        (json!({"patient": ada, "color": "red"}), 422),
        (json!({"patient": "nobody"}), 404),
    ] {
        api.post(&format!("{place}/file"), &body).await.is(status);
    }
    let filed = api.post(&format!("{place}/file"), &json!({"patient": ada, "record": record})).await.is(200);
    assert_eq!(filed.json()["record"], record.as_str());
    assert_eq!(api.get(&filed.header("location").unwrap()).await.is(200).json()["version"], 2);
    api.get(&place).await.is(404);
    api.send(Method::DELETE, &format!("{files}/{}", again["id"].as_str().unwrap()), &[], String::new()).await.is(204);
    assert!(waiting(&api).await.is_empty());
    let whole = api.get("/api/v1/openapi.json").await.json();
    for path in [
        "/api/v1/inbox/files",
        "/api/v1/inbox/files/{file_id}",
        "/api/v1/inbox/files/{file_id}/content",
        "/api/v1/inbox/files/{file_id}/file",
    ] {
        assert!(whole["paths"].get(path).is_some(), "{path}");
    }
}

#[actix_web::test]
async fn the_same_bytes_again_are_asked_about_and_nothing_is_lost_meanwhile() {
    let t = TestApp::new().await;
    let (owner, helper) = (t.user("owner"), t.stranger("helper"));
    let (ada, bea) = (owner.patient("Ada"), owner.patient("Bea"));
    owner.share(&bea, &helper, &Share::to(Permission::Edit));
    let record = medication(&owner, &ada);
    let fields = [("record", record.as_str())];
    let files = format!("/api/v1/patients/{ada}/files");
    owner.api(true).send(Method::POST, &files, &[FORM], form(&fields, &[("first.pdf", PDF)])).await.is(201);
    // Somebody who does not see it is not told.
    let next = upload_to(&helper, &format!("/patients/{bea}/files"), &[("theirs.pdf", PDF)]).await.location();
    assert_eq!(next, format!("/patients/{bea}/files?done=added"));
    // Who sees it is asked, wherever it is.
    let next = upload_to(&owner, "/inbox", &[("again.pdf", PDF), ("new.pdf", &pdf(1))]).await.location();
    let page =
        owner.get(&next).await.is(200).says("This document is there already").has("first.pdf").has("theirs.pdf").says("with Ada Lovelace");
    assert_eq!(waiting(&owner.api(false)).await.len(), 2, "both are kept while one thinks");
    let ask = page.form("/twins");
    assert_eq!(ask.pairs.iter().filter(|(name, _)| name == "new").count(), 1);
    let on = owner.submit(&ask.clone().with("keep", "both")).await.location();
    assert!(on.starts_with("/inbox?done=added"), "{on}");
    assert_eq!(waiting(&owner.api(false)).await.len(), 2);
    owner.submit(&ask.clone().with("keep", "neither")).await.is(400);
    helper.submit(&ask.clone().with("keep", "first")).await.is(404);
    owner.submit(&ask.with("keep", "first")).await.location();
    assert_eq!(waiting(&owner.api(false)).await.len(), 1);
    owner.get("/inbox?trash=1").await.is(200).has("again.pdf");

    // The other one is thrown away before the answer: then this one is kept.
    let next = upload_to(&owner, "/inbox", &[("third.pdf", &pdf(1))]).await.location();
    let ask = owner.get(&next).await.is(200).form("/twins");
    let new = waiting(&owner.api(false)).await.into_iter().find(|file| file["file_name"] == "new.pdf").unwrap();
    owner.post(&format!("/inbox/{}/delete", new["id"].as_str().unwrap()), &[]).await.location();
    owner.submit(&ask.with("keep", "first")).await.location();
    assert_eq!(waiting(&owner.api(false)).await[0]["file_name"], "third.pdf");
    // An address that leads elsewhere leads nowhere.
    for next in ["https://evil.example", "//evil.example", "/\\evil.example"] {
        let path = format!("/twins?{}", serde_urlencoded::to_string([("next", next)]).unwrap());
        assert_eq!(owner.get(&path).await.location(), "/");
    }
}

#[actix_web::test]
async fn somebody_of_two_households_has_two_inboxes() {
    let t = TestApp::new().await;
    let (owner, other) = (t.user("owner"), t.stranger("other"));
    t.app
        .db
        .write(|tx| {
            diesel::insert_into(household_members::table)
                .values((
                    household_members::household_id.eq(&other.household),
                    household_members::user_id.eq(&owner.id),
                    household_members::role.eq("member"),
                    household_members::created_at.eq(t.now()),
                ))
                .execute(&mut **tx)?;
            Ok(())
        })
        .unwrap();
    drop_in(&owner, "mine.pdf", &pdf(1)).await;
    drop_in(&other, "theirs.pdf", &pdf(2)).await;
    let theirs = format!("/inbox?household={}", other.household);
    owner.get("/inbox").await.is(200).has("mine.pdf").lacks("theirs.pdf").has(&theirs).says("2 documents wait");
    owner.get(&theirs).await.is(200).has("theirs.pdf").lacks("mine.pdf");
    let next = upload_to(&owner, &theirs, &[("third.pdf", &pdf(3))]).await.location();
    owner.get(&next).await.is(200).has("third.pdf").has("theirs.pdf");
    other.get("/inbox").await.is(200).has("third.pdf").lacks("mine.pdf");
}
