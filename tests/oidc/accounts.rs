//! Whose account it is: found by issuer and subject, made for who may have one, linked with a proof and never without.

use chrono::Duration;
use diesel::prelude::*;
use kinchart::db::schema::{invitations, user_identities, users};
use serde_json::{Value, json};

use super::house::{House, Trip, kept};
use crate::common::{Person, Share, password_of};

/// The session's cookie of somebody of the test's people.
fn cookie_of(person: &Person) -> String {
    person.cookie().split(';').next().unwrap().to_owned()
}

fn identities(house: &House) -> i64 {
    house.t.app.db.read(|conn| Ok(user_identities::table.count().get_result(conn)?)).unwrap()
}

fn set_email(house: &House, person: &Person, email: Option<&str>) {
    let row = users::table.find(&person.id);
    house.t.app.db.write(|tx| Ok(diesel::update(row).set(users::email.eq(email)).execute(&mut **tx)?)).unwrap();
}

fn set_preference(house: &House, person: &Person, word: &str) {
    let row = users::table.find(&person.id);
    house.t.app.db.write(|tx| Ok(diesel::update(row).set(users::sso_linking_preference.eq(word)).execute(&mut **tx)?)).unwrap();
}

#[actix_web::test]
async fn the_first_sign_in_makes_an_account_and_the_second_finds_it() {
    let house = House::new().await;
    house.is("subject-1", "Mia@Example.org");
    let (answer, cookies) = house.sign_in().await;
    assert_eq!(answer.location(), "/");
    assert_eq!(house.who(&cookies).await.as_deref(), Some("Mia Weber"));
    let mia = house.account("Mia");
    assert_eq!((mia.email.as_deref(), mia.role.as_str(), mia.password_hash.as_deref()), (Some("mia@example.org"), "user", None));
    let words: Vec<_> = house.audit().into_iter().map(|(action, _)| action).collect();
    assert!(words.ends_with(&["account_created".into(), "identity_linked".into(), "signed_in".into()]), "{words:?}");
    // Another address, another name: the same subject is the same person, and their profile here is their own.
    house.is("subject-1", "someone-else@example.org");
    let (_, cookies) = house.sign_in().await;
    assert_eq!(house.who(&cookies).await.as_deref(), Some("Mia Weber"));
    assert_eq!(house.accounts().len(), 2);
    // Another subject with the address that nobody has any more at the provider is another person.
    house.is("subject-2", "someone-else@example.org");
    house.sign_in().await.0.location();
    assert_eq!(house.accounts().len(), 3);
}

#[actix_web::test]
async fn who_signs_in_for_the_first_time_in_two_windows_at_once_has_one_account() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    let trips = [house.set_out().await, house.set_out().await, house.set_out().await, house.set_out().await];
    let answers = futures_util::future::join_all(trips.iter().map(|trip| house.come_back(trip))).await;
    for (answer, trip) in answers.iter().zip(&trips) {
        assert_eq!(answer.location(), "/");
        assert_eq!(house.who(&kept(&trip.cookies, answer)).await.as_deref(), Some("mia Weber"));
    }
    assert_eq!((house.accounts().len(), identities(&house)), (2, 1));
}

#[actix_web::test]
async fn names_are_made_fit_and_never_those_of_somebody_here() {
    let house = House::new().await;
    house.t.user("mia");
    let told: &[(&str, Value, &str, &str)] = &[
        ("1", json!({"preferred_username": "MIA", "name": "Mia\nWeber\u{0}"}), "MIA2", "Mia Weber"),
        ("2", json!({"preferred_username": "mia@id.example.org"}), "mia3", "mia3"),
        ("3", json!({"preferred_username": "Jo Ann <b>", "name": " "}), "Jo.Ann.b", "Jo.Ann.b"),
        ("4", json!({"preferred_username": "!!!", "name": "x".repeat(400)}), &"x".repeat(50), &"x".repeat(100)),
        ("5", json!({"preferred_username": 7, "name": ["a"]}), "person", "person"),
        ("6", json!({"email": "root@elsewhere.example", "email_verified": true}), "root2", "root2"),
    ];
    for (subject, claims, username, name) in told {
        // In the ID token a number for a name is no token; the userinfo may say what it wants.
        house.provider.is(subject, json!({}));
        house.provider.state().userinfo = claims.clone();
        let (answer, cookies) = house.sign_in().await;
        assert_eq!(answer.status, 303, "{claims}: {}", answer.text());
        assert_eq!(house.account(username).full_name, *name);
        assert_eq!(house.who(&cookies).await.as_deref(), Some(*name));
    }
}

