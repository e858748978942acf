//! Newer values that a source told for fields a person had changed: shown with the record, taken or dismissed.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{Place, small_form, value};
use crate::{
    access::{self, Edit, PatientAccess, View},
    app::App,
    auth::session::Signed,
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
pub async fn offer(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (kind, patient, id, pairs) = small_form(&app, &signed, &place, payload, &request).await?;
    let back = format!("/patients/{patient}/{}/{id}", kind.name);
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        let field = value(&pairs, "field").unwrap_or_default();
        access.chart(kind)?.get(tx, &id)?;
        if value(&pairs, "answer") == Some("take") {
            merge::accept(tx, &access, &id, field).map(drop)
        } else {
            merge::dismiss(tx, &access, &id, field)
        }
    })
    .await?;
    Ok(see_other(&back))
}
