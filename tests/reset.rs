//! A forgotten password and another address: by letters, without a word about who has an account, and by an administrator's link where there is no
//! mail.

use chrono::Duration;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use kinchart::{
    auth::links::{self, NewLink, Purpose},
    db::schema::{account_links, jobs as job_rows, users},
    jobs,
};

use crate::common::{
    Answer, Person, TestApp,
    mail::{MailServer, link},
    password_of,
};

const NEW: &str = "quartz lantern umbrella 88";

async fn with_mail() -> (TestApp, MailServer) {
    let server = MailServer::new();
    let t = TestApp::with(|config| server.set(config)).await;
    (t, server)
}

async fn forget(t: &TestApp, typed: &str) -> Answer {
    t.anon().post("/forgot", &[("username", typed)]).await
}

/// The link of a letter to them.
async fn letter(t: &TestApp, server: &MailServer, name: &str) -> String {
    forget(t, name).await.is(200);
    jobs::run_due(&t.app).unwrap();
    link(&server.to(&format!("{name}@example.org")), "/reset/")
}

async fn set(t: &TestApp, path: &str, password: &str) -> Answer {
    t.anon().post(path, &[("password", password), ("password_again", password)]).await
}

async fn signs_in(t: &TestApp, name: &str, password: &str) -> u16 {
    t.anon().post("/login", &[("username", name), ("password", password)]).await.status
}

fn change(t: &TestApp, who: &Person, email: Option<&str>, closed: bool) {
    let (row, now) = (users::table.find(who.id.clone()), t.now());
    let set = (users::email.eq(email.map(str::to_owned)), users::disabled_at.eq(closed.then_some(now)));
    t.app.db.write(|tx| Ok(diesel::update(row.clone()).set(set.clone()).execute(&mut **tx)?)).unwrap();
}

#[actix_web::test]
async fn a_letter_leads_back_once_and_ends_what_was_open() {
    let (t, server) = with_mail().await;
    let ann = t.user("ann");
    t.anon().get("/login").await.is(200).has("href=\"/forgot\"");
    t.anon().get("/forgot").await.is(200).has("action=\"/forgot\"");
    let path = letter(&t, &server, "ann").await;
    let page = t.anon().get(&path).await.is(200).has("value=\"ann\"").has(&format!("action=\"{path}\""));
    assert_eq!(page.header("referrer-policy").as_deref(), Some("strict-origin"));
    assert_eq!(page.header("cache-control").as_deref(), Some("no-store"));
    t.anon().get(&path).await.is(200);
    set(&t, &path, "short").await.is(422).says("at least 10 characters");
    t.anon().post(&path, &[("password", NEW), ("password_again", "another one entirely")]).await.is(422);
    ann.get("/patients").await.is(200);
    set(&t, &path, NEW).await.is(200).says("Your password is set");
    assert_eq!(ann.get("/patients").await.location(), "/login?next=%2Fpatients");
    set(&t, &path, NEW).await.is(404);
    t.anon().get(&path).await.is(404);
    assert_eq!(signs_in(&t, "ann", &password_of("ann")).await, 422);
    assert_eq!(signs_in(&t, "ann", NEW).await, 303);
    let ann = ann.signed_in();
    ann.get("/patients").await.is(200).says("happened to your account");
    ann.get("/settings/notices").await.is(200).says("Your password was set by a link");
    ann.post("/settings/notices", &[]).await.is(303);
    ann.get("/patients").await.is(200).lacks("happened to your account");
    let verified: Option<chrono::NaiveDateTime> =
        t.app.db.read(|conn| Ok(users::table.find(&ann.id).select(users::email_verified_at).first(conn)?)).unwrap();
    assert!(verified.is_some(), "what was sent there was read there");
}

#[actix_web::test]
async fn nothing_tells_who_has_an_account() {
    let (t, server) = with_mail().await;
    let (_, gone, nowhere) = (t.user("ann"), t.user("gone"), t.user("nowhere"));
    change(&t, &gone, Some("gone@example.org"), true);
    change(&t, &nowhere, None, false);
    let mut seen: Vec<(u16, String, u64)> = Vec::new();
    // The first of all makes the row that counts the address.
    forget(&t, "first").await.is(200);
    for typed in ["ann", "ann@example.org", "nobody", "nobody@example.org", "gone", "nowhere", ""] {
        let before = t.app.db.statements();
        let answer = forget(&t, typed).await;
        seen.push((answer.status, answer.body, t.app.db.statements() - before));
    }
    let first = seen[0].clone();
    assert!(first.0 == 200 && seen.iter().all(|one| *one == first), "{:?}", seen.iter().map(|one| (one.0, one.2)).collect::<Vec<_>>());
    jobs::run_due(&t.app).unwrap();
    assert_eq!(server.letters().len(), 2, "to ann by name and by address");
    assert_eq!(server.count_to("ann@example.org"), 2);
}

