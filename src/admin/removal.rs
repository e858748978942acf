//! An account that goes, with a plan for its people: somebody who kept them with it takes them over and says so, or they go into the trash. The
//! account is closed at once, and gone when nothing is its own any more; until then it can be called off.

use chrono::NaiveDateTime;
use diesel::{prelude::*, sql_types::Text};

use crate::{
    access::{Actor, Permission, Via},
    audit::{Action, Event},
    auth::{
        accounts,
        manage::{self, Role},
        notices::{self, Notice},
    },
    db::{
        Conn, Tx,
        schema::{account_removals, household_members, patient_shares, users},
        types::{HouseholdId, UserId},
    },
    error::{Error, Result},
    files::shelf,
    households,
    paperless::sync::connection,
    patients::leaving,
    records::field::FieldError,
};

/// The job's name in the table.
pub const TASK: &str = "remove_accounts";

/// What becomes of the people who are the account's alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    Trash,
    /// To this account, if it says yes.
    Give(UserId),
}

/// A removal that is under way.
#[derive(Clone, Debug, Queryable)]
pub struct Removal {
    pub by_name: String,
    pub plan: String,
    pub to: Option<UserId>,
    /// `asked`, `declined` or `due`.
    pub state: String,
    pub created_at: NaiveDateTime,
}

pub fn of(conn: &mut Conn, user: &UserId) -> Result<Option<Removal>> {
    Ok(account_removals::table
        .find(user)
        .select((
            account_removals::by_name,
            account_removals::plan,
            account_removals::to_user,
            account_removals::state,
            account_removals::created_at,
        ))
        .first(conn)
        .optional()?)
}

/// Accounts whose removal is under way.
pub fn all(conn: &mut Conn) -> Result<Vec<UserId>> {
    Ok(account_removals::table.select(account_removals::user_id).load(conn)?)
}

/// Who can be asked to take the people over: who keeps a household with the account, or has a full share of every one of them. Not the
/// administrator who removes it: they would open records to themself.
pub fn candidates(conn: &mut Conn, user: &UserId, by: &UserId, now: NaiveDateTime) -> Result<Vec<(UserId, String)>> {
    let mine = household_members::table.filter(household_members::user_id.eq(user)).select(household_members::household_id);
    let mine: Vec<HouseholdId> = mine.load(conn)?;
    let mut near: Vec<UserId> =
        household_members::table.filter(household_members::household_id.eq_any(mine)).select(household_members::user_id).load(conn)?;
    let people = leaving::sole(conn, user)?.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    let shares: Vec<UserId> = patient_shares::table
        .filter(patient_shares::patient_id.eq_any(people.clone()))
        .filter(patient_shares::is_active.eq(true))
        .filter(patient_shares::permission_level.eq(Permission::Full))
        .filter(patient_shares::kinds.is_null().and(patient_shares::tags.is_null()).and(patient_shares::without.is_null()))
        .filter(patient_shares::starts_at.is_null().or(patient_shares::starts_at.le(now)))
        .filter(patient_shares::expires_at.is_null().or(patient_shares::expires_at.gt(now)))
        .select(patient_shares::shared_with_user_id)
        .load(conn)?;
    near.extend(shares.iter().filter(|one| shares.iter().filter(|other| other == one).count() == people.len()).cloned());
    Ok(users::table
        .filter(users::id.eq_any(near))
        .filter(users::id.ne(user))
        .filter(users::id.ne(by))
        .filter(users::role.ne(Role::Guest.as_str()))
        .filter(users::disabled_at.is_null())
        .order((users::full_name, users::id))
        .select((users::id, users::full_name))
        .load(conn)?)
}

fn refuse(field: &str, key: &'static str) -> Error {
    Error::Invalid(vec![(field.to_owned(), FieldError::Rule(key))])
}

/// The account itself, for what it has to let go of. The audit says who removes it.
fn itself(user: &UserId, by: &Actor) -> Actor {
    Actor { user: user.clone(), name: by.name.clone(), via: Via::Job, address: by.address.clone() }
}

