//! Who sees and changes what, over every kind's pages: the table of answers, and words that must never reach who may not read them.

mod links;
mod matrix;
mod people;
mod races;
mod world;

use kinchart::{
    access::Permission,
    db::types::PatientId,
    records::{self, Kind, field::Input},
};

use crate::common::{Person, Share, TestApp, for_every_kind, paper, sample::Sample};

/// How far somebody comes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Reach {
    Nobody,
    /// Nothing of the patient exists for them.
    Nothing,
    Looks,
    Writes,
}

struct Cast {
    owner: Person,
    ada: PatientId,
    others: Vec<(&'static str, Person, Reach)>,
}

fn cast(t: &TestApp) -> Cast {
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let (now, day) = (t.now(), chrono::Duration::days(1));
    let mut others = vec![
        ("anonymous", t.anon(), Reach::Nobody),
        ("stranger", t.stranger("stranger"), Reach::Nothing),
        ("of the household, without a share", t.user("sibling"), Reach::Nothing),
        ("administrator", t.admin("root"), Reach::Nothing),
    ];
    let whole = Share::default;
    let shares = [
        ("viewer", whole(), Reach::Looks),
        ("editor", Share::to(Permission::Edit), Reach::Writes),
        ("full", Share::to(Permission::Full), Reach::Writes),
        ("ended", Share { expires_at: Some(now - day), ..Share::to(Permission::Full) }, Reach::Nothing),
        ("ending at this moment", Share { expires_at: Some(now - chrono::Duration::seconds(1)), ..whole() }, Reach::Nothing),
        ("not begun", Share { starts_at: Some(now + day), ..Share::to(Permission::Full) }, Reach::Nothing),
        ("revoked", Share { active: false, ..Share::to(Permission::Full) }, Reach::Nothing),
        ("of no kind", Share { kinds: Some(vec![]), ..Share::to(Permission::Full) }, Reach::Nothing),
        ("running", Share { starts_at: Some(now - day), expires_at: Some(now + day), ..whole() }, Reach::Looks),
    ];
    for (name, share, reach) in shares {
        let person = t.stranger(&name.replace(' ', "-"));
        owner.share(&ada, &person, &share);
        others.push((name, person, reach));
    }
    Cast { owner, ada, others }
}

/// Every address of a record's pages: method, path after the kind's, whether it writes.
const PAGES: &[(&str, &str, bool)] = &[
    ("GET", "", false),
    ("GET", "/new", true),
    ("GET", "/{id}", false),
    ("GET", "/{id}/edit", true),
    ("GET", "/{id}/history", false),
    ("GET", "/{id}/links", true),
    ("POST", "", true),
    ("POST", "/{id}/edit", true),
    ("POST", "/{id}/delete", true),
    ("POST", "/{id}/restore", true),
    ("POST", "/{id}/status", true),
    ("POST", "/{id}/links", true),
    ("POST", "/{id}/offers", true),
    ("POST", "/{id}/history/1", true),
];

#[actix_web::test]
async fn every_page_of_every_kind_answers_by_who_asks() {
    let t = TestApp::new().await;
    let Cast { owner, ada, others } = cast(&t);
    for_every_kind(async |kind| {
        let sample = Sample::least(kind, 1);
        let id = owner.record(&ada, kind, &sample);
        let count = owner.count(&ada, kind);
        for (name, person, reach) in &others {
            for (method, page, writes) in PAGES {
                let path = format!("/patients/{ada}/{}{}", kind.name, page.replace("{id}", id.as_str()));
                // Deleting and restoring need no body; what they do for who may is tested with the kinds.
                if *reach == Reach::Writes && ["delete", "restore", "history/1"].iter().any(|end| page.ends_with(end)) {
                    continue;
                }
                // A body nobody could read: who may not write learns nothing from how it is refused.
                let broken = (*method == "POST") && *reach != Reach::Writes;
                let answer = match *method {
                    "GET" => person.get(&path).await,
                    _ if broken => person.post_body(&path, "%%%=&&=\u{0}".into()).await,
                    // Nothing valid is sent, so that the record stays as it is for the next one.
                    _ => person.post(&path, &[("nonsense", "1"), ("to", "nothing"), ("status", "no such status")]).await,
                };
                let expected: &[u16] = match reach {
                    Reach::Nobody if *method == "GET" => &[303],
                    Reach::Nobody => &[401],
                    Reach::Nothing => &[404],
                    Reach::Looks if *writes => &[403],
                    Reach::Looks => &[200],
                    Reach::Writes if *method == "GET" => &[200],
                    Reach::Writes => &[422, 404, 303],
                };
                assert!(expected.contains(&answer.status), "{name}: {method} {path} answers {}, not {expected:?}", answer.status);
                if *reach != Reach::Writes && *reach != Reach::Looks {
                    answer.lacks(sample.fields.iter().map(|(_, v)| v.as_str()).find(|v| v.starts_with("Größe")).unwrap_or("no such word"));
                }
            }
        }
        assert_eq!(owner.count(&ada, kind), count, "somebody wrote");
        assert_eq!(owner.load(&ada, kind, &id).head.version, 1);
    })
    .await;
}

#[actix_web::test]
async fn an_editor_writes_and_an_end_takes_it_away_at_once() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let editor = t.stranger("editor");
    owner.share(&ada, &editor, &Share { expires_at: Some(t.now() + chrono::Duration::minutes(20)), ..Share::to(Permission::Edit) });
    for_every_kind(async |kind| {
        let url = format!("/patients/{ada}/{}", kind.name);
        let pairs = Sample::least(kind, 1).form(kind);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let id = editor.post(&url, &pairs).await.new_id();
        editor.post(&format!("{url}/{id}/delete"), &[("_version", "1")]).await.location();
        editor.post(&format!("{url}/{id}/restore"), &[]).await.location();
        owner.get(&format!("{url}/{id}")).await.is(200);
    })
    .await;
    t.later(chrono::Duration::minutes(21));
    for kind in records::kinds() {
        editor.get(&format!("/patients/{ada}/{}", kind.name)).await.is(404);
    }
    let audit = owner.audit(&ada);
    assert!(audit.iter().any(|event| event.actor_name == "editor" && event.action == "created"));
}

