//! `post_document/`: what is refused at once, and what becomes a task.

use actix_multipart::Multipart;
use actix_web::{
    HttpRequest, HttpResponse,
    dev::Payload,
    http::{StatusCode, header},
};
use chrono::NaiveDate;
use futures_util::StreamExt;
use serde_json::{Map, Value, json};

use super::{
    answers::{enter, failed, html, signed},
    server::{Site, Trouble, Version},
    state::{State, Stored, TODAY, sniff},
};

/// A form as it was sent.
#[derive(Default)]
struct Form {
    file: Option<(String, Vec<u8>)>,
    fields: Vec<(String, String)>,
}

impl Form {
    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// An empty text counts as none.
    fn one(&self, name: &str) -> Option<&str> {
        self.all(name).last().filter(|text| !text.is_empty())
    }
}

pub async fn upload(site: &Site, request: &HttpRequest, payload: Payload) -> HttpResponse {
    let path = request.path().strip_prefix(&site.base).unwrap_or("/").to_owned();
    let entered = {
        let state = site.state.lock().unwrap();
        // Known to be a path of the list, which is checked the same.
        enter(&state, request, "/api/documents/").map(|(user, _)| (user, state.users[user].may("add_document")))
    };
    let user = match entered {
        Err(response) => return response,
        Ok(_) if path != "/api/documents/post_document/" => return html(StatusCode::NOT_FOUND, "<html>"),
        Ok((_, false)) => {
            let refused = html(StatusCode::FORBIDDEN, "Insufficient permissions");
            return signed(refused, &site.state.lock().unwrap());
        }
        Ok((user, true)) => user,
    };
    let is_form = request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.to_str().unwrap().starts_with("multipart/form-data"));
    if !is_form {
        return HttpResponse::UnsupportedMediaType().json(json!({"detail": "Unsupported media type \"application/json\" in request."}));
    }
    let form = read(Multipart::new(request.headers(), payload)).await;
    let mut state = site.state.lock().unwrap();
    let response = match accept(&state, user, form) {
        Err((key, text)) => {
            let body: Map<String, Value> = [(key.to_owned(), json!([text]))].into_iter().collect();
            HttpResponse::BadRequest().json(body)
        }
        Ok(stored) => take(&mut state, stored),
    };
    signed(response, &state)
}

async fn read(mut parts: Multipart) -> Form {
    let mut form = Form::default();
    while let Some(Ok(mut part)) = parts.next().await {
        let mut bytes = Vec::new();
        while let Some(Ok(piece)) = part.next().await {
            bytes.extend_from_slice(&piece);
        }
        let name = part.name().unwrap_or_default().to_owned();
        match part.content_disposition().and_then(|held| held.get_filename().map(str::to_owned)) {
            Some(file) => form.file = Some((file, bytes)),
            None => form.fields.push((name, String::from_utf8(bytes).unwrap())),
        }
    }
    form
}

fn accept(state: &State, user: usize, mut form: Form) -> Result<Stored, (&'static str, String)> {
    let Some((file_name, bytes)) = form.file.take() else { return Err(("document", "No file was submitted.".to_owned())) };
    if bytes.is_empty() {
        return Err(("document", "The submitted file is empty.".to_owned()));
    }
    let media_type = sniff(&bytes, &file_name);
    if matches!(media_type, "application/zip" | "application/octet-stream") {
        return Err(("document", format!("File type {media_type} not supported")));
    }
    let created = form.one("created").unwrap_or(TODAY);
    if created.parse::<NaiveDate>().is_err() {
        return Err(("created", "Datetime has wrong format.".to_owned()));
    }
    let mut tags = Vec::new();
    for tag in form.all("tags") {
        let Ok(id) = tag.parse() else { return Err(("tags", "Incorrect type. Expected pk value, received str.".to_owned())) };
        if !is_name(state, "tags", id) {
            return Err(("tags", format!("Invalid pk \"{id}\" - object does not exist.")));
        }
        tags.push(id);
    }
    let name = |key: &'static str, kind: &str| match form.one(key) {
        None => Ok(None),
        Some(text) => match text.parse().ok().filter(|id| is_name(state, kind, *id)) {
            Some(id) => Ok(Some(id)),
            None => Err((key, format!("Invalid pk \"{text}\" - object does not exist."))),
        },
    };
    let content = String::from_utf8_lossy(&bytes).lines().filter(|line| !line.starts_with('%')).collect::<Vec<_>>().join("\n");
    let stem = file_name.rsplit_once('.').map_or(file_name.as_str(), |(stem, _)| stem);
    Ok(Stored {
        id: 0,
        // Longer ones are cut without a word.
        title: form.one("title").unwrap_or(stem).chars().take(128).collect(),
        created: created.to_owned(),
        correspondent: name("correspondent", "correspondents")?,
        document_type: name("document_type", "document_types")?,
        tags,
        custom_fields: custom_fields(state, form.one("custom_fields"))?,
        file_name,
        media_type,
        content,
        bytes,
        has_archive: false,
        owner: Some(state.users[user].id),
        is_trashed: false,
        changes: 0,
    })
}

fn custom_fields(state: &State, text: Option<&str>) -> Result<Vec<(i64, Value)>, (&'static str, String)> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let Ok(values) = serde_json::from_str::<Map<String, Value>>(text) else {
        return Err(("custom_fields", "Value must be valid JSON.".to_owned()));
    };
    let values: Vec<(i64, Value)> = values.into_iter().map(|(id, value)| (id.parse().unwrap(), value)).collect();
    match values.iter().find(|(id, _)| !state.custom_fields.iter().any(|field| field.id == *id)) {
        Some((id, _)) => Err(("custom_fields", format!("Custom field with id {id} does not exist"))),
        None => Ok(values),
    }
}

pub fn is_name(state: &State, kind: &str, id: i64) -> bool {
    state.names[kind].iter().any(|name| name.id == id)
}

fn take(state: &mut State, stored: Stored) -> HttpResponse {
    match state.trouble {
        Some(Trouble::Fails) => failed(),
        Some(Trouble::FailsButSaves) => {
            state.add_task(stored);
            failed()
        }
        Some(Trouble::QueueDown) => {
            // 2.x leaves a task behind that stays pending for ever.
            if state.version == Version::V2 {
                state.add_task(stored);
                state.tasks.last_mut().unwrap().is_lost = true;
            }
            failed()
        }
        _ => HttpResponse::Ok().json(state.add_task(stored)),
    }
}
