//! Words inside documents: found with their page and line by who may see the document, and by nobody else.

use std::os::unix::fs::PermissionsExt;

use chrono::Duration;
use diesel::prelude::*;
use kinchart::{access::Permission, db::types::PatientId, jobs};

use crate::{
    common::{
        Person, Share, TestApp,
        paper::{self, Page, jpeg, pdf, protected_pdf},
        sample::Sample,
    },
    inbox::{drop_in, upload_to},
    previews::{keep, send, work},
};

async fn found(person: &Person, q: &str) -> String {
    person.get(&format!("/search?q={q}")).await.is(200).body
}

/// A program that is asked as tesseract is, and does this; its first lines answer for its languages.
fn reader(t: &TestApp, script: &str) -> String {
    let path = t.app.config.data.join(format!("reader-{}", uuid::Uuid::now_v7()));
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --list-langs ]; then echo 'List of available languages in \"/x/\" (2):'; echo eng; echo deu; exit 0; fi\n{script}\n"
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// With a reader of scans that does this.
async fn with_reader(script: &str) -> TestApp {
    let mut t = TestApp::new().await;
    let program = reader(&t, script);
    t.reads_scans_with(&program, None).await;
    t
}

#[actix_web::test]
async fn a_word_on_the_third_page_is_found_there_and_marked_as_it_stands() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let pages = [
        Page::of(&["Cover sheet"]),
        Page::of(&["Nothing of note"]),
        Page::of(&["Results", "Hämoglobin <b>14.1</b> g/dL within range"]),
        Page::of(&["Signed"]),
    ];
    let page = keep(&owner, &ada, &[], "clinic.pdf", &pdf(&pages)).await;
    owner.get(&page).await.is(200).says("The search finds the 12 words in it");
    for q in ["haemo", "h%C3%A4mog", "hamoglobin+range"] {
        let answer = owner.get(&format!("/search?q={q}")).await.is(200);
        if q == "haemo" {
            answer.lacks("clinic.pdf");
            continue;
        }
        let answer = answer.has("<mark>Hämoglobin</mark>").says("Page 3: Hämoglobin <b>14.1</b> g/dL within range").lacks("<b>14");
        assert!(answer.body.contains(&format!("{page}?page=3#pages")));
    }
    // Words of several pages together, each the beginning of one.
    assert!(found(&owner, "cover+sign").await.contains("clinic.pdf"));
    assert!(!found(&owner, "cover+missing").await.contains("clinic.pdf"));
    // Within a kind there are papers of its records only.
    assert!(!found(&owner, "cover&kind=medications").await.contains("clinic.pdf"));
}

#[actix_web::test]
async fn names_descriptions_and_plain_texts_are_found_and_follow_their_changes() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, api) = (owner.patient("Ada"), owner.api(true));
    let page = send(&api, &ada, &[("description", "From the cardiologist")], "echo-2024.txt", b"Ejection fraction 61 %").await;
    assert!(found(&owner, "cardiolog").await.contains(&page), "at once");
    assert!(found(&owner, "echo").await.contains(&page));
    assert!(!found(&owner, "ejection").await.contains(&page));
    work(&t.app);
    let answer = owner.get("/search?q=ejection").await.is(200).says("Page 1: Ejection fraction 61 %");
    assert!(answer.body.contains(&page));
    owner.get(&page).await.is(200).has("<pre class=\"paper\" dir=\"auto\">Ejection fraction 61 %</pre>");
    owner.post(&page, &[("_version", "1"), ("description", "Of the heart")]).await.location();
    assert!(!found(&owner, "cardiolog").await.contains(&page));
    assert!(found(&owner, "heart").await.contains(&page) && found(&owner, "ejection").await.contains(&page));
    owner.post(&format!("{page}/delete"), &[]).await.location();
    assert!(!found(&owner, "ejection").await.contains(&page), "what is in the trash is not found");
    owner.post(&format!("{page}/restore"), &[]).await.location();
    assert!(found(&owner, "ejection").await.contains(&page));
    owner.post(&format!("{page}/delete"), &[]).await.location();
    jobs::ensure_standing(&t.app).unwrap();
    for _ in 0..3 {
        t.later(Duration::days(16));
        work(&t.app);
    }
    assert!(!found(&owner.signed_in(), "ejection").await.contains(&page));
}

