//! Accounts: signing in and out, the first one, a changed password.

use askama::Template;

use crate::page::Ui;

/// The sign-in page, alone or in the way of a form that must not be lost.
#[derive(Template)]
#[template(path = "auth/login.html")]
pub struct LoginPage {
    pub ui: Ui,
    pub username: String,
    pub next: String,
    /// The form to send again after signing in: its path and its body.
    pub resume: Option<(String, String)>,
    pub problem: Option<String>,
    pub sign_up: bool,
}

impl LoginPage {
    pub fn resuming(path: &str, body: &str) -> Self {
        Self {
            ui: Ui::new(None, "/login"),
            username: String::new(),
            next: String::new(),
            resume: Some((path.to_owned(), body.to_owned())),
            problem: None,
            sign_up: false,
        }
    }
}
