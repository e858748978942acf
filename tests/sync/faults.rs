//! Faults on the way, one by one.

use chrono::Duration;
use kinchart::paperless::{
    Network,
    sync::{
        self,
        connection::Place,
        copies::{State, Step},
    },
};

use super::house::{House, LETTER};
use crate::{
    common::at_once,
    paperless::server::{Paperless, Trouble, Version, hasty, network},
};

/// Whatever was wrong with the server while it was sent: once it is well, the document is there once and here, and both are told.
async fn recovers(version: Version, trouble: Trouble, word: &str) {
    let house = House::new(version).await;
    let what = format!("{version:?} {trouble:?}");
    house.paperless.fault(trouble.clone());
    let file = house.upload("letter.pdf", LETTER).await;
    house.run();
    let said = house.words(&file);
    assert!(said.contains(word), "{what}: {said:?}");
    assert!(matches!(house.copy(&file).state, State::Pending | State::Processing), "{what}");
    house.opens(&file, LETTER).await;
    for _ in 0..4 {
        // Whatever it answers, it works on what it has.
        house.paperless.finish();
        house.later(Duration::minutes(30));
    }
    house.paperless.well();
    house.later(Duration::hours(7));
    house.settle();
    house.later(Duration::minutes(30));
    house.settle();
    assert_eq!((house.state(&file), house.there(), house.here()), ((State::Synced, None), 1, 1), "{what}");
    assert_eq!(house.connection().fault, None, "{what}");
}

#[actix_web::test]
async fn troubles_of_the_server_pass_and_nothing_is_lost() {
    for version in Version::BOTH {
        recovers(version, Trouble::Page, "a page for people").await;
        recovers(version, Trouble::BadGateway, "failed (502)").await;
        recovers(version, Trouble::Unavailable(3600), "failed (503)").await;
        recovers(version, Trouble::Throttled(120), "more slowly").await;
        recovers(version, Trouble::Fails, "failed (500)").await;
        recovers(version, Trouble::FailsButSaves, "failed (500)").await;
        recovers(version, Trouble::QueueDown, "failed (500)").await;
        recovers(version, Trouble::HalfAnswers, "not understood").await;
        recovers(version, Trouble::TooOld, "too old").await;
        recovers(version, Trouble::Redirects, "sends elsewhere").await;
    }
}

#[actix_web::test]
async fn a_server_that_is_down_is_asked_again() {
    let house = House::new(Version::V3).await;
    house.paperless.down();
    let (first, second) = (house.upload("a.pdf", LETTER).await, house.upload("b.pdf", &LETTER.replace("fine", "low")).await);
    house.run();
    assert!(house.words(&first).contains("Nobody answers"), "{}", house.words(&first));
    let (pauses, since) = (house.connection().pauses, house.connection().fault_at);
    house.run();
    assert_eq!(house.connection().pauses, pauses, "it is left alone meanwhile, for both documents");
    for _ in 0..10 {
        house.later(Duration::minutes(61));
        assert!(house.connection().paused_until.unwrap() <= house.t.now() + Duration::hours(1), "pauses do not grow for ever");
        assert_eq!(house.connection().fault_at, since, "a look at nothing says nothing of the server");
    }
    house.paperless.up();
    house.later(Duration::hours(2));
    house.settle();
    assert_eq!((house.state(&first), house.state(&second), house.there()), ((State::Synced, None), (State::Synced, None), 2));
}

#[actix_web::test]
async fn a_server_that_never_answers_holds_up_nobody_for_long() {
    let house = House::new(Version::V2).await;
    house.t.app.paperless.set(Network::new(hasty()).unwrap());
    house.paperless.fault(Trouble::Slow);
    let file = house.upload("letter.pdf", LETTER).await;
    house.run();
    assert!(house.words(&file).contains("too long"), "{}", house.words(&file));
    house.paperless.well();
    house.t.app.paperless.set(network());
    house.later(Duration::minutes(40));
    house.settle();
    assert_eq!((house.state(&file), house.there()), ((State::Synced, None), 1));
}

