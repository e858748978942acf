//! The family's tree, relatives who are patients themselves, and relatives shown to others.

use kinchart::{
    access::{self, Full, Permission},
    db::types::{InvitationId, PatientId, RecordId, ShareId},
    error::Error,
    family::shares::{self, Wanted},
    records,
};
use serde_json::{Value, json};

use crate::common::{Person, Share, TestApp, on_postgres};

/// A relative through the API, as a program would write one; its id.
async fn relative(person: &Person, patient: &PatientId, body: Value) -> String {
    let answer = person.api(true).post(&format!("/api/v1/patients/{patient}/family-members"), &body).await.is(201);
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn had(name: &str, code: &str, age: u8) -> Value {
    json!({"condition_name": name, "icd10_code": code, "diagnosis_age": age, "condition_type": "cancer"})
}

async fn a_family(owner: &Person, patient: &PatientId) -> Vec<String> {
    let mut ids = Vec::new();
    for body in [
        json!({"name": "Karl", "relationship": "father", "birth_year": 1931, "death_year": 2001, "family_conditions": [had("Colorectal cancer", "C18.9", 61)]}),
        json!({"name": "Helga", "relationship": "mother", "birth_year": 1935}),
        json!({"name": "Inge", "relationship": "sister", "birth_year": 1958, "family_conditions": [had("Bowel cancer", "C18", 44)]}),
        json!({"name": "Otto", "relationship": "brother", "birth_year": 1962}),
        json!({"name": "Lotte", "relationship": "half_sister", "side": "paternal", "family_conditions": [had("Gout", "M10", 50)]}),
        json!({"name": "Matthias", "relationship": "brother", "is_adopted": true, "family_conditions": [had("Colorectal cancer", "", 30)]}),
        json!({"name": "Neighbour", "relationship": "other"}),
    ] {
        ids.push(relative(owner, patient, body).await);
    }
    ids
}

#[actix_web::test]
async fn the_tree_is_drawn_counted_and_listed() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let url = format!("/patients/{ada}/family");
    owner.get(&url).await.is(200).says("It shows what runs in the family").lacks("<svg role");
    let ids = a_family(&owner, &ada).await;
    let page = owner.get(&url).await.is(200);
    let page = page
        .says("2 of 4 known first-degree relatives, youngest at 44")
        .says("1 relative by adoption, not related by blood")
        .says("Relatives without a place stand in the list only")
        .has("role=\"img\"")
        .has("class=\"tie adoption\"")
        .lacks("style=")
        .has(&format!("/patients/{ada}/family-members/{}", ids[0]));
    assert_eq!(page.body.matches("class=\"symbol").count(), 8, "the person, six relatives, the half-sister's mother, and nobody twice");
    owner.get(&format!("{url}?condition=c18")).await.is(200).has("value=\"c18\" selected");
    owner.get(&format!("{url}?condition=nothing")).await.is(200);
    owner.get(&format!("/patients/{ada}/family-members")).await.is(200).has(&url);
    assert!(owner.audit(&ada).iter().any(|event| event.action == "listed" && event.kind.as_deref() == Some("family-members")));
}

#[actix_web::test]
async fn the_tree_opens_to_who_sees_the_relatives() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    relative(&owner, &ada, json!({"name": "Karl", "relationship": "father"})).await;
    relative(&owner, &ada, json!({"name": "Secretia", "relationship": "aunt", "sensitivity": "mental_health"})).await;
    let url = format!("/patients/{ada}/family");
    t.anon().get(&url).await.is(303);
    t.stranger("stranger").get(&url).await.is(404);
    let (kinds, partly, viewer) = (t.stranger("kinds"), t.stranger("partly"), t.stranger("viewer"));
    owner.share(&ada, &kinds, &Share { kinds: Some(vec!["vitals".into()]), ..Share::default() });
    kinds.get(&url).await.is(404);
    owner.share(&ada, &partly, &Share { without: Some(vec!["mental_health".into()]), ..Share::default() });
    partly.get(&url).await.is(200).says("Karl").lacks("Secretia");
    owner.share(&ada, &viewer, &Share::default());
    viewer.get(&url).await.is(200).says("Secretia").lacks("Add relative");
}

