//! What every kind of record can do, kind by kind from the registry: a new kind is held to all of it without a new test.

use kinchart::{
    db::types::{PatientId, RecordId},
    records::{
        self, Kind,
        field::{Input, Place},
        view::list_columns,
    },
};

use crate::common::{
    Answer, Person, TestApp, for_every_kind, html, on_postgres,
    sample::{Sample, is_unit},
};

/// Where the kind's pages are.
fn base(patient: &PatientId, kind: &Kind) -> String {
    format!("/patients/{patient}/{}", kind.name)
}

async fn family() -> (TestApp, Person, PatientId) {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    (t, owner, ada)
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect()
}

/// Adds through the form, and says which record came of it.
async fn add(owner: &Person, patient: &PatientId, kind: &'static Kind, sample: &Sample) -> RecordId {
    let answer = owner.post(&base(patient, kind), &borrowed(&sample.form(kind))).await;
    RecordId::parse(&answer.new_id()).unwrap()
}

/// What the program works out itself where it can: a BMI from weight and height, a component's status from its range.
const COMPUTED: &[&str] = &["bmi"];

/// Every field and child of the stored record is the sample's, to the letter.
#[track_caller]
fn assert_holds(owner: &Person, patient: &PatientId, kind: &'static Kind, id: &RecordId, sample: &Sample) {
    let row = owner.load(patient, kind, id);
    for (index, spec) in kind.fields.iter().enumerate() {
        let stored = row.entry.get(index);
        let Some(told) = sample.value(spec.name).filter(|_| !COMPUTED.contains(&spec.name)) else { continue };
        if matches!(spec.input, Input::Details(_)) {
            let object = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(stored.as_deref().map(object), Some(object(told)), "{}.{}", kind.name, spec.name);
        } else {
            assert_eq!(stored.as_deref(), Some(told), "{}.{}", kind.name, spec.name);
        }
    }
    if let Some(children) = &kind.children {
        assert_eq!(row.entry.child_count(), sample.children.len(), "{}", kind.name);
        for (number, told) in sample.children.iter().enumerate() {
            for (name, text) in told.iter().filter(|(name, _)| name != "status") {
                let index = children.fields.iter().position(|f| f.name == name).unwrap();
                assert_eq!(row.entry.child(number, index).as_deref(), Some(text.as_str()), "{}.{number}.{name}", children.name);
            }
        }
    }
}

/// The ids of a list's rows, in order.
fn rows(answer: &Answer) -> Vec<String> {
    answer.nodes().iter().filter(|n| n.is("tr")).filter_map(|n| n.attr("id")?.strip_prefix("r-").map(str::to_owned)).collect()
}

#[actix_web::test]
async fn a_full_record_comes_back_as_it_was_told() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let sample = Sample::full(&owner, &ada, kind, 0).tagged(&["Yearly", "écho"]);
        for spec in &kind.fields {
            let without = matches!(spec.input, Input::Record(other) if records::kind(other).is_none())
                || matches!(spec.input, Input::Practice | Input::Patient);
            assert!(without || sample.value(spec.name).is_some(), "the sample leaves out {}", spec.name);
        }
        let id = add(&owner, &ada, kind, &sample).await;
        assert_holds(&owner, &ada, kind, &id, &sample);
        let row = owner.load(&ada, kind, &id);
        assert_eq!(row.head.version, 1);
        assert_eq!(row.head.source, "person");
        let mut tags: Vec<&str> = row.tags.iter().map(|tag| tag.name.as_str()).collect();
        tags.sort_unstable();
        assert_eq!(tags, ["Yearly", "écho"]);
        let page = owner.get(&format!("{}/{id}", base(&ada, kind))).await.is(200);
        for (name, text) in &sample.fields {
            if let Some((_, spec)) = kind.field(name)
                && matches!(spec.input, Input::Line | Input::Email | Input::Phone)
            {
                assert!(page.text().contains(text), "{name} is not on the page: {}", page.text());
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn the_form_carries_everything_so_that_saving_it_unchanged_changes_nothing() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let sample = Sample::full(&owner, &ada, kind, 0).tagged(&["Yearly"]);
        let id = add(&owner, &ada, kind, &sample).await;
        let edit = format!("{}/{id}/edit", base(&ada, kind));
        let form = owner.get(&edit).await.is(200).form(&edit);
        owner.submit(&form).await.location();
        assert_holds(&owner, &ada, kind, &id, &sample);
        assert_eq!(owner.load(&ada, kind, &id).head.version, 1, "nothing was changed");
        assert_eq!(owner.load(&ada, kind, &id).tags.len(), 1);
    })
    .await;
}

