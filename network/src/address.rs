//! Identities and addresses: parsing, printing, and which addresses are worth passing on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p::{
    Multiaddr, PeerId,
    identity::{Keypair, PublicKey, ed25519},
    multiaddr::Protocol,
};

use crate::error::ConfigError;

/// Addresses kept for one peer.
pub(crate) const ADDRESSES_MAX: usize = 16;

/// The network identity made from 32 secret bytes of an ed25519 key.
pub fn keypair_from_secret(mut secret: [u8; 32]) -> Keypair {
    // Reads the bytes and overwrites them with zeros.
    Keypair::ed25519_from_bytes(&mut secret).expect("any 32 bytes are an ed25519 secret")
}

/// A fresh random identity.
pub fn random_keypair() -> Keypair {
    Keypair::generate_ed25519()
}

/// The peer id of a key.
pub fn peer_id_of(keypair: &Keypair) -> PeerId {
    keypair.public().to_peer_id()
}

/// The public key of an identity; none if it is not ed25519, as the identities of this program are.
pub fn public_key_of(keypair: &Keypair) -> Option<[u8; 32]> {
    keypair.public().try_into_ed25519().ok().map(|key| key.to_bytes())
}

/// The peer id that belongs to an ed25519 public key; `None` when the bytes are not a public key.
pub fn peer_id_of_public_key(public_key: &[u8; 32]) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(public_key).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

/// An address others can copy into their bootstrap list: `address` with `/p2p/<peer>` at its end.
pub fn bootstrap_address(address: &Multiaddr, peer: PeerId) -> Multiaddr {
    let mut address = without_peer(address);
    address.push(Protocol::P2p(peer));
    address
}

/// Parses a multiaddress.
///
/// # Errors
/// When the text is not a multiaddress; the error shows the expected shape.
pub fn parse_address(text: &str) -> Result<Multiaddr, ConfigError> {
    text.parse().map_err(|error: libp2p::multiaddr::Error| ConfigError::NotAnAddress {
        text: text.to_owned(),
        error: error.to_string(),
    })
}

/// The identity at the end of an address.
pub fn peer_id(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// The address without the identity at its end.
pub(crate) fn without_peer(address: &Multiaddr) -> Multiaddr {
    address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
}

/// The IP address an address begins with.
pub(crate) fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => Some(IpAddr::V4(ip)),
        Some(Protocol::Ip6(ip)) => Some(IpAddr::V6(ip)),
        _ => None,
    }
}

/// Whether it is an address of QUIC.
pub(crate) fn is_quic(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::QuicV1)
}

/// Whether the address begins with an IP that the internet does not route; names are not resolved.
pub(crate) fn is_private(address: &Multiaddr) -> bool {
    ip(address).is_some_and(|ip| !is_global(ip))
}

/// Whether a peer's claim to listen at `address` is worth keeping. `via` is where the peer itself was reached: a
/// loopback address makes sense only to a node on the same machine.
pub(crate) fn is_useful(address: &Multiaddr, via: &Multiaddr, allow_private: bool) -> bool {
    let parts: Vec<Protocol<'_>> =
        without_peer(address).iter().map(|part| part.acquire()).collect();
    let ([host, Protocol::Tcp(port)] | [host, Protocol::Udp(port), Protocol::QuicV1]) =
        parts.as_slice()
    else {
        return false;
    };
    if *port == 0 {
        return false;
    }
    let address_ip = match host {
        Protocol::Ip4(ip) => IpAddr::V4(*ip),
        Protocol::Ip6(ip) => IpAddr::V6(*ip),
        Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) => return true,
        _ => return false,
    };
    if address_ip.is_unspecified() || address_ip.is_multicast() {
        return false;
    }
    if address_ip.is_loopback() {
        return allow_private && ip(via).is_some_and(|ip| ip.is_loopback());
    }
    allow_private || is_global(address_ip)
}

/// Those of a record's addresses that this node may dial.
pub(crate) fn dialable(claimed: &[Multiaddr], allow_private: bool) -> Vec<Multiaddr> {
    let addresses = claimed.iter().map(without_peer);
    addresses
        .filter(|address| is_useful(address, address, allow_private))
        .take(ADDRESSES_MAX)
        .collect()
}

/// Whether the internet routes the address.
pub(crate) fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_global_v4(ip),
        IpAddr::V6(ip) => is_global_v6(ip),
    }
}

fn is_global_v4(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    let shared = first == 100 && (64..128).contains(&second);
    let benchmark = first == 198 && (second == 18 || second == 19);
    let protocol_assignments = ip.octets().starts_with(&[192, 0, 0]);
    !(first == 0
        || first >= 224
        || shared
        || benchmark
        || protocol_assignments
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation())
}

fn is_global_v6(ip: Ipv6Addr) -> bool {
    if let Some(mapped) = ip.to_ipv4_mapped() {
        return is_global_v4(mapped);
    }
    let [first, second, ..] = ip.segments();
    let documentation = first == 0x2001 && second == 0xdb8;
    // Only 2000::/3 is assigned for global unicast.
    first & 0xe000 == 0x2000 && !documentation
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn what_the_internet_routes() {
        let global = ["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111"];
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "172.31.0.1",
            "192.168.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
        ];
        for ip in global {
            assert!(is_global(ip.parse().unwrap()), "{ip}");
        }
        for ip in private {
            assert!(!is_global(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn which_claims_are_kept() {
        let cases = [
            ("/ip4/8.8.8.8/tcp/1", "/ip4/9.9.9.9/tcp/1", false, true),
            ("/dns4/example.org/tcp/1", "/ip4/9.9.9.9/tcp/1", false, true),
            ("/ip4/8.8.8.8/tcp/0", "/ip4/9.9.9.9/tcp/1", true, false),
            ("/ip4/8.8.8.8/udp/1/quic-v1", "/ip4/9.9.9.9/tcp/1", false, true),
            ("/ip4/8.8.8.8/udp/1", "/ip4/9.9.9.9/tcp/1", true, false),
            ("/ip4/8.8.8.8/udp/0/quic-v1", "/ip4/9.9.9.9/tcp/1", true, false),
            ("/ip4/10.0.0.1/tcp/1", "/ip4/9.9.9.9/tcp/1", false, false),
            ("/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1", true, true),
            ("/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1", true, false),
            ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2", true, true),
            ("/ip4/0.0.0.0/tcp/1", "/ip4/127.0.0.1/tcp/2", true, false),
        ];
        for (address, via, allow_private, expected) in cases {
            let kept = is_useful(&address.parse().unwrap(), &via.parse().unwrap(), allow_private);
            assert_eq!(kept, expected, "{address} via {via}");
        }
    }

    #[test]
    fn an_identity_is_its_secret() {
        let keypair = keypair_from_secret([7; 32]);
        assert_eq!(peer_id_of(&keypair), peer_id_of(&keypair_from_secret([7; 32])));
        let public: [u8; 32] = keypair.public().try_into_ed25519().unwrap().to_bytes();
        assert_eq!(peer_id_of_public_key(&public), Some(peer_id_of(&keypair)));
    }

    #[test]
    fn a_bootstrap_address_names_its_peer_once() {
        let peer = PeerId::random();
        let address = parse_address("/ip4/127.0.0.1/tcp/24000").unwrap();
        let full = bootstrap_address(&address, peer);
        assert_eq!(peer_id(&full), Some(peer));
        assert_eq!(bootstrap_address(&full, peer), full);
        assert_eq!(without_peer(&full), address);
        assert!(parse_address("127.0.0.1:24000").unwrap_err().to_string().contains("/ip4/"));
    }
}
