//! The watched folder: what is put there becomes a document once it is whole, once and no more, and what is refused says why.

use std::{fs, path::PathBuf};

use chrono::Duration;
use diesel::{ExpressionMethods, RunQueryDsl};
use kinchart::{
    db::schema::inbox_arrivals,
    files::{blobs, inbox::folder},
    jobs,
};
use serde_json::Value;

use super::{pdf, waiting};
use crate::{
    common::{Person, TestApp},
    files::PDF,
};

struct Watched {
    t: TestApp,
    owner: Person,
    root: PathBuf,
    /// The household's.
    folder: PathBuf,
    _kept: tempfile::TempDir,
}

impl Watched {
    async fn new() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let root = kept.path().join("scans");
        let inbox = root.clone();
        let t = TestApp::with(|config| {
            config.inbox = Some(inbox);
            config.max_upload = 1000;
        })
        .await;
        t.app.clock.stop();
        let owner = t.user("owner");
        let folder = root.join("household");
        let watched = Self { t, owner, root, folder, _kept: kept };
        watched.look();
        watched
    }

    /// What the thread in the background would do at its next look.
    fn look(&self) {
        self.t.later(Duration::seconds(15));
        jobs::ensure_standing(&self.t.app).unwrap();
        jobs::run_due(&self.t.app).unwrap();
    }
    fn put(&self, name: &str, content: &str) {
        fs::write(self.folder.join(name), content).unwrap();
    }
    fn is_there(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }
    async fn waiting(&self) -> Vec<Value> {
        waiting(&self.owner.api(false)).await
    }
    async fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.waiting().await.iter().map(|f| f["file_name"].as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    }
    fn why(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join("refused").join(format!("{name}.txt"))).unwrap()
    }
}

#[actix_web::test]
async fn each_household_has_its_folder_and_people_can_see_which() {
    let w = Watched::new().await;
    let id = w.owner.household.to_string();
    assert_eq!(fs::read_to_string(w.folder.join(".kinchart")).unwrap().trim(), id);
    assert!(fs::read_to_string(w.root.join("README.txt")).unwrap().contains("household: Household\n"));
    // Another of the same name gets another folder, and a folder that was renamed stays whose it was.
    let other = w.t.stranger("other");
    fs::rename(&w.folder, w.root.join("scanner")).unwrap();
    w.look();
    let notes: Vec<(String, String)> = fs::read_dir(&w.root)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path().join(".kinchart")).unwrap().trim().to_owned())
        })
        .collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes.contains(&("scanner".to_owned(), id)), "{notes:?}");
    let (name, _) = notes.iter().find(|(_, noted)| *noted == other.household.to_string()).unwrap();
    assert!(name.starts_with("household"), "{name}");
    fs::write(w.root.join("scanner").join("a.pdf"), PDF).unwrap();
    fs::write(w.root.join(name).join("b.pdf"), pdf(1)).unwrap();
    // Nobody's: not in a household's folder.
    fs::create_dir(w.root.join("nobody")).unwrap();
    fs::write(w.root.join("nobody").join("c.pdf"), pdf(2)).unwrap();
    w.look();
    w.look();
    assert_eq!(w.names().await, ["a.pdf"]);
    assert_eq!(waiting(&other.signed_in().api(false)).await[0]["file_name"], "b.pdf");
    assert!(w.root.join("nobody").join("c.pdf").exists());
}

#[actix_web::test]
async fn a_paper_is_taken_when_it_is_whole() {
    let w = Watched::new().await;
    w.put("scan.pdf", "%PDF-1.4\nthe first page");
    w.look();
    assert!(w.waiting().await.is_empty(), "seen once");
    // The scanner goes on writing, slowly.
    for page in 2..5 {
        w.put("scan.pdf", &format!("%PDF-1.4\n{}", "page ".repeat(page)));
        w.look();
        assert!(w.waiting().await.is_empty(), "page {page}");
    }
    w.look();
    let taken = w.waiting().await;
    assert_eq!((taken.len(), taken[0]["file_size"].as_u64()), (1, Some(9 + 20)));
    assert_eq!(taken[0]["file_type"], "application/pdf");
    assert!(!w.is_there("scan.pdf"), "it left the folder");
    for name in [".scan.pdf.Xy12", "next.pdf.part", "~$letter.docx", "letter.txt~", "a.tmp"] {
        w.put(name, PDF);
    }
    w.look();
    w.look();
    w.look();
    assert_eq!(w.waiting().await.len(), 1, "what is not whole stays");
    assert!(w.is_there("next.pdf.part"));
    fs::rename(w.folder.join("next.pdf.part"), w.folder.join("next.pdf")).unwrap();
    w.look();
    w.look();
    assert_eq!(w.names().await, ["next.pdf", "scan.pdf"]);
    assert!(blobs::check(&w.t.app, w.t.app.storage.as_ref(), true).unwrap().is_well());
}

