//! Shares and invitations as people use them: what waits opens nothing, what is accepted opens exactly what was told, what ends is closed.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::Barrier,
};

use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use kinchart::{
    access::Permission,
    config::SmtpSecurity,
    db::{
        schema::{household_members, invitations, patient_owners, patient_shares, patients, users},
        types::{HouseholdId, InvitationId, PatientId, UserId},
    },
    error::Error,
    invitations::{self as inviting, Answer},
    jobs,
    records::{self, Kind},
    sharing::watch,
};

use crate::common::{Person, Share, TestApp, sample::Sample};

fn kind(name: &str) -> &'static Kind {
    records::kind(name).unwrap()
}

fn sharing(patient: &PatientId) -> String {
    format!("/patients/{patient}/sharing")
}

/// Invites, with what else the form says, and tells the invitation's id and its link's path.
async fn invite(t: &TestApp, from: &Person, patient: &PatientId, to: &str, more: &[(&str, &str)]) -> (InvitationId, String) {
    let mut pairs = vec![("to", to), ("permission", "view")];
    pairs.extend_from_slice(more);
    if !more.iter().any(|(name, _)| *name == "set") {
        pairs.push(("set", "everything"));
    }
    from.post(&sharing(patient), &pairs).await.is(303);
    newest(t)
}

fn newest(t: &TestApp) -> (InvitationId, String) {
    let id: InvitationId =
        t.app.db.read(|conn| Ok(invitations::table.order(invitations::id.desc()).select(invitations::id).first(conn)?)).unwrap();
    let link = t.app.db.read(|conn| inviting::find(conn, &id)).unwrap().link(&t.app.key, &t.app.config);
    (id, link.replace("http://localhost:8080", ""))
}

async fn accept(person: &Person, id: &InvitationId) {
    person.post(&format!("/invitations/{id}"), &[("answer", "accept")]).await.is(303);
}

fn shares(t: &TestApp) -> i64 {
    t.app.db.read(|conn| Ok(patient_shares::table.filter(patient_shares::is_active.eq(true)).count().get_result(conn)?)).unwrap()
}

fn owners(t: &TestApp, patient: &PatientId) -> Vec<UserId> {
    let of = patient_owners::table.filter(patient_owners::patient_id.eq(patient)).order(patient_owners::created_at);
    t.app.db.read(|conn| Ok(of.select(patient_owners::user_id).load(conn)?)).unwrap()
}

#[actix_web::test]
async fn a_grandmother_sees_the_allergies_for_one_weekend() {
    let t = TestApp::new().await;
    let (mother, granny) = (t.user("mother"), t.stranger("granny"));
    let ada = mother.patient("Ada");
    let allergy = mother.record(&ada, kind("allergies"), &Sample::least(kind("allergies"), 1));
    mother.record(&ada, kind("medications"), &Sample::least(kind("medications"), 1));
    let terms =
        [("set", "chosen"), ("kinds", "allergies"), ("starts_on", "2026-03-21"), ("ends_on", "2026-03-22"), ("message", "For the weekend")];
    let (id, link) = invite(&t, &mother, &ada, "granny", &terms).await;

    // What one gets is said before, to the receiver alone, and nothing of it is open.
    let told = granny.get(&format!("/invitations/{id}")).await.is(200).says("Ada").says("For the weekend").text();
    assert!(told.contains("Only allergies") && told.contains("21") && told.contains("22"), "{told}");
    mother.get(&format!("/invitations/{id}")).await.is(404);
    t.stranger("other").get(&format!("/invitations/{id}")).await.is(404);
    granny.get(&format!("/patients/{ada}")).await.is(404);
    granny.get("/").await.is(200).has("/invitations");
    granny.get(&link).await.is(200).says("Ada");

    let answer = granny.post(&format!("/invitations/{id}"), &[("answer", "accept")]).await;
    granny.get(&answer.location()).await.is(200).says("It opens on the day it begins").lacks("open to you now");
    granny.get(&format!("/patients/{ada}/allergies")).await.is(404);
    t.set_day("2026-03-21");
    let granny = granny.clone().signed_in();
    granny.get(&format!("/patients/{ada}/allergies/{allergy}")).await.is(200);
    granny.get(&format!("/patients/{ada}/medications")).await.is(404);
    granny.get(&format!("/patients/{ada}/allergies/{allergy}/edit")).await.is(403);
    granny.get(&sharing(&ada)).await.is(403);
    granny.get("/sharing").await.is(200).says("Ada").says("mother");
    t.set_day("2026-03-22");
    granny.clone().signed_in().get(&format!("/patients/{ada}/allergies")).await.is(200);
    t.set_day("2026-03-23");
    let (granny, mother) = (granny.signed_in(), mother.signed_in());
    granny.get(&format!("/patients/{ada}/allergies")).await.is(404);
    granny.get("/sharing").await.is(200).lacks("Ada");
    mother.get(&sharing(&ada)).await.is(200).says("ended");
}

