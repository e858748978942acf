//! One record: its page, with everything that hangs on it.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{
    Place, kind_of,
    offers::{self, OfferLine},
    patient_of, record_of,
    status::statuses,
    trash::trashed_page,
};
use crate::{
    access::{self, PatientAccess, Rank, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    db::Conn,
    error::{Error, Result},
    files,
    page::{self, Ui, note_read},
    records::{
        Kind,
        chart::Tied,
        codings::{self, Coding},
        view::{self, ChildTable, LinkLine, Names, Section},
    },
    tags,
};

#[derive(Template)]
#[template(path = "records/show.html")]
struct ShowPage {
    ui: Ui,
    kind: &'static Kind,
    base: String,
    id: String,
    version: i32,
    title: String,
    status: Option<(String, String)>,
    sections: Vec<Section>,
    children: Option<ChildTable>,
    notes: String,
    tags: Vec<tags::Tag>,
    links: Vec<LinkLine>,
    offers: Vec<OfferLine>,
    codes: Vec<Coding>,
    /// There is an original to look at.
    imported: bool,
    source: String,
    changed_by: String,
    changed_at: String,
    may_edit: bool,
    severe: bool,
    files: Vec<files::pages::Line>,
    /// Where documents are sent to.
    files_at: String,
}

/// `GET /patients/{patient}/{kind}/{record}`.
pub async fn show(app: web::Data<App>, signed: Signed, place: web::Path<Place>, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let (patient, id) = (patient_of(&place.patient)?, record_of(&place.record)?);
    let here = request.path().to_owned();
    app.read(move |conn, app| {
        let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
        let chart = access.chart(kind)?;
        let ui = Ui::new(Some(signed.me), &here);
        let tied = match chart.get_tied(conn, &id) {
            Err(Error::NotFound) => return trashed_page(conn, app, &chart, &id, ui),
            tied => tied?,
        };
        note_read(app, &access, Action::Read, Some(kind.name), Some((&id, tied.record.head.version)));
        Ok((StatusCode::OK, page::text(&show_page(conn, &access, kind, tied, ui)?)?))
    })
    .await
    .map(|(status, text)| page::html(status, text))
}

fn show_page(conn: &mut Conn, access: &PatientAccess<View>, kind: &'static Kind, tied: Tied, ui: Ui) -> Result<ShowPage> {
    let Tied { record: row, links, heads, changed_by, imported } = tied;
    let id = row.head.id.clone();
    let names = Names::for_record(conn, access, kind, &row, heads)?;
    // Only what came from elsewhere has codes of elsewhere, and newer values offered.
    let (offered, codes) =
        if imported { (offers::of_record(conn, access, &id)?, codings::of_record(conn, &id)?) } else { (Vec::new(), Vec::new()) };
    let papers = files::of_shown(conn, access, &id)?;
    let ui = ui.with_nav(conn, access)?;
    let mut files: Vec<files::pages::Line> = papers.iter().map(|file| files::pages::line(&ui, access.id(), file, None)).collect();
    files::previews::mark(conn, &mut files)?;
    let patient = access.id().as_str();
    let entry = row.entry.as_ref();
    let status = row.head.status.clone().and_then(|word| {
        let label = statuses(&ui, kind).into_iter().find(|c| c.value == word).map_or_else(|| word.clone(), |c| c.label);
        (!kind.status_words().is_empty()).then_some((word, label))
    });
    Ok(ShowPage {
        sections: view::sections(&ui, patient, kind, entry, &names),
        children: view::children(&ui, patient, kind, entry),
        links: view::link_lines(&ui, patient, &links),
        offers: offers::lines(&ui, kind, offered),
        source: view::source(&ui, &row.head.source),
        changed_by,
        changed_at: ui.moment(&row.head.updated_at),
        title: if row.head.title.is_empty() { ui.t("record.untitled") } else { row.head.title.clone() },
        notes: row.head.notes.clone().unwrap_or_default(),
        codes,
        imported,
        severe: matches!(kind.field("severity").and_then(|(i, _)| entry.get(i)).as_deref(), Some("severe" | "life-threatening")),
        may_edit: access.may(Rank::Edit),
        files,
        files_at: format!("/patients/{patient}/files"),
        base: format!("/patients/{patient}/{}", kind.name),
        id: id.to_string(),
        version: row.head.version,
        tags: row.tags,
        status,
        kind,
        ui,
    })
}
