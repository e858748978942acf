//! The pages of every kind. Thin: access, one transaction, a view, a template. Here stands what their addresses and small forms say.

mod conflict;
mod form;
mod history;
mod links;
mod list;
mod offers;
mod papers;
mod save;
mod sent;
mod show;
mod status;
mod trash;

pub use conflict::ConflictLine;
pub use form::{edit, new};
pub use history::{HistoryPage, VersionView, history, revert};
pub use links::{link_form, links};
pub use list::{list, none_known};
pub use offers::offer;
pub use save::{change, create};
pub use show::show;
pub use status::status;
pub use trash::{delete, restore};

use actix_web::{HttpRequest, web};
use serde::Deserialize;

use super::Kind;
use crate::{
    access::{self, Edit},
    app::App,
    auth::session::Signed,
    body,
    db::types::{PatientId, RecordId},
    error::{Error, Result},
};

/// `/patients/{patient}/{kind}` and deeper.
#[derive(Deserialize, Clone)]
pub struct Place {
    pub patient: String,
    pub kind: String,
    #[serde(default)]
    pub record: String,
    #[serde(default)]
    pub version: i32,
}

pub(super) fn kind_of(name: &str) -> Result<&'static Kind> {
    super::kind(name).ok_or(Error::NotFound)
}

pub(super) fn patient_of(text: &str) -> Result<PatientId> {
    PatientId::parse(text).ok_or(Error::NotFound)
}

fn record_of(text: &str) -> Result<RecordId> {
    RecordId::parse(text).ok_or(Error::NotFound)
}

/// Names of a list's address that are not part of the list asked for.
pub(super) const MARKS: &[&str] = &["undo", "change", "print", "reset"];

/// Access first, body afterwards: a stranger learns nothing from how a body is refused.
async fn may_edit(app: &App, signed: &Signed, patient: &PatientId, kind: &'static Kind) -> Result<()> {
    let (actor, patient) = (signed.actor.clone(), patient.clone());
    app.read(move |conn, app| access::grant::<Edit>(conn, &actor, &patient, app.clock.now())?.chart(kind).map(drop)).await
}

/// A small form about one record: delete, status, link. The version it was made for comes along.
async fn small_form(
    app: &App,
    signed: &Signed,
    place: &Place,
    payload: web::Payload,
    request: &HttpRequest,
) -> Result<(&'static Kind, PatientId, RecordId, Vec<(String, String)>)> {
    let kind = kind_of(&place.kind)?;
    let (patient, id) = (patient_of(&place.patient)?, record_of(&place.record)?);
    may_edit(app, signed, &patient, kind).await?;
    let pairs = body::form(request, payload).await?;
    Ok((kind, patient, id, pairs))
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}
