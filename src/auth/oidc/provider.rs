//! What the provider says of itself, and its keys: read when they are needed, kept for an hour, and read anew when a token names a key that is
//! not among them.

use std::sync::Arc;

use chrono::{Duration, NaiveDateTime};
use openidconnect::core::CoreJsonWebKeySet;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    fault::Fault,
    settings::{Issuer, Settings, is_safe},
    wire::Wire,
};
use crate::{clock::Clock, config::Config, error::Result};

/// How long a description is believed without asking again.
const FRESH: Duration = Duration::hours(1);
/// Before somebody is led there: whether it answers at all.
const ANSWERED: Duration = Duration::minutes(1);
/// How long it is believed if the provider cannot be asked, by who is back from there.
const STALE: Duration = Duration::hours(24);
/// A token with a key nobody knows makes the keys be read anew, and not more often than this: anybody can make such tokens.
const KEYS_EVERY: Duration = Duration::minutes(1);

/// The provider of the settings, with what is known of it.
pub struct Provider {
    pub issuer: Issuer,
    pub client_id: String,
    pub settings: Settings,
    pub(super) wire: Wire,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: Option<Arc<Known>>,
    keys_asked_at: Option<NaiveDateTime>,
    answered_at: Option<NaiveDateTime>,
}

/// The provider as it told of itself.
pub struct Known {
    pub document: Document,
    pub keys: CoreJsonWebKeySet,
    read_at: NaiveDateTime,
}

/// The fields of the description that matter here (`OpenID` Connect Discovery 1.0).
#[derive(Clone, Debug, Deserialize)]
pub struct Document {
    /// As the provider spells it: so it stands in its tokens.
    pub issuer: String,
    pub authorization_endpoint: Url,
    pub token_endpoint: Url,
    pub jwks_uri: Url,
    pub userinfo_endpoint: Option<Url>,
    pub end_session_endpoint: Option<Url>,
    #[serde(default)]
    pub id_token_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Where it is not told, it may be taken all the same.
    #[serde(default)]
    pub code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    pub scopes_supported: Vec<String>,
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl Document {
    fn read(body: &Value, issuer: &Issuer) -> Result<Self, Fault> {
        // One by one, so that what is missing can be named.
        for field in ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"] {
            if body.get(field).and_then(Value::as_str).is_none() {
                return Err(Fault::NotUnderstood(field));
            }
        }
        let document: Self = Self::deserialize(body).map_err(|_| Fault::NotUnderstood("openid-configuration"))?;
        if !issuer.is_told_as(&document.issuer) {
            return Err(Fault::OtherIssuer(document.issuer.chars().take(200).collect()));
        }
        let addresses = [
            ("authorization_endpoint", Some(&document.authorization_endpoint)),
            ("token_endpoint", Some(&document.token_endpoint)),
            ("jwks_uri", Some(&document.jwks_uri)),
            ("userinfo_endpoint", document.userinfo_endpoint.as_ref()),
            ("end_session_endpoint", document.end_session_endpoint.as_ref()),
        ];
        // Plain http is for an issuer on this machine only, and its endpoints stay there.
        let is_plain = issuer.url().scheme() == "http";
        for (field, address) in addresses {
            if address.is_some_and(|address| !is_safe(address) || (address.scheme() == "http" && !is_plain)) {
                return Err(Fault::Unsafe(field));
            }
        }
        if !document.code_challenge_methods_supported.is_empty()
            && !document.code_challenge_methods_supported.iter().any(|method| method == "S256")
        {
            return Err(Fault::NoPkce);
        }
        Ok(document)
    }

    /// Does the provider want the secret in the form, and not in the header?
    pub fn wants_secret_in_form(&self) -> bool {
        let takes = |method: &str| self.token_endpoint_auth_methods_supported.iter().any(|one| one == method);
        takes("client_secret_post") && !takes("client_secret_basic")
    }
}

