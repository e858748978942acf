//! `/signup`: an account for anybody, where the installation allows it: by `KINCHART_SIGNUP`, or by an administrator.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{
    accounts::{self, Details, NewAccount},
    address,
    arrival::{self, Arrival, Way},
    form::{self, Form, Problems},
    session,
    throttle::Knock,
};
use crate::{
    app::App,
    config::Signup,
    db::{Conn, types::UserId},
    error::{Error, Result},
    installation, mail,
    page::{Ui, render, see_other},
};

#[derive(Template)]
#[template(path = "auth/signup.html")]
struct SignUpPage {
    ui: Ui,
    problems: Problems,
    details: Details,
    /// A letter asks whether the address is theirs.
    mail: bool,
}

/// What holds now: the setting, else the switch of the pages.
pub fn policy(conn: &mut Conn, app: &App) -> Result<Signup> {
    if let Some(fixed) = app.config.signup {
        return Ok(fixed);
    }
    let switch = installation::read(conn, installation::SIGN_UP)?;
    Ok(switch.and_then(|word| word.parse().ok()).unwrap_or(Signup::Closed))
}

/// May anybody make an account with a password now?
pub async fn is_open(app: &App) -> Result<bool> {
    if app.config.oidc.only {
        return Ok(false);
    }
    app.read(|conn, app| Ok(policy(conn, app)? == Signup::Open)).await
}

async fn must_be_open(app: &App) -> Result<()> {
    if is_open(app).await? { Ok(()) } else { Err(Error::NotFound) }
}

/// `GET /signup`.
pub async fn show(app: web::Data<App>) -> Result<HttpResponse> {
    must_be_open(&app).await?;
    let mail = mail::works(&app.config);
    render(&SignUpPage { ui: Ui::new(None, "/signup"), problems: Problems::default(), details: Details::default(), mail })
}

/// `POST /signup`.
pub async fn submit(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    must_be_open(&app).await?;
    let form = Form::read(&request, payload).await?;
    let details = Details { full_name: form.text("full_name"), username: form.text("username"), email: form.text("email") };
    let (wanted, address) = (details.clone(), session::address(&request));
    match app.run(move |app| make(app, &form, wanted, address)).await {
        Ok((user, next)) => {
            arrival::arrive(&app, &request, Arrival::new(user, Way::NewAccount)).await?;
            Ok(see_other(next))
        }
        Err(error) => {
            let ui = Ui::new(None, "/signup");
            let (status, problems) = form::shown(&ui.words, error)?;
            form::again(status, problems.wait, &SignUpPage { ui, problems, details, mail: mail::works(&app.config) })
        }
    }
}

/// The account, and where its person goes first. Where letters go out, an address is nobody's until it answered one: that another account has it is
/// told to that account's person by a letter, and to who signs up by nothing.
fn make(app: &App, form: &Form, mut details: Details, address: Option<String>) -> Result<(UserId, &'static str)> {
    let now = app.clock.now();
    let mut errors = details.check();
    errors.extend(accounts::check_password(form.raw("password"), Some(form.raw("password_again")), &details));
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    // The first account is the setup's, whatever the settings say.
    if app.setup.is_due(app)? {
        return Err(Error::NotFound);
    }
    // Counted before anything costs time or tells which names are taken; not given back on success.
    let knock = Knock::sign_up(&app.key, address.as_deref());
    app.db.write(|tx| knock.reserve(tx, now))?;
    let password_hash = accounts::hash(app, form.raw("password"))?;
    let asked = if mail::works(&app.config) { std::mem::take(&mut details.email) } else { String::new() };
    let new = NewAccount { details, role: "user", password_hash, address, by_command: false, household: None };
    app.db.write(|tx| {
        let user = accounts::create(tx, &new, now)?;
        if asked.is_empty() {
            return Ok((user, "/"));
        }
        address::ask(tx, &user, &asked, now)?;
        Ok((user, "/settings/address?done=asked"))
    })
}
