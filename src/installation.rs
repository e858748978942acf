//! Small facts about this installation, by name.

use diesel::prelude::*;

use crate::{
    db::{
        Conn, Db, Tx,
        schema::{installation, users},
        types::UserId,
    },
    error::Result,
};

/// The check value of the secret key: a wrong key is noticed at start.
pub const KEY_CHECK: &str = "key_check";
/// The check value of the key of which somebody said that they keep a copy; until then administrators are reminded.
pub const KEY_KEPT: &str = "key_kept";
/// Whether anybody may make an account, where no setting says so.
pub const SIGN_UP: &str = "sign_up";
/// What the last look at the whole installation found, as JSON.
pub const CHECKED: &str = "checked";

pub fn get(db: &Db, name: &str) -> Result<Option<String>> {
    db.read(|conn| read(conn, name))
}

/// [`get`] on a connection that is held already.
pub fn read(conn: &mut Conn, name: &str) -> Result<Option<String>> {
    Ok(installation::table.find(name).select(installation::value).first(conn).optional()?)
}

pub fn set(db: &Db, name: &str, value: &str) -> Result<()> {
    db.write(|tx| put(tx, name, value))
}

pub fn put(tx: &mut Tx<'_>, name: &str, value: &str) -> Result<()> {
    diesel::delete(installation::table.find(name)).execute(&mut **tx)?;
    diesel::insert_into(installation::table).values((installation::name.eq(name), installation::value.eq(value))).execute(&mut **tx)?;
    Ok(())
}

/// Is there any account? While there is none, every way leads to the setup.
pub fn has_accounts(conn: &mut Conn) -> Result<bool> {
    Ok(users::table.select(users::id).first::<UserId>(conn).optional()?.is_some())
}
