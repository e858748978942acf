//! The setting of the address people type.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use thiserror::Error;

/// The address people type: scheme, host and perhaps a port, in the form that browsers send as Origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
}

/// The address on the same machine.
impl Default for PublicUrl {
    fn default() -> Self {
        Self { text: "http://localhost:8080".to_owned() }
    }
}

impl PublicUrl {
    /// The address without a slash at its end; the same as the Origin of requests from its pages.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether cookies can be Secure.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// The host with its port, as in the header Host.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, host)| host)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text is no address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an http or https address of a host")]
pub struct NotAPublicUrl;

impl FromStr for PublicUrl {
    type Err = NotAPublicUrl;

    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let lower = text.to_ascii_lowercase();
        let (scheme, rest) = lower.split_once("://").ok_or(NotAPublicUrl)?;
        let default_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return Err(NotAPublicUrl),
        };
        let host = rest.strip_suffix('/').unwrap_or(rest);
        let host = host.strip_suffix(default_port).unwrap_or(host);
        is_host(host).then(|| Self { text: format!("{scheme}://{host}") }).ok_or(NotAPublicUrl)
    }
}

/// A name, an IPv4 address or an IPv6 address in brackets, perhaps with a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok());
    let is_name = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    is_port && (is_name || address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn public_addresses_become_origins() {
        for (typed, origin, host) in [
            ("http://localhost:8080", "http://localhost:8080", "localhost:8080"),
            ("http://192.168.1.5/", "http://192.168.1.5", "192.168.1.5"),
            ("http://x:80", "http://x", "x"),
            ("https://x:80", "https://x:80", "x:80"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]", "[2001:db8::1]"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "[2001:db8::1]:8443"),
        ] {
            let url: PublicUrl = typed.parse().unwrap();
            assert_eq!((url.as_str(), url.host()), (origin, host));
        }
        for text in [
            "",
            "localhost:8080",
            "http://",
            "http://x//",
            "http://x?y",
            "http://u@x",
            "http://x:",
            "http://x:99999",
            "http://x:+1",
            "http://[x]",
            "http://a b",
            "http://x/#",
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(NotAPublicUrl), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_hosts_never_panic(rest in "[a-z0-9:/\\[\\].@-]{0,20}") {
            if let Ok(url) = format!("https://{rest}").parse::<PublicUrl>() {
                prop_assert_eq!(url.as_str().parse::<PublicUrl>(), Ok(url.clone()));
            }
        }
    }
}
