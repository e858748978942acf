//! The pages of invitations: both sides' lists, one of them before it is answered, and the way in by its link.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use chrono::NaiveDateTime;

use super::{
    Answer, Invitation, InvitationType, Offer, accept, answerable, by_link, cancel, find, offer, own, received, reject, send, sent,
};
use crate::{
    access,
    app::App,
    auth::{
        accounts::{self, Details, NewAccount},
        address,
        arrival::{self, Arrival, Way},
        form::{self, Form, Problems},
        oidc::Door,
        session::{self, Signed},
        throttle::Knock,
    },
    db::{
        Conn,
        types::{InvitationId, PatientId, UserId},
    },
    error::{Error, Result},
    households,
    page::{Ui, render, render_with, see_other},
    records::field::{Errors, FieldError},
    sharing::terms,
    tags::{self, Tag},
};

/// An invitation that was sent, in a list.
pub struct SentRow {
    pub id: String,
    pub to: String,
    pub by: String,
    pub about: String,
    /// What of it exactly.
    pub offered: String,
    pub state: &'static str,
    pub state_word: String,
    pub until: String,
    pub note: String,
    /// For who sent it, while it waits.
    pub link: String,
    pub may_cancel: bool,
    pub may_send_again: bool,
}

/// What the ids of offers are called, for who sees them.
#[derive(Default)]
pub struct Known {
    pub names: HashMap<PatientId, String>,
    pub tags: Vec<Tag>,
}

impl Known {
    fn load(conn: &mut Conn, signed: &Signed, now: NaiveDateTime) -> Result<Self> {
        let seen = access::all(conn, &signed.actor, now)?.list;
        let mut tags = Vec::new();
        for household in households::of(conn, &signed.me.id)? {
            tags.extend(tags::of_household(conn, &household.id)?);
        }
        Ok(Self { names: seen.iter().map(|one| (one.id().clone(), one.patient.name())).collect(), tags })
    }

    /// `Ada Lovelace: May look · Only allergies · until 3 May 2026`; whom the reader no longer sees is not named.
    fn told(&self, ui: &Ui, offer: &Offer) -> String {
        let names = offer.patients().iter().filter_map(|id| self.names.get(id).cloned()).collect::<Vec<_>>().join(", ");
        let what = match offer {
            Offer::Share { terms, .. } => terms.words(ui, &self.tags),
            Offer::Household { role, .. } => ui.choice("HouseholdRole", role),
            Offer::FamilyHistory(wanted) => ui.n("invitation.relatives", &i64::try_from(wanted.members.len()).unwrap_or(i64::MAX)),
            Offer::Ownership { .. } => String::new(),
        };
        [names, what].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
    }
}

/// `sender` is named where several people's invitations stand together.
pub fn sent_row(
    ui: &Ui,
    app: &App,
    known: &Known,
    invitation: &Invitation,
    sender: Option<String>,
    reader: &UserId,
    now: NaiveDateTime,
) -> Result<SentRow> {
    let mine = invitation.sent_by_user_id == *reader;
    let open = invitation.is_open(now);
    let state = invitation.status(now).as_str();
    Ok(SentRow {
        id: invitation.id.to_string(),
        to: invitation.sent_to.clone(),
        by: sender.filter(|_| !mine).unwrap_or_default(),
        about: ui.choice("InvitationType", invitation.invitation_type.as_str()),
        offered: known.told(ui, &invitation.offer()?),
        state,
        state_word: ui.choice("InvitationStatus", state),
        until: ui.moment(&invitation.expires_at),
        note: invitation.response_note.clone().unwrap_or_default(),
        link: if mine && open { invitation.link(&app.key, &app.config) } else { String::new() },
        may_cancel: mine && open,
        may_send_again: mine && invitation.may_be_sent_again(now),
    })
}

struct ReceivedRow {
    id: String,
    from: String,
    about: String,
    state_word: String,
    until: String,
    open: bool,
}

#[derive(Template)]
#[template(path = "sharing/invitations.html")]
struct InvitationsPage {
    ui: Ui,
    received: Vec<ReceivedRow>,
    sent: Vec<SentRow>,
    done: String,
}

/// What was just done, of those that have a sentence.
const DONE: &[&str] = &["invited", "accepted", "accepted_later", "accepted_household", "accepted_family", "rejected", "cancelled", "again"];