#[actix_web::test]
async fn an_account_is_made_for_who_was_invited_where_sign_up_is_closed() {
    let house = House::with(|config| config.oidc.signup = None).await;
    house.is("subject-1", "mia@example.org");
    house.sign_in().await.0.is(403).says("by invitation");
    assert_eq!(house.last_of_audit(), ("sign_in_failed".into(), "provider_not_invited".into()));
    house.claim("email_verified", json!(false));
    house.sign_in().await.0.is(403).says("has not verified your address");
    assert_eq!(house.accounts().len(), 1);

    let ann = house.t.user("ann");
    let ada = ann.patient("Ada");
    let nobody = house.t.stranger("nobody");
    let invitation = ann.invite(&ada, &nobody, "pending");
    let to = |address: &str, now: chrono::NaiveDateTime| {
        let row = invitations::table.find(&invitation);
        let values =
            || (invitations::sent_to.eq(address), invitations::sent_to_user_id.eq(None::<String>), invitations::expires_at.eq(now));
        house.t.app.db.write(|tx| Ok(diesel::update(row).set(values()).execute(&mut **tx)?)).unwrap();
    };
    let later = house.t.now() + Duration::days(1);
    to("mia@example.org", later);
    house.sign_in().await.0.is(403);
    house.claim("email_verified", json!(true));
    to("mia@example.org", house.t.now() - Duration::seconds(1));
    house.sign_in().await.0.is(403);
    to("mia@example.org", later);
    house.sign_in().await.0.location();
    assert_eq!(house.account("mia").role, "guest", "who is shown a patient makes none of their own");

    // Whoever has the invitation's own address is invited too, whatever their address is called at the provider.
    to("zoe@example.org", later);
    let link = house
        .t
        .app
        .db
        .read(|conn| {
            let id = kinchart::db::types::InvitationId::parse(&invitation).unwrap();
            Ok(kinchart::invitations::find(conn, &id)?.link(&house.t.app.key, &house.t.app.config))
        })
        .unwrap();
    let path = link.strip_prefix("http://localhost:8080").unwrap().to_owned();
    house.browser("").get(&format!("{path}/account")).await.is(200).says("Sign in with Home ID");
    house.is("subject-2", "other@example.org");
    house.sign_in().await.0.is(403);
    let trip = house.set_out_with("", &[("next", &path)]).await;
    let answer = house.come_back(&trip).await;
    assert_eq!(answer.location(), path);
    let cookies = kept(&trip.cookies, &answer);
    house.browser(&cookies).get(&path).await.is(200).says("Ada Lovelace");
    let wrong = house.set_out_with("", &[("next", "/join/0190.wrong")]).await;
    house.is("subject-3", "third@example.org");
    house.come_back(&wrong).await.is(403);
}

