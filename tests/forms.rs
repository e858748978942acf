//! What people and scripts put into forms: each bad input is told at its field, shown again as text, and changes nothing.

use kinchart::records::{
    Kind,
    field::{FieldSpec, Input, Place},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::common::{TestApp, for_every_kind, sample::Sample};

const ATTACK: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}";

/// What no field of this sort accepts.
fn bad_values(spec: &FieldSpec) -> Vec<String> {
    let owned = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
    let mut bad = match spec.input {
        Input::Line => owned(&["a\u{0}b", "bell\u{7}", "two\nlines", "\u{1b}[31mred", "del\u{7f}"]),
        Input::Text => owned(&["a\u{0}b", "\u{8}"]),
        Input::Email => owned(&["nobody", "a@", "@b", "a b@c.org", "a@b@c"]),
        Input::Phone => owned(&["call me", "++"]),
        Input::Date => owned(&[
            "0000-01-01",
            "0000",
            "9999-12-31",
            "10000-01-01",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "31.04.2024",
            "tomorrow",
            "2024-01-01T25:00",
            "-2024",
            "20 24",
            "２０２４x",
            ATTACK,
            "1e9",
            "NaN",
        ]),
        Input::Integer { min, max } => {
            let mut values = owned(&["1.5", "1,000", "ten", "99999999999999999999", "0x10", "1e3", "NaN", ATTACK]);
            values.extend([min.checked_sub(1), max.checked_add(1)].into_iter().flatten().map(|n| n.to_string()));
            values
        }
        // A column that takes words as well has nothing but its length.
        Input::Measured(_) if spec.max > 40 => owned(&["a\u{0}b"]),
        Input::Measured(measure) => {
            let mut values = owned(&["1,234", "twelve", "1.2.3", "--5", "1e400", "NaN", "inf", "7 2", &"9".repeat(60), ATTACK]);
            let (low, high) = measure.possible;
            values
                .extend((low.is_finite() && high.is_finite()).then(|| ["-1000000", "1000000000"].map(str::to_owned)).into_iter().flatten());
            values
        }
        Input::Choice { .. } => owned(&["no such word", "ACTIVE ", ATTACK, "0"]),
        Input::Flag => owned(&["maybe", "2", ATTACK]),
        Input::Sensitivity => owned(&["a\u{0}b"]),
        Input::Practitioner | Input::Practice | Input::Pharmacy | Input::Patient | Input::Record(_) => {
            owned(&["0190a0a0-0000-7000-8000-000000000000", "' OR 1=1 --", ATTACK, "..", "0"])
        }
        Input::Details(_) => owned(&["{", "[]", "{\"no such name\":\"1\"}", "{\"phone\":{\"deep\":[]}}", "null", "1"]),
    };
    if !matches!(spec.input, Input::Details(_) | Input::Choice { .. } | Input::Flag) {
        bad.push("x".repeat(spec.max + 1));
    }
    bad
}

