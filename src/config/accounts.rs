//! The settings of accounts: who may make one, and who must have a second factor.

use std::str::FromStr;

use thiserror::Error;

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signup {
    /// Administrators, and who is invited.
    Closed,
    /// Anybody.
    Open,
}

impl Signup {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}

/// The text is neither `closed` nor `open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("neither closed nor open")]
pub struct NotASignup;

impl FromStr for Signup {
    type Err = NotASignup;

    fn from_str(text: &str) -> Result<Self, NotASignup> {
        match text {
            "closed" => Ok(Self::Closed),
            "open" => Ok(Self::Open),
            _ => Err(NotASignup),
        }
    }
}

/// Who must have a second factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SecondFactor {
    #[default]
    Optional,
    Administrators,
    Everyone,
}

impl FromStr for SecondFactor {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "optional" => Ok(Self::Optional),
            "administrators" => Ok(Self::Administrators),
            "everyone" => Ok(Self::Everyone),
            _ => Err(()),
        }
    }
}
