//! The end of every way to sign in: whoever proved who they are gets a session here, and nowhere else.

use actix_session::SessionExt;
use actix_web::HttpRequest;
use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::{accounts, factors, session};
use crate::{
    app::App,
    audit::{Action, Event},
    db::{Conn, types::UserId},
    error::Result,
};

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    Password,
    /// A key of a device, which asked for a finger, a face or a PIN: two factors in one.
    Passkey,
    /// A provider of `OpenID` Connect.
    Provider,
    /// The account was made a moment ago.
    NewAccount,
    /// A link for one use, from whoever runs the server.
    OperatorLink,
}

impl Way {
    /// The word of the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::Provider => "provider",
            Self::NewAccount => "new_account",
            Self::OperatorLink => "operator_link",
        }
    }
    /// For the audit; the password goes without saying.
    fn detail(self) -> Option<String> {
        (self != Self::Password).then(|| self.word().to_owned())
    }
}

/// Somebody at the door, known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Arrival {
    pub user: UserId,
    pub way: Way,
    /// The session is to last on this device.
    pub remember: bool,
    /// Of who came from a provider: the identity's id and the ID token, sealed.
    pub identity: Option<(String, String)>,
}

impl Arrival {
    pub fn new(user: UserId, way: Way) -> Self {
        Self { user, way, remember: false, identity: None }
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is a session.
    In,
    /// There is none yet: `/login/second` asks for more.
    SecondFactor,
}

/// From where somebody comes, and what the session will be called that they get if they get in.
#[derive(Clone, Debug)]
pub struct Comer {
    pub address: Option<String>,
    pub session: String,
}

impl Comer {
    pub fn of(request: &HttpRequest) -> Self {
        Self { address: session::address(request), session: session::coming(request) }
    }
}

/// What stands in the audit when somebody arrived: with a second factor to come, nobody is in yet.
pub fn event(conn: &mut Conn, (user, name): (&UserId, &str), way: Way, comer: &Comer, now: NaiveDateTime) -> Result<Event> {
    let is_in = !factors::is_asked(conn, user, way)?;
    let action = if is_in { Action::SignedIn } else { Action::SecondFactorAsked };
    let event = Event { detail: way.detail(), ..accounts::by_person(user, name, comer.address.clone(), action, now) };
    Ok(if is_in { event.of_session(&comer.session) } else { event })
}

/// Begins a session for who arrived, or has them wait for one until they gave their second factor.
pub async fn arrive(app: &App, request: &HttpRequest, arrival: Arrival) -> Result<Next> {
    let (user, way) = (arrival.user.clone(), arrival.way);
    let waits = app
        .read(
            move |conn, _| {
                if factors::is_asked(conn, &user, way)? { Ok(Some(accounts::by_id(conn, &user)?.full_name)) } else { Ok(None) }
            },
        )
        .await?;
    if let Some(name) = waits {
        session::wait(&request.get_session(), arrival, name, app.clock.now())?;
        return Ok(Next::SecondFactor);
    }
    session::begin(&request.get_session(), request, &arrival)?;
    Ok(Next::In)
}
