//! The second factor: what is asked for, what is refused, and that nothing is open before it was given.

use actix_web::http::Method;
use chrono::Duration;
use diesel::prelude::*;
use kinchart::{
    auth::factors::{self, recovery, totp},
    config::SecondFactor,
    db::schema::{audit_events, sessions, totp_factors, users},
    routes::ROUTES,
};
use serde_json::json;
use totp_rs::{Algorithm, Builder, Secret};

use crate::common::{Answer, Person, TestApp, TestDatabase, password_of, program::Installation};

/// The code that an app with this secret shows at the test's time, moved by seconds.
fn code(t: &TestApp, secret: &str, moved: i64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let app = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_step_duration(30).with_secret(secret).build().unwrap();
    app.generate(u64::try_from(t.now().and_utc().timestamp() + moved).unwrap()).to_string()
}

/// The secret that a page shows.
fn secret_on(answer: &Answer) -> String {
    let (_, rest) = answer.body.split_once("id=\"secret\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn codes_on(answer: &Answer) -> Vec<String> {
    let (_, rest) = answer.body.split_once("<ol class=\"codes\"").unwrap();
    let (list, _) = rest.split_once("</ol>").unwrap();
    list.split("<li>").skip(1).map(|item| item.split('<').next().unwrap().to_owned()).collect()
}

/// Somebody with an app, and their ten recovery codes; what was set up lies a minute back.
struct Enrolled {
    person: Person,
    secret: String,
    recovery: Vec<String>,
}

async fn enrol(t: &TestApp, person: Person) -> Enrolled {
    person.post("/settings/factors/totp", &[]).await.location();
    let secret = secret_on(&person.get("/settings/factors/totp").await.is(200));
    let answer = person.post("/settings/factors/totp/confirm", &[("factor_code", &code(t, &secret, 0))]).await.is(200);
    let recovery = codes_on(&answer);
    assert_eq!(recovery.len(), 10);
    let person = person.clone().with_cookie(cookie_of(&answer));
    t.later(Duration::minutes(1));
    Enrolled { person, secret, recovery }
}

/// As a browser sends it back.
fn cookie_of(answer: &Answer) -> Option<String> {
    answer.header("set-cookie").map(|cookie| cookie.split(';').next().unwrap().to_owned())
}

/// A browser whose password was right.
async fn after_password(t: &TestApp, name: &str, more: &[(&str, &str)]) -> (Person, Answer) {
    let password = password_of(name);
    let mut form = vec![("username", name), ("password", password.as_str())];
    form.extend_from_slice(more);
    let answer = t.anon().post("/login", &form).await;
    (t.anon().with_cookie(cookie_of(&answer)), answer)
}

async fn give(person: &Person, code: &str) -> Answer {
    person.post("/login/second", &[("with", "totp"), ("factor_code", code)]).await
}

fn actions(t: &TestApp) -> Vec<(String, Option<String>, bool)> {
    let all = |conn: &mut kinchart::db::Conn| {
        let rows = audit_events::table.order((audit_events::at, audit_events::id));
        Ok(rows.select((audit_events::action, audit_events::detail, audit_events::success)).load(conn)?)
    };
    t.app.db.read(all).unwrap()
}

#[actix_web::test]
async fn an_app_counts_once_its_first_code_was_right() {
    let t = TestApp::new().await;
    let ann = t.user("ann");
    ann.post("/settings/factors/totp", &[]).await.location();
    let page = ann.get("/settings/factors/totp").await.is(200).has("<svg class=\"qr\"");
    let secret = secret_on(&page);
    let wrong = if code(&t, &secret, 0) == "000000" { "000001" } else { "000000" };
    ann.post("/settings/factors/totp/confirm", &[("factor_code", wrong)]).await.is(422).says("does not fit").has(&secret);
    let (_, answer) = after_password(&t, "ann", &[]).await;
    assert_eq!(answer.location(), "/", "a secret nobody confirmed asks for nothing");
    let stored: String =
        t.app.db.read(|conn| Ok(totp_factors::table.find(&ann.id).select(totp_factors::sealed_secret).first(conn)?)).unwrap();
    assert!(!stored.contains(&secret));
    ann.post("/settings/factors/totp/confirm", &[("factor_code", &code(&t, &secret, 0))]).await.is(200);
    let (_, answer) = after_password(&t, "ann", &[]).await;
    assert_eq!(answer.location(), "/login/second");
    // A second app does not take the first one's place.
    let again = ann.signed_in();
    again.post("/settings/factors/totp", &[]).await.is(409);
    again.get("/settings/factors").await.is(200).lacks(&secret);
}

#[actix_web::test]
async fn a_code_is_good_once_and_for_a_short_time() {
    let t = TestApp::new().await;
    t.app.clock.stop();
    let Enrolled { secret, .. } = enrol(&t, t.user("ann")).await;
    let code = |moved| code(&t, &secret, moved);
    let (browser, _) = after_password(&t, "ann", &[]).await;
    for old in [-60, 60] {
        give(&browser, &code(old)).await.is(422).says("not right");
    }
    let before = give(&browser, &code(-30)).await;
    assert_eq!(before.location(), "/");
    let in_it = t.anon().with_cookie(cookie_of(&before));
    in_it.get("/patients").await.is(200);
    // The same code, and one of a step that is over by it, in another browser.
    let (browser, _) = after_password(&t, "ann", &[]).await;
    give(&browser, &code(-30)).await.is(422);
    assert_eq!(give(&browser, &code(0)).await.location(), "/");
    let (browser, _) = after_password(&t, "ann", &[]).await;
    give(&browser, &code(0)).await.is(422);
    give(&browser, &code(-30)).await.is(422);
    let told = actions(&t);
    assert!(told.contains(&("signed_in".into(), Some("totp".into()), true)));
    assert!(told.contains(&("second_factor_failed".into(), Some("totp".into()), false)));
    assert!(told.contains(&("second_factor_asked".into(), None, true)));
}

#[actix_web::test]
async fn the_code_that_set_an_app_up_signs_nobody_in() {
    let t = TestApp::new().await;
    t.app.clock.stop();
    let ann = t.user("ann");
    ann.post("/settings/factors/totp", &[]).await.location();
    let secret = secret_on(&ann.get("/settings/factors/totp").await);
    let first = code(&t, &secret, 0);
    ann.post("/settings/factors/totp/confirm", &[("factor_code", &first)]).await.is(200);
    let (browser, _) = after_password(&t, "ann", &[]).await;
    give(&browser, &first).await.is(422);
}

#[actix_web::test]
async fn who_gave_only_the_password_is_nobody() {
    let t = TestApp::new().await;
    let Enrolled { person, secret, .. } = enrol(&t, t.user("ann")).await;
    let ada = person.signed_in().patient("Ada");
    let (browser, _) = after_password(&t, "ann", &[]).await;
    browser.get("/login/second").await.is(200).says("second factor");
    let mut asked = 0;
    for (method, pattern) in ROUTES {
        if pattern.starts_with("/login") || pattern.starts_with("/static") || pattern.starts_with("/l/") || *pattern == "/logout" {
            continue;
        }
        let path = pattern.replace("{patient}", ada.as_str()).replace("{kind}", "medications").replace("{list}", "practitioners");
        let path = path.replace(['{', '}'], "");
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        let method: Method = method.parse().unwrap();
        let nobody = t.anon().send(method.clone(), &path, &headers, String::new()).await;
        let pending = browser.send(method.clone(), &path, &headers, String::new()).await;
        assert_eq!((pending.status, pending.header("location")), (nobody.status, nobody.header("location")), "{method} {path}");
        assert!(!pending.body.contains("Ada"), "{method} {path}");
        asked += 1;
    }
    assert!(asked > 150, "{asked}");
    // And it goes on being what it was.
    assert_eq!(give(&browser, &code(&t, &secret, 0)).await.location(), "/");
}

#[actix_web::test]
async fn waiting_ends_and_gives_way_to_a_new_key() {
    let t = TestApp::new().await;
    let Enrolled { secret, .. } = enrol(&t, t.user("ann")).await;
    let (browser, _) = after_password(&t, "ann", &[]).await;
    let answer = give(&browser, &code(&t, &secret, 0)).await;
    assert_eq!(answer.location(), "/");
    let inside = cookie_of(&answer).unwrap();
    browser.get("/patients").await.is(303);
    t.anon().with_cookie(Some(inside)).get("/patients").await.is(200);
    let (browser, _) = after_password(&t, "ann", &[]).await;
    t.later(Duration::minutes(10));
    let late = give(&browser, &code(&t, &secret, 0)).await;
    assert_eq!(late.location(), "/login");
    browser.get("/patients").await.is(303);
}

#[actix_web::test]
async fn a_changed_password_ends_the_waiting() {
    let t = TestApp::new().await;
    let Enrolled { person, secret, .. } = enrol(&t, t.user("ann")).await;
    let (browser, _) = after_password(&t, "ann", &[]).await;
    t.later(Duration::seconds(30));
    let event = kinchart::auth::accounts::by_command(kinchart::audit::Action::PasswordChanged, t.now());
    let set = |tx: &mut kinchart::db::Tx<'_>| kinchart::auth::accounts::set_password(tx, &person.id, "other", None, event.clone());
    t.app.db.write(set).unwrap();
    assert_eq!(give(&browser, &code(&t, &secret, 0)).await.location(), "/login");
    browser.get("/patients").await.is(303);
}

#[actix_web::test]
async fn codes_are_not_guessed() {
    let t = TestApp::new().await;
    t.app.clock.stop();
    let Enrolled { secret, recovery, .. } = enrol(&t, t.user("ann")).await;
    let (browser, _) = after_password(&t, "ann", &[]).await;
    for _ in 0..5 {
        give(&browser, "12345").await.is(422);
    }
    give(&browser, &code(&t, &secret, 0)).await.is(429);
    // Neither the password nor another sort of code begins the count anew.
    let (browser, _) = after_password(&t, "ann", &[]).await;
    give(&browser, &code(&t, &secret, 0)).await.is(429);
    browser.post("/login/second", &[("with", "recovery"), ("recovery_code", &recovery[0])]).await.is(429);
    t.later(Duration::minutes(15));
    let (browser, _) = after_password(&t, "ann", &[]).await;
    assert_eq!(give(&browser, &code(&t, &secret, 0)).await.location(), "/");
}

#[actix_web::test]
async fn a_recovery_code_stands_in_once() {
    let t = TestApp::new().await;
    let Enrolled { person, recovery, .. } = enrol(&t, t.user("ann")).await;
    let typed = recovery[3].to_lowercase().replace('-', " ");
    let (browser, _) = after_password(&t, "ann", &[]).await;
    let answer = browser.post("/login/second", &[("with", "recovery"), ("recovery_code", &typed)]).await;
    assert_eq!(answer.location(), "/");
    t.anon().with_cookie(cookie_of(&answer)).get("/settings/factors").await.is(200).says("9 left");
    let (browser, _) = after_password(&t, "ann", &[]).await;
    browser.post("/login/second", &[("with", "recovery"), ("recovery_code", &typed)]).await.is(422).says("used already");
    // It is no password, and no way in by itself.
    t.anon().post("/login", &[("username", "ann"), ("password", &recovery[4])]).await.is(422);
    // Somebody else's is none of theirs.
    let other = enrol(&t, t.user("bob")).await;
    browser.post("/login/second", &[("with", "recovery"), ("recovery_code", &other.recovery[0])]).await.is(422);
    // New ones end the old ones.
    let person = person.signed_in();
    let new = codes_on(&person.post("/settings/factors/codes", &[]).await.is(200));
    assert!(new.len() == 10 && !new.contains(&recovery[5]));
    let (browser, _) = after_password(&t, "ann", &[]).await;
    browser.post("/login/second", &[("with", "recovery"), ("recovery_code", &recovery[5])]).await.is(422);
    assert_eq!(browser.post("/login/second", &[("with", "recovery"), ("recovery_code", &new[5])]).await.location(), "/");
    person.get("/settings/factors").await.lacks(&new[6]);
}

#[actix_web::test]
async fn of_two_at_once_with_one_code_one_gets_in() {
    let t = TestApp::new().await;
    t.app.clock.stop();
    let Enrolled { person, secret, recovery } = enrol(&t, t.user("ann")).await;
    let (code, db, id, now, key) = (code(&t, &secret, 0), person.db().clone(), person.id.clone(), t.now(), t.app.key.clone());
    let ins = |taken: Vec<bool>| taken.into_iter().filter(|taken| *taken).count();
    assert_eq!(ins(crate::common::at_once(6, |_| db.write(|tx| totp::take(tx, &key, &id, &code, now)).unwrap())), 1);
    assert_eq!(ins(crate::common::at_once(6, |_| db.write(|tx| recovery::take(tx, &id, &recovery[0], now)).unwrap())), 1);
}

#[actix_web::test]
async fn the_page_that_was_wanted_and_the_form_survive_both_steps() {
    let t = TestApp::new().await;
    let Enrolled { secret, person, .. } = enrol(&t, t.user("ann")).await;
    let ada = person.clone().signed_in().patient("Ada");
    let (browser, answer) = after_password(&t, "ann", &[("next", "/tags?a=1")]).await;
    assert_eq!(answer.location(), "/login/second?next=%2Ftags%3Fa%3D1");
    let page = browser.get(&answer.location()).await.is(200);
    let form = page.form("/login/second").with("factor_code", "000");
    browser.submit(&form).await.is(422).has("value=\"/tags?a=1\"");
    let done = browser.submit(&form.with("factor_code", &code(&t, &secret, 0))).await;
    assert_eq!(done.location(), "/tags?a=1");
    t.later(Duration::minutes(1));
    let path = format!("/patients/{ada}/medications");
    let body = serde_urlencoded::to_string([("medication_name", "Metformin & more"), ("dosage", "5 mg")]).unwrap();
    let (browser, answer) = after_password(&t, "ann", &[("resume_path", &path), ("resume_body", &body)]).await;
    let form = answer.is(200).form("/login/second").with("factor_code", &code(&t, &secret, 0));
    browser.submit(&form).await.is(200).has("value=\"Metformin &#38; more\"").has(&format!("action=\"{path}\""));
    // Elsewhere it does not lead.
    let (_, answer) = after_password(&t, "ann", &[("next", "//evil.example")]).await;
    assert_eq!(answer.location(), "/login/second");
}

#[actix_web::test]
async fn who_must_have_one_sets_it_up_before_anything_else() {
    let t = TestApp::with(|config| config.second_factor = SecondFactor::Administrators).await;
    let (admin, other) = (t.admin("root"), t.user("other"));
    other.get("/patients").await.is(200);
    for path in ["/", "/patients", "/settings", "/settings/key", "/settings/tokens", "/search?q=a", "/settings/password"] {
        assert_eq!(admin.get(path).await.location(), "/settings/factors", "{path}");
    }
    let form = [("first_name", "Ada"), ("last_name", "L")];
    assert_eq!(admin.post("/patients", &form).await.location(), "/settings/factors");
    admin.get("/settings/factors").await.is(200).says("requires a second factor");
    let admin = enrol(&t, admin).await.person;
    admin.get("/patients").await.is(200);
    admin.post("/settings/factors/totp/remove", &[]).await.location();
    assert_eq!(admin.get("/patients").await.location(), "/settings/factors");
    let everyone = TestApp::with(|config| config.second_factor = SecondFactor::Everyone).await;
    assert_eq!(everyone.user("ann").get("/patients").await.location(), "/settings/factors");
}

/// What a person who was away for a while is asked before, as routes and forms.
const DANGEROUS: &[(&str, &[(&str, &str)])] = &[
    ("/patients/{ada}/sharing", &[("to", "bob"), ("permission", "view"), ("set", "all")]),
    ("/patients/{ada}/sharing/owner", &[("to", "bob")]),
    ("/patients/{ada}/links", &[("lasts", "day"), ("passcode_from", "own"), ("passcode", "canary-passcode")]),
    ("/patients/{ada}/family/share", &[("to", "bob")]),
    ("/patients/{ada}/delete", &[]),
    ("/settings/tokens", &[("name", "scale"), ("access", "read"), ("days", "30")]),
    ("/settings/factors/totp", &[]),
    ("/settings/factors/totp/remove", &[]),
    ("/settings/factors/codes", &[]),
    ("/settings/factors/provider", &[]),
    ("/settings/address", &[("email", "other@example.org")]),
    ("/settings/sessions", &[("which", "others")]),
];

#[actix_web::test]
async fn before_something_dangerous_the_password_is_asked_again_and_the_form_is_kept() {
    let t = TestApp::new().await;
    let ann = t.user("ann");
    t.user("bob");
    let ada = ann.patient("Ada");
    let tokens = "/settings/tokens";
    ann.post(tokens, &[("name", "first"), ("access", "read"), ("days", "30")]).await.is(200).says("The token is made");
    t.later(Duration::minutes(11));
    for (path, form) in DANGEROUS {
        let path = path.replace("{ada}", ada.as_str());
        let answer = ann.post(&path, form).await.is(401).says("Is it you?").lacks("canary-passcode");
        assert!(answer.body.contains(&path), "{path} is not kept");
    }
    ann.get(&format!("/patients/{ada}")).await.is(200);
    let asked = ann.post(tokens, &[("name", "scale & more"), ("access", "read"), ("days", "30")]).await.is(401);
    let form = asked.form("/confirm");
    ann.submit(&form.clone().with("current_password", "guess")).await.is(422).says("not your current password").has("resume_path");
    let kept = ann.submit(&form.with("current_password", &password_of("ann"))).await.is(200).says("What you were sending");
    // The key from before the proof is worth nothing.
    ann.get("/patients").await.is(303);
    let ann = ann.with_cookie(cookie_of(&kept));
    ann.submit(&kept.form(tokens)).await.is(200).says("The token is made").has("scale &#38; more");
    // For ten minutes it goes without.
    t.later(Duration::minutes(9));
    ann.post(tokens, &[("name", "third"), ("access", "read"), ("days", "30")]).await.is(200);
    t.later(Duration::minutes(2));
    ann.post(tokens, &[("name", "fourth"), ("access", "read"), ("days", "30")]).await.is(401);
    let told = actions(&t);
    assert!(told.contains(&("confirmed".into(), Some("password".into()), true)));
    assert!(told.contains(&("confirm_failed".into(), Some("password".into()), false)));
}

/// What an address says is anybody's: its reader would send what they never wrote, with a proof that is a moment old.
#[actix_web::test]
async fn no_address_has_somebody_send_a_form() {
    let t = TestApp::new().await;
    let Enrolled { person, .. } = enrol(&t, t.admin("ann")).await;
    let planted = serde_urlencoded::to_string([
        ("resume_path", "/admin/users"),
        ("resume_body", "full_name=Mallory&username=mallory&role=admin&how=password&password=tulip+garden+rain+77x"),
        ("next", "/patients"),
    ]);
    let planted = planted.unwrap();
    let asked = t.anon().get(&format!("/login?{planted}")).await.is(200).has("value=\"/patients\"").lacks("mallory").lacks("resume_path");
    assert!(asked.form("/login").pairs.iter().all(|(name, _)| !name.starts_with("resume")));
    let (waiting, _) = after_password(&t, "ann", &[]).await;
    waiting.get(&format!("/login/second?{planted}")).await.is(200).lacks("mallory").lacks("resume_path");
    t.later(Duration::minutes(11));
    person.get(&format!("/confirm?{planted}")).await.is(200).lacks("mallory").lacks("resume_path");
}

#[actix_web::test]
async fn with_a_second_factor_the_password_alone_confirms_nothing() {
    let t = TestApp::new().await;
    let Enrolled { person, secret, recovery } = enrol(&t, t.admin("ann")).await;
    t.later(Duration::minutes(11));
    let password = password_of("ann");
    let asked = person.post("/settings/factors/totp/remove", &[]).await.is(401);
    person.post("/confirm", &[("current_password", &password)]).await.is(422);
    person.post("/confirm", &[("with", "totp"), ("factor_code", &code(&t, &secret, 0))]).await.is(422);
    person.post("/confirm", &[("with", "totp"), ("current_password", "guess"), ("factor_code", &code(&t, &secret, 0))]).await.is(422);
    person.post("/settings/factors/totp/remove", &[]).await.is(401);
    // The key, too.
    assert_eq!(person.get("/settings/key?show=1").await.location(), "/confirm?next=%2Fsettings%2Fkey%3Fshow%3D1");
    let key: String = t.app.key.to_text().chars().take(4).collect();
    let form = asked.form("/confirm").with("current_password", &password).with("factor_code", &code(&t, &secret, 0));
    let kept = person.submit(&form).await.is(200);
    let person = person.with_cookie(cookie_of(&kept));
    person.get("/settings/key?show=1").await.is(200).has(&format!("<span>{key}</span>"));
    person.submit(&kept.form("/settings/factors/totp/remove")).await.location();
    person.get("/settings/factors").await.is(200).lacks("recovery");
    let (_, answer) = after_password(&t, "ann", &[]).await;
    assert_eq!(answer.location(), "/");
    assert!(!person.db().write(|tx| recovery::take(tx, &person.id, &recovery[0], t.now())).unwrap(), "without a factor they are nothing");
}

#[actix_web::test]
async fn turning_one_on_or_off_ends_the_other_sessions() {
    let t = TestApp::new().await;
    let ann = t.user("ann");
    let other = ann.clone().signed_in();
    let Enrolled { person, .. } = enrol(&t, ann.clone()).await;
    other.get("/patients").await.is(303);
    ann.get("/patients").await.is(303);
    person.get("/patients").await.is(200);
    let other = person.clone().signed_in();
    person.post("/settings/factors/totp/remove", &[]).await.location();
    other.get("/patients").await.is(303);
    person.get("/patients").await.is(200);
}

#[actix_web::test]
async fn a_new_key_of_a_session_does_not_make_it_longer() {
    let t = TestApp::new().await;
    let Enrolled { person, .. } = enrol(&t, t.user("ann")).await;
    let rows: Vec<(chrono::NaiveDateTime, chrono::NaiveDateTime)> = t
        .app
        .db
        .read(|conn| {
            let own = sessions::table.filter(sessions::user_id.eq(&person.id));
            Ok(own.select((sessions::created_at, sessions::expires_at)).load(conn)?)
        })
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].1 - rows[0].0, Duration::hours(24));
    assert!(rows[0].0 <= t.now() - Duration::minutes(1));
}

