//! Who an account is at providers: several, each of one account only, and never the last way in taken away.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::claims::Somebody;
use crate::{
    audit::Event,
    auth::{accounts, factors},
    config::Config,
    db::{
        Conn, MultiBackend, Tx,
        schema::{sessions, user_identities, users},
        types::UserId,
    },
    error::{Error, Result},
};

/// A row of `user_identities`.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = user_identities, check_for_backend(MultiBackend))]
pub struct Identity {
    pub id: String,
    pub user_id: UserId,
    pub issuer: String,
    pub label: String,
    pub created_at: NaiveDateTime,
    pub last_used_at: Option<NaiveDateTime>,
}

/// The identity of issuer and subject.
pub fn find(conn: &mut Conn, somebody: &Somebody) -> Result<Option<Identity>> {
    Ok(user_identities::table
        .filter(user_identities::issuer.eq(&somebody.issuer))
        .filter(user_identities::subject.eq(&somebody.subject))
        .select(Identity::as_select())
        .first(conn)
        .optional()?)
}

pub fn of(conn: &mut Conn, user: &UserId) -> Result<Vec<Identity>> {
    Ok(user_identities::table
        .filter(user_identities::user_id.eq(user))
        .order((user_identities::created_at, user_identities::id))
        .select(Identity::as_select())
        .load(conn)?)
}

/// Ties the identity to an account that was proved to be the same person's. `event` tells who did it.
pub fn add(tx: &mut Tx<'_>, id: &str, user: &UserId, somebody: &Somebody, event: Event) -> Result<()> {
    let now = event.at;
    diesel::insert_into(user_identities::table)
        .values((
            user_identities::id.eq(id),
            user_identities::user_id.eq(user),
            user_identities::issuer.eq(&somebody.issuer),
            user_identities::subject.eq(&somebody.subject),
            user_identities::label.eq(somebody.label()),
            user_identities::created_at.eq(now),
            user_identities::last_used_at.eq(Some(now)),
        ))
        .execute(&mut **tx)?;
    let row = users::table.find(user);
    diesel::update(row).set((users::account_linked_at.eq(Some(now)), users::updated_at.eq(now))).execute(&mut **tx)?;
    method_follows(tx, user)?;
    // The provider stands for the address, and it is the account's own.
    if let Some(email) = somebody.verified_email() {
        let own = users::table.find(user).filter(users::email.eq(email)).filter(users::email_verified_at.is_null());
        diesel::update(own).set(users::email_verified_at.eq(Some(now))).execute(&mut **tx)?;
    }
    accounts::about(event, user).write(tx)?;
    Ok(())
}

/// It was used just now, and may be known by another name since.
pub fn used(tx: &mut Tx<'_>, identity: &Identity, somebody: &Somebody, now: NaiveDateTime) -> Result<()> {
    diesel::update(user_identities::table.find(&identity.id))
        .set((user_identities::last_used_at.eq(Some(now)), user_identities::label.eq(somebody.label())))
        .execute(&mut **tx)?;
    diesel::update(users::table.find(&identity.user_id)).set(users::last_sso_login.eq(Some(now))).execute(&mut **tx)?;
    Ok(())
}

/// Would the account still be somebody's to enter without that identity?
pub fn is_dispensable(conn: &mut Conn, config: &Config, user: &UserId, id: &str) -> Result<bool> {
    let others = of(conn, user)?.iter().any(|identity| identity.id != id);
    if others || config.oidc.only {
        return Ok(others);
    }
    let password: Option<String> = users::table.find(user).select(users::password_hash).first(conn)?;
    Ok(password.is_some() || factors::held(conn, user)?.passkeys > 0)
}

/// Takes it away, and with it the sessions that it began but for the one it is done in.
pub fn remove(tx: &mut Tx<'_>, config: &Config, user: &UserId, id: &str, event: Event) -> Result<()> {
    if !of(tx, user)?.iter().any(|identity| identity.id == id) {
        return Err(Error::NotFound);
    }
    if !is_dispensable(tx, config, user, id)? {
        return Err(Error::Conflict("last_way_in"));
    }
    let own = event.session_id.clone().unwrap_or_default();
    diesel::delete(sessions::table.filter(sessions::identity_id.eq(id)).filter(sessions::id.ne(own))).execute(&mut **tx)?;
    diesel::delete(user_identities::table.find(id)).execute(&mut **tx)?;
    method_follows(tx, user)?;
    accounts::about(event, user).write(tx)?;
    Ok(())
}

/// `users.auth_method` says in a word how somebody gets in.
fn method_follows(tx: &mut Tx<'_>, user: &UserId) -> Result<()> {
    let password: Option<String> = users::table.find(user).select(users::password_hash).first(&mut **tx)?;
    let word = match (password.is_some(), of(tx, user)?.is_empty()) {
        (true, false) => "hybrid",
        (false, false) => "sso",
        (_, true) => "local",
    };
    diesel::update(users::table.find(user)).set(users::auth_method.eq(word)).execute(&mut **tx)?;
    Ok(())
}

/// What happens when a verified address of the provider's is that of an account here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// It is to be linked, once the account was proved: nothing else is offered.
    Link,
    /// They are two people here, and nobody is asked.
    Separate,
    /// Whoever comes chooses.
    #[default]
    Ask,
}

impl Preference {
    pub const WORDS: &'static [&'static str] = &["always_ask", "auto_link", "create_separate"];
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "auto_link" => Some(Self::Link),
            "create_separate" => Some(Self::Separate),
            "always_ask" => Some(Self::Ask),
            _ => None,
        }
    }
    pub fn word(self) -> &'static str {
        match self {
            Self::Link => "auto_link",
            Self::Separate => "create_separate",
            Self::Ask => "always_ask",
        }
    }
}

pub fn preference(conn: &mut Conn, user: &UserId) -> Result<Preference> {
    let word: Option<String> = users::table.find(user).select(users::sso_linking_preference).first(conn)?;
    Ok(word.as_deref().and_then(Preference::parse).unwrap_or_default())
}

/// Did its person answer from the address the account has?
pub fn has_verified_address(conn: &mut Conn, user: &UserId) -> Result<bool> {
    let at: Option<NaiveDateTime> = users::table.find(user).select(users::email_verified_at).first(conn)?;
    Ok(at.is_some())
}

pub fn prefer(tx: &mut Tx<'_>, user: &UserId, preference: Preference, event: Event) -> Result<()> {
    diesel::update(users::table.find(user)).set(users::sso_linking_preference.eq(Some(preference.word()))).execute(&mut **tx)?;
    accounts::about(event, user).write(tx)?;
    Ok(())
}