/// Closes the account and begins what the plan says.
pub fn begin(tx: &mut Tx<'_>, by: &Actor, user: &UserId, plan: &Plan, now: NaiveDateTime) -> Result<()> {
    if by.user == *user {
        return Err(refuse("account", "error.own_account"));
    }
    manage::must_not_be_last(tx, user, "account")?;
    if of(tx, user)?.is_some() {
        return Err(Error::Conflict("removal_under_way"));
    }
    let to = match plan {
        Plan::Give(to) if candidates(tx, user, &by.user, now)?.iter().any(|(id, _)| id == to) => Some(to),
        Plan::Give(_) => return Err(refuse("to", "error.no_such_receiver")),
        Plan::Trash => None,
    };
    // What lies only in their Paperless-ngx would be out of reach with their token.
    if connection::of(tx, user)?.is_some() {
        connection::end(tx, &itself(user, by), now)?;
    }
    let begun = Event::new(by, Action::AccountRemovalBegun, now).kind(if to.is_some() { "give" } else { "trash" });
    accounts::about(begun, user).write(tx)?;
    manage::disable(tx, by, user, now)?;
    diesel::insert_into(account_removals::table)
        .values((
            account_removals::user_id.eq(user),
            account_removals::by_user.eq(by.user.as_str()),
            account_removals::by_name.eq(&by.name),
            account_removals::plan.eq(if to.is_some() { "give" } else { "trash" }),
            account_removals::to_user.eq(to),
            account_removals::state.eq(if to.is_some() { "asked" } else { "due" }),
            account_removals::created_at.eq(now),
        ))
        .execute(&mut **tx)?;
    if let Some(to) = to {
        return notices::tell(tx, to, Notice::TakeOver, Some(&by.name), now);
    }
    leaving::to_trash(tx, by, user, now)?;
    for household in alone_in(tx, user)? {
        shelf::lay_all(tx, by, &household, None, now)?;
    }
    finish(tx, by, user, now).map(drop)
}

/// The households nobody else belongs to.
fn alone_in(conn: &mut Conn, user: &UserId) -> Result<Vec<HouseholdId>> {
    let mine = || household_members::table.filter(household_members::user_id.eq(user)).select(household_members::household_id);
    let all: Vec<HouseholdId> = mine().load(conn)?;
    let shared: Vec<HouseholdId> = household_members::table
        .filter(household_members::household_id.eq_any(all.clone()))
        .filter(household_members::user_id.ne(user))
        .select(household_members::household_id)
        .load(conn)?;
    Ok(all.into_iter().filter(|household| !shared.contains(household)).collect())
}

/// Everything as it was before, but for the sessions and tokens.
pub fn call_off(tx: &mut Tx<'_>, by: &Actor, user: &UserId, now: NaiveDateTime) -> Result<()> {
    let removal = of(tx, user)?.ok_or(Error::NotFound)?;
    diesel::delete(account_removals::table.find(user)).execute(&mut **tx)?;
    leaving::bring_back(tx, by, user, removal.created_at, now)?;
    for household in alone_in(tx, user)? {
        shelf::lay_all(tx, by, &household, Some(removal.created_at), now)?;
    }
    let called_off = Event::new(by, Action::AccountRemovalCalledOff, now);
    accounts::about(called_off, user).write(tx)?;
    manage::enable(tx, by, user, now)
}

/// What somebody is asked to take over.
#[derive(Clone, Debug)]
pub struct Offered {
    pub user: UserId,
    pub name: String,
    /// The administrator who asks.
    pub by: String,
    pub people: i64,
}

pub fn offered_to(conn: &mut Conn, receiver: &UserId) -> Result<Vec<Offered>> {
    let rows: Vec<(UserId, String, String)> = account_removals::table
        .inner_join(users::table.on(users::id.eq(account_removals::user_id)))
        .filter(account_removals::to_user.eq(receiver))
        .filter(account_removals::state.eq("asked"))
        .order(account_removals::created_at)
        .select((users::id, users::full_name, account_removals::by_name))
        .load(conn)?;
    rows.into_iter()
        .map(|(user, name, by)| {
            let tally = leaving::tally(conn, &user)?;
            Ok(Offered { user, name, by, people: tally.alone.saturating_add(tally.thrown) })
        })
        .collect()
}

