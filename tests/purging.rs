//! What lies in the trash can go for good before its time: asked once more, by who may, with the room it took free at once.

use actix_web::http::Method;
use kinchart::{access::Permission, files::blobs, jobs};

use crate::{
    common::{Answer, Person, Share, TestApp},
    files::{FORM, form},
    inbox::{drop_in, upload_to},
};

async fn limited(bytes: u64) -> TestApp {
    TestApp::with(|config| config.quota = Some(bytes)).await
}

async fn keep(person: &Person, patient: &kinchart::db::types::PatientId, name: &str, text: &str) -> String {
    let path = format!("/api/v1/patients/{patient}/files");
    let made = person.api(true).send(Method::POST, &path, &[FORM], form(&[], &[(name, text)])).await.is(201).json();
    format!("/patients/{patient}/files/{}", made["id"].as_str().unwrap())
}

/// Throws it away, and looks what becomes of it for good.
async fn purge(person: &Person, page: &str) -> Answer {
    person.post(&format!("{page}/delete"), &[]).await.location();
    let asked = person.get(&format!("{page}/purge")).await.is(200).says("Delete this document for good?");
    let form = asked.form(&format!("{page}/purge"));
    let next = person.submit(&form).await.location();
    person.get(&next).await.is(200).says("Deleted for good.")
}

#[actix_web::test]
async fn a_full_household_makes_room_by_its_trash() {
    let t = limited(1000).await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let list = format!("/patients/{ada}/files");
    let page = keep(&owner, &ada, "old.txt", &"o".repeat(900)).await;
    owner.post(&format!("{page}/delete"), &[]).await.location();
    let trash = format!("{list}?trash=1");
    upload_to(&owner, &list, &[("new.txt", &"n".repeat(200))]).await.is(422).says("no room left").has(&trash);
    upload_to(&owner, "/inbox", &[("new.txt", &"n".repeat(200))]).await.is(422).has("&amp;trash=1").says("no room left");
    let medications = format!("/patients/{ada}/medications");
    let head = [FORM, ("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")];
    let body = form(&[("medication_name", "Metformin")], &[("new.txt", &"n".repeat(200))]);
    owner.send(Method::POST, &medications, &head, body).await.is(422).says("no room left").has(&trash).has("Metformin");
    owner.get(&trash).await.is(200).has(&format!("{page}/purge"));
    owner.get(&page).await.is(200).has(&format!("{page}/purge"));
    let asked = owner.get(&format!("{page}/purge")).await.is(200).says("old.txt").form(&format!("{page}/purge"));
    let next = owner.submit(&asked).await.location();
    owner.get(&next).await.is(200).says("Deleted for good.").lacks("old.txt").says("0 B of 1 kB used");
    owner.get(&page).await.is(404);
    owner.post(&format!("{page}/restore"), &[]).await.is(404);
    upload_to(&owner, &list, &[("new.txt", &"n".repeat(200))]).await.location();
    let purged: Vec<_> = owner.audit(&ada).into_iter().filter(|event| event.action == "purged").collect();
    assert_eq!((purged.len(), purged[0].actor_name.as_str()), (1, "owner"));
    // The bytes go with the sweep.
    t.later(chrono::Duration::hours(26));
    jobs::ensure_standing(&t.app).unwrap();
    jobs::run_due(&t.app).unwrap();
    let found = blobs::check(&t.app, t.app.storage.as_ref(), true).unwrap();
    assert_eq!((found.is_well(), found.documents, found.waiting), (true, 1, 0), "{found:?}");
}

#[actix_web::test]
async fn papers_of_the_household_go_the_same_way() {
    let t = TestApp::new().await;
    let (owner, helper) = (t.user("owner"), t.stranger("helper"));
    owner.share(&owner.patient("Ada"), &helper, &Share::to(Permission::Full));
    let inbox = format!("/inbox/{}", drop_in(&owner, "waits.txt", "waits").await);
    let base = format!("/directory/practitioners/{}/files", owner.practitioner("Dr Wu"));
    let page = upload_to(&owner, &base, &[("card.txt", "card"), ("bad.jpg", "card")]).await.is(422).says("1 document was kept.");
    let hrefs = page.nodes().into_iter().filter_map(|node| node.attr("href").map(str::to_owned)).collect::<Vec<_>>();
    let paper = hrefs.into_iter().find(|href| href.starts_with(&format!("{base}/"))).unwrap();
    for page in [&inbox, &paper] {
        // Not what is not in the trash: it is shown instead, and nothing is lost.
        assert_eq!(owner.get(&format!("{page}/purge")).await.location(), *page);
        owner.post(&format!("{page}/purge"), &[]).await.is(409).says("not in the trash");
        owner.get(&format!("{page}/content")).await.is(200);
        helper.get(&format!("{page}/purge")).await.is(404);
        purge(&owner, page).await.lacks("waits.txt").lacks("card.txt");
        owner.get(page).await.is(404);
        owner.post(&format!("{page}/purge"), &[]).await.is(404);
    }
}

