//! The connections to the provider: within a time and a size, to the address that was told and nowhere else.

use std::{error::Error as _, sync::Arc, time::Duration};

use reqwest::{
    Client, RequestBuilder, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    redirect,
};
use serde_json::Value;

use super::{fault::Fault, settings::is_safe};
use crate::{
    config::{Config, PrivateNetworks},
    error::{Error, Result},
    paperless::{
        Names,
        call::is_tls,
        guard::{Guard, GuardedNames, RefusedNetwork},
        network::believed,
    },
};

/// No description, list of keys, token or claims is longer.
const MOST: usize = 256 * 1024;
const CONNECT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(super) struct Wire {
    http: Client,
    guard: Guard,
}

/// A whole answer in JSON, and whether it was a good one.
pub(super) struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Wire {
    pub fn new(config: &Config) -> Result<Self> {
        // The issuer is the operator's word: it may stand at home. What serves a machine alone (metadata of clouds) is never asked.
        let guard = Guard::new(PrivateNetworks::Allow);
        let failed = || Error::Internal("the client for the provider cannot be made".to_owned());
        let http = Client::builder()
            .user_agent("Kinchart")
            .tls_backend_preconfigured(believed(&config.authorities.0).map_err(|_| failed())?)
            .dns_resolver(Arc::new(GuardedNames { guard, names: Names::System }))
            // A code, a secret, a token go where the provider's description says, and not where an answer leads.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            // Requests are few, and each worker has a runtime of its own.
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT.min(config.oidc.patience))
            .timeout(config.oidc.patience)
            .build()
            .map_err(|_| failed())?;
        Ok(Self { http, guard })
    }

    pub async fn get(&self, url: &Url, bearer: Option<&str>) -> Result<Answer, Fault> {
        let mut request = self.http.get(self.allowed(url)?);
        if let Some(token) = bearer {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Fault::NotUnderstood("access_token"))?;
            request = request.header(AUTHORIZATION, value);
        }
        ask(request).await
    }

    /// `basic` is the value of the header that tells who asks.
    pub async fn post(&self, url: &Url, form: &[(&str, &str)], basic: Option<&str>) -> Result<Answer, Fault> {
        let body = serde_urlencoded::to_string(form).map_err(|_| Fault::NotUnderstood("form"))?;
        let mut request = self.http.post(self.allowed(url)?).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        if let Some(basic) = basic {
            request = request.header(AUTHORIZATION, basic);
        }
        ask(request).await
    }

    fn allowed(&self, url: &Url) -> Result<Url, Fault> {
        let address = match url.host() {
            Some(url::Host::Ipv4(address)) => Some(address.into()),
            Some(url::Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        };
        // A name is looked up, and refused, with the connection.
        if address.is_some_and(|address| !self.guard.allows(address)) {
            return Err(Fault::RefusedNetwork);
        }
        if is_safe(url) { Ok(url.clone()) } else { Err(Fault::Unsafe("url")) }
    }
}

async fn ask(request: RequestBuilder) -> Result<Answer, Fault> {
    let mut response = request.header(ACCEPT, "application/json").send().await.map_err(|error| no_answer(&error))?;
    let status = response.status();
    if status.is_redirection() {
        return Err(Fault::Redirect);
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
    let is_json = kind == "application/json" || kind.ends_with("+json");
    if !is_json {
        return Err(if status.is_success() { Fault::NotJson } else { Fault::Status(status.as_u16()) });
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| no_answer(&error))? {
        if body.len() + piece.len() > MOST {
            return Err(Fault::TooLong);
        }
        body.extend_from_slice(&piece);
    }
    let body = serde_json::from_slice(&body).map_err(|_| Fault::NotJson)?;
    Ok(Answer { status, body })
}

/// Why there is no answer, as far as the layers below can tell.
fn no_answer(error: &reqwest::Error) -> Fault {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<RefusedNetwork>() {
            return Fault::RefusedNetwork;
        }
        if is_tls(inner) {
            return Fault::Tls;
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        Fault::TooSlow
    } else if error.is_dns() {
        Fault::Name
    } else {
        Fault::Unreachable
    }
}
