//! The inbox in the API: documents come in, are looked at, and are filed with a patient.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::Value;

use super::{file_to, pages::wanted, waiting};
use crate::{
    access::{self, Edit, View},
    api::{self, IfMatch},
    app::App,
    audit::Action,
    auth::token::Bearer,
    body,
    db::types::{FileId, HouseholdId, PatientId, RecordId},
    error::{Error, Result},
    files::{
        api::{created, href_of, one, strict, told},
        serve,
        shelf::{self, Place},
        twins, upload,
    },
    records::field::FieldError,
};

fn document_of(request: &HttpRequest) -> Result<FileId> {
    FileId::parse(api::part(request, "document")).ok_or(Error::NotFound)
}

/// `GET /api/v1/inbox/files`, `?household=` where somebody belongs to several; the newest first.
pub async fn list(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let pairs = api::query(&request);
    let text = app
        .read(move |conn, app| {
            // Whose inbox it is stands in the query: what is wrong with the rest of it is told to its members.
            let place = wanted(pairs.as_deref().unwrap_or_default())?;
            let shelf = shelf::grant::<View>(conn, &bearer.actor, &place, app.clock.now())?;
            let asked: Vec<(String, String)> = pairs?.into_iter().filter(|(name, _)| name != "household").collect();
            let query = strict(&asked)?;
            let (found, total) = shelf.list(conn, &query)?;
            let items: Vec<Value> = found.iter().map(told).collect();
            Ok(api::list(&items, query.page, query.per_page, total))
        })
        .await?;
    Ok(api::answer(StatusCode::OK, text))
}

/// `POST /api/v1/inbox/files`: a form with the part `file`, and `household`, `description`, `category`, `document_date` if wanted. The answer
/// names under `duplicate_of` a document of the same bytes that this person sees, wherever it is.
pub async fn create(app: web::Data<App>, bearer: Bearer, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let place = wanted(&api::query(&request)?)?;
    let (actor, of) = (bearer.actor.clone(), place.clone());
    app.read(move |conn, app| shelf::grant::<Edit>(conn, &actor, &of, app.clock.now()).map(drop)).await?;
    let received = upload::receive(&app, body::parts(&request, payload)?, upload::FILES).await?;
    let checked = one(&received, &["household", "description", "category", "document_date"]).and_then(|(new, details)| {
        let named = received.field("household");
        let household = HouseholdId::parse(&named);
        match (named.is_empty(), household) {
            (true, _) => Ok((new, details, place)),
            (false, Some(household)) => Ok((new, details, Place::Inbox(Some(household)))),
            (false, None) => Err(Error::NotFound),
        }
    });
    let made = upload::make_of(&app, received, checked, move |tx, app, (new, details, place)| {
        let shelf = shelf::grant::<Edit>(tx, &bearer.actor, place, app.clock.now())?;
        let twin = twins::before(tx, &bearer.actor, &new.blob.arrived.sums.sha256, None, shelf.now)?.into_iter().next();
        let id = shelf.add(tx, app.quota(), new, details)?;
        let file = shelf.find(tx, &id)?;
        Ok(created(&file, twin.map(|twin| twin.file.id)))
    });
    let (place, told) = made.await?;
    Ok(api::created(place, told.to_string()))
}

/// `GET .../{document}`.
pub async fn show(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let id = document_of(&request)?;
    let (version, text) = app
        .read(move |conn, app| {
            let shelf = shelf::grant::<View>(conn, &bearer.actor, &Place::InboxOf(id.clone()), app.clock.now())?;
            let file = shelf.living(conn, &id)?;
            shelf.note_look(app, Action::Read, &file);
            Ok((file.version, told(&file).to_string()))
        })
        .await?;
    Ok(if api::is_known(&request, version) { api::not_modified(version) } else { api::one(StatusCode::OK, version, text) })
}

/// `GET .../{document}/content`.
pub async fn content(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let id = document_of(&request)?;
    let file = app
        .read(move |conn, app| {
            let shelf = shelf::grant::<View>(conn, &bearer.actor, &Place::InboxOf(id.clone()), app.clock.now())?;
            let file = shelf.living(conn, &id)?;
            shelf.note_look(app, Action::Downloaded, &file);
            Ok(file)
        })
        .await?;
    serve::send(&app, &request, &file, false).await
}

/// `DELETE .../{document}`: to the trash. `If-Match` is heeded where it is sent.
pub async fn delete(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let id = document_of(&request)?;
    let condition = request.headers().contains_key("if-match").then(|| IfMatch::of(&request));
    app.write(move |tx, app| {
        let file = waiting(tx, &bearer.actor, &id, app.clock.now())?;
        if let Some(condition) = &condition {
            condition.expect(file.version)?;
        }
        shelf::grant::<Edit>(tx, &bearer.actor, &Place::InboxOf(id.clone()), app.clock.now())?.remove(tx, &id)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST .../{document}/file` with `patient` and perhaps `record`: from the inbox to where it belongs. 409 if somebody was faster.
pub async fn file(app: web::Data<App>, bearer: Bearer, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let id = document_of(&request)?;
    let (actor, one) = (bearer.actor.clone(), id.clone());
    app.read(move |conn, app| waiting(conn, &actor, &one, app.clock.now()).map(drop)).await?;
    let (patient, record) = target(&body::json(&request, payload).await?)?;
    let (version, place, text) = app
        .write(move |tx, app| {
            let access = access::grant::<Edit>(tx, &bearer.actor, &patient, app.clock.now())?;
            file_to(tx, &access, &id, record.as_ref(), app.quota())?;
            let (file, _) = crate::files::find(tx, &access, &id)?;
            Ok((file.version, href_of(&file), told(&file).to_string()))
        })
        .await?;
    let mut answer = api::one(StatusCode::OK, version, text);
    if let Ok(place) = place.parse() {
        answer.headers_mut().insert(actix_web::http::header::LOCATION, place);
    }
    Ok(answer)
}

fn target(body: &serde_json::Map<String, Value>) -> Result<(PatientId, Option<RecordId>)> {
    let wrong = |name: &str, error: FieldError| Error::Invalid(vec![(name.to_owned(), error)]);
    if let Some(name) = body.keys().find(|name| !matches!(name.as_str(), "patient" | "record")) {
        return Err(wrong(name, FieldError::UnknownField));
    }
    let text = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(wrong(name, FieldError::WrongType)),
    };
    let patient = text("patient")?.ok_or_else(|| wrong("patient", FieldError::Required))?;
    let patient = PatientId::parse(patient).ok_or_else(|| wrong("patient", FieldError::NoSuchPatient))?;
    let record = text("record")?.map(|id| RecordId::parse(id).ok_or_else(|| wrong("record", FieldError::NoSuchRecord))).transpose()?;
    Ok((patient, record))
}