#[actix_web::test]
async fn an_address_of_an_account_asks_for_its_password() {
    let house = House::new().await;
    let ann = house.t.user("ann");
    house.is("subject-1", "ann@example.org");
    let trip = house.set_out_with("", &[("next", "/patients")]).await;
    let answer = house.come_back(&trip).await;
    assert_eq!(answer.location(), "/login/link");
    let cookies = kept(&trip.cookies, &answer);
    assert!(house.who(&cookies).await.is_none(), "nobody is in yet");
    let browser = house.browser(&cookies);
    browser.get("/login/link").await.is(200).says("ann@example.org").says("separate account");
    browser.post("/login/link", &[("what", "link"), ("current_password", "wrong")]).await.is(422).says("not your current password");
    browser.post("/login/link", &[]).await.is(422);
    assert_eq!(identities(&house), 0);
    house.browser("").get("/login/link").await.is(400);
    let password = password_of("ann");
    house.browser("").post("/login/link", &[("what", "link"), ("current_password", &password)]).await.is(400);
    let answer = browser.post("/login/link", &[("what", "link"), ("current_password", &password)]).await;
    assert_eq!(answer.location(), "/patients", "to where they were going");
    assert_eq!(house.who(&kept(&cookies, &answer)).await.as_deref(), Some("ann"));
    assert_eq!(identities(&house), 1);
    browser.post("/login/link", &[("what", "link"), ("current_password", &password)]).await.is(400);
    let (answer, cookies) = house.sign_in().await;
    assert_eq!(answer.location(), "/");
    assert_eq!(house.who(&cookies).await.as_deref(), Some("ann"));
    let method: (String, Option<chrono::NaiveDateTime>, Option<chrono::NaiveDateTime>) = house
        .t
        .app
        .db
        .read(|conn| {
            Ok(users::table.find(&ann.id).select((users::auth_method, users::account_linked_at, users::email_verified_at)).first(conn)?)
        })
        .unwrap();
    assert!(method.0 == "hybrid" && method.1.is_some() && method.2.is_some(), "{method:?}");
    // Guesses at the page are counted as guesses at the sign-in.
    house.is("subject-2", "root@example.org");
    let (_, cookies) = house.sign_in().await;
    for _ in 0..5 {
        house.browser(&cookies).post("/login/link", &[("what", "link"), ("current_password", "wrong")]).await.is(422);
    }
    let right = password_of("root");
    house.browser(&cookies).post("/login/link", &[("what", "link"), ("current_password", &right)]).await.is(429);
}

#[actix_web::test]
async fn who_is_signed_in_as_that_account_needs_no_password() {
    let house = House::new().await;
    let ann = house.t.user("ann");
    house.is("subject-1", "ann@example.org");
    let trip = house.set_out_with(&cookie_of(&ann), &[]).await;
    let answer = house.come_back(&trip).await;
    assert_eq!(answer.location(), "/login/link");
    let cookies = kept(&trip.cookies, &answer);
    house.browser(&cookies).get("/login/link").await.is(200).lacks("type=\"password\"");
    // Somebody else's session proves nothing.
    let bob = house.t.user("bob");
    let others = cookies.replace(&cookie_of(&ann), &cookie_of(&bob));
    house.browser(&others).get("/login/link").await.is(200).has("type=\"password\"");
    house.browser(&others).post("/login/link", &[("what", "link")]).await.is(422);
    assert_eq!(house.browser(&cookies).post("/login/link", &[("what", "link")]).await.location(), "/settings/providers?done=linked");
    assert_eq!(identities(&house), 1);
}

#[actix_web::test]
async fn an_address_that_nobody_verified_opens_and_takes_nothing() {
    let house = House::new().await;
    house.t.user("ann");
    for verified in [json!(false), Value::Null, json!("no"), json!(1)] {
        let subject = format!("subject {verified}");
        house.provider.is(&subject, json!({}));
        house.provider.state().userinfo =
            json!({"email": "ann@example.org", "email_verified": verified, "preferred_username": "eve", "name": "Eve"});
        let (answer, cookies) = house.sign_in().await;
        assert_eq!(answer.location(), "/");
        assert_eq!(house.who(&cookies).await.as_deref(), Some("Eve"), "{verified}: a new account, and not Ann's");
        house.browser(&cookies).get("/settings").await.is(200).lacks("ann@example.org");
    }
    assert!(house.accounts().iter().filter(|account| account.username.starts_with("eve")).all(|account| account.email.is_none()));
    assert_eq!(house.account("ann").email.as_deref(), Some("ann@example.org"));
    // A free one neither: it may be somebody's tomorrow.
    house.provider.is("x", json!({"email": "free@example.org", "email_verified": false, "preferred_username": "zed"}));
    house.sign_in().await.0.location();
    assert_eq!(house.account("zed").email, None);
}