#[actix_web::test]
async fn what_was_typed_and_what_opens_is_kept_nowhere() {
    let (t, server) = with_mail().await;
    t.user("ann");
    forget(&t, "my-secret-typed-here").await.is(200);
    let payloads: Vec<String> = t.app.db.read(|conn| Ok(job_rows::table.select(job_rows::payload).load(conn)?)).unwrap();
    assert!(!payloads.is_empty() && payloads.iter().all(|one| !one.contains("my-secret")), "{payloads:?}");
    let path = letter(&t, &server, "ann").await;
    let text = path.strip_prefix("/reset/").unwrap();
    let hashes: Vec<String> = t.app.db.read(|conn| Ok(account_links::table.select(account_links::hash).load(conn)?)).unwrap();
    assert_eq!(hashes.len(), 1);
    assert!(hashes.iter().all(|hash| hash != text) && text.len() == 43);
}

#[actix_web::test]
async fn asking_again_and_again_is_held_up_for_everybody_alike() {
    let (t, server) = with_mail().await;
    t.user("ann");
    for name in ["ann", "nobody"] {
        for _ in 0..5 {
            forget(&t, name).await.is(200);
        }
        // The same name too often, or too many names from one address.
        forget(&t, name).await.is(429);
    }
    t.later(Duration::minutes(16));
    jobs::run_due(&t.app).unwrap();
    assert!(server.letters().len() <= 5, "{}", server.letters().len());
    forget(&t, "ann").await.is(200);
}

#[actix_web::test]
async fn a_link_is_over_after_an_hour_and_when_something_else_set_the_password() {
    let (t, server) = with_mail().await;
    let ann = t.user("ann");
    let first = letter(&t, &server, "ann").await;
    let second = letter(&t, &server, "ann").await;
    t.anon().get(&first).await.is(404);
    t.anon().get(&second).await.is(200);
    t.later(Duration::minutes(61));
    t.anon().get(&second).await.is(404);
    set(&t, &second, NEW).await.is(404);
    let third = letter(&t, &server, "ann").await;
    let ann = ann.signed_in();
    let form = [("current_password", password_of("ann")), ("password", NEW.into()), ("password_again", NEW.into())];
    let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    ann.post("/settings/password", &pairs).await.is(303);
    t.anon().get(&third).await.is(404);
    let fourth = letter(&t, &server, "ann").await;
    change(&t, &ann, Some("ann@example.org"), true);
    set(&t, &fourth, NEW).await.is(404);
}

#[actix_web::test]
async fn what_a_stranger_asks_for_leaves_an_administrators_link_alone() {
    let (t, server) = with_mail().await;
    let (ann, now) = (t.user("ann"), t.now());
    let admin = t.admin("root");
    let new = |made_by| NewLink { user: &ann.id, purpose: Purpose::Reset, email: None, made_by, lasts: Duration::days(1) };
    let by_hand = format!("/reset/{}", t.app.db.write(|tx| links::make(tx, &new(Some(&admin.id)), now)).unwrap());
    let first = letter(&t, &server, "ann").await;
    t.anon().get(&by_hand).await.is(200);
    let second = letter(&t, &server, "ann").await;
    t.anon().get(&first).await.is(404);
    // Another one made by hand ends them all.
    let newer = format!("/reset/{}", t.app.db.write(|tx| links::make(tx, &new(Some(&admin.id)), now)).unwrap());
    t.anon().get(&second).await.is(404);
    t.anon().get(&by_hand).await.is(404);
    t.anon().get(&newer).await.is(200);
}

#[actix_web::test]
async fn of_two_who_use_a_link_at_once_one_is_first() {
    let (t, server) = with_mail().await;
    let ann = t.user("ann");
    let path = letter(&t, &server, "ann").await;
    let text = path.strip_prefix("/reset/").unwrap().to_owned();
    let (app, now) = (t.app.clone(), t.now());
    let took = crate::common::at_once(4, |_| app.db.write(|tx| links::take(tx, Purpose::Reset, &text, now)).is_ok());
    assert_eq!(took.iter().filter(|one| **one).count(), 1);
    drop(ann);
}

#[actix_web::test]
async fn without_a_mail_server_the_page_says_whom_to_ask() {
    let t = TestApp::new().await;
    t.user("ann");
    t.anon().get("/forgot").await.is(200).says("Ask whoever runs it").lacks("<form method=\"post\" action=\"/forgot\"");
    forget(&t, "ann").await.is(200).says("Ask whoever runs it");
    assert_eq!(jobs::run_due(&t.app).unwrap(), 0);
}

