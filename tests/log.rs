//! Nothing a person wrote about anybody's health is in the log, at any level, whatever happens.

use kinchart::records;

use crate::common::{TestApp, log::lines_with, sample::Sample};

#[actix_web::test]
async fn no_word_of_a_record_is_in_the_log() {
    const CANARY: &str = "zqxcanaryword";
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let stranger = t.stranger("stranger");
    let ada = owner.patient_with(&[("first_name", CANARY), ("last_name", CANARY), ("notes", CANARY)]);
    for kind in records::kinds() {
        let url = format!("/patients/{ada}/{}", kind.name);
        let mut pairs = Sample::full(&owner, &ada, kind, 0).tagged(&[CANARY]).form(kind);
        for (_, text) in pairs.iter_mut().filter(|(_, text)| text.starts_with("Größe")) {
            text.insert_str(0, CANARY);
        }
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let id = owner.post(&url, &pairs).await.new_id();
        owner.get(&format!("{url}?q={CANARY}&sort=nothing{CANARY}")).await.is(422);
        owner.get(&format!("{url}/{id}")).await.is(200);
        owner.get(&format!("{url}/{CANARY}")).await.is(404);
        owner.post(&format!("{url}/{id}/edit"), &[("notes", CANARY), ("_version", "99")]).await;
        owner.post(&url, &[(CANARY, CANARY), ("notes", CANARY), ("notes", CANARY)]).await.is(422);
        owner.post_body(&url, format!("{CANARY}=%zz&{CANARY}")).await;
        stranger.post(&format!("{url}/{id}/edit"), &[("notes", CANARY)]).await.is(404);
        t.anon().post(&url, &[("notes", CANARY)]).await.is(401);
    }
    owner.get(&format!("/search?q={CANARY}")).await.is(200);
    t.app.reads.flush(&t.app.db).unwrap();
    kinchart::jobs::run_due(&t.app).unwrap();
    // A broken row: the failure is told without its value.
    let broken = format!("UPDATE patients SET birth_date = '{CANARY}' WHERE id = '{ada}'");
    t.app.db.write(|tx| Ok(diesel::RunQueryDsl::execute(diesel::sql_query(&broken), &mut **tx)?)).unwrap();
    owner.get(&format!("/patients/{ada}/allergies")).await.is(500).lacks(CANARY);
    let lines = lines_with(CANARY);
    assert!(lines.is_empty(), "{} lines: {:?}", lines.len(), &lines[..lines.len().min(5)]);
    assert!(!lines_with("kinchart").is_empty(), "the log is listened to");
}

#[test]
fn a_secret_in_any_line_ends_the_test() {
    // Run as a test of its own program, which ends: the guard of every other test.
    const INNER: &str = "KINCHART_TEST_LOG_GUARD";
    if std::env::var(INNER).is_ok() {
        crate::common::log::listen();
        crate::common::log::never("a secret of some length");
        log::info!("here comes a secret of some length");
        return;
    }
    let own = std::env::current_exe().unwrap();
    let inner = std::process::Command::new(own)
        .args(["--exact", "log::a_secret_in_any_line_ends_the_test", "--nocapture"])
        .env(INNER, "1")
        .output()
        .unwrap();
    assert!(!inner.status.success());
    assert!(String::from_utf8_lossy(&inner.stderr).contains("stands in the log"));
}
