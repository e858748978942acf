//! Somebody's connection to their Paperless-ngx: where it is, a sealed token, what goes there, and what keeps it waiting.

use std::fmt;

use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use super::{copies, reason};
use crate::{
    access::Actor,
    app::App,
    audit::{Action, Event},
    auth::{
        key_change,
        sealed_text::{Purpose, open_text, seal_text},
        secret::SecretKey,
    },
    db::{
        Conn, MultiBackend, Tx,
        schema::{paperless_connections as rows, users},
        types::{UserId, choice},
    },
    error::{Error, Result},
    paperless::{Address, Client, Decision, Fault, Network, Server, Token, Unreachable},
};

choice!(
    /// Where what somebody adds is kept.
    Place { Local = "local", Paperless = "paperless" }
);

/// The first pause after a fault that concerns everything; each further one is twice as long.
const PAUSE: Duration = Duration::minutes(1);
const LONGEST_PAUSE: Duration = Duration::hours(1);

/// One row; what it seals is opened by [`Connection::client`] alone.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = rows, check_for_backend(MultiBackend))]
pub struct Connection {
    pub user_id: UserId,
    pub address: String,
    sealed_token: String,
    pub default_store: Place,
    pub keep_local: bool,
    pub sync_tags: bool,
    pub account: Option<String>,
    pub server_version: Option<String>,
    pub fault: Option<String>,
    pub fault_at: Option<NaiveDateTime>,
    pub pauses: i32,
    pub paused_until: Option<NaiveDateTime>,
    pub looked_at: Option<NaiveDateTime>,
    pub leaving: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.user_id)
    }
}

impl Connection {
    pub fn client(&self, network: &Network, key: &SecretKey) -> Result<Client, Fault> {
        let text = open_text(key, Purpose::PaperlessToken, self.user_id.as_str(), &self.sealed_token).map_err(|_| Fault::Token)?;
        Client::new(network, Address::parse(&self.address)?, Token::parse(&text).ok_or(Fault::Token)?)
    }
}

/// This person's connection, if they have one.
pub fn of(conn: &mut Conn, user: &UserId) -> Result<Option<Connection>> {
    Ok(rows::table.find(user).select(Connection::as_select()).first(conn).optional()?)
}

pub fn named(conn: &mut Conn, user: &UserId) -> Result<Connection> {
    of(conn, user)?.ok_or(Error::NotFound)
}

/// What the worker does in somebody's name, and by their rights. Nobody, if the account is disabled.
pub fn actor(conn: &mut Conn, user: &UserId) -> Result<Option<Actor>> {
    let name: Option<String> =
        users::table.filter(users::id.eq(user)).filter(users::disabled_at.is_null()).select(users::full_name).first(conn).optional()?;
    Ok(name.map(|name| Actor { user: user.clone(), name, via: crate::access::Via::Job, address: None }))
}

/// A connection that was tested, to be kept. A new address is another server until the documents have been found there.
pub fn keep(tx: &mut Tx<'_>, app: &App, actor: &Actor, address: &Address, token: &Token, server: &Server) -> Result<()> {
    let (user, now) = (&actor.user, app.clock.now());
    let sealed = seal_text(&app.key, Purpose::PaperlessToken, user.as_str(), token.reveal());
    let sealed = sealed.map_err(|error| Error::Internal(error.to_string()))?;
    if !key_change::is_current(tx, &app.key)? {
        return Err(Error::Busy);
    }
    let before = of(tx, user)?;
    let version = server.version.as_ref().map(|version| version.as_str().to_owned());
    let told = (
        rows::address.eq(address.as_str()),
        rows::sealed_token.eq(sealed),
        rows::account.eq(server.user.clone()),
        rows::server_version.eq(version),
        rows::leaving.eq(false),
        rows::updated_at.eq(now),
    );
    if let Some(before) = before {
        diesel::update(rows::table.find(user)).set(told).execute(&mut **tx)?;
        if before.address != address.as_str() {
            copies::search_anew(tx, user, now)?;
        }
    } else {
        diesel::insert_into(rows::table)
            .values((
                rows::user_id.eq(user),
                told,
                rows::default_store.eq(Place::Local),
                rows::keep_local.eq(true),
                rows::sync_tags.eq(true),
                rows::pauses.eq(0),
                rows::created_at.eq(now),
            ))
            .execute(&mut **tx)?;
    }
    well(tx, user)?;
    copies::go_on(tx, user, now)?;
    Ok(Event { detail: Some("paperless".to_owned()), ..Event::new(actor, Action::AccountChanged, now) }.write(tx)?)
}

/// All tokens, opened with one key of the installation and sealed with another.
pub fn reseal(tx: &mut Tx<'_>, old: &SecretKey, new: &SecretKey) -> Result<()> {
    let all: Vec<(UserId, String)> = rows::table.select((rows::user_id, rows::sealed_token)).load(&mut **tx)?;
    for (user, sealed) in &all {
        let text = open_text(old, Purpose::PaperlessToken, user.as_str(), sealed)
            .map_err(|_| Error::Internal("a token for Paperless-ngx does not open with the installation's key".to_owned()))?;
        let sealed = seal_text(new, Purpose::PaperlessToken, user.as_str(), &text).map_err(|error| Error::Internal(error.to_string()))?;
        diesel::update(rows::table.find(user)).set(rows::sealed_token.eq(sealed)).execute(&mut **tx)?;
    }
    Ok(())
}