#[actix_web::test]
async fn the_form_answers_the_same_for_who_is_here_and_who_is_not() {
    let t = TestApp::new().await;
    let mother = t.user("mother");
    let known = t.stranger("known");
    let ada = mother.patient("Ada");
    let mut pages = Vec::new();
    for to in ["known", "unknown", "known@example.org", "unknown@example.org"] {
        mother.post(&sharing(&ada), &[("to", to), ("permission", "view"), ("set", "everything")]).await.is(303);
        let (id, _) = newest(&t);
        let page = mother.get("/invitations").await.is(200).text();
        mother.post(&format!("/invitations/{id}/cancel"), &[]).await.is(303);
        pages
            .push((page.contains(to) && page.contains("waits for an answer") && page.contains("/join/"), page.contains("Link to pass on")));
    }
    assert!(pages.iter().all(|seen| *seen == pages[0]), "{pages:?}");
    assert!(known.get("/invitations").await.is(200).text().contains("taken back"));
}

#[actix_web::test]
async fn bad_invitations_are_told_at_their_field_and_lose_nothing() {
    let t = TestApp::new().await;
    let (mother, father, aunt) = (t.user("mother"), t.user("father"), t.stranger("aunt"));
    let ada = mother.patient("Ada");
    let theirs = aunt.patient("Zoe");
    mother.share(&ada, &aunt, &Share::default());
    t.app
        .db
        .write(|tx| {
            let row = (patient_owners::patient_id.eq(&ada), patient_owners::user_id.eq(&father.id), patient_owners::created_at.eq(t.now()));
            Ok(diesel::insert_into(patient_owners::table).values(row).execute(&mut **tx)?)
        })
        .unwrap();
    let base = [("to", "somebody"), ("permission", "view"), ("set", "everything"), ("note", "keep me")];
    for (name, value, says) in [
        ("to", "", "Fill this in"),
        ("to", "mother", "This is you."),
        ("to", "MOTHER", "This is you."),
        ("to", "mother@example.org", "This is you."),
        ("to", "father", "in already"),
        ("to", "aunt", "in already"),
        ("to", "not an address@", ""),
        ("to", "two words", "no blanks"),
        ("permission", "own", ""),
        ("permission", "", ""),
        ("set", "all", ""),
        ("kinds", "patients", ""),
        ("tags", "somebody-elses", ""),
        ("without", "normal", ""),
        ("ends_on", "2026-03-13", "over already"),
        ("ends_on", "2026", "whole day"),
        ("ends_on", "31.2.2026", ""),
        ("note", &"x".repeat(501), ""),
    ] {
        let mut pairs: Vec<(&str, &str)> = base.iter().copied().filter(|(n, _)| *n != name).collect();
        pairs.push((name, value));
        let answer = mother.post(&sharing(&ada), &pairs).await.is(422);
        assert!(answer.text().contains(says) && answer.body.contains(&format!("f-{name}")), "{name}={value}: {}", answer.text());
        if name != "note" {
            answer.has("keep me");
        }
    }
    let mut ends_first = base.to_vec();
    ends_first.extend([("starts_on", "2026-03-20"), ("ends_on", "2026-03-19")]);
    mother.post(&sharing(&ada), &ends_first).await.is(422).has("f-ends_on");
    // Another patient's id in the body: one may not share them, so there is no such patient.
    let mut others = base.to_vec();
    others.push(("patients", theirs.as_str()));
    mother.post(&sharing(&ada), &others).await.is(404);
    let sent: i64 = t.app.db.read(|conn| Ok(invitations::table.count().get_result(conn)?)).unwrap();
    assert_eq!((sent, shares(&t)), (0, 1));
}

