//! How each version answers, from the transcripts of the two real servers.

use std::sync::MutexGuard;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::SizedStream,
    http::{Method, StatusCode, header},
    web::{self, Bytes},
};
use futures_util::StreamExt;
use serde_json::{Map, Value, json};

use super::{
    lists,
    server::{Seen, Site, Trouble, Version},
    state::{CustomField, Label, State, Stored, archive_of, deleted_at},
    uploads,
};

pub const FORBIDDEN: &str = "You do not have permission to perform this action.";
const CSRF: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>403 Forbidden</title></head>\n<body><p>CSRF verification failed. Request aborted.</p></body>\n</html>\n";
const FAILED: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>Server Error (500)</title>\n</head>\n<body>\n  <h1>Server Error (500)</h1><p></p>\n</body>\n</html>\n";

/// A request that was let in.
pub struct Asked<'a> {
    pub method: Method,
    /// Below the base, from `/api/` on.
    pub path: &'a str,
    pub query: Vec<(String, String)>,
    /// Of the interface.
    pub version: u32,
    /// Index of the account.
    pub user: usize,
    pub body: Value,
}

impl Asked<'_> {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

pub async fn answer(site: web::Data<Site>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let trouble = note(&site, &request);
    match trouble {
        Some(Trouble::Slow) => std::future::pending().await,
        Some(Trouble::Page) => return html(StatusCode::OK, "<!DOCTYPE html><html><body>Sign in</body></html>"),
        Some(Trouble::BadGateway) => return html(StatusCode::BAD_GATEWAY, "<html><body><h1>502 Bad Gateway</h1></body></html>"),
        Some(Trouble::Unavailable(after)) => {
            return HttpResponse::ServiceUnavailable().insert_header((header::RETRY_AFTER, after)).content_type("text/html").body("<html>");
        }
        Some(Trouble::Throttled(after)) => return throttled(after),
        Some(Trouble::Redirects) => {
            let to = format!("http://127.0.0.1:{}{}", site.other, request.uri());
            return HttpResponse::Found().insert_header((header::LOCATION, to)).finish();
        }
        Some(Trouble::TooLarge) if request.path().ends_with("/post_document/") => {
            return html(StatusCode::PAYLOAD_TOO_LARGE, "<html><body><h1>413 Request Entity Too Large</h1></body></html>");
        }
        _ => {}
    }
    let is_upload = request.path().ends_with("/post_document/") && request.method() == Method::POST;
    if is_upload {
        return uploads::upload(&site, &request, payload.into_inner()).await;
    }
    let body = whole(payload).await;
    let Some(path) = request.path().strip_prefix(&site.base).map(str::to_owned) else {
        return html(StatusCode::NOT_FOUND, "<html><body><h1>404 Not Found</h1></body></html>");
    };
    let mut state = site.state.lock().unwrap();
    if path == "/api/token/" {
        return token(&mut state, &request, &body);
    }
    let is_write = request.method() != Method::GET;
    if trouble == Some(Trouble::Fails) && is_write {
        return failed();
    }
    let response = match enter(&state, &request, &path) {
        Err(response) => response,
        Ok((user, version)) => {
            let query = serde_urlencoded::from_str(request.query_string()).unwrap();
            let Ok(body) = (if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) }) else {
                return HttpResponse::BadRequest().json(json!({"detail": "JSON parse error - Expecting value: line 1 column 1 (char 0)"}));
            };
            let asked = Asked { method: request.method().clone(), path: &path, query, version, user, body };
            signed(route(&mut state, &asked), &state)
        }
    };
    let fails_after = trouble == Some(Trouble::FailsButSaves) && is_write && response.status().is_success();
    let half = trouble == Some(Trouble::HalfAnswers) && response.status().is_success();
    match (fails_after, half) {
        (true, _) => failed(),
        (_, true) => HttpResponse::Ok().content_type("application/json").body("{\"count\":1,\"res"),
        _ => response,
    }
}

fn note(site: &Site, request: &HttpRequest) -> Option<Trouble> {
    let text = |name: header::HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or("?").to_owned());
    let mut state = site.state.lock().unwrap();
    state.seen.push(Seen {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        accept: text(header::ACCEPT).unwrap_or_default(),
        has_token: text(header::AUTHORIZATION).is_some(),
    });
    state.trouble.clone()
}

