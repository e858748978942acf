//! The photograph of a patient: a square of what was sent, upright, telling nothing else; seen by who may see the patient.

use actix_web::http::Method;
use image::{DynamicImage, ImageFormat, RgbImage};
use kinchart::{access::Permission, db::types::PatientId, files::blobs, jobs};

use crate::{
    common::{
        Answer, Person, Share, TestApp,
        paper::{self, jpeg, png_bomb, quarters, telephone_jpeg, written},
    },
    previews::FORM,
};

async fn hang(person: &Person, patient: &PatientId, fields: &[(&str, &str)], name: &str, bytes: &[u8]) -> Answer {
    let headers = [FORM, ("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")];
    person.send(Method::POST, &format!("/patients/{patient}/photo"), &headers, paper::form(fields, name, bytes)).await
}

async fn seen(person: &Person, patient: &PatientId) -> RgbImage {
    let answer = person.get(&format!("/patients/{patient}/photo")).await.is(200);
    image::load_from_memory_with_format(&answer.bytes, ImageFormat::Jpeg).unwrap().into_rgb8()
}

/// Which colour stands there: the channel that is strong alone, or white.
fn colour(image: &RgbImage, x: u32, y: u32) -> &'static str {
    match image.get_pixel(x, y).0.map(|channel| channel > 150) {
        [true, true, true] => "white",
        [true, ..] => "red",
        [_, true, _] => "green",
        _ => "blue",
    }
}

/// The colours of the four quarters, line by line.
fn corners(image: &RgbImage) -> [&'static str; 4] {
    let (far, near) = (image.width() - 9, 8);
    [colour(image, near, near), colour(image, far, near), colour(image, near, far), colour(image, far, far)]
}

#[actix_web::test]
async fn a_photo_is_the_square_in_the_middle_unless_another_is_asked_for() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    owner.get("/patients").await.is(200).has(">AL</span>");
    owner.get(&format!("/patients/{ada}/photo")).await.is(404);
    let wide = jpeg(&quarters(3000, 1500));
    let next = hang(&owner, &ada, &[], "wide.jpg", &wide).await.location();
    assert_eq!(next, format!("/patients/{ada}/edit"));
    let image = seen(&owner, &ada).await;
    assert_eq!((image.width(), image.height()), (1000, 1000));
    assert_eq!(corners(&image), ["red", "green", "blue", "white"]);
    hang(&owner, &ada, &[("x", "0"), ("y", "0"), ("size", "50")], "wide.jpg", &wide).await.location();
    let image = seen(&owner, &ada).await;
    assert_eq!((image.width(), corners(&image)), (750, ["red"; 4]));
    hang(&owner, &ada, &[("x", "100"), ("y", "100"), ("size", "50")], "wide.jpg", &wide).await.location();
    assert_eq!(corners(&seen(&owner, &ada).await), ["white"; 4]);
    // What makes no sense is the usual.
    hang(&owner, &ada, &[("x", "-1"), ("y", "many"), ("size", "4000")], "wide.jpg", &wide).await.location();
    assert_eq!(corners(&seen(&owner, &ada).await), ["red", "green", "blue", "white"]);
    for (name, format) in
        [("a.png", ImageFormat::Png), ("a.webp", ImageFormat::WebP), ("a.gif", ImageFormat::Gif), ("a.tiff", ImageFormat::Tiff)]
    {
        let sent = written(&DynamicImage::ImageRgb8(quarters(60, 40)), format);
        hang(&owner, &ada, &[], name, &sent).await.location();
        let image = seen(&owner, &ada).await;
        assert_eq!((image.width(), image.height()), (40, 40), "{name}: never larger than it was");
    }
}

#[actix_web::test]
async fn it_is_turned_upright_however_the_camera_was_held() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    // EXIF 2.3, table 6: what stands at the upper left, upper right, lower left, lower right once it is upright.
    for (orientation, upright) in [
        (1, ["red", "green", "blue", "white"]),
        (2, ["green", "red", "white", "blue"]),
        (3, ["white", "blue", "green", "red"]),
        (4, ["blue", "white", "red", "green"]),
        (5, ["red", "blue", "green", "white"]),
        (6, ["blue", "red", "white", "green"]),
        (7, ["white", "green", "blue", "red"]),
        (8, ["green", "white", "red", "blue"]),
    ] {
        hang(&owner, &ada, &[], "photo.jpg", &telephone_jpeg(&quarters(300, 200), orientation)).await.location();
        assert_eq!(corners(&seen(&owner, &ada).await), upright, "{orientation}");
    }
}

#[actix_web::test]
async fn nothing_that_the_camera_noted_is_kept() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let sent = telephone_jpeg(&quarters(300, 200), 6);
    let holds = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
    let told: [&[u8]; 7] = [b"Exif", b"GPS", b"WGS", b"xmp", b"adobe", b"48,8", b"MM\0*"];
    assert!(told.iter().all(|word| holds(&sent, word)), "the test's own picture tells its place");
    hang(&owner, &ada, &[], "photo.jpg", &sent).await.location();
    for size in ["", "?size=small"] {
        let got = owner.get(&format!("/patients/{ada}/photo{size}")).await.is(200).bytes;
        assert!(got.starts_with(b"\xff\xd8\xff"));
        for word in told {
            assert!(!holds(&got, word), "{:?}", String::from_utf8_lossy(word));
        }
        // No APP1 (EXIF, XMP), APP2 (colour profile), APP13 (IPTC), no comment.
        for marker in [0xe1, 0xe2, 0xed, 0xfe] {
            assert!(!segments(&got).contains(&marker), "{marker:x}");
        }
    }
    // What was sent is gone: two files lie there, the photograph and the small one.
    assert_eq!(crate::files::on_disk(&t).0, 2);
}

