//! Mail: invitations, and what begins or ends. Written from the catalogue when it is sent, by the job table, which tries again; without a
//! mail server nothing is sent and the pages say the same. No medical word and no patient's name is in any of it: mail is read by many.

pub mod probe;

use std::time::Duration;

use chrono::NaiveDateTime;
use diesel::prelude::*;
use lettre::{
    Message, SmtpTransport, Transport,
    message::{
        Mailbox, SinglePart,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    config::{Config, Smtp, SmtpSecurity},
    db::{
        Conn, Tx,
        schema::{patient_shares, user_preferences, users},
        types::{InvitationId, ShareId, UserId},
    },
    error::{Error, Result},
    i18n::{DateStyle, Locale},
    invitations,
    jobs::{self, NewJob},
};

/// The job's name in the table.
pub const TASK: &str = "mail";
/// After so many tries, over about two days, a letter is given up.
const MOST_TRIES: i32 = 12;
/// A mail server that does not answer holds up the other jobs for no longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a letter about a share says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    ShareEnding,
    ShareEnded,
}

/// A letter that waits: what it is about, not what it says. Whatever changed until it is sent is said as it is then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "letter")]
enum Letter {
    Invitation { id: InvitationId },
    Share { about: About, share: ShareId, to: UserId },
}

fn wait(tx: &mut Tx<'_>, letter: &Letter, now: NaiveDateTime) -> Result<()> {
    let payload = serde_json::to_string(letter).map_err(|error| Error::Internal(format!("mail: {error}")))?;
    jobs::add(tx, &NewJob { task: TASK, payload: &payload, unique_key: None, repeat: None, run_at: now }, now)
}

/// Whom an invitation is for is written to, if there is an address.
pub fn invitation(tx: &mut Tx<'_>, id: &InvitationId, now: NaiveDateTime) -> Result<()> {
    wait(tx, &Letter::Invitation { id: id.clone() }, now)
}

pub fn about_share(tx: &mut Tx<'_>, about: About, share: &ShareId, to: &[&UserId], now: NaiveDateTime) -> Result<()> {
    for user in to {
        wait(tx, &Letter::Share { about, share: share.clone(), to: (*user).clone() }, now)?;
    }
    Ok(())
}

/// Address, subject and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
}

/// Sends a letter that waits; the job's work.
pub fn deliver(app: &App, payload: &str, tries: i32) -> Result<()> {
    if app.config.smtp.host.is_none() {
        return Ok(());
    }
    let letter: Letter = serde_json::from_str(payload).map_err(|_| Error::Internal("a letter that cannot be read".to_owned()))?;
    let now = app.clock.now();
    let Some(mail) = app.db.read(|conn| compose(conn, app, &letter, now))? else { return Ok(()) };
    match send(&app.config, &mail) {
        Ok(()) => Ok(()),
        Err(problem) if tries >= MOST_TRIES => {
            log::error!("a mail is given up after {tries} tries: {problem}");
            Ok(())
        }
        Err(problem) => Err(Error::Internal(format!("mail: {problem}"))),
    }
}

/// Nothing for a letter that came to nothing: cancelled, answered, ended otherwise, or nobody's address.
fn compose(conn: &mut Conn, app: &App, letter: &Letter, now: NaiveDateTime) -> Result<Option<Mail>> {
    match letter {
        Letter::Invitation { id } => invitation_mail(conn, app, id, now),
        Letter::Share { about, share, to } => share_mail(conn, app, *about, share, to, now),
    }
}

fn invitation_mail(conn: &mut Conn, app: &App, id: &InvitationId, now: NaiveDateTime) -> Result<Option<Mail>> {
    let invitation = match invitations::find(conn, id) {
        Err(Error::NotFound) => return Ok(None),
        found => found?,
    };
    if !invitation.is_open(now) {
        return Ok(None);
    }
    let known = invitation.receiver(conn)?;
    let (address, words) = match &known {
        Some(user) => reader(conn, user)?,
        None => (None, Locale::default()),
    };
    let address = if invitation.is_by_address() { Some(invitation.sent_to.clone()) } else { address };
    let Some(to) = address else { return Ok(None) };
    let sender: String = users::table.find(&invitation.sent_by_user_id).select(users::full_name).first(conn)?;
    let link = invitation.link(&app.key, &app.config);
    let until = words.moment(invitation.expires_at);
    let values = [("name", sender.as_str()), ("link", link.as_str()), ("until", until.as_str())];
    Ok(Some(Mail { to, subject: words.with("mail.invitation.subject", &values), text: words.with("mail.invitation.text", &values) }))
}

