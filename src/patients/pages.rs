//! Pages about a patient as a person: new, edit, into the trash and back, and the trash of their records.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{NewPatient, PatientFields, photo};
use crate::{
    access::{self, Full, Own, PatientAccess, Rank, View},
    app::App,
    audit::Action,
    auth::{proof::Proved, session::Signed},
    body,
    db::{Conn, types::PatientId},
    directory::{Listed, Practitioner},
    error::{Error, Result},
    files::query::{self as papers, FileQuery},
    page::{Ui, note_read, render, render_with, see_other},
    patients,
    records::{
        self,
        field::{Confirmed, Errors, Mode},
        overview, people,
        view::{self, FormSection, Names, Typed},
    },
};

#[derive(Template)]
#[template(path = "patients/form.html")]
pub(super) struct PatientForm {
    pub(super) ui: Ui,
    action: String,
    back: String,
    heading: String,
    summary: Vec<(String, String)>,
    sections: Vec<FormSection>,
    version: Option<i32>,
    stale: bool,
    may_delete: bool,
    /// Of a patient who is there already.
    pub(super) photo: Option<photo::Part>,
}

fn form(ui: Ui, practitioners: people::Choices, values: &Typed, errors: &Errors, own: Option<(&PatientId, i32)>) -> PatientForm {
    let names = Names::of_practitioners(practitioners);
    let sections = view::plain_form(&ui, "patients", PatientFields::FIELDS.iter().map(|f| &f.spec), values, errors, &names);
    PatientForm {
        action: own.map_or_else(|| "/patients".to_owned(), |(id, _)| format!("/patients/{id}/edit")),
        back: own.map_or_else(|| "/patients".to_owned(), |(id, _)| format!("/patients/{id}")),
        heading: ui.t(if own.is_some() { "patient.edit" } else { "patient.add" }),
        summary: view::plain_summary(&ui, "patients", errors),
        version: own.map(|(_, version)| version),
        stale: false,
        may_delete: false,
        photo: None,
        sections,
        ui,
    }
}

/// The practitioners a new patient can have: those of the household they will belong to.
fn of_household(conn: &mut Conn, signed: &Signed) -> Result<people::Choices> {
    Practitioner::choices(conn, &signed.me.id, &[])
}

/// `GET /patients/new`.
pub async fn new(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    if !signed.me.may_add_patients() {
        return Err(Error::Forbidden);
    }
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, _| {
            let choices = of_household(conn, &signed)?;
            Ok(form(Ui::new(Some(signed.me), &here), choices, &Typed::new(), &Errors::new(), None))
        })
        .await?;
    render(&page)
}

/// What came of a patient's form.
enum Outcome {
    Saved(PatientId),
    Page(StatusCode, Box<PatientForm>),
}

fn answer(outcome: Outcome) -> Result<HttpResponse> {
    match outcome {
        Outcome::Saved(id) => Ok(see_other(&format!("/patients/{id}"))),
        Outcome::Page(status, page) => render_with(status, page.as_ref()),
    }
}

fn fields_of(pairs: &[(String, String)]) -> Vec<(String, String)> {
    pairs.iter().filter(|(name, _)| !name.starts_with('_')).cloned().collect()
}

/// `POST /patients`.
pub async fn create(app: web::Data<App>, signed: Signed, payload: web::Payload, request: HttpRequest) -> Result<HttpResponse> {
    if !signed.me.may_add_patients() {
        return Err(Error::Forbidden);
    }
    let sent = body::form(&request, payload).await?;
    let confirmed = Confirmed::Fields(sent.iter().filter(|(name, _)| name == "_confirmed").map(|(_, field)| field.clone()).collect());
    let pairs = fields_of(&sent);
    let outcome = app
        .run(move |app| {
            let mut fields = PatientFields::default();
            let errors = fields.fill(&pairs, Mode::Typed(signed.me.dates.typing(app.clock.today())));
            let made = app.db.write(|tx| {
                let mut errors = errors.clone();
                patients::ask_if_known(tx, &signed.actor, &fields, app.clock.now(), &mut errors)?;
                confirmed.settle(&mut errors);
                let new = NewPatient { fields: fields.clone(), source: "person".into(), source_key: None, strict: true };
                patients::create(tx, &signed.actor, new, app.clock.now(), errors)
            });
            match made {
                Ok(id) => Ok(Outcome::Saved(id)),
                Err(Error::Invalid(errors)) => app.db.read(|conn| {
                    let choices = of_household(conn, &signed)?;
                    let values = pairs.iter().cloned().collect();
                    let page = form(Ui::new(Some(signed.me.clone()), "/patients/new"), choices, &values, &errors, None);
                    Ok(Outcome::Page(StatusCode::UNPROCESSABLE_ENTITY, Box::new(page)))
                }),
                Err(error) => Err(error),
            }
        })
        .await?;
    answer(outcome)
}

fn stored(fields: &PatientFields) -> Typed {
    PatientFields::FIELDS.iter().filter_map(|f| (f.get)(fields).map(|text| (f.spec.name.to_owned(), text))).collect()
}

