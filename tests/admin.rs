//! Administration: accounts are made, changed, closed and removed with a plan for their people, and nothing of anybody's records is shown for it.

use chrono::Duration;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};
use kinchart::{
    db::{
        schema::{audit_events, household_members, installation, jobs as job_rows, patient_owners, patients, users},
        types::{PatientId, UserId},
    },
    jobs, records,
    routes::ROUTES,
};

use crate::common::{
    Answer, Person, Share, TestApp,
    mail::{MailServer, Refuses, link},
    sample::Sample,
};

const NEW: &str = "quartz lantern umbrella 88";
const CANARY: &str = "Zqxcanary";

fn page_of(who: &Person) -> String {
    format!("/admin/users/{}", who.id)
}

/// Every page of an administrator, about this account.
fn pages(about: &Person) -> Vec<String> {
    let all = ROUTES.iter().filter(|(method, path)| *method == "GET" && (*path == "/admin" || path.starts_with("/admin/")));
    all.map(|(_, path)| path.replace("{user}", about.id.as_str())).filter(|path| !path.contains('{')).collect()
}

fn gone(t: &TestApp, who: &Person) -> bool {
    let found: Option<UserId> = t.app.db.read(|conn| Ok(users::table.find(&who.id).select(users::id).first(conn).optional()?)).unwrap();
    found.is_none()
}

fn owners(t: &TestApp, patient: &PatientId) -> Vec<UserId> {
    let of = patient_owners::table.filter(patient_owners::patient_id.eq(patient)).select(patient_owners::user_id);
    t.app.db.read(|conn| Ok(of.load(conn)?)).unwrap()
}

fn first_owner(t: &TestApp, patient: &PatientId) -> UserId {
    t.app.db.read(|conn| Ok(patients::table.find(patient).select(patients::owner_user_id).first(conn)?)).unwrap()
}

fn noted(t: &TestApp, action: &str) -> i64 {
    t.app.db.read(|conn| Ok(audit_events::table.filter(audit_events::action.eq(action)).count().get_result(conn)?)).unwrap()
}

async fn remove(admin: &Person, who: &Person, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![("confirm_username", who.name.as_str())];
    form.extend_from_slice(more);
    admin.post(&format!("{}/delete", page_of(who)), &form).await
}

#[actix_web::test]
async fn no_page_shows_a_record_a_document_or_the_name_of_a_patient() {
    let t = TestApp::new().await;
    let (admin, owner) = (t.admin("root"), t.user("owner"));
    let ada = owner.patient_with(&[("first_name", CANARY), ("last_name", CANARY), ("birth_date", "1960"), ("notes", CANARY)]);
    for kind in records::kinds() {
        let mut sample = Sample::least(kind, 1).tagged(&[CANARY]);
        for (_, text) in sample.fields.iter_mut().filter(|(_, text)| text.starts_with("Größe")) {
            *text = format!("{CANARY} {text}");
        }
        owner.record(&ada, kind, &sample);
    }
    let letter = crate::files::form(&[("description", CANARY)], &[(&format!("{CANARY}.txt"), CANARY)]);
    let post = actix_web::http::Method::POST;
    owner.api(true).send(post, &format!("/api/v1/patients/{ada}/files"), &[crate::files::FORM], letter).await.is(201);
    let thrown = owner.patient_with(&[("first_name", CANARY), ("last_name", CANARY)]);
    owner.post(&format!("/patients/{thrown}/delete"), &[]).await.is(303);
    owner.post(&format!("/patients/{ada}/sharing"), &[("to", "root"), ("permission", "view"), ("set", "everything")]).await.is(303);
    jobs::run_due(&t.app).unwrap();
    kinchart::audit::seal::run(&t.app).unwrap();
    owner.get(&format!("/patients/{ada}")).await.is(200).has(CANARY);
    let all = pages(&owner);
    assert!(all.len() >= 13, "{all:?}");
    for path in &all {
        admin.get(path).await.is(200).lacks(CANARY).lacks(ada.as_str());
        owner.get(path).await.is(403);
        t.anon().get(path).await.is(303);
    }
    // Neither do answers of what an administrator does, nor what programs of theirs can ask.
    remove(&admin, &owner, &[]).await.is(422).lacks(CANARY).lacks("0 people");
    admin.post(&page_of(&owner), &[("_what", "reset")]).await.is(200).lacks(CANARY);
    admin.get(&format!("/patients/{ada}")).await.is(404);
    admin.api(true).get("/api/v1/patients").await.is(200).lacks(CANARY);
    admin.get("/admin").await.is(200).says("People 1").says("Documents 1");
    admin.get("/admin/trash").await.is(200).says("People 1");
}

