//! What becomes of somebody whom the provider knows: in, to a page that asks for a proof, or refused with a reason.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{
    claims::Somebody,
    identities::{self, Preference},
    roles,
};
use crate::{
    app::App,
    audit::Action,
    auth::{
        accounts::{self, Account, Details, NewAccount, Ways},
        arrival::{self, Comer, Way},
        sign_up,
    },
    config::Signup,
    db::{
        Conn, Tx,
        schema::{invitations, users},
        types::UserId,
    },
    error::{Error, Result},
    invitations::{Invitation, InvitationStatus, pages::for_a_new_account},
    text::fold,
};

const LONGEST_USERNAME: usize = 50;
/// Names with a number behind them that are tried before one is drawn.
const NUMBERED: u32 = 50;

/// Why somebody whom the provider knows does not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The address is of no domain that is let in, or nobody stands for it.
    Domain,
    Group,
    /// No account is made for who was not invited.
    NotInvited,
    /// The same, and it may be because nobody stands for the address.
    Unverified,
    Disabled,
    /// The identity is another account's.
    Others,
    /// Whoever began it is not signed in any more.
    Gone,
    /// Somebody else than whose session it is proved who they are.
    NotYours,
    /// The provider took an earlier sign-in for it.
    NotAsked,
}

impl Refusal {
    /// The word of the audit, and the end of the catalogue's key.
    pub fn word(self) -> &'static str {
        match self {
            Self::Domain => "provider_domain",
            Self::Group => "provider_group",
            Self::NotInvited => "provider_not_invited",
            Self::Unverified => "provider_unverified",
            Self::Disabled => "provider_disabled",
            Self::Others => "provider_others",
            Self::Gone => "provider_gone",
            Self::NotYours => "provider_not_yours",
            Self::NotAsked => "provider_not_asked",
        }
    }
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    In {
        user: UserId,
        identity: String,
    },
    /// The verified address is this account's, which is to be proved.
    Ask {
        user: UserId,
        may_separate: bool,
    },
    Refused(Refusal),
}

/// Somebody at the door, and how they came.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    pub somebody: &'a Somebody,
    pub comer: &'a Comer,
    /// Where they wanted to go: the address of an invitation lets its holder make an account.
    pub next: &'a str,
    pub now: NaiveDateTime,
}

/// Somebody signs in. What happened stands in the audit when this is back.
pub fn sign_in(tx: &mut Tx<'_>, app: &App, visit: &Visit<'_>) -> Result<Outcome> {
    if let Some(identity) = identities::find(tx, visit.somebody)? {
        let account = accounts::by_id(tx, &identity.user_id)?;
        let refused = unwelcome(app, visit.somebody).or_else(|| account.disabled_at.map(|_| Refusal::Disabled));
        if let Some(refusal) = refused {
            return refuse(tx, Some(&account), refusal, visit);
        }
        identities::used(tx, &identity, visit.somebody, visit.now)?;
        return enter(tx, app, &account, identity.id, visit);
    }
    if let Some(refusal) = unwelcome(app, visit.somebody) {
        return refuse(tx, None, refusal, visit);
    }
    match of_address(tx, visit.somebody)? {
        Some(account) if account.disabled_at.is_some() => refuse(tx, Some(&account), Refusal::Disabled, visit),
        Some(account) => match identities::preference(tx, &account.id)? {
            Preference::Separate => make(tx, app, visit),
            Preference::Link if identities::has_verified_address(tx, &account.id)? => {
                Ok(Outcome::Ask { user: account.id, may_separate: false })
            }
            // Whoever only wrote an address into their account decides nothing for those it belongs to.
            Preference::Link | Preference::Ask => {
                let may_separate = role(tx, app, visit)?.is_some();
                Ok(Outcome::Ask { user: account.id, may_separate })
            }
        },
        None => make(tx, app, visit),
    }
}

