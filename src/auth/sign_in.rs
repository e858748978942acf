//! Signing in and out, and sending again what was written when a session ran out.

use actix_session::SessionExt;
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web,
};
use askama::Template;
use diesel::prelude::*;

use super::{
    accounts::{self, Account},
    arrival::{self, Arrival, Comer, Next, Way},
    factors,
    form::{self, Form, Problems},
    oidc::{self, Door},
    password::Busy,
    session, sign_up,
    throttle::Guess,
};
use crate::{
    app::App,
    audit::{Action, Event},
    body,
    db::{Tx, schema::users, types::UserId},
    error::{Error, Result},
    page::{Ui, render, see_other},
};

/// The sign-in page, alone or in the way of a form that must not be lost.
#[derive(Template)]
#[template(path = "auth/login.html")]
pub struct LoginPage {
    pub ui: Ui,
    pub username: String,
    pub next: String,
    /// The form to send again after signing in: its path and its body.
    pub resume: Option<(String, String)>,
    pub problem: Option<String>,
    pub sign_up: bool,
    /// The way in by a provider.
    pub door: Option<Door>,
    pub notice: Option<String>,
}

impl LoginPage {
    fn takes_password(&self) -> bool {
        !self.door.as_ref().is_some_and(|door| door.only)
    }
    pub fn resuming(app: &App, path: &str, body: &str) -> Self {
        Self {
            ui: Ui::new(None, "/login"),
            username: String::new(),
            next: String::new(),
            resume: Some((path.to_owned(), body.to_owned())),
            problem: None,
            sign_up: false,
            door: Door::of(app),
            notice: None,
        }
    }
}

/// A path of this program, and nothing a browser could read as another host: one slash first, no second anywhere, no backslash, and no
/// control characters, which browsers drop.
pub fn is_local(path: &str) -> bool {
    let odd = |c: char| c == '\\' || c.is_control();
    path.len() <= 2000 && path.starts_with('/') && !path.contains("//") && !path.contains(odd)
}

/// Where to go, if it is a path of this program.
pub fn next(wanted: &str) -> &str {
    if is_local(wanted) { wanted } else { "/" }
}

/// What an address may ask of the pages of a sign-in: where to go afterwards, and no more. A form that is carried along comes with a form of
/// ours only; an address can be anybody's, and would have its reader send what they never wrote.
pub fn wanted(request: &HttpRequest) -> Form {
    let may = |name: &str| matches!(name, "next" | "signed_out");
    Form(body::query(request).into_iter().filter(|(name, _)| may(name)).collect())
}

/// `GET /login`.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let query = wanted(&request);
    if session::me(&request.get_session()).is_some() {
        return Ok(see_other(next(query.raw("next"))));
    }
    render(&page(&app, &query, None, sign_up::is_open(&app).await?))
}

fn page(app: &App, form: &Form, problem: Option<String>, sign_up: bool) -> LoginPage {
    let path = form.raw("resume_path");
    LoginPage {
        ui: Ui::new(None, "/login"),
        username: form.raw("username").to_owned(),
        next: Some(form.raw("next")).filter(|path| is_local(path)).unwrap_or_default().to_owned(),
        resume: is_local(path).then(|| (path.to_owned(), form.raw("resume_body").to_owned())),
        problem,
        sign_up,
        door: Door::of(app),
        notice: oidc::leave::notice(app, form.raw("signed_out")),
    }
}

