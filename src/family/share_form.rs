//! Choosing whom of the family to show to somebody else, and who sees whom now.

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use chrono::NaiveDateTime;

use super::{
    Relative,
    shares::{self, Wanted},
    tree::Side,
    view,
};
use crate::{
    access::{self, Full, PatientAccess, family::KIND},
    app::App,
    audit::Action,
    auth::{form::Problems, proof::Proved, session::Signed},
    body,
    db::{
        Conn, Tx,
        types::{PatientId, RecordId, ShareId},
    },
    error::{Error, Result},
    invitations::{Offer, send},
    page::{Ui, note_read, render, render_with, see_other},
    records::{
        field::{Errors, FieldError},
        several,
    },
    sharing::terms,
};

/// Sends the invitation: `to` is an address or a user name as it was typed. Nothing is shown to anybody before it is accepted.
fn invite(tx: &mut Tx<'_>, access: &PatientAccess<Full>, to: &str, message: Option<&str>, wanted: &Wanted) -> Result<()> {
    let offer = Offer::FamilyHistory(wanted.clone());
    send::send(tx, &access.actor, &send::Wanted { to, offer: &offer, message }, access.now).map(drop)
}

#[derive(Template)]
#[template(path = "family/share.html")]
struct SharePage {
    ui: Ui,
    base: String,
    members: Vec<MemberChoice>,
    given: Vec<GivenLine>,
    to: String,
    message: String,
    until: String,
    problems: Problems,
}

struct MemberChoice {
    id: String,
    name: String,
    about: String,
    is_chosen: bool,
}

struct GivenLine {
    id: String,
    name: String,
    receiver: String,
    sender: String,
    until: String,
}

/// What was typed and ticked.
#[derive(Clone, Debug, Default)]
struct Typed {
    to: String,
    message: String,
    until: String,
    members: Vec<RecordId>,
    /// Something was sent as a relative's id that can be none.
    has_nobody: bool,
    /// A button that ticks: `paternal`, `maternal`, `all`.
    pick: Option<String>,
}

impl Typed {
    fn of(pairs: &[(String, String)]) -> Self {
        let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim().to_owned());
        let ids = || pairs.iter().filter(|(n, _)| n == "member").map(|(_, id)| RecordId::parse(id));
        Self {
            to: value("to").unwrap_or_default(),
            message: value("message").unwrap_or_default(),
            until: value("until").unwrap_or_default(),
            members: ids().flatten().collect(),
            has_nobody: ids().any(|id| id.is_none()),
            pick: value("_pick"),
        }
    }

    fn is_chosen(&self, one: &Relative) -> bool {
        match self.pick.as_deref() {
            Some("all") => true,
            Some("paternal") => one.side == Side::Paternal,
            Some("maternal") => one.side == Side::Maternal,
            _ => self.members.contains(&one.record),
        }
    }
}

/// `GET /patients/{patient}/family/share`.
pub async fn show(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let typed = Typed::of(&body::query(&request));
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Full>(conn, &signed.actor, &patient, app.clock.now())?;
            note_read(app, &access, Action::Listed, Some(KIND), None);
            page(conn, &access, Ui::new(Some(signed.me), &format!("/patients/{patient}/family/share")), &typed, &Errors::new())
        })
        .await?;
    render(&page)
}

fn page(conn: &mut Conn, access: &PatientAccess<Full>, ui: Ui, typed: &Typed, wrong: &Errors) -> Result<SharePage> {
    let kind = super::kind()?;
    access.chart(kind)?;
    let relatives: Vec<Relative> = several::load(conn, &[access], kind)?.iter().map(|row| super::relative(kind, row)).collect();
    let given = shares::list_given(conn, access)?;
    let ui = ui.with_nav(conn, access)?;
    Ok(SharePage {
        base: format!("/patients/{}/family", access.id()),
        members: relatives
            .iter()
            .map(|one| MemberChoice {
                id: one.record.to_string(),
                name: one.name.clone(),
                about: [view::told_relation(&ui, one), view::told_conditions(&ui, &one.had)]
                    .into_iter()
                    .filter(|t| !t.is_empty())
                    .collect::<Vec<_>>()
                    .join(" · "),
                is_chosen: typed.is_chosen(one),
            })
            .collect(),
        given: given
            .into_iter()
            .map(|one| GivenLine {
                id: one.id.to_string(),
                name: one.name,
                receiver: one.receiver,
                sender: one.sender,
                until: terms::last_day(one.expires_at).map(|day| ui.day(&day.to_string())).unwrap_or_default(),
            })
            .collect(),
        to: typed.to.clone(),
        message: typed.message.clone(),
        until: typed.until.clone(),
        problems: Problems::new(&ui.words, wrong),
        ui,
    })
}

