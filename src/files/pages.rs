//! The pages of documents: a patient's papers, one of them, its trash; uploads come here from every page that has papers.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{CATEGORIES, Details, File, Of, previews, serve, upload};
use crate::{
    access::{self, AtLeast, Edit, Level, PatientAccess, Rank, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    db::{
        Conn, Tx,
        types::{FileId, PatientId, RecordId},
    },
    error::{Error, Result},
    page::{self, Ui, note_read, render_with, see_other},
    paperless::sync::{connection, document},
    records::{
        self, Head,
        field::{Errors, FieldError, Mode},
        view::Choice,
    },
};

/// One document in a list.
pub struct Line {
    pub href: String,
    pub name: String,
    pub about: String,
    /// The record it belongs to: address and title.
    pub record: Option<(String, String)>,
    pub id: String,
    /// `PDF`, `JPEG`: what stands there where there is no picture.
    pub kind: String,
    /// Where its small picture is; empty if there is none.
    pub picture: String,
    /// How it stands in Paperless-ngx, where a list tells that.
    pub badge: String,
}

pub(crate) fn line(ui: &Ui, patient: &PatientId, file: &File, head: Option<&Head>) -> Line {
    let mut about = vec![kind_word(ui, file), size_word(ui, file.size())];
    about.extend(file.category.as_deref().map(|word| ui.choice("FileCategory", word)));
    about.extend(file.document_date.as_deref().map(|date| ui.date(date)));
    Line {
        href: format!("/patients/{patient}/files/{}", file.id),
        name: file.description.clone().filter(|text| text.chars().count() <= 80).unwrap_or_else(|| file.file_name.clone()),
        about: about.join(" · "),
        record: head.map(|head| (format!("/patients/{patient}/{}/{}", head.kind, head.id), title(ui, head))),
        id: file.id.to_string(),
        kind: kind_word(ui, file),
        picture: String::new(),
        badge: String::new(),
    }
}

fn title(ui: &Ui, head: &Head) -> String {
    if head.title.is_empty() { ui.t("record.untitled") } else { head.title.clone() }
}

/// `PDF`, `JPEG`: what people call it, which is its ending.
fn kind_word(ui: &Ui, file: &File) -> String {
    let ending = file.kind().and_then(|kind| kind.endings.first()).map(|ending| ending.to_uppercase());
    ending.unwrap_or_else(|| ui.t("file.document"))
}

/// `340 kB`, `1.2 MB`: as file managers tell it, in thousands.
pub fn size_word(ui: &Ui, bytes: u64) -> String {
    let (number, unit) = match bytes {
        0..1_000 => (bytes.to_string(), "B"),
        1_000..1_000_000 => ((bytes / 1_000).to_string(), "kB"),
        _ => (format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000), "MB"),
    };
    ui.words.with("file.size", &[("number", &number), ("unit", unit)])
}

#[derive(Template)]
#[template(path = "files/list.html")]
struct ListPage {
    ui: Ui,
    base: String,
    files: Vec<Line>,
    in_trash: bool,
    may_edit: bool,
    /// Of the patient alone, without a record: only who sees everything puts a document there.
    may_add: bool,
    /// Who looks has a Paperless-ngx of their own, from which documents can be taken.
    take_from: Option<String>,
    categories: Vec<Choice>,
    done: String,
    twins: Vec<(String, String)>,
    refused: Vec<(String, String)>,
    /// The largest that is stored, in bytes.
    most: u64,
}

impl ListPage {
    fn load<L: Level>(conn: &mut Conn, app: &App, access: &PatientAccess<L>, ui: Ui, in_trash: bool) -> Result<Self> {
        let found = super::list(conn, access, if in_trash { Of::Trash } else { Of::Everything })?;
        let ui = ui.with_nav(conn, access)?;
        let badges = document::badges(conn, access, &ui)?;
        let badge = |file: &File| badges.get(&file.id).cloned().unwrap_or_default();
        let may_take = access.may(Rank::Edit) && connection::of(conn, &access.actor.user)?.is_some();
        let told = |(file, head): &(File, Option<Head>)| Line { badge: badge(file), ..line(&ui, access.id(), file, head.as_ref()) };
        let mut files: Vec<Line> = found.iter().map(told).collect();
        if !in_trash {
            previews::mark(conn, &mut files)?;
        }
        Ok(Self {
            base: format!("/patients/{}/files", access.id()),
            files,
            take_from: may_take.then(|| format!("/patients/{}/paperless", access.id())),
            in_trash,
            may_edit: access.may(Rank::Edit),
            may_add: access.may(Rank::Edit) && access.scope().is_whole(),
            categories: categories(&ui, ""),
            done: String::new(),
            twins: Vec::new(),
            refused: Vec::new(),
            most: app.config.max_upload,
            ui,
        })
    }
}

