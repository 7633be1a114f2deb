//! The network configuration, and its validation before anything starts.
//!
//! Invariant: [`NetworkConfig::validate`] has no side effects and touches no network; libp2p
//! accepts every configuration that passes.

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

use crate::{
    address,
    error::ConfigError,
    saved::Saved,
    version::{Features, VERSION_MAX, VERSION_MIN},
};

/// The configuration of one node, resolved once at start.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Names the chain in every protocol, every topic and in identify, such as `tc-1a2b3c4d`; 1 to 64 of `a-z 0-9 -`.
    pub chain_tag: String,
    /// Name and version of the software, such as `timecoin/0.1.0`; at most 64 printable ASCII characters.
    pub agent: String,
    /// Addresses to listen on, such as `/ip4/0.0.0.0/tcp/24000`; may be empty for a node that only dials.
    pub listen: Vec<Multiaddr>,
    /// Addresses others reach this node at, announced to them; needed behind NAT and in containers.
    pub external: Vec<Multiaddr>,
    /// Nodes to join through. Each address ends with `/p2p/<peer id>` and is redialled until it is
    /// connected.
    pub bootstrap: Vec<Multiaddr>,
    /// Whether loopback and private addresses are dialled and passed on: local networks and containers.
    pub allow_private: bool,
    /// Peers that always find a place and are never evicted.
    pub reserved: Vec<PeerId>,
    /// If it is not empty, no other peers are admitted or dialled: a private network.
    pub only: Vec<PeerId>,
    /// Peers that are reserved and that nobody else is told about: this node is their sentry.
    pub private: Vec<PeerId>,
    /// How others reach this node.
    pub reach: Reach,
    /// What this node offers.
    pub features: Features,
    /// The newest protocol version to speak.
    pub version_max: u32,
    /// Bytes of blocks that are sent in a second on average, before compression; 0 is no limit.
    pub upload_bytes: u64,
    /// Bytes of memory of this process above which only reserved peers are admitted; 0 is no limit.
    pub memory_bytes: u64,
    /// Connection limits.
    pub limits: PeerLimits,
    /// What the last start saved; empty at the first.
    pub saved: Saved,
}

/// The ways to be reached besides TCP. With `allow_private` the internet's are off whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Whether QUIC is spoken: over UDP, where TCP does not get through.
    pub quic: bool,
    /// Whether peers are asked to dial back (AutoNAT v2), and are dialled back when they ask.
    pub autonat: bool,
    /// Whether the router is asked to forward the ports (UPnP).
    pub upnp: bool,
    /// Whether nodes of the local network are found by multicast (mDNS); needs `allow_private`.
    pub mdns: bool,
}

impl Default for Reach {
    fn default() -> Self {
        Reach { quic: true, autonat: true, upnp: true, mdns: false }
    }
}

/// Limits on connections. [`PeerLimits::of`] derives them from the number of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerLimits {
    /// Established connections in total.
    pub peers_max: u32,
    /// Established connections that others opened.
    pub inbound_max: u32,
    /// Connections that this node opened, dials included.
    pub outbound_max: u32,
    /// Outbound peers that discovery tries to reach.
    pub outbound_target: u32,
    /// Connections per peer: two, because two nodes may dial each other at the same time.
    pub per_peer_max: u32,
    /// Inbound handshakes in progress.
    pub pending_max: u32,
    /// Inbound connections, handshakes included, from one IPv4 address or IPv6 /64.
    pub per_ip_max: u32,
    /// The same for a /24, or a /48.
    pub per_near_max: u32,
    /// The same for a /16, or a /32.
    pub per_group_max: u32,
    /// Whether private addresses have no share: machines behind one router, containers on one host.
    pub private_is_exempt: bool,
}

impl PeerLimits {
    /// The limits of a node with this many peers, at least 1: about two thirds of them inbound.
    pub const fn of(peers_max: u32) -> Self {
        let inbound_max = peers_max / 25 * 16 + peers_max % 25 * 16 / 25;
        let outbound_max = peers_max - inbound_max;
        PeerLimits {
            peers_max,
            inbound_max,
            outbound_max,
            outbound_target: if outbound_max < 8 { outbound_max } else { 8 },
            per_peer_max: 2,
            pending_max: 64,
            per_ip_max: 3,
            per_near_max: 6,
            per_group_max: 12,
            private_is_exempt: true,
        }
    }
}

