//! The API's shared parts: its index, entity tags, lists, and how a field's value stands in JSON. What it looks like from outside is in
//! `api/openapi.rs`; records of every kind are served by `records/api.rs`.
//!
//! A request is judged in one order: token (401), access (404, 403), precondition (428, 412), body (415, 413, 400, 422). Nobody learns of
//! something from how a body is refused.

pub mod openapi;
pub mod patients;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderName},
    },
};
use chrono::{NaiveDateTime, SecondsFormat};
use serde_json::{Map, Number, Value, json};

use crate::{
    auth::token::Bearer,
    body,
    db::types::PatientId,
    error::{Error, Result},
    records::{
        self,
        field::{Details, FieldError, FieldSpec, Input},
    },
};

/// Where the API is.
pub const BASE: &str = "/api/v1";
/// More parameters than any list has columns.
const MOST_PARAMETERS: usize = 500;

/// `GET /api/v1`: where to go from here.
pub async fn index(_: Bearer) -> Result<HttpResponse> {
    let kinds: Vec<Value> = records::kinds()
        .iter()
        .map(|kind| json!({"kind": kind.name, "href": format!("{BASE}/patients/{{patient_id}}/{}", kind.name)}))
        .collect();
    let index = json!({
        "name": "Kinchart",
        "version": env!("CARGO_PKG_VERSION"),
        "links": {"self": BASE, "openapi": format!("{BASE}/openapi.json"), "patients": format!("{BASE}/patients")},
        "kinds": kinds,
    });
    Ok(answer(StatusCode::OK, index.to_string()))
}

/// `GET /api/v1/openapi.json`, the one path that needs no token: it tells of the program, not of anybody.
pub async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(openapi::text())
}

/// A path of the API that is not there; whoever has no token doesn't learn even that.
pub async fn nothing(_: Bearer) -> Result<HttpResponse> {
    Err(Error::NotFound)
}

/// A part of the path, by its name in the URL map.
pub(crate) fn part<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.match_info().get(name).unwrap_or_default()
}

pub(crate) fn patient_of(request: &HttpRequest) -> Result<PatientId> {
    PatientId::parse(part(request, "patient")).ok_or(Error::NotFound)
}

/// The query's pairs. Control characters are in no value of any record, and `PostgreSQL` takes no NUL at all.
pub(crate) fn query(request: &HttpRequest) -> Result<Vec<(String, String)>> {
    if request.query_string().split('&').count() > MOST_PARAMETERS {
        return Err(Error::BadRequest("long_query"));
    }
    let pairs = body::strict_query(request)?;
    match pairs.iter().find(|(_, value)| value.contains(char::is_control)) {
        Some((name, _)) => Err(Error::Invalid(vec![(name.clone(), FieldError::ControlCharacters)])),
        None => Ok(pairs),
    }
}

pub(crate) fn answer(status: StatusCode, body: String) -> HttpResponse {
    HttpResponse::build(status).content_type("application/json").body(body)
}

/// One record or patient, with the tag a change of it must name.
pub(crate) fn one(status: StatusCode, version: i32, body: String) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::ETAG, tag(version))).content_type("application/json").body(body)
}

/// As [`one`], just made.
pub(crate) fn created(location: String, body: String) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((header::LOCATION, location))
        .insert_header((header::ETAG, tag(1)))
        .content_type("application/json")
        .body(body)
}

/// `{"items": [...], "page": 1, "per_page": 50, "total": 1}`, as every list of the API.
pub(crate) fn list(items: &[Value], page: i64, per_page: i64, total: i64) -> String {
    json!({"items": items, "page": page, "per_page": per_page, "total": total}).to_string()
}

/// An object with one more name in it.
pub(crate) fn plus(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    if let Some(names) = object.as_object_mut() {
        names.insert(name.to_owned(), value.into());
    }
    object
}

fn tag(version: i32) -> String {
    format!("\"{version}\"")
}

/// What `If-Match` or `If-None-Match` names (RFC 9110, 8.8.3).
#[derive(Clone, Debug, PartialEq)]
enum Named {
    Any,
    /// Each with "weak?".
    Tags(Vec<(bool, String)>),
}

impl Named {
    fn of(request: &HttpRequest, name: HeaderName) -> Option<Self> {
        let lines: Vec<&str> = request.headers().get_all(name).map(|line| line.to_str().unwrap_or_default()).collect();
        if lines.is_empty() { None } else { Some(Self::read(&lines.join(","))) }
    }

    /// A tag's text may hold commas, so it is read up to its closing quote. What is no tag names nothing.
    fn read(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::Any;
        }
        let mut tags = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('"') {
            let Some((tag, after)) = after.split_once('"') else { break };
            match before.trim_matches([',', ' ', '\t']) {
                "" => tags.push((false, tag.to_owned())),
                "W/" => tags.push((true, tag.to_owned())),
                _ => {}
            }
            rest = after;
        }
        Self::Tags(tags)
    }

    /// Weakly compared, a weak tag counts; strongly, it never does.
    fn has(&self, version: i32, weakly: bool) -> bool {
        let text = version.to_string();
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|(weak, tag)| *tag == text && (weakly || !weak)),
        }
    }
}

/// The precondition of a change.
#[derive(Clone, Debug)]
pub(crate) struct IfMatch(Option<Named>);

