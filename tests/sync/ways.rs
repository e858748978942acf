//! The way of a document when all is well: there, proved, told of, let go here or kept, brought back.

use chrono::Duration;
use kinchart::{
    access::Permission,
    paperless::sync::{
        connection::Place,
        copies::{self, State},
    },
    records,
};

use super::house::{House, LETTER};
use crate::{
    common::{Share, sample::Sample},
    paperless::server::Version,
};

#[actix_web::test]
async fn a_document_goes_there_with_all_that_is_known_of_it_and_stays_here() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        let kind = records::kind("lab-results").unwrap();
        let whom = house.owner.practitioner("Dr. Grace Hopper");
        let sample = Sample::least(kind, 1).with("practitioner_id", &whom).tagged(&["Blood", "2026"]);
        let record = house.owner.record(&house.ada, kind, &sample);
        let fields = [("record", record.as_str()), ("description", "Blood count"), ("document_date", "2025-11-02")];
        let file = house.upload_as(&house.owner.api(true), &fields, "scan.pdf", LETTER).await;
        house.settle();
        assert_eq!(house.state(&file), (State::Synced, None), "{version:?}");
        let there = house.paperless.document(1);
        assert_eq!(
            (there.title.as_str(), there.created.as_str(), there.bytes.as_slice()),
            ("Blood count", "2025-11-02", LETTER.as_bytes())
        );
        let name = |list: &str, id: i64| house.paperless.names(list).into_iter().find(|name| name.0 == id).unwrap().1;
        assert_eq!(name("correspondents", there.correspondent.unwrap()), "Dr. Grace Hopper");
        assert_eq!(name("document_types", there.document_type.unwrap()), "Lab result");
        let mut tags: Vec<String> = there.tags.iter().map(|id| name("tags", *id)).collect();
        tags.sort();
        assert_eq!(tags, ["2026", "Blood"]);
        assert_eq!(there.custom_fields[0].1, format!("http://localhost:8080{}", house.page(&file)));
        assert_eq!((house.there(), house.here(), house.backend(&file).as_str()), (1, 1, "local"), "kept here as chosen");
        assert!(house.owner.audit(&house.ada).iter().any(|event| event.action == "downloaded"), "the owner reads that it went there");
    }
}

#[actix_web::test]
async fn what_changes_here_is_told_there_and_what_others_wrote_there_stays() {
    let house = House::new(Version::V3).await;
    let kind = records::kind("lab-results").unwrap();
    let record = house.owner.record(&house.ada, kind, &Sample::least(kind, 1).tagged(&["Blood"]));
    let file = house.upload_as(&house.owner.api(true), &[("record", record.as_str())], "scan.pdf", LETTER).await;
    house.settle();
    let theirs = house.paperless.tag_of("admin", "To be paid");
    house.paperless.change(1, |document| document.tags.push(theirs));
    let form = [("_version", "1"), ("record", record.as_str()), ("description", "Blood count of March")];
    house.owner.post(&house.page(&file), &form).await.location();
    house.later(Duration::minutes(20));
    let there = house.paperless.document(1);
    assert_eq!(there.title, "Blood count of March");
    assert!(there.tags.contains(&theirs) && there.tags.len() == 2, "{:?}", there.tags);
    house.later(Duration::minutes(20));
    let copy = house.copy(&file);
    assert_eq!((copy.seen_title.as_deref(), copy.seen_tags.as_deref()), (Some("Blood count of March"), Some("Blood\nTo be paid")));
    assert_eq!(house.state(&file), (State::Synced, None));
}

