//! The shares of a patient: given by accepting an invitation, changed, extended and ended by whoever may share, given back by who has one.

use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use super::terms::Terms;
use crate::{
    access::{Actor, AtLeast, Full, Own, PatientAccess, Permission, Scope},
    audit::{Action, Event},
    db::{
        Conn, MultiBackend, Tx,
        schema::{invitations, patient_owners, patient_shares, patients, professional_links, users},
        types::{InvitationId, LinkId, PatientId, ShareId, TagId, UserId},
    },
    error::{Error, Result},
    records::field::FieldError,
};

/// A row of `patient_shares`.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = patient_shares, check_for_backend(MultiBackend))]
struct Row {
    id: ShareId,
    patient_id: PatientId,
    shared_by_user_id: UserId,
    shared_with_user_id: UserId,
    permission_level: Permission,
    kinds: Option<String>,
    tags: Option<String>,
    without: Option<String>,
    is_active: bool,
    starts_at: Option<NaiveDateTime>,
    expires_at: Option<NaiveDateTime>,
    note: Option<String>,
    invitation_id: Option<InvitationId>,
    updated_at: NaiveDateTime,
}

/// A share as people see it.
#[derive(Clone, Debug)]
pub struct Share {
    pub id: ShareId,
    pub patient: PatientId,
    pub by: UserId,
    pub with: UserId,
    /// The other person's name: the receiver's where it was given, the giver's where it was received.
    pub name: String,
    pub terms: Terms,
    pub active: bool,
    pub invitation: Option<InvitationId>,
    pub updated_at: NaiveDateTime,
}

/// Where a share stands, as a word of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    Waiting,
    Ended,
    Revoked,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Waiting => "waiting",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
        }
    }
}

impl Share {
    fn new(row: Row, name: String) -> Self {
        // Columns that cannot be read open nothing; the page says "no kinds".
        let scope = Scope::of_columns((row.kinds, row.tags, row.without)).unwrap_or(Scope { kinds: Some(Vec::new()), ..Scope::default() });
        let terms = Terms { permission: row.permission_level, scope, starts_at: row.starts_at, expires_at: row.expires_at, note: row.note };
        Self {
            id: row.id,
            patient: row.patient_id,
            by: row.shared_by_user_id,
            with: row.shared_with_user_id,
            name,
            terms,
            active: row.is_active,
            invitation: row.invitation_id,
            updated_at: row.updated_at,
        }
    }

    pub fn state(&self, now: NaiveDateTime) -> State {
        if !self.active {
            State::Revoked
        } else if self.terms.expires_at.is_some_and(|end| end <= now) {
            State::Ended
        } else if self.terms.starts_at.is_some_and(|start| start > now) {
            State::Waiting
        } else {
            State::Active
        }
    }

    /// Does it open anything, or will it?
    pub fn lives(&self, now: NaiveDateTime) -> bool {
        matches!(self.state(now), State::Active | State::Waiting)
    }

    /// Does it end within the time in which people are warned?
    pub fn ends_soon(&self, now: NaiveDateTime) -> bool {
        self.lives(now) && self.terms.expires_at.is_some_and(|end| end - now <= super::watch::WARN_BEFORE)
    }

    /// How long a share that was made for a while goes on when it is extended: a week, or as long as it was meant to last.
    pub fn extended_until(&self, now: NaiveDateTime) -> Option<NaiveDateTime> {
        let end = self.terms.expires_at?;
        Some(end.max(now) + EXTENSION)
    }
}

/// What one click adds.
const EXTENSION: Duration = Duration::weeks(1);

/// The people a patient is shared with, the living shares first.
pub fn given<L: AtLeast<Full>>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<Share>> {
    let rows: Vec<(Row, String)> = patient_shares::table
        .inner_join(users::table.on(users::id.eq(patient_shares::shared_with_user_id)))
        .filter(patient_shares::patient_id.eq(access.id()))
        .order((users::full_name, patient_shares::id))
        .select((Row::as_select(), users::full_name))
        .load(conn)?;
    let mut shares: Vec<Share> = rows.into_iter().map(|(row, name)| Share::new(row, name)).collect();
    shares.sort_by_key(|share| !share.lives(access.now));
    Ok(shares)
}

