//! Guesses are counted before they are tried, in one short transaction: of any number sent at once, exactly the allowed number gets through.
//!
//! The rule, within fifteen minutes: five wrong tries for one account from one address, twenty for one account, fifty from one address. An
//! account is, at the sign-in, the name that was typed, whether somebody has it or not; where a signed-in person proves who they are, the account
//! itself. Whoever hammers an account from many addresses would lock its owner out with the second limit; so an address from which the account
//! was opened in the last thirty days is held to the first and the third only. A success forgets the failures of its account and address and
//! gives back its own try to the other two counts: an attacker who has an account here cannot clear what others' accounts counted.

use std::net::{IpAddr, Ipv6Addr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use super::{
    accounts::Account,
    secret::{SecretKey, hmac_sha256},
};
use crate::{
    db::{Conn, Tx, schema::throttles},
    error::{Error, Result},
    text::fold,
};

/// Failures older than this are forgotten; also the longest wait.
pub const WINDOW: Duration = Duration::minutes(15);
/// How long an address counts as one the owner comes from.
const KNOWN_FOR: Duration = Duration::days(30);

const MOST_PER_PAIR: i32 = 5;
const MOST_PER_ACCOUNT: i32 = 20;
const MOST_PER_ADDRESS: i32 = 50;
const MOST_CODES: i32 = 10;
const MOST_SIGN_UPS: i32 = 10;
const MOST_ASKED: i32 = 10;
const MOST_LETTERS: i32 = 5;
const MOST_ELSEWHERE: i32 = 10;
const MOST_CHALLENGES: i32 = 100;
/// A family behind one address signs in, and a wrong setting makes it try again.
const MOST_TRIPS: i32 = 60;

/// Subjects that are no counts but say from which addresses an account is used.
const KNOWN: &str = "known";

/// Names in the table are keyed hashes: a stranger may have typed a password into the name's field.
fn subject(key: &SecretKey, what: &str, parts: &[&str]) -> String {
    let mut bytes: Vec<&[u8]> = Vec::new();
    for part in parts {
        bytes.extend([part.as_bytes(), b"\0"]);
    }
    format!("{what}:{}", URL_SAFE_NO_PAD.encode(hmac_sha256(&key.derive("throttle"), &bytes)))
}

/// What counts as one place: an IPv4 address, or the 64 bits that one customer of an IPv6 network has.
fn place(address: Option<&str>) -> String {
    let Some(address) = address.and_then(|text| text.parse::<IpAddr>().ok()) else { return "nowhere".to_owned() };
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let network = u128::from(v6) >> 64 << 64;
            Ipv6Addr::from(network).to_string()
        }
    }
}

/// A count and how high it may go.
#[derive(Clone, Debug)]
struct Limit {
    subject: String,
    most: i32,
}

/// The failures counted in the current window, and when it began.
fn count(conn: &mut Conn, subject: &str, now: NaiveDateTime) -> Result<(i32, NaiveDateTime)> {
    let row: Option<(i32, NaiveDateTime)> =
        throttles::table.find(subject).select((throttles::failures, throttles::window_started_at)).first(conn).optional()?;
    // Of requests that race, the later one may have been counted first: a beginning a little ahead is no reason to forget. One far ahead is a
    // clock that was set back, which must not lock anybody out for as long.
    Ok(row.filter(|(_, started)| (now - *started).abs() < WINDOW).unwrap_or((0, now)))
}

fn set(tx: &mut Tx<'_>, subject: &str, failures: i32, started: NaiveDateTime) -> Result<()> {
    let values = (throttles::failures.eq(failures), throttles::window_started_at.eq(started));
    let changed = diesel::update(throttles::table.find(subject)).set(values).execute(&mut **tx)?;
    if changed == 0 {
        diesel::insert_into(throttles::table).values((throttles::subject.eq(subject), values)).execute(&mut **tx)?;
    }
    Ok(())
}

fn forget(tx: &mut Tx<'_>, subject: &str) -> Result<()> {
    diesel::delete(throttles::table.find(subject)).execute(&mut **tx)?;
    Ok(())
}

/// Counts one try everywhere, or nowhere and tells how long to wait.
fn reserve(tx: &mut Tx<'_>, limits: &[Limit], now: NaiveDateTime) -> Result<()> {
    let mut counts = Vec::new();
    let mut wait = None;
    for limit in limits {
        let (failures, started) = count(tx, &limit.subject, now)?;
        if failures >= limit.most {
            wait = wait.max(Some((started + WINDOW - now).num_seconds().max(0) + 1));
        }
        counts.push((limit, failures, started));
    }
    if let Some(seconds) = wait {
        return Err(Error::Throttled(seconds));
    }
    for (limit, failures, started) in counts {
        set(tx, &limit.subject, failures.saturating_add(1), started)?;
    }
    Ok(())
}