/// A new account, for who may have one.
pub fn make(tx: &mut Tx<'_>, app: &App, visit: &Visit<'_>) -> Result<Outcome> {
    let somebody = visit.somebody;
    let Some(role) = role(tx, app, visit)? else {
        let is_unverified = somebody.email.is_some() && !somebody.email_is_verified;
        return refuse(tx, None, if is_unverified { Refusal::Unverified } else { Refusal::NotInvited }, visit);
    };
    let username = username(tx, somebody, visit.now)?;
    let details = Details {
        full_name: somebody.name.clone().unwrap_or_else(|| username.clone()),
        username,
        // Nobody takes an address by writing it into a profile somewhere; one that is another account's stays there.
        email: free_address(tx, somebody)?.unwrap_or_default(),
    };
    let errors = details.check();
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let new = NewAccount {
        details,
        role,
        password_hash: String::new(),
        address: visit.comer.address.clone(),
        by_command: false,
        household: None,
    };
    let ways = Ways { password_hash: None, method: "sso", email_is_verified: !new.details.email.is_empty() };
    let user = accounts::create_with(tx, &new, &ways, visit.now)?;
    let account = accounts::by_id(tx, &user)?;
    let identity = connect(tx, &account, visit)?;
    enter(tx, app, &account, identity, visit)
}

/// Ties the identity to an account that was proved a moment ago, by somebody who is at the door.
pub fn link(tx: &mut Tx<'_>, app: &App, user: &UserId, visit: &Visit<'_>) -> Result<Outcome> {
    let account = accounts::by_id(tx, user)?;
    let taken = identities::find(tx, visit.somebody)?;
    let is_others = taken.as_ref().is_some_and(|identity| identity.user_id != *user);
    let refused = unwelcome(app, visit.somebody)
        .or_else(|| account.disabled_at.map(|_| Refusal::Disabled))
        .or_else(|| is_others.then_some(Refusal::Others));
    if let Some(refusal) = refused {
        return refuse(tx, Some(&account), refusal, visit);
    }
    let identity = match taken {
        Some(identity) => identity.id,
        None => connect(tx, &account, visit)?,
    };
    Ok(Outcome::In { user: account.id, identity })
}

fn connect(tx: &mut Tx<'_>, account: &Account, visit: &Visit<'_>) -> Result<String> {
    let id = uuid::Uuid::now_v7().to_string();
    let address = visit.comer.address.clone();
    let event = accounts::by_person(&account.id, &account.full_name, address, Action::IdentityLinked, visit.now);
    identities::add(tx, &id, &account.id, visit.somebody, event)?;
    Ok(id)
}

fn enter(tx: &mut Tx<'_>, app: &App, account: &Account, identity: String, visit: &Visit<'_>) -> Result<Outcome> {
    roles::follow(tx, &app.config.oidc, account, visit.somebody, visit.comer.address.as_deref(), visit.now)?;
    arrival::event(tx, account.who(), Way::Provider, visit.comer, visit.now)?.write(tx)?;
    Ok(Outcome::In { user: account.id.clone(), identity })
}

fn refuse(tx: &mut Tx<'_>, account: Option<&Account>, refusal: Refusal, visit: &Visit<'_>) -> Result<Outcome> {
    note_failure(tx, account, refusal.word(), visit.comer.address.as_deref(), visit.now)?;
    Ok(Outcome::Refused(refusal))
}

/// A sign-in that came to nothing; of who has no account, nothing is told.
pub fn note_failure(
    tx: &mut Tx<'_>,
    account: Option<&Account>,
    why: &'static str,
    address: Option<&str>,
    now: NaiveDateTime,
) -> Result<()> {
    let address = address.map(str::to_owned);
    Ok(accounts::at_the_door(account.map(Account::who), address, Action::SignInFailed, now).failed(why).write(tx)?)
}

/// The domains and groups that are let in; asked at each sign-in.
fn unwelcome(app: &App, somebody: &Somebody) -> Option<Refusal> {
    let settings = &app.config.oidc;
    let is_of = |email: &str| email.rsplit_once('@').is_some_and(|(_, domain)| settings.allowed_domains.iter().any(|one| one == domain));
    if !settings.allowed_domains.is_empty() && !somebody.verified_email().is_some_and(is_of) {
        return Some(Refusal::Domain);
    }
    let is_member = settings.allowed_groups.iter().any(|group| somebody.is_in(group));
    (!settings.allowed_groups.is_empty() && !is_member).then_some(Refusal::Group)
}

