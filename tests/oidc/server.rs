//! An OpenID provider for tests: a real HTTP server on this machine that does what the protocol says, and whatever else a test tells it to.
//!
//! Nobody signs in at it with a browser: a test reads where its page leads, lets the provider give a code for that, and comes back with it.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use openidconnect::{
    JsonWebKeyId, PrivateSigningKey,
    core::{CoreEdDsaPrivateSigningKey, CoreHmacKey, CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub const CLIENT: &str = "kinchart";
pub const SECRET: &str = "a secret & more=?";
/// What stands in the answers of the provider and nowhere else.
pub const ACCESS_TOKEN: &str = "access-token-canary-77";

static ONE: LazyLock<CoreEdDsaPrivateSigningKey> = LazyLock::new(|| ed("one", include_str!("../data/oidc/one.pem")));
static TWO: LazyLock<CoreEdDsaPrivateSigningKey> = LazyLock::new(|| ed("two", include_str!("../data/oidc/two.pem")));
static RSA: LazyLock<CoreRsaPrivateSigningKey> = LazyLock::new(|| {
    CoreRsaPrivateSigningKey::from_pem(include_str!("../data/oidc/rsa.pem"), Some(JsonWebKeyId::new("rsa".into()))).unwrap()
});

fn ed(id: &str, pem: &str) -> CoreEdDsaPrivateSigningKey {
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(pem, Some(JsonWebKeyId::new(id.into()))).unwrap()
}

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    One,
    Two,
    /// The second key under the first one's name.
    TwoAsOne,
    Rsa,
    /// HS256 with this as the key.
    Secret(String),
    /// Nobody: `alg` is `none`.
    Nobody,
}

/// What goes wrong at every address of the provider, or at the one that ends so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    Slow,
    Html,
    Redirect,
    Status(u16),
    Huge,
    HalfJson,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub authorization: String,
}

pub struct State {
    pub signer: Signer,
    /// Those that its list of keys has.
    pub published: Vec<&'static str>,
    /// Laid over what the ID token says; null takes a claim out.
    pub claims: Map<String, Value>,
    /// What the userinfo says beside the subject.
    pub userinfo: Value,
    /// Laid over its description.
    pub document: Map<String, Value>,
    pub trouble: Option<(Trouble, &'static str)>,
    /// Changes the finished token.
    pub forge: Option<fn(String) -> String>,
    /// The next answer of the token endpoint has this access token, whatever the ID token says.
    pub access_token: Option<String>,
    pub subject: String,
    /// Seconds since 1970, as its clock shows.
    pub now: i64,
    pub seen: Vec<Seen>,
    codes: HashMap<String, Code>,
}

#[derive(Clone)]
struct Code {
    challenge: String,
    nonce: String,
}

pub struct Provider {
    state: Arc<Mutex<State>>,
    pub port: u16,
    ends: Arc<AtomicBool>,
}

impl Provider {
    pub fn start(now: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            signer: Signer::One,
            published: vec!["one"],
            claims: Map::new(),
            userinfo: json!({}),
            document: Map::new(),
            trouble: None,
            forge: None,
            access_token: None,
            subject: "subject-1".into(),
            now,
            seen: Vec::new(),
            codes: HashMap::new(),
        }));
        let ends = Arc::new(AtomicBool::new(false));
        let (served, ending) = (Arc::clone(&state), Arc::clone(&ends));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ending.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&served);
                if let Ok(stream) = stream {
                    thread::spawn(move || serve(stream, &state, port));
                }
            }
        });
        Self { state, port, ends }
    }

    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A code for who set out to this address, as somebody who signed in there would bring it back.
    pub fn code(&self, nonce: &str, challenge: &str) -> String {
        let mut state = self.state();
        let code = format!("code-canary-{}", state.codes.len());
        state.codes.insert(code.clone(), Code { challenge: challenge.into(), nonce: nonce.into() });
        code
    }

    /// What it says of whoever signs in next.
    pub fn is(&self, subject: &str, claims: Value) {
        let mut state = self.state();
        state.subject = subject.into();
        state.claims.clone_from(claims.as_object().unwrap());
    }

    pub fn asked(&self, path: &str) -> usize {
        self.state().seen.iter().filter(|seen| seen.path.starts_with(path)).count()
    }

    /// Nobody listens any more.
    pub fn stop(&self) {
        self.ends.store(true, Ordering::Relaxed);
        // Wakes the thread, which ends and lets the port go.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>, port: u16) {
    let Some((method, path, headers, body)) = request(&stream) else { return };
    let authorization = headers.get("authorization").cloned().unwrap_or_default();
    let trouble = {
        let mut state = state.lock().unwrap();
        state.seen.push(Seen { path: path.clone(), authorization: authorization.clone() });
        state.trouble.clone().filter(|(_, at)| path.ends_with(at)).map(|(trouble, _)| trouble)
    };
    let (status, kind, body) = match trouble {
        Some(Trouble::Slow) => {
            thread::sleep(Duration::from_secs(3));
            return;
        }
        Some(Trouble::Html) => (200, "text/html", "<html>Sign in to the network</html>".to_owned()),
        Some(Trouble::Redirect) => (302, "text/html", String::new()),
        Some(Trouble::Status(status)) => (status, "text/html", "<html>no</html>".to_owned()),
        Some(Trouble::Huge) => (200, "application/json", format!("{{\"x\": \"{}\"}}", "x".repeat(2_000_000))),
        Some(Trouble::HalfJson) => (200, "application/json", "{\"issuer\": \"ht".to_owned()),
        None => {
            let (status, value) = answer(&mut state.lock().unwrap(), &method, &path, &authorization, &body, port);
            (status, "application/json", value.to_string())
        }
    };
    let mut stream = stream;
    let location = if status == 302 { format!("location: http://127.0.0.1:{port}/elsewhere\r\n") } else { String::new() };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\n{location}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
}