#[actix_web::test]
async fn the_tree_costs_the_same_few_queries_for_any_family() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let url = format!("/patients/{ada}/family");
    let mut counts = Vec::new();
    for round in 0..3 {
        let other = owner.patient(&format!("Other{round}"));
        relative(&owner, &ada, json!({"name": "One", "relationship": "sister", "linked_patient_id": other})).await;
        for _ in 0..round * 10 {
            relative(
                &owner,
                &ada,
                json!({"name": "More", "relationship": "cousin", "side": "maternal", "family_conditions": [had("Gout", "M10", 50)]}),
            )
            .await;
        }
        let before = t.app.db.statements();
        owner.get(&url).await.is(200);
        counts.push(t.app.db.statements() - before);
    }
    assert!(counts.iter().all(|n| *n == counts[0]), "{counts:?}");
    // Three transactions are begun and ended around: the session's, the look for what was taken over, the page's.
    let around = if on_postgres() { 9 } else { 6 };
    assert!(counts[0] <= 12 + around, "{counts:?}");
}

#[actix_web::test]
async fn a_relative_who_is_a_patient_is_seen_through_ones_own_access() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, grace) =
        (owner.patient("Ada"), owner.patient_with(&[("first_name", "Grace"), ("last_name", "Hopper"), ("birth_date", "1935")]));
    let elsewhere = t.stranger("elsewhere");
    let foreign = elsewhere.patient("Foreign");
    let api = owner.api(true);
    api.post(&format!("/api/v1/patients/{grace}/conditions"), &json!({"diagnosis": "Migraine", "status": "active", "onset_date": "1955"}))
        .await
        .is(201);
    let body = |patient: &PatientId| json!({"name": "Mum", "relationship": "mother", "linked_patient_id": patient});
    let list = format!("/api/v1/patients/{ada}/family-members");
    api.post(&list, &body(&foreign)).await.is(422);
    api.post(&list, &body(&ada)).await.is(422);
    let form = owner.get(&format!("/patients/{ada}/family-members/new")).await.is(200).form(&format!("/patients/{ada}/family-members"));
    let offered = form.choices.iter().find(|(name, _)| name == "linked_patient_id").unwrap();
    assert_eq!(offered.1, [String::new(), grace.to_string()]);
    let id = relative(&owner, &ada, body(&grace)).await;
    let (page, tree) = (format!("/patients/{ada}/family-members/{id}"), format!("/patients/{ada}/family"));
    owner.get(&tree).await.is(200).says("Grace Hopper").says("Migraine, at 20");
    owner.get(&page).await.is(200).says("Grace Hopper (1935)");

    // An editor of Ada alone sees nothing of Grace, and leaves her where she is.
    let editor = t.user("editor");
    owner.share(&ada, &editor, &Share::to(Permission::Edit));
    let blind = |text: &str| assert!(!text.contains("Grace") && !text.contains(grace.as_str()) && !text.contains("Migraine"), "{text}");
    for path in [
        &tree,
        &page,
        &format!("{page}/edit"),
        &format!("{page}/history"),
        &format!("/patients/{ada}/family-members/csv"),
        &format!("/patients/{ada}/family-members/new?from={id}"),
    ] {
        blind(&editor.get(path).await.is(200).body);
    }
    let program = editor.api(true);
    let told = program.get(&format!("{list}/{id}")).await.is(200).json();
    assert_eq!(told["linked_patient_id"], Value::Null);
    program.put(&format!("{list}/{id}"), 1, &json!({"name": "Mother", "relationship": "mother"})).await.is(200);
    program.put(&format!("{list}/{id}"), 2, &json!({"name": "Mother", "relationship": "mother", "linked_patient_id": grace})).await.is(422);
    let form = editor.get(&format!("{page}/edit")).await.is(200).form(&format!("{page}/edit"));
    editor.submit(&form).await.location();
    editor.post(&format!("{page}/delete"), &[]).await.location();
    editor.post(&format!("{page}/restore"), &[]).await.location();
    editor.post(&format!("{page}/history/1"), &[]).await.location();
    let kept = api.get(&format!("{list}/{id}")).await.is(200).json();
    assert_eq!(kept["linked_patient_id"], json!(grace));
    program.get(&format!("{list}?linked_patient_id={grace}")).await.is(422);
    program.get(&format!("{list}?sort=linked_patient_id")).await.is(422);

    // With a share of Grace that leaves out conditions, her name and not her conditions.
    owner.share(&grace, &editor, &Share { kinds: Some(vec!["vitals".into()]), ..Share::default() });
    editor.get(&tree).await.is(200).says("Grace Hopper").lacks("Migraine");
    api.put(&format!("{list}/{id}"), kept["version"].as_i64().unwrap(), &json!({"name": "Mum", "relationship": "mother"})).await.is(200);
    owner.get(&tree).await.is(200).lacks("Grace Hopper");
}

