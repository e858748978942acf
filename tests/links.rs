//! Links for professionals: made in two clicks, opened with a passcode, counted exactly, ended at once, and never wider than they were made.

use chrono::Duration;
use diesel::prelude::*;
use kinchart::{
    access::{Permission, Scope},
    app::App,
    db::{
        schema::{link_openings, professional_links, users},
        types::PatientId,
    },
    professional_links::{
        From,
        visit::{Outcome, attempt},
    },
    records::{self, view::SENSITIVITIES},
};

use crate::common::{Answer, Person, Share, TestApp, for_every_kind, log::lines_with, on_postgres, sample::Sample};

/// A link as its maker got it.
struct Made {
    text: String,
    passcode: String,
    id: String,
}

impl Made {
    fn path(&self) -> String {
        format!("/l/{}", self.text)
    }
}

/// Makes a link with the form as it stands but for these values.
async fn make(maker: &Person, patient: &PatientId, changed: &[(&str, &str)]) -> Made {
    let url = format!("/patients/{patient}/links");
    let mut form = maker.get(&url).await.is(200).form(&url);
    for (name, value) in changed {
        form = form.with(name, value);
    }
    let page = maker.submit(&form).await.is(200);
    let value = |id: &str| {
        let found = page.nodes().into_iter().find(|node| node.attr("id") == Some(id));
        found.and_then(|node| node.attr("value").map(str::to_owned)).unwrap_or_default()
    };
    let address = value("made-address");
    let text = address.rsplit('/').next().unwrap().to_owned();
    let id = text.split('.').next().unwrap().to_owned();
    Made { text, passcode: value("made-passcode"), id }
}

/// The cookie of a visit, as a browser would send it back.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap();
    set.split(';').next().unwrap().to_owned()
}

/// Somebody without an account who opened the link.
async fn visitor(t: &TestApp, link: &Made) -> Person {
    let answer = t.anon().post(&link.path(), &[("passcode", &link.passcode)]).await;
    assert_eq!(answer.location(), format!("{}/summary", link.path()));
    t.anon().with_cookie(Some(cookie(&answer)))
}

fn counts(app: &App, link: &Made) -> (i32, i32) {
    let row = professional_links::table.find(&link.id).select((professional_links::wrong_tries, professional_links::openings));
    app.db.read(|conn| Ok(row.first(conn)?)).unwrap()
}

fn outcomes(app: &App, link: &Made, outcome: &str) -> i64 {
    let rows = link_openings::table.filter(link_openings::link_id.eq(&link.id)).filter(link_openings::outcome.eq(outcome));
    app.db.read(|conn| Ok(rows.count().get_result(conn)?)).unwrap()
}

#[actix_web::test]
async fn two_clicks_make_a_link_that_a_doctor_opens_for_an_hour() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("allergies").unwrap();
    owner.record(&ada, kind, &Sample::least(kind, 1).with("allergen", "Penicillin").with("severity", "severe").with("status", "active"));
    let link = make(&owner, &ada, &[("title", "Dr. Lind")]).await;
    assert_eq!(link.passcode.len(), 9);
    let door = t.anon().get(&link.path()).await.is(200).lacks("Ada").lacks("Lovelace").lacks("Lind").lacks("owner");
    assert_eq!(door.header("x-robots-tag").unwrap(), "noindex, nofollow, noarchive");
    assert_eq!(counts(&t.app, &link), (0, 0), "whoever only looks at the address uses nothing up");
    t.anon().get(&format!("{}/summary", link.path())).await.is(303);
    t.anon().post(&link.path(), &[("passcode", "")]).await.is(422);
    t.anon().post(&link.path(), &[("passcode", "wrong-one")]).await.is(422).says("4 more tries").lacks("wrong-one").lacks("Ada");
    let lind = visitor(&t, &link).await;
    let summary = format!("{}/summary", link.path());
    let page = lind.get(&summary).await.is(200).says("Ada Lovelace").says("Penicillin").says("Dr. Lind").says("Severe allergy");
    assert_eq!(page.header("referrer-policy").unwrap(), "no-referrer");
    assert_eq!(page.header("cache-control").unwrap(), "no-store");
    let page = page.lacks("/patients").lacks("href=\"/\"");
    assert!(page.nodes().iter().all(|node| !node.is("form")), "nothing can be changed");
    assert_eq!(lind.get(&link.path()).await.location(), summary, "who is in goes in");
    assert_eq!(counts(&t.app, &link), (1, 1), "a right passcode is no wrong try");
    let page = owner.get(&format!("/patients/{ada}/links")).await.is(200);
    page.says("opened once").says("wrong passcode").says("127.0.0.1").says("1 of 5 wrong passcodes").lacks(&link.passcode);
    t.later(Duration::minutes(61));
    lind.get(&summary).await.is(303);
    lind.get(&link.path()).await.is(404).lacks("Ada");
}

