//! `/admin/signup`: may anybody make an account? A setting decides where there is one, else this switch.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{Admin, prove};
use crate::{
    app::App,
    audit::{Action, Event},
    auth::{form::Form, sign_up},
    config::Signup,
    error::{Error, Result},
    installation,
    page::{Ui, render, see_other},
};

#[derive(Template)]
#[template(path = "admin/signup.html")]
struct SignUpPage {
    ui: Ui,
    done: String,
    open: bool,
    /// `KINCHART_SIGNUP` is set.
    fixed: bool,
}

/// `GET /admin/signup`.
pub async fn show(app: web::Data<App>, admin: Admin, request: HttpRequest) -> Result<HttpResponse> {
    let open = sign_up::is_open(&app).await?;
    let fixed = app.config.signup.is_some();
    render(&SignUpPage { ui: admin.ui("/admin/signup"), done: super::done(&request, &["saved"]), open, fixed })
}

/// `POST /admin/signup`: `policy` is `open` or `closed`.
pub async fn save(app: web::Data<App>, admin: Admin, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let policy: Signup = form.raw("policy").parse().map_err(|_| Error::BadRequest("bad_request"))?;
    if app.config.signup.is_some() {
        return Err(Error::Conflict("fixed_by_setting"));
    }
    // Who finds a session open must not let everybody in; shutting the door needs no proof.
    if policy == Signup::Open && app.read(sign_up::policy).await? != Signup::Open {
        prove(&app, &admin)?;
    }
    app.write(move |tx, app| {
        installation::put(tx, installation::SIGN_UP, policy.word())?;
        let event = Event::new(&admin.0.actor, Action::PolicyChanged, app.clock.now());
        Ok(Event { detail: Some(policy.word().to_owned()), ..event }.write(tx)?)
    })
    .await?;
    Ok(see_other("/admin/signup?done=saved"))
}
