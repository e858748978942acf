//! The same bytes again: nobody learns by an upload what else is there.

use kinchart::{access::Permission, records};

use super::{PDF, medication, put, upload};
use crate::common::{Share, TestApp, sample::Sample};

#[actix_web::test]
async fn who_sees_a_part_is_not_asked_about_what_lies_in_another() {
    let t = TestApp::new().await;
    let (owner, helper) = (t.user("owner"), t.stranger("helper"));
    let ada = owner.patient("Ada");
    let allergies = records::kind("allergies").unwrap();
    let (hidden, seen) = (medication(&owner, &ada, 1), owner.record(&ada, allergies, &Sample::least(allergies, 1)));
    put(&owner.api(true), &ada, &[("record", hidden.as_str())], "first.pdf", PDF).await.is(201);
    owner.share(&ada, &helper, &Share { kinds: Some(vec!["allergies".into()]), ..Share::to(Permission::Edit) });
    let next = upload(&helper, &ada, &[("record", seen.as_str())], &[("mine.pdf", PDF)]).await.location();
    assert_eq!(next, format!("/patients/{ada}/allergies/{seen}"));
    // Of what they do see they are asked.
    let next = upload(&helper, &ada, &[("record", seen.as_str())], &[("again.pdf", PDF)]).await.location();
    helper.get(&next).await.is(200).has("mine.pdf").lacks("first.pdf");
}