#[actix_web::test]
async fn a_link_opens_once_for_whom_it_was_meant() {
    let t = TestApp::new().await;
    let (mother, aunt) = (t.user("mother"), t.stranger("aunt"));
    let ada = mother.patient("Ada");
    let (id, link) = invite(&t, &mother, &ada, "new@example.org", &[("set", "emergency")]).await;
    // Nobody is signed in: told what it is, and where an account is made.
    let anon = t.anon();
    anon.get(&link).await.is(200).says("Ada").says("mother").has(&format!("{link}/account"));
    anon.post(&link, &[("answer", "accept")]).await.is(401).says("Sign in");
    mother.get(&link).await.is(409).says("your own");
    for wrong in
        [format!("{link}x"), link[..link.len() - 1].to_owned(), link.replacen("join/0", "join/1", 1), "/join/x.y".into(), "/join/x".into()]
    {
        aunt.get(&wrong).await.is(404).lacks("Ada");
        aunt.post(&wrong, &[("answer", "accept")]).await.is(404);
    }
    // Sent again: the link before is dead.
    mother.post(&format!("/invitations/{id}/again"), &[]).await.is(303);
    let (_, newer) = newest(&t);
    assert_ne!(link, newer);
    aunt.get(&link).await.is(404);
    aunt.get(&format!("/invitations/{id}")).await.is(404);
    aunt.post(&newer, &[("answer", "accept")]).await.is(303);
    aunt.get(&format!("/patients/{ada}/allergies")).await.is(200);
    aunt.get(&format!("/patients/{ada}/vitals")).await.is(404);
    // Used: for another it opens nothing.
    let third = t.stranger("third");
    third.get(&newer).await.is(409).lacks("Ada");
    third.post(&newer, &[("answer", "accept")]).await.is(404);
    third.get(&format!("/patients/{ada}")).await.is(404);
    assert_eq!(shares(&t), 1);
}

#[actix_web::test]
async fn who_has_no_account_makes_one_with_the_link() {
    let t = TestApp::new().await;
    let mother = t.user("mother");
    let ada = mother.patient("Ada");
    let (_, link) = invite(&t, &mother, &ada, "New@Example.org", &[]).await;
    let anon = t.anon();
    let form = anon.get(&format!("{link}/account")).await.is(200).says("new@example.org").form(&format!("{link}/account"));
    let filled = form
        .with("full_name", "Nan")
        .with("username", "nan")
        .with("password", "an odd and long one 93")
        .with("password_again", "an odd and long one 93");
    anon.submit(&filled.clone().with("password_again", "x")).await.is(422).has("Nan");
    anon.submit(&filled).await.is(303);
    let (role, email): (String, Option<String>) =
        t.app.db.read(|conn| Ok(users::table.filter(users::username.eq("nan")).select((users::role, users::email)).first(conn)?)).unwrap();
    assert_eq!((role.as_str(), email.as_deref()), ("guest", Some("new@example.org")), "who is shown a patient makes none");
    // A name is not somebody's address: no account is made with an invitation by name.
    let (_, by_name) = invite(&t, &mother, &ada, "somebody", &[]).await;
    anon.get(&format!("{by_name}/account")).await.is(404);
    t.stranger("else").post(&by_name, &[("answer", "accept")]).await.is(404);
}