#[actix_web::test]
async fn the_visit_cookie_belongs_to_the_one_address() {
    let t = TestApp::with(|config| config.public_url = "https://records.example.org".parse().unwrap()).await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let (link, other) = (make(&owner, &ada, &[]).await, make(&owner, &ada, &[]).await);
    let answer = t.anon().post(&link.path(), &[("passcode", &link.passcode.to_uppercase().replace('-', " "))]).await;
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with("__Host-kinchart-visit-") && !set.contains("Domain"), "{set}");
    for part in ["HttpOnly", "SameSite=Lax", "; Secure", "; Path=/;", "Max-Age=3"] {
        assert!(set.contains(part), "{part} in {set}");
    }
    let visitor = t.anon().with_cookie(Some(cookie(&answer)));
    visitor.get(&format!("{}/summary", other.path())).await.is(303);
    // A second visit beside the first: both go on.
    let second = t.anon().post(&other.path(), &[("passcode", other.passcode.as_str())]).await;
    let both = t.anon().with_cookie(Some(format!("{}; {}", cookie(&answer), cookie(&second))));
    for one in [&link, &other] {
        both.get(&format!("{}/summary", one.path())).await.is(200).says("Ada");
    }
    // Under the other's name it opens nothing.
    let (name, value) = (cookie(&second), cookie(&answer));
    let forged = format!("{}={}", name.split('=').next().unwrap(), value.split('=').nth(1).unwrap());
    t.anon().with_cookie(Some(forged)).get(&format!("{}/summary", other.path())).await.is(303);
}

#[actix_web::test]
async fn of_a_hundred_guesses_at_once_exactly_five_are_tried() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let link = make(&owner, &ada, &[]).await;
    let guess = |n: usize| attempt(&t.app, &link.text, &format!("guess-{n}"), &From::default());
    let wrong = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..100).map(|n| scope.spawn(move || guess(n))).collect();
        let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(results.iter().all(|result| !matches!(result, Ok(Outcome::Opened(..)))));
        results.iter().filter(|result| matches!(result, Ok(Outcome::Wrong(_)))).count()
    });
    assert_eq!((wrong, counts(&t.app, &link).0, outcomes(&t.app, &link, "wrong_passcode")), (5, 5, 5));
    let right = attempt(&t.app, &link.text, &link.passcode, &From::default()).unwrap();
    assert_eq!(right, Outcome::Closed, "locked for good, for the right one too");
    t.later(Duration::minutes(30));
    t.anon().post(&link.path(), &[("passcode", &link.passcode)]).await.is(404);
    t.anon().get(&link.path()).await.is(404);
    owner.signed_in().get(&format!("/patients/{ada}/links")).await.says("locked").says("5 of 5 wrong passcodes");
}

#[actix_web::test]
async fn the_last_wrong_try_says_that_the_link_is_locked() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let link = make(&owner, &owner.patient("Ada"), &[]).await;
    for left in (1..5).rev() {
        t.anon().post(&link.path(), &[("passcode", "not it")]).await.is(422).says(if left == 1 { "one more try" } else { "more tries" });
    }
    t.anon().post(&link.path(), &[("passcode", "not it")]).await.is(404).says("locked for good");
}

