//! The built program as several processes at once, and ended in the middle: what one leaves, the next finds whole.

use std::{process::Child, time::Duration};

use diesel::{Connection, RunQueryDsl, connection::SimpleConnection, sql_types::BigInt};
use kinchart::db::Conn;

use crate::common::{
    TestDatabase, on_postgres,
    program::{self, Installation},
};

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// A connection that migrates nothing.
fn bare(database: &TestDatabase) -> Conn {
    let url = database.url();
    if on_postgres() {
        Conn::Pg(diesel::PgConnection::establish(&url).unwrap())
    } else {
        Conn::Sqlite(diesel::SqliteConnection::establish(url.trim_start_matches("sqlite:")).unwrap())
    }
}

fn count(conn: &mut Conn, text: &str) -> i64 {
    diesel::sql_query(text).get_result::<Count>(conn).unwrap().count
}

/// The database as the release before the last migration left it, with enough in it that a copy takes a while.
fn older(database: &TestDatabase) {
    let down = if on_postgres() { "migrations/postgres/0003_search/down.sql" } else { "migrations/sqlite/0003_search/down.sql" };
    let down = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(down)).unwrap();
    let mut conn = bare(database);
    conn.batch_execute(&down).unwrap();
    conn.batch_execute("DELETE FROM __diesel_schema_migrations WHERE version = '0003'").unwrap();
    conn.batch_execute("BEGIN").unwrap();
    let words = "long and meaningless ".repeat(100);
    for n in 0..2000 {
        conn.batch_execute(&format!("INSERT INTO installation (name, value) VALUES ('filler {n}', '{words}')")).unwrap();
    }
    conn.batch_execute("COMMIT").unwrap();
}

/// A command that makes an installation where there is none, and ends by itself.
fn starting(installation: &Installation, name: &str) -> Child {
    let mut command = installation.command(&["user", "add", name, "--email", &format!("{name}@example.org"), "--password-stdin"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"a long and odd password 417\n").unwrap();
    child
}

fn all_well(children: Vec<Child>) {
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// How many steps this database has.
fn steps() -> i64 {
    let own = if on_postgres() { "postgres" } else { "sqlite" };
    let folders = ["common", own].map(|name| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name));
    i64::try_from(folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).count()).unwrap()
}

/// Everything is there once: all steps, their tables, and what was in it before.
fn whole(database: &TestDatabase, fillers: i64) {
    let mut conn = bare(database);
    assert_eq!(count(&mut conn, "SELECT count(*) AS count FROM __diesel_schema_migrations"), steps());
    assert_eq!(count(&mut conn, "SELECT count(*) AS count FROM search_entries"), 0);
    assert_eq!(count(&mut conn, "SELECT count(*) AS count FROM installation WHERE name LIKE 'filler%'"), fillers);
    assert_eq!(count(&mut conn, "SELECT count(*) AS count FROM installation WHERE name = 'key_check'"), 1);
}

/// The copies made before migrations, and what was left of unfinished ones.
fn copies(installation: &Installation) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(installation.data()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.to_string_lossy().contains("before-")).collect()
}

#[test]
fn several_that_start_at_once_make_one_database() {
    for _ in 0..3 {
        let installation = Installation::new(TestDatabase::empty());
        all_well((0..4).map(|n| starting(&installation, &format!("ann{n}"))).collect());
        whole(&installation.database, 0);
        assert!(copies(&installation).is_empty());
    }
}

#[test]
fn several_that_start_at_once_bring_an_older_database_up_to_date_once() {
    let installation = Installation::new(TestDatabase::migrated());
    older(&installation.database);
    all_well((0..4).map(|n| starting(&installation, &format!("ann{n}"))).collect());
    whole(&installation.database, 2000);
    the_copy_is_whole(&installation);
}

