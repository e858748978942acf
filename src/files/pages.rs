//! The pages of documents: a patient's papers, one of them, its trash; uploads come here from every page that has papers.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{
    CATEGORIES, Details, File, previews,
    query::{self, FileQuery, Paging},
    quota, serve, twins,
    upload::{self, Adding, Left, NotAll},
};
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
        pages::ConflictLine,
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
    /// When it came.
    pub arrived: String,
}

pub(crate) fn line(ui: &Ui, patient: &PatientId, file: &File, head: Option<&Head>) -> Line {
    let record = head.map(|head| (format!("/patients/{patient}/{}/{}", head.kind, head.id), title(ui, head)));
    Line { record, ..line_at(ui, &format!("/patients/{patient}/files"), file) }
}

/// The same for a document whose addresses begin so.
pub(crate) fn line_at(ui: &Ui, base: &str, file: &File) -> Line {
    let mut about = vec![kind_word(ui, file), size_word(ui, file.size())];
    about.extend(file.category.as_deref().map(|word| ui.choice("FileCategory", word)));
    about.extend(file.document_date.as_deref().map(|date| ui.date(date)));
    Line {
        href: format!("{base}/{}", file.id),
        name: shown_name(file),
        about: about.join(" · "),
        record: None,
        id: file.id.to_string(),
        kind: kind_word(ui, file),
        picture: String::new(),
        badge: String::new(),
        arrived: ui.moment(&file.uploaded_at),
    }
}

/// What a person called it, if that is short enough for a line, else the file's name.
pub(super) fn shown_name(file: &File) -> String {
    file.description.clone().filter(|text| text.chars().count() <= 80).unwrap_or_else(|| file.file_name.clone())
}

pub(super) fn title(ui: &Ui, head: &Head) -> String {
    if head.title.is_empty() { ui.t("record.untitled") } else { head.title.clone() }
}

/// `PDF`, `JPEG`: what people call it, which is its ending.
fn kind_word(ui: &Ui, file: &File) -> String {
    let ending = file.kind().and_then(|kind| kind.endings.first()).map(|ending| ending.to_uppercase());
    ending.unwrap_or_else(|| ui.t("file.document"))
}

/// `340 kB`, `1.2 MB`: as file managers tell it, in thousands.
pub fn size_word(ui: &Ui, bytes: u64) -> String {
    let told = quota::size(bytes);
    let (number, unit) = told.split_once(' ').unwrap_or((&told, ""));
    ui.words.with("file.size", &[("number", number), ("unit", unit)])
}

#[derive(Template)]
#[template(path = "files/list.html")]
#[expect(clippy::struct_excessive_bools, reason = "what a template asks")]
struct ListPage {
    ui: Ui,
    base: String,
    files: Vec<Line>,
    in_trash: bool,
    may_edit: bool,
    may_purge: bool,
    /// Of the patient alone, without a record: only who sees everything puts a document there.
    may_add: bool,
    /// Who looks has a Paperless-ngx of their own, from which documents can be taken.
    take_from: Option<String>,
    categories: Vec<Choice>,
    done: String,
    left: Left,
    /// The largest that is stored, in bytes.
    most: u64,
    /// How much the household uses.
    quota: Option<String>,
    q: String,
    by_category: Vec<Choice>,
    by_record: Vec<Choice>,
    narrowed: bool,
    wrong: Vec<String>,
    paging: Paging,
}