/// One of them.
pub fn find<L: AtLeast<Full>>(conn: &mut Conn, access: &PatientAccess<L>, id: &ShareId) -> Result<Share> {
    let row: Option<(Row, String)> = patient_shares::table
        .inner_join(users::table.on(users::id.eq(patient_shares::shared_with_user_id)))
        .filter(patient_shares::patient_id.eq(access.id()))
        .filter(patient_shares::id.eq(id))
        .select((Row::as_select(), users::full_name))
        .first(conn)
        .optional()?;
    row.map(|(row, name)| Share::new(row, name)).ok_or(Error::NotFound)
}

/// What others share with this person, and of whom: a share with the patient's name. What is over is left out.
pub fn received(conn: &mut Conn, user: &UserId, now: NaiveDateTime) -> Result<Vec<(Share, String)>> {
    type Named = (Row, String, Option<String>, Option<String>);
    let rows: Vec<Named> = patient_shares::table
        .inner_join(users::table.on(users::id.eq(patient_shares::shared_by_user_id)))
        .inner_join(patients::table.on(patients::id.eq(patient_shares::patient_id)))
        .filter(patient_shares::shared_with_user_id.eq(user))
        .filter(patient_shares::is_active.eq(true))
        .filter(patients::deleted_at.is_null())
        .order((patients::first_name, patient_shares::id))
        .select((Row::as_select(), users::full_name, patients::first_name, patients::last_name))
        .load(conn)?;
    let named = rows.into_iter().map(|(row, giver, first, last)| {
        let name = [first, last].into_iter().flatten().collect::<Vec<_>>().join(" ");
        (Share::new(row, giver), name)
    });
    Ok(named.filter(|(share, _)| share.lives(now)).collect())
}

/// What this person shares with others, living only, with the patient's name.
pub fn given_by(conn: &mut Conn, user: &UserId, now: NaiveDateTime) -> Result<Vec<(Share, String)>> {
    type Named = (Row, String, Option<String>, Option<String>);
    let owned = patient_owners::table.filter(patient_owners::user_id.eq(user)).select(patient_owners::patient_id);
    let rows: Vec<Named> = patient_shares::table
        .inner_join(users::table.on(users::id.eq(patient_shares::shared_with_user_id)))
        .inner_join(patients::table.on(patients::id.eq(patient_shares::patient_id)))
        .filter(patient_shares::patient_id.eq_any(owned))
        .filter(patient_shares::is_active.eq(true))
        .filter(patients::deleted_at.is_null())
        .order((patients::first_name, patients::id, users::full_name, patient_shares::id))
        .select((Row::as_select(), users::full_name, patients::first_name, patients::last_name))
        .load(conn)?;
    let named = rows
        .into_iter()
        .map(|(row, with, first, last)| (Share::new(row, with), [first, last].into_iter().flatten().collect::<Vec<_>>().join(" ")));
    Ok(named.filter(|(share, _)| share.lives(now)).collect())
}

/// The living shares that a person may manage and that end soon, with the patient's name: what the start page warns of.
pub fn ending_soon(conn: &mut Conn, user: &UserId, now: NaiveDateTime) -> Result<Vec<(Share, String)>> {
    type Named = (Row, String, Option<String>, Option<String>);
    let owned = patient_owners::table.filter(patient_owners::user_id.eq(user)).select(patient_owners::patient_id);
    let rows: Vec<Named> = patient_shares::table
        .inner_join(users::table.on(users::id.eq(patient_shares::shared_with_user_id)))
        .inner_join(patients::table.on(patients::id.eq(patient_shares::patient_id)))
        .filter(patient_shares::is_active.eq(true))
        .filter(patient_shares::expires_at.gt(now))
        .filter(patient_shares::expires_at.le(now + super::watch::WARN_BEFORE))
        .filter(patients::deleted_at.is_null())
        .filter(patient_shares::patient_id.eq_any(owned))
        .order((patient_shares::expires_at, patient_shares::id))
        .limit(20)
        .select((Row::as_select(), users::full_name, patients::first_name, patients::last_name))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(row, with, first, last)| (Share::new(row, with), [first, last].into_iter().flatten().collect::<Vec<_>>().join(" ")))
        .collect())
}

