//! `/admin/users/{user}/delete`: what goes with an account, and the plan for its people.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{
    Admin,
    one::id_of,
    prove,
    removal::{self, Plan},
};
use crate::{
    app::App,
    auth::{
        accounts::{self, Account},
        form::{self, Form, Problems},
    },
    db::{Conn, types::UserId},
    error::{Error, Result},
    page::{Ui, render, see_other},
    patients::leaving::{self, Tally},
    records::{field::FieldError, view::Choice},
    text::fold,
};

#[derive(Template)]
#[template(path = "admin/user_delete.html")]
struct DeletePage {
    ui: Ui,
    problems: Problems,
    id: String,
    name: String,
    username: String,
    people: Tally,
    /// Somebody is to be asked or the trash chosen: there are people who are this account's alone.
    needs_plan: bool,
    plan: String,
    receivers: Vec<Choice>,
    typed: String,
}

fn page(conn: &mut Conn, app: &App, admin: &Admin, user: &UserId, form: &Form) -> Result<DeletePage> {
    let account = known(conn, user)?;
    if removal::of(conn, user)?.is_some() {
        return Err(Error::Conflict("removal_under_way"));
    }
    let people = leaving::tally(conn, user)?;
    let chosen = form.raw("to");
    let receivers = removal::candidates(conn, user, &admin.me().id, app.clock.now())?
        .into_iter()
        .map(|(id, name)| Choice { selected: id.as_str() == chosen, value: id.to_string(), label: name })
        .collect();
    Ok(DeletePage {
        ui: admin.ui("/admin/users"),
        problems: Problems::default(),
        id: user.to_string(),
        name: account.full_name,
        username: account.username,
        needs_plan: people.alone > 0,
        people,
        plan: form.raw("plan").to_owned(),
        receivers,
        typed: form.text("confirm_username"),
    })
}

fn known(conn: &mut Conn, user: &UserId) -> Result<Account> {
    match accounts::by_id(conn, user) {
        Err(Error::Database(diesel::result::Error::NotFound)) => Err(Error::NotFound),
        found => found,
    }
}

/// `GET /admin/users/{user}/delete`.
pub async fn show(app: web::Data<App>, admin: Admin, path: web::Path<String>) -> Result<HttpResponse> {
    let user = id_of(&path)?;
    let page = app.read(move |conn, app| page(conn, app, &admin, &user, &Form::default())).await?;
    render(&page)
}

/// `POST /admin/users/{user}/delete`.
pub async fn submit(
    app: web::Data<App>,
    admin: Admin,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let user = id_of(&path)?;
    let (whom, by) = (user.clone(), admin.clone());
    app.read(move |conn, app| page(conn, app, &by, &whom, &Form::default()).map(drop)).await?;
    let form = Form::read(&request, payload).await?;
    let (by, whom, sent) = (admin.clone(), user.clone(), form.clone());
    match app.run(move |app| begin(app, &by, &whom, &sent)).await {
        Ok(true) => Ok(see_other("/admin/users?done=removed")),
        Ok(false) => Ok(see_other("/admin/users?done=removing")),
        Err(error) => {
            let (status, problems) = form::shown(&admin.ui("").words, error)?;
            let page = app.read(move |conn, app| page(conn, app, &admin, &user, &form)).await?;
            form::again(status, problems.wait, &DeletePage { problems, ..page })
        }
    }
}

/// Is it gone already?
fn begin(app: &App, admin: &Admin, user: &UserId, form: &Form) -> Result<bool> {
    let wrong = |field: &str, error| Err(Error::Invalid(vec![(field.to_owned(), error)]));
    let (account, people) = app.db.read(|conn| Ok((known(conn, user)?, leaving::tally(conn, user)?)))?;
    if fold(&form.text("confirm_username")) != fold(&account.username) {
        return wrong("confirm_username", FieldError::Rule("error.confirm_username"));
    }
    let plan = match form.raw("plan") {
        "trash" => Plan::Trash,
        "give" => Plan::Give(UserId::parse(form.raw("to")).unwrap_or_default()),
        _ if people.alone > 0 => return wrong("plan", FieldError::Required),
        _ => Plan::Trash,
    };
    prove(app, admin)?;
    let now = app.clock.now();
    app.db.write(|tx| {
        removal::begin(tx, &admin.0.actor, user, &plan, now)?;
        Ok(removal::of(tx, user)?.is_none())
    })
}