/// The end of the day that was typed; nothing for a share without an end.
fn until(text: &str, ui: &Ui, today: chrono::NaiveDate) -> Result<Option<NaiveDateTime>, FieldError> {
    let last = terms::day(text, ui.words.dates.typing(today))?;
    if last.is_some_and(|last| last < today) {
        return Err(FieldError::Rule("error.share_already_over"));
    }
    Ok(last.and_then(terms::end_of))
}

/// `POST /patients/{patient}/family/share`: a button that ticks shows the form again; sending invites.
pub async fn submit(
    app: web::Data<App>,
    signed: Signed,
    _: Proved,
    patient: web::Path<String>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    {
        let (actor, patient) = (signed.actor.clone(), patient.clone());
        app.read(move |conn, app| access::grant::<Full>(conn, &actor, &patient, app.clock.now())?.chart(super::kind()?).map(drop)).await?;
    }
    let typed = Typed::of(&body::form(&request, payload).await?);
    let here = format!("/patients/{patient}/family/share");
    let ui = Ui::new(Some(signed.me.clone()), &here);
    let (actor, of, sent) = (signed.actor.clone(), patient.clone(), typed.clone());
    let outcome = if typed.pick.is_some() {
        Err(Error::Invalid(Errors::new()))
    } else {
        let ui = ui.clone();
        app.write(move |tx, app| {
            let access = access::grant::<Full>(tx, &actor, &of, app.clock.now())?;
            send(tx, &access, &ui, &sent)
        })
        .await
    };
    match outcome {
        Ok(()) => Ok(see_other("/invitations?done=invited")),
        Err(Error::Invalid(wrong)) => {
            let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            let page = app
                .read(move |conn, app| {
                    let access = access::grant::<Full>(conn, &signed.actor, &patient, app.clock.now())?;
                    page(conn, &access, ui, &typed, &wrong)
                })
                .await?;
            render_with(status, &page)
        }
        Err(error) => Err(error),
    }
}

fn send(tx: &mut Tx<'_>, access: &PatientAccess<Full>, ui: &Ui, typed: &Typed) -> Result<()> {
    let mut wrong = Errors::new();
    let message = terms::note(&typed.message).unwrap_or_else(|error| {
        wrong.push(("message".to_owned(), error));
        None
    });
    let expires_at = until(&typed.until, ui, access.now.date()).unwrap_or_else(|error| {
        wrong.push(("until".to_owned(), error));
        None
    });
    if typed.has_nobody {
        wrong.push(("members".to_owned(), FieldError::NoSuchRecord));
    }
    let members: HashSet<&RecordId> = typed.members.iter().collect();
    let mut members: Vec<RecordId> = members.into_iter().cloned().collect();
    members.sort();
    let wanted = Wanted { patient: access.id().clone(), members, note: message.clone(), expires_at };
    // Everything that is wrong is told at once.
    match invite(tx, access, &typed.to, message.as_deref(), &wanted) {
        Err(Error::Invalid(more)) => Err(Error::Invalid(more.into_iter().chain(wrong).collect())),
        Ok(()) if !wrong.is_empty() => Err(Error::Invalid(wrong)),
        sent => sent,
    }
}

/// `POST /patients/{patient}/family/shares/{share}/revoke`.
pub async fn revoke(app: web::Data<App>, signed: Signed, place: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (patient, share) = place.into_inner();
    let (patient, share) = (PatientId::parse(&patient).ok_or(Error::NotFound)?, ShareId::parse(&share).ok_or(Error::NotFound)?);
    let back = format!("/patients/{patient}/family/share");
    app.write(move |tx, app| {
        let access = access::grant::<Full>(tx, &signed.actor, &patient, app.clock.now())?;
        shares::revoke(tx, &access, &share)
    })
    .await?;
    Ok(see_other(&back))
}
