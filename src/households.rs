//! Households: people who keep records together. Membership opens the directory, the tags and the templates, never a patient.

pub mod pages;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::{
    access::Actor,
    audit::{Action, Event},
    auth::accounts,
    db::{
        Conn, Tx,
        schema::{household_members, households, patient_owners, patients, users},
        types::{HouseholdId, PatientId, UserId, choice},
    },
    error::{Error, Result},
    records::{field::FieldError, tagged},
    sharing::shares,
};

choice!(
    /// A keeper invites, names and removes; a member uses what is there and adds to it.
    Role { Keeper = "keeper", Member = "member" }
);

pub const LONGEST_NAME: usize = 100;

/// A household as one of its members sees it.
#[derive(Clone, Debug)]
pub struct Household {
    pub id: HouseholdId,
    pub name: String,
    pub role: Role,
    /// New people and directory entries of this person belong here.
    pub main: bool,
    pub members: Vec<Member>,
}

#[derive(Clone, Debug)]
pub struct Member {
    pub id: UserId,
    pub name: String,
    pub role: Role,
}

impl Household {
    pub fn keeps(&self) -> bool {
        self.role == Role::Keeper
    }
}

/// The households this person is a member of.
pub fn ids(conn: &mut Conn, user: &UserId) -> Result<Vec<HouseholdId>> {
    Ok(household_members::table.filter(household_members::user_id.eq(user)).select(household_members::household_id).load(conn)?)
}

/// The households of a person, the main one first. Two statements.
pub fn of(conn: &mut Conn, user: &UserId) -> Result<Vec<Household>> {
    let mine = ids(conn, user)?;
    let rows: Vec<(HouseholdId, String, UserId, String, Role, HouseholdId)> = household_members::table
        .inner_join(households::table.on(households::id.eq(household_members::household_id)))
        .inner_join(users::table.on(users::id.eq(household_members::user_id)))
        .filter(household_members::household_id.eq_any(mine))
        .order((households::name, households::id, users::full_name, users::id))
        .select((households::id, households::name, users::id, users::full_name, household_members::role, users::household_id))
        .load(conn)?;
    let mut list: Vec<Household> = Vec::new();
    for (id, name, member, full_name, role, main) in rows {
        if list.last().is_none_or(|last| last.id != id) {
            list.push(Household { id: id.clone(), name, role: Role::Member, main: false, members: Vec::new() });
        }
        let Some(household) = list.last_mut() else { continue };
        if member == *user {
            household.role = role;
            household.main = main == id;
        }
        household.members.push(Member { id: member, name: full_name, role });
    }
    list.sort_by_key(|household| !household.main);
    Ok(list)
}

pub fn name(conn: &mut Conn, household: &HouseholdId) -> Result<Option<String>> {
    Ok(households::table.find(household).select(households::name).first(conn).optional()?)
}

fn role(conn: &mut Conn, household: &HouseholdId, user: &UserId) -> Result<Option<Role>> {
    Ok(household_members::table.find((household, user)).select(household_members::role).first(conn).optional()?)
}

pub fn is_member(conn: &mut Conn, household: &HouseholdId, user: &UserId) -> Result<bool> {
    Ok(role(conn, household, user)?.is_some())
}

/// 404 for who is no member, 403 for who keeps it not.
pub fn must_keep(conn: &mut Conn, household: &HouseholdId, user: &UserId) -> Result<()> {
    match role(conn, household, user)? {
        Some(Role::Keeper) => Ok(()),
        Some(Role::Member) => Err(Error::Forbidden),
        None => Err(Error::NotFound),
    }
}

fn wrong(name: &str, key: &'static str) -> Error {
    Error::Invalid(vec![(name.to_owned(), FieldError::Rule(key))])
}

pub fn rename(tx: &mut Tx<'_>, actor: &Actor, household: &HouseholdId, name: &str, now: NaiveDateTime) -> Result<()> {
    must_keep(tx, household, &actor.user)?;
    let length = name.chars().count();
    let problem = if name.is_empty() {
        Some(FieldError::Required)
    } else if length > LONGEST_NAME {
        Some(FieldError::TooLong { max: LONGEST_NAME, is: length })
    } else if name.chars().any(char::is_control) {
        Some(FieldError::ControlCharacters)
    } else {
        None
    };
    if let Some(problem) = problem {
        return Err(Error::Invalid(vec![("name".to_owned(), problem)]));
    }
    diesel::update(households::table.find(household)).set(households::name.eq(name)).execute(&mut **tx)?;
    told(actor, "renamed", now).write(tx)?;
    Ok(())
}

fn told(actor: &Actor, what: &str, now: NaiveDateTime) -> Event {
    Event { detail: Some(what.to_owned()), ..Event::new(actor, Action::HouseholdChanged, now) }
}

/// Makes a member a keeper or the reverse; the last keeper stays one.
pub fn set_role(tx: &mut Tx<'_>, actor: &Actor, household: &HouseholdId, member: &UserId, to: Role, now: NaiveDateTime) -> Result<()> {
    must_keep(tx, household, &actor.user)?;
    let was = role(tx, household, member)?.ok_or(Error::NotFound)?;
    if was == Role::Keeper && to == Role::Member && is_last_keeper(tx, household, member)? {
        return Err(wrong("role", "error.last_keeper"));
    }
    diesel::update(household_members::table.find((household, member))).set(household_members::role.eq(to)).execute(&mut **tx)?;
    told(actor, "role", now).write(tx)?;
    Ok(())
}

fn is_last_keeper(conn: &mut Conn, household: &HouseholdId, member: &UserId) -> Result<bool> {
    let others: i64 = household_members::table
        .filter(household_members::household_id.eq(household))
        .filter(household_members::user_id.ne(member))
        .filter(household_members::role.eq(Role::Keeper))
        .count()
        .get_result(conn)?;
    Ok(others == 0)
}

