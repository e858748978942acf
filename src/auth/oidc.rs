//! Sign-in with an `OpenID` provider: discovery, the code flow with PKCE, an ID token that is checked in full, and sign-out there.
//!
//! An account is found by issuer and subject and by nothing else. What else the provider says of somebody (name, address, groups) fills a new
//! account, may ask an existing one to prove itself, and gives and takes away the role of an administrator; it never opens an account. Nothing
//! that opens anything at the provider is kept: the access token is forgotten once the claims were read, no refresh token is asked for, and the
//! ID token lies sealed in the session's row, because the provider wants it back at the sign-out.

pub mod claims;
pub mod decide;
pub mod fault;
pub mod identities;
pub mod leave;
pub mod pages;
pub mod probe;
mod prove;
pub mod provider;
pub mod roles;
pub mod settings;
pub mod token;
mod wire;

pub use probe::test;

use crate::app::App;

/// The button on the sign-in page.
#[derive(Clone, Debug)]
pub struct Door {
    pub name: String,
    /// There is no other way in.
    pub only: bool,
}

impl Door {
    /// Nothing where no provider is set.
    pub fn of(app: &App) -> Option<Self> {
        let settings = &app.config.oidc;
        settings.is_on().then(|| Self { name: settings.name(), only: settings.only })
    }
}

/// Where the provider sends people back to, after they signed in there.
pub fn redirect_uri(app: &App) -> String {
    format!("{}/login/provider/callback", app.config.public_url)
}

/// And after they signed out there.
pub fn left_uri(app: &App) -> String {
    format!("{}/login/provider/out", app.config.public_url)
}