impl ListPage {
    fn load<L: Level>(conn: &mut Conn, app: &App, access: &PatientAccess<L>, ui: Ui, pairs: &[(String, String)]) -> Result<Self> {
        let (mut query, errors) = FileQuery::read(pairs, Mode::Typed(ui.words.dates.typing(app.clock.today())));
        let given = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
        query.trash = given("trash") == "1";
        let base = format!("/patients/{}/files", access.id());
        // A filter that means nothing shows nothing, and not everything.
        let (found, total) = if errors.is_empty() { query::of_patient(conn, access, &query)? } else { (Vec::new(), 0) };
        let with_papers = query::records_with_papers(conn, access)?;
        let ui = ui.with_nav(conn, access)?;
        let badges = document::badges(conn, access, &ui)?;
        let badge = |file: &File| badges.get(&file.id).cloned().unwrap_or_default();
        let may_take = access.may(Rank::Edit) && connection::of(conn, &access.actor.user)?.is_some();
        let told = |(file, head): &(File, Option<Head>)| Line { badge: badge(file), ..line(&ui, access.id(), file, head.as_ref()) };
        let mut files: Vec<Line> = found.iter().map(told).collect();
        if !query.trash {
            previews::mark(conn, &mut files)?;
        }
        Ok(Self {
            files,
            take_from: may_take.then(|| format!("/patients/{}/paperless", access.id())),
            in_trash: query.trash,
            may_edit: access.may(Rank::Edit),
            may_purge: access.may(Rank::Full),
            may_add: access.may(Rank::Edit) && access.scope().is_whole(),
            categories: categories(&ui, ""),
            done: String::new(),
            left: Left::default(),
            most: app.config.max_upload,
            quota: quota::sentence(conn, &ui, app.quota(), access.household(), &access.actor.user)?,
            q: given("q"),
            by_category: categories(&ui, query.category.unwrap_or_default()),
            by_record: record_filter(&ui, &query, access.scope().is_whole(), &with_papers),
            narrowed: query.is_narrowed() || !errors.is_empty(),
            wrong: errors.iter().map(|(_, error)| ui.error(error)).collect(),
            paging: Paging::new(&base, pairs, &query, found.len(), total),
            base,
            ui,
        })
    }
}

/// Without a record, or with one of those that have documents.
fn record_filter(ui: &Ui, query: &FileQuery, whole: bool, heads: &[Head]) -> Vec<Choice> {
    let without = Choice { value: query::WITHOUT.to_owned(), label: ui.t("file.without_record"), selected: query.of == query::Of::None };
    let of = |head: &Head| Choice {
        value: head.id.to_string(),
        label: title(ui, head),
        selected: query.of == query::Of::Record(head.id.clone()),
    };
    whole.then_some(without).into_iter().chain(heads.iter().map(of)).collect()
}

pub(super) fn categories(ui: &Ui, chosen: &str) -> Vec<Choice> {
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
    let here = request.path().to_owned();
    let (status, page) = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            note_read(app, &access, Action::Listed, Some(super::KIND), None);
            let page = ListPage::load(conn, app, &access, Ui::new(Some(signed.me), &here), &pairs)?;
            let status = if page.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            Ok((status, page::text(&ListPage { done: done(&page.ui, &pairs), ..page })?))
        })
        .await?;
    Ok(page::html(status, page))
}

/// What a page can be told that it was done; anything else in the address is nobody's word.
pub(super) fn done(ui: &Ui, pairs: &[(String, String)]) -> String {
    let told = pairs.iter().find(|(name, _)| name == "done").map(|(_, value)| value.as_str()).unwrap_or_default();
    if ["added", "deleted", "restored", "filed", "purged"].contains(&told) { ui.t2("file.done", told) } else { String::new() }
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
    let added = upload::add_received(&app, received, details, move |tx, app, details| add_all(tx, app, &who, &of, &files, details)).await?;
    match added {
        upload::Outcome::All(next) => Ok(see_other(&next)),
        upload::Outcome::NotAll(left) => refusal(&app, signed, patient, left).await,
    }
}

/// Adds them all; tells where to go.
fn add_all(
    tx: &mut Tx<'_>,
    app: &App,
    signed: &Signed,
    patient: &PatientId,
    files: &[super::NewFile],
    details: &Details,
) -> Result<(Adding, String)> {
    let access = access::grant::<Edit>(tx, &signed.actor, patient, app.clock.now())?;
    let mut adding = Adding::default();
    for file in files {
        adding.note(file, super::add(tx, &access, app.quota(), file, details))?;
    }
    let on = match &details.record {
        None => format!("/patients/{patient}/files?done=added"),
        Some(record) => back_to(tx, &access, record)?,
    };
    let next = twins::next(tx, &signed.actor, &adding.added, &on, access.now)?;
    Ok((adding, next))
}