#[actix_web::test]
async fn what_was_answered_expired_or_taken_back_stays_so() {
    let t = TestApp::new().await;
    let (mother, aunt) = (t.user("mother"), t.stranger("aunt"));
    let ada = mother.patient("Ada");
    let yes = [("answer", "accept")];
    let (id, _) = invite(&t, &mother, &ada, "aunt", &[]).await;
    mother.post(&format!("/invitations/{id}/cancel"), &[]).await.is(303);
    aunt.post(&format!("/invitations/{id}"), &yes).await.is(409).says("taken back");
    mother.post(&format!("/invitations/{id}/again"), &[]).await.is(409);

    let (id, _) = invite(&t, &mother, &ada, "aunt", &[]).await;
    aunt.post(&format!("/invitations/{id}"), &[("answer", "reject"), ("note", "No, thank you")]).await.is(303);
    aunt.post(&format!("/invitations/{id}"), &yes).await.is(409).says("declined");
    mother.post(&format!("/invitations/{id}/cancel"), &[]).await.is(409);
    mother.get("/invitations").await.is(200).says("No, thank you");

    let (id, _) = invite(&t, &mother, &ada, "aunt", &[]).await;
    t.later(chrono::Duration::days(7));
    let (mother, aunt) = (mother.signed_in(), aunt.signed_in());
    aunt.post(&format!("/invitations/{id}"), &yes).await.is(409).says("Its time has passed");
    aunt.get(&format!("/invitations/{id}")).await.is(200).lacks("Ada").says("expired");
    assert_eq!(shares(&t), 0);
    // Another week for the same.
    mother.post(&format!("/invitations/{id}/again"), &[]).await.is(303);
    accept(&aunt, &id).await;
    aunt.get(&format!("/patients/{ada}")).await.is(200);
    aunt.post(&format!("/invitations/{id}"), &yes).await.is(409).says("accepted");
    // Ended by the giver: the invitation says so too, and nothing opens it again.
    let share: String = t.app.db.read(|conn| Ok(patient_shares::table.select(patient_shares::id).first(conn)?)).unwrap();
    mother.post(&format!("{}/{share}/end", sharing(&ada)), &[]).await.is(303);
    aunt.get(&format!("/patients/{ada}")).await.is(404);
    mother.get("/invitations").await.is(200).says("ended later");
    mother.post(&format!("/invitations/{id}/again"), &[]).await.is(409);
}

#[actix_web::test]
async fn a_sender_gives_what_they_have_when_it_is_accepted() {
    let t = TestApp::new().await;
    let (mother, aunt, cousin) = (t.user("mother"), t.stranger("aunt"), t.stranger("cousin"));
    let ada = mother.patient("Ada");
    mother.share(
        &ada,
        &aunt,
        &Share {
            kinds: Some(vec!["allergies".into(), "vitals".into()]),
            expires_at: Some(t.now() + chrono::Duration::days(10)),
            ..Share::to(Permission::Full)
        },
    );
    // Neither more nor longer than one's own.
    let to = [("to", "cousin"), ("permission", "view")];
    let ask = |more: &[(&'static str, &'static str)]| [&to[..], more].concat();
    aunt.post(&sharing(&ada), &ask(&[("set", "everything"), ("ends_on", "2026-03-20")])).await.is(422);
    aunt.post(&sharing(&ada), &ask(&[("set", "chosen"), ("kinds", "medications"), ("ends_on", "2026-03-20")])).await.is(422);
    aunt.post(&sharing(&ada), &ask(&[("set", "chosen"), ("kinds", "vitals")])).await.is(422).has("f-ends_on");
    aunt.post(&sharing(&ada), &ask(&[("set", "chosen"), ("kinds", "vitals"), ("ends_on", "2026-03-20")])).await.is(303);
    let (id, _) = newest(&t);
    aunt.post(&format!("{}/owner", sharing(&ada)), &[("to", "cousin")]).await.is(403);
    // Their own share is not theirs to change, and neither is one that goes further.
    let own: String = t.app.db.read(|conn| Ok(patient_shares::table.select(patient_shares::id).first(conn)?)).unwrap();
    for path in ["", "/extend", "/end"] {
        aunt.post(&format!("{}/{own}{path}", sharing(&ada)), &[("permission", "full"), ("set", "everything")]).await.is(403);
    }
    // The aunt's share ends before the cousin accepts.
    mother.post(&format!("{}/{own}/end", sharing(&ada)), &[]).await.is(303);
    cousin.get(&format!("/invitations/{id}")).await.is(200).lacks("Ada");
    cousin.post(&format!("/invitations/{id}"), &[("answer", "accept")]).await.is(409);
    cousin.get(&format!("/patients/{ada}")).await.is(404);
}

