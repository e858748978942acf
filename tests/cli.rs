//! Accounts by command: the last administrator stays, what is ended stays ended, and the person is told.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use kinchart::{config::Database, db::schema::audit_events};

use crate::common::{Person, TestApp, password_of};

const NEW: &str = "quartz lantern umbrella 88";

/// A command beside the test's server: its exit code and what it said. Commands have the machine's clock.
fn command(t: &TestApp, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinchart"));
    command.args(arguments).env_clear().env("KINCHART_DATA", &t.app.config.data).env("KINCHART_UPLOADS", &t.app.config.uploads);
    if let Database::Postgres { url } = &t.app.config.database {
        command.env("KINCHART_DATABASE_URL", url);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{input}").unwrap_or(());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn done(t: &TestApp, arguments: &[&str]) -> String {
    let (code, told) = command(t, arguments, "");
    assert_eq!(code, Some(0), "{arguments:?}: {told}");
    told
}

#[track_caller]
fn refused(t: &TestApp, arguments: &[&str]) -> String {
    let (code, told) = command(t, arguments, "");
    assert_eq!(code, Some(1), "{arguments:?}: {told}");
    told
}

/// What commands did with the account: the action and its kind, in order.
fn noted(t: &TestApp, who: &Person) -> Vec<(String, Option<String>)> {
    let of = audit_events::table.filter(audit_events::actor.eq("command")).filter(audit_events::detail.eq(who.id.as_str()));
    t.app.db.read(|conn| Ok(of.order(audit_events::id).select((audit_events::action, audit_events::kind)).load(conn)?)).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "commands are programs of their own, whose clock no test sets")]
async fn with_the_machines_clock() -> TestApp {
    let t = TestApp::new().await;
    t.later(chrono::Utc::now().naive_utc() - t.now());
    t
}

async fn signs_in(t: &TestApp, name: &str, password: &str) -> u16 {
    t.anon().post("/login", &[("username", name), ("password", password)]).await.status
}

#[actix_web::test]
async fn the_last_administrator_is_closed_and_made_less_by_force_only() {
    let t = with_the_machines_clock().await;
    let root = t.admin("root");
    for arguments in [&["user", "disable", "root"][..], &["user", "role", "root", "user"], &["user", "role", "root", "guest"]] {
        let told = refused(&t, arguments);
        assert!(told.contains("last administrator") && told.contains("--force"), "{told}");
    }
    root.get("/admin").await.is(200);
    assert_eq!(noted(&t, &root), []);
    let ann = t.user("ann");
    done(&t, &["user", "role", "ann", "admin"]);
    assert_eq!(ann.get("/patients").await.status, 303, "signed out");
    let ann = ann.signed_in();
    ann.get("/admin").await.is(200);
    ann.get("/settings/notices").await.is(200).says("Whoever runs this server made you an administrator");
    done(&t, &["user", "role", "root", "guest"]);
    ann.get("/admin/audit").await.is(200).says("The command line made an account an administrator’s: ann");
    ann.get("/admin/audit").await.is(200).says("The command line gave an account the role of a guest: root");
    refused(&t, &["user", "disable", "ann"]);
    done(&t, &["user", "disable", "ann", "--force"]);
    done(&t, &["user", "enable", "ann"]);
    done(&t, &["user", "role", "ann", "user", "--force"]);
    let [role, closed, opened, less] = noted(&t, &ann).try_into().unwrap();
    assert_eq!((role.0.as_str(), role.1.as_deref()), ("role_changed", Some("admin")));
    assert_eq!((closed.0.as_str(), opened.0.as_str()), ("account_disabled", "account_enabled"));
    assert_eq!((less.0.as_str(), less.1.as_deref()), ("role_changed", Some("user")));
    assert_eq!(command(&t, &["user", "role", "ann", "king"], "").0, Some(2));
}

#[actix_web::test]
async fn an_account_that_is_opened_again_has_nothing_of_before_and_its_person_is_told() {
    let t = with_the_machines_clock().await;
    t.admin("root");
    let ann = t.user("ann");
    let api = ann.api(true);
    api.get("/api/v1/patients").await.is(200);
    done(&t, &["user", "disable", "ann"]);
    assert!(done(&t, &["user", "disable", "ann"]).contains("is disabled"));
    assert_eq!(signs_in(&t, "ann", &password_of("ann")).await, 422);
    done(&t, &["user", "enable", "ann@example.org"]);
    done(&t, &["user", "enable", "ann"]);
    ann.get("/patients").await.is(303);
    api.get("/api/v1/patients").await.is(401);
    assert_eq!(signs_in(&t, "ann", &password_of("ann")).await, 303);
    let page = ann.signed_in().get("/settings/notices").await.is(200).says("Whoever runs this server closed your account");
    page.says("Whoever runs this server opened your account again. API tokens you had are revoked");
}

#[actix_web::test]
async fn a_password_by_command_lets_in_who_was_locked_out_and_they_are_told() {
    let t = with_the_machines_clock().await;
    let ann = t.user("ann");
    for _ in 0..5 {
        assert_eq!(signs_in(&t, "ann", "a wrong one").await, 422);
    }
    assert_eq!(signs_in(&t, "ann", &password_of("ann")).await, 429);
    let (code, told) = command(&t, &["user", "reset-password", "ann"], NEW);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(signs_in(&t, "ann", &password_of("ann")).await, 422);
    assert_eq!(signs_in(&t, "ann", NEW).await, 303);
    ann.signed_in().get("/settings/notices").await.is(200).says("Whoever runs this server set a new password for you");
}