/// `GET /patients/{patient}/edit`.
pub async fn edit(app: web::Data<App>, signed: Signed, patient: web::Path<String>) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Full>(conn, &signed.actor, &patient, app.clock.now())?;
            note_read(app, &access, Action::Read, None, None);
            edit_form(conn, &access, &signed)
        })
        .await?;
    render(&page)
}

/// The form with what is stored.
pub(super) fn edit_form(conn: &mut Conn, access: &PatientAccess<Full>, signed: &Signed) -> Result<PatientForm> {
    let here = format!("/patients/{}/edit", access.id());
    let ui = Ui::new(Some(signed.me.clone()), &here).with_nav(conn, access)?;
    let own = Some((access.id(), access.patient.version));
    let choices = people::practitioners(conn, access)?;
    let mut page = form(ui, choices, &stored(&access.patient.fields), &Errors::new(), own);
    page.may_delete = access.may(Rank::Own);
    page.photo = Some(photo::Part::of(access, String::new()));
    Ok(page)
}

/// `POST /patients/{patient}/edit`.
pub async fn change(
    app: web::Data<App>,
    signed: Signed,
    patient: web::Path<String>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    access::must_be::<Full>(&app, &signed.actor, &patient).await?;
    let pairs = body::form(&request, payload).await?;
    let version = pairs.iter().find(|(n, _)| n == "_version").and_then(|(_, v)| v.parse::<i32>().ok());
    let outcome = app
        .write(move |tx, app| {
            let access = access::grant::<Full>(tx, &signed.actor, &patient, app.clock.now())?;
            let pairs = fields_of(&pairs);
            let mut fields = access.patient.fields.clone();
            let errors = fields.fill(&pairs, Mode::Typed(signed.me.dates.typing(app.clock.today())));
            let expected = version.unwrap_or(access.patient.version);
            let (status, errors, stale) = match patients::change(tx, &access, expected, fields, errors) {
                Ok(_) => return Ok(Outcome::Saved(patient.clone())),
                Err(Error::Invalid(errors)) => (StatusCode::UNPROCESSABLE_ENTITY, errors, false),
                Err(Error::Stale { .. }) => (StatusCode::CONFLICT, Errors::new(), true),
                Err(error) => return Err(error),
            };
            let ui = Ui::new(Some(signed.me.clone()), &format!("/patients/{patient}/edit")).with_nav(tx, &access)?;
            let values = pairs.into_iter().collect();
            let choices = people::practitioners(tx, &access)?;
            let mut page = form(ui, choices, &values, &errors, Some((access.id(), access.patient.version)));
            page.stale = stale;
            Ok(Outcome::Page(status, Box::new(page)))
        })
        .await?;
    answer(outcome)
}

/// `POST /patients/{patient}/delete`.
pub async fn delete(app: web::Data<App>, signed: Signed, _: Proved, patient: web::Path<String>) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    app.write(move |tx, app| {
        let access = access::grant::<Own>(tx, &signed.actor, &patient, app.clock.now())?;
        let version = access.patient.version;
        patients::remove(tx, &access, version)
    })
    .await?;
    Ok(see_other("/patients/trash"))
}

#[derive(Template)]
#[template(path = "patients/people_trash.html")]
struct PeopleTrash {
    ui: Ui,
    people: Vec<(String, String)>,
}

/// `GET /patients/trash`.
pub async fn people_trash(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, _| {
            let people = patients::trashed(conn, &signed.me.id)?.into_iter().map(|p| (p.id.to_string(), p.name())).collect();
            Ok(PeopleTrash { ui: Ui::new(Some(signed.me), &here), people })
        })
        .await?;
    render(&page)
}

/// `POST /patients/trash/{patient}/restore`.
pub async fn restore(app: web::Data<App>, signed: Signed, patient: web::Path<String>) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let back = format!("/patients/{patient}");
    app.write(move |tx, app| patients::restore(tx, &signed.actor, &patient, app.clock.now())).await?;
    Ok(see_other(&back))
}

#[derive(Template)]
#[template(path = "patients/trash.html")]
struct TrashPage {
    ui: Ui,
    rows: Vec<TrashRow>,
    /// Documents in the trash, which have a list of their own.
    documents: i64,
    may_edit: bool,
}

struct TrashRow {
    action: String,
    title: String,
    kind: String,
    deleted: String,
}

/// `GET /patients/{patient}/trash`.
pub async fn trash(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let heads = overview::trashed(conn, &access)?;
            let (_, documents) = papers::of_patient(conn, &access, &FileQuery { trash: true, per_page: 1, ..FileQuery::default() })?;
            note_read(app, &access, Action::Listed, Some("trash"), None);
            let ui = Ui::new(Some(signed.me), &here).with_nav(conn, &access)?;
            let rows = heads
                .into_iter()
                .map(|head| TrashRow {
                    action: format!("/patients/{}/{}/{}/restore", access.id(), head.kind, head.id),
                    kind: records::kind(&head.kind).map(|k| ui.kind_one(k)).unwrap_or_default(),
                    deleted: head.deleted_at.map(|at| ui.moment(&at)).unwrap_or_default(),
                    title: head.title,
                })
                .collect();
            Ok(TrashPage { may_edit: access.may(Rank::Edit), documents, rows, ui })
        })
        .await?;
    render(&page)
}
