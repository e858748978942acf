//! The API as a program meets it: every kind, the order of answers, two editors, tokens.

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::common::{Person, TestApp, for_every_kind, sample::Sample};

/// A body as the API wants it: whole numbers, flags and named texts as JSON has them, everything else as text.
pub fn body(kind: &kinchart::records::Kind, sample: &Sample) -> Value {
    use kinchart::records::field::Input;
    let value = |input: Input, text: &str| match input {
        Input::Integer { .. } => json!(text.parse::<i64>().unwrap()),
        Input::Flag => json!(text == "true"),
        Input::Details(_) => serde_json::from_str(text).unwrap(),
        _ => json!(text),
    };
    let object = |fields: &[&'static kinchart::records::field::FieldSpec], pairs: &[(String, String)]| -> serde_json::Map<String, Value> {
        let input = |name: &str| fields.iter().find(|f| f.name == name).unwrap().input;
        pairs.iter().map(|(name, text)| (name.clone(), value(input(name), text))).collect()
    };
    let mut all = object(&kind.fields, &sample.fields);
    if let Some(children) = &kind.children {
        all.insert(children.name.to_owned(), sample.children.iter().map(|row| Value::Object(object(&children.fields, row))).collect());
    }
    all.insert("tags".to_owned(), json!(sample.tags));
    // Computed from other values where those say otherwise; the kinds' own tests cover it.
    all.remove("bmi");
    for row in all.get_mut("components").and_then(Value::as_array_mut).into_iter().flatten() {
        row.as_object_mut().unwrap().remove("status");
    }
    Value::Object(all)
}

/// What was sent stands in the answer, digit for digit.
fn holds(answer: &Value, sent: &Value, place: &str) {
    match (answer, sent) {
        (Value::Object(answer), Value::Object(sent)) => {
            for (name, value) in sent {
                holds(answer.get(name).unwrap_or(&Value::Null), value, &format!("{place}.{name}"));
            }
        }
        (Value::Array(answer), Value::Array(sent)) => {
            assert_eq!(answer.len(), sent.len(), "{place}");
            for (index, (a, s)) in answer.iter().zip(sent).enumerate() {
                holds(a, s, &format!("{place}.{index}"));
            }
        }
        _ => assert_eq!(answer, sent, "{place}"),
    }
}

async fn owner() -> (TestApp, Person) {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    (t, owner)
}

#[actix_web::test]
async fn every_kind_is_made_read_listed_replaced_and_deleted() {
    let (_t, owner) = owner().await;
    let patient = owner.patient("Ada");
    let api = owner.api(true);
    for_every_kind(|kind| {
        let (owner, patient, api) = (owner.clone(), patient.clone(), api.clone());
        async move {
            let list = format!("/api/v1/patients/{patient}/{}", kind.name);
            let sent = body(kind, &Sample::full(&owner, &patient, kind, 1));
            let made = api.post(&list, &sent).await;
            assert_eq!(made.status, 201, "{}: {}", kind.name, made.body);
            let one = made.header("location").unwrap();
            let record = made.json();
            holds(&record, &sent, kind.name);
            assert_eq!((&record["kind"], &record["version"], &record["source"]), (&json!(kind.name), &json!(1), &json!("api")));

            let page = api.get(&list).await.json();
            assert!(page["items"].as_array().unwrap().contains(&record), "{}: the list's items are whole records", kind.name);

            let other = body(kind, &Sample::full(&owner, &patient, kind, 2));
            let stale = api.put(&one, 7, &other).await;
            assert_eq!((stale.status, &stale.json()["current_version"]), (412, &json!(1)), "{}", kind.name);
            let changed = api.put(&one, 1, &other).await;
            assert_eq!(changed.status, 200, "{}: {}", kind.name, changed.body);
            holds(&changed.json(), &other, kind.name);
            assert_eq!(changed.header("etag").unwrap(), "\"2\"");
            // What was read can be sent back as it is, and changes nothing.
            let again = api.put(&one, 2, &changed.json()).await;
            assert_eq!((again.status, &again.json()["version"]), (200, &json!(2)), "{}: {}", kind.name, again.body);

            assert_eq!(api.delete(&one, 1).await.status, 412);
            assert_eq!(api.delete(&one, 2).await.status, 204);
            assert_eq!(api.get(&one).await.status, 404);
        }
    })
    .await;
}

#[actix_web::test]
async fn a_missing_token_is_told_before_anything_else() {
    let (_t, owner) = owner().await;
    let patient = owner.patient("Ada");
    for path in ["/api/v1", "/api/v1/patients", "/api/v1/nothing", &format!("/api/v1/patients/{patient}/medications")] {
        // The session of a signed-in person opens no door of the API.
        let answer = owner.send(Method::POST, path, &[("content-type", "text/plain")], "{".to_owned()).await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("content-type").unwrap(), "application/problem+json");
    }
}

