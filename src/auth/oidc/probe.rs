//! Is the provider set up rightly? For an administrator's button and `kinchart check`: what is wrong is named.

use super::{fault::Fault, left_uri, provider::Provider, redirect_uri, token};
use crate::{app::App, auth::steps, i18n::Locale};

/// What a provider that answers well was found to be, and what it must be told of this installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    pub issuer: String,
    /// Both stand in the provider's settings of this client.
    pub redirect_uri: String,
    pub left_uri: String,
    /// Signing out here signs out there.
    pub signs_out: bool,
    /// It says whether it knows id and secret; some say so only with a code that fits.
    pub knows_client: bool,
}

impl Tested {
    /// A sentence a line.
    pub fn told(&self, words: &Locale) -> Vec<String> {
        let mut lines = vec![words.with("oidc.tested", &[("value", &self.issuer)])];
        lines.push(words.t(if self.knows_client { "oidc.tested.client" } else { "oidc.tested.client_unknown" }));
        lines.push(words.with("oidc.tested.redirect", &[("value", &self.redirect_uri)]));
        if self.signs_out {
            lines.push(words.with("oidc.tested.left", &[("value", &self.left_uri)]));
        } else {
            lines.push(words.t("oidc.tested.no_left"));
        }
        lines
    }
}

/// Asks the provider of the settings anew, and names the first thing that is wrong.
pub async fn test(app: &App) -> Result<Tested, Fault> {
    let provider = app.provider.clone().ok_or(Fault::NotSet)?;
    let known = provider.discover().await?;
    if !token::signs(&provider, &known) {
        return Err(Fault::NoAlgorithm);
    }
    if known.keys.keys().is_empty() && provider.settings.client_secret.is_none() {
        return Err(Fault::NoKeys);
    }
    let told = &known.document.scopes_supported;
    if let Some(scope) = provider.settings.scopes.split(' ').find(|scope| !told.is_empty() && !told.iter().any(|one| one == scope)) {
        return Err(Fault::Scope(scope.to_owned()));
    }
    Ok(Tested {
        issuer: known.document.issuer.clone(),
        redirect_uri: redirect_uri(app),
        left_uri: left_uri(app),
        signs_out: known.document.end_session_endpoint.is_some(),
        knows_client: knows_client(app, &provider, &known).await?,
    })
}

/// A code that nobody gave: who knows the client says that the code is wrong, who does not says that the client is.
async fn knows_client(app: &App, provider: &Provider, known: &super::provider::Known) -> Result<bool, Fault> {
    let (code, verifier) = (made_up()?, made_up()?);
    let redirect_uri = redirect_uri(app);
    let redeemed = token::Redeemed { code: &code, verifier: &verifier, nonce: "", redirect_uri: &redirect_uri };
    match token::exchange(provider, known, &redeemed).await {
        Err(Fault::Code) => Ok(true),
        Err(Fault::Status(_)) => Ok(false),
        Err(fault) => Err(fault),
        Ok(_) => Err(Fault::NotUnderstood("token_endpoint")),
    }
}

fn made_up() -> Result<String, Fault> {
    steps::text().map_err(|_| Fault::NotUnderstood("random"))
}
