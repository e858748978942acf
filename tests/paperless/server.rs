//! A Paperless-ngx for tests: a real HTTP server on this machine that behaves as 2.20.15 or 3.0.5 did when they were asked, and fails when it is
//! told to.
//!
//! ```ignore
//! let paperless = Paperless::start(Version::V2);
//! let client = paperless.client();
//! // ... the client uploads ...
//! paperless.finish();
//! assert_eq!(paperless.documents().len(), 1);
//! paperless.fault(Trouble::FailsButSaves);
//! paperless.well();
//! ```
//! It runs on a thread of its own, so tests may block. Uploads wait until `advance` or `finish` works on them; nothing here takes time.

use std::{
    net::TcpListener,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard,
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, http::KeepAlive, rt::System, web};
use kinchart::{
    config::PrivateNetworks,
    paperless::{Address, Client, Names, Network, Options, Patience, Token},
};

use super::{
    answers,
    state::{State, Status, Stored},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 2.20.15: versions 1 to 9 of the interface, MD5, duplicates are refused.
    V2,
    /// 3.0.5: versions 9 and 10, SHA-256, duplicates are stored unless `deletes_duplicates`.
    V3,
}

impl Version {
    pub const BOTH: [Self; 2] = [Self::V2, Self::V3];

    pub fn text(self) -> &'static str {
        match self {
            Self::V2 => "2.20.15",
            Self::V3 => "3.0.5",
        }
    }

    /// Of the interface: lowest and highest; the highest is the default.
    pub fn interface(self) -> (u32, u32) {
        match self {
            Self::V2 => (1, 9),
            Self::V3 => (9, 10),
        }
    }
}

/// What goes wrong with every request, until `well`. What happens once is a method of `Paperless`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Takes requests and never answers; does not read a body either.
    Slow,
    /// A page for people, with 200, as a login before it would send.
    Page,
    /// 502 and a page of the reverse proxy.
    BadGateway,
    /// 503, to be asked again after so many seconds.
    Unavailable(u64),
    /// 429 to everything.
    Throttled(u64),
    /// 500 to each write, although it is done.
    FailsButSaves,
    /// 500 to each write, and nothing is done.
    Fails,
    /// Its queue (redis) is down: as each version was seen to answer then.
    QueueDown,
    /// 302 to another host, which notes whether it is sent the token.
    Redirects,
    /// A reverse proxy refuses files before it has read them.
    TooLarge,
    /// A file ends in its middle.
    CutsDownloads,
    /// Another file comes.
    WrongBytes,
    /// Only half of an answer, with 200.
    HalfAnswers,
    /// Something before it takes its headers off.
    NoHeaders,
    /// A checksum is no filter that it knows: the whole list comes.
    KnowsNoChecksums,
    /// A server before 2.16: speaks no version 9.
    TooOld,
    /// A later version, which speaks 9 no more.
    TooNew,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub accept: String,
    pub has_token: bool,
}

/// One server; it ends when it is dropped.
pub struct Paperless {
    state: Arc<Mutex<State>>,
    port: u16,
    base: String,
    running: Mutex<Option<Running>>,
    other: Other,
}

impl Paperless {
    pub fn start(version: Version) -> Self {
        Self::start_below(version, "")
    }

    /// Behind a reverse proxy that has it below a path, such as `/docs`.
    pub fn start_below(version: Version, base: &str) -> Self {
        let state = Arc::new(Mutex::new(State::new(version)));
        let other = Other::start();
        let site = Site { state: Arc::clone(&state), base: base.to_owned(), other: other.port };
        let (port, running) = Running::start(0, site);
        Self { state, port, base: base.to_owned(), running: Mutex::new(Some(running)), other }
    }