#[actix_web::test]
async fn a_share_is_changed_extended_and_given_back() {
    let t = TestApp::new().await;
    let (mother, aunt) = (t.user("mother"), t.stranger("aunt"));
    let ada = mother.patient("Ada");
    let (id, _) = invite(&t, &mother, &ada, "aunt", &[("ends_on", "2026-03-16")]).await;
    accept(&aunt, &id).await;
    mother.get("/").await.is(200).says("aunt sees Ada");
    mother.get(&format!("/patients/{ada}/looks")).await.is(200).says("mother shared the record with somebody: aunt");
    let share: String = t.app.db.read(|conn| Ok(patient_shares::table.select(patient_shares::id).first(conn)?)).unwrap();
    let path = format!("{}/{share}", sharing(&ada));
    mother.post(&format!("{path}/extend"), &[]).await.is(303);
    t.set_day("2026-03-23");
    let (mother, aunt) = (mother.signed_in(), aunt.signed_in());
    aunt.get(&format!("/patients/{ada}/vitals")).await.is(200);
    // The form shows what is, and changes it.
    let form = mother.get(&path).await.is(200).form(&path);
    assert_eq!((form.value("permission"), form.value("set")), (Some("view"), Some("everything")));
    mother.submit(&form.clone().with("ends_on", "yesterday or so")).await.is(422).has("yesterday or so");
    mother.submit(&form.with("permission", "edit").with("set", "medications").with("ends_on", "")).await.is(303);
    aunt.get(&format!("/patients/{ada}/vitals")).await.is(404);
    aunt.get(&format!("/patients/{ada}/medications/new")).await.is(200);
    aunt.post(&format!("{}/leave", sharing(&ada)), &[]).await.is(303);
    aunt.get(&format!("/patients/{ada}/medications")).await.is(404);
    aunt.post(&format!("{}/leave", sharing(&ada)), &[]).await.is(404);
    mother.post(&format!("{}/leave", sharing(&ada)), &[]).await.is(404);
}

#[actix_web::test]
async fn ownership_is_given_with_consent_and_never_lost() {
    let t = TestApp::new().await;
    let (mother, father) = (t.user("mother"), t.stranger("father"));
    let ada = mother.patient_with(&[("first_name", "Ada"), ("last_name", "X"), ("is_self_record", "true")]);
    mother.post(&format!("{}/resign", sharing(&ada)), &[]).await.is(422);
    mother.post(&format!("{}/owner", sharing(&ada)), &[("to", "father"), ("how", "beside")]).await.is(303);
    let (id, _) = newest(&t);
    assert_eq!(owners(&t, &ada), std::slice::from_ref(&mother.id), "not before it is accepted");
    accept(&father, &id).await;
    assert_eq!(owners(&t, &ada), [mother.id.clone(), father.id.clone()]);
    let page = mother.get(&format!("/patients/{ada}/looks")).await.is(200);
    page.says("mother made somebody else an owner: father").says("father became an owner");
    father.post(&format!("/patients/{ada}/delete"), &[]).await.is(303);
    father.post(&format!("/patients/trash/{ada}/restore"), &[]).await.is(303);
    mother.post(&format!("{}/resign", sharing(&ada)), &[]).await.is(303);
    assert_eq!(owners(&t, &ada), std::slice::from_ref(&father.id));
    mother.get(&format!("/patients/{ada}")).await.is(404);
    let (owner, own): (UserId, Option<bool>) = t
        .app
        .db
        .read(|conn| Ok(patients::table.find(&ada).select((patients::owner_user_id, patients::is_self_record)).first(conn)?))
        .unwrap();
    assert_eq!((owner, own), (father.id.clone(), Some(false)));
    father.post(&format!("{}/resign", sharing(&ada)), &[]).await.is(422);
    father.post(&format!("{}/owner", sharing(&ada)), &[("to", "mother"), ("how", "instead")]).await.is(303);
    let (id, _) = newest(&t);
    accept(&mother, &id).await;
    assert_eq!(owners(&t, &ada), std::slice::from_ref(&mother.id));
}