#[actix_web::test]
async fn every_bad_value_is_told_at_its_field_and_changes_nothing() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    for_every_kind(async |kind| {
        let sample = Sample::full(&owner, &ada, kind, 1);
        let id = owner.record(&ada, kind, &sample);
        let url = format!("/patients/{ada}/{}", kind.name);
        let before = owner.count(&ada, kind);
        let mut wrong = Vec::new();
        for spec in &kind.fields {
            for bad in bad_values(spec) {
                let mut pairs: Vec<(String, String)> = sample.form(kind);
                pairs.retain(|(name, _)| name != spec.name && name.split('.').next() != Some(spec.name));
                pairs.push((spec.name.to_owned(), bad.clone()));
                let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                for path in [url.clone(), format!("{url}/{id}/edit")] {
                    let answer = owner.post(&path, &pairs).await;
                    let told = answer.status == 422 && answer.body.contains("aria-invalid");
                    if !told || answer.body.contains("<script>alert") || answer.body.contains("<img src=x") {
                        wrong.push(format!("{}={:?} answers {}", spec.name, bad.chars().take(30).collect::<String>(), answer.status));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}:\n{}", kind.name, wrong.join("\n"));
        assert_eq!(owner.count(&ada, kind), before);
        assert_eq!(owner.load(&ada, kind, &id).head.version, 1);
    })
    .await;
}

#[actix_web::test]
async fn unusual_words_are_kept_and_shown_as_they_are() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    for_every_kind(async |kind| {
        let Some(spec) = kind.fields.iter().find(|f| matches!(f.input, Input::Line) && f.place == Place::Detail && f.in_list) else {
            return;
        };
        for text in [
            ATTACK,
            "👩‍👩‍👧‍👦 семья 家族 عائلة",
            "\u{202e}right to left",
            "O'Brien & Söhne <b>",
            "=cmd|'/c calc'!A0",
            "%00%0d%0aSet-Cookie: a=b",
            "e\u{301}",
        ] {
            let sample = Sample::full(&owner, &ada, kind, 1).with(spec.name, text);
            let pairs = sample.form(kind);
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let url = format!("/patients/{ada}/{}", kind.name);
            let id = owner.post(&url, &pairs).await.new_id();
            for page in [
                format!("{url}/{id}"),
                format!("{url}/{id}/edit"),
                format!("{url}?per_page=200"),
                format!("{url}/{id}/history"),
                format!("/patients/{ada}/timeline"),
            ] {
                let answer = owner.get(&page).await.is(200).lacks("<script>alert").lacks("<img src=x");
                if !page.contains("history") && !page.contains("timeline") {
                    let said = answer.text();
                    let in_form = answer.nodes().iter().any(|n| n.attr("value") == Some(text));
                    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    assert!(in_form || said.contains(&flat), "{page} does not show {text:?}");
                }
            }
            let (index, _) = kind.field(spec.name).unwrap();
            let row = owner.load(&ada, kind, &kinchart::db::types::RecordId::parse(&id).unwrap());
            assert_eq!(row.entry.get(index).as_deref(), Some(text));
        }
    })
    .await;
}

#[actix_web::test]
async fn missing_repeated_and_unknown_fields_are_told() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    for_every_kind(async |kind| {
        let url = format!("/patients/{ada}/{}", kind.name);
        let before = owner.count(&ada, kind);
        let pairs = Sample::least(kind, 1).form(kind);
        for spec in kind.fields.iter().filter(|f| f.required) {
            for blank in [None, Some(""), Some("   ")] {
                let mut sent: Vec<(&str, &str)> =
                    pairs.iter().filter(|(n, _)| n != spec.name).map(|(n, v)| (n.as_str(), v.as_str())).collect();
                sent.extend(blank.map(|text| (spec.name, text)));
                owner.post(&url, &sent).await.is(422).has(&format!("href=\"#f-{}\"", spec.name));
            }
        }
        owner.post(&url, &[]).await.is(422);
        let borrowed: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let mut repeated = borrowed.clone();
        repeated.push(borrowed[0]);
        owner.post(&url, &repeated).await.is(422);
        for extra in [
            "patient_id",
            "id",
            "version",
            "created_by",
            "deleted_at",
            "source",
            "no_such_field",
            "title'; DROP TABLE records; --",
            "components.999999.value",
        ] {
            let mut sent = borrowed.clone();
            sent.push((extra, "1"));
            owner.post(&url, &sent).await.is(422);
        }
        assert_eq!(owner.count(&ada, kind), before);
    })
    .await;
}

#[actix_web::test]
async fn bodies_that_are_no_form_are_refused() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let url = format!("/patients/{ada}/allergies");
    let post = actix_web::http::Method::POST;
    for (kind, status) in
        [("application/json", 415), ("text/plain", 415), ("multipart/form-data; boundary=x", 400), ("multipart/form-data", 400)]
    {
        owner.send(post.clone(), &url, &[("content-type", kind)], "{}").await.is(status);
    }
    owner.send(post, &url, &[], String::new()).await.is(415);
    owner.post_body(&url, format!("notes={}", "x".repeat(3 * 1024 * 1024))).await.is(413);
    owner.post_body(&url, "a=1&".repeat(20_000)).await.is(413);
    for path in ["/patients/x/allergies", "/patients/%00/allergies", "/patients/../../etc/passwd", "/patients/a%2fb/allergies"] {
        owner.get(path).await.is(404);
    }
    owner.get(&format!("/patients/{ada}/no-such-kind")).await.is(404);
}

