//! `/household`: who keeps records together here, and what leaving means.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{Household, Role};
use crate::{
    access,
    app::App,
    auth::{
        form::{Form, Problems},
        session::Signed,
    },
    db::{
        Conn,
        types::{HouseholdId, UserId},
    },
    error::{Error, Result},
    invitations::{
        Offer,
        send::{self, Wanted},
    },
    page::{Ui, render, render_with, see_other},
    records::{
        field::{Errors, FieldError},
        view::Choice,
    },
};

#[derive(Template)]
#[template(path = "sharing/households.html")]
struct HouseholdsPage {
    ui: Ui,
    households: Vec<Part>,
    done: String,
}

/// One household on the page, with its forms.
struct Part {
    id: String,
    name: String,
    main: bool,
    keeps: bool,
    alone: bool,
    members: Vec<MemberRow>,
    /// Patients of it that this person sees.
    people: Vec<(String, String)>,
    roles: Vec<Choice>,
    typed_name: String,
    to: String,
    message: String,
    /// What the ids of its fields begin with; several households stand on the page.
    prefix: String,
    problems: Problems,
}

struct MemberRow {
    id: String,
    name: String,
    role: &'static str,
    role_word: String,
    me: bool,
}

/// A form that failed: whose, what was typed, what is wrong.
type Failed = (HouseholdId, Form, Errors);

fn load(conn: &mut Conn, app: &App, signed: &Signed, failed: Option<&Failed>, done: &str) -> Result<HouseholdsPage> {
    let ui = Ui::new(Some(signed.me.clone()), "/household");
    let accesses = access::all(conn, &signed.actor, app.clock.now())?;
    let households = super::of(conn, &signed.me.id)?
        .into_iter()
        .enumerate()
        .map(|(place, household)| {
            let people = accesses
                .list
                .iter()
                .filter(|access| access.household() == &household.id)
                .map(|access| (access.id().to_string(), access.patient.name()))
                .collect();
            let prefix = if place == 0 { "f".to_owned() } else { format!("f{place}") };
            Part { prefix, ..part(&ui, signed, household, people, failed) }
        })
        .collect();
    Ok(HouseholdsPage { households, done: done.to_owned(), ui })
}

fn part(ui: &Ui, signed: &Signed, household: Household, people: Vec<(String, String)>, failed: Option<&Failed>) -> Part {
    let failed = failed.filter(|(id, ..)| *id == household.id);
    let typed = failed.map(|(_, form, _)| form.clone()).unwrap_or_default();
    let members = household.members.iter().map(|member| MemberRow {
        id: member.id.to_string(),
        name: member.name.clone(),
        role: member.role.as_str(),
        role_word: ui.choice("HouseholdRole", member.role.as_str()),
        me: member.id == signed.me.id,
    });
    let role = typed.text("role");
    let preset = if role.is_empty() { "member" } else { role.as_str() };
    Part {
        keeps: household.keeps(),
        alone: household.members.len() < 2,
        members: members.collect(),
        roles: Role::WORDS
            .iter()
            .map(|word| Choice { value: (*word).to_owned(), label: ui.choice("HouseholdRole", word), selected: *word == preset })
            .collect(),
        typed_name: if typed.has("name") { typed.text("name") } else { household.name.clone() },
        to: typed.text("to"),
        message: typed.text("message"),
        prefix: String::new(),
        problems: failed.map(|(_, _, errors)| Problems::new(&ui.words, errors)).unwrap_or_default(),
        id: household.id.to_string(),
        name: household.name,
        main: household.main,
        people,
    }
}

/// `GET /household`.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let told = Form(crate::body::query(&request)).text("done");
    let done = ["saved", "invited", "left"].into_iter().find(|word| told == *word).unwrap_or_default();
    let page = app.read(move |conn, app| load(conn, app, &signed, None, done)).await?;
    render(&page)
}

/// `POST /household/{household}`: what `_what` says: rename, invite, role, main.
pub async fn change(
    app: web::Data<App>,
    signed: Signed,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let household = HouseholdId::parse(&path).ok_or(Error::NotFound)?;
    let (id, user) = (household.clone(), signed.me.id.clone());
    app.read(move |conn, _| if super::is_member(conn, &id, &user)? { Ok(()) } else { Err(Error::NotFound) }).await?;
    let form = Form::read(&request, payload).await?;
    let invites = form.raw("_what") == "invite";
    let failed = app
        .run(move |app| {
            let Err(error) = apply(app, &signed, &household, &form) else { return Ok(None) };
            let Error::Invalid(errors) = error else { return Err(error) };
            app.db.read(|conn| load(conn, app, &signed, Some(&(household, form, errors)), "").map(Some))
        })
        .await?;
    match failed {
        None => Ok(see_other(if invites { "/household?done=invited" } else { "/household?done=saved" })),
        Some(page) => render_with(StatusCode::UNPROCESSABLE_ENTITY, &page),
    }
}