#[actix_web::test]
async fn texts_of_every_sort_are_read_and_what_has_none_says_so() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let utf16 = [&b"\xff\xfe"[..], &"Größenordnung sixteen".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat();
    for (name, bytes, q) in [
        ("sixteen.txt", utf16, "grossenordnung"),
        ("latin.txt", b"Entz\xfcndung des Ohres".to_vec(), "entzundung"),
        ("values.csv", b"name,value\nKreatinin,0.9\n".to_vec(), "kreatinin"),
        ("lab.txt", b"Bilirubin, Total   0.7   mg/dL   0.0-1.2\r\nWBC   6.2   x10E3/uL   3.4-10.8".to_vec(), "bilirubin+x10e3"),
    ] {
        let page = keep(&owner, &ada, &[], name, &bytes).await;
        assert!(found(&owner, q).await.contains(&page), "{name}");
    }
    let empty = keep(&owner, &ada, &[], "empty.txt", b" \n \n").await;
    owner.get(&empty).await.is(200).says("There are no words in it");
    let blank = keep(&owner, &ada, &[], "blank.pdf", &pdf(&[Page::drawn("")])).await;
    owner.get(&blank).await.is(200).says("There are no words in it");
    let secret = keep(&owner, &ada, &[], "locked.pdf", &protected_pdf()).await;
    owner.get(&secret).await.is(200).says("protected with a password").lacks("could not be read");
    assert!(!found(&owner, "secretword").await.contains(&secret));
}

#[actix_web::test]
async fn of_a_very_long_text_the_beginning_is_found_and_that_is_said() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let words: Vec<String> = (0..150_000).map(|n| format!("wort{n}")).collect();
    let long = words.join("\n") + " thelastword";
    let page = keep(&owner, &ada, &[], "long.txt", long.as_bytes()).await;
    owner.get(&page).await.is(200).says("the search finds the words of its beginning only");
    assert!(found(&owner, "wort77").await.contains(&page));
    assert!(!found(&owner, "thelastword").await.contains(&page));
}

#[actix_web::test]
async fn scans_and_photographs_are_read_where_there_is_a_reader() {
    // It says what it was given, so that the test knows: a JPEG through the pipe, and the languages.
    let t = with_reader("head -c 3 | od -An -tx1; echo \"Blutzucker nüchtern $4\"").await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let page =
        send(&owner.api(true), &ada, &[], "scan.pdf", &pdf(&[Page::of(&["This page tells all that it has to tell"]), Page::scanned()]))
            .await;
    owner.get(&page).await.is(200).lacks("Blutzucker");
    work(&t.app);
    let answer = owner.get("/search?q=blutz").await.is(200).says("Page 2: Blutzucker nüchtern eng+deu");
    assert!(answer.body.contains(&page));
    assert!(found(&owner, "ff+d8").await.contains(&page), "it got a JPEG");
    assert!(found(&owner, "tells").await.contains(&page), "the other page speaks for itself");
    let photo = keep(&owner, &ada, &[], "photo.png", &paper::written(&paper::grey(300, 200).into(), image::ImageFormat::Png)).await;
    assert!(found(&owner, "blutz").await.contains(&photo));
    owner.get(&photo).await.is(200).says("The search finds the 6 words in it");
}

