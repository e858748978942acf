//! Looking at a second factor that somebody gives: counted before it is looked at, used up with it, in the audit either way.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{
    passkey::{self, Answered, Claim, Purpose},
    recovery, totp,
};
use crate::{
    app::App,
    audit::Event,
    auth::{form::Form, throttle::Guess},
    db::{Tx, schema::users, types::UserId},
    error::{Error, Result},
    records::field::{Errors, FieldError},
};

/// The forms' fields, and the places of their errors.
pub const CODE: &str = "factor_code";
pub const RECOVERY: &str = "recovery_code";
pub const CREDENTIAL: &str = "credential";

/// What a form gives.
#[derive(Clone, Debug)]
pub enum Given {
    Code(String),
    Recovery(String),
    Passkey(Answered),
}

impl Given {
    /// `with` says which of the page's forms was sent.
    pub fn read(form: &Form) -> Result<Self, Errors> {
        let required = |field: &str| vec![(field.to_owned(), FieldError::Required)];
        match form.raw("with") {
            "passkey" if form.has(CREDENTIAL) => {
                Ok(Self::Passkey(Answered { challenge: form.raw("challenge").to_owned(), credential: form.raw(CREDENTIAL).to_owned() }))
            }
            "passkey" => Err(vec![(CREDENTIAL.to_owned(), FieldError::Rule("error.passkey_script"))]),
            "recovery" if form.has(RECOVERY) => Ok(Self::Recovery(form.text(RECOVERY))),
            "recovery" => Err(required(RECOVERY)),
            _ if form.has(CODE) => Ok(Self::Code(form.text(CODE))),
            _ => Err(required(CODE)),
        }
    }

    pub fn is_passkey(&self) -> bool {
        matches!(self, Self::Passkey(_))
    }

    /// For the audit.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Code(_) => "totp",
            Self::Recovery(_) => "recovery_code",
            Self::Passkey(_) => "passkey",
        }
    }

    fn wrong(&self) -> Error {
        let (field, rule) = match self {
            Self::Code(_) => (CODE, "error.factor_code"),
            Self::Recovery(_) => (RECOVERY, "error.recovery_code"),
            Self::Passkey(_) => (CREDENTIAL, "error.passkey"),
        };
        Error::Invalid(vec![(field.to_owned(), FieldError::Rule(rule))])
    }
}

/// Whose factor it is to be, and what the audit is told.
#[derive(Clone, Debug)]
pub struct Asked {
    pub user: UserId,
    pub address: Option<String>,
    pub purpose: Purpose,
    /// An account that was changed later than this begins anew: its password may be another one by now.
    pub unchanged_since: Option<NaiveDateTime>,
    pub right: Event,
    pub wrong: Event,
}

/// What a guess at a factor counts for. Not for the account's password: who knows that must not clear the count by giving it again.
pub fn guess(app: &App, user: &UserId, address: Option<&str>) -> Guess {
    Guess::new(&app.key, &format!("factor:{user}"), address)
}

/// 422 at the field if it is not right, 429 after too many, [`Error::NoSession`] if the account is closed or was changed meanwhile.
pub fn check(app: &App, given: &Given, asked: &Asked) -> Result<()> {
    let now = app.clock.now();
    let guess = guess(app, &asked.user, asked.address.as_deref());
    app.db.write(|tx| guess.reserve(tx, now))?;
    let claim = match given {
        Given::Passkey(answered) => passkey::claim(app, &asked.user, asked.purpose, answered)?,
        _ => None,
    };
    let right = app.db.write(|tx| {
        if !is_open(tx, asked)? {
            return Err(Error::NoSession);
        }
        let right = is_right(tx, app, given, &asked.user, claim.as_ref(), now)?;
        let event = if right { asked.right.clone() } else { asked.wrong.clone().failed(given.word()) };
        Event { detail: Some(given.word().to_owned()), ..event }.write(tx)?;
        if right {
            guess.succeeded(tx, now)?;
        }
        Ok(right)
    })?;
    if right { Ok(()) } else { Err(given.wrong()) }
}

fn is_open(tx: &mut Tx<'_>, asked: &Asked) -> Result<bool> {
    let open = users::table.find(&asked.user).filter(users::disabled_at.is_null());
    let changed: Option<NaiveDateTime> = open.select(users::updated_at).first(&mut **tx).optional()?;
    Ok(changed.is_some_and(|changed| asked.unchanged_since.is_none_or(|since| changed <= since)))
}

fn is_right(tx: &mut Tx<'_>, app: &App, given: &Given, user: &UserId, claim: Option<&Claim>, now: NaiveDateTime) -> Result<bool> {
    match (given, claim) {
        (Given::Code(code), _) => totp::take(tx, &app.key, user, code, now),
        (Given::Recovery(code), _) => recovery::take(tx, user, code, now),
        (Given::Passkey(_), Some(claim)) => passkey::verify(tx, &app.config, claim, now),
        (Given::Passkey(_), None) => Ok(false),
    }
}
