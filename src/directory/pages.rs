//! The directory's pages: one list, one form for practitioners, practices and pharmacies.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{Entry, Listed, Pharmacy, Practice, Practitioner};
use crate::{
    app::App,
    auth::session::Signed,
    body,
    db::{
        Conn,
        types::{HouseholdId, PractitionerId},
    },
    error::{Error, Result},
    files::{
        shelf,
        shelf_pages::{self, Papers},
    },
    interchange::{
        kept,
        originals::{self, Place},
    },
    page::{self, Ui, render, render_with, see_other},
    records::{
        field::{Errors, FieldError, Mode},
        view::{self, FormSection, Names, Typed},
    },
    text,
};

/// The lists by their name in the address. A closure cannot be generic, so each verb is called through here.
macro_rules! for_list {
    ($name:expr, $T:ident => $body:expr) => {
        match $name {
            "practitioners" => {
                type $T = Practitioner;
                $body
            }
            "practices" => {
                type $T = Practice;
                $body
            }
            "pharmacies" => {
                type $T = Pharmacy;
                $body
            }
            _ => Err(Error::NotFound),
        }
    };
}

#[derive(Template)]
#[template(path = "directory/list.html")]
struct ListPage {
    ui: Ui,
    list: &'static str,
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
    q: String,
}

#[derive(Template)]
#[template(path = "directory/form.html")]
struct EntryForm {
    ui: Ui,
    list: &'static str,
    heading: String,
    action: String,
    summary: Vec<(String, String)>,
    sections: Vec<FormSection>,
    version: Option<i32>,
    id: String,
    own: bool,
    stale: bool,
    /// Addresses and words of what imports brought.
    originals: Vec<(String, String)>,
    /// A practitioner's documents.
    papers: Option<Papers>,
}

/// `GET /directory/{list}`.
pub async fn list(app: web::Data<App>, signed: Signed, list: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let name = list.into_inner();
    let q: String = body::query(&request).into_iter().find(|(n, _)| n == "q").map(|(_, v)| v).unwrap_or_default();
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, _| {
            let household = page::household(conn, &signed.me.id)?;
            let ui = Ui::new(Some(signed.me), &here);
            for_list!(name.as_str(), T => list_page::<T>(conn, ui, &household, q))
        })
        .await?;
    render(&page)
}

fn list_page<T: Listed>(conn: &mut Conn, ui: Ui, household: &HouseholdId, q: String) -> Result<ListPage> {
    let columns: Vec<_> = T::FIELDS.iter().filter(|f| f.spec.in_list).collect();
    let wanted = text::words(&q);
    let rows = T::list(conn, household)?
        .into_iter()
        .map(|entry| (entry.id, columns.iter().map(|f| (f.get)(&entry.fields).unwrap_or_default()).collect::<Vec<String>>()))
        .filter(|(_, cells)| {
            let words = text::words(&cells.join(" "));
            wanted.iter().all(|want| words.iter().any(|word| word.starts_with(want.as_str())))
        })
        .collect();
    let columns = columns.iter().map(|f| ui.label(T::NAME, f.spec.name)).collect();
    Ok(ListPage { list: T::NAME, columns, rows, q, ui })
}

fn form<T: Listed>(
    conn: &mut Conn,
    ui: Ui,
    household: &HouseholdId,
    values: &Typed,
    errors: &Errors,
    own: Option<&Entry<T>>,
) -> Result<EntryForm> {
    let practices = Practice::list(conn, household)?.into_iter().map(|p| (p.id, p.fields.name.unwrap_or_default())).collect();
    let names = Names::of_practices(practices);
    let id = own.map(|e| e.id.clone()).unwrap_or_default();
    let kept = if id.is_empty() { Vec::new() } else { originals::of_entry(conn, Place { household, list: T::NAME, entry: &id })? };
    Ok(EntryForm {
        list: T::NAME,
        heading: match own {
            Some(entry) => entry.fields.name().to_owned(),
            None => ui.t(&format!("directory.{}.add", T::NAME)),
        },
        action: if id.is_empty() { format!("/directory/{}", T::NAME) } else { format!("/directory/{}/{id}", T::NAME) },
        summary: view::plain_summary(&ui, T::NAME, errors),
        sections: view::plain_form(&ui, T::NAME, T::FIELDS.iter().map(|f| &f.spec), values, errors, &names),
        version: own.map(|e| e.version),
        own: own.is_none_or(|e| e.own),
        stale: false,
        originals: originals::links(&format!("/directory/{}/{id}", T::NAME), kept, "", ""),
        papers: None,
        id,
        ui,
    })
}

fn stored<T: Listed>(entry: &T) -> Typed {
    T::FIELDS.iter().filter_map(|f| (f.get)(entry).map(|text| (f.spec.name.to_owned(), text))).collect()
}

/// `GET /directory/{list}/new`.
pub async fn new(app: web::Data<App>, signed: Signed, list: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let name = list.into_inner();
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, _| {
            let household = page::household(conn, &signed.me.id)?;
            let ui = Ui::new(Some(signed.me), &here);
            for_list!(name.as_str(), T => form::<T>(conn, ui, &household, &Typed::new(), &Errors::new(), None))
        })
        .await?;
    render(&page)
}