#[actix_web::test]
async fn the_pause_that_a_server_asks_for_is_kept() {
    let house = House::new(Version::V3).await;
    house.paperless.fault(Trouble::Throttled(3600 * 5));
    house.upload("letter.pdf", LETTER).await;
    house.run();
    house.paperless.well();
    house.paperless.forget_seen();
    house.later(Duration::hours(4));
    assert!(house.paperless.seen().is_empty(), "it was asked although it wanted to be left alone");
    house.later(Duration::minutes(70));
    assert!(!house.paperless.seen().is_empty());
}

/// The upload is done and answered with a failure: it must not be sent twice.
#[actix_web::test]
async fn an_upload_that_failed_and_was_kept_all_the_same_is_found() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        let file = house.upload("letter.pdf", LETTER).await;
        // Everything before the upload is well.
        house.paperless.state().names.get_mut("tags").unwrap().clear();
        house.paperless.client().ensure_custom_field("Kinchart").unwrap();
        house.paperless.fault(Trouble::FailsButSaves);
        house.run();
        assert_eq!(house.copy(&file).sends, 1, "{version:?}: it was sent");
        house.paperless.well();
        house.later(Duration::minutes(2));
        assert_eq!(house.state(&file), (State::Pending, Some("uncertain".to_owned())), "{version:?}: it may still come");
        house.paperless.finish();
        house.later(Duration::minutes(2));
        house.settle();
        assert_eq!((house.state(&file), house.there()), ((State::Synced, None), 1), "{version:?}");
        assert_eq!(house.copy(&file).sends, 1);
    }
}

#[actix_web::test]
async fn a_kill_between_the_upload_and_its_note_sends_nothing_twice() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        let file = house.upload("letter.pdf", LETTER).await;
        house.run();
        house.forget_upload(&file);
        house.later(Duration::minutes(1));
        assert_eq!(house.copy(&file).sends, 1, "{version:?}: it was sent again at once");
        house.paperless.finish();
        house.later(Duration::minutes(2));
        house.settle();
        assert_eq!((house.state(&file), house.there()), ((State::Synced, None), 1), "{version:?}");

        // The same, and the upload never arrived: it is sent again once that is sure.
        let file = house.upload("second.pdf", &LETTER.replace("fine", "low")).await;
        house.run();
        house.paperless.state().tasks.pop();
        house.forget_upload(&file);
        house.settle();
        house.later(Duration::minutes(10));
        house.settle();
        assert_eq!((house.state(&file), house.there(), house.copy(&file).sends), ((State::Synced, None), 2, 2), "{version:?}");
    }
}

#[actix_web::test]
async fn two_workers_at_once_send_once() {
    let house = House::new(Version::V3).await;
    let mut files = Vec::new();
    for number in 0..6 {
        files.push(house.upload("letter.pdf", &LETTER.replace("fine", &format!("{number}"))).await);
    }
    let app = &house.t.app;
    at_once(4, |_| sync::run_due(app).unwrap());
    house.settle();
    assert_eq!(house.there(), 6);
    for file in &files {
        assert_eq!((house.state(file), house.copy(file).sends), ((State::Synced, None), 1));
    }
}

#[actix_web::test]
async fn a_worker_that_lost_its_lease_writes_nothing() {
    let house = House::new(Version::V3).await;
    let file = house.upload("letter.pdf", LETTER).await;
    let app = &house.t.app;
    let taken = kinchart::paperless::sync::copies::take(app).unwrap().unwrap();
    assert!(kinchart::paperless::sync::copies::take(app).unwrap().is_none(), "somebody works on it");
    house.t.later(Duration::minutes(16));
    house.settle();
    assert_eq!(house.state(&file), (State::Synced, None));
    let before = format!("{:?}", house.copy(&file));
    sync::worker::work(app, taken).unwrap();
    assert_eq!(format!("{:?}", house.copy(&file)), before, "what it found out is not written over what the other did");
    house.settle();
    assert_eq!((house.state(&file), house.there()), ((State::Synced, None), 1));
}

#[actix_web::test]
async fn a_queue_that_was_emptied_is_noticed() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        let file = house.upload("letter.pdf", LETTER).await;
        house.run();
        house.paperless.lose_queue();
        house.settle();
        assert_eq!(house.copy(&file).state, State::Processing, "{version:?}: it waits");
        house.later(Duration::hours(3));
        assert_eq!(house.copy(&file).sends, 1, "{version:?}: it may still be in the queue");
        house.later(Duration::hours(1));
        house.settle();
        assert_eq!((house.state(&file), house.there(), house.copy(&file).sends), ((State::Synced, None), 1, 2), "{version:?}");
    }
}