#[actix_web::test]
async fn of_many_answers_at_once_one_counts() {
    let t = TestApp::new().await;
    let (mother, aunt) = (t.user("mother"), t.stranger("aunt"));
    let ada = mother.patient("Ada");
    for round in 0..8 {
        let (id, _) = invite(&t, &mother, &ada, "aunt", &[]).await;
        let start = Barrier::new(4);
        let app = &t.app;
        let (sender, receiver, now) = (mother.actor(), aunt.actor(), t.now());
        let outcomes: Vec<(bool, Result<(), Error>)> = std::thread::scope(|scope| {
            let tasks: Vec<_> = (0..4)
                .map(|n| {
                    let (sender, receiver, id, start) = (&sender, &receiver, &id, &start);
                    scope.spawn(move || {
                        start.wait();
                        let accepts = n % 2 == 0;
                        let done = app.db.write(|tx| {
                            if accepts {
                                inviting::accept(tx, receiver, id, None, &Answer::default(), now)
                            } else {
                                inviting::cancel(tx, sender, id, now)
                            }
                        });
                        (accepts, done)
                    })
                })
                .collect();
            tasks.into_iter().map(|task| task.join().unwrap()).collect()
        });
        let won: Vec<bool> = outcomes.iter().filter(|(_, done)| done.is_ok()).map(|(accepts, _)| *accepts).collect();
        assert_eq!(won.len(), 1, "round {round}: {outcomes:?}");
        for (_, done) in &outcomes {
            assert!(matches!(done, Ok(()) | Err(Error::Conflict(_) | Error::Busy)), "{done:?}");
        }
        assert_eq!(shares(&t), i64::from(won[0]), "round {round}");
        t.app.db.write(|tx| Ok(diesel::delete(patient_shares::table).execute(&mut **tx)?)).unwrap();
    }
}

#[actix_web::test]
async fn a_share_that_ends_during_a_form_saves_nothing() {
    let t = TestApp::new().await;
    let (mother, aunt) = (t.user("mother"), t.stranger("aunt"));
    let ada = mother.patient("Ada");
    let (id, _) = invite(&t, &mother, &ada, "aunt", &[("permission", "edit")]).await;
    let _ = id;
    mother.share(&ada, &aunt, &Share { expires_at: Some(t.now() + chrono::Duration::hours(1)), ..Share::to(Permission::Edit) });
    let path = format!("/patients/{ada}/allergies");
    let form = aunt.get(&format!("{path}/new")).await.is(200).form(&path).with("allergen", "Peanut");
    t.later(chrono::Duration::hours(2));
    aunt.signed_in().submit(&form).await.is(404);
    assert_eq!(mother.count(&ada, kind("allergies")), 0);
}

