//! Lists as each version of the interface has them: pages, filters, search, tasks.

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::{Value, json};

use super::{
    answers::{Asked, cut, html},
    server::{Trouble, Version},
    state::{Label, Outcome, State, Status, Stored, Task, deleted_at},
};

pub fn documents(state: &mut State, asked: &Asked<'_>) -> HttpResponse {
    let state = &*state;
    let user = &state.users[asked.user];
    let mut found: Vec<&Stored> = state.documents.iter().filter(|document| !document.is_trashed && user.sees(document.owner)).collect();
    let mut words: Option<Vec<String>> = None;
    // Filters that a version does not know are ignored, and the whole list comes.
    for (name, value) in asked.parameters() {
        match name {
            "checksum__iexact" if state.trouble == Some(Trouble::KnowsNoChecksums) => {}
            "checksum__iexact" => found.retain(|document| state.checksum(&document.bytes).eq_ignore_ascii_case(value)),
            "id__in" => {
                let ids: Vec<i64> = value.split(',').filter_map(|id| id.parse().ok()).collect();
                found.retain(|document| ids.contains(&document.id));
            }
            "title_content" => found.retain(|document| text_of(document).contains(&value.to_lowercase())),
            "text" if state.version == Version::V3 => found.retain(|document| text_of(document).contains(&value.to_lowercase())),
            "title_search" if state.version == Version::V3 => found.retain(|document| document.title.to_lowercase().contains(value)),
            "created__gte" if value.parse::<chrono::NaiveDate>().is_err() => {
                return HttpResponse::BadRequest().json(json!({"created__gte": ["Enter a valid date."]}));
            }
            "query" => {
                let is_wrong = !value.matches('"').count().is_multiple_of(2) || value.matches('(').count() != value.matches(')').count();
                if is_wrong && state.version == Version::V3 {
                    return html(StatusCode::BAD_REQUEST, "Error listing search results, check logs for more detail.");
                }
                let sought: Vec<String> = value.to_lowercase().split_whitespace().map(str::to_owned).collect();
                found.retain(|document| !is_wrong && sought.iter().all(|word| words_of(document).contains(word)));
                words = Some(sought);
            }
            _ => {}
        }
    }
    let rows: Vec<Value> = found
        .iter()
        .enumerate()
        .map(|(place, document)| {
            let mut row = document_row(state, document, false);
            if let Some(words) = &words {
                row["__search_hit__"] = search_hit(state.version, document, words, place);
            }
            cut(row, asked)
        })
        .collect();
    let mut page = page(state, asked, rows, found.iter().map(|document| document.id).collect());
    if words.is_some()
        && let Ok(page) = &mut page
    {
        page["corrected_query"] = Value::Null;
    }
    answer(page)
}

fn text_of(document: &Stored) -> String {
    format!("{} {}", document.title, document.content).to_lowercase()
}

fn words_of(document: &Stored) -> Vec<String> {
    text_of(document).split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
}

fn search_hit(version: Version, document: &Stored, words: &[String], place: usize) -> Value {
    let marked: Vec<String> = document
        .content
        .split(' ')
        .map(|word| {
            let escaped = word.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            match (words.contains(&word.to_lowercase()), version) {
                (false, _) => escaped,
                (true, Version::V2) => format!("<span class=\"match term0\">{escaped}</span>"),
                (true, Version::V3) => format!("<b>{escaped}</b>"),
            }
        })
        .collect();
    let marked = marked.join(" ");
    match version {
        Version::V2 => json!({"score": 1.0, "highlights": marked, "note_highlights": "", "rank": place}),
        Version::V3 => json!({"score": 2.98, "highlights": marked, "note_highlights": null, "rank": place + 1}),
    }
}

