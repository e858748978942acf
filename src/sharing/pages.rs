//! Who sees a patient: the page of its shares, a share's own form, and the ends of both sides.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use chrono::NaiveDateTime;

use super::{
    sets::{self, Choices},
    shares::{self, Share},
    terms::{self, Terms},
};
use crate::{
    access::{self, AtLeast, Full, Own, PatientAccess, Permission, Rank},
    app::App,
    auth::{
        form::{Form, Problems},
        proof::Proved,
        session::Signed,
    },
    db::{
        Conn, Tx,
        types::{PatientId, ShareId},
    },
    error::{Error, Result},
    invitations::{
        self, Offer,
        pages::{Known, SentRow, sent_row},
        send::{self, Wanted},
    },
    page::{Ui, render, render_with, see_other},
    records::{
        field::{Errors, FieldError},
        overview,
        view::Choice,
    },
    tags::{self, Tag},
};

/// The fields of a share, for a template.
pub struct TermsForm {
    pub permission: Vec<Choice>,
    pub scope: Choices,
    pub starts_on: String,
    pub ends_on: String,
    pub note: String,
}

impl TermsForm {
    /// As it was sent, or as a new one begins.
    fn new(ui: &Ui, tags: &[Tag], own: &access::Scope, form: &Form) -> Self {
        let chosen = form.text("permission");
        let preset = if chosen.is_empty() { "view" } else { chosen.as_str() };
        let level = |word: &&str| Choice { value: (*word).to_owned(), label: ui.choice("Permission", word), selected: *word == preset };
        Self {
            permission: Permission::WORDS.iter().map(level).collect(),
            scope: Choices::new(ui, tags, own, &form.0),
            starts_on: form.text("starts_on"),
            ends_on: form.text("ends_on"),
            note: form.text("note"),
        }
    }
}

/// A share as a form would send it, so that one template shows both.
fn as_form(ui: &Ui, terms: &Terms) -> Form {
    let day = |day: Option<chrono::NaiveDate>| day.map_or_else(String::new, |day| ui.words.day(&day.to_string()));
    let mut pairs = vec![
        ("permission".to_owned(), terms.permission.as_str().to_owned()),
        ("starts_on".to_owned(), day(terms.starts_at.map(|at| at.date()))),
        ("ends_on".to_owned(), day(terms.last_day())),
        ("note".to_owned(), terms.note.clone().unwrap_or_default()),
    ];
    let known = sets::SETS.iter().find(|set| set.scope().kinds == terms.scope.kinds && set.scope().without.is_empty());
    pairs.push(("set".to_owned(), known.map_or(sets::CHOSEN, |set| set.word).to_owned()));
    if known.is_none() {
        pairs.extend(terms.scope.kinds.iter().flatten().map(|kind| ("kinds".to_owned(), kind.clone())));
    }
    pairs.extend(terms.scope.tags.iter().flatten().map(|tag| ("tags".to_owned(), tag.clone())));
    pairs.extend(terms.scope.without.iter().map(|word| ("without".to_owned(), word.clone())));
    Form(pairs)
}

/// A share in a list.
pub struct ShareRow {
    pub id: String,
    pub patient: String,
    pub patient_name: String,
    pub name: String,
    pub words: String,
    pub note: String,
    pub state: &'static str,
    pub state_word: String,
    pub ends_soon: bool,
    pub lives: bool,
    /// This person may change it.
    pub mine: bool,
}

pub fn share_row(ui: &Ui, share: &Share, patient_name: &str, tags: &[Tag], mine: bool, now: NaiveDateTime) -> ShareRow {
    let state = share.state(now).word();
    ShareRow {
        id: share.id.to_string(),
        patient: share.patient.to_string(),
        patient_name: patient_name.to_owned(),
        name: share.name.clone(),
        words: share.terms.words(ui, tags),
        note: share.terms.note.clone().unwrap_or_default(),
        state,
        state_word: ui.choice("ShareState", state),
        ends_soon: share.ends_soon(now),
        lives: share.lives(now),
        mine,
    }
}

#[derive(Template)]
#[template(path = "sharing/patient.html")]
struct SharingPage {
    ui: Ui,
    id: String,
    name: String,
    owners: Vec<String>,
    shares: Vec<ShareRow>,
    past: Vec<ShareRow>,
    sent: Vec<SentRow>,
    /// Other patients that the same invitation can be about.
    others: Vec<Choice>,
    to: String,
    message: String,
    terms: TermsForm,
    problems: Problems,
    may_own: bool,
    may_resign: bool,
    owner_to: String,
    /// Handed over, not owned together.
    owner_instead: bool,
    owner_problems: Problems,
    done: String,
}

