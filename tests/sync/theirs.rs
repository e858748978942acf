//! What somebody changes in their own archive: it becomes ours, both stand to choose from where ours was changed, too, and what was thrown away
//! there is brought back from here.

use chrono::Duration;
use diesel::prelude::*;
use kinchart::{
    access::Permission,
    db::{
        schema::patient_shares,
        types::{FileId, RecordId},
    },
    paperless::sync::copies::{State, Step},
    records,
};

use super::house::{House, LETTER};
use crate::{
    common::{Share, sample::Sample},
    paperless::server::{Trouble, Version},
};

impl House {
    /// A document of a record with these tags, told of there.
    async fn tagged(&self, tags: &[&str]) -> (RecordId, FileId) {
        let kind = records::kind("lab-results").unwrap();
        let record = self.owner.record(&self.ada, kind, &Sample::least(kind, 1).tagged(tags));
        let file = self.upload_as(&self.owner.api(true), &[("record", record.as_str())], "scan.pdf", LETTER).await;
        self.settle();
        (record, file)
    }

    async fn record_now(&self, record: &RecordId) -> (Vec<String>, String, i64) {
        let path = format!("/api/v1/patients/{}/lab-results/{record}", self.ada);
        let told = self.owner.api(false).get(&path).await.is(200).json();
        let tags = told["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect();
        (tags, told["source"].as_str().unwrap().to_owned(), told["version"].as_i64().unwrap())
    }

    async fn description(&self, file: &FileId) -> Option<String> {
        let told = self.owner.api(false).get(&format!("/api/v1/patients/{}/files/{file}", self.ada)).await.is(200).json();
        told["description"].as_str().map(str::to_owned)
    }

    async fn describe(&self, file: &FileId, version: &str, text: &str) {
        let form = [("_version", version), ("record", ""), ("description", text)];
        self.owner.clone().signed_in().post(&self.page(file), &form).await.location();
    }

    fn entitle(&self, title: &str) {
        self.paperless.change(1, |document| title.clone_into(&mut document.title));
    }

    async fn press(&self, file: &FileId, act: &str) -> crate::common::Answer {
        self.owner.clone().signed_in().post(&format!("{}/paperless", self.page(file)), &[("act", act)]).await
    }
}

#[actix_web::test]
async fn a_title_that_is_changed_there_becomes_ours() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        let file = house.upload("scan.pdf", LETTER).await;
        house.settle();
        house.entitle("Blood count of March");
        house.later(Duration::minutes(16));
        assert_eq!(house.description(&file).await.as_deref(), Some("Blood count of March"), "{version:?}");
        let who: Vec<String> =
            house.owner.audit(&house.ada).into_iter().filter(|event| event.action == "changed").map(|event| event.actor_name).collect();
        assert_eq!(who, ["owner (Paperless-ngx)"]);
        // Nothing goes back and forth: it stands so on both sides.
        house.settle();
        house.paperless.forget_seen();
        house.later(Duration::minutes(16));
        assert!(house.paperless.seen().iter().all(|seen| seen.method == "GET"), "{version:?}");
        assert_eq!((house.copy(&file).step, house.state(&file)), (Step::Rest, (State::Synced, None)));
        // And what is changed here goes there as ever.
        house.describe(&file, "2", "Mine").await;
        house.later(Duration::minutes(16));
        assert_eq!((house.paperless.document(1).title.as_str(), house.state(&file)), ("Mine", (State::Synced, None)), "{version:?}");
        house.entitle("Theirs");
        house.later(Duration::minutes(16));
        assert_eq!(house.description(&file).await.as_deref(), Some("Theirs"), "{version:?}");
    }
}