impl IfMatch {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        Self(Named::of(request, header::IF_MATCH))
    }
    /// The current version if it is one of those named: 428 if none was, 412 if it is another.
    pub(crate) fn expect(&self, current: i32) -> Result<i32> {
        let named = self.0.as_ref().ok_or(Error::PreconditionRequired)?;
        if named.has(current, false) { Ok(current) } else { Err(Error::Stale { current }) }
    }
}

/// Does the client have this version already?
pub(crate) fn is_known(request: &HttpRequest, version: i32) -> bool {
    Named::of(request, header::IF_NONE_MATCH).is_some_and(|named| named.has(version, true))
}

/// The answer to who knows the version already: the tag, no body.
pub(crate) fn not_modified(version: i32) -> HttpResponse {
    HttpResponse::NotModified().insert_header((header::ETAG, tag(version))).finish()
}

/// A moment as RFC 3339, always with six decimals so that texts sort as moments do.
pub(crate) fn moment(at: NaiveDateTime) -> Value {
    at.and_utc().to_rfc3339_opts(SecondsFormat::Micros, true).into()
}

/// A field's text as JSON: numbers only for whole numbers, since a measured `1.10` must not become `1.1` on its way.
pub(crate) fn value_of(spec: &FieldSpec, text: Option<String>) -> Value {
    let Some(text) = text else { return Value::Null };
    match spec.input {
        Input::Integer { .. } => text.parse::<Number>().map_or(Value::Null, Value::Number),
        Input::Flag => (text == "true").into(),
        Input::Details(_) => Value::Object(Details::entries(&text).into_iter().map(|(name, text)| (name, text.into())).collect()),
        _ => text.into(),
    }
}

/// JSON as the field's text; `None` for what is not told. Whether the text fits is the field's own judgement.
pub(crate) fn text_of(spec: &FieldSpec, value: &Value) -> Result<Option<String>, FieldError> {
    Ok(match (spec.input, value) {
        (_, Value::Null) => None,
        (Input::Integer { .. }, Value::Number(number)) => Some(whole(number)),
        (Input::Measured(_), Value::Number(number)) => Some(number.to_string()),
        (Input::Flag, Value::Bool(yes)) => Some(yes.to_string()),
        (Input::Details(_), Value::Object(named)) => details(named),
        (Input::Integer { .. } | Input::Flag | Input::Details(_), _) => return Err(FieldError::WrongType),
        (_, Value::String(text)) => Some(text.clone()),
        _ => return Err(FieldError::WrongType),
    })
}

/// `5.0` and `5e0` are whole numbers too; what is none stays as it is, for the field to refuse.
fn whole(number: &Number) -> String {
    let text = number.to_string();
    match number.as_f64() {
        Some(value) if number.as_i64().is_none() && value.fract() == 0.0 && value.abs() < 1e9 => format!("{value:.0}"),
        _ => text,
    }
}

/// Details in which nothing is told are none.
fn details(named: &Map<String, Value>) -> Option<String> {
    let told = named.values().any(|value| !value.is_null() && value.as_str() != Some(""));
    told.then(|| Value::Object(named.clone()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn with(name: &str, lines: &[&str]) -> HttpRequest {
        lines.iter().fold(TestRequest::default(), |request, line| request.append_header((name, *line))).to_http_request()
    }

    #[test]
    fn a_change_must_name_the_version_it_is_for() {
        let expect = |lines: &[&str]| IfMatch::of(&with("if-match", lines)).expect(3).map_err(|error| error.status().as_u16());
        for good in [&["\"3\""][..], &["*"], &[" \"1\" , \"3\""], &["\"1\"", "\"3\""], &["W/\"3\", \"3\""], &["\"a,b\",\"3\""]] {
            assert_eq!(expect(good), Ok(3), "{good:?}");
        }
        for stale in ["\"2\"", "W/\"3\"", "3", "", "\"3", "\"33\"", "w/\"3\"", "\"1,3\"", "x\"3\""] {
            assert_eq!(expect(&[stale]), Err(412), "{stale}");
        }
        assert_eq!(expect(&[]), Err(428));
    }

    #[test]
    fn a_known_version_is_not_sent_again() {
        for known in ["\"3\"", "W/\"3\"", "*", "\"1\", W/\"3\""] {
            assert!(is_known(&with("if-none-match", &[known]), 3), "{known}");
        }
        for other in ["\"2\"", "3", ""] {
            assert!(!is_known(&with("if-none-match", &[other]), 3), "{other}");
        }
        assert!(!is_known(&with("accept", &["*/*"]), 3));
    }

    #[test]
    fn whole_numbers_are_whole_however_they_are_written() {
        let text = |number: &str| whole(&number.parse::<Number>().unwrap());
        for (number, wanted) in
            [("5", "5"), ("5.0", "5"), ("-2e1", "-20"), ("1.5", "1.5"), ("12345678901234567890", "12345678901234567890")]
        {
            assert_eq!(text(number), wanted);
        }
    }

    #[test]
    fn moments_are_utc_with_one_length() {
        let at = chrono::NaiveDate::from_ymd_opt(2026, 3, 14).unwrap().and_hms_opt(9, 26, 53).unwrap();
        assert_eq!(moment(at), "2026-03-14T09:26:53.000000Z");
    }
}