#[actix_web::test]
async fn every_look_is_in_the_audit() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let viewer = t.stranger("viewer");
    owner.share(&ada, &viewer, &Share::default());
    for_every_kind(async |kind| {
        let id = owner.record(&ada, kind, &Sample::least(kind, 1));
        let url = format!("/patients/{ada}/{}", kind.name);
        let looked = |audit: Vec<kinchart::audit::Event>| {
            audit.iter().filter(|e| e.actor_name == "viewer" && e.kind.as_deref() == Some(kind.name)).count()
        };
        let before = looked(owner.audit(&ada));
        for page in [String::new(), format!("/{id}"), format!("/{id}/history")] {
            viewer.get(&format!("{url}{page}")).await.is(200);
        }
        assert_eq!(looked(owner.audit(&ada)), before + 3);
    })
    .await;
}

/// A word that stands nowhere else, in every text of the sample.
fn canary(kind: &'static Kind, sample: Sample) -> Sample {
    let mut sample = sample;
    for (name, text) in &mut sample.fields {
        if let Some((_, spec)) = kind.field(name)
            && matches!(spec.input, Input::Line | Input::Text)
        {
            *text = format!("Canary{} {text}", kind.table.replace('_', ""));
        }
    }
    sample
}

/// All pages on which a patient's records appear, of every kind.
async fn everything(person: &Person, patient: &PatientId, extra: &[String]) -> Vec<crate::common::Answer> {
    let mut paths = vec![
        "/".to_owned(),
        "/patients".to_owned(),
        "/tags".to_owned(),
        "/search?q=canary".to_owned(),
        "/search?q=Canary&kind=medications".to_owned(),
        format!("/patients/{patient}"),
        format!("/patients/{patient}/timeline"),
        format!("/patients/{patient}/timeline?q=canary"),
        format!("/patients/{patient}/trash"),
    ];
    for kind in records::kinds() {
        let url = format!("/patients/{patient}/{}", kind.name);
        paths.extend(["", "?q=canary", "?print=1", "/new", "/csv"].iter().map(|page| format!("{url}{page}")));
    }
    paths.extend_from_slice(extra);
    let mut answers = Vec::new();
    for path in paths {
        answers.push(person.get(&path).await);
    }
    answers
}