#[actix_web::test]
async fn a_copy_here_is_let_go_only_when_it_is_proved_and_comes_back() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        house.choose(&house.owner, Place::Paperless, false);
        let text = format!("%PDF-1.4\n{}\n%%EOF\n", "A long letter. ".repeat(20_000));
        let file = house.upload("letter.pdf", &text).await;
        house.run();
        assert_eq!(house.backend(&file), "local", "it was sent, and not yet proved");
        house.settle();
        assert_eq!((house.backend(&file).as_str(), house.here()), ("paperless", 0), "{version:?}");
        house.opens(&file, &text).await;
        let content = format!("{}/content", house.page(&file));
        let part = |range: &'static str| {
            let (owner, content) = (house.owner.clone().signed_in(), content.clone());
            async move { owner.send(actix_web::http::Method::GET, &content, &[("range", range)], String::new()).await.is(206).body }
        };
        assert_eq!(part("bytes=0-7").await, "%PDF-1.4");
        assert_eq!(part("bytes=-6").await, "%%EOF\n");
        assert_eq!(part("bytes=100000-165535").await, &text[100_000..165_536]);
        for store in house.t.app.stores() {
            let found = kinchart::files::blobs::check(&house.t.app, store, true).unwrap();
            assert!(found.is_well(), "{}: {found:?}", store.name());
        }
        let mut copy = house.copy(&file);
        copies::bring_back(&mut copy, house.t.now());
        house.put(&copy);
        house.settle();
        assert_eq!((house.state(&file), house.backend(&file).as_str(), house.here()), ((State::Synced, None), "local", 1));
        house.paperless.down();
        house.opens(&file, &text).await;
    }
}

#[actix_web::test]
async fn a_helpers_paperless_never_holds_what_is_nowhere_else() {
    let house = House::new(Version::V3).await;
    let helper = house.t.stranger("helper");
    house.owner.share(&house.ada, &helper, &Share::to(Permission::Edit));
    let token = house.paperless.user("helper", &ALL);
    house.connect(&helper, &house.paperless, token);
    house.choose(&helper, Place::Paperless, false);
    let file = house.upload_as(&helper.api(true), &[], "letter.pdf", LETTER).await;
    house.settle();
    assert_eq!((house.state(&file), house.copy(&file).user_id), ((State::Synced, None), helper.id.clone()));
    assert_eq!((house.backend(&file).as_str(), house.here()), ("local", 1), "their share may end");
    // The share ends: nothing more goes there, and everything stays here.
    let second = house.upload_as(&helper.api(true), &[], "second.pdf", &LETTER.replace("fine", "low")).await;
    house.end_shares();
    house.settle();
    assert_eq!(house.state(&second), (State::Pending, Some("not_seen".to_owned())));
    assert_eq!(house.there(), 1);
    house.opens(&second, &LETTER.replace("fine", "low")).await;
}

pub const ALL: [&str; 13] = [
    "view_document",
    "add_document",
    "change_document",
    "view_paperlesstask",
    "view_tag",
    "add_tag",
    "view_correspondent",
    "add_correspondent",
    "view_documenttype",
    "add_documenttype",
    "view_customfield",
    "add_customfield",
    "view_uisettings",
];

#[actix_web::test]
async fn who_has_no_connection_keeps_documents_here() {
    let house = House::new(Version::V3).await;
    let helper = house.t.stranger("helper");
    house.owner.share(&house.ada, &helper, &Share::to(Permission::Edit));
    let file = house.upload_as(&helper.api(true), &[], "letter.pdf", LETTER).await;
    house.settle();
    assert!(house.find(&file).is_none(), "it goes by the uploader's wish and not by the owner's");
    assert_eq!(house.there(), 0);
}

#[actix_web::test]
async fn a_link_of_ours_is_added_to_what_was_there_before() {
    let house = House::new(Version::V3).await;
    let client = house.paperless.client();
    let upload = kinchart::paperless::Upload { file_name: "x.pdf", size: LETTER.len() as u64, title: "Theirs", ..Default::default() };
    client.upload(&upload, &mut LETTER.as_bytes()).unwrap();
    house.paperless.finish();
    let file = house.upload("letter.pdf", LETTER).await;
    house.settle();
    assert_eq!((house.state(&file), house.there()), ((State::Synced, None), 1), "3.x would have stored it twice");
    let there = house.paperless.document(1);
    assert_eq!((there.title.as_str(), there.custom_fields.len()), ("Theirs", 1));
}
