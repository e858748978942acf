//! `/confirm`: before something dangerous, a signed-in person proves once more that they are there, and goes on with what they were sending.

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
    audit::{Action, Event},
    auth::{
        accounts,
        form::{self, Form},
        oidc::{Door, identities},
        proof,
        session::{self, Signed},
        sign_in,
    },
    error::{Error, Result},
    page::{Ui, render, render_with, see_other},
    records::field::{Errors, FieldError},
};

pub const PATH: &str = "/confirm";

#[derive(Template)]
#[template(path = "auth/confirm.html")]
struct ConfirmPage {
    ui: Ui,
    ways: Ways,
    has_password: bool,
    /// What the provider is called, for who has nothing else to prove it with.
    provider: Option<String>,
}

impl ConfirmPage {
    fn can_be_proved(&self) -> bool {
        self.ways.held.any() || self.has_password || self.provider.is_some()
    }
}

async fn page(app: &App, signed: Signed, request: &HttpRequest, form: &Form) -> Result<ConfirmPage> {
    let user = signed.me.id.clone();
    let (held, account, came) = app
        .read(move |conn, _| Ok((super::held(conn, &user)?, accounts::by_id(conn, &user)?, !identities::of(conn, &user)?.is_empty())))
        .await?;
    let provider = Door::of(app).filter(|_| came).map(|door| door.name);
    let has_password = account.password_hash.is_some();
    Ok(ConfirmPage {
        provider,
        ui: Ui::new(Some(signed.me), PATH),
        ways: Ways::new(app, request, PATH, held, has_password, form),
        has_password,
    })
}

/// Where to prove it, and where to go on afterwards.
pub fn way(request: &HttpRequest) -> String {
    let wanted = request.uri().path_and_query().map_or("/", |p| p.as_str());
    if request.method() != actix_web::http::Method::GET {
        return PATH.to_owned();
    }
    format!("{PATH}?{}", serde_urlencoded::to_string([("next", wanted)]).unwrap_or_default())
}

/// The page in the way of a form, which it carries along without what is secret in it.
pub async fn in_the_way(app: &App, request: &HttpRequest, pairs: Vec<(String, String)>) -> Result<HttpResponse> {
    let signed = session::signed(request).ok_or(Error::NoSession)?;
    let kept: Vec<(String, String)> = pairs.into_iter().filter(|(name, _)| !proof::SECRETS.contains(&name.as_str())).collect();
    let body = serde_urlencoded::to_string(kept).unwrap_or_default();
    let form = Form(vec![("resume_path".to_owned(), request.path().to_owned()), ("resume_body".to_owned(), body)]);
    render_with(StatusCode::UNAUTHORIZED, &page(app, signed, request, &form).await?)
}

/// `GET /confirm`.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let form = sign_in::wanted(&request);
    if proof::is_fresh(&app, &signed.me) {
        return Ok(see_other(sign_in::next(form.raw("next"))));
    }
    render(&page(&app, signed, &request, &form).await?)
}

/// `POST /confirm`.
pub async fn submit(app: web::Data<App>, signed: Signed, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let (who, sent) = (signed.clone(), form.clone());
    match app.run(move |app| confirm(app, &who, &sent)).await {
        Ok(()) => {
            // What the session may now, its key of before may not.
            session::proved(&request.get_session(), &signed.me, app.clock.now())?;
            sign_in::go_on_confirmed(signed.me, &form)
        }
        Err(Error::NoSession) => {
            request.get_session().purge();
            Err(Error::NoSession)
        }
        Err(error) => {
            let mut page = page(&app, signed, &request, &form).await?;
            let (status, problems) = form::shown(&page.ui.words, error)?;
            let wait = problems.wait;
            page.ways.problems = problems;
            form::again(status, wait, &page)
        }
    }
}

fn confirm(app: &App, signed: &Signed, form: &Form) -> Result<()> {
    let now = app.clock.now();
    let (held, account) = app.db.read(|conn| Ok((super::held(conn, &signed.me.id)?, accounts::by_id(conn, &signed.me.id)?)))?;
    let event = |action| Event::new(&signed.actor, action, now);
    let given = given(form, held, account.password_hash.is_some())?;
    let is_passkey = given.as_ref().is_some_and(Given::is_passkey);
    if !is_passkey && account.password_hash.is_some() {
        proof::password(app, &signed.actor, form.raw(proof::FIELD))?;
    }
    let detail = match &given {
        Some(given) => {
            let asked = Asked {
                user: signed.me.id.clone(),
                address: signed.actor.address.clone(),
                purpose: Purpose::Confirm,
                unchanged_since: None,
                right: event(Action::Confirmed),
                wrong: event(Action::ConfirmFailed),
            };
            check::check(app, given, &asked)?;
            None
        }
        None => Some("password".to_owned()),
    };
    app.db.write(|tx| {
        proof::remember(tx, &signed.me, now)?;
        match &detail {
            Some(_) => Ok(Event { detail: detail.clone(), ..event(Action::Confirmed) }.write(tx)?),
            None => Ok(()),
        }
    })
}

/// The factor that is given, if the account has any; everything that is missing is told at once.
fn given(form: &Form, held: Held, has_password: bool) -> Result<Option<Given>> {
    let mut errors = Errors::new();
    let given = match (held.any(), Given::read(form)) {
        (true, Ok(given)) => Some(given),
        (true, Err(wrong)) => {
            errors.extend(wrong);
            None
        }
        (false, _) if has_password => None,
        // Neither password nor factor: who has nothing to prove it with signs in again.
        (false, _) => return Err(Error::NoSession),
    };
    let wants_password = has_password && form.raw("with") != "passkey";
    if wants_password && form.raw(proof::FIELD).is_empty() {
        errors.insert(0, (proof::FIELD.to_owned(), FieldError::Required));
    }
    if errors.is_empty() { Ok(given) } else { Err(Error::Invalid(errors)) }
}

/// `POST /confirm/challenge`: what a passkey is asked, as JSON.
pub async fn challenge(app: web::Data<App>, signed: Signed) -> Result<HttpResponse> {
    let challenge = app.run(move |app| passkey::start(app, &signed.me.id, Purpose::Confirm)).await?;
    Ok(HttpResponse::Ok().json(challenge))
}
