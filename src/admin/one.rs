//! `/admin/users/{user}`: one account, and what an administrator does with it.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{Admin, accounts, prove, removal};
use crate::{
    app::App,
    audit::{Action, Event},
    auth::{
        form::{self, Form, Problems},
        links::{self, Purpose},
        manage::{self, Role},
        reset, session, token,
    },
    db::{
        Conn, Tx,
        schema::{household_members, households, users},
        types::UserId,
    },
    error::{Error, Result},
    page::{Ui, render, see_other},
    patients::leaving::{self, Tally},
    records::{field::FieldError, view::Choice},
};

#[derive(Template)]
#[template(path = "admin/user.html")]
pub struct UserPage {
    ui: Ui,
    done: String,
    /// The link just made; nobody can see it again.
    link: String,
    problems: Problems,
    id: String,
    name: String,
    username: String,
    email: String,
    unverified: bool,
    has_password: bool,
    role: String,
    roles: Vec<Choice>,
    state: &'static str,
    own: bool,
    made: String,
    last_seen: String,
    households: String,
    people: Tally,
    sessions: i64,
    tokens: i64,
    /// Until when a link that was made opens something; empty if there is none.
    link_until: String,
    /// What of a removal is under way; empty if nothing is.
    removal: String,
}

impl UserPage {
    /// Of an account that was made a moment ago, with the link for its person.
    pub fn made(self, link: Option<String>) -> Self {
        Self { done: "made".to_owned(), link: link.unwrap_or_default(), ..self }
    }
}

#[derive(Queryable)]
struct Stored {
    full_name: String,
    username: String,
    email: Option<String>,
    verified: Option<NaiveDateTime>,
    password: Option<String>,
    role: String,
    disabled: Option<NaiveDateTime>,
    last_seen: Option<NaiveDateTime>,
    made: NaiveDateTime,
}

fn stored(conn: &mut Conn, user: &UserId) -> Result<Stored> {
    users::table
        .find(user)
        .select((
            users::full_name,
            users::username,
            users::email,
            users::email_verified_at,
            users::password_hash,
            users::role,
            users::disabled_at,
            users::last_seen_at,
            users::created_at,
        ))
        .first(conn)
        .optional()?
        .ok_or(Error::NotFound)
}

pub(super) fn id_of(path: &str) -> Result<UserId> {
    UserId::parse(path).ok_or(Error::NotFound)
}

fn size(list: usize) -> i64 {
    i64::try_from(list).unwrap_or(i64::MAX)
}

pub fn page(conn: &mut Conn, app: &App, admin: &Admin, user: &UserId) -> Result<UserPage> {
    let (ui, now) = (admin.ui("/admin/users"), app.clock.now());
    let row = stored(conn, user)?;
    let names: Vec<String> = household_members::table
        .inner_join(households::table.on(households::id.eq(household_members::household_id)))
        .filter(household_members::user_id.eq(user))
        .order(households::name)
        .select(households::name)
        .load(conn)?;
    let tokens = token::list(conn, user)?;
    let removal = removal::of(conn, user)?;
    let link = links::waiting(conn, user, Purpose::Reset, now)?;
    Ok(UserPage {
        done: String::new(),
        link: String::new(),
        problems: Problems::default(),
        id: user.to_string(),
        state: accounts::state(row.disabled.is_some(), removal.is_some()),
        unverified: row.email.is_some() && row.verified.is_none(),
        email: row.email.unwrap_or_default(),
        has_password: row.password.is_some(),
        roles: accounts::roles(&ui, &row.role),
        role: ui.choice("Role", &row.role),
        own: admin.me().id == *user,
        made: ui.moment(&row.made),
        last_seen: row.last_seen.map_or_else(|| ui.t("admin.never"), |at| ui.moment(&at)),
        households: names.join(", "),
        people: leaving::tally(conn, user)?,
        sessions: size(session::list(conn, user, now)?.len()),
        tokens: size(tokens.iter().filter(|token| token.state(now) == "active").count()),
        link_until: link.map(|link| ui.moment(&link.expires_at)).unwrap_or_default(),
        removal: removal.map(|removal| removal.state).unwrap_or_default(),
        name: row.full_name,
        username: row.username,
        ui,
    })
}