#[actix_web::test]
async fn an_account_is_made_with_a_link_that_is_shown_once() {
    let t = TestApp::new().await;
    let admin = t.admin("root");
    let form = [("full_name", "Nan Example"), ("username", "nan"), ("email", "nan@example.org"), ("role", "guest"), ("how", "link")];
    let made = admin.post("/admin/users", &form).await.is(201).says("The account is made").says("no password yet");
    let path = link(&made.body.replace('"', " "), "/reset/");
    admin.get("/admin/users").await.is(200).says("Nan Example").says("Guest").lacks("/reset/");
    assert_eq!(t.anon().post("/login", &[("username", "nan"), ("password", "")]).await.status, 422);
    t.later(Duration::days(6));
    t.anon().post(&path, &[("password", NEW), ("password_again", NEW)]).await.is(200);
    let signed = t.anon().post("/login", &[("username", "nan"), ("password", NEW)]).await.is(303);
    let cookie = signed.header("set-cookie").map(|set| set.split(';').next().unwrap_or_default().to_owned());
    let nan = t.anon().with_cookie(cookie);
    nan.get("/settings/notices").await.is(200).says("root, an administrator, made a link that sets your password");
    nan.get("/patients/new").await.is(403);
    assert_eq!((noted(&t, "account_created"), noted(&t, "reset_link_made"), noted(&t, "password_reset")), (1, 1, 1));
    // With a password, and with everything that can be wrong.
    let admin = admin.signed_in();
    admin.get("/admin/users/new").await.is(200).lacks("Your name").says("Their first password");
    let with = |username: &'static str, password: &'static str| {
        [("full_name", "Tom"), ("username", username), ("email", ""), ("role", "user"), ("how", "password"), ("password", password)]
    };
    admin.post("/admin/users", &with("nan", NEW)).await.is(422).has("href=\"#f-username\"");
    admin.post("/admin/users", &with("tom", "short")).await.is(422).has("href=\"#f-password\"");
    admin.post("/admin/users", &with("tom", NEW)).await.is(201).lacks("/reset/");
    assert_eq!(t.anon().post("/login", &[("username", "tom"), ("password", NEW)]).await.status, 303);
    let king = [("full_name", "Tom"), ("username", "king"), ("role", "king"), ("how", "link")];
    admin.post("/admin/users", &king).await.is(422).has("href=\"#f-role\"");
}

#[actix_web::test]
async fn what_cannot_be_taken_back_is_not_done_by_who_finds_a_session_open() {
    let t = TestApp::new().await;
    let (admin, other) = (t.admin("root"), t.user("other"));
    t.later(Duration::minutes(11));
    for what in ["reset", "role"] {
        let asked = admin.post(&page_of(&other), &[("_what", what), ("role", "admin")]).await.lacks("/reset/");
        assert!(asked.form("/confirm").pairs.iter().any(|(name, _)| name == "current_password"));
    }
    let asked = remove(&admin, &other, &[]).await;
    asked.form("/confirm");
    assert!(!gone(&t, &other) && noted(&t, "reset_link_made") + noted(&t, "role_changed") == 0);
    admin.post("/admin/signup", &[("policy", "open")]).await.form("/confirm");
    t.anon().get("/signup").await.is(404);
    // What lets nobody in needs no proof.
    admin.post("/admin/signup", &[("policy", "closed")]).await.is(303);
    admin.post(&page_of(&other), &[("_what", "sign_out")]).await.is(303);
}

