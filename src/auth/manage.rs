//! What an administrator does with accounts. There is always one left who can do it.

use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use super::{
    accounts::{self, Account, NewAccount, about},
    links::{self, NewLink, Purpose},
    notices::{self, Notice},
    secret::SecretKey,
    session,
    throttle::{self, Guess},
};
use crate::{
    access::Actor,
    audit::{Action, Event},
    db::{
        Conn, Tx,
        schema::{audit_events, users},
        types::{UserId, choice},
    },
    error::{Error, Result},
    records::field::FieldError,
};

choice!(
    /// What an account may do: a guest is shown what others share, an administrator manages accounts and the installation.
    Role { User = "user", Guest = "guest", Admin = "admin" }
);

/// Who does it: an administrator at a page, or whoever may run commands on the machine.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    Person(&'a Actor),
    Command,
}

impl<'a> From<&'a Actor> for By<'a> {
    fn from(actor: &'a Actor) -> Self {
        Self::Person(actor)
    }
}

impl By<'_> {
    fn event(self, action: Action, now: NaiveDateTime) -> Event {
        match self {
            Self::Person(actor) => Event::new(actor, action, now),
            Self::Command => accounts::by_command(action, now),
        }
    }
    /// Nobody is told what they did themselves.
    fn tell(self, tx: &mut Tx<'_>, user: &UserId, notice: Notice, now: NaiveDateTime) -> Result<()> {
        match self {
            Self::Person(actor) if actor.user == *user => Ok(()),
            Self::Person(actor) => notices::tell(tx, user, notice, Some(&actor.name), now),
            Self::Command => notices::tell_by_command(tx, user, notice, now),
        }
    }
}

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
pub fn set_role<'a>(tx: &mut Tx<'_>, by: impl Into<By<'a>>, user: &UserId, role: Role, now: NaiveDateTime) -> Result<()> {
    if role != Role::Admin {
        must_not_be_last(tx, user, "role")?;
    }
    set_any_role(tx, by, user, role, now)
}

/// [`set_role`], which may take the last administrator the role.
pub fn set_any_role<'a>(tx: &mut Tx<'_>, by: impl Into<By<'a>>, user: &UserId, role: Role, now: NaiveDateTime) -> Result<()> {
    let by = by.into();
    let before: String = users::table.find(user).select(users::role).first(&mut **tx).optional()?.ok_or(Error::NotFound)?;
    if before == role.as_str() {
        return Ok(());
    }
    diesel::update(users::table.find(user)).set((users::role.eq(role.as_str()), users::updated_at.eq(now))).execute(&mut **tx)?;
    session::end(tx, user, None, None)?;
    by.tell(tx, user, Notice::of_role(role), now)?;
    about(by.event(Action::RoleChanged, now).kind(role.as_str()), user).write(tx)?;
    Ok(())
}

pub fn disable<'a>(tx: &mut Tx<'_>, by: impl Into<By<'a>>, user: &UserId, now: NaiveDateTime) -> Result<()> {
    must_not_be_last(tx, user, "account")?;
    disable_any(tx, by, user, now)
}

/// [`disable`], which may close the last administrator's.
pub fn disable_any<'a>(tx: &mut Tx<'_>, by: impl Into<By<'a>>, user: &UserId, now: NaiveDateTime) -> Result<()> {
    let by = by.into();
    accounts::disable(tx, user, by.event(Action::AccountDisabled, now))?;
    by.tell(tx, user, Notice::AccountClosed, now)
}

/// Opens it again. What was ended stays ended: sessions, links and tokens.
pub fn enable<'a>(tx: &mut Tx<'_>, by: impl Into<By<'a>>, user: &UserId, now: NaiveDateTime) -> Result<()> {
    let by = by.into();
    let none = None::<NaiveDateTime>;
    diesel::update(users::table.find(user)).set((users::disabled_at.eq(none), users::updated_at.eq(now))).execute(&mut **tx)?;
    by.tell(tx, user, Notice::AccountOpened, now)?;
    about(by.event(Action::AccountEnabled, now), user).write(tx)?;
    Ok(())
}

/// Sets a password at the command line, and lets whoever was locked out by wrong ones in with it.
pub fn set_password_by_command(tx: &mut Tx<'_>, key: &SecretKey, account: &Account, hash: &str, now: NaiveDateTime) -> Result<()> {
    let user = &account.id;
    accounts::set_password(tx, user, hash, None, By::Command.event(Action::PasswordChanged, now))?;
    By::Command.tell(tx, user, Notice::PasswordReset, now)?;
    // The counts have no names that could be asked for; from where somebody tried is in the audit.
    let tried: Vec<Option<String>> = audit_events::table
        .filter(audit_events::actor.eq(user.as_str()))
        .filter(audit_events::at.gt(now - throttle::WINDOW))
        .select(audit_events::address)
        .distinct()
        .load(&mut **tx)?;
    let from = std::iter::once(None).chain(tried);
    from.flat_map(|address| Guess::of_account(key, account, address.as_deref())).try_for_each(|guess| guess.forget(tx))
}

/// Ends sessions of somebody: all, or one of them.
pub fn end_sessions(tx: &mut Tx<'_>, actor: &Actor, user: &UserId, only: Option<&str>, now: NaiveDateTime) -> Result<()> {
    if session::end(tx, user, only, None)? == 0 && only.is_some() {
        return Err(Error::NotFound);
    }
    let event = Event::new(actor, Action::SessionsEnded, now);
    about(if only.is_some() { event.kind("one") } else { event }, user).write(tx)?;
    Ok(())
}
