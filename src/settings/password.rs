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
};

#[derive(Template)]
#[template(path = "settings/password.html")]
struct PasswordPage {
    ui: Ui,
    changed: bool,
    problems: Problems,
}

/// `GET /settings/password`.
pub async fn show(signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let changed = Form(body::query(&request)).has("changed");
    render(&PasswordPage { ui: Ui::new(Some(signed.me), request.path()), changed, problems: Problems::default() })
}

/// `POST /settings/password`.
pub async fn change(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
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
            form::again(status, problems.wait, &PasswordPage { ui, changed: false, problems })
        }
    }
}

fn set(app: &App, actor: &Actor, form: &Form) -> Result<()> {
    let now = app.clock.now();
    let account = proof::password(app, actor, form.raw(proof::FIELD))?;
    let password = form.raw("password");
    let errors = accounts::check_password(password, Some(form.raw("password_again")), &details(&account));
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