#[actix_web::test]
async fn the_accounts_preference_decides() {
    let house = House::new().await;
    let ann = house.t.user("ann");
    house.is("subject-1", "ann@example.org");
    // Two people, on purpose.
    let (answer, cookies) = house.sign_in().await;
    assert_eq!(answer.location(), "/login/link");
    let answer = house.browser(&cookies).post("/login/link", &[("what", "separate")]).await;
    assert_eq!(answer.location(), "/");
    let separate = house.account("ann2");
    assert_eq!((separate.email, separate.password_hash), (None, None), "the address stays where it was");
    // To be linked: there is nothing to choose, but for whom an address belongs to that is not known to be that account's.
    set_preference(&house, &ann, "auto_link");
    house.is("subject-2", "ann@example.org");
    let (_, cookies) = house.sign_in().await;
    house.browser(&cookies).get("/login/link").await.is(200).says("separate");
    let verified = diesel::update(users::table.find(&ann.id)).set(users::email_verified_at.eq(house.t.now()));
    house.t.app.db.write(|tx| Ok(verified.clone().execute(&mut **tx)?)).unwrap();
    house.is("subject-2", "ann@example.org");
    let (_, cookies) = house.sign_in().await;
    house.browser(&cookies).get("/login/link").await.is(200).lacks("separate");
    house.browser(&cookies).post("/login/link", &[("what", "separate")]).await.is(422);
    assert!(house.accounts().iter().all(|account| account.username != "ann3"));
    // To be separate: nobody is asked.
    ann.post("/settings/providers/preference", &[("sso_linking_preference", "create_separate")]).await.location();
    let (answer, cookies) = house.sign_in().await;
    assert_eq!(answer.location(), "/");
    assert_eq!(house.who(&cookies).await.as_deref(), Some("ann Weber"));
    assert_eq!(house.account("ann3").email, None);
    ann.post("/settings/providers/preference", &[("sso_linking_preference", "nonsense")]).await.is(422);
}

#[actix_web::test]
async fn a_separate_account_needs_leave_as_any_other() {
    let house = House::with(|config| config.oidc.signup = Some(kinchart::config::Signup::Closed)).await;
    let ann = house.t.user("ann");
    house.is("subject-1", "ann@example.org");
    let (_, cookies) = house.sign_in().await;
    house.browser(&cookies).get("/login/link").await.is(200).lacks("separate");
    house.browser(&cookies).post("/login/link", &[("what", "separate")]).await.is(422);
    set_preference(&house, &ann, "create_separate");
    house.sign_in().await.0.is(403);
    assert_eq!(house.accounts().len(), 2);
}

#[actix_web::test]
async fn the_same_address_at_two_issuers_is_two_identities() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    house.sign_in().await.0.location();
    // The same installation with another provider: the same subject and the same verified address, told by somebody else.
    let other = House::new().await;
    other.is("subject-1", "mia@example.org");
    let provider = kinchart::auth::oidc::provider::Provider::of(&other.t.app.config, &house.t.app.clock).unwrap().map(std::sync::Arc::new);
    let mut moved = house.t.clone();
    moved.asks_provider(provider).await;
    let second = House { t: moved, provider: other.provider };
    second.provider.state().now = second.now();
    let (answer, cookies) = second.sign_in().await;
    assert_eq!(answer.location(), "/login/link", "an account here has the address, and this issuer proves nothing");
    let page = second.browser(&cookies).get("/login/link").await.is(200).says("has no password");
    assert!(page.text().contains("separate"));
    second.browser(&cookies).post("/login/link", &[("what", "link"), ("current_password", "")]).await.is(422);
    assert_eq!(identities(&second), 1);
    let answer = second.browser(&cookies).post("/login/link", &[("what", "separate")]).await;
    assert_eq!(answer.location(), "/");
    assert_eq!(identities(&second), 2);
    assert_eq!(second.accounts().len(), 3);
}