#[actix_web::test]
async fn who_may_only_change_may_not_delete_for_good() {
    let t = TestApp::new().await;
    let (owner, editor, full) = (t.user("owner"), t.stranger("editor"), t.stranger("full"));
    let ada = owner.patient("Ada");
    owner.share(&ada, &editor, &Share::to(Permission::Edit));
    owner.share(&ada, &full, &Share::to(Permission::Full));
    let page = keep(&owner, &ada, "letter.txt", "Dear Ada").await;
    editor.post(&format!("{page}/delete"), &[]).await.location();
    editor.get(&format!("/patients/{ada}/files?trash=1")).await.is(200).has("letter.txt").lacks("/purge");
    editor.get(&page).await.is(200).lacks("/purge");
    editor.get(&format!("{page}/purge")).await.is(403);
    editor.post(&format!("{page}/purge"), &[]).await.is(403);
    full.post(&format!("{page}/restore"), &[]).await.location();
    purge(&full, &page).await.lacks("letter.txt");
}

#[actix_web::test]
async fn a_look_through_the_store_names_whose_a_document_is_and_what_is_none() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let page = keep(&owner, &ada, "letter.txt", "Dear Ada").await;
    let waits = drop_in(&owner, "waits.txt", "waits").await;
    let entry = owner.practitioner("Dr Wu");
    upload_to(&owner, &format!("/directory/practitioners/{entry}/files"), &[("card.txt", "card")]).await.location();
    let look = || blobs::check(&t.app, t.app.storage.as_ref(), false).unwrap();
    let well = look();
    assert!(well.is_well() && well.documents == 3 && well.whose.is_empty(), "{well:?}");
    let uploads = &t.app.config.uploads;
    std::fs::write(uploads.join("holiday.jpg"), "x").unwrap();
    std::fs::create_dir(uploads.join("old")).unwrap();
    std::fs::create_dir(uploads.join("lost+found")).unwrap();
    std::fs::create_dir_all(uploads.join("00")).unwrap();
    std::fs::write(uploads.join("00").join("note.txt"), "x").unwrap();
    let found = look();
    assert_eq!((found.is_well(), found.strays), (false, vec!["00/note.txt".to_owned(), "holiday.jpg".to_owned(), "old/".to_owned()]));
    for name in t.app.storage.names().unwrap() {
        std::fs::remove_file(uploads.join(&name.as_str()[30..]).join(name.as_str())).unwrap();
    }
    let found = look();
    let mut told: Vec<String> = found.whose.values().map(|whose| format!("{whose:?}")).collect();
    told.sort();
    assert_eq!((found.documents, found.missing.len(), told.len()), (0, 3, 3));
    let holds = |id: &str| told.iter().any(|line| line.contains(id));
    assert!(holds(ada.as_str()) && holds(page.rsplit('/').next().unwrap()), "{told:?}");
    assert!(holds(waits.as_str()) && holds(owner.household.as_str()) && holds(entry.as_str()), "{told:?}");
    assert!(!holds("letter"), "ids alone");
}

#[actix_web::test]
async fn a_head_of_a_documents_content_is_answered_as_its_get_is() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let page = keep(&owner, &owner.patient("Ada"), "letter.txt", "Dear Ada").await;
    let told = owner.send(Method::HEAD, &format!("{page}/content"), &[], String::new()).await.is(200);
    assert_eq!(told.header("content-type").as_deref(), Some("text/plain; charset=utf-8"));
    let html = keep(&owner, &owner.patient("Bea"), "page.html", "<!doctype html><html></html>").await;
    jobs::run_due(&t.app).unwrap();
    owner.get(&html).await.is(200).says("No preview is made of documents of this type");
}