#[actix_web::test]
async fn a_title_that_is_changed_on_both_sides_is_asked_about() {
    for theirs in [true, false] {
        let house = House::new(Version::V3).await;
        let file = house.upload("scan.pdf", LETTER).await;
        house.settle();
        house.entitle("Theirs");
        house.describe(&file, "1", "Mine").await;
        house.later(Duration::minutes(16));
        house.later(Duration::minutes(16));
        assert_eq!((house.description(&file).await.as_deref(), house.paperless.document(1).title.as_str()), (Some("Mine"), "Theirs"));
        assert_eq!(house.state(&file), (State::Synced, Some("two_titles".to_owned())));
        let owner = house.owner.clone().signed_in();
        let page = owner.get(&house.page(&file)).await.is(200).says("Which one is to stand?").says("Use the title from there");
        page.says("Theirs").says("Mine");
        owner.get("/settings/paperless").await.is(200).says("Which one is to stand?");
        // Everything else is told meanwhile, and the question stays.
        house.paperless.change(1, |document| document.custom_fields.clear());
        let form = [("_version", "2"), ("record", ""), ("description", "Mine"), ("document_date", "2025-11-02")];
        owner.post(&house.page(&file), &form).await.location();
        house.later(Duration::minutes(16));
        let there = house.paperless.document(1);
        assert_eq!((there.title.as_str(), there.created.as_str(), there.custom_fields.len()), ("Theirs", "2025-11-02", 1));
        assert_eq!(house.state(&file).1.as_deref(), Some("two_titles"));
        house.press(&file, if theirs { "take_title" } else { "tell_title" }).await.location();
        house.settle();
        house.later(Duration::minutes(16));
        let title = if theirs { "Theirs" } else { "Mine" };
        assert_eq!((house.description(&file).await.as_deref(), house.paperless.document(1).title.as_str()), (Some(title), title));
        assert_eq!(house.state(&file), (State::Synced, None));
        house.press(&file, "take_title").await.is(409);
    }
}

#[actix_web::test]
async fn the_same_change_on_both_sides_is_none_and_more_than_a_title_is_kept() {
    let house = House::new(Version::V3).await;
    let file = house.upload("scan.pdf", LETTER).await;
    house.settle();
    house.entitle("Blood count");
    house.describe(&file, "1", "Blood count").await;
    house.later(Duration::minutes(16));
    assert_eq!(house.state(&file), (State::Synced, None));
    let long = format!("Blood count. {}", "What the doctor said of it. ".repeat(10));
    house.describe(&file, "2", &long).await;
    house.later(Duration::minutes(16));
    house.entitle("Short");
    house.later(Duration::minutes(16));
    assert_eq!((house.description(&file).await.as_deref(), house.state(&file).1.as_deref()), (Some(long.trim()), Some("two_titles")));
}

#[actix_web::test]
async fn tags_of_ours_that_are_given_and_taken_off_there_are_so_here() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        let kind = records::kind("lab-results").unwrap();
        house.owner.record(&house.ada, kind, &Sample::least(kind, 2).tagged(&["Knee"]));
        let (record, file) = house.tagged(&["Blood"]).await;
        let knee = house.paperless.tag_of("admin", "KNEE");
        let theirs = house.paperless.tag_of("admin", "To be paid");
        house.paperless.change(1, |document| document.tags.extend([knee, theirs]));
        house.later(Duration::minutes(16));
        assert_eq!(
            house.record_now(&record).await,
            (vec!["Blood".to_owned(), "Knee".to_owned()], "paperless".to_owned(), 2),
            "{version:?}"
        );
        let history = format!("/patients/{}/lab-results/{record}/history", house.ada);
        let owner = house.owner.clone().signed_in();
        owner.get(&history).await.is(200).says("From Paperless-ngx");
        owner.get(&house.page(&file)).await.is(200).says("To be paid");
        let tags = house.paperless.document(1).tags;
        house.settle();
        house.later(Duration::minutes(16));
        assert_eq!(house.paperless.document(1).tags, tags, "{version:?}: theirs is ours in other letters, and not told again");
        let blood = house.paperless.names("tags").into_iter().find(|name| name.1 == "Blood").unwrap().0;
        house.paperless.change(1, |document| document.tags.retain(|tag| *tag != blood));
        house.later(Duration::minutes(16));
        assert_eq!(house.record_now(&record).await.0, ["Knee"], "{version:?}");
    }
}

#[actix_web::test]
async fn no_tag_is_lost_because_it_cannot_be_seen_there() {
    let house = House::new(Version::V3).await;
    let (record, file) = house.tagged(&["Blood"]).await;
    // Renamed there: nobody took it off this document.
    house.paperless.state().names.get_mut("tags").unwrap()[0].name = "Blut".to_owned();
    house.later(Duration::minutes(16));
    assert_eq!(house.record_now(&record).await, (vec!["Blood".to_owned()], "person".to_owned(), 1));
    // The right to see tags is gone.
    let rights: Vec<&str> = super::ways::ALL.into_iter().filter(|right| *right != "view_tag").collect();
    let token = house.paperless.user("ann", &rights);
    house.paperless.change(1, |document| document.owner = None);
    house.connect(&house.owner, &house.paperless, token);
    house.settle();
    house.later(Duration::minutes(16));
    assert_eq!((house.record_now(&record).await.2, house.copy(&file).state), (1, State::Synced));
    // Told to keep tags apart, nothing is taken over.
    house.connect(&house.owner, &house.paperless, house.paperless.token());
    house.owner.clone().signed_in().post("/settings/paperless/options", &[("default_store", "paperless"), ("keep_local", "true")]).await;
    house.settle();
    house.paperless.change(1, |document| document.tags.clear());
    house.later(Duration::minutes(16));
    assert_eq!(house.record_now(&record).await.2, 1);
}

