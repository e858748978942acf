//! In the middle: what is written down before the first byte goes, and what is not believed of what comes.

use std::{
    io::{self, Read},
    sync::{Arc, Mutex, OnceLock},
};

use diesel::prelude::*;
use kinchart::{
    app::App,
    db::schema::paperless_copies as rows,
    paperless::sync::{
        connection::Place,
        copies::{self, State, Step},
    },
    storage::{BlobName, Incoming, Span, Storage, seal::FileKey},
};

use super::house::{House, LETTER};
use crate::{
    common::TestApp,
    paperless::server::{Trouble, Version},
};

/// What the database says of the upload when its first byte is read: its step, whether it is noted as begun, and how often it was sent.
type Noted = Arc<Mutex<Vec<(Step, bool, i32)>>>;

/// A store that looks there whenever a file is begun to be read.
struct Watched {
    inner: Arc<dyn Storage>,
    app: Arc<OnceLock<App>>,
    noted: Noted,
}

struct Reading {
    inner: Box<dyn Read + Send>,
    app: Arc<OnceLock<App>>,
    noted: Noted,
    has_begun: bool,
}

impl Read for Reading {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.has_begun, true) {
            let app = self.app.get().expect("the app");
            let row =
                app.db.read(|conn| Ok(rows::table.select((rows::step, rows::uncertain_since.is_not_null(), rows::sends)).first(conn)?));
            self.noted.lock().unwrap().push(row.unwrap());
        }
        self.inner.read(to)
    }
}

impl Storage for Watched {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn begin(&self, name: &BlobName, key: &FileKey) -> io::Result<Box<dyn Incoming>> {
        self.inner.begin(name, key)
    }
    fn open(&self, name: &BlobName, key: &FileKey, size: u64, span: Span) -> io::Result<Box<dyn Read + Send>> {
        let inner = self.inner.open(name, key, size, span)?;
        Ok(Box::new(Reading { inner, app: Arc::clone(&self.app), noted: Arc::clone(&self.noted), has_begun: false }))
    }
    fn remove(&self, name: &BlobName) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn weigh(&self, name: &BlobName) -> io::Result<Option<u64>> {
        self.inner.weigh(name)
    }
    fn names(&self) -> io::Result<Vec<BlobName>> {
        self.inner.names()
    }
}

/// Whoever is killed from then on leaves a row that says so.
#[actix_web::test]
async fn an_upload_is_noted_before_its_first_byte_goes() {
    let (app, noted) = (Arc::new(OnceLock::new()), Noted::default());
    let (watching, into) = (Arc::clone(&app), Arc::clone(&noted));
    let t = TestApp::storing(|_| {}, |inner| Arc::new(Watched { inner, app: watching, noted: into })).await;
    assert!(app.set(t.app.clone()).is_ok());
    let house = House::of(t, Version::V3);
    house.upload("letter.pdf", LETTER).await;
    house.run();
    assert_eq!(*noted.lock().unwrap(), [(Step::Send, true, 1)]);
}

#[actix_web::test]
async fn with_a_revoked_token_the_server_is_left_alone() {
    let house = House::new(Version::V3).await;
    house.upload("a.pdf", LETTER).await;
    house.upload("b.pdf", &LETTER.replace("fine", "low")).await;
    house.paperless.revoke_token();
    house.run();
    assert_eq!(house.connection().fault.as_deref(), Some("token"), "it is told of the connection, once");
    house.paperless.forget_seen();
    house.upload("c.pdf", &LETTER.replace("fine", "high")).await;
    house.run();
    assert!(house.paperless.seen().is_empty(), "{:?}", house.paperless.seen());
}

#[actix_web::test]
async fn what_comes_back_differently_is_not_taken_for_the_document() {
    let house = House::new(Version::V3).await;
    house.choose(&house.owner, Place::Paperless, false);
    let file = house.upload("letter.pdf", LETTER).await;
    house.settle();
    assert_eq!(house.backend(&file), "paperless");
    house.paperless.fault(Trouble::WrongBytes);
    let mut copy = house.copy(&file);
    copies::bring_back(&mut copy, house.t.now());
    house.put(&copy);
    house.run();
    assert_eq!((house.state(&file), house.backend(&file).as_str()), ((State::Failed, Some("differs".to_owned())), "paperless"));
    assert_eq!(house.here(), 0, "what came does not lie about");
    house.paperless.well();
    house.again(&file);
    house.settle();
    assert_eq!((house.state(&file), house.backend(&file).as_str(), house.here()), ((State::Synced, None), "local", 1));
    house.opens(&file, LETTER).await;
}