async fn whole(mut payload: web::Payload) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(Ok(piece)) = payload.next().await {
        body.extend_from_slice(&piece);
    }
    body
}

/// Path, version of the interface, token: in this order.
pub fn enter(state: &State, request: &HttpRequest, path: &str) -> Result<(usize, u32), HttpResponse> {
    if path == "/api/" {
        return Err(HttpResponse::Found()
            .insert_header((header::LOCATION, "schema/view/"))
            .content_type("text/html; charset=utf-8")
            .finish());
    }
    if !path.ends_with('/') || !is_known(path) {
        return Err(if request.method() == Method::GET {
            let to = format!("/accounts/login/?next={path}");
            HttpResponse::Found().insert_header((header::LOCATION, to)).content_type("text/html; charset=utf-8").finish()
        } else {
            html(StatusCode::FORBIDDEN, CSRF)
        });
    }
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (lowest, highest) = match state.trouble {
        Some(Trouble::TooOld) => (1, 5),
        Some(Trouble::TooNew) => (10, 11),
        _ => state.version.interface(),
    };
    let asked = header(header::ACCEPT).split("version=").nth(1).map_or(Some(highest), |text| text.trim().parse().ok());
    let Some(version) = asked.filter(|version| (lowest..=highest).contains(version)) else {
        return Err(HttpResponse::NotAcceptable().json(json!({"detail": "Invalid version in \"Accept\" header."})));
    };
    let refused = |detail: &str| {
        let detail = json!({"detail": detail});
        HttpResponse::Unauthorized().insert_header((header::WWW_AUTHENTICATE, "Token")).json(detail)
    };
    let Some(token) = header(header::AUTHORIZATION).strip_prefix("Token ") else {
        return Err(refused("Authentication credentials were not provided."));
    };
    let user = state.users.iter().position(|user| user.token == token).ok_or_else(|| refused("Invalid token."))?;
    Ok((user, version))
}

fn is_known(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    matches!(
        parts.as_slice(),
        ["api", "documents" | "tags" | "correspondents" | "document_types" | "custom_fields" | "tasks" | "trash" | "ui_settings"]
            | ["api", "documents", _]
            | ["api", "documents", _, "metadata" | "download" | "thumb"]
    )
}

/// The headers that only those get who were let in.
pub fn signed(mut response: HttpResponse, state: &State) -> HttpResponse {
    let (version, api) = match state.trouble {
        Some(Trouble::NoHeaders) => return response,
        Some(Trouble::TooOld) => ("2.12.1", 5),
        Some(Trouble::TooNew) => ("4.0.0", 11),
        _ => (state.version.text(), state.version.interface().1),
    };
    let headers = response.headers_mut();
    headers.insert("x-version".parse().unwrap(), version.parse().unwrap());
    headers.insert("x-api-version".parse().unwrap(), api.to_string().parse().unwrap());
    response
}

fn route(state: &mut MutexGuard<'_, State>, asked: &Asked<'_>) -> HttpResponse {
    let parts: Vec<&str> = asked.path.trim_matches('/').split('/').skip(1).collect();
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["documents"]) => guarded(state, asked, "view_document", lists::documents),
        ("GET", ["tasks"]) => guarded(state, asked, "view_paperlesstask", lists::tasks),
        ("GET", ["ui_settings"]) => guarded(state, asked, "view_uisettings", settings),
        ("GET", ["trash"]) => lists::trash(state, asked),
        ("POST", ["trash"]) => from_trash(state, asked),
        ("GET", ["custom_fields"]) => guarded(state, asked, "view_customfield", lists::custom_fields),
        ("POST", ["custom_fields"]) => guarded(state, asked, "add_customfield", make_custom_field),
        ("GET", [kind]) => named(state, asked, kind, "view"),
        ("POST", [kind]) => named(state, asked, kind, "add"),
        (method, ["documents", id, rest @ ..]) => {
            let right = match method {
                "PATCH" => "change_document",
                "DELETE" => "delete_document",
                _ => "view_document",
            };
            if !state.users[asked.user].may(right) {
                return forbidden();
            }
            document(state, asked, id.parse().unwrap_or(0), rest)
        }
        _ => HttpResponse::MethodNotAllowed().json(json!({"detail": "Method not allowed."})),
    }
}

