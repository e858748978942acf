//! The same bytes again: told only among what the person may see, and asked about. Until they answer, both are kept.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{
    File, inbox,
    owner::Owner,
    pages,
    shelf::{self, Place},
};
use crate::{
    access::{self, Actor, Edit, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    db::{
        Conn, Tx,
        schema::{files, practitioners},
        types::{FileId, PatientId, RecordId},
    },
    error::{Error, Result},
    page::{Ui, render, see_other},
    records::{Head, chart::headings},
};

/// More copies than anybody is shown of one document.
const MOST: i64 = 100;

/// A document of the same bytes, where it is seen.
pub struct Twin {
    pub file: File,
    /// The patient's name, and the record it belongs to.
    pub patient: Option<(String, Option<Head>)>,
    /// The practitioner's name.
    pub practitioner: Option<String>,
}

impl Twin {
    pub fn href(&self) -> String {
        match self.file.owner() {
            Some(Owner::Patient(patient, _)) => format!("/patients/{patient}/files/{}", self.file.id),
            Some(Owner::Practitioner(id)) => format!("/directory/practitioners/{id}/files/{}", self.file.id),
            Some(Owner::Inbox(_)) | None => format!("/inbox/{}", self.file.id),
        }
    }
}

/// The documents of these bytes that came before this one and that this person sees, wherever they are: the first is the oldest.
pub fn before(conn: &mut Conn, actor: &Actor, sha256: &str, than: Option<&FileId>, now: NaiveDateTime) -> Result<Vec<Twin>> {
    let mut query = files::table.filter(files::sha256.eq(sha256)).filter(files::deleted_at.is_null()).into_boxed();
    if let Some(than) = than {
        // Ids begin with the time.
        query = query.filter(files::id.lt(than));
    }
    let same: Vec<File> = query.order(files::id).limit(MOST).select(File::as_select()).load(conn)?;
    if same.is_empty() {
        return Ok(Vec::new());
    }
    let accesses = access::all(conn, actor, now)?;
    let mut records: BTreeMap<PatientId, Vec<RecordId>> = BTreeMap::new();
    for file in &same {
        if let Some(patient) = &file.patient_id {
            records.entry(patient.clone()).or_default().extend(file.record_id.clone());
        }
    }
    let mut heads: BTreeMap<PatientId, _> = BTreeMap::new();
    for (patient, ids) in records {
        if let Some(access) = accesses.of(&patient) {
            heads.insert(patient, headings(conn, access, &ids)?);
        }
    }
    let mut found = Vec::new();
    for file in same {
        match file.owner() {
            Some(Owner::Patient(patient, _)) => {
                let known = accesses.of(&patient).zip(heads.get(&patient));
                let seen = known.and_then(|(access, heads)| super::seen(access, heads, file).map(|seen| (seen, access.patient.name())));
                found.extend(seen.map(|((file, head), name)| Twin { file, patient: Some((name, head)), practitioner: None }));
            }
            Some(Owner::Practitioner(id)) if is_on(conn, actor, &Place::Practitioner(id.clone()), now)? => {
                let name: Option<String> = practitioners::table.find(&id).select(practitioners::name).first(conn).optional()?.flatten();
                found.push(Twin { file, patient: None, practitioner: Some(name.unwrap_or_default()) });
            }
            Some(Owner::Inbox(household)) if is_on(conn, actor, &Place::Inbox(Some(household.clone())), now)? => {
                found.push(Twin { file, patient: None, practitioner: None });
            }
            _ => {}
        }
    }
    Ok(found)
}

fn is_on(conn: &mut Conn, actor: &Actor, place: &Place, now: NaiveDateTime) -> Result<bool> {
    match shelf::grant::<View>(conn, actor, place, now) {
        Ok(_) => Ok(true),
        Err(Error::NotFound | Error::Forbidden) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where to go after an upload: on, or to the question if some of the new documents were here already.
pub fn next(conn: &mut Conn, actor: &Actor, added: &[(FileId, String)], on: &str, now: NaiveDateTime) -> Result<String> {
    let mut asked = Vec::new();
    for (id, sha256) in added {
        if !before(conn, actor, sha256, Some(id), now)?.is_empty() {
            asked.push(id);
        }
    }
    Ok(address(&asked, on))
}

fn address(asked: &[&FileId], on: &str) -> String {
    if asked.is_empty() {
        return on.to_owned();
    }
    let pairs: Vec<(&str, &str)> = asked.iter().map(|id| ("new", id.as_str())).chain([("next", on)]).collect();
    serde_urlencoded::to_string(&pairs).map_or_else(|_| on.to_owned(), |query| format!("/twins?{query}"))
}

/// The document, if this person may throw it away.
fn own(conn: &mut Conn, actor: &Actor, id: &FileId, now: NaiveDateTime) -> Result<File> {
    let file: Option<File> = files::table.find(id).filter(files::deleted_at.is_null()).select(File::as_select()).first(conn).optional()?;
    let file = file.ok_or(Error::NotFound)?;
    match file.owner().ok_or(Error::NotFound)? {
        Owner::Patient(patient, _) => {
            let access = access::grant::<Edit>(conn, actor, &patient, now)?;
            super::living(conn, &access, id).map(|(file, _)| file)
        }
        Owner::Practitioner(practitioner) => shelf::grant::<Edit>(conn, actor, &Place::Practitioner(practitioner), now)?.living(conn, id),
        Owner::Inbox(household) => shelf::grant::<Edit>(conn, actor, &Place::Inbox(Some(household)), now)?.living(conn, id),
    }
}

fn throw_away(tx: &mut Tx<'_>, actor: &Actor, file: &File, now: NaiveDateTime) -> Result<()> {
    match file.owner().ok_or(Error::NotFound)? {
        Owner::Patient(patient, _) => {
            let access = access::grant::<Edit>(tx, actor, &patient, now)?;
            super::remove(tx, &access, &file.id)
        }
        Owner::Practitioner(practitioner) => shelf::grant::<Edit>(tx, actor, &Place::Practitioner(practitioner), now)?.remove(tx, &file.id),
        Owner::Inbox(household) => shelf::grant::<Edit>(tx, actor, &Place::Inbox(Some(household)), now)?.remove(tx, &file.id),
    }
}

#[derive(Template)]
#[template(path = "files/twins.html")]
struct TwinsPage {
    ui: Ui,
    questions: Vec<Question>,
    next: String,
}

struct Question {
    id: String,
    name: String,
    href: String,
    /// Address, name, and where it is.
    twins: Vec<(String, String, String)>,
}

fn where_words(ui: &Ui, twin: &Twin) -> String {
    match (&twin.patient, &twin.practitioner) {
        (Some((name, Some(head))), _) => {
            let title = pages::title(ui, head);
            ui.words.with("twin.at_record", &[("name", name), ("record", &title)])
        }
        (Some((name, None)), _) => ui.t1("twin.of_patient", "name", name),
        (_, Some(name)) => ui.t1("twin.of_practitioner", "name", name),
        _ => ui.t("twin.in_inbox"),
    }
}

/// A page of our own; anything else in an address is nobody's word.
fn onward(pairs: &[(String, String)]) -> String {
    let next = pairs.iter().find(|(name, _)| name == "next").map(|(_, value)| value.as_str()).unwrap_or_default();
    let is_own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if is_own { next.to_owned() } else { "/".to_owned() }
}

/// `GET /twins?new=...&next=...`: what was just added and was here already, and what to do about it.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let pairs = body::query(&request);
    let (asked, next) = (inbox::named(&pairs, "new"), onward(&pairs));
    let on = next.clone();
    let page = app
        .read(move |conn, app| {
            let (ui, now) = (Ui::new(Some(signed.me.clone()), "/twins"), app.clock.now());
            let mut questions = Vec::new();
            for id in &asked {
                let file = match own(conn, &signed.actor, id, now) {
                    Ok(file) => file,
                    Err(Error::NotFound | Error::Forbidden) => continue,
                    Err(error) => return Err(error),
                };
                let twins = before(conn, &signed.actor, &file.sha256, Some(id), now)?;
                if twins.is_empty() {
                    continue;
                }
                for twin in &twins {
                    note(conn, app, &signed.actor, twin)?;
                }
                let lines = twins.iter().map(|twin| (twin.href(), pages::shown_name(&twin.file), where_words(&ui, twin)));
                let href = Twin { file: file.clone(), patient: None, practitioner: None }.href();
                questions.push(Question { id: id.to_string(), name: pages::shown_name(&file), href, twins: lines.collect() });
            }
            Ok(TwinsPage { ui, questions, next })
        })
        .await?;
    if page.questions.is_empty() { Ok(see_other(&on)) } else { render(&page) }
}

/// That somebody was told of a patient's document.
fn note(conn: &mut Conn, app: &App, actor: &Actor, twin: &Twin) -> Result<()> {
    if let Some(patient) = &twin.file.patient_id {
        let access = access::grant::<View>(conn, actor, patient, app.clock.now())?;
        super::note_look(app, &access, Action::Listed, &twin.file);
    }
    Ok(())
}

/// `POST /twins`: the answer for one of them (`file`, `keep`: both or first), and on to the next question.
pub async fn answer(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let pairs = body::form(&request, payload).await?;
    let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).unwrap_or_default();
    let id = FileId::parse(value("file")).ok_or(Error::NotFound)?;
    let only_first = match value("keep") {
        "both" => Some(false),
        "first" => Some(true),
        _ => None,
    };
    let one = id.clone();
    app.write(move |tx, app| {
        let now = app.clock.now();
        let file = own(tx, &signed.actor, &one, now)?;
        let only_first = only_first.ok_or(Error::BadRequest("broken_form"))?;
        // The other one may have been thrown away since the question was asked: then this one is all there is.
        if only_first && !before(tx, &signed.actor, &file.sha256, Some(&one), now)?.is_empty() {
            throw_away(tx, &signed.actor, &file, now)?;
        }
        Ok(())
    })
    .await?;
    let rest = inbox::named(&pairs, "new");
    let rest: Vec<&FileId> = rest.iter().filter(|other| **other != id).collect();
    Ok(see_other(&address(&rest, &onward(&pairs))))
}
