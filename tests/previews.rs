//! Pictures of documents: made once, in the background, by a child that may fall over; seen by who sees the document.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use image::{DynamicImage, ImageFormat, RgbaImage};
use kinchart::{
    access::Permission,
    db::types::PatientId,
    files::blobs,
    jobs,
    workshop::{End, Order, Refusal, Work, Workshop},
};

use crate::common::{
    Api, Person, Share, TestApp,
    paper::{self, Page, grey, jpeg, pdf, pdf_with, png_bomb, protected_pdf, stream, written},
};

pub const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=part");

/// Keeps the paper and makes what is made of it; the address of its page.
pub async fn keep(person: &Person, patient: &PatientId, fields: &[(&str, &str)], name: &str, bytes: &[u8]) -> String {
    let page = send(&person.api(true), patient, fields, name, bytes).await;
    work(person.app());
    page
}

/// Keeps the paper; the address of its page.
pub async fn send(api: &Api, patient: &PatientId, fields: &[(&str, &str)], name: &str, bytes: &[u8]) -> String {
    let path = format!("/api/v1/patients/{patient}/files");
    let made = api.send(Method::POST, &path, &[FORM], paper::form(fields, name, bytes)).await.is(201).json();
    format!("/patients/{patient}/files/{}", made["id"].as_str().unwrap())
}

pub fn work(app: &kinchart::app::App) {
    jobs::run_due(app).unwrap();
}

fn open(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory_with_format(bytes, ImageFormat::Jpeg).unwrap()
}

/// Every file and picture is there and nothing else.
fn is_well(t: &TestApp) -> usize {
    let found = blobs::check(&t.app, t.app.storage.as_ref(), true).unwrap();
    assert!(found.is_well() && found.waiting == 0, "{found:?}");
    found.whole
}

#[actix_web::test]
async fn the_pages_of_a_pdf_are_seen_one_by_one_and_small_in_lists() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let pages: Vec<Page> = (1..=5).map(|n| Page::of(&[&format!("Page number {n} of the report")])).collect();
    let page = send(&owner.api(true), &ada, &[], "report.pdf", &pdf(&pages)).await;
    owner.get(&page).await.is(200).says("The preview is being made");
    owner.get(&format!("/patients/{ada}/files")).await.is(200).lacks("/pages/0").has("<span>PDF</span>");
    work(&t.app);

    let shown = owner.get(&page).await.is(200).lacks("is being made").has("Page 1 of 5").has("Page 3 of 5").lacks("Page 4 of 5");
    shown.says("Pages 1 to 3").says("Pages 4 to 5");
    owner.get(&format!("{page}?page=4")).await.is(200).has("Page 5 of 5").lacks("Page 3 of 5");
    for number in 1..=5 {
        let picture = owner.get(&format!("{page}/pages/{number}")).await.is(200);
        let header = |name: &str| picture.header(name).unwrap();
        assert_eq!((header("content-type").as_str(), header("x-content-type-options").as_str()), ("image/jpeg", "nosniff"));
        assert!(header("content-security-policy").contains("sandbox") && header("cache-control").contains("no-store"));
        let image = open(&picture.bytes).into_luma8();
        assert_eq!((image.width(), image.height()), (989, 1400));
        // Letters at the top, white paper below.
        let dark = |from: u32, to: u32| (from..to).any(|y| (0..image.width()).any(|x| image.get_pixel(x, y).0[0] < 100));
        assert!(dark(0, 200) && !dark(300, 1400), "page {number}");
    }
    owner.get(&format!("{page}/pages/6")).await.is(404);
    let small = owner.get(&format!("{page}/pages/0")).await.is(200);
    assert_eq!(open(&small.bytes).height(), 240);
    let tag = small.header("etag").unwrap();
    owner.send(Method::GET, &format!("{page}/pages/0"), &[("if-none-match", &tag)], String::new()).await.is(304);
    owner.get(&format!("/patients/{ada}/files")).await.is(200).has(&format!("src=\"{page}/pages/0\""));
    assert_eq!(is_well(&t), 1 + 6);
    // Nothing of it can be read on the disk.
    assert!(!crate::files::on_disk(&t).1.windows(4).any(|part| part == b"JFIF"));
}

