//! The audit's chain: whatever is done to what was sealed is found, and nothing that the program itself does is taken for that.

mod folder;
mod million;
mod pages;

use std::{process::Output, sync::Arc};

use chrono::Duration;
use diesel::{RunQueryDsl, connection::SimpleConnection, sql_types::BigInt};
use kinchart::{
    app::App,
    audit::{
        Action, Event, prune,
        seal::{self, Head},
        verify::{self, Broken, Proven},
    },
    auth::{key_change, secret::SecretKey},
    config::Database,
    db::Tx,
    error::{Error, Result},
    jobs,
};

use crate::common::{TestApp, at_once, on_postgres};

/// Events with something in every column, none yet sealed.
fn note(app: &App, count: usize) {
    for n in 0..count {
        let event = Event {
            patient_id: Some("a-patient".into()),
            record_id: Some("a-record".into()),
            kind: Some("vitals".into()),
            version: Some(3),
            address: Some("192.0.2.1".into()),
            session_id: Some("a-session".into()),
            detail: Some(format!("detail {n}")),
            ..Event::by_the_program(Action::Changed, app.clock.now())
        };
        app.db.write(|tx| Ok(event.clone().write(tx)?)).unwrap();
    }
}

/// A chain of four batches with five events each, and one event that waits.
async fn four_batches() -> TestApp {
    let t = TestApp::new().await;
    seal::run(&t.app).unwrap();
    for _ in 0..4 {
        note(&t.app, 5);
        assert_eq!(seal::run(&t.app).unwrap(), 5);
        t.later(Duration::minutes(1));
    }
    note(&t.app, 1);
    t
}

fn proven(t: &TestApp, kept: Option<&Head>) -> std::result::Result<Proven, Broken> {
    t.app.db.read(|conn| verify::verify(conn, &t.app.key, kept)).unwrap()
}

fn head(t: &TestApp) -> Head {
    t.app.db.read(seal::last).unwrap().as_ref().map(Head::from).unwrap()
}

/// Takes away what would refuse, as whoever owns the database can.
fn unguard(tx: &mut Tx<'_>) -> Result<()> {
    let sqlite = "DROP TRIGGER audit_events_as_written; DROP TRIGGER audit_events_stay; DROP TRIGGER audit_events_once; \
        DROP TRIGGER audit_seals_as_written; DROP TRIGGER audit_seals_stay; DROP TRIGGER audit_seals_once;";
    let postgres = "ALTER TABLE audit_events DISABLE TRIGGER USER; ALTER TABLE audit_seals DISABLE TRIGGER USER;";
    Ok(tx.batch_execute(if on_postgres() { postgres } else { sqlite })?)
}

/// What is found after this was done to the database; then it is undone.
fn after(t: &TestApp, text: &str, kept: Option<&Head>) -> std::result::Result<Proven, Broken> {
    let mut found = None;
    let undone = t.app.db.write(|tx| {
        unguard(tx)?;
        tx.batch_execute(text)?;
        found = Some(verify::verify(tx, &t.app.key, kept)?);
        Err::<(), _>(Error::Conflict("undo"))
    });
    assert!(matches!(undone, Err(Error::Conflict("undo"))), "{text}: {undone:?}");
    found.unwrap()
}

/// The id of the nth event of a batch.
fn nth(batch: i64, n: usize) -> String {
    format!("(SELECT id FROM (SELECT id FROM audit_events WHERE seal = {batch} ORDER BY id LIMIT 1 OFFSET {n}) AS one)")
}

