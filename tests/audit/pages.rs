//! The audit's pages: everybody sees their own, administrators everybody's and nothing medical.

use chrono::Duration;
use kinchart::{
    access::Permission,
    audit::{
        Action, Event,
        seal::{self, Head},
    },
    records,
};

use crate::common::{Answer, Person, Share, TestApp, password_of, sample::Sample};

const OWN: &str = "/settings/activity";
const ALL: &str = "/admin/audit";

async fn signs_in(t: &TestApp, name: &str, password: &str) -> u16 {
    t.anon().post("/login", &[("username", name), ("password", password)]).await.status
}

#[actix_web::test]
async fn a_person_sees_what_was_done_with_their_account_and_nobody_elses() {
    let t = TestApp::new().await;
    let (ann, ben) = (t.user("ann"), t.stranger("ben"));
    let ada = ann.patient("Ada");
    t.anon().get(OWN).await.is(303);
    assert_eq!(signs_in(&t, "ann", &password_of("ann")).await, 303);
    assert_eq!(signs_in(&t, "ann", "a wrong one").await, 422);
    assert_eq!(signs_in(&t, "ben", "a wrong one").await, 422);
    ann.get(&format!("/patients/{ada}/vitals")).await.is(200);
    ann.get(&format!("/patients/{ada}/vitals/csv")).await.is(200);
    ann.post("/settings/password", &[("current_password", "wrong")]).await;
    let page = ann.get(OWN).await.is(200).says("ann signed in").says("ann tried to sign in with a wrong password refused").lacks("ben");
    let page = page.says("ann looked at the list of vitals: Ada Lovelace").says("ann downloaded the list of vitals").says("127.0.0.1");
    page.has(&format!("href=\"/patients/{ada}\""));
    let page = ben.get(OWN).await.is(200).says("ben tried to sign in").lacks("Ada");
    page.lacks("<strong dir=\"auto\">ann");

    // A sign-in names the session it began.
    let sessions: Vec<String> = t
        .app
        .db
        .read(|conn| {
            use diesel::prelude::*;
            use kinchart::db::schema::{audit_events, sessions};
            let named: Vec<Option<String>> =
                audit_events::table.filter(audit_events::action.eq("signed_in")).select(audit_events::session_id).load(conn)?;
            let named: Vec<String> = named.into_iter().map(Option::unwrap).collect();
            Ok(sessions::table.filter(sessions::id.eq_any(named)).select(sessions::id).load(conn)?)
        })
        .unwrap();
    assert_eq!(sessions.len(), 1);

    // What others do with an account is its person's to know.
    let by_command = Event {
        detail: Some(ann.id.to_string()),
        actor: "command".into(),
        actor_name: "kinchart".into(),
        ..Event::by_the_program(Action::PasswordChanged, t.now())
    };
    t.app.db.write(|tx| Ok(by_command.clone().write(tx)?)).unwrap();
    ann.get(OWN).await.says("The command line changed a password");
    ben.get(OWN).await.lacks("The command line");
}

#[actix_web::test]
async fn a_patient_who_is_no_longer_shared_has_no_name_in_ones_activity() {
    let t = TestApp::new().await;
    let (owner, helper) = (t.user("owner"), t.stranger("helper"));
    let ada = owner.patient("Ada");
    owner.share(&ada, &helper, &Share { expires_at: Some(t.now() + Duration::minutes(20)), ..Share::to(Permission::View) });
    helper.get(&format!("/patients/{ada}/vitals")).await.is(200);
    helper.get(OWN).await.is(200).says("list of vitals: Ada Lovelace");
    t.later(Duration::minutes(21));
    helper.get(OWN).await.is(200).says("list of vitals: somebody whose record you no longer see").lacks("Lovelace");
    helper.get(&format!("{OWN}/csv")).await.is(200).lacks("Lovelace");
}

#[actix_web::test]
async fn activity_is_filtered_and_comes_as_a_file() {
    let t = TestApp::new().await;
    let ann = t.user("=cmd()");
    let (ada, bea) = (ann.patient("Ada"), ann.patient("Bea"));
    ann.get(&format!("/patients/{ada}/vitals")).await.is(200);
    ann.get(&format!("/patients/{bea}/allergies")).await.is(200);
    signs_in(&t, "=cmd()", "wrong").await;
    let asked = async |query: &str| ann.get(&format!("{OWN}?{query}")).await.is(200);
    asked("what=looked").await.says("list of vitals").lacks("tried to sign in");
    asked("what=signed_in").await.says("tried to sign in").lacks("list of vitals");
    asked("success=refused").await.says("tried to sign in").lacks("list of vitals");
    asked("success=done").await.says("list of vitals").lacks("tried to sign in");
    asked(&format!("patient={ada}")).await.says("list of vitals").lacks("list of allergies").lacks("tried to sign in");
    asked("to=2026-03-13").await.lacks("list of vitals").says("Nothing matches");
    asked("from=2026-03-14&to=2026-03-14").await.says("list of vitals");
    let swapped = ann.get(&format!("{OWN}?from=2026-03-15&to=2026-03-14")).await.is(422).has("id=\"f-to-d\"").says("before the start");
    swapped.has("value=\"2026-03-15\"").has("value=\"2026-03-14\"").lacks("list of vitals");
    ann.get(&format!("{OWN}?outcome=refused")).await.is(422).says("Leave out “outcome”");
    let away = ["from=2026-03-15&to=2026-03-14", "outcome=refused", "who=x"];
    for wrong in away.into_iter().chain(["what=nonsense", "from=nonsense", "success=perhaps", "before=x", "per_page=0", "per_page=201"]) {
        ann.get(&format!("{OWN}?{wrong}")).await.is(422);
        if !wrong.starts_with("per_page") && !wrong.starts_with("before") {
            ann.get(&format!("{OWN}/csv?{wrong}")).await.is(422);
        }
    }
    let file = ann.get(&format!("{OWN}/csv?what=looked")).await.is(200).has(",'=cmd(),listed,").lacks(",=cmd()").lacks("sign_in_failed");
    assert!(file.header("content-disposition").unwrap().contains("activity"), "{:?}", file.headers);
}

