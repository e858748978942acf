//! The installation's key: shown to who may have it, changed without losing anything, whatever breaks off in between.

use std::{fs, path::PathBuf, time::Duration};

use kinchart::auth::secret::SecretKey;

use crate::common::{
    Answer, TestApp, TestDatabase, password_of,
    program::{self, Installation, Server},
};

fn text(t: &TestApp) -> String {
    t.app.key.to_text()
}

/// As a browser sends it back.
fn cookie_of(answer: &Answer) -> Option<String> {
    answer.header("set-cookie").map(|cookie| cookie.split(';').next().unwrap().to_owned())
}

/// Of the notice that no copy of the key is kept.
const REMINDER: &str = "exists only on its server";

#[actix_web::test]
async fn an_administrator_is_reminded_until_a_copy_is_kept() {
    let t = TestApp::new().await;
    let (admin, other) = (t.admin("admin"), t.user("other"));
    admin.patient("Ada");
    other.get("/patients").await.is(200).lacks(REMINDER);
    other.get("/settings").await.is(200).lacks("/settings/key");
    admin.get("/patients").await.is(200).says(REMINDER).has("/settings/key?show=1");
    let end: String = text(&t).chars().skip(text(&t).len() - 6).collect();
    admin.post("/settings/key/kept", &[("key_end", "AAAAAA")]).await.is(422).says("not the last six characters");
    admin.get("/patients").await.says(REMINDER);
    assert_eq!(admin.post("/settings/key/kept", &[("key_end", &format!(" {end} "))]).await.location(), "/settings/key");
    admin.get("/patients").await.is(200).lacks(REMINDER);
    admin.get("/settings/key").await.is(200).says("keep a copy of this key");
}

#[actix_web::test]
async fn the_key_is_shown_to_an_administrator_who_proves_to_be_there() {
    let t = TestApp::new().await;
    let (admin, other) = (t.admin("admin"), t.user("other"));
    let first: String = text(&t).chars().take(4).collect();
    let shown = format!("<span>{first}</span>");
    for path in ["/settings/key", "/settings/key?show=1"] {
        other.get(path).await.is(403).lacks(&first);
    }
    other.post("/settings/key/kept", &[("key_end", "AAAAAA")]).await.is(403);
    admin.get("/settings/key").await.is(200).lacks(&shown);
    admin.get("/settings/key?show=1").await.is(200).has(&shown);
    t.later(chrono::Duration::minutes(11));
    let way = admin.get("/settings/key?show=1").await.is(303).lacks(&shown).location();
    assert_eq!(way, "/confirm?next=%2Fsettings%2Fkey%3Fshow%3D1");
    let form = admin.get(&way).await.is(200).form("/confirm");
    admin.submit(&form.clone().with("current_password", "guess")).await.is(422);
    let proved = admin.submit(&form.with("current_password", &password_of("admin"))).await.is(303);
    assert_eq!(proved.location(), "/settings/key?show=1");
    admin.with_cookie(cookie_of(&proved)).get("/settings/key?show=1").await.is(200).has(&shown);
}

#[actix_web::test]
async fn what_is_secret_in_a_form_does_not_stand_in_the_page_that_asks_to_sign_in_again() {
    let t = TestApp::new().await;
    for path in ["/settings/factors/totp/confirm", "/settings/paperless", "/settings/password"] {
        let answer = t.anon().post(path, &[("current_password", "canary-secret"), ("token", "canary-secret")]).await;
        assert!(answer.status == 303 && !answer.body.contains("canary-secret"), "{path}: {}", answer.status);
    }
}

/// An installation with a server, and a document in it.
struct Kept {
    installation: Installation,
    token: String,
    content: String,
    words: String,
}

const FORM: &str = "multipart/form-data; boundary=part";