#[actix_web::test]
async fn pictures_of_every_sort_have_a_small_one_and_nothing_shines_through() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let large = DynamicImage::ImageRgb8(paper::quarters(1800, 900));
    for (name, format) in [
        ("a.jpg", ImageFormat::Jpeg),
        ("a.png", ImageFormat::Png),
        ("a.gif", ImageFormat::Gif),
        ("a.webp", ImageFormat::WebP),
        ("a.tiff", ImageFormat::Tiff),
    ] {
        let page = keep(&owner, &ada, &[], name, &written(&large, format)).await;
        owner.get(&page).await.is(200).has(&format!("alt=\"{name}\""));
        let image = open(&owner.get(&format!("{page}/pages/1")).await.is(200).bytes);
        assert_eq!((image.width(), image.height()), (1400, 700), "{name}");
        let image = open(&owner.get(&format!("{page}/pages/0")).await.is(200).bytes).into_rgb8();
        assert_eq!((image.width(), image.height()), (240, 120), "{name}");
        assert!(image.get_pixel(20, 20).0[0] > 180 && image.get_pixel(20, 100).0[2] > 180, "{name}");
    }
    let glass = DynamicImage::ImageRgba8(RgbaImage::new(40, 40));
    let page = keep(&owner, &ada, &[], "glass.png", &written(&glass, ImageFormat::Png)).await;
    let image = open(&owner.get(&format!("{page}/pages/1")).await.is(200).bytes).into_luma8();
    assert_eq!((image.width(), image.get_pixel(5, 5).0[0]), (40, 255), "never larger than it is, and on white");
    let turned = paper::telephone_jpeg(&paper::quarters(400, 200), 6);
    let page = keep(&owner, &ada, &[], "turned.jpg", &turned).await;
    let image = open(&owner.get(&format!("{page}/pages/1")).await.is(200).bytes).into_rgb8();
    assert_eq!((image.width(), image.height()), (200, 400));
    assert!(image.get_pixel(20, 20).0[2] > 180, "a quarter to the right: blue comes to the upper left");
}

#[actix_web::test]
async fn what_cannot_be_drawn_has_a_state_in_words() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let endless = pdf_with(&[Page::drawn("/Im Do")], "");
    let good = pdf(&[Page::of(&["A letter"])]);
    let broken_flate = paper::write_pdf(
        &[(1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()), (2, b"<</Type/Pages/Kids[2 0 R]/Count 1/Parent 2 0 R>>".to_vec())],
        "",
    );
    for (name, bytes, sentence) in [
        ("protected.pdf", protected_pdf(), "protected with a password"),
        ("damaged.pdf", b"%PDF-1.7\nand then nothing that a reader knows".to_vec(), "the document is damaged"),
        ("cycle.pdf", broken_flate, "the document is damaged"),
        ("half.jpg", jpeg(&paper::quarters(900, 900))[..300].to_vec(), "the document is damaged"),
        ("bomb.png", png_bomb(30_000, 30_000), "a document this large"),
        ("zip.docx", office_bomb(), ""),
        ("scan.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(), ""),
    ] {
        let page = keep(&owner, &ada, &[], name, &bytes).await;
        let shown = owner.get(&page).await.is(200).lacks("/pages/1").lacks("is being made");
        if !sentence.is_empty() {
            shown.says(sentence);
        }
        owner.get(&format!("{page}/pages/1")).await.is(404);
        assert_eq!(owner.get(&format!("{page}/content")).await.is(200).bytes, bytes, "{name} is given back as it came");
    }
    // A page that calls nothing, and one cut off in the middle, are still papers.
    for (name, bytes) in [("empty.pdf", endless), ("cut.pdf", good[..good.len() - 40].to_vec())] {
        let page = keep(&owner, &ada, &[], name, &bytes).await;
        owner.get(&format!("{page}/pages/1")).await.is(200);
    }
    owner.get(&format!("/patients/{ada}/files")).await.is(200).has("<span>DOCX</span>").has("<span>HEIC</span>");
}

/// An Office file with a part that tells it unpacks to four gigabytes; nobody unpacks it.
fn office_bomb() -> Vec<u8> {
    let mut bytes = b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0".to_vec();
    bytes.extend([0; 4]);
    bytes.extend(1000_u32.to_le_bytes());
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend(b"\x13\0\0\0[Content_Types].xml word/document.xml");
    bytes.extend([0; 1000]);
    bytes
}

