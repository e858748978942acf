//! The codes that other systems gave a record: kept as they came, beside what was made of them.

use diesel::prelude::*;

use super::schema::record_codes;
use crate::{
    db::{Conn, Tx, types::RecordId},
    error::Result,
    interchange::draft::CodeDraft,
};

/// A code another system gave a record, as it came.
#[derive(Clone, Debug, Queryable)]
pub struct Coding {
    pub system: String,
    pub code: String,
    pub display: String,
}

/// All codes of one record, in the order they came.
pub fn of_record(conn: &mut Conn, id: &RecordId) -> Result<Vec<Coding>> {
    let rows: Vec<(String, String, Option<String>)> = record_codes::table
        .filter(record_codes::record_id.eq(id))
        .order(record_codes::position)
        .select((record_codes::system, record_codes::code, record_codes::display))
        .load(conn)?;
    Ok(rows.into_iter().map(|(system, code, display)| Coding { system, code, display: display.unwrap_or_default() }).collect())
}

/// The codes another system gave a record, replaced as a whole.
pub fn replace(tx: &mut Tx<'_>, id: &RecordId, codes: &[CodeDraft]) -> Result<()> {
    diesel::delete(record_codes::table.filter(record_codes::record_id.eq(id))).execute(&mut **tx)?;
    add(tx, id, codes)
}

/// The codes of a new record.
pub fn add(tx: &mut Tx<'_>, id: &RecordId, codes: &[CodeDraft]) -> Result<()> {
    for (position, code) in (0i32..).zip(codes) {
        diesel::insert_into(record_codes::table)
            .values((
                record_codes::record_id.eq(id),
                record_codes::position.eq(position),
                record_codes::system.eq(&code.system),
                record_codes::code.eq(&code.code),
                record_codes::display.eq(&code.display),
            ))
            .execute(&mut **tx)?;
    }
    Ok(())
}
