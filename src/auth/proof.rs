//! A signed-in person proves once more that they are there: a session that was left open must not be enough for everything.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use super::{
    accounts::{self, Account},
    session::{self, Me},
    throttle::Guess,
};
use crate::{
    access::Actor,
    app::App,
    audit::{Action, Event},
    db::{Tx, schema::sessions},
    error::{Error, Result},
    records::field::FieldError,
};

/// The form's field, and the place of its error.
pub const FIELD: &str = "current_password";
/// Who signed in so lately needs no other proof.
pub const FRESH: Duration = Duration::minutes(10);

/// Fields that no page carries along: whoever confirms something types them again.
pub const SECRETS: &[&str] =
    &["passcode", "password", "password_again", FIELD, "token", "factor_code", "recovery_code", "credential", "challenge"];

/// A handler's proof that its person proved a few minutes ago who they are. Without it the person comes to `/confirm`, and from there back to
/// what they were sending.
#[derive(Clone, Copy, Debug)]
pub struct Proved(());

impl FromRequest for Proved {
    type Error = Error;
    type Future = Ready<Result<Self>>;
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(signed) = session::signed(request) else { return ready(Err(Error::NoSession)) };
        let is_fresh = request.app_data::<web::Data<App>>().is_some_and(|app| is_fresh(app, &signed.me));
        ready(if is_fresh { Ok(Self(())) } else { Err(Error::Unproved) })
    }
}

/// Was it proved a few minutes ago whose session this is?
pub fn is_fresh(app: &App, me: &Me) -> bool {
    app.clock.now() - me.proved_at < FRESH
}

/// The session's row knows it from now on.
pub fn remember(tx: &mut Tx<'_>, me: &Me, now: NaiveDateTime) -> Result<()> {
    let own = sessions::table.filter(sessions::id.eq(&me.session)).filter(sessions::user_id.eq(&me.id));
    diesel::update(own).set(sessions::proved_at.eq(now)).execute(&mut **tx)?;
    Ok(())
}

/// The account, if that is its password. A stolen session must not be a place to guess it at: the same counts as for signing in.
pub fn password(app: &App, actor: &Actor, given: &str) -> Result<Account> {
    let now = app.clock.now();
    let guess = Guess::new(&app.key, &format!("id:{}", actor.user), actor.address.as_deref());
    let account = app.db.write(|tx| {
        guess.reserve(tx, now)?;
        accounts::by_id(tx, &actor.user)
    })?;
    match account.password_hash.as_deref().map(|stored| app.passwords.verify(given, stored)) {
        Some(Ok(true)) => app.db.write(|tx| guess.succeeded(tx, now)).map(|()| account),
        Some(Err(_)) => {
            app.db.write(|tx| guess.not_tried(tx, now))?;
            Err(Error::Busy)
        }
        None | Some(Ok(false)) => {
            app.db.write(|tx| Ok(Event::new(actor, Action::ConfirmFailed, now).failed("password").write(tx)?))?;
            Err(Error::Invalid(vec![(FIELD.to_owned(), FieldError::Rule("error.password_current"))]))
        }
    }
}