/// `POST /login`.
pub async fn submit(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    if app.config.oidc.only {
        let words = crate::i18n::Locale::default();
        return form::again(StatusCode::FORBIDDEN, None, &page(&app, &form, Some(words.t("login.provider_only")), false));
    }
    let attempt = Attempt { name: form.text("username"), password: form.raw("password").to_owned(), comer: Comer::of(&request) };
    let outcome = app.run(move |app| sign_in(app, &attempt)).await;
    let words = crate::i18n::Locale::default();
    match outcome {
        Ok(Some(user)) => {
            let arrival = Arrival { remember: form.has("remember"), ..Arrival::new(user, Way::Password) };
            let next = arrival::arrive(&app, &request, arrival).await?;
            follow(&app, &request, next, &form).await
        }
        Ok(None) => {
            let page = page(&app, &form, Some(words.t("login.wrong")), sign_up::is_open(&app).await?);
            form::again(StatusCode::UNPROCESSABLE_ENTITY, None, &page)
        }
        Err(error) => {
            let (status, Problems { notice, wait, .. }) = form::shown(&words, error)?;
            form::again(status, wait, &page(&app, &form, Some(notice), sign_up::is_open(&app).await?))
        }
    }
}

/// What comes after an arrival: the page or form that was wanted, or first the one that asks for the second factor and carries it along.
pub async fn follow(app: &App, request: &HttpRequest, next: Next, form: &Form) -> Result<HttpResponse> {
    match next {
        Next::In => go_on(app, request, form).await,
        Next::SecondFactor if is_local(form.raw("resume_path")) => factors::second::show_with(app, request, form).await,
        Next::SecondFactor => Ok(see_other(&factors::second::asked(form))),
    }
}

#[derive(Template)]
#[template(path = "auth/resume.html")]
struct ResumePage {
    ui: Ui,
    /// Of the words: `resume` after a sign-in, `confirmed` after a proof.
    words: &'static str,
    /// Who signed in, to whom the form may not belong: the page was open for everybody.
    name: String,
    path: String,
    pairs: Vec<(String, String)>,
}

/// To the page that was wanted, or to the form that was being sent.
pub async fn go_on(app: &App, request: &HttpRequest, form: &Form) -> Result<HttpResponse> {
    let mut name = String::new();
    if is_local(form.raw("resume_path"))
        && let Some(user) = session::comer(&request.get_session())
    {
        name = app.read(move |conn, _| Ok(accounts::by_id(conn, &user)?.full_name)).await?;
    }
    onwards(Ui::new(None, "/login"), "resume", name, form)
}

/// The same for who was signed in already, and proved it once more.
pub fn go_on_confirmed(me: session::Me, form: &Form) -> Result<HttpResponse> {
    onwards(Ui::new(Some(me), "/confirm"), "confirmed", String::new(), form)
}

fn onwards(ui: Ui, words: &'static str, name: String, form: &Form) -> Result<HttpResponse> {
    let path = form.raw("resume_path");
    if !is_local(path) {
        return Ok(see_other(next(form.raw("next"))));
    }
    let pairs = serde_urlencoded::from_str(form.raw("resume_body")).map_err(|_| Error::BadRequest("broken_form"))?;
    render(&ResumePage { ui, words, name, path: path.to_owned(), pairs })
}

/// The sign-in page with what is wrong, and what it carries along.
pub fn refused(app: &App, form: &Form, status: StatusCode, problem: String) -> Result<HttpResponse> {
    form::again(status, None, &page(app, form, Some(problem), false))
}

/// The sign-in page for who took too long over the second factor.
pub fn again_for(app: &App, form: &Form) -> Result<HttpResponse> {
    if !is_local(form.raw("resume_path")) {
        return Ok(see_other("/login"));
    }
    refused(app, form, StatusCode::UNAUTHORIZED, crate::i18n::Locale::default().t("second.too_late"))
}

pub(super) struct Attempt {
    pub name: String,
    pub password: String,
    pub comer: Comer,
}

