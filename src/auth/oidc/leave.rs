//! Signing out at the provider too (`OpenID` Connect RP-Initiated Logout 1.0): the session here is over whatever becomes of it there.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::Duration;
use diesel::prelude::*;
use reqwest::Url;

use super::{left_uri, provider::Provider};
use crate::{
    app::App,
    auth::{
        form::Form,
        sealed_text::{Purpose, open_text},
        session::Me,
        steps,
    },
    body,
    db::{
        Conn,
        schema::{sessions, user_identities},
    },
    error::Result,
    i18n::Locale,
    page::{Ui, render, see_other},
};

/// A longer one would not fit into the address of every provider, which then asks whether somebody means it.
const LONGEST_HINT: usize = 4000;
const LASTS: Duration = Duration::minutes(10);

/// A page that leads away at once, and says so. Browsers let no form lead to another site (`form-action`), and that is good so.
#[derive(Template)]
#[template(path = "auth/provider_go.html")]
pub struct Away {
    pub ui: Ui,
    pub name: String,
    pub address: String,
    /// The key of what it says.
    pub about: &'static str,
    pub cookie: String,
}

impl Away {
    /// The page, and the cookie by which this browser is known when it comes back.
    pub fn page(&self) -> Result<HttpResponse> {
        let mut response = render(self)?;
        if let Ok(value) = self.cookie.parse() {
            response.headers_mut().append(actix_web::http::header::SET_COOKIE, value);
        }
        Ok(response)
    }
}

/// What of a session belongs to the provider: the issuer, and the ID token.
struct Held {
    issuer: String,
    id_token: Option<String>,
}

fn held(conn: &mut Conn, app: &App, session: &str) -> Result<Option<Held>> {
    let row: Option<(String, String, Option<String>)> = sessions::table
        .inner_join(user_identities::table.on(sessions::identity_id.eq(user_identities::id.nullable())))
        .filter(sessions::id.eq(session))
        .select((user_identities::id, user_identities::issuer, sessions::id_token))
        .first(conn)
        .optional()?;
    Ok(row.map(|(identity, issuer, sealed)| {
        let id_token = sealed.and_then(|sealed| open_text(&app.key, Purpose::IdToken, &identity, &sealed).ok());
        Held { issuer, id_token: id_token.filter(|token| token.len() <= LONGEST_HINT) }
    }))
}

/// The way out by the provider, for a session that came from it. Nothing if it has none, or cannot be asked: who signs out is not held up.
pub async fn way_out(app: &App, request: &HttpRequest, me: &Me) -> Option<Away> {
    let provider = app.provider.clone()?;
    let session = me.session.clone();
    let held = app.read(move |conn, app| held(conn, app, &session)).await.ok().flatten()?;
    match leaving(app, request, &provider, &held).await {
        Ok(away) => away,
        Err(error) => {
            log::warn!("the way out by the OpenID provider: {error}");
            None
        }
    }
}

async fn leaving(app: &App, request: &HttpRequest, provider: &Provider, held: &Held) -> Result<Option<Away>> {
    let known = match provider.known().await {
        Ok(known) if known.document.issuer == held.issuer => known,
        Ok(_) => return Ok(None),
        Err(fault) => {
            log::warn!("the OpenID provider cannot be asked for its way out: {fault}");
            return Ok(None);
        }
    };
    let Some(address) = known.document.end_session_endpoint.clone() else { return Ok(None) };
    let (state, browser) = (steps::text()?, steps::browser(app, request).map_or_else(steps::text, Ok)?);
    let name = step_name(&browser, &state);
    app.write(move |tx, app| steps::put(tx, &app.key, &name, None, &(), app.clock.now(), LASTS)).await?;
    Ok(Some(Away {
        ui: Ui::new(None, "/logout"),
        name: provider.settings.name(),
        address: address_out(app, provider, address, held, &state),
        about: "oidc.leaving",
        cookie: steps::browser_cookie(app, &browser).to_string(),
    }))
}

fn address_out(app: &App, provider: &Provider, mut address: Url, held: &Held, state: &str) -> String {
    let mut query = address.query_pairs_mut();
    if let Some(token) = &held.id_token {
        query.append_pair("id_token_hint", token);
    }
    query.append_pair("client_id", &provider.client_id).append_pair("post_logout_redirect_uri", &left_uri(app)).append_pair("state", state);
    drop(query);
    address.to_string()
}

fn step_name(browser: &str, state: &str) -> String {
    format!("out.{browser}.{state}")
}

/// `GET /login/provider/out`: back from there. That somebody is signed out there is said to who went from here only.
pub async fn left(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    if app.provider.is_none() {
        return Err(crate::error::Error::NotFound);
    }
    let state = Form(body::query(&request)).raw("state").to_owned();
    let came = match steps::browser(&app, &request) {
        Some(browser) if steps::is_text(&state) => {
            let name = step_name(&browser, &state);
            app.write(move |tx, app| Ok(steps::take::<()>(tx, &app.key, &name, app.clock.now())?.is_some())).await?
        }
        _ => false,
    };
    Ok(see_other(if came { "/login?signed_out=provider" } else { "/login" }))
}

/// What the sign-in page says to who was led to it.
pub fn notice(app: &App, word: &str) -> Option<String> {
    let name = app.config.oidc.name();
    (word == "provider" && app.config.oidc.is_on()).then(|| Locale::default().with("oidc.left", &[("name", &name)]))
}