#[actix_web::test]
async fn an_upgrade_between_the_upload_and_the_question_loses_nothing() {
    // Done before the upgrade, and never begun before it.
    for done in [true, false] {
        let house = House::new(Version::V2).await;
        let file = house.upload("letter.pdf", LETTER).await;
        house.run();
        if done {
            house.paperless.finish();
        }
        house.paperless.upgrade();
        house.settle();
        house.later(Duration::minutes(30));
        house.settle();
        assert_eq!((house.state(&file), house.there()), ((State::Synced, None), 1), "{done}");
        assert_eq!(house.copy(&file).sends, if done { 1 } else { 2 });
    }
}

#[actix_web::test]
async fn a_token_that_is_revoked_in_the_middle_waits_for_a_new_one() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        house.choose(&house.owner, Place::Paperless, false);
        let (first, second) = (house.upload("a.pdf", LETTER).await, house.upload("b.pdf", &LETTER.replace("fine", "low")).await);
        house.run();
        house.paperless.finish();
        let token = house.paperless.revoke_token();
        house.later(Duration::minutes(1));
        assert!(house.words(&first).contains("token"), "{}", house.words(&first));
        assert_eq!(house.copy(&first).state, State::Processing);
        house.opens(&first, LETTER).await;
        house.connect(&house.owner, &house.paperless, token);
        house.settle();
        assert_eq!((house.state(&first), house.state(&second), house.there()), ((State::Synced, None), (State::Synced, None), 2));
        // Revoked when the documents are only there: they are not opened, and nobody is told where they are.
        house.here();
        house.paperless.revoke_token();
        let answer = house.owner.clone().signed_in().get(&format!("{}/content", house.page(&first))).await.is(503);
        assert!(answer.text().contains("Paperless-ngx") && !answer.body.contains("127.0.0.1"), "{}", answer.body);
    }
}

#[actix_web::test]
async fn what_reads_back_differently_is_not_let_go_here() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        house.choose(&house.owner, Place::Paperless, false);
        let file = house.upload("letter.pdf", LETTER).await;
        house.run();
        house.paperless.finish();
        house.paperless.fault(Trouble::WrongBytes);
        house.later(Duration::minutes(1));
        assert_eq!(house.state(&file), (State::Failed, Some("differs".to_owned())), "{version:?}");
        assert!(house.words(&file).contains("differs"));
        assert_eq!((house.backend(&file).as_str(), house.here()), ("local", 1));
        house.opens(&file, LETTER).await;
        house.paperless.well();
        house.again(&file);
        house.settle();
        assert_eq!((house.state(&file), house.backend(&file).as_str()), ((State::Synced, None), "paperless"));
        // And when it is only there: nobody is given another document.
        house.paperless.fault(Trouble::WrongBytes);
        let answer = house.owner.clone().signed_in().get(&format!("{}/content", house.page(&file))).await;
        answer.is(503).says("what comes back from there is not what was sent").lacks("backup");
        assert_eq!(house.copy(&file).state, State::Failed);
        let page = house.owner.clone().signed_in().get(&house.page(&file)).await.is(200);
        page.says("is not the document that was sent").says("Look for it again").lacks("/content").lacks("Send again");
        house.paperless.well();
    }
}

#[actix_web::test]
async fn a_download_that_breaks_off_is_no_proof_and_no_answer() {
    let house = House::new(Version::V3).await;
    house.choose(&house.owner, Place::Paperless, false);
    let text = format!("%PDF-1.4\n{}\n%%EOF\n", "A long letter. ".repeat(20_000));
    let file = house.upload("letter.pdf", &text).await;
    house.run();
    house.paperless.finish();
    house.paperless.fault(Trouble::CutsDownloads);
    house.later(Duration::minutes(1));
    assert_eq!((house.copy(&file).state, house.backend(&file).as_str()), (State::Processing, "local"));
    house.paperless.well();
    house.settle();
    assert_eq!(house.backend(&file), "paperless");
    house.paperless.fault(Trouble::CutsDownloads);
    let (_, is_whole) = house.owner.clone().signed_in().parts(&format!("{}/content", house.page(&file)), |_| {}).await;
    assert!(!is_whole);
    assert_eq!(house.copy(&file).state, State::Synced, "a connection that broke says nothing of the document");
}