#[actix_web::test]
async fn a_disabled_account_is_refused_by_every_way() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    let cookies = house.sign_in().await.1;
    let mia = house.account("mia");
    let disable = kinchart::auth::accounts::by_command(kinchart::audit::Action::AccountChanged, house.t.now());
    house.t.app.db.write(|tx| kinchart::auth::accounts::disable(tx, &mia.id, disable.clone())).unwrap();
    assert!(house.who(&cookies).await.is_none());
    house.sign_in().await.0.is(403).says("closed");
    assert_eq!(house.last_of_audit(), ("sign_in_failed".into(), "provider_disabled".into()));
    house.is("subject-2", "mia@example.org");
    house.sign_in().await.0.is(403).says("closed");
    assert_eq!(house.accounts().len(), 2);
}

#[actix_web::test]
async fn a_group_gives_and_takes_the_role() {
    let house = House::with(|config| config.oidc.admin_group = Some("keepers".into())).await;
    house.is("subject-1", "mia@example.org");
    house.claim("groups", json!(["family", "keepers"]));
    let first = house.sign_in().await.1;
    assert_eq!(house.account("mia").role, "admin");
    house.browser(&first).get("/settings/key").await.is(200);
    let second = house.sign_in().await.1;
    assert!(house.who(&first).await.is_some(), "nothing changed");
    house.claim("groups", json!(["family"]));
    let third = house.sign_in().await.1;
    assert_eq!(house.account("mia").role, "user");
    assert!(house.who(&first).await.is_none() && house.who(&second).await.is_none(), "the sessions of before are over");
    house.browser(&third).get("/settings/key").await.is(403);
    assert!(house.audit().contains(&("role_followed".into(), "admin_taken".into())));
    house.claim("groups", Value::Null);
    house.provider.state().userinfo = json!({"groups": "keepers"});
    house.sign_in().await.0.location();
    assert_eq!(house.account("mia").role, "admin", "told by the userinfo");
}

#[actix_web::test]
async fn the_last_administrator_with_a_password_stays_one() {
    let house = House::with(|config| config.oidc.admin_group = Some("keepers".into())).await;
    house.is("subject-1", "root@example.org");
    let cookies = house.sign_in().await.1;
    let password = password_of("root");
    house.browser(&cookies).post("/login/link", &[("what", "link"), ("current_password", &password)]).await.location();
    house.sign_in().await.0.location();
    assert_eq!(house.account("root").role, "admin");
    assert!(house.audit().contains(&("role_followed".into(), "last_admin_kept".into())));
    // An administrator without a password is nobody's way back.
    house.is("subject-2", "mia@example.org");
    house.claim("groups", json!(["keepers"]));
    house.sign_in().await.0.location();
    house.is("subject-1", "root@example.org");
    house.sign_in().await.0.location();
    assert_eq!(house.account("root").role, "admin");
    house.t.admin("second");
    house.sign_in().await.0.location();
    assert_eq!(house.account("root").role, "user");
}

#[actix_web::test]
async fn the_very_last_administrator_stays_one_without_a_password_too() {
    let house = House::with(|config| config.oidc.admin_group = Some("keepers".into())).await;
    house.is("subject-1", "mia@example.org");
    house.claim("groups", json!(["keepers"]));
    house.sign_in().await.0.location();
    let root = house.account("root");
    let disable = kinchart::auth::accounts::by_command(kinchart::audit::Action::AccountDisabled, house.t.now());
    house.t.app.db.write(|tx| kinchart::auth::accounts::disable(tx, &root.id, disable.clone())).unwrap();
    house.claim("groups", Value::Null);
    let mia = house.sign_in().await.1;
    let account = house.account("mia");
    assert_eq!((account.role.as_str(), account.password_hash), ("admin", None));
    assert!(house.audit().contains(&("role_followed".into(), "last_admin_kept".into())));
    house.browser(&mia).get("/settings/notices").await.is(200).says("A group of the sign-in provider made you an administrator");
    house.t.admin("second");
    let mia = house.sign_in().await.1;
    assert_eq!(house.account("mia").role, "user");
    house.browser(&mia).get("/settings/notices").await.is(200).says("You are no longer an administrator");
}