/// `GET /invitations`.
pub async fn list(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let here = request.path().to_owned();
    let told = Form(crate::body::query(&request)).text("done");
    let done = DONE.iter().find(|word| told == **word).map(|word| (*word).to_owned()).unwrap_or_default();
    let page = app
        .read(move |conn, app| {
            let now = app.clock.now();
            let ui = Ui::new(Some(signed.me.clone()), &here);
            let known = Known::load(conn, &signed, now)?;
            let got = received(conn, &signed.me.id)?.into_iter().map(|(one, from)| received_row(&ui, &one, from, now)).collect();
            let sent = sent(conn, &signed.me.id)?
                .iter()
                .map(|one| sent_row(&ui, app, &known, one, None, &signed.me.id, now))
                .collect::<Result<_>>()?;
            Ok(InvitationsPage { received: got, sent, done, ui })
        })
        .await?;
    render(&page)
}

fn received_row(ui: &Ui, invitation: &Invitation, from: String, now: NaiveDateTime) -> ReceivedRow {
    let state = invitation.status(now).as_str();
    ReceivedRow {
        id: invitation.id.to_string(),
        from,
        about: ui.choice("InvitationType", invitation.invitation_type.as_str()),

        state_word: ui.choice("InvitationStatus", state),
        until: ui.moment(&invitation.expires_at),
        open: invitation.is_open(now),
    }
}

#[derive(Template)]
#[template(path = "sharing/invitation.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of the template by itself")]
struct InvitationPage {
    ui: Ui,
    /// Where the answer goes.
    action: String,
    from: String,
    about: String,
    message: String,
    lines: Vec<String>,
    until: String,
    /// May answer now.
    open: bool,
    signed_in: bool,
    /// Where a new account is made for it.
    account: String,
    brings: bool,
    state_word: String,
    note: String,
    brought: bool,
    problems: Problems,
}

fn page(conn: &mut Conn, app: &App, ui: Ui, invitation: &Invitation, action: String, signed_in: bool) -> Result<InvitationPage> {
    let now = app.clock.now();
    let sender = offer::sender(conn, invitation)?;
    let state = invitation.status(now).as_str();
    let what = invitation.offer()?;
    // Nothing is told of what can no longer be had.
    let lines = if invitation.is_open(now) { what.lines(conn, &ui, &sender, now)? } else { Vec::new() };
    Ok(InvitationPage {
        from: sender.name,
        about: ui.choice("InvitationType", invitation.invitation_type.as_str()),
        message: invitation.message.clone().unwrap_or_default(),
        open: invitation.is_open(now) && !lines.is_empty(),
        lines,
        until: ui.moment(&invitation.expires_at),
        account: String::new(),
        brings: invitation.invitation_type == InvitationType::FamilyJoin,
        state_word: ui.choice("InvitationStatus", state),
        note: String::new(),
        brought: false,
        problems: Problems::default(),
        action,
        signed_in,
        ui,
    })
}

/// The page again, with what was said and what is wrong with it.
fn page_again(
    conn: &mut Conn,
    app: &App,
    signed: &Signed,
    invitation: &Invitation,
    action: String,
    form: &Form,
    errors: &Errors,
) -> Result<InvitationPage> {
    let ui = Ui::new(Some(signed.me.clone()), &action);
    let problems = Problems::new(&ui.words, errors);
    let page = page(conn, app, ui, invitation, action, true)?;
    Ok(InvitationPage { note: form.text("note"), brought: form.has("bring"), problems, ..page })
}

fn id_of(path: &str) -> Result<InvitationId> {
    InvitationId::parse(path).ok_or(Error::NotFound)
}

/// `GET /invitations/{invitation}`: what one would get, before one answers.
pub async fn show(app: web::Data<App>, signed: Signed, path: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let id = id_of(&path)?;
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let invitation = find(conn, &id)?;
            if !invitation.is_for(conn, &signed.me.id, false)? {
                return Err(Error::NotFound);
            }
            let ui = Ui::new(Some(signed.me.clone()), &here);
            page(conn, app, ui, &invitation, format!("/invitations/{id}"), true)
        })
        .await?;
    render(&page)
}