/// Becomes a member. New people of theirs belong here from now on; those they keep alone come along if they say so.
pub fn join(tx: &mut Tx<'_>, actor: &Actor, household: &HouseholdId, place: Role, bring: bool, now: NaiveDateTime) -> Result<()> {
    if is_member(tx, household, &actor.user)? {
        return Err(wrong("to", "error.invite_known"));
    }
    let before: HouseholdId = users::table.find(&actor.user).select(users::household_id).first(&mut **tx)?;
    add(tx, household, &actor.user, place, now)?;
    if bring {
        for patient in kept_alone(tx, &before, &actor.user)? {
            move_patient(tx, actor, &patient, household, now)?;
        }
    }
    diesel::update(users::table.find(&actor.user)).set(users::household_id.eq(household)).execute(&mut **tx)?;
    told(actor, "joined", now).write(tx)?;
    Ok(())
}

pub fn add(tx: &mut Tx<'_>, household: &HouseholdId, user: &UserId, role: Role, now: NaiveDateTime) -> Result<()> {
    diesel::insert_into(household_members::table)
        .values((
            household_members::household_id.eq(household),
            household_members::user_id.eq(user),
            household_members::role.eq(role),
            household_members::created_at.eq(now),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// The patients of a household that this member owns and no other member does: they go where the member goes.
pub fn kept_alone(conn: &mut Conn, household: &HouseholdId, member: &UserId) -> Result<Vec<PatientId>> {
    let others = household_members::table
        .filter(household_members::household_id.eq(household))
        .filter(household_members::user_id.ne(member))
        .select(household_members::user_id);
    let joint: Vec<PatientId> = patient_owners::table
        .inner_join(patients::table.on(patients::id.eq(patient_owners::patient_id)))
        .filter(patients::household_id.eq(household))
        .filter(patient_owners::user_id.eq_any(others))
        .select(patient_owners::patient_id)
        .load(conn)?;
    Ok(patients::table
        .inner_join(patient_owners::table.on(patient_owners::patient_id.eq(patients::id)))
        .filter(patients::household_id.eq(household))
        .filter(patient_owners::user_id.eq(member))
        .filter(patients::id.ne_all(joint))
        .order((patients::created_at, patients::id))
        .select(patients::id)
        .load(conn)?)
}

/// Moves a patient to another household, with copies of the tags on their records: tags belong to a household.
pub fn move_patient(tx: &mut Tx<'_>, actor: &Actor, patient: &PatientId, to: &HouseholdId, now: NaiveDateTime) -> Result<()> {
    diesel::update(patients::table.find(patient)).set(patients::household_id.eq(to)).execute(&mut **tx)?;
    let moved = tagged::move_to(tx, patient, to, now)?;
    shares::retag(tx, patient, &moved)?;
    told(actor, "moved", now).patient(patient).write(tx)?;
    Ok(())
}

/// Takes a member out: a keeper another, or a member themself. The people they alone keep go with them, into a household of their own if they
/// have no other; what is kept jointly, the directory and the tags stay. Shares are not touched.
pub fn leave(tx: &mut Tx<'_>, actor: &Actor, household: &HouseholdId, member: &UserId, now: NaiveDateTime) -> Result<()> {
    if actor.user != *member {
        must_keep(tx, household, &actor.user)?;
    }
    role(tx, household, member)?.ok_or(Error::NotFound)?;
    let others: i64 = household_members::table
        .filter(household_members::household_id.eq(household))
        .filter(household_members::user_id.ne(member))
        .count()
        .get_result(&mut **tx)?;
    if others == 0 {
        return Err(wrong("member", "error.last_member"));
    }
    if is_last_keeper(tx, household, member)? {
        return Err(wrong("member", "error.last_keeper"));
    }
    let own = kept_alone(tx, household, member)?;
    diesel::delete(household_members::table.find((household, member))).execute(&mut **tx)?;
    let next = next_household(tx, household, member, now)?;
    for patient in own {
        move_patient(tx, actor, &patient, &next, now)?;
    }
    told(actor, if actor.user == *member { "left" } else { "removed" }, now).write(tx)?;
    Ok(())
}

/// Where a member goes who leaves: the household that is their main one, another of theirs, or a new one.
fn next_household(tx: &mut Tx<'_>, left: &HouseholdId, member: &UserId, now: NaiveDateTime) -> Result<HouseholdId> {
    let (main, full_name): (HouseholdId, String) =
        users::table.find(member).select((users::household_id, users::full_name)).first(&mut **tx)?;
    if main != *left {
        return Ok(main);
    }
    let other: Option<HouseholdId> = household_members::table
        .filter(household_members::user_id.eq(member))
        .order((household_members::created_at, household_members::household_id))
        .select(household_members::household_id)
        .first(&mut **tx)
        .optional()?;
    let next = if let Some(other) = other {
        other
    } else {
        let own = accounts::found_household(tx, &full_name, now)?;
        add(tx, &own, member, Role::Keeper, now)?;
        own
    };
    diesel::update(users::table.find(member)).set(users::household_id.eq(&next)).execute(&mut **tx)?;
    Ok(next)
}

/// New people and entries of this person belong here from now on.
pub fn make_main(tx: &mut Tx<'_>, actor: &Actor, household: &HouseholdId, now: NaiveDateTime) -> Result<()> {
    role(tx, household, &actor.user)?.ok_or(Error::NotFound)?;
    diesel::update(users::table.find(&actor.user)).set(users::household_id.eq(household)).execute(&mut **tx)?;
    told(actor, "main", now).write(tx)?;
    Ok(())
}