#[actix_web::test]
async fn only_the_allowed_domains_and_groups_come_in() {
    let house = House::with(|config| {
        config.oidc.allowed_domains = vec!["example.org".into()];
        config.oidc.allowed_groups = vec!["family".into()];
    })
    .await;
    for (email, verified, groups, status, why) in [
        ("mia@example.org", true, json!(["family"]), 303, ""),
        ("mia@evil.example", true, json!(["family"]), 403, "provider_domain"),
        ("mia@sub.example.org", true, json!(["family"]), 403, "provider_domain"),
        ("mia@notexample.org", true, json!(["family"]), 403, "provider_domain"),
        ("mia@example.org", false, json!(["family"]), 403, "provider_domain"),
        ("mia@example.org", true, json!(["Family", "friends"]), 403, "provider_group"),
        ("mia@example.org", true, Value::Null, 403, "provider_group"),
    ] {
        house.is("subject-1", email);
        house.claim("email_verified", json!(verified));
        house.claim("groups", groups);
        let (answer, _) = house.sign_in().await;
        assert_eq!(answer.status, status, "{email} {verified}");
        if status == 403 {
            assert_eq!(house.last_of_audit().1, why);
        }
    }
    assert_eq!(house.accounts().len(), 2, "who was in is kept out too, once they are not of them");
}

#[actix_web::test]
async fn without_passwords_the_operator_has_a_way_back() {
    let house = House::with(|config| {
        config.oidc.only = true;
        config.signup = Some(kinchart::config::Signup::Open);
    })
    .await;
    house.browser("").get("/login").await.is(200).lacks("name=\"password\"").says("Sign in with Home ID");
    let form = [("username", "root"), ("password", &password_of("root"))];
    house.browser("").post("/login", &form).await.is(403).says("do not sign in here");
    house.browser("").get("/signup").await.is(404);
    house.browser("").post("/signup", &[("username", "eve")]).await.is(404);
    // A form whose session ran out leads by the provider, too.
    let lost = house.browser("").post("/settings/profile", &[("full_name", "Somebody")]).await.is(401).lacks("name=\"password\"");
    let form = lost.form("/login/provider");
    house.is("subject-1", "mia@example.org");
    let pairs: Vec<(&str, &str)> = form.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let trip = house.set_out_with("", &pairs).await;
    house.come_back(&trip).await.is(200).has("value=\"Somebody\"");
    // The provider is gone.
    house.provider.stop();
    let root = house.account("root");
    let link = kinchart::auth::operator_link::make(&house.t.app, &root).unwrap();
    let path = link.strip_prefix("http://localhost:8080").unwrap();
    house.browser("").get(path).await.is(200).says("Sign in as root");
    house.browser("").get(path).await.is(200);
    let answer = house.browser("").post(path, &[]).await;
    assert_eq!(house.who(&kept("", &answer)).await.as_deref(), Some("root"));
    assert_eq!(house.last_of_audit(), ("signed_in".into(), "operator_link".into()));
    let root_now = house.browser(&kept("", &answer));
    root_now.get("/settings/sessions").await.is(200).says("with a link of whoever runs this server");
    root_now.get("/settings/notices").await.is(200).says("signed somebody in to your account");
    root_now.get("/settings/activity").await.is(200).says("signed in with a link of whoever runs this server");
    house.browser("").post(path, &[]).await.is(404);
    house.browser("").get(path).await.is(404);
    let late = kinchart::auth::operator_link::make(&house.t.app, &root).unwrap();
    house.t.later(Duration::minutes(15));
    house.browser("").post(late.strip_prefix("http://localhost:8080").unwrap(), &[]).await.is(404);
}

