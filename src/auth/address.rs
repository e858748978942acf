//! The e-mail address of an account: a new one counts when a letter that was sent to it was answered, and the old one is told, with a way back for
//! some days. Without a mail server it is set at once and counts as nobody's word but the person's.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    accounts::{self, Details},
    form::{self, Form, Problems},
    links::{self, Link, NewLink, Purpose},
    notices::{self, Notice},
    proof::Proved,
    reset::private,
    session::{self, Signed},
    throttle::Knock,
};
use crate::{
    access::Actor,
    app::App,
    audit::{Action, Event},
    body,
    db::{Conn, Tx, schema::users, types::UserId},
    error::{Error, Result},
    i18n::Locale,
    jobs::{self, NewJob},
    mail::{self, Mail},
    page::{Ui, render, see_other},
};

/// The job's name in the table.
pub const TASK: &str = "address_letter";
/// How long a new address can be confirmed.
const CONFIRM: Duration = Duration::hours(24);
/// How long a change can be undone from the old address.
const UNDO: Duration = Duration::days(7);

/// A letter that waits: whom it concerns and which address it goes to. Its link is made when it is sent.
#[derive(Serialize, Deserialize)]
struct Letter {
    undo: bool,
    user: UserId,
    to: String,
    at: NaiveDateTime,
}

fn wait(tx: &mut Tx<'_>, letter: &Letter) -> Result<()> {
    let payload = serde_json::to_string(letter).map_err(|error| Error::Internal(format!("mail: {error}")))?;
    jobs::add(tx, &NewJob { task: TASK, payload: &payload, unique_key: None, repeat: None, run_at: letter.at }, letter.at)
}

/// Where mail works, a new account's address is asked whether it is theirs.
pub fn ask_if_mail_works(tx: &mut Tx<'_>, app: &App, user: &UserId, now: NaiveDateTime) -> Result<()> {
    let (email, verified) = stored(tx, user)?;
    match email.filter(|_| !verified && mail::works(&app.config)) {
        Some(to) => wait(tx, &Letter { undo: false, user: user.clone(), to, at: now }),
        None => Ok(()),
    }
}

/// The account's address, and whether it is known to be theirs.
fn stored(conn: &mut Conn, user: &UserId) -> Result<(Option<String>, bool)> {
    let (email, at): (Option<String>, Option<NaiveDateTime>) =
        users::table.find(user).select((users::email, users::email_verified_at)).first(conn)?;
    Ok((email, at.is_some()))
}

/// Sends a letter that waits; the job's work.
pub fn deliver(app: &App, payload: &str) -> Result<()> {
    let letter: Letter = serde_json::from_str(payload).map_err(|_| Error::Internal("a letter that cannot be read".to_owned()))?;
    let (now, lasts) = (app.clock.now(), if letter.undo { UNDO } else { CONFIRM });
    if now - letter.at >= lasts || !mail::works(&app.config) {
        return Ok(());
    }
    let made = app.db.write(|tx| {
        let open = accounts::by_id(tx, &letter.user).map(|account| account.disabled_at.is_none());
        if !matches!(open, Ok(true)) || taken(tx, &letter.to, &letter.user)? {
            return Ok(None);
        }
        let (_, words) = mail::reader(tx, &letter.user)?;
        let purpose = if letter.undo { Purpose::Undo } else { Purpose::Verify };
        let text = links::make(tx, &NewLink { user: &letter.user, purpose, email: Some(&letter.to), made_by: None, lasts }, now)?;
        Ok(Some((text, words)))
    })?;
    let Some((text, words)) = made else { return Ok(()) };
    let link = format!("{}/address/{text}", app.config.public_url);
    mail::send(&app.config, &written(&letter, &words, &link, &words.moment(now + lasts)))
        .map_err(|problem| Error::Internal(format!("mail: {problem}")))
}

