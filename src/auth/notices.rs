//! What somebody is told about their account when they come the next time: that somebody made a link to set their password, gave them another
//! role, closed or opened it, and when.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::manage::Role;
use crate::{
    db::{Conn, MultiBackend, Tx, schema::account_notices, types::UserId},
    error::Result,
};

/// What happened, as a word of the database and of the catalogue (`notice.…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An administrator made a link that sets the password.
    ResetLink,
    /// The password was set by a link.
    PasswordReset,
    RoleAdmin,
    RoleUser,
    RoleGuest,
    /// The provider's group gave or took the role of an administrator.
    GroupGave,
    GroupTook,
    AccountClosed,
    AccountOpened,
    AddressChanged,
    AddressRestored,
    /// A link of whoever runs the server signed somebody in.
    SignInLink,
    /// Somebody is to take over the people of an account that is removed.
    TakeOver,
}

impl Notice {
    pub const fn of_role(role: Role) -> Self {
        match role {
            Role::Admin => Self::RoleAdmin,
            Role::User => Self::RoleUser,
            Role::Guest => Self::RoleGuest,
        }
    }
    const fn word(self) -> &'static str {
        match self {
            Self::ResetLink => "reset_link",
            Self::PasswordReset => "password_reset",
            Self::RoleAdmin => "role_admin",
            Self::RoleUser => "role_user",
            Self::RoleGuest => "role_guest",
            Self::GroupGave => "group_gave",
            Self::GroupTook => "group_took",
            Self::AccountClosed => "account_closed",
            Self::AccountOpened => "account_opened",
            Self::AddressChanged => "address_changed",
            Self::AddressRestored => "address_restored",
            Self::SignInLink => "sign_in_link",
            Self::TakeOver => "take_over",
        }
    }
}

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = account_notices, check_for_backend(MultiBackend))]
pub struct Row {
    pub word: String,
    pub by_name: Option<String>,
    pub at: NaiveDateTime,
    pub seen_at: Option<NaiveDateTime>,
}

pub fn tell(tx: &mut Tx<'_>, user: &UserId, notice: Notice, by: Option<&str>, now: NaiveDateTime) -> Result<()> {
    put(tx, user, notice.word(), by, now)
}

/// What whoever runs the server did at the command line has words of its own.
pub fn tell_by_command(tx: &mut Tx<'_>, user: &UserId, notice: Notice, now: NaiveDateTime) -> Result<()> {
    put(tx, user, &format!("{}_by_command", notice.word()), None, now)
}

fn put(tx: &mut Tx<'_>, user: &UserId, word: &str, by: Option<&str>, now: NaiveDateTime) -> Result<()> {
    diesel::insert_into(account_notices::table)
        .values((
            account_notices::id.eq(uuid::Uuid::now_v7().to_string()),
            account_notices::user_id.eq(user),
            account_notices::word.eq(word),
            account_notices::by_name.eq(by),
            account_notices::at.eq(now),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// The latest, newest first.
pub fn list(conn: &mut Conn, user: &UserId) -> Result<Vec<Row>> {
    Ok(account_notices::table
        .filter(account_notices::user_id.eq(user))
        .order((account_notices::at.desc(), account_notices::id.desc()))
        .limit(50)
        .select(Row::as_select())
        .load(conn)?)
}

/// They have read what there is.
pub fn seen(tx: &mut Tx<'_>, user: &UserId, now: NaiveDateTime) -> Result<()> {
    let unseen = account_notices::table.filter(account_notices::user_id.eq(user)).filter(account_notices::seen_at.is_null());
    diesel::update(unseen).set(account_notices::seen_at.eq(now)).execute(&mut **tx)?;
    Ok(())
}
