//! Members of a family's history shown to other people: what may be shared, what the receiver would get, and the shares themselves.
//!
//! Invitations carry a [`Wanted`] as their context and call [`check`], [`preview`] and [`accept`]; whoever looks goes through
//! [`access::family`], which yields an access to exactly the members of the shares.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Relative, kind};
use crate::{
    access::{
        self, Actor, Full, PatientAccess,
        family::{KIND, Received, Shown},
    },
    audit::{Action, Event},
    db::{
        Conn, Tx,
        schema::{family_history_shares, users},
        types::{InvitationId, PatientId, RecordId, ShareId, UserId},
    },
    error::{Error, Result},
    records::{
        chart::{self, Loaded},
        field::FieldError,
        several,
    },
};

/// What somebody wants to show: the context of an invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub patient: PatientId,
    pub members: Vec<RecordId>,
    /// The sender's own words, the only ones about whose family it is.
    pub note: Option<String>,
    pub expires_at: Option<NaiveDateTime>,
}

/// More than any family has.
const MOST_MEMBERS: usize = 500;

fn wrong(field: &str, error: FieldError) -> Error {
    Error::Invalid(vec![(field.to_owned(), error)])
}

/// Are these living members of this patient's family, which the sender sees, and is the end in the future?
pub fn check(conn: &mut Conn, access: &PatientAccess<Full>, wanted: &Wanted) -> Result<()> {
    chosen(conn, access, wanted).map(drop)
}

fn chosen(conn: &mut Conn, access: &PatientAccess<Full>, wanted: &Wanted) -> Result<Vec<Loaded>> {
    if wanted.patient != *access.id() {
        return Err(Error::NotFound);
    }
    if wanted.members.is_empty() {
        return Err(wrong("members", FieldError::Rule("error.no_members_chosen")));
    }
    if wanted.members.len() > MOST_MEMBERS {
        return Err(wrong("members", FieldError::Rule("error.too_many")));
    }
    if wanted.expires_at.is_some_and(|until| until <= access.now) {
        return Err(wrong("until", FieldError::Rule("error.share_ends_before_now")));
    }
    let mut members = wanted.members.clone();
    members.sort();
    members.dedup();
    let found = access.chart(kind()?)?.in_order(conn, &members)?;
    if found.len() == members.len() { Ok(found) } else { Err(wrong("members", FieldError::NoSuchRecord)) }
}

/// One member as the receiver would get them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    pub record: RecordId,
    pub name: String,
    /// A word of `choice.FamilyRelationship`.
    pub relationship: String,
    pub conditions: usize,
}

/// What exactly the receiver would get.
pub fn preview(conn: &mut Conn, access: &PatientAccess<Full>, wanted: &Wanted) -> Result<Vec<Preview>> {
    let kind = kind()?;
    let preview = |row: &Loaded| {
        let one = super::relative(kind, row);
        Preview { record: one.record, name: one.name, relationship: one.relationship, conditions: one.had.len() }
    };
    Ok(chosen(conn, access, wanted)?.iter().map(preview).collect())
}

/// Makes the shares of an invitation that was accepted. The sender must still have all of the patient, and each member must still be there.
/// A member who is shown to this person already is shown as the new invitation says, once.
pub fn accept(
    tx: &mut Tx<'_>,
    sender: &Actor,
    receiver: &UserId,
    invitation: &InvitationId,
    wanted: &Wanted,
    now: NaiveDateTime,
) -> Result<Vec<ShareId>> {
    let access = access::grant::<Full>(tx, sender, &wanted.patient, now)?;
    if *receiver == sender.user {
        return Err(wrong("to", FieldError::Rule("error.share_with_oneself")));
    }
    let mut made = Vec::new();
    for member in chosen(tx, &access, wanted)? {
        let id = ShareId::new();
        let earlier = family_history_shares::table
            .filter(family_history_shares::family_member_id.eq(&member.head.id))
            .filter(family_history_shares::shared_with_user_id.eq(receiver))
            .filter(family_history_shares::is_active.eq(true));
        diesel::update(earlier)
            .set((family_history_shares::is_active.eq(false), family_history_shares::updated_at.eq(now)))
            .execute(&mut **tx)?;
        diesel::insert_into(family_history_shares::table)
            .values((
                family_history_shares::id.eq(&id),
                family_history_shares::invitation_id.eq(Some(invitation)),
                family_history_shares::patient_id.eq(access.id()),
                family_history_shares::family_member_id.eq(&member.head.id),
                family_history_shares::shared_by_user_id.eq(&sender.user),
                family_history_shares::shared_with_user_id.eq(receiver),
                family_history_shares::permission_level.eq("view"),
                family_history_shares::is_active.eq(true),
                family_history_shares::expires_at.eq(wanted.expires_at),
                family_history_shares::sharing_note.eq(&wanted.note),
                family_history_shares::created_at.eq(now),
                family_history_shares::updated_at.eq(now),
            ))
            .execute(&mut **tx)?;
        Event::new(sender, Action::Shared, now).patient(access.id()).record(KIND, &member.head.id, member.head.version).write(tx)?;
        made.push(id);
    }
    Ok(made)
}

