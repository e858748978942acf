//! What ends by itself: people are told before and after. A job's work, in short transactions.

use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use crate::{
    audit::{Action, Event},
    db::{
        Tx,
        schema::{patient_shares, patients},
        types::{PatientId, ShareId, UserId},
    },
    error::Result,
    mail::{self, About},
};

/// A share that ends within this time is shown as ending, and its people are written to once.
pub const WARN_BEFORE: Duration = Duration::days(3);
/// At most so many in one transaction.
const BATCH: i64 = 100;

type Due = (ShareId, PatientId, UserId, UserId);

/// Warns of what ends soon. A share that was made for less than that time is not announced: its end was said a moment ago.
pub fn warn(tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<usize> {
    let due: Vec<(Due, NaiveDateTime, NaiveDateTime)> = patient_shares::table
        .inner_join(patients::table.on(patients::id.eq(patient_shares::patient_id)))
        .filter(patients::deleted_at.is_null())
        .filter(patient_shares::is_active.eq(true))
        .filter(patient_shares::warned_at.is_null())
        .filter(patient_shares::expires_at.gt(now))
        .filter(patient_shares::expires_at.le(now + WARN_BEFORE))
        .order((patient_shares::expires_at, patient_shares::id))
        .limit(BATCH)
        .select((
            (patient_shares::id, patient_shares::patient_id, patient_shares::shared_by_user_id, patient_shares::shared_with_user_id),
            patient_shares::updated_at,
            patient_shares::expires_at.assume_not_null(),
        ))
        .load(&mut **tx)?;
    for ((share, _, by, with), said, ends) in &due {
        diesel::update(patient_shares::table.find(share)).set(patient_shares::warned_at.eq(Some(now))).execute(&mut **tx)?;
        if *ends - *said > WARN_BEFORE {
            mail::about_share(tx, About::ShareEnding, share, &[by, with], now)?;
        }
    }
    Ok(due.len())
}

/// Tells of what has ended. The access ended with the moment itself: nothing here closes anything.
pub fn tell_ended(tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<usize> {
    let due: Vec<Due> = patient_shares::table
        .filter(patient_shares::is_active.eq(true))
        .filter(patient_shares::ended_told_at.is_null())
        .filter(patient_shares::expires_at.le(now))
        .order((patient_shares::expires_at, patient_shares::id))
        .limit(BATCH)
        .select((patient_shares::id, patient_shares::patient_id, patient_shares::shared_by_user_id, patient_shares::shared_with_user_id))
        .load(&mut **tx)?;
    for (share, patient, by, with) in &due {
        diesel::update(patient_shares::table.find(share)).set(patient_shares::ended_told_at.eq(Some(now))).execute(&mut **tx)?;
        mail::about_share(tx, About::ShareEnded, share, &[by, with], now)?;
        Event { detail: Some(with.to_string()), ..Event::by_the_program(Action::ShareEnded, now).patient(patient) }.write(tx)?;
    }
    Ok(due.len())
}
