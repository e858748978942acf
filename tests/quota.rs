//! How much a household may keep: counted over everything of its own, refused with the numbers, and never passed by two at once.

use actix_web::http::Method;
use kinchart::{
    access::{self, Edit, Permission},
    error::Error,
    files::{self, Details, NewFile, blobs, quota::Quota},
    storage::kinds,
};
use serde_json::json;

use crate::{
    common::{Share, TestApp, at_once},
    files::{FORM, form},
    inbox::{drop_in, upload_to, waiting},
};

async fn limited(bytes: u64) -> TestApp {
    TestApp::with(|config| config.quota = Some(bytes)).await
}

/// A text of so many bytes, other ones for each letter.
fn text(letter: &str, bytes: usize) -> String {
    letter.repeat(bytes)
}

#[actix_web::test]
async fn everything_of_a_household_counts_and_what_is_too_much_is_told_with_its_numbers() {
    let t = limited(10_000).await;
    let (owner, stranger) = (t.user("owner"), t.stranger("stranger"));
    let (ada, bea, api) = (owner.patient("Ada"), owner.patient("Bea"), owner.api(true));
    let of = |patient: &kinchart::db::types::PatientId| format!("/api/v1/patients/{patient}/files");
    let first = api.send(Method::POST, &of(&ada), &[FORM], form(&[], &[("a.txt", &text("a", 3000))])).await.is(201).json();
    drop_in(&owner, "b.txt", &text("b", 3000)).await;
    let papers = format!("/directory/practitioners/{}/files", owner.practitioner("Dr Wu"));
    upload_to(&owner, &papers, &[("c.txt", &text("c", 3000))]).await.location();
    // In the trash it still takes room.
    api.send(Method::DELETE, &format!("{}/{}", of(&ada), first["id"].as_str().unwrap()), &[], String::new()).await.is(204);
    owner.get("/inbox").await.is(200).says("9 kB of 10 kB used.");
    owner.get(&format!("/patients/{ada}/files")).await.is(200).says("9 kB of 10 kB used.");
    let problem = api.send(Method::POST, &of(&bea), &[FORM], form(&[], &[("d.txt", &text("d", 1001))])).await.is(422).json();
    assert_eq!((problem["errors"][0]["field"].as_str(), problem["errors"][0]["code"].as_str()), (Some("file"), Some("over_quota")));
    for path in ["/inbox".to_owned(), papers, format!("/patients/{bea}/files")] {
        let page = upload_to(&owner, &path, &[("d.txt", &text("d", 1001))]).await.is(422);
        page.says("d.txt : There is no room left for this file (1 kB): 9 kB of the household’s 10 kB are used");
    }
    // What fits beside it is kept, to the last byte.
    let page = upload_to(&owner, "/inbox", &[("d.txt", &text("d", 1001)), ("e.txt", &text("e", 1000))]).await.is(422);
    page.has("e.txt").says("10 kB of 10 kB used.");
    upload_to(&owner, "/inbox", &[("f.txt", "f")]).await.is(422);
    // Another household has its own.
    drop_in(&stranger, "x.txt", &text("x", 9000)).await;
    t.later(chrono::Duration::hours(26));
    kinchart::jobs::ensure_standing(&t.app).unwrap();
    kinchart::jobs::run_due(&t.app).unwrap();
    let found = blobs::check(&t.app, t.app.storage.as_ref(), true).unwrap();
    assert_eq!((found.is_well(), found.whole, found.waiting), (true, 5, 0), "what was refused lies nowhere: {found:?}");
}

#[actix_web::test]
async fn how_much_a_household_uses_is_told_to_its_members() {
    let t = limited(1000).await;
    let (owner, helper) = (t.user("owner"), t.stranger("helper"));
    let ada = owner.patient("Ada");
    owner.share(&ada, &helper, &Share::to(Permission::Edit));
    drop_in(&owner, "a.txt", &text("a", 900)).await;
    helper.get(&format!("/patients/{ada}/files")).await.is(200).lacks("900 B");
    let refused = upload_to(&helper, &format!("/patients/{ada}/files"), &[("b.txt", &text("b", 200))]).await.is(422);
    refused.says("no room left for this file in the household it belongs to").lacks("900 B");
    // Filing moves it to another household, which must have the room.
    let id = drop_in(&helper, "c.txt", &text("c", 200)).await;
    let path = format!("/api/v1/inbox/files/{id}/file");
    helper.api(true).post(&path, &json!({"patient": ada})).await.is(422).has("household_full");
    helper
        .post("/inbox/file", &[("document", id.as_str()), ("patient", ada.as_str()), ("_what", "patient")])
        .await
        .is(422)
        .says("no room left");
    assert_eq!(waiting(&helper.api(false)).await.len(), 1);
    // Within the household nothing is added: it is filed though all is used.
    let full = drop_in(&owner, "d.txt", &text("d", 100)).await;
    owner.api(true).post(&format!("/api/v1/inbox/files/{full}/file"), &json!({"patient": ada})).await.is(200);
}

#[actix_web::test]
async fn two_uploads_at_once_cannot_both_have_the_last_of_it() {
    const THREADS: usize = 4;
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let (app, actor, now) = (t.app.clone(), owner.actor(), t.now());
    for round in 1..6_u64 {
        let new: Vec<NewFile> = (0..THREADS)
            .map(|_| {
                let (name, key) = blobs::expect(&app, app.storage.as_ref()).unwrap();
                let mut incoming = app.storage.begin(&name, &key).unwrap();
                incoming.write(&[b'x'; 1000]).unwrap();
                let blob = blobs::Kept { name, arrived: incoming.finish().unwrap() };
                NewFile { blob, name: "x.txt".to_owned(), kind: kinds::kind("text/plain").unwrap() }
            })
            .collect();
        // Room for one more, and a little.
        let quota = Quota(Some(round * 1000 + 500));
        let outcomes = at_once(THREADS, |thread| {
            app.db.write(|tx| {
                let access = access::grant::<Edit>(tx, &actor, &ada, now)?;
                files::add(tx, &access, quota, &new[thread], &Details::default())
            })
        });
        let kept = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(kept, 1, "round {round}: {outcomes:?}");
        assert!(outcomes.into_iter().filter_map(Result::err).all(|error| matches!(error, Error::Invalid(_) | Error::Busy)));
        let used = app.db.read(|conn| files::quota::used(conn, &owner.household)).unwrap();
        assert_eq!(used, round * 1000);
    }
}
