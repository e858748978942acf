//! The role of an administrator follows a group at the provider, at each sign-in there.
//!
//! Taken away it is from whoever is not in the group, with two exceptions: the last administrator who has a password here keeps it, and so does
//! the very last one, who has none; so that a group that was renamed, or a claim that is no longer sent, leaves somebody who can mend the settings.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{claims::Somebody, settings::Settings};
use crate::{
    audit::{Action, Event},
    auth::{
        accounts::{self, Account},
        notices::{self, Notice},
        session,
    },
    db::{Conn, Tx, schema::users},
    error::Result,
};

const ADMIN: &str = "admin";
const USER: &str = "user";

/// Gives or takes the role. Either ends the account's other sessions, so that none goes on with what it may no longer do.
pub fn follow(
    tx: &mut Tx<'_>,
    settings: &Settings,
    account: &Account,
    somebody: &Somebody,
    address: Option<&str>,
    now: NaiveDateTime,
) -> Result<()> {
    let Some(group) = &settings.admin_group else { return Ok(()) };
    let event = |detail: &str| {
        let event = accounts::by_person(&account.id, &account.full_name, address.map(str::to_owned), Action::RoleFollowed, now);
        Event { detail: Some(detail.to_owned()), ..event }
    };
    let (role, detail, notice) = match (account.role == ADMIN, somebody.is_in(group)) {
        (false, true) => (ADMIN, "admin_given", Notice::GroupGave),
        (true, false) if is_last(tx, account)? => return Ok(event("last_admin_kept").write(tx)?),
        (true, false) => (USER, "admin_taken", Notice::GroupTook),
        _ => return Ok(()),
    };
    diesel::update(users::table.find(&account.id)).set((users::role.eq(role), users::updated_at.eq(now))).execute(&mut **tx)?;
    session::end(tx, &account.id, None, None)?;
    notices::tell(tx, &account.id, notice, None, now)?;
    Ok(event(detail).write(tx)?)
}

/// Has it a password, and no other administrator one? Or is there no other at all?
fn is_last(conn: &mut Conn, account: &Account) -> Result<bool> {
    let others: Vec<bool> = users::table
        .filter(users::role.eq(ADMIN))
        .filter(users::disabled_at.is_null())
        .filter(users::id.ne(&account.id))
        .select(users::password_hash.is_not_null())
        .load(conn)?;
    Ok(if account.password_hash.is_some() { !others.contains(&true) } else { others.is_empty() })
}