/// A wrong birth date, a date before it, an end before its start: rules over several fields.
#[actix_web::test]
async fn dates_are_held_against_today_and_birth() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    for_every_kind(async |kind| {
        let url = format!("/patients/{ada}/{}", kind.name);
        let sample = Sample::full(&owner, &ada, kind, 1);
        for spec in kind.fields.iter().filter(|f| f.is_date()) {
            let wrong = if spec.future { vec!["1959-12-31"] } else { vec!["1959-12-31", "2026-03-15", "2027"] };
            for day in wrong {
                let pairs = sample.clone().with(spec.name, day).form(kind);
                let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                owner.post(&url, &pairs).await.is(422).has("aria-invalid");
            }
        }
        if let (Some(start), Some(end)) = (kind.occurred.first(), kind.ended) {
            // Without children: an earlier occurrence would be taken for the start.
            let alone = Sample { children: Vec::new(), ..sample.clone() };
            let pairs = alone.with(start, "2025-02-02").with(end, "2025-02-01").form(kind);
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            owner.post(&url, &pairs).await.is(422).has(&format!("href=\"#f-{end}\""));
        }
    })
    .await;
}

/// Names and values as a script would try them: the program's own, the kind's, and anything.
fn pairs(kind: &'static Kind) -> impl Strategy<Value = Vec<(String, String)>> {
    let mut known: Vec<String> = kind.fields.iter().map(|f| f.name.to_owned()).collect();
    known.extend(["_version", "_confirmed", "_then", "_more", "_find", "_take", "tags"].map(str::to_owned));
    if let Some(children) = &kind.children {
        for row in ["0", "1", "299", "300", "x", ""] {
            known.extend(children.fields.iter().map(|f| format!("{}.{row}.{}", children.name, f.name)));
        }
    }
    for spec in &kind.fields {
        if let Input::Details(parts) = spec.input {
            known.extend(parts.iter().map(|part| format!("{}.{part}", spec.name)));
        }
    }
    let words: Vec<String> = kind
        .fields
        .iter()
        .flat_map(|f| if let Input::Choice { words, .. } = f.input { words } else { &[] })
        .map(|w| (*w).to_owned())
        .collect();
    let mut telling = words;
    telling.extend(
        [
            "",
            " ",
            "true",
            "false",
            "2024",
            "2024-02",
            "2024-02-29",
            "3/4/2021",
            "2024-02-29T09:30-05:00",
            "0",
            "-1",
            "1e5",
            "<0.5",
            "72.50",
            "9".repeat(30).as_str(),
            ATTACK,
        ]
        .map(str::to_owned),
    );
    let name = prop_oneof![9 => proptest::sample::select(known), 1 => any::<String>()];
    let value = prop_oneof![6 => proptest::sample::select(telling), 2 => any::<String>(), 1 => "[0-9.,<>eE -]{0,12}", 1 => "\\PC{0,400}"];
    proptest::collection::vec((name, value), 0..14)
}

#[actix_web::test]
async fn no_form_whatever_is_in_it_breaks_the_program() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    // Always the same cases, so that a red run can be repeated; `PROPTEST_CASES` asks for more.
    let cases: usize = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    for_every_kind(async |kind| {
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let strategy = pairs(kind);
        let id = owner.record(&ada, kind, &Sample::least(kind, 1));
        let url = format!("/patients/{ada}/{}", kind.name);
        for case in 0..cases {
            let sent = strategy.new_tree(&mut runner).unwrap().current();
            let body = serde_urlencoded::to_string(&sent).unwrap();
            let paths = [url.clone(), format!("{url}/{id}/edit"), format!("{url}/{id}/links"), format!("{url}/{id}/status")];
            let path = &paths[case % if case % 8 == 0 { 4 } else { 2 }];
            let answer = owner.post_body(path, body.clone()).await;
            assert!(answer.status < 500, "{path} answers {} to {sent:?}", answer.status);
            assert!(!answer.body.contains("<script>alert"), "{path} shows a script from {sent:?}");
            // The same as a list's question.
            let answer = owner.get(&format!("{url}?{body}")).await;
            assert!(answer.status < 500, "{url} answers {} to {sent:?}", answer.status);
        }
        owner.get(&format!("{url}?reset=1&per_page=200")).await.is(200);
    })
    .await;
}