    pub fn address(&self) -> Address {
        Address::parse(&self.url()).unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}/", self.port, self.base)
    }

    /// The administrator's; its name is `admin`, its password `admin-Pw-1`.
    pub fn token(&self) -> Token {
        Token::parse(&self.state().users[0].token).unwrap()
    }

    /// Another account, with the password `NAME-Pw-1`; its token.
    pub fn user(&self, name: &str, rights: &[&str]) -> Token {
        Token::parse(&self.state().add_user(name, rights)).unwrap()
    }

    /// Asks the administrator for a code beside the password.
    pub fn second_factor(&self, code: &str) {
        self.state().users[0].code = Some(code.to_owned());
    }

    /// A client with little patience.
    pub fn client(&self) -> Client {
        self.client_of(self.token())
    }

    pub fn client_of(&self, token: Token) -> Client {
        Client::new(&network(), self.address(), token).unwrap()
    }

    pub fn fault(&self, trouble: Trouble) {
        self.state().trouble = Some(trouble);
    }

    /// Ends every trouble, also `down`.
    pub fn well(&self) {
        self.state().trouble = None;
        self.up();
    }

    /// Nobody listens: connections are refused.
    pub fn down(&self) {
        *self.running.lock().unwrap() = None;
    }

    pub fn up(&self) {
        let mut running = self.running.lock().unwrap();
        if running.is_none() {
            let site = Site { state: Arc::clone(&self.state), base: self.base.clone(), other: self.other.port };
            *running = Some(Running::start(self.port, site).1);
        }
    }

    /// One step of every task: pending, started, ended.
    pub fn advance(&self) {
        self.state().advance();
    }

    /// All steps of every task.
    pub fn finish(&self) {
        while self.state().advance() {}
    }

    /// Its queue is started again, empty: what is pending stays so for ever.
    pub fn lose_queue(&self) {
        self.state().tasks.iter_mut().filter(|task| task.status == Status::Pending).for_each(|task| task.is_lost = true);
    }

    /// Somebody stops all that is not done.
    pub fn revoke_tasks(&self) {
        let mut state = self.state();
        let open = state.tasks.iter_mut().filter(|task| matches!(task.status, Status::Pending | Status::Started));
        open.for_each(|task| task.status = Status::Revoked);
    }

    /// From 2.20.15 to 3.0.5: checksums are made anew, and the history of tasks is cleared.
    pub fn upgrade(&self) {
        let mut state = self.state();
        state.version = Version::V3;
        state.tasks.clear();
    }

    /// Its setting `PAPERLESS_CONSUMER_DELETE_DUPLICATES`.
    pub fn deletes_duplicates(&self) {
        self.state().deletes_duplicates = true;
    }

    /// The administrator makes a new token; the old one is refused at once.
    pub fn revoke_token(&self) -> Token {
        let mut state = self.state();
        let token = format!("{:040x}", 0xabc_0000 + state.number());
        state.users[0].token.clone_from(&token);
        Token::parse(&token).unwrap()
    }

    /// A minute has passed.
    pub fn forget_throttle(&self) {
        self.state().token_calls = 0;
    }

    /// All documents, those in the trash too.
    pub fn documents(&self) -> Vec<Stored> {
        self.state().documents.clone()
    }

    pub fn document(&self, id: i64) -> Stored {
        self.state().document(id).unwrap().clone()
    }

    /// Somebody changes a document there.
    pub fn change(&self, id: i64, change: impl FnOnce(&mut Stored)) {
        let mut state = self.state();
        let document = state.document_mut(id).unwrap();
        document.changes += 1;
        change(document);
    }

    pub fn trash(&self, id: i64) {
        self.change(id, |document| document.is_trashed = true);
    }

    pub fn restore(&self, id: i64) {
        self.change(id, |document| document.is_trashed = false);
    }

    /// Gone for good.
    pub fn erase(&self, id: i64) {
        self.state().documents.retain(|document| document.id != id);
    }

    /// A tag of another account, or of the administrator (`admin`).
    pub fn tag_of(&self, user: &str, name: &str) -> i64 {
        let mut state = self.state();
        let owner = state.users.iter().find(|held| held.name == user).unwrap().id;
        answers::add_name(&mut state, "tags", name, owner, 1)
    }

    /// Names of a kind (`tags`, `correspondents`, `document_types`) with the way they match.
    pub fn names(&self, kind: &str) -> Vec<(i64, String, i64)> {
        self.state().names[kind].iter().map(|name| (name.id, name.name.clone(), name.matching_algorithm)).collect()
    }

    /// All requests so far, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    pub fn forget_seen(&self) {
        self.state().seen.clear();
    }

    /// The headers `Authorization` that the other host of `Redirects` was sent, and how often it was asked.
    pub fn sent_elsewhere(&self) -> (Vec<String>, usize) {
        self.other.seen.lock().unwrap().clone()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Connections with the least patience that a busy machine needs.
pub fn network() -> Network {
    static NETWORK: LazyLock<Network> = LazyLock::new(|| Network::new(options()).unwrap());
    NETWORK.clone()
}

pub fn options() -> Options {
    let patience = Patience {
        connect: Duration::from_secs(5),
        answer: Duration::from_secs(20),
        pause: Duration::from_secs(20),
        call: Duration::from_secs(30),
        transfer: Duration::from_mins(1),
    };
    Options { private_networks: PrivateNetworks::Allow, authorities: Vec::new(), patience, names: Names::System }
}

/// For tests that wait for an answer that never comes.
pub fn hasty() -> Options {
    let soon = Duration::from_millis(150);
    let patience = Patience { connect: soon, answer: soon, pause: soon, call: 2 * soon, transfer: 2 * soon };
    Options { patience, ..options() }
}

/// What every request needs.
#[derive(Clone)]
pub struct Site {
    pub state: Arc<Mutex<State>>,
    pub base: String,
    pub other: u16,
}

/// A server on its thread.
struct Running {
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(port: u16, site: Site) -> (u16, Self) {
        serve(port, move || App::new().app_data(web::Data::new(site.clone())).default_service(web::to(answers::answer)))
    }
}

fn serve<F, T>(port: u16, app: F) -> (u16, Running)
where
    F: Fn() -> App<T> + Send + Clone + 'static,
    T: actix_web::dev::ServiceFactory<
            actix_web::dev::ServiceRequest,
            Config = (),
            Response = actix_web::dev::ServiceResponse,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (started, handle): (Sender<ServerHandle>, _) = channel();
    let thread = thread::spawn(move || {
        System::new().block_on(async move {
            // A connection that is kept could be answered after its server was stopped.
            let server = HttpServer::new(app).workers(1).keep_alive(KeepAlive::Disabled).disable_signals().shutdown_timeout(0);
            let server = server.listen(listener).unwrap().run();
            started.send(server.handle()).unwrap();
            server.await.unwrap();
        });
    });
    (port, Running { handle: handle.recv().unwrap(), thread: Some(thread) })
}

impl Drop for Running {
    fn drop(&mut self) {
        let handle = self.handle.clone();
        // On a thread without a runtime: tests may have one.
        let _ = thread::spawn(move || System::new().block_on(handle.stop(false))).join();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Where redirects lead: it notes what it is sent.
struct Other {
    port: u16,
    seen: Arc<Mutex<(Vec<String>, usize)>>,
    _running: Running,
}

impl Other {
    fn start() -> Self {
        let seen = Arc::new(Mutex::new((Vec::new(), 0)));
        let noted = Arc::clone(&seen);
        let (port, running) = serve(0, move || {
            let noted = Arc::clone(&noted);
            App::new().default_service(web::to(move |request: HttpRequest| {
                let mut noted = noted.lock().unwrap();
                noted.1 += 1;
                noted.0.extend(request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned()));
                async { HttpResponse::Ok().json(serde_json::json!({"count": 0, "results": []})) }
            }))
        });
        Self { port, seen, _running: running }
    }
}
