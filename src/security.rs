//! What every answer passes: headers, the cross-site check, the client's address, failures made into pages or problem documents.

use std::net::IpAddr;

use actix_multipart::Multipart;
use actix_session::SessionExt;
use actix_web::{
    Error as WebError, HttpMessage, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use askama::Template;
use futures_util::StreamExt;

use crate::{
    app::App,
    auth::{
        factors::confirm,
        session,
        sign_in::{self, LoginPage},
    },
    body,
    error::Error,
    files::{pending, upload},
    page::Ui,
};

/// No inline script or style anywhere, nothing from elsewhere, never in a frame.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; manifest-src 'self'";

const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
];

/// Adds the headers every answer carries; pages and API answers are never cached.
pub async fn headers(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let https = request.app_data::<web::Data<App>>().is_some_and(|app| app.config.public_url.is_https());
    let mut response = next.call(request).await?.map_into_boxed_body();
    let headers = response.headers_mut();
    // A file has a policy of its own, narrower than a page's.
    let own_policy = headers.get(header::CONTENT_SECURITY_POLICY).cloned();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Some(policy) = own_policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // Pages whose address itself opens something say less.
    if !headers.contains_key(header::REFERRER_POLICY) {
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    }
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// Refuses a change that another site caused. Browsers tell by `Sec-Fetch-Site`; older ones by `Origin`, which must name this host (compared
/// with the Host header, so that it also works at a LAN address). A request with neither is no browser's: it carries no stolen cookie.
pub async fn same_site(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !safe && is_cross_site(request.request()) {
        return Ok(ServiceResponse::new(request.into_parts().0, HttpResponse::from_error(Error::CrossSite)));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

fn is_cross_site(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    match (header("origin"), header("host")) {
        (Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, from)| from != host),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Whom the request came from: the socket's address, or what a trusted proxy says of it.
pub fn client_address(request: &HttpRequest) -> Option<String> {
    let peer: IpAddr = request.peer_addr()?.ip();
    let app = request.app_data::<web::Data<App>>()?;
    if !trusts(app, peer) {
        return Some(peer.to_string());
    }
    // The rightmost address that is not a trusted proxy's own: everything left of it a client could have written.
    let chain: Vec<&str> =
        request.headers().get_all("x-forwarded-for").filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).collect();
    let client = chain.iter().rev().filter_map(|text| text.trim().parse::<IpAddr>().ok()).find(|ip| !trusts(app, *ip));
    Some(client.unwrap_or(peer).to_string())
}

fn trusts(app: &App, address: IpAddr) -> bool {
    app.config.trusted_proxies.iter().any(|network| network.contains(address))
}

/// Seconds after which whoever found the program busy may try again.
const BUSY: i64 = 3;
/// The largest form that is kept over a sign-in, or while the program is busy.
const MOST_KEPT: usize = 256 * 1024;
/// How much is read of documents that come without a session, to get at what was typed behind them.
const MOST_SKIPPED: usize = 64 * 1024 * 1024;

/// Forms that need no session.
fn is_public(path: &str) -> bool {
    matches!(path, "/login" | "/setup" | "/signup" | "/logout" | "/forgot")
        || path.starts_with("/login/")
        || path.starts_with("/enter/")
        || path.starts_with("/l/")
        || path.starts_with("/reset/")
        || path.starts_with("/address/")
        || (path.starts_with("/join/") && path.ends_with("/account"))
        || path.starts_with("/api/")
}

/// Forms in which passwords and passcodes are typed.
fn holds_secrets(path: &str) -> bool {
    matches!(path, "/settings/password" | "/settings/paperless" | "/settings/factors" | "/confirm" | "/admin/users")
        || path.starts_with("/settings/factors/")
        || path.starts_with("/confirm/")
        || path.starts_with("/admin/users/")
        || (path.starts_with("/patients/") && path.split('/').nth(3) == Some("links"))
}

/// A form sent after the session ran out is not lost: the person signs in, and it is sent again.
pub async fn keep_form(mut request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let path = request.path().to_owned();
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.starts_with("application/x-www-form-urlencoded"));
    let is_record = body::has_parts(request.request()) && is_of_record(&path);
    // A page that holds passwords is not kept: they would stand in the next one.
    let is_signed_in = session::me(&request.get_session()).is_some();
    let is_lost = holds_secrets(&path) && !(is_signed_in && is_form);
    if request.method() != Method::POST || !(is_form || is_record) || is_public(&path) || is_lost {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    match (is_signed_in, is_form) {
        (true, true) => return send_again(request, next).await,
        // A form with documents holds on to them by itself.
        (true, false) => return Ok(next.call(request).await?.map_into_boxed_body()),
        (false, true) => {}
        (false, false) => {
            let page = without_files(&mut request).await.and_then(|pairs| {
                let body = serde_urlencoded::to_string(pairs).unwrap_or_default();
                resuming(&request, &path, &body)
            });
            let response = page.and_then(|page| crate::page::render_with(StatusCode::UNAUTHORIZED, &page));
            return Ok(ServiceResponse::new(request.into_parts().0, response.unwrap_or_else(HttpResponse::from_error)));
        }
    }
    let mut payload = request.take_payload();
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk?;
        if body.len() + chunk.len() > MOST_KEPT {
            return Ok(ServiceResponse::new(request.into_parts().0, HttpResponse::from_error(Error::TooLarge)));
        }
        body.extend_from_slice(&chunk);
    }
    let Ok(body) = String::from_utf8(body) else {
        return Ok(ServiceResponse::new(request.into_parts().0, HttpResponse::from_error(Error::BadRequest("not_text"))));
    };
    let response = resuming(&request, &path, &body)
        .and_then(|page| crate::page::render_with(StatusCode::UNAUTHORIZED, &page))
        .unwrap_or_else(HttpResponse::from_error);
    Ok(ServiceResponse::new(request.into_parts().0, response))
}

fn resuming(request: &ServiceRequest, path: &str, body: &str) -> Result<LoginPage, Error> {
    let app = request.app_data::<web::Data<App>>().ok_or_else(|| Error::Internal("no app".to_owned()))?;
    Ok(LoginPage::resuming(app, path, body))
}

/// The form of a record, which can have documents.
fn is_of_record(path: &str) -> bool {
    let mut parts = path.trim_start_matches('/').split('/');
    parts.next() == Some("patients") && parts.nth(1).is_some_and(|kind| crate::records::kind(kind).is_some())
}

/// What was typed beside documents. They themselves are not kept for somebody who may be anybody: whoever signs in chooses them again.
async fn without_files(request: &mut ServiceRequest) -> Result<Vec<(String, String)>, Error> {
    let payload = request.take_payload();
    let mut parts = Multipart::new(request.headers(), payload);
    let (mut pairs, mut room, mut skipped) = (Vec::new(), MOST_KEPT, 0);
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|_| Error::BadRequest("broken_form"))?;
        let name = part.name().unwrap_or_default().to_owned();
        if part.content_disposition().is_some_and(|told| told.get_filename().is_some()) {
            while let Some(chunk) = part.next().await {
                skipped += chunk.map_err(|_| Error::BadRequest("broken_form"))?.len();
                if skipped > MOST_SKIPPED {
                    return Err(Error::TooLarge);
                }
            }
        } else {
            let text = upload::text(&mut part, room).await?;
            room = room.saturating_sub(name.len() + text.len());
            pairs.push((name, text));
        }
    }
    if skipped > 0 {
        pairs.push((pending::AGAIN.to_owned(), "1".to_owned()));
    }
    Ok(pairs)
}

