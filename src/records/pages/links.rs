//! Ties between records of one patient: made, taken away, and the page that finds the other end.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{Place, RecordForm, kind_of, patient_of, record_of};
use crate::{
    access::{self, Edit, Level, PatientAccess},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    db::{Conn, types::RecordId},
    error::{Error, Result},
    page::{Ui, note_read, render, see_other},
    records::{
        self, Head,
        chart::{Draft, Link, RELATIONS},
        field::FieldError,
        input, overview,
        view::Choice,
    },
};

/// `POST .../{record}/links`: ties another record to this one, or takes a tie away (`_remove`).
pub async fn links(app: web::Data<App>, form: RecordForm) -> Result<HttpResponse> {
    let back = form.record();
    app.write(move |tx, app| {
        let access = form.access(tx, app)?;
        let chart = access.chart(form.kind)?;
        let current = chart.get(tx, &form.id)?;
        let mut links = chart.outgoing(tx, &form.id)?;
        let to = form.value("to").unwrap_or_default();
        let relation = form.value("relation").unwrap_or("related").to_owned();
        let other = RecordId::parse(to).ok_or_else(|| Error::Invalid(vec![("to".into(), FieldError::NoSuchRecord)]))?;
        if form.value("_remove").is_some() {
            links.retain(|link| link.to != other || link.relation != relation);
        } else {
            check_link(tx, &access, &form.id, &other, &relation)?;
            let note = form.value("note").map(str::trim).filter(|n| !n.is_empty()).map(|n| n.chars().take(300).collect());
            links.retain(|link| link.to != other || link.relation != relation);
            links.push(Link { relation, to: other, note });
        }
        let draft = Draft { entry: current.entry, tags: None, links: Some(links), source: "person".to_owned() };
        chart.change(tx, &form.id, current.head.version, &draft).map(drop)
    })
    .await?;
    Ok(see_other(&back))
}

/// May this record point there? The other end must be a living record of the same patient, within the access, and not itself.
fn check_link<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, from: &RecordId, to: &RecordId, relation: &str) -> Result<()> {
    let wrong = |name: &str, error: FieldError| Err(Error::Invalid(vec![(name.to_owned(), error)]));
    if !RELATIONS.contains(&relation) {
        return wrong("relation", FieldError::UnknownChoice);
    }
    if from == to || !input::record_exists(conn, access, to.as_str(), None)? {
        return wrong("to", FieldError::NoSuchRecord);
    }
    Ok(())
}

#[derive(Template)]
#[template(path = "records/link.html")]
struct LinkPage {
    ui: Ui,
    base: String,
    id: String,
    title: String,
    q: String,
    found: Vec<Found>,
    relations: Vec<Choice>,
}

struct Found {
    id: String,
    title: String,
    about: String,
}

impl Found {
    fn new(ui: &Ui, head: Head) -> Self {
        let kind = records::kind(&head.kind).map(|k| ui.kind_one(k));
        let day = head.occurred_on.as_deref().map(|d| ui.day(d));
        Self { about: [kind, day].into_iter().flatten().collect::<Vec<_>>().join(" · "), id: head.id.to_string(), title: head.title }
    }
}

/// `GET .../{record}/links`: find the record to tie this one to.
pub async fn link_form(app: web::Data<App>, signed: Signed, place: web::Path<Place>, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let (patient, id) = (patient_of(&place.patient)?, record_of(&place.record)?);
    let q = body::query(&request).into_iter().find(|(n, _)| n == "q").map(|(_, v)| v).unwrap_or_default();
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Edit>(conn, &signed.actor, &patient, app.clock.now())?;
            let row = access.chart(kind)?.get(conn, &id)?;
            let heads = overview::linkable(conn, &access, Some(&id), &q)?;
            note_read(app, &access, Action::Read, Some(kind.name), Some((&id, row.head.version)));
            // The titles of other records of every kind.
            note_read(app, &access, Action::Listed, Some("links"), None);
            let ui = Ui::new(Some(signed.me), &here).with_nav(conn, &access)?;
            let found = heads.into_iter().map(|head| Found::new(&ui, head)).collect();
            let relations = RELATIONS
                .iter()
                .map(|r| Choice { value: (*r).to_owned(), label: ui.t(&format!("relation.{r}")), selected: *r == "related" })
                .collect();
            let base = format!("/patients/{}/{}", access.id(), kind.name);
            Ok(LinkPage { ui, base, id: id.to_string(), title: row.head.title, q, found, relations })
        })
        .await?;
    render(&page)
}