#[actix_web::test]
async fn a_change_of_any_column_of_an_event_is_found() {
    let t = four_batches().await;
    let whole = proven(&t, None).unwrap();
    assert_eq!((whole.seals, whole.events, whole.waiting), (4, 20, 1));
    let texts = ["id", "actor", "actor_name", "action", "patient_id", "record_id", "kind", "address", "session_id", "detail"]
        .map(|name| (name, "'other'"));
    let others = [("at", "'2020-01-01 00:00:00'"), ("version", "77"), ("success", "FALSE")];
    let empty = ["patient_id", "record_id", "kind", "version", "address", "session_id", "detail"].map(|name| (name, "NULL"));
    for (column, value) in texts.into_iter().chain(others).chain(empty) {
        for place in [0, 2, 4] {
            let text = format!("UPDATE audit_events SET {column} = {value} WHERE id = {}", nth(2, place));
            assert_eq!(after(&t, &text, None), Err(Broken::EventChanged(2)), "{text}");
        }
    }
    // A microsecond.
    let later = if on_postgres() { "at + interval '1 microsecond'" } else { "'2026-03-14 12:01:00.000001'" };
    let text = format!("UPDATE audit_events SET at = {later} WHERE id = {}", nth(2, 1));
    assert_eq!(after(&t, &text, None), Err(Broken::EventChanged(2)));
    assert_eq!(proven(&t, None).unwrap(), whole, "all of it was undone");
}

#[actix_web::test]
async fn an_event_that_is_missing_added_or_moved_is_found() {
    let t = four_batches().await;
    let copied = "INSERT INTO audit_events (id, at, actor, actor_name, action, success, seal) \
        SELECT 'new', at, actor, actor_name, action, success, 2 FROM audit_events WHERE id = ";
    for place in [0, 2, 4] {
        assert_eq!(after(&t, &format!("DELETE FROM audit_events WHERE id = {}", nth(2, place)), None), Err(Broken::EventMissing(2)));
        assert_eq!(after(&t, &format!("{copied}{}", nth(2, place)), None), Err(Broken::EventAdded(2)));
        for elsewhere in ["3", "NULL"] {
            let text = format!("UPDATE audit_events SET seal = {elsewhere} WHERE id = {}", nth(2, place));
            assert_eq!(after(&t, &text, None), Err(Broken::EventMissing(2)), "{text}");
        }
    }
    assert_eq!(after(&t, "DELETE FROM audit_events WHERE seal = 1", None), Err(Broken::EventMissing(1)));
    assert_eq!(after(&t, "UPDATE audit_events SET seal = 2 WHERE seal IS NULL", None), Err(Broken::EventAdded(2)));
    assert_eq!(after(&t, "UPDATE audit_events SET seal = 7 WHERE seal IS NULL", None), Err(Broken::SealMissing(7)));
    assert_eq!(after(&t, "UPDATE audit_events SET seal = 0 WHERE seal IS NULL", None), Err(Broken::SealMissing(0)));
    // Two change places: within a batch, and over the edge of one.
    let swap = |column: &str, one: &str, other: &str| {
        format!(
            "CREATE TABLE swapped AS SELECT {one} AS a, {other} AS b; \
             UPDATE audit_events SET {column} = CASE id WHEN (SELECT a FROM swapped) \
             THEN (SELECT e.{column} FROM audit_events e WHERE e.id = (SELECT b FROM swapped)) \
             ELSE (SELECT e.{column} FROM audit_events e WHERE e.id = (SELECT a FROM swapped)) END \
             WHERE id IN (SELECT a FROM swapped UNION SELECT b FROM swapped)"
        )
    };
    if on_postgres() {
        // SQLite sees the first update in the second.
        assert_eq!(after(&t, &swap("detail", &nth(2, 1), &nth(2, 3)), None), Err(Broken::EventChanged(2)));
        assert_eq!(after(&t, &swap("seal", &nth(2, 4), &nth(3, 0)), None), Err(Broken::EventChanged(2)));
    } else {
        let text = format!(
            "CREATE TABLE swapped AS SELECT {} AS a, {} AS b; UPDATE audit_events SET seal = 3 WHERE id = (SELECT a FROM swapped); \
             UPDATE audit_events SET seal = 2 WHERE id = (SELECT b FROM swapped)",
            nth(2, 4),
            nth(3, 0)
        );
        assert_eq!(after(&t, &text, None), Err(Broken::EventChanged(2)));
        let text = format!(
            "CREATE TABLE swapped AS SELECT {} AS a, {} AS b; UPDATE audit_events SET id = 'third' WHERE id = (SELECT a FROM swapped); \
             UPDATE audit_events SET id = (SELECT a FROM swapped) WHERE id = (SELECT b FROM swapped); \
             UPDATE audit_events SET id = (SELECT b FROM swapped) WHERE id = 'third'",
            nth(2, 1),
            nth(2, 3)
        );
        assert_eq!(after(&t, &text, None), Err(Broken::EventChanged(2)));
    }
    // What waits is not proven, and that is told.
    assert_eq!(after(&t, "DELETE FROM audit_events WHERE seal IS NULL", None).unwrap().waiting, 0);
}

