//! What an administrator is told of the database itself: which it is, how large, and how far its tables are.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Text},
};

use super::{Conn, statement::Statement};
use crate::error::Result;

#[derive(Clone, Debug)]
pub struct State {
    /// Name and version, such as `SQLite 3.50.2`.
    pub engine: String,
    /// The size of everything in it, in bytes.
    pub bytes: i64,
    /// The steps its tables have gone through, the latest first.
    pub steps: Vec<String>,
}

pub fn of(conn: &mut Conn) -> Result<State> {
    let (engine, bytes) = match conn {
        Conn::Sqlite(_) => (
            "SELECT 'SQLite ' || sqlite_version()",
            "SELECT CAST(pages.page_count * sizes.page_size AS BIGINT) FROM pragma_page_count() AS pages, pragma_page_size() AS sizes",
        ),
        Conn::Pg(_) => ("SELECT 'PostgreSQL ' || current_setting('server_version')", "SELECT pg_database_size(current_database())"),
    };
    Ok(State {
        engine: Statement::<Text>::new(engine).get_result::<String>(conn)?,
        bytes: Statement::<BigInt>::new(bytes).get_result::<i64>(conn)?,
        steps: Statement::<Text>::new("SELECT version FROM __diesel_schema_migrations ORDER BY version DESC").load::<String>(conn)?,
    })
}