/// Ends a share at once. What the receiver took over stays theirs.
pub fn revoke(tx: &mut Tx<'_>, access: &PatientAccess<Full>, share: &ShareId) -> Result<()> {
    access.chart(kind()?)?;
    let mine = family_history_shares::table
        .filter(family_history_shares::id.eq(share))
        .filter(family_history_shares::patient_id.eq(access.id()))
        .filter(family_history_shares::is_active.eq(true));
    let member: Option<RecordId> = mine.select(family_history_shares::family_member_id).first(&mut **tx).optional()?;
    let member = member.ok_or(Error::NotFound)?;
    let version = chart::headings(tx, access, std::slice::from_ref(&member))?.remove(&member).map(|head| head.version);
    diesel::update(mine)
        .set((family_history_shares::is_active.eq(false), family_history_shares::updated_at.eq(access.now)))
        .execute(&mut **tx)?;
    let mut event = Event::new(&access.actor, Action::ShareEnded, access.now).patient(access.id()).kind(KIND);
    if let Some(version) = version {
        event = event.record(KIND, &member, version);
    }
    event.write(tx)?;
    Ok(())
}

/// A member and somebody who sees them.
#[derive(Clone, Debug)]
pub struct Given {
    pub id: ShareId,
    pub member: RecordId,
    pub name: String,
    pub receiver: String,
    pub sender: String,
    pub expires_at: Option<NaiveDateTime>,
    pub created_at: NaiveDateTime,
}

type Line = (ShareId, RecordId, Option<NaiveDateTime>, NaiveDateTime, String, String);

/// Who sees which member now, by whomever it was shared. Members this access does not see are not told of.
pub fn list_given(conn: &mut Conn, access: &PatientAccess<Full>) -> Result<Vec<Given>> {
    access.chart(kind()?)?;
    let (receivers, senders) = diesel::alias!(users as receivers, users as senders);
    let rows: Vec<Line> = family_history_shares::table
        .inner_join(receivers.on(receivers.field(users::id).eq(family_history_shares::shared_with_user_id)))
        .inner_join(senders.on(senders.field(users::id).eq(family_history_shares::shared_by_user_id)))
        .filter(family_history_shares::patient_id.eq(access.id()))
        .filter(family_history_shares::is_active.eq(true))
        .filter(family_history_shares::expires_at.is_null().or(family_history_shares::expires_at.gt(access.now)))
        .order(family_history_shares::created_at)
        .select((
            family_history_shares::id,
            family_history_shares::family_member_id,
            family_history_shares::expires_at,
            family_history_shares::created_at,
            receivers.field(users::full_name),
            senders.field(users::full_name),
        ))
        .load(conn)?;
    let members: Vec<RecordId> = rows.iter().map(|row| row.1.clone()).collect();
    let heads = chart::headings(conn, access, &members)?;
    let given = |(id, member, expires_at, created_at, receiver, sender): Line| {
        let name = heads.get(&member)?.title.clone();
        Some(Given { id, member, name, receiver, sender, expires_at, created_at })
    };
    Ok(rows.into_iter().filter_map(given).collect())
}

/// One member shown to this person.
pub struct ReceivedMember {
    pub share: Shown,
    pub sender_name: String,
    pub relative: Relative,
    pub row: Loaded,
}

/// Everything shown to this person now: active, not over, the record still there, and still the sender's to give.
pub fn received(conn: &mut Conn, actor: &Actor, now: NaiveDateTime) -> Result<Vec<ReceivedMember>> {
    let sources = access::family::received(conn, actor, now)?;
    members(conn, &sources)
}

/// The members behind what was received; a fixed number of statements.
pub fn members(conn: &mut Conn, sources: &[Received]) -> Result<Vec<ReceivedMember>> {
    let kind = kind()?;
    let accesses: Vec<_> = sources.iter().map(|one| &one.access).collect();
    let mut rows: Vec<Option<Loaded>> = several::load(conn, &accesses, kind)?.into_iter().map(Some).collect();
    let mut all = Vec::new();
    for source in sources {
        for shown in &source.shown {
            let found = rows.iter_mut().find(|row| row.as_ref().is_some_and(|row| row.head.id == shown.member)).and_then(Option::take);
            if let Some(row) = found {
                let mut relative = super::relative(kind, &row);
                // Who they are here is no matter of who sees them there.
                relative.linked = None;
                all.push(ReceivedMember { share: shown.clone(), sender_name: source.sender_name.clone(), relative, row });
            }
        }
    }
    Ok(all)
}