struct Shared {
    t: TestApp,
    sender: Person,
    receiver: Person,
    ada: PatientId,
    ids: Vec<String>,
}

fn wanted(s: &Shared, members: &[usize]) -> Wanted {
    Wanted {
        patient: s.ada.clone(),
        members: members.iter().map(|i| RecordId::parse(&s.ids[*i]).unwrap()).collect(),
        note: Some("My aunt's side, from Ada's chart".into()),
        expires_at: Some(s.t.now() + chrono::Duration::days(30)),
    }
}

fn accept(s: &Shared, wanted: &Wanted) -> kinchart::error::Result<Vec<ShareId>> {
    s.sender.db().write(|tx| {
        let invitation = an_invitation(tx, s);
        shares::accept(tx, &s.sender.actor(), &s.receiver.id, &invitation, wanted, s.t.now())
    })
}

fn an_invitation(tx: &mut kinchart::db::Tx<'_>, s: &Shared) -> InvitationId {
    use diesel::prelude::*;
    use kinchart::db::schema::invitations;
    let id = InvitationId::new();
    diesel::insert_into(invitations::table)
        .values((
            invitations::id.eq(&id),
            invitations::sent_by_user_id.eq(&s.sender.id),
            invitations::sent_to.eq("receiver"),
            invitations::invitation_type.eq("family_history_share"),
            invitations::status.eq("accepted"),
            invitations::title.eq("t"),
            invitations::context_data.eq("{}"),
            invitations::generation.eq(1),
            invitations::expires_at.eq(s.t.now()),
            invitations::created_at.eq(s.t.now()),
            invitations::updated_at.eq(s.t.now()),
        ))
        .execute(&mut **tx)
        .unwrap();
    id
}

async fn shared() -> Shared {
    let t = TestApp::new().await;
    let (sender, receiver) = (t.user("sender"), t.stranger("receiver"));
    let ada = sender.patient("Ada");
    let ids = a_family(&sender, &ada).await;
    Shared { t, sender, receiver, ada, ids }
}

