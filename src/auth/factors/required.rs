//! Where the installation requires a second factor (`KINCHART_SECOND_FACTOR`), who has none sets one up before anything else.

use actix_session::SessionExt;
use actix_web::{
    Error as WebError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};

use crate::{
    auth::session::{self, Me},
    config::SecondFactor,
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

/// Of the pages, only those for setting one up and for signing out are open. The API takes no session, so nothing is opened by it.
fn is_open(path: &str) -> bool {
    let begins = |with: &str| path == with || path.strip_prefix(with).is_some_and(|rest| rest.starts_with('/'));
    matches!(path, "/logout" | "/healthz") || [PAGE, "/confirm", "/login", "/static", "/api/v1"].into_iter().any(begins)
}

/// Leads whoever must have a factor and has none to the page that makes one.
pub async fn first(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let must = session::me(&request.get_session()).as_ref().is_some_and(Me::must_get_factor);
    if must && !is_open(request.path()) {
        return Ok(ServiceResponse::new(request.into_parts().0, see_other(PAGE)));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_way_to_a_factor_is_open() {
        for path in ["/settings/factors", "/settings/factors/totp", "/confirm", "/confirm/challenge", "/logout", "/static/x/app.css"] {
            assert!(is_open(path), "{path}");
        }
        for path in ["/", "/patients", "/settings", "/settings/factorsx", "/confirmed", "/settings/key", "/loginx", "/search"] {
            assert!(!is_open(path), "{path}");
        }
    }
}
