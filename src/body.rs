//! Bodies and queries as pairs, read only after access was granted, and never more than fits.

use std::fmt;

use actix_multipart::Multipart;
use actix_web::{HttpRequest, http::header, web};
use futures_util::StreamExt;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

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

/// Is it a form that can have files?
pub fn has_parts(request: &HttpRequest) -> bool {
    content_type(request).eq_ignore_ascii_case("multipart/form-data")
}

/// A form with files, part by part.
pub fn parts(request: &HttpRequest, payload: web::Payload) -> Result<Multipart> {
    if !has_parts(request) {
        return Err(Error::UnsupportedMedia);
    }
    Ok(Multipart::new(request.headers(), payload))
}

fn pairs(bytes: &[u8]) -> Result<Vec<(String, String)>> {
    if !is_text(bytes) {
        return Err(Error::BadRequest("not_text"));
    }
    let all: Vec<(String, String)> = serde_urlencoded::from_bytes(bytes).map_err(|_| Error::BadRequest("broken_form"))?;
    if all.len() > MOST_PAIRS { Err(Error::TooLarge) } else { Ok(all) }
}

/// Are the bytes behind the percent signs UTF-8? A parser would put replacement characters where they are not, and a record would keep those
/// for what somebody wrote. No part can hide in its neighbour: `&` and `=` are no part of a longer character.
fn is_text(encoded: &[u8]) -> bool {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, tail)) = rest.split_first() {
        let escaped = match (first, tail) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| (high * 16 + low, after)),
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = after;
    }
    std::str::from_utf8(&bytes).is_ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The query string's pairs; what cannot be read is no query.
pub fn query(request: &HttpRequest) -> Vec<(String, String)> {
    strict_query(request).unwrap_or_default()
}

/// The same for programs, which are told.
pub fn strict_query(request: &HttpRequest) -> Result<Vec<(String, String)>> {
    pairs(request.query_string().as_bytes())
}

/// A JSON object: numbers with their digits, and no name told twice.
pub async fn json(request: &HttpRequest, payload: web::Payload) -> Result<Map<String, Value>> {
    let kind = content_type(request).to_ascii_lowercase();
    if !(kind == "application/json" || kind.ends_with("+json")) {
        return Err(Error::UnsupportedMedia);
    }
    object(&bytes(payload).await?)
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>> {
    match serde_json::from_slice(bytes) {
        Ok(Strict(Value::Object(object))) => Ok(object),
        Ok(_) => Err(Error::BadRequest("not_an_object")),
        // Syntax is `serde_json`'s to judge; what `Strict` itself refuses is data.
        Err(error) if error.is_data() => Err(Error::BadRequest("repeated_name")),
        Err(_) => Err(Error::BadRequest("not_json")),
    }
}

/// Any JSON value in which no object names anything twice: of two values for one name, neither can be taken for the one that was meant.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

/// How `serde_json`, with `arbitrary_precision`, hands over a number with all its digits.
const NUMBER: &str = "$serde_json::private::Number";

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated names")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, yes: bool) -> Result<Value, E> {
        Ok(yes.into())
    }
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }
    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }
    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Strict(value)) = from.next_element()? {
            all.push(value);
        }
        Ok(Value::Array(all))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            if name == NUMBER {
                let text: String = from.next_value()?;
                return text.parse::<Number>().map(Value::Number).map_err(de::Error::custom);
            }
            let Strict(value) = from.next_value()?;
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("repeated name"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let text = r#"{"a":1.10,"b":[72.50,-0],"c":{"d":123456789012345678901234567890},"e":null,"f":true,"g":"x"}"#;
        assert_eq!(Value::Object(object(text.as_bytes()).unwrap()).to_string(), text);
    }

    #[test]
    fn what_is_no_text_is_no_form() {
        for bytes in ["a=%ff%fe", "a=%C3&b=%A9", "a=%c3", "%ff=a", "a=%ED%A0%80"] {
            assert!(matches!(pairs(bytes.as_bytes()), Err(Error::BadRequest("not_text"))), "{bytes}");
        }
        assert!(pairs(b"a=\xff").is_err());
        let told = pairs("a=%C3%A9+%F0%9F%8C%BC&b=100%&c=%zz&d=\u{e9}".as_bytes()).unwrap();
        assert_eq!(told.iter().map(|(_, v)| v.as_str()).collect::<Vec<_>>(), ["\u{e9} \u{1f33c}", "100%", "%zz", "\u{e9}"]);
    }

    #[test]
    fn what_is_no_plain_object_is_refused() {
        for (text, key) in [
            ("", "not_json"),
            ("{", "not_json"),
            ("[]", "not_an_object"),
            ("1", "not_an_object"),
            (r#"{"a":1,"a":1}"#, "repeated_name"),
            (r#"{"a":[{"b":1,"b":2}]}"#, "repeated_name"),
            ("{\"a\":\"\u{1}\"}", "not_json"),
        ] {
            assert!(matches!(object(text.as_bytes()), Err(Error::BadRequest(k)) if k == key), "{text}");
        }
        assert!(object(&[b'{', b'"', 0xff, b'"', b':', b'1', b'}']).is_err());
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(object(format!("{{\"a\":{deep}}}").as_bytes()).is_err());
    }
}
