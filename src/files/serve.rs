//! A file's bytes on their way out: opened piece by piece, any part of it, as what it is and nothing that runs.

use std::io::Read;

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{
        StatusCode,
        header::{self, Charset, ContentDisposition, DispositionParam, DispositionType, ExtendedValue, HeaderValue},
    },
    web::Bytes,
};
use diesel::prelude::*;
use futures_util::stream;

use super::{File, blobs, prepared};
use crate::{
    app::App,
    charset,
    db::schema::files,
    error::{Error, Result},
    storage::{BlobName, Span},
};

/// What is read from the store at once.
const BATCH: usize = 256 * 1024;
/// Nothing in a file may load, run or send anything, wherever a browser shows it.
const SANDBOX: &str =
    "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'";

/// The whole file, or the part that was asked for. `inline` shows it in the browser where its kind may be shown.
pub async fn send(app: &App, request: &HttpRequest, file: &File, inline: bool) -> Result<HttpResponse> {
    let charset = charset_of(app, file).await?;
    // A browser that has kept the bytes has kept what it was told of them, too.
    let kept = charset.as_deref().filter(|told| *told != charset::UTF_8).map(|told| format!("-{told}")).unwrap_or_default();
    let tag = format!("\"{}{kept}\"", file.sha256);
    if is_known(request, &tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    let size = file.size();
    let (status, span) = match wanted(request, &tag, size) {
        Wanted::Whole => (StatusCode::OK, Span::whole(size)),
        Wanted::Part(span) => (StatusCode::PARTIAL_CONTENT, span),
        Wanted::Nothing => {
            let range = format!("bytes */{size}");
            return Ok(HttpResponse::RangeNotSatisfiable().insert_header((header::CONTENT_RANGE, range)).finish());
        }
    };
    let name = BlobName::parse(&file.blob).ok_or_else(|| Error::Internal("a file's blob has no name".to_owned()))?;
    // Opening proves the first piece, so that a file that was changed on the disk is an error and not half an answer.
    let reader = app.run(move |app| blobs::open(app, &name, span)).await?;
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, content_type(&file.file_type, charset.as_deref())))
        .insert_header(disposition(file, inline))
        .insert_header((header::CONTENT_SECURITY_POLICY, SANDBOX))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::ETAG, tag))
        // Nothing is gained by packing what is packed, and a part of a packed file is no part of the file.
        .insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("identity")));
    if status == StatusCode::PARTIAL_CONTENT {
        let last = (span.from + span.length).saturating_sub(1);
        response.insert_header((header::CONTENT_RANGE, format!("bytes {}-{last}/{size}", span.from)));
    }
    Ok(response.body(SizedStream::new(span.length, pieces(reader))))
}

fn is_known(request: &HttpRequest, tag: &str) -> bool {
    request.headers().get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|known| known.contains(tag))
}

/// A picture that we made ourselves, whole; `size` is that of its bytes.
pub async fn jpeg(app: &App, request: &HttpRequest, blob: &str, size: u64) -> Result<HttpResponse> {
    let name = BlobName::parse(blob).ok_or(Error::FileDamaged)?;
    // Another picture has another name.
    let tag = format!("\"{}\"", name.as_str());
    if is_known(request, &tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    let bytes = app
        .run(move |app| {
            let mut bytes = Vec::new();
            let read = blobs::open(app, &name, Span::whole(size))?.read_to_end(&mut bytes);
            read.map_err(|error| {
                log::error!("a stored picture cannot be read: {}", error.kind());
                Error::FileDamaged
            })?;
            Ok(bytes)
        })
        .await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "image/jpeg"))
        .insert_header((header::CONTENT_DISPOSITION, "inline"))
        .insert_header((header::CONTENT_SECURITY_POLICY, SANDBOX))
        .insert_header((header::ETAG, tag))
        .insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("identity")))
        .body(bytes))
}

fn content_type(media_type: &str, charset: Option<&str>) -> String {
    charset.map_or_else(|| media_type.to_owned(), |charset| format!("{media_type}; charset={charset}"))
}