/// The user, if name and password fit; nothing tells which of the two does not, or that the account is disabled.
pub(super) fn sign_in(app: &App, attempt: &Attempt) -> Result<Option<UserId>> {
    let now = app.clock.now();
    let address = attempt.comer.address.as_deref();
    let (account, guess) = app.db.write(|tx| {
        let account = accounts::find(tx, &attempt.name)?;
        let guess = Guess::sign_in(&app.key, &attempt.name, address);
        guess.reserve(tx, now)?;
        Ok((account, guess))
    })?;
    let Ok(right) = verify(app, account.as_ref(), &attempt.password) else {
        app.db.write(|tx| guess.not_tried(tx, now))?;
        return Err(Error::Busy);
    };
    let account = account.map(|account| (right && account.disabled_at.is_none(), account));
    match account {
        Some((true, account)) => {
            let newer = rehashed(app, &account, &attempt.password);
            app.db.write(|tx| open(tx, attempt, &account, newer.as_deref(), &guess, now))
        }
        other => {
            let account = other.map(|(_, account)| account);
            let why = if right && account.is_some() { "disabled" } else { "password" };
            app.db.write(|tx| Ok(refusal(account.as_ref(), attempt, why, now).write(tx)?))?;
            Ok(None)
        }
    }
}

fn verify(app: &App, account: Option<&Account>, password: &str) -> Result<bool, Busy> {
    match account.and_then(|account| account.password_hash.as_deref()) {
        Some(stored) => app.passwords.verify(password, stored),
        None => app.passwords.verify_nobody(password),
    }
}

/// A password whose hash is of an older kind gets a new one, now that it is known. If the machine is busy, the next sign-in does it.
fn rehashed(app: &App, account: &Account, password: &str) -> Option<String> {
    let stored = account.password_hash.as_deref()?;
    if app.passwords.is_outdated(stored) { app.passwords.hash(password).ok() } else { None }
}

/// The password was right: unless it was changed or the account disabled while it was being hashed, the person is in.
fn open(
    tx: &mut Tx<'_>,
    attempt: &Attempt,
    account: &Account,
    newer: Option<&str>,
    guess: &Guess,
    now: chrono::NaiveDateTime,
) -> Result<Option<UserId>> {
    let still: Option<UserId> = users::table
        .find(&account.id)
        .filter(users::disabled_at.is_null())
        .filter(users::password_hash.eq(&account.password_hash))
        .select(users::id)
        .first(&mut **tx)
        .optional()?;
    if still.is_none() {
        let closed: Option<Option<chrono::NaiveDateTime>> =
            users::table.find(&account.id).select(users::disabled_at).first(&mut **tx).optional()?;
        let why = if closed.flatten().is_some() { "disabled" } else { "password" };
        refusal(Some(account), attempt, why, now).write(tx)?;
        return Ok(None);
    }
    if let Some(newer) = newer {
        diesel::update(users::table.find(&account.id)).set(users::password_hash.eq(newer)).execute(&mut **tx)?;
    }
    guess.succeeded(tx, now)?;
    arrival::event(tx, account.who(), Way::Password, &attempt.comer, now)?.write(tx)?;
    Ok(still)
}

/// What was typed for a name nobody has stays out of the audit: it may be a password. Why it was refused is told there, and nowhere else.
fn refusal(account: Option<&Account>, attempt: &Attempt, why: &'static str, now: chrono::NaiveDateTime) -> Event {
    accounts::at_the_door(account.map(Account::who), attempt.comer.address.clone(), Action::SignInFailed, now).failed(why)
}

/// To the sign-in page; the browser forgets what it kept of the pages before.
pub fn leaving() -> HttpResponse {
    let mut answer = see_other("/login");
    forget(&mut answer);
    answer
}

/// The browser throws away what it kept of the pages before.
pub fn forget(answer: &mut HttpResponse) {
    answer.headers_mut().insert(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\", \"storage\""));
}

