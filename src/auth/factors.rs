//! The second factor: what somebody has beside their password, and when they are asked for it.
//!
//! An app with codes and passkeys are factors; recovery codes only stand in for one that is lost.

pub mod check;
pub mod confirm;
pub mod passkey;
pub mod passkey_sign_in;
pub mod recovery;
pub mod required;
pub mod second;
pub mod totp;
pub mod ways;

use diesel::prelude::*;

use super::{arrival::Way, session};
use crate::{
    audit::{Action, Event},
    db::{
        Conn, Tx,
        schema::{passkey_challenges, passkeys, recovery_codes, totp_factors, users},
        types::UserId,
    },
    error::Result,
};

/// SQL: has the account of this statement's `users` a second factor?
pub const HAS_ONE: &str = "(EXISTS (SELECT 1 FROM totp_factors t WHERE t.user_id = users.id AND t.confirmed_at IS NOT NULL) \
    OR EXISTS (SELECT 1 FROM passkeys p WHERE p.user_id = users.id))";

/// What an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub totp: bool,
    pub passkeys: i64,
    /// Recovery codes that were not used yet.
    pub codes: i64,
}

impl Held {
    pub fn any(self) -> bool {
        self.totp || self.passkeys > 0
    }
}

pub fn held(conn: &mut Conn, user: &UserId) -> Result<Held> {
    let of_app = totp_factors::table.filter(totp_factors::user_id.eq(user)).filter(totp_factors::confirmed_at.is_not_null());
    let apps: i64 = of_app.count().get_result(conn)?;
    let passkeys = passkeys::table.filter(passkeys::user_id.eq(user)).count().get_result(conn)?;
    Ok(Held { totp: apps > 0, passkeys, codes: recovery::left(conn, user)? })
}

/// Is who comes in this way asked for a second factor? A passkey is two factors in one; a provider's word counts for both if the person says so.
pub fn is_asked(conn: &mut Conn, user: &UserId, way: Way) -> Result<bool> {
    let asks = match way {
        Way::Passkey | Way::NewAccount => false,
        // A link of the command line proves no more than a password does.
        Way::Password | Way::OperatorLink => true,
        Way::Provider => asks_after_provider(conn, user)?,
    };
    Ok(asks && held(conn, user)?.any())
}

pub fn asks_after_provider(conn: &mut Conn, user: &UserId) -> Result<bool> {
    Ok(users::table.find(user).select(users::asks_after_provider).first(conn)?)
}

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub apps: usize,
    pub passkeys: usize,
    pub codes: usize,
}

/// Takes all factors away from somebody who lost them, ends their sessions, and has them told at the next sign-in. The event is
/// [`Action::FactorsReset`] of whoever does it.
pub fn remove_all(tx: &mut Tx<'_>, user: &UserId, event: Event) -> Result<Removed> {
    let removed = Removed {
        apps: diesel::delete(totp_factors::table.filter(totp_factors::user_id.eq(user))).execute(&mut **tx)?,
        passkeys: diesel::delete(passkeys::table.filter(passkeys::user_id.eq(user))).execute(&mut **tx)?,
        codes: diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user))).execute(&mut **tx)?,
    };
    diesel::delete(passkey_challenges::table.filter(passkey_challenges::user_id.eq(user))).execute(&mut **tx)?;
    let values = (users::factors_reset_at.eq(event.at), users::updated_at.eq(event.at));
    diesel::update(users::table.find(user)).set(values).execute(&mut **tx)?;
    session::end(tx, user, None, None)?;
    Event { detail: Some(user.to_string()), ..event }.write(tx)?;
    Ok(removed)
}

/// A factor more. With the first one, the sessions that began without it end, but for the own one, and there are recovery codes, to be shown.
pub fn added(tx: &mut Tx<'_>, user: &UserId, own_session: Option<&str>, what: &'static str, event: Event) -> Result<Option<Vec<String>>> {
    let now = event.at;
    let held = held(tx, user)?;
    let is_first = i64::from(held.totp) + held.passkeys == 1;
    if is_first {
        session::end(tx, user, None, own_session)?;
        diesel::update(users::table.find(user)).set(users::factors_reset_at.eq(None::<chrono::NaiveDateTime>)).execute(&mut **tx)?;
    }
    let codes = if is_first { Some(recovery::make(tx, user, now)?) } else { None };
    Event { action: Action::FactorAdded.word().to_owned(), detail: Some(what.to_owned()), ..event }.write(tx)?;
    Ok(codes)
}

/// A factor less. All other sessions end; without a factor, recovery codes stand for nothing.
pub fn removed(tx: &mut Tx<'_>, user: &UserId, own_session: Option<&str>, what: &'static str, event: Event) -> Result<()> {
    if !held(tx, user)?.any() {
        diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user))).execute(&mut **tx)?;
    }
    session::end(tx, user, None, own_session)?;
    Event { action: Action::FactorRemoved.word().to_owned(), detail: Some(what.to_owned()), ..event }.write(tx)?;
    Ok(())
}

/// Challenges nobody answered; a job's work.
pub fn purge(tx: &mut Tx<'_>, now: chrono::NaiveDateTime) -> Result<usize> {
    Ok(diesel::delete(passkey_challenges::table.filter(passkey_challenges::expires_at.le(now))).execute(&mut **tx)?)
}