fn workshop() -> Workshop {
    Workshop::of(env!("CARGO_BIN_EXE_kinchart").into())
}

fn opened(bytes: &[u8]) -> Work {
    workshop().run(&Order::Pdf { draw: 3 }, bytes).unwrap()
}

fn drawn(work: &Work) -> usize {
    work.pieces.iter().filter(|(_, jpeg)| !jpeg.is_empty()).count()
}

/// Whatever it does, it does it in the child, and only so long and with so much.
#[test]
fn hostile_pdfs_hurt_nobody() {
    let page = |size: (f64, f64)| Page { size, ..Page::of(&["here"]) };
    for size in [(1e9, 1e9), (1e9, 1.0), (0.0, 0.0), (-5.0, 5.0), (1e30, 1e30), (1.0, 1.0)] {
        let work = opened(&pdf(&[page(size), page((595.0, 842.0))]));
        assert_eq!(work.end, End::Done, "{size:?}");
        assert!(drawn(&work) >= 1, "the other page is drawn");
        for (_, jpeg) in work.pieces.iter().filter(|(_, jpeg)| !jpeg.is_empty()) {
            let image = open(jpeg);
            assert!(image.width() <= 1400 && image.height() <= 1400);
        }
    }
    // A form that draws itself, ten times each time.
    let itself = [
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, b"<</Type/Pages/Kids[10 0 R]/Count 1>>".to_vec()),
        (10, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<</XObject<</X 11 0 R>>>>/Contents 12 0 R>>".to_vec()),
        (11, stream("/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</XObject<</X 11 0 R>>>>", "/X Do ".repeat(10).as_bytes())),
        (12, stream("", b"/X Do")),
    ];
    let began = Instant::now();
    let work = workshop().hurried(Duration::from_secs(3)).run(&Order::Pdf { draw: 3 }, &paper::write_pdf(&itself, "")[..]).unwrap();
    assert!(matches!(work.end, End::Done | End::Broken), "{:?}", work.end);
    assert!(began.elapsed() < Duration::from_secs(20), "it is ended, and does not wait for its own end");
    // Four gigabytes of nothing in four megabytes: the same packed part again and again.
    let mut piece = Vec::with_capacity(1 << 16);
    let mut deflate = flate2::Compress::new(flate2::Compression::best(), false);
    deflate.compress_vec(&vec![b' '; 1 << 20], &mut piece, flate2::FlushCompress::Sync).unwrap();
    let stuffed = [&b"\x78\xda"[..], &piece.repeat(4096), b"\x01\0\0\xff\xff\0\0\0\0"].concat();
    let bomb = [
        (1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()),
        (2, b"<</Type/Pages/Kids[10 0 R]/Count 1>>".to_vec()),
        (10, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 12 0 R>>".to_vec()),
        (12, stream("/Filter/FlateDecode", &stuffed)),
    ];
    let work = opened(&paper::write_pdf(&bomb, ""));
    assert!(matches!(work.end, End::Done | End::Broken), "{:?}", work.end);
    // And after all that the workshop is as it was.
    let work = opened(&pdf(&[Page::of(&["here"])]));
    assert_eq!((work.end, drawn(&work)), (End::Done, 2));
}

#[test]
fn pictures_are_measured_before_they_are_opened() {
    let refused = |bytes: &[u8]| workshop().run(&Order::Picture { draw: 1 }, bytes).unwrap().end;
    assert_eq!(refused(&png_bomb(30_000, 30_000)), End::Refused(Refusal::TooLarge));
    assert_eq!(refused(&png_bomb(20_000, 10_000)), End::Refused(Refusal::TooLarge), "200 megapixels");
    assert_eq!(refused(&png_bomb(0, 10)), End::Refused(Refusal::Damaged));
    assert_eq!(refused(b"\x89PNG\r\n\x1a\n"), End::Refused(Refusal::Damaged));
    assert_eq!(refused(b""), End::Refused(Refusal::Damaged));
    assert_eq!(refused(&jpeg(&grey(30, 20))), End::Done);
}

#[test]
fn a_child_that_is_none_answers_nothing() {
    let silent = Workshop::of("/bin/cat".into());
    assert_eq!(silent.run(&Order::Picture { draw: 1 }, &b"picture"[..]).unwrap().end, End::Broken);
    assert!(Workshop::of("/nowhere/at/all".into()).run(&Order::Picture { draw: 1 }, &b"picture"[..]).is_err());
}

/// Memory, time, files: before it has read a byte of what it is given.
#[cfg(target_os = "linux")]
#[test]
fn the_child_may_use_little() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_kinchart"))
        .arg("workshop")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let (path, began) = (format!("/proc/{}/limits", child.id()), Instant::now());
    let most =
        |limits: &str, what: &str| limits.lines().find_map(|line| line.strip_prefix(what)?.split_whitespace().next().map(str::to_owned));
    let mut limits = String::new();
    while most(&limits, "Max file size").as_deref() != Some("0") && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(10));
        limits = std::fs::read_to_string(&path).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for (what, value) in [("Max address space", "1073741824"), ("Max cpu time", "90"), ("Max file size", "0"), ("Max core file size", "0")]
    {
        assert_eq!(most(&limits, what).as_deref(), Some(value), "{what}: {limits}");
    }
}