/// What a form that failed leaves on the page.
#[derive(Default)]
struct Typed {
    share: Form,
    owner: Form,
    share_errors: Errors,
    owner_errors: Errors,
}

fn load<L: AtLeast<Full>>(
    conn: &mut Conn,
    app: &App,
    signed: &Signed,
    access: &PatientAccess<L>,
    typed: &Typed,
    done: &str,
) -> Result<SharingPage> {
    let id = access.id().to_string();
    let ui = Ui::new(Some(signed.me.clone()), &format!("/patients/{id}/sharing")).with_nav(conn, access)?;
    let tags = overview::tags_to_choose(conn, access)?;
    let owners = shares::owners(conn, access)?;
    let may_change = |share: &Share| share.with != access.actor.user && share.terms.scope.is_within(access.scope());
    let name = access.patient.name();
    let given = shares::given(conn, access)?;
    let (shares, past) = given
        .iter()
        .map(|share| share_row(&ui, share, &name, &tags, may_change(share), access.now))
        .partition::<Vec<_>, _>(|row| row.lives);
    let chosen: Vec<&str> = typed.share.0.iter().filter(|(n, _)| n == "patients").map(|(_, v)| v.as_str()).collect();
    let seen = access::all(conn, &access.actor, access.now)?.list;
    let others = seen
        .iter()
        .filter(|other| other.id() != access.id() && other.may(Rank::Full))
        .map(|other| Choice { value: other.id().to_string(), label: other.patient.name(), selected: chosen.contains(&other.id().as_str()) })
        .collect();
    let names = seen.iter().map(|other| (other.id().clone(), other.patient.name())).collect();
    let known = Known { names, tags: tags.clone() };
    let sent = invitations::about(conn, access)?
        .into_iter()
        .map(|(invitation, sender)| sent_row(&ui, app, &known, &invitation, Some(sender), &access.actor.user, access.now))
        .collect::<Result<_>>()?;
    Ok(SharingPage {
        owners: owners.iter().map(|(_, name)| name.clone()).collect(),
        may_own: access.may(Rank::Own),
        may_resign: access.may(Rank::Own) && owners.len() > 1,
        terms: TermsForm::new(&ui, &tags, access.scope(), &typed.share),
        to: typed.share.text("to"),
        message: typed.share.text("message"),
        problems: Problems::new(&ui.words, &typed.share_errors),
        owner_to: typed.owner.text("to"),
        owner_instead: typed.owner.raw("how") == "instead",
        owner_problems: Problems::new(&ui.words, &typed.owner_errors),
        done: done.to_owned(),
        id,
        name,
        shares,
        past,
        sent,
        others,
        ui,
    })
}

/// `GET /patients/{patient}/sharing`.
pub async fn show(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let done = done(&request);
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Full>(conn, &signed.actor, &patient, app.clock.now())?;
            load(conn, app, &signed, &access, &Typed::default(), done)
        })
        .await?;
    render(&page)
}

/// What was just done, of those that have a sentence.
fn done(request: &HttpRequest) -> &'static str {
    let told = Form(crate::body::query(request));
    ["invited", "changed", "extended", "ended"].into_iter().find(|word| told.raw("done") == *word).unwrap_or_default()
}