/// The pages from one end to the other, by their links.
async fn walk(person: &Person, first: &str, rel: &str) -> Vec<Answer> {
    let mut pages = vec![person.get(first).await.is(200)];
    loop {
        let page = pages.last().unwrap();
        let link = page.nodes().into_iter().find(|node| node.is("a") && node.attr("rel") == Some(rel));
        let Some(href) = link.and_then(|node| node.attr("href").map(str::to_owned)) else { return pages };
        pages.push(person.get(&href).await.is(200));
        assert!(pages.len() < 50, "no end");
    }
}

#[actix_web::test]
async fn pages_lead_from_the_newest_to_the_oldest_and_back_without_gap_or_repetition() {
    let t = TestApp::new().await;
    let ann = t.user("ann");
    let ada = ann.patient("Ada");
    // Several at the same moment, of several sources.
    for n in 0..23 {
        let about = if n % 3 == 0 { ("command", Some(ann.id.to_string())) } else { (ann.id.as_str(), None) };
        let event = Event {
            actor: about.0.to_owned(),
            actor_name: format!("number{n:02}."),
            detail: about.1,
            ..Event::by_the_program(Action::PasswordChanged, t.now() + Duration::seconds(n / 4))
        };
        t.app.db.write(|tx| Ok(event.clone().write(tx)?)).unwrap();
    }
    let admin = t.admin("root");
    for (person, first) in [(&ann, format!("{OWN}?per_page=4&what=account")), (&admin, format!("{ALL}?per_page=4&what=account"))] {
        let pages = walk(person, &first, "next").await;
        let seen = |pages: &[Answer]| -> usize { pages.iter().map(|page| page.body.matches("class=\"what\"").count()).sum() };
        assert_eq!((pages.len(), seen(&pages)), (6, 23), "{first}");
        let back = pages.last().unwrap().path.clone();
        let pages = walk(person, &back, "prev").await;
        assert_eq!(pages.len(), 6, "{first}");
        assert_eq!(seen(&pages), 23);
    }
    ann.get(&format!("/patients/{ada}/looks?before=1-x")).await.is(200);
}

/// A patient's name, a record, a document, a tag and a link's title, each with a word that stands nowhere else.
async fn canaries(owner: &Person) -> (String, String) {
    let ada = owner.patient("Canaryname");
    let kind = records::kind("medications").unwrap();
    let id = owner.record(&ada, kind, &Sample::least(kind, 1).with("medication_name", "Canarydrug").tagged(&["Canarytag"]));
    for path in ["", "/medications", "/medications/csv", "/timeline", "/medications?print=1"] {
        owner.get(&format!("/patients/{ada}{path}")).await.is(200);
    }
    owner.get(&format!("/patients/{ada}/medications/{id}")).await.is(200);
    owner.get("/search?q=canarydrug").await.is(200);
    let body = crate::files::form(&[], &[("Canaryfile.txt", "Canarywords")]);
    let post = actix_web::http::Method::POST;
    owner.api(true).send(post, &format!("/api/v1/patients/{ada}/files"), &[crate::files::FORM], body).await.is(201);
    let link = [("set", "everything"), ("lasts", "1h"), ("passcode_from", "own"), ("passcode", "tulip-12"), ("title", "Canarylink")];
    let page = owner.post(&format!("/patients/{ada}/links"), &link).await.is(200);
    let address = page.nodes().into_iter().find(|node| node.attr("id") == Some("made-address")).unwrap();
    let path = format!("/l/{}", address.attr("value").unwrap().rsplit('/').next().unwrap());
    owner.clone().with_cookie(None).post(&path, &[("passcode", "wrong")]).await.is(422);
    owner.clone().with_cookie(None).post(&path, &[("passcode", "tulip-12")]).await.is(303);
    (ada.to_string(), id.to_string())
}

