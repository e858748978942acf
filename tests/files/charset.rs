//! A text is served in the letters that its bytes stand for, also one that was here before anybody looked.

use actix_web::http::Method;
use diesel::prelude::*;
use kinchart::db::schema::files as rows;

use crate::{
    common::TestApp,
    previews::{keep, send},
};

#[actix_web::test]
async fn a_text_is_served_in_its_own_letters() {
    let t = TestApp::new().await;
    let (owner, mut long) = (t.user("owner"), vec![b'x'; 600_000]);
    let ada = owner.patient("Ada");
    long.extend(b" Gr\xf6\xdfe");
    for (name, bytes, told, shown) in [
        ("utf8.txt", "Größe 1,80 m".as_bytes(), "text/plain; charset=utf-8", "Größe"),
        ("latin.txt", b"Gr\xf6\xdfe 1,80 m", "text/plain; charset=windows-1252", "Größe"),
        ("windows.txt", b"\x84Gr\xf6\xdfe\x93 5 \x80", "text/plain; charset=windows-1252", "„Größe“ 5 €"),
        ("table.csv", b"Gr\xf6\xdfe;1,80", "text/csv; charset=windows-1252", "Größe"),
        ("late.txt", &long, "text/plain; charset=windows-1252", "xxx"),
        ("last.txt", b"caf\xe9", "text/plain; charset=windows-1252", "café"),
        ("wide.txt", b"\xff\xfeG\0r\0\xf6\0", "text/plain; charset=utf-16le", "Grö"),
        ("letter.pdf", b"%PDF-1.4\n%\xe9\n%%EOF\n", "application/pdf", ""),
    ] {
        let page = keep(&owner, &ada, &[], name, bytes).await;
        let content = format!("{page}/content");
        let answer = owner.get(&content).await.is(200);
        assert_eq!((answer.header("content-type").as_deref(), answer.bytes.as_ref()), (Some(told), bytes), "{name}");
        owner.get(&page).await.is(200).says(shown);
        // From before letters were looked at: found at the first look, and kept.
        let id = page.rsplit('/').next().unwrap();
        let kept = || -> Option<String> { t.app.db.read(|conn| Ok(rows::table.find(id).select(rows::charset).first(conn)?)).unwrap() };
        let before = kept();
        assert_eq!(before.is_some(), told.starts_with("text/"), "{name}");
        let forget = diesel::update(rows::table.find(id)).set(rows::charset.eq(None::<String>));
        t.app.db.write(|tx| Ok(forget.clone().execute(&mut **tx)?)).unwrap();
        for _ in 0..2 {
            assert_eq!(owner.get(&content).await.is(200).header("content-type").as_deref(), Some(told), "{name}");
            assert_eq!(kept(), before, "{name}");
        }
        let part = owner.send(Method::GET, &content, &[("range", "bytes=0-1")], String::new()).await.is(206);
        assert_eq!((part.header("content-type").as_deref(), part.bytes.as_ref()), (Some(told), &bytes[..2]), "{name}");
    }
}

#[actix_web::test]
async fn a_browser_that_kept_it_under_other_letters_is_told_anew() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let page = send(&owner.api(true), &ada, &[], "latin.txt", b"Gr\xf6\xdfe").await;
    let content = format!("{page}/content");
    let tag = owner.get(&content).await.is(200).header("etag").unwrap();
    owner.send(Method::GET, &content, &[("if-none-match", &tag)], String::new()).await.is(304);
    let before = tag.replace("-windows-1252", "");
    assert_ne!(tag, before);
    owner.send(Method::GET, &content, &[("if-none-match", &before)], String::new()).await.is(200);
}