fn share_mail(conn: &mut Conn, app: &App, about: About, share: &ShareId, to: &UserId, now: NaiveDateTime) -> Result<Option<Mail>> {
    let ends: Option<Option<NaiveDateTime>> = patient_shares::table
        .find(share)
        .filter(patient_shares::is_active.eq(true))
        .select(patient_shares::expires_at)
        .first(conn)
        .optional()?;
    // Extended or ended by hand since: there is nothing to tell any more.
    let Some(ends) = ends.flatten().filter(|ends| (*ends <= now) == (about == About::ShareEnded)) else { return Ok(None) };
    let (Some(to), words) = reader(conn, to)? else { return Ok(None) };
    let link = format!("{}/sharing", app.config.public_url);
    let until = words.moment(ends);
    let values = [("link", link.as_str()), ("until", until.as_str())];
    let (subject, text) = match about {
        About::ShareEnding => (words.with("mail.share_ending.subject", &values), words.with("mail.share_ending.text", &values)),
        About::ShareEnded => (words.with("mail.share_ended.subject", &values), words.with("mail.share_ended.text", &values)),
    };
    Ok(Some(Mail { to, subject, text }))
}

/// Address and language of an account that is enabled.
pub fn reader(conn: &mut Conn, user: &UserId) -> Result<(Option<String>, Locale)> {
    type Row = (Option<String>, Option<String>, Option<String>);
    let row: Option<Row> = users::table
        .left_join(user_preferences::table.on(user_preferences::user_id.eq(users::id)))
        .filter(users::id.eq(user))
        .filter(users::disabled_at.is_null())
        .select((users::email, user_preferences::language.nullable(), user_preferences::date_format.nullable()))
        .first(conn)
        .optional()?;
    let Some((email, language, dates)) = row else { return Ok((None, Locale::default())) };
    Ok((email, Locale::new(language.as_deref().unwrap_or("en"), DateStyle::parse(dates.as_deref().unwrap_or_default()))))
}

/// Is there a mail server?
pub fn works(config: &Config) -> bool {
    config.smtp.host.is_some()
}

/// The problem as a sentence for the log: no address is in it.
pub fn send(config: &Config, mail: &Mail) -> Result<(), String> {
    let message = message(config, mail)?;
    transport(&config.smtp)?.send(&message).map(drop).map_err(|error| refusal(&error))
}

/// As the server gets it.
fn message(config: &Config, mail: &Mail) -> Result<Message, String> {
    let from = match &config.smtp.from {
        Some(from) => from.clone(),
        None => default_sender(config)?,
    };
    let to: Mailbox = mail.to.parse().map_err(|_| "the receiver's address is none".to_owned())?;
    Message::builder()
        .from(from)
        .to(to)
        .subject(&mail.subject)
        .message_id(None)
        // So that no absence notice answers it.
        .header(Automatic)
        .singlepart(SinglePart::plain(mail.text.clone()))
        .map_err(|error| format!("it cannot be written: {error}"))
}

/// RFC 3834: nobody wrote this by hand.
#[derive(Clone, Copy)]
struct Automatic;

impl Header for Automatic {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// A server's answer may quote the address it refuses; its code says enough.
fn refusal(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_timeout() => "the mail server did not answer in time".to_owned(),
        None => "no connection to the mail server, or none that it would speak".to_owned(),
    }
}

fn default_sender(config: &Config) -> Result<Mailbox, String> {
    let host = config.public_url.host().split(':').next().unwrap_or("localhost");
    format!("Kinchart <kinchart@{host}>")
        .parse()
        .map_err(|_| "KINCHART_SMTP_FROM is not set, and the public address makes no sender".to_owned())
}

fn port(smtp: &Smtp) -> u16 {
    smtp.port.unwrap_or(match smtp.security {
        SmtpSecurity::Starttls => 587,
        SmtpSecurity::Tls => 465,
        SmtpSecurity::None => 25,
    })
}

fn transport(smtp: &Smtp) -> Result<SmtpTransport, String> {
    let host = smtp.host.as_deref().unwrap_or("localhost");
    let parameters = || TlsParameters::new(host.to_owned()).map_err(|error| format!("TLS: {error}"));
    let tls = match smtp.security {
        SmtpSecurity::Starttls => Tls::Required(parameters()?),
        SmtpSecurity::Tls => Tls::Wrapper(parameters()?),
        SmtpSecurity::None => Tls::None,
    };
    let mut builder = SmtpTransport::builder_dangerous(host).tls(tls).port(port(smtp)).timeout(Some(PATIENCE));
    if let (Some(name), Some(password)) = (&smtp.username, &smtp.password) {
        builder = builder.credentials(Credentials::new(name.clone(), password.0.clone()));
    }
    Ok(builder.build())
}
