//! The application's handle: sends commands to the swarm and reads its state.
//!
//! Invariant: publishing never waits and never locks; envelopes are packed on the caller's thread, not the swarm's.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    address,
    discovery::Book,
    envelope,
    error::{DialError, PublishError, RequestError},
    peers::{PeerInfo, Snapshot},
    reach::Reachability,
    report::{Mesh, Question},
    standing::{BAN_TIME_MAX, Ban, Party},
    stats::{NetworkStats, Stats},
    topic::{Lane, Protocol, Topic},
};

pub(crate) const HIGH_QUEUE: usize = 256;
pub(crate) const LOW_QUEUE: usize = 256;
pub(crate) const BULK_QUEUE: usize = 256;

/// An outbound message, already in its envelope.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) topic: Topic,
    pub(crate) wire: Vec<u8>,
}

/// A command to the swarm.
#[derive(Debug)]
pub(crate) enum Command {
    Publish(Publication),
    Request {
        peer: PeerId,
        protocol: Protocol,
        bytes: Bytes,
        answer: oneshot::Sender<Result<Bytes, RequestError>>,
    },
    Dial {
        peer: PeerId,
        address: Multiaddr,
        outcome: oneshot::Sender<Result<PeerId, DialError>>,
    },
    Disconnect {
        peer: PeerId,
        outcome: oneshot::Sender<bool>,
    },
    Blame {
        peer: PeerId,
    },
    KeepPlaces {
        peers: Vec<PeerId>,
    },
    Ban {
        party: Party,
        reason: String,
        duration: Duration,
        outcome: oneshot::Sender<()>,
    },
    Unban {
        party: Party,
        outcome: oneshot::Sender<bool>,
    },
    Bans {
        outcome: oneshot::Sender<Vec<Ban>>,
    },
    Ask(Question),
}

/// The application's end of the network. Clones share one swarm, which stops with [`NetworkHandle::shutdown`] or when
/// the last handle is gone.
#[derive(Clone, Debug)]
pub struct NetworkHandle {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) local: PeerId,
    pub(crate) version_max: u32,
    /// Consensus: fast topics, status and votes requests.
    pub(crate) high: mpsc::Sender<Command>,
    /// Everything else but bulk gossip.
    pub(crate) low: mpsc::Sender<Command>,
    /// Bulk gossip: a queue of its own, so that a flood cannot displace other commands.
    pub(crate) bulk: mpsc::Sender<Command>,
    pub(crate) peers: Snapshot,
    pub(crate) stats: Stats,
    pub(crate) listen: watch::Receiver<Vec<Multiaddr>>,
    pub(crate) reach: watch::Receiver<Reachability>,
    pub(crate) stop: watch::Sender<bool>,
    /// Closes when the swarm task has ended.
    pub(crate) ended: watch::Receiver<()>,
}