fn categories(ui: &Ui, chosen: &str) -> Vec<Choice> {
    let choice = |word: &&str| Choice { value: (*word).to_owned(), label: ui.choice("FileCategory", word), selected: *word == chosen };
    CATEGORIES.iter().map(choice).collect()
}

fn place(path: &(String, String)) -> Result<(PatientId, FileId)> {
    Ok((PatientId::parse(&path.0).ok_or(Error::NotFound)?, FileId::parse(&path.1).ok_or(Error::NotFound)?))
}

/// `GET /patients/{patient}/files`; `?trash=1` shows what was thrown away.
pub async fn list(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let pairs = body::query(&request);
    let given = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let (done, in_trash, twins) = (given("done"), given("trash") == "1", given("twins"));
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            note_read(app, &access, Action::Listed, Some(super::KIND), None);
            let page = ListPage::load(conn, app, &access, Ui::new(Some(signed.me), &here), in_trash)?;
            let twins = twins_of(conn, &access, &page.ui, &twins)?;
            let done = if DONE.contains(&done.as_str()) { page.ui.t2("file.done", &done) } else { String::new() };
            page::text(&ListPage { done, twins, ..page })
        })
        .await?;
    Ok(page::html(StatusCode::OK, page))
}

/// What a page can be told that it was done; anything else in the address is nobody's word.
const DONE: &[&str] = &["added", "deleted", "restored"];

/// The documents that have come twice: the new one's address and the known one's name.
fn twins_of<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ui: &Ui, ids: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for id in ids.split(',').take(20).filter_map(FileId::parse) {
        match super::living(conn, access, &id) {
            Ok((file, head)) => {
                let line = line(ui, access.id(), &file, head.as_ref());
                found.push((line.href, line.name));
            }
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// `POST /patients/{patient}/files`: any number of files, for the patient or for the record that the form names.
pub async fn upload(
    app: web::Data<App>,
    signed: Signed,
    patient: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let (actor, of) = (signed.actor.clone(), patient.clone());
    app.read(move |conn, app| access::grant::<Edit>(conn, &actor, &of, app.clock.now()).map(drop)).await?;
    let received = upload::receive(&app, body::parts(&request, payload)?, upload::FILES).await?;
    let typing = signed.me.dates.typing(app.clock.today());
    let details = Details::read(|name| received.field(name), Mode::Typed(typing));
    let (files, of, who) = (received.files.clone(), patient.clone(), signed.clone());
    let outcome = match details {
        Ok(details) => app.write(move |tx, app| add_all(tx, app, &who, &of, &files, &details)).await,
        Err(errors) => Err(Error::Invalid(errors)),
    };
    let mut refused: Vec<(String, FieldError)> = received.refused.clone();
    match outcome {
        Ok(added) if refused.is_empty() && !received.files.is_empty() => return Ok(see_other(&added)),
        Ok(_) if received.files.is_empty() && refused.is_empty() => {
            refused.push((String::new(), FieldError::Rule("error.no_file_chosen")));
        }
        Ok(_) => {}
        Err(Error::Invalid(errors)) => {
            received.give_up(&app).await;
            refused.extend(errors);
        }
        Err(error) => {
            received.give_up(&app).await;
            return Err(error);
        }
    }
    refusal(&app, signed, patient, refused).await
}

/// Adds them all; answers with where to go.
fn add_all(
    tx: &mut Tx<'_>,
    app: &App,
    signed: &Signed,
    patient: &PatientId,
    files: &[super::NewFile],
    details: &Details,
) -> Result<String> {
    let access = access::grant::<Edit>(tx, &signed.actor, patient, app.clock.now())?;
    let mut twins = Vec::new();
    for file in files {
        twins.extend(super::twin(tx, &access, &file.blob.arrived.sums.sha256)?.map(|(twin, _)| twin.id.to_string()));
        super::add(tx, &access, file, details)?;
    }
    if !twins.is_empty() {
        return Ok(format!("/patients/{patient}/files?done=added&twins={}", twins.join(",")));
    }
    match &details.record {
        None => Ok(format!("/patients/{patient}/files?done=added")),
        Some(record) => back_to(tx, &access, record),
    }
}

fn back_to<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, record: &RecordId) -> Result<String> {
    let heads = records::chart::headings(conn, access, std::slice::from_ref(record))?;
    let head = heads.get(record).ok_or(Error::NotFound)?;
    Ok(format!("/patients/{}/{}/{record}", access.id(), head.kind))
}

/// The list, with what was not taken and why; what was taken stands in it.
async fn refusal(app: &web::Data<App>, signed: Signed, patient: PatientId, refused: Vec<(String, FieldError)>) -> Result<HttpResponse> {
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Edit>(conn, &signed.actor, &patient, app.clock.now())?;
            let here = format!("/patients/{patient}/files");
            let page = ListPage::load(conn, app, &access, Ui::new(Some(signed.me.clone()), &here), false)?;
            let told = refused.iter().map(|(name, error)| (name.clone(), page.ui.error(error))).collect();
            Ok(ListPage { refused: told, ..page })
        })
        .await?;
    render_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

