//! The versions of a record, what changed from one to the next, and the way back to one.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{Place, RecordForm, conflict::ConflictLine, kind_of, patient_of, record_of};
use crate::{
    access::{self, Rank, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    error::Result,
    page::{Ui, note_read, render, see_other},
    records::{
        Kind,
        version::{Difference, Snapshot, Version, differences},
        view::{self, Names},
    },
};

#[derive(Template)]
#[template(path = "records/history.html")]
pub struct HistoryPage {
    pub ui: Ui,
    /// The address of what has the history.
    pub base: String,
    pub title: String,
    pub versions: Vec<VersionView>,
    pub may_edit: bool,
    pub current: i32,
    /// Addresses and words of what imports brought about a person.
    pub originals: Vec<(String, String)>,
}

/// A version of a record or a patient, as the page tells of it.
pub struct VersionView {
    pub version: i32,
    pub action: String,
    pub who: String,
    pub at: String,
    pub source: String,
    pub changes: Vec<ConflictLine>,
}

/// `GET .../{record}/history`.
pub async fn history(app: web::Data<App>, signed: Signed, place: web::Path<Place>, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let (patient, id) = (patient_of(&place.patient)?, record_of(&place.record)?);
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let chart = access.chart(kind)?;
            let row = chart.get(conn, &id)?;
            let versions = chart.versions(conn, &id)?;
            note_read(app, &access, Action::Read, Some(kind.name), Some((&id, row.head.version)));
            let snapshots: Vec<Snapshot> = versions.iter().map(|v| Snapshot::from_text(&v.snapshot).unwrap_or_default()).collect();
            let names = Names::for_versions(conn, &access, kind, &snapshots)?;
            let ui = Ui::new(Some(signed.me), &here).with_nav(conn, &access)?;
            let views = version_views(&ui, access.id().as_str(), kind, &versions, &snapshots, &names);
            let base = format!("/patients/{}/{}/{id}", access.id(), kind.name);
            let may_edit = access.may(Rank::Edit);
            Ok(HistoryPage { ui, base, title: row.head.title, versions: views, may_edit, current: row.head.version, originals: Vec::new() })
        })
        .await?;
    render(&page)
}

fn version_views(ui: &Ui, patient: &str, kind: &Kind, versions: &[Version], snapshots: &[Snapshot], names: &Names) -> Vec<VersionView> {
    let empty = Snapshot::default();
    versions
        .iter()
        .enumerate()
        .map(|(i, version)| {
            let (new, old) = (snapshots.get(i).unwrap_or(&empty), snapshots.get(i + 1).unwrap_or(&empty));
            let changes = if matches!(version.action.as_str(), "created") { Vec::new() } else { differences(old, new) };
            VersionView {
                version: version.version,
                action: ui.t(&format!("action.{}", version.action)),
                who: version.actor_name.clone(),
                at: ui.moment(&version.at),
                source: view::source(ui, &version.source),
                changes: changes.into_iter().map(|change| difference_line(ui, patient, kind, &change, names)).collect(),
            }
        })
        .collect()
}

fn difference_line(ui: &Ui, patient: &str, kind: &Kind, change: &Difference, names: &Names) -> ConflictLine {
    let (fields, word) = match (change.row, &kind.children) {
        (Some(_), Some(children)) => (&children.fields, children.table),
        _ => (&kind.fields, kind.word()),
    };
    let spec = fields.iter().find(|f| f.name == change.field);
    let words = |text: &Option<String>| match (text, spec) {
        (Some(text), Some(spec)) => {
            let shown = view::show(ui, patient, spec, text, None, names);
            if shown.pairs.is_empty() {
                shown.text
            } else {
                shown.pairs.iter().map(|(k, v)| format!("{k}: {v}")).collect::<Vec<_>>().join(", ")
            }
        }
        (Some(text), None) => text.clone(),
        _ => String::new(),
    };
    let label = ui.label(word, &change.field);
    let label = change.row.map_or_else(|| label.clone(), |row| format!("{label} ({row})"));
    ConflictLine { label, theirs: words(&change.before), mine: words(&change.after) }
}

/// `POST .../{record}/history/{version}`: the record as it was then, as a new version.
pub async fn revert(app: web::Data<App>, form: RecordForm) -> Result<HttpResponse> {
    let back = form.record();
    app.write(move |tx, app| {
        let access = form.access(tx, app)?;
        let chart = access.chart(form.kind)?;
        let current = chart.get(tx, &form.id)?;
        let expected = form.seen().unwrap_or(current.head.version);
        let draft = chart.as_it_was(tx, &form.id, form.of_version)?;
        chart.change(tx, &form.id, expected, &draft).map(drop)
    })
    .await?;
    Ok(see_other(&back))
}