impl NetworkHandle {
    /// Hands a message to the network and returns at once; it is not sent back to this node. `attempt` makes a
    /// deliberate repeat of the same bytes a new message; the same bytes with the same attempt are sent once.
    ///
    /// Having no peer to send to is counted and is not an error.
    ///
    /// # Errors
    /// [`PublishError::TooLarge`] over [`Topic::bytes_max`]; [`PublishError::QueueFull`] when the swarm is behind;
    /// [`PublishError::Stopped`].
    pub fn publish(&self, topic: Topic, bytes: Bytes, attempt: u8) -> Result<(), PublishError> {
        let limit = topic.bytes_max();
        if bytes.len() > limit {
            return Err(PublishError::TooLarge { topic, bytes: bytes.len(), limit });
        }
        let queue = match topic.lane() {
            Lane::Fast => &self.inner.high,
            Lane::Bulk => &self.inner.bulk,
        };
        let place = queue.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => {
                self.inner.stats.counters.publish_queue_full.add_one();
                PublishError::QueueFull { topic }
            }
            mpsc::error::TrySendError::Closed(()) => PublishError::Stopped,
        })?;
        place.send(Command::Publish(Publication {
            topic,
            wire: envelope::encode(&bytes, attempt, topic.compressible()),
        }));
        Ok(())
    }

    /// Asks a connected peer and waits for its answer, at most [`Protocol::TIMEOUT`].
    ///
    /// # Errors
    /// See [`RequestError`]; it never opens a connection.
    pub async fn request(
        &self,
        peer: PeerId,
        protocol: Protocol,
        bytes: Bytes,
    ) -> Result<Bytes, RequestError> {
        let limit = protocol.request_bytes_max();
        if bytes.len() > limit {
            return Err(RequestError::TooLarge { protocol, bytes: bytes.len(), limit });
        }
        let queue = match protocol {
            Protocol::Status | Protocol::Votes => &self.inner.high,
            Protocol::Blocks | Protocol::Transactions => &self.inner.low,
        };
        let (answer, answered) = oneshot::channel();
        let command = Command::Request { peer, protocol, bytes, answer };
        queue.send(command).await.map_err(|_| RequestError::Stopped)?;
        answered.await.unwrap_or(Err(RequestError::Stopped))
    }

    /// The peers connected now, ordered by id.
    pub fn peers(&self) -> Vec<PeerInfo> {
        let mut peers: Vec<PeerInfo> =
            self.inner.peers.iter().map(|entry| entry.value().clone()).collect();
        peers.sort_by_key(|info| info.peer);
        peers
    }

    /// Connects to a node; being connected already is success.
    ///
    /// # Errors
    /// [`DialError::WithoutPeer`] unless the address ends with `/p2p/<peer id>`; otherwise why it failed.
    pub async fn dial(&self, address: Multiaddr) -> Result<PeerId, DialError> {
        let Some(peer) = address::peer_id(&address) else {
            return Err(DialError::WithoutPeer { address });
        };
        let (outcome, done) = oneshot::channel();
        let command = Command::Dial { peer, address, outcome };
        let sent = self.inner.low.send(command).await;
        sent.map_err(|_| DialError::Stopped)?;
        done.await.unwrap_or(Err(DialError::Stopped))
    }

    /// Closes all connections of a peer and does not dial it for a while; false when there is none. The peer may come
    /// back by itself.
    pub async fn disconnect(&self, peer: PeerId) -> bool {
        self.ask(|outcome| Command::Disconnect { peer, outcome }).await.unwrap_or(false)
    }

    /// A peer's answer was proved to be invalid: its standing suffers, as from a rejected message. Never waits: when the
    /// swarm is behind, it is forgotten.
    pub fn blame(&self, peer: PeerId, reason: &str) {
        tracing::debug!(%peer, reason, "an invalid answer");
        // A full queue is the node's trouble, not the peer's.
        let _ = self.inner.low.try_send(Command::Blame { peer });
    }

    /// These peers find a place whenever they connect, as the reserved ones do; replaces what was said before.
    /// Never waits: when the swarm is behind, it is forgotten.
    pub fn keep_places(&self, peers: Vec<PeerId>) {
        let _ = self.inner.low.try_send(Command::KeepPlaces { peers });
    }

    /// Bans a peer or a host from now on and ends its connections. A ban lasts at most ten years.
    pub async fn ban(&self, party: Party, reason: String, duration: Duration) {
        let duration = duration.min(BAN_TIME_MAX);
        self.ask(|outcome| Command::Ban { party, reason, duration, outcome }).await;
    }

    /// Lifts a ban; false when there is none.
    pub async fn unban(&self, party: Party) -> bool {
        self.ask(|outcome| Command::Unban { party, outcome }).await.unwrap_or(false)
    }

    /// The bans in force, ordered by party.
    pub async fn bans(&self) -> Vec<Ban> {
        self.ask(|outcome| Command::Bans { outcome }).await.unwrap_or_default()
    }

    /// The address book: one peer, or at most `count` of all, which is at most 1,000. Empty when the
    /// network has stopped.
    pub async fn book(&self, only: Option<PeerId>, count: usize) -> Book {
        let question = |answer| Command::Ask(Question::Book { only, count, answer });
        self.ask(question).await.unwrap_or_default()
    }

    /// The state of the mesh; none when the network has stopped.
    pub async fn mesh(&self) -> Option<Mesh> {
        self.ask(|answer| Command::Ask(Question::Mesh { answer })).await
    }

    /// None when the network has stopped.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (outcome, done) = oneshot::channel();
        self.inner.low.send(command(outcome)).await.ok()?;
        done.await.ok()
    }

    /// The addresses this node listens on now, without identity; see [`crate::bootstrap_address`].
    pub fn listen_addresses(&self) -> Vec<Multiaddr> {
        self.inner.listen.borrow().clone()
    }

    /// Whether others can reach this node.
    pub fn reachability(&self) -> Reachability {
        self.inner.reach.borrow().clone()
    }

    /// The newest protocol version that this node speaks.
    pub fn version_max(&self) -> u32 {
        self.inner.version_max
    }

    /// The current counters.
    pub fn stats(&self) -> NetworkStats {
        self.inner.stats.snapshot()
    }

    /// This node's identity.
    pub fn local_peer_id(&self) -> PeerId {
        self.inner.local
    }

    /// Closes all connections and listeners and waits until the ports are free, which takes less
    /// than a second.
    pub async fn shutdown(&self) {
        self.inner.stop.send_replace(true);
        let mut ended = self.inner.ended.clone();
        // The task never sends; the channel closes with it.
        while ended.changed().await.is_ok() {}
    }
}
