//! Where somebody's Paperless-ngx is: an address that was checked before anything is sent to it.

use std::fmt;

use reqwest::Url;
use thiserror::Error;
use url::Host;

use super::guard::{Guard, RefusedNetwork};

/// Longer than any address that people type.
const MOST_CHARACTERS: usize = 500;
/// People copy the address of the interface's description; the client adds this itself.
const API: &str = "api/";

/// Scheme, host, perhaps a port, and the path under which a reverse proxy has it, with a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

/// Why a text is no address of a Paperless-ngx.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressProblem {
    #[error("the address is longer than {MOST_CHARACTERS} characters")]
    TooLong,
    #[error("this is no address")]
    NoAddress,
    /// `file:`, `ftp:` or none at all.
    #[error("the address must begin with http:// or https://")]
    Scheme,
    /// A name or a password before an `@`.
    #[error("the address must hold no name and no password")]
    Credentials,
    /// A `?` or a `#` and what follows.
    #[error("the address must end before ? and #")]
    Query,
}

impl Address {
    /// Reads what somebody typed. Whether the host may be reached, `Client::new` and each connection decide.
    pub fn parse(text: &str) -> Result<Self, AddressProblem> {
        let text = text.trim();
        if text.chars().count() > MOST_CHARACTERS {
            return Err(AddressProblem::TooLong);
        }
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        if !matches!(scheme.as_deref(), Some("http" | "https")) {
            return Err(if text.is_empty() { AddressProblem::NoAddress } else { AddressProblem::Scheme });
        }
        // Spaces and line breaks within are dropped by the parser; what would be reached is then not what was read.
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(AddressProblem::NoAddress);
        }
        let mut url = Url::parse(text).map_err(|_| AddressProblem::NoAddress)?;
        if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
            return Err(AddressProblem::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(AddressProblem::Query);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(AddressProblem::NoAddress);
        }
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(path.strip_suffix(&format!("/{API}")).map_or(&path, |before| if before.is_empty() { "/" } else { before }));
        Ok(Self(with_slash(url)))
    }

    /// As it is kept and shown.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// May a host given as an address be reached? A name is asked for at each connection.
    pub(super) fn check(&self, guard: Guard) -> Result<(), RefusedNetwork> {
        match self.0.host() {
            Some(Host::Ipv4(address)) => guard.check(address.into()),
            Some(Host::Ipv6(address)) => guard.check(address.into()),
            Some(Host::Domain(_)) => Ok(()),
            None => Err(RefusedNetwork::Never),
        }
    }

    /// A page below the address; `path` ends with a slash, as Paperless-ngx wants it.
    pub(super) fn page(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path()));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// What stands between the scheme and the path.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

fn with_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Address, AddressProblem, Guard};
    use crate::config::PrivateNetworks;

    #[test]
    fn addresses_are_normalised() {
        for (text, kept) in [
            ("http://paperless.local:8000", "http://paperless.local:8000/"),
            (" HTTPS://Docs.Example.org/ ", "https://docs.example.org/"),
            ("https://example.org/paperless", "https://example.org/paperless/"),
            ("https://example.org/paperless///", "https://example.org/paperless/"),
            ("https://example.org/paperless/api/", "https://example.org/paperless/"),
            ("https://example.org/api", "https://example.org/"),
            ("https://example.org/myapi/", "https://example.org/myapi/"),
            ("http://[fd00::1]:8000", "http://[fd00::1]:8000/"),
            ("https://example.org:443/a/../b", "https://example.org/b/"),
        ] {
            assert_eq!(Address::parse(text).map(|address| address.to_string()), Ok(kept.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_reason() {
        let long = format!("http://{}", "a".repeat(500));
        for (text, problem) in [
            ("", AddressProblem::NoAddress),
            ("paperless.local", AddressProblem::Scheme),
            ("paperless.local:8000", AddressProblem::Scheme),
            ("file:///etc/passwd", AddressProblem::Scheme),
            ("ftp://example.org", AddressProblem::Scheme),
            ("javascript:alert(1)", AddressProblem::Scheme),
            ("http://", AddressProblem::NoAddress),
            ("http://:8000", AddressProblem::NoAddress),
            ("http://example.org:99999", AddressProblem::NoAddress),
            ("http://exa mple.org", AddressProblem::NoAddress),
            ("http://example.org\n/x", AddressProblem::NoAddress),
            ("http://example.org\\@evil.example", AddressProblem::NoAddress),
            ("http://user@example.org", AddressProblem::Credentials),
            ("http://user:pass@example.org", AddressProblem::Credentials),
            ("http://@example.org", AddressProblem::Credentials),
            ("http://example.org?a=b", AddressProblem::Query),
            ("http://example.org/#x", AddressProblem::Query),
            (long.as_str(), AddressProblem::TooLong),
        ] {
            assert_eq!(Address::parse(text), Err(problem), "{text}");
        }
    }

    #[test]
    fn pages_stay_below_the_path() {
        let address = Address::parse("https://example.org/docs").unwrap();
        let page = address.page("api/tasks/", &[("task_id", "a&b=c#d")]);
        assert_eq!(page.as_str(), "https://example.org/docs/api/tasks/?task_id=a%26b%3Dc%23d");
        assert_eq!(address.page("api/tags/", &[]).as_str(), "https://example.org/docs/api/tags/");
    }

    #[test]
    fn other_ways_to_write_a_refused_address_are_refused_too() {
        let guard = Guard::new(PrivateNetworks::Allow);
        for text in [
            "http://169.254.169.254",
            "http://2852039166",
            "http://0xa9.0xfe.0xa9fe",
            "http://[::ffff:169.254.1.1]",
            "http://0.0.0.0",
            "http://0",
        ] {
            assert!(Address::parse(text).unwrap().check(guard).is_err(), "{text}");
        }
        assert!(Address::parse("http://192.168.1.20:8000").unwrap().check(guard).is_ok());
        assert!(Address::parse("http://192.168.1.20:8000").unwrap().check(Guard::new(PrivateNetworks::Refuse)).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(text in any::<String>()) {
            let _ = Address::parse(&text);
        }

        #[test]
        fn what_is_kept_is_read_again_the_same(rest in "[a-z0-9:/\\[\\].@%?#-]{0,30}") {
            if let Ok(address) = Address::parse(&format!("http://{rest}")) {
                prop_assert_eq!(Address::parse(address.as_str()), Ok(address.clone()));
            }
        }
    }
}
