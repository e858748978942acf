//! One-time links of an account. What stands in the address is random and kept as a hash; using a link removes it, and of two who use it at once
//! one comes first.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use super::{secret::random, token_text};
use crate::{
    db::{
        Conn, MultiBackend, Tx,
        schema::{account_links, users},
        types::UserId,
    },
    error::{Error, Result},
};

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Sets a password.
    Reset,
    /// Confirms that an address is the account's.
    Verify,
    /// Puts the address back that was there before.
    Undo,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::Undo => "undo",
        }
    }
}

/// A row of `account_links` whose account is open.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = account_links, check_for_backend(MultiBackend))]
pub struct Link {
    pub id: String,
    pub user_id: UserId,
    pub email: Option<String>,
    pub made_by: Option<String>,
    pub created_at: NaiveDateTime,
    pub expires_at: NaiveDateTime,
}

/// A link to be made.
#[derive(Clone, Debug)]
pub struct NewLink<'a> {
    pub user: &'a UserId,
    pub purpose: Purpose,
    /// The address it is sent to, or is about.
    pub email: Option<&'a str>,
    /// The administrator who makes it by hand.
    pub made_by: Option<&'a UserId>,
    pub lasts: Duration,
}

/// Makes a link; those for the same purpose that were made before open nothing any more. But for those that undo: whoever changes an address
/// twice must not take away the way back to the first. And but for an administrator's, which a letter leaves alone: anybody can ask for one.
/// Tells the end of its address, which nobody can see again.
pub fn make(tx: &mut Tx<'_>, new: &NewLink<'_>, now: NaiveDateTime) -> Result<String> {
    match (new.purpose, new.made_by) {
        (Purpose::Undo, _) => {}
        (_, Some(_)) => kill(tx, new.user, &[new.purpose])?,
        (_, None) => {
            let those =
                account_links::table.filter(account_links::user_id.eq(new.user)).filter(account_links::purpose.eq(new.purpose.word()));
            diesel::delete(those.filter(account_links::made_by.is_null())).execute(&mut **tx)?;
        }
    }
    let bytes = random::<32>().map_err(|error| Error::Internal(error.to_string()))?;
    let text = URL_SAFE_NO_PAD.encode(bytes);
    diesel::insert_into(account_links::table)
        .values((
            account_links::id.eq(uuid::Uuid::now_v7().to_string()),
            account_links::user_id.eq(new.user),
            account_links::purpose.eq(new.purpose.word()),
            account_links::hash.eq(token_text::hash(&text)),
            account_links::email.eq(new.email),
            account_links::made_by.eq(new.made_by.map(UserId::as_str)),
            account_links::created_at.eq(now),
            account_links::expires_at.eq(now + new.lasts),
        ))
        .execute(&mut **tx)?;
    Ok(text)
}

/// The link of that text. Used, over, replaced, of a closed account or never made: all the same.
pub fn find(conn: &mut Conn, purpose: Purpose, text: &str, now: NaiveDateTime) -> Result<Link> {
    account_links::table
        .inner_join(users::table.on(users::id.eq(account_links::user_id)))
        .filter(account_links::hash.eq(token_text::hash(text)))
        .filter(account_links::purpose.eq(purpose.word()))
        .filter(account_links::expires_at.gt(now))
        .filter(users::disabled_at.is_null())
        .select(Link::as_select())
        .first(conn)
        .optional()?
        .ok_or(Error::NotFound)
}

/// Uses it up. 404 for who comes second.
pub fn take(tx: &mut Tx<'_>, purpose: Purpose, text: &str, now: NaiveDateTime) -> Result<Link> {
    let link = find(tx, purpose, text, now)?;
    let gone = diesel::delete(account_links::table.find(&link.id)).execute(&mut **tx)?;
    if gone == 1 { Ok(link) } else { Err(Error::NotFound) }
}

/// Links of an account for these purposes open nothing any more.
pub fn kill(tx: &mut Tx<'_>, user: &UserId, purposes: &[Purpose]) -> Result<()> {
    let words: Vec<&str> = purposes.iter().map(|purpose| purpose.word()).collect();
    let those = account_links::table.filter(account_links::user_id.eq(user)).filter(account_links::purpose.eq_any(words));
    diesel::delete(those).execute(&mut **tx)?;
    Ok(())
}

/// The link for this that waits, if there is one.
pub fn waiting(conn: &mut Conn, user: &UserId, purpose: Purpose, now: NaiveDateTime) -> Result<Option<Link>> {
    Ok(account_links::table
        .filter(account_links::user_id.eq(user))
        .filter(account_links::purpose.eq(purpose.word()))
        .filter(account_links::expires_at.gt(now))
        .order(account_links::created_at.desc())
        .select(Link::as_select())
        .first(conn)
        .optional()?)
}

/// Removes what is over; a job's work.
pub fn purge(tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<usize> {
    Ok(diesel::delete(account_links::table.filter(account_links::expires_at.le(now))).execute(&mut **tx)?)
}
