//! Where the installation requires a second factor (`KINCHART_SECOND_FACTOR`), who has none sets one up before anything else.

use actix_session::SessionExt;
use actix_web::{
    Error as WebError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web,
};
use chrono::Duration;

use crate::{
    app::App,
    auth::{
        session::{self, Me},
        steps,
    },
    config::SecondFactor,
    db::types::UserId,
    page::see_other,
};

/// Where one is set up.
pub const PAGE: &str = "/settings/factors";

/// Must somebody of this role have one?
pub fn must_have(setting: SecondFactor, role: &str) -> bool {
    match setting {
        SecondFactor::Optional => false,
        SecondFactor::Administrators => role == "admin",
        SecondFactor::Everyone => true,
    }
}

/// Of the pages, only those are open that make a factor, sign out, or are no more than who is not signed in at all can ask for by a link: setting a
/// password, answering for an address, a professional's link. What happened to the account is told, too. The API takes no session, so
/// nothing is opened by it.
fn is_open(path: &str) -> bool {
    const EXACTLY: &[&str] = &["/logout", "/healthz", "/session", "/forgot", "/settings/notices"];
    const BELOW: &[&str] = &[PAGE, "/confirm", "/login", "/static", "/api/v1", "/reset", "/address", "/enter", "/l"];
    let begins = |with: &str| path == with || path.strip_prefix(with).is_some_and(|rest| rest.starts_with('/'));
    EXACTLY.contains(&path) || BELOW.iter().copied().any(begins)
}

/// An invitation shows what it offers to anybody who has its link; answering it waits for the factor.
fn is_invitation(path: &str) -> bool {
    path.starts_with("/join/")
}

/// Leads whoever must have a factor and has none to the page that makes one, and remembers where they wanted to go.
pub async fn first(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let me = session::me(&request.get_session()).filter(Me::must_get_factor);
    let Some(me) = me.filter(|_| !is_open(request.path())) else { return Ok(next.call(request).await?.map_into_boxed_body()) };
    let (is_get, is_invitation) = (request.method() == Method::GET, is_invitation(request.path()));
    if let Some(app) = request.app_data::<web::Data<App>>().cloned()
        && (is_get || is_invitation)
        && is_page(&request)
    {
        let path = if is_get { request.uri().path_and_query().map_or("/", |p| p.as_str()) } else { request.path() };
        if let Err(error) = remember(&app, me.id, path.to_owned()).await {
            log::warn!("where somebody wanted to go: {error}");
        }
    }
    if is_get && is_invitation {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    Ok(ServiceResponse::new(request.into_parts().0, see_other(PAGE)))
}

/// Does a person look at it, and not a page fetch it for itself?
fn is_page(request: &ServiceRequest) -> bool {
    request.headers().get("sec-fetch-dest").is_none_or(|dest| dest == "document")
}

/// How long it is remembered.
const LASTS: Duration = Duration::hours(1);

fn step_name(user: &UserId) -> String {
    format!("wanted.{user}")
}

/// An invitation's address opens something, so it is kept sealed. The first page is where everybody comes to, and puts nothing else aside.
async fn remember(app: &App, user: UserId, path: String) -> crate::error::Result<()> {
    if path == "/" {
        return Ok(());
    }
    app.write(move |tx, app| steps::put(tx, &app.key, &step_name(&user), Some(&user), &path, app.clock.now(), LASTS)).await
}

/// Where they wanted to go before they had to make a factor, told once.
pub async fn wanted(app: &App, user: UserId) -> crate::error::Result<Option<String>> {
    app.write(move |tx, app| steps::take(tx, &app.key, &step_name(&user), app.clock.now())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_way_to_a_factor_is_open() {
        for path in [
            "/settings/factors",
            "/settings/factors/totp",
            "/confirm",
            "/confirm/challenge",
            "/logout",
            "/static/x/app.css",
            "/session",
            "/settings/notices",
            "/address/x",
            "/reset/x",
            "/l/x/summary",
        ] {
            assert!(is_open(path), "{path}");
        }
        for path in [
            "/",
            "/patients",
            "/settings",
            "/settings/factorsx",
            "/confirmed",
            "/settings/key",
            "/loginx",
            "/search",
            "/settings/notices/x",
            "/settings/address",
            "/join/x",
            "/looks",
        ] {
            assert!(!is_open(path), "{path}");
        }
    }
}
