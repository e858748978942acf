//! What imports kept aside for a patient, and the originals of what they brought: listed, counted, and given back as they came.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use askama::Template;

use super::originals;
use crate::{
    access::{self, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    db::types::{PatientId, RecordId},
    error::{Error, Result},
    page::{Ui, note_read, render},
    records::{self, origins},
};

const PER_PAGE: i64 = 100;

#[derive(Template)]
#[template(path = "import/kept.html")]
struct KeptPage {
    ui: Ui,
    base: String,
    counts: Vec<(String, i64)>,
    lines: Vec<KeptLine>,
    chosen: String,
    previous: Option<String>,
    next: Option<String>,
}

struct KeptLine {
    key: String,
    href: String,
    reason: String,
    when: String,
}

/// `GET /patients/{patient}/kept?type=&page=`.
pub async fn list(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let pairs = body::query(&request);
    let given = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let (chosen, page) = (given("type"), given("page").parse::<i64>().ok().filter(|n| (1..=1_000_000).contains(n)).unwrap_or(1));
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let counts = origins::leftovers(conn, &access)?;
            let wanted = (!chosen.is_empty()).then_some(chosen.as_str());
            let rows = origins::leftover_page(conn, &access, wanted, page, PER_PAGE)?;
            note_read(app, &access, Action::Listed, Some("kept"), None);
            let ui = Ui::new(Some(signed.me), &here).with_nav(conn, &access)?;
            let address = |path: &str, pairs: &[(&str, &str)]| format!("{path}?{}", serde_urlencoded::to_string(pairs).unwrap_or_default());
            let turn = |page: i64| address(&here, &[("type", &chosen), ("page", &page.to_string())]);
            let full = i64::try_from(rows.len()).unwrap_or_default() == PER_PAGE;
            let lines = rows
                .into_iter()
                .map(|row| KeptLine {
                    href: address(&format!("{here}/original"), &[("key", &row.source_key)]),
                    reason: ui.t2("import.reason", &row.reason),
                    when: ui.moment(&row.imported_at),
                    key: row.source_key,
                })
                .collect();
            Ok(KeptPage {
                previous: (page > 1).then(|| turn(page - 1)),
                next: full.then(|| turn(page + 1)),
                base: here.clone(),
                counts,
                lines,
                chosen: chosen.clone(),
                ui,
            })
        })
        .await?;
    render(&page)
}

/// `GET /patients/{patient}/kept/original?key=`: one of them, as it came.
pub async fn original(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let key = body::query(&request).into_iter().find(|(n, _)| n == "key").map(|(_, v)| v).unwrap_or_default();
    let text = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let found = origins::leftover(conn, &access, &key)?;
            note_read(app, &access, Action::Downloaded, Some("kept"), None);
            Ok(found.original)
        })
        .await?;
    Ok(json(text))
}

#[derive(Template)]
#[template(path = "import/offers.html")]
struct OffersPage {
    ui: Ui,
    lines: Vec<OfferLine>,
}

struct OfferLine {
    href: String,
    title: String,
    kind: String,
    fields: String,
}

/// `GET /patients/{patient}/offers`: the records for which a file told newer values than a person's own.
pub async fn offers(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let waiting = origins::waiting(conn, &access)?;
            note_read(app, &access, Action::Listed, Some("offers"), None);
            let ui = Ui::new(Some(signed.me), &here).with_nav(conn, &access)?;
            let line = |waiting: origins::Waiting| {
                let kind = records::kind(&waiting.kind)?;
                let fields: Vec<String> = waiting.fields.iter().map(|field| ui.label(kind.word(), field)).collect();
                Some(OfferLine {
                    href: format!("/patients/{}/{}/{}", access.id(), kind.name, waiting.record),
                    title: waiting.title,
                    kind: ui.kind_one(kind),
                    fields: fields.join(", "),
                })
            };
            let lines = waiting.into_iter().filter_map(line).collect();
            Ok(OffersPage { ui, lines })
        })
        .await?;
    render(&page)
}

/// `GET /patients/{patient}/original?key=`: what a file said of the person themselves.
pub async fn of_patient(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let key = body::query(&request).into_iter().find(|(n, _)| n == "key").map(|(_, v)| v).unwrap_or_default();
    let text = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let found = originals::one_of_patient(conn, &access, &key)?;
            note_read(app, &access, Action::Downloaded, Some("original"), None);
            Ok(found)
        })
        .await?;
    Ok(json(text))
}

/// `GET /patients/{patient}/{kind}/{record}/original`: what the source told of a record.
pub async fn of_record(app: web::Data<App>, signed: Signed, place: web::Path<(String, String, String)>) -> Result<HttpResponse> {
    let (patient, kind, record) = place.into_inner();
    let kind = records::kind(&kind).ok_or(Error::NotFound)?;
    let (patient, id) = (PatientId::parse(&patient).ok_or(Error::NotFound)?, RecordId::parse(&record).ok_or(Error::NotFound)?);
    let text = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let version = access.chart(kind)?.version(conn, &id)?;
            let found = origins::source(conn, &access, &id)?.ok_or(Error::NotFound)?;
            note_read(app, &access, Action::Downloaded, Some(kind.name), Some((&id, version)));
            Ok(found.original)
        })
        .await?;
    Ok(json(text))
}

/// A resource as it came, to be saved.
pub fn json(text: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/fhir+json")
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"original.json\""))
        .body(text)
}
