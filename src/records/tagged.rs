//! Which record carries which tag: the only place that writes it.

use diesel::{prelude::*, sql_types::Text};

use super::schema::record_tags;
use crate::{
    access::{AtLeast, Edit, PatientAccess},
    db::{
        Tx,
        types::{RecordId, TagId},
    },
    error::Result,
};

/// Gives the record exactly these tags.
pub fn replace<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, record: &RecordId, tags: &[TagId]) -> Result<()> {
    let mine = record_tags::table.filter(record_tags::patient_id.eq(access.id())).filter(record_tags::record_id.eq(record));
    diesel::delete(mine).execute(&mut **tx)?;
    for tag in tags {
        diesel::insert_into(record_tags::table)
            .values((record_tags::patient_id.eq(access.id()), record_tags::record_id.eq(record), record_tags::tag_id.eq(tag)))
            .execute(&mut **tx)?;
    }
    Ok(())
}

/// Every record that carries the one tag carries the other too: two tags of a household become one.
pub fn spread(tx: &mut Tx<'_>, from: &TagId, into: &TagId) -> Result<()> {
    diesel::sql_query(
        "INSERT INTO record_tags (patient_id, record_id, tag_id) SELECT patient_id, record_id, $1 FROM record_tags a WHERE a.tag_id = $2 \
         AND NOT EXISTS (SELECT 1 FROM record_tags b WHERE b.record_id = a.record_id AND b.tag_id = $3)",
    )
    .bind::<Text, _>(into)
    .bind::<Text, _>(from)
    .bind::<Text, _>(into)
    .execute(&mut **tx)?;
    Ok(())
}
