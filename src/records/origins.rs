//! Where imported records came from: the source's key, what it last told, what it offers since, and what found no home yet.
//!
//! The tables only; what an import makes of them is `interchange::merge`'s. Everything that is about a whole chart (all origins, leftovers)
//! exists only for an access to the whole of it: a leftover belongs to no kind, so nobody could say whether a share contains it.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{
    chart::headings,
    query::visible,
    schema::{import_offers, imported_leftovers, record_origins, records},
    staged,
};
use crate::{
    access::{AtLeast, Edit, Level, PatientAccess},
    db::{Conn, MultiBackend, Tx, types::RecordId},
    error::{Error, Result},
};

/// An imported record as the next import needs to know it.
#[derive(Clone, Debug)]
pub struct Origin {
    pub record: RecordId,
    pub kind: String,
    pub title: String,
    pub occurred_on: Option<String>,
    pub is_trashed: bool,
    pub fingerprint: String,
}

/// What a source tells of one record.
#[derive(Clone, Debug, Insertable, AsChangeset)]
#[diesel(table_name = record_origins, check_for_backend(MultiBackend))]
pub struct Telling {
    pub source_key: String,
    pub resource_type: String,
    /// Of everything the source tells: the same fingerprint means there is nothing new.
    pub fingerprint: String,
    /// A `Snapshot`: the fields as last told and taken or answered, against which a person's changes show.
    pub told: String,
    pub original: String,
    pub imported_at: NaiveDateTime,
}

fn whole<L: Level>(access: &PatientAccess<L>) -> Result<()> {
    if access.scope().is_whole() { Ok(()) } else { Err(Error::NotFound) }
}

/// Every imported record of the patient by its source's key, those in the trash too.
pub fn all<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<HashMap<String, Origin>> {
    type Row = (String, String, RecordId, String, String, Option<String>, Option<NaiveDateTime>);
    whole(access)?;
    let rows: Vec<Row> = record_origins::table
        .inner_join(records::table.on(records::id.eq(record_origins::record_id)))
        .filter(records::patient_id.eq(access.id()))
        .filter(records::deleted_at.is_null().or(records::deleted_at.lt(staged::unseen())))
        .select((
            record_origins::source_key,
            record_origins::fingerprint,
            records::id,
            records::kind,
            records::title,
            records::occurred_on,
            records::deleted_at,
        ))
        .load(conn)?;
    let origin = |(key, fingerprint, record, kind, title, occurred_on, deleted_at): Row| {
        let is_trashed = deleted_at.is_some();
        (key, Origin { record, kind, title, occurred_on, is_trashed, fingerprint })
    };
    Ok(rows.into_iter().map(origin).collect())
}

/// Living records whose source's key begins so, with the key.
pub fn of_source<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, prefix: &str) -> Result<Vec<(RecordId, String)>> {
    let mut found: Vec<(RecordId, String)> = record_origins::table
        .filter(record_origins::patient_id.eq(access.id()))
        .filter(record_origins::source_key.like(format!("{prefix}%")))
        .order(record_origins::record_id)
        .select((record_origins::record_id, record_origins::source_key))
        .load(conn)?;
    let ids: Vec<RecordId> = found.iter().map(|(id, _)| id.clone()).collect();
    let seen = headings(conn, access, &ids)?;
    found.retain(|(id, _)| seen.contains_key(id));
    Ok(found)
}

/// Is there a record of the patient by this source's key, be it in the trash?
pub fn is_known<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, source_key: &str) -> Result<bool> {
    let mine = record_origins::table.filter(record_origins::patient_id.eq(access.id()));
    let known = mine.filter(record_origins::source_key.eq(source_key)).select(record_origins::record_id);
    Ok(known.first::<RecordId>(conn).optional()?.is_some())
}

/// What the source last told of these records.
pub fn told<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ids: &[RecordId]) -> Result<HashMap<RecordId, String>> {
    let mut found = HashMap::new();
    for ids in ids.chunks(500) {
        let rows: Vec<(RecordId, String)> = record_origins::table
            .filter(record_origins::patient_id.eq(access.id()))
            .filter(record_origins::record_id.eq_any(ids.to_vec()))
            .select((record_origins::record_id, record_origins::told))
            .load(conn)?;
        found.extend(rows);
    }
    Ok(found)
}

