//! Style sheet, script and icons, in the binary, under a path that names their content, so that browsers keep them for ever.

use std::{borrow::Cow, sync::LazyLock};

use actix_web::{HttpRequest, HttpResponse, http::header, web};

use crate::error::{Error, Result};

#[derive(rust_embed::RustEmbed)]
#[folder = "static/"]
struct Files;

/// One tag for all files: a release changes most of them anyway.
static TAG: LazyLock<String> = LazyLock::new(|| {
    use sha2::{Digest, Sha256};
    let mut all = Sha256::new();
    for name in Files::iter() {
        if let Some(file) = Files::get(&name) {
            all.update(name.as_bytes());
            all.update(file.metadata.sha256_hash());
        }
    }
    crate::checksums::hex(&all.finalize()).chars().take(12).collect()
});

/// The path of an embedded file.
pub fn path(name: &str) -> String {
    format!("/static/{}/{name}", *TAG)
}

/// `GET /static/{tag}/{name}`: an old page's tag still gets the file, uncached, rather than nothing.
pub async fn serve(request: HttpRequest, names: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (tag, name) = names.into_inner();
    let file = Files::get(&name).ok_or(Error::NotFound)?;
    let etag = format!("\"{}\"", *TAG);
    if request.headers().get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()) == Some(&etag) {
        return Ok(HttpResponse::NotModified().finish());
    }
    let caching = if tag == *TAG { "public, max-age=31536000, immutable" } else { "no-cache" };
    let body = match file.data {
        Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header((header::ETAG, etag))
        .content_type(content_type(file.metadata.mimetype()))
        .body(body))
}
/// Whatever is text says in which letters.
fn content_type(media_type: &str) -> String {
    let is_text = media_type.starts_with("text/") || media_type.ends_with("+xml") || media_type.ends_with("json");
    if is_text { format!("{media_type}; charset=utf-8") } else { media_type.to_owned() }
}
