//! The same bytes, there before: each version has its own way with them.

use kinchart::paperless::{Upload, sync::copies::State};

use super::{
    house::{House, LETTER},
    ways::ALL,
};
use crate::paperless::server::Version;

fn was_there(house: &House, who: Option<&str>) {
    let client = match who {
        None => house.paperless.client(),
        Some(name) => house.paperless.client_of(house.paperless.user(name, &ALL)),
    };
    let upload = Upload { file_name: "theirs.pdf", size: LETTER.len() as u64, title: "Theirs", ..Upload::default() };
    client.upload(&upload, &mut LETTER.as_bytes()).unwrap();
    house.paperless.finish();
}

#[actix_web::test]
async fn a_twin_of_ones_own_is_linked() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        was_there(&house, None);
        let file = house.upload("letter.pdf", LETTER).await;
        house.settle();
        let copy = house.copy(&file);
        assert_eq!((copy.state, copy.document_id, copy.sends, house.there()), (State::Synced, Some(1), 0, 1), "{version:?}");
        assert_eq!(house.paperless.document(1).title, "Theirs");
    }
}

/// It came in after the look and before the upload.
#[actix_web::test]
async fn a_twin_that_came_meanwhile_is_linked_where_the_server_refuses_two() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        house.paperless.deletes_duplicates();
        let file = house.upload("letter.pdf", LETTER).await;
        house.run();
        let mine = house.paperless.state().tasks.pop().unwrap();
        was_there(&house, None);
        house.paperless.state().tasks.push(mine);
        house.settle();
        let copy = house.copy(&file);
        assert_eq!((copy.state, copy.document_id, house.there()), (State::Synced, Some(1), 1), "{version:?}");
    }
}

#[actix_web::test]
async fn a_twin_of_somebody_else_is_told_and_nothing_of_it() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        house.paperless.deletes_duplicates();
        was_there(&house, Some("bob"));
        house.connect(&house.owner, &house.paperless, house.paperless.user("ann", &ALL));
        let file = house.upload("letter.pdf", LETTER).await;
        house.settle();
        assert_eq!(house.state(&file), (State::Failed, Some("twin_of_others".to_owned())), "{version:?}");
        assert!(house.words(&file).contains("somebody else"));
        assert!(house.copy(&file).document_id.is_none() && house.copy(&file).seen_title.is_none());
        house.opens(&file, LETTER).await;
        assert_eq!(house.here(), 1);
    }
}

#[actix_web::test]
async fn a_twin_of_somebody_else_is_no_hindrance_where_two_are_kept() {
    let house = House::new(Version::V3).await;
    was_there(&house, Some("bob"));
    house.connect(&house.owner, &house.paperless, house.paperless.user("ann", &ALL));
    let file = house.upload("letter.pdf", LETTER).await;
    house.settle();
    assert_eq!((house.copy(&file).state, house.copy(&file).document_id), (State::Synced, Some(2)));
}

#[actix_web::test]
async fn a_twin_in_the_trash_is_told_and_found_when_it_is_restored() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        house.paperless.deletes_duplicates();
        was_there(&house, None);
        house.paperless.trash(1);
        let file = house.upload("letter.pdf", LETTER).await;
        house.settle();
        assert_eq!(house.state(&file), (State::Failed, Some("twin_in_trash".to_owned())), "{version:?}");
        assert!(house.words(&file).contains("trash"));
        house.paperless.restore(1);
        house.again(&file);
        house.settle();
        assert_eq!((house.copy(&file).state, house.copy(&file).document_id), (State::Synced, Some(1)), "{version:?}");
        // Emptied instead: then it is sent.
        let file = house.upload("again.pdf", LETTER).await;
        house.settle();
        assert_eq!(house.copy(&file).document_id, Some(1), "two files here may be one document there");
    }
}