#[actix_web::test]
async fn an_edit_makes_a_version_and_an_old_one_comes_back() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let first = Sample::full(&owner, &ada, kind, 0);
        let id = add(&owner, &ada, kind, &first).await;
        let (page, edit) = (format!("{}/{id}", base(&ada, kind)), format!("{}/{id}/edit", base(&ada, kind)));
        let second = Sample::full(&owner, &ada, kind, 0).with("notes", "Now it says something else");
        let mut pairs = second.form(kind);
        pairs.push(("_version".into(), "1".into()));
        owner.post(&edit, &borrowed(&pairs)).await.location();
        assert_holds(&owner, &ada, kind, &id, &second);
        assert_eq!(owner.load(&ada, kind, &id).head.version, 2);
        let history = owner.get(&format!("{page}/history")).await.is(200).says("Now it says something else");
        assert!(history.body.contains("<del>"), "the difference is shown");
        let restore = history.form(&format!("{page}/history/1"));
        owner.submit(&restore).await.location();
        assert_holds(&owner, &ada, kind, &id, &first);
        assert_eq!(owner.load(&ada, kind, &id).head.version, 3);
    })
    .await;
}

#[actix_web::test]
async fn what_is_deleted_is_gone_everywhere_and_comes_back_whole() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let sample = Sample::full(&owner, &ada, kind, 0).tagged(&["Yearly"]);
        let id = add(&owner, &ada, kind, &sample).await;
        let page = format!("{}/{id}", base(&ada, kind));
        let form = owner.get(&page).await.form(&format!("{page}/delete"));
        let back = owner.submit(&form).await.location();
        for gone in ["", "/edit", "/history", "/links"] {
            owner.get(&format!("{page}{gone}")).await.is(if gone.is_empty() { 410 } else { 404 });
        }
        let list = owner.get(&back).await.is(200);
        assert!(!rows(&list).contains(&id.to_string()));
        owner.get(&format!("/patients/{ada}/trash")).await.is(200).has(id.as_str());
        owner.submit(&list.form(&format!("{page}/restore"))).await.location();
        assert_holds(&owner, &ada, kind, &id, &sample);
        assert_eq!(owner.load(&ada, kind, &id).tags.len(), 1);
        let list = owner.get(&base(&ada, kind)).await.is(200);
        assert!(rows(&list).contains(&id.to_string()));
    })
    .await;
}