/// A dose of a vaccine that had expired.
const EXPIRED: [(&str, &str); 3] = [("vaccine_name", "MMR"), ("date_administered", "2026-03-02"), ("expiration_date", "2026-02")];

#[actix_web::test]
async fn what_is_odd_and_true_is_asked_about_and_kept() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let url = format!("/patients/{ada}/immunizations");
    let asked = owner.post(&url, &EXPIRED).await.is(422);
    let asked = asked.has("href=\"#f-expiration_date\"").says("Keep it: an expired vaccine was given");
    let form = asked.form(&url);
    assert_eq!(owner.submit(&form).await.status, 422, "the box is not ticked by itself");
    // With something else wrong the answer is remembered.
    let wrong = owner.submit(&form.clone().with("_confirmed", "expiration_date").with("vaccine_name", "")).await.is(422);
    let form = wrong.form(&url);
    assert_eq!(form.value("_confirmed"), Some("expiration_date"));
    let id = owner.submit(&form.with("vaccine_name", "MMR")).await.new_id();
    // It is not asked again about what is known.
    let edit = format!("{url}/{id}/edit");
    let form = owner.get(&edit).await.is(200).form(&edit).with("notes", "The parents were told");
    owner.submit(&form).await.location();
    // A tick at one field answers for no other, and for nothing that is wrong.
    let both = [&EXPIRED[..], &[("_confirmed", "expiration_date"), ("lot_number", "a\u{0}b")]].concat();
    owner.post(&url, &both).await.is(422);
    let child = owner.patient_with(&[("first_name", "Bo"), ("last_name", "Lovelace"), ("birth_date", "2026-01-01")]);
    let before = [("vaccine_name", "MMR"), ("date_administered", "2025-12-02"), ("_confirmed", "expiration_date")];
    let url = format!("/patients/{child}/immunizations");
    owner.post(&url, &before).await.is(422).says("Keep it: this was before the birth");
    owner.post(&url, &[&before[..2], &[("_confirmed", "date_administered")]].concat()).await.location();
}

