//! The page for a link that opens nothing: used, replaced, over, of a closed account or never made. It says what to do, and the same of all of them.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use askama::Template;

use super::{reset::private, session::Me};
use crate::{
    app::App,
    error::Result,
    mail,
    page::{Ui, render_with},
};

#[derive(Template)]
#[template(path = "auth/dead_link.html")]
struct DeadLinkPage {
    ui: Ui,
    /// A new link to set a password comes by letter.
    mail: bool,
}

/// Is this where a link for one use leads to?
pub fn is_one(path: &str) -> bool {
    ["/reset/", "/address/", "/enter/"].into_iter().any(|begin| path.starts_with(begin))
}

/// What is answered there if nothing is.
pub fn page(app: &App, me: Option<Me>, request: &HttpRequest) -> Result<HttpResponse> {
    let page = DeadLinkPage { ui: Ui::new(me, request.path()), mail: mail::works(&app.config) };
    Ok(private(render_with(StatusCode::NOT_FOUND, &page)?))
}