/// A form that came while the program was busy, or before which the person must prove once more who they are, comes back with everything that
/// was typed, to be sent again; what is secret in it does not.
async fn send_again(mut request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if length.is_none_or(|length| length > MOST_KEPT) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let mut payload = request.take_payload();
    let mut body = web::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        body.extend_from_slice(&chunk?);
    }
    let body = body.freeze();
    request.set_payload(actix_web::dev::Payload::from(body.clone()));
    let response = next.call(request).await?.map_into_boxed_body();
    let failure = response.response().error().and_then(|error| error.as_error::<Error>());
    let is_unproved = failure.is_some_and(|error| matches!(error, Error::Unproved));
    let is_busy =
        failure.is_some_and(|error| error.status() == StatusCode::SERVICE_UNAVAILABLE) && !holds_secrets(response.request().path());
    let Some(pairs) = serde_urlencoded::from_bytes(&body).ok().filter(|_| is_busy || is_unproved) else { return Ok(response) };
    let (request, _) = response.into_parts();
    let app = request.app_data::<web::Data<App>>().cloned();
    let answer = match app {
        Some(app) if is_unproved => confirm::in_the_way(&app, &request, pairs).await,
        _ => busy(&request, pairs),
    };
    let answer = answer.unwrap_or_else(HttpResponse::from_error);
    Ok(ServiceResponse::new(request, answer))
}

