//! The network of a node: libp2p behind a small door.
//!
//! It carries `Topic + Bytes` with a byte limit per topic and takes back a [`Verdict`]; it answers requests with
//! whatever bytes the application gives. It knows no block and no vote, checks no signature of ours, and depends on
//! none of our crates.
//!
//! Invariants:
//! - The swarm task never waits for the application. Messages it cannot hand over are dropped and counted, requests
//!   are answered "busy", and changes of peers wait in a bounded queue.
//! - Nothing is forwarded before the application accepted it.
//! - Everything a peer can grow has a limit: bytes, streams, connections, tables, rates.
//! - Every protocol name, topic and greeting carries the chain's tag; a node of another chain is refused and reported.
//!
//! [`start`] returns a [`Network`]: a [`NetworkHandle`] to act with, and four queues to read.

mod address;
mod admission;
mod behaviour;
mod budget;
mod config;
mod discovery;
mod envelope;
mod error;
mod events;
mod exchange;
mod gossip;
mod handle;
mod no_records;
mod peers;
mod rate;
mod silence;
mod start;
mod stats;
mod swarm;
mod topic;
mod transport;

pub use libp2p::{Multiaddr, PeerId, identity::Keypair};
use tokio::sync::mpsc;

pub use crate::{
    address::{
        bootstrap_address, keypair_from_secret, parse_address, peer_id, peer_id_of,
        peer_id_of_public_key, random_keypair,
    },
    config::{NetworkConfig, PeerLimits},
    envelope::EnvelopeError,
    error::{ConfigError, DialError, NetworkError, PublishError, RequestError},
    exchange::{InboundRequest, Reply},
    gossip::{Gossip, Ticket, Verdict},
    handle::NetworkHandle,
    peers::{PeerEvent, PeerInfo},
    start::start,
    stats::{NetworkStats, ProtocolStats, Sample, TopicStats},
    topic::{Protocol, Topic},
};

/// A running network. Dropping a queue is allowed: what would have gone there is dropped, ignored or answered "busy".
#[derive(Debug)]
pub struct Network {
    /// Acts on the network; may be cloned.
    pub handle: NetworkHandle,
    /// Votes, proposals, certificates and evidence of peers.
    pub fast: mpsc::Receiver<Gossip>,
    /// Transactions and heartbeats of peers.
    pub bulk: mpsc::Receiver<Gossip>,
    /// Requests of peers.
    pub requests: mpsc::Receiver<InboundRequest>,
    /// Who came, went or was refused.
    pub peers: mpsc::Receiver<PeerEvent>,
}