#[actix_web::test]
async fn another_role_ends_what_was_open_and_the_last_administrator_stays_one() {
    let t = TestApp::new().await;
    let (admin, other) = (t.admin("root"), t.user("other"));
    admin.post(&page_of(&admin), &[("_what", "role"), ("role", "user")]).await.is(422).says("last administrator");
    admin.post(&page_of(&admin), &[("_what", "close")]).await.is(422).says("last administrator");
    remove(&admin, &admin, &[]).await.is(422).says("your own account");
    other.get("/admin").await.is(403);
    admin.post(&page_of(&other), &[("_what", "role"), ("role", "admin")]).await.is(303);
    assert_eq!(other.get("/patients").await.status, 303, "signed out");
    let other = other.signed_in();
    other.get("/admin").await.is(200);
    other.get("/settings/notices").await.is(200).says("root, an administrator, made you an administrator");
    // Demoted with a page open: nothing of it works any more, and a program of theirs does what the role allows.
    let api = other.api(true);
    api.post("/api/v1/patients", &serde_json::json!({"first_name": "Ada", "last_name": "L", "birth_date": "1960"})).await.is(201);
    let form = other.get(&page_of(&admin)).await.is(200).form(&page_of(&admin));
    admin.post(&page_of(&other), &[("_what", "role"), ("role", "guest")]).await.is(303);
    assert_eq!(other.submit(&form).await.location(), "/login");
    other.get("/admin").await.is(303);
    let other = other.signed_in();
    other.get("/admin").await.is(403);
    api.post("/api/v1/patients", &serde_json::json!({"first_name": "Bea", "last_name": "L", "birth_date": "1960"})).await.is(403);
    assert_eq!(noted(&t, "role_changed"), 2);
    let page = admin.get("/admin/audit").await.is(200).says("root made an account an administrator’s: other");
    page.says("root gave an account the role of a guest: other");
    other.get("/settings/notices").await.is(200).says("root, an administrator, gave you the role of a guest");
}

#[actix_web::test]
async fn what_an_administrator_does_with_an_account_is_told_to_both() {
    let t = TestApp::new().await;
    let (admin, other) = (t.admin("root"), t.user("other"));
    admin.post(&page_of(&other), &[("_what", "reset")]).await.is(200);
    admin.post(&page_of(&other), &[("_what", "close")]).await.is(303);
    let password = crate::common::password_of("other");
    assert_eq!(t.anon().post("/login", &[("username", "other"), ("password", &password)]).await.status, 422);
    assert_eq!(t.anon().post("/login", &[("username", "other"), ("password", "a wrong one")]).await.status, 422);
    admin.post(&page_of(&other), &[("_what", "open")]).await.is(303);
    let own = admin.get("/settings/activity").await.is(200).says("root made a link for a new password: other");
    own.says("root closed an account: other").says("root opened an account again: other");
    admin.get("/settings/activity/csv").await.is(200).has(",other\r\n");
    let other = other.signed_in();
    let own = other.get("/settings/activity").await.is(200).says("root made a link for a new password: your account");
    let own = own.says("root closed an account: your account").says("root opened an account again: your account");
    let own = own.says("other tried to sign in to a closed account with the right password refused");
    own.says("other tried to sign in with a wrong password refused");
    let told = other.get("/settings/notices").await.is(200).says("root, an administrator, closed your account");
    told.says("root, an administrator, opened your account again");
}

