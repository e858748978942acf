//! The records of one kind out of several accesses at once, for pages that are about more than one chart (a family). As many statements for
//! ten charts as for one.

use diesel::{prelude::*, sql_types::Bool};

use super::{
    Kind,
    chart::Loaded,
    linked,
    query::{Condition, visible},
    schema::records,
    stored::{self, Head},
};
use crate::{
    access::{Level, PatientAccess},
    db::{Conn, sql::worded},
    error::Result,
};

/// More relatives, or conditions of relatives, than anybody reads at once.
pub const MOST: i64 = 500;

/// The living records of the kind that any of these accesses shows, without their tags; oldest entries first. All are one person's accesses.
pub fn load<L: Level>(conn: &mut Conn, accesses: &[&PatientAccess<L>], kind: &'static Kind) -> Result<Vec<Loaded>> {
    let open: Vec<_> = accesses.iter().filter(|access| access.scope().allows_kind(kind.name)).collect();
    let Some(one) = open.first() else { return Ok(Vec::new()) };
    let mut seen: Condition = Box::new(worded::<Bool>("1 = 0"));
    for access in &open {
        seen = Box::new(seen.or(visible(access)));
    }
    let heads: Vec<Head> = records::table
        .filter(seen)
        .filter(records::kind.eq(kind.name))
        .filter(records::deleted_at.is_null())
        .order(records::id)
        .limit(MOST)
        .select(Head::as_select())
        .load(conn)?;
    let mut entries = stored::load(conn, kind, &heads)?;
    let mut rows: Vec<Loaded> =
        heads.into_iter().filter_map(|head| Some(Loaded { entry: entries.remove(&head.id)?, head, tags: Vec::new() })).collect();
    linked::hide(conn, one, kind, rows.iter_mut().map(|row| &mut row.entry))?;
    Ok(rows)
}
