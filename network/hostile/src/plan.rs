//! The language of attacks, and of what is told about them.

use std::net::IpAddr;

use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};

/// An attack by many identities.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The tag of the chain, such as `tc-1a2b3c4d`.
    pub tag: String,
    /// The nodes that every identity connects to, each ending in `/p2p/<peer id>`.
    pub targets: Vec<Multiaddr>,
    /// Addresses of this machine; identity `n` uses the `n`-th of them, and begins again after the last.
    pub from: Vec<IpAddr>,
    /// How many there are at a time.
    pub identities: usize,
    /// When a connection ended, or was refused: how long until the next attempt.
    pub again_ms: u64,
    /// Whether each attempt is one of a new identity.
    pub fresh: bool,
    /// What is done on each connection.
    pub act: Act,
    /// What is told to those who ask.
    pub lies: Lies,
}

/// What an identity does on each connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Act {
    /// Nothing but to identify itself and answer pings.
    Idle,
    /// Publishes messages.
    Flood(Flood),
    /// Asks, and reads nothing of the answer; or asks again and again as an honest peer does.
    Ask {
        /// The name of the protocol, such as `blocks`.
        protocol: String,
        /// The request, without its envelope.
        request: Vec<u8>,
        /// Whether the answer is read; then it asks again, ten times a second.
        reads: bool,
    },
}

/// Messages on one stream of a gossipsub instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flood {
    /// `fast` or `bulk`.
    pub lane: String,
    /// The topic of each message.
    pub topic: String,
    /// What is in each.
    pub payload: Payload,
    /// Messages in a second; 0 is as many as are read.
    pub per_second: u64,
    /// After so many the identity leaves; 0 is never.
    pub messages: u64,
}

/// The content of a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Payload {
    /// Random bytes without an envelope.
    Raw(usize),
    /// Random bytes in an envelope.
    Random(usize),
    /// The same bytes in an envelope, again and again.
    Same(usize),
    /// These bytes in an envelope, with a number written over eight of them: each is another message.
    Template {
        /// The message.
        bytes: Vec<u8>,
        /// Where the number is.
        vary: usize,
    },
}

/// What an identity says about addresses.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Lies {
    /// Its own addresses, besides or instead of the true one.
    pub own: Vec<Multiaddr>,
    /// Whether it hides the true one.
    pub hides: bool,
    /// Addresses at which its FIND_NODE answers place peers that do not exist.
    pub others: Vec<Multiaddr>,
    /// How many such peers there are.
    pub peers: usize,
}

/// One line of what happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    /// Milliseconds since the beginning.
    pub at_ms: u64,
    /// The number of the identity.
    pub identity: usize,
    /// Its address.
    pub from: IpAddr,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It is connected.
    Connected {
        /// Whether the node dialled.
        inbound: bool,
    },
    /// An attempt failed.
    Refused,
    /// A request was answered.
    Answered {
        /// After how long.
        after_ms: u64,
        /// Its length with frame and envelope; 0 if the stream ended instead.
        bytes: u64,
    },
    /// A connection ended.
    Ended {
        /// After how long.
        after_ms: u64,
        /// Bytes of messages sent by this identity so far.
        sent: u64,
        /// Whether the identity had sent all that it wanted.
        left: bool,
    },
}