/// Ties a new record to its source.
pub fn add<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, record: &RecordId, telling: &Telling) -> Result<()> {
    diesel::insert_into(record_origins::table)
        .values((record_origins::record_id.eq(record), record_origins::patient_id.eq(access.id()), telling))
        .execute(&mut **tx)?;
    Ok(())
}

/// The source told of the record again.
pub fn renew<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, record: &RecordId, telling: &Telling) -> Result<()> {
    diesel::update(record_origins::table.filter(record_origins::record_id.eq(record)).filter(record_origins::patient_id.eq(access.id())))
        .set(telling)
        .execute(&mut **tx)?;
    Ok(())
}

/// A person answered an offer: from now on the source's value counts as known.
pub fn set_told<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, record: &RecordId, told: &str) -> Result<()> {
    diesel::update(record_origins::table.filter(record_origins::record_id.eq(record)).filter(record_origins::patient_id.eq(access.id())))
        .set(record_origins::told.eq(told))
        .execute(&mut **tx)?;
    Ok(())
}

/// Where one record came from, as its page shows it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = record_origins, check_for_backend(MultiBackend))]
pub struct Source {
    pub source_key: String,
    pub resource_type: String,
    pub original: String,
    pub imported_at: NaiveDateTime,
}

/// Where a record came from, if it was imported.
pub fn source<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, record: &RecordId) -> Result<Option<Source>> {
    living(conn, access, record)?;
    Ok(record_origins::table.find(record).select(Source::as_select()).first(conn).optional()?)
}

/// A newer value of a field that a person had changed.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = import_offers, check_for_backend(MultiBackend))]
pub struct Offer {
    /// A column of the kind, or the name of its children with their rows as a JSON array.
    pub field: String,
    pub value: String,
    pub offered_at: NaiveDateTime,
}

/// What the source offers for one record.
pub fn offers<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, record: &RecordId) -> Result<Vec<Offer>> {
    living(conn, access, record)?;
    Ok(import_offers::table
        .filter(import_offers::record_id.eq(record))
        .order(import_offers::field)
        .select(Offer::as_select())
        .load(conn)?)
}

/// A record that has offers.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub record: RecordId,
    pub kind: String,
    pub title: String,
    pub fields: Vec<String>,
}

/// How many offers wait for somebody's decision.
pub fn waiting_count<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<i64> {
    let count = waiting(conn, access)?.iter().map(|waiting| waiting.fields.len()).sum::<usize>();
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The records with offers.
pub fn waiting<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<Waiting>> {
    let heads: Vec<(RecordId, String, String)> = records::table
        .filter(visible(access))
        .filter(records::deleted_at.is_null())
        .filter(records::id.eq_any(import_offers::table.select(import_offers::record_id)))
        .order((records::kind, records::title, records::id))
        .limit(500)
        .select((records::id, records::kind, records::title))
        .load(conn)?;
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<RecordId> = heads.iter().map(|(id, ..)| id.clone()).collect();
    let mut offers = offers_of(conn, access, &ids)?;
    let fields = |id: &RecordId, offers: &mut HashMap<RecordId, Vec<Offer>>| {
        offers.remove(id).unwrap_or_default().into_iter().map(|offer| offer.field).collect()
    };
    Ok(heads.into_iter().map(|(record, kind, title)| Waiting { fields: fields(&record, &mut offers), record, kind, title }).collect())
}

/// The offers of several records.
pub fn offers_of<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ids: &[RecordId]) -> Result<HashMap<RecordId, Vec<Offer>>> {
    let mut found: HashMap<RecordId, Vec<Offer>> = HashMap::new();
    for ids in ids.chunks(500) {
        let rows: Vec<(RecordId, Offer)> = import_offers::table
            .inner_join(records::table.on(records::id.eq(import_offers::record_id)))
            .filter(records::patient_id.eq(access.id()))
            .filter(import_offers::record_id.eq_any(ids.to_vec()))
            .select((import_offers::record_id, Offer::as_select()))
            .load(conn)?;
        for (record, offer) in rows {
            found.entry(record).or_default().push(offer);
        }
    }
    Ok(found)
}

