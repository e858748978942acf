//! One photograph of a patient: a square that is cut out of what was sent, upright, and without anything that the camera wrote into it. What
//! was sent itself is not kept.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use diesel::prelude::*;

use super::pages;
use crate::{
    access::{self, AtLeast, Full, PatientAccess, View},
    app::App,
    audit::{Action, Event},
    auth::session::Signed,
    body,
    db::{
        Tx,
        schema::{blobs as blob_rows, patients},
        types::PatientId,
    },
    error::{Error, Result},
    files::{
        blobs::{self, Kept},
        serve, upload,
    },
    page::{render_with, see_other},
    records::field::FieldError,
    workshop::{End, Frame, Note, Order, Refusal},
};

/// What the audit calls it.
const KIND: &str = "photo";

/// The photograph's part of the page on which a patient is edited.
pub struct Part {
    pub action: String,
    /// The small one; empty if there is none.
    pub face: String,
    pub initials: String,
    /// Why what was sent could not be used.
    pub wrong: String,
}

impl Part {
    pub fn of(access: &PatientAccess<Full>, wrong: String) -> Self {
        Self { action: format!("/patients/{}/photo", access.id()), face: access.patient.face(), initials: access.patient.initials(), wrong }
    }
}

/// `GET /patients/{patient}/photo`; `?size=small` for the round one beside a name.
pub async fn show(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let small = body::query(&request).iter().any(|(name, value)| name == "size" && value == "small");
    let (blob, size) = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let photo = if small { access.patient.photo_small } else { access.patient.photo };
            let blob = photo.ok_or(Error::NotFound)?;
            let size: Option<i64> = blob_rows::table.find(&blob).select(blob_rows::size).first(conn)?;
            Ok((blob, u64::try_from(size.unwrap_or_default()).unwrap_or_default()))
        })
        .await?;
    serve::jpeg(&app, &request, &blob, size).await
}

/// `POST /patients/{patient}/photo`: `file`, and which square of it: `x`, `y`, `size` in parts of a hundred.
pub async fn put(
    app: web::Data<App>,
    signed: Signed,
    patient: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    access::must_be::<Full>(&app, &signed.actor, &patient).await?;
    let received = upload::receive(&app, body::parts(&request, payload)?, upload::FILES).await?;
    let made = make(&app, &received).await;
    received.give_up(&app).await;
    match made {
        Ok((large, small)) => {
            let (of, actor, names) = (patient.clone(), signed.actor.clone(), [large.name.clone(), small.name.clone()]);
            let hung = app
                .write(move |tx, app| {
                    let access = access::grant::<Full>(tx, &actor, &of, app.clock.now())?;
                    hang(tx, &access, Some((&large, &small)))
                })
                .await;
            if hung.is_err() {
                for name in names {
                    upload::give_up(&app, name).await;
                }
            }
            hung?;
            Ok(see_other(&format!("/patients/{patient}/edit")))
        }
        Err(Error::Invalid(errors)) => {
            let page = app
                .read(move |conn, app| {
                    let access = access::grant::<Full>(conn, &signed.actor, &patient, app.clock.now())?;
                    let mut page = pages::edit_form(conn, &access, &signed)?;
                    let sentences: Vec<String> = errors.iter().map(|(_, error)| page.ui.error(error)).collect();
                    page.photo = Some(Part::of(&access, sentences.join(" ")));
                    Ok(page)
                })
                .await?;
            render_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error),
    }
}

/// `POST /patients/{patient}/photo/delete`.
pub async fn delete(app: web::Data<App>, signed: Signed, patient: web::Path<String>) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let next = format!("/patients/{patient}/edit");
    app.write(move |tx, app| {
        let access = access::grant::<Full>(tx, &signed.actor, &patient, app.clock.now())?;
        hang(tx, &access, None)
    })
    .await?;
    Ok(see_other(&next))
}

/// In place of what hung there, whose bytes are nobody's then.
fn hang<L: AtLeast<Full>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, photo: Option<(&Kept, &Kept)>) -> Result<()> {
    if photo.is_none() && access.patient.photo.is_none() {
        return Ok(());
    }
    for kept in photo.iter().flat_map(|(large, small)| [large, small]) {
        blobs::keep(tx, kept)?;
    }
    diesel::update(patients::table.find(access.id()))
        .set((
            patients::photo.eq(photo.map(|(large, _)| large.name.as_str())),
            patients::photo_small.eq(photo.map(|(_, small)| small.name.as_str())),
        ))
        .execute(&mut **tx)?;
    let action = if photo.is_some() { Action::Changed } else { Action::Deleted };
    Ok(Event::new(&access.actor, action, access.now).patient(access.id()).kind(KIND).write(tx)?)
}

/// The photograph and the small one, stored and nobody's yet.
async fn make(app: &App, received: &upload::Received) -> Result<(Kept, Kept)> {
    let wrong = |rule: &'static str| Error::Invalid(vec![("photo".to_owned(), FieldError::Rule(rule))]);
    if !received.refused.is_empty() {
        return Err(Error::Invalid(received.errors()));
    }
    let Some(sent) = received.files.first() else { return Err(wrong("error.no_file_chosen")) };
    if !matches!(sent.kind.media_type, "image/jpeg" | "image/png" | "image/webp" | "image/gif" | "image/tiff") {
        return Err(wrong("error.photo_kind"));
    }
    let part = |name: &str, usual: u32| received.field(name).parse::<u32>().map_or(usual, |n| n.min(100));
    let Frame { x, y, size } = Frame::MIDDLE;
    let frame = Frame { x: part("x", x), y: part("y", y), size: part("size", size).max(1) };
    let blob = sent.blob.clone();
    let work = app
        .run(move |app| {
            let bytes = blobs::open_new(app, &blob)?;
            app.workshop.run(&Order::Photo { frame }, bytes).map_err(|error| Error::Internal(format!("workshop: {}", error.kind())))
        })
        .await?;
    match work.end {
        End::Done => {}
        End::Refused(Refusal::TooLarge) => return Err(wrong("error.photo_too_large")),
        End::Refused(_) | End::Broken => return Err(wrong("error.photo_damaged")),
    }
    let drawn = |wanted: usize| {
        let found = work.pieces.iter().find(|(note, _)| matches!(note, Note::Drawn { page, .. } if *page == wanted));
        found.map(|(_, jpeg)| jpeg.clone()).ok_or_else(|| wrong("error.photo_damaged"))
    };
    let (large, small) = (drawn(1)?, drawn(0)?);
    // One that is stored when the other is not is nobody's, and the sweep takes it.
    app.run(move |app| Ok((blobs::store(app, &large)?, blobs::store(app, &small)?))).await
}