#[actix_web::test]
async fn a_seal_that_is_changed_missing_or_made_up_is_found() {
    let t = four_batches().await;
    let kept = head(&t);
    let zeros = "0".repeat(64);
    let columns = [
        ("events", "4".to_owned()),
        ("total", "11".to_owned()),
        ("first_at", "'2020-01-01 00:00:00'".to_owned()),
        ("last_at", "'2020-01-01 00:00:00'".to_owned()),
        ("sealed_at", "'2020-01-01 00:00:00'".to_owned()),
        ("hash", format!("'{zeros}'")),
        ("mac", format!("'{zeros}'")),
        // Another's.
        ("mac", "(SELECT s.mac FROM audit_seals s WHERE s.number = 3)".to_owned()),
        ("hash", "(SELECT s.hash FROM audit_seals s WHERE s.number = 3)".to_owned()),
    ];
    for (column, value) in columns {
        let text = format!("UPDATE audit_seals SET {column} = {value} WHERE number = 2");
        assert_eq!(after(&t, &text, None), Err(Broken::SealChanged(2)), "{text}");
    }
    for n in 1..=4 {
        let gone = format!("DELETE FROM audit_seals WHERE number = {n}");
        assert_eq!(after(&t, &gone, None), Err(Broken::SealMissing(n)));
        let with_events = format!("{gone}; DELETE FROM audit_events WHERE seal = {n}");
        match after(&t, &with_events, None) {
            // The end cut off whole: only a head that is kept elsewhere tells.
            Ok(whole) => assert_eq!((n, whole.seals), (4, 3)),
            Err(broken) => assert_eq!(broken, Broken::SealMissing(n)),
        }
    }
    assert_eq!(after(&t, "UPDATE audit_seals SET number = 9 WHERE number = 2", None), Err(Broken::SealMissing(2)));
    assert_eq!(after(&t, "UPDATE audit_seals SET number = 5 WHERE number = 4", None), Err(Broken::SealMissing(4)));
    let exchanged = "UPDATE audit_seals SET number = -number WHERE number IN (2, 3); UPDATE audit_seals SET number = 3 WHERE number = -2; \
        UPDATE audit_seals SET number = 2 WHERE number = -3; UPDATE audit_events SET seal = -seal WHERE seal IN (2, 3); \
        UPDATE audit_events SET seal = 3 WHERE seal = -2; UPDATE audit_events SET seal = 2 WHERE seal = -3";
    assert_eq!(after(&t, exchanged, None), Err(Broken::SealChanged(2)), "two batches change places");
    let mark = |columns: &str| format!("UPDATE audit_seals SET {columns} WHERE number = 2; DELETE FROM audit_events WHERE seal = 2");
    for columns in [
        "pruned_at = '2026-03-14 12:00:00'".to_owned(),
        format!("pruned_mac = '{zeros}'"),
        format!("pruned_at = '2026-03-14 12:00:00', pruned_mac = '{zeros}'"),
        "pruned_at = '2026-03-14 12:00:00', pruned_mac = mac".to_owned(),
    ] {
        assert_eq!(after(&t, &mark(&columns), None), Err(Broken::MarkChanged(2)), "{columns}");
    }
    let cut = "DELETE FROM audit_seals WHERE number = 4; DELETE FROM audit_events WHERE seal = 4";
    assert_eq!(after(&t, cut, Some(&kept)), Err(Broken::Behind { kept: 4, newest: 3 }));
    let nothing = "DELETE FROM audit_seals; DELETE FROM audit_events";
    let all = format!("{nothing}; DELETE FROM installation WHERE name = 'audit_key'");
    assert_eq!(after(&t, &all, Some(&kept)), Err(Broken::Behind { kept: 4, newest: 0 }));
    assert_eq!(after(&t, "DELETE FROM installation WHERE name = 'audit_key'", None), Err(Broken::Key));
    assert_eq!(after(&t, "UPDATE installation SET value = '1.AAAA' WHERE name = 'audit_key'", None), Err(Broken::Key));
    assert_eq!(proven(&t, Some(&kept)).unwrap().head, Some(kept.clone()));
    let other = Head { mac: zeros, ..kept };
    assert_eq!(proven(&t, Some(&other)), Err(Broken::OtherHead(4)));
}

