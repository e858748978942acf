//! One document of a patient: its page, what is said of it, its bytes, into the trash and back.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{categories, line, line_at, title};
use crate::{
    access::{self, AtLeast, Edit, Level, PatientAccess, Rank, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    db::{
        Conn,
        types::{FileId, PatientId, RecordId},
    },
    error::{Error, Result},
    files::{self, Details, File, previews, serve},
    page::{self, Ui, render_with, see_other},
    paperless::sync::document,
    records::{
        self, Head,
        field::{Errors, Mode},
        pages::ConflictLine,
        view::Choice,
    },
};

#[derive(Template)]
#[template(path = "files/show.html")]
#[expect(clippy::struct_excessive_bools, reason = "what a template asks")]
pub(in crate::files) struct ShowPage {
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
pub(in crate::files) struct Standing {
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
type Typed<'a> = &'a dyn Fn(&str) -> String;

impl ShowPage {
    pub(in crate::files) fn new(ui: Ui, file: &File, at: Standing) -> Self {
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
    pub(in crate::files) fn again(self, value: Typed<'_>, errors: &Errors, is_stale: bool, own: &str) -> Self {
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

fn place(path: &(String, String)) -> Result<(PatientId, FileId)> {
    Ok((PatientId::parse(&path.0).ok_or(Error::NotFound)?, FileId::parse(&path.1).ok_or(Error::NotFound)?))
}

/// `GET /patients/{patient}/files/{file}`.
pub async fn show(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>, request: HttpRequest) -> Result<HttpResponse> {
    let (patient, id) = place(&path)?;
    let (here, from) = (request.path().to_owned(), previews::wanted(&request));
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let found = files::find(conn, &access, &id)?;
            files::note_look(app, &access, Action::Read, &found.0);
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
        files::living(conn, &access, &one).map(drop)
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
                .and_then(|details| files::change(tx, &access, &id, version, &details));
            let (status, errors) = match changed {
                Ok(()) => return Ok(None),
                Err(Error::Invalid(errors)) => (StatusCode::UNPROCESSABLE_ENTITY, errors),
                Err(Error::Stale { .. }) => (StatusCode::CONFLICT, Errors::new()),
                Err(error) => return Err(error),
            };
            let page = page_again(tx, &access, &signed, &id, &value, &errors)?;
            files::note_look(app, &access, Action::Read, &page.1);
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
    let found = files::living(conn, access, id)?;
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
            let (file, _) = files::living(conn, &access, &id)?;
            files::note_look(app, &access, if inline { Action::Read } else { Action::Downloaded }, &file);
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
        files::remove(tx, &access, &id)
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
        files::restore(tx, &access, &id)
    })
    .await?;
    Ok(see_other(&next))
}