/// `GET /join/{text}`: the same for who has the link, signed in or not.
pub async fn join(app: web::Data<App>, signed: Option<Signed>, path: web::Path<String>) -> Result<HttpResponse> {
    let text = path.into_inner();
    let page = app
        .read(move |conn, app| {
            let invitation = by_link(conn, &app.key, &text)?;
            let me = signed.map(|signed| signed.me);
            if let Some(me) = &me
                && !invitation.is_for(conn, &me.id, true)?
            {
                return Err(Error::Conflict(if me.id == invitation.sent_by_user_id { "invitation_own" } else { "invitation_others" }));
            }
            let here = format!("/join/{text}");
            let may_join = me.is_none() && invitation.is_by_address() && invitation.receiver(conn)?.is_none();
            let signed_in = me.is_some();
            let mut page = page(conn, app, Ui::new(me, &here), &invitation, here.clone(), signed_in)?;
            page.account = if may_join { format!("{here}/account") } else { String::new() };
            Ok(page)
        })
        .await?;
    render(&page)
}

fn invalid(field: &str, error: FieldError) -> Error {
    Error::Invalid(vec![(field.to_owned(), error)])
}

/// What a form of an answer says.
struct Said {
    accepts: bool,
    answer: Answer,
}

fn said(form: &Form) -> Result<Said> {
    let note = terms::note(&form.text("note")).map_err(|error| invalid("note", error))?;
    let accepts = match form.raw("answer") {
        "accept" => true,
        "reject" => false,
        _ => return Err(invalid("answer", FieldError::Required)),
    };
    Ok(Said { accepts, answer: Answer { note, bring: form.has("bring") } })
}

/// `POST /invitations/{invitation}`.
pub async fn respond(
    app: web::Data<App>,
    signed: Signed,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let id = id_of(&path)?;
    let (user, wanted) = (signed.me.id.clone(), id.clone());
    app.read(move |conn, _| if find(conn, &wanted)?.is_for(conn, &user, false)? { Ok(()) } else { Err(Error::NotFound) }).await?;
    let form = Form::read(&request, payload).await?;
    answer(&app, signed, id, None, format!("/invitations/{path}"), form).await
}

/// `POST /join/{text}`.
pub async fn respond_by_link(
    app: web::Data<App>,
    signed: Signed,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let text = path.clone();
    let (id, generation) = app.read(move |conn, app| by_link(conn, &app.key, &text).map(|one| (one.id.clone(), one.generation))).await?;
    let form = Form::read(&request, payload).await?;
    answer(&app, signed, id, Some(generation), format!("/join/{path}"), form).await
}

/// `link` is the generation of the link they came with, `here` the page they answer on.
async fn answer(app: &App, signed: Signed, id: InvitationId, link: Option<i32>, here: String, form: Form) -> Result<HttpResponse> {
    let said = match said(&form) {
        Ok(said) => said,
        Err(Error::Invalid(errors)) => return refused(app, signed, id, link, here, form, errors).await,
        Err(error) => return Err(error),
    };
    let done = app
        .write(move |tx, app| {
            let now = app.clock.now();
            if !said.accepts {
                return reject(tx, &signed.actor, &id, link, said.answer.note.as_deref(), now).map(|()| "rejected");
            }
            accept(tx, &signed.actor, &id, link, &said.answer, now)?;
            Ok(accepted_word(&find(tx, &id)?.offer()?, now))
        })
        .await?;
    Ok(see_other(&format!("/invitations?done={done}")))
}

/// Where what was accepted is found, or that it is not open yet.
fn accepted_word(offer: &Offer, now: NaiveDateTime) -> &'static str {
    match offer {
        Offer::Share { terms, .. } if terms.starts_at.is_some_and(|start| start > now) => "accepted_later",
        Offer::Share { .. } | Offer::Ownership { .. } => "accepted",
        Offer::Household { .. } => "accepted_household",
        Offer::FamilyHistory(_) => "accepted_family",
    }
}