#[actix_web::test]
async fn a_household_is_joined_kept_and_left() {
    let t = TestApp::new().await;
    let (mother, father) = (t.stranger("mother"), t.stranger("father"));
    let (joint, own) = (mother.patient("Joint"), father.patient("Own"));
    let medication = father.record(&own, kind("medications"), &Sample::least(kind("medications"), 1).tagged(&["travel"]));
    let home = format!("/household/{}", mother.household);
    // A member who keeps it not cannot change it; a stranger does not find it.
    mother.post(&home, &[("_what", "rename"), ("name", "Ours")]).await.is(403);
    father.post(&home, &[("_what", "rename"), ("name", "Ours")]).await.is(404);
    let keeper = household_members::table.find((&mother.household, &mother.id));
    t.app.db.write(|tx| Ok(diesel::update(keeper).set(household_members::role.eq("keeper")).execute(&mut **tx)?)).unwrap();
    mother.post(&home, &[("_what", "rename"), ("name", "")]).await.is(422).has("f-name");
    mother.post(&home, &[("_what", "rename"), ("name", "Ours")]).await.is(303);
    mother.post(&home, &[("_what", "invite"), ("to", "father"), ("role", "member")]).await.is(303);
    let (id, _) = newest(&t);
    father.get(&format!("/invitations/{id}")).await.is(200).says("Ours").says("Nobody’s records");
    father.post(&format!("/invitations/{id}"), &[("answer", "accept"), ("bring", "1")]).await.is(303);
    let household = |patient: &PatientId| -> HouseholdId {
        t.app.db.read(|conn| Ok(patients::table.find(patient).select(patients::household_id).first(conn)?)).unwrap()
    };
    assert_eq!(household(&own), mother.household);
    father.get("/household").await.is(200).says("Ours").says("mother");
    father.get(&format!("/patients/{joint}")).await.is(404);
    mother.get(&format!("/patients/{own}")).await.is(404);
    father.get(&format!("/patients/{own}/medications?tag=travel")).await.is(200).has(medication.as_str());
    // The last keeper stays, the other goes with who is theirs alone.
    mother.post(&home, &[("_what", "role"), ("member", mother.id.as_str()), ("role", "member")]).await.is(422);
    let leave = |who: &Person| format!("{home}/members/{}/leave", who.id);
    mother.post(&leave(&mother), &[]).await.is(422);
    father.post(&leave(&mother), &[]).await.is(403);
    mother.get(&leave(&father)).await.is(200).says("1").lacks("Own");
    father.get(&leave(&father)).await.is(200).says("Own");
    mother.post(&leave(&father), &[]).await.is(303);
    assert_ne!(household(&own), mother.household);
    assert_eq!(household(&joint), mother.household);
    father.get("/household").await.is(200).lacks("Ours");
    father.get(&format!("/patients/{own}/medications?tag=travel")).await.is(200).has(medication.as_str());
}

/// A mail server that takes what comes: tells the letters it got.
fn mail_server(letters: usize) -> (u16, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut got = Vec::new();
        while got.len() < letters {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut out = stream;
            out.write_all(b"220 here\r\n").unwrap();
            let mut line = String::new();
            while {
                line.clear();
                reader.read_line(&mut line).unwrap() > 0
            } {
                if line.starts_with("DATA") {
                    out.write_all(b"354 go on\r\n").unwrap();
                    let mut letter = String::new();
                    while {
                        line.clear();
                        reader.read_line(&mut line).unwrap() > 0 && line != ".\r\n"
                    } {
                        letter.push_str(&line);
                    }
                    got.push(letter.replace("=\r\n", ""));
                    out.write_all(b"250 taken\r\n").unwrap();
                } else if line.starts_with("QUIT") {
                    out.write_all(b"221 bye\r\n").unwrap();
                    break;
                } else {
                    out.write_all(b"250 yes\r\n").unwrap();
                }
            }
        }
        got
    });
    (port, thread)
}

#[actix_web::test]
async fn mail_goes_out_from_the_job_table_and_says_nothing_medical() {
    let (port, server) = mail_server(3);
    let t = TestApp::with(|config| {
        config.smtp.host = Some("127.0.0.1".into());
        config.smtp.port = Some(port);
        config.smtp.security = SmtpSecurity::None;
    })
    .await;
    let (mother, aunt) = (t.user("mother"), t.stranger("aunt"));
    let ada = mother.patient("Ada");
    let (id, link) = invite(&t, &mother, &ada, "aunt", &[("ends_on", "2026-03-24"), ("set", "medications")]).await;
    jobs::run_due(&t.app).unwrap();
    // Taken back before it is sent: not sent.
    let (other, _) = invite(&t, &mother, &ada, "late@example.org", &[]).await;
    mother.post(&format!("/invitations/{other}/cancel"), &[]).await.is(303);
    jobs::run_due(&t.app).unwrap();
    accept(&aunt, &id).await;
    t.set_day("2026-03-22");
    let warned = t.app.db.write(|tx| watch::warn(tx, t.now())).unwrap();
    let again = t.app.db.write(|tx| watch::warn(tx, t.now())).unwrap();
    assert_eq!((warned, again), (1, 0));
    jobs::run_due(&t.app).unwrap();
    let letters = server.join().unwrap();
    assert!(letters[0].contains("To: aunt@example.org") && letters[0].contains(&link), "{}", letters[0]);
    assert!(letters[1..].iter().all(|letter| letter.contains("ends soon")), "{letters:?}");
    for letter in &letters {
        assert!(!letter.contains("Ada") && !letter.to_lowercase().contains("medication"), "{letter}");
    }
}