/// A document as a list has it, or in detail.
pub fn document_row(state: &State, document: &Stored, in_detail: bool) -> Value {
    let fields: Vec<Value> = document.custom_fields.iter().map(|(field, value)| json!({"value": value, "field": field})).collect();
    let mut row = json!({
        "id": document.id,
        "correspondent": document.correspondent,
        "document_type": document.document_type,
        "storage_path": null,
        "title": document.title,
        "content": document.content,
        "tags": document.tags,
        "created": document.created,
        "created_date": document.created,
        "modified": format!("2026-11-21T03:06:{:02}.736689Z", document.changes),
        "added": "2026-11-21T03:06:53.500571Z",
        "deleted_at": deleted_at(document),
        "archive_serial_number": null,
        "original_file_name": document.file_name,
        "owner": document.owner,
        "user_can_change": true,
        "notes": [],
        "custom_fields": fields,
        "mime_type": document.media_type,
    });
    if state.version == Version::V3 {
        row["duplicate_documents"] = if in_detail { json!(state.twins(document)) } else { json!([]) };
    }
    row
}

pub fn trash(state: &mut State, asked: &Asked<'_>) -> HttpResponse {
    let user = &state.users[asked.user];
    let found: Vec<&Stored> = state.documents.iter().filter(|document| document.is_trashed && user.sees(document.owner)).collect();
    // `fields` is not known here.
    let rows = found.iter().map(|document| document_row(state, document, false)).collect();
    answer(page(state, asked, rows, found.iter().map(|document| document.id).collect()))
}

pub fn names(state: &mut State, asked: &Asked<'_>, kind: &str) -> HttpResponse {
    let user = &state.users[asked.user];
    let mut found: Vec<&Label> = state.names[kind].iter().filter(|name| user.sees(Some(name.owner))).collect();
    filter(asked, &mut found, |name| (name.id, &name.name));
    let rows = found.iter().map(|name| name_row(name)).collect();
    let mut page = page(state, asked, rows, found.iter().map(|name| name.id).collect());
    if kind == "tags"
        && state.version == Version::V3
        && let Ok(page) = &mut page
    {
        page["display_count"] = json!(found.len());
    }
    answer(page)
}

pub fn name_row(name: &Label) -> Value {
    json!({
        "id": name.id, "slug": name.name.to_lowercase(), "name": name.name, "match": "", "matching_algorithm": name.matching_algorithm,
        "is_insensitive": true, "owner": name.owner, "user_can_change": true,
    })
}

pub fn custom_fields(state: &mut State, asked: &Asked<'_>) -> HttpResponse {
    let mut found: Vec<_> = state.custom_fields.iter().collect();
    filter(asked, &mut found, |field| (field.id, &field.name));
    let row = |field: &&super::state::CustomField| json!({"id": field.id, "name": field.name, "data_type": field.data_type, "extra_data": {}, "document_count": 0});
    answer(page(state, asked, found.iter().map(row).collect(), found.iter().map(|field| field.id).collect()))
}

fn filter<T>(asked: &Asked<'_>, found: &mut Vec<&T>, of: fn(&T) -> (i64, &String)) {
    if let Some(name) = asked.parameter("name__iexact") {
        found.retain(|row| of(row).1.to_lowercase() == name.to_lowercase());
    }
    if let Some(ids) = asked.parameter("id__in") {
        let ids: Vec<i64> = ids.split(',').filter_map(|id| id.parse().ok()).collect();
        found.retain(|row| ids.contains(&of(row).0));
    }
}

/// A page of a list; beyond the end 404. Version 9 adds every id.
fn page(state: &State, asked: &Asked<'_>, rows: Vec<Value>, all: Vec<i64>) -> Result<Value, HttpResponse> {
    let number = |name: &str| asked.parameter(name).and_then(|text| text.parse::<usize>().ok()).filter(|number| *number > 0);
    let (size, at) = (number("page_size").unwrap_or(25), number("page").unwrap_or(1));
    let first = (at - 1) * size;
    if at > 1 && first >= rows.len() {
        return Err(HttpResponse::NotFound().json(json!({"detail": "Invalid page."})));
    }
    let next = (first + size < rows.len()).then(|| format!("http://another.example{}?page={}", asked.path, at + 1));
    let mut page = json!({"count": rows.len(), "next": next, "previous": null});
    if asked.version <= 9 || state.version == Version::V2 {
        page["all"] = json!(all);
    }
    page["results"] = rows.into_iter().skip(first).take(size).collect();
    Ok(page)
}

