//! The pages of documents that are a household's own, whoever's shelf they stand on: an inbox (`/inbox`) or a practitioner's
//! (`/directory/practitioners/{entry}/files`).

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{
    Details, File, NewFile,
    inbox::{self, pages as inbox_pages},
    pages::{Line, ShowPage, Standing, categories, done, line_at},
    previews,
    query::{FileQuery, Paging},
    quota, serve,
    shelf::{self, Place, Shelf},
    twins,
    upload::{self, Adding, Left, NotAll, Outcome},
    waiting,
};
use crate::{
    access::{Edit, Level, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    db::{
        Conn, Tx,
        types::{FileId, PractitionerId},
    },
    directory::{Listed, Practitioner},
    error::{Error, Result},
    page::{self, Ui, render_with, see_other},
    records::{
        field::{Errors, Mode},
        view::Choice,
    },
};

/// The papers of a practitioner, as their entry's page and the list of their own show them.
#[derive(Template)]
#[template(path = "files/papers.html")]
struct PapersPage {
    ui: Ui,
    /// The practitioner's page and name.
    entry: (String, String),
    papers: Papers,
}

/// A list of documents with its form.
#[expect(clippy::struct_excessive_bools, reason = "what a template asks")]
pub struct Papers {
    pub base: String,
    pub files: Vec<Line>,
    pub in_trash: bool,
    pub may_add: bool,
    pub may_edit: bool,
    pub narrowed: bool,
    pub categories: Vec<Choice>,
    pub by_category: Vec<Choice>,
    pub q: String,
    pub wrong: Vec<String>,
    /// The largest that is stored, in bytes.
    pub most: u64,
    pub quota: Option<String>,
    pub done: String,
    pub left: Left,
    pub paging: Paging,
}

impl Papers {
    pub fn load<L: Level>(conn: &mut Conn, app: &App, shelf: &Shelf<L>, ui: &Ui, pairs: &[(String, String)]) -> Result<Self> {
        let (mut query, errors) = FileQuery::read(pairs, Mode::Typed(ui.words.dates.typing(app.clock.today())));
        let given = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
        query.trash = given("trash") == "1";
        let (found, total) = if errors.is_empty() { shelf.list(conn, &query)? } else { (Vec::new(), 0) };
        let base = shelf.base();
        let mut files: Vec<Line> = found.iter().map(|file| line_at(ui, &base, file)).collect();
        if !query.trash {
            previews::mark(conn, &mut files)?;
        }
        Ok(Self {
            files,
            in_trash: query.trash,
            may_add: shelf.may_edit,
            may_edit: shelf.may_edit,
            narrowed: query.is_narrowed() || !errors.is_empty(),
            categories: categories(ui, ""),
            by_category: categories(ui, query.category.unwrap_or_default()),
            q: given("q"),
            wrong: errors.iter().map(|(_, error)| ui.error(error)).collect(),
            most: app.config.max_upload,
            quota: quota::sentence(conn, ui, app.quota(), &shelf.household, &shelf.actor.user)?,
            done: done(ui, pairs),
            left: Left::default(),
            paging: Paging::new(&base, pairs, &query, found.len(), total),
            base,
        })
    }

    /// The trash is at this address.
    pub fn refusing(self, ui: &Ui, left: NotAll, trash: String) -> Self {
        Self { left: left.told(ui, trash), ..self }
    }

    pub fn status(&self) -> StatusCode {
        if self.wrong.is_empty() && self.left.lines.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
    }
}

/// The part of a practitioner's page that shows their papers; none where the entry is another household's.
pub fn of_entry(conn: &mut Conn, app: &App, signed: &Signed, ui: &Ui, entry: &str) -> Result<Option<Papers>> {
    let Some(id) = PractitionerId::parse(entry) else { return Ok(None) };
    match shelf::grant::<View>(conn, &signed.actor, &Place::Practitioner(id), app.clock.now()) {
        Ok(shelf) => Papers::load(conn, app, &shelf, ui, &[]).map(Some),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn papers_page(conn: &mut Conn, ui: Ui, shelf: &Shelf<impl Level>, id: &PractitionerId, papers: Papers) -> Result<PapersPage> {
    let name = Practitioner::get(conn, &shelf.household, id.as_str())?.fields.name.unwrap_or_default();
    Ok(PapersPage { entry: (format!("/directory/practitioners/{id}"), name), ui, papers })
}

fn entry_of(text: &str) -> Result<PractitionerId> {
    PractitionerId::parse(text).ok_or(Error::NotFound)
}

/// `GET /directory/practitioners/{entry}/files`; `?trash=1` shows what was thrown away.
pub async fn list(app: web::Data<App>, signed: Signed, entry: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let id = entry_of(&entry)?;
    let (pairs, here) = (body::query(&request), request.path().to_owned());
    let (status, text) = app
        .read(move |conn, app| {
            let shelf = shelf::grant::<View>(conn, &signed.actor, &Place::Practitioner(id.clone()), app.clock.now())?;
            let ui = Ui::new(Some(signed.me), &here);
            let papers = Papers::load(conn, app, &shelf, &ui, &pairs)?;
            let status = papers.status();
            Ok((status, page::text(&papers_page(conn, ui, &shelf, &id, papers)?)?))
        })
        .await?;
    Ok(page::html(status, text))
}

/// `POST /directory/practitioners/{entry}/files`.
pub async fn upload_papers(
    app: web::Data<App>,
    signed: Signed,
    entry: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let id = entry_of(&entry)?;
    let left = match take(&app, &signed, Place::Practitioner(id.clone()), &request, payload).await? {
        Outcome::All(next) => return Ok(see_other(&next)),
        Outcome::NotAll(left) => left,
    };
    let page = app
        .read(move |conn, app| {
            let shelf = shelf::grant::<Edit>(conn, &signed.actor, &Place::Practitioner(id.clone()), app.clock.now())?;
            let ui = Ui::new(Some(signed.me), &shelf.base());
            let papers = Papers::load(conn, app, &shelf, &ui, &[])?.refusing(&ui, left, format!("{}?trash=1", shelf.base()));
            papers_page(conn, ui, &shelf, &id, papers)
        })
        .await?;
    render_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Receives an upload onto a shelf: access first, then the body.
pub(super) async fn take(app: &App, signed: &Signed, place: Place, request: &HttpRequest, payload: web::Payload) -> Result<Outcome> {
    let (actor, of) = (signed.actor.clone(), place.clone());
    app.read(move |conn, app| shelf::grant::<Edit>(conn, &actor, &of, app.clock.now()).map(drop)).await?;
    let received = upload::receive(app, body::parts(request, payload)?, upload::FILES).await?;
    let typing = signed.me.dates.typing(app.clock.today());
    let details = Details::read(|name| if name == "record" { String::new() } else { received.field(name) }, Mode::Typed(typing));
    let (files, who) = (received.files.clone(), signed.clone());
    upload::add_received(app, received, details, move |tx, app, details| add_all(tx, app, &who, &place, &files, details)).await
}

fn add_all(tx: &mut Tx<'_>, app: &App, signed: &Signed, place: &Place, files: &[NewFile], details: &Details) -> Result<(Adding, String)> {
    let shelf = shelf::grant::<Edit>(tx, &signed.actor, place, app.clock.now())?;
    let mut adding = Adding::default();
    for file in files {
        adding.note(file, shelf.add(tx, app.quota(), file, details))?;
    }
    let household = match place {
        Place::Inbox(Some(household)) => format!("&household={household}"),
        _ => String::new(),
    };
    let on = format!("{}?done=added{household}", shelf.base());
    let next = twins::next(tx, &signed.actor, &adding.added, &on, shelf.now)?;
    Ok((adding, next))
}

/// A document on a shelf, by its address: `/inbox/{document}`, `/directory/practitioners/{entry}/files/{paper}`.
pub(super) fn place(request: &HttpRequest) -> Result<(Place, FileId)> {
    let part = |name: &str| request.match_info().get(name);
    let file = |text: Option<&str>| text.and_then(FileId::parse).ok_or(Error::NotFound);
    if let Some(entry) = part("entry") {
        return Ok((Place::Practitioner(entry_of(entry)?), file(part("paper"))?));
    }
    let id = file(part("document"))?;
    Ok((Place::InboxOf(id.clone()), id))
}

fn show_page<L: Level>(conn: &mut Conn, ui: Ui, shelf: &Shelf<L>, place: &Place, file: &File, from: i32) -> Result<ShowPage> {
    let (list, filing) = match place {
        Place::Practitioner(id) => (Practitioner::get(conn, &shelf.household, id.as_str())?.fields.name.unwrap_or_default(), None),
        _ => (ui.t("inbox.title"), shelf.may_edit.then(|| format!("/inbox/file?document={}", file.id))),
    };
    let shown = previews::Shown::load(conn, &ui, file, &format!("{}/{}", shelf.base(), file.id), from)?;
    let at = Standing {
        base: shelf.base(),
        list,
        may_edit: shelf.may_edit,
        may_purge: shelf.may_edit,
        record: None,
        records: Vec::new(),
        filing,
        paperless: None,
        shown,
    };
    Ok(ShowPage::new(ui, file, at))
}

/// The document's page; of one that was in the inbox, where it went.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let (place, id) = place(&request)?;
    let (here, from) = (request.path().to_owned(), previews::wanted(&request));
    let (status, text) = app
        .read(move |conn, app| {
            let now = app.clock.now();
            let shelf = match shelf::grant::<View>(conn, &signed.actor, &place, now) {
                Err(Error::NotFound) if matches!(place, Place::InboxOf(_)) => {
                    let filed = inbox::filed(conn, &signed.actor, &id, now)?.ok_or(Error::NotFound)?;
                    let page = inbox_pages::gone_page(Ui::new(Some(signed.me), &here), &filed);
                    return Ok((StatusCode::GONE, page::text(&page)?));
                }
                other => other?,
            };
            let file = shelf.find(conn, &id)?;
            shelf.note_look(app, Action::Read, &file);
            let page = show_page(conn, Ui::new(Some(signed.me), &here), &shelf, &place, &file, from)?;
            Ok((StatusCode::OK, page::text(&page)?))
        })
        .await?;
    Ok(page::html(status, text))
}

/// What the document is about.
pub async fn change(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let (place, id) = place(&request)?;
    let (actor, of, one) = (signed.actor.clone(), place.clone(), id.clone());
    app.read(move |conn, app| {
        let shelf = shelf::grant::<Edit>(conn, &actor, &of, app.clock.now());
        moved(conn, shelf, &actor, &one)?.living(conn, &one).map(drop)
    })
    .await?;
    let pairs = body::form(&request, payload).await?;
    let next = request.path().to_owned();
    let here = next.clone();
    let typing = signed.me.dates.typing(app.clock.today());
    let again = app
        .write(move |tx, app| {
            let shelf = shelf::grant::<Edit>(tx, &signed.actor, &place, app.clock.now());
            let shelf = moved(tx, shelf, &signed.actor, &id)?;
            let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
            let version = value("_version").parse().unwrap_or_default();
            let changed = Details::read(|name| if name == "record" { String::new() } else { value(name) }, Mode::Typed(typing))
                .map_err(Error::Invalid)
                .and_then(|details| shelf.change(tx, &id, version, &details));
            let (status, errors) = match changed {
                Ok(()) => return Ok(None),
                Err(Error::Invalid(errors)) => (StatusCode::UNPROCESSABLE_ENTITY, errors),
                Err(Error::Stale { .. }) => (StatusCode::CONFLICT, Errors::new()),
                Err(error) => return Err(error),
            };
            let file = shelf.living(tx, &id)?;
            let page = show_page(tx, Ui::new(Some(signed.me.clone()), &here), &shelf, &place, &file, 1)?;
            let is_stale = errors.is_empty();
            Ok(Some((status, page.again(&value, &errors, is_stale, ""))))
        })
        .await?;
    match again {
        None => Ok(see_other(&next)),
        Some((status, page)) => render_with(status, &page),
    }
}

/// A document that somebody filed since this person saw it is a conflict, and not nothing.
fn moved<L: Level>(conn: &mut Conn, shelf: Result<Shelf<L>>, actor: &crate::access::Actor, id: &FileId) -> Result<Shelf<L>> {
    match shelf {
        Err(Error::NotFound) if inbox::was_known(conn, actor, id)? => Err(Error::Conflict(inbox::FILED_MEANWHILE)),
        other => other,
    }
}

/// The bytes; `?inline=1` shows them where their kind may be shown.
pub async fn content(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let (place, id) = place(&request)?;
    let inline = body::query(&request).iter().any(|(name, _)| name == "inline");
    let file = app
        .read(move |conn, app| {
            let shelf = shelf::grant::<View>(conn, &signed.actor, &place, app.clock.now())?;
            let file = shelf.living(conn, &id)?;
            shelf.note_look(app, if inline { Action::Read } else { Action::Downloaded }, &file);
            Ok(file)
        })
        .await?;
    serve::send(&app, &request, &file, inline).await
}

/// The picture of a page, 0 for the small one.
pub async fn picture(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let (place, id) = place(&request)?;
    let page: i32 = request.match_info().get("page").and_then(|page| page.parse().ok()).ok_or(Error::NotFound)?;
    let preview = app
        .read(move |conn, app| {
            let shelf = shelf::grant::<View>(conn, &signed.actor, &place, app.clock.now())?;
            let file = shelf.living(conn, &id)?;
            shelf.note_look(app, if page == 0 { Action::Listed } else { Action::Read }, &file);
            previews::of_page(conn, &file, page)
        })
        .await?;
    previews::send(&app, &request, preview).await
}

/// How far it has come with its pictures and words.
pub async fn state(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let (place, id) = place(&request)?;
    let state = app
        .read(move |conn, app| {
            let shelf = shelf::grant::<View>(conn, &signed.actor, &place, app.clock.now())?;
            let file = shelf.living(conn, &id)?;
            waiting::of(conn, &file.id)
        })
        .await?;
    Ok(waiting::answer(state))
}

/// Into the trash.
pub async fn delete(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let (place, id) = place(&request)?;
    let next = app
        .write(move |tx, app| {
            let shelf = shelf::grant::<Edit>(tx, &signed.actor, &place, app.clock.now());
            let shelf = moved(tx, shelf, &signed.actor, &id)?;
            shelf.remove(tx, &id)?;
            let of = if matches!(place, Place::InboxOf(_)) { format!("&household={}", shelf.household) } else { String::new() };
            Ok(format!("{}?done=deleted{of}", shelf.base()))
        })
        .await?;
    Ok(see_other(&next))
}

/// Back from it.
pub async fn restore(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let (place, id) = place(&request)?;
    let next = app
        .write(move |tx, app| {
            let shelf = shelf::grant::<Edit>(tx, &signed.actor, &place, app.clock.now())?;
            shelf.restore(tx, &id)?;
            Ok(format!("{}/{id}", shelf.base()))
        })
        .await?;
    Ok(see_other(&next))
}
