//! Files in the API.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};

use super::{
    Details, File, NewFile,
    query::{self, FileQuery},
    serve, twins, upload,
};
use crate::{
    access::{self, Edit, View},
    api::{self, IfMatch},
    app::App,
    audit::Action,
    auth::token::Bearer,
    body,
    db::types::{FileId, PatientId},
    error::{Error, Result},
    page::note_read,
    records::field::{FieldError, Mode},
};

fn file_of(request: &HttpRequest) -> Result<FileId> {
    FileId::parse(api::part(request, "file")).ok_or(Error::NotFound)
}

fn href(patient: &PatientId, id: &FileId) -> String {
    format!("{}/patients/{patient}/files/{id}", api::BASE)
}

/// Where the API has it; a practitioner's documents are not there yet.
pub(super) fn href_of(file: &File) -> String {
    match &file.patient_id {
        Some(patient) => href(patient, &file.id),
        None => format!("{}/inbox/files/{}", api::BASE, file.id),
    }
}

pub(super) fn told(file: &File) -> Value {
    json!({
        "id": file.id,
        "patient_id": file.patient_id,
        "household_id": file.household_id,
        "record": file.record_id,
        "file_name": file.file_name,
        "file_type": file.file_type,
        "file_size": file.file_size,
        "sha256": file.sha256,
        "description": file.description,
        "category": file.category,
        "document_date": file.document_date,
        "uploaded_at": api::moment(file.uploaded_at),
        "version": file.version,
        "content": format!("{}/content", href_of(file)),
    })
}

/// `GET /api/v1/patients/{patient}/files`; `?record=` for those of one record (`none` for those without), `q`, `category`; the newest first.
pub async fn list(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let patient = api::patient_of(&request)?;
    let pairs = api::query(&request);
    let text = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &bearer.actor, &patient, app.clock.now())?;
            let query = strict(&pairs?)?;
            let (found, total) = query::of_patient(conn, &access, &query)?;
            note_read(app, &access, Action::Listed, Some(super::KIND), None);
            let items: Vec<Value> = found.iter().map(|(file, _)| told(file)).collect();
            Ok(api::list(&items, query.page, query.per_page, total))
        })
        .await?;
    Ok(api::answer(StatusCode::OK, text))
}

/// A list as a program asks for it.
pub(super) fn strict(pairs: &[(String, String)]) -> Result<FileQuery> {
    let (query, errors) = FileQuery::read(pairs, Mode::Strict);
    if errors.is_empty() { Ok(query) } else { Err(Error::Invalid(errors)) }
}

/// `POST /api/v1/patients/{patient}/files`: a form with the part `file`, and `record`, `description`, `category`, `document_date` if wanted.
/// The answer names under `duplicate_of` a document of the same bytes that this person sees, wherever it is.
pub async fn create(app: web::Data<App>, bearer: Bearer, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let patient = api::patient_of(&request)?;
    access::must_be::<Edit>(&app, &bearer.actor, &patient).await?;
    let received = upload::receive(&app, body::parts(&request, payload)?, upload::FILES).await?;
    let checked = one(&received, &["record", "description", "category", "document_date"]);
    let made = upload::make_of(&app, received, checked, move |tx, app, (new, details)| {
        let access = access::grant::<Edit>(tx, &bearer.actor, &patient, app.clock.now())?;
        let twin = twins::before(tx, &bearer.actor, &new.blob.arrived.sums.sha256, None, access.now)?.into_iter().next();
        let id = super::add(tx, &access, app.quota(), new, details)?;
        let (file, _) = super::find(tx, &access, &id)?;
        Ok(created(&file, twin.map(|twin| twin.file.id)))
    });
    let (place, told) = made.await?;
    Ok(api::created(place, told.to_string()))
}

/// Where a new document is, and what is told of it; `twin` has the same bytes.
pub(super) fn created(file: &File, twin: Option<FileId>) -> (String, Value) {
    let told = told(file);
    let told = match twin {
        Some(twin) => api::plus(told, "duplicate_of", twin.as_str()),
        None => told,
    };
    (href_of(file), told)
}

/// A program sends one file at a time, so that it knows which answer is whose.
pub(super) fn one(received: &upload::Received, known: &[&str]) -> Result<(NewFile, Details)> {
    let mut errors = received.errors();
    if received.files.len() + received.refused.len() > 1 {
        errors.push(("file".to_owned(), FieldError::Repeated));
    }
    if received.files.is_empty() && received.refused.is_empty() {
        errors.push(("file".to_owned(), FieldError::Required));
    }
    for (name, _) in &received.fields {
        if name != "file" && !known.contains(&name.as_str()) {
            errors.push((name.clone(), FieldError::UnknownField));
        }
    }
    let details = Details::read(|name| received.field(name), Mode::Strict).unwrap_or_else(|wrong| {
        errors.extend(wrong);
        Details::default()
    });
    match received.files.first() {
        Some(file) if errors.is_empty() => Ok((file.clone(), details)),
        _ => Err(if errors.iter().any(|(_, error)| *error == FieldError::Rule("error.file_too_large")) {
            Error::TooLarge
        } else {
            Error::Invalid(errors)
        }),
    }
}

/// `GET .../files/{file}`.
pub async fn show(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let (patient, id) = (api::patient_of(&request)?, file_of(&request)?);
    let (version, text) = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &bearer.actor, &patient, app.clock.now())?;
            let (file, _) = super::living(conn, &access, &id)?;
            super::note_look(app, &access, Action::Read, &file);
            Ok((file.version, told(&file).to_string()))
        })
        .await?;
    Ok(if api::is_known(&request, version) { api::not_modified(version) } else { api::one(StatusCode::OK, version, text) })
}

/// `GET .../files/{file}/content`.
pub async fn content(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let (patient, id) = (api::patient_of(&request)?, file_of(&request)?);
    let file = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &bearer.actor, &patient, app.clock.now())?;
            let (file, _) = super::living(conn, &access, &id)?;
            super::note_look(app, &access, Action::Downloaded, &file);
            Ok(file)
        })
        .await?;
    serve::send(&app, &request, &file, false).await
}

/// `DELETE .../files/{file}`: to the trash. `If-Match` is heeded where it is sent; without it nothing else can be meant.
pub async fn delete(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let (patient, id) = (api::patient_of(&request)?, file_of(&request)?);
    let condition = request.headers().contains_key("if-match").then(|| IfMatch::of(&request));
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &bearer.actor, &patient, app.clock.now())?;
        let (file, _) = super::living(tx, &access, &id)?;
        if let Some(condition) = &condition {
            condition.expect(file.version)?;
        }
        super::remove(tx, &access, &id)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