/// 404 unless this account's people are offered to that one.
pub fn is_offered(conn: &mut Conn, user: &UserId, receiver: &UserId) -> Result<()> {
    let asked = of(conn, user)?.is_some_and(|removal| removal.state == "asked" && removal.to.as_ref() == Some(receiver));
    if asked { Ok(()) } else { Err(Error::NotFound) }
}

/// Yes or no of whom they are offered to. With a yes they own them, and keep the households in which nobody else would be.
pub fn answer(tx: &mut Tx<'_>, receiver: &Actor, user: &UserId, accepts: bool, now: NaiveDateTime) -> Result<()> {
    is_offered(tx, user, &receiver.user)?;
    let role: String = users::table.find(&receiver.user).select(users::role).first(&mut **tx)?;
    if role == Role::Guest.as_str() {
        return Err(Error::Forbidden);
    }
    let state = if accepts { "due" } else { "declined" };
    diesel::update(account_removals::table.find(user)).set(account_removals::state.eq(state)).execute(&mut **tx)?;
    let event = Event { detail: Some(state.to_owned()), ..Event::new(receiver, Action::RemovalAnswered, now) };
    event.write(tx)?;
    if !accepts {
        return Ok(());
    }
    for household in alone_in(tx, user)? {
        households::add(tx, &household, &receiver.user, households::Role::Keeper, now)?;
    }
    leaving::give(tx, receiver, user, now)?;
    let (by, by_name): (String, String) =
        account_removals::table.find(user).select((account_removals::by_user, account_removals::by_name)).first(&mut **tx)?;
    finish(tx, &administrator(&by, by_name), user, now).map(drop)
}

fn administrator(id: &str, name: String) -> Actor {
    Actor { user: UserId::parse(id).unwrap_or_default(), name, via: Via::Job, address: None }
}

/// Removes one account that is due and free; how many: one or none. A job's work.
pub fn finish_next(tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<usize> {
    let due: Vec<(UserId, String, String)> = account_removals::table
        .filter(account_removals::state.eq("due"))
        .order(account_removals::created_at)
        .select((account_removals::user_id, account_removals::by_user, account_removals::by_name))
        .load(&mut **tx)?;
    for (user, by, name) in due {
        if finish(tx, &administrator(&by, name), &user, now)? {
            return Ok(1);
        }
    }
    Ok(0)
}

/// The account goes, if nothing needs it any more.
fn finish(tx: &mut Tx<'_>, by: &Actor, user: &UserId, now: NaiveDateTime) -> Result<bool> {
    if !leaving::is_free(tx, user)? {
        return Ok(false);
    }
    leaving::leave_to_the_others(tx, by, user, now)?;
    // What they gave others of people who stay goes on, in the name of who owns these.
    for table in ["patient_shares", "family_history_shares"] {
        let text = format!(
            "UPDATE {table} SET shared_by_user_id = (SELECT owner_user_id FROM patients WHERE patients.id = {table}.patient_id) \
             WHERE shared_by_user_id = $1"
        );
        diesel::sql_query(text).bind::<Text, _>(user).execute(&mut **tx)?;
    }
    hand_on_households(tx, user)?;
    diesel::delete(users::table.find(user)).execute(&mut **tx)?;
    accounts::about(Event::new(by, Action::AccountRemoved, now), user).write(tx)?;
    Ok(true)
}

/// A household whose last keeper goes is kept by who has been a member longest.
fn hand_on_households(tx: &mut Tx<'_>, user: &UserId) -> Result<()> {
    let mine = household_members::table.filter(household_members::user_id.eq(user)).select(household_members::household_id);
    for household in mine.load::<HouseholdId>(&mut **tx)? {
        let others = || {
            household_members::table
                .filter(household_members::household_id.eq(&household))
                .filter(household_members::user_id.ne(user))
                .order((household_members::created_at, household_members::user_id))
        };
        let roles: Vec<(UserId, households::Role)> =
            others().select((household_members::user_id, household_members::role)).load(&mut **tx)?;
        if roles.iter().any(|(_, role)| *role == households::Role::Keeper) {
            continue;
        }
        if let Some((eldest, _)) = roles.first() {
            diesel::update(household_members::table.find((&household, eldest)))
                .set(household_members::role.eq(households::Role::Keeper))
                .execute(&mut **tx)?;
        }
    }
    Ok(())
}