#[actix_web::test]
async fn every_page_of_a_fax_is_read() {
    let t = with_reader("echo Faxwort $(wc -c)").await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let page = keep(&owner, &ada, &[], "fax.tiff", include_bytes!("data/fax.tiff")).await;
    owner.get(&page).await.is(200).says("The search finds the 6 words in it");
    let rows: Vec<(i32, String, String)> = t
        .app
        .db
        .read(|conn| {
            use kinchart::db::schema::file_texts as texts;
            Ok(texts::table.order(texts::page).select((texts::page, texts::source, texts::content)).load(conn)?)
        })
        .unwrap();
    assert_eq!(rows.iter().map(|(page, source, _)| (*page, source.as_str())).collect::<Vec<_>>(), [(1, "scan"), (2, "scan"), (3, "scan")]);
    let pictures: std::collections::BTreeSet<&String> = rows.iter().map(|(_, _, text)| text).collect();
    assert_eq!(pictures.len(), 3, "each page was read from its own picture: {pictures:?}");
    assert!(found(&owner, "faxwort").await.contains(&page));
}

#[actix_web::test]
async fn how_far_the_reading_has_come_is_told() {
    for (script, sentence) in [
        ("exit 1", "Its words could not be read"),
        ("cat > /dev/null", "There are no words in it"),
        ("kill -9 $$", "Its words could not be read"),
    ] {
        let t = with_reader(script).await;
        let owner = t.user("owner");
        let ada = owner.patient("Ada");
        let page = keep(&owner, &ada, &[], "scan.jpg", &jpeg(&paper::grey(300, 200))).await;
        owner.get(&page).await.is(200).says(sentence);
    }
    let mut t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let page = keep(&owner, &ada, &[], "scan.jpg", &jpeg(&paper::grey(300, 200))).await;
    owner.get(&page).await.is(200).says("tesseract is not installed on this server");
    // Installed later, it reads what has waited.
    let program = reader(&t, "cat > /dev/null; echo spätgelesen");
    t.reads_scans_with(&program, Some("deu")).await;
    jobs::ensure_standing(&t.app).unwrap();
    work(&t.app);
    assert!(found(&owner, "spatgel").await.contains(&page));
}

#[actix_web::test]
async fn a_word_inside_is_found_by_who_may_see_the_document_and_by_nobody_else() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = kinchart::records::kind("medications").unwrap();
    let record = owner.record(&ada, kind, &Sample::least(kind, 1));
    let of_record = keep(&owner, &ada, &[("record", record.as_str())], "a.txt", b"the hidden wordofrecord").await;
    let own = keep(&owner, &ada, &[], "b.txt", b"the hidden wordofpatient").await;
    let share = |kinds: &str| Share { kinds: Some(vec![kinds.into()]), ..Share::to(Permission::Full) };
    let (pills, allergies, all) = (t.stranger("pills"), t.stranger("allergies"), t.stranger("all"));
    owner.share(&ada, &pills, &share("medications"));
    owner.share(&ada, &allergies, &share("allergies"));
    owner.share(&ada, &all, &Share::to(Permission::View));
    let sees = |person: Person| {
        let (of_record, own) = (of_record.clone(), own.clone());
        async move {
            let body = found(&person, "hidden").await;
            (body.contains(&of_record) && body.contains("wordofrecord"), body.contains(&own) && body.contains("wordofpatient"))
        }
    };
    assert_eq!(sees(owner.clone()).await, (true, true));
    assert_eq!(sees(all).await, (true, true));
    assert_eq!(sees(pills.clone()).await, (true, false));
    assert_eq!(sees(allergies).await, (false, false));
    assert_eq!(sees(t.stranger("nobody")).await, (false, false));
    assert_eq!(sees(t.admin("admin")).await, (false, false));
    assert!(owner.audit(&ada).iter().any(|event| event.actor_name == "pills" && event.action == "searched"));
    // With its record in the trash nobody finds it.
    owner.post(&format!("/patients/{ada}/medications/{record}/delete"), &[("_version", "1")]).await.location();
    assert_eq!(sees(pills).await, (false, false));
    assert_eq!(sees(owner).await, (false, true));
}