/// Offers a value, in place of an older offer for the field.
pub fn offer<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, record: &RecordId, field: &str, value: &str) -> Result<()> {
    withdraw(tx, access, record, field)?;
    diesel::insert_into(import_offers::table)
        .values((
            import_offers::record_id.eq(record),
            import_offers::field.eq(field),
            import_offers::value.eq(value),
            import_offers::offered_at.eq(access.now),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// Takes an offer back; whether there was one is told.
pub fn withdraw<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, record: &RecordId, field: &str) -> Result<bool> {
    living(tx, access, record)?;
    let gone = diesel::delete(import_offers::table.find((record, field))).execute(&mut **tx)?;
    Ok(gone > 0)
}

fn living<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, record: &RecordId) -> Result<()> {
    let found: Option<RecordId> = records::table
        .filter(visible(access))
        .filter(records::id.eq(record))
        .filter(records::deleted_at.is_null())
        .select(records::id)
        .first(conn)
        .optional()?;
    found.map(drop).ok_or(Error::NotFound)
}

/// What a source told that has no home here yet, kept whole.
#[derive(Clone, Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = imported_leftovers, check_for_backend(MultiBackend))]
pub struct Leftover {
    pub source_key: String,
    pub resource_type: String,
    /// A word of `LeftoverReason`.
    pub reason: String,
    pub fingerprint: String,
    pub original: String,
    pub imported_at: NaiveDateTime,
}

/// How many leftovers of each type there are.
pub fn leftovers<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<(String, i64)>> {
    whole(access)?;
    Ok(imported_leftovers::table
        .filter(imported_leftovers::patient_id.eq(access.id()))
        .group_by(imported_leftovers::resource_type)
        .order(imported_leftovers::resource_type)
        .select((imported_leftovers::resource_type, diesel::dsl::count_star()))
        .load(conn)?)
}

/// A leftover in a list, without its original.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = imported_leftovers, check_for_backend(MultiBackend))]
pub struct LeftoverLine {
    pub source_key: String,
    pub resource_type: String,
    pub reason: String,
    pub imported_at: NaiveDateTime,
}

/// One page of the leftovers, of one type or of all.
pub fn leftover_page<L: Level>(
    conn: &mut Conn,
    access: &PatientAccess<L>,
    resource_type: Option<&str>,
    page: i64,
    per_page: i64,
) -> Result<Vec<LeftoverLine>> {
    whole(access)?;
    let mut query = imported_leftovers::table.filter(imported_leftovers::patient_id.eq(access.id())).into_boxed::<MultiBackend>();
    if let Some(wanted) = resource_type {
        query = query.filter(imported_leftovers::resource_type.eq(wanted.to_owned()));
    }
    Ok(query
        .order((imported_leftovers::resource_type, imported_leftovers::source_key))
        .limit(per_page)
        .offset(page.saturating_sub(1).max(0).saturating_mul(per_page))
        .select(LeftoverLine::as_select())
        .load(conn)?)
}

/// One leftover with its original.
pub fn leftover<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, source_key: &str) -> Result<Leftover> {
    whole(access)?;
    let found = imported_leftovers::table.find((access.id(), source_key)).select(Leftover::as_select()).first(conn).optional()?;
    found.ok_or(Error::NotFound)
}

/// Key, reason and fingerprint of every leftover of the patient.
pub fn known_leftovers<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<HashMap<String, (String, String)>> {
    whole(access)?;
    let rows: Vec<(String, String, String)> = imported_leftovers::table
        .filter(imported_leftovers::patient_id.eq(access.id()))
        .select((imported_leftovers::source_key, imported_leftovers::reason, imported_leftovers::fingerprint))
        .load(conn)?;
    Ok(rows.into_iter().map(|(key, reason, fingerprint)| (key, (reason, fingerprint))).collect())
}

/// Keeps a leftover, in place of an older one under its key.
pub fn keep<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, leftover: &Leftover, is_known: bool) -> Result<()> {
    if is_known {
        discard(tx, access, &leftover.source_key)?;
    }
    diesel::insert_into(imported_leftovers::table).values((leftover, imported_leftovers::patient_id.eq(access.id()))).execute(&mut **tx)?;
    Ok(())
}

/// A leftover found its home.
pub fn discard<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, source_key: &str) -> Result<()> {
    diesel::delete(imported_leftovers::table.find((access.id(), source_key))).execute(&mut **tx)?;
    Ok(())
}
