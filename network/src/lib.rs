//! The network of a node: libp2p behind a small interface.
//!
//! It carries `Topic + Bytes` with a byte limit per topic and takes back a [`Verdict`]; it answers
//! requests with the bytes that the application supplies. It does not know blocks or votes,
//! verifies no TimeCoin signature, and depends on no other crate of this workspace.
//!
//! Invariants:
//! - The swarm task never waits for the application. Messages it cannot hand over are dropped and counted, requests
//!   are answered "busy", and changes of peers wait in a bounded queue.
//! - A message is forwarded only after the application accepts it.
//! - Everything that a peer can grow has a limit: bytes, streams, connections, tables, rates.
//! - Every protocol name, topic and greeting carries the chain's tag; a node of another chain is refused and reported.
//!
//! [`start`] returns a [`Network`]: a [`NetworkHandle`] to act with, and four queues to read.

mod address;
mod behaviour;
mod budget;
mod candidate;
mod config;
mod discovery;
mod envelope;
mod error;
mod events;
mod eviction;
mod exchange;
mod feelers;
mod gate;
mod gossip;
mod handle;
mod journal;
mod memory;
mod meter;
mod no_records;
mod origin;
mod peers;
mod probe;
mod rate;
mod ration;
mod reach;
mod records;
mod report;
mod saved;
mod silence;
mod standing;
mod start;
mod stats;
mod swarm;
mod topic;
mod traffic;
mod transport;
mod version;
mod vitals;
mod why;

pub use libp2p::{Multiaddr, PeerId, identity::Keypair};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

pub use crate::{
    address::{
        bootstrap_address, keypair_from_secret, parse_address, peer_id, peer_id_of,
        peer_id_of_public_key, public_key_of, random_keypair,
    },
    config::{NetworkConfig, PeerLimits, Reach},
    discovery::{Book, BookCounts, BookEntry},
    envelope::EnvelopeError,
    error::{ConfigError, DialError, NetworkError, PublishError, RequestError},
    exchange::{InboundRequest, Reply},
    gate::Occupancy,
    gossip::{Gossip, Ticket, Verdict},
    handle::NetworkHandle,
    journal::{Departure, Refused, Slow},
    peers::{PeerEvent, PeerInfo},
    ration::Ration,
    reach::Reachability,
    report::{Mesh, ip_and_port, is_public, netgroup, transport},
    saved::{Saved, SavedError},
    standing::{Ban, Party},
    start::start,
    stats::{NetworkStats, ProtocolStats, Sample, TopicStats},
    topic::{Protocol, Topic},
    version::{Features, VERSION_MAX, VERSION_MIN},
    why::Why,
};

/// A running network. Queues may be dropped: their items are then dropped, ignored or answered
/// "busy".
#[derive(Debug)]
pub struct Network {
    /// Acts on the network; may be cloned.
    pub handle: NetworkHandle,
    /// Votes, proposals, certificates and evidence from peers.
    pub fast: mpsc::Receiver<Gossip>,
    /// Transactions and presences from peers.
    pub bulk: mpsc::Receiver<Gossip>,
    /// Requests from peers.
    pub requests: mpsc::Receiver<InboundRequest>,
    /// Peers that connected, disconnected or were refused.
    pub peers: mpsc::Receiver<PeerEvent>,
    /// What the next start is given; each time that it changed, and once more at the end.
    pub saved: watch::Receiver<Arc<Saved>>,
}
