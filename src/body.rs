//! Bodies and queries as pairs, read only after access was granted, and never more than fits.

use actix_web::{HttpRequest, http::header, web};
use futures_util::StreamExt;

use crate::error::{Error, Result};

/// The largest form or API body: a lab panel of three hundred components with notes fits many times.
const MOST: usize = 2 * 1024 * 1024;
/// More names than any form has.
const MOST_PAIRS: usize = 10_000;

/// Reads the whole body, refusing what is too large.
pub async fn bytes(mut payload: web::Payload) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Error::BadRequest("broken_body"))?;
        if all.len() + chunk.len() > MOST {
            return Err(Error::TooLarge);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn content_type(request: &HttpRequest) -> &str {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// A form's pairs, in order, repeated names kept.
pub async fn form(request: &HttpRequest, payload: web::Payload) -> Result<Vec<(String, String)>> {
    if !content_type(request).eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Error::UnsupportedMedia);
    }
    pairs(&bytes(payload).await?)
}

fn pairs(bytes: &[u8]) -> Result<Vec<(String, String)>> {
    let all: Vec<(String, String)> = serde_urlencoded::from_bytes(bytes).map_err(|_| Error::BadRequest("broken_form"))?;
    if all.len() > MOST_PAIRS { Err(Error::TooLarge) } else { Ok(all) }
}

/// The query string's pairs; what cannot be read is no query.
pub fn query(request: &HttpRequest) -> Vec<(String, String)> {
    pairs(request.query_string().as_bytes()).unwrap_or_default()
}

/// A JSON object, numbers with their digits.
pub async fn json(request: &HttpRequest, payload: web::Payload) -> Result<serde_json::Map<String, serde_json::Value>> {
    let kind = content_type(request);
    if !(kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")) {
        return Err(Error::UnsupportedMedia);
    }
    match serde_json::from_slice(&bytes(payload).await?) {
        Ok(serde_json::Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::BadRequest("not_an_object")),
        Err(_) => Err(Error::BadRequest("not_json")),
    }
}