/// A counted try that turned out to be none.
fn take_back(tx: &mut Tx<'_>, subject: &str, now: NaiveDateTime) -> Result<()> {
    let (failures, started) = count(tx, subject, now)?;
    if failures <= 1 { forget(tx, subject) } else { set(tx, subject, failures - 1, started) }
}

/// One try to sign in.
#[derive(Clone, Debug)]
pub struct Guess {
    pair: Limit,
    account: Limit,
    address: Limit,
    known: String,
}

impl Guess {
    /// At the sign-in what was typed is counted, whether somebody is called so or not: were an account's name and its address one count, the
    /// answer to the second would tell that they belong together.
    pub fn sign_in(key: &SecretKey, typed: &str, address: Option<&str>) -> Self {
        Self::new(key, &format!("name:{}", fold(typed.trim())), address)
    }

    /// What is counted of an account that somebody signs in to or proves to be theirs: by its names, and by itself.
    pub fn of_account(key: &SecretKey, account: &Account, address: Option<&str>) -> Vec<Self> {
        let names = std::iter::once(&account.username).chain(&account.email);
        let itself = Self::new(key, &format!("id:{}", account.id), address);
        names.map(|name| Self::sign_in(key, name, address)).chain([itself]).collect()
    }

    /// `account` is whatever is counted on its own.
    pub fn new(key: &SecretKey, account: &str, address: Option<&str>) -> Self {
        let place = place(address);
        Self {
            pair: Limit { subject: subject(key, "pair", &[account, &place]), most: MOST_PER_PAIR },
            account: Limit { subject: subject(key, "account", &[account]), most: MOST_PER_ACCOUNT },
            address: Limit { subject: subject(key, "address", &[&place]), most: MOST_PER_ADDRESS },
            known: subject(key, KNOWN, &[account, &place]),
        }
    }