#[actix_web::test]
async fn who_has_nothing_but_the_provider_proves_there_who_is_here() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    let cookies = house.sign_in().await.1;
    let token = [("name", "my script"), ("access", "read"), ("days", "30")];
    house.t.later(Duration::minutes(11));
    let asked =
        house.browser(&cookies).post("/settings/tokens", &token).await.is(401).says("What you were sending is kept").says("Home ID");
    let form = asked.form("/confirm/provider");
    let pairs: Vec<(&str, &str)> = form.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let set_out = async || Trip::of(&house.browser(&cookies).post("/confirm/provider", &pairs).await.is(200), &cookies);
    house.provider.state().now = house.now();
    let trip = set_out().await;
    assert_eq!((trip.query("prompt").as_str(), trip.query("max_age").as_str()), ("login", "0"));
    // Somebody else at the provider, and somebody whom it asked yesterday.
    house.is("subject-2", "eve@example.org");
    house.come_back(&trip).await.is(403).says("Somebody else signed in");
    assert_eq!(house.last_of_audit(), ("confirm_failed".into(), "provider_not_yours".into()));
    house.is("subject-1", "mia@example.org");
    house.provider.state().now = house.now();
    house.claim("auth_time", json!(house.now() - 86_400));
    house.come_back(&set_out().await).await.is(403).says("did not ask who you are");
    house.browser(&cookies).post("/settings/tokens", &token).await.is(401);
    // In another browser it proves nothing.
    let trip = set_out().await;
    let elsewhere = trip.cookies.replace(&cookies, "");
    assert_ne!(house.browser(&elsewhere).get(&house.back(&trip)).await.status, 200);

    house.claim("auth_time", json!(house.now()));
    let trip = set_out().await;
    let answer = house.come_back(&trip).await.is(200).says("What you were sending is still here");
    assert_eq!(house.last_of_audit(), ("confirmed".into(), "provider".into()));
    let now = kept(&trip.cookies, &answer);
    assert!(house.who(&cookies).await.is_none(), "another key");
    house.browser(&now).submit(&answer.form("/settings/tokens")).await.is(200);
    // A password, too: the first needs no other, the next one that.
    let set = |password: &'static str| [("password", password), ("password_again", password)];
    house.browser(&now).get("/settings/password").await.is(200).says("has no password").lacks("current_password");
    let answer = house.browser(&now).post("/settings/password", &set("seven quiet herons")).await.is(303);
    let now = kept(&now, &answer);
    house.browser(&now).post("/settings/password", &set("eight quiet herons")).await.is(422);
    let again = [&[("current_password", "seven quiet herons")][..], &set("seven quiet herons")].concat();
    house.browser(&now).post("/settings/password", &again).await.is(422).says("That is your current password");
    house.t.later(Duration::minutes(11));
    house.browser(&now).post("/settings/tokens", &token).await.is(401).has("name=\"current_password\"").lacks("/confirm/provider");
    // And nobody goes around it by the provider, whenever they set out.
    house.browser(&now).post("/confirm/provider", &pairs).await.is(403);
}

#[actix_web::test]
async fn nobody_is_led_to_a_provider_that_is_gone() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    house.sign_in().await.0.is(303);
    house.provider.stop();
    house.t.later(Duration::minutes(2));
    house.browser("").post("/login/provider", &[]).await.is(503).says("Home ID");
    let form = [("username", "root"), ("password", &password_of("root"))];
    house.browser("").post("/login", &form).await.is(303);
}

