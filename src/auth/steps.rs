//! What a sign-in has to remember while it goes by way of somewhere else: a row named by the hash of what the browser brings back, sealed, with
//! an end, and taken away by its one use. Nobody who reads the database learns from it how to go on with somebody's sign-in.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    sealed_text::{Purpose, open_text, seal_text},
    secret::{SecretKey, random},
    token_text,
};
use crate::{
    app::App,
    db::{Conn, Tx, schema::sign_in_steps, types::UserId},
    error::{Error, Result},
};

const TEXT_BYTES: usize = 32;

/// A random text that nobody guesses: 43 characters of base64url.
pub fn text() -> Result<String> {
    let bytes = random::<TEXT_BYTES>().map_err(|error| Error::Internal(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Could [`text`] have made it?
pub fn is_text(given: &str) -> bool {
    given.len() == 43 && given.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Keeps it until it is taken or its time is over. One of the same name is replaced.
pub fn put(
    tx: &mut Tx<'_>,
    key: &SecretKey,
    name: &str,
    user: Option<&UserId>,
    what: &impl Serialize,
    now: NaiveDateTime,
    lasts: Duration,
) -> Result<()> {
    let hash = token_text::hash(name);
    let plain = serde_json::to_string(what).map_err(|error| Error::Internal(error.to_string()))?;
    let sealed = seal_text(key, Purpose::SignInStep, &hash, &plain).map_err(|error| Error::Internal(error.to_string()))?;
    diesel::delete(sign_in_steps::table.find(&hash)).execute(&mut **tx)?;
    diesel::insert_into(sign_in_steps::table)
        .values((
            sign_in_steps::key_hash.eq(&hash),
            sign_in_steps::user_id.eq(user),
            sign_in_steps::sealed.eq(sealed),
            sign_in_steps::created_at.eq(now),
            sign_in_steps::expires_at.eq(now + lasts),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// What is kept under that name, if its time is not over.
pub fn look<T: DeserializeOwned>(conn: &mut Conn, key: &SecretKey, name: &str, now: NaiveDateTime) -> Result<Option<T>> {
    let hash = token_text::hash(name);
    let found: Option<String> =
        sign_in_steps::table.find(&hash).filter(sign_in_steps::expires_at.gt(now)).select(sign_in_steps::sealed).first(conn).optional()?;
    // What does not open was sealed with a key the installation no longer has.
    let plain = found.and_then(|sealed| open_text(key, Purpose::SignInStep, &hash, &sealed).ok());
    Ok(plain.and_then(|plain| serde_json::from_str(&plain).ok()))
}

/// The same, and nobody gets it again.
pub fn take<T: DeserializeOwned>(tx: &mut Tx<'_>, key: &SecretKey, name: &str, now: NaiveDateTime) -> Result<Option<T>> {
    let found = look(tx, key, name, now)?;
    let gone = diesel::delete(sign_in_steps::table.find(token_text::hash(name))).execute(&mut **tx)?;
    Ok(found.filter(|_| gone == 1))
}

/// Removes what nobody came back for; a job's work.
pub fn purge(tx: &mut Tx<'_>, now: NaiveDateTime) -> Result<usize> {
    Ok(diesel::delete(sign_in_steps::table.filter(sign_in_steps::expires_at.le(now))).execute(&mut **tx)?)
}

/// How long a browser is remembered that went elsewhere to sign in.
pub const BROWSER_LASTS: Duration = Duration::minutes(15);

fn cookie_name(app: &App) -> &'static str {
    if app.config.public_url.is_https() { "__Host-kinchart-way" } else { "kinchart-way" }
}

/// The browser that asks, if it began something here: what it goes on with must have begun in it.
pub fn browser(app: &App, request: &HttpRequest) -> Option<String> {
    request.cookie(cookie_name(app)).map(|cookie| cookie.value().to_owned()).filter(|value| is_text(value))
}

/// The cookie by which it is known again. It is sent when a page elsewhere leads back here.
pub fn browser_cookie(app: &App, browser: &str) -> Cookie<'static> {
    Cookie::build(cookie_name(app), browser.to_owned())
        .path("/")
        .http_only(true)
        .secure(app.config.public_url.is_https())
        .same_site(SameSite::Lax)
        .max_age(time::Duration::seconds(BROWSER_LASTS.num_seconds()))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing;

    #[test]
    fn a_step_is_taken_once_and_in_time() {
        let (app, _folder) = testing::app();
        let now = app.clock.now();
        let put = |name: &str| {
            app.db.write(|tx| put(tx, &app.key, name, None, &"nonce", now, Duration::minutes(10))).unwrap();
        };
        let take = |name: &str, at| app.db.write(|tx| take::<String>(tx, &app.key, name, at)).unwrap();
        put("one");
        assert_eq!(take("two", now), None);
        assert_eq!(take("one", now).as_deref(), Some("nonce"));
        assert_eq!(take("one", now), None, "again");
        put("late");
        assert_eq!(take("late", now + Duration::minutes(10)), None);
        put("left");
        assert_eq!(app.db.write(|tx| purge(tx, now + Duration::minutes(11))).unwrap(), 1);
    }

    #[test]
    fn one_of_eight_at_once_gets_it() {
        let (app, _folder) = testing::app();
        let now = app.clock.now();
        app.db.write(|tx| put(tx, &app.key, "one", None, &1, now, Duration::minutes(10))).unwrap();
        let got = std::thread::scope(|scope| {
            let app = &app;
            let all: Vec<_> = (0..8).map(|_| scope.spawn(move || app.db.write(|tx| take::<i32>(tx, &app.key, "one", now)))).collect();
            all.into_iter().filter_map(|thread| thread.join().unwrap().unwrap()).count()
        });
        assert_eq!(got, 1);
    }

    #[test]
    fn the_row_tells_nothing() {
        let (app, _folder) = testing::app();
        let name = text().unwrap();
        assert!(is_text(&name) && !is_text("short"));
        app.db.write(|tx| put(tx, &app.key, &name, None, &"a-nonce", app.clock.now(), Duration::minutes(1))).unwrap();
        let (hash, sealed): (String, String) =
            app.db.read(|conn| Ok(sign_in_steps::table.select((sign_in_steps::key_hash, sign_in_steps::sealed)).first(conn)?)).unwrap();
        assert!(!hash.contains(&name) && !sealed.contains("a-nonce"));
    }
}