fn the_copy_is_whole(installation: &Installation) {
    let found = copies(installation);
    assert_eq!(found.len(), 1, "{found:?}");
    let file = found.first().unwrap();
    if on_postgres() {
        assert!(file.ends_with("kinchart.before-0003_search.dump"), "{}", file.display());
        let listed = std::process::Command::new("pg_restore").arg("--list").arg(file).output().unwrap();
        let listed = program::told(listed);
        assert!(listed.contains("TABLE DATA public installation") && !listed.contains("public search_entries"), "{listed}");
        return;
    }
    assert!(file.ends_with("kinchart.before-0003_search.db"), "{}", file.display());
    let mut copy = Conn::Sqlite(diesel::SqliteConnection::establish(&file.to_string_lossy()).unwrap());
    assert_eq!(count(&mut copy, "SELECT count(*) AS count FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    assert_eq!(count(&mut copy, "SELECT count(*) AS count FROM __diesel_schema_migrations"), steps() - 1);
    assert_eq!(count(&mut copy, "SELECT count(*) AS count FROM installation WHERE name LIKE 'filler%'"), 2000);
}

/// Killed at any moment, the next start finishes what the last began; a copy that has its name is whole.
#[test]
fn ended_in_the_midst_of_a_migration_the_next_start_goes_on() {
    for old in [false, true] {
        for wait in [5, 15, 25, 40, 60, 90] {
            let installation = Installation::new(if old { TestDatabase::migrated() } else { TestDatabase::empty() });
            if old {
                older(&installation.database);
            }
            let mut child = starting(&installation, "ann");
            std::thread::sleep(Duration::from_millis(wait));
            child.kill().unwrap();
            child.wait().unwrap();
            all_well(vec![starting(&installation, "ben")]);
            installation.done(&["check"]);
            whole(&installation.database, if old { 2000 } else { 0 });
            if old {
                the_copy_is_whole(&installation);
            }
        }
    }
}

#[test]
fn without_a_copy_nothing_is_changed_unless_told_so() {
    let installation = Installation::new(TestDatabase::migrated());
    all_well(vec![starting(&installation, "ann")]);
    older(&installation.database);
    if on_postgres() {
        let output = installation.command(&["check"]).env("PATH", "/nowhere").output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(told.contains("pg_dump (Debian: postgresql-client) is not installed") && told.contains("--no-backup"), "{told}");
        let taken = count(&mut bare(&installation.database), "SELECT count(*) AS count FROM __diesel_schema_migrations");
        assert_eq!(taken, steps() - 1);
    }
    installation.done(&["--no-backup", "check"]);
    whole(&installation.database, 2000);
    assert!(copies(&installation).is_empty());
}

/// Longer and larger under `scripts/test-slow`.
fn slow() -> bool {
    std::env::var("KINCHART_TEST_SLOW").is_ok()
}

/// An account with a token that may write.
fn token(installation: &Installation) -> String {
    let user = ["user", "add", "ann", "--email", "ann@example.org", "--password-stdin"];
    installation.done_with(&user, &crate::common::password_of("ann"));
    let token = installation.done(&["token", "add", "--user", "ann", "--write"]);
    format!("Bearer {}", token.trim())
}

/// Adds one record after the other until the server is gone, and tells which it was told are there.
fn add_until_the_end(address: std::net::SocketAddr, token: &str, patient: &str, worker: usize) -> Vec<String> {
    let headers = [("authorization", token), ("content-type", "application/json")];
    let path = format!("/api/v1/patients/{patient}/medications");
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let body = serde_json::json!({ "medication_name": format!("Medicine {worker} {n}"), "tags": ["often"] }).to_string();
        let Some((status, answer)) = program::ask(address, "POST", &path, &headers, &body) else { break };
        if status == 201 {
            let record: serde_json::Value = serde_json::from_str(&answer).unwrap();
            acknowledged.push(record["id"].as_str().unwrap().to_owned());
        }
    }
    acknowledged
}

#[test]
fn ended_in_the_midst_of_writes_every_acknowledged_one_is_there_whole() {
    const WORKERS: usize = 4;
    let installation = Installation::new(TestDatabase::migrated());
    let token = token(&installation);
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let mut server = installation.serve();
    let (status, answer) = server.ask("POST", "/api/v1/patients", &headers, r#"{"first_name":"Ada","last_name":"Lovelace"}"#).unwrap();
    assert_eq!(status, 201, "{answer}");
    let patient: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let patient = patient["id"].as_str().unwrap().to_owned();
    let mut told = 0;
    let mut rounds = 0;
    for wait in if slow() { vec![300, 700, 1500, 3000, 5000, 10_000] } else { vec![700] } {
        let address = server.address;
        let acknowledged: Vec<String> = std::thread::scope(|scope| {
            let (token, patient) = (&token, &patient);
            let workers: Vec<_> = (0..WORKERS).map(|n| scope.spawn(move || add_until_the_end(address, token, patient, n))).collect();
            std::thread::sleep(Duration::from_millis(wait));
            server.kill();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        assert!(!acknowledged.is_empty(), "nothing was written in {wait} ms");
        installation.done(&["check"]);
        server = installation.serve();
        told += acknowledged.len();
        rounds += 1;
        for id in &acknowledged {
            let (status, _) = server.ask("GET", &format!("/api/v1/patients/{patient}/medications/{id}"), &headers, "").unwrap();
            assert_eq!(status, 200, "the acknowledged {id} is gone");
        }
        let mut conn = bare(&installation.database);
        let mut rows = |text: &str| usize::try_from(count(&mut conn, text)).unwrap();
        let records = rows("SELECT count(*) AS count FROM records");
        // What was written and not acknowledged before the end: one for each worker and round at most.
        assert!((told..=told + rounds * WORKERS).contains(&records), "{records} records, {told} acknowledged");
        for table in ["medications", "record_versions", "record_tags", "search_entries"] {
            let filter = if table == "search_entries" { " WHERE record_id IS NOT NULL" } else { "" };
            assert_eq!(rows(&format!("SELECT count(*) AS count FROM {table}{filter}")), records, "{table}");
        }
        assert_eq!(rows("SELECT count(*) AS count FROM audit_events WHERE action = 'created' AND record_id IS NOT NULL"), records);
    }
}

/// The test data's own bundle, its records repeated under other ids and names.
fn large_bundle(times: usize) -> String {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/small-bundle.json");
    let mut bundle: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let (patients, records): (Vec<_>, Vec<_>) =
        bundle["entry"].as_array().unwrap().iter().cloned().partition(|entry| entry["resource"]["resourceType"] == "Patient");
    let mut all = patients;
    for n in 0..times {
        for (place, entry) in records.iter().enumerate() {
            let id = format!("{n:08x}-0000-4000-8000-{place:012x}");
            let mut entry = entry.clone();
            entry["fullUrl"] = format!("urn:uuid:{id}").into();
            entry["resource"]["id"] = id.into();
            entry["resource"]["code"]["text"] = format!("Matter {place} {n}").into();
            all.push(entry);
        }
    }
    bundle["entry"] = all.into();
    bundle.to_string()
}

#[test]
fn ended_in_the_midst_of_an_import_nothing_of_it_is_there() {
    let installation = Installation::new(TestDatabase::migrated());
    token(&installation);
    let times = if slow() { 4000 } else { 150 };
    let file = installation.data().join("large.json");
    std::fs::write(&file, large_bundle(times)).unwrap();
    let arguments = ["import", file.to_str().unwrap(), "--as", "ann", "--json"];
    let records = |installation: &Installation| count(&mut bare(&installation.database), "SELECT count(*) AS count FROM records");
    let mut killed = 0;
    for wait in if slow() { vec![100, 500, 1000, 2000, 4000, 8000, 16_000] } else { vec![100, 300, 600] } {
        let mut child = installation.command(&arguments).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let ended_before = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        installation.done(&["check"]);
        let found = records(&installation);
        // It may have been finished, told or not; from then on there is nothing to interrupt.
        if ended_before || found > 0 {
            assert_eq!(found, i64::try_from(times * 2).unwrap(), "half an import");
            break;
        }
        killed += 1;
        assert_eq!(count(&mut bare(&installation.database), "SELECT count(*) AS count FROM patients"), 0);
    }
    assert!(killed > 0, "the import was too fast to be interrupted");
    let report: serde_json::Value = serde_json::from_str(&installation.done(&arguments)).unwrap();
    assert_eq!(records(&installation), i64::try_from(times * 2).unwrap());
    assert_eq!(report[0]["problems"], serde_json::json!([]));
    let again: serde_json::Value = serde_json::from_str(&installation.done(&arguments)).unwrap();
    assert_eq!(again[0]["added"], serde_json::json!({}), "the same file again adds nothing");
    installation.done(&["check"]);
}

/// What a person did with a document, as far as the server said that it is done.
#[derive(Clone, Debug)]
struct Told {
    id: String,
    words: String,
    moved: bool,
    deleted: bool,
}

/// A session's cookie, by the sign-in form.
fn session(address: std::net::SocketAddr) -> Option<String> {
    let body = format!("username=ann&password={}", crate::common::password_of("ann").replace(' ', "+"));
    let head = program::head(address, "POST", "/login", &[("content-type", "application/x-www-form-urlencoded")], &body)?;
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: "))?;
    cookie.split(';').next().map(str::to_owned)
}

/// Documents of many sizes come, go to a record and into the trash, until the server is gone.
fn papers_until_the_end(address: std::net::SocketAddr, cookie: &str, token: &str, patient: &str, record: &str, worker: usize) -> Vec<Told> {
    let files = format!("/patients/{patient}/files");
    let form = [("cookie", cookie), ("content-type", "application/x-www-form-urlencoded")];
    let is_done = |path: &str, body: &str| program::ask(address, "POST", path, &form, body).map(|(status, _)| status == 303);
    let mut told: Vec<Told> = Vec::new();
    for n in 0_usize.. {
        let words = format!("{worker} {n}, ").repeat(1 + (n * 7919) % 120_000);
        let body = crate::files::form(&[], &[("letter.txt", &words)]);
        let headers = [("authorization", token), ("content-type", crate::files::FORM.1)];
        let Some((status, answer)) = program::ask(address, "POST", &format!("/api/v1{files}"), &headers, &body) else { break };
        if status != 201 {
            continue;
        }
        // An answer that was cut off acknowledges nothing.
        let Ok(file) = serde_json::from_str::<serde_json::Value>(&answer) else { break };
        let id = file["id"].as_str().unwrap().to_owned();
        told.push(Told { id: id.clone(), words, moved: false, deleted: false });
        let last = told.last_mut().unwrap();
        if n % 3 > 0 {
            let Some(done) = is_done(&format!("{files}/{id}"), &format!("_version=1&record={record}")) else { break };
            last.moved = done;
        }
        if n % 3 > 1 {
            let Some(done) = is_done(&format!("{files}/{id}/delete"), "") else { break };
            last.deleted = done;
        }
    }
    told
}

/// Uploads, moves and deletes, the server killed in their midst: what it acknowledged is there, whole and in its place, and nothing lies on
/// the disk that nobody knows of.
#[test]
fn ended_in_the_midst_of_documents_none_is_lost_and_none_is_nobodys() {
    const WORKERS: usize = 3;
    let installation = Installation::new(TestDatabase::migrated());
    let token = token(&installation);
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let mut server = installation.serve();
    let made = |answer: Option<(u16, String)>| {
        let (status, body) = answer.unwrap();
        assert_eq!(status, 201, "{body}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let patient = made(server.ask("POST", "/api/v1/patients", &headers, r#"{"first_name":"Ada","last_name":"Lovelace"}"#));
    let medication = r#"{"medication_name":"Metformin"}"#;
    let record = made(server.ask("POST", &format!("/api/v1/patients/{patient}/medications"), &headers, medication));
    let mut all: Vec<Told> = Vec::new();
    // Moments that repeat: between 30 ms and a second, no two rounds at the same.
    let rounds: u64 = if slow() { 50 } else { 3 };
    let is_enough = |all: &[Told]| all.iter().any(|one| one.deleted) && all.iter().any(|one| one.moved && !one.deleted);
    for round in 0..rounds * 10 {
        // On a busy machine a round gets little done: then there are more of them.
        if round >= rounds && is_enough(&all) {
            break;
        }
        let address = server.address;
        let cookie = session(address).expect("a session");
        let told: Vec<Told> = std::thread::scope(|scope| {
            let (token, patient, record, cookie) = (&token, &patient, &record, &cookie);
            let work = move |n| move || papers_until_the_end(address, cookie, token, patient, record, n);
            let workers: Vec<_> = (0..WORKERS).map(|n| scope.spawn(work(n))).collect();
            std::thread::sleep(Duration::from_millis(30 + (round * 389) % 970));
            server.kill();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        installation.done(&["check", "--deep"]);
        server = installation.serve();
        for one in &told {
            let path = format!("/api/v1/patients/{patient}/files/{}", one.id);
            let (status, answer) = server.ask("GET", &path, &headers, "").unwrap();
            if one.deleted {
                assert_eq!(status, 404, "{} was thrown away", one.id);
                continue;
            }
            // Of what was not acknowledged, either state may be there.
            let is_gone = status == 404;
            assert!(status == 200 || (is_gone && one.moved), "{} is lost: {status}", one.id);
            if status == 200 {
                let file: serde_json::Value = serde_json::from_str(&answer).unwrap();
                assert!(!one.moved || file["record"] == record.as_str(), "{answer}");
                let (_, words) = server.ask("GET", &format!("{path}/content"), &headers, "").unwrap();
                assert!(words == one.words, "{} is not whole", one.id);
            }
        }
        all.extend(told);
    }
    assert!(is_enough(&all), "too little was done: {}", all.len());
    server.kill();
}