#[actix_web::test]
async fn another_address_counts_when_it_answered_and_the_old_one_can_undo() {
    let (t, server) = with_mail().await;
    let ann = t.user("ann");
    let address = |email: &'static str| {
        let ann = ann.clone();
        async move { ann.post("/settings/address", &[("email", email)]).await }
    };
    ann.get("/settings").await.is(200).has("href=\"/settings/address\"");
    ann.get("/settings/address").await.is(200).says("not confirmed");
    address("no address").await.is(422);
    assert_eq!(address("New@example.org").await.location(), "/settings/address?done=asked");
    jobs::run_due(&t.app).unwrap();
    ann.get("/settings/address").await.is(200).says("ann@example.org").says("A letter to new@example.org waits");
    let confirm = link(&server.to("new@example.org"), "/address/");
    let page = t.anon().get(&confirm).await.is(200).says("Is this your address?");
    assert_eq!(page.header("referrer-policy").as_deref(), Some("strict-origin"));
    assert_eq!(email(&t, &ann).0, "ann@example.org", "looking confirms nothing");
    t.anon().post(&confirm, &[]).await.is(200).says("new@example.org is the account’s address");
    t.anon().post(&confirm, &[]).await.is(404);
    assert_eq!(email(&t, &ann), ("new@example.org".into(), true));
    jobs::run_due(&t.app).unwrap();
    let undo = link(&server.to("ann@example.org"), "/address/");
    // Changed once more by whoever has the session: the first address still leads back.
    address("third@example.org").await.is(303);
    jobs::run_due(&t.app).unwrap();
    t.anon().post(&link(&server.to("third@example.org"), "/address/"), &[]).await.is(200);
    jobs::run_due(&t.app).unwrap();
    t.later(Duration::days(6));
    let ann = ann.signed_in();
    t.anon().get(&undo).await.is(200).says("Was that you?");
    t.anon().post(&undo, &[]).await.is(200).says("every device is signed out");
    assert_eq!(email(&t, &ann), ("ann@example.org".into(), true));
    ann.get("/patients").await.is(303);
    ann.signed_in().get("/settings/notices").await.is(200).says("put back").says("Your email address was changed");
}

fn email(t: &TestApp, who: &Person) -> (String, bool) {
    let (email, at): (Option<String>, Option<chrono::NaiveDateTime>) =
        t.app.db.read(|conn| Ok(users::table.find(&who.id).select((users::email, users::email_verified_at)).first(conn)?)).unwrap();
    (email.unwrap_or_default(), at.is_some())
}

#[actix_web::test]
async fn an_address_that_another_account_has_is_told_by_nothing() {
    let (t, server) = with_mail().await;
    let (ann, ben) = (t.user("ann"), t.user("ben"));
    assert_eq!(ann.post("/settings/address", &[("email", "ben@example.org")]).await.location(), "/settings/address?done=asked");
    jobs::run_due(&t.app).unwrap();
    assert_eq!((server.letters().len(), email(&t, &ben).0), (0, "ben@example.org".to_owned()));
    // Who becomes its owner between letter and answer keeps it.
    ann.post("/settings/address", &[("email", "free@example.org")]).await.is(303);
    jobs::run_due(&t.app).unwrap();
    change(&t, &ben, Some("free@example.org"), false);
    t.anon().post(&link(&server.to("free@example.org"), "/address/"), &[]).await.is(409);
    assert_eq!(email(&t, &ann).0, "ann@example.org");
}

#[actix_web::test]
async fn without_a_mail_server_an_address_is_set_at_once_and_proved_by_nothing() {
    let t = TestApp::new().await;
    let (ann, _) = (t.user("ann"), t.user("ben"));
    for (typed, status) in [("ben@example.org", 422), ("new@example.org", 303), ("", 303)] {
        ann.post("/settings/address", &[("email", typed)]).await.is(status);
        if status == 303 {
            assert_eq!(email(&t, &ann), (typed.to_owned(), false));
        }
    }
}

#[actix_web::test]
async fn who_signs_up_is_asked_whether_the_address_is_theirs() {
    let server = MailServer::new();
    let t = TestApp::with(|config| {
        server.set(config);
        config.signup = Some(kinchart::config::Signup::Open);
    })
    .await;
    t.user("ann");
    let form = [("full_name", "Nan"), ("username", "nan"), ("email", "nan@example.org"), ("password", NEW), ("password_again", NEW)];
    t.anon().post("/signup", &form).await.is(303);
    jobs::run_due(&t.app).unwrap();
    t.anon().post(&link(&server.to("nan@example.org"), "/address/"), &[]).await.is(200);
    let verified: Option<chrono::NaiveDateTime> =
        t.app.db.read(|conn| Ok(users::table.filter(users::username.eq("nan")).select(users::email_verified_at).first(conn)?)).unwrap();
    assert!(verified.is_some());
    assert_eq!(server.letters().len(), 1, "an address that was there already has no old one to tell");
}