#[actix_web::test]
async fn identities_are_linked_and_unlinked_in_the_settings() {
    let house = House::new().await;
    let ann = house.t.user("ann");
    set_email(&house, &ann, None);
    house.is("subject-1", "mia@example.org");
    let connect = house.browser(&cookie_of(&ann)).post("/settings/providers/connect", &[]).await.is(200);
    let trip = Trip::of(&connect, &cookie_of(&ann));
    let back = house.back(&trip);
    // In another session nothing is connected, with the right browser's cookie or not.
    let bob = house.t.user("bob");
    let others = trip.cookies.replace(&cookie_of(&ann), &cookie_of(&bob));
    house.browser(&others).get(&back).await.is(403).says("Nothing was connected");
    assert_eq!(identities(&house), 0);
    let trip = Trip::of(&house.browser(&cookie_of(&ann)).post("/settings/providers/connect", &[]).await, &cookie_of(&ann));
    assert_eq!(house.come_back(&trip).await.location(), "/settings/providers?done=linked");
    ann.get("/settings/providers").await.is(200).says("mia@example.org").says("Disconnect");
    // It is Ann's, and nobody else's.
    let trip = Trip::of(&house.browser(&cookie_of(&bob)).post("/settings/providers/connect", &[]).await, &cookie_of(&bob));
    house.come_back(&trip).await.is(403).says("another account");
    let id: String = house.t.app.db.read(|conn| Ok(user_identities::table.select(user_identities::id).first(conn)?)).unwrap();
    bob.post("/settings/providers/unlink", &[("identity", &id)]).await.is(404);
    let mias = house.sign_in().await.1;
    assert_eq!(house.who(&mias).await.as_deref(), Some("ann"));
    // A session that was left open asks for the password first.
    house.t.later(Duration::minutes(11));
    ann.post("/settings/providers/unlink", &[("identity", &id)]).await.is(401).has("name=\"current_password\"");
    ann.post("/settings/providers/connect", &[]).await.is(401).has("name=\"current_password\"");
    assert_eq!(identities(&house), 1);
    let ann = ann.signed_in();
    let done = ann.post("/settings/providers/unlink", &[("identity", &id)]).await;
    assert_eq!(done.location(), "/settings/providers?done=unlinked");
    assert_eq!(identities(&house), 0);
    assert!(house.who(&mias).await.is_none(), "what it began is over");
    assert!(house.who(&cookie_of(&ann)).await.is_some());
}

#[actix_web::test]
async fn the_last_way_in_stays() {
    let house = House::new().await;
    house.is("subject-1", "mia@example.org");
    let cookies = house.sign_in().await.1;
    let page = house.browser(&cookies).get("/settings/providers").await.is(200).says("The only way to sign in");
    assert!(!page.body.contains("value=\"unlink"));
    let id: String = house.t.app.db.read(|conn| Ok(user_identities::table.select(user_identities::id).first(conn)?)).unwrap();
    house.browser(&cookies).post("/settings/providers/unlink", &[("identity", &id)]).await.is(409);
    // With a second one, either may go.
    house.is("subject-2", "mia@elsewhere.example");
    let trip = Trip::of(&house.browser(&cookies).post("/settings/providers/connect", &[]).await, &cookies);
    house.come_back(&trip).await.location();
    assert_eq!(house.browser(&cookies).post("/settings/providers/unlink", &[("identity", &id)]).await.status, 303);
    house.is("subject-1", "mia@example.org");
    assert_eq!(house.sign_in().await.0.location(), "/login/link", "the subject is nobody's now, and the address is proved anew");
}

#[actix_web::test]
async fn a_role_of_the_provider_opens_no_record() {
    let house = House::with(|config| config.oidc.admin_group = Some("keepers".into())).await;
    let ann = house.t.user("ann");
    let ada = ann.patient("Ada");
    ann.share(&ada, &house.t.stranger("helper"), &Share::default());
    house.is("subject-1", "mia@example.org");
    house.claim("groups", json!(["keepers"]));
    let cookies = house.sign_in().await.1;
    house.browser(&cookies).get(&format!("/patients/{ada}")).await.is(404);
}