#[actix_web::test]
async fn what_a_share_leaves_out_is_on_no_page() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let shared_tag = owner.tag("School");
    let all: Vec<String> = records::kinds().iter().map(|k| k.name.to_owned()).collect();
    // Hidden: sensitive and without the tag; half of the kinds are hidden by the kind as well.
    let (shown_kinds, hidden_kinds): (Vec<_>, Vec<_>) = all.iter().cloned().enumerate().partition(|(i, _)| i % 2 == 0);
    let names = |list: Vec<(usize, String)>| list.into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    let (shown_kinds, hidden_kinds) = (names(shown_kinds), names(hidden_kinds));
    let watchers = [
        ("without", Share { without: Some(vec!["mental_health".into()]), ..Share::to(Permission::Edit) }),
        ("tags", Share { tags: Some(vec![shared_tag]), ..Share::to(Permission::Edit) }),
        ("kinds", Share { kinds: Some(shown_kinds.clone()), ..Share::to(Permission::Edit) }),
    ];
    let people: Vec<(&str, Person)> = watchers
        .iter()
        .map(|(name, share)| {
            let person = t.stranger(name);
            owner.share(&ada, &person, share);
            (*name, person)
        })
        .collect();
    let mut extra = Vec::new();
    for kind in records::kinds() {
        let hidden = canary(kind, Sample::full(&owner, &ada, kind, 1)).with("sensitivity", "mental_health").tagged(&["Canarytag"]);
        let open = Sample::least(kind, 2).tagged(&["School"]);
        let (hidden, open) = (owner.record(&ada, kind, &hidden), owner.record(&ada, kind, &open));
        let url = format!("/patients/{ada}/{}", kind.name);
        owner
            .post(&format!("{url}/{open}/links"), &[("to", hidden.as_str()), ("relation", "related"), ("note", "Canarynote")])
            .await
            .location();
        extra.extend(["", "/edit", "/history", "/links?q=canary", "/links?q="].iter().map(|page| format!("{url}/{open}{page}")));
        extra.push(format!("{url}/{hidden}"));
        extra.push(format!("{url}/new?from={hidden}"));
        // And one in the trash.
        let gone = canary(kind, Sample::least(kind, 3)).with("sensitivity", "mental_health");
        let gone = owner.record(&ada, kind, &gone);
        owner.post(&format!("{url}/{gone}/delete"), &[]).await.location();
    }
    let mut leaks = Vec::new();
    for (name, person) in &people {
        for answer in everything(person, &ada, &extra).await {
            // What was asked for stands in the search field again.
            let body = answer.body.replace("value=\"canary\"", "").replace("value=\"Canary\"", "");
            let leaking = match *name {
                "kinds" => hidden_kinds.iter().any(|kind| body.contains(&format!("Canary{}", kind.replace('-', "")))),
                _ => body.contains("Canary"),
            };
            if leaking {
                let at = body.find("Canary").unwrap();
                let around: String = body[at..].chars().take(60).collect();
                leaks.push(format!("{name}: {} {} shows {around:?}", answer.status, answer.path));
            }
            assert!(answer.status < 500, "{name}: {} {}", answer.status, answer.path);
        }
    }
    assert!(leaks.is_empty(), "{} pages leak:\n{}", leaks.len(), leaks.join("\n"));
    // And the owner sees it all, so that the test is not blind.
    owner.get("/search?q=canary").await.has("Canary");
}

#[actix_web::test]
async fn an_editor_who_cannot_see_the_other_end_does_not_break_the_link() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let mut wrong = Vec::new();
    for kind in records::kinds() {
        let links: Vec<&str> =
            kind.fields.iter().filter(|f| matches!(f.input, Input::Record(other) if other != kind.name)).map(|f| f.name).collect();
        if links.is_empty() {
            continue;
        }
        let sample = Sample::full(&owner, &ada, kind, 1);
        let id = owner.record(&ada, kind, &sample);
        let editor = t.stranger(kind.name);
        owner.share(&ada, &editor, &Share { kinds: Some(vec![kind.name.into()]), ..Share::to(Permission::Edit) });
        let edit = format!("/patients/{ada}/{}/{id}/edit", kind.name);
        let form = editor.get(&edit).await.is(200).form(&edit).with("notes", "A word from the editor");
        let answer = editor.submit(&form).await;
        let after = owner.load(&ada, kind, &id);
        for name in links {
            let (index, _) = kind.field(name).unwrap();
            let Some(before) = sample.value(name) else { continue };
            if answer.status != 303 || after.entry.get(index).as_deref() != Some(before) {
                wrong.push(format!("{}.{name}: {} and then {:?}", kind.name, answer.status, after.entry.get(index)));
            }
        }
    }
    assert!(wrong.is_empty(), "an edit of something else lost a link:\n{}", wrong.join("\n"));
}

