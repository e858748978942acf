//! The end of every way to sign in: whoever proved who they are gets a session here, and nowhere else.

use actix_session::SessionExt;
use actix_web::HttpRequest;

use super::session;
use crate::{app::App, db::types::UserId, error::Result};

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// Somebody at the door, known.
#[derive(Clone, Debug)]
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
}

/// Begins a session for who arrived.
#[expect(clippy::unused_async, reason = "what else an account asks for is read from the database")]
pub async fn arrive(_app: &App, request: &HttpRequest, arrival: Arrival) -> Result<Next> {
    session::begin(&request.get_session(), request, &arrival)?;
    Ok(Next::In)
}
