//! Accounts: the rules for a new one, finding, making, disabling one, and setting its password.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{
    links,
    password::{HashError, PasswordError, check_new},
    session, token,
};
use crate::{
    access::{Actor, Via},
    app::App,
    audit::{Action, Event},
    db::{
        Conn, MultiBackend, Tx,
        schema::{household_members, households, user_preferences, users},
        types::{HouseholdId, UserId},
    },
    error::{Error, Result},
    i18n::Locale,
    records::field::{Errors, FieldError, looks_like_email},
    text::fold,
};

const LONGEST_NAME: usize = 100;
const LONGEST_USERNAME: usize = 50;
const SHORTEST_USERNAME: usize = 2;
const LONGEST_EMAIL: usize = 254;

/// A row of `users`, as signing in and the command line need it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(MultiBackend))]
pub struct Account {
    pub id: UserId,
    pub username: String,
    pub full_name: String,
    pub email: Option<String>,
    pub role: String,
    pub password_hash: Option<String>,
    pub disabled_at: Option<NaiveDateTime>,
    pub last_seen_at: Option<NaiveDateTime>,
}

impl Account {
    /// As [`at_the_door`] wants it.
    pub fn who(&self) -> (&UserId, &str) {
        (&self.id, &self.full_name)
    }

    /// Who acts when a command is run in this account's name.
    pub fn at_the_command_line(&self) -> Actor {
        Actor { user: self.id.clone(), name: self.full_name.clone(), via: Via::Cli, address: None }
    }
}

/// Is there any account yet?
pub fn any(conn: &mut Conn) -> Result<bool> {
    Ok(users::table.select(users::id).first::<UserId>(conn).optional()?.is_some())
}

/// The account of that user name or e-mail address; a user name has no `@`, so nobody can take another's address as a name.
pub fn find(conn: &mut Conn, typed: &str) -> Result<Option<Account>> {
    let typed = typed.trim();
    if typed.len() > LONGEST_EMAIL {
        return Ok(None);
    }
    let by_email = typed.contains('@');
    let mut query = users::table.select(Account::as_select()).into_boxed();
    query =
        if by_email { query.filter(users::email.eq(typed.to_lowercase())) } else { query.filter(users::username_folded.eq(fold(typed))) };
    Ok(query.first(conn).optional()?)
}

pub fn by_id(conn: &mut Conn, id: &UserId) -> Result<Account> {
    Ok(users::table.find(id).select(Account::as_select()).first(conn)?)
}

pub fn all(conn: &mut Conn) -> Result<Vec<Account>> {
    Ok(users::table.order(users::username_folded).select(Account::as_select()).load(conn)?)
}

/// What is said of an account besides its password.
#[derive(Clone, Debug, Default)]
pub struct Details {
    pub full_name: String,
    pub username: String,
    /// Empty for none.
    pub email: String,
}

impl Details {
    /// The rules that need no database.
    pub fn check(&self) -> Errors {
        let mut errors = check_name(&self.full_name);
        errors.extend(check_username(&self.username));
        errors.extend(check_email(&self.email));
        errors
    }
    /// What a password must not be made of.
    fn personal(&self) -> [&str; 3] {
        [&self.full_name, &self.username, &self.email]
    }
    fn email(&self) -> Option<String> {
        (!self.email.is_empty()).then(|| self.email.to_lowercase())
    }
}

fn wrong(name: &str, error: FieldError) -> Errors {
    vec![(name.to_owned(), error)]
}

pub fn check_name(name: &str) -> Errors {
    let length = name.chars().count();
    if name.is_empty() {
        wrong("full_name", FieldError::Required)
    } else if length > LONGEST_NAME {
        wrong("full_name", FieldError::TooLong { max: LONGEST_NAME, is: length })
    } else if name.chars().any(char::is_control) {
        wrong("full_name", FieldError::ControlCharacters)
    } else {
        Errors::new()
    }
}

pub fn check_username(name: &str) -> Errors {
    let length = name.chars().count();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() {
        wrong("username", FieldError::Required)
    } else if length > LONGEST_USERNAME {
        wrong("username", FieldError::TooLong { max: LONGEST_USERNAME, is: length })
    } else if length < SHORTEST_USERNAME || !name.chars().all(fits) || !fold(name).chars().any(char::is_alphanumeric) {
        wrong("username", FieldError::Rule("error.username"))
    } else {
        Errors::new()
    }
}

