//! A patient's versions: what was said of them, who said so and when, and an earlier version brought back.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    PatientFields,
    versions::{self, PatientVersion},
};
use crate::{
    access::{self, Full, PatientAccess, Rank, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    db::{Conn, types::PatientId},
    directory::{Listed, Practitioner},
    error::{Error, Result},
    interchange::originals,
    page::{Ui, note_read, render, see_other},
    records::{
        pages::{ConflictLine, HistoryPage, VersionView},
        version::{Difference, Snapshot, differences},
        view::{self, Names},
    },
};

/// `GET /patients/{patient}/history`.
pub async fn show(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            note_read(app, &access, Action::Read, Some("history"), None);
            history_page(conn, &access, Ui::new(Some(signed.me), &here))
        })
        .await?;
    render(&page)
}

fn history_page(conn: &mut Conn, access: &PatientAccess<View>, ui: Ui) -> Result<HistoryPage> {
    let rows = versions::all(conn, access)?;
    let ids: Vec<String> =
        rows.iter().flat_map(PatientVersion::values).filter(|(name, _)| name == "physician_id").map(|(_, id)| id).collect();
    let names = Names::of_practitioners(Practitioner::names_of(conn, &ids)?);
    let kept = originals::of_patient(conn, access)?;
    let ui = ui.with_nav(conn, access)?;
    Ok(HistoryPage {
        originals: originals::links(&format!("/patients/{}", access.id()), kept, "Patient", &ui.t("record.original")),
        versions: views(&ui, access, &rows, &names),
        base: format!("/patients/{}", access.id()),
        title: access.patient.name(),
        may_edit: access.may(Rank::Full),
        current: access.patient.version,
        ui,
    })
}

fn views(ui: &Ui, access: &PatientAccess<View>, rows: &[PatientVersion], names: &Names) -> Vec<VersionView> {
    let snapshots: Vec<Snapshot> = rows.iter().map(snapshot).collect();
    let empty = Snapshot::default();
    rows.iter()
        .enumerate()
        .map(|(i, row)| {
            let (new, old) = (snapshots.get(i).unwrap_or(&empty), snapshots.get(i + 1).unwrap_or(&empty));
            let changes = if row.action == "created" { Vec::new() } else { differences(old, new) };
            VersionView {
                version: row.version,
                action: ui.t2("action", &row.action),
                who: row.actor_name.clone(),
                at: ui.moment(&row.at),
                source: ui.t2("source", row.source.split(':').next().unwrap_or_default()),
                changes: changes.iter().map(|change| line(ui, access, change, names)).collect(),
            }
        })
        .collect()
}

/// The values in the order of the form, which the text of a version does not keep.
fn snapshot(row: &PatientVersion) -> Snapshot {
    let values = row.values();
    let value = |name: &str| values.iter().find(|(n, _)| n == name).cloned();
    Snapshot { fields: PatientFields::FIELDS.iter().filter_map(|field| value(field.spec.name)).collect(), ..Snapshot::default() }
}

fn line(ui: &Ui, access: &PatientAccess<View>, change: &Difference, names: &Names) -> ConflictLine {
    let spec = PatientFields::FIELDS.iter().map(|field| &field.spec).find(|spec| spec.name == change.field);
    let words = |text: &Option<String>| match (text, spec) {
        (Some(text), Some(spec)) => view::show(ui, access.id().as_str(), spec, text, None, names).text,
        (text, _) => text.clone().unwrap_or_default(),
    };
    ConflictLine { label: ui.label("patients", &change.field), theirs: words(&change.before), mine: words(&change.after) }
}

/// `POST /patients/{patient}/history/{version}`: what was said then, as a new version.
pub async fn revert(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<(String, i32)>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (patient, version) = place.into_inner();
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    access::must_be::<Full>(&app, &signed.actor, &patient).await?;
    let pairs = body::form(&request, payload).await?;
    let seen = pairs.iter().find(|(n, _)| n == "_version").and_then(|(_, v)| v.parse::<i32>().ok());
    let back = format!("/patients/{patient}");
    app.write(move |tx, app| {
        let access = access::grant::<Full>(tx, &signed.actor, &patient, app.clock.now())?;
        versions::revert(tx, &access, version, seen.unwrap_or(access.patient.version)).map(drop)
    })
    .await?;
    Ok(see_other(&back))
}