#[actix_web::test]
async fn a_provider_is_trusted_only_if_the_person_says_so() {
    use kinchart::auth::arrival::Way;
    let t = TestApp::new().await;
    let Enrolled { person, .. } = enrol(&t, t.user("ann")).await;
    let asked = |way| t.app.db.read(|conn| factors::is_asked(conn, &person.id, way)).unwrap();
    assert!(asked(Way::Provider) && asked(Way::Password) && !asked(Way::Passkey));
    person.post("/settings/factors/provider", &[]).await.location();
    assert!(!asked(Way::Provider) && asked(Way::Password));
    person.post("/settings/factors/provider", &[("asks_after_provider", "1")]).await.location();
    assert!(asked(Way::Provider));
}

#[test]
fn the_operator_takes_a_lost_factor_away() {
    let installation = Installation::new(TestDatabase::empty());
    let user = ["user", "add", "ann", "--email", "ann@example.org", "--password-stdin"];
    installation.done_with(&user, &password_of("ann"));
    let said = installation.done(&["user", "reset-factors", "ann"]);
    assert!(said.contains("had no second factor"), "{said}");
}

#[actix_web::test]
async fn whose_factors_were_taken_away_is_told() {
    let t = TestApp::new().await;
    let Enrolled { person, .. } = enrol(&t, t.user("ann")).await;
    let (waiting, _) = after_password(&t, "ann", &[]).await;
    t.later(Duration::seconds(30));
    let event = kinchart::auth::accounts::by_command(kinchart::audit::Action::FactorsReset, t.now());
    let removed = t.app.db.write(|tx| factors::remove_all(tx, &person.id, event.clone())).unwrap();
    assert_eq!((removed.apps, removed.passkeys, removed.codes), (1, 0, 10));
    person.get("/patients").await.is(303);
    waiting.get("/patients").await.is(303);
    let (ann, answer) = after_password(&t, "ann", &[]).await;
    assert_eq!(answer.location(), "/");
    ann.get("/patients").await.is(200).says("were taken away");
    ann.post("/settings/factors/seen", &[]).await.location();
    ann.get("/patients").await.is(200).lacks("were taken away");
    let told = actions(&t);
    assert!(told.contains(&("factors_reset".into(), Some(person.id.to_string()), true)));
}