pub fn check_email(email: &str) -> Errors {
    if email.is_empty() || (email.len() <= LONGEST_EMAIL && looks_like_email(email)) {
        Errors::new()
    } else {
        wrong("email", FieldError::NotAnEmail)
    }
}

/// The rules for a password that somebody chose: typed twice, not easy to guess.
pub fn check_password(password: &str, again: Option<&str>, details: &Details) -> Errors {
    let mut errors = Errors::new();
    let mut refuse = |key| errors.push(("password".to_owned(), FieldError::Rule(key)));
    if password.is_empty() {
        return wrong("password", FieldError::Required);
    }
    if let Err(problem) = check_new(password, &details.personal()) {
        refuse(problem.key());
        if let PasswordError::TooWeak(advice) = problem {
            refuse(advice.key());
        }
    }
    if again.is_some_and(|again| again != password) {
        errors.push(("password_again".to_owned(), FieldError::Rule("error.password_again")));
    }
    errors
}

/// Hashes a password that passed the rules. Outside any transaction: it takes long.
pub fn hash(app: &App, password: &str) -> Result<String> {
    app.passwords.hash(password).map_err(|error| match error {
        HashError::Busy(_) => Error::Busy,
        HashError::TooLong => Error::Invalid(wrong("password", FieldError::Rule(PasswordError::TooLong.key()))),
        HashError::Bcrypt(_) => Error::Internal("hashing a password".to_owned()),
    })
}

/// How an account comes to be.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub details: Details,
    pub role: &'static str,
    pub password_hash: String,
    pub address: Option<String>,
    /// By a command, not by the person.
    pub by_command: bool,
    /// The household to join; without one, the account gets its own.
    pub household: Option<HouseholdId>,
}

/// Makes the account with its household and preferences.
pub fn create(tx: &mut Tx<'_>, new: &NewAccount, now: NaiveDateTime) -> Result<UserId> {
    let user = insert(tx, new, now)?;
    created(tx, new, &user, now)?;
    Ok(user)
}

fn created(tx: &mut Tx<'_>, new: &NewAccount, user: &UserId, now: NaiveDateTime) -> Result<()> {
    let event = if new.by_command {
        by_command(Action::AccountCreated, now)
    } else {
        by_person(user, &new.details.full_name, new.address.clone(), Action::AccountCreated, now)
    };
    Ok(about(event, user).write(tx)?)
}

/// How the person of a new account gets in, and who answers for their address.
#[derive(Clone, Copy, Debug)]
pub struct Ways<'a> {
    pub password_hash: Option<&'a str>,
    /// The word of `users.auth_method`.
    pub method: &'static str,
    pub email_is_verified: bool,
}

/// [`create`] for somebody who may come without a password; that of `new` is not looked at.
pub fn create_with(tx: &mut Tx<'_>, new: &NewAccount, ways: &Ways<'_>, now: NaiveDateTime) -> Result<UserId> {
    let user = insert_with(tx, new, ways, now)?;
    created(tx, new, &user, now)?;
    Ok(user)
}

/// [`create`] without its event.
pub(super) fn insert(tx: &mut Tx<'_>, new: &NewAccount, now: NaiveDateTime) -> Result<UserId> {
    // Whoever may run commands here answers for the address; what a person says of themself is not proved by saying it.
    let ways = Ways { password_hash: Some(&new.password_hash), method: "local", email_is_verified: new.by_command };
    insert_with(tx, new, &ways, now)
}

fn insert_with(tx: &mut Tx<'_>, new: &NewAccount, ways: &Ways<'_>, now: NaiveDateTime) -> Result<UserId> {
    let errors = taken(tx, &new.details, None)?;
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let user = UserId::new();
    let (household, place) = match &new.household {
        Some(household) => (household.clone(), "member"),
        None => (found_household(tx, &new.details.full_name, now)?, "keeper"),
    };
    diesel::insert_into(users::table)
        .values((
            users::id.eq(&user),
            users::household_id.eq(&household),
            users::username.eq(&new.details.username),
            users::username_folded.eq(fold(&new.details.username)),
            users::email.eq(new.details.email()),
            users::email_verified_at.eq(ways.email_is_verified.then_some(now)),
            users::password_hash.eq(ways.password_hash),
            users::full_name.eq(&new.details.full_name),
            users::role.eq(new.role),
            users::auth_method.eq(ways.method),
            users::created_at.eq(now),
            users::updated_at.eq(now),
        ))
        .execute(&mut **tx)?;
    diesel::insert_into(household_members::table)
        .values((
            household_members::household_id.eq(&household),
            household_members::user_id.eq(&user),
            household_members::role.eq(place),
            household_members::created_at.eq(now),
        ))
        .execute(&mut **tx)?;
    diesel::insert_into(user_preferences::table)
        .values((user_preferences::user_id.eq(&user), user_preferences::created_at.eq(now), user_preferences::updated_at.eq(now)))
        .execute(&mut **tx)?;
    Ok(user)
}