impl Kept {
    fn new() -> (Self, Server) {
        let installation = Installation::new(TestDatabase::empty());
        let user = ["user", "add", "ann", "--email", "ann@example.org", "--password-stdin"];
        installation.done_with(&user, &password_of("ann"));
        let token = format!("Bearer {}", installation.done(&["token", "add", "--user", "ann", "--write"]).trim());
        let server = installation.serve();
        let mut kept = Self { installation, token, content: String::new(), words: "Dear Ada, all is well. ".repeat(9000) };
        let json = kept.ask(&server, "POST", "/api/v1/patients", "application/json", r#"{"first_name":"Ada","last_name":"Lovelace"}"#);
        let files = format!("/api/v1/patients/{}/files", json["id"].as_str().unwrap());
        let body = crate::files::form(&[], &[("letter.txt", &kept.words)]);
        kept.ask(&server, "POST", &files, FORM, &body)["content"].as_str().unwrap().clone_into(&mut kept.content);
        (kept, server)
    }

    fn ask(&self, server: &Server, method: &str, path: &str, kind: &str, body: &str) -> serde_json::Value {
        let headers = [("authorization", self.token.as_str()), ("content-type", kind)];
        let (status, answer) = server.ask(method, path, &headers, body).unwrap();
        assert_eq!(status, 201, "{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// A new server gives the document as it was.
    fn is_whole(&self) {
        self.installation.done(&["check", "--deep"]);
        let server = self.installation.serve();
        let (status, answer) = server.ask("GET", &self.content, &[("authorization", &self.token)], "").unwrap();
        assert!(status == 200 && answer == self.words, "{status}");
    }

    fn key(&self) -> String {
        self.installation.done(&["key", "show"])
    }

    fn file(&self, name: &str) -> PathBuf {
        self.installation.data().join(name)
    }

    /// Keys that wait to take the place of the one in use.
    fn waiting(&self) -> Vec<PathBuf> {
        let all = fs::read_dir(self.installation.data()).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.to_string_lossy().contains("secret.key.new-")).collect()
    }
}

#[test]
fn another_key_opens_everything_and_a_running_server_ends() {
    let (kept, mut server) = Kept::new();
    let (old, stored) = (kept.key(), stored_files(&kept));
    let told = kept.installation.done(&["key", "change"]);
    assert!(told.contains("the keys of 1 documents"), "{told}");
    assert_eq!(server.ended_within(Duration::from_secs(30)), Some(1), "the server has the old key");
    assert_ne!(kept.key(), old);
    assert!(kept.waiting().is_empty());
    assert_eq!(stored_files(&kept), stored, "the documents themselves are not written anew");
    kept.is_whole();
    let with_old = kept.installation.command(&["check"]).env("KINCHART_SECRET_KEY", old.trim()).output().unwrap();
    assert_eq!(with_old.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&with_old.stderr).contains("not the one this database was made with"));
}

fn stored_files(kept: &Kept) -> Vec<Vec<u8>> {
    fn walk(folder: &std::path::Path, into: &mut Vec<Vec<u8>>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() { walk(&entry.path(), into) } else { into.push(fs::read(entry.path()).unwrap()) }
        }
    }
    let mut found = Vec::new();
    walk(&kept.installation.database.folder().join("uploads"), &mut found);
    assert!(!found.is_empty());
    found
}

/// The two moments between which a fall of the power would matter: the new key lies there and the database belongs to the old one, or to the
/// new one and the new key did not take the place yet.
#[test]
fn a_change_that_broke_off_is_finished_or_forgotten_by_the_next_start() {
    let (kept, server) = Kept::new();
    drop(server);
    let old = kept.key();
    let never = SecretKey::generate().unwrap().write_next(&kept.installation.data()).unwrap();
    kept.is_whole();
    assert_eq!(kept.key(), old, "a key that the database never belonged to changes nothing");
    kept.installation.done(&["key", "change"]);
    let new = kept.key();
    let key = SecretKey::from_text(&new).unwrap();
    fs::write(kept.file("secret.key"), &old).unwrap();
    let next = key.write_next(&kept.installation.data()).unwrap();
    kept.is_whole();
    assert_eq!((kept.key(), next.exists(), never.exists()), (new.clone(), false, true));
    fs::remove_file(kept.file("secret.key")).unwrap();
    let missing = kept.installation.run(&["check"]);
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    // Of a PostgreSQL database nothing else is in the folder.
    let expected = if crate::common::on_postgres() { "there is no Kinchart in the folder" } else { "which is missing" };
    assert!(!missing.status.success() && said.contains(expected), "{said}");
    fs::write(kept.file("secret.key"), new).unwrap();
    kept.is_whole();
}

#[test]
fn a_key_that_a_setting_gives_waits_for_whoever_gives_the_new_one() {
    let (kept, server) = Kept::new();
    drop(server);
    let old = kept.key();
    fs::remove_file(kept.file("secret.key")).unwrap();
    let with =
        |key: &str, arguments: &[&str]| kept.installation.command(arguments).env("KINCHART_SECRET_KEY", key.trim()).output().unwrap();
    let told = program::told(with(&old, &["key", "change"]));
    let file = kept.waiting().pop().unwrap();
    assert!(told.contains(&file.display().to_string()) && told.contains("KINCHART_SECRET_KEY"), "{told}");
    let refused = with(&old, &["check"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("was changed") && said.contains("secret.key.new-"), "{said}");
    let new = fs::read_to_string(&file).unwrap();
    program::told(with(&new, &["check", "--deep"]));
}

#[test]
fn of_two_changes_at_once_none_loses_its_key() {
    let (kept, server) = Kept::new();
    drop(server);
    let running: Vec<_> = (0..4).map(|_| kept.installation.command(&["key", "change"]).spawn().unwrap()).collect();
    let ended: Vec<bool> = running.into_iter().map(|child| child.wait_with_output().unwrap().status.success()).collect();
    assert!(ended.contains(&true), "{ended:?}");
    kept.is_whole();
    let same = kept.installation.done_with(&["key", "change", "--stdin"], &SecretKey::generate().unwrap().to_text());
    assert!(same.contains("was changed"));
    let again = kept.installation.command(&["key", "change", "--stdin"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut again = again;
    std::io::Write::write_all(&mut again.stdin.take().unwrap(), kept.key().as_bytes()).unwrap();
    let again = again.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("has already"), "{again:?}");
    kept.is_whole();
}