#[derive(Template)]
#[template(path = "files/show.html")]
struct ShowPage {
    ui: Ui,
    base: String,
    href: String,
    name: String,
    about: String,
    uploaded: String,
    is_shown: bool,
    shown: previews::Shown,
    may_edit: bool,
    record: Option<(String, String)>,
    records: Vec<Choice>,
    description: String,
    document_date: String,
    categories: Vec<Choice>,
    version: i32,
    in_trash: bool,
    paperless: Option<document::Panel>,
    wrong: Vec<(String, String)>,
}

impl ShowPage {
    fn load<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ui: Ui, found: &(File, Option<Head>), from: i32) -> Result<Self> {
        let (file, head) = found;
        let ui = ui.with_nav(conn, access)?;
        let line = line(&ui, access.id(), file, head.as_ref());
        let record_id = file.record_id.as_ref().map(ToString::to_string).unwrap_or_default();
        Ok(Self {
            base: format!("/patients/{}/files", access.id()),
            name: file.file_name.clone(),
            about: line.about,
            uploaded: ui.moment(&file.uploaded_at),
            is_shown: file.kind().is_some_and(|kind| kind.inline),
            shown: previews::Shown::load(conn, &ui, file, &line.href, from)?,
            may_edit: access.may(Rank::Edit),
            record: line.record,
            records: places(conn, access, &ui, &record_id)?,
            href: line.href,
            description: file.description.clone().unwrap_or_default(),
            document_date: file.document_date.clone().unwrap_or_default(),
            categories: categories(&ui, file.category.as_deref().unwrap_or_default()),
            version: file.version,
            in_trash: file.deleted_at.is_some(),
            paperless: document::panel(conn, access, &ui, file)?,
            wrong: Vec::new(),
            ui,
        })
    }
}

/// Where a document can be moved: to the patient, or to one of the records changed lately; its own stands among them.
fn places<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ui: &Ui, chosen: &str) -> Result<Vec<Choice>> {
    let mut heads = records::overview::lately(conn, access, 100)?;
    if let Some(own) = RecordId::parse(chosen).filter(|own| !heads.iter().any(|head| head.id == *own)) {
        heads.extend(records::chart::headings(conn, access, &[own])?.into_values());
    }
    let word = |head: &Head| records::kind(&head.kind).map(|kind| ui.kind_one(kind)).unwrap_or_default();
    let mut places = Vec::new();
    if access.scope().is_whole() {
        places.push(Choice { value: String::new(), label: ui.t("file.of_the_patient"), selected: chosen.is_empty() });
    }
    places.extend(heads.iter().map(|head| Choice {
        value: head.id.to_string(),
        label: format!("{}: {}", word(head), title(ui, head)),
        selected: head.id.as_str() == chosen,
    }));
    Ok(places)
}