/// What goes there, and what stays here.
pub fn choose(tx: &mut Tx<'_>, actor: &Actor, store: Place, keep_local: bool, sync_tags: bool, now: NaiveDateTime) -> Result<()> {
    named(tx, &actor.user)?;
    diesel::update(rows::table.find(&actor.user))
        .set((rows::default_store.eq(store), rows::keep_local.eq(keep_local), rows::sync_tags.eq(sync_tags), rows::updated_at.eq(now)))
        .execute(&mut **tx)?;
    Ok(Event { detail: Some("paperless".to_owned()), ..Event::new(actor, Action::AccountChanged, now) }.write(tx)?)
}

/// Ends it. What lies only there has to be brought back first.
pub fn end(tx: &mut Tx<'_>, actor: &Actor, now: NaiveDateTime) -> Result<()> {
    named(tx, &actor.user)?;
    if copies::only_there(tx, &actor.user)? > 0 {
        return Err(Error::Conflict("paperless_only_there"));
    }
    copies::drop_all(tx, &actor.user)?;
    diesel::delete(rows::table.find(&actor.user)).execute(&mut **tx)?;
    Ok(Event { detail: Some("paperless".to_owned()), ..Event::new(actor, Action::AccountChanged, now) }.write(tx)?)
}

/// Brings everything back that lies only there; when that is done, the connection ends.
pub fn leave(tx: &mut Tx<'_>, actor: &Actor, now: NaiveDateTime) -> Result<()> {
    named(tx, &actor.user)?;
    let set = (rows::leaving.eq(true), rows::default_store.eq(Place::Local), rows::updated_at.eq(now));
    diesel::update(rows::table.find(&actor.user)).set(set).execute(&mut **tx)?;
    well(tx, &actor.user)?;
    copies::bring_all_back(tx, &actor.user, now)
}

/// It answered as it should.
pub fn well(tx: &mut Tx<'_>, user: &UserId) -> Result<()> {
    let ailing = rows::table.filter(rows::user_id.eq(user)).filter(rows::fault.is_not_null());
    let none = (rows::fault.eq(None::<String>), rows::fault_at.eq(None::<NaiveDateTime>));
    diesel::update(ailing).set((none, rows::pauses.eq(0), rows::paused_until.eq(None::<NaiveDateTime>))).execute(&mut **tx)?;
    Ok(())
}

/// Does this concern everything of the connection, and not one document alone?
pub fn concerns_all(fault: &Fault) -> bool {
    match fault {
        Fault::Unreachable(Unreachable::Broken) => false,
        Fault::Unreachable(_) | Fault::Throttled(_) => true,
        Fault::Server { status, after } => matches!(status, 502..=504) || after.is_some(),
        fault => fault.decision() == Decision::Connection,
    }
}

/// Leaves the server alone for as long as it asks, or for longer each time. What somebody has to mend is tried again, too: a page of a
/// reverse proxy goes away by itself.
pub fn pause(tx: &mut Tx<'_>, user: &UserId, fault: &Fault, now: NaiveDateTime) -> Result<NaiveDateTime> {
    let Some(row) = of(tx, user)? else { return Ok(now + LONGEST_PAUSE) };
    let doubled = PAUSE * 2_i32.saturating_pow(u32::try_from(row.pauses.clamp(0, 10)).unwrap_or_default());
    let asked = fault.retry_after().and_then(|after| Duration::from_std(after).ok()).unwrap_or_default();
    let until = now + doubled.min(LONGEST_PAUSE).max(asked);
    diesel::update(rows::table.find(user))
        .set((
            rows::fault.eq(reason::of_fault(fault)),
            rows::fault_at.eq(row.fault_at.unwrap_or(now)),
            rows::pauses.eq(row.pauses.saturating_add(1)),
            rows::paused_until.eq(until),
        ))
        .execute(&mut **tx)?;
    Ok(until)
}

/// Those that were not looked at since `before`, the longest ago first.
pub fn to_look_at(conn: &mut Conn, before: NaiveDateTime, now: NaiveDateTime) -> Result<Vec<Connection>> {
    Ok(rows::table
        .inner_join(users::table.on(users::id.eq(rows::user_id)))
        .filter(users::disabled_at.is_null())
        .filter(rows::paused_until.is_null().or(rows::paused_until.le(now)))
        .filter(rows::looked_at.is_null().or(rows::looked_at.lt(before)))
        .order(rows::looked_at)
        .select(Connection::as_select())
        .load(conn)?)
}

/// Says that it is being looked at now; false if somebody else was faster.
pub fn begin_look(tx: &mut Tx<'_>, connection: &Connection, now: NaiveDateTime) -> Result<bool> {
    let row = rows::table.filter(rows::user_id.eq(&connection.user_id));
    let changed = match connection.looked_at {
        None => diesel::update(row.filter(rows::looked_at.is_null())).set(rows::looked_at.eq(now)).execute(&mut **tx)?,
        Some(at) => diesel::update(row.filter(rows::looked_at.eq(at))).set(rows::looked_at.eq(now)).execute(&mut **tx)?,
    };
    Ok(changed == 1)
}
