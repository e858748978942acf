//! `/admin/users`: the accounts, and a new one.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use chrono::NaiveDateTime;
use diesel::{dsl::count_star, prelude::*, sql_types::Bool};

use super::{Admin, one, prove, removal};
use crate::{
    app::App,
    auth::{
        accounts::{self, Details, NewAccount},
        address, factors,
        form::{self, Form, Problems},
        manage::{self, Role},
        reset,
    },
    db::{
        Conn,
        schema::{patient_owners, patients, users},
        sql::worded,
        types::UserId,
    },
    error::{Error, Result},
    mail,
    page::{Ui, render, render_with},
    records::{field::FieldError, view::Choice},
};

#[derive(Template)]
#[template(path = "admin/users.html")]
struct UsersPage {
    ui: Ui,
    done: String,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    name: String,
    username: String,
    email: String,
    unverified: bool,
    role: String,
    /// `open`, `closed`, `leaving`: a word of the catalogue.
    state: &'static str,
    last_seen: String,
    /// How many people they own.
    people: i64,
    has_factor: bool,
}

type Stored = (UserId, String, String, Option<String>, Option<NaiveDateTime>, String, Option<NaiveDateTime>, Option<NaiveDateTime>, bool);

fn rows(conn: &mut Conn, ui: &Ui) -> Result<Vec<Row>> {
    let people: HashMap<UserId, i64> = patient_owners::table
        .inner_join(patients::table.on(patients::id.eq(patient_owners::patient_id)))
        .filter(patients::deleted_at.is_null())
        .group_by(patient_owners::user_id)
        .select((patient_owners::user_id, count_star()))
        .load::<(UserId, i64)>(conn)?
        .into_iter()
        .collect();
    let leaving = removal::all(conn)?;
    let stored: Vec<Stored> = users::table
        .order(users::username_folded)
        .select((
            users::id,
            users::full_name,
            users::username,
            users::email,
            users::email_verified_at,
            users::role,
            users::disabled_at,
            users::last_seen_at,
            worded::<Bool>(factors::HAS_ONE),
        ))
        .load(conn)?;
    let row = |(id, name, username, email, verified, role, disabled, seen, has_factor): Stored| Row {
        has_factor,
        state: state(disabled.is_some(), leaving.contains(&id)),
        people: people.get(&id).copied().unwrap_or_default(),
        unverified: email.is_some() && verified.is_none(),
        email: email.unwrap_or_default(),
        role: ui.choice("Role", &role),
        last_seen: seen.map_or_else(|| ui.t("admin.never"), |at| ui.moment(&at)),
        id: id.to_string(),
        name,
        username,
    };
    Ok(stored.into_iter().map(row).collect())
}

pub(super) fn state(disabled: bool, leaving: bool) -> &'static str {
    match (disabled, leaving) {
        (_, true) => "leaving",
        (true, false) => "closed",
        (false, false) => "open",
    }
}

/// `GET /admin/users`.
pub async fn list(app: web::Data<App>, admin: Admin, request: HttpRequest) -> Result<HttpResponse> {
    let (ui, done) = (admin.ui("/admin/users"), super::done(&request, &["removed", "removing"]));
    let page = app.read(move |conn, _| Ok(UsersPage { rows: rows(conn, &ui)?, done, ui })).await?;
    render(&page)
}

#[derive(Template)]
#[template(path = "admin/user_new.html")]
struct NewPage {
    ui: Ui,
    problems: Problems,
    details: Details,
    roles: Vec<Choice>,
    /// A password is set here; else its person sets one by a link.
    with_password: bool,
}

/// Roles to choose from, in the order of how little they may do.
pub(super) fn roles(ui: &Ui, now: &str) -> Vec<Choice> {
    ["user", "guest", "admin"]
        .iter()
        .map(|word| Choice { value: (*word).to_owned(), label: ui.choice("Role", word), selected: *word == now })
        .collect()
}

fn new_page(admin: &Admin, form: &Form, problems: Problems) -> NewPage {
    let ui = admin.ui("/admin/users");
    let role = if form.has("role") { form.text("role") } else { "user".to_owned() };
    NewPage { roles: roles(&ui, &role), details: details(form), with_password: form.raw("how") == "password", problems, ui }
}

fn details(form: &Form) -> Details {
    Details { full_name: form.text("full_name"), username: form.text("username"), email: form.text("email") }
}

/// `GET /admin/users/new`.
pub async fn new(admin: Admin) -> Result<HttpResponse> {
    render(&new_page(&admin, &Form::default(), Problems::default()))
}

/// `POST /admin/users`: the answer shows the link of the new account, once.
pub async fn create(app: web::Data<App>, admin: Admin, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let (by, typed) = (admin.clone(), form.clone());
    match app.run(move |app| make(app, &by, &typed)).await {
        Ok((user, link)) => {
            let page = app.read(move |conn, app| one::page(conn, app, &admin, &user)).await?;
            render_with(StatusCode::CREATED, &page.made(link))
        }
        Err(error) => {
            let (status, problems) = form::shown(&admin.ui("").words, error)?;
            form::again(status, problems.wait, &new_page(&admin, &form, problems))
        }
    }
}

/// The account, and where its person sets a password if none was given.
fn make(app: &App, admin: &Admin, form: &Form) -> Result<(UserId, Option<String>)> {
    let (details, now) = (details(form), app.clock.now());
    let with_password = form.raw("how") == "password";
    let mut errors = details.check();
    if with_password {
        errors.extend(accounts::check_password(form.raw("password"), None, &details));
    }
    let role = Role::parse(form.raw("role"));
    if role.is_none() {
        errors.push(("role".to_owned(), FieldError::UnknownChoice));
    }
    let Some(role) = role.filter(|_| errors.is_empty()) else { return Err(Error::Invalid(errors)) };
    prove(app, admin)?;
    let actor = &admin.0.actor;
    let new = NewAccount {
        role: role.as_str(),
        password_hash: if with_password { accounts::hash(app, form.raw("password"))? } else { String::new() },
        address: actor.address.clone(),
        // Where a letter can ask whether an address is theirs, an administrator's word is none.
        by_command: !mail::works(&app.config),
        household: None,
        details,
    };
    app.db.write(|tx| {
        let user = manage::create(tx, actor, &new, now)?;
        address::ask_if_mail_works(tx, app, &user, now)?;
        if with_password {
            return Ok((user, None));
        }
        manage::take_password(tx, &user)?;
        let text = manage::reset_link(tx, actor, &user, manage::FIRST, now)?;
        Ok((user, Some(reset::address(app, &text))))
    })
}
