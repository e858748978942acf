//! What was acknowledged survives a fall of the power: every step is on the disk before the next. A kill proves nothing of that, because the
//! system writes what a process left; so the server is watched from outside.
#![cfg(target_os = "linux")]

use crate::common::{TestDatabase, on_postgres, password_of, program::Installation};

/// Nothing where there is no `strace`, or where nobody may be watched.
fn may_watch() -> bool {
    std::process::Command::new("strace").args(["-D", "-o", "/dev/null", "true"]).output().is_ok_and(|output| output.status.success())
}

/// Synced under another name, moved, its folder synced, and the folder of a folder that is new, and then the transaction.
#[test]
fn a_document_is_on_the_disk_before_anybody_is_told() {
    if !may_watch() {
        println!("not tested: strace is not there, or may watch nothing");
        return;
    }
    let installation = Installation::new(TestDatabase::migrated());
    installation.done_with(&["user", "add", "ann", "--email", "ann@example.org", "--password-stdin"], &password_of("ann"));
    let token = format!("Bearer {}", installation.done(&["token", "add", "--user", "ann", "--write"]).trim());
    let log = installation.data().join("calls");
    let calls = "trace=fsync,fdatasync,rename,renameat,renameat2";
    let server = installation.serve_by("strace", &["-D", "-f", "-qq", "-y", "-e", calls, "-o", log.to_str().unwrap()]);
    let made = |path: &str, kind: &str, body: &str| {
        let (status, answer) = server.ask("POST", path, &[("authorization", &token), ("content-type", kind)], body).unwrap();
        assert_eq!(status, 201, "{answer}");
        serde_json::from_str::<serde_json::Value>(&answer).unwrap()
    };
    let patient = made("/api/v1/patients", "application/json", r#"{"first_name":"Ada","last_name":"Lovelace"}"#);
    let files = format!("/api/v1/patients/{}/files", patient["id"].as_str().unwrap());
    made(&files, crate::files::FORM.1, &crate::files::form(&[], &[("letter.txt", "Dear Ada")]));
    let seen = std::fs::read_to_string(&log).unwrap();
    drop(server);

    let calls: Vec<&str> = seen.lines().filter(|line| !line.contains("resumed>")).collect();
    let uploads = installation.database.folder().join("uploads");
    let uploads = uploads.to_str().unwrap();
    let at = |what: &dyn Fn(&str) -> bool| calls.iter().position(|call| what(call)).unwrap_or_else(|| panic!("never: {seen}"));
    // `rename("FROM", "TO")`, and whatever else the system calls it.
    let moved = at(&|call| call.contains("rename") && call.contains(".arriving/"));
    let name = calls[moved].split(".arriving/").nth(1).unwrap().split('"').next().unwrap();
    let folder = format!("{uploads}/{}>", &name[name.len() - 2..]);
    let bytes = at(&|call| call.contains("sync(") && call.contains(&format!(".arriving/{name}>")));
    let new = at(&|call| call.contains("sync(") && call.contains(&format!("<{uploads}>")));
    let its_folder = at(&|call| call.contains("sync(") && call.contains(&folder));
    assert!(bytes < moved && new < moved && moved < its_folder, "{seen}");
    if !on_postgres() {
        let told = calls.iter().rposition(|call| call.contains("sync(") && call.contains("kinchart.db-wal>"));
        assert!(told.is_some_and(|told| told > its_folder), "{seen}");
    }
}