#[actix_web::test]
async fn administrators_see_the_installation_and_nothing_medical() {
    let t = TestApp::new().await;
    let (owner, admin) = (t.user("owner"), t.admin("root"));
    let (ada, record) = canaries(&owner).await;
    signs_in(&t, "owner", &password_of("owner")).await;
    signs_in(&t, "nobody-here", "wrong").await;
    seal::run(&t.app).unwrap();
    for path in [ALL, "/admin/audit/csv", "/admin/audit/head"] {
        owner.get(path).await.is(403);
        t.anon().get(path).await.is(303);
    }
    let page = admin.get(&format!("{ALL}?per_page=200")).await.is(200);
    let page = page.says("owner signed in").says("Somebody unknown tried to sign in with a wrong password");
    let page =
        page.says("owner looked at somebody’s record").says("owner changed somebody’s record").says("downloaded or printed something");
    let page = page.says("Somebody with a professional’s link used or made a professional’s link").says("events are sealed");
    let file = admin.get(&format!("{ALL}/csv")).await.is(200).has("owner,").has(",looked,");
    let kind = records::kind("medications").unwrap();
    for answer in [&page, &file] {
        let body = answer.body.to_lowercase();
        for word in ["canary", &ada, &record, kind.name, "medication", "vitals"] {
            assert!(!body.contains(word), "{}: {word}", answer.path);
        }
    }
    // And the test is not blind.
    owner.get(&format!("/patients/{ada}/looks?own=1&per_page=200")).await.is(200).has("Canarydrug").has("Canarylink").has("Canaryfile");

    let head = t.app.db.read(seal::last).unwrap().unwrap();
    let saved = admin.get("/admin/audit/head").await.is(200);
    assert_eq!(saved.body.trim().parse::<Head>().unwrap(), Head::from(&head));
    admin.get(ALL).await.has(saved.body.trim()).says("root looked at the audit");
    let asked = async |query: &str| admin.get(&format!("{ALL}?{query}")).await.is(200);
    asked(&format!("who={}", owner.id)).await.says("owner signed in").lacks("<strong dir=\"auto\">Somebody unknown");
    asked("who=links").await.says("Somebody with a professional’s link").lacks("<strong dir=\"auto\">owner");
    asked("who=unknown").await.says("Somebody unknown").lacks("<strong dir=\"auto\">owner");
    asked("what=signed_in").await.says("owner signed in").lacks("looked at somebody");
    asked("success=refused").await.says("Somebody unknown").lacks("owner signed in");
    asked("success=refused&what=signed_in").await.says("Somebody unknown").lacks("owner signed in").lacks("link used");
    asked("to=2026-03-13").await.says("Nothing matches");
}

#[actix_web::test]
async fn an_owner_asks_who_looked_at_one_record() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("allergies").unwrap();
    let [one, other] = ["Penicillin", "Latex"].map(|name| owner.record(&ada, kind, &Sample::least(kind, 1).with("allergen", name)));
    let helper = t.stranger("helper");
    owner.share(&ada, &helper, &Share::default());
    for id in [&one, &other] {
        helper.get(&format!("/patients/{ada}/allergies/{id}")).await.is(200);
    }
    let link = format!("/patients/{ada}/looks?record={one}");
    owner.get(&format!("/patients/{ada}/allergies/{one}")).await.is(200).has(&link);
    helper.get(&format!("/patients/{ada}/allergies/{one}")).await.is(200).lacks("/looks");
    owner.get(&link).await.is(200).says("Only what concerns: Penicillin").says("helper looked at the allergy: Penicillin").lacks("Latex");
    owner.get(&format!("/patients/{ada}/looks?record=nothing")).await.is(200).lacks("helper looked");
    owner.get(&format!("/patients/{ada}/looks?success=refused")).await.is(200).lacks("helper looked");
}

#[actix_web::test]
async fn the_use_and_the_refusal_of_a_token_are_noted_now_and_then() {
    let t = TestApp::new().await;
    let ann = t.user("ann");
    let api = ann.api(false);
    for _ in 0..3 {
        api.get("/api/v1").await.is(200);
        t.later(Duration::minutes(5));
    }
    let told = async || ann.clone().signed_in().get(&format!("{OWN}?what=signed_in")).await.is(200).text();
    assert_eq!(told().await.matches("ann used an API token").count(), 1);
    t.later(Duration::hours(2));
    api.get("/api/v1").await.is(200);
    assert_eq!(told().await.matches("ann used an API token").count(), 2);
    let tokens = ann.clone().signed_in().get("/settings/tokens").await.is(200);
    let revoke = tokens.body.split("action=\"").filter_map(|part| part.split('"').next()).find(|path| path.ends_with("/revoke")).unwrap();
    ann.clone().signed_in().post(revoke, &[]).await.is(303);
    for _ in 0..3 {
        api.get("/api/v1").await.is(401);
    }
    assert_eq!(told().await.matches("ann used an API token that was revoked refused").count(), 1);
    t.later(Duration::hours(2));
    api.get("/api/v1").await.is(401);
    assert_eq!(told().await.matches("ann used an API token that was revoked refused").count(), 2);
}
