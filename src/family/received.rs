//! What other people show of their families' histories: looked at, and taken over into one's own.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{shares, taken, view};
use crate::{
    access::{self, Accesses, Edit, family::KIND},
    app::App,
    audit::Action,
    auth::{form::Problems, session::Signed},
    body,
    db::{
        Conn,
        types::{PatientId, ShareId},
    },
    error::{Error, Result},
    page::{Ui, note_read, render, render_with, see_other},
    records::{
        field::{Errors, Input},
        view::Choice,
    },
    sharing::terms::last_day,
};

#[derive(Template)]
#[template(path = "family/received.html")]
struct ReceivedPage {
    ui: Ui,
    senders: Vec<SenderPart>,
    may_take: bool,
}

/// What one person shows, with the same words and for as long.
struct SenderPart {
    name: String,
    note: String,
    until: String,
    members: Vec<MemberLine>,
}

struct MemberLine {
    take: String,
    name: String,
    relation: String,
    years: String,
    conditions: Vec<String>,
}

/// `GET /family-history`.
pub async fn list(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let now = app.clock.now();
            let sources = access::family::received(conn, &signed.actor, now)?;
            let members = shares::members(conn, &sources)?;
            for source in &sources {
                note_read(app, &source.access, Action::Read, Some(KIND), None);
            }
            let may_take = access::all(conn, &signed.actor, now)?.list.iter().any(taken::may_take_into);
            let ui = Ui::new(Some(signed.me), &here);
            Ok(ReceivedPage { senders: parts(&ui, &members), ui, may_take })
        })
        .await?;
    render(&page)
}

/// A sender's note is said once above all it was written to.
fn parts(ui: &Ui, members: &[shares::ReceivedMember]) -> Vec<SenderPart> {
    let mut parts: Vec<SenderPart> = Vec::new();
    for one in members {
        let note = one.share.note.clone().unwrap_or_default();
        let until = last_day(one.share.expires_at).map(|day| ui.day(&day.to_string())).unwrap_or_default();
        let line = member_line(ui, one);
        match parts.iter_mut().find(|part| part.name == one.sender_name && part.note == note && part.until == until) {
            Some(part) => part.members.push(line),
            None => parts.push(SenderPart { name: one.sender_name.clone(), note, until, members: vec![line] }),
        }
    }
    parts
}

fn member_line(ui: &Ui, one: &shares::ReceivedMember) -> MemberLine {
    MemberLine {
        take: format!("/family-history/{}/take", one.share.id),
        name: one.relative.name.clone(),
        relation: view::told_relation(ui, &one.relative),
        years: view::told_years(ui, &one.relative),
        conditions: one.relative.had.iter().map(|had| view::told_conditions(ui, std::slice::from_ref(had))).collect(),
    }
}

#[derive(Template)]
#[template(path = "family/take.html")]
struct TakePage {
    ui: Ui,
    action: String,
    name: String,
    sender: String,
    patients: Vec<Choice>,
    relationships: Vec<Choice>,
    sides: Vec<Choice>,
    problems: Problems,
}

/// The words of a choice of the kind, and nothing; one of them chosen.
fn words(ui: &Ui, field: &str, chosen: &str) -> Result<Vec<Choice>> {
    let Some(Input::Choice { set, words }) = super::kind()?.field(field).map(|(_, spec)| spec.input) else { return Ok(Vec::new()) };
    let choice = |word: &&str| Choice { value: (*word).to_owned(), label: ui.choice(set, word), selected: *word == chosen };
    let nothing = Choice { value: String::new(), label: "–".to_owned(), selected: chosen.is_empty() };
    Ok(std::iter::once(nothing).chain(words.iter().map(choice)).collect())
}

fn take_page(conn: &mut Conn, app: &App, signed: &Signed, share: &ShareId, told: &[(String, String)], wrong: &Errors) -> Result<TakePage> {
    let value = |name: &str| told.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let received = shares::received(conn, &signed.actor, app.clock.now())?;
    let shown = received.into_iter().find(|one| one.share.id == *share).ok_or(Error::NotFound)?;
    let Accesses { list } = access::all(conn, &signed.actor, app.clock.now())?;
    let chosen = value("patient");
    let ui = Ui::new(Some(signed.me.clone()), &format!("/family-history/{share}/take"));
    Ok(TakePage {
        action: ui.here.clone(),
        patients: list
            .iter()
            .filter(|access| taken::may_take_into(access))
            .map(|a| Choice { value: a.id().to_string(), label: a.patient.name(), selected: a.id().as_str() == chosen })
            .collect(),
        relationships: words(&ui, "relationship", &value("relationship"))?,
        sides: words(&ui, "side", &value("side"))?,
        problems: Problems::new(&ui.words, wrong),
        name: shown.relative.name,
        sender: shown.sender_name,
        ui,
    })
}

/// `GET /family-history/{share}/take`: into whose history, and as whom.
pub async fn take_form(app: web::Data<App>, signed: Signed, share: web::Path<String>) -> Result<HttpResponse> {
    let share = ShareId::parse(&share).ok_or(Error::NotFound)?;
    let page = app.read(move |conn, app| take_page(conn, app, &signed, &share, &[], &Errors::new())).await?;
    render(&page)
}

/// `POST /family-history/{share}/take`.
pub async fn take(
    app: web::Data<App>,
    signed: Signed,
    share: web::Path<String>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let share = ShareId::parse(&share).ok_or(Error::NotFound)?;
    {
        // Whether there is such a share is known before the form is read.
        let (actor, share) = (signed.actor.clone(), share.clone());
        app.read(move |conn, app| {
            let sources = access::family::received(conn, &actor, app.clock.now())?;
            let is_there = sources.iter().flat_map(|source| &source.shown).any(|shown| shown.id == share);
            if is_there { Ok(()) } else { Err(Error::NotFound) }
        })
        .await?;
    }
    let pairs = body::form(&request, payload).await?;
    let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim().to_owned()).unwrap_or_default();
    let place = taken::Place { relationship: value("relationship"), side: value("side") };
    let patient = PatientId::parse(&value("patient")).ok_or(Error::NotFound)?;
    let (actor, of, from) = (signed.actor.clone(), patient.clone(), share.clone());
    let taken = app
        .write(move |tx, app| {
            let access = access::grant::<Edit>(tx, &actor, &of, app.clock.now())?;
            taken::take(tx, &access, &from, &place)
        })
        .await;
    match taken {
        Ok(record) => Ok(see_other(&format!("/patients/{patient}/{KIND}/{record}"))),
        Err(Error::Invalid(wrong)) => {
            let page = app.read(move |conn, app| take_page(conn, app, &signed, &share, &pairs, &wrong)).await?;
            render_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error),
    }
}