#[actix_web::test]
async fn a_list_is_filtered_by_each_choice_and_by_dates() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let mut all = Vec::new();
        for variant in 0..3 {
            let sample = Sample::full(&owner, &ada, kind, variant);
            all.push((owner.record(&ada, kind, &sample).to_string(), sample));
        }
        let url = base(&ada, kind);
        let shown = async |query: String| rows(&owner.get(&format!("{url}?per_page=200&{query}")).await.is(200));
        for spec in &kind.fields {
            let values: Vec<String> = match spec.input {
                Input::Choice { words, .. } if !is_unit(kind, spec.name) => words.iter().map(|w| (*w).to_owned()).collect(),
                Input::Flag => vec!["true".into(), "false".into()],
                _ => continue,
            };
            for value in values {
                let found = shown(format!("{}={}", spec.name, value.replace('+', "%2B"))).await;
                for (id, _) in &all {
                    let loaded = owner.load(&ada, kind, &RecordId::parse(id).unwrap());
                    let (index, _) = kind.field(spec.name).unwrap();
                    let expected = loaded.entry.get(index).as_deref() == Some(value.as_str());
                    assert_eq!(found.contains(id), expected, "{}={value}", spec.name);
                }
            }
        }
        for spec in kind.fields.iter().filter(|f| f.is_date()) {
            for (id, sample) in &all {
                let day = sample.value(spec.name).unwrap();
                let inside = shown(format!("{0}_from={day}&{0}_to={day}", spec.name)).await;
                assert!(inside.contains(id), "{} on {day}", spec.name);
                assert!(!shown(format!("{}_to=2001", spec.name)).await.contains(id));
                assert!(!shown(format!("{}_from=2199", spec.name)).await.contains(id));
                assert!(shown(format!("{0}_from={1}&{0}_to={1}", spec.name, &day[..4])).await.contains(id), "the year holds the day");
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn a_list_is_sorted_by_each_column_in_both_directions() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let mut mine = Vec::new();
        for variant in 0..4 {
            let sample = Sample::full(&owner, &ada, kind, variant);
            mine.push((owner.record(&ada, kind, &sample).to_string(), sample));
        }
        let url = base(&ada, kind);
        for (_, spec) in list_columns(kind) {
            let order = async |sort: String| {
                let list = owner.get(&format!("{url}?per_page=200&sort={sort}")).await.is(200);
                rows(&list).into_iter().filter(|id| mine.iter().any(|(own, _)| own == id)).collect::<Vec<_>>()
            };
            let up = order(spec.name.to_owned()).await;
            let mut down = order(format!("-{}", spec.name)).await;
            assert_eq!(up.len(), mine.len());
            down.reverse();
            assert_eq!(up, down, "{} backwards is not the other way round", spec.name);
            let values: Vec<&str> =
                up.iter().map(|id| mine.iter().find(|(own, _)| own == id).unwrap().1.value(spec.name).unwrap()).collect();
            match spec.input {
                Input::Line | Input::Text | Input::Date | Input::Choice { .. } => assert!(values.is_sorted(), "{}: {values:?}", spec.name),
                Input::Integer { .. } | Input::Measured(_) => {
                    let numbers: Vec<f64> = values.iter().map(|v| v.parse().unwrap()).collect();
                    assert!(numbers.is_sorted(), "{}: {values:?}", spec.name);
                }
                _ => {}
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn pages_of_a_list_hold_every_record_once() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let before = owner.count(&ada, kind);
        for variant in 0..5 {
            owner.record(&ada, kind, &Sample::least(kind, variant));
        }
        let total = usize::try_from(before).unwrap() + 5;
        let url = base(&ada, kind);
        let mut seen = Vec::new();
        for page in 1..=total.div_ceil(2) {
            seen.extend(rows(&owner.get(&format!("{url}?per_page=2&page={page}")).await.is(200)));
        }
        assert_eq!(seen.len(), total);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), total, "a record stands on two pages");
        assert!(rows(&owner.get(&format!("{url}?per_page=2&page=1000")).await.is(200)).is_empty());
        for wrong in ["per_page=201", "per_page=0", "page=0", "page=x", "sort=nothing"] {
            owner.get(&format!("{url}?{wrong}")).await.is(422);
        }
    })
    .await;
}

#[actix_web::test]
async fn search_finds_a_record_by_a_word_of_each_text_whatever_its_case_and_accents() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let sample = Sample::full(&owner, &ada, kind, 7).tagged(&["Vorsorge Plan"]);
        let id = add(&owner, &ada, kind, &sample).await.to_string();
        let mut texts: Vec<(String, String)> = Vec::new();
        for (name, text) in &sample.fields {
            match kind.field(name).map(|(_, spec)| spec.input) {
                Some(Input::Line | Input::Text) => texts.push((name.clone(), text.clone())),
                Some(Input::Details(_)) => {
                    let parts: std::collections::BTreeMap<String, String> = serde_json::from_str(text).unwrap();
                    texts.extend(parts);
                }
                _ => {}
            }
        }
        for child in &sample.children {
            texts.extend(child.iter().filter(|(_, text)| text.starts_with("Größe")).cloned());
        }
        assert!(!texts.is_empty());
        for (name, text) in texts {
            let own = text.split_whitespace().nth(1).unwrap();
            let folded = own.to_lowercase().replace('é', "e");
            for word in [own.to_uppercase(), folded.clone(), folded[..folded.len() - 1].to_owned()] {
                let q = serde_urlencoded::to_string([("q", word.as_str())]).unwrap();
                owner.get(&format!("/search?{q}")).await.is(200).has(&format!("{}/{id}", base(&ada, kind)));
                let list = owner.get(&format!("{}?{q}", base(&ada, kind))).await.is(200);
                assert!(rows(&list).contains(&id), "{name}: {word} finds nothing in the list");
            }
        }
        let q = serde_urlencoded::to_string([("q", "VORSÖRGE grosse")]).unwrap();
        owner.get(&format!("/search?{q}")).await.has(&id);
        owner.get("/search?q=nowheretobefound").await.is(200).lacks(&id);
    })
    .await;
}

