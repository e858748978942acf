//! Recovery codes: ten, each good once, in place of a factor that is lost. Eighty random bits each, kept as hashes.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::{
    auth::token_text::{self, SetupCode},
    db::{Conn, Tx, schema::recovery_codes as rows, types::UserId},
    error::{Error, Result},
};

/// How many there are.
pub const COUNT: usize = 10;
/// Longer input is no code.
const LONGEST: usize = 64;

fn hash(user: &UserId, typed: &str) -> String {
    token_text::hash(&format!("{user}:{}", token_text::plain(typed)))
}

/// New ones in place of all others. They are told here and never again.
pub fn make(tx: &mut Tx<'_>, user: &UserId, now: NaiveDateTime) -> Result<Vec<String>> {
    diesel::delete(rows::table.filter(rows::user_id.eq(user))).execute(&mut **tx)?;
    let mut codes = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let code = SetupCode::generate().map_err(|error| Error::Internal(error.to_string()))?.to_string();
        diesel::insert_into(rows::table)
            .values((rows::code_hash.eq(hash(user, &code)), rows::user_id.eq(user), rows::created_at.eq(now)))
            .execute(&mut **tx)?;
        codes.push(code);
    }
    Ok(codes)
}

/// Is that one that was not used? It is used with this.
pub fn take(tx: &mut Tx<'_>, user: &UserId, typed: &str, now: NaiveDateTime) -> Result<bool> {
    if typed.len() > LONGEST {
        return Ok(false);
    }
    let unused = rows::table.find(hash(user, typed)).filter(rows::user_id.eq(user)).filter(rows::used_at.is_null());
    Ok(diesel::update(unused).set(rows::used_at.eq(now)).execute(&mut **tx)? == 1)
}

/// How many were not used yet.
pub fn left(conn: &mut Conn, user: &UserId) -> Result<i64> {
    Ok(rows::table.filter(rows::user_id.eq(user)).filter(rows::used_at.is_null()).count().get_result(conn)?)
}