/// Is this person in already, as an owner or by a share that lives?
pub fn is_in<L: AtLeast<Full>>(conn: &mut Conn, access: &PatientAccess<L>, user: &UserId) -> Result<bool> {
    if is_owner(conn, access.id(), user)? {
        return Ok(true);
    }
    Ok(given(conn, access)?.iter().any(|share| share.with == *user && share.lives(access.now)))
}

pub fn is_owner(conn: &mut Conn, patient: &PatientId, user: &UserId) -> Result<bool> {
    let found: Option<UserId> = patient_owners::table.find((patient, user)).select(patient_owners::user_id).first(conn).optional()?;
    Ok(found.is_some())
}

/// Ids and names of the owners, the first of them first.
pub fn owners<L: AtLeast<Full>>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<(UserId, String)>> {
    Ok(patient_owners::table
        .inner_join(users::table.on(users::id.eq(patient_owners::user_id)))
        .filter(patient_owners::patient_id.eq(access.id()))
        .order((patient_owners::created_at, users::id))
        .select((users::id, users::full_name))
        .load(conn)?)
}

/// Gives a share; there is one for each patient and person, so one that was there before takes these terms.
pub fn give<L: AtLeast<Full>>(
    tx: &mut Tx<'_>,
    access: &PatientAccess<L>,
    to: &UserId,
    terms: &Terms,
    invitation: &InvitationId,
) -> Result<()> {
    terms.check(access).map_err(Error::Invalid)?;
    if is_owner(tx, access.id(), to)? {
        return Err(Error::Invalid(vec![("to".to_owned(), FieldError::Rule("error.invite_owner"))]));
    }
    let (kinds, tags, without) = terms.scope.to_columns();
    let values = (
        patient_shares::shared_by_user_id.eq(&access.actor.user),
        patient_shares::permission_level.eq(terms.permission),
        patient_shares::kinds.eq(kinds),
        patient_shares::tags.eq(tags),
        patient_shares::without.eq(without),
        patient_shares::is_active.eq(true),
        patient_shares::starts_at.eq(terms.starts_at),
        patient_shares::expires_at.eq(terms.expires_at),
        patient_shares::note.eq(&terms.note),
        patient_shares::invitation_id.eq(Some(invitation)),
        patient_shares::warned_at.eq(None::<NaiveDateTime>),
        patient_shares::ended_told_at.eq(None::<NaiveDateTime>),
        patient_shares::updated_at.eq(access.now),
    );
    let known = patient_shares::table.filter(patient_shares::patient_id.eq(access.id())).filter(patient_shares::shared_with_user_id.eq(to));
    if diesel::update(known).set(values.clone()).execute(&mut **tx)? == 0 {
        diesel::insert_into(patient_shares::table)
            .values((
                patient_shares::id.eq(ShareId::new()),
                patient_shares::patient_id.eq(access.id()),
                patient_shares::shared_with_user_id.eq(to),
                patient_shares::created_at.eq(access.now),
                values,
            ))
            .execute(&mut **tx)?;
    }
    told(access, Action::Shared, to).write(tx)?;
    Ok(())
}