#[actix_web::test]
async fn tags_are_words_of_the_household_and_filter_lists() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let tagged = add(&owner, &ada, kind, &Sample::least(kind, 1).tagged(&["Blood  Tests", "blood tests", " Öl "])).await;
        let plain = add(&owner, &ada, kind, &Sample::least(kind, 2)).await;
        assert_eq!(owner.load(&ada, kind, &tagged).tags.len(), 2, "the same word once");
        let list = owner.get(&format!("{}?tag=OL", base(&ada, kind))).await.is(200);
        assert!(rows(&list).contains(&tagged.to_string()) && !rows(&list).contains(&plain.to_string()));
        let edit = format!("{}/{tagged}/edit", base(&ada, kind));
        let form = owner.get(&edit).await.form(&edit).with("tags", "");
        owner.submit(&form).await.location();
        assert_eq!(owner.load(&ada, kind, &tagged).tags.len(), 0);
    })
    .await;
}

#[actix_web::test]
async fn a_duplicate_begins_with_the_same_values() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let sample = Sample::full(&owner, &ada, kind, 1).tagged(&["Yearly"]);
        let id = add(&owner, &ada, kind, &sample).await;
        let url = base(&ada, kind);
        let form = owner.get(&format!("{url}/new?from={id}")).await.is(200).form(&url);
        let copy = RecordId::parse(&owner.submit(&form).await.new_id()).unwrap();
        assert_ne!(copy, id);
        assert_holds(&owner, &ada, kind, &copy, &sample);
        assert_eq!(owner.load(&ada, kind, &copy).head.version, 1);
        assert_eq!(owner.load(&ada, kind, &copy).tags.len(), 1);
        assert_eq!(owner.load(&ada, kind, &id).head.version, 1);
    })
    .await;
}

#[actix_web::test]
async fn a_link_is_seen_from_both_ends() {
    let (_t, owner, ada) = family().await;
    let other_kind = records::kind("medications").unwrap();
    for_every_kind(async |kind| {
        let one = add(&owner, &ada, kind, &Sample::least(kind, 1)).await;
        let other = owner.record(&ada, other_kind, &Sample::least(other_kind, 99));
        let (here, there) = (format!("{}/{one}", base(&ada, kind)), format!("{}/{other}", base(&ada, other_kind)));
        owner.get(&format!("{here}/links?q=")).await.is(200).has(other.as_str());
        owner
            .post(&format!("{here}/links"), &[("to", other.as_str()), ("relation", "treats"), ("note", "Since the fall")])
            .await
            .location();
        let page = owner.get(&here).await.has(&format!("href=\"{there}\"")).says("Since the fall");
        owner.get(&there).await.has(&format!("href=\"{here}\"")).says("Since the fall");
        let action = format!("{here}/links");
        let remove = html::Form::all(&page.body).into_iter().find(|form| form.action == action && form.value("to") == Some(other.as_str()));
        owner.submit(&remove.expect("the tie can be taken away").with("_remove", "1")).await.location();
        owner.get(&there).await.lacks(&format!("href=\"{here}\""));
        for (to, relation) in [(one.as_str(), "related"), (other.as_str(), "loves"), ("0190-nothing", "related"), ("%%", "related")] {
            owner.post(&format!("{here}/links"), &[("to", to), ("relation", relation)]).await.is(422);
        }
    })
    .await;
}

#[actix_web::test]
async fn a_column_that_is_a_link_shows_the_record_and_is_seen_from_it() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let sample = Sample::full(&owner, &ada, kind, 3);
        let id = add(&owner, &ada, kind, &sample).await;
        let page = owner.get(&format!("{}/{id}", base(&ada, kind))).await.is(200);
        for spec in kind.fields.iter().filter(|f| f.place == Place::Link) {
            let (Input::Record(other), Some(target)) = (spec.input, sample.value(spec.name)) else { continue };
            let there = format!("/patients/{ada}/{other}/{target}");
            assert!(page.body.contains(&format!("href=\"{there}\"")), "{} is no link", spec.name);
            owner.get(&there).await.is(200).has(&format!("{}/{id}", base(&ada, kind)));
        }
    })
    .await;
}