/// Of a text: its letters. What came before they were looked at is read through once.
async fn charset_of(app: &App, file: &File) -> Result<Option<String>> {
    if !file.is_text() || file.charset.is_some() {
        return Ok(file.charset.clone());
    }
    let file = file.clone();
    app.run(move |app| {
        let (mut bytes, mut batch, mut letters) = (prepared::open(app, &file)?, vec![0; BATCH], charset::Finder::default());
        loop {
            let read = bytes.read(&mut batch).map_err(|error| {
                log::error!("a stored file cannot be read to its end: {}", error.kind());
                Error::FileDamaged
            })?;
            if read == 0 {
                break;
            }
            letters.add(batch.get(..read).unwrap_or_default());
        }
        let found = letters.found(true);
        let row = diesel::update(files::table.find(&file.id)).set(files::charset.eq(found));
        app.db.write(|tx| Ok(row.clone().execute(&mut **tx)?))?;
        Ok(Some(found.to_owned()))
    })
    .await
}

fn disposition(file: &File, inline: bool) -> ContentDisposition {
    let shown = inline && file.kind().is_some_and(|kind| kind.inline);
    let ascii: String = file.file_name.chars().map(|c| if c.is_ascii() && !matches!(c, '"' | '\\') { c } else { '_' }).collect();
    let whole = ExtendedValue { charset: Charset::Ext("UTF-8".to_owned()), language_tag: None, value: file.file_name.clone().into_bytes() };
    ContentDisposition {
        disposition: if shown { DispositionType::Inline } else { DispositionType::Attachment },
        parameters: vec![DispositionParam::Filename(ascii), DispositionParam::FilenameExt(whole)],
    }
}

fn pieces(reader: Box<dyn Read + Send>) -> impl stream::Stream<Item = std::result::Result<Bytes, Error>> {
    stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        let read = actix_web::web::block(move || {
            let mut batch = Vec::with_capacity(BATCH);
            let read = reader.by_ref().take(BATCH as u64).read_to_end(&mut batch);
            read.map(|_| (batch, reader))
        });
        match read.await {
            Ok(Ok((batch, _))) if batch.is_empty() => None,
            Ok(Ok((batch, reader))) => Some((Ok(Bytes::from(batch)), Some(reader))),
            // The length was told: a connection that ends before it says that something is wrong.
            Ok(Err(error)) => {
                log::error!("a stored file cannot be read to its end: {}", error.kind());
                Some((Err(Error::FileDamaged), None))
            }
            Err(_) => Some((Err(Error::Busy), None)),
        }
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Span),
    Nothing,
}

/// `Range: bytes=0-99`, `bytes=100-`, `bytes=-100` (RFC 9110, 14.2). Several ranges, other units and what cannot be read are answered with
/// the whole; so is a range of another version of the file.
fn wanted(request: &HttpRequest, tag: &str, size: u64) -> Wanted {
    let told = |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    if told(header::IF_RANGE).is_some_and(|known| known != tag) {
        return Wanted::Whole;
    }
    told(header::RANGE).map_or(Wanted::Whole, |range| span(range, size))
}

fn span(range: &str, size: u64) -> Wanted {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|part| part.trim().split_once('-')) else { return Wanted::Whole };
    let (from, to) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => (from, to.min(size.saturating_sub(1))),
        (Ok(from), Err(_)) if last.is_empty() => (from, size.saturating_sub(1)),
        (Err(_), Ok(0)) if first.is_empty() => return Wanted::Nothing,
        (Err(_), Ok(length)) if first.is_empty() => (size.saturating_sub(length), size.saturating_sub(1)),
        _ => return Wanted::Whole,
    };
    if from >= size { Wanted::Nothing } else { Wanted::Part(Span { from, length: to - from + 1 }) }
}

#[cfg(test)]
mod tests {
    use super::{Span, Wanted, span};

    #[test]
    fn parts_as_browsers_ask_for_them() {
        let part = |from, length| Wanted::Part(Span { from, length });
        assert_eq!(span("bytes=0-99", 1000), part(0, 100));
        assert_eq!(span("bytes=900-", 1000), part(900, 100));
        assert_eq!(span("bytes=-100", 1000), part(900, 100));
        assert_eq!(span("bytes=-5000", 1000), part(0, 1000));
        assert_eq!(span("bytes=990-2000", 1000), part(990, 10));
        assert_eq!(span("bytes=1000-", 1000), Wanted::Nothing);
        assert_eq!(span("bytes=-0", 1000), Wanted::Nothing);
        assert_eq!(span("bytes=0-", 0), Wanted::Nothing);
        for other in ["bytes=5-2", "bytes=0-1,5-9", "pages=1-2", "bytes=", "bytes=a-b"] {
            assert_eq!(span(other, 1000), Wanted::Whole, "{other}");
        }
    }
}
