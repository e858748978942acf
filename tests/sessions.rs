//! What a browser keeps of a session, when one ends, and what it is told before.

use chrono::Duration;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use kinchart::db::schema::{sessions, users};

use crate::common::{Person, TestApp, password_of};

async fn cookie(t: &TestApp, remember: bool) -> String {
    t.user("ann");
    let password = password_of("ann");
    let mut form = vec![("username", "ann"), ("password", password.as_str())];
    form.extend(remember.then_some(("remember", "1")));
    t.anon().post("/login", &form).await.is(303).header("set-cookie").unwrap()
}

#[actix_web::test]
async fn a_session_ends_with_the_browser_unless_the_device_is_remembered() {
    let plain = cookie(&TestApp::new().await, false).await;
    assert!(!plain.contains("Max-Age") && !plain.contains("Expires"), "{plain}");
    assert!(plain.contains("HttpOnly") && plain.contains("SameSite=Lax"));
    let lasting = cookie(&TestApp::new().await, true).await;
    assert!(lasting.contains("; Max-Age=2592000") && lasting.contains("HttpOnly"), "{lasting}");
}

#[actix_web::test]
async fn under_https_the_cookie_is_this_hosts_alone() {
    let plain = cookie(&TestApp::new().await, false).await;
    assert!(plain.starts_with("kinchart=") && !plain.contains("Secure"), "{plain}");
    let t = TestApp::with(|config| config.public_url = "https://records.example.org".parse().unwrap()).await;
    let set = cookie(&t, true).await;
    assert!(set.starts_with("__Host-kinchart=") && set.contains("; Path=/") && !set.contains("Domain"), "{set}");
    assert!(set.contains("; Secure") && set.contains("; HttpOnly") && set.contains("; SameSite=Lax"), "{set}");
}

/// The browser after its sign-in.
async fn browser(t: &TestApp) -> Person {
    let set = cookie(t, false).await;
    t.anon().with_cookie(set.split(';').next().map(str::to_owned))
}

fn keys(t: &TestApp) -> Vec<(String, String)> {
    t.app.db.read(|conn| Ok(sessions::table.select((sessions::key_hash, sessions::way)).load(conn)?)).unwrap()
}

#[actix_web::test]
async fn a_page_tells_when_its_session_ends_and_going_on_is_asked_for() {
    let t = TestApp::new().await;
    t.app.clock.stop();
    let ann = browser(&t).await;
    ann.get("/patients").await.is(200).has("id=\"ending\"").has("data-idle=\"1800\"").has("data-most=\"86400\"");
    t.anon().get("/login").await.is(200).lacks("id=\"ending\"").lacks("ending.js");
    t.later(Duration::minutes(29));
    let told = ann.get("/session").await.is(200).json();
    assert_eq!((told["idle"].as_i64(), told["at_most"].as_i64()), (Some(1800), Some(86400 - 29 * 60)));
    t.later(Duration::minutes(29));
    ann.get("/patients").await.is(200);
    t.later(Duration::minutes(31));
    ann.get("/session").await.is(303);
}

#[actix_web::test]
async fn the_end_that_nothing_puts_off_is_told_without_a_script_and_the_form_survives_it() {
    let t = TestApp::new().await;
    t.app.clock.stop();
    let ann = browser(&t).await;
    for _ in 0..(24 * 60 / 25) {
        t.later(Duration::minutes(25));
        ann.get("/patients").await.is(200);
    }
    t.later(Duration::minutes(6));
    ann.get("/patients").await.is(200).says("signed out in about 9 minutes");
    let form = ann.get("/patients/new").await.is(200).form("/patients").with("first_name", "Kept").with("last_name", "Words");
    t.later(Duration::minutes(10));
    let asked = ann.submit(&form).await.is(401).says("what you wrote is kept").has("Kept");
    let password = password_of("ann");
    let again = asked.form("/login").with("username", "ann").with("password", &password);
    t.anon().submit(&again).await.is(200).has("name=\"first_name\" value=\"Kept\"");
}

