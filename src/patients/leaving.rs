//! What becomes of the people whose owner's account goes: those with another owner stay with that one, the others are taken over by somebody who
//! says yes, or go into the trash. None is left without an owner.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{Patient, versions::remember};
use crate::{
    access::Actor,
    audit::{Action, Event},
    db::{
        Conn, Tx,
        schema::{patient_owners, patient_shares, patients, users},
        types::{HouseholdId, PatientId, UserId},
    },
    error::Result,
    households,
};

/// How many people are whose, as numbers: who decides about an account reads no names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Theirs alone.
    pub alone: i64,
    /// Theirs and somebody else's.
    pub jointly: i64,
    /// Theirs alone, in the trash.
    pub thrown: i64,
}

pub fn tally(conn: &mut Conn, user: &UserId) -> Result<Tally> {
    let (alone, thrown): (Vec<_>, Vec<_>) = sole(conn, user)?.into_iter().partition(|(_, deleted_at)| deleted_at.is_none());
    let count = |list: Vec<_>| i64::try_from(list.len()).unwrap_or(i64::MAX);
    let jointly = i64::try_from(joint(conn, user)?.len()).unwrap_or(i64::MAX);
    Ok(Tally { alone: count(alone), thrown: count(thrown), jointly })
}

type Owned = (PatientId, Option<NaiveDateTime>);

/// The people of an account, and those among them whom somebody else owns, too.
fn owned(conn: &mut Conn, user: &UserId) -> Result<(Vec<Owned>, Vec<PatientId>)> {
    let mine = || patient_owners::table.filter(patient_owners::user_id.eq(user)).select(patient_owners::patient_id);
    let all = patients::table
        .filter(patients::id.eq_any(mine()))
        .order((patients::created_at, patients::id))
        .select((patients::id, patients::deleted_at))
        .load(conn)?;
    let ids: Vec<PatientId> = mine().load(conn)?;
    let shared = patient_owners::table
        .filter(patient_owners::patient_id.eq_any(ids))
        .filter(patient_owners::user_id.ne(user))
        .select(patient_owners::patient_id)
        .load(conn)?;
    Ok((all, shared))
}

/// Those nobody else owns, in the trash or not.
pub fn sole(conn: &mut Conn, user: &UserId) -> Result<Vec<Owned>> {
    let (all, shared) = owned(conn, user)?;
    Ok(all.into_iter().filter(|(id, _)| !shared.contains(id)).collect())
}

fn joint(conn: &mut Conn, user: &UserId) -> Result<Vec<PatientId>> {
    let (all, shared) = owned(conn, user)?;
    Ok(all.into_iter().map(|(id, _)| id).filter(|id| shared.contains(id)).collect())
}

fn load(conn: &mut Conn, id: &PatientId) -> Result<Patient> {
    Ok(patients::table.find(id).select(Patient::as_select()).first(conn)?)
}

/// Into the trash, as their owner would have put them there.
pub fn to_trash(tx: &mut Tx<'_>, by: &Actor, user: &UserId, now: NaiveDateTime) -> Result<()> {
    for (id, _) in sole(tx, user)?.into_iter().filter(|(_, deleted_at)| deleted_at.is_none()) {
        lay(tx, by, &id, Some(now), now)?;
    }
    Ok(())
}

/// Back from where [`to_trash`] put them at that moment; what their owner had thrown away stays there.
pub fn bring_back(tx: &mut Tx<'_>, by: &Actor, user: &UserId, thrown_at: NaiveDateTime, now: NaiveDateTime) -> Result<()> {
    for (id, _) in sole(tx, user)?.into_iter().filter(|(_, deleted_at)| *deleted_at == Some(thrown_at)) {
        lay(tx, by, &id, None, now)?;
    }
    Ok(())
}