    /// Call before hashing. 429 if there were too many.
    pub fn reserve(&self, tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<()> {
        let seen: Option<NaiveDateTime> =
            throttles::table.find(&self.known).select(throttles::window_started_at).first(&mut **tx).optional()?;
        let mut account = self.account.clone();
        if seen.is_some_and(|seen| now - seen <= KNOWN_FOR) {
            // Counted like any other try, but never held up by what others did.
            account.most = i32::MAX;
        }
        reserve(tx, &[self.pair.clone(), self.address.clone(), account], now)
    }

    pub fn succeeded(&self, tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<()> {
        forget(tx, &self.pair.subject)?;
        take_back(tx, &self.account.subject, now)?;
        take_back(tx, &self.address.subject, now)?;
        set(tx, &self.known, 0, now)
    }

    /// Whoever proved to be the person by other means is held up neither by what they tried from here nor by what others tried.
    pub fn let_in(&self, tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<()> {
        forget(tx, &self.pair.subject)?;
        set(tx, &self.known, 0, now)
    }

    /// What was tried for the account, from here and on the whole, no longer counts.
    pub fn forget(&self, tx: &mut Tx<'_>) -> Result<()> {
        forget(tx, &self.pair.subject)?;
        forget(tx, &self.account.subject)
    }

    /// The password was not looked at after all: the machine was busy.
    pub fn not_tried(&self, tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<()> {
        for limit in [&self.pair, &self.account, &self.address] {
            take_back(tx, &limit.subject, now)?;
        }
        Ok(())
    }
}

/// A try at something that may be done a few times only: by an address the setup code and a new account, by an account another server's secrets.
#[derive(Clone, Debug)]
pub struct Knock(Limit);

impl Knock {
    /// Guesses at one code: whoever starts the program anew, with a new code, is not held up by what was tried at the old one.
    pub fn setup(key: &SecretKey, code: &str, address: Option<&str>) -> Self {
        Self(Limit { subject: subject(key, "setup", &[code, &place(address)]), most: MOST_CODES })
    }
    pub fn sign_up(key: &SecretKey, address: Option<&str>) -> Self {
        Self(Limit { subject: subject(key, "signup", &[&place(address)]), most: MOST_SIGN_UPS })
    }
    /// Asking for a link to set a password.
    pub fn forgot(key: &SecretKey, address: Option<&str>) -> Self {
        Self(Limit { subject: subject(key, "forgot", &[&place(address)]), most: MOST_ASKED })
    }
    /// Letters that somebody can have sent to one account, or to one address.
    pub fn letters(key: &SecretKey, to: &str) -> Self {
        Self(Limit { subject: subject(key, "letters", &[to]), most: MOST_LETTERS })
    }
    /// Passwords and tokens of another server, which this one is not to be a place to guess at: whoever is asked to believe them.
    pub fn elsewhere(key: &SecretKey, account: &str) -> Self {
        Self(Limit { subject: subject(key, "elsewhere", &[account]), most: MOST_ELSEWHERE })
    }
    /// Questions for a passkey, each of which is kept for a while.
    pub fn challenge(key: &SecretKey, address: Option<&str>) -> Self {
        Self(Limit { subject: subject(key, "challenge", &[&place(address)]), most: MOST_CHALLENGES })
    }
    /// A sign-in that is begun here and goes on at a provider: each is a row.
    pub fn trip(key: &SecretKey, address: Option<&str>) -> Self {
        Self(Limit { subject: subject(key, "trip", &[&place(address)]), most: MOST_TRIPS })
    }
    pub fn reserve(&self, tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<()> {
        reserve(tx, std::slice::from_ref(&self.0), now)
    }
    pub fn take_back(&self, tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<()> {
        take_back(tx, &self.0.subject, now)
    }
}

/// Removes what no longer counts; a job's work.
pub fn purge(tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<usize> {
    let over = throttles::window_started_at.lt(now - WINDOW).and(throttles::subject.not_like(format!("{KNOWN}:%")));
    let unknown = throttles::window_started_at.lt(now - KNOWN_FOR);
    Ok(diesel::delete(throttles::table.filter(over.or(unknown))).execute(&mut **tx)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app::App, auth::testing};

    fn guess(app: &App, address: &str) -> Guess {
        Guess::new(&app.key, "id:ann", Some(address))
    }
    fn reserve(app: &App, guess: &Guess) -> Result<()> {
        app.db.write(|tx| guess.reserve(tx, app.clock.now()))
    }

    #[test]
    fn of_twenty_at_once_exactly_five_are_tried() {
        let (app, _folder) = testing::app();
        let passed = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..20).map(|_| scope.spawn(|| reserve(&app, &guess(&app, "192.0.2.1")))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).fold((0, 0), |(passed, held), outcome| match outcome {
                Ok(()) => (passed + 1, held),
                Err(Error::Throttled(1..=901)) => (passed, held + 1),
                Err(other) => panic!("{other}"),
            })
        });
        assert_eq!(passed, (5, 15));
    }

    #[test]
    fn the_wait_ends_and_success_forgets() {
        let (app, _folder) = testing::app();
        let guess = guess(&app, "192.0.2.1");
        for _ in 0..4 {
            reserve(&app, &guess).unwrap();
        }
        app.db.write(|tx| guess.succeeded(tx, app.clock.now())).unwrap();
        for _ in 0..5 {
            reserve(&app, &guess).unwrap();
        }
        assert!(matches!(reserve(&app, &guess), Err(Error::Throttled(_))));
        app.clock.advance(WINDOW);
        reserve(&app, &guess).unwrap();
    }

    #[test]
    fn who_asked_earlier_and_comes_later_forgets_nothing() {
        let (app, _folder) = testing::app();
        let guess = guess(&app, "192.0.2.1");
        let (first, second) = (app.clock.now(), app.clock.now() + Duration::milliseconds(3));
        let mut tried = 0;
        for now in [second, first].into_iter().cycle().take(12) {
            tried += i32::from(app.db.write(|tx| guess.reserve(tx, now)).is_ok());
        }
        assert_eq!(tried, MOST_PER_PAIR);
        let set_back = first - WINDOW - Duration::minutes(1);
        app.db.write(|tx| guess.reserve(tx, set_back)).unwrap();
    }

    #[test]
    fn hammering_from_elsewhere_locks_out_strangers_and_not_the_owner() {
        let (app, _folder) = testing::app();
        let home = guess(&app, "2001:db8:1:2::7");
        reserve(&app, &home).unwrap();
        app.db.write(|tx| home.succeeded(tx, app.clock.now())).unwrap();
        let mut tried = 0;
        for n in 1..=10 {
            for _ in 0..6 {
                tried += i32::from(reserve(&app, &guess(&app, &format!("198.51.100.{n}"))).is_ok());
            }
        }
        assert_eq!(tried, MOST_PER_ACCOUNT);
        assert!(reserve(&app, &guess(&app, "203.0.113.1")).is_err(), "an address never seen");
        let same_network = guess(&app, "2001:db8:1:2:ffff::1");
        reserve(&app, &same_network).unwrap();
        app.db.write(|tx| same_network.succeeded(tx, app.clock.now())).unwrap();
        assert!(reserve(&app, &guess(&app, "203.0.113.1")).is_err(), "the owner's success gives the attacker nothing");
    }

    #[test]
    fn one_address_may_not_try_everybody() {
        let (app, _folder) = testing::app();
        let tried =
            (0..60).filter(|n| reserve(&app, &Guess::new(&app.key, &format!("name:{n}"), Some("::ffff:192.0.2.9"))).is_ok()).count();
        assert_eq!(tried, 50);
        assert!(reserve(&app, &guess(&app, "192.0.2.9")).is_err(), "the same address in other clothes");
        app.clock.advance(KNOWN_FOR * 2);
        assert!(app.db.write(|tx| purge(tx, app.clock.now())).unwrap() > 60);
    }

    #[test]
    fn what_was_not_tried_does_not_count() {
        let (app, _folder) = testing::app();
        let guess = guess(&app, "192.0.2.1");
        for _ in 0..30 {
            reserve(&app, &guess).unwrap();
            app.db.write(|tx| guess.not_tried(tx, app.clock.now())).unwrap();
        }
    }
}
