//! What the tests of accounts stand on: an installation in a folder of its own, and an account in it.

use std::sync::Arc;

use super::{
    accounts::{self, Details, NewAccount},
    password::{LOWEST_COST, Passwords},
};
use crate::{app::App, config::Config, db::types::UserId};

pub const PASSWORD: &str = "correct horse battery";

/// The folder is gone with the guard.
pub fn app() -> (App, tempfile::TempDir) {
    app_with(&[])
}

pub fn app_with(settings: &[(&str, &str)]) -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let mut variables = vec![("KINCHART_DATA".to_owned(), place("data")), ("KINCHART_UPLOADS".to_owned(), place("uploads"))];
    variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let mut app = crate::serve::open(Config::from_vars(variables).unwrap()).unwrap();
    app.passwords = Arc::new(Passwords::new(LOWEST_COST));
    (app, folder)
}

pub fn account(app: &App, name: &str) -> UserId {
    let new = NewAccount {
        details: Details { full_name: format!("{name} Example"), username: name.to_owned(), email: format!("{name}@example.org") },
        role: "user",
        password_hash: app.passwords.hash(PASSWORD).unwrap(),
        address: None,
        by_command: true,
        household: None,
    };
    app.db.write(|tx| accounts::create(tx, &new, app.clock.now())).unwrap()
}
