//! The first account: made at `/setup` with a one-time code that only who can read the log knows.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use actix_web::{
    Error as WebError, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::Next,
    web,
};
use askama::Template;

use super::{
    accounts::{self, Details, NewAccount},
    arrival::{self, Arrival, Way},
    form::{self, Form, Problems},
    session,
    throttle::Knock,
    token_text::SetupCode,
};
use crate::{
    app::App,
    audit::Action,
    config::Config,
    db::types::UserId,
    error::{Error, Result},
    page::{Ui, render, render_with, see_other},
    records::field::FieldError,
};

/// The code of this start, until the first account exists. It lives in memory only: a restart prints a new one.
#[derive(Clone, Default)]
pub struct Setup {
    pub code: Arc<Mutex<Option<SetupCode>>>,
    /// There is an account: never asked again, since the last one cannot be removed.
    done: Arc<AtomicBool>,
}

impl Setup {
    /// Whether the first account is still to be made.
    pub fn is_due(&self, app: &App) -> Result<bool> {
        if self.done.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let done = app.db.read(accounts::any)?;
        self.done.store(done, Ordering::Relaxed);
        Ok(!done)
    }

    /// The code, made and told in the log the first time it is asked for. 404 once the setup is over: no new code is ever told then.
    fn code(&self, app: &App) -> Result<SetupCode> {
        let mut held = self.code.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = held.as_ref() {
            return Ok(code.clone());
        }
        if self.done.load(Ordering::Relaxed) {
            return Err(Error::NotFound);
        }
        let code = SetupCode::generate().map_err(|error| Error::Internal(error.to_string()))?;
        // The one secret that belongs into the log: it is how somebody shows that the machine is theirs.
        log::warn!("Open {}/setup and enter the code {code}", address(app));
        *held = Some(code.clone());
        Ok(code)
    }

    fn finish(&self) {
        let mut held = self.code.lock().unwrap_or_else(PoisonError::into_inner);
        self.done.store(true, Ordering::Relaxed);
        *held = None;
    }
}

/// Where people reach the server: what was set, else the port it listens on.
fn address(app: &App) -> String {
    if app.config.public_url == Config::default().public_url {
        format!("http://localhost:{}", app.config.listen.port())
    } else {
        app.config.public_url.to_string()
    }
}

/// At the start of the server: tells the code if there is no account.
pub fn announce(app: &App) -> Result<()> {
    if app.setup.is_due(app)? { app.setup.code(app).map(drop) } else { Ok(()) }
}

