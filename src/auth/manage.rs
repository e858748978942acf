//! What an administrator does with accounts. There is always one left who can do it.

use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use super::{
    accounts::{self, NewAccount, about},
    links::{self, NewLink, Purpose},
    notices::{self, Notice},
    session, token,
};
use crate::{
    access::Actor,
    audit::{Action, Event},
    db::{
        Conn, Tx,
        schema::users,
        types::{UserId, choice},
    },
    error::{Error, Result},
    records::field::FieldError,
};

choice!(
    /// What an account may do: a guest is shown what others share, an administrator manages accounts and the installation.
    Role { User = "user", Guest = "guest", Admin = "admin" }
);

/// A link that is carried to somebody by hand lasts a day, the first one of a new account a week.
pub const BY_HAND: Duration = Duration::hours(24);
pub const FIRST: Duration = Duration::days(7);

/// Makes an account in an administrator's name.
pub fn create(tx: &mut Tx<'_>, actor: &Actor, new: &NewAccount, now: NaiveDateTime) -> Result<UserId> {
    let user = accounts::insert(tx, new, now)?;
    about(Event::new(actor, Action::AccountCreated, now), &user).write(tx)?;
    Ok(user)
}

/// The account has no password until its person sets one by a link.
pub fn take_password(tx: &mut Tx<'_>, user: &UserId) -> Result<()> {
    diesel::update(users::table.find(user)).set(users::password_hash.eq(None::<String>)).execute(&mut **tx)?;
    Ok(())
}

/// A link that sets the account's password, once; its person is told that there was one.
pub fn reset_link(tx: &mut Tx<'_>, actor: &Actor, user: &UserId, lasts: Duration, now: NaiveDateTime) -> Result<String> {
    let text = links::make(tx, &NewLink { user, purpose: Purpose::Reset, email: None, made_by: Some(&actor.user), lasts }, now)?;
    notices::tell(tx, user, Notice::ResetLink, Some(&actor.name), now)?;
    about(Event::new(actor, Action::ResetLinkMade, now), user).write(tx)?;
    Ok(text)
}

/// Is there no other account that could manage accounts?
pub fn is_last_administrator(conn: &mut Conn, user: &UserId) -> Result<bool> {
    let admins = users::table.filter(users::role.eq(Role::Admin.as_str())).filter(users::disabled_at.is_null());
    let all: Vec<UserId> = admins.select(users::id).load(conn)?;
    Ok(all.contains(user) && all.len() == 1)
}

/// Refuses what would leave the installation without an administrator.
pub fn must_not_be_last(conn: &mut Conn, user: &UserId, field: &str) -> Result<()> {
    if is_last_administrator(conn, user)? {
        return Err(Error::Invalid(vec![(field.to_owned(), FieldError::Rule("error.last_administrator"))]));
    }
    Ok(())
}

/// What somebody may do from now on. What they had open ends, so that nothing goes on by what they were.
pub fn set_role(tx: &mut Tx<'_>, actor: &Actor, user: &UserId, role: Role, now: NaiveDateTime) -> Result<()> {
    let before: String = users::table.find(user).select(users::role).first(&mut **tx).optional()?.ok_or(Error::NotFound)?;
    if before == role.as_str() {
        return Ok(());
    }
    if role != Role::Admin {
        must_not_be_last(tx, user, "role")?;
    }
    diesel::update(users::table.find(user)).set((users::role.eq(role.as_str()), users::updated_at.eq(now))).execute(&mut **tx)?;
    session::end(tx, user, None, None)?;
    notices::tell(tx, user, Notice::RoleChanged, Some(&actor.name), now)?;
    about(Event::new(actor, Action::RoleChanged, now), user).write(tx)?;
    Ok(())
}

pub fn disable(tx: &mut Tx<'_>, actor: &Actor, user: &UserId, now: NaiveDateTime) -> Result<()> {
    must_not_be_last(tx, user, "account")?;
    accounts::disable(tx, user, Event::new(actor, Action::AccountDisabled, now))
}

/// Opens it again. What was ended stays ended.
pub fn enable(tx: &mut Tx<'_>, actor: &Actor, user: &UserId, now: NaiveDateTime) -> Result<()> {
    let none = None::<NaiveDateTime>;
    diesel::update(users::table.find(user)).set((users::disabled_at.eq(none), users::updated_at.eq(now))).execute(&mut **tx)?;
    about(Event::new(actor, Action::AccountEnabled, now), user).write(tx)?;
    Ok(())
}

/// Ends sessions of somebody: all, or one of them.
pub fn end_sessions(tx: &mut Tx<'_>, actor: &Actor, user: &UserId, only: Option<&str>, now: NaiveDateTime) -> Result<()> {
    if session::end(tx, user, only, None)? == 0 && only.is_some() {
        return Err(Error::NotFound);
    }
    about(Event::new(actor, Action::SessionsEnded, now), user).write(tx)?;
    Ok(())
}

/// Ends every API token of somebody.
pub fn revoke_tokens(tx: &mut Tx<'_>, actor: &Actor, user: &UserId, now: NaiveDateTime) -> Result<()> {
    for token in token::list(tx, user)?.into_iter().filter(|token| token.revoked_at.is_none()) {
        token::revoke(tx, &token.id, Some(user), Event::new(actor, Action::TokenRevoked, now))?;
    }
    Ok(())
}
