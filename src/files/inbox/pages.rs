//! `/inbox`: documents that wait to be filed. One of them is shown by `shelf_pages`, and filed by `filing`.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::Filed;
use crate::{
    access::{Edit, Level, View},
    app::App,
    auth::session::Signed,
    body,
    db::{Conn, types::HouseholdId},
    error::{Error, Result},
    files::{
        pages::title,
        shelf::{self, Place, Shelf},
        shelf_pages::{self, Papers},
        upload::Outcome,
    },
    households,
    page::{self, Ui, render_with, see_other},
    records::view::Choice,
};

#[derive(Template)]
#[template(path = "inbox/list.html")]
struct InboxPage {
    ui: Ui,
    /// The households to choose from, where there are several.
    households: Vec<Choice>,
    household: String,
    /// Where an upload is sent.
    upload_to: String,
    papers: Papers,
}

fn inbox_page<L: Level>(conn: &mut Conn, signed: &Signed, shelf: &Shelf<L>, ui: Ui, papers: Papers) -> Result<InboxPage> {
    let all = households::of(conn, &signed.me.id)?;
    let household = shelf.household.to_string();
    let choice = |one: households::Household| Choice { selected: one.id == shelf.household, value: one.id.to_string(), label: one.name };
    let households = if all.len() > 1 { all.into_iter().map(choice).collect() } else { Vec::new() };
    Ok(InboxPage { upload_to: format!("/inbox?household={household}"), households, household, papers, ui })
}

/// Whose inbox an address asks for; the person's main household's if it names none.
pub(super) fn wanted(pairs: &[(String, String)]) -> Result<Place> {
    let named = pairs.iter().find(|(name, value)| name == "household" && !value.is_empty());
    let household = named.map(|(_, value)| HouseholdId::parse(value).ok_or(Error::NotFound)).transpose()?;
    Ok(Place::Inbox(household))
}

/// `GET /inbox`, `?household=` where somebody belongs to several; `?trash=1` shows what was thrown away.
pub async fn list(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let pairs = body::query(&request);
    let place = wanted(&pairs)?;
    let (status, text) = app
        .read(move |conn, app| {
            let shelf = shelf::grant::<View>(conn, &signed.actor, &place, app.clock.now())?;
            let ui = Ui::new(Some(signed.me.clone()), "/inbox");
            let papers = Papers::load(conn, app, &shelf, &ui, &pairs)?;
            let status = papers.status();
            Ok((status, page::text(&inbox_page(conn, &signed, &shelf, ui, papers)?)?))
        })
        .await?;
    Ok(page::html(status, text))
}

/// `POST /inbox`: any number of files, to be filed later.
pub async fn upload(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let place = wanted(&body::query(&request))?;
    let left = match shelf_pages::take(&app, &signed, place.clone(), &request, payload).await? {
        Outcome::All(next) => return Ok(see_other(&next)),
        Outcome::NotAll(left) => left,
    };
    let page = app
        .read(move |conn, app| {
            let shelf = shelf::grant::<Edit>(conn, &signed.actor, &place, app.clock.now())?;
            let ui = Ui::new(Some(signed.me.clone()), "/inbox");
            let papers =
                Papers::load(conn, app, &shelf, &ui, &[])?.refusing(&ui, left, format!("/inbox?household={}&trash=1", shelf.household));
            inbox_page(conn, &signed, &shelf, ui, papers)
        })
        .await?;
    render_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// A document that somebody filed, as the page tells of it.
pub struct GoneLine {
    pub sentence: String,
    /// Where it is now, for who sees it there.
    pub href: Option<String>,
}

impl GoneLine {
    pub fn new(ui: &Ui, filed: &Filed) -> Self {
        let by = filed.by.clone().unwrap_or_else(|| ui.t("inbox.somebody"));
        let at = ui.moment(&filed.at);
        let Some((patient, name, head)) = &filed.place else {
            let values = [("document", filed.name.as_str()), ("by", &by), ("when", &at)];
            return Self { sentence: ui.words.with("inbox.filed_elsewhere", &values), href: None };
        };
        let to = match head {
            Some(head) => ui.words.with("inbox.record_of", &[("name", name), ("record", &title(ui, head))]),
            None => name.clone(),
        };
        let values = [("document", filed.name.as_str()), ("to", &to), ("by", &by), ("when", &at)];
        Self { sentence: ui.words.with("inbox.filed_to", &values), href: Some(format!("/patients/{patient}/files/{}", filed.id)) }
    }
}

#[derive(Template)]
#[template(path = "inbox/gone.html")]
pub struct GonePage {
    ui: Ui,
    gone: GoneLine,
}

pub fn gone_page(ui: Ui, filed: &Filed) -> GonePage {
    GonePage { gone: GoneLine::new(&ui, filed), ui }
}
