//! Another server, another address, and the end of a connection.

use kinchart::{
    error::Error,
    paperless::sync::{
        connection::{self, Place},
        copies::State,
    },
};

use super::house::{House, LETTER};
use crate::paperless::server::{Paperless, Version};

#[actix_web::test]
async fn another_server_is_another_server_until_the_documents_are_found_there() {
    let house = House::new(Version::V2).await;
    let kept = house.upload("kept.pdf", LETTER).await;
    house.settle();
    house.choose(&house.owner, Place::Paperless, false);
    let text = LETTER.replace("fine", "low");
    let away = house.upload("away.pdf", &text).await;
    house.settle();
    house.here();
    assert_eq!((house.backend(&kept).as_str(), house.backend(&away).as_str()), ("local", "paperless"));
    // There, the id of the first document is another letter.
    let other = Paperless::start(Version::V3);
    let foreign = LETTER.replace("Ada", "Eve");
    let upload = kinchart::paperless::Upload { file_name: "x.pdf", size: foreign.len() as u64, title: "Eve's", ..Default::default() };
    for _ in 0..2 {
        other.client().upload(&upload, &mut foreign.as_bytes()).unwrap();
    }
    other.finish();
    house.connect(&house.owner, &other, other.token());
    let answer = house.owner.clone().signed_in().get(&format!("{}/content", house.page(&away))).await.is(503);
    answer.lacks("Eve");
    for _ in 0..8 {
        house.run();
        other.finish();
        house.t.later(chrono::Duration::minutes(2));
    }
    assert_eq!((house.copy(&kept).state, house.copy(&kept).document_id), (State::Synced, Some(3)), "sent there, too");
    assert_eq!(house.state(&away), (State::Missing, Some("not_found".to_owned())));
    assert!(house.words(&away).contains("not found"));
    assert_eq!(other.document(1).title, "Eve's");
    // Back to the first one: found by its checksum.
    house.connect(&house.owner, &house.paperless, house.paperless.token());
    house.settle();
    assert_eq!((house.state(&kept), house.state(&away)), ((State::Synced, None), (State::Synced, None)));
    house.opens(&away, &text).await;
}

#[actix_web::test]
async fn a_connection_ends_only_when_nothing_lies_there_alone() {
    let house = House::new(Version::V3).await;
    house.choose(&house.owner, Place::Paperless, false);
    let file = house.upload("letter.pdf", LETTER).await;
    house.settle();
    house.here();
    let actor = house.owner.actor();
    let ended = house.t.app.db.write(|tx| connection::end(tx, &actor, house.t.now()));
    assert!(matches!(ended, Err(Error::Conflict("paperless_only_there"))), "{ended:?}");
    assert!(house.find(&file).is_some() && house.has_connection());

    house.paperless.down();
    let found = kinchart::files::blobs::check(&house.t.app, house.t.app.elsewhere[0].as_ref(), true).unwrap();
    assert_eq!((found.unread.len(), found.changed.len(), found.is_well()), (1, 0, false), "it cannot be read, which says nothing of it");
    house.t.app.db.write(|tx| connection::leave(tx, &actor, house.t.now())).unwrap();
    house.settle();
    assert!(house.has_connection(), "it is not there to be brought back");
    house.paperless.up();
    house.later(chrono::Duration::hours(2));
    house.settle();
    assert!(!house.has_connection());
    assert_eq!((house.backend(&file).as_str(), house.here(), house.there()), ("local", 1, 1));
    house.paperless.down();
    house.opens(&file, LETTER).await;
}

#[actix_web::test]
async fn what_the_database_keeps_of_the_token_opens_nothing() {
    use diesel::prelude::*;
    use kinchart::db::schema::paperless_connections as rows;
    let house = House::new(Version::V3).await;
    let token = house.paperless.token();
    let sealed: String = house.t.app.db.read(|conn| Ok(rows::table.select(rows::sealed_token).first(conn)?)).unwrap();
    assert!(!sealed.contains(token.reveal()));
    assert!(!format!("{:?}", house.connection()).contains(token.reveal()));
    assert!(crate::common::log::lines_with(token.reveal()).is_empty());
}

#[actix_web::test]
async fn another_key_of_the_installation_opens_the_token_too() {
    use kinchart::auth::{key_change, secret::SecretKey};
    let house = House::new(Version::V3).await;
    let new = SecretKey::generate().unwrap();
    key_change::change(&house.t.app, &new).unwrap();
    house.run();
    assert_eq!(house.connection().fault, None, "this process has the old key: it says nothing of the connection");
    let network = house.t.app.paperless.network().unwrap();
    assert!(house.connection().client(&network, &house.t.app.key).is_err());
    assert!(house.connection().client(&network, &new).unwrap().probe().is_ok());
}
