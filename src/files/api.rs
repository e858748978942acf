//! Files in the API.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};

use super::{Details, File, NewFile, Of, serve, upload};
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

fn told(file: &File) -> Value {
    let patient = file.patient_id.as_ref();
    json!({
        "id": file.id,
        "patient_id": patient,
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
        "content": patient.map(|patient| format!("{}/content", href(patient, &file.id))),
    })
}

/// `GET /api/v1/patients/{patient}/files`, `?record=` for those of one record; the newest first.
pub async fn list(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let patient = api::patient_of(&request)?;
    let pairs = api::query(&request);
    let text = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &bearer.actor, &patient, app.clock.now())?;
            let query = FileQuery::parse(&pairs?)?;
            let mut found = super::list(conn, &access, Of::Everything)?;
            if let Some(record) = &query.record {
                found.retain(|(file, _)| file.record_id.as_ref().is_some_and(|id| id.as_str() == record));
            }
            note_read(app, &access, Action::Listed, Some(super::KIND), None);
            let shown = found.iter().skip((query.page - 1).saturating_mul(query.per_page)).take(query.per_page);
            let items: Vec<Value> = shown.map(|(file, _)| told(file)).collect();
            let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
            Ok(api::list(&items, whole(query.page), whole(query.per_page), whole(found.len())))
        })
        .await?;
    Ok(api::answer(StatusCode::OK, text))
}

struct FileQuery {
    page: usize,
    per_page: usize,
    record: Option<String>,
}

impl FileQuery {
    fn parse(pairs: &[(String, String)]) -> Result<Self> {
        let mut query = Self { page: 1, per_page: 50, record: None };
        for (name, value) in pairs {
            let number = |max: usize| {
                let wrong = || Error::Invalid(vec![(name.clone(), FieldError::OutOfRange { min: "1".into(), max: max.to_string() })]);
                value.parse::<usize>().ok().filter(|n| (1..=max).contains(n)).ok_or_else(wrong)
            };
            match name.as_str() {
                "page" => query.page = number(1_000_000)?,
                "per_page" => query.per_page = number(200)?,
                "record" => query.record = Some(value.clone()),
                _ => return Err(Error::Invalid(vec![(name.clone(), FieldError::UnknownField)])),
            }
        }
        Ok(query)
    }
}

/// `POST /api/v1/patients/{patient}/files`: a form with the part `file`, and `record`, `description`, `category`, `document_date` if wanted.
/// The answer names under `duplicate_of` a file of the same bytes that this person sees.
pub async fn create(app: web::Data<App>, bearer: Bearer, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let patient = api::patient_of(&request)?;
    let (actor, of) = (bearer.actor.clone(), patient.clone());
    app.read(move |conn, app| access::grant::<Edit>(conn, &actor, &of, app.clock.now()).map(drop)).await?;
    let received = upload::receive(&app, body::parts(&request, payload)?, upload::FILES).await?;
    let checked = one(&received);
    let (new, details) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            received.give_up(&app).await;
            return Err(error);
        }
    };
    let made = app
        .write(move |tx, app| {
            let access = access::grant::<Edit>(tx, &bearer.actor, &patient, app.clock.now())?;
            let twin = super::twin(tx, &access, &new.blob.arrived.sums.sha256)?;
            let id = super::add(tx, &access, &new, &details)?;
            let (file, _) = super::find(tx, &access, &id)?;
            let told = told(&file);
            Ok((href(&patient, &id), twin.map_or(told.clone(), |(twin, _)| api::plus(told, "duplicate_of", twin.id.as_str()))))
        })
        .await;
    match made {
        Ok((place, told)) => Ok(api::created(place, told.to_string())),
        Err(error) => {
            received.give_up(&app).await;
            Err(error)
        }
    }
}

/// A program sends one file at a time, so that it knows which answer is whose.
fn one(received: &upload::Received) -> Result<(NewFile, Details)> {
    let mut errors = received.errors();
    if received.files.len() + received.refused.len() > 1 {
        errors.push(("file".to_owned(), FieldError::Repeated));
    }
    if received.files.is_empty() && received.refused.is_empty() {
        errors.push(("file".to_owned(), FieldError::Required));
    }
    for (name, _) in &received.fields {
        if !matches!(name.as_str(), "record" | "description" | "category" | "document_date" | "file") {
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