#[actix_web::test]
async fn openings_at_once_use_up_no_more_than_there_are() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let link = make(&owner, &ada, &[("most_openings", "2"), ("passcode_from", "none"), ("passcode", "")]).await;
    assert_eq!(link.passcode, "");
    let opened = std::thread::scope(|scope| {
        let open = || attempt(&t.app, &link.text, "", &From::default());
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|result| matches!(result, Ok(Outcome::Opened(..)))).count()
    });
    assert_eq!((opened, counts(&t.app, &link).1, outcomes(&t.app, &link, "opened")), (2, 2, 2));
    t.anon().get(&link.path()).await.is(404);
    owner.get(&format!("/patients/{ada}/links")).await.says("used up").says("opened 2 of 2 times");
}

#[actix_web::test]
async fn a_visit_goes_on_when_the_openings_are_used_up() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let link = make(&owner, &owner.patient("Ada"), &[("most_openings", "1")]).await;
    let lind = visitor(&t, &link).await;
    lind.get(&format!("{}/summary", link.path())).await.is(200);
    assert_eq!(lind.get(&link.path()).await.location(), format!("{}/summary", link.path()));
    t.anon().post(&link.path(), &[("passcode", &link.passcode)]).await.is(404);
}

#[actix_web::test]
async fn every_address_that_opens_nothing_gets_one_answer() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let (link, ended, revoked) =
        (make(&owner, &ada, &[]).await, make(&owner, &ada, &[]).await, make(&owner, &ada, &[("lasts", "30d")]).await);
    owner.post(&format!("/patients/{ada}/links/{}/revoke", revoked.id), &[]).await.is(303);
    let cut = &link.text[..link.text.len() - 1];
    let last = if link.text.ends_with('A') { "B" } else { "A" };
    let changed = format!("{cut}{last}");
    let swapped = format!("{}.{}", ended.id, link.text.split('.').nth(1).unwrap());
    t.later(Duration::minutes(59));
    t.anon().get(&ended.path()).await.is(200);
    let unknown = "/l/0190-unknown.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let answer = t.anon().get(&unknown).await.is(404).body;
    t.later(Duration::minutes(2));
    let owner = owner.signed_in();
    for path in [ended.path(), revoked.path(), format!("/l/{cut}"), format!("/l/{changed}"), format!("/l/{swapped}"), "/l/x".into()] {
        for found in [t.anon().get(&path).await, t.anon().post(&path, &[("passcode", &link.passcode)]).await] {
            assert_eq!(found.is(404).body, answer, "{path}");
        }
    }
    let page = owner.get(&format!("/patients/{ada}/links")).await.says("withdrawn").says("ended");
    assert!(
        page.nodes().iter().all(|node| node.attr("value").is_none_or(|value| !value.contains("/l/"))),
        "only open links have an address"
    );
}

#[actix_web::test]
async fn revoking_and_losing_the_right_close_an_open_visit_at_once() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let helper = t.stranger("helper");
    owner.share(&ada, &helper, &Share::to(Permission::Full));
    let mine = make(&owner, &ada, &[]).await;
    let theirs = make(&helper, &ada, &[]).await;
    let (lind, nurse) = (visitor(&t, &mine).await, visitor(&t, &theirs).await);
    let (summary, other) = (format!("{}/summary", mine.path()), format!("{}/summary", theirs.path()));
    lind.get(&summary).await.is(200);
    nurse.get(&other).await.is(200);
    let helpers = helper.get(&format!("/patients/{ada}/links")).await.is(200);
    helpers.lacks(&mine.text);
    helper.post(&format!("/patients/{ada}/links/{}/revoke", mine.id), &[]).await.is(404);
    owner.post(&format!("/patients/{ada}/links/{}/revoke", mine.id), &[]).await.is(303);
    assert_eq!(lind.get(&summary).await.location(), mine.path());
    lind.get(&mine.path()).await.is(404);
    // The helper may look, and no longer give on.
    let shares = kinchart::db::schema::patient_shares::table;
    let level = kinchart::db::schema::patient_shares::permission_level;
    t.app.db.write(|tx| Ok(diesel::update(shares).set(level.eq(Permission::Edit)).execute(&mut **tx)?)).unwrap();
    nurse.get(&other).await.is(303);
    nurse.get(&theirs.path()).await.is(404);
    helper.get(&format!("/patients/{ada}/links")).await.is(403);
    // An account that is closed opens nothing.
    t.app.db.write(|tx| Ok(diesel::update(shares).set(level.eq(Permission::Full)).execute(&mut **tx)?)).unwrap();
    nurse.get(&other).await.is(200);
    let now = t.now();
    let account = users::table.find(helper.id.as_str());
    t.app.db.write(|tx| Ok(diesel::update(account).set(users::disabled_at.eq(now)).execute(&mut **tx)?)).unwrap();
    nurse.get(&other).await.is(303);
}