fn written(letter: &Letter, words: &Locale, link: &str, until: &str) -> Mail {
    let values = [("link", link), ("until", until)];
    let (subject, text) = if letter.undo {
        (words.t("mail.address_changed.subject"), words.with("mail.address_changed.text", &values))
    } else {
        (words.t("mail.address.subject"), words.with("mail.address.text", &values))
    };
    Mail { to: letter.to.clone(), subject, text }
}

/// Has another account this address?
fn taken(conn: &mut Conn, email: &str, user: &UserId) -> Result<bool> {
    let other: Option<UserId> =
        users::table.filter(users::email.eq(email)).filter(users::id.ne(user)).select(users::id).first(conn).optional()?;
    Ok(other.is_some())
}

#[derive(Template)]
#[template(path = "settings/address.html")]
struct AddressPage {
    ui: Ui,
    /// What counts now; empty for none.
    current: String,
    verified: bool,
    mail: bool,
    /// The address that was written to and has not answered.
    asked: String,
    done: String,
    email: String,
    problems: Problems,
}

fn page(conn: &mut Conn, app: &App, signed: &Signed) -> Result<AddressPage> {
    let (current, verified) = stored(conn, &signed.me.id)?;
    let asked = links::waiting(conn, &signed.me.id, Purpose::Verify, app.clock.now())?.and_then(|link| link.email);
    let current = current.unwrap_or_default();
    Ok(AddressPage {
        ui: Ui::new(Some(signed.me.clone()), "/settings/address"),
        verified,
        mail: mail::works(&app.config),
        asked: asked.filter(|asked| verified || *asked != current).unwrap_or_default(),
        done: String::new(),
        email: current.clone(),
        current,
        problems: Problems::default(),
    })
}

/// What was just done, of those that have a sentence.
const DONE: &[&str] = &["asked", "set", "removed"];

/// `GET /settings/address`.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let told = Form(body::query(&request)).text("done");
    let done = DONE.iter().find(|word| told == **word).map(|word| (*word).to_owned()).unwrap_or_default();
    let page = app.read(move |conn, app| page(conn, app, &signed)).await?;
    render(&AddressPage { done, ..page })
}

/// `POST /settings/address`: another address, for who proved a moment ago who they are.
pub async fn change(app: web::Data<App>, signed: Signed, _: Proved, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let form = Form::read(&request, payload).await?;
    let email = form.text("email").to_lowercase();
    let (actor, wanted) = (signed.actor.clone(), email.clone());
    match app.run(move |app| set(app, &actor, &wanted)).await {
        Ok(done) => Ok(see_other(&format!("/settings/address?done={done}"))),
        Err(error) => {
            let page = app.read(move |conn, app| page(conn, app, &signed)).await?;
            let (status, problems) = form::shown(&page.ui.words, error)?;
            form::again(status, problems.wait, &AddressPage { email, problems, ..page })
        }
    }
}

fn set(app: &App, actor: &Actor, email: &str) -> Result<&'static str> {
    let errors = accounts::check_email(email);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let now = app.clock.now();
    let ask = mail::works(&app.config) && !email.is_empty();
    let knock = Knock::letters(&app.key, &format!("by:{}", actor.user));
    app.db.write(|tx| {
        if ask {
            knock.reserve(tx, now)?;
            // Whether another account has it is told by nothing: the letter just does not go out.
            wait(tx, &Letter { undo: false, user: actor.user.clone(), to: email.to_owned(), at: now })?;
            accounts::about(Event::new(actor, Action::AddressAsked, now), &actor.user).write(tx)?;
            return Ok("asked");
        }
        let details = Details { email: email.to_owned(), ..Details::default() };
        let errors = accounts::taken(tx, &details, Some(&actor.user))?;
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        let event = accounts::about(Event::new(actor, Action::AddressChanged, now), &actor.user);
        put(tx, app, &actor.user, Some(email).filter(|email| !email.is_empty()), false, event)?;
        Ok(if email.is_empty() { "removed" } else { "set" })
    })
}