impl Default for PeerLimits {
    fn default() -> Self {
        Self::of(50)
    }
}

impl NetworkConfig {
    /// A node of this chain that listens nowhere and knows nobody, with the default limits.
    pub fn of_chain(chain_tag: impl Into<String>) -> Self {
        NetworkConfig {
            chain_tag: chain_tag.into(),
            agent: String::new(),
            listen: Vec::new(),
            external: Vec::new(),
            bootstrap: Vec::new(),
            allow_private: false,
            reserved: Vec::new(),
            only: Vec::new(),
            private: Vec::new(),
            reach: Reach::default(),
            features: Features::default(),
            version_max: VERSION_MAX,
            upload_bytes: 0,
            memory_bytes: 0,
            limits: PeerLimits::default(),
            saved: Saved::default(),
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first invalid field, its value, and what to write instead.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_chain_tag(&self.chain_tag)?;
        check_agent(&self.agent)?;
        check_limits(&self.limits)?;
        for address in self.listen.iter().chain(&self.external) {
            self.check_transport(address)?;
        }
        if !(VERSION_MIN..=VERSION_MAX).contains(&self.version_max) {
            return Err(ConfigError::Version { version: self.version_max });
        }
        if self.reach.mdns && !self.allow_private {
            return Err(ConfigError::MdnsWithoutPrivate);
        }
        for address in &self.bootstrap {
            self.check_bootstrap(address)?;
        }
        Ok(())
    }

    /// The bootstrap nodes with their identities; addresses without one were refused by [`Self::validate`].
    pub(crate) fn bootstrap_peers(&self) -> impl Iterator<Item = (PeerId, Multiaddr)> {
        self.bootstrap
            .iter()
            .filter_map(|address| address::peer_id(address).map(|peer| (peer, address.clone())))
    }

    fn check_transport(&self, address: &Multiaddr) -> Result<(), ConfigError> {
        check_form(address)?;
        match address::is_quic(address) && !self.reach.quic {
            true => Err(ConfigError::QuicOff { address: address.clone() }),
            false => Ok(()),
        }
    }

    fn check_bootstrap(&self, address: &Multiaddr) -> Result<(), ConfigError> {
        self.check_transport(address)?;
        if address::peer_id(address).is_none() {
            return Err(ConfigError::BootstrapWithoutPeer { address: address.clone() });
        }
        if !self.allow_private && address::is_private(address) {
            return Err(ConfigError::BootstrapPrivate { address: address.clone() });
        }
        Ok(())
    }
}

fn check_chain_tag(tag: &str) -> Result<(), ConfigError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=64).contains(&tag.len()) && tag.bytes().all(allowed) {
        return Ok(());
    }
    Err(ConfigError::ChainTag { tag: tag.to_owned() })
}

fn check_agent(agent: &str) -> Result<(), ConfigError> {
    if agent.len() <= 64 && agent.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(());
    }
    Err(ConfigError::Agent { agent: agent.to_owned() })
}

fn check_limits(limits: &PeerLimits) -> Result<(), ConfigError> {
    let rules = [
        (limits.peers_max >= 1, "peers_max must be at least 1"),
        (limits.inbound_max <= limits.peers_max, "inbound_max must not exceed peers_max"),
        (limits.outbound_max <= limits.peers_max, "outbound_max must not exceed peers_max"),
        (
            limits.outbound_target <= limits.outbound_max,
            "outbound_target must not exceed outbound_max",
        ),
        (limits.per_peer_max >= 1, "per_peer_max must be at least 1"),
        (limits.pending_max >= 1, "pending_max must be at least 1"),
        (limits.per_ip_max >= 1, "per_ip_max must be at least 1"),
        (limits.per_near_max >= limits.per_ip_max, "per_near_max must not be below per_ip_max"),
        (
            limits.per_group_max >= limits.per_near_max,
            "per_group_max must not be below per_near_max",
        ),
    ];
    match rules.into_iter().find(|(holds, _)| !holds) {
        Some((_, rule)) => Err(ConfigError::Limits { rule }),
        None => Ok(()),
    }
}

