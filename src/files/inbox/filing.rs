//! `/inbox/file`: from the inbox to a patient, to one of their records, or to a record that is yet to be written. Several documents at once.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{FILED_MEANWHILE, named, pages::GoneLine};
use crate::{
    access::{self, Edit, PatientAccess, Rank, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    db::{
        Conn, Tx,
        types::{FileId, PatientId, RecordId},
    },
    error::{Error, Result},
    files::{
        File,
        pages::{Line, line_at, title},
        previews,
    },
    page::{self, Ui, note_read, render_with, see_other},
    records::{self, field::FieldError, overview, view::Choice},
};

#[derive(Template)]
#[template(path = "inbox/file.html")]
struct FilingPage {
    ui: Ui,
    documents: Vec<Line>,
    /// The first page of a document that is filed alone.
    preview: Option<previews::Picture>,
    gone: Vec<GoneLine>,
    /// How many were filed just now.
    filed: Option<String>,
    /// A record that was saved without them: its address.
    saved: Option<String>,
    people: Vec<Choice>,
    patient: Option<Chosen>,
    q: String,
    wrong: Vec<String>,
}

/// Whom the documents are for.
struct Chosen {
    id: String,
    name: String,
    /// Without a record: for who sees everything.
    whole: bool,
    /// Id, title, and what it is.
    records: Vec<(String, String, String)>,
    /// There are others, which words find.
    more: bool,
    kinds: Vec<Choice>,
}

/// Records that are shown to who has looked for none: those that were changed last.
const NEWEST: usize = 12;

/// What the page is asked with.
#[derive(Default)]
struct Asked {
    documents: Vec<FileId>,
    patient: Option<PatientId>,
    q: String,
    saved: Option<String>,
}

impl Asked {
    fn read(pairs: &[(String, String)]) -> Self {
        let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim()).filter(|v| !v.is_empty());
        // The address of a record of our own, as the form for a new one leads here.
        let saved = value("saved").filter(|path| path.starts_with("/patients/") && !path.contains(['\\', ':', '?', '#']));
        Self {
            documents: named(pairs, "document"),
            patient: value("patient").and_then(PatientId::parse),
            q: value("q").unwrap_or_default().chars().take(200).filter(|c| !c.is_control()).collect(),
            saved: saved.map(str::to_owned),
        }
    }
}