fn guarded(state: &mut State, asked: &Asked<'_>, right: &str, then: fn(&mut State, &Asked<'_>) -> HttpResponse) -> HttpResponse {
    if state.users[asked.user].may(right) { then(state, asked) } else { forbidden() }
}

fn named(state: &mut State, asked: &Asked<'_>, kind: &str, what: &str) -> HttpResponse {
    let (kind, right) = match kind {
        "tags" => ("tags", "tag"),
        "correspondents" => ("correspondents", "correspondent"),
        _ => ("document_types", "documenttype"),
    };
    if !state.users[asked.user].may(&format!("{what}_{right}")) {
        return forbidden();
    }
    if what == "view" { lists::names(state, asked, kind) } else { make_name(state, asked, kind) }
}

fn make_name(state: &mut State, asked: &Asked<'_>, kind: &'static str) -> HttpResponse {
    let Some(name) = asked.body["name"].as_str().map(str::trim).filter(|name| !name.is_empty()) else {
        return HttpResponse::BadRequest().json(json!({"name": ["This field is required."]}));
    };
    let owner = state.users[asked.user].id;
    if state.names[kind].iter().any(|held| held.name == name && held.owner == owner) {
        return HttpResponse::BadRequest().json(json!({"error": "Object violates owner / name unique constraint"}));
    }
    let id = add_name(state, kind, name, owner, asked.body["matching_algorithm"].as_i64().unwrap_or(1));
    if state.trouble == Some(Trouble::QueueDown) && kind == "tags" {
        return failed();
    }
    let made = state.names[kind].iter().find(|name| name.id == id).unwrap();
    HttpResponse::Created().json(lists::name_row(made))
}

pub fn add_name(state: &mut State, kind: &'static str, name: &str, owner: i64, matching_algorithm: i64) -> i64 {
    let id = state.number();
    state.names.get_mut(kind).unwrap().push(Label { id, name: name.to_owned(), owner, matching_algorithm });
    id
}

fn make_custom_field(state: &mut State, asked: &Asked<'_>) -> HttpResponse {
    let text = |key: &str| asked.body[key].as_str().map(str::to_owned);
    let Some(name) = text("name") else { return HttpResponse::BadRequest().json(json!({"name": ["This field is required."]})) };
    if state.custom_fields.iter().any(|field| field.name == name) {
        return HttpResponse::BadRequest().json(json!({"name": ["custom field with this name already exists."]}));
    }
    let data_type = text("data_type").unwrap();
    if !["string", "url", "date", "integer", "longtext"].contains(&data_type.as_str()) {
        return HttpResponse::BadRequest().json(json!({"data_type": [format!("\"{data_type}\" is not a valid choice.")]}));
    }
    let id = state.number();
    state.custom_fields.push(CustomField { id, name: name.clone(), data_type: data_type.clone() });
    HttpResponse::Created().json(json!({"id": id, "name": name, "data_type": data_type, "extra_data": {}}))
}

fn settings(state: &mut State, asked: &Asked<'_>) -> HttpResponse {
    let user = &state.users[asked.user];
    HttpResponse::Ok().json(json!({
        "user": {"id": user.id, "username": user.name, "is_staff": user.is_superuser, "is_superuser": user.is_superuser, "groups": []},
        "settings": {"update_checking": {"backend_setting": false}, "trash_delay": 30, "version": state.version.text(), "app_title": null},
        "permissions": user.rights,
    }))
}

