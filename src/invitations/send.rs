//! Sending an invitation, and sending it again. The answer is the same whether there is such an account or not.

use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use super::{Invitation, InvitationStatus, InvitationType, Offer, find, named, own};
use crate::{
    access::Actor,
    audit::{Action, Event},
    db::{
        Tx,
        schema::{invitation_patients, invitations, users},
        types::{HouseholdId, InvitationId},
    },
    error::{Error, Result},
    mail,
    records::field::{FieldError, looks_like_email},
    text::fold,
};

/// Days an invitation waits.
pub const DAYS: i64 = 7;
/// How many of one sender may wait at a time: more is no family.
const MOST_PENDING: i64 = 50;
const LONGEST_TO: usize = 254;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// A user name or an e-mail address, as it was typed.
    pub to: &'a str,
    pub offer: &'a Offer,
    pub message: Option<&'a str>,
}

/// Checks and sends. The link is made from the id, see [`Invitation::link`].
pub fn send(tx: &mut Tx<'_>, actor: &Actor, wanted: &Wanted<'_>, now: NaiveDateTime) -> Result<InvitationId> {
    if actor.via_read_only() {
        return Err(Error::Forbidden);
    }
    // What is wrong with the offer and with the name is told together.
    if let Err(error) = wanted.offer.check(tx, actor, now) {
        let Error::Invalid(mut errors) = error else { return Err(error) };
        errors.extend(check_form(wanted.to.trim()).err().map(|error| ("to".to_owned(), error)));
        return Err(Error::Invalid(errors));
    }
    let to = receiver(tx, actor, wanted, now)?;
    let waiting: i64 = invitations::table
        .filter(invitations::sent_by_user_id.eq(&actor.user))
        .filter(invitations::status.eq(InvitationStatus::Pending))
        .filter(invitations::expires_at.gt(now))
        .count()
        .get_result(&mut **tx)?;
    if waiting >= MOST_PENDING {
        return Err(wrong(FieldError::Rule("error.too_many_invitations")));
    }
    let id = store(tx, actor, wanted, &to, now)?;
    mail::invitation(tx, &id, now)?;
    Ok(id)
}

fn wrong(error: FieldError) -> Error {
    Error::Invalid(vec![("to".to_owned(), error)])
}

/// The name or address in the form it is looked up by. Only what the sender can know anyway is told: their own name, and who is in already.
fn receiver(tx: &mut Tx<'_>, actor: &Actor, wanted: &Wanted<'_>, now: NaiveDateTime) -> Result<String> {
    let typed = wanted.to.trim();
    check_form(typed).map_err(wrong)?;
    let to = if typed.contains('@') { typed.to_lowercase() } else { fold(typed) };
    let (own_name, own_address): (String, Option<String>) =
        users::table.find(&actor.user).select((users::username_folded, users::email)).first(&mut **tx)?;
    if to == own_name || own_address.as_deref() == Some(to.as_str()) {
        return Err(wrong(FieldError::Rule("error.invite_yourself")));
    }
    if let Some(user) = named(tx, &to)?
        && wanted.offer.has_already(tx, actor, &user, now)?
    {
        return Err(wrong(FieldError::Rule("error.invite_known")));
    }
    Ok(to)
}

fn check_form(typed: &str) -> Result<(), FieldError> {
    let length = typed.chars().count();
    if typed.is_empty() {
        Err(FieldError::Required)
    } else if length > LONGEST_TO {
        Err(FieldError::TooLong { max: LONGEST_TO, is: length })
    } else if typed.chars().any(char::is_control) {
        Err(FieldError::ControlCharacters)
    } else if typed.contains('@') && !looks_like_email(typed) {
        Err(FieldError::NotAnEmail)
    } else if typed.contains(char::is_whitespace) {
        Err(FieldError::Rule("error.invite_name"))
    } else {
        Ok(())
    }
}

fn store(tx: &mut Tx<'_>, actor: &Actor, wanted: &Wanted<'_>, to: &str, now: NaiveDateTime) -> Result<InvitationId> {
    let id = InvitationId::new();
    let (sort, household): (InvitationType, Option<&HouseholdId>) = match wanted.offer {
        Offer::Share { .. } => (InvitationType::PatientShare, None),
        Offer::Household { household, .. } => (InvitationType::FamilyJoin, Some(household)),
        Offer::FamilyHistory(_) => (InvitationType::FamilyHistoryShare, None),
        Offer::Ownership { .. } => (InvitationType::Ownership, None),
    };
    let context = serde_json::to_string(wanted.offer).map_err(|error| Error::Internal(format!("invitation: {error}")))?;
    diesel::insert_into(invitations::table)
        .values((
            invitations::id.eq(&id),
            invitations::sent_by_user_id.eq(&actor.user),
            invitations::sent_to.eq(to),
            invitations::household_id.eq(household),
            invitations::invitation_type.eq(sort),
            invitations::status.eq(InvitationStatus::Pending),
            invitations::title.eq(sort.as_str()),
            invitations::message.eq(wanted.message),
            invitations::context_data.eq(context),
            invitations::generation.eq(1),
            invitations::expires_at.eq(now + Duration::days(DAYS)),
            invitations::created_at.eq(now),
            invitations::updated_at.eq(now),
        ))
        .execute(&mut **tx)?;
    let event = Event { detail: Some(sort.as_str().to_owned()), ..Event::new(actor, Action::Invited, now) };
    let patients = wanted.offer.patients();
    if patients.is_empty() {
        event.write(tx)?;
        return Ok(id);
    }
    for patient in &patients {
        diesel::insert_into(invitation_patients::table)
            .values((invitation_patients::invitation_id.eq(&id), invitation_patients::patient_id.eq(patient)))
            .execute(&mut **tx)?;
        Event { id: uuid::Uuid::now_v7().to_string(), ..event.clone().patient(patient) }.write(tx)?;
    }
    Ok(id)
}

/// Sends it again, for another week: the link before opens nothing any more.
pub fn again(tx: &mut Tx<'_>, actor: &Actor, id: &InvitationId, now: NaiveDateTime) -> Result<()> {
    let invitation: Invitation = own(tx, actor, id)?;
    if !invitation.may_be_sent_again(now) {
        return Err(super::closed(invitation.status(now)));
    }
    invitation.offer()?.check(tx, actor, now)?;
    let row = invitations::table
        .find(id)
        .filter(invitations::status.eq_any([InvitationStatus::Pending, InvitationStatus::Expired]))
        .filter(invitations::generation.eq(invitation.generation));
    let changed = diesel::update(row)
        .set((
            invitations::status.eq(InvitationStatus::Pending),
            invitations::generation.eq(invitation.generation.saturating_add(1)),
            invitations::expires_at.eq(now + Duration::days(DAYS)),
            invitations::updated_at.eq(now),
        ))
        .execute(&mut **tx)?;
    if changed == 0 {
        return Err(super::closed(find(tx, id)?.status(now)));
    }
    mail::invitation(tx, id, now)
}
