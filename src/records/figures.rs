//! How many records there are, over everybody: numbers for the installation's administrators, who read none of them.

use chrono::NaiveDateTime;
use diesel::{
    dsl::{count_star, min},
    prelude::*,
};

use super::{schema::records, staged};
use crate::{db::Conn, error::Result};

/// Records that are not in the trash.
pub fn living(conn: &mut Conn) -> Result<i64> {
    Ok(records::table.filter(records::deleted_at.is_null()).select(count_star()).first(conn)?)
}

/// How many lie in the trash, and since when the one that goes first.
pub fn thrown(conn: &mut Conn) -> Result<(i64, Option<NaiveDateTime>)> {
    let gone = records::table.filter(records::deleted_at.lt(staged::unseen()));
    Ok(gone.select((count_star(), min(records::deleted_at))).first(conn)?)
}