#[actix_web::test]
async fn sending_a_form_twice_makes_no_second_version() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let id = add(&owner, &ada, kind, &Sample::full(&owner, &ada, kind, 0)).await;
        let edit = format!("{}/{id}/edit", base(&ada, kind));
        let form = owner.get(&edit).await.form(&edit).with("notes", "Changed once");
        owner.submit(&form).await.location();
        assert_eq!(owner.load(&ada, kind, &id).head.version, 2);
        let again = owner.submit(&form).await;
        assert!(again.status == 303 || again.status == 409, "{}", again.status);
        assert_eq!(owner.load(&ada, kind, &id).head.version, 2, "a double click made a version");
    })
    .await;
}

#[actix_web::test]
async fn a_stale_edit_shows_both_versions_and_keeps_what_was_typed() {
    let (_t, owner, ada) = family().await;
    for_every_kind(async |kind| {
        let id = add(&owner, &ada, kind, &Sample::full(&owner, &ada, kind, 0)).await;
        let edit = format!("{}/{id}/edit", base(&ada, kind));
        let form = owner.get(&edit).await.form(&edit);
        owner.submit(&form.clone().with("notes", "Theirs came first")).await.location();
        let conflict = owner.submit(&form.with("notes", "Mine came second")).await.is(409);
        let conflict = conflict.says("Theirs came first").says("Mine came second");
        assert_eq!(owner.load(&ada, kind, &id).head.version, 2);
        let again = conflict.form(&edit);
        assert_eq!(again.value("notes").map(str::trim), Some("Mine came second"));
        owner.submit(&again).await.location();
        assert_eq!(owner.load(&ada, kind, &id).head.notes.as_deref(), Some("Mine came second"));
        let stale = format!("{}/{id}/delete", base(&ada, kind));
        let refused = owner.post(&stale, &[("_version", "1")]).await;
        assert!(matches!(refused.status, 409 | 412), "{}", refused.status);
    })
    .await;
}

#[actix_web::test]
async fn nothing_of_another_patient_or_household_can_be_pointed_at() {
    let (t, owner, ada) = family().await;
    let grace = owner.patient("Grace");
    let stranger = t.stranger("stranger");
    let theirs = stranger.patient("Theirs");
    for_every_kind(async |kind| {
        let id = add(&owner, &ada, kind, &Sample::full(&owner, &ada, kind, 0)).await;
        let edit = format!("{}/{id}/edit", base(&ada, kind));
        let form = owner.get(&edit).await.form(&edit);
        for spec in &kind.fields {
            let foreign = match spec.input {
                Input::Practitioner => vec![stranger.practitioner("Dr Foreign")],
                Input::Pharmacy => vec![stranger.pharmacy("Foreign Pharmacy")],
                Input::Record(other) => {
                    let Some(other) = records::kind(other) else { continue };
                    let wrong_kind = records::kinds().iter().find(|k| k.name != other.name).unwrap();
                    vec![
                        owner.record(&grace, other, &Sample::least(other, 1)).to_string(),
                        stranger.record(&theirs, other, &Sample::least(other, 1)).to_string(),
                        owner.record(&ada, wrong_kind, &Sample::least(wrong_kind, 1)).to_string(),
                    ]
                }
                _ => continue,
            };
            for foreign in foreign.into_iter().chain(["nothing".to_owned(), "../../etc".to_owned()]) {
                let answer = owner.submit(&form.clone().with(spec.name, &foreign)).await.is(422);
                answer.lacks("Foreign").has("aria-invalid");
            }
        }
        // The record itself, asked for as another patient's.
        for wrong in [&grace, &theirs] {
            for page in ["", "/edit", "/history", "/links"] {
                owner.get(&format!("{}/{id}{page}", base(wrong, kind))).await.is(404);
            }
            owner.post(&format!("{}/{id}/delete", base(wrong, kind)), &[]).await.is(404);
        }
        assert_eq!(owner.load(&ada, kind, &id).head.version, 1);
    })
    .await;
}

