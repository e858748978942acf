//! For good: a document in the trash goes before its time, because the room is needed or nobody wants it kept. The page asks once more.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{
    File,
    pages::line_at,
    shelf::{self, Place, Shelf},
    shelf_pages,
};
use crate::{
    access::{self, Edit, Full},
    app::App,
    audit::Action,
    auth::session::Signed,
    db::types::{FileId, PatientId},
    error::{Error, Result},
    page::{Ui, render, see_other},
    paperless::sync::copies,
};

/// The key of the conflict that the document is not in the trash.
pub const NOT_IN_TRASH: &str = "not_in_trash";

#[derive(Template)]
#[template(path = "files/purge.html")]
struct PurgePage {
    ui: Ui,
    href: String,
    name: String,
    about: String,
    /// Where it lies now.
    trash: String,
    /// A copy of it is in somebody's Paperless-ngx, which stays.
    is_in_paperless: bool,
}

impl PurgePage {
    fn new(ui: Ui, base: &str, trash: String, file: &File) -> Self {
        let line = line_at(&ui, base, file);
        Self { href: line.href, name: line.name, about: line.about, trash, is_in_paperless: false, ui }
    }
}

fn of_patient(patient: &PatientId) -> (String, String) {
    let base = format!("/patients/{patient}/files");
    let trash = format!("{base}?trash=1");
    (base, trash)
}

/// Where a shelf shows what was thrown away.
fn trash_of<L: access::Level>(shelf: &Shelf<L>, place: &Place) -> String {
    match place {
        Place::Practitioner(_) => format!("{}?trash=1", shelf.base()),
        _ => format!("{}?household={}&trash=1", shelf.base(), shelf.household),
    }
}

fn parts(path: &(String, String)) -> Result<(PatientId, FileId)> {
    Ok((PatientId::parse(&path.0).ok_or(Error::NotFound)?, FileId::parse(&path.1).ok_or(Error::NotFound)?))
}

/// `GET /patients/{patient}/files/{file}/purge`; one that is not in the trash is shown instead.
pub async fn ask(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>, request: HttpRequest) -> Result<HttpResponse> {
    let (patient, id) = parts(&path)?;
    let here = request.path().to_owned();
    let instead = format!("/patients/{patient}/files/{id}");
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Full>(conn, &signed.actor, &patient, app.clock.now())?;
            let (file, _) = super::find(conn, &access, &id)?;
            if file.deleted_at.is_none() {
                return Ok(None);
            }
            super::note_look(app, &access, Action::Listed, &file);
            let ui = Ui::new(Some(signed.me), &here).with_nav(conn, &access)?;
            let (base, trash) = of_patient(&patient);
            let is_in_paperless = copies::of(conn, &file.id)?.is_some();
            Ok(Some(PurgePage { is_in_paperless, ..PurgePage::new(ui, &base, trash, &file) }))
        })
        .await?;
    page.map_or_else(|| Ok(see_other(&instead)), |page| render(&page))
}

/// `POST /patients/{patient}/files/{file}/purge`.
pub async fn submit(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (patient, id) = parts(&path)?;
    let (_, trash) = of_patient(&patient);
    app.write(move |tx, app| {
        let access = access::grant::<Full>(tx, &signed.actor, &patient, app.clock.now())?;
        super::forget(tx, &access, &id)
    })
    .await?;
    Ok(see_other(&format!("{trash}&done=purged")))
}

/// The same for a document of an inbox or of a practitioner.
pub async fn ask_shelf(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let (place, id) = shelf_pages::place(&request)?;
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let shelf = shelf::grant::<Edit>(conn, &signed.actor, &place, app.clock.now())?;
            let file = shelf.find(conn, &id)?;
            if file.deleted_at.is_none() {
                return Ok(Err(format!("{}/{id}", shelf.base())));
            }
            shelf.note_look(app, Action::Listed, &file);
            Ok(Ok(PurgePage::new(Ui::new(Some(signed.me), &here), &shelf.base(), trash_of(&shelf, &place), &file)))
        })
        .await?;
    page.map_or_else(|instead| Ok(see_other(&instead)), |page| render(&page))
}

pub async fn submit_shelf(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let (place, id) = shelf_pages::place(&request)?;
    let trash = app
        .write(move |tx, app| {
            let shelf = shelf::grant::<Edit>(tx, &signed.actor, &place, app.clock.now())?;
            let trash = trash_of(&shelf, &place);
            shelf.forget(tx, &id)?;
            Ok(trash)
        })
        .await?;
    Ok(see_other(&format!("{trash}&done=purged")))
}