/// The markers of a JPEG up to its pixels.
fn segments(jpeg: &[u8]) -> Vec<u8> {
    let (mut at, mut found) = (2, Vec::new());
    while jpeg[at] == 0xff && jpeg[at + 1] != 0xda {
        found.push(jpeg[at + 1]);
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    found
}

#[actix_web::test]
async fn what_is_no_photo_is_told_in_a_sentence_and_leaves_nothing() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    hang(&owner, &ada, &[], "good.jpg", &jpeg(&quarters(50, 50))).await.location();
    for (name, bytes, sentence) in [
        ("bomb.png", png_bomb(30_000, 30_000), "at most 100 megapixels"),
        ("two-hundred.png", png_bomb(20_000, 10_000), "at most 100 megapixels"),
        ("half.jpg", jpeg(&quarters(900, 900))[..300].to_vec(), "damaged or not complete"),
        ("letter.pdf", paper::pdf(&[paper::Page::of(&["A letter"])]), "This is no picture"),
        ("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(), "This is no picture"),
        ("photo.jpg", b"<html>".to_vec(), "The ending of the name says something else"),
        ("", Vec::new(), "Choose a file first"),
    ] {
        hang(&owner, &ada, &[], name, &bytes).await.is(422).says(sentence).has("name=\"first_name\"");
    }
    assert_eq!(corners(&seen(&owner, &ada).await), ["red", "green", "blue", "white"], "the one before hangs there still");
    assert_eq!(crate::files::on_disk(&t).0, 2);
}

#[actix_web::test]
async fn it_stands_beside_the_name_and_goes_with_a_button() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    hang(&owner, &ada, &[], "a.jpg", &jpeg(&quarters(500, 500))).await.location();
    let small = format!("/patients/{ada}/photo?size=small&amp;v=");
    for page in
        ["/patients".to_owned(), format!("/patients/{ada}"), format!("/patients/{ada}/medications"), format!("/patients/{ada}/edit")]
    {
        let shown = owner.get(&page).await.is(200);
        assert!(shown.body.replace("&#38;", "&amp;").contains(&small), "{page}");
    }
    owner.get(&format!("/patients/{ada}")).await.is(200).has("alt=\"Photo of Ada Lovelace\"");
    let got = owner.get(&format!("/patients/{ada}/photo?size=small")).await.is(200);
    let image = image::load_from_memory(&got.bytes).unwrap();
    assert_eq!((image.width(), image.height()), (160, 160));
    let header = |name: &str| got.header(name).unwrap();
    assert!(header("content-security-policy").starts_with("sandbox") && header("cache-control").contains("no-store"));
    owner.send(Method::GET, &format!("/patients/{ada}/photo?size=small"), &[("if-none-match", &header("etag"))], "").await.is(304);
    // Another in its place: the bytes of the first go.
    hang(&owner, &ada, &[], "b.jpg", &jpeg(&quarters(400, 400))).await.location();
    let sweep = || {
        jobs::ensure_standing(&t.app).unwrap();
        t.later(chrono::Duration::hours(2));
        jobs::run_due(&t.app).unwrap();
        let found = blobs::check(&t.app, t.app.storage.as_ref(), true).unwrap();
        assert!(found.is_well(), "{found:?}");
        found.whole
    };
    assert_eq!(sweep(), 2);
    let owner = owner.signed_in();
    assert_eq!(seen(&owner, &ada).await.width(), 400);
    let version = owner.patient_now(&ada).version;
    owner.post(&format!("/patients/{ada}/photo/delete"), &[]).await.location();
    owner.post(&format!("/patients/{ada}/photo/delete"), &[]).await.location();
    owner.get(&format!("/patients/{ada}/photo")).await.is(404);
    owner.get("/patients").await.is(200).lacks("/photo?").has(">AL</span>");
    let swept = sweep();
    let owner = owner.signed_in();
    assert_eq!((swept, version), (0, owner.patient_now(&ada).version));
    let actions: Vec<String> = owner.audit(&ada).iter().filter(|e| e.kind.as_deref() == Some("photo")).map(|e| e.action.clone()).collect();
    assert_eq!(actions, ["changed", "changed", "deleted"]);
    owner.get(&format!("/patients/{ada}/looks?own=1")).await.is(200).says("changed the photo").says("removed the photo");
}

#[actix_web::test]
async fn who_may_see_the_patient_sees_it_and_who_may_manage_changes_it() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let photo = format!("/patients/{ada}/photo");
    let picture = jpeg(&quarters(50, 50));
    hang(&owner, &ada, &[], "a.jpg", &picture).await.location();
    for (name, level, status) in [("view", Permission::View, 403), ("edit", Permission::Edit, 403), ("full", Permission::Full, 303)] {
        let helper = t.stranger(name);
        helper.get(&photo).await.is(404);
        assert_eq!(hang(&helper, &ada, &[], "a.jpg", &picture).await.status, 404);
        owner.share(&ada, &helper, &Share { kinds: Some(vec!["allergies".into()]), ..Share::to(level) });
        helper.get(&photo).await.is(200);
        assert_eq!(hang(&helper, &ada, &[], "a.jpg", &picture).await.status, status, "{name}");
        helper.post(&format!("{photo}/delete"), &[]).await.is(status);
        hang(&owner, &ada, &[], "a.jpg", &picture).await.location();
    }
    t.admin("admin").get(&photo).await.is(404);
    t.anon().get(&photo).await.is(303);
}