#[actix_web::test]
async fn who_signs_in_was_seen_and_a_session_that_ended_leaves_nothing_in_the_browser() {
    let t = TestApp::new().await;
    let ann = browser(&t).await;
    let seen: Option<chrono::NaiveDateTime> =
        t.app.db.read(|conn| Ok(users::table.filter(users::username.eq("ann")).select(users::last_seen_at).first(conn)?)).unwrap();
    assert!(seen.is_some());
    assert_eq!(t.anon().get("/patients").await.is(303).header("clear-site-data"), None);
    t.later(Duration::minutes(31));
    let cleared = Some("\"cache\", \"storage\"");
    assert_eq!(ann.get("/patients").await.is(303).header("clear-site-data").as_deref(), cleared);
    let set =
        t.anon().post("/login", &[("username", "ann"), ("password", &password_of("ann"))]).await.is(303).header("set-cookie").unwrap();
    let ann = t.anon().with_cookie(set.split(';').next().map(str::to_owned));
    let gone = ann.post("/settings/sessions", &[("which", "all")]).await.is(303);
    assert_eq!((gone.location().as_str(), gone.header("clear-site-data").as_deref()), ("/login", cleared));
    ann.get("/patients").await.is(303);
}

#[actix_web::test]
async fn a_changed_password_gives_another_key_and_the_session_still_knows_how_it_began() {
    let t = TestApp::new().await;
    let ann = browser(&t).await;
    let way = diesel::update(sessions::table).set(sessions::way.eq("passkey"));
    t.app.db.write(|tx| Ok(way.clone().execute(&mut **tx)?)).unwrap();
    let before = keys(&t);
    let (old, new) = (password_of("ann"), "quartz lantern umbrella 88");
    let form = [("current_password", old.as_str()), ("password", new), ("password_again", new)];
    let set = ann.post("/settings/password", &form).await.is(303).header("set-cookie").unwrap();
    ann.get("/patients").await.is(303);
    let after = keys(&t);
    assert_eq!(after.len(), 1, "the other sessions ended");
    assert!(before.iter().all(|one| one.0 != after[0].0) && after[0].1 == "passkey", "{after:?}");
    let ann = ann.with_cookie(set.split(';').next().map(str::to_owned));
    ann.get("/settings/sessions").await.is(200).says("with a passkey").says("until");
}

#[actix_web::test]
async fn who_signs_out_elsewhere_has_not_signed_out() {
    use kinchart::db::schema::audit_events;
    let t = TestApp::new().await;
    let ann = t.user("ann");
    let other = ann.clone().signed_in();
    let noted = || -> Vec<(String, Option<String>)> {
        let ends = audit_events::table.filter(audit_events::action.eq_any(["signed_out", "sessions_ended"]));
        t.app.db.read(|conn| Ok(ends.order(audit_events::id).select((audit_events::action, audit_events::kind)).load(conn)?)).unwrap()
    };
    ann.post("/settings/sessions", &[("which", "others")]).await.is(303);
    other.get("/patients").await.is(303);
    ann.clone().signed_in();
    let newest: String = t.app.db.read(|conn| Ok(sessions::table.order(sessions::id.desc()).select(sessions::id).first(conn)?)).unwrap();
    ann.post("/settings/sessions", &[("which", &newest)]).await.is(303);
    ann.get("/settings/activity").await.is(200).says("ann signed out everywhere else").says("ann signed out on another device");
    ann.post("/settings/sessions", &[("which", "all")]).await.is(303);
    let all = noted();
    assert!(all.iter().all(|(action, _)| action == "sessions_ended"), "{all:?}");
    assert_eq!(all.iter().map(|(_, kind)| kind.as_deref().unwrap_or_default()).collect::<Vec<_>>(), ["own_others", "own_one", "own_all"]);
}