/// Whoever can write to the database and knows how seals are made, and has not the key.
#[actix_web::test]
async fn a_chain_that_is_made_anew_with_another_key_is_not_taken() {
    let t = four_batches().await;
    let other = TestApp::new().await;
    let forger = App { key: Arc::clone(&t.app.key), ..other.app.clone() };
    note(&forger, 5);
    seal::run(&forger).unwrap();
    let mut forged = forger.db.read(seal::last).unwrap().unwrap();
    forged.number = 2;
    let text = format!("UPDATE audit_seals SET hash = '{}', mac = '{}', events = 5 WHERE number = 2", forged.hash, forged.mac);
    assert_eq!(after(&t, &text, None), Err(Broken::SealChanged(2)));
}

#[actix_web::test]
async fn the_tables_themselves_take_only_what_is_new() {
    let t = four_batches().await;
    let mut refused = vec![
        "UPDATE audit_events SET detail = 'other' WHERE seal = 2".to_owned(),
        "UPDATE audit_events SET detail = 'other' WHERE seal IS NULL".to_owned(),
        "UPDATE audit_events SET seal = 4, detail = 'other' WHERE seal IS NULL".to_owned(),
        "UPDATE audit_events SET seal = 3 WHERE seal = 2".to_owned(),
        "UPDATE audit_events SET seal = NULL WHERE seal = 2".to_owned(),
        "DELETE FROM audit_events WHERE seal = 2".to_owned(),
        "DELETE FROM audit_events WHERE seal IS NULL".to_owned(),
        "UPDATE audit_seals SET mac = '' WHERE number = 2".to_owned(),
        "UPDATE audit_seals SET pruned_at = sealed_at WHERE number = 2".to_owned(),
        "UPDATE audit_seals SET pruned_at = sealed_at, pruned_mac = '', events = 1 WHERE number = 2".to_owned(),
        "DELETE FROM audit_seals WHERE number = 4".to_owned(),
    ];
    for (column, value) in
        [("version", "4"), ("success", "FALSE"), ("at", "'2020-01-01 00:00:00'"), ("patient_id", "NULL"), ("address", "'x'")]
    {
        refused.push(format!("UPDATE audit_events SET seal = 9, {column} = {value} WHERE seal IS NULL"));
    }
    if on_postgres() {
        refused.extend(["TRUNCATE audit_events".to_owned(), "TRUNCATE audit_seals".to_owned()]);
    } else {
        let columns = "id, at, actor, actor_name, action, success, seal";
        refused.push(format!(
            "INSERT OR REPLACE INTO audit_events ({columns}) SELECT id, at, 'x', 'x', 'x', 1, 2 FROM audit_events WHERE seal = 2"
        ));
        refused.push("INSERT OR REPLACE INTO audit_seals SELECT * FROM audit_seals".to_owned());
    }
    for text in refused {
        let done = t.app.db.write(|tx| Ok(tx.batch_execute(&text)?));
        assert!(matches!(done, Err(Error::Database(_))), "{text}: {done:?}");
    }
    assert_eq!(proven(&t, None).unwrap().events, 20);
}

