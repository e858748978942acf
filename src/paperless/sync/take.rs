//! Taking a document that is in one's own Paperless-ngx already: sought by words, shown with thumbnails, and made a document of the patient.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use askama::Template;

use super::{
    connection::{self, Connection},
    copies::{self, Copy, State, Step},
    reason, worker,
};
use crate::{
    access::{self, Edit, PatientAccess},
    app::App,
    audit::Action,
    auth::{form::Form, session::Signed},
    body,
    db::{
        Conn, Tx,
        types::{PatientId, RecordId},
    },
    error::{Error, Result},
    files::{self, Details, NewFile, blobs},
    page::{self, Ui, note_read, render_with, see_other},
    paperless::{DocumentId, Fault, Hits, Part},
    records,
    records::view::Choice,
    storage::kinds,
};

/// More than any thumbnail that either version makes.
const MOST_THUMBNAIL: usize = 1024 * 1024;
/// Records changed lately that a document can be put to.
const PLACES: i64 = 100;

#[derive(Template)]
#[template(path = "files/take.html")]
struct TakePage {
    ui: Ui,
    base: String,
    is_connected: bool,
    wrong: String,
    q: String,
    hits: Vec<Line>,
    sought: bool,
    total: i64,
    next: Option<String>,
    places: Vec<Choice>,
}

struct Line {
    id: i64,
    title: String,
    about: String,
    parts: Vec<Part>,
}

fn patient_of(text: &str) -> Result<PatientId> {
    PatientId::parse(text).ok_or(Error::NotFound)
}

impl TakePage {
    fn load(conn: &mut Conn, access: &PatientAccess<Edit>, signed: &Signed, own: Option<&Connection>) -> Result<Self> {
        let base = format!("/patients/{}/paperless", access.id());
        let ui = Ui::new(Some(signed.me.clone()), &base).with_nav(conn, access)?;
        let places = places(conn, access, &ui)?;
        let is_connected = own.is_some_and(|own| !own.leaving);
        let (wrong, q) = (String::new(), String::new());
        Ok(Self { base, is_connected, wrong, q, hits: Vec::new(), sought: false, total: 0, next: None, places, ui })
    }

    fn with(mut self, q: &str, page: u32, found: Result<Hits, Fault>) -> Self {
        q.clone_into(&mut self.q);
        self.sought = !q.trim().is_empty();
        match found {
            Err(fault) => self.wrong = reason::sentence_now(&self.ui.words, &reason::of_fault(&fault)),
            Ok(found) => {
                let line = |hit: crate::paperless::Hit| Line {
                    id: hit.document.id.0,
                    about: hit.document.created.map(|day| self.ui.date(&day.to_string())).unwrap_or_default(),
                    title: if hit.document.title.is_empty() { self.ui.t("record.untitled") } else { hit.document.title },
                    parts: hit.highlight,
                };
                self.hits = found.hits.into_iter().map(line).collect();
                self.total = i64::try_from(found.total).unwrap_or(i64::MAX);
                let query = || serde_urlencoded::to_string([("q", q), ("page", &(page + 1).to_string())]).ok();
                self.next = found.has_more.then(query).flatten();
            }
        }
        self
    }
}

fn places(conn: &mut Conn, access: &PatientAccess<Edit>, ui: &Ui) -> Result<Vec<Choice>> {
    let heads = records::overview::lately(conn, access, PLACES)?;
    let word = |kind: &str| records::kind(kind).map(|kind| ui.kind_one(kind)).unwrap_or_default();
    let patient = access.scope().is_whole().then(|| Choice { value: String::new(), label: ui.t("file.of_the_patient"), selected: true });
    let records = heads.iter().map(|head| Choice {
        value: head.id.to_string(),
        label: format!("{}: {}", word(&head.kind), head.title),
        selected: false,
    });
    Ok(patient.into_iter().chain(records).collect())
}

/// `GET /patients/{patient}/paperless?q=`.
pub async fn show(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = patient_of(&patient)?;
    let query = Form(body::query(&request));
    let (q, number) = (query.text("q"), query.text("page").parse().unwrap_or(1_u32).clamp(1, 10_000));
    let text = app
        .run(move |app| {
            let (page, own) = app.db.read(|conn| {
                let access = access::grant::<Edit>(conn, &signed.actor, &patient, app.clock.now())?;
                note_read(app, &access, Action::Listed, Some(files::KIND), None);
                let own = connection::of(conn, &signed.me.id)?;
                Ok((TakePage::load(conn, &access, &signed, own.as_ref())?, own))
            })?;
            let Some(own) = own.filter(|_| page.is_connected && !q.is_empty()) else { return page::text(&page) };
            let found = (|| own.client(&app.paperless.network()?, &app.key)?.search(&q, number))();
            page::text(&page.with(&q, number, found))
        })
        .await?;
    Ok(page::html(StatusCode::OK, text))
}

