//! Into the trash and out of it, and the page of a record that lies there.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{Place, small_form, value};
use crate::{
    access::{self, Edit, Rank, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    db::{Conn, types::RecordId},
    error::{Error, Result},
    page::{self, Ui, note_read, see_other},
    records::{Kind, chart},
};

#[derive(Template)]
#[template(path = "records/trashed.html")]
struct TrashedPage {
    ui: Ui,
    kind: &'static Kind,
    base: String,
    id: String,
    title: String,
    deleted: String,
}

/// A link to what lies in the trash tells so, and how to bring it back: to whoever may do that. To anybody else there is no such record.
pub(super) fn trashed_page(
    conn: &mut Conn,
    app: &App,
    chart: &chart::Chart<'_, View>,
    id: &RecordId,
    ui: Ui,
) -> Result<(StatusCode, String)> {
    let access = chart.access();
    if !access.may(Rank::Edit) {
        return Err(Error::NotFound);
    }
    let head = chart.trashed(conn, id)?;
    note_read(app, access, Action::Read, Some(chart.kind().name), Some((id, head.version)));
    let page = TrashedPage {
        deleted: head.deleted_at.map(|at| ui.moment(&at)).unwrap_or_default(),
        base: format!("/patients/{}/{}", access.id(), chart.kind().name),
        ui: ui.with_nav(conn, access)?,
        kind: chart.kind(),
        id: id.to_string(),
        title: head.title,
    };
    Ok((StatusCode::GONE, page::text(&page)?))
}

/// `POST .../{record}/delete`: into the trash; the list offers to undo it.
pub async fn delete(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (kind, patient, id, pairs) = small_form(&app, &signed, &place, payload, &request).await?;
    let back = format!("/patients/{patient}/{}?undo={id}", kind.name);
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        let chart = access.chart(kind)?;
        let version = value(&pairs, "_version").and_then(|v| v.parse().ok());
        let expected = match version {
            Some(version) => version,
            None => chart.get(tx, &id)?.head.version,
        };
        chart.remove(tx, &id, expected)
    })
    .await?;
    Ok(see_other(&back))
}

/// `POST .../{record}/restore`: out of the trash.
pub async fn restore(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (kind, patient, id, _) = small_form(&app, &signed, &place, payload, &request).await?;
    let back = format!("/patients/{patient}/{}/{id}", kind.name);
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        access.chart(kind)?.restore(tx, &id)
    })
    .await?;
    Ok(see_other(&back))
}
