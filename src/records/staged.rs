//! Records of an import that is still being written: in the tables, and to be seen by nobody before all of them are.
//!
//! Their mark is a moment of deletion that never comes: every list, page and search leaves out what is deleted, so that no query had to
//! change but those of the trash.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use diesel::{prelude::*, sql_types::Text};

use super::{
    query::visible,
    schema::{import_staged, import_stages, records},
};
use crate::{
    access::{AtLeast, Edit, Level, PatientAccess},
    audit::{Action, Event},
    db::{
        Conn, Tx, search,
        types::{PatientId, RecordId},
    },
    error::Result,
};

/// So many are taken back in one transaction.
const AT_ONCE: i64 = 200;

/// The mark of what is not there yet.
pub fn unseen() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(9999, 1, 1).unwrap_or(NaiveDate::MAX).and_time(NaiveTime::MIN)
}

/// Something a stage has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Record,
    Patient,
    /// An entry of the directory, by the name of its list.
    Entry(&'static str),
}

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Self::Record => "records",
            Self::Patient => "patients",
            Self::Entry(list) => list,
        }
    }
}

pub fn open(tx: &mut Tx<'_>, stage: &str, now: NaiveDateTime) -> Result<()> {
    diesel::insert_into(import_stages::table)
        .values((import_stages::id.eq(stage), import_stages::touched_at.eq(now)))
        .execute(&mut **tx)?;
    Ok(())
}

/// The stage is alive; without this it counts as left behind after a while.
pub fn touch(tx: &mut Tx<'_>, stage: &str, now: NaiveDateTime) -> Result<()> {
    diesel::update(import_stages::table.find(stage)).set(import_stages::touched_at.eq(now)).execute(&mut **tx)?;
    Ok(())
}

pub fn note(tx: &mut Tx<'_>, stage: &str, sort: Sort, id: &str) -> Result<()> {
    diesel::insert_into(import_staged::table)
        .values((import_staged::stage_id.eq(stage), import_staged::sort.eq(sort.word()), import_staged::id.eq(id)))
        .execute(&mut **tx)?;
    Ok(())
}

/// Is another import of this patient being written?
pub fn is_busy<L: AtLeast<Edit>>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<bool> {
    let other = records::table.filter(records::patient_id.eq(access.id())).filter(records::deleted_at.eq(unseen()));
    Ok(other.select(records::id).first::<RecordId>(conn).optional()?.is_some())
}

/// Shows all records of a stage at once, which ends it.
pub fn reveal(tx: &mut Tx<'_>, stage: &str) -> Result<()> {
    let mine = import_staged::table.filter(import_staged::stage_id.eq(stage)).filter(import_staged::sort.eq("records"));
    diesel::update(records::table.filter(records::id.eq_any(mine.select(import_staged::id))))
        .set(records::deleted_at.eq(None::<NaiveDateTime>))
        .execute(&mut **tx)?;
    close(tx, stage)
}

/// Stages that nobody has touched since.
pub fn left_behind(conn: &mut Conn, since: NaiveDateTime) -> Result<Vec<String>> {
    Ok(import_stages::table.filter(import_stages::touched_at.lt(since)).select(import_stages::id).load(conn)?)
}

/// Takes back some of what a stage has written, records first, because they name the others. Says whether there is more.
pub fn take_back(tx: &mut Tx<'_>, stage: &str, now: NaiveDateTime) -> Result<bool> {
    let some: Vec<(String, String)> = import_staged::table
        .filter(import_staged::stage_id.eq(stage))
        .filter(import_staged::sort.eq("records"))
        .limit(AT_ONCE)
        .select((import_staged::sort, import_staged::id))
        .load(&mut **tx)?;
    if some.is_empty() {
        take_back_people(tx, stage, now)?;
        close(tx, stage)?;
        return Ok(false);
    }
    for id in some.iter().filter_map(|(_, id)| RecordId::parse(id)) {
        let this = records::table.find(&id).filter(records::deleted_at.eq(unseen()));
        let known: Option<(PatientId, String, i32)> =
            this.select((records::patient_id, records::kind, records::version)).first(&mut **tx).optional()?;
        if let Some((patient, kind, version)) = known {
            search::remove(tx, &id)?;
            diesel::delete(records::table.find(&id)).execute(&mut **tx)?;
            Event::by_the_program(Action::Purged, now).patient(&patient).record(&kind, &id, version).write(tx)?;
        }
        diesel::delete(import_staged::table.find((stage, "records", id.as_str()))).execute(&mut **tx)?;
    }
    Ok(true)
}

/// New patients, and entries of the directory that nobody has named meanwhile.
fn take_back_people(tx: &mut Tx<'_>, stage: &str, now: NaiveDateTime) -> Result<()> {
    let all: Vec<(String, String)> =
        import_staged::table.filter(import_staged::stage_id.eq(stage)).select((import_staged::sort, import_staged::id)).load(&mut **tx)?;
    let of = |sort: &str| all.iter().filter(move |(known, _)| known == sort).map(|(_, id)| id.as_str()).collect::<Vec<_>>();
    for id in of("patients").into_iter().filter_map(PatientId::parse) {
        crate::patients::take_back(tx, &id, now)?;
    }
    let named = [
        ("practitioners", "SELECT 1 FROM records WHERE practitioner_id = practitioners.id"),
        ("practitioners", "SELECT 1 FROM patients WHERE physician_id = practitioners.id"),
        ("practices", "SELECT 1 FROM practitioners WHERE practice_id = practices.id"),
        ("pharmacies", "SELECT 1 FROM medications WHERE pharmacy_id = pharmacies.id"),
    ];
    for list in ["practitioners", "practices", "pharmacies"] {
        let free: Vec<String> = named.iter().filter(|(of, _)| *of == list).map(|(_, query)| format!(" AND NOT EXISTS ({query})")).collect();
        for id in of(list) {
            let gone = diesel::sql_query(format!("DELETE FROM {list} WHERE id = $1{}", free.concat())).bind::<Text, _>(id);
            if gone.execute(&mut **tx)? > 0 {
                crate::interchange::originals::forget_entry(tx, id)?;
            }
        }
    }
    Ok(())
}

fn close(tx: &mut Tx<'_>, stage: &str) -> Result<()> {
    diesel::delete(import_staged::table.filter(import_staged::stage_id.eq(stage))).execute(&mut **tx)?;
    diesel::delete(import_stages::table.find(stage)).execute(&mut **tx)?;
    Ok(())
}

/// What lies in the trash of this access: deleted by somebody, and not merely unseen yet.
pub fn trashed<L: Level>(access: &PatientAccess<L>) -> super::query::Condition {
    Box::new(visible(access).and(records::deleted_at.lt(unseen()).assume_not_null()))
}