#[actix_web::test]
async fn a_closed_account_is_out_at_once_in_the_middle_of_a_download_too() {
    let t = TestApp::new().await;
    let (admin, owner) = (t.admin("root"), t.user("owner"));
    let ada = owner.patient("Ada");
    let kind = records::kind("allergies").unwrap();
    for variant in 0..401 {
        owner.record(&ada, kind, &Sample::least(kind, variant));
    }
    let api = owner.api(true);
    let path = format!("/patients/{ada}/allergies/csv");
    assert!(owner.parts(&path, |_| {}).await.1);
    let (app, user) = (t.app.clone(), owner.id.clone());
    let after_one = move |part| {
        if part == 1 {
            let event = kinchart::auth::accounts::by_command(kinchart::audit::Action::AccountDisabled, app.clock.now());
            app.db.write(|tx| kinchart::auth::accounts::disable(tx, &user, event.clone())).unwrap();
        }
    };
    let (rows, is_whole) = owner.parts(&path, after_one).await;
    assert!(!is_whole && rows < 402, "{rows} lines came although the account was closed");
    owner.get("/patients").await.is(303);
    api.get("/api/v1/patients").await.is(401);
    admin.get(&page_of(&owner)).await.is(200).says("closed");
    admin.post(&page_of(&owner), &[("_what", "reset")]).await.is(422).says("open it first");
    admin.post(&page_of(&owner), &[("_what", "open")]).await.is(303);
    owner.get("/patients").await.is(303);
    owner.signed_in().get("/patients").await.is(200);
    // What was ended stays ended.
    api.get("/api/v1/patients").await.is(401);
    assert_eq!(noted(&t, "token_revoked"), 1);
}

#[actix_web::test]
async fn a_long_document_stops_with_the_session_it_was_asked_in() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let words = "Dear Ada, all is well. ".repeat(80_000);
    let body = crate::files::form(&[], &[("letter.txt", &words)]);
    let post = actix_web::http::Method::POST;
    let made = owner.api(true).send(post, &format!("/api/v1/patients/{ada}/files"), &[crate::files::FORM], body).await.is(201).json();
    let path = format!("/patients/{ada}/files/{}/content", made["id"].as_str().unwrap());
    assert!(owner.parts(&path, |_| {}).await.1);
    let (app, user) = (t.app.clone(), owner.id.clone());
    let after_one = move |part| {
        if part == 1 {
            app.db.write(|tx| kinchart::auth::session::end(tx, &user, None, None)).unwrap();
        }
    };
    assert!(!owner.parts(&path, after_one).await.1, "it went on although the session was ended");
}

#[actix_web::test]
async fn who_keeps_people_with_others_leaves_them_to_these() {
    let t = TestApp::new().await;
    let (admin, mother, father, granny) = (t.admin("root"), t.stranger("mother"), t.stranger("father"), t.stranger("granny"));
    let ada = mother.patient("Ada");
    own(&t, &ada, &father);
    mother.share(&ada, &granny, &Share::default());
    granny.get(&format!("/patients/{ada}")).await.is(200);
    admin.get(&format!("{}/delete", page_of(&mother))).await.is(200).says("1 person is theirs and somebody else’s").lacks("Into the trash");
    assert_eq!(remove(&admin, &mother, &[]).await.location(), "/admin/users?done=removed");
    assert!(gone(&t, &mother));
    assert_eq!((owners(&t, &ada), first_owner(&t, &ada)), (vec![father.id.clone()], father.id.clone()));
    granny.get(&format!("/patients/{ada}")).await.is(200);
    father.get(&format!("/patients/{ada}/edit")).await.is(200);
    let household: String = t
        .app
        .db
        .read(|conn| Ok(patients::table.find(&ada).select(patients::household_id).first::<kinchart::db::types::HouseholdId>(conn)?))
        .unwrap()
        .to_string();
    assert_eq!(household, father.household.to_string(), "of a household that an owner belongs to");
    father.get(&format!("/patients/{ada}/looks")).await.is(200).says("removed an account that owned this person");
}

fn own(t: &TestApp, patient: &PatientId, who: &Person) {
    let row = (patient_owners::patient_id.eq(patient), patient_owners::user_id.eq(&who.id), patient_owners::created_at.eq(t.now()));
    t.app.db.write(|tx| Ok(diesel::insert_into(patient_owners::table).values(&row).execute(&mut **tx)?)).unwrap();
}

