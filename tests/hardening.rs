//! What a hostile client can do to the server itself: slow bodies, answers that nobody takes, heads without end, a crowd at the door.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use actix_web::{HttpServer, http::Method, rt};
use kinchart::{pace, serve};

use crate::{
    common::{
        TestApp, TestDatabase, at_once, password_of,
        program::{self, Installation},
    },
    files::{FORM, form},
};

/// The test's program behind a real socket, with little patience.
async fn listening(patience: Duration) -> (TestApp, SocketAddr) {
    let t = TestApp::with(|config| config.patience = patience).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Without an account every way leads to the setup.
    t.user("somebody");
    let app = t.app.clone();
    let server = HttpServer::new(move || serve::web_app(app.clone())).workers(1).on_connect(pace::on_connect(patience));
    rt::spawn(server.disable_signals().listen(listener).unwrap().run());
    (t, address)
}

#[actix_web::test]
async fn health_tries_the_disk_no_more_than_every_ten_seconds() {
    let t = TestApp::new().await;
    t.user("somebody");
    t.app.clock.stop();
    let (uploads, aside) = (t.app.config.uploads.clone(), t.app.config.uploads.with_extension("aside"));
    t.anon().get("/healthz").await.is(200);
    std::fs::rename(&uploads, &aside).unwrap();
    t.later(chrono::Duration::seconds(9));
    t.anon().get("/healthz").await.is(200);
    t.later(chrono::Duration::seconds(1));
    t.anon().get("/healthz").await.is(503).has("unavailable");
    // Bad news is not kept.
    std::fs::rename(&aside, &uploads).unwrap();
    t.anon().get("/healthz").await.is(200).has("\"ok\"");
}

/// What the server says until it closes the connection.
fn rest(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

const HEAD: &str = "POST /login HTTP/1.1\r\nhost: kinchart\r\ncontent-type: application/x-www-form-urlencoded\r\n";

#[actix_web::test]
async fn who_begins_a_body_and_sends_no_more_is_cut_off() {
    let (_t, address) = listening(Duration::from_millis(200)).await;
    let answer = rt::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{HEAD}content-length: 1000\r\n\r\nusername=ann").unwrap();
        rest(stream)
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("came too slowly"), "{answer}");
}

#[actix_web::test]
async fn a_byte_now_and_then_is_not_enough() {
    let (_t, address) = listening(Duration::from_millis(400)).await;
    let answer = rt::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{HEAD}content-length: 100000\r\n\r\n").unwrap();
        let mut drips = stream.try_clone().unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Each byte comes well within the patience; all of them together do not.
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) && drips.write_all(b"a").is_ok() {
                    std::thread::park_timeout(Duration::from_millis(50));
                }
            });
            let answer = rest(stream);
            over.store(true, Ordering::Relaxed);
            answer
        })
    });
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 408 "));
}

#[actix_web::test]
async fn a_steady_body_may_take_longer_than_the_patience() {
    let (_t, address) = listening(Duration::from_millis(300)).await;
    let answer = rt::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{HEAD}connection: close\r\ncontent-length: 20000\r\n\r\n").unwrap();
        for _ in 0..20 {
            stream.write_all(&[b'a'; 1000]).unwrap();
            std::thread::park_timeout(Duration::from_millis(40));
        }
        rest(stream)
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 4") && !answer.starts_with("HTTP/1.1 408"), "{answer}");
}

/// Does the system still hold the connection from the one to the other?
#[cfg(target_os = "linux")]
fn is_connected(from: SocketAddr, to: SocketAddr) -> bool {
    let ports = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let mut port = || u16::from_str_radix(words.next()?.rsplit(':').next()?, 16).ok();
        Some((port()?, port()?))
    };
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    table.lines().any(|line| ports(line) == Some((from.port(), to.port())))
}

#[cfg(target_os = "linux")]
#[actix_web::test]
async fn who_takes_nothing_of_what_they_asked_for_is_cut_off() {
    let (t, address) = listening(Duration::from_millis(500)).await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let body = form(&[], &[("long.txt", &"a line of many\n".repeat(2_000_000))]);
    let sent = owner.api(true).send(Method::POST, &format!("/api/v1/patients/{ada}/files"), &[FORM], body).await.is(201).json();
    let (cookie, id) = (owner.cookie(), sent["id"].as_str().unwrap().to_owned());
    let place = format!("/patients/{ada}/files/{id}");
    let ended = rt::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {place}/content HTTP/1.1\r\nhost: kinchart\r\ncookie: {cookie}\r\n\r\n").unwrap();
        let own = stream.local_addr().unwrap();
        let began = Instant::now();
        // Until the server's side of it is gone. It sends no word of that: nobody takes words there.
        while is_connected(address, own) {
            if began.elapsed() > Duration::from_secs(30) {
                return false;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        true
    });
    assert!(ended.await.unwrap());
}