async fn refused(
    app: &App,
    signed: Signed,
    id: InvitationId,
    link: Option<i32>,
    here: String,
    form: Form,
    errors: Errors,
) -> Result<HttpResponse> {
    let page = app
        .read(move |conn, app| {
            let invitation = answerable(conn, &signed.actor, &id, link, app.clock.now())?;
            page_again(conn, app, &signed, &invitation, here, &form, &errors)
        })
        .await?;
    render_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /invitations/{invitation}/cancel`.
pub async fn take_back(app: web::Data<App>, signed: Signed, path: web::Path<String>) -> Result<HttpResponse> {
    let id = id_of(&path)?;
    app.write(move |tx, app| cancel(tx, &signed.actor, &id, app.clock.now())).await?;
    Ok(see_other("/invitations?done=cancelled"))
}

/// `POST /invitations/{invitation}/again`.
pub async fn send_again(app: web::Data<App>, signed: Signed, path: web::Path<String>) -> Result<HttpResponse> {
    let id = id_of(&path)?;
    app.write(move |tx, app| {
        own(tx, &signed.actor, &id)?;
        send::again(tx, &signed.actor, &id, app.clock.now())
    })
    .await?;
    Ok(see_other("/invitations?done=again"))
}

#[derive(Template)]
#[template(path = "sharing/account.html")]
struct AccountPage {
    ui: Ui,
    action: String,
    back: String,
    problems: Problems,
    details: Details,
    /// The way in by a provider.
    door: Option<Door>,
    /// Where it leads, and no form waits to be sent.
    next: String,
    resume: Option<(String, String)>,
}

impl AccountPage {
    fn takes_password(&self) -> bool {
        !self.door.as_ref().is_some_and(|door| door.only)
    }
}

/// The invitation that lets its holder make an account: open, by an address that no account is known to have.
pub fn for_a_new_account(conn: &mut Conn, app: &App, text: &str) -> Result<(Invitation, Offer)> {
    let invitation = by_link(conn, &app.key, text)?;
    let fits = invitation.is_open(app.clock.now()) && invitation.is_by_address() && invitation.receiver(conn)?.is_none();
    if !fits {
        return Err(Error::NotFound);
    }
    let offer = invitation.offer()?;
    Ok((invitation, offer))
}

fn account_page(app: &App, text: &str, problems: Problems, details: Details) -> AccountPage {
    let back = format!("/join/{text}");
    AccountPage {
        ui: Ui::new(None, &back),
        action: format!("{back}/account"),
        next: back.clone(),
        back,
        problems,
        details,
        door: Door::of(app),
        resume: None,
    }
}

/// `GET /join/{text}/account`.
pub async fn account(app: web::Data<App>, path: web::Path<String>) -> Result<HttpResponse> {
    let text = path.into_inner();
    let page = app
        .read(move |conn, app| {
            let (invitation, _) = for_a_new_account(conn, app, &text)?;
            let details = Details { email: invitation.sent_to, ..Details::default() };
            Ok(account_page(app, &text, Problems::default(), details))
        })
        .await?;
    render(&page)
}

/// `POST /join/{text}/account`: makes it and leads back to the invitation, which is still to be answered.
pub async fn make_account(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let text = path.into_inner();
    if app.config.oidc.only {
        return Err(Error::NotFound);
    }
    let wanted = text.clone();
    let (invitation, _) = app.read(move |conn, app| for_a_new_account(conn, app, &wanted)).await?;
    let form = Form::read(&request, payload).await?;
    let details = Details { full_name: form.text("full_name"), username: form.text("username"), email: invitation.sent_to };
    let (link, typed, address) = (text.clone(), details.clone(), session::address(&request));
    match app.run(move |app| make(app, &link, &form, typed, address)).await {
        Ok(user) => {
            arrival::arrive(&app, &request, Arrival::new(user, Way::NewAccount)).await?;
            Ok(see_other(&format!("/join/{text}")))
        }
        Err(error) => {
            let words = crate::i18n::Locale::default();
            let (status, problems) = form::shown(&words, error)?;
            form::again(status, problems.wait, &account_page(&app, &text, problems, details))
        }
    }
}

fn make(app: &App, link: &str, form: &Form, details: Details, address: Option<String>) -> Result<UserId> {
    let now = app.clock.now();
    let mut errors = details.check();
    errors.extend(accounts::check_password(form.raw("password"), Some(form.raw("password_again")), &details));
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let knock = Knock::sign_up(&app.key, address.as_deref());
    app.db.write(|tx| knock.reserve(tx, now))?;
    let password_hash = accounts::hash(app, form.raw("password"))?;
    app.db.write(|tx| {
        // Again with the write: it may have been answered or taken back meanwhile.
        let (_, offer) = for_a_new_account(tx, app, link)?;
        let new = NewAccount {
            details: details.clone(),
            role: offer.role(),
            password_hash: password_hash.clone(),
            address: address.clone(),
            by_command: false,
            household: None,
        };
        let user = accounts::create(tx, &new, now)?;
        // Whoever sent the invitation can copy its link: it proves no address.
        address::ask_if_mail_works(tx, app, &user, now)?;
        Ok(user)
    })
}
