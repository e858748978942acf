//! The forms in which a second factor is given: what an account has, and what they carry along.

use actix_web::HttpRequest;

use super::{Held, passkey::Place};
use crate::{
    app::App,
    auth::{
        form::{Form, Problems},
        sign_in::is_local,
    },
};

/// For `factors/ways.html`.
pub struct Ways {
    /// Where the forms go; the challenge of a passkey comes from `.../challenge`.
    pub action: &'static str,
    pub held: Held,
    /// The password is asked for beside a code.
    pub with_password: bool,
    pub place: Place,
    pub public_url: String,
    pub next: String,
    /// The form to go on with: its path and its body.
    pub resume: Option<(String, String)>,
    pub problems: Problems,
}

impl Ways {
    pub fn new(app: &App, request: &HttpRequest, action: &'static str, held: Held, with_password: bool, form: &Form) -> Self {
        let path = form.raw("resume_path");
        Self {
            action,
            held,
            with_password,
            place: Place::of(&app.config, request),
            public_url: app.config.public_url.to_string(),
            next: Some(form.raw("next")).filter(|path| is_local(path)).unwrap_or_default().to_owned(),
            resume: is_local(path).then(|| (path.to_owned(), form.raw("resume_body").to_owned())),
            problems: Problems::default(),
        }
    }

    /// For the catalogue.
    pub fn place_key(&self) -> String {
        format!("passkey.place_{}", self.place.word())
    }
}