/// `GET /directory/{list}/{id}`: the entry, in the form it is changed by.
pub async fn show(app: web::Data<App>, signed: Signed, place: web::Path<(String, String)>, request: HttpRequest) -> Result<HttpResponse> {
    let (name, id) = place.into_inner();
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let household = page::household(conn, &signed.me.id)?;
            let ui = Ui::new(Some(signed.me.clone()), &here);
            let papers = if name == Practitioner::NAME { shelf_pages::of_entry(conn, app, &signed, &ui, &id)? } else { None };
            let page = for_list!(name.as_str(), T => {
                let entry = T::get(conn, &household, &id)?;
                form::<T>(conn, ui, &household, &stored(&entry.fields), &Errors::new(), Some(&entry))
            })?;
            Ok(EntryForm { papers, ..page })
        })
        .await?;
    render(&page)
}

/// `GET /directory/{list}/{id}/original?key=`: what a file said of the entry.
pub async fn original(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (name, id) = place.into_inner();
    let key = body::query(&request).into_iter().find(|(n, _)| n == "key").map(|(_, v)| v).unwrap_or_default();
    let text = app
        .read(move |conn, _| {
            let household = page::household(conn, &signed.me.id)?;
            for_list!(name.as_str(), T => {
                let entry = T::get(conn, &household, &id)?;
                originals::one_of_entry(conn, Place { household: &household, list: T::NAME, entry: &entry.id }, &key)
            })
        })
        .await?;
    Ok(kept::json(text))
}

/// `POST /directory/{list}`.
pub async fn create(
    app: web::Data<App>,
    signed: Signed,
    list: web::Path<String>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    save(app, signed, list.into_inner(), None, payload, request).await
}

/// `POST /directory/{list}/{id}`.
pub async fn change(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<(String, String)>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (name, id) = place.into_inner();
    save(app, signed, name, Some(id), payload, request).await
}

async fn save(
    app: web::Data<App>,
    signed: Signed,
    name: String,
    id: Option<String>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    if !signed.me.may_add_patients() {
        return Err(Error::Forbidden);
    }
    let pairs = body::form(&request, payload).await?;
    let back = format!("/directory/{name}");
    let page = app
        .write(move |tx, app| {
            let household = page::household(tx, &signed.me.id)?;
            let ui = Ui::new(Some(signed.me.clone()), &format!("/directory/{name}"));
            let now = app.clock.now();
            for_list!(name.as_str(), T => {
                let version = pairs.iter().find(|(n, _)| n == "_version").and_then(|(_, v)| v.parse::<i32>().ok());
                let fields: Vec<(String, String)> = pairs.iter().filter(|(n, _)| !n.starts_with('_')).cloned().collect();
                let (entry, mut errors) = T::read(&fields, Mode::Typed(signed.me.dates.typing(app.clock.today())));
                errors.extend(foreign_practice(tx, &household, &fields)?);
                let known = match &id {
                    Some(id) => Some(T::get(tx, &household, id)?),
                    None => None,
                };
                let again = |tx: &mut Conn, errors: &Errors, stale: bool| -> Result<Option<(StatusCode, EntryForm)>> {
                    let values = fields.iter().cloned().collect();
                    let mut page = form::<T>(tx, ui.clone(), &household, &values, errors, known.as_ref())?;
                    page.stale = stale;
                    Ok(Some((if stale { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY }, page)))
                };
                if !errors.is_empty() {
                    return again(tx, &errors, false);
                }
                let Some(known) = &known else { return entry.insert(tx, &household, None, now).map(|_| None) };
                match entry.update(tx, &household, &known.id, version.unwrap_or(known.version), now) {
                    Err(Error::Stale { .. }) => again(tx, &Errors::new(), true),
                    other => other.map(|()| None),
                }
            })
        })
        .await?;
    match page {
        Some((status, page)) => render_with(status, &page),
        None => Ok(see_other(&back)),
    }
}

/// A practice of another household is no practice.
fn foreign_practice(conn: &mut Conn, household: &HouseholdId, fields: &[(String, String)]) -> Result<Errors> {
    let told = fields.iter().find(|(n, v)| n == "practice_id" && !v.trim().is_empty());
    match told {
        Some((_, id)) if !super::exists::<Practice>(conn, household, id.trim())? => {
            Ok(vec![("practice_id".into(), FieldError::NoSuchPractice)])
        }
        _ => Ok(Errors::new()),
    }
}

/// `POST /directory/{list}/{id}/delete`: records keep what they are, only the name is gone from them; documents go to the inbox.
pub async fn delete(app: web::Data<App>, signed: Signed, place: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (name, id) = place.into_inner();
    if !signed.me.may_add_patients() {
        return Err(Error::Forbidden);
    }
    let back = format!("/directory/{name}");
    app.write(move |tx, app| {
        let household = page::household(tx, &signed.me.id)?;
        // Their documents are not lost with the entry.
        if let Some(practitioner) = PractitionerId::parse(&id).filter(|_| name == Practitioner::NAME) {
            shelf::to_inbox(tx, &signed.actor, &practitioner, app.clock.now())?;
        }
        for_list!(name.as_str(), T => T::delete(tx, &household, &id))
    })
    .await?;
    Ok(see_other(&back))
}