fn lay(tx: &mut Tx<'_>, by: &Actor, id: &PatientId, deleted_at: Option<NaiveDateTime>, now: NaiveDateTime) -> Result<()> {
    let patient = load(tx, id)?;
    let version = patient.version.saturating_add(1);
    diesel::update(patients::table.find(id))
        .set((patients::deleted_at.eq(deleted_at), patients::version.eq(version)))
        .execute(&mut **tx)?;
    let action = if deleted_at.is_some() { Action::Deleted } else { Action::Restored };
    remember(tx, by, id, version, &patient.fields, by.source(), action, now)
}

/// All of them, those in the trash too, are the receiver's from now on.
pub fn give(tx: &mut Tx<'_>, receiver: &Actor, user: &UserId, now: NaiveDateTime) -> Result<()> {
    for (id, _) in sole(tx, user)? {
        diesel::insert_into(patient_owners::table)
            .values((patient_owners::patient_id.eq(&id), patient_owners::user_id.eq(&receiver.user), patient_owners::created_at.eq(now)))
            .execute(&mut **tx)?;
        let theirs =
            patient_shares::table.filter(patient_shares::patient_id.eq(&id)).filter(patient_shares::shared_with_user_id.eq(&receiver.user));
        diesel::update(theirs).set((patient_shares::is_active.eq(false), patient_shares::updated_at.eq(now))).execute(&mut **tx)?;
        let_go(tx, user, &id, &receiver.user, now)?;
        Event { detail: Some("accepted".to_owned()), ..Event::new(receiver, Action::OwnershipGiven, now).patient(&id) }.write(tx)?;
        settle(tx, receiver, &id, &receiver.user, now)?;
    }
    Ok(())
}

/// Those with another owner are that one's.
pub fn leave_to_the_others(tx: &mut Tx<'_>, by: &Actor, user: &UserId, now: NaiveDateTime) -> Result<()> {
    for id in joint(tx, user)? {
        let next: UserId = patient_owners::table
            .filter(patient_owners::patient_id.eq(&id))
            .filter(patient_owners::user_id.ne(user))
            .order((patient_owners::created_at, patient_owners::user_id))
            .select(patient_owners::user_id)
            .first(&mut **tx)?;
        let_go(tx, user, &id, &next, now)?;
        let event = Event::new(by, Action::OwnershipGiven, now).patient(&id);
        Event { detail: Some("account_removed".to_owned()), ..event }.write(tx)?;
        settle(tx, by, &id, &next, now)?;
    }
    Ok(())
}

/// No longer this account's. Somebody's own record is theirs alone to call so.
fn let_go(tx: &mut Tx<'_>, user: &UserId, id: &PatientId, next: &UserId, now: NaiveDateTime) -> Result<()> {
    diesel::delete(patient_owners::table.find((id, user))).execute(&mut **tx)?;
    diesel::update(patients::table.find(id).filter(patients::owner_user_id.eq(user)))
        .set((patients::owner_user_id.eq(next), patients::is_self_record.eq(false), patients::updated_at.eq(now)))
        .execute(&mut **tx)?;
    Ok(())
}

/// A patient's household is one that an owner belongs to.
fn settle(tx: &mut Tx<'_>, by: &Actor, id: &PatientId, owner: &UserId, now: NaiveDateTime) -> Result<()> {
    let household: HouseholdId = patients::table.find(id).select(patients::household_id).first(&mut **tx)?;
    if households::is_member(tx, &household, owner)? {
        return Ok(());
    }
    let main: HouseholdId = users::table.find(owner).select(users::household_id).first(&mut **tx)?;
    households::move_patient(tx, by, id, &main, now)
}

/// Is nobody left who has this account alone? People whom an import is still making count, too.
pub fn is_free(conn: &mut Conn, user: &UserId) -> Result<bool> {
    let first: Vec<PatientId> = patients::table.filter(patients::owner_user_id.eq(user)).select(patients::id).load(conn)?;
    let shared = joint(conn, user)?;
    Ok(first.iter().all(|id| shared.contains(id)) && sole(conn, user)?.is_empty())
}