/// The documents that still wait, and what became of the others.
fn sorted(conn: &mut Conn, app: &App, signed: &Signed, ids: &[FileId]) -> Result<(Vec<File>, Vec<super::Filed>)> {
    let (mut waiting, mut gone) = (Vec::new(), Vec::new());
    for id in ids {
        match super::waiting(conn, &signed.actor, id, app.clock.now()) {
            Ok(file) => waiting.push(file),
            Err(Error::Conflict(_)) => gone.extend(super::filed(conn, &signed.actor, id, app.clock.now())?),
            // In the trash, or nothing of this person's.
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((waiting, gone))
}

fn filing_page(conn: &mut Conn, app: &App, signed: &Signed, asked: &Asked) -> Result<FilingPage> {
    let ui = Ui::new(Some(signed.me.clone()), "/inbox/file");
    let (waiting, gone) = sorted(conn, app, signed, &asked.documents)?;
    if waiting.is_empty() && gone.is_empty() {
        return Err(Error::NotFound);
    }
    let accesses = access::all(conn, &signed.actor, app.clock.now())?;
    let editable: Vec<&PatientAccess<View>> = accesses.list.iter().filter(|access| access.may(Rank::Edit)).collect();
    // Who looks after one person is not asked whose it is.
    let only = editable.first().filter(|_| editable.len() == 1).map(|access| access.id().clone());
    let wanted = asked.patient.clone().or(only);
    let chosen = wanted.as_ref().map(|id| editable.iter().find(|access| access.id() == id).copied().ok_or(Error::NotFound)).transpose()?;
    let patient = match chosen {
        Some(access) if !waiting.is_empty() => Some(chosen_patient(conn, app, &ui, access, &asked.q)?),
        _ => None,
    };
    let people = editable.iter().map(|access| Choice {
        value: access.id().to_string(),
        label: access.patient.name(),
        selected: wanted.as_ref() == Some(access.id()),
    });
    let mut documents: Vec<Line> = waiting.iter().map(|file| line_at(&ui, "/inbox", file)).collect();
    previews::mark(conn, &mut documents)?;
    let preview = match waiting.as_slice() {
        [one] => previews::Shown::load(conn, &ui, one, &format!("/inbox/{}", one.id), 1)?.pictures.into_iter().next(),
        _ => None,
    };
    Ok(FilingPage {
        people: people.collect(),
        documents,
        preview,
        gone: gone.iter().map(|filed| GoneLine::new(&ui, filed)).collect(),
        filed: None,
        saved: asked.saved.clone(),
        q: asked.q.clone(),
        wrong: Vec::new(),
        patient,
        ui,
    })
}

fn chosen_patient(conn: &mut Conn, app: &App, ui: &Ui, access: &PatientAccess<View>, q: &str) -> Result<Chosen> {
    // The titles of records of every kind.
    note_read(app, access, Action::Listed, Some("links"), None);
    let line = |head: &records::Head| {
        let about = [records::kind(&head.kind).map(|kind| ui.kind_one(kind)), head.occurred_on.as_deref().map(|day| ui.day(day))];
        (head.id.to_string(), title(ui, head), about.into_iter().flatten().collect::<Vec<_>>().join(" · "))
    };
    let mut heads = overview::linkable(conn, access, None, q)?;
    let more = q.is_empty() && heads.len() > NEWEST;
    if more {
        heads.truncate(NEWEST);
    }
    let kinds = records::kinds().iter().filter(|kind| access.scope().allows_kind(kind.name));
    Ok(Chosen {
        id: access.id().to_string(),
        name: access.patient.name(),
        whole: access.scope().is_whole(),
        records: heads.iter().map(line).collect(),
        more,
        kinds: kinds.map(|kind| Choice { value: kind.name.to_owned(), label: ui.kind_one(kind), selected: false }).collect(),
    })
}

/// `GET /inbox/file?document=...`: whose they are; with `patient`, which record.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let asked = Asked::read(&body::query(&request));
    if asked.documents.is_empty() {
        return Ok(see_other("/inbox"));
    }
    let saved = asked.saved.clone();
    let shown = app
        .read(move |conn, app| {
            let page = filing_page(conn, app, &signed, &asked)?;
            let status = if page.gone.is_empty() { StatusCode::OK } else { StatusCode::CONFLICT };
            Ok((status, page::text(&page)?))
        })
        .await;
    match (shown, saved) {
        // Nothing of the inbox is theirs any more; the record that was saved is.
        (Err(Error::NotFound), Some(record)) => Ok(see_other(&record)),
        (shown, _) => shown.map(|(status, text)| page::html(status, text)),
    }
}

/// `POST /inbox/file`: files the documents with the patient, with the record (`_what`: record), or leads to the form of a new record that
/// takes them (`_what`: new, `kind`).
pub async fn submit(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let pairs = body::form(&request, payload).await?;
    let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim()).unwrap_or_default();
    let ids = named(&pairs, "document");
    let patient = PatientId::parse(value("patient")).filter(|_| !ids.is_empty()).ok_or(Error::NotFound)?;
    let record = match value("_what") {
        "new" => return to_new(&patient, value("kind"), &ids),
        "record" => Some(RecordId::parse(value("record"))),
        "patient" => None,
        // Where documents go is said, and never guessed.
        _ => return Err(Error::BadRequest("broken_form")),
    };
    let (of, who, papers) = (patient.clone(), signed.clone(), ids.clone());
    let filed = match record {
        Some(None) => Err(Error::Invalid(vec![("record".to_owned(), FieldError::Rule("error.choose_record"))])),
        record => app.write(move |tx, app| file_all(tx, app, &who, &papers, &of, record.as_ref().and_then(Option::as_ref))).await,
    };
    let (gone, filed, errors) = match filed {
        Ok(Done { gone, next, .. }) if gone.is_empty() => return Ok(see_other(&next)),
        Ok(Done { gone, filed, .. }) => (gone, filed, Vec::new()),
        Err(Error::Invalid(errors)) => (ids, 0, errors),
        Err(error) => return Err(error),
    };
    let status = if errors.is_empty() { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = app
        .read(move |conn, app| {
            let asked = Asked { documents: gone, patient: Some(patient), ..Asked::default() };
            let page = filing_page(conn, app, &signed, &asked)?;
            let told = (filed > 0).then(|| page.ui.n("inbox.filed", &filed));
            let wrong = errors.iter().map(|(_, error)| page.ui.error(error)).collect();
            Ok(FilingPage { filed: told, wrong, ..page })
        })
        .await?;
    render_with(status, &page)
}

/// To the form that attaches the documents when it is saved; until then they stay where they are.
fn to_new(patient: &PatientId, kind: &str, ids: &[FileId]) -> Result<HttpResponse> {
    let kind = records::kind(kind).ok_or(Error::NotFound)?;
    let papers: Vec<(&str, &str)> = ids.iter().map(|id| ("inbox", id.as_str())).collect();
    let query = serde_urlencoded::to_string(papers).map_err(|_| Error::BadRequest("broken_form"))?;
    Ok(see_other(&format!("/patients/{patient}/{}/new?{query}", kind.name)))
}

/// What came of it.
struct Done {
    filed: i64,
    /// What somebody else filed meanwhile.
    gone: Vec<FileId>,
    next: String,
}

/// Files those that wait.
fn file_all(tx: &mut Tx<'_>, app: &App, signed: &Signed, ids: &[FileId], patient: &PatientId, record: Option<&RecordId>) -> Result<Done> {
    let access = access::grant::<Edit>(tx, &signed.actor, patient, app.clock.now())?;
    let mut done = Done { filed: 0, gone: Vec::new(), next: format!("/patients/{patient}/files?done=filed") };
    for id in ids {
        match super::file_to(tx, &access, id, record, app.quota()) {
            Ok(()) => done.filed += 1,
            Err(Error::Conflict(FILED_MEANWHILE)) => done.gone.push(id.clone()),
            Err(error) => return Err(error),
        }
    }
    if let Some(record) = record {
        let heads = records::chart::headings(tx, &access, std::slice::from_ref(record))?;
        done.next = heads.get(record).map_or(done.next, |head| format!("/patients/{patient}/{}/{record}", head.kind));
    }
    Ok(done)
}
