//! A forgotten password: a letter with a link that sets a new one, or, without a mail server, the administrator's link.
//!
//! Whether there is such an account is told by nothing: a request only puts what was typed, sealed, into the table of jobs; a job looks it up.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderName, HeaderValue},
    web,
};
use askama::Template;
use chrono::{Duration, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::{
    accounts::{self, Account, Details},
    form::{self, Form, Problems},
    links::{self, NewLink, Purpose},
    notices::{self, Notice},
    sealed_text::{self, open_text, seal_text},
    session,
    throttle::{Guess, Knock},
};
use crate::{
    app::App,
    audit::{Action, Event},
    db::{Tx, schema::users, types::UserId},
    error::{Error, Result},
    jobs::{self, NewJob},
    mail::{self, Mail},
    page::{Ui, render},
    text::fold,
};

/// The job's name in the table.
pub const TASK: &str = "forgotten_password";
/// How long a link of a letter opens something; also how long a letter is tried.
const LASTS: Duration = Duration::hours(1);
/// Longer than any name or address.
const LONGEST_TYPED: usize = 254;

#[derive(Template)]
#[template(path = "auth/forgot.html")]
struct ForgotPage {
    ui: Ui,
    /// There is a mail server.
    mail: bool,
    sent: bool,
    problems: Problems,
}

impl ForgotPage {
    fn new(app: &App, sent: bool, problems: Problems) -> Self {
        Self { ui: Ui::new(None, "/forgot"), mail: mail::works(&app.config), sent, problems }
    }
}

/// `GET /forgot`.
pub async fn ask(app: web::Data<App>) -> Result<HttpResponse> {
    render(&ForgotPage::new(&app, false, Problems::default()))
}

/// `POST /forgot`: one answer for every name.
pub async fn send(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    if !mail::works(&app.config) {
        return render(&ForgotPage::new(&app, false, Problems::default()));
    }
    let (typed, address) = (form.text("username"), session::address(&request));
    match app.run(move |app| wait(app, &typed, address)).await {
        Ok(()) => render(&ForgotPage::new(&app, true, Problems::default())),
        Err(error) => {
            let (status, problems) = form::shown(&crate::i18n::Locale::default(), error)?;
            form::again(status, problems.wait, &ForgotPage::new(&app, false, problems))
        }
    }
}

/// What a request leaves for the job.
#[derive(Serialize, Deserialize)]
struct Asked {
    typed: String,
    address: Option<String>,
    at: NaiveDateTime,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    id: String,
    sealed: String,
}

/// The same work for every name: it is counted as it was typed, and put aside.
fn wait(app: &App, typed: &str, address: Option<String>) -> Result<()> {
    let now = app.clock.now();
    let broken = |_| Error::Internal("a request for a password".to_owned());
    let cut: String = typed.chars().take(LONGEST_TYPED).collect();
    let knocks = [Knock::forgot(&app.key, address.as_deref()), Knock::letters(&app.key, &format!("typed:{}", fold(&cut)))];
    let asked = serde_json::to_string(&Asked { typed: cut, address, at: now }).map_err(broken)?;
    let id = uuid::Uuid::now_v7().to_string();
    let sealed = seal_text(&app.key, sealed_text::Purpose::Forgotten, &id, &asked).map_err(|error| Error::Internal(error.to_string()))?;
    let payload = serde_json::to_string(&Payload { id, sealed }).map_err(broken)?;
    app.db.write(|tx| {
        for knock in &knocks {
            knock.reserve(tx, now)?;
        }
        jobs::add(tx, &NewJob { task: TASK, payload: &payload, unique_key: None, repeat: None, run_at: now }, now)
    })
}

/// Looks the name up and writes to the account's address, if there is such an account, open, with an address; the job's work.
pub fn deliver(app: &App, payload: &str) -> Result<()> {
    let unreadable = || Error::Internal("a request for a password that cannot be read".to_owned());
    let payload: Payload = serde_json::from_str(payload).map_err(|_| unreadable())?;
    let text = open_text(&app.key, sealed_text::Purpose::Forgotten, &payload.id, &payload.sealed).map_err(|_| unreadable())?;
    let asked: Asked = serde_json::from_str(&text).map_err(|_| unreadable())?;
    let now = app.clock.now();
    if now - asked.at >= LASTS || !mail::works(&app.config) {
        return Ok(());
    }
    let Some(letter) = app.db.write(|tx| letter(tx, app, &asked, now))? else { return Ok(()) };
    mail::send(&app.config, &letter).map_err(|problem| Error::Internal(format!("mail: {problem}")))
}

fn letter(tx: &mut Tx<'_>, app: &App, asked: &Asked, now: NaiveDateTime) -> Result<Option<Mail>> {
    let Some(account) = accounts::find(tx, &asked.typed)?.filter(|account| account.disabled_at.is_none()) else { return Ok(None) };
    let (Some(to), words) = mail::reader(tx, &account.id)? else { return Ok(None) };
    match Knock::letters(&app.key, &format!("id:{}", account.id)).reserve(tx, now) {
        Err(Error::Throttled(_)) => return Ok(None),
        counted => counted?,
    }
    let new = NewLink { user: &account.id, purpose: Purpose::Reset, email: Some(&to), made_by: None, lasts: LASTS };
    let link = address(app, &links::make(tx, &new, now)?);
    let event = Event { address: asked.address.clone(), ..Event::by_the_program(Action::ResetLinkMade, now) };
    accounts::about(event, &account.id).write(tx)?;
    let values = [("name", account.full_name.as_str()), ("username", account.username.as_str()), ("link", link.as_str())];
    Ok(Some(Mail { subject: words.t("mail.reset.subject"), text: words.with("mail.reset.text", &values), to }))
}

/// Where a link leads.
pub fn address(app: &App, text: &str) -> String {
    format!("{}/reset/{text}", app.config.public_url)
}

#[derive(Template)]
#[template(path = "auth/reset.html")]
struct ResetPage {
    ui: Ui,
    /// Where the new password goes.
    action: String,
    username: String,
    problems: Problems,
}

#[derive(Template)]
#[template(path = "auth/reset_done.html")]
struct DonePage {
    ui: Ui,
}

/// `GET /reset/{text}`: looking uses nothing up.
pub async fn show(app: web::Data<App>, path: web::Path<String>) -> Result<HttpResponse> {
    let text = path.into_inner();
    let of = text.clone();
    let account = app.read(move |conn, app| {
        let link = links::find(conn, Purpose::Reset, &of, app.clock.now())?;
        accounts::by_id(conn, &link.user_id)
    });
    Ok(private(render(&page(&text, account.await?.username, Problems::default()))?))
}

fn page(text: &str, username: String, problems: Problems) -> ResetPage {
    ResetPage { ui: Ui::new(None, "/reset"), action: format!("/reset/{text}"), username, problems }
}

/// The address opens something: it goes into no `Referer`, of another site or into the log of a proxy, and into no search engine. `no-referrer`
/// would make browsers send the form with `Origin: null`.
pub fn private(mut answer: HttpResponse) -> HttpResponse {
    answer.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    answer.headers_mut().insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow, noarchive"));
    answer
}

/// `POST /reset/{text}`.
pub async fn set(app: web::Data<App>, path: web::Path<String>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let text = path.into_inner();
    let of = text.clone();
    let account = app
        .read(move |conn, app| {
            let link = links::find(conn, Purpose::Reset, &of, app.clock.now())?;
            accounts::by_id(conn, &link.user_id)
        })
        .await?;
    let form = Form::read(&request, payload).await?;
    let (of, who, address) = (text.clone(), account.clone(), session::address(&request));
    match app.run(move |app| change(app, &of, &who, &form, address)).await {
        Ok(()) => Ok(private(render(&DonePage { ui: Ui::new(None, "/reset") })?)),
        Err(error) => {
            let (status, problems) = form::shown(&crate::i18n::Locale::default(), error)?;
            Ok(private(form::again(status, problems.wait, &page(&text, account.username, problems))?))
        }
    }
}

/// Sets the password, ends every session and every other link, and proves the address that the link was sent to.
fn change(app: &App, text: &str, account: &Account, form: &Form, address: Option<String>) -> Result<()> {
    let now = app.clock.now();
    let details = Details {
        full_name: account.full_name.clone(),
        username: account.username.clone(),
        email: account.email.clone().unwrap_or_default(),
    };
    let errors = accounts::check_password(form.raw("password"), Some(form.raw("password_again")), &details);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let hash = accounts::hash(app, form.raw("password"))?;
    let guesses = Guess::of_account(&app.key, account, address.as_deref());
    app.db.write(|tx| {
        let link = links::take(tx, Purpose::Reset, text, now)?;
        let event = accounts::by_person(&account.id, &account.full_name, address.clone(), Action::PasswordReset, now);
        accounts::set_password(tx, &link.user_id, &hash, None, event)?;
        notices::tell(tx, &link.user_id, Notice::PasswordReset, None, now)?;
        if let Some(email) = &link.email {
            prove(tx, &link.user_id, email, now)?;
        }
        guesses.iter().try_for_each(|guess| guess.let_in(tx, now))
    })
}

/// What was sent there was read there.
fn prove(tx: &mut Tx<'_>, user: &UserId, email: &str, now: NaiveDateTime) -> Result<()> {
    use diesel::prelude::*;
    let same = users::table.find(user).filter(users::email.eq(email)).filter(users::email_verified_at.is_null());
    diesel::update(same).set(users::email_verified_at.eq(now)).execute(&mut **tx)?;
    Ok(())
}
