//! Newer values that a source told for fields a person had changed: shown with the record, taken or dismissed.

use actix_web::{HttpResponse, web};

use super::RecordForm;
use crate::{
    access::{PatientAccess, View},
    app::App,
    db::{Conn, types::RecordId},
    error::Result,
    interchange::merge,
    page::{Ui, see_other},
    records::{
        Kind,
        origins::{self, Offer},
    },
};

/// A newer value that a source told for a field a person had changed.
pub(super) struct OfferLine {
    pub(super) field: String,
    pub(super) label: String,
    pub(super) value: String,
}

pub(super) fn of_record(conn: &mut Conn, access: &PatientAccess<View>, id: &RecordId) -> Result<Vec<Offer>> {
    Ok(origins::offers_of(conn, access, std::slice::from_ref(id))?.remove(id).unwrap_or_default())
}

pub(super) fn lines(ui: &Ui, kind: &Kind, offers: Vec<Offer>) -> Vec<OfferLine> {
    let line = |offer: Offer| OfferLine { label: ui.label(kind.word(), &offer.field), value: offer.value, field: offer.field };
    offers.into_iter().map(line).collect()
}

/// `POST .../{record}/offers`: takes or dismisses a newer value that a source told.
pub async fn offer(app: web::Data<App>, form: RecordForm) -> Result<HttpResponse> {
    let back = form.record();
    app.write(move |tx, app| {
        let access = form.access(tx, app)?;
        let field = form.value("field").unwrap_or_default();
        access.chart(form.kind)?.get(tx, &form.id)?;
        if form.value("answer") == Some("take") {
            merge::accept(tx, &access, &form.id, field).map(drop)
        } else {
            merge::dismiss(tx, &access, &form.id, field)
        }
    })
    .await?;
    Ok(see_other(&back))
}
