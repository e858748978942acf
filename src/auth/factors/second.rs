//! `/login/second`: the password was right, and the account asks for more. Until that is given there is no session, only who waits for one.

use actix_session::SessionExt;
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{
    Held,
    check::{self, Asked, Given},
    passkey::{self, Purpose},
    ways::Ways,
};
use crate::{
    app::App,
    audit::Action,
    auth::{
        accounts,
        arrival::Way,
        form::{self, Form, Problems},
        session::{self, Waiting},
        sign_in,
    },
    error::{Error, Result},
    i18n::Locale,
    page::{Ui, render, see_other},
};

pub const PATH: &str = "/login/second";

#[derive(Template)]
#[template(path = "auth/second.html")]
struct SecondPage {
    ui: Ui,
    /// What was right so far, as a key of the catalogue.
    about: &'static str,
    ways: Ways,
}

async fn held(app: &App, waiting: &Waiting) -> Result<Held> {
    let user = waiting.arrival.user.clone();
    app.read(move |conn, _| super::held(conn, &user)).await
}

async fn page(app: &App, request: &HttpRequest, waiting: &Waiting, form: &Form) -> Result<SecondPage> {
    let held = held(app, waiting).await?;
    let about = match waiting.arrival.way {
        Way::Provider => "second.about_provider",
        Way::OperatorLink => "second.about_operator_link",
        Way::Password | Way::Passkey | Way::NewAccount => "second.about",
    };
    Ok(SecondPage { about, ui: Ui::new(None, PATH), ways: Ways::new(app, request, PATH, held, false, form) })
}

/// What follows a right password: the page, with the form to go on with, or the way to the page.
pub fn asked(form: &Form) -> String {
    let next = form.raw("next");
    if !sign_in::is_local(next) {
        return PATH.to_owned();
    }
    format!("{PATH}?{}", serde_urlencoded::to_string([("next", next)]).unwrap_or_default())
}

/// The page as the answer to the sign-in form that carries another form along.
pub async fn show_with(app: &App, request: &HttpRequest, form: &Form) -> Result<HttpResponse> {
    let waiting = session::waiting(&request.get_session()).ok_or(Error::NoSession)?;
    render(&page(app, request, &waiting, form).await?)
}

/// `GET /login/second`.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let form = sign_in::wanted(&request);
    if session::me(&request.get_session()).is_some() {
        return Ok(see_other("/"));
    }
    show_with(&app, &request, &form).await
}

fn asks(app: &App, request: &HttpRequest, waiting: &Waiting) -> Asked {
    let (user, now, address) = (&waiting.arrival.user, app.clock.now(), session::address(request));
    let event = |action| accounts::by_person(user, &waiting.name, address.clone(), action, now);
    Asked {
        user: user.clone(),
        purpose: Purpose::Second,
        unchanged_since: Some(waiting.since),
        right: event(Action::SignedIn).of_session(&session::coming(request)),
        wrong: event(Action::SecondFactorFailed),
        address,
    }
}

/// `POST /login/second`.
pub async fn submit(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let Some(waiting) = session::waiting(&request.get_session()) else { return sign_in::again_for(&app, &form) };
    let (asked, given) = (asks(&app, &request, &waiting), Given::read(&form));
    let outcome = app.run(move |app| check::check(app, &given.map_err(Error::Invalid)?, &asked)).await;
    match outcome {
        Ok(()) => {
            session::begin(&request.get_session(), &request, &waiting.arrival)?;
            sign_in::go_on(&app, &request, &form).await
        }
        Err(Error::NoSession) => {
            request.get_session().purge();
            sign_in::again_for(&app, &form)
        }
        Err(error) => {
            let (status, problems) = form::shown(&Locale::default(), error)?;
            again(&app, &request, &waiting, &form, status, problems).await
        }
    }
}

async fn again(
    app: &App,
    request: &HttpRequest,
    waiting: &Waiting,
    form: &Form,
    status: StatusCode,
    problems: Problems,
) -> Result<HttpResponse> {
    let mut page = page(app, request, waiting, form).await?;
    let wait = problems.wait;
    page.ways.problems = problems;
    form::again(status, wait, &page)
}

/// `POST /login/second/challenge`: what a passkey is asked, as JSON.
pub async fn challenge(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let waiting = session::waiting(&request.get_session()).ok_or(Error::NoSession)?;
    let user = waiting.arrival.user;
    let challenge = app.run(move |app| passkey::start(app, &user, Purpose::Second)).await?;
    Ok(HttpResponse::Ok().json(challenge))
}
