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

use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::Deserialize;

use super::Kind;
use crate::{
    access::{self, Edit, PatientAccess},
    app::App,
    auth::session::{self, Signed},
    body,
    db::{
        Tx,
        types::{PatientId, RecordId},
    },
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

/// A small form about one record, from somebody who may change it: delete, status, link.
pub struct RecordForm {
    signed: Signed,
    kind: &'static Kind,
    patient: PatientId,
    id: RecordId,
    /// The version of the record that the address names, if it names one.
    of_version: i32,
    pairs: Vec<(String, String)>,
}

impl RecordForm {
    fn value(&self, name: &str) -> Option<&str> {
        value(&self.pairs, name)
    }
    /// The version that its page was made of.
    fn seen(&self) -> Option<i32> {
        self.value("_version").and_then(|version| version.parse().ok())
    }
    fn list(&self) -> String {
        format!("/patients/{}/{}", self.patient, self.kind.name)
    }
    fn record(&self) -> String {
        format!("{}/{}", self.list(), self.id)
    }
    fn access(&self, tx: &mut Tx<'_>, app: &App) -> Result<PatientAccess<Edit>> {
        access::grant::<Edit>(tx, &self.signed.actor, &self.patient, app.clock.now())
    }
    async fn read(request: HttpRequest, payload: web::Payload) -> Result<Self> {
        let signed = session::signed(&request).ok_or(Error::NoSession)?;
        let app = request.app_data::<web::Data<App>>().ok_or_else(|| Error::Internal("a server without its state".to_owned()))?;
        let place = web::Path::<Place>::extract(&request).await.map_err(|_| Error::NotFound)?;
        let kind = kind_of(&place.kind)?;
        let (patient, id) = (patient_of(&place.patient)?, record_of(&place.record)?);
        may_edit(app, &signed, &patient, kind).await?;
        let pairs = body::form(&request, payload).await?;
        Ok(Self { signed, kind, patient, id, of_version: place.version, pairs })
    }
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

impl FromRequest for RecordForm {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;
    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload).into_inner());
        Box::pin(async move { Self::read(request, payload.map_err(|_| Error::BadRequest("broken_form"))?).await })
    }
}