fn back_to<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, record: &RecordId) -> Result<String> {
    let heads = records::chart::headings(conn, access, std::slice::from_ref(record))?;
    let head = heads.get(record).ok_or_else(|| Error::Invalid(vec![("record".to_owned(), FieldError::NoSuchRecord)]))?;
    Ok(format!("/patients/{}/{}/{record}", access.id(), head.kind))
}

/// The list, with what was not taken and why; what was taken stands in it.
async fn refusal(app: &web::Data<App>, signed: Signed, patient: PatientId, left: NotAll) -> Result<HttpResponse> {
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Edit>(conn, &signed.actor, &patient, app.clock.now())?;
            let here = format!("/patients/{patient}/files");
            let page = ListPage::load(conn, app, &access, Ui::new(Some(signed.me.clone()), &here), &[])?;
            let left = left.told(&page.ui, format!("{here}?trash=1"));
            Ok(ListPage { left, ..page })
        })
        .await?;
    render_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

#[derive(Template)]
#[template(path = "files/show.html")]
#[expect(clippy::struct_excessive_bools, reason = "what a template asks")]
pub(super) struct ShowPage {
    ui: Ui,
    base: String,
    href: String,
    name: String,
    about: String,
    uploaded: String,
    is_shown: bool,
    shown: previews::Shown,
    may_edit: bool,
    may_purge: bool,
    record: Option<(String, String)>,
    records: Vec<Choice>,
    /// What the list is called that it stands in.
    list: String,
    /// Where a document that waits is filed.
    filing: Option<String>,
    description: String,
    document_date: String,
    categories: Vec<Choice>,
    version: i32,
    in_trash: bool,
    /// It can be opened and taken along now.
    opens: bool,
    paperless: Option<document::Panel>,
    conflict: Option<Vec<ConflictLine>>,
    wrong: Vec<(String, String)>,
}

/// Where a document stands, as far as its page asks.
pub(super) struct Standing {
    pub base: String,
    pub list: String,
    pub may_edit: bool,
    /// May delete it for good, once it is in the trash.
    pub may_purge: bool,
    pub record: Option<(String, String)>,
    pub records: Vec<Choice>,
    pub filing: Option<String>,
    /// What its Paperless-ngx has of it.
    pub paperless: Option<document::Panel>,
    /// Its pictures, and what became of its words.
    pub shown: previews::Shown,
}

/// A form about a document as it was typed.
pub(super) type Typed<'a> = &'a dyn Fn(&str) -> String;

impl ShowPage {
    pub(super) fn new(ui: Ui, file: &File, at: Standing) -> Self {
        let line = line_at(&ui, &at.base, file);
        Self {
            base: at.base,
            href: line.href,
            name: file.file_name.clone(),
            about: line.about,
            uploaded: ui.moment(&file.uploaded_at),
            is_shown: file.kind().is_some_and(|kind| kind.inline),
            shown: at.shown,
            may_edit: at.may_edit,
            may_purge: at.may_purge,
            record: at.record,
            records: at.records,
            list: at.list,
            filing: at.filing,
            description: file.description.clone().unwrap_or_default(),
            document_date: file.document_date.clone().unwrap_or_default(),
            categories: categories(&ui, file.category.as_deref().unwrap_or_default()),
            version: file.version,
            in_trash: file.deleted_at.is_some(),
            opens: at.paperless.as_ref().is_none_or(|panel| panel.opens),
            paperless: at.paperless,
            conflict: None,
            wrong: Vec::new(),
            ui,
        }
    }

    fn load<L: Level>(
        conn: &mut Conn,
        access: &PatientAccess<L>,
        ui: Ui,
        (file, head): &(File, Option<Head>),
        chosen: Option<&str>,
        from: i32,
    ) -> Result<Self> {
        let ui = ui.with_nav(conn, access)?;
        let line = line(&ui, access.id(), file, head.as_ref());
        let own = file.record_id.as_ref().map(ToString::to_string).unwrap_or_default();
        let at = Standing {
            base: format!("/patients/{}/files", access.id()),
            list: ui.t("file.title"),
            may_edit: access.may(Rank::Edit),
            may_purge: access.may(Rank::Full),
            record: line.record,
            records: places(conn, access, &ui, &own, chosen.unwrap_or(&own))?,
            filing: None,
            paperless: document::panel(conn, access, &ui, file)?,
            shown: previews::Shown::load(conn, &ui, file, &line.href, from)?,
        };
        Ok(Self::new(ui, file, at))
    }