#[actix_web::test]
async fn single_relatives_are_shown_and_nothing_else() {
    let s = shared().await;
    let full = |f: &mut dyn FnMut(&mut kinchart::db::Conn, &access::PatientAccess<Full>)| {
        s.sender
            .db()
            .read(|conn| {
                let access = access::grant::<Full>(conn, &s.sender.actor(), &s.ada, s.t.now())?;
                f(conn, &access);
                Ok(())
            })
            .unwrap();
    };
    full(&mut |conn, access| {
        let preview = shares::preview(conn, access, &wanted(&s, &[0, 2])).unwrap();
        let told: Vec<_> = preview.iter().map(|p| (p.name.as_str(), p.relationship.as_str(), p.conditions)).collect();
        assert_eq!(told, [("Karl", "father", 1), ("Inge", "sister", 1)]);
        let stranger = Wanted { members: vec![RecordId::new()], ..wanted(&s, &[0]) };
        assert!(matches!(shares::check(conn, access, &stranger), Err(Error::Invalid(e)) if e[0].0 == "members"));
        assert!(matches!(shares::check(conn, access, &wanted(&s, &[])), Err(Error::Invalid(_))));
        let over = Wanted { expires_at: Some(s.t.now() - chrono::Duration::hours(1)), ..wanted(&s, &[0]) };
        assert!(matches!(shares::check(conn, access, &over), Err(Error::Invalid(_))));
    });
    s.receiver.get("/family-history").await.is(200).says("Nobody shows you relatives");
    accept(&s, &wanted(&s, &[2])).unwrap();
    accept(&s, &wanted(&s, &[2])).unwrap();
    let page = s.receiver.get("/family-history").await.is(200);
    let page = page
        .says("Shown by sender")
        .says("Inge")
        .says("Bowel cancer, at 44")
        .says("My aunt's side, from Ada's chart")
        .lacks("Karl")
        .lacks("Lovelace");
    assert_eq!(page.body.matches("Bowel cancer").count(), 1, "shown once, however often it was shared");
    for path in ["", "/family", "/family-members", &format!("/family-members/{}", s.ids[2]), "/timeline"] {
        s.receiver.get(&format!("/patients/{}{path}", s.ada)).await.is(404);
    }
    s.receiver.get("/search?q=Inge").await.is(200).says("Nothing found");
    s.receiver.get("/patients").await.is(200).lacks("Ada");
    assert!(s.sender.audit(&s.ada).iter().any(|e| e.action == "shared" && e.record_id.as_deref() == Some(s.ids[2].as_str())));
    assert!(s.sender.audit(&s.ada).iter().any(|e| e.action == "read" && e.actor == s.receiver.id.to_string()));
    full(&mut |conn, access| {
        let given = shares::list_given(conn, access).unwrap();
        assert_eq!(given.iter().map(|g| (g.name.as_str(), g.receiver.as_str())).collect::<Vec<_>>(), [("Inge", "receiver")]);
    });
}

#[actix_web::test]
async fn a_share_ends_with_its_time_its_record_and_its_sender() {
    let s = shared().await;
    let shows = async |name: &str| s.receiver.clone().signed_in().get("/family-history").await.is(200).text().contains(name);
    let ids = accept(&s, &wanted(&s, &[0, 2])).unwrap();
    assert!(shows("Karl").await && shows("Inge").await);
    s.sender
        .db()
        .write(|tx| {
            let access = access::grant::<Full>(tx, &s.sender.actor(), &s.ada, s.t.now())?;
            shares::revoke(tx, &access, &ids[0])?;
            assert!(matches!(shares::revoke(tx, &access, &ids[0]), Err(Error::NotFound)));
            Ok(())
        })
        .unwrap();
    assert!(!shows("Karl").await || !shows("Inge").await);
    accept(&s, &wanted(&s, &[0, 2])).unwrap();
    s.sender.post(&format!("/patients/{}/family-members/{}/delete", s.ada, s.ids[0]), &[]).await.location();
    assert!(!shows("Karl").await && shows("Inge").await);
    s.t.later(chrono::Duration::days(31));
    assert!(!shows("Inge").await);

    // Somebody with all of a patient but what is sensitive gives on what they see, and only while they may.
    let helper = s.t.stranger("helper");
    s.sender.share(&s.ada, &helper, &Share { without: Some(vec!["mental_health".into()]), ..Share::to(Permission::Full) });
    let by_helper = Shared { sender: helper.clone(), receiver: s.receiver.clone(), t: s.t.clone(), ada: s.ada.clone(), ids: s.ids.clone() };
    accept(&by_helper, &wanted(&by_helper, &[2])).unwrap();
    assert!(shows("Inge").await);
    let path = format!("/api/v1/patients/{}/family-members/{}", s.ada, s.ids[2]);
    s.sender.api(true).put(&path, 1, &json!({"name": "Inge", "relationship": "sister", "sensitivity": "mental_health"})).await.is(200);
    assert!(!shows("Inge").await);
    let editor = s.t.stranger("editor");
    s.sender.share(&s.ada, &editor, &Share::to(Permission::Edit));
    let by_editor = Shared { sender: editor, ..by_helper };
    assert!(matches!(accept(&by_editor, &wanted(&by_editor, &[3])), Err(Error::Forbidden)));
}

