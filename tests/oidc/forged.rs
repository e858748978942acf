//! Tokens, answers and callbacks that a well-behaved provider and browser do not send.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    house::{House, Trip, kept},
    server::{CLIENT, SECRET, Signer, State, Trouble, public_text},
};

type Change = fn(&mut State, i64);

fn claim(state: &mut State, name: &str, value: Value) {
    state.claims.insert(name.to_owned(), value);
}

fn at_hash(text: &str) -> String {
    use sha2::{Digest, Sha256};
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..16])
}

fn rsa(state: &mut State) {
    state.signer = Signer::Rsa;
    state.published.push("rsa");
}

/// A signature's first letter is another one; the last may hold bits nobody reads.
fn other_signature(token: String) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    format!("{input}.{first}{}", &signature[1..])
}

/// Signed for somebody, and then somebody else's.
fn other_subject(token: String) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims["sub"] = "the-administrator".into();
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}

/// The header says `none`, the signature is gone, and everything else is true.
fn unsigned(token: String) -> String {
    let payload = token.split('.').nth(1).unwrap().to_owned();
    format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(json!({"alg": "none"}).to_string()))
}

const FORGED: &[(&str, &str, Change)] = &[
    ("another sign-in's nonce", "nonce", |state, _| claim(state, "nonce", json!("of another sign-in"))),
    ("no nonce", "nonce", |state, _| claim(state, "nonce", Value::Null)),
    ("for another client", "audience", |state, _| claim(state, "aud", json!("somebody-else"))),
    ("for nobody", "audience", |state, _| claim(state, "aud", json!([]))),
    ("for us and others, without a party", "audience", |state, _| claim(state, "aud", json!([CLIENT, "somebody-else"]))),
    ("made for another party", "audience", |state, _| claim(state, "azp", json!("somebody-else"))),
    ("expired", "expired", |state, now| claim(state, "exp", json!(now - 61))),
    ("issued in the future", "future", |state, now| claim(state, "iat", json!(now + 120))),
    ("valid from later on", "future", |state, now| claim(state, "nbf", json!(now + 120))),
    ("valid from no time", "future", |state, _| claim(state, "nbf", json!("soon"))),
    ("another issuer's", "issuer", |state, _| claim(state, "iss", json!("https://elsewhere.example"))),
    ("a changed signature", "signature", |state, _| state.forge = Some(other_signature)),
    ("a changed subject", "signature", |state, _| state.forge = Some(other_subject)),
    ("signed by a key that it does not have", "key", |state, _| state.signer = Signer::Two),
    ("signed by a key under another's name", "signature", |state, _| state.signer = Signer::TwoAsOne),
    ("the algorithm none", "algorithm", |state, _| state.signer = Signer::Nobody),
    ("the signature taken off", "algorithm", |state, _| state.forge = Some(unsigned)),
    ("its public key as a secret", "algorithm", |state, _| {
        rsa(state);
        state.signer = Signer::Secret(public_text());
    }),
    ("the client secret, which it does not sign with", "algorithm", |state, _| state.signer = Signer::Secret(SECRET.to_owned())),
    ("another access token", "access", |state, _| {
        rsa(state);
        claim(state, "at_hash", json!(at_hash("another one")));
    }),
    ("nobody in it", "subject", |state, _| claim(state, "sub", json!(""))),
    ("a subject longer than any", "subject", |state, _| claim(state, "sub", json!("x".repeat(256)))),
    ("no subject", "unreadable", |state, _| claim(state, "sub", Value::Null)),
    ("no end", "unreadable", |state, _| claim(state, "exp", Value::Null)),
    ("no beginning", "unreadable", |state, _| claim(state, "iat", Value::Null)),
    ("nothing like a token", "unreadable", |state, _| state.forge = Some(|_| "not.a.token".to_owned())),
    ("the userinfo of somebody else", "subject", |state, _| {
        claim(state, "email", Value::Null);
        state.userinfo = json!({"sub": "subject-2", "email": "root@example.org", "email_verified": true});
    }),
    ("a userinfo without a subject", "subject", |state, _| {
        claim(state, "email", Value::Null);
        state.userinfo = json!({"sub": null, "email": "root@example.org"});
    }),
];