#[cfg(unix)]
#[test]
fn a_child_that_never_ends_is_ended() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("sleeper");
    std::fs::write(&program, "#!/bin/sh\nexec sleep 30\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let began = Instant::now();
    let work = Workshop::of(program).hurried(Duration::from_millis(200)).run(&Order::Picture { draw: 1 }, &b"picture"[..]).unwrap();
    assert_eq!(work.end, End::Broken);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

/// A PDF that a browser could take for a page is served as what it is, and its picture as a picture.
#[actix_web::test]
async fn a_paper_that_is_two_things_is_served_as_one() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let mut both = pdf(&[Page::of(&["A letter"])]);
    both.extend(b"<html><script>alert(document.cookie)</script></html>");
    let page = keep(&owner, &ada, &[], "both.pdf", &both).await;
    for (path, kind) in [("content?inline=1", "application/pdf"), ("pages/1", "image/jpeg")] {
        let got = owner.get(&format!("{page}/{path}")).await.is(200);
        let header = |name: &str| got.header(name).unwrap();
        assert_eq!((header("content-type").as_str(), header("x-content-type-options").as_str()), (kind, "nosniff"));
        assert!(header("content-security-policy").starts_with("sandbox"));
    }
}

#[actix_web::test]
async fn who_may_not_see_the_document_sees_no_picture_of_it() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = kinchart::records::kind("medications").unwrap();
    let record = owner.record(&ada, kind, &crate::common::sample::Sample::least(kind, 1));
    let of_record =
        keep(&owner, &ada, &[("record", record.as_str())], "a.png", &written(&DynamicImage::ImageRgb8(grey(9, 9)), ImageFormat::Png)).await;
    let own = keep(&owner, &ada, &[], "b.jpg", &jpeg(&grey(9, 9))).await;
    let pills = t.stranger("pills");
    owner.share(&ada, &pills, &Share { kinds: Some(vec!["medications".into()]), ..Share::to(Permission::View) });
    let allergies = t.stranger("allergies");
    owner.share(&ada, &allergies, &Share { kinds: Some(vec!["allergies".into()]), ..Share::to(Permission::View) });
    let nobody = t.stranger("nobody");
    for page in ["pages/0", "pages/1"] {
        pills.get(&format!("{of_record}/{page}")).await.is(200);
        pills.get(&format!("{own}/{page}")).await.is(404);
        allergies.get(&format!("{of_record}/{page}")).await.is(404);
        nobody.get(&format!("{of_record}/{page}")).await.is(404);
    }
    let seen = owner.audit(&ada).iter().filter(|event| event.actor_name == "pills").count();
    assert_eq!(seen, 2, "each look is told");
    owner.post(&format!("{of_record}/delete"), &[]).await.location();
    owner.get(&format!("{of_record}/pages/1")).await.is(404);
    owner.get(&format!("/patients/{ada}/files?trash=1")).await.is(200).lacks("/pages/0");
}