fn is_younger(moment: NaiveDateTime, age: Duration, now: NaiveDateTime) -> bool {
    now - moment < age && moment <= now
}

impl Provider {
    /// Nothing where the settings name none.
    pub fn of(config: &Config, clock: &Clock) -> Result<Option<Self>> {
        let settings = config.oidc.clone();
        let (Some(issuer), Some(client_id)) = (settings.issuer.clone(), settings.client_id.clone()) else { return Ok(None) };
        let (wire, clock, state) = (Wire::new(config)?, clock.clone(), Mutex::default());
        Ok(Some(Self { issuer, client_id, settings, wire, clock, state }))
    }

    /// The provider, which answered a moment ago: before somebody is sent there, who would find nobody.
    pub async fn answering(&self) -> Result<Arc<Known>, Fault> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some(known) = state.known.clone().filter(|known| is_younger(known.read_at, FRESH, now)) {
            if !is_younger(state.answered_at.unwrap_or(known.read_at), ANSWERED, now) {
                self.document().await?;
                state.answered_at = Some(now);
            }
            return Ok(known);
        }
        let found = Arc::new(self.discover().await?);
        *state = State { known: Some(Arc::clone(&found)), answered_at: Some(now), ..*state };
        Ok(found)
    }

    /// The provider as it is now, or was a while ago. Of many who ask at once, one asks the provider, and the others wait.
    pub async fn known(&self) -> Result<Arc<Known>, Fault> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some(known) = state.known.as_ref().filter(|known| is_younger(known.read_at, FRESH, now)) {
            return Ok(Arc::clone(known));
        }
        match self.discover().await {
            Ok(found) => {
                let found = Arc::new(found);
                state.known = Some(Arc::clone(&found));
                Ok(found)
            }
            Err(fault) => {
                let older = state.known.as_ref().filter(|known| is_younger(known.read_at, STALE, now)).map(Arc::clone);
                if older.is_some() {
                    log::warn!("the OpenID provider cannot be asked ({fault}): what it said before goes on");
                }
                older.ok_or(fault)
            }
        }
    }

    /// The provider's description and keys, read now.
    pub async fn discover(&self) -> Result<Known, Fault> {
        let document = self.document().await?;
        let keys = self.keys(&document).await?;
        Ok(Known { document, keys, read_at: self.clock.now() })
    }

    async fn document(&self) -> Result<Document, Fault> {
        let address = Url::parse(&self.issuer.discovery()).map_err(|_| Fault::NotUnderstood("issuer"))?;
        Document::read(&self.good(&address).await?, &self.issuer)
    }

    /// The same with newer keys than those, if it is time to ask for some.
    pub async fn with_other_keys(&self, known: &Arc<Known>) -> Result<Option<Arc<Known>>, Fault> {
        let mut state = self.state.lock().await;
        // Somebody else was as unlucky a moment ago, and has asked.
        if let Some(other) = state.known.as_ref().filter(|other| !Arc::ptr_eq(other, known)) {
            return Ok(Some(Arc::clone(other)));
        }
        let now = self.clock.now();
        if state.keys_asked_at.is_some_and(|asked| now - asked < KEYS_EVERY && asked <= now) {
            return Ok(None);
        }
        state.keys_asked_at = Some(now);
        let keys = self.keys(&known.document).await?;
        let found = Arc::new(Known { document: known.document.clone(), keys, read_at: known.read_at });
        state.known = Some(Arc::clone(&found));
        Ok(Some(found))
    }

    async fn keys(&self, document: &Document) -> Result<CoreJsonWebKeySet, Fault> {
        let body = self.good(&document.jwks_uri).await?;
        // Keys of kinds that are not known here are left out.
        serde_json::from_value(body).map_err(|_| Fault::NotUnderstood("jwks_uri"))
    }

    async fn good(&self, address: &Url) -> Result<Value, Fault> {
        let answer = self.wire.get(address, None).await?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(Fault::Status(answer.status.as_u16())) }
    }
}