/// The account whose address the provider stands for.
fn of_address(conn: &mut Conn, somebody: &Somebody) -> Result<Option<Account>> {
    match somebody.verified_email() {
        Some(email) => accounts::find(conn, email),
        None => Ok(None),
    }
}

fn free_address(conn: &mut Conn, somebody: &Somebody) -> Result<Option<String>> {
    let taken = of_address(conn, somebody)?.is_some();
    Ok(somebody.verified_email().filter(|_| !taken).map(str::to_owned))
}

/// The role of an account that may be made: where sign-up is open, for who was invited by their verified address, and for who has the address of
/// an invitation.
fn role(conn: &mut Conn, app: &App, visit: &Visit<'_>) -> Result<Option<&'static str>> {
    let policy = match app.config.oidc.signup {
        Some(own) => own,
        None => sign_up::policy(conn, app)?,
    };
    if policy == Signup::Open {
        return Ok(Some("user"));
    }
    if let Some(text) = visit.next.strip_prefix("/join/") {
        let text = text.split(['/', '?', '#']).next().unwrap_or_default();
        match for_a_new_account(conn, app, text) {
            Ok((_, offer)) => return Ok(Some(offer.role())),
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    let Some(email) = visit.somebody.verified_email() else { return Ok(None) };
    let waiting: Vec<Invitation> = invitations::table
        .filter(invitations::sent_to.eq(email))
        .filter(invitations::sent_to_user_id.is_null())
        .filter(invitations::status.eq(InvitationStatus::Pending))
        .filter(invitations::expires_at.gt(visit.now))
        .select(Invitation::as_select())
        .load(conn)?;
    let mut found = None;
    for invitation in waiting {
        let role = invitation.offer()?.role();
        // Whoever was asked to more than look may more than look.
        found = if found == Some("user") { found } else { Some(role) };
    }
    Ok(found)
}

/// A user name like the one at the provider, and nobody's here: neither an account's nor one that somebody invited.
fn username(conn: &mut Conn, somebody: &Somebody, now: NaiveDateTime) -> Result<String> {
    let base = base(somebody);
    for number in 1..=NUMBERED {
        let name = if number == 1 { base.clone() } else { numbered(&base, &number.to_string()) };
        if is_free(conn, &name, now)? {
            return Ok(name);
        }
    }
    let drawn = uuid::Uuid::now_v7().simple().to_string();
    Ok(numbered(&base, &format!("-{}", drawn.chars().skip(20).collect::<String>())))
}

fn base(somebody: &Somebody) -> String {
    let local = somebody.email.as_deref().and_then(|email| email.split('@').next());
    let told = [somebody.username.as_deref(), local, somebody.name.as_deref()];
    let fit = |text: &str| {
        // Some call people by their address.
        let text = text.split('@').next().unwrap_or_default();
        let kept: String = text.chars().map(|c| if c.is_whitespace() { '.' } else { c }).collect();
        let kept: String = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')).take(LONGEST_USERNAME).collect();
        accounts::check_username(&kept).is_empty().then_some(kept)
    };
    told.into_iter().flatten().find_map(fit).unwrap_or_else(|| "person".to_owned())
}

fn numbered(base: &str, number: &str) -> String {
    let room = LONGEST_USERNAME.saturating_sub(number.chars().count());
    format!("{}{number}", base.chars().take(room).collect::<String>())
}

fn is_free(conn: &mut Conn, name: &str, now: NaiveDateTime) -> Result<bool> {
    let folded = fold(name);
    let taken: Option<UserId> = users::table.filter(users::username_folded.eq(&folded)).select(users::id).first(conn).optional()?;
    let invited: Option<String> = invitations::table
        .filter(invitations::sent_to.eq(&folded))
        .filter(invitations::status.eq(InvitationStatus::Pending))
        .filter(invitations::expires_at.gt(now))
        .select(invitations::sent_by_user_id)
        .first(conn)
        .optional()?;
    Ok(taken.is_none() && invited.is_none())
}
