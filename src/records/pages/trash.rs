//! Into the trash and out of it, and the page of a record that lies there.

use actix_web::{HttpResponse, http::StatusCode, web};
use askama::Template;

use super::RecordForm;
use crate::{
    access::{Rank, View},
    app::App,
    audit::Action,
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
pub async fn delete(app: web::Data<App>, form: RecordForm) -> Result<HttpResponse> {
    let back = format!("{}?undo={}", form.list(), form.id);
    app.write(move |tx, app| {
        let access = form.access(tx, app)?;
        let chart = access.chart(form.kind)?;
        let expected = match form.seen() {
            Some(version) => version,
            None => chart.get(tx, &form.id)?.head.version,
        };
        chart.remove(tx, &form.id, expected)
    })
    .await?;
    Ok(see_other(&back))
}

/// `POST .../{record}/restore`: out of the trash.
pub async fn restore(app: web::Data<App>, form: RecordForm) -> Result<HttpResponse> {
    let back = form.record();
    app.write(move |tx, app| {
        let access = form.access(tx, app)?;
        access.chart(form.kind)?.restore(tx, &form.id)
    })
    .await?;
    Ok(see_other(&back))
}