#[actix_web::test]
async fn a_change_from_another_site_is_refused() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("allergies").unwrap();
    let id = owner.record(&ada, kind, &Sample::least(kind, 1));
    let url = format!("/patients/{ada}/allergies/{id}/delete");
    let form = ("content-type", "application/x-www-form-urlencoded");
    for headers in [
        vec![form, ("sec-fetch-site", "cross-site")],
        vec![form, ("sec-fetch-site", "same-site")],
        vec![form, ("origin", "https://evil.example")],
        vec![form, ("origin", "null")],
    ] {
        owner.send(actix_web::http::Method::POST, &url, &headers, String::new()).await.is(403).says("another site");
    }
    owner.load(&ada, kind, &id);
}

/// With the pattern of its path, which names nobody; and nothing else of the request.
#[actix_web::test]
async fn what_is_refused_leaves_a_line_in_the_log() {
    use actix_web::http::Method;
    let t = TestApp::with(|config| config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]).await;
    let (owner, other) = (t.user("owner"), t.user("other"));
    let ada = owner.patient("Ada");
    // Tests share the log: an address of this test's own tells its lines.
    let from = |n: u8| format!("198.51.100.{n}");
    let ask = |person: &crate::common::Person,
               n: u8,
               method: Method,
               path: String,
               more: Vec<(&'static str, &'static str)>,
               body: &'static str| {
        let (person, address) = (person.clone(), from(n));
        async move {
            let mut headers = vec![("x-forwarded-for", address.as_str())];
            headers.extend(more);
            person.send(method, &path, &headers, body.to_owned()).await
        }
    };
    let form = ("content-type", "application/x-www-form-urlencoded");
    let page = format!("/patients/{ada}/allergies");
    ask(&other, 201, Method::GET, page.clone(), vec![], "").await.is(404);
    ask(&owner, 202, Method::POST, page.clone(), vec![form, ("sec-fetch-site", "cross-site")], "allergen=Nuts").await.is(403);
    ask(&other, 203, Method::GET, "/admin/users".to_owned(), vec![], "").await.is(403);
    ask(&t.anon(), 204, Method::GET, "/api/v1/patients".to_owned(), vec![], "").await.is(401);
    ask(&owner, 205, Method::POST, page.clone(), vec![form], "").await.is(422);
    for _ in 0..6 {
        ask(&t.anon(), 206, Method::POST, "/login".to_owned(), vec![form], "username=owner&password=guess-not").await;
    }
    ask(&t.anon(), 207, Method::GET, "/wp-login.php".to_owned(), vec![], "").await.is(404);
    let last = |n: u8| crate::common::log::lines_with(&from(n)).last().cloned().unwrap_or_default();
    for (n, line) in [
        (201, "404 GET /patients/{patient}/{kind} from"),
        (202, "403 POST /patients/{patient}/{kind} from"),
        (203, "403 GET /admin/users from"),
        (204, "401 GET /api/v1/patients from"),
        (205, "422 POST /patients/{patient}/{kind} from"),
        (206, "429 POST /login from"),
    ] {
        assert!(last(n).contains(line), "{line}: {}", last(n));
    }
    assert_eq!(last(207), "", "what the world asks for is nobody's business");
}

/// The names a form offers in one of its selects.
fn offered(answer: &crate::common::Answer, name: &str) -> String {
    let (_, rest) = answer.body.split_once(&format!("<select id=\"f-{name}\"")).unwrap_or_else(|| panic!("no select {name}"));
    rest.split_once("</select>").unwrap().0.to_owned()
}