/// Access first, body after it: a stranger learns nothing from a form that cannot be read.
async fn form_of<L: access::Level>(
    app: &App,
    signed: &Signed,
    patient: &PatientId,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Form> {
    access::must_be::<L>(app, &signed.actor, patient).await?;
    Form::read(request, payload).await
}

/// `POST /patients/{patient}/sharing`: invites somebody to this patient and others.
pub async fn invite(
    app: web::Data<App>,
    signed: Signed,
    _: Proved,
    patient: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let form = form_of::<Full>(&app, &signed, &patient, &request, payload).await?;
    send_or_again(&app, signed, patient, form, invite_now, |share, share_errors| Typed { share, share_errors, ..Typed::default() }).await
}

/// Sends what a form of the sharing page offers, or shows the page again with what is wrong with it.
async fn send_or_again(
    app: &App,
    signed: Signed,
    patient: PatientId,
    form: Form,
    send: fn(&mut Tx<'_>, &App, &Signed, &PatientId, &Form) -> Result<()>,
    typed: fn(Form, Errors) -> Typed,
) -> Result<HttpResponse> {
    let back = format!("/patients/{patient}/sharing?done=invited");
    let page = app
        .run(move |app| {
            let Err(error) = app.db.write(|tx| send(tx, app, &signed, &patient, &form)) else { return Ok(None) };
            let Error::Invalid(errors) = error else { return Err(error) };
            app.db.read(|conn| {
                let access = access::grant::<Full>(conn, &signed.actor, &patient, app.clock.now())?;
                load(conn, app, &signed, &access, &typed(form, errors), "").map(Some)
            })
        })
        .await?;
    page.map_or_else(|| Ok(see_other(&back)), |page| render_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
}

fn invite_now(tx: &mut Tx<'_>, app: &App, signed: &Signed, patient: &PatientId, form: &Form) -> Result<()> {
    let now = app.clock.now();
    let access = access::grant::<Full>(tx, &signed.actor, patient, now)?;
    let tags = overview::tags_to_choose(tx, &access)?;
    let typing = signed.me.dates.typing(app.clock.today());
    let terms = Terms::read(form, &tags, access.scope(), typing, app.clock.today());
    let message = terms::note(&form.text("message"));
    let mut errors = Errors::new();
    if let Err(error) = &message {
        errors.push(("message".to_owned(), error.clone()));
    }
    let mut patients = vec![patient.clone()];
    for other in form.0.iter().filter(|(name, value)| name == "patients" && !value.is_empty()).map(|(_, value)| value) {
        // Another patient's id is proved like this one's: what this person may not share, there is not.
        let other = PatientId::parse(other).ok_or(Error::NotFound)?;
        access::grant::<Full>(tx, &signed.actor, &other, now)?;
        if !patients.contains(&other) {
            patients.push(other);
        }
    }
    let terms = terms.unwrap_or_else(|wrong| {
        errors.extend(wrong);
        Terms { permission: Permission::View, scope: access.scope().clone(), starts_at: None, expires_at: access.until, note: None }
    });
    let offer = Offer::Share { patients, terms };
    let sent =
        send::send(tx, &signed.actor, &Wanted { to: &form.text("to"), offer: &offer, message: message.ok().flatten().as_deref() }, now);
    match sent {
        Ok(_) if errors.is_empty() => Ok(()),
        Ok(_) => Err(Error::Invalid(errors)),
        Err(Error::Invalid(more)) => Err(Error::Invalid(more.into_iter().chain(errors).collect())),
        Err(error) => Err(error),
    }
}

/// `POST /patients/{patient}/sharing/owner`: offers somebody to own the patient too, or instead.
pub async fn offer_ownership(
    app: web::Data<App>,
    signed: Signed,
    _: Proved,
    patient: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let form = form_of::<Own>(&app, &signed, &patient, &request, payload).await?;
    send_or_again(&app, signed, patient, form, offer_now, |owner, owner_errors| Typed { owner, owner_errors, ..Typed::default() }).await
}

fn offer_now(tx: &mut Tx<'_>, app: &App, signed: &Signed, patient: &PatientId, form: &Form) -> Result<()> {
    let instead = match form.raw("how") {
        "" | "beside" => false,
        "instead" => true,
        _ => return Err(Error::Invalid(vec![("how".to_owned(), FieldError::UnknownChoice)])),
    };
    let offer = Offer::Ownership { patient: patient.clone(), instead };
    let wanted = Wanted { to: &form.text("to"), offer: &offer, message: None };
    send::send(tx, &signed.actor, &wanted, app.clock.now()).map(drop)
}

/// `POST /patients/{patient}/sharing/resign`: one of several owners gives up their part.
pub async fn resign(app: web::Data<App>, signed: Signed, patient: web::Path<String>) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    app.write(move |tx, app| {
        let access = access::grant::<Own>(tx, &signed.actor, &patient, app.clock.now())?;
        shares::resign(tx, &access)
    })
    .await?;
    Ok(see_other("/patients"))
}

/// `POST /patients/{patient}/sharing/leave`: who was given a share gives it back.
pub async fn leave(app: web::Data<App>, signed: Signed, patient: web::Path<String>) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    app.write(move |tx, app| shares::leave(tx, &signed.actor, &patient, app.clock.now())).await?;
    Ok(see_other("/sharing"))
}

fn ids(path: &(String, String)) -> Result<(PatientId, ShareId)> {
    Ok((PatientId::parse(&path.0).ok_or(Error::NotFound)?, ShareId::parse(&path.1).ok_or(Error::NotFound)?))
}

#[derive(Template)]
#[template(path = "sharing/share.html")]
struct SharePage {
    ui: Ui,
    patient: String,
    patient_name: String,
    id: String,
    name: String,
    terms: TermsForm,
    problems: Problems,
}

/// The tags to choose from, and those that the share has already: without them, saving it would open more than before.
fn tags_for(conn: &mut Conn, access: &PatientAccess<Full>, share: &Share) -> Result<Vec<Tag>> {
    let mut known = overview::tags_to_choose(conn, access)?;
    let chosen = share.terms.scope.tags.as_deref().unwrap_or_default();
    let is_missing = |id: &str| !known.iter().any(|tag| tag.id.as_str() == id);
    if chosen.iter().any(|id| is_missing(id)) {
        let more: Vec<Tag> = tags::of_household(conn, access.household())?
            .into_iter()
            .filter(|tag| is_missing(tag.id.as_str()) && chosen.iter().any(|id| id == tag.id.as_str()))
            .collect();
        known.extend(more);
    }
    Ok(known)
}

fn share_page(
    conn: &mut Conn,
    signed: &Signed,
    access: &PatientAccess<Full>,
    share: &Share,
    typed: Option<(&Form, &Errors)>,
) -> Result<SharePage> {
    let patient = access.id().to_string();
    let ui = Ui::new(Some(signed.me.clone()), &format!("/patients/{patient}/sharing/{}", share.id)).with_nav(conn, access)?;
    let tags = tags_for(conn, access, share)?;
    let stored = as_form(&ui, &share.terms);
    let (form, errors) = typed.map_or((&stored, Errors::new()), |(form, errors)| (form, errors.clone()));
    Ok(SharePage {
        terms: TermsForm::new(&ui, &tags, access.scope(), form),
        problems: Problems::new(&ui.words, &errors),
        patient_name: access.patient.name(),
        id: share.id.to_string(),
        name: share.name.clone(),
        patient,
        ui,
    })
}

/// `GET /patients/{patient}/sharing/{share}`.
pub async fn edit(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (patient, share) = ids(&path)?;
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Full>(conn, &signed.actor, &patient, app.clock.now())?;
            let share = shares::manageable(conn, &access, &share)?;
            share_page(conn, &signed, &access, &share, None)
        })
        .await?;
    render(&page)
}

