//! Which practitioners and pharmacies an access may name: those that the records it sees name, those of the person's own households, and the
//! published ones. The rest of a directory is the household's that keeps it, whoever has a share of one of its patients.

use std::collections::BTreeSet;

use diesel::{
    prelude::*,
    sql_types::{Nullable, Text},
};

use super::{
    field::{Input, Place},
    query::visible,
    schema::records,
};
use crate::{
    access::{Level, PatientAccess},
    db::{
        Conn,
        sql::worded,
        types::{PharmacyId, PractitionerId},
    },
    directory::{Listed, Pharmacy, Practitioner},
    error::Result,
};

/// Ids and names, in the order of the names.
pub type Choices = Vec<(String, String)>;

/// What a form offers: practitioners, and pharmacies. Three statements.
pub fn choices<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<(Choices, Choices)> {
    let named = named(conn, access)?;
    let user = &access.actor.user;
    Ok((Practitioner::choices(conn, user, &named.practitioners)?, Pharmacy::choices(conn, user, &named.pharmacies)?))
}

/// The practitioners to choose from.
pub fn practitioners<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Choices> {
    let named = named(conn, access)?;
    Practitioner::choices(conn, &access.actor.user, &named.practitioners)
}

pub fn may_name_practitioner<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, id: &str) -> Result<bool> {
    let known = Practitioner::is_in_reach(conn, &access.actor.user, id)?;
    Ok(known || named(conn, access)?.practitioners.iter().any(|named| named == id))
}

pub fn may_name_pharmacy<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, id: &str) -> Result<bool> {
    let known = Pharmacy::is_in_reach(conn, &access.actor.user, id)?;
    Ok(known || named(conn, access)?.pharmacies.iter().any(|named| named == id))
}

struct Named {
    practitioners: Vec<String>,
    pharmacies: Vec<String>,
}

/// Whom the patient and the records this access sees name; one statement.
fn named<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Named> {
    // Table and column are the field tables' own words, never a request's.
    let columns: Vec<String> = super::kinds()
        .iter()
        .flat_map(|kind| kind.fields.iter().map(move |spec| (kind, spec)))
        .filter(|(_, spec)| matches!(spec.input, Input::Pharmacy) && spec.place == Place::Detail)
        .map(|(kind, spec)| format!("(SELECT d.{} FROM {} d WHERE d.record_id = records.id)", spec.name, kind.table))
        .collect();
    let pharmacy = format!("COALESCE({}, NULL)", columns.join(", "));
    let rows: Vec<(Option<PractitionerId>, Option<PharmacyId>)> = records::table
        .filter(visible(access))
        .filter(records::deleted_at.is_null())
        .select((records::practitioner_id, worded::<Nullable<Text>>(pharmacy)))
        .distinct()
        .load(conn)?;
    let (mut practitioners, mut pharmacies) = (BTreeSet::new(), BTreeSet::new());
    for (practitioner, pharmacy) in rows {
        practitioners.extend(practitioner.map(|id| id.to_string()));
        pharmacies.extend(pharmacy.map(|id| id.to_string()));
    }
    practitioners.extend(access.patient.fields.physician_id.as_ref().map(ToString::to_string));
    Ok(Named { practitioners: practitioners.into_iter().collect(), pharmacies: pharmacies.into_iter().collect() })
}
