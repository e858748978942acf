//! The list of a patient's documents: by page, by words, by category, by record, and the same few statements however long it is.

use actix_web::http::Method;
use kinchart::{access::Permission, records};

use super::{FORM, PDF, form, medication, put, upload};
use crate::common::{Share, TestApp, sample::Sample};

#[actix_web::test]
async fn a_list_is_narrowed_and_turned_over() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    let record = medication(&owner, &ada, 1);
    let base = format!("/patients/{ada}/files");
    let of = |number: usize| PDF.replace("Catalog", &format!("Paper{number}"));
    put(&api, &ada, &[("description", "Überweisung 100% sicher"), ("category", "letter")], "scan_1.pdf", &of(1)).await.is(201);
    put(&api, &ada, &[("record", record.as_str()), ("category", "report")], "lab-report.pdf", &of(2)).await.is(201);
    put(&api, &ada, &[], "photo.pdf", &of(3)).await.is(201);
    for (query, names) in [
        ("q=uberweis", vec!["scan_1.pdf"]),
        ("q=UEBER", vec![]),
        ("q=100%25", vec!["scan_1.pdf"]),
        ("q=%25", vec!["scan_1.pdf"]),
        ("q=scan_", vec!["scan_1.pdf"]),
        ("q=scanx", vec![]),
        ("q=report+lab", vec!["lab-report.pdf"]),
        ("q=!", vec![]),
        ("category=report", vec!["lab-report.pdf"]),
        ("category=letter&q=lab", vec![]),
        ("record=none", vec!["photo.pdf", "scan_1.pdf"]),
        (&format!("record={record}"), vec!["lab-report.pdf"]),
        ("per_page=2", vec!["photo.pdf", "lab-report.pdf"]),
        ("per_page=2&page=2", vec!["scan_1.pdf"]),
        ("page=9", vec![]),
    ] {
        let json = api.get(&format!("/api/v1{base}?{query}")).await.is(200).json();
        let found: Vec<&str> = json["items"].as_array().unwrap().iter().map(|file| file["file_name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{query}");
        let shown = owner.get(&format!("{base}?{query}")).await.is(200);
        for name in ["photo.pdf", "lab-report.pdf"] {
            assert_eq!(shown.text().contains(name), names.contains(&name), "{query}: {name}");
        }
    }
    for wrong in ["page=0", "per_page=1000", "category=secret", "record=a%2Fb", "color=red"] {
        api.get(&format!("/api/v1{base}?{wrong}")).await.is(422);
    }
    owner.get(&format!("{base}?category=secret")).await.is(422).lacks("photo.pdf");
    let page = owner.get(&format!("{base}?per_page=2&category=")).await.is(200).says("1–2 of 3");
    assert!(page.body.contains("per_page=2&amp;page=2") || page.body.contains("per_page=2&#38;page=2"), "{}", page.body);
    owner.get(&format!("{base}?q=photo")).await.is(200).has("value=\"photo\"");
}

#[actix_web::test]
async fn a_long_list_asks_the_database_no_more_than_a_short_one() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let helper = t.stranger("helper");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    owner.share(&ada, &helper, &Share { kinds: Some(vec!["medications".into()]), ..Share::to(Permission::Edit) });
    let mut counts = Vec::new();
    for round in 0..2 {
        for number in 0..15 {
            let record = medication(&owner, &ada, number + 1);
            let content = PDF.replace("Catalog", &format!("Paper{round}x{number}"));
            put(&api, &ada, &[("record", record.as_str())], &format!("{round}-{number}.pdf"), &content).await.is(201);
        }
        for person in [&owner, &helper] {
            let before = t.app.db.statements();
            person.get(&format!("/patients/{ada}/files")).await.is(200).has("0-3.pdf");
            counts.push(t.app.db.statements() - before);
        }
    }
    assert_eq!(counts[..2], counts[2..], "{counts:?}");
}