/// What is lost or was never made is made, and what nobody needs goes.
#[actix_web::test]
async fn pictures_are_made_again_and_go_with_their_document() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let page = keep(&owner, &ada, &[], "report.pdf", &pdf(&[Page::of(&["A letter"])])).await;
    assert_eq!(is_well(&t), 3);
    // All pictures are lost on the disk: the largest file stays, which is the paper or one of them; so everything but the paper.
    let paper: Vec<String> = t
        .app
        .db
        .read(|conn| {
            use diesel::prelude::*;
            use kinchart::db::schema::file_previews;
            Ok(file_previews::table.select(file_previews::blob).load(conn)?)
        })
        .unwrap();
    for name in &paper {
        std::fs::remove_file(t.app.config.uploads.join(&name[name.len() - 2..]).join(name)).unwrap();
    }
    owner.get(&format!("{page}/pages/1")).await.is(404);
    owner.get(&page).await.is(200).says("The preview is being made");
    work(&t.app);
    owner.get(&format!("{page}/pages/1")).await.is(200);
    jobs::ensure_standing(&t.app).unwrap();
    t.later(chrono::Duration::hours(2));
    work(&t.app);
    assert_eq!(is_well(&t), 3);

    // As a document from before there were pictures.
    t.app
        .db
        .write(|tx| {
            use diesel::prelude::*;
            use kinchart::db::schema::{file_previews, file_readings};
            diesel::delete(file_previews::table).execute(&mut **tx)?;
            Ok(diesel::delete(file_readings::table).execute(&mut **tx)?)
        })
        .unwrap();
    let owner = owner.signed_in();
    owner.get(&page).await.is(200);
    t.later(chrono::Duration::minutes(90));
    work(&t.app);
    let owner = owner.signed_in();
    owner.get(&format!("{page}/pages/1")).await.is(200);

    owner.post(&format!("{page}/delete"), &[]).await.location();
    for _ in 0..3 {
        t.later(chrono::Duration::days(16));
        work(&t.app);
    }
    assert_eq!((is_well(&t), crate::files::on_disk(&t).0), (0, 0));
}

#[actix_web::test]
async fn a_list_asks_the_same_however_many_papers_it_has() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = kinchart::records::kind("medications").unwrap();
    let record = owner.record(&ada, kind, &crate::common::sample::Sample::least(kind, 1));
    let mut counts = Vec::new();
    for round in 0..2 {
        for number in 0..=round * 6 {
            let picture = jpeg(&paper::grey(20 + number, 30 + round));
            send(&owner.api(true), &ada, &[("record", record.as_str())], &format!("{round}-{number}.jpg"), &picture).await;
        }
        work(&t.app);
        let mut asked = Vec::new();
        for path in [format!("/patients/{ada}/files"), format!("/patients/{ada}/medications/{record}"), "/search?q=jpg".to_owned()] {
            owner.get(&path).await.is(200);
            let before = t.app.db.statements();
            owner.get(&path).await.is(200).has("jpg");
            asked.push(t.app.db.statements() - before);
        }
        counts.push(asked);
    }
    assert_eq!(counts[0], counts[1]);
}

#[actix_web::test]
async fn every_page_of_a_fax_is_seen() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let fax = include_bytes!("data/fax.tiff");
    let page = keep(&owner, &ada, &[], "fax.tiff", fax).await;
    owner.get(&page).await.is(200).has("Page 1 of 3").has("Page 3 of 3");
    for number in 1..=3_u32 {
        let image = open(&owner.get(&format!("{page}/pages/{number}")).await.is(200).bytes).into_luma8();
        assert_eq!((image.width(), image.height()), (864, 1100));
        // Each page has its bar a hand further down.
        let bars: Vec<bool> = (0..3).map(|row| image.get_pixel(400, 140 + 300 * row).0[0] < 100).collect();
        assert_eq!(bars, [1, 2, 3].map(|bar| bar == number), "page {number}");
    }
    owner.get(&format!("{page}/pages/4")).await.is(404);
    // A page that is damaged takes none of the others away.
    let places: Vec<usize> = (0..fax.len() - 8).filter(|at| fax[*at..].starts_with(b"\x11\x01\x04\0\x02\0\0\0")).collect();
    assert_eq!(places.len(), 3, "the fields that say where the lines of each page are");
    let mut damaged = fax.to_vec();
    damaged[places[1] + 8..places[1] + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let page = keep(&owner, &ada, &[], "damaged.tiff", &damaged).await;
    let shown = owner.get(&page).await.is(200).has("Page 1 of 3").has("Page 3 of 3").lacks("Page 2 of 3");
    shown.lacks("No preview can be made");
    assert_eq!(open(&owner.get(&format!("{page}/pages/3")).await.is(200).bytes).height(), 1100);
}