fn request(stream: &TcpStream) -> Option<(String, String, HashMap<String, String>, String)> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut parts = line.split(' ');
    let (method, path) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, path, headers, String::from_utf8(body).ok()?))
}

fn answer(state: &mut State, method: &str, path: &str, authorization: &str, body: &str, port: u16) -> (u16, Value) {
    let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
    match (method, path) {
        ("GET", "/.well-known/openid-configuration") => {
            let mut document = json!({
                "issuer": at(""),
                "authorization_endpoint": at("/authorize"),
                "token_endpoint": at("/token"),
                "jwks_uri": at("/keys"),
                "userinfo_endpoint": at("/userinfo"),
                "end_session_endpoint": at("/end"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["EdDSA", "RS256"],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["openid", "profile", "email", "groups"],
            });
            lay(document.as_object_mut().unwrap(), &state.document);
            (200, document)
        }
        ("GET", "/keys") => {
            let keys: Vec<Value> = state.published.iter().map(|name| public(name)).collect();
            (200, json!({"keys": keys}))
        }
        ("POST", "/token") => token(state, authorization, body, port),
        ("GET", "/userinfo") if authorization == format!("Bearer {ACCESS_TOKEN}") => {
            let mut told = json!({"sub": state.subject});
            lay(told.as_object_mut().unwrap(), state.userinfo.as_object().unwrap());
            (200, told)
        }
        _ => (404, json!({"error": "not_found"})),
    }
}

fn lay(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        if value.is_null() {
            under.remove(name);
        } else {
            under.insert(name.clone(), value.clone());
        }
    }
}

fn public(name: &str) -> Value {
    let key = match name {
        "one" => ONE.as_verification_key(),
        "two" => TWO.as_verification_key(),
        _ => RSA.as_verification_key(),
    };
    serde_json::to_value(key).unwrap()
}

/// The public part of the RSA key, as somebody who forges would use it for a secret.
pub fn public_text() -> String {
    public("rsa").to_string()
}

fn token(state: &mut State, authorization: &str, body: &str, port: u16) -> (u16, Value) {
    let form: HashMap<String, String> = serde_urlencoded::from_str(body).unwrap();
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let expected = format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET))));
    let in_form = form.get("client_secret").is_some_and(|secret| secret == SECRET) && form.get("client_id").is_some_and(|id| id == CLIENT);
    if authorization != expected && !in_form {
        return (401, json!({"error": "invalid_client"}));
    }
    let code = form.get("code").and_then(|code| state.codes.remove(code));
    let proof = form.get("code_verifier").map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
    let Some(code) = code.filter(|code| proof.as_deref() == Some(code.challenge.as_str())) else {
        return (400, json!({"error": "invalid_grant", "error_description": "<b>nothing of this is shown</b>"}));
    };
    let id_token = sign(state, &code.nonce, port);
    let access_token = state.access_token.clone().unwrap_or_else(|| ACCESS_TOKEN.to_owned());
    (200, json!({"token_type": "Bearer", "expires_in": 3600, "access_token": access_token, "id_token": id_token}))
}

fn sign(state: &State, nonce: &str, port: u16) -> String {
    let (alg, kid) = match &state.signer {
        Signer::One | Signer::TwoAsOne => ("EdDSA", Some("one")),
        Signer::Two => ("EdDSA", Some("two")),
        Signer::Rsa => ("RS256", Some("rsa")),
        Signer::Secret(_) => ("HS256", None),
        Signer::Nobody => ("none", None),
    };
    let mut header = json!({"alg": alg, "typ": "JWT"});
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    let mut claims = json!({
        "iss": format!("http://127.0.0.1:{port}"),
        "sub": state.subject,
        "aud": CLIENT,
        "iat": state.now,
        "exp": state.now + 600,
        "nonce": nonce,
        // A number among the others, which has been a trap.
        "updated_at": 1_700_000_000,
        "auth_time": state.now,
    });
    lay(claims.as_object_mut().unwrap(), &state.claims);
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", encoded(&header), encoded(&claims));
    let bytes = input.as_bytes();
    let signature = match &state.signer {
        Signer::One => ONE.sign(&CoreJwsSigningAlgorithm::EdDsa, bytes).unwrap(),
        Signer::Two | Signer::TwoAsOne => TWO.sign(&CoreJwsSigningAlgorithm::EdDsa, bytes).unwrap(),
        Signer::Rsa => RSA.sign(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, bytes).unwrap(),
        Signer::Secret(secret) => CoreHmacKey::new(secret.as_bytes()).sign(&CoreJwsSigningAlgorithm::HmacSha256, bytes).unwrap(),
        Signer::Nobody => Vec::new(),
    };
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
    state.forge.map_or(token.clone(), |forge| forge(token))
}