/// The page that holds what was typed, with a button that sends it again.
pub fn busy(request: &HttpRequest, pairs: Vec<(String, String)>) -> Result<HttpResponse, Error> {
    let path = request.path().to_owned();
    let page = BusyPage { ui: Ui::new(session::me(&request.get_session()), &path), path, pairs };
    let mut answer = crate::page::render_with(StatusCode::SERVICE_UNAVAILABLE, &page)?;
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(BUSY));
    Ok(answer)
}

/// What could not be stored just now, to be sent again.
#[derive(Template)]
#[template(path = "busy.html")]
struct BusyPage {
    ui: Ui,
    path: String,
    pairs: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    ui: Ui,
    status: u16,
    key: &'static str,
    wait: Option<String>,
}

/// Turns a failure into what the path's readers understand: a page, a problem document, a way to the sign-in page.
pub async fn present(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let response = match next.call(request).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => return Err(error),
    };
    let status = response.status();
    note_refusal(&response);
    let failure =
        response.response().error().map(|error| error.as_error::<Error>().map_or_else(|| Failure::of_status(status), Failure::of));
    let Some(failure) = failure.or_else(|| (status == StatusCode::NOT_FOUND && !has_body(&response)).then(|| Failure::of_status(status)))
    else {
        return Ok(response);
    };
    if failure.status.is_server_error()
        && let Some(error) = response.response().error()
    {
        log::error!("{} {}: {error}", response.request().method(), crate::routes::shape(response.request()));
    }
    let answer = if response.request().path().starts_with("/api/") { failure.problem() } else { failure.page(response.request()) };
    let (request, _) = response.into_parts();
    Ok(ServiceResponse::new(request, answer))
}

/// A line for everything that is refused: what somebody may not do or does too often as a warning, what was wrong with it otherwise. Of what is
/// not there only what a signed-in person or a program asks of a page that exists: the rest of the world asks for anything.
fn note_refusal(response: &ServiceResponse<BoxBody>) {
    let request = response.request();
    let is_program = request.path().starts_with("/api/");
    let level = match response.status().as_u16() {
        401 if is_program => log::Level::Warn,
        403 | 429 => log::Level::Warn,
        400 | 405 | 413 | 422 => log::Level::Info,
        404 if request.match_pattern().is_some() && (is_program || session::me(&request.get_session()).is_some()) => log::Level::Info,
        _ => return,
    };
    // The pattern of the path, never the path: it names patients and records.
    let (status, method, shape) = (response.status().as_u16(), request.method(), crate::routes::shape(request));
    log::log!(level, "{status} {method} {shape} from {}", client_address(request).unwrap_or_default());
}

fn has_body(response: &ServiceResponse<BoxBody>) -> bool {
    use actix_web::body::BodySize;
    !matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0))
}

struct Failure {
    status: StatusCode,
    key: &'static str,
    wait: Option<i64>,
    fields: Vec<WrongField>,
    current: Option<i32>,
    allow: Option<&'static str>,
}

