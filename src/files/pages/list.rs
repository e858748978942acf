//! A patient's documents as a list, its trash, and uploads into it.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{Line, categories, done, line, title};
use crate::{
    access::{self, Edit, Level, PatientAccess, Rank, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    db::{
        Conn, Tx,
        types::{PatientId, RecordId},
    },
    error::{Error, Result},
    files::{
        self, Details, File, KIND, NewFile, previews,
        query::{self, FileQuery, Paging},
        quota, twins,
        upload::{self, Adding, Left, NotAll},
    },
    page::{self, Ui, note_read, render_with, see_other},
    paperless::sync::{connection, document},
    records::{
        self, Head,
        field::{FieldError, Mode},
        view::Choice,
    },
};

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

/// `GET /patients/{patient}/files`; `?trash=1` shows what was thrown away.
pub async fn list(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let pairs = body::query(&request);
    let here = request.path().to_owned();
    let (status, page) = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            note_read(app, &access, Action::Listed, Some(KIND), None);
            let page = ListPage::load(conn, app, &access, Ui::new(Some(signed.me), &here), &pairs)?;
            let status = if page.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            Ok((status, page::text(&ListPage { done: done(&page.ui, &pairs), ..page })?))
        })
        .await?;
    Ok(page::html(status, page))
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
    access::must_be::<Edit>(&app, &signed.actor, &patient).await?;
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
    files: &[NewFile],
    details: &Details,
) -> Result<(Adding, String)> {
    let access = access::grant::<Edit>(tx, &signed.actor, patient, app.clock.now())?;
    let mut adding = Adding::default();
    for file in files {
        adding.note(file, files::add(tx, &access, app.quota(), file, details))?;
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
