//! What the data folder tells of the audit: whoever can change the database alone can neither cut off its end nor have it sealed anew.

use std::{fs, path::PathBuf, sync::Arc};

use chrono::Duration;
use diesel::connection::SimpleConnection;
use kinchart::{
    app::App,
    audit::{
        Action, Event,
        head::{self, Differs, Found},
        seal::{self, Head},
        verify::{self, Broken, Proven},
    },
    config::Config,
    jobs,
};

use super::{count, four_batches, kinchart, note, said, unguard};
use crate::common::{TestApp, on_postgres};

/// Puts back what refuses.
fn guard(t: &TestApp) {
    let text = if on_postgres() {
        "ALTER TABLE audit_events ENABLE TRIGGER USER; ALTER TABLE audit_seals ENABLE TRIGGER USER;"
    } else {
        include_str!("../../migrations/sqlite/0014b_audit_stays/up.sql")
    };
    t.app.db.write(|tx| Ok(tx.batch_execute(text)?)).unwrap();
}

/// Does what whoever owns the database can, and leaves no trace of it but the data.
fn forge(t: &TestApp, text: &str) {
    t.app
        .db
        .write(|tx| {
            unguard(tx)?;
            Ok(tx.batch_execute(text)?)
        })
        .unwrap();
    guard(t);
}

fn all(app: &App) -> Result<Proven, Broken> {
    verify::installation(app, None).unwrap()
}

fn file(t: &TestApp) -> PathBuf {
    t.app.config.data.join(head::FILE_NAME)
}

/// The number of the batch that the data folder tells of.
fn kept(app: &App) -> i64 {
    head::read(&app.config.data).head().unwrap().number
}

/// Another server on the same database, with a data folder of its own.
fn elsewhere(t: &TestApp) -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data: folder.path().to_owned(), ..(*t.app.config).clone() };
    (App { config: Arc::new(config), ..t.app.clone() }, folder)
}

const ANEW: &str = "UPDATE audit_events SET seal = NULL; DELETE FROM audit_seals; DELETE FROM installation WHERE name = 'audit_key'; \
    DELETE FROM audit_events WHERE detail = 'detail 1'; UPDATE audit_events SET actor = 'somebody else'";
const END: &str = "UPDATE audit_events SET seal = NULL WHERE seal > 1; DELETE FROM audit_seals WHERE number > 1; \
    UPDATE audit_events SET actor = 'somebody else' WHERE seal IS NULL";
const NOTHING: &str = "DELETE FROM audit_seals; DELETE FROM audit_events; DELETE FROM installation WHERE name = 'audit_key'";

#[actix_web::test]
async fn who_has_the_database_alone_has_nothing_sealed_anew() {
    for (forged, differs, seals) in [
        (ANEW, Differs::Emptied { kept: 4 }, 0),
        (END, Differs::Behind { kept: 4, newest: 1 }, 1),
        (NOTHING, Differs::Emptied { kept: 4 }, 0),
    ] {
        let t = four_batches().await;
        assert_eq!(all(&t.app).unwrap().folder.unwrap().head.number, 4);
        forge(&t, forged);
        assert_eq!(all(&t.app), Err(Broken::Folder(differs.clone())), "{forged}");
        assert!(seal::run(&t.app).is_err(), "{forged}");
        // By the job, as it runs: what it is made for goes on, and it tells.
        jobs::ensure_standing(&t.app).unwrap();
        jobs::run_due(&t.app).unwrap();
        note(&t.app, 2);
        t.later(Duration::days(2));
        jobs::run_due(&t.app).unwrap();
        assert_eq!(all(&t.app), Err(Broken::Folder(differs)), "{forged}");
        assert_eq!(count(&t, "SELECT count(*) AS count FROM audit_seals"), seals, "{forged}");
        assert_eq!(count(&t, "SELECT count(*) AS count FROM installation WHERE name = 'audit_key'"), seals, "{forged}");
        let (code, told) = said(&kinchart(&t, &["verify"]));
        assert!(code == Some(1) && told.contains("audit.head"), "{told}");
        let admin = t.admin("root");
        admin.get("/admin/jobs").await.is(200).says("Seal the audit").says("failed");
        admin.get("/admin/audit").await.is(200).says("The audit is no longer sealed");
    }
}

#[actix_web::test]
async fn a_batch_that_took_the_place_of_another_is_found() {
    let t = four_batches().await;
    let (other, _folder) = elsewhere(&t);
    forge(&t, "UPDATE audit_events SET seal = NULL WHERE seal = 4; DELETE FROM audit_seals WHERE number = 4");
    // A server that never saw the fourth batch makes another one of it.
    assert_eq!(seal::run(&other).unwrap(), 6);
    assert!(all(&other).is_ok());
    assert_eq!(all(&t.app), Err(Broken::Folder(Differs::Other(4))));
    assert!(seal::run(&t.app).is_err());
}