#[actix_web::test]
async fn a_page_costs_the_same_few_queries_for_one_record_and_a_hundred() {
    let (t, owner, _) = family().await;
    for_every_kind(async |kind| {
        let patient = owner.patient(kind.name);
        let url = base(&patient, kind);
        let first = owner.record(&patient, kind, &Sample::full(&owner, &patient, kind, 1));
        let pages = [
            url.clone(),
            format!("{url}/{first}"),
            format!("{url}/{first}/edit"),
            format!("{url}/{first}/history"),
            format!("/patients/{patient}"),
            format!("/patients/{patient}/timeline"),
            "/search?q=a".to_owned(),
            "/patients".to_owned(),
        ];
        let mut counts: Vec<Vec<u64>> = Vec::new();
        let mut have = 1;
        for wanted in [1, 10, 100] {
            for variant in have..wanted {
                owner.record(&patient, kind, &Sample::least(kind, variant));
            }
            have = wanted;
            // The list opens again as it was left, with two hundred rows a page.
            owner.get(&format!("{url}?per_page=200")).await.is(200);
            let mut now = Vec::new();
            for page in &pages {
                let before = t.app.db.statements();
                let answer = owner.get(page).await.is(200);
                now.push((t.app.db.statements() - before).saturating_sub(around_queries()));
                assert!(page != &url || rows(&answer).len() >= wanted);
            }
            counts.push(now);
        }
        assert!(counts.iter().all(|now| *now == counts[0]), "{}: {pages:?} {counts:?}", kind.name);
        assert!(counts[0].iter().all(|n| *n <= MOST_QUERIES), "{}: {pages:?} {:?}", kind.name, counts[0]);
    })
    .await;
}

/// What the heaviest page may ask the database.
const MOST_QUERIES: u64 = 12;

/// The session's transaction and the page's are begun and ended; PostgreSQL's connections are asked whether they live, once for each.
fn around_queries() -> u64 {
    if on_postgres() { 6 } else { 4 }
}

#[actix_web::test]
async fn what_lies_in_the_trash_says_so_to_whoever_may_bring_it_back() {
    let (t, owner, ada) = family().await;
    let kind = records::kind("conditions").unwrap();
    let id = owner.record(&ada, kind, &Sample::least(kind, 1));
    let url = format!("{}/{id}", base(&ada, kind));
    owner.post(&format!("{url}/delete"), &[]).await.is(303);
    let page = owner.get(&url).await.is(410).says("It is in the trash");
    t.stranger("stranger").get(&url).await.is(404).lacks("trash");
    owner.submit(&page.form(&format!("{url}/restore"))).await.is(303);
    owner.get(&url).await.is(200);
}

#[actix_web::test]
async fn what_is_no_text_is_not_kept() {
    let (_t, owner, ada) = family().await;
    let kind = records::kind("conditions").unwrap();
    let url = base(&ada, kind);
    owner.post_body(&url, "diagnosis=%ff%fe&status=active".to_owned()).await.is(400);
    assert_eq!(owner.count(&ada, kind), 0);
    owner.get(&format!("{url}?q=%ff")).await.is(200);
}

#[actix_web::test]
async fn what_has_ended_is_not_current() {
    let (_t, owner, ada) = family().await;
    let kind = records::kind("medications").unwrap();
    for (name, end) in [("Pastillin", "2026-03-13"), ("Yearolol", "2026"), ("Lastyearin", "2025"), ("Aheadan", "2026-05-01")] {
        let fields = [("medication_name", name), ("status", "active"), ("effective_period_end", end)];
        let asked = owner.post(&base(&ada, kind), &[&fields[..], &[("_confirmed", "status")]].concat()).await;
        assert_eq!(asked.status, 303, "{name}");
    }
    let home = owner.get(&format!("/patients/{ada}")).await.is(200);
    let (_, current) = home.body.split_once("<table").unwrap();
    let (current, _) = current.split_once("</table>").unwrap();
    let shown = ["Pastillin", "Yearolol", "Lastyearin", "Aheadan"].map(|name| current.contains(name));
    assert_eq!(shown, [false, true, false, true]);
}
