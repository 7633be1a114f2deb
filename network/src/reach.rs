//! Whether others can reach this node, and what shows it.
//!
//! Two things show that they can: a peer dialled back on request (AutoNAT v2), and a public address
//! connected by itself. That no tested address was reached shows that they cannot. What
//! outbound peers of two netgroups observe is worth a test and nothing more: one of them alone
//! could make this node announce an address of somebody else.
//!
//! Never opens a connection. Invariant: at most [`CANDIDATES_MAX`] addresses and [`SIGHTINGS_MAX`]
//! observations are kept.

use std::{
    collections::VecDeque,
    net::IpAddr,
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, multiaddr::Protocol};

use crate::{
    address,
    origin::{Origin, Prefix},
};

/// Addresses that are tested.
pub(crate) const CANDIDATES_MAX: usize = 16;
/// An inbound connection shows for so long that there can be others.
const INBOUND_SHOWS: Duration = Duration::from_secs(3_600);

/// Whether others can reach this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reachability {
    /// Nothing shows it yet; always so in a local network.
    #[default]
    Unknown,
    /// They can.
    Reachable {
        /// The addresses that were dialled back; empty if only inbound connections show it.
        at: Vec<Multiaddr>,
    },
    /// No tested address was reached: a router or a firewall is in front of this node.
    OutboundOnly {
        /// The addresses that were tested.
        tested: Vec<Multiaddr>,
    },
}

impl std::fmt::Display for Reachability {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Reachability::Unknown => "unknown",
            Reachability::Reachable { .. } => "reachable",
            Reachability::OutboundOnly { .. } => "behind NAT: only outbound connections",
        })
    }
}

/// Observations that are kept.
const SIGHTINGS_MAX: usize = 64;

#[derive(Debug)]
struct Candidate {
    address: Multiaddr,
    /// None while the test runs.
    is_reached: Option<bool>,
}

/// What is known about it.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    candidates: Vec<Candidate>,
    /// Which netgroup saw this node where, the last ones.
    sightings: VecDeque<(Prefix, IpAddr)>,
    inbound_at: Option<Instant>,
}

impl Evidence {
    /// An outbound peer at `via` sees this node at `observed`. Returns the addresses to test: that host with each port
    /// that the node listens on, if they were not tested yet.
    pub(crate) fn observed<'a>(
        &mut self,
        via: &Multiaddr,
        observed: &Multiaddr,
        listening: impl Iterator<Item = &'a Multiaddr>,
    ) -> Vec<Multiaddr> {
        let Some(ip) = address::ip(observed).filter(|ip| address::is_global(*ip)) else {
            return Vec::new();
        };
        let Some(group) = address::ip(via).map(|via| Origin::of(via).group) else {
            return Vec::new();
        };
        if !self.sightings.contains(&(group, ip)) {
            self.sightings.push_back((group, ip));
        }
        if self.sightings.len() > SIGHTINGS_MAX {
            self.sightings.pop_front();
        }
        if self.sightings.iter().filter(|(_, seen)| *seen == ip).count() < 2 {
            return Vec::new();
        }
        let mut new = Vec::new();
        for address in listening.filter_map(|listen| at_host(listen, ip)) {
            let is_known = self.candidates.iter().any(|known| known.address == address);
            if !is_known && self.candidates.len() < CANDIDATES_MAX {
                let candidate = Candidate { address: address.clone(), is_reached: None };
                self.candidates.push(candidate);
                new.push(address);
            }
        }
        new
    }

    /// A peer has dialled an address, or tried to.
    pub(crate) fn tested(&mut self, address: &Multiaddr, is_reached: bool) {
        let mut candidates = self.candidates.iter_mut();
        if let Some(candidate) = candidates.find(|candidate| candidate.address == *address) {
            candidate.is_reached = Some(is_reached);
        }
    }

    /// A peer connected from this address, unasked.
    pub(crate) fn entered(&mut self, from: &Multiaddr, now: Instant) {
        if address::ip(from).is_some_and(address::is_global) {
            self.inbound_at = Some(now);
        }
    }

    pub(crate) fn verdict(&self, now: Instant) -> Reachability {
        let of = |outcome: bool| {
            let those = self.candidates.iter().filter(move |c| c.is_reached == Some(outcome));
            those.map(|candidate| candidate.address.clone()).collect::<Vec<_>>()
        };
        let is_recent = |at| now.saturating_duration_since(at) < INBOUND_SHOWS;
        let (at, tested) = (of(true), of(false));
        if !at.is_empty() || self.inbound_at.is_some_and(is_recent) {
            return Reachability::Reachable { at };
        }
        match tested.is_empty() || tested.len() < self.candidates.len() {
            true => Reachability::Unknown,
            false => Reachability::OutboundOnly { tested },
        }
    }
}

