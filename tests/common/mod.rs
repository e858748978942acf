//! A Kinchart for one test: a database of its own, people who ask it things, and a clock that the test sets.
//!
//! ```ignore
//! let t = TestApp::new().await;
//! let owner = t.user("owner");
//! let ada = owner.patient("Ada");
//! owner.get(&format!("/patients/{ada}/medications")).await.is(200).has("Add medication");
//! ```
//! People and what a test begins with are written directly into the database, through the library where it has a function for it; what is
//! tested goes through HTTP. Sessions are made through the program's own session store and the cookie is sealed with the app's own key, so
//! no test but those of signing in depends on the sign-in form.

mod answer;
mod database;
pub mod html;
pub mod log;
pub mod mail;
pub mod paper;
mod people;
pub mod program;
pub mod sample;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use actix_http::Request;
use actix_web::{dev::Service, test as actix};
use chrono::{NaiveDate, NaiveDateTime};
use futures_util::{FutureExt, future::LocalBoxFuture};
use kinchart::{
    app::App,
    auth::{oidc::provider::Provider, password::Passwords},
    config::Config,
    files::tesseract::Tesseract,
    serve,
    storage::Storage,
    workshop::Workshop,
};

pub use answer::Answer;
pub use database::{TestDatabase, on_postgres};
pub use people::{Api, Person, Share, password_of};

/// The day every test begins on.
pub const TODAY: &str = "2026-03-14";

type Call = dyn Fn(Request) -> LocalBoxFuture<'static, Answer>;
/// Told the number of each part that came.
type OnPart = Rc<dyn Fn(usize)>;
type Stream = dyn Fn(Request, OnPart) -> LocalBoxFuture<'static, (String, bool)>;

/// One program with its database; both are gone when it is dropped.
#[derive(Clone)]
pub struct TestApp {
    pub app: App,
    call: Rc<Call>,
    stream: Rc<Stream>,
    household: Rc<RefCell<Option<String>>>,
    // Declared last, so that the pool is closed before its database goes.
    _database: Rc<TestDatabase>,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings than a test's usual ones.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::storing(change, |storage| storage).await
    }

    /// And with another store of documents around the usual one.
    pub async fn storing(change: impl FnOnce(&mut Config), store: impl FnOnce(Arc<dyn Storage>) -> Arc<dyn Storage>) -> Self {
        log::listen();
        let database = TestDatabase::migrated();
        let mut config = Config {
            data: database.folder().join("data"),
            uploads: database.folder().join("uploads"),
            database: database.setting(),
            ..Config::default()
        };
        // What a test reads scans with it brings itself.
        "no-tesseract-here".clone_into(&mut config.tesseract);
        change(&mut config);
        let mut app = serve::open(config).expect("the app opens");
        // The lowest cost there is: what is tested is not how long a hash takes.
        app.passwords = Arc::new(Passwords::new(4));
        app.storage = store(app.storage);
        app.workshop = Workshop::of(env!("CARGO_BIN_EXE_kinchart").into());
        let (call, stream) = served(&app).await;
        let test = Self { app, call, stream, household: Rc::default(), _database: Rc::new(database) };
        test.set_day(TODAY);
        test
    }

    /// The same after a start with another program to read scans with.
    pub async fn reads_scans_with(&mut self, program: &str, languages: Option<&str>) {
        self.app.tesseract = Arc::new(Tesseract::new(program, languages));
        (self.call, self.stream) = served(&self.app).await;
    }

    /// The same after a start with another OpenID provider in its settings.
    pub async fn asks_provider(&mut self, provider: Option<Arc<Provider>>) {
        self.app.provider = provider;
        (self.call, self.stream) = served(&self.app).await;
    }

    pub async fn call(&self, request: Request) -> Answer {
        (self.call)(request).await
    }

    /// A body part by part: what came of it, and whether that is all of it. Between the parts something may happen.
    pub async fn stream(&self, request: Request, on_part: impl Fn(usize) + 'static) -> (String, bool) {
        (self.stream)(request, Rc::new(on_part)).await
    }

    pub fn now(&self) -> NaiveDateTime {
        self.app.clock.now()
    }

    /// Noon of that day, from now on.
    pub fn set_day(&self, day: &str) {
        let wanted = day.parse::<NaiveDate>().unwrap().and_hms_opt(12, 0, 0).unwrap();
        self.app.clock.advance(wanted - self.app.clock.now());
    }

    pub fn later(&self, by: chrono::Duration) {
        self.app.clock.advance(by);
    }
}

async fn served(app: &App) -> (Rc<Call>, Rc<Stream>) {
    let service = Rc::new(actix::init_service(serve::web_app(app.clone())).await);
    let streamed = Rc::clone(&service);
    let stream: Rc<Stream> = Rc::new(move |request, on_part| {
        let service = Rc::clone(&streamed);
        async move { answer::in_parts(service.call(request).await, &*on_part).await }.boxed_local()
    });
    let call: Rc<Call> = Rc::new(move |request| {
        let service = Rc::clone(&service);
        async move { Answer::read(service.call(request).await).await }.boxed_local()
    });
    (call, stream)
}

/// The same work on that many threads, begun at the same moment; what each came to, in their order.
pub fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = std::sync::Barrier::new(threads);
    std::thread::scope(|scope| {
        let (work, start) = (&work, &start);
        let begin = |thread| {
            scope.spawn(move || {
                start.wait();
                work(thread)
            })
        };
        let running: Vec<_> = (0..threads).map(begin).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Runs the work for every kind of record, each told by name if it fails, so that one run shows all that is wrong.
pub async fn for_every_kind<F: Future<Output = ()>>(mut work: impl FnMut(&'static kinchart::records::Kind) -> F) {
    let mut failed = Vec::new();
    for kind in kinchart::records::kinds() {
        if std::panic::AssertUnwindSafe(work(kind)).catch_unwind().await.is_err() {
            failed.push(kind.name);
        }
    }
    assert!(failed.is_empty(), "failed for: {}", failed.join(", "));
}