#[actix_web::test]
async fn a_mail_server_that_is_away_is_asked_again() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let t = TestApp::with(|config| {
        config.smtp.host = Some("127.0.0.1".into());
        config.smtp.port = Some(port);
        config.smtp.security = SmtpSecurity::None;
    })
    .await;
    let mother = t.user("mother");
    let ada = mother.patient("Ada");
    invite(&t, &mother, &ada, "late@example.org", &[]).await;
    assert_eq!(jobs::run_due(&t.app).unwrap(), 1);
    assert_eq!(jobs::run_due(&t.app).unwrap(), 0, "not before its time");
    t.later(chrono::Duration::minutes(5));
    assert_eq!(jobs::run_due(&t.app).unwrap(), 1);
}

#[actix_web::test]
async fn a_bad_offer_of_ownership_is_told_at_its_field_and_loses_nothing() {
    let t = TestApp::new().await;
    let (mother, father) = (t.user("mother"), t.stranger("father"));
    let ada = mother.patient("Ada");
    let url = format!("{}/owner", sharing(&ada));
    for (to, says) in [("", "Fill this in"), ("mother", "This is you."), ("mother@example.org", "This is you."), ("two words", "no blanks")]
    {
        let page = mother.post(&url, &[("to", to), ("how", "instead")]).await.is(422).says(says);
        let page = page.has("href=\"#o-to\"").has("value=\"instead\" checked").has(&format!("id=\"o-to\" name=\"to\" value=\"{to}\""));
        page.lacks("href=\"#f-to\"");
    }
    mother.post(&url, &[("to", "father"), ("how", "by force")]).await.is(422).has("href=\"#o-how\"").has("value=\"father\"");
    mother.post(&url, &[("to", "father")]).await.is(303);
    accept(&father, &newest(&t).0).await;
    mother.post(&url, &[("to", "father")]).await.is(422).says("in already").has("href=\"#o-to\"");
}

#[actix_web::test]
async fn a_bad_answer_to_an_invitation_is_told_at_its_field_and_answers_nothing() {
    let t = TestApp::new().await;
    let (mother, aunt) = (t.user("mother"), t.stranger("aunt"));
    let ada = mother.patient("Ada");
    let (id, link) = invite(&t, &mother, &ada, "aunt", &[]).await;
    let long = format!("keep me {}", "x".repeat(500));
    for path in [format!("/invitations/{id}"), link] {
        let page = aunt.post(&path, &[("answer", "accept"), ("note", &long)]).await.is(422).has("href=\"#f-note\"").has("id=\"f-note-d\"");
        page.says("500").says("keep me").has(&format!("action=\"{path}\""));
        aunt.post(&path, &[("note", "keep me")]).await.is(422).has("href=\"#f-answer\"").says("keep me");
        t.stranger(&format!("other{}", path.len())).post(&path, &[("note", "keep me")]).await.is(404);
    }
    assert_eq!(shares(&t), 0);
    accept(&aunt, &id).await;
    aunt.post(&format!("/invitations/{id}"), &[("note", &long)]).await.is(409);
    // The way into a household: what was typed stays, in the household it was typed for.
    let home = format!("/household/{}", aunt.household);
    let keeper = household_members::table.find((&aunt.household, &aunt.id));
    t.app.db.write(|tx| Ok(diesel::update(keeper).set(household_members::role.eq("keeper")).execute(&mut **tx)?)).unwrap();
    let typed = [("_what", "invite"), ("to", "aunt"), ("role", "keeper"), ("message", "keep me")];
    aunt.post(&home, &typed).await.is(422).says("This is you.").says("keep me").has("value=\"keeper\" selected");
    aunt.post(&home, &[("_what", "invite"), ("to", "mother"), ("role", "king")]).await.is(422).has("href=\"#f-role\"");
}