fn document(state: &mut State, asked: &Asked<'_>, id: i64, rest: &[&str]) -> HttpResponse {
    let user = &state.users[asked.user];
    let not_found = || HttpResponse::NotFound().json(json!({"detail": "No Document matches the given query."}));
    let Some(found) = state.document(id) else { return not_found() };
    let is_file = matches!(rest, ["download" | "thumb"]);
    if !user.sees(found.owner) {
        return match rest {
            [] if asked.method == Method::GET => not_found(),
            [] => forbidden(),
            _ => html(StatusCode::FORBIDDEN, "Insufficient permissions"),
        };
    }
    // A download of what is in the trash is answered all the same.
    if found.is_trashed && !is_file {
        return not_found();
    }
    match (asked.method.as_str(), rest) {
        ("GET", []) => HttpResponse::Ok().json(cut(lists::document_row(state, found, true), asked)),
        ("GET", ["metadata"]) => metadata(state, found),
        ("GET", ["thumb"]) => thumbnail(state, found),
        ("GET", ["download"]) => download(state, found, asked.parameter("original") == Some("true")),
        ("PATCH", []) => patch(state, asked, id),
        ("DELETE", []) => {
            state.document_mut(id).unwrap().is_trashed = true;
            HttpResponse::NoContent().finish()
        }
        _ => HttpResponse::MethodNotAllowed().json(json!({"detail": "Method not allowed."})),
    }
}

fn metadata(state: &State, document: &Stored) -> HttpResponse {
    let archive = document.has_archive.then(|| state.checksum(&archive_of(document)));
    HttpResponse::Ok().json(json!({
        "original_checksum": state.checksum(&document.bytes),
        "original_size": document.bytes.len(),
        "original_mime_type": document.media_type,
        "media_filename": format!("{:07}.pdf", document.id),
        "has_archive_version": document.has_archive,
        "original_metadata": [],
        "archive_checksum": archive,
        "original_filename": document.file_name,
        "lang": "en",
    }))
}

fn thumbnail(state: &State, document: &Stored) -> HttpResponse {
    if state.trouble == Some(Trouble::QueueDown) {
        return failed();
    }
    let mut response = HttpResponse::Ok();
    response.content_type("image/webp").insert_header((header::CACHE_CONTROL, "no-cache"));
    if state.version == Version::V3 {
        response.insert_header((header::ETAG, format!("\"{}\"", state.checksum(&document.bytes))));
    }
    response.body(format!("RIFF\x0e\0\0\0WEBPVP8 thumbnail of {}", document.id))
}

fn download(state: &State, document: &Stored, original: bool) -> HttpResponse {
    let (mut bytes, media_type) = if original || !document.has_archive {
        (document.bytes.clone(), document.media_type)
    } else {
        (archive_of(document), "application/pdf")
    };
    if state.trouble == Some(Trouble::WrongBytes) {
        bytes = vec![b'x'; bytes.len()];
    }
    let mut response = HttpResponse::Ok();
    response.content_type(media_type);
    let name = format!("{} {}", document.created, document.title);
    let plain: String = name.chars().filter(char::is_ascii).collect();
    let encoded: String =
        name.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect();
    response.insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{plain}\"; filename*=utf-8''{encoded}")));
    if state.trouble == Some(Trouble::CutsDownloads) {
        let half = Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
        let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>(half)]);
        return response.body(SizedStream::new(bytes.len() as u64, pieces));
    }
    response.body(bytes)
}

fn patch(state: &mut State, asked: &Asked<'_>, id: i64) -> HttpResponse {
    let bad = |key: &str, text: &str| {
        let body: Map<String, Value> = [(key.to_owned(), json!([text]))].into_iter().collect();
        HttpResponse::BadRequest().json(body)
    };
    let body = &asked.body;
    let mut changed = state.document(id).unwrap().clone();
    changed.changes += 1;
    if let Some(title) = body["title"].as_str() {
        if title.chars().count() > 128 {
            return bad("title", "Ensure this field has no more than 128 characters.");
        }
        title.clone_into(&mut changed.title);
    }
    if let Some(created) = body["created"].as_str() {
        if created.parse::<chrono::NaiveDate>().is_err() {
            return bad("created", "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.");
        }
        created.clone_into(&mut changed.created);
    }
    if let Some(tags) = body["tags"].as_array() {
        changed.tags = tags.iter().filter_map(Value::as_i64).collect();
        if let Some(tag) = changed.tags.iter().find(|tag| !uploads::is_name(state, "tags", **tag)) {
            return bad("tags", &format!("Invalid pk \"{tag}\" - object does not exist."));
        }
    }
    for (key, place) in [("correspondent", &mut changed.correspondent), ("document_type", &mut changed.document_type)] {
        if let Some(value) = body.get(key) {
            *place = value.as_i64();
        }
    }
    if let Some(fields) = body["custom_fields"].as_array() {
        changed.custom_fields = fields.iter().map(|held| (held["field"].as_i64().unwrap(), held["value"].clone())).collect();
        if changed.custom_fields.iter().any(|(field, _)| !state.custom_fields.iter().any(|held| held.id == *field)) {
            return bad("custom_fields", "Custom field with id 999 does not exist");
        }
    }
    *state.document_mut(id).unwrap() = changed.clone();
    if state.trouble == Some(Trouble::QueueDown) && state.version == Version::V3 {
        return failed();
    }
    HttpResponse::Ok().json(cut(lists::document_row(state, &changed, true), asked))
}

