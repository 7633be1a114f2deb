//! What operators ask the swarm, and what an address tells them. Invariant: every list in an answer
//! is bounded.

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol as Part};
use tokio::sync::oneshot;

use crate::{
    address,
    discovery::{Book, BookCounts},
    gate::Occupancy,
    journal::{Departure, Refused, Slow},
    origin::Origin,
    topic::Topic,
};

/// A question of an operator.
#[derive(Debug)]
pub(crate) enum Question {
    Book { only: Option<PeerId>, count: usize, answer: oneshot::Sender<Book> },
    Mesh { answer: oneshot::Sender<Mesh> },
}

/// The state of the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mesh {
    /// Connections and their limits.
    pub occupancy: Occupancy,
    /// Addresses announced to others besides those it listens on.
    pub external: Vec<Multiaddr>,
    /// Netgroups of outbound connections to public addresses.
    pub outbound_netgroups: usize,
    /// Each topic with the peers with which its messages are exchanged directly.
    pub degrees: Vec<(Topic, usize)>,
    /// Each gossip instance with the peers that take part in it.
    pub lanes: Vec<(&'static str, usize)>,
    /// The address book in numbers.
    pub book: BookCounts,
    /// Bans in force.
    pub bans: usize,
    /// How often each reason turned somebody away.
    pub refusals: Vec<Refused>,
    /// The last peer that did not take its messages in time.
    pub slow: Option<Slow>,
    /// The last departures, the latest last; at most 32.
    pub departures: Vec<Departure>,
    /// Bytes of blocks that are sent in a second on average; 0 is no limit.
    pub upload_bytes: u64,
    /// Whether that limit delays answers now.
    pub upload_is_spent: bool,
    /// Memory of this process in bytes; 0 if it is not known.
    pub memory_bytes: u64,
    /// Its limit; 0 is no limit.
    pub memory_bytes_max: u64,
}

/// The netgroup of an address: a /16, or an IPv6 /32. None for names.
pub fn netgroup(address: &Multiaddr) -> Option<String> {
    address::ip(address).map(|ip| Origin::of(ip).group.to_string())
}

/// How a connection to this address travels: `tcp`, `quic` or `relayed`.
pub fn transport(address: &Multiaddr) -> &'static str {
    let has = |is: fn(&Part<'_>) -> bool| address.iter().any(|part| is(&part));
    if has(|part| matches!(part, Part::P2pCircuit)) {
        "relayed"
    } else if has(|part| matches!(part, Part::QuicV1 | Part::Quic)) {
        "quic"
    } else {
        "tcp"
    }
}

/// Whether the internet routes this address: a global IP address, or a name.
pub fn is_public(address: &Multiaddr) -> bool {
    !address::is_private(address)
}

/// The IP address and the port of an address, if it begins with an IP address.
pub fn ip_and_port(address: &Multiaddr) -> Option<(std::net::IpAddr, u16)> {
    let port = address.iter().find_map(|part| match part {
        Part::Tcp(port) | Part::Udp(port) => Some(port),
        _ => None,
    });
    address::ip(address).zip(port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn an_address_tells_its_netgroup_and_how_it_travels() {
        let relay = format!("/ip4/9.8.7.6/tcp/1/p2p/{}/p2p-circuit", PeerId::random());
        let cases = [
            ("/ip4/9.8.7.6/tcp/1", Some("9.8.0.0/16"), "tcp", true, Some(("9.8.7.6", 1))),
            ("/ip4/10.8.7.6/tcp/2", Some("10.8.0.0/16"), "tcp", false, Some(("10.8.7.6", 2))),
            (
                "/ip6/2600:1:2::3/udp/3/quic-v1",
                Some("2600:1::/32"),
                "quic",
                true,
                Some(("2600:1:2::3", 3)),
            ),
            ("/dns4/example.org/tcp/1", None, "tcp", true, None),
            (relay.as_str(), Some("9.8.0.0/16"), "relayed", true, Some(("9.8.7.6", 1))),
        ];
        for (text, group, travels, public, socket) in cases {
            let address: Multiaddr = text.parse().unwrap();
            assert_eq!(netgroup(&address).as_deref(), group, "{text}");
            assert_eq!((transport(&address), is_public(&address)), (travels, public), "{text}");
            let socket = socket.map(|(ip, port)| (ip.parse().unwrap(), port));
            assert_eq!(ip_and_port(&address), socket, "{text}");
        }
    }
}