#[actix_web::test]
async fn a_caregiver_names_who_occurs_in_what_she_sees_and_her_own_people() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let helper = t.stranger("helper");
    let (medications, conditions) = (records::kind("medications").unwrap(), records::kind("conditions").unwrap());
    let (seen, hidden, unused) = (owner.practitioner("Dr Seen"), owner.practitioner("Dr Hidden"), owner.practitioner("Dr Unused"));
    let (shop, other_shop) = (owner.pharmacy("Corner Pharmacy"), owner.pharmacy("Unused Pharmacy"));
    let own = helper.practitioner("Dr Own");
    let sample = Sample::least(medications, 1).with("practitioner_id", &seen).with("pharmacy_id", &shop);
    let id = owner.record(&ada, medications, &sample);
    owner.record(&ada, conditions, &Sample::least(conditions, 1).with("practitioner_id", &hidden));
    owner.share(&ada, &helper, &Share { kinds: Some(vec!["medications".into()]), ..Share::to(Permission::Full) });

    let base = format!("/patients/{ada}/medications");
    for page in [format!("{base}/new"), format!("{base}/{id}/edit"), format!("/patients/{ada}/edit")] {
        let answer = helper.get(&page).await.is(200);
        let select = if page.contains("medications") { "practitioner_id" } else { "physician_id" };
        let doctors = offered(&answer, select);
        assert!(doctors.contains("Dr Seen") && doctors.contains("Dr Own"), "{page}: {doctors}");
        answer.lacks("Dr Hidden").lacks("Dr Unused").lacks("Unused Pharmacy");
    }
    assert!(offered(&helper.get(&format!("{base}/new")).await, "pharmacy_id").contains("Corner Pharmacy"));
    helper.get(&format!("{base}/{id}")).await.is(200).says("Dr Seen").lacks(&format!("/directory/practitioners/{seen}"));
    helper.get(&base).await.is(200);
    helper.get(&format!("{base}/csv")).await.is(200).lacks("Dr Hidden");

    let least = |column: &str, id: &str| Sample::least(medications, 2).with(column, id).form(medications);
    let api = helper.api(true);
    let body = |column: &str, id: &str| {
        let pairs = Sample::least(medications, 2).with(column, id).fields;
        serde_json::Value::Object(pairs.into_iter().map(|(n, v)| (n, v.into())).collect())
    };
    for (column, id) in [("practitioner_id", &hidden), ("practitioner_id", &unused), ("pharmacy_id", &other_shop)] {
        let pairs = least(column, id);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        helper.post(&base, &pairs).await.is(422);
        api.post(&format!("/api/v1{base}"), &body(column, id)).await.is(422).has("no_such_");
    }
    helper.post(&format!("/patients/{ada}/edit"), &[("physician_id", &unused)]).await.is(422);
    helper.post(&format!("/patients/{ada}/edit"), &[("physician_id", &seen)]).await.location();

    let made = api.post(&format!("/api/v1{base}"), &body("practitioner_id", &own)).await.is(201).json();
    let made = format!("{base}/{}", made["id"].as_str().unwrap());
    owner.get(&made).await.is(200).says("Dr Own").lacks("/directory/practitioners/");
    owner.get(&base).await.is(200);
    assert!(offered(&owner.get(&format!("{made}/edit")).await, "practitioner_id").contains("Dr Own"));
}