#[actix_web::test]
async fn a_relative_taken_over_keeps_its_source_and_is_offered_what_changes() {
    let s = shared().await;
    let share = accept(&s, &wanted(&s, &[2])).unwrap().remove(0);
    let own = s.receiver.patient("Own");
    let take = format!("/family-history/{share}/take");
    s.t.stranger("other").get(&take).await.is(404);
    s.t.stranger("another").post(&take, &[("patient", own.as_str()), ("relationship", "aunt")]).await.is(404);
    s.receiver.get(&take).await.is(200).says("Take over Inge").lacks("Ada");
    s.receiver.post(&take, &[("patient", own.as_str()), ("relationship", "")]).await.is(422);
    s.receiver.post(&take, &[("patient", s.ada.as_str()), ("relationship", "aunt")]).await.is(404);
    let id = s.receiver.post(&take, &[("patient", own.as_str()), ("relationship", "aunt"), ("side", "maternal")]).await.new_id();
    s.receiver
        .post(&take, &[("patient", own.as_str()), ("relationship", "aunt")])
        .await
        .is(422)
        .says("taken over into this history before");
    let mine = format!("/api/v1/patients/{own}/family-members/{id}");
    let record = s.receiver.api(false).get(&mine).await.is(200).json();
    assert_eq!(
        (&record["relationship"], &record["side"], &record["source"]),
        (&json!("aunt"), &json!("maternal"), &json!("family:sender"))
    );
    s.receiver
        .get(&format!("/patients/{own}/family-members/{id}"))
        .await
        .is(200)
        .says("Taken over from the family history that sender shared");
    assert_eq!((&record["birth_year"], &record["family_conditions"][0]["diagnosis_age"]), (&json!(1958), &json!(44)));

    let theirs = format!("/api/v1/patients/{}/family-members/{}", s.ada, s.ids[2]);
    let changed =
        json!({"name": "Inge", "relationship": "sister", "birth_year": 1957, "family_conditions": [had("Bowel cancer", "C18", 43)]});
    s.sender.api(true).put(&theirs, 1, &changed).await.is(200);
    let tree = format!("/patients/{own}/family");
    s.receiver.get(&tree).await.is(200).says("2 values have changed where relatives were taken over from");
    s.receiver.get(&tree).await.is(200).says("2 values have changed");
    let record = s.receiver.api(false).get(&mine).await.is(200).json();
    assert_eq!((&record["birth_year"], &record["version"]), (&json!(1958), &json!(1)), "nothing is applied silently");
    let offers = format!("/patients/{own}/family-members/{id}/offers");
    s.receiver.post(&offers, &[("field", "birth_year"), ("answer", "take")]).await.location();
    s.receiver.post(&offers, &[("field", "family_conditions"), ("answer", "dismiss")]).await.location();
    let page = s.receiver.get(&tree).await.is(200).lacks("values have changed").lacks("value has changed");
    let record = s.receiver.api(false).get(&mine).await.is(200).json();
    assert_eq!((&record["birth_year"], &record["family_conditions"][0]["diagnosis_age"]), (&json!(1957), &json!(44)));
    drop(page);

    // When the share is over, what was taken stays and nothing more is offered.
    s.t.later(chrono::Duration::days(31));
    s.sender.api(true).put(&theirs, 2, &json!({"name": "Inge", "relationship": "sister", "birth_year": 1950})).await.is(200);
    s.receiver.clone().signed_in().get(&tree).await.is(200).says("Inge").lacks("has changed where").lacks("have changed where");
    assert_eq!(s.receiver.count(&own, records::kind("family-members").unwrap()), 1);
}

#[actix_web::test]
async fn whoever_descends_from_an_adopted_relative_is_counted_in_no_degree() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let brother = relative(&owner, &ada, json!({"name": "Matthias", "relationship": "brother", "is_adopted": true})).await;
    let gout = json!([had("Gout", "M10", 40)]);
    let niece = json!({"name": "Nina", "relationship": "niece", "father_id": brother, "family_conditions": gout});
    relative(&owner, &ada, niece).await;
    let page = owner.get(&format!("/patients/{ada}/family")).await.is(200);
    page.says("1 relative by adoption, not related by blood").lacks("known second-degree");
}

