//! The settings of networks: the proxies that are believed, where connections may go, and whose certificates count.

use std::{fmt, fs, net::IpAddr, str::FromStr};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use thiserror::Error;

/// Whether connections into private networks (RFC 1918, ULA, CGNAT) and to this machine are made for somebody who names such an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateNetworks {
    /// The family's Paperless-ngx stands at home.
    Allow,
    /// Strangers have accounts here, and are not to look around in the house.
    Refuse,
}

impl FromStr for PrivateNetworks {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "allow" => Ok(Self::Allow),
            "refuse" => Ok(Self::Refuse),
            _ => Err(()),
        }
    }
}

/// Certificates of authorities that the machine does not know.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Authorities(pub Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads a file in PEM; one without a certificate is a mistake.
    pub(super) fn read(path: &str) -> Result<Self, String> {
        let text = fs::read(path).map_err(|error| format!("names a file that cannot be read: {error}"))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(Self(found)),
            _ => Err("must name a file with certificates in PEM".to_owned()),
        }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

/// An address, or all addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// The text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a list of addresses and networks with commas between them, such as 10.0.0.0/8, ::1")]
pub struct NotANetwork;

impl Network {
    /// Whether the address belongs to it; an IPv4 address may come in the clothes of IPv6.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let differing = ours.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let differing = ours.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().map_err(|_| NotANetwork)?,
            Some(_) => return Err(NotANetwork),
            None => most,
        };
        (bits <= most).then_some(Self { address, bits }).ok_or(NotANetwork)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        let contains = |network: &str, address: &str| network.parse::<Network>().unwrap().contains(address.parse().unwrap());
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "fe80::1", true),
        ] {
            assert_eq!(contains(network, address), inside, "{network} {address}");
        }
        for text in ["", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0/8", "::1/129", "proxy", "10.0.0.0/8/8"] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }
}