#[actix_web::test]
async fn a_token_that_does_not_hold_signs_nobody_in() {
    let mut wrong = Vec::new();
    for (name, why, change) in FORGED {
        let house = House::new().await;
        house.is("subject-1", "mia@example.org");
        change(&mut house.provider.state(), house.now());
        let (answer, cookies) = house.sign_in().await;
        let is_in = house.who(&cookies).await.is_some();
        let last = house.last_of_audit();
        let expected = ("sign_in_failed".to_owned(), format!("provider_token_{why}"));
        if answer.status != 502 || is_in || last != expected || house.accounts().len() != 1 {
            wrong.push(format!("{name}: {} {last:?} in: {is_in}", answer.status));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[actix_web::test]
async fn what_only_looks_odd_signs_in() {
    let good: &[(&str, Change)] = &[
        ("as it is", |_, _| {}),
        ("over for less than a minute", |state, now| claim(state, "exp", json!(now - 30))),
        ("from a clock that is a little ahead", |state, now| {
            claim(state, "iat", json!(now + 30));
            claim(state, "nbf", json!(now + 30));
        }),
        ("for us among others, made for us", |state, _| {
            claim(state, "aud", json!([CLIENT, "api"]));
            claim(state, "azp", json!(CLIENT));
        }),
        ("signed with RSA, with the sum of its access token", |state, _| {
            rsa(state);
            claim(state, "at_hash", json!(at_hash(super::server::ACCESS_TOKEN)));
        }),
        ("signed with the secret by a provider that says so", |state, _| {
            state.document.insert("id_token_signing_alg_values_supported".into(), json!(["HS256"]));
            state.signer = Signer::Secret(SECRET.to_owned());
        }),
        ("it takes the secret in the form only", |state, _| {
            state.document.insert("token_endpoint_auth_methods_supported".into(), json!(["client_secret_post"]));
        }),
    ];
    for (name, change) in good {
        let house = House::new().await;
        house.is("subject-1", "mia@example.org");
        change(&mut house.provider.state(), house.now());
        let (answer, cookies) = house.sign_in().await;
        assert_eq!(answer.status, 303, "{name}: {}", answer.text());
        assert_eq!(house.who(&cookies).await.as_deref(), Some("mia Weber"), "{name}");
    }
}

#[actix_web::test]
async fn new_keys_are_read_once_a_minute_and_no_more_often() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    house.sign_in().await.0.location();
    assert_eq!(house.provider.asked("/keys"), 1);
    {
        let mut state = house.provider.state();
        state.signer = Signer::Two;
        state.published = vec!["two"];
    }
    house.sign_in().await.0.location();
    assert_eq!(house.provider.asked("/keys"), 2, "the new key is found");
    house.provider.state().signer = Signer::One;
    for _ in 0..5 {
        house.sign_in().await.0.is(502);
    }
    assert_eq!(house.provider.asked("/keys"), 2, "whoever sends tokens of unknown keys does not make it ask");
    house.t.later(chrono::Duration::seconds(61));
    house.provider.state().now = house.now();
    house.sign_in().await.0.is(502);
    assert_eq!(house.provider.asked("/keys"), 3);
}

#[actix_web::test]
async fn nobody_comes_back_twice_or_with_anothers_state() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    let trip = house.set_out().await;
    let back = house.back(&trip);
    // Somebody else's browser, one that never set out, and one that set out for another sign-in.
    let other = house.set_out().await;
    for cookies in ["", &other.cookies] {
        house.browser(cookies).get(&back).await.is(400).says("another browser");
    }
    let mixed = house.back(&other).replace(&other.query("state"), &trip.query("state"));
    house.browser(&other.cookies).get(&mixed).await.is(400);
    for state in ["", "x", "state=", &"a".repeat(43)] {
        house.browser(&trip.cookies).get(&format!("/login/provider/callback?code=c&state={state}")).await.is(400);
    }
    assert_eq!(house.provider.asked("/token"), 0, "no code was sent on");
    let first = house.browser(&trip.cookies).get(&back).await;
    assert_eq!(first.location(), "/");
    let again = house.browser(&trip.cookies).get(&back).await.is(400).says("used already");
    assert!(!again.headers.contains_key("set-cookie") || house.who(&kept(&trip.cookies, &again)).await.is_none());
    assert_eq!(house.provider.asked("/token"), 1);
    // Ten minutes are enough.
    let late = house.set_out().await;
    house.t.later(chrono::Duration::minutes(11));
    house.come_back(&late).await.is(400);
}

#[actix_web::test]
async fn a_code_serves_who_set_out_for_it_only() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    // Stolen on the way: another browser set out too, and brings the code that was given to the first.
    let (first, thief) = (house.set_out().await, house.set_out().await);
    let stolen = house.back(&first).replace(&first.query("state"), &thief.query("state"));
    house.browser(&thief.cookies).get(&stolen).await.is(400);
    assert_eq!(house.last_of_audit().1, "provider_code", "its proof (PKCE) does not fit");
    assert_eq!(first.query("code_challenge_method"), "S256");
    assert_eq!(first.query("response_type"), "code");
    assert_eq!(first.query("scope"), "openid profile email");
    assert_eq!(first.query("redirect_uri"), "http://localhost:8080/login/provider/callback");
    // Of another provider (RFC 9207).
    let trip = house.set_out().await;
    let back = house.back(&trip);
    house.browser(&trip.cookies).get(&format!("{back}&iss=https%3A%2F%2Fevil.example")).await.is(502);
    let trip = house.set_out().await;
    let back = format!("{}&iss={}", house.back(&trip), house.provider.issuer());
    house.browser(&trip.cookies).get(&back).await.is(303);
    house.provider.state().document.insert("authorization_response_iss_parameter_supported".into(), json!(true));
    house.t.later(chrono::Duration::hours(2));
    house.provider.state().now = house.now();
    let trip = house.set_out().await;
    house.come_back(&trip).await.is(502);
}

