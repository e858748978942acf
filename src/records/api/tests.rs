//! The mapping without a database, and the whole way through one.

use actix_web::{
    body::MessageBody,
    dev::ServiceResponse,
    http::{Method, header},
    test::{TestRequest, call_service, init_service, read_body},
};
use chrono::NaiveDate;
use diesel::prelude::*;

use super::*;
use crate::{
    auth::token_text,
    config::Config,
    db::{Db, schema, types::HouseholdId},
    records::{kind, kinds},
    serve,
    tags::Tag,
};

/// A value of the field, as a client would write it.
fn sample(spec: &FieldSpec) -> Value {
    match spec.input {
        Input::Integer { min, max } => min.max(max.min(7)).into(),
        Input::Flag => true.into(),
        Input::Choice { words, .. } => words.last().copied().unwrap().into(),
        Input::Date => "2011-03".into(),
        Input::Measured(_) => "1.10".into(),
        Input::Email => "a@example.org".into(),
        Input::Phone => "+1 555 0100".into(),
        Input::Details(names) => json!({*names.first().unwrap(): "500"}),
        Input::Text => "two\nlines".into(),
        Input::Practitioner | Input::Practice | Input::Pharmacy | Input::Patient | Input::Record(_) => "0190-a".into(),
        Input::Line | Input::Sensitivity => format!("some {}", spec.name).into(),
    }
}

/// Everything a client can tell of a kind.
fn full(kind: &Kind) -> Map<String, Value> {
    let of = |fields: &[&FieldSpec]| fields.iter().map(|spec| (spec.name.to_owned(), sample(spec))).collect::<Map<_, _>>();
    let mut object = of(&kind.fields);
    if let Some(children) = &kind.children {
        object.insert(children.name.to_owned(), json!([of(&children.fields), {}]));
    }
    object
}

fn loaded(kind: &Kind, entry: Box<dyn AnyRecord>) -> Loaded {
    let at = NaiveDate::from_ymd_opt(2026, 3, 14).unwrap().and_hms_opt(9, 26, 53).unwrap();
    let mut head = Head {
        id: RecordId::new(),
        patient_id: PatientId::new(),
        kind: kind.name.to_owned(),
        title: String::new(),
        occurred_on: None,
        ended_on: None,
        status: None,
        practitioner_id: None,
        sensitivity: String::new(),
        notes: None,
        source: "api".to_owned(),
        version: 3,
        created_by: None,
        created_at: at,
        updated_by: None,
        updated_at: at,
        deleted_at: None,
    };
    head.take(entry.as_ref());
    let tag = Tag { id: crate::db::types::TagId::new(), name: "heart".to_owned(), color: "red".to_owned() };
    Loaded { head, entry, tags: vec![tag] }
}