/// While there is no account, the first page and the sign-in page lead to the setup.
pub async fn first(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let leads = matches!(request.path(), "/" | "/login" | "/signup");
    if leads
        && let Some(app) = request.app_data::<web::Data<App>>()
        && app.run(|app| app.setup.is_due(app)).await?
    {
        return Ok(ServiceResponse::new(request.into_parts().0, see_other("/setup")));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

#[derive(Template)]
#[template(path = "auth/setup.html")]
struct SetupPage {
    ui: Ui,
    problems: Problems,
    code: String,
    details: Details,
}

#[derive(Template)]
#[template(path = "auth/setup_done.html")]
struct DonePage {
    ui: Ui,
}

/// `GET /setup`.
pub async fn show(app: web::Data<App>) -> Result<HttpResponse> {
    let due = app.run(|app| Ok(app.setup.is_due(app)? && app.setup.code(app).is_ok())).await?;
    if !due {
        return Ok(see_other("/login"));
    }
    render(&SetupPage { ui: Ui::new(None, "/setup"), problems: Problems::default(), code: String::new(), details: Details::default() })
}

/// `POST /setup`.
pub async fn submit(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    if !app.run(|app| app.setup.is_due(app)).await? {
        return done();
    }
    let form = Form::read(&request, payload).await?;
    let wanted = Wanted::of(&form, session::address(&request));
    let (details, code) = (wanted.details.clone(), wanted.code.clone());
    match app.run(move |app| make(app, &wanted)).await {
        Ok(Some(user)) => {
            arrival::arrive(&app, &request, Arrival::new(user, Way::NewAccount)).await?;
            // The key first: whoever has documents and no key has nothing.
            Ok(see_other("/settings/key?show=1"))
        }
        Ok(None) => done(),
        Err(error) => {
            let ui = Ui::new(None, "/setup");
            let (status, problems) = form::shown(&ui.words, error)?;
            form::again(status, problems.wait, &SetupPage { ui, problems, code, details })
        }
    }
}

/// Somebody else was faster, perhaps another person: that must be noticed.
fn done() -> Result<HttpResponse> {
    render_with(StatusCode::NOT_FOUND, &DonePage { ui: Ui::new(None, "/setup") })
}

struct Wanted {
    code: String,
    details: Details,
    password: String,
    again: String,
    address: Option<String>,
}

impl Wanted {
    fn of(form: &Form, address: Option<String>) -> Self {
        Self {
            code: form.text("code"),
            details: Details { full_name: form.text("full_name"), username: form.text("username"), email: form.text("email") },
            password: form.raw("password").to_owned(),
            again: form.raw("password_again").to_owned(),
            address,
        }
    }
}

/// The first account, or nothing if there is one already.
fn make(app: &App, wanted: &Wanted) -> Result<Option<UserId>> {
    let now = app.clock.now();
    let code = match app.setup.code(app) {
        Err(Error::NotFound) => return Ok(None),
        code => code?,
    };
    let right = code.matches(&wanted.code);
    let knock = Knock::setup(&app.key, &code.to_string(), wanted.address.as_deref());
    app.db.write(|tx| {
        knock.reserve(tx, now)?;
        if right { knock.take_back(tx, now) } else { Ok(()) }
    })?;
    if !right {
        let event = accounts::at_the_door(None, wanted.address.clone(), Action::SignInFailed, now);
        app.db.write(|tx| Ok(event.clone().failed("setup_code").write(tx)?))?;
        return Err(Error::Invalid(vec![("code".to_owned(), FieldError::Rule("error.setup_code"))]));
    }
    let mut errors = wanted.details.check();
    errors.extend(accounts::check_password(&wanted.password, Some(&wanted.again), &wanted.details));
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let new = NewAccount {
        details: wanted.details.clone(),
        role: "admin",
        password_hash: accounts::hash(app, &wanted.password)?,
        address: wanted.address.clone(),
        by_command: false,
        household: None,
    };
    let made = app.db.write(|tx| if accounts::any(tx)? { Ok(None) } else { accounts::create(tx, &new, now).map(Some) })?;
    app.setup.finish();
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::{self, PASSWORD};

    fn wanted(app: &App, username: &str) -> Wanted {
        Wanted {
            code: app.setup.code(app).map(|code| code.to_string()).unwrap_or_default(),
            details: Details { full_name: "Ann Example".into(), username: username.into(), email: String::new() },
            password: PASSWORD.into(),
            again: PASSWORD.into(),
            address: None,
        }
    }

    #[test]
    fn of_two_at_once_one_wins() {
        let (app, _folder) = testing::app();
        assert!(app.setup.is_due(&app).unwrap());
        let made = std::thread::scope(|scope| {
            let forms: Vec<_> = (0..8).map(|n| wanted(&app, &format!("ann{n}"))).collect();
            let app = &app;
            let threads: Vec<_> = forms.into_iter().map(|form| scope.spawn(move || make(app, &form))).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap().unwrap()).count()
        });
        assert_eq!(made, 1);
        assert_eq!(app.db.read(accounts::all).unwrap().len(), 1);
        assert!(!app.setup.is_due(&app).unwrap());
    }

    #[test]
    fn a_wrong_code_makes_nothing_and_is_held_up() {
        let (app, _folder) = testing::app();
        let right = wanted(&app, "ann");
        let wrong = Wanted { code: "AAAA".into(), ..wanted(&app, "ann") };
        for _ in 0..10 {
            assert!(matches!(make(&app, &wrong), Err(Error::Invalid(_))));
        }
        assert!(matches!(make(&app, &right), Err(Error::Throttled(1..=901))));
        let restarted = App { setup: Setup::default(), ..app.clone() };
        let seen = wanted(&restarted, "");
        assert!(matches!(make(&restarted, &seen), Err(Error::Invalid(errors)) if errors.iter().all(|(name, _)| name != "code")));
        app.clock.advance(chrono::Duration::minutes(15));
        assert!(make(&app, &right).unwrap().is_some());
    }

    #[test]
    fn an_account_made_by_a_command_ends_the_setup() {
        let (app, _folder) = testing::app();
        announce(&app).unwrap();
        testing::account(&app, "ann");
        assert!(!app.setup.is_due(&app).unwrap());
        assert!(make(&app, &wanted(&app, "ben")).unwrap().is_none());
    }
}
