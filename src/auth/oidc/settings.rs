//! What an installation says about its provider.

use std::{str::FromStr, time::Duration};

use reqwest::Url;

use crate::config::{Password, Signup};

/// What is asked for if nothing else is set; `openid` always is.
const SCOPES: &str = "openid profile email";
const GROUPS_CLAIM: &str = "groups";
/// For a whole call. Somebody waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// The settings `KINCHART_OIDC_*`.
#[derive(Clone, Debug)]
pub struct Settings {
    pub issuer: Option<Issuer>,
    pub client_id: Option<String>,
    /// A public client has none; PKCE protects its codes.
    pub client_secret: Option<Password>,
    /// Separated by blanks, `openid` among them.
    pub scopes: String,
    pub name: Option<String>,
    /// The claim that lists groups: a name, or a path with points into objects.
    pub groups_claim: String,
    /// Whoever is in it administers.
    pub admin_group: Option<String>,
    /// Lower case; empty for all.
    pub allowed_domains: Vec<String>,
    /// Empty for all.
    pub allowed_groups: Vec<String>,
    /// Who may make an account by way of the provider, where it is another answer than `KINCHART_SIGNUP`.
    pub signup: Option<Signup>,
    /// No password signs in.
    pub only: bool,
    /// No setting: how long a call may take.
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: None,
            client_secret: None,
            scopes: SCOPES.to_owned(),
            name: None,
            groups_claim: GROUPS_CLAIM.to_owned(),
            admin_group: None,
            allowed_domains: Vec::new(),
            allowed_groups: Vec::new(),
            signup: None,
            only: false,
            patience: PATIENCE,
        }
    }
}

impl Settings {
    /// Is there a provider?
    pub fn is_on(&self) -> bool {
        self.issuer.is_some() && self.client_id.is_some()
    }

    /// What people read on the button: the name that was set, else the host.
    pub fn name(&self) -> String {
        let host = || self.issuer.as_ref().and_then(|issuer| issuer.url().host_str().map(str::to_owned));
        self.name.clone().or_else(host).unwrap_or_default()
    }

    /// Must groups be known?
    pub fn asks_for_groups(&self) -> bool {
        self.admin_group.is_some() || !self.allowed_groups.is_empty()
    }

    /// What does not go together, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match (&self.issuer, &self.client_id) {
            (Some(_), None) => problems.push("KINCHART_OIDC_CLIENT_ID must be set beside KINCHART_OIDC_ISSUER.".to_owned()),
            (None, Some(_)) => problems.push("KINCHART_OIDC_ISSUER must be set beside KINCHART_OIDC_CLIENT_ID.".to_owned()),
            _ => {}
        }
        if self.only && self.issuer.is_none() {
            problems.push("KINCHART_OIDC_ONLY needs a provider: set KINCHART_OIDC_ISSUER and KINCHART_OIDC_CLIENT_ID.".to_owned());
        }
        problems
    }
}

/// An issuer as the provider spells it: https, or http on this very machine, where nobody listens on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where the provider describes itself.
    pub fn discovery(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.text.trim_end_matches('/'))
    }

    /// The very same text, as `OpenID` Connect Discovery 4.3 asks: with or without a slash at the end are two issuers.
    pub fn is_told_as(&self, told: &str) -> bool {
        self.text == told
    }
}

impl FromStr for Issuer {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let url = Url::parse(text).map_err(|_| ())?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        if plain && is_safe(&url) { Ok(Self { text: text.to_owned(), url }) } else { Err(()) }
    }
}

/// May a token or a secret travel to it? https, or http that does not leave this machine.
pub fn is_safe(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        },
        _ => false,
    }
}

/// Names with commas between them.
pub fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The scopes with `openid` among them; nothing if one could not be sent.
pub fn scopes(text: &str) -> Option<String> {
    let mut all: Vec<&str> = text.split([' ', ',']).filter(|scope| !scope.is_empty()).collect();
    if !all.contains(&"openid") {
        all.insert(0, "openid");
    }
    let fits = |scope: &&str| scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    // A refresh token would open the provider for as long as it lasts, and nothing here needs one.
    (all.iter().all(fits) && !all.contains(&"offline_access")).then(|| all.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_https_or_on_this_machine() {
        for good in [
            "https://id.example.org",
            "https://id.example.org/realms/home/",
            "http://127.0.0.1:18220",
            "http://localhost:3000/oidc",
            "http://[::1]:9/",
        ] {
            assert!(good.parse::<Issuer>().is_ok(), "{good}");
        }
        for bad in [
            "http://id.example.org",
            "http://192.168.1.5",
            "ftp://localhost",
            "id.example.org",
            "https://id.example.org/?a=b",
            "https://id.example.org/#x",
            "https://me@id.example.org",
            "http://localhost.example.org",
            "",
        ] {
            assert!(bad.parse::<Issuer>().is_err(), "{bad}");
        }
        let issuer: Issuer = "https://id.example.org/realms/home/".parse().unwrap();
        assert_eq!(issuer.discovery(), "https://id.example.org/realms/home/.well-known/openid-configuration");
        assert!(issuer.is_told_as("https://id.example.org/realms/home/") && !issuer.is_told_as("https://id.example.org/realms/home"));
    }

    #[test]
    fn openid_is_asked_for_and_no_refresh_token() {
        assert_eq!(scopes("profile, email groups").as_deref(), Some("openid profile email groups"));
        assert_eq!(scopes("email openid").as_deref(), Some("email openid"));
        assert_eq!(scopes("openid offline_access"), None);
        assert_eq!(scopes("a\"b"), None);
    }
}