/// Another address counts from now on; the one before is told if it was known to be theirs.
fn put(tx: &mut Tx<'_>, app: &App, user: &UserId, email: Option<&str>, verified: bool, event: Event) -> Result<()> {
    let now = event.at;
    let (before, was_verified) = stored(tx, user)?;
    let verified_at = (verified || (was_verified && before.as_deref() == email)).then_some(now);
    diesel::update(users::table.find(user))
        .set((users::email.eq(email), users::email_verified_at.eq(verified_at), users::updated_at.eq(now)))
        .execute(&mut **tx)?;
    if before.as_deref() == email {
        return Ok(event.write(tx)?);
    }
    // What was sent to the old one sets no password any more.
    links::kill(tx, user, &[Purpose::Reset])?;
    if let Some(to) = before.filter(|_| mail::works(&app.config)) {
        wait(tx, &Letter { undo: true, user: user.clone(), to, at: now })?;
    }
    notices::tell(tx, user, Notice::AddressChanged, None, now)?;
    Ok(event.write(tx)?)
}

#[derive(Template)]
#[template(path = "auth/address.html")]
struct ConfirmPage {
    ui: Ui,
    action: String,
    email: String,
    username: String,
    undo: bool,
    done: bool,
}

/// The link of that text, whichever of the two it is.
fn either(conn: &mut Conn, text: &str, now: NaiveDateTime) -> Result<(Link, bool)> {
    match links::find(conn, Purpose::Verify, text, now) {
        Err(Error::NotFound) => links::find(conn, Purpose::Undo, text, now).map(|link| (link, true)),
        found => found.map(|link| (link, false)),
    }
}

/// `GET /address/{text}`: says what it is about; looking uses nothing up, since programs that guard mailboxes look at links.
pub async fn before(app: web::Data<App>, path: web::Path<String>) -> Result<HttpResponse> {
    let text = path.into_inner();
    let page = app.read(move |conn, app| {
        let (link, undo) = either(conn, &text, app.clock.now())?;
        let account = accounts::by_id(conn, &link.user_id)?;
        let email = link.email.unwrap_or_default();
        Ok(confirm_page(format!("/address/{text}"), email, account.username, undo, false))
    });
    Ok(private(render(&page.await?)?))
}

fn confirm_page(action: String, email: String, username: String, undo: bool, done: bool) -> ConfirmPage {
    ConfirmPage { ui: Ui::new(None, "/address"), action, email, username, undo, done }
}

/// `POST /address/{text}`.
pub async fn confirm(app: web::Data<App>, path: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let (text, address) = (path.into_inner(), session::address(&request));
    let page = app.write(move |tx, app| {
        let now = app.clock.now();
        let (link, undo) = either(tx, &text, now)?;
        links::take(tx, if undo { Purpose::Undo } else { Purpose::Verify }, &text, now)?;
        let account = accounts::by_id(tx, &link.user_id)?;
        let email = link.email.ok_or(Error::NotFound)?;
        if taken(tx, &email, &account.id)? {
            return Err(Error::Conflict("address_taken"));
        }
        let action = if undo { Action::AddressRestored } else { Action::AddressChanged };
        let event = accounts::by_person(&account.id, &account.full_name, address.clone(), action, now);
        let event = accounts::about(event, &account.id);
        if undo {
            restore(tx, &account.id, &email, event)?;
        } else {
            put(tx, app, &account.id, Some(&email), true, event)?;
        }
        Ok(confirm_page(String::new(), email, account.username, undo, true))
    });
    Ok(private(render(&page.await?)?))
}

/// The old address counts again. Whoever changed it may sit somewhere signed in, or wait for a letter: nothing of that goes on.
fn restore(tx: &mut Tx<'_>, user: &UserId, email: &str, event: Event) -> Result<()> {
    let now = event.at;
    diesel::update(users::table.find(user))
        .set((users::email.eq(email), users::email_verified_at.eq(now), users::updated_at.eq(now)))
        .execute(&mut **tx)?;
    session::end(tx, user, None, None)?;
    links::kill(tx, user, &[Purpose::Reset, Purpose::Verify])?;
    notices::tell(tx, user, Notice::AddressRestored, None, now)?;
    Ok(event.write(tx)?)
}
