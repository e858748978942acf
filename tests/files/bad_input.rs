//! What is sent to the inbox and the pages and cannot be kept: refused with a sentence, with nothing lost and nothing left lying about.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use actix_web::http::Method;
use kinchart::{
    files::blobs,
    storage::{Arrived, BlobName, Incoming, Span, Storage, seal::FileKey},
};

use super::{FORM, PDF, SAME_SITE, form, on_disk};
use crate::common::{Answer, Person, TestApp};

/// A disk with so many bytes left.
struct Disk {
    inner: Arc<dyn Storage>,
    left: Arc<AtomicU64>,
}

struct Writing {
    inner: Box<dyn Incoming>,
    left: Arc<AtomicU64>,
}

impl Incoming for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let size = bytes.len() as u64;
        let fits = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(size));
        fits.map_err(|_| io::Error::from(io::ErrorKind::StorageFull))?;
        self.inner.write(bytes)
    }
    fn finish(self: Box<Self>) -> io::Result<Arrived> {
        self.inner.finish()
    }
}

impl Storage for Disk {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn begin(&self, name: &BlobName, key: &FileKey) -> io::Result<Box<dyn Incoming>> {
        Ok(Box::new(Writing { inner: self.inner.begin(name, key)?, left: Arc::clone(&self.left) }))
    }
    fn open(&self, name: &BlobName, key: &FileKey, size: u64, span: Span) -> io::Result<Box<dyn Read + Send>> {
        self.inner.open(name, key, size, span)
    }
    fn remove(&self, name: &BlobName) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn weigh(&self, name: &BlobName) -> io::Result<Option<u64>> {
        self.inner.weigh(name)
    }
    fn names(&self) -> io::Result<Vec<BlobName>> {
        self.inner.names()
    }
}

async fn post(person: &Person, path: &str, body: String) -> Answer {
    person.send(Method::POST, path, &[FORM, SAME_SITE[0], SAME_SITE[1]], body).await
}

/// Everything is explained, and this much of it is there.
#[track_caller]
fn is_well(t: &TestApp, whole: usize) {
    let found = blobs::check(&t.app, t.app.storage.as_ref(), true).unwrap();
    assert_eq!((found.is_well(), found.whole, found.waiting, on_disk(t).0), (true, whole, 0, whole), "{found:?}");
}

#[actix_web::test]
async fn a_full_disk_is_told_and_keeps_what_was_there() {
    let left = Arc::new(AtomicU64::new(1_000_000));
    let disk = Arc::clone(&left);
    let t = TestApp::storing(|_| {}, |inner| Arc::new(Disk { inner, left: disk })).await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let (of_ada, api) = (format!("/patients/{ada}/files"), owner.api(true));
    post(&owner, &of_ada, form(&[], &[("first.pdf", PDF)])).await.location();
    left.store(100, Ordering::SeqCst);
    let large = "x".repeat(200_000);
    for path in ["/inbox", &of_ada] {
        // Of two files the first would have fitted: the form is kept whole or not at all.
        let told = post(&owner, path, form(&[], &[("fits.txt", "Fits"), ("large.txt", &large)])).await.is(507);
        told.says("There is no room left").says("The disk of the server is full").says("nothing that was kept is lost");
    }
    for path in ["/inbox/files", &of_ada] {
        let problem = api.send(Method::POST, &format!("/api/v1{path}"), &[FORM], form(&[], &[("large.txt", &large)])).await.is(507).json();
        assert!(problem["title"].as_str().is_some_and(|title| title.contains("no room")), "{problem}");
    }
    owner.get(&of_ada).await.is(200).has("first.pdf").lacks("fits.txt");
    is_well(&t, 1);
    left.store(1_000_000, Ordering::SeqCst);
    post(&owner, "/inbox", form(&[], &[("large.txt", &large)])).await.location();
    is_well(&t, 2);
}

#[actix_web::test]
async fn a_folder_that_cannot_be_written_is_told() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    post(&owner, "/inbox", form(&[], &[("first.pdf", PDF)])).await.location();
    let arriving = t.app.config.uploads.join(".arriving");
    std::fs::remove_dir(&arriving).unwrap();
    std::fs::write(&arriving, b"in the way").unwrap();
    for path in ["/inbox".to_owned(), format!("/patients/{ada}/files")] {
        let told = post(&owner, &path, form(&[], &[("second.pdf", &PDF.replace('4', "5"))])).await.is(503);
        told.says("Files cannot be stored now").says("cannot write into its folder of documents");
    }
    std::fs::remove_file(&arriving).unwrap();
    // What could not even be taken away is known, and the sweep does it.
    t.later(chrono::Duration::hours(1));
    super::work(&t);
    is_well(&t, 1);
}

