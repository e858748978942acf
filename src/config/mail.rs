//! The settings of the mail server.

use std::str::FromStr;

use super::Password;

/// How mail is sent.
#[derive(Debug, Clone, Default)]
pub struct Smtp {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub security: SmtpSecurity,
    pub username: Option<String>,
    pub password: Option<Password>,
    pub from: Option<lettre::message::Mailbox>,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SmtpSecurity {
    #[default]
    Starttls,
    Tls,
    None,
}

impl FromStr for SmtpSecurity {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "starttls" => Ok(Self::Starttls),
            "tls" => Ok(Self::Tls),
            "none" => Ok(Self::None),
            _ => Err(()),
        }
    }
}
