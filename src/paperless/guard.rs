//! Which machines may be connected to: never the ones that serve this machine only, and private networks by setting.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    vec,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::config::PrivateNetworks;

/// Decides over one address.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    private: PrivateNetworks,
}

/// No address of a name is one that may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RefusedNetwork {
    /// A private one, which the setting forbids.
    #[error("the address leads into a private network, which a setting forbids")]
    Private,
    /// One that is never asked, whatever is set.
    #[error("the address leads to a machine's own services, which are never asked")]
    Never,
}

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Public,
    /// This machine, the house, the company.
    Private,
    /// Nobody's, everybody's, or a service for the machine alone.
    Never,
}

impl Guard {
    pub fn new(private: PrivateNetworks) -> Self {
        Self { private }
    }

    /// May it be connected to?
    pub fn allows(self, address: IpAddr) -> bool {
        self.check(address).is_ok()
    }

    /// The same with the reason.
    pub fn check(self, address: IpAddr) -> Result<(), RefusedNetwork> {
        match place(address) {
            Place::Public => Ok(()),
            Place::Private if self.private == PrivateNetworks::Allow => Ok(()),
            Place::Private => Err(RefusedNetwork::Private),
            Place::Never => Err(RefusedNetwork::Never),
        }
    }
}

fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(address) => place_v4(address),
        IpAddr::V6(address) => within(address).map_or_else(|| place_v6(address), place_v4),
    }
}

fn place_v4(address: Ipv4Addr) -> Place {
    match address.octets() {
        // This network, multicast, reserved, broadcast; link-local with the clouds' metadata in it; protocol assignments with Oracle's; the metadata
        // of Alibaba and the host of Azure, which lie elsewhere.
        [0 | 224..=255, ..] | [169, 254, ..] | [192, 0, 0, _] | [100, 100, 100, 200] | [168, 63, 129, 16] => Place::Never,
        [127 | 10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] | [198, 18..=19, ..] => Place::Private,
        _ => Place::Public,
    }
}

fn place_v6(address: Ipv6Addr) -> Place {
    match address.segments() {
        // Amazon's metadata over IPv6 lies among the addresses of one's own house.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfe80..=0xfebf | 0xff00..=0xffff, ..] | [0, 0, 0, 0, 0, 0, 0, 0] => Place::Never,
        [0, 0, 0, 0, 0, 0, 0, 1] | [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Place::Private,
        _ => Place::Public,
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, translated (RFC 6052 and 8215) or 6to4.
fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => return None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, .., high, low] | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

/// How names become addresses.
#[derive(Clone, Debug, Default)]
pub enum Names {
    /// As the machine does it.
    #[default]
    System,
    /// One answer for every name: for tests.
    Always(Vec<IpAddr>),
}

/// Looks names up for each connection and hands on only what may be connected to, so that no name leads anywhere else later.
pub(crate) struct GuardedNames {
    pub guard: Guard,
    pub names: Names,
}

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, names) = (self.guard, self.names.clone());
        Box::pin(async move {
            let found: Vec<std::net::SocketAddr> = match names {
                Names::System => tokio::net::lookup_host((name.as_str(), 0)).await?.collect(),
                Names::Always(addresses) => addresses.into_iter().map(|address| (address, 0).into()).collect(),
            };
            let refused: Vec<RefusedNetwork> = found.iter().filter_map(|found| guard.check(found.ip()).err()).collect();
            let allowed: Vec<_> = found.into_iter().filter(|found| guard.allows(found.ip())).collect();
            // What a setting would allow is told first: that somebody can change.
            let why = refused.iter().find(|why| **why == RefusedNetwork::Private).or(refused.first());
            if let (true, Some(why)) = (allowed.is_empty(), why) {
                return Err((*why).into());
            }
            let addresses: vec::IntoIter<_> = allowed.into_iter();
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Guard, PrivateNetworks};

    #[test]
    fn every_kind_of_address_has_its_place() {
        for (address, if_allowed, if_refused) in [
            ("93.184.216.34", true, true),
            ("2606:2800:220:1::1", true, true),
            ("127.0.0.1", true, false),
            ("127.8.9.10", true, false),
            ("::1", true, false),
            ("10.1.2.3", true, false),
            ("172.16.0.1", true, false),
            ("172.32.0.1", true, true),
            ("192.168.178.20", true, false),
            ("100.64.0.1", true, false),
            ("100.127.255.254", true, false),
            ("100.128.0.1", true, true),
            ("fd12:3456::1", true, false),
            ("fc00::1", true, false),
            ("fec0::1", true, false),
            ("169.254.169.254", false, false),
            ("169.254.0.1", false, false),
            ("fe80::1", false, false),
            ("febf::1", false, false),
            ("fd00:ec2::254", false, false),
            ("100.100.100.200", false, false),
            ("168.63.129.16", false, false),
            ("192.0.0.192", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("ff02::1", false, false),
            ("255.255.255.255", false, false),
            ("240.0.0.1", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("::ffff:127.0.0.1", true, false),
            ("::ffff:93.184.216.34", true, true),
            ("::7f00:1", true, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("64:ff9b::10.0.0.1", true, false),
            ("64:ff9b:1::169.254.1.1", false, false),
            ("2002:a9fe:a9fe::1", false, false),
            ("2002:a00:1::1", true, false),
        ] {
            let parsed = address.parse().unwrap();
            let found = (Guard::new(PrivateNetworks::Allow).allows(parsed), Guard::new(PrivateNetworks::Refuse).allows(parsed));
            assert_eq!(found, (if_allowed, if_refused), "{address}");
        }
    }
}