#[actix_web::test]
async fn a_head_has_an_end() {
    let (_t, address) = listening(pace::PATIENCE).await;
    let answers = rt::task::spawn_blocking(move || {
        let long = format!("GET / HTTP/1.1\r\nhost: kinchart\r\nx-long: {}\r\n\r\n", "a".repeat(300_000));
        let many = format!("GET / HTTP/1.1\r\nhost: kinchart\r\n{}\r\n", "x-more: a\r\n".repeat(200));
        [long, many].map(|head| {
            let mut stream = TcpStream::connect(address).unwrap();
            // The server may close before all of it is sent.
            let _ = stream.write_all(head.as_bytes());
            rest(stream)
        })
    });
    for answer in answers.await.unwrap() {
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}

/// As many answers as the server gives to these bytes.
fn answers(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    rest(stream)
}

#[actix_web::test]
async fn a_request_is_one_request_for_everybody() {
    let (_t, address) = listening(pace::PATIENCE).await;
    let told = rt::task::spawn_blocking(move || {
        let hidden = "GET /healthz HTTP/1.1\r\nhost: kinchart\r\n\r\n";
        let both = format!("{HEAD}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{hidden}");
        let twice = format!("{HEAD}content-length: 0\r\ncontent-length: {}\r\n\r\n{hidden}", hidden.len());
        let odd = format!("{HEAD}transfer-encoding: xchunked\r\n\r\n{hidden}");
        [both, twice, odd].map(|bytes| answers(address, &bytes))
    });
    for answer in told.await.unwrap() {
        let count = answer.matches("HTTP/1.1 ").count();
        assert!(answer.starts_with("HTTP/1.1 400") || count == 1, "{answer}");
        assert!(!answer.contains("\"status\":\"ok\""), "the second request was answered: {answer}");
    }
}

#[actix_web::test]
async fn methods_that_nobody_needs_echo_nothing() {
    let (_t, address) = listening(pace::PATIENCE).await;
    let told = rt::task::spawn_blocking(move || {
        ["TRACE", "TRACK", "CONNECT", "DEBUG"].map(|method| {
            answers(address, &format!("{method} /login HTTP/1.1\r\nhost: kinchart\r\nx-canary: zqxcanary\r\nconnection: close\r\n\r\n"))
        })
    });
    for answer in told.await.unwrap() {
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(!answer.contains("zqxcanary"), "{answer}");
    }
}

/// What every answer says to the browser, whatever it is.
const ALWAYS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=()"),
    ("referrer-policy", "same-origin"),
    ("content-security-policy", "frame-ancestors"),
];