fn from_trash(state: &mut State, asked: &Asked<'_>) -> HttpResponse {
    let ids: Vec<i64> = asked.body["documents"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
    if ids.iter().any(|id| state.document(*id).is_none_or(|document| deleted_at(document).is_none())) {
        return HttpResponse::BadRequest().json(json!({"documents": ["Some documents in the list have not yet been deleted."]}));
    }
    let user = &state.users[asked.user];
    // What belongs to somebody else takes a right on that document; ours takes none.
    if ids.iter().filter_map(|id| state.document(*id)).any(|document| !user.sees(document.owner)) {
        return html(StatusCode::FORBIDDEN, "Insufficient permissions");
    }
    if asked.body["action"] == "empty" {
        state.documents.retain(|document| !ids.contains(&document.id));
    } else {
        for id in &ids {
            state.document_mut(*id).unwrap().is_trashed = false;
        }
    }
    HttpResponse::Ok().json(json!({"result": "OK", "doc_ids": ids}))
}

fn token(state: &mut State, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    if request.method() != Method::POST {
        return HttpResponse::MethodNotAllowed().json(json!({"detail": "Method \"GET\" not allowed."}));
    }
    if state.version == Version::V3 {
        state.token_calls += 1;
        if state.token_calls > 5 {
            return throttled(57);
        }
        if state.trouble == Some(Trouble::QueueDown) {
            return failed();
        }
    }
    let is_json = request.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == "application/json");
    let fields: Vec<(String, String)> = if is_json {
        let fields: Map<String, Value> = serde_json::from_slice(body).unwrap();
        fields.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
    } else {
        serde_urlencoded::from_bytes(body).unwrap()
    };
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let refused = |text: &str| HttpResponse::BadRequest().json(json!({"non_field_errors": [text]}));
    let (Some(name), Some(password)) = (field("username"), field("password")) else {
        return HttpResponse::BadRequest().json(json!({"password": ["This field is required."]}));
    };
    let Some(user) = state.users.iter().find(|user| user.name == name && user.password == password) else {
        return refused("Unable to log in with provided credentials.");
    };
    match (&user.code, field("code")) {
        (Some(_), None) => refused("MFA code is required"),
        (Some(code), Some(sent)) if code != sent => refused("Invalid MFA code"),
        _ => HttpResponse::Ok().json(json!({"token": user.token})),
    }
}

/// `fields=`: only these, where they are asked for.
pub fn cut(row: Value, asked: &Asked<'_>) -> Value {
    let (Some(fields), Value::Object(row)) = (asked.parameter("fields"), row.clone()) else { return row };
    let wanted: Vec<&str> = fields.split(',').collect();
    Value::Object(row.into_iter().filter(|(key, _)| wanted.contains(&key.as_str()) || key == "__search_hit__").collect())
}

pub fn forbidden() -> HttpResponse {
    HttpResponse::Forbidden().json(json!({"detail": FORBIDDEN}))
}

pub fn failed() -> HttpResponse {
    html(StatusCode::INTERNAL_SERVER_ERROR, FAILED)
}

pub fn html(status: StatusCode, text: &'static str) -> HttpResponse {
    HttpResponseBuilder::new(status).content_type("text/html; charset=utf-8").body(text)
}

fn throttled(after: u64) -> HttpResponse {
    let detail = format!("Request was throttled. Expected available in {after} seconds.");
    HttpResponse::TooManyRequests().insert_header((header::RETRY_AFTER, after)).json(json!({"detail": detail}))
}
