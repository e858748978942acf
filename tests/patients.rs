//! Patients as people: what was said of them, by whom, and an earlier version brought back.

use kinchart::access::Permission;

use crate::common::{Share, TestApp};

#[actix_web::test]
async fn a_patient_has_a_history_and_an_earlier_version_comes_back() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let doctor = owner.practitioner("Dr Ruiz");
    let ada = owner.patient("Ada");
    let edit = format!("/patients/{ada}/edit");
    let form = owner.get(&edit).await.is(200).form(&edit).with("birth_date", "1961-02-03").with("physician_id", &doctor);
    owner.submit(&form).await.location();
    let page = format!("/patients/{ada}/history");
    owner.get(&format!("/patients/{ada}")).await.has(&format!("href=\"{page}\""));
    let viewer = t.stranger("viewer");
    owner.share(&ada, &viewer, &Share::default());
    let history = viewer.get(&page).await.is(200).says("Dr Ruiz").says("3 Feb 1961").says("owner");
    assert!(history.body.contains("<del>"), "the difference is shown");
    assert!(!history.body.contains("/history/1"), "who looks cannot restore");
    for (name, person, status) in [("viewer", viewer, 403), ("stranger", t.stranger("stranger"), 404), ("nobody", t.anon(), 401)] {
        assert_eq!(person.post(&format!("{page}/1"), &[]).await.status, status, "{name}");
    }
    t.stranger("other").get(&page).await.is(404);

    let helper = t.stranger("helper");
    owner.share(&ada, &helper, &Share::to(Permission::Full));
    let restore = helper.get(&page).await.is(200).form(&format!("{page}/1"));
    helper.submit(&restore).await.location();
    let now = owner.patient_now(&ada);
    assert_eq!(
        (now.version, now.fields.birth_date.map(|d| d.as_str().to_owned()), now.fields.physician_id),
        (3, Some("1960".into()), None)
    );
    assert_eq!(helper.submit(&restore).await.status, 412, "it was made for version 2");
    owner.post(&format!("{page}/9"), &[]).await.is(404);
}

#[actix_web::test]
async fn that_there_are_none_does_not_come_back_by_itself() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let url = format!("/patients/{ada}/allergies");
    let says = "No known allergies";
    owner.post(&format!("/patients/{ada}/none-known/allergies"), &[("none", "true")]).await.is(303);
    owner.get(&url).await.has("name=\"none\" value=\"false\"");
    let id = owner.record(
        &ada,
        kinchart::records::kind("allergies").unwrap(),
        &crate::common::sample::Sample::least(kinchart::records::kind("allergies").unwrap(), 1),
    );
    owner.post(&format!("/patients/{ada}/none-known/allergies"), &[("none", "true")]).await.is(422);
    owner.post(&format!("{url}/{id}/delete"), &[]).await.is(303);
    owner.get(&url).await.has("name=\"none\" value=\"true\"");
    owner.get(&format!("/patients/{ada}")).await.lacks(says);
    owner.post(&format!("/patients/{ada}/none-known/allergies"), &[("none", "true")]).await.is(303);
    owner.post(&format!("{url}/{id}/restore"), &[]).await.is(303);
    owner.post(&format!("{url}/{id}/delete"), &[]).await.is(303);
    owner.get(&url).await.has("name=\"none\" value=\"true\"");
}
