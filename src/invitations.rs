//! Invitations: to see a patient, to keep one together, to a household, to what runs in a family. They wait for an answer; nothing is opened
//! before it. Accepting checks the receiver, the state, the time and what the sender may still give, in one transaction.

pub mod offer;
pub mod pages;
pub mod send;

use chrono::NaiveDateTime;
use diesel::prelude::*;

pub use offer::Offer;

use crate::{
    access::{Actor, AtLeast, Full, PatientAccess},
    audit::{Action, Event},
    auth::{
        sealed::{self, Purpose},
        secret::SecretKey,
    },
    config::Config,
    db::{
        Conn, MultiBackend, Tx,
        schema::{invitation_patients, invitations, users},
        types::{InvitationId, UserId, choice},
    },
    error::{Error, Result},
};

choice!(
    /// What an invitation is about, as words of the database.
    InvitationType {
        PatientShare = "patient_share",
        FamilyHistoryShare = "family_history_share",
        FamilyJoin = "family_join",
        Ownership = "ownership",
    }
);
choice!(
    /// Where an invitation stands. One whose time is over is expired, whatever the row says.
    InvitationStatus {
        Pending = "pending",
        Accepted = "accepted",
        Rejected = "rejected",
        Expired = "expired",
        Cancelled = "cancelled",
        Revoked = "revoked",
    }
);

/// A row of `invitations`.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = invitations, check_for_backend(MultiBackend))]
pub struct Invitation {
    pub id: InvitationId,
    pub sent_by_user_id: UserId,
    sent_to_user_id: Option<UserId>,
    /// What the sender typed, lower case: a user name, or an address.
    pub sent_to: String,
    pub invitation_type: InvitationType,
    status: InvitationStatus,
    pub message: Option<String>,
    context_data: String,
    generation: i32,
    pub expires_at: NaiveDateTime,
    pub responded_at: Option<NaiveDateTime>,
    pub response_note: Option<String>,
    pub created_at: NaiveDateTime,
}

impl Invitation {
    pub fn status(&self, now: NaiveDateTime) -> InvitationStatus {
        if self.status == InvitationStatus::Pending && self.expires_at <= now { InvitationStatus::Expired } else { self.status }
    }

    pub fn is_open(&self, now: NaiveDateTime) -> bool {
        self.status(now) == InvitationStatus::Pending
    }

    /// Can it be sent again? What was answered needs a new one.
    pub fn may_be_sent_again(&self, now: NaiveDateTime) -> bool {
        matches!(self.status(now), InvitationStatus::Pending | InvitationStatus::Expired)
    }

    pub fn offer(&self) -> Result<Offer> {
        serde_json::from_str(&self.context_data).map_err(|_| Error::Internal("an invitation that cannot be read".to_owned()))
    }

    pub fn is_by_address(&self) -> bool {
        self.sent_to.contains('@')
    }

    /// The address that opens it, for whoever has it.
    pub fn link(&self, key: &SecretKey, config: &Config) -> String {
        format!("{}/join/{}", config.public_url, sealed::text(key, Purpose::Invitation, self.id.as_str(), self.generation))
    }

    /// May this account answer it? `by_link` says that it came with the right link: one who was invited by a user name needs to be
    /// that user, one who was invited by an address whose account is known as well; any other address is proved by the link alone.
    pub fn is_for(&self, conn: &mut Conn, user: &UserId, by_link: bool) -> Result<bool> {
        if *user == self.sent_by_user_id {
            return Ok(false);
        }
        Ok(match self.receiver(conn)? {
            Some(receiver) => receiver == *user,
            None => by_link && self.is_by_address(),
        })
    }

    /// The account that was invited, if there is one: fixed by the answer, before it the one of that name or verified address.
    pub fn receiver(&self, conn: &mut Conn) -> Result<Option<UserId>> {
        match &self.sent_to_user_id {
            Some(user) => Ok(Some(user.clone())),
            None => named(conn, &self.sent_to),
        }
    }
}

