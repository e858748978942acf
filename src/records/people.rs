//! Which practitioners and pharmacies an access may name: those that the records it sees name, those of the person's own households, and the
//! published ones. The rest of a directory is the household's that keeps it, whoever has a share of one of its patients.

use diesel::{dsl::sql, prelude::*, sql_types};

use super::{
    field::{Input, Place},
    query::visible,
    schema::records,
};
use crate::{
    access::{Level, PatientAccess},
    db::{
        Conn,
        types::{PharmacyId, PractitionerId},
    },
    directory::{self, Listed, Pharmacy, Practitioner},
    error::Result,
};

/// Ids and names, in the order of the names.
pub type Choices = Vec<(String, String)>;

/// The practitioners to choose from.
pub fn practitioners<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Choices> {
    let named = named_practitioners(conn, access)?;
    let households = directory::households_of(conn, &access.actor.user)?;
    Practitioner::choices(conn, &households, &named)
}

/// The pharmacies to choose from.
pub fn pharmacies<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Choices> {
    let named = named_pharmacies(conn, access)?;
    let households = directory::households_of(conn, &access.actor.user)?;
    Pharmacy::choices(conn, &households, &named)
}

pub fn may_name_practitioner<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, id: &str) -> Result<bool> {
    let households = directory::households_of(conn, &access.actor.user)?;
    Ok(Practitioner::is_in(conn, &households, id)? || named_practitioners(conn, access)?.iter().any(|named| named == id))
}

pub fn may_name_pharmacy<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, id: &str) -> Result<bool> {
    let households = directory::households_of(conn, &access.actor.user)?;
    Ok(Pharmacy::is_in(conn, &households, id)? || named_pharmacies(conn, access)?.iter().any(|named| named == id))
}

/// Whom the patient and the records this access sees name.
fn named_practitioners<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<String>> {
    let mut named: Vec<Option<PractitionerId>> = records::table
        .filter(visible(access))
        .filter(records::deleted_at.is_null())
        .filter(records::practitioner_id.is_not_null())
        .select(records::practitioner_id)
        .distinct()
        .load(conn)?;
    named.push(access.patient.fields.physician_id.clone());
    Ok(named.into_iter().flatten().map(|id| id.to_string()).collect())
}

fn named_pharmacies<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<String>> {
    let mut named = Vec::new();
    for kind in super::kinds() {
        let columns = kind.fields.iter().filter(|spec| matches!(spec.input, Input::Pharmacy) && spec.place == Place::Detail);
        for spec in columns {
            // Table and column are the field table's own words, never a request's.
            let column = format!("(SELECT d.{} FROM {} d WHERE d.record_id = records.id)", spec.name, kind.table);
            let found: Vec<Option<PharmacyId>> = records::table
                .filter(visible(access))
                .filter(records::kind.eq(kind.name))
                .filter(records::deleted_at.is_null())
                .select(sql::<sql_types::Nullable<sql_types::Text>>(&column))
                .distinct()
                .load(conn)?;
            named.extend(found.into_iter().flatten().map(|id| id.to_string()));
        }
    }
    Ok(named)
}