fn answer(page: Result<Value, HttpResponse>) -> HttpResponse {
    page.map_or_else(|response| response, |page| HttpResponse::Ok().json(page))
}

pub fn tasks(state: &mut State, asked: &Asked<'_>) -> HttpResponse {
    let user = &state.users[asked.user];
    let sought = asked.parameter("task_id");
    let found: Vec<&Task> =
        state.tasks.iter().rev().filter(|task| user.sees(task.upload.owner) && sought.is_none_or(|uuid| uuid == task.uuid)).collect();
    if asked.version == 10 {
        let rows: Vec<Value> = found.iter().map(|task| task_10(task)).collect();
        return answer(page(state, asked, rows, Vec::new()));
    }
    HttpResponse::Ok().json(found.iter().map(|task| task_9(state, task)).collect::<Vec<_>>())
}

/// Versions up to 9: a plain list; the related document is a text in 2.x and a number in 3.x.
fn task_9(state: &State, task: &Task) -> Value {
    let is_3 = state.version == Version::V3;
    let id = |id: i64| if is_3 { json!(id) } else { json!(id.to_string()) };
    let name = &task.upload.file_name;
    let (result, related, twins) = match &task.outcome {
        Outcome::Nothing => (Value::Null, Value::Null, json!([])),
        Outcome::Made(made) => (json!(format!("Success. New document id {made} created")), id(*made), json!([])),
        Outcome::Error(text) => (json!(text), Value::Null, json!([])),
        Outcome::Twin { id: twin, title, is_trashed, is_seen } if is_3 => {
            let deleted = is_trashed.then_some("2026-11-21T03:14:03.172235Z");
            let twins = if *is_seen { json!([{"id": twin, "title": title, "deleted_at": deleted}]) } else { json!([]) };
            (json!(format!("Not consuming: It is a duplicate of document #{twin}")), id(*twin), twins)
        }
        Outcome::Twin { id: twin, title, is_trashed, .. } => {
            let note = if *is_trashed { " Note: existing document is in the trash." } else { "" };
            let related = if *is_trashed { Value::Null } else { id(*twin) };
            (json!(format!("{name}: Not consuming {name}: It is a duplicate of {title} (#{twin}).{note}")), related, json!([]))
        }
    };
    let mut row = json!({
        "id": task.number, "task_id": task.uuid, "task_name": "consume_file", "task_file_name": name,
        "type": if is_3 { "manual_task" } else { "auto_task" }, "status": status(task.status), "date_created": "2026-11-21T03:06:37.334352Z",
        "result": result, "acknowledged": false, "related_document": related, "owner": task.upload.owner,
    });
    if is_3 {
        row["duplicate_documents"] = twins;
    }
    row
}

/// Version 10: a page, small letters, data instead of texts.
fn task_10(task: &Task) -> Value {
    let (data, related) = match &task.outcome {
        Outcome::Nothing => (Value::Null, json!([])),
        Outcome::Made(made) => (json!({"document_id": made}), json!([made])),
        Outcome::Twin { id, is_trashed, .. } => (json!({"duplicate_of": id, "duplicate_in_trash": is_trashed}), json!([id])),
        Outcome::Error(text) => {
            let trace = "Traceback (most recent call last):\n  File \"/usr/src/paperless/src/documents/consumer.py\"";
            (json!({"error_type": "ConsumerError", "error_message": text, "traceback": trace}), json!([]))
        }
    };
    json!({
        "id": task.number, "task_id": task.uuid, "task_type": "consume_file", "status": status(task.status).to_lowercase(),
        "input_data": {"filename": task.upload.file_name}, "result_data": data, "related_document_ids": related, "owner": task.upload.owner,
    })
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Pending => "PENDING",
        Status::Started => "STARTED",
        Status::Success => "SUCCESS",
        Status::Failure => "FAILURE",
        Status::Revoked => "REVOKED",
    }
}