#[actix_web::test]
async fn what_is_refused_says_why() {
    let w = Watched::new().await;
    w.put("photo.jpg", PDF);
    w.put("empty.pdf", "");
    w.put("setup.exe", "MZ\u{1}\u{2}\u{3}");
    w.put("large.txt", &"x".repeat(1001));
    w.put("fits.txt", &"x".repeat(1000));
    w.put("good.pdf", PDF);
    w.look();
    w.look();
    assert_eq!(w.names().await, ["fits.txt", "good.pdf"]);
    for (name, why) in [
        ("photo.jpg", "The ending of the name says something else"),
        ("empty.pdf", "This file is empty"),
        ("setup.exe", "This sort of file is not kept here"),
        ("large.txt", "larger than is taken here"),
    ] {
        assert!(!w.is_there(name) && w.folder.join("refused").join(name).exists(), "{name}");
        assert!(w.why(name).contains(why) && w.why(name).contains(name), "{}", w.why(name));
    }
    // The same name once more: nothing is written over.
    w.put("photo.jpg", &pdf(2));
    w.look();
    w.look();
    assert_eq!(fs::read_to_string(w.folder.join("refused").join("photo.jpg")).unwrap(), PDF);
    assert_eq!(fs::read_to_string(w.folder.join("refused").join("2-photo.jpg")).unwrap(), pdf(2));
    let found = blobs::check(&w.t.app, w.t.app.storage.as_ref(), true).unwrap();
    assert_eq!((found.is_well(), found.whole, found.waiting), (true, 2, 0), "{found:?}");
}

#[cfg(unix)]
#[actix_web::test]
async fn a_name_loses_what_no_line_can_show() {
    let w = Watched::new().await;
    w.put("of two\nlines.pdf", PDF);
    w.put("a\u{1b}[31mred\u{7f}.pdf", &pdf(1));
    w.look();
    w.look();
    assert_eq!(w.names().await, ["a[31mred.pdf", "of twolines.pdf"]);
}

#[cfg(unix)]
#[actix_web::test]
async fn links_lead_nowhere() {
    let w = Watched::new().await;
    let outside = w.root.parent().unwrap().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret.txt"), "a secret").unwrap();
    std::os::unix::fs::symlink(outside.join("secret.txt"), w.folder.join("link.txt")).unwrap();
    std::os::unix::fs::symlink(&outside, w.folder.join("refused")).unwrap();
    // A whole folder that pretends to be a household's.
    fs::write(outside.join(".kinchart"), w.owner.household.as_str()).unwrap();
    std::os::unix::fs::symlink(&outside, w.root.join("a-link")).unwrap();
    w.put("photo.jpg", PDF);
    w.look();
    w.look();
    w.look();
    assert!(w.waiting().await.is_empty());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 2, "nothing was put there");
    assert!(w.is_there("photo.jpg"), "it waits for a folder to be put into");
}