/// `GET /patients/{patient}/files/{file}`.
pub async fn show(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>, request: HttpRequest) -> Result<HttpResponse> {
    let (patient, id) = place(&path)?;
    let (here, from) = (request.path().to_owned(), previews::wanted(&request));
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let found = super::find(conn, &access, &id)?;
            super::note_look(app, &access, Action::Read, &found.0);
            page::text(&ShowPage::load(conn, &access, Ui::new(Some(signed.me), &here), &found, from)?)
        })
        .await?;
    Ok(page::html(StatusCode::OK, page))
}

/// `POST /patients/{patient}/files/{file}`: what it is about, and where it belongs.
pub async fn change(
    app: web::Data<App>,
    signed: Signed,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let (patient, id) = place(&path)?;
    let (actor, of, one) = (signed.actor.clone(), patient.clone(), id.clone());
    app.read(move |conn, app| {
        let access = access::grant::<Edit>(conn, &actor, &of, app.clock.now())?;
        super::living(conn, &access, &one).map(drop)
    })
    .await?;
    let pairs = body::form(&request, payload).await?;
    let next = format!("/patients/{patient}/files/{id}");
    let typing = signed.me.dates.typing(app.clock.today());
    let wrong = app
        .write(move |tx, app| {
            let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
            let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
            let version = value("_version").parse().unwrap_or_default();
            let changed = Details::read(value, Mode::Typed(typing))
                .map_err(Error::Invalid)
                .and_then(|details| super::change(tx, &access, &id, version, &details));
            match changed {
                Ok(()) => Ok(None),
                Err(Error::Invalid(errors)) => wrong_page(tx, &access, &signed, &id, &value, &errors).map(Some),
                Err(error) => Err(error),
            }
        })
        .await?;
    match wrong {
        None => Ok(see_other(&next)),
        Some(page) => render_with(StatusCode::UNPROCESSABLE_ENTITY, &page),
    }
}

/// The page again with what was typed.
fn wrong_page<L: AtLeast<Edit>>(
    conn: &mut Conn,
    access: &PatientAccess<L>,
    signed: &Signed,
    id: &FileId,
    value: &impl Fn(&str) -> String,
    errors: &Errors,
) -> Result<ShowPage> {
    let found = super::living(conn, access, id)?;
    let here = format!("/patients/{}/files/{id}", access.id());
    let page = ShowPage::load(conn, access, Ui::new(Some(signed.me.clone()), &here), &found, 1)?;
    Ok(ShowPage {
        wrong: errors.iter().map(|(name, error)| (name.clone(), page.ui.error(error))).collect(),
        description: value("description"),
        document_date: value("document_date"),
        categories: categories(&page.ui, &value("category")),
        ..page
    })
}

/// `GET /patients/{patient}/files/{file}/content`; `?inline=1` shows it where its kind may be shown.
pub async fn content(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>, request: HttpRequest) -> Result<HttpResponse> {
    let (patient, id) = place(&path)?;
    let inline = body::query(&request).iter().any(|(name, _)| name == "inline");
    let file = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let (file, _) = super::living(conn, &access, &id)?;
            super::note_look(app, &access, if inline { Action::Read } else { Action::Downloaded }, &file);
            Ok(file)
        })
        .await?;
    serve::send(&app, &request, &file, inline).await
}

/// `POST /patients/{patient}/files/{file}/delete`: into the trash.
pub async fn delete(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (patient, id) = place(&path)?;
    let next = format!("/patients/{patient}/files?done=deleted");
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        super::remove(tx, &access, &id)
    })
    .await?;
    Ok(see_other(&next))
}

/// `POST /patients/{patient}/files/{file}/restore`: back from it.
pub async fn restore(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (patient, id) = place(&path)?;
    let next = format!("/patients/{patient}/files/{id}");
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        super::restore(tx, &access, &id)
    })
    .await?;
    Ok(see_other(&next))
}