fn links() -> Vec<LinkedRecord> {
    let link = |relation: &str, incoming| LinkedRecord {
        relation: relation.to_owned(),
        note: None,
        incoming,
        id: RecordId::new(),
        kind: "vitals".to_owned(),
        title: "x".to_owned(),
        occurred_on: None,
    };
    vec![link("related", false), link("condition_id", true)]
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

/// Name and code of everything wrong with a body.
fn wrong(kind: &str, told: &Value) -> Vec<(String, &'static str)> {
    let kind = super::super::kind(kind).unwrap();
    let (_, errors) = Body::read(kind, object(told)).entry(kind, None);
    errors.into_iter().map(|(name, error)| (name, error.code())).collect()
}

#[test]
fn what_is_told_of_every_kind_comes_back_and_can_be_sent_back() {
    for kind in kinds() {
        let told = full(kind);
        let (entry, errors) = Body::read(kind, &told).entry(kind, None);
        assert_eq!(errors, [], "{}", kind.name);
        let first = loaded(kind, entry);
        let ties = links();
        let json = to_json(kind, &first, &ties);
        for spec in &kind.fields {
            assert_eq!(json[spec.name], told[spec.name], "{}: {}", kind.name, spec.name);
        }
        let body = Body::read(kind, object(&json));
        let (entry, errors) = body.entry(kind, Some(first.entry.as_ref()));
        assert_eq!(errors, [], "{}", kind.name);
        assert_eq!(body.tags.as_deref(), Some(&["heart".to_owned()][..]));
        let own: Vec<&RecordId> = body.links.as_ref().unwrap().iter().map(|told| &told.link.to).collect();
        assert_eq!(own, [&ties[0].id], "what points here is not this record's to tell");
        let again = to_json(kind, &Loaded { head: first.head, entry, tags: first.tags }, &ties);
        assert_eq!(again, json, "{}", kind.name);
    }
}

#[test]
fn the_document_tells_every_property_and_no_other() {
    let document: Value = serde_json::from_str(crate::api::openapi::text()).unwrap();
    for kind in kinds() {
        let (entry, _) = Body::read(kind, &full(kind)).entry(kind, None);
        let json = to_json(kind, &loaded(kind, entry), &[]);
        let name = crate::api::openapi::schema::name(kind.name);
        let names = |value: &Value| {
            let mut names: Vec<String> = object(value).keys().cloned().collect();
            names.sort();
            names
        };
        let schemas = &document["components"]["schemas"];
        assert_eq!(names(&schemas[&name]["properties"]), names(&json), "{name}");
        assert_eq!(names(&schemas[format!("{name}Write")]["properties"]), names(&json), "{name}");
    }
}

#[test]
fn what_is_not_told_is_null_and_emptied() {
    let kind = kind("lab-results").unwrap();
    let (entry, _) = Body::read(kind, &full(kind)).entry(kind, None);
    let first = loaded(kind, entry);
    let (entry, errors) = Body::read(kind, object(&json!({"test_name": "CBC", "is_panel": null}))).entry(kind, Some(first.entry.as_ref()));
    assert_eq!(errors, []);
    let json = to_json(kind, &Loaded { head: first.head, entry, tags: Vec::new() }, &[]);
    assert_eq!((&json["test_name"], &json["facility"], &json["is_panel"]), (&"CBC".into(), &Value::Null, &Value::Null));
    assert_eq!(json["sensitivity"], "normal");
    assert_eq!(json["components"].as_array().unwrap().len(), 2, "children that are not told stay");
    assert_eq!(json["components"][1], to_json(kind, &first_of(kind), &[])["components"][1]);
}

fn first_of(kind: &Kind) -> Loaded {
    let (entry, _) = Body::read(kind, &full(kind)).entry(kind, None);
    loaded(kind, entry)
}

#[test]
fn json_of_another_type_is_refused_at_its_field() {
    let told = json!({
        "test_name": {"a": 1}, "is_panel": 1, "status": 3, "completed_date": 2011, "shoe_size": 43, "tags": null, "links": [{"relation": "related"}, 7],
        "components": [{"test_name": "Hb", "value": 5.10, "unit": []}, "x", {"test_name": "Na", "status": "odd", "colour": "red"}],
    });
    let wanted = [
        ("test_name", "wrong_type"),
        ("is_panel", "wrong_type"),
        ("status", "wrong_type"),
        ("completed_date", "wrong_type"),
        ("shoe_size", "unknown_field"),
        ("tags", "wrong_type"),
        ("links.0.id", "required"),
        ("links.1", "wrong_type"),
        ("components.0.unit", "wrong_type"),
        ("components.1", "wrong_type"),
        ("components.2.colour", "unknown_field"),
        ("components.2.status", "unknown_choice"),
    ];
    assert_eq!(wrong("lab-results", &told), wanted.map(|(name, code)| (name.to_owned(), code)));
    assert_eq!(wrong("vitals", &json!({"status": null, "practitioner_id": null})), []);
    assert_eq!(wrong("vitals", &json!({"status": "active"})), [("status".to_owned(), "unknown_field")]);
    assert_eq!(wrong("vitals", &json!({"tags": vec!["x"; MOST_TAGS + 1]})), [("tags".to_owned(), "too_many")]);
}

#[test]
fn measured_values_keep_their_digits_and_get_the_documents_unit() {
    let kind = kind("vitals").unwrap();
    let body: Map<String, Value> = serde_json::from_str(r#"{"weight": 72.50, "temperature": "37.0", "temperature_unit": "C"}"#).unwrap();
    let (entry, errors) = Body::read(kind, &body).entry(kind, None);
    assert_eq!(errors, []);
    let json = to_json(kind, &loaded(kind, entry), &[]);
    assert_eq!((&json["weight"], &json["weight_unit"]), (&"72.50".into(), &"lbs".into()));
    assert_eq!((&json["temperature"], &json["temperature_unit"]), (&"37.0".into(), &"C".into()));
}

#[test]
fn a_number_that_came_without_a_unit_gets_none_by_being_sent_back() {
    let kind = kind("vitals").unwrap();
    let mut entry = (kind.blank)();
    entry.set(kind.field("weight").unwrap().0, "72", Mode::Strict).unwrap();
    let first = loaded(kind, entry);
    let json = to_json(kind, &first, &[]);
    let (entry, _) = Body::read(kind, object(&json)).entry(kind, Some(first.entry.as_ref()));
    assert_eq!(entry.get(kind.field("weight_unit").unwrap().0), None);
    let (entry, _) = Body::read(kind, object(&json!({"weight": "73"}))).entry(kind, Some(first.entry.as_ref()));
    assert_eq!(entry.get(kind.field("weight_unit").unwrap().0).as_deref(), Some("lbs"));
}

/// A household with two people, each with a token; the second one's only reads.
fn people(db: &Db, app: &App) -> [String; 2] {
    let now = app.clock.now();
    let household = HouseholdId::new();
    let tokens = [token_text::TokenText::generate().unwrap(), token_text::TokenText::generate().unwrap()];
    db.write(|tx| {
        use schema::{api_tokens, households, users};
        let home = (households::id.eq(&household), households::name.eq("Okafor"), households::created_at.eq(now));
        diesel::insert_into(households::table).values(home).execute(&mut **tx)?;
        let user = crate::db::types::UserId::new();
        diesel::insert_into(users::table)
            .values((
                users::id.eq(&user),
                users::household_id.eq(&household),
                users::username.eq("ngozi"),
                users::username_folded.eq("ngozi"),
                users::full_name.eq("Ngozi Okafor"),
                users::role.eq("user"),
                users::auth_method.eq("local"),
                users::created_at.eq(now),
                users::updated_at.eq(now),
            ))
            .execute(&mut **tx)?;
        for (token, may_write) in tokens.iter().zip([true, false]) {
            diesel::insert_into(api_tokens::table)
                .values((
                    api_tokens::id.eq(crate::db::types::TokenId::new()),
                    api_tokens::user_id.eq(&user),
                    api_tokens::name.eq("test"),
                    api_tokens::token_hash.eq(token.hash()),
                    api_tokens::may_write.eq(may_write),
                    api_tokens::created_at.eq(now),
                ))
                .execute(&mut **tx)?;
        }
        Ok(())
    })
    .unwrap();
    tokens.map(|token| token.as_str().to_owned())
}

/// An answer read whole.
struct Answer {
    status: u16,
    headers: header::HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }
    fn fields(&self) -> Vec<(&str, &str)> {
        self.body["errors"].as_array().unwrap().iter().map(|e| (e["field"].as_str().unwrap(), e["code"].as_str().unwrap())).collect()
    }
}

fn request(method: &str, path: &str, token: &str, more: &[(&str, &str)], body: &str) -> TestRequest {
    let mut request = TestRequest::with_uri(path).method(Method::from_bytes(method.as_bytes()).unwrap());
    if !token.is_empty() {
        request = request.insert_header(("authorization", format!("Bearer {token}")));
    }
    if !body.is_empty() {
        request = request.insert_header(("content-type", "application/json")).set_payload(body.to_owned());
    }
    more.iter().fold(request, |request, header| request.insert_header(*header))
}

async fn answer<B: MessageBody>(response: ServiceResponse<B>) -> Answer {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = read_body(response).await;
    Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::String(String::from_utf8_lossy(&bytes).into_owned())) }
}