/// Addresses that can be looked at and tell nothing of any patient's records.
const TELLS_NOTHING: &[&str] = &[
    "/static/{tag}/{name}",
    "/healthz",
    "/setup",
    "/login",
    "/signup",
    "/forgot",
    "/reset/{text}",
    "/address/{text}",
    "/session",
    // Numbers of people, records and documents, and accounts; see `admin`.
    "/admin",
    "/admin/users",
    "/admin/users/new",
    "/admin/users/{user}",
    "/admin/users/{user}/delete",
    "/admin/sessions",
    "/admin/signup",
    "/admin/directory",
    "/admin/codes",
    "/admin/health",
    "/admin/jobs",
    "/admin/connections",
    "/admin/trash",
    "/settings",
    "/settings/password",
    "/settings/address",
    "/settings/notices",
    "/settings/key",
    // What one signs in with.
    "/login/second",
    "/confirm",
    "/settings/factors",
    "/settings/factors/totp",
    "/settings/sessions",
    "/settings/tokens",
    "/settings/paperless",
    "/settings/providers",
    "/login/provider/callback",
    "/login/provider/out",
    "/login/link",
    "/enter/{text}",
    // What one did oneself, and names of patients; and, for administrators, not even these.
    "/settings/activity",
    "/settings/activity/csv",
    "/admin/audit",
    "/admin/audit/csv",
    "/admin/audit/head",
    // A picture out of one's own Paperless-ngx, which is no record of the patient's.
    "/patients/{patient}/paperless/{document}/thumbnail",
    // How far a preview is, to who sees the document.
    "/patients/{patient}/files/{file}/state",
    "/directory/practitioners/{entry}/files/{paper}/state",
    "/inbox/{document}/state",
    // The name of what lies in the trash once more; what is not there leads to its own page.
    "/patients/{patient}/files/{file}/purge",
    "/directory/practitioners/{entry}/files/{paper}/purge",
    "/inbox/{document}/purge",
    "/codes/{list}",
    "/tags",
    "/directory/{list}",
    "/directory/{list}/new",
    "/directory/{list}/{entry}",
    "/directory/{list}/{entry}/original",
    "/patients/new",
    "/patients/trash",
    // A face, to who sees the name.
    "/patients/{patient}/photo",
    "/api/v1/openapi.json",
    "/api/v1",
    // Names of patients, to choose one.
    "/import",
    // Who shares what with whom: of names and kinds, not of records.
    "/sharing",
    "/invitations",
    "/invitations/{invitation}",
    "/join/{text}",
    "/join/{text}/account",
    "/household",
    "/household/{household}/members/{member}/leave",
    "/patients/{patient}/sharing",
    "/patients/{patient}/sharing/{share}",
    // Of a household, and of no patient: noted without one.
    "/inbox",
    "/inbox/{document}",
    "/inbox/{document}/content",
    "/inbox/{document}/pages/{page}",
    "/directory/practitioners/{entry}/files",
    "/directory/practitioners/{entry}/files/{paper}",
    "/directory/practitioners/{entry}/files/{paper}/content",
    "/directory/practitioners/{entry}/files/{paper}/pages/{page}",
    "/api/v1/inbox/files",
    "/api/v1/inbox/files/{document}",
    "/api/v1/inbox/files/{document}/content",
    // Noted with the members they show: see `family`.
    "/family-history",
    "/family-history/{share}/take",
    // For owners alone.
    "/patients/{patient}/looks",
    "/patients/{patient}/looks/csv",
    // Who comes through a link is noted under the link's name: see `links`.
    "/l/{text}",
    "/l/{text}/summary",
    "/l/{text}/files/{file}",
];

/// Every address of the URL map that can be looked at and shows records.
fn looked_at() -> Vec<&'static str> {
    let looks = kinchart::routes::ROUTES.iter().filter(|(method, _)| *method == "GET");
    looks.map(|(_, path)| *path).filter(|path| !TELLS_NOTHING.contains(path)).collect()
}