    /// The page again with what was typed. After a conflict (`own` is the label of the record it belongs to now) both versions stand there,
    /// and saving again keeps what was typed.
    pub(super) fn again(self, value: Typed<'_>, errors: &Errors, is_stale: bool, own: &str) -> Self {
        let mine_record = self.records.iter().find(|choice| choice.value == value("record").trim()).map(|choice| choice.label.clone());
        let category = |word: &str| if word.is_empty() { String::new() } else { self.ui.choice("FileCategory", word) };
        let old = self.categories.iter().find(|choice| choice.selected).map(|choice| choice.label.clone()).unwrap_or_default();
        let lines = [
            ("file.description", self.description.clone(), value("description").trim().to_owned()),
            ("file.category", old, category(value("category").trim())),
            ("file.date", self.document_date.clone(), value("document_date").trim().to_owned()),
            ("file.belongs_to", own.to_owned(), mine_record.unwrap_or_else(|| own.to_owned())),
        ];
        let differing = lines.into_iter().filter(|(_, theirs, mine)| theirs != mine);
        let lines = differing.map(|(key, theirs, mine)| ConflictLine { label: self.ui.words.t(key), theirs, mine }).collect();
        Self {
            conflict: is_stale.then_some(lines),
            wrong: errors.iter().map(|(name, error)| (name.clone(), self.ui.error(error))).collect(),
            description: value("description"),
            document_date: value("document_date"),
            categories: categories(&self.ui, &value("category")),
            ..self
        }
    }
}

/// Where a document can be moved: to the patient, or to one of the records changed lately; its own and the chosen one stand among them.
fn places<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ui: &Ui, own: &str, chosen: &str) -> Result<Vec<Choice>> {
    let mut heads = records::overview::lately(conn, access, 100)?;
    let known = |id: &RecordId| !heads.iter().any(|head| head.id == *id);
    let others: Vec<RecordId> = [own, chosen].iter().filter_map(|id| RecordId::parse(id)).filter(known).collect();
    heads.extend(records::chart::headings(conn, access, &others)?.into_values());
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
            page::text(&ShowPage::load(conn, &access, Ui::new(Some(signed.me), &here), &found, None, from)?)
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
    let again = app
        .write(move |tx, app| {
            let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
            let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
            let version = value("_version").parse().unwrap_or_default();
            let changed = Details::read(value, Mode::Typed(typing))
                .map_err(Error::Invalid)
                .and_then(|details| super::change(tx, &access, &id, version, &details));
            let (status, errors) = match changed {
                Ok(()) => return Ok(None),
                Err(Error::Invalid(errors)) => (StatusCode::UNPROCESSABLE_ENTITY, errors),
                Err(Error::Stale { .. }) => (StatusCode::CONFLICT, Errors::new()),
                Err(error) => return Err(error),
            };
            let page = page_again(tx, &access, &signed, &id, &value, &errors)?;
            super::note_look(app, &access, Action::Read, &page.1);
            Ok(Some((status, page.0)))
        })
        .await?;
    match again {
        None => Ok(see_other(&next)),
        Some((status, page)) => render_with(status, &page),
    }
}

/// The page again with what was typed: something in it is wrong, or somebody else was faster.
fn page_again<L: AtLeast<Edit>>(
    conn: &mut Conn,
    access: &PatientAccess<L>,
    signed: &Signed,
    id: &FileId,
    value: Typed<'_>,
    errors: &Errors,
) -> Result<(ShowPage, File)> {
    let found = super::living(conn, access, id)?;
    let here = format!("/patients/{}/files/{id}", access.id());
    let page = ShowPage::load(conn, access, Ui::new(Some(signed.me.clone()), &here), &found, Some(&value("record")), 1)?;
    let own = found.0.record_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let own = page.records.iter().find(|choice| choice.value == own).map(|choice| choice.label.clone()).unwrap_or_default();
    // With an older version only who was faster is told; what is wrong beside it is told at the next try.
    Ok((page.again(value, errors, errors.is_empty(), &own), found.0))
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