/// The enabled account of a user name, or of an address that is known to be its own. What anybody may write into their profile proves nothing.
pub fn named(conn: &mut Conn, to: &str) -> Result<Option<UserId>> {
    let mut query = users::table.filter(users::disabled_at.is_null()).select(users::id).into_boxed();
    query = if to.contains('@') {
        query.filter(users::email.eq(to)).filter(users::email_verified_at.is_not_null())
    } else {
        query.filter(users::username_folded.eq(to))
    };
    Ok(query.first(conn).optional()?)
}

pub fn find(conn: &mut Conn, id: &InvitationId) -> Result<Invitation> {
    invitations::table.find(id).select(Invitation::as_select()).first(conn).optional()?.ok_or(Error::NotFound)
}

/// The invitation that this text opens. Cut, changed, replaced by a newer one or never made: all the same.
pub fn by_link(conn: &mut Conn, key: &SecretKey, text: &str) -> Result<Invitation> {
    let id = sealed::id_of(text).and_then(InvitationId::parse).ok_or(Error::NotFound)?;
    let invitation = find(conn, &id)?;
    let opens = sealed::opens(key, Purpose::Invitation, id.as_str(), invitation.generation, text);
    if opens { Ok(invitation) } else { Err(Error::NotFound) }
}

/// An invitation with the sender's name.
pub type WithSender = (Invitation, String);

/// Those that this person may answer or has answered, newest first.
pub fn received(conn: &mut Conn, user: &UserId) -> Result<Vec<WithSender>> {
    let (name, email, verified): (String, Option<String>, Option<NaiveDateTime>) =
        users::table.find(user).select((users::username_folded, users::email, users::email_verified_at)).first(conn)?;
    let mine = [Some(name), email.filter(|_| verified.is_some())].into_iter().flatten().collect::<Vec<_>>();
    let waiting = invitations::sent_to_user_id.is_null().and(invitations::sent_to.eq_any(mine));
    Ok(invitations::table
        .inner_join(users::table.on(users::id.eq(invitations::sent_by_user_id)))
        .filter(diesel::BoolExpressionMethods::or(invitations::sent_to_user_id.assume_not_null().eq(user), waiting))
        .filter(invitations::sent_by_user_id.ne(user))
        .order((invitations::created_at.desc(), invitations::id.desc()))
        .limit(100)
        .select((Invitation::as_select(), users::full_name))
        .load(conn)?)
}

/// Those that this person sent, newest first.
pub fn sent(conn: &mut Conn, user: &UserId) -> Result<Vec<Invitation>> {
    Ok(invitations::table
        .filter(invitations::sent_by_user_id.eq(user))
        .order((invitations::created_at.desc(), invitations::id.desc()))
        .limit(100)
        .select(Invitation::as_select())
        .load(conn)?)
}

/// The invitations about a patient, newest first, with who sent them: what its owners and who may share it see.
pub fn about<L: AtLeast<Full>>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<WithSender>> {
    Ok(invitations::table
        .inner_join(invitation_patients::table.on(invitation_patients::invitation_id.eq(invitations::id)))
        .inner_join(users::table.on(users::id.eq(invitations::sent_by_user_id)))
        .filter(invitation_patients::patient_id.eq(access.id()))
        .order((invitations::created_at.desc(), invitations::id.desc()))
        .limit(50)
        .select((Invitation::as_select(), users::full_name))
        .load(conn)?)
}

/// Accepts: of any number of answers at once, one is the first, and the others are told what became of it.
pub fn accept(tx: &mut Tx<'_>, actor: &Actor, id: &InvitationId, link: Option<i32>, answer: &Answer, now: NaiveDateTime) -> Result<()> {
    let invitation = answerable(tx, actor, id, link, now)?;
    take(tx, &invitation, actor, InvitationStatus::Accepted, answer.note.as_deref(), now)?;
    offer::give(tx, &invitation, actor, answer, now)?;
    answered(tx, &invitation, actor, now)
}

/// Declines, with a word to the sender if there is one.
pub fn reject(tx: &mut Tx<'_>, actor: &Actor, id: &InvitationId, link: Option<i32>, note: Option<&str>, now: NaiveDateTime) -> Result<()> {
    let invitation = answerable(tx, actor, id, link, now)?;
    take(tx, &invitation, actor, InvitationStatus::Rejected, note, now)?;
    answered(tx, &invitation, actor, now)
}