#[actix_web::test]
async fn what_is_committed_late_is_sealed_too() {
    let t = four_batches().await;
    // Made before everything that is sealed, and there only now.
    let old =
        Event { id: "00000000-0000-7000-8000-000000000000".into(), ..Event::by_the_program(Action::Read, t.now() - Duration::days(1)) };
    t.app.db.write(|tx| Ok(old.clone().write(tx)?)).unwrap();
    assert_eq!(seal::run(&t.app).unwrap(), 2);
    let whole = proven(&t, None).unwrap();
    assert_eq!((whole.seals, whole.events, whole.waiting), (5, 22, 0));
    assert_eq!(seal::run(&t.app).unwrap(), 0, "nothing waits: no empty batch");
    assert_eq!(head(&t).number, 5);
}

#[actix_web::test]
async fn several_servers_seal_at_once_while_others_write() {
    let t = TestApp::new().await;
    let app = t.app.clone();
    at_once(5, |thread| {
        for _ in 0..25 {
            match thread {
                0..=1 => drop(seal::run(&app)),
                _ => note(&app, 1),
            }
        }
    });
    seal::run(&app).unwrap();
    let whole = proven(&t, None).unwrap();
    assert_eq!((whole.events, whole.waiting), (75, 0));
}

#[actix_web::test]
async fn more_than_one_batch_is_sealed_in_one_run() {
    let t = TestApp::new().await;
    let now = t.now();
    t.app
        .db
        .write(|tx| {
            for _ in 0..2500 {
                Event::by_the_program(Action::Read, now).write(tx)?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(seal::run(&t.app).unwrap(), 2500);
    let whole = proven(&t, None).unwrap();
    assert_eq!((whole.seals, whole.events, whole.waiting), (3, 2500, 0));
}

fn count(t: &TestApp, text: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    t.app.db.read(|conn| Ok(diesel::sql_query(text).get_result::<Count>(conn)?.count)).unwrap()
}

#[actix_web::test]
async fn what_is_old_goes_and_the_chain_is_still_proven() {
    let t = TestApp::with(|config| config.audit_years = 2).await;
    let first = head_after(&t, "2021-03-01", 7);
    let second = head_after(&t, "2024-03-13", 5);
    head_after(&t, "2024-03-15", 4);
    t.set_day("2026-03-14");
    // By the job, as it runs.
    jobs::ensure_standing(&t.app).unwrap();
    jobs::run_due(&t.app).unwrap();
    assert_eq!(count(&t, "SELECT count(*) AS count FROM audit_events WHERE action = 'changed'"), 4);
    assert_eq!(count(&t, "SELECT count(*) AS count FROM audit_events WHERE action = 'audit_pruned'"), 1);
    t.later(Duration::minutes(2));
    jobs::run_due(&t.app).unwrap();
    for kept in [&first, &second] {
        let whole = proven(&t, Some(kept)).unwrap();
        let pruned = whole.pruned.unwrap();
        assert_eq!((pruned.seals, pruned.events), (2, 12));
        assert_eq!((pruned.first_at.date().to_string(), pruned.last_at.date().to_string()), ("2021-03-01".into(), "2024-03-13".into()));
        assert_eq!((whole.events, whole.waiting), (5, 0), "and the event that tells of it is sealed");
    }
    assert_eq!(prune::run(&t.app).unwrap(), 0);
    // What was pruned cannot come back, nor be told of another day, nor be used to hide what is missing elsewhere.
    let back = "INSERT INTO audit_events (id, at, actor, actor_name, action, success, seal) \
        SELECT 'new', at, actor, actor_name, action, success, 1 FROM audit_events WHERE seal = 3 LIMIT 1";
    assert_eq!(after(&t, back, None), Err(Broken::EventAdded(1)));
    assert_eq!(after(&t, "UPDATE audit_seals SET pruned_at = '2022-01-01 00:00:00' WHERE number = 1", None), Err(Broken::MarkChanged(1)));
    assert_eq!(
        after(&t, "UPDATE audit_seals SET pruned_at = NULL, pruned_mac = NULL WHERE number = 1", None),
        Err(Broken::EventMissing(1))
    );
    let stolen = "UPDATE audit_seals SET pruned_at = (SELECT s.pruned_at FROM audit_seals s WHERE s.number = 1), \
        pruned_mac = (SELECT s.pruned_mac FROM audit_seals s WHERE s.number = 1) WHERE number = 3; DELETE FROM audit_events WHERE seal = 3";
    assert_eq!(after(&t, stolen, None), Err(Broken::MarkChanged(3)));
}

fn head_after(t: &TestApp, day: &str, events: usize) -> Head {
    t.set_day(day);
    note(&t.app, events);
    seal::run(&t.app).unwrap();
    head(t)
}

#[actix_web::test]
async fn another_key_for_the_installation_leaves_every_seal_as_it_is() {
    let t = four_batches().await;
    let kept = head(&t);
    let new = SecretKey::generate().unwrap();
    key_change::change(&t.app, &new).unwrap();
    assert_eq!(proven(&t, Some(&kept)), Err(Broken::Key), "the old one opens it no more");
    assert!(seal::run(&t.app).is_err(), "and seals no more");
    let mut t = t;
    t.app.key = Arc::new(new);
    let whole = proven(&t, Some(&kept)).unwrap();
    assert_eq!((whole.events, whole.head), (20, Some(kept.clone())));
    note(&t.app, 3);
    seal::run(&t.app).unwrap();
    assert_eq!(proven(&t, Some(&kept)).unwrap().waiting, 0);
}

/// The command, on the test's installation.
fn kinchart(t: &TestApp, arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kinchart"));
    command.args(arguments).env_clear().env("KINCHART_DATA", &t.app.config.data).env("KINCHART_UPLOADS", &t.app.config.uploads);
    if let Database::Postgres { url } = &t.app.config.database {
        command.env("KINCHART_DATABASE_URL", url);
    }
    command.output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

#[actix_web::test]
async fn the_command_tells_by_its_exit_code_and_in_words() {
    let t = TestApp::new().await;
    let (code, told) = said(&kinchart(&t, &["verify"]));
    assert!(code == Some(0) && told.contains("Nothing is sealed yet"), "{told}");
    assert_eq!(said(&kinchart(&t, &["verify", "--print-head"])).0, Some(1));
    for _ in 0..3 {
        note(&t.app, 4);
        seal::run(&t.app).unwrap();
    }
    let (code, printed) = said(&kinchart(&t, &["verify", "--print-head"]));
    assert_eq!((code, printed.trim()), (Some(0), head(&t).to_string().as_str()));
    let (code, told) = said(&kinchart(&t, &["verify", "--head", printed.trim()]));
    assert!(code == Some(0) && told.contains("12 events in 3 batches") && told.contains("is among them"), "{told}");
    assert_eq!(said(&kinchart(&t, &["verify", "--head", "nonsense"])).0, Some(2));
    let change = |text: &str| {
        t.app
            .db
            .write(|tx| {
                unguard(tx)?;
                Ok(tx.batch_execute(text)?)
            })
            .unwrap();
    };
    change("DELETE FROM audit_seals WHERE number = 3; DELETE FROM audit_events WHERE seal = 3");
    // The data folder tells it, and so does the head that was kept, when the folder has none.
    let (code, told) = said(&kinchart(&t, &["verify"]));
    assert!(code == Some(1) && told.contains("ends with batch 2") && told.contains("audit.head"), "{told}");
    std::fs::remove_file(t.app.config.data.join("audit.head")).unwrap();
    let (code, told) = said(&kinchart(&t, &["verify", "--head", printed.trim()]));
    assert!(code == Some(1) && told.contains("ends with batch 2") && told.contains("batch 3"), "{told}");
    t.app.db.write(|tx| Ok(tx.batch_execute("UPDATE audit_events SET actor = 'x' WHERE seal = 1")?)).unwrap_or(());
    let (code, told) = said(&kinchart(&t, &["verify", "--print-head"]));
    assert!(code == Some(1) && told.contains("Batch 1: an event was changed"), "{told}");
}