#[actix_web::test]
async fn a_relative_with_an_own_record_needs_no_name_of_their_own() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let list = format!("/patients/{ada}/family-members");
    let new = format!("{list}/new");
    let grace = owner.patient_with(&[("first_name", "Grace"), ("last_name", "Hopper")]);
    let form = owner.get(&new).await.is(200).form(&list).with("relationship", "mother");
    owner.submit(&form).await.is(422).has("href=\"#f-name\"");
    let id = owner.submit(&form.with("linked_patient_id", grace.as_str())).await.new_id();
    owner.get(&format!("{list}/{id}")).await.is(200).says("Grace Hopper");
    owner.get("/search?q=Hopper").await.is(200).has(&id);

    let api = owner.api(true);
    let path = format!("/api/v1{list}");
    api.post(&path, &json!({"relationship": "mother"})).await.is(422);
    let told = api.post(&path, &json!({"relationship": "sister", "linked_patient_id": grace})).await.is(201).json();
    assert_eq!(told["name"], json!("Grace Hopper"));
    // Of a patient whom the writer does not see, no name is told.
    let foreign = t.stranger("elsewhere").patient("Foreign");
    let answer = api.post(&path, &json!({"relationship": "sister", "linked_patient_id": foreign})).await.is(422);
    assert!(!answer.body.contains("Lovelace") && answer.body.contains("linked_patient_id"), "{}", answer.body);
}

#[actix_web::test]
async fn a_bad_form_shows_nobody_anything_and_loses_nothing() {
    let s = shared().await;
    let url = format!("/patients/{}/family/share", s.ada);
    let base = [("member", s.ids[2].as_str()), ("to", "receiver"), ("until", ""), ("message", "keep me")];
    for (name, value, says, at) in [
        ("to", "", "Fill this in", "f-to"),
        ("to", "sender", "This is you.", "f-to"),
        ("to", "sender@example.org", "This is you.", "f-to"),
        ("to", "two words", "no blanks", "f-to"),
        ("until", "2026-03-13", "over already", "f-until"),
        ("until", "2026", "whole day", "f-until"),
        ("until", "someday", "", "f-until"),
        ("member", "../x", "not there", "f-members"),
        ("member", "nobody", "not there", "f-members"),
        ("message", &"x".repeat(501), "500", "f-message"),
    ] {
        let mut pairs: Vec<(&str, &str)> = base.iter().copied().filter(|(n, _)| *n != name).collect();
        pairs.push((name, value));
        let answer = s.sender.post(&url, &pairs).await.is(422).has(&format!("href=\"#{at}\"")).has(&format!("id=\"{at}-d\""));
        assert!(answer.text().contains(says), "{name}={value}: {}", answer.text());
        if name != "message" {
            answer.has("keep me");
        }
    }
    let none: Vec<(&str, &str)> = base.iter().copied().filter(|(n, _)| *n != "member").collect();
    s.sender.post(&url, &none).await.is(422).says("Choose at least one relative").has("href=\"#f-members\"");
    s.sender.post(&url, &[("to", ""), ("until", "")]).await.is(422).has("href=\"#f-to\"").has("href=\"#f-members\"");
    let both = [("member", s.ids[2].as_str()), ("to", ""), ("until", "2026"), ("message", "")];
    s.sender.post(&url, &both).await.is(422).has("href=\"#f-to\"").has("href=\"#f-until\"");
    // Who owns the record sees everybody.
    let owner = s.t.stranger("owner-too");
    s.sender.post(&format!("/patients/{}/sharing/owner", s.ada), &[("to", "owner-too")]).await.is(303);
    let page = owner.get("/invitations").await.is(200);
    let at = page.body.find("/invitations/").unwrap();
    let invitation: String = page.body[at..].chars().take_while(|c| *c != '"').collect();
    owner.post(&invitation, &[("answer", "accept")]).await.is(303);
    let to_owner = [("member", s.ids[2].as_str()), ("to", "owner-too")];
    s.sender.post(&url, &to_owner).await.is(422).says("in already");
    s.sender.post(&url, &base).await.is(303);
    s.receiver.get("/family-history").await.is(200).lacks("Inge");
}