#[actix_web::test]
async fn people_of_an_account_that_goes_are_taken_over_by_who_says_yes() {
    let t = TestApp::new().await;
    let (admin, mother) = (t.admin("root"), t.stranger("mother"));
    let (aunt, stranger) = (t.stranger("aunt"), t.stranger("stranger"));
    let (ada, bea) = (mother.patient("Ada"), mother.patient("Bea"));
    mother.post(&format!("/patients/{bea}/delete"), &[]).await.is(303);
    join(&t, &mother, &aunt);
    let deletion = format!("{}/delete", page_of(&mother));
    admin.get(&deletion).await.is(200).says("1 person is theirs alone").says("aunt").lacks("stranger").lacks("Ada");
    remove(&admin, &mother, &[]).await.is(422).has("href=\"#f-plan\"");
    for to in [stranger.id.as_str(), admin.id.as_str(), ""] {
        remove(&admin, &mother, &[("plan", "give"), ("to", to)]).await.is(422).says("Choose somebody from the list");
    }
    let give = [("plan", "give"), ("to", aunt.id.as_str())];
    assert_eq!(remove(&admin, &mother, &give).await.location(), "/admin/users?done=removing");
    mother.get("/patients").await.is(303);
    let offer = format!("/settings/notices/{}", mother.id);
    aunt.get("/patients").await.is(200).says("happened to your account");
    aunt.get("/settings/notices").await.is(200).says("take over 2 people").has(&format!("action=\"{offer}\""));
    aunt.get(&format!("/patients/{ada}")).await.is(404);
    stranger.post(&offer, &[("answer", "accept")]).await.is(404);
    admin.post(&offer, &[("answer", "accept")]).await.is(404);
    // A no leaves everything where it is, and can be called off.
    aunt.post(&offer, &[("answer", "decline")]).await.is(303);
    admin.get(&page_of(&mother)).await.is(200).says("said no");
    admin.post(&page_of(&mother), &[("_what", "open")]).await.is(409);
    admin.post(&page_of(&mother), &[("_what", "call_off")]).await.is(303);
    let page = admin.get("/admin/audit").await.is(200).says("root called off the removal of an account: mother");
    page.says("root began to remove an account, and asked somebody to take over its people: mother");
    mother.clone().signed_in().get(&format!("/patients/{ada}")).await.is(200);
    remove(&admin, &mother, &give).await.is(303);
    aunt.post(&offer, &[("answer", "accept")]).await.is(303);
    assert!(gone(&t, &mother));
    aunt.get(&format!("/patients/{ada}")).await.is(200);
    aunt.get("/patients/trash").await.is(200).says("Bea");
    assert_eq!((owners(&t, &ada), first_owner(&t, &bea)), (vec![aunt.id.clone()], aunt.id.clone()));
    assert_eq!(noted(&t, "account_removed"), 1);
    // Whose it was is told for as long as the audit is kept, by the name they acted under.
    admin.get("/admin/audit").await.is(200).says("removed an account: mother");
}

/// They keep a household together.
fn join(t: &TestApp, host: &Person, who: &Person) {
    let row = (
        household_members::household_id.eq(&host.household),
        household_members::user_id.eq(&who.id),
        household_members::role.eq("member"),
        household_members::created_at.eq(t.now()),
    );
    t.app.db.write(|tx| Ok(diesel::insert_into(household_members::table).values(&row).execute(&mut **tx)?)).unwrap();
}

#[actix_web::test]
async fn people_that_nobody_takes_over_lie_in_the_trash_for_thirty_days_and_then_the_account_goes() {
    let t = TestApp::new().await;
    let (admin, mother) = (t.admin("root"), t.stranger("mother"));
    let (ada, bea) = (mother.patient("Ada"), mother.patient("Bea"));
    mother.post(&format!("/patients/{bea}/delete"), &[]).await.is(303);
    admin.get(&format!("{}/delete", page_of(&mother))).await.is(200).says("Nobody can be asked");
    assert_eq!(remove(&admin, &mother, &[("plan", "trash")]).await.location(), "/admin/users?done=removing");
    admin.get("/admin/users").await.is(200).says("is being removed");
    admin.get("/admin/audit").await.is(200).says("root began to remove an account, with its people into the trash: mother");
    t.later(Duration::days(20));
    jobs::ensure_standing(&t.app).unwrap();
    jobs::run_due(&t.app).unwrap();
    let admin = admin.signed_in();
    admin.post(&page_of(&mother), &[("_what", "call_off")]).await.is(303);
    let mother = mother.signed_in();
    mother.get(&format!("/patients/{ada}")).await.is(200);
    mother.get(&format!("/patients/{bea}")).await.is(404);
    remove(&admin, &mother, &[("plan", "trash")]).await.is(303);
    t.later(Duration::days(31));
    for _ in 0..2 {
        jobs::run_due(&t.app).unwrap();
        t.later(Duration::hours(7));
    }
    assert!(gone(&t, &mother));
    let left: i64 = t.app.db.read(|conn| Ok(patients::table.count().get_result(conn)?)).unwrap();
    assert_eq!(left, 0);
}

