//! How far it has come with what is made of a document, for its page, which asks again until all of it is there. It tells nothing of the document
//! itself, so asking is no look at it.

use actix_web::{HttpResponse, http::header, web};
use diesel::prelude::*;

use super::prepared::Reading;
use crate::{
    access::{self, View},
    app::App,
    auth::session::Signed,
    db::{
        Conn,
        schema::file_readings,
        types::{FileId, PatientId},
    },
    error::{Error, Result},
};

/// Something of it is still being made.
pub fn waits(reading: &Reading) -> bool {
    reading.pictures == "waiting" || matches!(reading.words.as_str(), "waiting" | "reading")
}

/// Differs as soon as there is something new to show.
pub fn state(reading: &Reading) -> String {
    format!("{} {} {}", reading.pictures, reading.words, reading.word_count)
}

/// Of a document that this person sees.
pub fn of(conn: &mut Conn, file: &FileId) -> Result<String> {
    let reading: Option<Reading> = file_readings::table.find(file).select(Reading::as_select()).first(conn).optional()?;
    Ok(reading.as_ref().map(state).unwrap_or_default())
}

pub fn answer(state: String) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").insert_header((header::CACHE_CONTROL, "no-store")).body(state)
}

/// `GET /patients/{patient}/files/{file}/state`.
pub async fn show(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (patient, id) = (PatientId::parse(&path.0).ok_or(Error::NotFound)?, FileId::parse(&path.1).ok_or(Error::NotFound)?);
    let state = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let (file, _) = super::living(conn, &access, &id)?;
            of(conn, &file.id)
        })
        .await?;
    Ok(answer(state))
}