#[actix_web::test]
async fn a_link_shows_every_kind_it_opens_and_no_word_of_another() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let visible = |page: &str, kind: &'static kinchart::records::Kind| page.contains(&canary(kind));
    for kind in records::kinds() {
        let mut sample = Sample::least(kind, 1);
        let name = sample.fields.iter().find(|(_, text)| text.starts_with("Größe")).map(|(name, _)| name.clone());
        let name = name.unwrap_or_else(|| kind.fields.iter().find(|f| f.in_list).unwrap().name.to_owned());
        sample = sample.with(&name, &canary(kind));
        if owner.try_record(&ada, kind, &sample).is_err() {
            owner.record(&ada, kind, &Sample::least(kind, 1));
        }
    }
    let whole = make(&owner, &ada, &[]).await;
    let all = visitor(&t, &whole).await.get(&format!("{}/summary", whole.path())).await.is(200);
    let missing: Vec<&str> =
        records::kinds().iter().filter(|kind| kind.name != "vitals" && !visible(&all.body, kind)).map(|k| k.name).collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    for_every_kind(async |kind| {
        let link = make(&owner, &ada, &[("set", "chosen"), ("kinds", kind.name)]).await;
        let page = visitor(&t, &link).await.get(&format!("{}/summary", link.path())).await.is(200);
        for other in records::kinds().iter().filter(|other| other.name != kind.name) {
            assert!(!visible(&page.body, other), "{} on the page of {}", other.name, kind.name);
        }
        page.says("This is a part of the record");
    })
    .await;
}

fn canary(kind: &records::Kind) -> String {
    format!("Zqx{}", kind.word().replace('_', ""))
}

#[actix_web::test]
async fn what_is_private_and_what_has_another_tag_stays_closed() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("conditions").unwrap();
    for word in SENSITIVITIES {
        let named = format!("Zqx{}", word.replace('_', ""));
        owner.record(&ada, kind, &Sample::least(kind, 1).with("diagnosis", &named).with("sensitivity", word));
    }
    owner.record(&ada, kind, &Sample::least(kind, 2).with("diagnosis", "Zqxtagged").tagged(&["knee"]));
    let link = make(&owner, &ada, &[("set", "not_private")]).await;
    let page = visitor(&t, &link).await.get(&format!("{}/summary", link.path())).await.is(200).has("Zqxnormal").has("Zqxtagged");
    page.lacks("Zqxmental").lacks("Zqxsexual").lacks("Zqxsubstance").lacks("Zqxviolence").lacks("mental health");
    let tag = owner.tag("knee");
    let link = make(&owner, &ada, &[("tags", &tag)]).await;
    visitor(&t, &link).await.get(&format!("{}/summary", link.path())).await.is(200).has("Zqxtagged").lacks("Zqxnormal");
}