#[actix_web::test]
async fn sessions_of_all_are_listed_and_ended() {
    let t = TestApp::new().await;
    let (admin, ann) = (t.admin("root"), t.user("ann"));
    let second = ann.clone().signed_in();
    let page = admin.get("/admin/sessions").await.is(200).says("ann").says("with the password");
    assert_eq!(page.body.matches(&format!("value=\"{}\"", ann.id)).count(), 2);
    let newest: String = {
        use kinchart::db::schema::sessions;
        let of = sessions::table.filter(sessions::user_id.eq(&ann.id)).order(sessions::id.desc()).select(sessions::id);
        t.app.db.read(|conn| Ok(of.first(conn)?)).unwrap()
    };
    admin.post("/admin/sessions", &[("user", ann.id.as_str()), ("which", &newest)]).await.is(303);
    second.get("/patients").await.is(303);
    ann.get("/patients").await.is(200);
    admin.post("/admin/sessions", &[("user", admin.id.as_str()), ("which", &newest)]).await.is(404);
    admin.post("/admin/sessions", &[("user", ann.id.as_str()), ("which", "all")]).await.is(303);
    ann.get("/patients").await.is(303);
    assert_eq!(noted(&t, "sessions_ended"), 2);
}

#[actix_web::test]
async fn who_may_sign_up_is_a_switch_unless_the_setting_says() {
    let t = TestApp::new().await;
    let admin = t.admin("root");
    t.anon().get("/signup").await.is(404);
    t.anon().get("/login").await.is(200).lacks("/signup");
    admin.post("/admin/signup", &[("policy", "open")]).await.is(303);
    t.anon().get("/signup").await.is(200);
    t.anon().get("/login").await.is(200).has("href=\"/signup\"");
    admin.post("/admin/signup", &[("policy", "closed")]).await.is(303);
    t.anon().get("/signup").await.is(404);
    admin.post("/admin/signup", &[("policy", "maybe")]).await.is(400);
    let fixed = TestApp::with(|config| config.signup = Some(kinchart::config::Signup::Closed)).await;
    let admin = fixed.admin("root");
    admin.get("/admin/signup").await.is(200).says("KINCHART_SIGNUP").lacks("name=\"policy\"");
    admin.post("/admin/signup", &[("policy", "open")]).await.is(409);
    fixed.anon().get("/signup").await.is(404);
}

#[actix_web::test]
async fn entries_of_ones_own_households_are_published_and_anybodys_taken_back() {
    let t = TestApp::new().await;
    let (admin, of_house, far) = (t.admin("root"), t.user("ann"), t.stranger("far"));
    let (near, other) = (of_house.practitioner("Dr Near"), far.practitioner("Dr Far"));
    admin.get("/admin/directory").await.is(200).says("Dr Near").lacks("Dr Far");
    let form = |entry: &str, to: &'static str| [("list", "practitioners".to_owned()), ("entry", entry.to_owned()), ("to", to.to_owned())];
    let send = |entry: String, to: &'static str| {
        let (admin, form) = (admin.clone(), form(&entry, to));
        async move {
            let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            admin.post("/admin/directory", &pairs).await.status
        }
    };
    assert_eq!(send(other.clone(), "everybody").await, 404);
    far.get("/directory/practitioners").await.is(200).lacks("Dr Near");
    assert_eq!(send(near.clone(), "everybody").await, 303);
    far.get("/directory/practitioners").await.is(200).says("Dr Near");
    assert_eq!(send(near, "household").await, 303);
    far.get("/directory/practitioners").await.is(200).lacks("Dr Near");
}