/// Everything of a share that has not begun or ended yet can be changed; nobody changes the share that they have themselves, and who has a
/// part only leaves alone what goes further.
pub fn change<L: AtLeast<Full>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, id: &ShareId, terms: &Terms) -> Result<()> {
    let share = manageable(tx, access, id)?;
    terms.check(access).map_err(Error::Invalid)?;
    let (kinds, tags, without) = terms.scope.to_columns();
    diesel::update(patient_shares::table.find(id))
        .set((
            patient_shares::permission_level.eq(terms.permission),
            patient_shares::kinds.eq(kinds),
            patient_shares::tags.eq(tags),
            patient_shares::without.eq(without),
            patient_shares::starts_at.eq(terms.starts_at),
            patient_shares::expires_at.eq(terms.expires_at),
            patient_shares::note.eq(&terms.note),
            patient_shares::warned_at.eq(None::<NaiveDateTime>),
            patient_shares::ended_told_at.eq(None::<NaiveDateTime>),
            patient_shares::updated_at.eq(access.now),
        ))
        .execute(&mut **tx)?;
    told(access, Action::ShareChanged, &share.with).write(tx)?;
    Ok(())
}

/// A share that this access may change: living, not their own, and of no more than they have.
pub fn manageable<L: AtLeast<Full>>(conn: &mut Conn, access: &PatientAccess<L>, id: &ShareId) -> Result<Share> {
    let share = find(conn, access, id)?;
    if !share.active {
        return Err(Error::NotFound);
    }
    if share.with == access.actor.user || !share.terms.scope.is_within(access.scope()) {
        return Err(Error::Forbidden);
    }
    Ok(share)
}

/// A week more.
pub fn extend<L: AtLeast<Full>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, id: &ShareId) -> Result<()> {
    let share = manageable(tx, access, id)?;
    let Some(until) = share.extended_until(access.now) else { return Ok(()) };
    change(tx, access, id, &Terms { expires_at: Some(until), ..share.terms })
}

/// Ends a share at once.
pub fn end<L: AtLeast<Full>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, id: &ShareId) -> Result<()> {
    let share = find(tx, access, id)?;
    if share.with == access.actor.user {
        return Err(Error::Forbidden);
    }
    close(tx, &share, access.now)?;
    told(access, Action::ShareEnded, &share.with).write(tx)?;
    Ok(())
}

/// Gives back what others share with this person.
pub fn leave(tx: &mut Tx<'_>, actor: &Actor, patient: &PatientId, now: NaiveDateTime) -> Result<()> {
    let row: Option<(Row, String)> = patient_shares::table
        .inner_join(users::table.on(users::id.eq(patient_shares::shared_by_user_id)))
        .filter(patient_shares::patient_id.eq(patient))
        .filter(patient_shares::shared_with_user_id.eq(&actor.user))
        .filter(patient_shares::is_active.eq(true))
        .select((Row::as_select(), users::full_name))
        .first(&mut **tx)
        .optional()?;
    // A share that opens nothing now is none to give back.
    crate::access::grant::<crate::access::View>(tx, actor, patient, now)?;
    let share = row.map(|(row, name)| Share::new(row, name)).ok_or(Error::NotFound)?;
    if actor.via_read_only() {
        return Err(Error::Forbidden);
    }
    close(tx, &share, now)?;
    Event { detail: Some("left".to_owned()), ..Event::new(actor, Action::ShareEnded, now).patient(patient) }.write(tx)?;
    Ok(())
}

fn close(tx: &mut Tx<'_>, share: &Share, now: NaiveDateTime) -> Result<()> {
    diesel::update(patient_shares::table.find(&share.id))
        .set((patient_shares::is_active.eq(false), patient_shares::ended_told_at.eq(Some(now)), patient_shares::updated_at.eq(now)))
        .execute(&mut **tx)?;
    if let Some(invitation) = &share.invitation {
        let accepted = invitations::table.find(invitation).filter(invitations::status.eq("accepted"));
        // An invitation for several patients is revoked when the last of its shares is.
        let others: i64 = patient_shares::table
            .filter(patient_shares::invitation_id.eq(invitation))
            .filter(patient_shares::is_active.eq(true))
            .count()
            .get_result(&mut **tx)?;
        if others == 0 {
            diesel::update(accepted).set((invitations::status.eq("revoked"), invitations::updated_at.eq(now))).execute(&mut **tx)?;
        }
    }
    Ok(())
}