/// What was just done, of those that have a sentence.
const DONE: &[&str] = &["role", "closed", "opened", "signed_out", "called_off", "revoked"];

/// `GET /admin/users/{user}`.
pub async fn show(app: web::Data<App>, admin: Admin, path: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let (user, done) = (id_of(&path)?, super::done(&request, DONE));
    let page = app.read(move |conn, app| page(conn, app, &admin, &user)).await?;
    render(&UserPage { done, ..page })
}

/// What came of a form: a word for the address, or a link to be shown once.
enum Outcome {
    Done(&'static str),
    Link(String),
}

/// `POST /admin/users/{user}`: `_what` says what.
pub async fn act(
    app: web::Data<App>,
    admin: Admin,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let user = id_of(&path)?;
    let known = user.clone();
    app.read(move |conn, _| stored(conn, &known)).await?;
    let form = Form::read(&request, payload).await?;
    let (by, whom) = (admin.clone(), user.clone());
    let outcome = app.run(move |app| apply(app, &by, &whom, &form)).await;
    let at = user.clone();
    match outcome {
        Ok(Outcome::Done(word)) => Ok(see_other(&format!("/admin/users/{user}?done={word}"))),
        Ok(Outcome::Link(link)) => {
            let page = app.read(move |conn, app| page(conn, app, &admin, &at)).await?;
            render(&UserPage { link, ..page })
        }
        Err(error) => {
            let (status, problems) = form::shown(&admin.ui("").words, error)?;
            let page = app.read(move |conn, app| page(conn, app, &admin, &at)).await?;
            form::again(status, problems.wait, &UserPage { problems, ..page })
        }
    }
}

fn apply(app: &App, admin: &Admin, user: &UserId, form: &Form) -> Result<Outcome> {
    let what = form.raw("_what").to_owned();
    if !["role", "close", "open", "reset", "sign_out", "revoke", "call_off"].contains(&what.as_str()) {
        return Err(Error::Invalid(vec![("account".to_owned(), FieldError::UnknownChoice)]));
    }
    // What lets somebody in, or makes somebody more than they were, is not done by who only finds a session open.
    if matches!(what.as_str(), "role" | "open" | "reset" | "call_off") {
        prove(app, admin)?;
    }
    let now = app.clock.now();
    app.db.write(|tx| change(tx, app, admin, user, (&what, form), now))
}

fn change(tx: &mut Tx<'_>, app: &App, admin: &Admin, user: &UserId, (what, form): (&str, &Form), now: NaiveDateTime) -> Result<Outcome> {
    let actor = &admin.0.actor;
    let leaves = removal::of(tx, user)?.is_some();
    let closed = stored(tx, user)?.disabled.is_some();
    let done = match what {
        "role" => {
            let role = Role::parse(form.raw("role")).ok_or_else(|| wrong("role", FieldError::UnknownChoice))?;
            manage::set_role(tx, actor, user, role, now)?;
            "role"
        }
        "close" if !closed => {
            manage::disable(tx, actor, user, now)?;
            "closed"
        }
        "close" => "closed",
        "call_off" => {
            removal::call_off(tx, actor, user, now)?;
            "called_off"
        }
        "open" if leaves => return Err(Error::Conflict("removal_under_way")),
        "open" if !closed => "opened",
        "open" => {
            manage::enable(tx, actor, user, now)?;
            "opened"
        }
        "reset" if closed => return Err(wrong("account", FieldError::Rule("error.account_closed"))),
        "reset" => {
            let text = manage::reset_link(tx, actor, user, manage::BY_HAND, now)?;
            return Ok(Outcome::Link(reset::address(app, &text)));
        }
        "revoke" => {
            token::revoke_all(tx, user, &Event::new(actor, Action::TokenRevoked, now))?;
            "revoked"
        }
        _ => {
            manage::end_sessions(tx, actor, user, None, now)?;
            "signed_out"
        }
    };
    Ok(Outcome::Done(done))
}

fn wrong(field: &str, error: FieldError) -> Error {
    Error::Invalid(vec![(field.to_owned(), error)])
}