/// A household of one's own, with nobody in it yet.
pub fn found_household(tx: &mut Tx<'_>, name: &str, now: NaiveDateTime) -> Result<HouseholdId> {
    let id = HouseholdId::new();
    let name = Locale::default().with("household.of", &[("name", name)]);
    diesel::insert_into(households::table)
        .values((households::id.eq(&id), households::name.eq(name), households::created_at.eq(now)))
        .execute(&mut **tx)?;
    Ok(id)
}

/// Names and addresses another account has.
pub fn taken(conn: &mut Conn, details: &Details, own: Option<&UserId>) -> Result<Errors> {
    let mut errors = Errors::new();
    let other = |found: Option<UserId>| found.is_some_and(|id| Some(&id) != own);
    if !details.username.is_empty() {
        let found = users::table.filter(users::username_folded.eq(fold(&details.username))).select(users::id).first(conn).optional()?;
        if other(found) {
            errors.extend(wrong("username", FieldError::Rule("error.username_taken")));
        }
    }
    if let Some(email) = details.email() {
        let found = users::table.filter(users::email.eq(email)).select(users::id).first(conn).optional()?;
        if other(found) {
            errors.extend(wrong("email", FieldError::Rule("error.email_taken")));
        }
    }
    Ok(errors)
}

/// Changes the name others see.
pub fn rename(tx: &mut Tx<'_>, actor: &Actor, full_name: &str, now: NaiveDateTime) -> Result<()> {
    diesel::update(users::table.find(&actor.user)).set((users::full_name.eq(full_name), users::updated_at.eq(now))).execute(&mut **tx)?;
    about(Event::new(actor, Action::AccountChanged, now), &actor.user).write(tx)?;
    Ok(())
}

/// Sets a password and ends the sessions that stood on the old one, but for the one it was changed in.
pub fn set_password(tx: &mut Tx<'_>, user: &UserId, hash: &str, keep: Option<&str>, event: Event) -> Result<()> {
    let now = event.at;
    diesel::update(users::table.find(user)).set((users::password_hash.eq(hash), users::updated_at.eq(now))).execute(&mut **tx)?;
    session::end(tx, user, None, keep)?;
    links::kill(tx, user, &[links::Purpose::Reset])?;
    about(event, user).write(tx)?;
    Ok(())
}

/// Closes the account: no sign-in, no session, no token, no link works from now on, and none of them again when it is opened.
pub fn disable(tx: &mut Tx<'_>, user: &UserId, event: Event) -> Result<()> {
    let now = event.at;
    diesel::update(users::table.find(user)).set((users::disabled_at.eq(now), users::updated_at.eq(now))).execute(&mut **tx)?;
    session::end(tx, user, None, None)?;
    links::kill(tx, user, &[links::Purpose::Reset, links::Purpose::Verify])?;
    token::revoke_all(tx, user, &event)?;
    about(event, user).write(tx)?;
    Ok(())
}

/// An event of somebody whose session has no name yet.
pub fn by_person(user: &UserId, name: &str, address: Option<String>, action: Action, at: NaiveDateTime) -> Event {
    Event { actor: user.to_string(), actor_name: name.to_owned(), address, ..Event::by_the_program(action, at) }
}

/// An event at the door: of the account's person, or of somebody of whom nothing is kept, because it may be a password they typed there.
pub fn at_the_door(account: Option<(&UserId, &str)>, address: Option<String>, action: Action, at: NaiveDateTime) -> Event {
    if let Some((user, name)) = account {
        return by_person(user, name, address, action, at);
    }
    let nobody = Event::by_the_program(action, at);
    Event { actor: "unknown".to_owned(), actor_name: String::new(), address, ..nobody }
}

pub fn by_command(action: Action, at: NaiveDateTime) -> Event {
    Event { actor: "command".to_owned(), actor_name: "kinchart".to_owned(), ..Event::by_the_program(action, at) }
}

/// Whose account an event changed: the account's id, which nobody typed.
pub fn about(mut event: Event, user: &UserId) -> Event {
    event.detail = Some(user.to_string());
    event
}
