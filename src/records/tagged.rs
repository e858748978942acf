//! Which record carries which tag: the only place that writes it.

use chrono::NaiveDateTime;
use diesel::{prelude::*, sql_types::Text};

use super::schema::record_tags;
use crate::{
    access::{AtLeast, Edit, PatientAccess},
    db::{
        Tx,
        types::{HouseholdId, PatientId, RecordId, TagId},
    },
    error::Result,
    tags,
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

/// A patient's records carry the same words of another household from now on, made where they are missing. Tells which tag became which.
pub fn move_to(tx: &mut Tx<'_>, patient: &PatientId, to: &HouseholdId, now: NaiveDateTime) -> Result<Vec<(TagId, TagId)>> {
    let used: Vec<TagId> =
        record_tags::table.filter(record_tags::patient_id.eq(patient)).select(record_tags::tag_id).distinct().load(&mut **tx)?;
    let mut moved = Vec::new();
    for (from, name, color) in tags::named(tx, &used, to)? {
        let into = tags::ensure(tx, to, &name, Some(&color), now)?;
        // Two words of the one household may be one of the other: whoever carries both keeps it once.
        let both = record_tags::table
            .filter(record_tags::patient_id.eq(patient))
            .filter(record_tags::tag_id.eq(&into))
            .select(record_tags::record_id)
            .load::<RecordId>(&mut **tx)?;
        let of = record_tags::table.filter(record_tags::patient_id.eq(patient)).filter(record_tags::tag_id.eq(&from));
        diesel::delete(of.filter(record_tags::record_id.eq_any(both))).execute(&mut **tx)?;
        diesel::update(of).set(record_tags::tag_id.eq(&into)).execute(&mut **tx)?;
        moved.push((from, into));
    }
    Ok(moved)
}
