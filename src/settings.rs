//! A person's settings: who they are, how things are shown, password, devices, API tokens; for administrators the installation's key.

pub mod factors;
pub mod key;
pub mod notices;
pub mod pages;
pub mod password;
pub mod preferences;
pub mod providers;
pub mod sessions;
pub mod tokens;