/// The document is there, and the program fell before the file was gone from the folder.
#[actix_web::test]
async fn a_fall_between_keeping_and_removing_makes_no_second_document() {
    let w = Watched::new().await;
    w.put("scan.pdf", PDF);
    w.look();
    w.look();
    let taken = w.waiting().await;
    assert_eq!(taken.len(), 1);
    let fall = || {
        w.put("scan.pdf", PDF);
        let row = (
            inbox_arrivals::household_id.eq(&w.owner.household),
            inbox_arrivals::name.eq("scan.pdf"),
            inbox_arrivals::size.eq(i64::try_from(PDF.len()).unwrap()),
            inbox_arrivals::modified.eq(1),
            inbox_arrivals::seen_at.eq(w.t.now()),
            inbox_arrivals::sha256.eq(taken[0]["sha256"].as_str().unwrap()),
        );
        w.t.app.db.write(|tx| Ok(diesel::insert_into(inbox_arrivals::table).values(&row).execute(&mut **tx)?)).unwrap();
    };
    fall();
    w.look();
    assert!(!w.is_there("scan.pdf"), "it is removed, for it is kept");
    w.look();
    w.look();
    assert_eq!(w.waiting().await.len(), 1);
    // Filed since: not a second time either.
    let ada = w.owner.patient("Ada");
    let path = format!("/api/v1/inbox/files/{}/file", taken[0]["id"].as_str().unwrap());
    w.owner.api(true).post(&path, &serde_json::json!({"patient": ada})).await.is(200);
    fall();
    w.look();
    w.look();
    w.look();
    assert!(w.waiting().await.is_empty() && !w.is_there("scan.pdf"));
    // Another paper came under the name before the removal: that is one more.
    fall();
    w.put("scan.pdf", &pdf(7));
    w.look();
    w.look();
    w.look();
    assert_eq!(w.waiting().await.len(), 1);
    // And the same paper put there once more by somebody is theirs to decide about: nothing says that it was taken.
    w.put("scan.pdf", PDF);
    w.look();
    w.look();
    assert_eq!(w.waiting().await.len(), 2);
}

/// Two programs on one database look at the same moment: each file is taken once.
#[actix_web::test]
async fn two_looks_at_once_take_a_paper_once() {
    let w = Watched::new().await;
    for round in 0..5 {
        w.put("scan.pdf", &pdf(round));
        folder::look(&w.t.app).unwrap();
        let app = w.t.app.clone();
        for look in crate::common::at_once(3, |_| folder::look(&app)) {
            look.unwrap();
        }
        folder::look(&w.t.app).unwrap();
        assert_eq!(w.waiting().await.len(), round + 1);
    }
    w.t.later(Duration::hours(30));
    w.look();
    let found = blobs::check(&w.t.app, w.t.app.storage.as_ref(), true).unwrap();
    assert_eq!((found.is_well(), found.whole, found.waiting), (true, 5, 0), "{found:?}");
}

#[actix_web::test]
async fn a_store_that_takes_nothing_leaves_the_paper_where_it_is() {
    let w = Watched::new().await;
    let arriving = w.t.app.config.uploads.join(".arriving");
    drop(fs::remove_dir(&arriving));
    fs::create_dir_all(&w.t.app.config.uploads).unwrap();
    fs::write(&arriving, b"in the way").unwrap();
    w.put("scan.pdf", PDF);
    w.look();
    w.look();
    w.look();
    assert!(w.is_there("scan.pdf") && w.waiting().await.is_empty());
    fs::remove_file(&arriving).unwrap();
    w.look();
    assert!(w.is_there("scan.pdf"), "not tried at every look");
    w.t.later(Duration::minutes(5));
    w.look();
    assert_eq!(w.names().await, ["scan.pdf"]);
}

#[cfg(unix)]
#[actix_web::test]
async fn a_name_in_the_letters_of_an_older_windows_is_read_as_such() {
    use std::os::unix::ffi::OsStrExt;
    let w = Watched::new().await;
    let path = |name: &[u8]| w.folder.join(std::ffi::OsStr::from_bytes(name));
    fs::write(path(b"Gr\xf6\xdfe.pdf"), pdf(1)).unwrap();
    fs::write(path(b"\xe9.txt"), "").unwrap();
    // The same name in today's letters beside it: one after the other.
    w.put("Größe.pdf", &pdf(2));
    for _ in 0..6 {
        w.look();
    }
    assert_eq!(w.names().await, ["Größe.pdf", "Größe.pdf"]);
    assert!(!path(b"Gr\xf6\xdfe.pdf").exists() && !path(b"\xe9.txt").exists() && !w.is_there("Größe.pdf"));
    assert!(w.why("é.txt").contains("é.txt"));
    assert!(w.folder.join("refused/é.txt").exists(), "under a name that can be told");
}
