//! "There are none": said of a kind of records of a patient, which is more than an empty list.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::{
    access::Actor,
    audit::{Action, Event},
    db::{Conn, Tx, schema::none_known, types::PatientId},
    error::Result,
};

/// The kinds of which somebody said that there are none.
pub fn kinds(conn: &mut Conn, patient: &PatientId) -> Result<Vec<String>> {
    Ok(none_known::table.filter(none_known::patient_id.eq(patient)).select(none_known::kind).load(conn)?)
}

/// "There are none" no longer holds once there is one; deleting that one again says nothing. Tells whether it had been said.
pub fn withdraw(tx: &mut Tx<'_>, actor: &Actor, patient: &PatientId, kind: &str, now: NaiveDateTime) -> Result<bool> {
    let said = none_known::table.find((patient, kind)).select(none_known::kind).first::<String>(&mut **tx).optional()?;
    if said.is_some() {
        set(tx, actor, patient, kind, false, now)?;
    }
    Ok(said.is_some())
}

/// Says, or takes back, that there are none of a kind.
pub fn set(tx: &mut Tx<'_>, actor: &Actor, patient: &PatientId, kind: &str, none: bool, now: NaiveDateTime) -> Result<()> {
    diesel::delete(none_known::table.filter(none_known::patient_id.eq(patient)).filter(none_known::kind.eq(kind))).execute(&mut **tx)?;
    if none {
        diesel::insert_into(none_known::table)
            .values((
                none_known::patient_id.eq(patient),
                none_known::kind.eq(kind),
                none_known::noted_by.eq(actor.user.as_str()),
                none_known::noted_at.eq(now),
            ))
            .execute(&mut **tx)?;
    }
    Event::new(actor, Action::Changed, now).patient(patient).kind(kind).write(tx)?;
    Ok(())
}