/// `POST /patients/{patient}/sharing/{share}`.
pub async fn change(
    app: web::Data<App>,
    signed: Signed,
    _: Proved,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let (patient, share) = ids(&path)?;
    let form = form_of::<Full>(&app, &signed, &patient, &request, payload).await?;
    let back = format!("/patients/{patient}/sharing?done=changed");
    let wrong = app
        .write(move |tx, app| {
            let access = access::grant::<Full>(tx, &signed.actor, &patient, app.clock.now())?;
            let known = shares::manageable(tx, &access, &share)?;
            let tags = tags_for(tx, &access, &known)?;
            let typing = signed.me.dates.typing(app.clock.today());
            let changed = Terms::read(&form, &tags, access.scope(), typing, app.clock.today())
                .map_err(Error::Invalid)
                .and_then(|terms| shares::change(tx, &access, &share, &terms));
            match changed {
                Ok(()) => Ok(None),
                Err(Error::Invalid(errors)) => share_page(tx, &signed, &access, &known, Some((&form, &errors))).map(Some),
                Err(error) => Err(error),
            }
        })
        .await?;
    match wrong {
        None => Ok(see_other(&back)),
        Some(page) => render_with(StatusCode::UNPROCESSABLE_ENTITY, &page),
    }
}

/// `POST /patients/{patient}/sharing/{share}/extend`: one click, a week more.
pub async fn extend(app: web::Data<App>, signed: Signed, _: Proved, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (patient, share) = ids(&path)?;
    let back = format!("/patients/{patient}/sharing?done=extended");
    app.write(move |tx, app| {
        let access = access::grant::<Full>(tx, &signed.actor, &patient, app.clock.now())?;
        shares::extend(tx, &access, &share)
    })
    .await?;
    Ok(see_other(&back))
}

/// `POST /patients/{patient}/sharing/{share}/end`.
pub async fn end(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (patient, share) = ids(&path)?;
    let back = format!("/patients/{patient}/sharing?done=ended");
    app.write(move |tx, app| {
        let access = access::grant::<Full>(tx, &signed.actor, &patient, app.clock.now())?;
        shares::end(tx, &access, &share)
    })
    .await?;
    Ok(see_other(&back))
}