#[actix_web::test]
async fn forms_that_break_off_or_never_end_leave_nothing() {
    let t = TestApp::with(|config| config.max_upload = 1000).await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let api = owner.api(true);
    let part = "--part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.pdf\"\r\n\r\n";
    let whole = format!("{part}{PDF}\r\n");
    for path in ["/inbox".to_owned(), format!("/patients/{ada}/files")] {
        post(&owner, &path, format!("{part}%PDF-1.4 and then noth")).await.is(400).says("The form cannot be read");
        // One file is whole, the end of the form is missing: whose it was to be is not known, so it is nobody's.
        post(&owner, &path, whole.clone()).await.is(400);
        post(&owner, &path, format!("{whole}--part\r\n")).await.is(400);
        let many: Vec<(&str, &str)> = (0..10_000).map(|_| ("description", "x")).collect();
        post(&owner, &path, form(&many, &[])).await.is(413).says("This is too large");
        let many: Vec<(&str, &str)> = (0..10_000).map(|_| ("x.pdf", PDF)).collect();
        post(&owner, &path, form(&[], &many)).await.is(413);
        let page = post(&owner, &path, form(&[], &[("over.txt", &"x".repeat(1001)), ("empty.pdf", ""), ("photo.jpg", PDF)])).await.is(422);
        let page = page.says("over.txt : This file is larger than is taken here").says("empty.pdf : This file is empty");
        page.says("photo.jpg : The ending of the name says something else");
        post(&owner, &path, form(&[("description", &"x".repeat(2001))], &[("x.pdf", PDF)])).await.is(422);
        post(&owner, &path, form(&[], &[])).await.is(422).says("Choose a file first");
        is_well(&t, 0);
    }
    let files = "/api/v1/inbox/files";
    for (name, content, code) in [
        ("photo.jpg", PDF, "file_contradiction"),
        ("note.txt", "<html><script>alert(1)</script></html>", "file_contradiction"),
        ("setup.exe", "MZ\u{1}\u{2}\u{3}", "file_not_supported"),
        ("empty.pdf", "", "file_empty"),
    ] {
        let problem = api.send(Method::POST, files, &[FORM], form(&[], &[(name, content)])).await.is(422).json();
        assert_eq!(problem["errors"][0]["code"], code, "{name}: {problem}");
    }
    api.send(Method::POST, files, &[FORM], form(&[], &[("over.txt", &"x".repeat(1001))])).await.is(413);
    api.send(Method::POST, files, &[FORM], form(&[], &[("one.txt", "1"), ("two.txt", "2")])).await.is(422);
    api.send(Method::POST, files, &[FORM], form(&[("record", "x")], &[("one.txt", "1")])).await.is(422);
    is_well(&t, 0);
    api.send(Method::POST, files, &[FORM], form(&[], &[("fits.txt", &"x".repeat(1000))])).await.is(201);
    is_well(&t, 1);
}

/// Larger than what is handed to the store at once: part of it lies there when it ends.
#[actix_web::test]
async fn a_large_file_that_breaks_off_leaves_nothing() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let begun = format!("--part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.txt\"\r\n\r\n{}", "x".repeat(1_500_000));
    for path in ["/inbox".to_owned(), format!("/patients/{ada}/files")] {
        post(&owner, &path, begun.clone()).await.is(400);
        is_well(&t, 0);
    }
}

#[actix_web::test]
async fn parts_and_texts_of_a_form_are_counted_together() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let fields = |count: usize| vec![("description", "x"); count];
    post(&owner, "/inbox", form(&fields(199), &[("fits.txt", "Fits")])).await.location();
    post(&owner, "/inbox", form(&fields(200), &[("late.txt", "Late")])).await.is(413);
    // None of them is too long by itself.
    let long = "x".repeat(30_000);
    post(&owner, "/inbox", form(&[("a", &long), ("b", &long), ("c", &long)], &[("late.txt", "Late")])).await.is(413);
    is_well(&t, 1);
}

#[actix_web::test]
async fn an_empty_file_is_told_as_one() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let of_ada = format!("/patients/{}/files", owner.patient("Ada"));
    for path in ["/inbox", &of_ada] {
        post(&owner, path, form(&[], &[("empty.pdf", "")])).await.is(422).says("empty.pdf : This file is empty");
    }
    for path in ["/inbox/files", &of_ada] {
        let problem = owner.api(true).send(Method::POST, &format!("/api/v1{path}"), &[FORM], form(&[], &[("empty.pdf", "")])).await;
        assert_eq!(problem.is(422).json()["errors"][0]["code"], "file_empty");
    }
    is_well(&t, 0);
}

#[actix_web::test]
async fn a_byte_too_many_is_too_many() {
    let t = TestApp::with(|config| config.max_upload = 1000).await;
    let owner = t.user("owner");
    let of_ada = format!("/patients/{}/files", owner.patient("Ada"));
    let of = |letter: &str, bytes: usize| form(&[], &[("text.txt", &letter.repeat(bytes))]);
    for (number, path) in ["/inbox", &of_ada].into_iter().enumerate() {
        post(&owner, path, of("x", 1001)).await.is(422).says("larger than is taken here");
        is_well(&t, number);
        post(&owner, path, of(&number.to_string(), 1000)).await.location();
    }
    for path in ["/inbox/files", &of_ada] {
        owner.api(true).send(Method::POST, &format!("/api/v1{path}"), &[FORM], of("x", 1001)).await.is(413);
    }
    is_well(&t, 2);
}

#[actix_web::test]
async fn what_a_browser_would_run_is_never_shown_in_a_page() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    for (name, content, kind) in [
        ("page.html", "<!doctype html><html><script>alert(1)</script></html>", "text/html; charset=utf-8"),
        ("drawing.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"></svg>", "image/svg+xml"),
    ] {
        let made = super::put(&owner.api(true), &ada, &[], name, content).await.is(201).json();
        let path = format!("/patients/{ada}/files/{}/content?inline=1", made["id"].as_str().unwrap());
        let got = owner.get(&path).await.is(200);
        let header = |name: &str| got.header(name).unwrap();
        assert!(header("content-disposition").starts_with("attachment"), "{name}");
        assert_eq!(header("content-type"), kind);
        assert!(header("content-security-policy").starts_with("sandbox") && header("x-content-type-options") == "nosniff", "{name}");
    }
}