#[actix_web::test]
async fn a_folder_that_is_behind_is_well_and_catches_up() {
    let t = four_batches().await;
    let (other, _folder) = elsewhere(&t);
    let before = fs::read(file(&t)).unwrap();
    assert_eq!((seal::run(&other).unwrap(), kept(&other), kept(&t.app)), (1, 5, 4), "another server sealed");
    let whole = all(&t.app).unwrap();
    assert_eq!((whole.head.unwrap().number, whole.folder.unwrap().head.number), (5, 4));
    assert!(said(&kinchart(&t, &["verify"])).1.contains("is 1 batches behind"));
    assert_eq!((seal::run(&t.app).unwrap(), kept(&t.app)), (0, 5), "although nothing waited");
    for app in [&t.app, &other, &t.app] {
        note(app, 1);
        assert_eq!(seal::run(app).unwrap(), 1);
    }
    assert_eq!((kept(&t.app), kept(&other)), (8, 7));
    assert!(all(&t.app).is_ok() && all(&other).is_ok());
    // The program ended before it told the folder.
    fs::write(file(&t), before).unwrap();
    assert_eq!(all(&t.app).unwrap().folder.unwrap().head.number, 4);
    note(&t.app, 1);
    seal::run(&t.app).unwrap();
    assert_eq!(kept(&t.app), 9);
    // An installation of an older version, or of a new folder, has none yet.
    fs::remove_file(file(&t)).unwrap();
    assert_eq!(all(&t.app).unwrap().folder, None);
    let (code, told) = said(&kinchart(&t, &["verify"]));
    assert!(code == Some(0) && told.contains("There is no audit.head"), "{told}");
    seal::run(&t.app).unwrap();
    assert_eq!(kept(&t.app), 9);
}

#[actix_web::test]
async fn a_folder_that_takes_no_file_keeps_nobody_from_sealing() {
    let t = four_batches().await;
    fs::remove_file(t.app.config.data.join("audit.head.lock")).unwrap();
    fs::create_dir(t.app.config.data.join("audit.head.lock")).unwrap();
    assert_eq!(seal::run(&t.app).unwrap(), 1);
    let whole = all(&t.app).unwrap();
    assert_eq!((whole.head.unwrap().number, whole.folder.unwrap().head.number), (5, 4));
}

#[actix_web::test]
async fn a_file_that_was_changed_is_found_and_never_written_over() {
    let t = four_batches().await;
    let text = fs::read_to_string(file(&t)).unwrap();
    let of_three = t.app.db.read(|conn| {
        use diesel::prelude::*;
        use kinchart::db::schema::audit_seals;
        Ok(audit_seals::table.find(3_i64).select(audit_seals::mac).first::<String>(conn)?)
    });
    let newest = head::read(&t.app.config.data).head().unwrap().to_string();
    let foreign = text.replace(&newest, &format!("3-{}", of_three.unwrap()));
    for (changed, differs) in [
        (foreign, Differs::Foreign),
        (text.replace("mac ", "aside 9-").replacen("aside 9-", "mac 0", 1), Differs::Foreign),
        (text.replace("head 4", "head 44"), Differs::Foreign),
        (String::new(), Differs::Unreadable),
        (format!("{text}more\n"), Differs::Unreadable),
    ] {
        fs::write(file(&t), &changed).unwrap();
        assert_eq!(all(&t.app), Err(Broken::Folder(differs)), "{changed}");
        assert!(seal::run(&t.app).is_err());
        assert_eq!(fs::read_to_string(file(&t)).unwrap(), changed);
    }
    // Another installation's.
    let other = four_batches().await;
    fs::copy(file(&other), file(&t)).unwrap();
    assert_eq!(all(&t.app), Err(Broken::Folder(Differs::Foreign)));
    fs::write(file(&t), text).unwrap();
    assert!(all(&t.app).is_ok());
}