/// Accepts `/ip4|ip6|dns|dns4|dns6/.../tcp/...` and `.../udp/.../quic-v1` with an optional `/p2p/...`, and
/// `/dnsaddr/.../p2p/...`.
fn check_form(address: &Multiaddr) -> Result<(), ConfigError> {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    let parts = match parts.as_slice() {
        [rest @ .., Protocol::P2p(_)] => rest,
        all => all,
    };
    let fits = match parts {
        [host, Protocol::Tcp(_)] | [host, Protocol::Udp(_), Protocol::QuicV1] => is_host(host),
        [Protocol::Dnsaddr(_)] => address::peer_id(address).is_some(),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(ConfigError::NotTransport { address: address.clone() })
}

fn is_host(part: &Protocol<'_>) -> bool {
    matches!(
        part,
        Protocol::Ip4(_)
            | Protocol::Ip6(_)
            | Protocol::Dns(_)
            | Protocol::Dns4(_)
            | Protocol::Dns6(_)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const PEER: &str = "12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2";

    fn config() -> NetworkConfig {
        NetworkConfig {
            agent: "timecoin/0.1.0".to_owned(),
            listen: vec![
                "/ip4/0.0.0.0/tcp/24000".parse().unwrap(),
                "/ip6/::/udp/24000/quic-v1".parse().unwrap(),
            ],
            bootstrap: vec![
                format!("/dns4/seed.example.org/tcp/24000/p2p/{PEER}").parse().unwrap(),
            ],
            ..NetworkConfig::of_chain("tc-1a2b3c4d")
        }
    }

    #[test]
    fn the_defaults_are_valid() {
        config().validate().unwrap();
    }

    #[test]
    fn every_number_of_peers_is_valid() {
        for peers in 1..=1_000 {
            let config = NetworkConfig { limits: PeerLimits::of(peers), ..config() };
            config.validate().unwrap();
            assert!(config.limits.outbound_target >= 1);
        }
    }

    #[test]
    fn every_error_says_what_to_write_instead() {
        type Change = fn(&mut NetworkConfig);
        let cases: [(Change, &str); 11] = [
            (|config| config.chain_tag.clear(), "chain tag"),
            (|config| config.chain_tag = "Main Net".to_owned(), "Main Net"),
            (|config| config.agent = "\u{1b}[31m".to_owned(), "printable"),
            (|config| config.limits.inbound_max = 51, "inbound_max"),
            (|config| config.limits.peers_max = 0, "peers_max"),
            (
                |config| config.listen = vec!["/ip4/0.0.0.0/udp/24000".parse().unwrap()],
                "/ip4/0.0.0.0/tcp/24000",
            ),
            (
                |config| {
                    config.listen = vec!["/ip4/0.0.0.0/udp/24000/quic-v1".parse().unwrap()];
                    config.reach.quic = false;
                },
                "network.quic",
            ),
            (|config| config.reach.mdns = true, "allow_private"),
            (|config| config.bootstrap = vec!["/ip4/8.8.8.8/tcp/24000".parse().unwrap()], "/p2p/"),
            (
                |config| {
                    config.bootstrap =
                        vec![format!("/ip4/10.0.0.1/tcp/1/p2p/{PEER}").parse().unwrap()];
                },
                "allow_private",
            ),
            (|config| config.external = vec![Multiaddr::empty()], "tcp"),
        ];
        for (change, expected) in cases {
            let mut config = config();
            change(&mut config);
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains(expected), "{error:?} lacks {expected:?}");
        }
    }

    #[test]
    fn a_local_network_may_be_private() {
        let mut config = config();
        config.allow_private = true;
        config.bootstrap = vec![
            format!("/ip4/127.0.0.1/tcp/1/p2p/{PEER}").parse().unwrap(),
            format!("/dnsaddr/example.org/p2p/{PEER}").parse().unwrap(),
        ];
        config.validate().unwrap();
        assert_eq!(config.bootstrap_peers().count(), 2);
    }
}
