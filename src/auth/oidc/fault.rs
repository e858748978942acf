//! What can be wrong with a provider: that it is not reached, that it answers something else, that what it says does not hold.

use crate::i18n::Locale;

/// Why the provider gave nothing to go on with. No variant holds a word of an answer but those of its own description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.key())]
pub enum Fault {
    /// No provider is set.
    NotSet,
    /// The name leads nowhere, or to an address that is never asked.
    Name,
    RefusedNetwork,
    /// Nobody listens there, or the connection broke.
    Unreachable,
    Tls,
    TooSlow,
    /// It leads elsewhere; nothing is sent after it.
    Redirect,
    Status(u16),
    /// A page for people, such as that of a proxy before it.
    NotJson,
    TooLong,
    /// JSON, and not what it should say; the field.
    NotUnderstood(&'static str),
    /// It calls itself otherwise: told so that the setting can be mended.
    OtherIssuer(String),
    /// An address of its description that a secret must not travel to; the field.
    Unsafe(&'static str),
    /// PKCE with S256 is not among what it takes.
    NoPkce,
    /// It signs with nothing that is believed here.
    NoAlgorithm,
    /// A scope of the settings that it does not know.
    Scope(String),
    /// It has no key to check its signatures with.
    NoKeys,
    /// Client id or secret are not those it knows.
    Client,
    /// The code was not taken: used already, or too old.
    Code,
    /// The ID token does not hold.
    Token(Flaw),
}

/// What is wrong with an ID token, or with the claims beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    Unreadable,
    Algorithm,
    Key,
    Signature,
    Issuer,
    Audience,
    Expired,
    Future,
    Nonce,
    AccessToken,
    Subject,
}

impl Flaw {
    /// The word of the audit and the end of the catalogue's key.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "provider_token_unreadable",
            Self::Algorithm => "provider_token_algorithm",
            Self::Key => "provider_token_key",
            Self::Signature => "provider_token_signature",
            Self::Issuer => "provider_token_issuer",
            Self::Audience => "provider_token_audience",
            Self::Expired => "provider_token_expired",
            Self::Future => "provider_token_future",
            Self::Nonce => "provider_token_nonce",
            Self::AccessToken => "provider_token_access",
            Self::Subject => "provider_token_subject",
        }
    }
}

impl Fault {
    /// The catalogue's key, and the word of the log.
    pub fn key(&self) -> &'static str {
        match self {
            Self::NotSet => "oidc.fault.not_set",
            Self::Name => "oidc.fault.name",
            Self::RefusedNetwork => "oidc.fault.network",
            Self::Unreachable => "oidc.fault.unreachable",
            Self::Tls => "oidc.fault.tls",
            Self::TooSlow => "oidc.fault.slow",
            Self::Redirect => "oidc.fault.redirect",
            Self::Status(_) => "oidc.fault.status",
            Self::NotJson => "oidc.fault.not_json",
            Self::TooLong => "oidc.fault.long",
            Self::NotUnderstood(_) => "oidc.fault.not_understood",
            Self::OtherIssuer(_) => "oidc.fault.other_issuer",
            Self::Unsafe(_) => "oidc.fault.unsafe",
            Self::NoPkce => "oidc.fault.pkce",
            Self::NoAlgorithm => "oidc.fault.algorithm",
            Self::Scope(_) => "oidc.fault.scope",
            Self::NoKeys => "oidc.fault.keys",
            Self::Client => "oidc.fault.client",
            Self::Code => "oidc.fault.code",
            Self::Token(_) => "oidc.fault.token",
        }
    }

    /// The sentence for who can mend it.
    pub fn told(&self, words: &Locale) -> String {
        let value = match self {
            Self::Status(status) => status.to_string(),
            Self::NotUnderstood(field) | Self::Unsafe(field) => (*field).to_owned(),
            Self::OtherIssuer(text) | Self::Scope(text) => text.clone(),
            Self::Token(flaw) => words.t(&format!("oidc.flaw.{}", flaw.word().trim_start_matches("provider_token_"))),
            _ => String::new(),
        };
        words.with(self.key(), &[("value", &value)])
    }

    /// The word of the audit.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Token(flaw) => flaw.word(),
            Self::Client => "provider_client",
            Self::Code => "provider_code",
            _ => "provider_unavailable",
        }
    }
}
