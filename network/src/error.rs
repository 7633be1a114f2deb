//! All errors. Each says what happened, why, and what to do next where that helps.

use libp2p::{Multiaddr, PeerId};

use crate::{
    topic::{Protocol, Topic},
    version::{VERSION_MAX, VERSION_MIN},
};

/// An invalid field of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The chain tag is empty, too long or has other characters.
    #[error(
        "chain tag {tag:?} is not 1 to 64 characters of a-z, 0-9 and '-'; write it like tc-1a2b3c4d"
    )]
    ChainTag {
        /// The value.
        tag: String,
    },
    /// The agent is too long or not printable.
    #[error(
        "agent {agent:?} is not at most 64 printable ASCII characters; write it like timecoin/0.1.0"
    )]
    Agent {
        /// The value.
        agent: String,
    },
    /// The limits contradict each other.
    #[error("peer limits cannot work: {rule}")]
    Limits {
        /// The broken rule.
        rule: &'static str,
    },
    /// The address names neither TCP nor QUIC.
    #[error(
        "address {address} is neither TCP nor QUIC; write it like /ip4/0.0.0.0/tcp/24000 or /ip4/0.0.0.0/udp/24000/quic-v1"
    )]
    NotTransport {
        /// The value.
        address: Multiaddr,
    },
    /// The address is of QUIC, which is off.
    #[error(
        "address {address} needs QUIC, which is off; set network.quic = true, or write a TCP address"
    )]
    QuicOff {
        /// The value.
        address: Multiaddr,
    },
    /// The version is not one that this program speaks.
    #[error("protocol version {version} is unknown; write one from {VERSION_MIN} to {VERSION_MAX}")]
    Version {
        /// The value.
        version: u32,
    },
    /// mDNS finds private addresses, which are not dialled.
    #[error(
        "mDNS finds private addresses, and they are off; set allow_private for a local network"
    )]
    MdnsWithoutPrivate,
    /// The text is not a multiaddress.
    #[error(
        "{text:?} is not a multiaddress ({error}); write it like /ip4/203.0.113.7/tcp/24000/p2p/<peer id>"
    )]
    NotAnAddress {
        /// The text.
        text: String,
        /// What the parser says.
        error: String,
    },
    /// A bootstrap address has no peer id.
    #[error(
        "bootstrap address {address} lacks the identity of the node; append /p2p/<peer id>, which that node prints at start"
    )]
    BootstrapWithoutPeer {
        /// The value.
        address: Multiaddr,
    },
    /// A bootstrap address is private and private addresses are off.
    #[error(
        "bootstrap address {address} is private and private addresses are not dialled; set allow_private for a local network"
    )]
    BootstrapPrivate {
        /// The value.
        address: Multiaddr,
    },
}

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A field of the configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another process listens there already.
    #[error(
        "cannot listen on {address}: the port is taken by another process; stop it (a node already running?) or configure another port"
    )]
    PortTaken {
        /// The address.
        address: Multiaddr,
    },
    /// Listening failed for another reason.
    #[error(
        "cannot listen on {address}: {error}; check that this machine has the address and permits the port"
    )]
    Listen {
        /// The address.
        address: Multiaddr,
        /// What the system says.
        error: String,
    },
    /// No listener reported an address in time.
    #[error(
        "no address to listen on appeared within {seconds} s for {address}; check the network interfaces"
    )]
    ListenTimeout {
        /// The address.
        address: Multiaddr,
        /// How long the node waited.
        seconds: u64,
    },
    /// The interfaces of this machine cannot be watched.
    #[error("cannot look for nodes of the local network: {0}; set network.mdns = false")]
    Mdns(String),
    /// Part of libp2p refused its parameters: a bug.
    #[error("cannot build the network: {0}")]
    Build(String),
}

/// Why a message was not handed to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The payload exceeds the limit of its topic.
    #[error("{bytes} bytes exceed the {limit} allowed on topic {topic}")]
    TooLarge {
        /// The topic.
        topic: Topic,
        /// The payload's bytes.
        bytes: usize,
        /// The topic's limit.
        limit: usize,
    },
    /// The swarm has not taken earlier messages yet.
    #[error("the queue to the network is full; send {topic} again later")]
    QueueFull {
        /// The topic.
        topic: Topic,
    },
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The request exceeds the limit of its protocol.
    #[error("{bytes} bytes exceed the {limit} allowed in a {protocol} request")]
    TooLarge {
        /// The protocol.
        protocol: Protocol,
        /// The request's bytes.
        bytes: usize,
        /// The protocol's limit.
        limit: usize,
    },
    /// There is no connection to the peer; requests do not open one.
    #[error("not connected to {peer}; ask another peer")]
    NotConnected {
        /// The peer.
        peer: PeerId,
    },
    /// The peer is busy, or this node exceeded its request rate.
    #[error("the peer is busy; ask another peer or wait")]
    Busy,
    /// No complete answer in time.
    #[error("no answer within {} s", Protocol::TIMEOUT.as_secs())]
    Timeout,
    /// The connection broke before the answer.
    #[error("the connection closed before the answer")]
    Closed,
    /// The peer does not speak this protocol.
    #[error("the peer does not speak {protocol}")]
    Unsupported {
        /// The protocol.
        protocol: Protocol,
    },
    /// The answer was malformed, too large or cut off.
    #[error("the exchange failed: {0}")]
    Malformed(String),
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}

/// Why a dial asked for by the application failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The address has no peer id.
    #[error("address {address} lacks /p2p/<peer id>; append the identity of the node")]
    WithoutPeer {
        /// The address.
        address: Multiaddr,
    },
    /// Every attempt failed.
    #[error("cannot connect to {address}: {reason}")]
    Failed {
        /// The address.
        address: Multiaddr,
        /// Which step failed and why.
        reason: String,
    },
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}