#[actix_web::test]
async fn nobody_gives_on_more_than_they_have() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let helper = t.stranger("helper");
    let share = Share {
        kinds: Some(vec!["allergies".into(), "vitals".into()]),
        without: Some(vec!["violence".into()]),
        ..Share::to(Permission::Full)
    };
    owner.share(&ada, &helper, &share);
    let url = format!("/patients/{ada}/links");
    let sent = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let rest = [("lasts", "1h"), ("passcode_from", "made")];
        pairs.iter().chain(&rest).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    };
    let tag = owner.tag("knee");
    let refused: &[&[(&str, &str)]] = &[
        &[("set", "everything")],
        &[("set", "chosen"), ("kinds", "allergies")],
        &[("set", "chosen"), ("kinds", "medications"), ("without", "violence")],
        &[("set", "chosen"), ("kinds", "allergies"), ("without", "violence"), ("tags", &tag)],
    ];
    for pairs in refused {
        helper.post_body(&url, serde_urlencoded::to_string(sent(pairs)).unwrap()).await.is(422);
    }
    let page = helper.get(&url).await.is(200);
    assert_eq!(page.form(&url).value("set"), Some("chosen"), "what they can give on is offered");
    let link = make(&helper, &ada, &[("kinds", "allergies")]).await;
    let columns =
        professional_links::table.find(&link.id).select((professional_links::kinds, professional_links::tags, professional_links::without));
    let columns = t.app.db.read(|conn| Ok(columns.first(conn)?)).unwrap();
    let scope = Scope { kinds: Some(vec!["allergies".into()]), tags: None, without: vec!["violence".into()], only: None };
    assert_eq!(Scope::of_columns(columns), Some(scope));
}

#[actix_web::test]
async fn a_form_that_is_wrong_says_so_at_each_field_and_keeps_no_passcode() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let url = format!("/patients/{ada}/links");
    let wrong = [
        ("set", "chosen"),
        ("lasts", "1y"),
        ("passcode_from", "own"),
        ("passcode", "zq12"),
        ("most_openings", "0"),
        ("title", &"x".repeat(101)),
    ];
    let page = owner.post(&url, &wrong).await.is(422);
    for field in ["kinds", "lasts", "passcode", "most_openings", "title"] {
        assert!(page.body.contains(&format!("href=\"#f-{field}\"")), "{field}");
        assert!(page.body.contains(&format!("id=\"f-{field}-d\"")), "{field}");
    }
    page.lacks("zq12");
    owner.post(&url, &[("set", "everything"), ("lasts", "1h"), ("passcode_from", "none"), ("passcode", "meant")]).await.is(422);
    owner.post(&url, &[("set", "everything"), ("kinds", "vitals"), ("lasts", "1h"), ("passcode_from", "made")]).await.is(422);
    // A session that ran out keeps other forms; this one has a passcode in it.
    t.anon().post(&url, &[("passcode", "zqxsecret")]).await.is(303).lacks("zqxsecret");
    let own = make(&owner, &ada, &[("passcode_from", "own"), ("passcode", "Zqx Tulip 12")]).await;
    assert_eq!(own.passcode, "Zqx Tulip 12");
    visitor(&t, &Made { passcode: "zqxtulip12".into(), ..own }).await;
    assert!(lines_with("zqxtulip").is_empty() && lines_with("Tulip").is_empty());
}

#[actix_web::test]
async fn links_answer_by_who_asks() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let url = format!("/patients/{ada}/links");
    t.anon().get(&url).await.is(303);
    t.stranger("stranger").get(&url).await.is(404);
    t.stranger("poster").post(&url, &[]).await.is(404);
    t.admin("root").get(&url).await.is(404);
    for (level, status) in [(Permission::View, 403), (Permission::Edit, 403), (Permission::Full, 200)] {
        let person = t.stranger(level.as_str());
        owner.share(&ada, &person, &Share::to(level));
        person.get(&url).await.is(status);
        let tried = person.post(&url, &[("set", "everything")]).await.status;
        assert_eq!(tried, if status == 200 { 422 } else { status });
    }
}

#[actix_web::test]
async fn neither_the_address_nor_the_passcode_is_in_the_log_and_every_look_is_in_the_audit() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let link = make(&owner, &ada, &[("title", "Dr. Lind")]).await;
    let lind = visitor(&t, &link).await;
    lind.get(&format!("{}/summary", link.path())).await.is(200);
    lind.get(&format!("{}/summary?print=1", link.path())).await.is(200);
    let told: Vec<(String, String, String)> = owner
        .audit(&ada)
        .into_iter()
        .map(|event| (event.actor, event.actor_name, event.action))
        .filter(|(.., action)| action != "created")
        .collect();
    let by_link = |action: &str| (format!("link:{}", link.id), "Dr. Lind".to_owned(), action.to_owned());
    let by_owner = |action: &str| (owner.id.to_string(), "owner".to_owned(), action.to_owned());
    assert_eq!(told, [by_owner("listed"), by_owner("link_made"), by_link("link_opened"), by_link("read"), by_link("printed")]);
    assert!(lines_with(&link.text).is_empty() && lines_with(&link.passcode).is_empty());
    let secret = link.text.split('.').nth(1).unwrap();
    assert!(lines_with(secret).is_empty());
}

