//! Where a connection comes from: its host and two netgroups around it.
//!
//! One party easily has many addresses of one netgroup, and few netgroups. An IPv6 customer has a
//! /64 at least, so that is the host. (Bitcoin Core groups by /16 and /32 for the same reason.)

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The leading bytes of an address; the rest is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Prefix {
    bytes: [u8; 16],
    is_v4: bool,
    len: u8,
}

/// The prefixes of one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// An IPv4 address, or a /64.
    pub(crate) host: Prefix,
    /// A /24, or a /48.
    pub(crate) near: Prefix,
    /// A /16, or a /32: the netgroup.
    pub(crate) group: Prefix,
}

impl Origin {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let of = |len| Prefix::new(&ip.octets(), true, len);
                Origin { host: of(4), near: of(3), group: of(2) }
            }
            IpAddr::V6(ip) => {
                let of = |len| Prefix::new(&ip.octets(), false, len);
                Origin { host: of(8), near: of(6), group: of(4) }
            }
        }
    }

    pub(crate) fn prefixes(self) -> [Prefix; 3] {
        [self.host, self.near, self.group]
    }
}

impl Prefix {
    fn new(address: &[u8], is_v4: bool, len: u8) -> Self {
        let mut bytes = [0; 16];
        let kept = usize::from(len);
        bytes[..kept].copy_from_slice(&address[..kept]);
        Prefix { bytes, is_v4, len }
    }
}

impl Prefix {
    /// Its first address.
    pub(crate) fn first(self) -> IpAddr {
        let [a, b, c, d, ..] = self.bytes;
        match self.is_v4 {
            true => Ipv4Addr::new(a, b, c, d).into(),
            false => Ipv6Addr::from(self.bytes).into(),
        }
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.first(), self.len * 8)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn addresses_share_what_one_party_has() {
        let of = |text: &str| Origin::of(text.parse().unwrap());
        let names = |text: &str| of(text).prefixes().map(|prefix| prefix.to_string());
        assert_eq!(names("9.8.7.6"), ["9.8.7.6/32", "9.8.7.0/24", "9.8.0.0/16"]);
        assert_eq!(
            names("2a01:4f8:1:2:3:4:5:6"),
            ["2a01:4f8:1:2::/64", "2a01:4f8:1::/48", "2a01:4f8::/32"]
        );
        assert_eq!(of("::ffff:9.8.7.6"), of("9.8.7.6"), "a mapped address is the address");
        assert_eq!(of("2a01::1").host, of("2a01::ffff:1").host);
        assert_ne!(of("0.0.0.0").host, of("::").host);
    }
}