#[actix_web::test]
async fn an_edit_of_something_else_forces_and_changes_nothing_in_what_a_file_left_out() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let file = serde_json::json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": {"resourceType": "Patient", "id": "ana", "name": [{"family": "Reyes", "given": ["Ana"]}], "birthDate": "1980-02-03"}},
    ]});
    let mut told = kinchart::interchange::read(file.to_string().as_bytes()).unwrap();
    let row = |pairs: &[(&'static str, &str)]| pairs.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
    let draft = |kind, key: &str, fields: &[(&'static str, &str)], children: Option<Vec<_>>| kinchart::interchange::draft::Draft {
        kind,
        source_key: key.to_owned(),
        resource_type: key.to_owned(),
        patient: "Patient/ana".to_owned(),
        fields: row(fields),
        children,
        practitioner: None,
        pharmacy: None,
        links: Vec::new(),
        codes: Vec::new(),
        parts: Vec::new(),
        original: serde_json::Value::Null,
    };
    // Without a day; a component without a name, one whose value a form would call ambiguous, one whose flag its range contradicts.
    let components = vec![
        row(&[("value", "1,234"), ("unit", "U/L")]),
        row(&[("test_name", "Sodium")]),
        row(&[("test_name", "Potassium"), ("value", "3.1"), ("ref_range_min", "3.5"), ("ref_range_max", "5.1"), ("status", "normal")]),
    ];
    told.records.push(draft("lab-results", "Lab/1", &[("test_name", "Panel"), ("status", "completed")], Some(components)));
    let conditions = vec![row(&[("diagnosis_age", "40")]), row(&[("condition_name", "Stroke")])];
    told.records.push(draft("family-members", "Kin/1", &[("relationship", "mother")], Some(conditions)));
    let body = [("recorded_date", "2020"), ("weight", "70"), ("height", "170"), ("height_unit", "cm"), ("bmi", "31")];
    told.records.push(draft("vitals", "Vitals/1", &body, None));
    let now = t.now();
    let target = kinchart::interchange::merge::Target::Matching;
    let report =
        owner.db().write(|tx| kinchart::interchange::merge::apply(tx, &owner.actor(), &told, &target, now, &mut |_, _| {})).unwrap();
    let ana = report.patients[0].patient.clone().unwrap();
    for line in report.patients[0].lines.iter().filter(|line| line.record.is_some()) {
        let (kind, id) = (kinchart::records::kind(&line.kind).unwrap(), line.record.clone().unwrap());
        let cells = || {
            let entry = owner.load(&ana, kind, &id).entry;
            let columns = kind.children.as_ref().map_or(0, |children| children.fields.len());
            let rows: Vec<_> = (0..entry.child_count()).map(|row| (0..columns).map(|i| entry.child(row, i)).collect::<Vec<_>>()).collect();
            let fields: Vec<_> = kind.fields.iter().enumerate().filter(|(_, f)| f.name != "notes").map(|(i, _)| entry.get(i)).collect();
            (fields, rows)
        };
        let before = cells();
        let edit = format!("/patients/{ana}/{}/{id}/edit", kind.name);
        let form = owner.get(&edit).await.is(200).form(&edit);
        owner.submit(&form).await.location();
        assert_eq!(owner.load(&ana, kind, &id).head.version, 1, "{}: nothing was changed", kind.name);
        owner.submit(&form.clone().with("notes", "A word")).await.location();
        assert_eq!(cells(), before, "{}", kind.name);
        let api = owner.api(true);
        let one = format!("/api/v1/patients/{ana}/{}/{id}", kind.name);
        let mut sent = api.get(&one).await.is(200).json();
        sent["notes"] = "Another word".into();
        api.put(&one, 2, &sent).await.is(200);
        assert_eq!(cells(), before, "{} over the API", kind.name);
    }
    // A row that is touched asks for nothing it lacked before, and a new row for everything; a row that goes takes nobody's place.
    let line = report.patients[0].lines.iter().find(|line| line.kind == "lab-results").unwrap();
    let edit = format!("/patients/{ana}/lab-results/{}/edit", line.record.clone().unwrap());
    let form = owner.get(&edit).await.form(&edit).with("components.0.notes", "By phone");
    owner.submit(&form).await.location();
    let form = owner.get(&edit).await.form(&edit);
    owner.submit(&form.clone().with("components.3.value", "5")).await.is(422).has("f-components-3-test_name");
    let form = form.with("components.0.value", "").with("components.0.unit", "").with("components.0.notes", "");
    let form = ["result_type", "status"].iter().fold(form, |form, name| form.with(&format!("components.0.{name}"), ""));
    owner.submit(&form).await.location();
}

#[actix_web::test]
async fn a_date_with_two_readings_is_asked_about_until_the_settings_say_which() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let url = format!("/patients/{ada}/conditions");
    let fields = [("diagnosis", "Asthma"), ("status", "active"), ("onset_date", "3/4/2021")];
    let asked = owner.post(&url, &fields).await.is(422).says("3 April 2021 or 4 March 2021?").says("2021-04-03");
    assert_eq!(asked.form(&url).value("onset_date"), Some("3/4/2021"), "what was typed is kept");
    owner
        .get(&format!("{url}?onset_date_from=3/4/2021&q=asthma"))
        .await
        .is(422)
        .says("3 April 2021 or 4 March 2021?")
        .has("value=\"asthma\"");
    for (style, expected) in [("day_first", "2021-04-03"), ("month_first", "2021-03-04")] {
        owner.prefers("date_format", style);
        let id = owner.post(&url, &fields).await.is(303).new_id();
        owner.get(&format!("{url}/{id}/edit")).await.has(&format!("value=\"{expected}\""));
    }
    owner.post(&url, &[("diagnosis", "Cold"), ("status", "active"), ("onset_date", "yesterday, 9:30 pm")]).await.is(303);
}

#[actix_web::test]
async fn a_timeline_says_what_is_wrong_with_its_filters() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let url = format!("/patients/{ada}/timeline");
    let wrong = owner.get(&format!("{url}?from=abc&to=2024")).await.is(422);
    wrong.has("id=\"f-from-d\"").has("value=\"abc\"").has("value=\"2024\"");
    owner.get(&format!("{url}?kind=zzz")).await.is(422).has("id=\"f-kind-d\"");
    owner.get(&format!("{url}?kind=conditions&from=2020&to=")).await.is(200);
}