#[actix_web::test]
async fn an_older_database_is_accepted_by_who_says_so_and_the_audit_tells() {
    for (older, differs) in [
        (
            "DELETE FROM audit_events WHERE seal > 2 OR seal IS NULL; DELETE FROM audit_seals WHERE number > 2",
            Differs::Behind { kept: 4, newest: 2 },
        ),
        (NOTHING, Differs::Emptied { kept: 4 }),
    ] {
        let t = four_batches().await;
        let (code, told) = said(&kinchart(&t, &["verify", "--accept-older"]));
        assert!(code == Some(0) && told.contains("nothing to accept"), "{told}");
        let was = head::read(&t.app.config.data).head().cloned().unwrap();
        forge(&t, older);
        assert_eq!(all(&t.app), Err(Broken::Folder(differs)));
        let (code, told) = said(&kinchart(&t, &["verify"]));
        assert!(code == Some(1) && told.contains("--accept-older"), "{told}");
        assert_eq!(said(&kinchart(&t, &["verify", "--accept-older", "--print-head"])).0, Some(2));
        let (code, told) = said(&kinchart(&t, &["verify", "--accept-older"]));
        assert!(code == Some(0) && told.contains("an event tells of it"), "{told}");
        let of_accepting =
            format!("SELECT count(*) AS count FROM audit_events WHERE action = 'audit_accepted' AND seal > 0 AND detail = '{was}'");
        assert_eq!(count(&t, &of_accepting), 1);
        let (code, told) = said(&kinchart(&t, &["verify"]));
        assert!(code == Some(0) && told.contains("an older database was accepted, in the place of one with 4 batches"), "{told}");
        // It goes on from there, and is as safe as before.
        note(&t.app, 3);
        assert_eq!(seal::run(&t.app).unwrap(), 3);
        let folder = all(&t.app).unwrap().folder.unwrap();
        assert_eq!(folder.aside.iter().map(|aside| aside.head.clone()).collect::<Vec<Head>>(), [was]);
        forge(&t, NOTHING);
        assert!(matches!(all(&t.app), Err(Broken::Folder(Differs::Emptied { .. }))) && seal::run(&t.app).is_err());
    }
}

#[actix_web::test]
async fn what_is_broken_otherwise_is_not_accepted() {
    let t = four_batches().await;
    forge(&t, &format!("{END}; UPDATE audit_events SET detail = 'other' WHERE seal = 1"));
    let (code, told) = said(&kinchart(&t, &["verify", "--accept-older"]));
    assert!(code == Some(1) && told.contains("Batch 1: an event was changed"), "{told}");
    assert_eq!(kept(&t.app), 4);
}

#[actix_web::test]
async fn tables_that_do_not_refuse_are_told() {
    let t = four_batches().await;
    assert!(all(&t.app).is_ok());
    let names = ["audit_events_as_written", "audit_events_stay", "audit_seals_as_written", "audit_seals_stay"];
    let missing: Vec<(&str, String)> = if on_postgres() {
        let table = |name: &str| name.split('_').take(2).collect::<Vec<_>>().join("_");
        let mut all: Vec<(&str, String)> =
            names.iter().map(|name| (*name, format!("ALTER TABLE {} DISABLE TRIGGER {name}", table(name)))).collect();
        all.push(("audit_events_not_emptied", "DROP TRIGGER audit_events_not_emptied ON audit_events".to_owned()));
        let nothing = "CREATE OR REPLACE FUNCTION audit_event_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$";
        all.push(("audit_events_stay", nothing.to_owned()));
        all.push(("swallows", "CREATE RULE swallows AS ON INSERT TO audit_events DO INSTEAD NOTHING".to_owned()));
        all
    } else {
        let mut all: Vec<(&str, String)> = names.iter().map(|name| (*name, format!("DROP TRIGGER {name}"))).collect();
        all.push((
            "audit_events_stay",
            "DROP TRIGGER audit_events_stay; CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events WHEN FALSE \
             BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END"
                .to_owned(),
        ));
        all.push(("swallows", "CREATE TRIGGER swallows AFTER INSERT ON audit_events BEGIN SELECT 1; END".to_owned()));
        all
    };
    for (name, text) in missing {
        let t = four_batches().await;
        t.app.db.write(|tx| Ok(tx.batch_execute(&text)?)).unwrap();
        assert_eq!(all(&t.app), Err(Broken::Unguarded(name.to_owned())), "{text}");
    }
}

#[actix_web::test]
async fn a_server_that_seals_nothing_is_told() {
    let t = four_batches().await;
    t.later(Duration::minutes(29));
    note(&t.app, 1);
    assert_eq!(all(&t.app).unwrap().waiting, 2, "it may have been stopped for so long");
    // What commands do waits for a server, however long.
    t.later(Duration::days(2));
    t.app.db.write(|tx| Ok(Event::by_the_program(Action::AccountChanged, t.now()).write(tx)?)).unwrap();
    assert_eq!(all(&t.app).unwrap().waiting, 3);
    let (code, told) = said(&kinchart(&t, &["verify"]));
    assert!(code == Some(0) && told.contains("Attention: 3 events wait"), "{told}");
    note(&t.app, 1);
    assert!(matches!(all(&t.app), Err(Broken::Unsealed { .. })));
    seal::run(&t.app).unwrap();
    assert!(all(&t.app).is_ok());
    assert!(matches!(head::read(&t.app.config.data), Found::Head { .. }));
}