#[actix_web::test]
async fn under_https_everything_says_so() {
    let https = TestApp::with(|config| config.public_url = "https://records.example.org".parse().unwrap()).await;
    let plain = TestApp::new().await;
    let login = [("username", "owner"), ("password", &*password_of("owner"))];
    for (t, is_https) in [(&https, true), (&plain, false)] {
        let owner = t.user("owner");
        let ada = owner.patient("Ada");
        let (api, files) = (owner.api(true), format!("/api/v1/patients/{ada}/files"));
        let sent = api.send(Method::POST, &files, &[FORM], form(&[], &[("a.txt", "words")])).await.is(201).json();
        let file = sent["id"].as_str().unwrap().to_owned();
        let begun = t.anon().post("/login", &login).await;
        let cookie = begun.header("set-cookie").unwrap();
        let parts: Vec<&str> = cookie.split("; ").collect();
        assert!(parts[0].starts_with(if is_https { "__Host-kinchart=" } else { "kinchart=" }), "{cookie}");
        assert_eq!(parts.contains(&"Secure"), is_https, "{cookie}");
        assert!(parts.contains(&"HttpOnly") && parts.contains(&"SameSite=Lax") && parts.contains(&"Path=/"), "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
        let mut answers = vec![begun];
        for path in ["/", "/login", "/nothing", "/api/v1/patients", "/healthz", &format!("/patients/{ada}/files/{file}/content")] {
            answers.push(owner.get(path).await);
        }
        for answer in &answers {
            for (name, begins) in ALWAYS {
                assert!(answer.header(name).is_some_and(|value| value.contains(begins)), "{name}");
            }
            let told = answer.header("strict-transport-security");
            assert_eq!(told.is_some_and(|value| value.starts_with("max-age=31536000")), is_https);
        }
    }
}

#[actix_web::test]
async fn who_is_no_trusted_proxy_cannot_choose_an_address() {
    let strict = TestApp::new().await;
    let behind = TestApp::with(|config| config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await;
    let headers = |forwarded: String| {
        [
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("x-forwarded-for", forwarded),
            ("sec-fetch-site", "same-origin".to_owned()),
        ]
    };
    for (t, is_trusted) in [(&strict, false), (&behind, true)] {
        t.user("owner");
        let mut statuses = Vec::new();
        for n in 0..7 {
            // What stands left of the last address a client wrote itself, proxy or not.
            let told = headers(format!("192.0.2.{n}, 198.51.100.{n}"));
            let told: Vec<(&str, &str)> = told.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = t.anon().send(Method::POST, "/login", &told, "username=owner&password=no+such+password").await;
            statuses.push(answer.status);
        }
        let held = statuses.iter().filter(|status| **status == 429).count();
        assert_eq!(held, if is_trusted { 0 } else { 2 }, "{statuses:?}");
    }
}

/// A sign-in that a proxy passes on for this address.
fn sign_in(server: SocketAddr, from: &str, name: &str, password: &str) -> Option<u16> {
    let body = serde_urlencoded::to_string([("username", name), ("password", password)]).unwrap();
    let headers = [("x-forwarded-for", from), ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    program::ask(server, "POST", "/login", &headers, &body).map(|(status, _)| status)
}

/// Whoever finds the program busy tries again, as the page says.
fn gets_in(server: SocketAddr, from: &str, name: &str) -> bool {
    (0..200).any(|_| match sign_in(server, from, name, &password_of(name)) {
        Some(303) => true,
        Some(503) => {
            std::thread::park_timeout(Duration::from_millis(100));
            false
        }
        other => panic!("{name} from {from}: {other:?}"),
    })
}

/// Ten thousand tries in `scripts/test-slow`, a tenth of it otherwise.
#[test]
fn a_crowd_at_the_door_guesses_no_more_than_is_allowed_and_holds_up_nobody() {
    const CROWD: usize = 100;
    let each = if std::env::var("KINCHART_TEST_SLOW").is_ok() { 100 } else { 10 };
    let installation = Installation::new(TestDatabase::empty());
    for name in ["ann", "bob"] {
        let address = format!("{name}@example.org");
        installation.done_with(&["user", "add", name, "--email", &address, "--password-stdin"], &password_of(name));
    }
    let server = installation.serve_with(&[("KINCHART_TRUSTED_PROXIES", "127.0.0.1")]);
    let door = server.address;
    assert!(gets_in(door, "203.0.113.5", "ann"), "where ann lives is known from now on");
    let (tried, held, broken) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let calm = at_once(CROWD + 3, |thread| match thread {
        0 => gets_in(door, "203.0.113.5", "ann"),
        1 => gets_in(door, "203.0.113.99", "bob"),
        2 => (0..20).all(|_| program::ask(door, "GET", "/healthz", &[], "").is_some_and(|(status, _)| status == 200)),
        _ => {
            for n in 0..each {
                let from = format!("198.51.{}.{}", thread, n % 50);
                let counter = match sign_in(door, &from, "ann", "guess number one of many") {
                    Some(422) => &tried,
                    Some(429 | 503) => &held,
                    _ => &broken,
                };
                counter.fetch_add(1, Ordering::Relaxed);
            }
            true
        }
    });
    let [tried, held, broken] = [tried, held, broken].map(AtomicUsize::into_inner);
    assert_eq!((calm[0], calm[1], calm[2]), (true, true, true), "ann at home, bob, and whoever asks how it is");
    assert_eq!((tried + held, broken), (CROWD * each, 0), "every try was answered");
    assert!(tried <= 20, "{tried} passwords were looked at");
    assert_eq!(sign_in(door, "192.0.2.77", "ann", &password_of("ann")), Some(429), "a place never seen waits");
}