#[actix_web::test]
async fn a_document_that_is_thrown_away_there_is_missed_found_again_and_sent_again() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        let file = house.upload("letter.pdf", LETTER).await;
        house.settle();
        house.paperless.trash(1);
        house.later(Duration::minutes(16));
        assert_eq!(house.state(&file), (State::Missing, Some("in_trash".to_owned())), "{version:?}");
        assert!(house.words(&file).contains("trash"));
        house.paperless.restore(1);
        house.later(Duration::minutes(16));
        house.settle();
        assert_eq!(house.state(&file), (State::Synced, None), "{version:?}: it came back");
        house.paperless.erase(1);
        house.later(Duration::minutes(16));
        assert_eq!(house.state(&file), (State::Missing, Some("gone".to_owned())), "{version:?}");
        house.opens(&file, LETTER).await;
        // The button sends it again, since the copy here was kept.
        let mut copy = house.copy(&file);
        copy.document_id = None;
        house.put(&copy);
        house.again(&file);
        house.settle();
        assert_eq!((house.state(&file), house.there()), ((State::Synced, None), 1), "{version:?}");
    }
}

#[actix_web::test]
async fn what_is_only_there_and_thrown_away_there_is_told_to_whoever_opens_it() {
    let house = House::new(Version::V3).await;
    house.choose(&house.owner, Place::Paperless, false);
    let file = house.upload("letter.pdf", LETTER).await;
    house.settle();
    house.here();
    house.paperless.trash(1);
    let answer = house.owner.clone().signed_in().get(&format!("{}/content", house.page(&file))).await.is(503);
    assert!(answer.text().contains("not there"), "{}", answer.text());
    assert_eq!(house.state(&file), (State::Missing, Some("in_trash".to_owned())), "noted without waiting for the next look");
    let store = &house.t.app.elsewhere[0];
    assert_eq!(kinchart::files::blobs::check(&house.t.app, store.as_ref(), false).unwrap().missing.len(), 1);
    house.paperless.restore(1);
    house.later(Duration::minutes(16));
    house.settle();
    house.opens(&file, LETTER).await;
}

#[actix_web::test]
async fn what_cannot_be_stored_there_says_so_and_holds_up_no_other() {
    let house = House::new(Version::V3).await;
    let damaged = house.upload("damaged.pdf", "%PDF-1.4\nno end").await;
    let good = house.upload("good.pdf", LETTER).await;
    house.settle();
    assert_eq!(house.state(&damaged), (State::Failed, Some("task_unreadable".to_owned())));
    assert!(house.words(&damaged).contains("damaged"));
    assert_eq!(house.state(&good), (State::Synced, None));
    house.opens(&damaged, "%PDF-1.4\nno end").await;
    let large = house.upload("large.pdf", &LETTER.replace("fine", "large")).await;
    house.paperless.fault(Trouble::TooLarge);
    house.run();
    assert_eq!(house.state(&large), (State::Failed, Some("too_large".to_owned())));
    house.paperless.well();
    house.again(&large);
    house.settle();
    assert_eq!(house.state(&large), (State::Synced, None));
    // Somebody stops its task there.
    let stopped = house.upload("stopped.pdf", &LETTER.replace("fine", "stopped")).await;
    house.run();
    house.paperless.revoke_tasks();
    house.later(Duration::minutes(1));
    assert_eq!(house.state(&stopped), (State::Failed, Some("task_revoked".to_owned())));
    house.words(&stopped);
}

#[actix_web::test]
async fn a_file_that_was_changed_on_our_disk_is_not_sent() {
    let house = House::new(Version::V3).await;
    let file = house.upload("letter.pdf", LETTER).await;
    let bytes = house.t.app.db.read(|conn| kinchart::paperless::sync::copies::bytes_of(conn, &file)).unwrap();
    let place = bytes.name.as_str();
    let path = house.t.app.config.uploads.join(&place[30..]).join(place);
    let mut sealed = std::fs::read(&path).unwrap();
    let last = sealed.len() - 1;
    sealed[last] ^= 1;
    std::fs::write(&path, sealed).unwrap();
    house.settle();
    assert_eq!(house.state(&file), (State::Failed, Some("here".to_owned())));
    assert_eq!(house.there(), 0);
    assert!(house.t.app.storage.weigh(&bytes.name).unwrap().is_some());
}