/// `GET /patients/{patient}/paperless/{document}/thumbnail`: through this server, and a picture only.
pub async fn thumbnail(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (patient, document) = (patient_of(&path.0)?, path.1.parse::<i64>().map_err(|_| Error::NotFound)?);
    let picture = app
        .run(move |app| {
            let own = app.db.read(|conn| {
                access::grant::<Edit>(conn, &signed.actor, &patient, app.clock.now())?;
                connection::named(conn, &signed.me.id)
            })?;
            let read = || own.client(&app.paperless.network()?, &app.key)?.thumbnail(DocumentId(document), MOST_THUMBNAIL);
            read().map_err(|_| Error::NotFound)
        })
        .await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, picture.media_type))
        .insert_header((header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .body(picture.bytes))
}

/// `POST /patients/{patient}/paperless`: `document` becomes a document of the patient, or of the `record`. It is read to its end first, so that
/// what is linked is known.
pub async fn take(
    app: web::Data<App>,
    signed: Signed,
    patient: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let patient = patient_of(&patient)?;
    access::must_be::<Edit>(&app, &signed.actor, &patient).await?;
    let form = Form::read(&request, payload).await?;
    let (q, who, whom) = (form.text("q"), signed.clone(), patient.clone());
    match app.run(move |app| taken(app, &who, &whom, &form)).await? {
        Ok(next) => Ok(see_other(&next)),
        Err(fault) => {
            let page = app
                .read(move |conn, app| {
                    let access = access::grant::<Edit>(conn, &signed.actor, &patient, app.clock.now())?;
                    let own = connection::of(conn, &signed.me.id)?;
                    Ok(TakePage::load(conn, &access, &signed, own.as_ref())?.with(&q, 1, Err(fault)))
                })
                .await?;
            render_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

fn taken(app: &App, signed: &Signed, patient: &PatientId, form: &Form) -> Result<Result<String, Fault>> {
    let own = app.db.read(|conn| connection::of(conn, &signed.me.id))?.filter(|own| !own.leaving);
    let own = own.ok_or(Error::Conflict("paperless_not_connected"))?;
    let id = form.text("document").parse().map(DocumentId).map_err(|_| Error::BadRequest("bad_request"))?;
    let record = Some(form.text("record")).filter(|text| !text.is_empty());
    let record = record.map(|text| RecordId::parse(&text).ok_or(Error::NotFound)).transpose()?;
    let found = (|| {
        let client = own.client(&app.paperless.network()?, &app.key)?;
        let document = client.document(id)?;
        let kept = match worker::take_in(app, &client, id) {
            Ok(kept) => kept.ok_or(Fault::Empty)?,
            Err(worker::Trouble::Fault(fault)) => return Err(fault),
            Err(worker::Trouble::Error(_)) => return Err(Fault::Here(std::io::ErrorKind::Other)),
        };
        Ok((document, kept))
    })();
    let (document, kept) = match found {
        Ok(found) => found,
        Err(fault) => return Ok(Err(fault)),
    };
    let name = files::clean_name(document.original_file_name.as_deref().unwrap_or(&document.title));
    let Ok(kind) = kinds::of(&kept.arrived.head, &name) else {
        blobs::give_up(app, app.storage.as_ref(), &kept.name);
        return Ok(Err(Fault::Type));
    };
    let details = Details {
        record,
        description: Some(document.title.chars().take(files::LONGEST_DESCRIPTION).collect()).filter(|title: &String| !title.is_empty()),
        document_date: document.created.map(|day| day.to_string()),
        category: None,
    };
    let (blob, new) = (kept.name.clone(), Arc::new(NewFile { blob: kept, name, kind }));
    let added = app.db.write(|tx| add(tx, app, signed, patient, &own, id, &new, &details));
    if added.is_err() {
        blobs::give_up(app, app.storage.as_ref(), &blob);
    }
    added.map(Ok)
}

#[expect(clippy::too_many_arguments, reason = "one transaction, what it writes, and for whom")]
fn add(
    tx: &mut Tx<'_>,
    app: &App,
    signed: &Signed,
    patient: &PatientId,
    own: &Connection,
    id: DocumentId,
    new: &NewFile,
    details: &Details,
) -> Result<String> {
    let access = access::grant::<Edit>(tx, &signed.actor, patient, app.clock.now())?;
    let file = files::add(tx, &access, app.quota(), new, details)?;
    // What is added goes there by itself, if that was chosen; this one is there already.
    copies::drop_one(tx, &file)?;
    let mut copy = Copy::new(&file, &own.user_id, own.keep_local, access.now);
    (copy.document_id, copy.proved_at) = (Some(id.0), Some(access.now));
    // Our link and our tags are said there next.
    copy.go(State::Synced, Step::Tell, access.now);
    copies::insert(tx, &copy)?;
    Ok(format!("/patients/{patient}/files/{file}"))
}