#[actix_web::test]
async fn what_a_token_may_do_is_asked_before_the_body_is_read() {
    let (t, owner) = owner().await;
    let patient = owner.patient("Ada");
    let list = format!("/api/v1/patients/{patient}/medications");
    let broken = |api: crate::common::Api| {
        let list = list.clone();
        async move { api.send(Method::POST, &list, &[("content-type", "application/json")], "{".to_owned()).await.status }
    };
    assert_eq!(broken(t.stranger("stranger").api(true)).await, 404);
    assert_eq!(broken(owner.api(false)).await, 403);
    assert_eq!(broken(owner.api(true)).await, 400);
    assert_eq!(owner.api(false).get(&list).await.status, 200);
}

#[actix_web::test]
async fn two_editors_cannot_overwrite_each_other() {
    let (_t, owner) = owner().await;
    let patient = owner.patient("Ada");
    let api = owner.api(true);
    let list = format!("/api/v1/patients/{patient}/medications");
    let one = api.post(&list, &json!({"medication_name": "Salbutamol"})).await.header("location").unwrap();
    let blind = api.send(Method::PUT, &one, &[("content-type", "application/json")], json!({"medication_name": "x"}).to_string()).await;
    assert_eq!(blind.status, 428);
    assert_eq!(api.put(&one, 1, &json!({"medication_name": "first"})).await.status, 200);
    assert_eq!(api.put(&one, 1, &json!({"medication_name": "second"})).await.status, 412);
    assert_eq!(api.get(&one).await.json()["medication_name"], "first");
}

#[actix_web::test]
async fn bad_fields_are_named_and_change_nothing() {
    let (_t, owner) = owner().await;
    let patient = owner.patient("Ada");
    let api = owner.api(true);
    let list = format!("/api/v1/patients/{patient}/vitals");
    for (body, field) in [
        (json!({"recorded_date": "14.3.2020", "heart_rate": 70}), "recorded_date"),
        (json!({"recorded_date": "0000-01-01", "heart_rate": 70}), "recorded_date"),
        (json!({"recorded_date": "2020-01-01", "heart_rate": -5}), "heart_rate"),
        (json!({"recorded_date": "2020-01-01", "heart_rate": "7,0"}), "heart_rate"),
        (json!({"recorded_date": "2020-01-01", "heart_rate": {"a": 1}}), "heart_rate"),
        (json!({"recorded_date": "2020-01-01", "oxygen_saturation": 101}), "oxygen_saturation"),
        (json!({"recorded_date": "2020-01-01", "pain_scale": 11}), "pain_scale"),
        (json!({"recorded_date": "2020-01-01", "heart_rate": 70, "weight_unit": "stone"}), "weight_unit"),
        (json!({"recorded_date": "2020-01-01", "heart_rate": 70, "nonsense": 1}), "nonsense"),
        (json!({"heart_rate": 70}), "recorded_date"),
    ] {
        let answer = api.post(&list, &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.body);
        let named = answer.json()["errors"].as_array().unwrap().iter().any(|e| e["field"] == field);
        assert!(named, "{field} is named: {}", answer.body);
    }
    assert_eq!(api.get(&list).await.json()["total"], 0);
    assert_eq!(api.get(&format!("{list}?per_page=201")).await.status, 422);
    assert_eq!(api.get(&format!("{list}?nonsense=1")).await.status, 422);
}

#[actix_web::test]
async fn measured_values_keep_their_digits() {
    let (_t, owner) = owner().await;
    let patient = owner.patient("Ada");
    let api = owner.api(true);
    let list = format!("/api/v1/patients/{patient}/vitals");
    let body = r#"{"recorded_date":"2020-01-01","weight":72.50,"weight_unit":"kg","heart_rate":"61.0"}"#;
    let made = api.send(Method::POST, &list, &[("content-type", "application/json")], body.to_owned()).await.json();
    assert_eq!((&made["weight"], &made["weight_unit"], &made["heart_rate"]), (&json!("72.50"), &json!("kg"), &json!("61.0")));
}

#[actix_web::test]
async fn the_description_names_a_path_for_every_kind() {
    let (t, _) = owner().await;
    let answer = t.anon().get("/api/v1/openapi.json").await;
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    for kind in kinchart::records::kinds() {
        let path = format!("/api/v1/patients/{{patient_id}}/{}", kind.name);
        let found = document["paths"].as_object().unwrap().keys().any(|key| path.ends_with(key.as_str()) || key.ends_with(&path));
        assert!(found, "{path}");
    }
}