#[actix_web::test]
async fn a_summary_takes_at_most_twelve_statements_however_long_the_record() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let link = make(&owner, &ada, &[("lasts", "30d")]).await;
    let lind = visitor(&t, &link).await;
    let summary = format!("{}/summary", link.path());
    let mut costs = Vec::new();
    for round in 0..2 {
        for kind in records::kinds() {
            for variant in 0..=(round * 6) {
                owner.record(&ada, kind, &Sample::full(&owner, &ada, kind, variant + round * 100));
            }
        }
        t.app.reads.flush(&t.app.db).unwrap();
        lind.get(&summary).await.is(200);
        let before = t.app.db.statements();
        lind.get(&summary).await.is(200);
        costs.push(t.app.db.statements() - before);
    }
    // The transaction is begun and ended; PostgreSQL's connection is asked whether it lives.
    let around = if on_postgres() { 3 } else { 2 };
    assert!(costs[0] == costs[1] && costs[0] - around <= 12, "{costs:?}");
}

#[actix_web::test]
async fn a_link_opens_documents_only_where_its_maker_said_so_and_only_of_what_it_shows() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let record = |kind: &str| {
        let kind = records::kind(kind).unwrap();
        owner.record(&ada, kind, &Sample::least(kind, 1))
    };
    let (medication, injury) = (record("medications"), record("injuries"));
    let api = owner.api(true);
    let put = async |record: Option<&str>, name: &str| {
        let fields: Vec<(&str, &str)> = record.iter().map(|record| ("record", *record)).collect();
        let body = crate::files::form(&fields, &[(name, "Dear doctor")]);
        let path = format!("/api/v1/patients/{ada}/files");
        let made = api.send(actix_web::http::Method::POST, &path, &[crate::files::FORM], body).await.is(201).json();
        made["id"].as_str().unwrap().to_owned()
    };
    let shown = put(Some(medication.as_str()), "plan.txt").await;
    let hidden = put(Some(injury.as_str()), "xray.txt").await;
    let own = put(None, "card.txt").await;
    let only = [("set", "chosen"), ("kinds", "medications")];
    let with = make(&owner, &ada, &[only[0], only[1], ("documents", "1")]).await;
    let guest = visitor(&t, &with).await;
    guest.get(&format!("{}/summary", with.path())).await.is(200).has("plan.txt").lacks("xray.txt").lacks("card.txt");
    let file = |link: &Made, id: &str| format!("{}/files/{id}", link.path());
    let answer = guest.get(&file(&with, &shown)).await.is(200).has("Dear doctor");
    assert!(answer.header("content-security-policy").unwrap().starts_with("sandbox"));
    for other in [&hidden, &own, &"nothing".to_owned()] {
        guest.get(&file(&with, other)).await.is(404).lacks("Dear doctor");
    }
    t.anon().get(&file(&with, &shown)).await.is(303);
    let without = make(&owner, &ada, &only).await;
    let other = visitor(&t, &without).await;
    other.get(&format!("{}/summary", without.path())).await.is(200).lacks("plan.txt");
    other.get(&file(&without, &shown)).await.is(404).lacks("Dear doctor");
    other.get(&file(&with, &shown)).await.is(303);
    let looks = owner.signed_in().get(&format!("/patients/{ada}/looks")).await.is(200);
    looks.says("downloaded the document: plan.txt").lacks("downloaded the document: xray.txt");
    t.later(Duration::hours(2));
    guest.get(&file(&with, &shown)).await.is(303).lacks("Dear doctor");
}