#[actix_web::test]
async fn a_page_asks_how_far_it_is_and_that_is_no_look_at_the_document() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let page = send(&owner.api(true), &ada, &[], "report.pdf", &pdf(&[Page::of(&["Hemoglobin"])])).await;
    let state = format!("{page}/state");
    let shown = owner.get(&page).await.is(200).has(&format!("data-ask=\"{state}\"")).has("data-state=\"waiting waiting 0\"");
    shown.says("Look again").has("waiting.js");
    let looks = owner.audit(&ada).len();
    assert_eq!(owner.get(&state).await.is(200).body, "waiting waiting 0");
    assert_eq!(owner.audit(&ada).len(), looks);
    work(&t.app);
    assert_eq!(owner.get(&state).await.is(200).body, "drawn read 1");
    owner.get(&page).await.is(200).lacks("data-ask").lacks("Look again").lacks("waiting.js");
    let stranger = t.stranger("stranger");
    stranger.get(&state).await.is(404);
    owner.share(&ada, &stranger, &Share::to(Permission::View));
    stranger.get(&state).await.is(200);
    // A household's own: its members alone.
    let inbox =
        owner.api(true).send(Method::POST, "/api/v1/inbox/files", &[FORM], paper::form(&[], "b.pdf", &pdf(&[Page::of(&["x"])]))).await;
    let waiting = format!("/inbox/{}/state", inbox.is(201).json()["id"].as_str().unwrap());
    owner.get(&waiting).await.is(200);
    stranger.get(&waiting).await.is(404);
    owner.get(&format!("/patients/{ada}/files/00000000-0000-7000-8000-000000000000/state")).await.is(404);
}

#[actix_web::test]
async fn a_pdf_behind_what_another_program_put_before_it_is_drawn_and_read() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let paper = pdf(&[Page::of(&["Printed by the clinic"])]);
    for (name, before) in [("line.pdf", &b"\r\n"[..]), ("mark.pdf", b"\xef\xbb\xbf"), ("job.pdf", b"\x1b%-12345X@PJL JOB\n")] {
        let page = keep(&owner, &ada, &[], name, &[before, &paper].concat()).await;
        owner.get(&page).await.is(200).has(&format!("{page}/pages/1")).says("The search finds the 4 words in it");
        owner.get(&format!("{page}/content?inline=1")).await.is(200);
    }
}

#[actix_web::test]
async fn documents_of_the_household_have_their_small_pictures() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    owner.patient("Ada");
    let letter = paper::form(&[], "letter.jpg", &jpeg(&grey(9, 9)));
    let made = owner.api(true).send(Method::POST, "/api/v1/inbox/files", &[FORM], letter).await.is(201).json();
    work(&t.app);
    let page = format!("/inbox/{}", made["id"].as_str().unwrap());
    owner.get("/inbox").await.is(200).has(&format!("{page}/pages/0")).says("uploaded");
    let filing = format!("/inbox/file?document={}", made["id"].as_str().unwrap());
    owner.get(&filing).await.is(200).has(&format!("{page}/pages/0")).has(&format!("{page}/pages/1"));
    owner.get(&format!("{page}/pages/1")).await.is(200);
    let wu = format!("/directory/practitioners/{}", owner.practitioner("Dr Wu"));
    let same = [("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")];
    let letter = paper::form(&[], "card.jpg", &jpeg(&grey(8, 9)));
    owner.send(Method::POST, &format!("{wu}/files"), &[FORM, same[0], same[1]], letter).await.location();
    work(&t.app);
    owner.get(&wu).await.is(200).has("/pages/0").has("card.jpg");
    owner.get(&format!("{wu}/files")).await.is(200).has("/pages/0");
}
