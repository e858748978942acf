//! `/settings/password`: a new password, for who knows the current one.

use actix_session::SessionExt;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::{
    access::Actor,
    app::App,
    audit::{Action, Event},
    auth::{
        accounts::{self, Account, Details},
        form::{self, Form, Problems},
        proof,
        session::Signed,
    },
    body,
    error::{Error, Result},
    page::{Ui, render, see_other},
    records::field::FieldError,
};

#[derive(Template)]
#[template(path = "settings/password.html")]
struct PasswordPage {
    ui: Ui,
    changed: bool,
    has_password: bool,
    problems: Problems,
}

async fn has_password(app: &App, signed: &Signed) -> Result<bool> {
    let user = signed.me.id.clone();
    app.read(move |conn, _| Ok(accounts::by_id(conn, &user)?.password_hash.is_some())).await
}

/// `GET /settings/password`. Who has none gives their proof first: what they type on the page is carried along by none that asks for it.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let changed = Form(body::query(&request)).has("changed");
    let has_password = has_password(&app, &signed).await?;
    if !has_password && !proof::is_fresh(&app, &signed.me) {
        return Err(Error::Unproved);
    }
    render(&PasswordPage { ui: Ui::new(Some(signed.me), request.path()), changed, has_password, problems: Problems::default() })
}

/// `POST /settings/password`.
pub async fn change(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let has_password = has_password(&app, &signed).await?;
    if !has_password && !proof::is_fresh(&app, &signed.me) {
        return Err(Error::Unproved);
    }
    let actor = signed.actor.clone();
    match app.run(move |app| set(app, &actor, &form)).await {
        Ok(()) => {
            // The key changes with the password: a copy of the old cookie is worth nothing.
            request.get_session().renew();
            Ok(see_other("/settings/password?changed=1"))
        }
        Err(error) => {
            let ui = Ui::new(Some(signed.me), request.path());
            let (status, problems) = form::shown(&ui.words, error)?;
            form::again(status, problems.wait, &PasswordPage { ui, changed: false, has_password, problems })
        }
    }
}

fn set(app: &App, actor: &Actor, form: &Form) -> Result<()> {
    let now = app.clock.now();
    let (password, current) = (form.raw("password"), form.raw(proof::FIELD));
    let mut account = app.db.read(|conn| accounts::by_id(conn, &actor.user))?;
    if account.password_hash.is_some() {
        account = proof::password(app, actor, current)?;
    }
    let mut errors = accounts::check_password(password, Some(form.raw("password_again")), &details(&account));
    if errors.is_empty() && account.password_hash.is_some() && password == current {
        errors.push(("password".to_owned(), FieldError::Rule("error.password_same")));
    }
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let hash = accounts::hash(app, password)?;
    let own = actor.session_id();
    app.db.write(|tx| accounts::set_password(tx, &actor.user, &hash, own.as_deref(), Event::new(actor, Action::PasswordChanged, now)))
}

fn details(account: &Account) -> Details {
    Details { full_name: account.full_name.clone(), username: account.username.clone(), email: account.email.clone().unwrap_or_default() }
}
