//! A family with a Paperless-ngx.

use chrono::Duration;
use diesel::prelude::*;
use kinchart::{
    db::{
        schema::{blobs as blob_rows, files as file_rows, paperless_connections, patient_shares, users},
        types::{FileId, PatientId},
    },
    files::blobs,
    jobs,
    paperless::{
        Token,
        sync::{
            self,
            connection::{self, Connection, Place},
            copies::{self, Copy, State, Step},
            reason,
        },
    },
};

use crate::{
    common::{Api, Person, TestApp},
    files::{FORM, form},
    paperless::server::{Paperless, Version, network},
};

pub const LETTER: &str = "%PDF-1.4\nDear Ada, your hemoglobin is fine.\n%%EOF\n";

pub struct House {
    pub t: TestApp,
    pub owner: Person,
    pub ada: PatientId,
    pub paperless: Paperless,
}

impl House {
    pub async fn new(version: Version) -> Self {
        Self::of(TestApp::new().await, version)
    }

    pub fn of(t: TestApp, version: Version) -> Self {
        t.app.paperless.set(network());
        let owner = t.user("owner");
        let ada = owner.patient("Ada");
        let paperless = Paperless::start(version);
        let house = Self { t, owner, ada, paperless };
        house.connect(&house.owner, &house.paperless, house.paperless.token());
        house.choose(&house.owner, Place::Paperless, true);
        house
    }

    pub fn connect(&self, who: &Person, paperless: &Paperless, token: Token) {
        let server = paperless.client_of(token.clone()).probe().unwrap();
        let actor = who.actor();
        self.t.app.db.write(|tx| connection::keep(tx, &self.t.app, &actor, &paperless.address(), &token, &server)).unwrap();
    }

    pub fn choose(&self, who: &Person, place: Place, keep_local: bool) {
        self.t.app.db.write(|tx| connection::choose(tx, &who.actor(), place, keep_local, true, self.t.now())).unwrap();
    }

    pub async fn upload(&self, name: &str, content: &str) -> FileId {
        self.upload_as(&self.owner.api(true), &[], name, content).await
    }

    pub async fn upload_as(&self, api: &Api, fields: &[(&str, &str)], name: &str, content: &str) -> FileId {
        let path = format!("/api/v1/patients/{}/files", self.ada);
        let made = api.send(actix_web::http::Method::POST, &path, &[FORM], form(fields, &[(name, content)])).await.is(201).json();
        FileId::parse(made["id"].as_str().unwrap()).unwrap()
    }

    /// What the thread would do now.
    pub fn run(&self) {
        sync::run_due(&self.t.app).unwrap();
    }

    /// The server works, time passes, the thread works: until nothing moves any more.
    pub fn settle(&self) {
        for _ in 0..8 {
            self.run();
            self.paperless.finish();
            self.t.later(Duration::minutes(2));
        }
        self.run();
    }

    pub fn later(&self, by: Duration) {
        self.t.later(by);
        self.run();
    }

    pub fn copy(&self, file: &FileId) -> Copy {
        self.find(file).expect("a row")
    }

    pub fn find(&self, file: &FileId) -> Option<Copy> {
        self.t.app.db.read(|conn| copies::of(conn, file)).unwrap()
    }

    pub fn state(&self, file: &FileId) -> (State, Option<String>) {
        let copy = self.copy(file);
        (copy.state, copy.reason)
    }

    /// As a person changes it.
    pub fn put(&self, copy: &Copy) {
        self.t.app.db.write(|tx| copies::put(tx, copy, self.t.now())).unwrap();
    }

    /// The person presses the button that tries again.
    pub fn again(&self, file: &FileId) {
        let mut copy = self.copy(file);
        copies::begin_anew(&mut copy, self.t.now());
        self.put(&copy);
    }

    /// What a kill leaves between an upload and the note of its task.
    pub fn forget_upload(&self, file: &FileId) {
        let mut copy = self.copy(file);
        assert_eq!(copy.step, Step::Poll, "it was sent");
        (copy.state, copy.step, copy.uncertain_since) = (State::Pending, Step::Send, copy.sent_at);
        (copy.task_id, copy.sent_at, copy.next_at) = (None, None, Some(self.t.now()));
        self.put(&copy);
    }

    pub fn connection(&self) -> Connection {
        self.t.app.db.read(|conn| connection::named(conn, &self.owner.id)).unwrap()
    }

    pub fn has_connection(&self) -> bool {
        let found: i64 = self.t.app.db.read(|conn| Ok(paperless_connections::table.count().get_result(conn)?)).unwrap();
        found > 0
    }

    /// The reason of a fault of the connection or of the document, as it is shown.
    pub fn words(&self, file: &FileId) -> String {
        let why = self.copy(file).reason.or(self.connection().fault).unwrap_or_default();
        let sentence = reason::sentence(&kinchart::i18n::Locale::default(), &why);
        assert!(why.is_empty() || !sentence.starts_with("paperless."), "no words for {why}");
        sentence
    }

    /// Where the bytes of the file are said to lie.
    pub fn backend(&self, file: &FileId) -> String {
        let work = |conn: &mut kinchart::db::Conn| {
            Ok(file_rows::table
                .inner_join(blob_rows::table.on(blob_rows::name.eq(file_rows::blob)))
                .filter(file_rows::id.eq(file))
                .select(blob_rows::storage_backend)
                .first(conn)?)
        };
        self.t.app.db.read(work).unwrap()
    }

    /// How many files lie here, after the sweep, which must find nothing that it cannot explain.
    pub fn here(&self) -> usize {
        jobs::ensure_standing(&self.t.app).unwrap();
        self.t.later(Duration::hours(2));
        jobs::run_due(&self.t.app).unwrap();
        self.t.later(Duration::hours(2));
        jobs::run_due(&self.t.app).unwrap();
        let found = blobs::check(&self.t.app, self.t.app.storage.as_ref(), true).unwrap();
        assert!(found.is_well(), "{found:?}");
        found.whole
    }

    pub fn page(&self, file: &FileId) -> String {
        format!("/patients/{}/files/{file}", self.ada)
    }

    /// It opens, and is what was uploaded.
    pub async fn opens(&self, file: &FileId, content: &str) {
        let answer = self.owner.clone().signed_in().get(&format!("{}/content", self.page(file))).await.is(200);
        assert_eq!(answer.body, content);
    }

    pub fn end_shares(&self) {
        let all = diesel::update(patient_shares::table);
        self.t.app.db.write(|tx| Ok(all.clone().set(patient_shares::is_active.eq(false)).execute(&mut **tx)?)).unwrap();
    }

    pub fn disable(&self, who: &Person) {
        let row = diesel::update(users::table.find(&who.id));
        self.t.app.db.write(|tx| Ok(row.clone().set(users::disabled_at.eq(self.t.now())).execute(&mut **tx)?)).unwrap();
    }

    /// Documents there that are not in the trash.
    pub fn there(&self) -> usize {
        self.paperless.documents().iter().filter(|document| !document.is_trashed).count()
    }
}