#[actix_web::test]
async fn what_the_provider_says_is_told_in_our_words() {
    let house = House::new().await;
    for (error, says) in [
        ("access_denied", "declined"),
        ("login_required", "ask you something"),
        ("temporarily_unavailable", "problem of its own"),
        ("invalid_scope", "does not give"),
        ("unauthorized_client", "does not know this server"),
        ("<script>alert(1)</script>", "did not sign you in"),
    ] {
        let trip = house.set_out().await;
        let query = serde_urlencoded::to_string([
            ("error", error),
            ("error_description", "<img src=x onerror=alert(2)> zzcanaryzz"),
            ("error_uri", "https://evil.example/zzcanaryzz"),
            ("state", &trip.query("state")),
        ])
        .unwrap();
        let answer = house.browser(&trip.cookies).get(&format!("/login/provider/callback?{query}")).await.is(403);
        answer.says(says).lacks("zzcanaryzz").lacks("alert(").lacks("evil.example");
        assert_eq!(house.last_of_audit(), ("sign_in_failed".to_owned(), "provider_denied".to_owned()));
    }
}

#[actix_web::test]
async fn a_provider_that_is_ill_holds_up_nobody_else() {
    let ill = [
        (Trouble::Slow, "in time"),
        (Trouble::Html, "page for people"),
        (Trouble::Redirect, "leads to another address"),
        (Trouble::Status(500), "500"),
        (Trouble::Huge, "too long"),
        (Trouble::HalfJson, "page for people"),
    ];
    for (trouble, says) in ill {
        for at in ["openid-configuration", "/keys", "/token", "/userinfo"] {
            if trouble == Trouble::Slow && at != "/token" && at != "openid-configuration" {
                continue;
            }
            let house = House::new().await;
            house.is("subject-1", "mia@example.org");
            house.claim("email", Value::Null);
            house.provider.state().trouble = Some((trouble.clone(), at));
            let answer = house.browser("").post("/login/provider", &[]).await;
            let (answer, cookies) = if at == "/token" || at == "/userinfo" {
                let trip = Trip::of(&answer.is(200), "");
                let answer = house.come_back(&trip).await;
                let cookies = kept(&trip.cookies, &answer);
                (answer, cookies)
            } else {
                (answer, String::new())
            };
            let page = answer.is(503).says("Home ID cannot be reached");
            assert!(page.nodes().iter().any(|node| node.attr("href") == Some("/login")));
            assert!(house.who(&cookies).await.is_none());
            assert_eq!(house.provider.asked("/elsewhere"), 0, "a redirect is followed");
            if at == "openid-configuration" || at == "/keys" {
                let told = kinchart::auth::oidc::test(&house.t.app).await.unwrap_err().told(&kinchart::i18n::Locale::default());
                assert!(told.contains(says), "{trouble:?} at {at}: {told}");
            }
            let form = [("username", "root"), ("password", &crate::common::password_of("root"))];
            assert_eq!(house.browser("").post("/login", &form).await.location(), "/", "the password goes on working");
        }
    }
}

#[actix_web::test]
async fn who_is_under_way_comes_in_although_the_description_is_gone() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    house.set_out().await;
    house.t.later(chrono::Duration::minutes(58));
    let trip = house.set_out().await;
    assert_eq!(house.provider.asked("/.well-known"), 2, "once a minute, and the keys once an hour");
    assert_eq!(house.provider.asked("/keys"), 1);
    house.provider.state().trouble = Some((Trouble::Status(500), "openid-configuration"));
    house.t.later(chrono::Duration::minutes(5));
    house.provider.state().now = house.now();
    house.come_back(&trip).await.is(303);
    // Nobody else is sent there.
    house.browser("").post("/login/provider", &[]).await.is(503).says("cannot be reached");
    house.provider.stop();
    let told = kinchart::auth::oidc::test(&house.t.app).await.unwrap_err();
    assert_eq!(told, kinchart::auth::oidc::fault::Fault::Unreachable);
}