/// What a receiver says besides yes.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub note: Option<String>,
    /// Into the household, with the people one keeps alone.
    pub bring: bool,
}

/// The invitation, if it is this person's to answer. `link` is the generation of the link they came with.
fn answerable(conn: &mut Conn, actor: &Actor, id: &InvitationId, link: Option<i32>, now: NaiveDateTime) -> Result<Invitation> {
    let invitation = find(conn, id)?;
    let by_link = link == Some(invitation.generation);
    if !invitation.is_for(conn, &actor.user, by_link)? {
        return Err(Error::NotFound);
    }
    if actor.via_read_only() {
        return Err(Error::Forbidden);
    }
    if invitation.is_open(now) { Ok(invitation) } else { Err(closed(invitation.status(now))) }
}

/// The one change of state there is: whoever comes second changes nothing and is told so.
fn take(
    tx: &mut Tx<'_>,
    invitation: &Invitation,
    actor: &Actor,
    to: InvitationStatus,
    note: Option<&str>,
    now: NaiveDateTime,
) -> Result<()> {
    let pending = invitations::table
        .find(&invitation.id)
        .filter(invitations::status.eq(InvitationStatus::Pending))
        .filter(invitations::expires_at.gt(now))
        .filter(invitations::generation.eq(invitation.generation));
    let changed = diesel::update(pending)
        .set((
            invitations::status.eq(to),
            invitations::sent_to_user_id.eq(Some(&actor.user)),
            invitations::responded_at.eq(Some(now)),
            invitations::response_note.eq(note),
            invitations::updated_at.eq(now),
        ))
        .execute(&mut **tx)?;
    if changed == 1 { Ok(()) } else { Err(closed(find(tx, &invitation.id)?.status(now))) }
}

fn answered(tx: &mut Tx<'_>, invitation: &Invitation, actor: &Actor, now: NaiveDateTime) -> Result<()> {
    let event =
        Event { detail: Some(invitation.invitation_type.as_str().to_owned()), ..Event::new(actor, Action::InvitationAnswered, now) };
    match invitation.offer()?.patients().as_slice() {
        [] => event.write(tx)?,
        patients => {
            for patient in patients {
                Event { id: uuid::Uuid::now_v7().to_string(), ..event.clone().patient(patient) }.write(tx)?;
            }
        }
    }
    Ok(())
}

/// The sender takes it back before it is answered.
pub fn cancel(tx: &mut Tx<'_>, actor: &Actor, id: &InvitationId, now: NaiveDateTime) -> Result<()> {
    let invitation = own(tx, actor, id)?;
    let pending = invitations::table.find(id).filter(invitations::status.eq(InvitationStatus::Pending));
    let changed = diesel::update(pending)
        .set((
            invitations::status.eq(InvitationStatus::Cancelled),
            invitations::responded_at.eq(Some(now)),
            invitations::updated_at.eq(now),
        ))
        .execute(&mut **tx)?;
    if changed == 1 { Ok(()) } else { Err(closed(invitation.status(now))) }
}

/// An invitation that this person sent.
pub fn own(conn: &mut Conn, actor: &Actor, id: &InvitationId) -> Result<Invitation> {
    let invitation = find(conn, id)?;
    if invitation.sent_by_user_id != actor.user {
        return Err(Error::NotFound);
    }
    if actor.via_read_only() { Err(Error::Forbidden) } else { Ok(invitation) }
}

/// 409, with the sentence that fits the state.
fn closed(status: InvitationStatus) -> Error {
    Error::Conflict(match status {
        InvitationStatus::Pending => "invitation_changed",
        InvitationStatus::Accepted | InvitationStatus::Revoked => "invitation_accepted",
        InvitationStatus::Rejected => "invitation_rejected",
        InvitationStatus::Expired => "invitation_expired",
        InvitationStatus::Cancelled => "invitation_cancelled",
    })
}

/// Marks what nobody answered in time; a job's work.
pub fn expire(tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<usize> {
    let over = invitations::table.filter(invitations::status.eq(InvitationStatus::Pending)).filter(invitations::expires_at.le(now));
    Ok(diesel::update(over).set((invitations::status.eq(InvitationStatus::Expired), invitations::updated_at.eq(now))).execute(&mut **tx)?)
}