#[actix_web::test]
async fn the_secret_follows_another_key_of_the_installation() {
    let t = TestApp::new().await;
    t.app.clock.stop();
    let Enrolled { person, secret, .. } = enrol(&t, t.user("ann")).await;
    let new = kinchart::auth::secret::SecretKey::generate().unwrap();
    t.app.db.write(|tx| totp::reseal(tx, &t.app.key, &new)).unwrap();
    let code = code(&t, &secret, 0);
    assert!(t.app.db.write(|tx| totp::take(tx, &t.app.key, &person.id, &code, t.now())).is_err());
    assert!(t.app.db.write(|tx| totp::take(tx, &new, &person.id, &code, t.now())).unwrap());
}

/// Passkeys themselves are tested with a browser; here, what needs none.
#[actix_web::test]
async fn a_challenge_is_answered_once_by_whom_it_was_for_and_in_time() {
    let t = TestApp::new().await;
    let (ann, bob) = (t.user("ann"), t.user("bob"));
    let ask = async |person: &Person| {
        person.post("/settings/factors/passkeys/challenge", &[]).await.is(200).json()["challenge"].as_str().unwrap().to_owned()
    };
    let left = || -> i64 {
        use kinchart::db::schema::passkey_challenges;
        t.app.db.read(|conn| Ok(passkey_challenges::table.count().get_result(conn)?)).unwrap()
    };
    let answer = |challenge: &str| {
        let credential = json!({"id": "AA", "rawId": "AA", "type": "public-key",
            "response": {"clientDataJSON": "AA", "attestationObject": "AA"}, "extensions": {}});
        [
            ("name".to_owned(), "phone".to_owned()),
            ("challenge".to_owned(), challenge.to_owned()),
            ("credential".to_owned(), credential.to_string()),
        ]
    };
    let send = async |person: &Person, challenge: &str| {
        let pairs = answer(challenge);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        person.post("/settings/factors/passkeys", &pairs).await.is(422).says("not accepted");
    };
    let of_ann = ask(&ann).await;
    assert_ne!(of_ann, ask(&ann).await);
    assert_eq!(left(), 2);
    send(&ann, &of_ann).await;
    assert_eq!(left(), 1, "used up by a wrong answer");
    send(&bob, &of_ann).await;
    let of_sign_in = t.anon().post("/login/passkey/challenge", &[]).await.is(200).json();
    assert!(of_sign_in["options"]["publicKey"]["allowCredentials"].as_array().is_none_or(Vec::is_empty));
    assert_eq!(of_sign_in["options"]["publicKey"]["userVerification"], "required");
    let pairs = [("challenge", of_sign_in["challenge"].as_str().unwrap()), ("credential", "{}")];
    t.anon().post("/login/passkey", &pairs).await.is(422);
    let before = left();
    t.later(Duration::hours(2));
    t.app.db.write(|tx| factors::purge(tx, t.now())).unwrap();
    assert!(before > 0 && left() == 0);
}

#[actix_web::test]
async fn a_page_at_another_address_says_that_passkeys_do_not_work_there() {
    let t = TestApp::new().await;
    let ann = t.user("ann");
    ann.get("/settings/factors").await.is(200).lacks("Passkeys work only at");
    let at = [("host", "192.168.1.7:8080")];
    ann.send(Method::GET, "/settings/factors", &at, String::new()).await.is(200).says("Passkeys work only at http://localhost:8080");
    let plain = TestApp::with(|config| config.public_url = "http://records.example.org".parse().unwrap()).await;
    plain.user("ann").get("/settings/factors").await.is(200).says("need an address with https");
    let numbers = TestApp::with(|config| config.public_url = "http://192.0.2.7:8080".parse().unwrap()).await;
    numbers.user("ann").get("/settings/factors").await.is(200).says("instead of numbers");
    numbers.anon().post("/login/passkey/challenge", &[]).await.is(409);
    // Nobody's account is marked by looking.
    assert!(t.app.db.read(|conn| Ok(users::table.select(users::asks_after_provider).first::<bool>(conn)?)).unwrap());
}