#[actix_web::test]
async fn every_right_that_is_missing_is_named_or_done_without() {
    let all = super::ways::ALL;
    for missing in all {
        let house = House::new(Version::V3).await;
        let rights: Vec<&str> = all.iter().copied().filter(|right| *right != missing).collect();
        let token = house.paperless.user("ann", &rights);
        house.connect(&house.owner, &house.paperless, token);
        let kind = kinchart::records::kind("lab-results").unwrap();
        let whom = house.owner.practitioner("Dr. Grace Hopper");
        let sample = crate::common::sample::Sample::least(kind, 1).with("practitioner_id", &whom).tagged(&["Blood"]);
        let record = house.owner.record(&house.ada, kind, &sample);
        let file = house.upload_as(&house.owner.api(true), &[("record", record.as_str())], "letter.pdf", LETTER).await;
        house.settle();
        let copy = house.copy(&file);
        let (why, fault) = (copy.reason.clone().unwrap_or_default(), house.connection().fault.unwrap_or_default());
        match missing {
            "view_uisettings" => assert_eq!((copy.state, why.as_str()), (State::Synced, "")),
            "view_document" | "add_document" | "view_paperlesstask" => {
                assert_ne!(copy.state, State::Synced, "{missing}");
                assert_eq!(fault, format!("right:{missing}"));
                assert_eq!(copy.step, if missing == "view_paperlesstask" { Step::Poll } else { copy.step });
            }
            // A document is more than its labels.
            "change_document" => assert_eq!(copy.state, State::Synced),
            _ => assert_eq!((copy.state, why.as_str()), (State::Synced, format!("without:{missing}").as_str())),
        }
        house.words(&file);
        house.opens(&file, LETTER).await;
        // With the right given, it goes on.
        let person = house.paperless.state().users.iter().position(|user| user.name == "ann").unwrap();
        house.paperless.state().users[person].rights = all.iter().map(|right| (*right).to_owned()).collect();
        house.t.app.db.write(|tx| kinchart::paperless::sync::copies::all_again(tx, &house.owner.id, house.t.now()).map(drop)).unwrap();
        house.later(Duration::hours(2));
        house.settle();
        assert_eq!(house.state(&file), (State::Synced, None), "{missing}");
        let there = house.paperless.documents().pop().unwrap();
        assert_eq!((there.tags.len(), there.custom_fields.len()), (1, 1), "{missing}");
        assert_eq!(house.there(), 1, "{missing}");
    }
}

#[actix_web::test]
async fn no_token_goes_where_a_redirect_leads() {
    let house = House::new(Version::V3).await;
    house.choose(&house.owner, Place::Paperless, false);
    let file = house.upload("letter.pdf", LETTER).await;
    house.settle();
    house.here();
    house.paperless.fault(Trouble::Redirects);
    house.upload("second.pdf", &LETTER.replace("fine", "low")).await;
    house.settle();
    house.owner.clone().signed_in().get(&format!("{}/content", house.page(&file))).await.is(503);
    assert_eq!(house.paperless.sent_elsewhere(), (Vec::new(), 0));
}

#[actix_web::test]
async fn an_account_that_is_disabled_sends_nothing_more() {
    let house = House::new(Version::V3).await;
    let helper = house.t.user("helper");
    house.owner.share(&house.ada, &helper, &crate::common::Share::to(kinchart::access::Permission::Edit));
    let other = Paperless::start(Version::V3);
    house.connect(&helper, &other, other.token());
    house.choose(&helper, Place::Paperless, true);
    let file = house.upload_as(&helper.api(true), &[], "letter.pdf", LETTER).await;
    house.disable(&helper);
    house.settle();
    assert_eq!(
        (house.copy(&file).state, other.documents().len(), other.seen().iter().filter(|seen| seen.method == "POST").count()),
        (State::Pending, 0, 0)
    );
    house.opens(&file, LETTER).await;
}