/// Two patients of one family: each one's own.
#[actix_web::test]
async fn hits_name_whose_document_it_is() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (ada, bea) = (owner.patient("Ada"), owner.patient("Bea"));
    let of = |patient: PatientId| {
        let owner = owner.clone();
        async move { keep(&owner, &patient, &[], "x.txt", b"measles antibodies").await }
    };
    let (a, b) = (of(ada).await, of(bea).await);
    owner.get("/search?q=measles").await.is(200).has(&a).has(&b).says("Ada Lovelace").says("Bea Lovelace");
}

/// The address of the paper of this name on a page.
async fn paper_on(person: &Person, page: &str, name: &str) -> String {
    let answer = person.get(page).await.is(200).has(name);
    let links = answer.nodes().into_iter().filter_map(|node| node.attr("href").map(str::to_owned));
    links.into_iter().find(|href| href.starts_with(&format!("{page}/"))).unwrap()
}

#[actix_web::test]
async fn words_of_a_households_own_documents_are_found_by_its_members_alone() {
    let t = TestApp::new().await;
    let (owner, sibling, stranger, helper) = (t.user("owner"), t.user("sibling"), t.stranger("stranger"), t.stranger("helper"));
    let ada = owner.patient("Ada");
    owner.share(&ada, &helper, &Share::to(Permission::Full));
    let waits = drop_in(&owner, "waits.txt", "Zufallsbefund im Inneren").await;
    let papers = format!("/directory/practitioners/{}/files", owner.practitioner("Dr Wu"));
    upload_to(&owner, &papers, &[("hours.txt", "Sprechstunde am Zufallstag")]).await.location();
    let paper = paper_on(&owner, &papers, "hours.txt").await;
    work(&t.app);
    let inbox = format!("/inbox/{waits}");
    owner.get(&inbox).await.is(200).says("The search finds the 3 words in it");
    for person in [&owner, &sibling] {
        let answer = person.get("/search?q=zufall").await.is(200).has(&inbox).has(&paper);
        let answer = answer.says("Page 1: Zufallsbefund im Inneren").says("Inbox");
        answer.says("Page 1: Sprechstunde am Zufallstag").says("Dr Wu").lacks("Nothing");
        // Within a kind of record there are papers of records only.
        person.get("/search?q=zufall&kind=medications").await.is(200).lacks("waits.txt").lacks("hours.txt");
    }
    for person in [&stranger, &helper] {
        person.get("/search?q=zufall").await.is(200).lacks("waits.txt").lacks("hours.txt").lacks("Zufallsbefund");
    }
    // Once filed it is the patient's: a share of her finds it, and the rest of the household does not.
    owner.post("/inbox/file", &[("document", waits.as_str()), ("patient", ada.as_str()), ("_what", "patient")]).await.location();
    helper.get("/search?q=zufallsbefund").await.is(200).has("waits.txt").lacks("hours.txt");
    let seen = sibling.get("/search?q=zufall").await.is(200).lacks("waits.txt");
    seen.has("hours.txt");
    // What is thrown away is not found, and what is described otherwise is found by that.
    owner.post(&paper, &[("_version", "1"), ("description", "Urlaubsvertretung")]).await.location();
    assert!(found(&owner, "urlaubs").await.contains(&paper));
    owner.post(&format!("{paper}/delete"), &[]).await.location();
    assert!(!found(&owner, "urlaubs").await.contains(&paper));
}

#[actix_web::test]
async fn documents_from_before_households_had_an_index_are_taken_up() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let id = drop_in(&owner, "old.txt", "Altbestand").await;
    work(&t.app);
    t.app.db.write(|tx| Ok(diesel::sql_query("DELETE FROM shelf_search_entries").execute(&mut **tx)?)).unwrap();
    assert!(!found(&owner, "altbest").await.contains("old.txt"));
    assert!(kinchart::files::prepared::look(&t.app).unwrap() > 0);
    assert!(found(&owner, "altbest").await.contains(&format!("/inbox/{id}")));
    assert_eq!(kinchart::files::prepared::look(&t.app).unwrap(), 0);
}