#[actix_web::test]
async fn a_part_of_a_patient_is_counted_and_paged_as_that_part() {
    let t = TestApp::new().await;
    let (owner, helper) = (t.user("owner"), t.stranger("helper"));
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    let allergies = records::kind("allergies").unwrap();
    let (seen, hidden) = (medication(&owner, &ada, 1), owner.record(&ada, allergies, &Sample::least(allergies, 1)));
    for number in 0..3 {
        let of = |what: &str| PDF.replace("Catalog", &format!("{what}{number}"));
        put(&api, &ada, &[("record", seen.as_str())], "seen.pdf", &of("Seen")).await.is(201);
        put(&api, &ada, &[("record", hidden.as_str())], "hidden.pdf", &of("Hidden")).await.is(201);
        put(&api, &ada, &[], "whole.pdf", &of("Whole")).await.is(201);
    }
    owner.share(&ada, &helper, &Share { kinds: Some(vec!["medications".into()]), ..Share::default() });
    let list = helper.api(false).get(&format!("/api/v1/patients/{ada}/files?per_page=2")).await.is(200).json();
    assert_eq!((list["total"].as_i64(), list["items"].as_array().unwrap().len()), (Some(3), 2));
    for query in ["record=none".to_owned(), format!("record={hidden}"), "q=hidden".to_owned(), "q=whole".to_owned()] {
        assert_eq!(helper.api(false).get(&format!("/api/v1/patients/{ada}/files?{query}")).await.is(200).json()["total"], 0, "{query}");
    }
    let page = helper.get(&format!("/patients/{ada}/files")).await.is(200).lacks("hidden.pdf").lacks("whole.pdf");
    page.lacks(hidden.as_str());
    // A record in the trash takes its papers out of the list, and out of the count.
    owner.post(&format!("/patients/{ada}/allergies/{hidden}/delete"), &[("_version", "1")]).await.location();
    assert_eq!(owner.api(false).get(&format!("/api/v1/patients/{ada}/files")).await.is(200).json()["total"], 6);
}

#[actix_web::test]
async fn a_stale_form_of_a_paper_shows_both_versions_and_loses_nothing() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let (record, other) = (medication(&owner, &ada, 1), medication(&owner, &ada, 2));
    upload(&owner, &ada, &[("record", record.as_str())], &[("scan.pdf", PDF)]).await.location();
    let id = owner.api(false).get(&format!("/api/v1/patients/{ada}/files")).await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let page = format!("/patients/{ada}/files/{id}");
    let old = owner.get(&page).await.is(200).form(&page);
    owner.post(&page, &[("_version", "1"), ("description", "Theirs"), ("record", record.as_str())]).await.location();
    let mine = old.with("description", "Mine").with("document_date", "03/2025").with("record", other.as_str()).with("category", "letter");
    let told = owner.submit(&mine).await.is(409).says("Somebody else changed this document").says("Theirs Mine").says("Belongs to");
    let again = told.form(&page);
    for (name, value) in
        [("description", "Mine"), ("document_date", "03/2025"), ("record", other.as_str()), ("category", "letter"), ("_version", "2")]
    {
        assert_eq!(again.value(name), Some(value), "{name}");
    }
    owner.get(&page).await.has("Theirs");
    owner.submit(&again).await.location();
    let kept = owner.api(false).get(&format!("/api/v1{page}")).await.json();
    assert_eq!(
        (kept["description"].as_str(), kept["record"].as_str(), kept["version"].as_i64()),
        (Some("Mine"), Some(other.as_str()), Some(3))
    );
    // What is wrong comes back as it was typed, the record too.
    let wrong = owner.get(&page).await.form(&page).with("document_date", "2025-13").with("record", record.as_str());
    let back = owner.submit(&wrong).await.is(422).form(&page);
    assert_eq!((back.value("document_date"), back.value("record")), (Some("2025-13"), Some(record.as_str())));
}

#[actix_web::test]
async fn names_that_deceive_are_cleaned_wherever_they_come_in() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    for (number, (sent, kept)) in [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\\\scans\\\\x.txt", "x.txt"),
        ("a\u{0}b.txt", "ab.txt"),
        ("invoice\u{202e}fdp.txt", "invoicefdp.txt"),
        ("no ending", "no ending.txt"),
    ]
    .into_iter()
    .enumerate()
    {
        for path in [format!("/api/v1/patients/{ada}/files"), "/api/v1/inbox/files".to_owned()] {
            let content = format!("Text number {number} at {path}");
            let answer = api.send(Method::POST, &path, &[FORM], form(&[], &[(sent, &content)])).await;
            // A header with a NUL is no header: refused as what cannot be read, and nothing is kept.
            if sent.contains('\u{0}') && answer.status == 400 {
                continue;
            }
            assert_eq!(answer.is(201).json()["file_name"], kept, "{sent:?} at {path}");
        }
    }
    let long = format!("{}.txt", "ä".repeat(300));
    let made = put(&api, &ada, &[], &long, "A long name").await.is(201).json();
    assert_eq!(made["file_name"].as_str().unwrap().chars().count(), 255);
}
