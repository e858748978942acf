//! Who looked: an owner sees every look of others, every change and every link, in words; nobody else sees the page.

use chrono::Duration;
use kinchart::{access::Permission, records};

use crate::common::{Share, TestApp, sample::Sample};

#[actix_web::test]
async fn an_owner_sees_who_looked_and_who_changed() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("allergies").unwrap();
    let id = owner.record(&ada, kind, &Sample::least(kind, 1).with("allergen", "Penicillin"));
    let looks = format!("/patients/{ada}/looks");
    let ana = t.stranger("Ana Petrov");
    owner.share(&ada, &ana, &Share::to(Permission::Edit));
    ana.get(&format!("/patients/{ada}/medications")).await.is(200);
    ana.get(&format!("/patients/{ada}/allergies/{id}")).await.is(200);
    ana.get(&format!("/patients/{ada}/allergies/csv")).await.is(200);
    ana.get(&format!("/patients/{ada}/allergies?print=1")).await.is(200);
    owner.get(&format!("/patients/{ada}/vitals")).await.is(200);
    let page = owner.get(&looks).await.is(200);
    let page = page.says("Ana Petrov looked at the list of medications").says("Ana Petrov looked at the allergy: Penicillin");
    let page = page.says("Ana Petrov downloaded the list of allergies").says("Ana Petrov printed the list of allergies");
    page.says("owner added the allergy").lacks("list of vitals");
    owner.get(&format!("{looks}?own=1")).await.is(200).says("owner looked at the list of vitals");
    owner
        .get(&format!("{looks}?who={}", owner.id))
        .await
        .is(200)
        .says("owner looked at the list of vitals")
        .lacks("<strong dir=\"auto\">Ana");
    owner.get(&format!("{looks}?what=changed")).await.is(200).says("owner added the allergy").lacks("looked at the list");
    owner.get(&format!("{looks}?what=downloaded")).await.is(200).says("downloaded").lacks("added the allergy");
    let file = owner.get(&format!("{looks}/csv?what=looked")).await.is(200).has("Ana Petrov,false,read,looked at the allergy,allergies");
    assert!(file.header("content-disposition").unwrap().contains("who-looked") && !file.body.contains("Penicillin"));
    ana.get(&format!("{looks}/csv")).await.is(403);
    // A record that is gone is told without its title.
    owner.post(&format!("/patients/{ada}/allergies/{id}/delete"), &[("_version", "1")]).await;
    owner.get(&looks).await.is(200).says("owner deleted the allergy").lacks("Penicillin");
}

#[actix_web::test]
async fn only_owners_see_who_looked() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let looks = format!("/patients/{ada}/looks");
    t.anon().get(&looks).await.is(303);
    t.stranger("stranger").get(&looks).await.is(404);
    t.admin("root").get(&looks).await.is(404);
    let full = t.stranger("full");
    owner.share(&ada, &full, &Share::to(Permission::Full));
    full.get(&looks).await.is(403);
    full.get(&format!("/patients/{ada}")).await.is(200).lacks(&looks);
    owner.get(&format!("/patients/{ada}")).await.is(200).has(&looks);
}

#[actix_web::test]
async fn looks_are_paged_filtered_by_day_and_joined() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let looks = format!("/patients/{ada}/looks");
    let ana = t.stranger("Ana");
    owner.share(&ada, &ana, &Share::default());
    for _ in 0..3 {
        ana.get(&format!("/patients/{ada}/vitals")).await.is(200);
    }
    owner.get(&looks).await.is(200).says("looked at the list of vitals 3 times");
    t.later(Duration::hours(1));
    let (owner, ana) = (owner.signed_in(), ana.signed_in());
    for kind in records::kinds() {
        for _ in 0..4 {
            ana.get(&format!("/patients/{ada}/{}", kind.name)).await.is(200);
        }
    }
    let first = owner.get(&format!("{looks}?per_page=20")).await.is(200).has("rel=\"next\"").lacks("rel=\"prev\"");
    let next = first.nodes().into_iter().find(|node| node.attr("rel") == Some("next")).unwrap();
    owner.get(next.attr("href").unwrap()).await.is(200).has("rel=\"prev\"").has("rel=\"next\"");
    owner.get(&format!("{looks}?per_page=201")).await.is(422);
    owner.get(&format!("{looks}?to=2026-03-13")).await.is(200).lacks("list of vitals");
    owner.get(&format!("{looks}?from=2026-03-14&to=2026-03-14")).await.is(200).says("list of vitals").says("14 Mar 2026");
    owner.get(&format!("{looks}?from=nonsense")).await.is(422).has("id=\"f-from-d\"");
    for wrong in ["what=nonsense", "outcome=refused", "from=2026-03-15&to=2026-03-14"] {
        owner.get(&format!("{looks}?{wrong}")).await.is(422).lacks("list of vitals");
        owner.get(&format!("{looks}/csv?{wrong}")).await.is(422);
    }
    let cost = async |query: &str| {
        let before = t.app.db.statements();
        owner.get(&format!("{looks}?{query}")).await.is(200);
        t.app.db.statements() - before
    };
    assert_eq!(cost("per_page=1").await, cost("per_page=200").await, "no more statements with more rows");
}

#[actix_web::test]
async fn a_link_and_who_came_through_it_are_told() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let url = format!("/patients/{ada}/links");
    let pairs = [("set", "everything"), ("lasts", "1h"), ("passcode_from", "own"), ("passcode", "tulip-12"), ("title", "Dr. Lind")];
    let page = owner.post(&url, &pairs).await.is(200);
    let address = page.nodes().into_iter().find(|node| node.attr("id") == Some("made-address")).unwrap();
    let path = format!("/l/{}", address.attr("value").unwrap().rsplit('/').next().unwrap());
    t.anon().post(&path, &[("passcode", "rose-99")]).await.is(422);
    let answer = t.anon().post(&path, &[("passcode", "tulip-12")]).await;
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    t.anon().with_cookie(Some(cookie)).get(&answer.location()).await.is(200);
    let page = owner.get(&format!("/patients/{ada}/looks")).await.is(200);
    let page = page.says("owner made a link for a professional: Dr. Lind").says("Somebody with the link “Dr. Lind” opened the link");
    page.says("link “Dr. Lind” read the summary").says("link “Dr. Lind” gave a wrong passcode refused");
    owner.get(&format!("/patients/{ada}/looks?what=link")).await.is(200).says("opened the link").lacks("read the summary");

    // Two of the same title are told apart by when they were made, and so is what was withdrawn.
    t.later(Duration::hours(3));
    let owner = owner.signed_in();
    owner.post(&url, &pairs).await.is(200);
    let page = owner.get(&format!("/patients/{ada}/looks")).await.is(200);
    let newer = page.text().split("made a link for a professional: Dr. Lind, ").nth(1).unwrap().split(" owner ").next().unwrap().to_owned();
    let page = page.says("Somebody with the link “Dr. Lind, ");
    assert!(!page.text().contains(&format!("Dr. Lind, {}” opened", newer.trim())), "{newer}");
    let revoke = owner.get(&url).await.is(200).body;
    let at = revoke.find(&format!("{url}/")).unwrap();
    let path: String = revoke[at..].chars().take_while(|c| *c != '"').collect();
    owner.post(&path, &[]).await.is(303);
    owner.get(&format!("/patients/{ada}/looks")).await.is(200).says("owner withdrew a link: Dr. Lind, ");
}