#[actix_web::test]
async fn every_address_that_shows_records_notes_who_looked() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let file = serde_json::json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": {"resourceType": "Patient", "id": "ana", "name": [{"family": "Reyes", "given": ["Ana"]}], "birthDate": "1980-02-03"}},
        {"resource": {"resourceType": "Claim", "id": "c1", "patient": {"reference": "Patient/ana"}}},
        {"resource": {"resourceType": "AllergyIntolerance", "id": "a1", "patient": {"reference": "Patient/ana"}, "code": {"text": "Peanut"}}},
    ]});
    let told = kinchart::interchange::read(file.to_string().as_bytes()).unwrap();
    let target = kinchart::interchange::merge::Target::Matching;
    let apply =
        |tx: &mut kinchart::db::Tx<'_>| kinchart::interchange::merge::apply(tx, &owner.actor(), &told, &target, t.now(), &mut |_, _| {});
    let report = owner.db().write(apply).unwrap();
    let ana = report.patients[0].patient.clone().unwrap();
    let id = report.patients[0].lines.iter().find_map(|line| line.record.clone()).unwrap();
    let helper = t.stranger("helper");
    owner.share(&ana, &helper, &Share::to(Permission::Full));
    let import = helper.imported(&ana, &report);
    let api = helper.api(false);
    let letter = paper::form(&[("record", id.as_str())], "letter.jpg", &paper::jpeg(&paper::grey(9, 9)));
    let files = format!("/api/v1/patients/{ana}/files");
    let post = actix_web::http::Method::POST;
    let file = owner.api(true).send(post.clone(), &files, &[crate::files::FORM], letter.clone()).await.is(201).json();
    let again = owner.api(true).send(post.clone(), &files, &[crate::files::FORM], letter).await.is(201).json();
    let waits = paper::form(&[], "waits.jpg", &paper::jpeg(&paper::grey(9, 9)));
    let waits = helper.api(true).send(post, "/api/v1/inbox/files", &[crate::files::FORM], waits).await.is(201).json();
    kinchart::jobs::run_due(&t.app).unwrap();
    let keys = [("/patients/{patient}/original", "Patient/ana"), ("/patients/{patient}/kept/original", "Claim/c1")];
    let (mut silent, addresses) = (Vec::new(), looked_at());
    assert!(addresses.len() > 20, "{addresses:?}");
    for pattern in addresses {
        let key = keys.iter().find(|(path, _)| *path == pattern).map(|(_, key)| format!("?key={key}")).unwrap_or_default();
        let q = match pattern {
            "/search" => "?q=peanut".to_owned(),
            "/inbox/file" => format!("?document={}&patient={ana}", waits["id"].as_str().unwrap()),
            "/twins" => format!("?new={}", again["id"].as_str().unwrap()),
            _ => String::new(),
        };
        let path = pattern
            .replace("{patient}", ana.as_str())
            .replace("{kind}", "allergies")
            .replace("{record}", id.as_str())
            .replace("{import}", &import)
            .replace("{file}", file["id"].as_str().unwrap())
            .replace("{page}", "1");
        let path = format!("{path}{key}{q}");
        let before = owner.audit(&ana).iter().filter(|event| event.actor_name == "helper").count();
        let answer = if path.starts_with("/api/") { api.get(&path).await } else { helper.get(&path).await };
        let after = owner.audit(&ana).iter().filter(|event| event.actor_name == "helper").count();
        if answer.status != 200 || after == before {
            silent.push(format!("{path} answers {} and notes {}", answer.status, after - before));
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

/// That somebody said "none known" of a kind is told to who sees the kind.
#[actix_web::test]
async fn that_there_are_none_is_told_within_the_share() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let said: Vec<&'static Kind> = records::kinds().iter().filter(|kind| kind.none_known).collect();
    let words = |kind: &Kind| {
        let all: serde_json::Value = serde_json::from_str(include_str!("../locales/en.json")).unwrap();
        all[format!("kind.{}.none_known", kind.word())].as_str().unwrap().to_owned()
    };
    for kind in &said {
        owner.post(&format!("/patients/{ada}/none-known/{}", kind.name), &[("none", "true")]).await.location();
    }
    let home = format!("/patients/{ada}");
    for kind in &said {
        let helper = t.stranger(kind.name);
        owner.share(&ada, &helper, &Share { kinds: Some(vec![kind.name.into()]), ..Share::default() });
        let page = helper.get(&home).await.is(200).text();
        for other in &said {
            assert_eq!(page.contains(&words(other)), other.name == kind.name, "{} is shared: {}", kind.name, other.name);
        }
    }
}

#[actix_web::test]
async fn a_patient_in_the_trash_is_there_for_nobody() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let helper = t.stranger("helper");
    owner.share(&ada, &helper, &Share::to(Permission::Full));
    owner.post(&format!("/patients/{ada}/delete"), &[]).await.location();
    for person in [&owner, &helper] {
        for page in ["", "/edit", "/timeline", "/trash", "/allergies", "/allergies/new", "/allergies/csv"] {
            person.get(&format!("/patients/{ada}{page}")).await.is(404);
        }
        let api = person.api(true);
        api.get(&format!("/api/v1/patients/{ada}")).await.is(404);
        api.get(&format!("/api/v1/patients/{ada}/allergies")).await.is(404);
        assert_eq!(api.get("/api/v1/patients").await.is(200).json()["total"], 0);
        person.get("/").await.is(200).lacks(ada.as_str());
    }
    helper.get("/patients/trash").await.is(200).lacks(ada.as_str());
}

#[actix_web::test]
async fn how_far_somebody_may_go_is_told_as_it_is() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    for (word, level) in [("view", Permission::View), ("edit", Permission::Edit), ("full", Permission::Full)] {
        let helper = t.stranger(word);
        owner.share(&ada, &helper, &Share::to(level));
        for (may_write, told) in [(true, word), (false, "view")] {
            let json = helper.api(may_write).get(&format!("/api/v1/patients/{ada}")).await.is(200).json();
            assert_eq!((json["access"].as_str(), json["owner"].as_bool()), (Some(told), Some(false)), "{word}");
        }
    }
    let json = owner.api(true).get(&format!("/api/v1/patients/{ada}")).await.json();
    assert_eq!((json["access"].as_str(), json["owner"].as_bool()), (Some("own"), Some(true)));
}