/// The transport and port of an address that this node listens on, at another host.
fn at_host(listen: &Multiaddr, ip: IpAddr) -> Option<Multiaddr> {
    let is_same_family = address::ip(listen)?.is_ipv4() == ip.is_ipv4();
    let host = match ip {
        IpAddr::V4(ip) => Protocol::Ip4(ip),
        IpAddr::V6(ip) => Protocol::Ip6(ip),
    };
    is_same_family.then(|| std::iter::once(host).chain(listen.iter().skip(1)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_was_dialled_back_is_reachable_and_what_never_was_is_not() {
        let (mut evidence, now) = (Evidence::default(), Instant::now());
        let listening = [
            address("/ip4/192.168.0.5/tcp/24000"),
            address("/ip4/192.168.0.5/udp/24000/quic-v1"),
            address("/ip6/fe80::1/tcp/24000"),
        ];
        let seen = address("/ip4/9.9.9.9/tcp/51000");
        let [one, other] = ["/ip4/8.8.8.8/tcp/1", "/ip4/7.7.7.7/tcp/1"].map(address);
        for _ in 0..2 {
            assert!(evidence.observed(&one, &seen, listening.iter()).is_empty(), "a word of one");
        }
        let tests = evidence.observed(&other, &seen, listening.iter());
        let expected =
            [address("/ip4/9.9.9.9/tcp/24000"), address("/ip4/9.9.9.9/udp/24000/quic-v1")];
        assert_eq!(tests, expected);
        let again = evidence.observed(&other, &seen, listening.iter());
        assert!(again.is_empty(), "each is tested once");
        evidence.tested(&tests[0], false);
        assert_eq!(evidence.verdict(now), Reachability::Unknown, "one test still runs");
        evidence.tested(&tests[1], false);
        let outbound_only = Reachability::OutboundOnly { tested: tests.clone() };
        assert_eq!(evidence.verdict(now), outbound_only);
        evidence.entered(&address("/ip4/10.0.0.1/tcp/5"), now);
        assert_eq!(evidence.verdict(now), outbound_only, "a neighbour shows nothing");
        evidence.entered(&address("/ip4/8.8.8.8/tcp/5"), now);
        assert_eq!(evidence.verdict(now), Reachability::Reachable { at: vec![] });
        assert_eq!(evidence.verdict(now + INBOUND_SHOWS), outbound_only);
        evidence.tested(&tests[0], true);
        assert_eq!(evidence.verdict(now), Reachability::Reachable { at: vec![tests[0].clone()] });
    }

    #[test]
    fn liars_fill_a_bounded_table_with_public_addresses_only() {
        let mut evidence = Evidence::default();
        let listening = [address("/ip4/0.0.0.0/tcp/24000")];
        for number in 0..100 {
            for ip in [format!("9.9.9.{number}"), format!("10.0.0.{number}")] {
                let observed = address(&format!("/ip4/{ip}/tcp/1"));
                for via in ["/ip4/8.8.8.8/tcp/1", "/ip4/7.7.7.7/tcp/1"].map(address) {
                    for test in evidence.observed(&via, &observed, listening.iter()) {
                        assert!(!address::is_private(&test), "{test}");
                    }
                }
            }
        }
        assert_eq!(evidence.candidates.len(), CANDIDATES_MAX);
        assert_eq!(evidence.sightings.len(), SIGHTINGS_MAX);
    }
}
