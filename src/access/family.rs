//! Members of other people's family histories: an access limited to exactly the records that were shown to this person.
//!
//! As with a professional's link, a share gives what its sender may still give: when they lose the patient, or the record becomes one that is
//! hidden from them, it is gone for the receiver too.

use std::{collections::BTreeMap, marker::PhantomData};

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{Actor, PatientAccess, Rank, Row, Scope, ShareRow, Via, View, granted};
use crate::{
    db::{
        Conn, MultiBackend,
        schema::{family_history_shares, patient_owners, patient_shares, patients, users},
        types::{RecordId, ShareId, UserId},
    },
    error::Result,
    patients::Patient,
};

/// The one kind that is shared in this way.
pub const KIND: &str = "family-members";

/// One member, shown to one person.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = family_history_shares, check_for_backend(MultiBackend))]
pub struct Shown {
    pub id: ShareId,
    #[diesel(column_name = family_member_id)]
    pub member: RecordId,
    #[diesel(column_name = shared_by_user_id)]
    pub sender: UserId,
    pub expires_at: Option<NaiveDateTime>,
    #[diesel(column_name = sharing_note)]
    pub note: Option<String>,
    pub created_at: NaiveDateTime,
}

/// What one sender shows of one patient's family, and the access to it.
#[derive(Clone, Debug)]
pub struct Received {
    pub sender_name: String,
    pub shown: Vec<Shown>,
    pub access: PatientAccess<View>,
}

/// What is shown, the sender's note and name, and what ties the sender to the patient.
type ShownRow = (Shown, Option<String>, String, Patient, Option<UserId>, Option<ShareRow>);

/// Everything that is shown to this person now. One statement; a link opens nothing of it.
pub fn received(conn: &mut Conn, actor: &Actor, now: NaiveDateTime) -> Result<Vec<Received>> {
    if matches!(actor.via, Via::Link(_)) {
        return Ok(Vec::new());
    }
    let rows: Vec<ShownRow> = family_history_shares::table
        .inner_join(users::table.on(users::id.eq(family_history_shares::shared_by_user_id)))
        .inner_join(patients::table.on(patients::id.eq(family_history_shares::patient_id)))
        .left_join(
            patient_owners::table.on(patient_owners::patient_id
                .eq(family_history_shares::patient_id)
                .and(patient_owners::user_id.eq(family_history_shares::shared_by_user_id))),
        )
        .left_join(
            patient_shares::table.on(patient_shares::patient_id
                .eq(family_history_shares::patient_id)
                .and(patient_shares::shared_with_user_id.eq(family_history_shares::shared_by_user_id))),
        )
        .filter(family_history_shares::shared_with_user_id.eq(&actor.user))
        .filter(family_history_shares::is_active.eq(true))
        .filter(family_history_shares::expires_at.is_null().or(family_history_shares::expires_at.gt(now)))
        .filter(patients::deleted_at.is_null())
        .filter(users::disabled_at.is_null())
        .order(family_history_shares::id)
        .select((
            Shown::as_select(),
            users::full_name.nullable(),
            users::username,
            Patient::as_select(),
            patient_owners::user_id.nullable(),
            Option::<ShareRow>::as_select(),
        ))
        .load(conn)?;
    let mut found: BTreeMap<(String, String), Received> = BTreeMap::new();
    for (shown, full_name, username, patient, owner, share) in rows {
        let key = (shown.sender.to_string(), patient.id.to_string());
        if let Some(known) = found.get_mut(&key) {
            known.shown.push(shown);
            continue;
        }
        let name = full_name.filter(|name| !name.trim().is_empty()).unwrap_or(username);
        if let Some(access) = of_sender((patient, owner, share), actor, now) {
            found.insert(key, Received { sender_name: name, shown: vec![shown], access });
        }
    }
    let mut all: Vec<Received> = found.into_values().collect();
    for one in &mut all {
        let only = Scope {
            kinds: Some(vec![KIND.to_owned()]),
            only: Some(one.shown.iter().map(|shown| shown.member.to_string()).collect()),
            ..Scope::default()
        };
        one.access.scope = only.within(&one.access.scope);
    }
    Ok(all)
}

/// What the sender has of the patient, to be looked at by somebody else, if they may still give it on.
fn of_sender(row: Row, actor: &Actor, now: NaiveDateTime) -> Option<PatientAccess<View>> {
    let grant = granted(row, actor, now).filter(|grant| grant.uncapped >= Rank::Full)?;
    Some(PatientAccess {
        patient: grant.patient,
        actor: actor.clone(),
        rank: Rank::View,
        owner: false,
        until: grant.until,
        now,
        scope: grant.scope,
        level: PhantomData,
    })
}