/// A field that is wrong, with the sentence for people and the word for programs.
struct WrongField {
    name: String,
    message: String,
    code: &'static str,
    /// It asks, and a "keep it" answers.
    asks: bool,
}

impl Failure {
    fn of(error: &Error) -> Self {
        let ui = Ui::new(None, "");
        let fields = match error {
            Error::Invalid(errors) => errors
                .iter()
                .map(|(name, e)| WrongField { name: name.clone(), message: ui.error(e), code: e.code(), asks: e.is_question() })
                .collect(),
            _ => Vec::new(),
        };
        let wait = match error {
            Error::Throttled(seconds) => Some(*seconds),
            Error::Busy | Error::Pool(_) => Some(BUSY),
            _ => None,
        };
        let current = match error {
            Error::Stale { current } => Some(*current),
            _ => None,
        };
        let allow = match error {
            Error::MethodNotAllowed(methods) => Some(*methods),
            _ => None,
        };
        Self { status: error.status(), key: error.key(), wait, fields, current, allow }
    }

    fn of_status(status: StatusCode) -> Self {
        let key = match status {
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            s if s.is_server_error() => "internal",
            _ => "bad_request",
        };
        Self { status, key, wait: None, fields: Vec::new(), current: None, allow: None }
    }

    /// RFC 9457.
    fn problem(&self) -> HttpResponse {
        let words = crate::i18n::Locale::default();
        let mut body = serde_json::json!({
            "type": format!("about:blank#{}", self.key),
            "title": words.t(&format!("problem.{}", self.key)),
            "status": self.status.as_u16(),
        });
        if !self.fields.is_empty() {
            let error = |wrong: &WrongField| {
                let error = serde_json::json!({"field": wrong.name, "message": wrong.message, "code": wrong.code});
                if wrong.asks { crate::api::plus(error, "confirmable", true) } else { error }
            };
            let errors: serde_json::Value = self.fields.iter().map(error).collect();
            put(&mut body, "errors", errors);
        }
        if let Some(current) = self.current {
            put(&mut body, "current_version", current.into());
        }
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(methods) = self.allow {
            response.insert_header((header::ALLOW, methods));
        }
        if let Some(wait) = self.wait {
            response.insert_header((header::RETRY_AFTER, wait.to_string()));
        }
        response.content_type("application/problem+json").body(body.to_string())
    }

    fn page(&self, request: &HttpRequest) -> HttpResponse {
        if self.status == StatusCode::SEE_OTHER {
            if self.key == Error::Unproved.key() {
                return crate::page::see_other(&confirm::way(request));
            }
            let mut answer = crate::page::see_other(&sign_in_path(request));
            // Of a session that ended, the browser keeps nothing.
            if [false, true].into_iter().any(|https| request.cookie(session::cookie_name(https)).is_some()) {
                sign_in::forget(&mut answer);
            }
            return answer;
        }
        let me = session::me(&request.get_session());
        let page = ProblemPage {
            ui: Ui::new(me, request.path()),
            status: self.status.as_u16(),
            key: self.key,
            wait: self.wait.map(|seconds| seconds.to_string()),
        };
        let mut response = crate::page::render_with(self.status, &page).unwrap_or_else(|_| HttpResponse::build(self.status).finish());
        if let Some(wait) = self.wait.and_then(|s| HeaderValue::from_str(&s.to_string()).ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response
    }
}

fn put(body: &mut serde_json::Value, name: &str, value: serde_json::Value) {
    if let Some(object) = body.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// Where to sign in, and where to go on afterwards.
fn sign_in_path(request: &HttpRequest) -> String {
    let wanted = request.uri().path_and_query().map_or("/", |p| p.as_str());
    if request.method() != Method::GET || wanted == "/" {
        return "/login".to_owned();
    }
    let query = serde_urlencoded::to_string([("next", wanted)]).unwrap_or_default();
    format!("/login?{query}")
}