/// Shares and links that open some tags open the same ones after these became others.
pub fn retag(tx: &mut Tx<'_>, patient: &PatientId, moved: &[(TagId, TagId)]) -> Result<()> {
    let renamed = |text: &str| {
        let ids: Vec<String> = serde_json::from_str(text).ok()?;
        let of = |id: String| moved.iter().find(|(from, _)| from.as_str() == id).map_or(id, |(_, into)| into.to_string());
        Some(serde_json::Value::from(ids.into_iter().map(of).collect::<Vec<_>>()).to_string())
    };
    let shares = patient_shares::table.filter(patient_shares::patient_id.eq(patient)).filter(patient_shares::tags.is_not_null());
    for (id, tags) in shares.select((patient_shares::id, patient_shares::tags.assume_not_null())).load::<(ShareId, String)>(&mut **tx)? {
        diesel::update(patient_shares::table.find(id)).set(patient_shares::tags.eq(renamed(&tags).or(Some(tags)))).execute(&mut **tx)?;
    }
    let links = professional_links::table.filter(professional_links::patient_id.eq(patient)).filter(professional_links::tags.is_not_null());
    for (id, tags) in
        links.select((professional_links::id, professional_links::tags.assume_not_null())).load::<(LinkId, String)>(&mut **tx)?
    {
        diesel::update(professional_links::table.find(id))
            .set(professional_links::tags.eq(renamed(&tags).or(Some(tags))))
            .execute(&mut **tx)?;
    }
    Ok(())
}

/// Another owner; a share of theirs is needed no more.
pub fn add_owner(tx: &mut Tx<'_>, access: &PatientAccess<Own>, to: &UserId) -> Result<()> {
    if is_owner(tx, access.id(), to)? {
        return Err(Error::Invalid(vec![("to".to_owned(), FieldError::Rule("error.invite_owner"))]));
    }
    crate::patients::add_owner(tx, access, to)?;
    let theirs = patient_shares::table
        .filter(patient_shares::patient_id.eq(access.id()))
        .filter(patient_shares::shared_with_user_id.eq(to))
        .filter(patient_shares::is_active.eq(true));
    diesel::update(theirs).set((patient_shares::is_active.eq(false), patient_shares::updated_at.eq(access.now))).execute(&mut **tx)?;
    told(access, Action::OwnershipGiven, to).write(tx)?;
    Ok(())
}

/// An owner gives up their part; the last one cannot.
pub fn resign(tx: &mut Tx<'_>, access: &PatientAccess<Own>) -> Result<()> {
    let others: Option<UserId> = patient_owners::table
        .filter(patient_owners::patient_id.eq(access.id()))
        .filter(patient_owners::user_id.ne(&access.actor.user))
        .order((patient_owners::created_at, patient_owners::user_id))
        .select(patient_owners::user_id)
        .first(&mut **tx)
        .optional()?;
    let Some(next) = others else {
        return Err(Error::Invalid(vec![("owner".to_owned(), FieldError::Rule("error.last_owner"))]));
    };
    diesel::delete(patient_owners::table.find((access.id(), &access.actor.user))).execute(&mut **tx)?;
    if access.patient.owner_user_id == access.actor.user {
        // Somebody's own record is theirs alone to call so.
        diesel::update(patients::table.find(access.id()))
            .set((patients::owner_user_id.eq(&next), patients::is_self_record.eq(false), patients::updated_at.eq(access.now)))
            .execute(&mut **tx)?;
    }
    Event { detail: Some("resigned".to_owned()), ..told(access, Action::OwnershipGiven, &next) }.write(tx)?;
    Ok(())
}

/// An event about another account: its id stands in `detail`.
fn told<L: AtLeast<Full>>(access: &PatientAccess<L>, action: Action, about: &UserId) -> Event {
    Event { detail: Some(about.to_string()), ..Event::new(&access.actor, action, access.now).patient(access.id()) }
}