#[actix_web::test]
async fn jobs_tell_what_went_wrong_and_are_done_again() {
    let t = TestApp::new().await;
    let admin = t.admin("root");
    let row = (
        job_rows::id.eq("a-job"),
        job_rows::task.eq("no_such_task"),
        job_rows::lane.eq("common"),
        job_rows::payload.eq("zqx-payload"),
        job_rows::run_at.eq(t.now()),
        job_rows::attempts.eq(0),
        job_rows::created_at.eq(t.now()),
    );
    t.app.db.write(|tx| Ok(diesel::insert_into(job_rows::table).values(&row).execute(&mut **tx)?)).unwrap();
    jobs::run_due(&t.app).unwrap();
    admin.get("/admin").await.is(200).says("Something in the background failed");
    admin.get("/admin/jobs").await.is(200).says("no such task").says("failed").says("tried 1 time").lacks("zqx-payload");
    assert_eq!(jobs::run_due(&t.app).unwrap(), 0);
    admin.post("/admin/jobs/a-job", &[]).await.is(303);
    assert_eq!(jobs::run_due(&t.app).unwrap(), 1);
    admin.post("/admin/jobs/none", &[]).await.is(404);
}

#[actix_web::test]
async fn the_state_of_database_and_disk_is_told_and_everything_looked_at_on_demand() {
    let t = TestApp::new().await;
    let admin = t.admin("root");
    let engine = if crate::common::on_postgres() { "PostgreSQL" } else { "SQLite" };
    admin.get("/admin/health").await.is(200).says(engine).says("0015").says("Not looked at yet").says("Free on the disk");
    admin.post("/admin/health", &[]).await.is(303);
    admin.post("/admin/health", &[]).await.is(303);
    assert_eq!(jobs::run_due(&t.app).unwrap(), 1, "asked twice, done once");
    admin.get("/admin/health").await.is(200).says("all well");
    let told: String = t.app.db.read(|conn| Ok(installation::table.find("checked").select(installation::value).first(conn)?)).unwrap();
    assert!(told.contains("\"dangling\":0"), "{told}");
    admin.get("/admin/codes").await.is(200).says("ICD-10-CM").says("2026").says("98,147");
}

#[actix_web::test]
async fn a_letter_to_oneself_names_what_is_wrong_with_mail() {
    let admin = |t: &TestApp| t.admin("root");
    let t = TestApp::new().await;
    admin(&t).post("/admin/connections/mail", &[]).await.is(200).says("No mail server is set");
    let good = MailServer::new();
    let t = TestApp::with(|config| good.set_with_account(config)).await;
    admin(&t).post("/admin/connections/mail", &[]).await.is(200).says("The server took the letter to root@example.org");
    assert_eq!(good.count_to("root@example.org"), 1);
    let account = MailServer::that_refuses(Refuses::Account);
    let t = TestApp::with(|config| account.set_with_account(config)).await;
    admin(&t).post("/admin/connections/mail", &[]).await.is(200).says("refuses the account").says("535").lacks("secret");
    let receiver = MailServer::that_refuses(Refuses::Receiver);
    let t = TestApp::with(|config| receiver.set(config)).await;
    admin(&t).post("/admin/connections/mail", &[]).await.is(200).says("takes no such letter").says("550");
    let t = TestApp::with(|config| {
        good.set(config);
        config.smtp.security = kinchart::config::SmtpSecurity::Tls;
    })
    .await;
    admin(&t).post("/admin/connections/mail", &[]).await.is(200).says("No TLS as it is set");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let t = TestApp::with(|config| {
        good.set(config);
        config.smtp.port = Some(free);
    })
    .await;
    admin(&t).post("/admin/connections/mail", &[]).await.is(200).says("nobody answers");
    let t = TestApp::with(|config| {
        good.set(config);
        config.smtp.host = Some("no-such-host.invalid".into());
    })
    .await;
    admin(&t).post("/admin/connections/mail", &[]).await.is(200).says("host’s name has no address");
    assert_eq!(noted(&t, "mail_tested"), 1);
}