#[actix_web::test]
async fn a_tag_stays_as_long_as_another_paper_of_the_record_has_it() {
    let house = House::new(Version::V3).await;
    let (record, _) = house.tagged(&["Blood"]).await;
    house.upload_as(&house.owner.api(true), &[("record", record.as_str())], "b.pdf", &LETTER.replace("fine", "low")).await;
    house.settle();
    house.paperless.change(1, |document| document.tags.clear());
    house.later(Duration::minutes(16));
    assert_eq!(house.record_now(&record).await.2, 1);
}

#[actix_web::test]
async fn who_may_only_look_changes_nothing_from_their_archive() {
    let house = House::new(Version::V3).await;
    let helper = house.t.stranger("helper");
    house.owner.share(&house.ada, &helper, &Share::to(Permission::Edit));
    house.connect(&helper, &house.paperless, house.paperless.token());
    house.choose(&helper, kinchart::paperless::sync::connection::Place::Paperless, true);
    let file = house.upload_as(&helper.api(true), &[], "scan.pdf", LETTER).await;
    house.settle();
    let weaker = diesel::update(patient_shares::table).set(patient_shares::permission_level.eq(Permission::View));
    house.t.app.db.write(|tx| Ok(weaker.clone().execute(&mut **tx)?)).unwrap();
    house.entitle("Theirs");
    house.later(Duration::minutes(16));
    assert_eq!(house.description(&file).await, None);
    // Nor is their title written over when ours changes.
    house.describe(&file, "1", "Mine").await;
    house.later(Duration::minutes(16));
    house.settle();
    assert_eq!((house.paperless.document(1).title.as_str(), house.description(&file).await.as_deref()), ("Theirs", Some("Mine")));
}

#[actix_web::test]
async fn what_lies_in_the_trash_there_is_restored_from_here() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        let (record, file) = house.tagged(&["Blood"]).await;
        house.paperless.trash(1);
        house.later(Duration::minutes(16));
        let owner = house.owner.clone().signed_in();
        owner.get(&house.page(&file)).await.is(200).says("Restore it there");
        // Somebody else's archive is theirs.
        let helper = house.t.stranger("helper");
        house.owner.share(&house.ada, &helper, &Share::to(Permission::Edit));
        helper.get(&house.page(&file)).await.is(200).lacks("Restore it there");
        helper.post(&format!("{}/paperless", house.page(&file)), &[("act", "restore")]).await.is(409);
        // What is wrong is said, and the button stays.
        house.paperless.fault(Trouble::Fails);
        house.press(&file, "restore").await.location();
        assert_eq!(house.state(&file), (State::Missing, Some("server:500".to_owned())), "{version:?}");
        house.paperless.fault(Trouble::FailsButSaves);
        house.press(&file, "restore").await.location();
        house.paperless.well();
        house.settle();
        assert_eq!((house.state(&file), house.there()), ((State::Synced, None), 1), "{version:?}");
        assert_eq!(house.record_now(&record).await.2, 1);
        house.press(&file, "restore").await.is(409);
        // Restored there meanwhile, or gone meanwhile: the proof tells which.
        house.paperless.trash(1);
        house.later(Duration::minutes(16));
        house.paperless.restore(1);
        house.press(&file, "restore").await.location();
        house.settle();
        assert_eq!(house.state(&file), (State::Synced, None), "{version:?}");
        house.paperless.trash(1);
        house.later(Duration::minutes(16));
        house.paperless.erase(1);
        house.press(&file, "restore").await.location();
        house.settle();
        assert_eq!(house.state(&file), (State::Missing, Some("gone".to_owned())), "{version:?}");
        house.owner.clone().signed_in().get(&house.page(&file)).await.is(200).lacks("Restore it there");
    }
}
