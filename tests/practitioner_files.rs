//! Documents of a practitioner: for who sees the entry in their own household's directory, and for nobody with a share.

use kinchart::{access::Permission, files::blobs};

use crate::{
    common::{Share, TestApp},
    files::PDF,
    inbox::{drop_in, upload_to, waiting},
};

#[actix_web::test]
async fn papers_of_a_practitioner_are_kept_shown_changed_and_thrown_away() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let entry = format!("/directory/practitioners/{}", owner.practitioner("Dr Wu"));
    let base = format!("{entry}/files");
    owner.get(&entry).await.is(200).says("No documents yet").has(&format!("action=\"{base}\""));
    let next =
        upload_to(&owner, &base, &[("card.pdf", PDF), ("bad.jpg", PDF)]).await.is(422).says("The ending of the name").has("card.pdf");
    let href =
        next.nodes().into_iter().filter_map(|n| n.attr("href").map(str::to_owned)).find(|h| h.starts_with(&format!("{base}/"))).unwrap();
    owner.get(&entry).await.is(200).has("card.pdf").has(&href);
    assert_eq!(owner.get(&format!("{href}/content")).await.is(200).body, PDF);
    let form = owner.get(&href).await.is(200).says("Dr Wu").form(&href);
    owner.submit(&form.clone().with("description", "The card").with("category", "card")).await.location();
    owner.submit(&form.with("description", "Mine")).await.is(409).says("Description The card Mine");
    owner.get(&base).await.is(200).says("The card");
    owner.get(&format!("{base}?q=nothing")).await.is(200).lacks("The card");
    owner.post(&format!("{href}/delete"), &[]).await.location();
    owner.get(&base).await.is(200).lacks("The card");
    owner.get(&format!("{href}/content")).await.is(404);
    owner.get(&format!("{base}?trash=1")).await.is(200).says("The card");
    owner.post(&format!("{href}/restore"), &[]).await.location();
    // Seen once more, it is asked about.
    let next = upload_to(&owner, "/inbox", &[("again.pdf", PDF)]).await.location();
    owner.get(&next).await.is(200).says("The card at Dr Wu");
}

#[actix_web::test]
async fn only_who_sees_the_entry_in_their_directory_sees_its_papers() {
    let t = TestApp::new().await;
    let (owner, sibling, helper) = (t.user("owner"), t.user("sibling"), t.stranger("helper"));
    let ada = owner.patient("Ada");
    owner.share(&ada, &helper, &Share::to(Permission::Full));
    let wu = owner.practitioner("Dr Wu");
    let base = format!("/directory/practitioners/{wu}/files");
    upload_to(&owner, &base, &[("card.pdf", PDF)]).await.location();
    let page = sibling.get(&base).await.is(200).has("card.pdf");
    let href =
        page.nodes().into_iter().filter_map(|n| n.attr("href").map(str::to_owned)).find(|h| h.starts_with(&format!("{base}/"))).unwrap();
    for path in [base.clone(), href.clone(), format!("{href}/content")] {
        helper.get(&path).await.is(404);
        t.anon().get(&path).await.is(303);
    }
    upload_to(&helper, &base, &[("x.pdf", PDF)]).await.is(404);
    helper.post(&format!("{href}/delete"), &[]).await.is(404);
    // Published: everybody sees the entry, and nobody else its papers.
    t.app
        .db
        .write(|tx| {
            use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
            use kinchart::db::schema::practitioners;
            Ok(diesel::update(practitioners::table.find(&wu)).set(practitioners::is_published.eq(true)).execute(&mut **tx)?)
        })
        .unwrap();
    helper.get(&format!("/directory/practitioners/{wu}")).await.is(200).says("Dr Wu").lacks("card.pdf").lacks("multipart");
    helper.get(&href).await.is(404);
    // A paper of the inbox is not one of the practitioner's, whatever the address says.
    let id = drop_in(&owner, "other.pdf", "%PDF-1.4 other").await;
    owner.get(&format!("{base}/{id}")).await.is(404);
    owner.get(&format!("/directory/practices/{wu}/files")).await.is(404);
}

#[actix_web::test]
async fn with_the_entry_its_papers_are_not_lost() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let wu = owner.practitioner("Dr Wu");
    upload_to(&owner, &format!("/directory/practitioners/{wu}/files"), &[("card.pdf", PDF)]).await.location();
    owner.post(&format!("/directory/practitioners/{wu}/delete"), &[]).await.location();
    assert_eq!(waiting(&owner.api(false)).await[0]["file_name"], "card.pdf");
    t.later(chrono::Duration::hours(2));
    kinchart::jobs::ensure_standing(&t.app).unwrap();
    kinchart::jobs::run_due(&t.app).unwrap();
    assert_eq!(blobs::check(&t.app, t.app.storage.as_ref(), true).unwrap().whole, 1);
}
