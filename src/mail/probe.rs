//! Is mail set up as it should be? One step after the other, so that what is wrong has a name: the server's name, the connection, TLS, the sign-in,
//! the letter.

use std::{
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use lettre::{Transport, transport::smtp::Error as SmtpError};

use super::{Mail, message, port, transport};
use crate::config::{Config, SmtpSecurity};

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// Where it went wrong; a word of the catalogue (`admin.mail.…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    NoServer,
    /// The server's name has no address.
    Name,
    /// Nobody answers at that address and port.
    Connection,
    /// What answers does not speak TLS as it is set, or its certificate is not believed.
    Tls,
    /// The account or its password is refused.
    SignIn,
    /// The sender, the receiver or the letter is refused.
    Refused,
    /// The sender of the settings is no address.
    Sender,
    /// It answers, and not as a mail server.
    Talk,
}

impl Trouble {
    pub fn word(self) -> &'static str {
        match self {
            Self::NoServer => "no_server",
            Self::Name => "name",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::SignIn => "sign_in",
            Self::Refused => "refused",
            Self::Sender => "sender",
            Self::Talk => "talk",
        }
    }
}

/// Sends the letter, or tells where that failed and the code that the server answered with, if it did.
pub fn send(config: &Config, mail: &Mail) -> Result<(), (Trouble, Option<String>)> {
    let Some(host) = config.smtp.host.as_deref() else { return Err((Trouble::NoServer, None)) };
    let letter = message(config, mail).map_err(|_| (Trouble::Sender, None))?;
    let addresses: Vec<_> = (host, port(&config.smtp)).to_socket_addrs().map_err(|_| (Trouble::Name, None))?.collect();
    if !addresses.iter().any(|address| TcpStream::connect_timeout(address, PATIENCE).is_ok()) {
        return Err((Trouble::Connection, None));
    }
    let transport = transport(&config.smtp).map_err(|_| (Trouble::Tls, None))?;
    let has_account = config.smtp.username.is_some() && config.smtp.password.is_some();
    // Greets, turns to TLS and signs in, and sends nothing.
    if let Err(error) = transport.test_connection() {
        return Err(before_the_letter(&error, config.smtp.security, has_account));
    }
    transport.send(&letter).map(drop).map_err(|error| (Trouble::Refused, code(&error)))
}

fn code(error: &SmtpError) -> Option<String> {
    error.status().map(|code| code.to_string())
}

/// A server that answers with a code refused the sign-in where there is one: nothing else was asked of it but a greeting.
fn before_the_letter(error: &SmtpError, security: SmtpSecurity, has_account: bool) -> (Trouble, Option<String>) {
    let trouble = match (error.status().is_some(), security) {
        (true, _) if has_account => Trouble::SignIn,
        (false, SmtpSecurity::None) if error.is_client() && has_account => Trouble::SignIn,
        (true, _) | (false, SmtpSecurity::None) => Trouble::Talk,
        (false, _) => Trouble::Tls,
    };
    (trouble, code(error))
}
