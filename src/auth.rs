//! Who somebody is: passwords, sessions, tokens, the first account.

pub mod accounts;
pub mod address;
pub mod arrival;
pub mod dead_link;
pub mod factors;
pub mod form;
pub mod going_on;
pub mod key_change;
pub mod links;
pub mod manage;
pub mod notices;
pub mod oidc;
pub mod operator_link;
pub mod password;
pub mod proof;
pub mod reset;
pub mod sealed;
pub mod sealed_text;
pub mod secret;
pub mod session;
pub mod setup;
pub mod sign_in;
pub mod sign_up;
pub mod steps;
#[cfg(test)]
pub mod testing;
pub mod throttle;
pub mod token;
pub mod token_text;