/// Sends a request: method, path, token, more headers, body.
macro_rules! ask {
    ($server:expr, $($part:expr),+) => { answer(call_service($server, request($($part),+).to_request()).await).await };
}

fn app(folder: &std::path::Path) -> App {
    let setting = |name: &str, part: &str| (format!("KINCHART_{name}"), folder.join(part).display().to_string());
    serve::open(Config::from_vars([setting("DATA", "data"), setting("UPLOADS", "uploads")]).unwrap()).unwrap()
}

#[actix_web::test]
async fn a_record_lives_through_the_api() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let [token, reader] = people(&app.db, &app);
    let server = init_service(serve::web_app(app.clone())).await;

    assert_eq!(ask!(&server, "GET", "/api/v1/patients", "", &[], "").status, 401);
    assert_eq!(ask!(&server, "GET", "/api/v1/nowhere", "", &[], "").status, 401);
    assert_eq!(ask!(&server, "GET", "/api/v1/openapi.json", "", &[], "").body["openapi"], "3.1.0");
    let no_method = ask!(&server, "PATCH", "/api/v1/patients", &token, &[], "");
    assert_eq!((no_method.status, no_method.header("allow")), (405, "GET, HEAD, POST"));
    assert_eq!(ask!(&server, "HEAD", "/api/v1", &token, &[], "").status, 200);

    let told = r#"{"first_name":"Ada","last_name":"Okafor","birth_date":"1960"}"#;
    assert_eq!(ask!(&server, "POST", "/api/v1/patients", &reader, &[], "no json").status, 403);
    let patient = ask!(&server, "POST", "/api/v1/patients", &token, &[], told);
    assert_eq!((patient.status, patient.header("etag")), (201, "\"1\""));
    assert_eq!((&patient.body["access"], &patient.body["owner"]), (&"own".into(), &true.into()));
    let home = patient.header("location").to_owned();
    let stale = ask!(&server, "PUT", &home, &token, &[("if-match", "\"2\"")], told);
    assert_eq!((stale.status, &stale.body["current_version"]), (412, &1.into()));

    let base = format!("{home}/medications");
    assert_eq!(ask!(&server, "POST", &base, &reader, &[], "{}").status, 403);
    let empty = ask!(&server, "POST", &base, &token, &[], "{}");
    assert_eq!((empty.status, empty.fields()), (422, vec![("medication_name", "required")]));
    assert_eq!(ask!(&server, "POST", &base, &token, &[], r#"{"dosage":"1","dosage":"2"}"#).status, 400);
    let told = r#"{"medication_name":"Aspirin","effective_period_start":"2020-03","tags":["heart"]}"#;
    let first = ask!(&server, "POST", &base, &token, &[], told);
    assert_eq!((first.status, first.header("etag")), (201, "\"1\""));
    assert_eq!((&first.body["occurred_on"], &first.body["source"]), (&"2020-03".into(), &"api".into()));

    let at = first.header("location").to_owned();
    assert_eq!(ask!(&server, "GET", &at, &reader, &[("if-none-match", "W/\"1\"")], "").status, 304);
    let found = ask!(&server, "GET", &at, &reader, &[], "");
    assert_eq!((found.status, &found.body), (200, &first.body));
    assert_eq!(ask!(&server, "PUT", &at, &token, &[], "{}").status, 428);

    // Read, tie to another record, send back whole.
    let other = ask!(&server, "POST", &format!("{home}/vitals"), &token, &[], r#"{"recorded_date":"2021","weight":72.50}"#);
    let mut changed = found.body.clone();
    changed["dosage"] = "81 mg".into();
    changed["links"] = json!([{"relation": "related", "id": other.body["id"]}]);
    let put = ask!(&server, "PUT", &at, &token, &[("if-match", "\"1\"")], &changed.to_string());
    assert_eq!((put.status, put.header("etag")), (200, "\"2\""));
    assert_eq!((&put.body["dosage"], &put.body["tags"]), (&"81 mg".into(), &json!(["heart"])));
    assert_eq!(put.body["links"], json!([{"relation": "related", "kind": "vitals", "id": other.body["id"], "note": null}]));
    let same = ask!(&server, "PUT", &at, &token, &[("if-match", "*")], &put.body.to_string());
    assert_eq!((same.status, same.header("etag"), &same.body), (200, "\"2\"", &put.body), "no difference, no version");
    assert_eq!(ask!(&server, "PUT", &at, &token, &[("if-match", "\"1\"")], "{}").status, 412, "before the body");
    let seen = ask!(&server, "GET", other.header("location"), &token, &[], "");
    assert_eq!(seen.body["links"][0]["direction"], "in");

    let list = ask!(
        &server,
        "GET",
        &format!("{base}?q=asp&effective_period_start_from=2020&sort=-medication_name&per_page=200"),
        &reader,
        &[],
        ""
    );
    assert_eq!((&list.body["total"], &list.body["items"][0]), (&1.into(), &put.body));
    let odd = ask!(&server, "GET", &format!("{base}?per_page=201&colour=red"), &reader, &[], "");
    assert_eq!((odd.status, odd.fields()), (422, vec![("per_page", "out_of_range"), ("colour", "unknown_field")]));
    let today = app.clock.today();
    for (query, total) in
        [(format!("created_at_from={today}"), 1), (format!("created_at_to={today}"), 1), ("updated_at_to=2001".to_owned(), 0)]
    {
        assert_eq!(ask!(&server, "GET", &format!("{base}?{query}"), &token, &[], "").body["total"], total, "{query}");
    }

    assert_eq!(ask!(&server, "DELETE", &at, &reader, &[("if-match", "\"2\"")], "").status, 403);
    assert_eq!(ask!(&server, "DELETE", &at, &token, &[("if-match", "\"2\"")], "").status, 204);
    assert_eq!(ask!(&server, "DELETE", &at, &token, &[("if-match", "\"3\"")], "").status, 404);
}

#[actix_web::test]
async fn a_list_costs_the_same_however_long_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let [token, _] = people(&app.db, &app);
    let server = init_service(serve::web_app(app.clone())).await;
    let patient = ask!(&server, "POST", "/api/v1/patients", &token, &[], r#"{"first_name":"Ada","last_name":"Okafor"}"#);
    let base = format!("{}/lab-results", patient.header("location"));
    let mut counts = Vec::new();
    let mut last = Value::Null;
    for number in 0..12 {
        let links: Vec<Value> = if last.is_null() { Vec::new() } else { vec![json!({"relation": "follows", "id": last})] };
        let told = json!({"test_name": format!("T{number}"), "tags": ["blood"], "links": links, "components": [{"test_name": "Hb", "value": 5.10}]});
        let made = ask!(&server, "POST", &base, &token, &[], &told.to_string());
        assert_eq!(made.status, 201, "{}", made.body);
        last = made.body["id"].clone();
        let before = app.db.statements();
        let list = ask!(&server, "GET", &format!("{base}?page=1"), &token, &[], "");
        assert_eq!(list.body["items"].as_array().unwrap().len(), number + 1);
        counts.push(app.db.statements() - before);
    }
    assert_eq!(counts[11], counts[2], "{counts:?}");
}

#[actix_web::test]
async fn a_list_comes_as_a_file_with_all_its_pages() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let [token, _] = people(&app.db, &app);
    let server = init_service(serve::web_app(app.clone())).await;
    let patient = ask!(&server, "POST", "/api/v1/patients", &token, &[], r#"{"first_name":"Zo\u00eb","last_name":"Okafor"}"#);
    let base = format!("{}/lab-results", patient.header("location"));
    let id = patient.body["id"].as_str().unwrap().to_owned();
    let user: crate::db::types::UserId = app.db.read(|conn| Ok(schema::users::table.select(schema::users::id).first(conn)?)).unwrap();
    let actor = access::Actor { user: user.clone(), name: "Ngozi".to_owned(), via: access::Via::Session("s".to_owned()), address: None };
    let told = json!({"test_name": "=1+1", "tags": ["a", "b"], "components": [{"test_name": "Hb", "value": "-1.5"}, {"test_name": "Na"}]});
    assert_eq!(ask!(&server, "POST", &base, &token, &[], &told.to_string()).status, 201);
    fill(&app, &actor, &PatientId::parse(&id).unwrap(), 404);

    let path = format!("/patients/{id}/lab-results/csv");
    assert_eq!(ask!(&server, "GET", &path, &token, &[], "").status, 303, "a token opens no page");
    let me = crate::auth::session::Me {
        proved_at: chrono::NaiveDateTime::default(),
        key_is_unkept: false,
        has_factor: false,
        needs_factor: false,
        factors_reset_at: None,
        notices: 0,
        ends: crate::auth::session::Ends::default(),
        id: user,
        session: "s".to_owned(),
        name: "Ngozi".to_owned(),
        username: "ngozi".to_owned(),
        role: "user".to_owned(),
        language: "en".to_owned(),
        metric: false,
        dates: crate::i18n::DateStyle::default(),
        waiting: 0,
    };
    let signed = crate::auth::session::Signed { me, actor };
    let download = async |query: &str| {
        let place = super::super::pages::Place { patient: id.clone(), kind: "lab-results".to_owned(), record: String::new(), version: 0 };
        let request = TestRequest::with_uri(&format!("{path}?{query}")).to_http_request();
        let response = super::super::export::csv(web::Data::new(app.clone()), signed.clone(), place.into(), request).await.unwrap();
        let name = response.headers().get(header::CONTENT_DISPOSITION).unwrap().to_str().unwrap().to_owned();
        (name, actix_web::body::to_bytes(response.into_body()).await.unwrap_or_default())
    };
    let (name, all) = download("sort=test_name").await;
    assert!(name.contains("filename=\"Zo_-lab-results-") && name.contains("filename*=UTF-8''Zo%C3%AB-lab-results-"), "{name}");
    let text = String::from_utf8(all.to_vec()).unwrap();
    assert!(text.starts_with("\u{feff}id,title,occurred_on,ended_on,test_name,"), "{text}");
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 405);
    assert_eq!((&rows[0][1], &rows[1][1]), ("'=1+1", "T000"), "in the list's order over all parts");
    assert_eq!(&rows[404][1], "T403");
    assert!(rows[0].iter().any(|cell| cell == "a, b") && text.contains("display_order"));

    let (_, children) = download("children=1&q=1%2B1&page=3").await;
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(&children[..]).records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    assert!(rows[0].iter().any(|cell| cell == "-1.5") && rows.iter().all(|row| &row[1] == "'=1+1"));
    app.reads.flush(&app.db).unwrap();
    let noted: i64 = app
        .db
        .read(|conn| {
            use schema::audit_events::{action, table};
            Ok(table.filter(action.eq(Action::Downloaded.word())).count().get_result(conn)?)
        })
        .unwrap();
    assert_eq!(noted, 2, "once a download");
}

/// Many records, `T000` on.
fn fill(app: &App, actor: &access::Actor, patient: &PatientId, count: usize) {
    let kind = kind("lab-results").unwrap();
    app.db
        .write(|tx| {
            let access = access::grant::<Edit>(tx, actor, patient, app.clock.now())?;
            for number in 0..count {
                let (entry, _) = Body::read(kind, object(&json!({"test_name": format!("T{number:03}")}))).entry(kind, None);
                access.chart(kind)?.add(tx, &Draft { entry, tags: None, links: None, source: "api".to_owned() })?;
            }
            Ok(())
        })
        .unwrap();
}