fn apply(app: &App, signed: &Signed, household: &HouseholdId, form: &Form) -> Result<()> {
    let now = app.clock.now();
    app.db.write(|tx| match form.raw("_what") {
        "rename" => super::rename(tx, &signed.actor, household, &form.text("name"), now),
        "main" => super::make_main(tx, &signed.actor, household, now),
        "role" => {
            let member = UserId::parse(form.raw("member")).ok_or(Error::NotFound)?;
            let role = Role::parse(form.raw("role")).ok_or(Error::BadRequest("unknown_role"))?;
            super::set_role(tx, &signed.actor, household, &member, role, now)
        }
        "invite" => {
            Role::parse(form.raw("role")).ok_or_else(|| Error::Invalid(vec![("role".to_owned(), FieldError::UnknownChoice)]))?;
            let offer = Offer::Household { household: household.clone(), role: form.text("role") };
            let (to, message) = (form.text("to"), form.text("message"));
            let message = crate::sharing::terms::note(&message).map_err(|error| Error::Invalid(vec![("message".to_owned(), error)]))?;
            send::send(tx, &signed.actor, &Wanted { to: &to, offer: &offer, message: message.as_deref() }, now).map(drop)
        }
        _ => Err(Error::BadRequest("broken_form")),
    })
}

#[derive(Template)]
#[template(path = "sharing/leave.html")]
struct LeavePage {
    ui: Ui,
    household: String,
    name: String,
    member: String,
    /// The heading where it is another.
    remove_them: String,
    me: bool,
    /// The people who go along: by name where this person may see them, the others counted.
    along: Vec<String>,
    along_unseen: i64,
    problems: Problems,
}

fn leave_page(conn: &mut Conn, app: &App, signed: &Signed, household: &HouseholdId, member: &UserId, errors: &Errors) -> Result<LeavePage> {
    let all = super::of(conn, &signed.me.id)?;
    let found = all.into_iter().find(|one| one.id == *household).ok_or(Error::NotFound)?;
    if *member != signed.me.id && !found.keeps() {
        return Err(Error::Forbidden);
    }
    let who = found.members.iter().find(|one| one.id == *member).ok_or(Error::NotFound)?;
    let accesses = access::all(conn, &signed.actor, app.clock.now())?;
    let along = super::kept_alone(conn, household, member)?;
    let seen: Vec<String> = along.iter().filter_map(|id| accesses.of(id)).map(|access| access.patient.name()).collect();
    let ui = Ui::new(Some(signed.me.clone()), "/household");
    Ok(LeavePage {
        household: household.to_string(),
        name: found.name.clone(),
        member: member.to_string(),
        remove_them: ui.words.with("household.remove_them", &[("name", &who.name), ("household", &found.name)]),
        me: *member == signed.me.id,
        along_unseen: i64::try_from(along.len().saturating_sub(seen.len())).unwrap_or(i64::MAX),
        along: seen,
        problems: Problems::new(&ui.words, errors),
        ui,
    })
}

fn ids(path: &(String, String)) -> Result<(HouseholdId, UserId)> {
    Ok((HouseholdId::parse(&path.0).ok_or(Error::NotFound)?, UserId::parse(&path.1).ok_or(Error::NotFound)?))
}

/// `GET /household/{household}/members/{member}/leave`: what would happen to what.
pub async fn before_leaving(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (household, member) = ids(&path)?;
    let page = app.read(move |conn, app| leave_page(conn, app, &signed, &household, &member, &Errors::new())).await?;
    render(&page)
}

/// `POST /household/{household}/members/{member}/leave`.
pub async fn leave(app: web::Data<App>, signed: Signed, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (household, member) = ids(&path)?;
    let failed = app
        .run(move |app| {
            let left = app.db.write(|tx| {
                if !super::is_member(tx, &household, &signed.me.id)? {
                    return Err(Error::NotFound);
                }
                super::leave(tx, &signed.actor, &household, &member, app.clock.now())
            });
            let Err(error) = left else { return Ok(None) };
            let Error::Invalid(errors) = error else { return Err(error) };
            app.db.read(|conn| leave_page(conn, app, &signed, &household, &member, &errors).map(Some))
        })
        .await?;
    match failed {
        None => Ok(see_other("/household?done=left")),
        Some(page) => render_with(StatusCode::UNPROCESSABLE_ENTITY, &page),
    }
}