#[actix_web::test]
async fn what_is_odd_and_true_can_be_confirmed() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let api = owner.api(true);
    let url = format!("/api/v1/patients/{ada}/immunizations");
    let expired = serde_json::json!({"vaccine_name": "MMR", "date_administered": "2026-03-02", "expiration_date": "2026-02"});
    let answer = api.post(&url, &expired).await.is(422).json();
    assert_eq!((&answer["errors"][0]["code"], &answer["errors"][0]["confirmable"]), (&"vaccine_expired".into(), &true.into()));
    api.post(&format!("{url}?confirm=false"), &expired).await.is(422);
    api.post(&format!("{url}?confirm=perhaps"), &expired).await.is(422).has("not_yes_or_no");
    let made = api.post(&format!("{url}?confirm=true"), &expired).await.is(201).json();
    let one = format!("{url}/{}", made["id"].as_str().unwrap());
    let mut changed = made.clone();
    changed["notes"] = "The parents were told".into();
    api.put(&one, 1, &changed).await.is(200);
    changed["expiration_date"] = "2027-01".into();
    api.put(&one, 2, &changed).await.is(200);
    changed["expiration_date"] = "2026-01".into();
    api.put(&one, 3, &changed).await.is(422);
    api.put(&format!("{one}?confirm=true"), 3, &changed).await.is(200);
    // What is wrong stays wrong, and a program's numbers are taken as they were measured.
    changed["date_administered"] = "2027-01-01".into();
    api.put(&format!("{one}?confirm=true"), 4, &changed).await.is(422);
    let fast = serde_json::json!({"recorded_date": "2026-03-02", "heart_rate": "250"});
    api.post(&format!("/api/v1/patients/{ada}/vitals"), &fast).await.is(201);
}

#[actix_web::test]
async fn a_new_record_says_what_its_columns_say_by_default() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let api = owner.api(true);
    let base = format!("/api/v1/patients/{ada}");
    let contact = json!({"name": "Ben", "relationship": "brother", "phone_number": "555 0100"});
    let made = api.post(&format!("{base}/emergency-contacts"), &contact).await.is(201).json();
    assert_eq!((&made["is_active"], &made["is_primary"]), (&json!(true), &json!(false)));
    let mut silent = contact.clone();
    silent["is_active"] = json!(null);
    let made = api.post(&format!("{base}/emergency-contacts"), &silent).await.is(201).json();
    assert_eq!(made["is_active"], json!(null), "told, and told empty");
    let policy =
        json!({"insurance_type": "dental", "company_name": "Delta", "member_name": "Ada", "member_id": "1", "effective_date": "2025"});
    let made = api.post(&format!("{base}/insurance"), &policy).await.is(201).json();
    assert_eq!((&made["status"], &made["is_primary"]), (&json!("active"), &json!(false)));
    for (result, status) in
        [(json!({"test_name": "K"}), "ordered"), (json!({"test_name": "K", "completed_date": "2026-03-01"}), "completed")]
    {
        assert_eq!(api.post(&format!("{base}/lab-results"), &result).await.is(201).json()["status"], status);
    }
    let posted = owner
        .post(&format!("/patients/{ada}/emergency-contacts"), &[("name", "Cem"), ("relationship", "uncle"), ("phone_number", "555 0101")])
        .await;
    let made = api.get(&format!("{base}/emergency-contacts/{}", posted.new_id())).await.json();
    assert_eq!(made["is_active"], json!(true));
}

#[actix_web::test]
async fn a_list_can_be_asked_for_a_tag() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let api = owner.api(true);
    let list = format!("/api/v1/patients/{ada}/conditions");
    for (name, tags) in [("Asthma", json!(["lungs", "school"])), ("Eczema", json!(["skin"]))] {
        api.post(&list, &json!({"diagnosis": name, "status": "active", "tags": tags})).await.is(201);
    }
    assert_eq!(api.get(&format!("{list}?tag=Lungs")).await.json()["total"], 1);
    assert_eq!(api.get(&format!("{list}?tag=lungs&tag=skin")).await.json()["total"], 0);
    let described = api.get("/api/v1/openapi.json").await.json();
    let asked = described["paths"]["/api/v1/patients/{patient_id}/conditions"]["get"]["parameters"].to_string();
    assert!(asked.contains("#/components/parameters/Tag"), "{asked}");
    api.get(&format!("{list}?tags=lungs")).await.is(422);
    api.get(&format!("{list}?q=%ff")).await.is(400);
}
