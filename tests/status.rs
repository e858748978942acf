//! The quick change of a status from the list: what is recorded stays, and what it cannot do alone goes on in the record's form.

use kinchart::records::{Kind, kind};

use crate::common::{Person, TestApp, sample::Sample};
use kinchart::db::types::{PatientId, RecordId};

fn record(owner: &Person, ada: &PatientId, kind: &'static Kind, pairs: &[(&str, &str)]) -> RecordId {
    let fields = pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    owner.record(ada, kind, &Sample { fields, ..Sample::default() })
}

fn get(owner: &Person, ada: &PatientId, kind: &'static Kind, id: &RecordId, field: &str) -> Option<String> {
    owner.load(ada, kind, id).entry.get(kind.field(field).unwrap().0)
}

#[actix_web::test]
async fn a_recorded_end_stays_unless_another_is_written() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = kind("medications").unwrap();
    let url = format!("/patients/{ada}/medications");
    let id = record(
        &owner,
        &ada,
        kind,
        &[
            ("medication_name", "Amoxicillin"),
            ("status", "stopped"),
            ("effective_period_start", "2024"),
            ("effective_period_end", "2025-02"),
        ],
    );
    let form = owner.get(&format!("{url}?change={id}")).await.is(200).form(&format!("{url}/{id}/status"));
    assert_eq!(form.value("ended_on"), Some("2025-02"));
    owner.submit(&form.clone().with("status", "completed")).await.is(303);
    assert_eq!(get(&owner, &ada, kind, &id, "effective_period_end").as_deref(), Some("2025-02"));
    let form = owner.get(&format!("{url}?change={id}")).await.form(&format!("{url}/{id}/status"));
    owner.submit(&form.with("status", "stopped").with("ended_on", "2025-03-01")).await.is(303);
    assert_eq!(get(&owner, &ada, kind, &id, "effective_period_end").as_deref(), Some("2025-03-01"));

    let new = record(&owner, &ada, kind, &[("medication_name", "Ibuprofen"), ("status", "active")]);
    let form = owner.get(&format!("{url}?change={new}")).await.form(&format!("{url}/{new}/status"));
    assert_eq!(form.value("ended_on"), Some("2026-03-14"));
    owner.submit(&form.clone().with("status", "on-hold")).await.is(303);
    assert_eq!(get(&owner, &ada, kind, &new, "effective_period_end"), None, "nothing has ended");
}

#[actix_web::test]
async fn what_the_quick_change_cannot_do_goes_on_in_the_form() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let conditions = kind("conditions").unwrap();
    let url = format!("/patients/{ada}/conditions");
    let id = record(&owner, &ada, conditions, &[("diagnosis", "Asthma"), ("status", "resolved"), ("end_date", "2021")]);
    let quick = || async { owner.get(&format!("{url}?change={id}")).await.form(&format!("{url}/{id}/status")) };
    let asked = owner.submit(&quick().await.with("status", "active")).await.is(422).has("href=\"#f-end_date\"");
    let form = asked.form(&format!("{url}/{id}/edit"));
    assert_eq!((form.value("status"), form.value("diagnosis"), form.value("end_date")), (Some("active"), Some("Asthma"), Some("2021")));
    assert_eq!(get(&owner, &ada, conditions, &id, "status").as_deref(), Some("resolved"));
    owner.submit(&form.with("end_date", "")).await.is(303);
    assert_eq!(get(&owner, &ada, conditions, &id, "status").as_deref(), Some("active"));

    let again = record(&owner, &ada, conditions, &[("diagnosis", "Eczema"), ("status", "resolved"), ("end_date", "2021")]);
    let form = owner.get(&format!("{url}?change={again}")).await.form(&format!("{url}/{again}/status"));
    owner.submit(&form.with("status", "active").with("ended_on", "")).await.is(303);
    assert_eq!(get(&owner, &ada, conditions, &again, "end_date"), None, "taken away by the person");

    let labs = kind("lab-results").unwrap();
    let url = format!("/patients/{ada}/lab-results");
    let id = record(&owner, &ada, labs, &[("test_name", "Ferritin"), ("status", "ordered")]);
    let form = owner.get(&format!("{url}?change={id}")).await.form(&format!("{url}/{id}/status"));
    owner.submit(&form.clone().with("status", "cancelled")).await.is(303);
    assert_eq!(get(&owner, &ada, labs, &id, "completed_date"), None, "a cancelled test has no result's day");
    let form = owner.get(&format!("{url}?change={id}")).await.form(&format!("{url}/{id}/status"));
    owner.submit(&form.with("status", "completed").with("ended_on", "2026-03-10")).await.is(303);
    assert_eq!(get(&owner, &ada, labs, &id, "completed_date").as_deref(), Some("2026-03-10"));
    let form = owner.get(&format!("{url}?change={id}")).await.form(&format!("{url}/{id}/status"));
    let asked = owner.submit(&form.with("ended_on", "")).await.is(422);
    asked.says("Keep it: the day is not known").has(&format!("action=\"{url}/{id}/edit\""));
}

#[actix_web::test]
async fn a_status_that_is_not_recorded_can_be_seen_and_changed() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let url = format!("/patients/{ada}/medications");
    let id = record(&owner, &ada, kind("medications").unwrap(), &[("medication_name", "Ibuprofen")]);
    owner.get(&url).await.is(200).has(&format!("?change={id}#r-{id}\" title=\"Change status\">not recorded</a>"));
    let form = owner.get(&format!("{url}?change={id}")).await.form(&format!("{url}/{id}/status"));
    assert_eq!(form.value("status"), Some(""), "nothing is chosen for the person");
}