/// `POST /logout`.
pub async fn out(app: web::Data<App>, request: HttpRequest, signed: Option<session::Signed>) -> Result<HttpResponse> {
    let mut away = None;
    if let Some(signed) = signed {
        away = oidc::leave::way_out(&app, &request, &signed.me).await;
        app.write(move |tx, app| Ok(Event::new(&signed.actor, Action::SignedOut, app.clock.now()).write(tx)?)).await?;
    }
    request.get_session().purge();
    let Some(away) = away else { return Ok(leaving()) };
    let mut answer = away.page()?;
    forget(&mut answer);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::{self, PASSWORD};

    fn comer(address: &str) -> Comer {
        Comer { address: Some(address.to_owned()), session: "to-be".to_owned() }
    }
    fn attempt(name: &str, password: &str) -> Attempt {
        Attempt { name: name.to_owned(), password: password.to_owned(), comer: comer("192.0.2.1") }
    }

    #[test]
    fn only_paths_of_this_program_are_followed() {
        for path in ["/", "/patients/a/medications?page=2&q=a%20b", "/settings#top"] {
            assert!(is_local(path), "{path}");
        }
        let long = format!("/{}", "a".repeat(2000));
        for path in [
            "",
            "patients",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/a//b",
            "/a\r\nX: y",
            "\\/x",
            &long,
        ] {
            assert!(!is_local(path), "{path}");
        }
    }

    #[test]
    fn name_or_address_and_the_password_let_somebody_in() {
        let (app, _folder) = testing::app();
        let ann = testing::account(&app, "ann");
        for name in ["ann", " ANN ", "Ann@Example.org"] {
            assert_eq!(sign_in(&app, &attempt(name, PASSWORD)).unwrap(), Some(ann.clone()), "{name}");
        }
        assert_eq!(sign_in(&app, &attempt("ann", "wrong")).unwrap(), None);
        assert_eq!(sign_in(&app, &attempt("nobody", PASSWORD)).unwrap(), None);
        let disable = accounts::by_command(Action::AccountChanged, app.clock.now());
        app.db.write(|tx| accounts::disable(tx, &ann, disable.clone())).unwrap();
        assert_eq!(sign_in(&app, &attempt("ann", PASSWORD)).unwrap(), None, "disabled");
    }

    #[test]
    fn a_name_and_an_address_are_counted_alike_whether_they_are_one_accounts_or_nobodys() {
        let (app, _folder) = testing::app();
        testing::account(&app, "ann");
        for (name, email) in [("ann", "ann@example.org"), ("nobody", "nobody@example.org")] {
            for typed in [name.to_owned(), name.to_uppercase(), format!(" {name} "), name.to_owned(), name.to_owned()] {
                assert_eq!(sign_in(&app, &attempt(&typed, "wrong")).unwrap(), None);
            }
            assert!(matches!(sign_in(&app, &attempt(name, PASSWORD)), Err(Error::Throttled(_))), "{name}");
            assert_eq!(sign_in(&app, &attempt(email, "wrong")).unwrap(), None, "{email} tells nothing of {name}");
        }
        let elsewhere = Attempt { comer: comer("192.0.2.2"), ..attempt("ann", PASSWORD) };
        assert!(sign_in(&app, &elsewhere).unwrap().is_some());
    }

    #[test]
    fn an_older_hash_is_renewed() {
        let (mut app, _folder) = testing::app();
        testing::account(&app, "ann");
        app.passwords = std::sync::Arc::new(crate::auth::password::Passwords::new(5));
        sign_in(&app, &attempt("ann", PASSWORD)).unwrap().unwrap();
        let stored = app.db.read(|conn| accounts::find(conn, "ann")).unwrap().unwrap().password_hash.unwrap();
        assert!(!app.passwords.is_outdated(&stored));
        assert!(sign_in(&app, &attempt("ann", PASSWORD)).unwrap().is_some());
    }

    #[test]
    fn what_a_stranger_typed_is_kept_nowhere() {
        let (app, folder) = testing::app();
        sign_in(&app, &attempt("my-secret-typed-here", "and-another-one")).unwrap();
        app.db.write(|_| Ok(())).unwrap();
        let mut all = Vec::new();
        for file in std::fs::read_dir(folder.path().join("data")).unwrap() {
            all.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        let has = |text: &str| all.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(has("sign_in_failed") && !has("my-secret-typed-here") && !has("and-another-one"));
    }
}
