//! Requests to peers, and peers' requests that the store answers. Moves bytes; `chain` defines
//! their meaning.
use bytes::Bytes;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};
use timecoin_chain::{
    genesis::Chain,
    limits::{SYNC_BLOCKS_MAX, SYNC_BYTES_MAX},
    wire::{self, Request, Response},
};
use timecoin_network::{NetworkHandle, PeerId, Protocol, Reply, RequestError, Topic};
use timecoin_store::{Store, StoreError};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// How many peers are served from the store at the same time for each protocol, with one request each. A
/// peer that asks without pause gets `Busy`, and others are not affected. Further peers get `Busy`.
const READERS: usize = 8;
/// Room for the lengths that the encoding of an answer adds.
const FRAMING_BYTES: usize = 64 * 1024;

// A limit above the network's would allow messages that it does not carry.
const _: () = {
    let mut index = 0;
    while index < wire::Protocol::ALL.len() {
        let ours = wire::Protocol::ALL[index];
        assert!(ours.request_bytes_max() <= protocol_of(ours).request_bytes_max());
        assert!(ours.response_bytes_max() <= protocol_of(ours).response_bytes_max());
        index += 1;
    }
};

/// Maps the chain's protocol to the network's.
const fn protocol_of(protocol: wire::Protocol) -> Protocol {
    match protocol {
        wire::Protocol::Status => Protocol::Status,
        wire::Protocol::Blocks => Protocol::Blocks,
        wire::Protocol::Bodies => Protocol::Transactions,
        wire::Protocol::Votes => Protocol::Votes,
    }
}

/// Maps the network's protocol to the chain's.
pub(super) fn chain_protocol(protocol: Protocol) -> wire::Protocol {
    match protocol {
        Protocol::Status => wire::Protocol::Status,
        Protocol::Blocks => wire::Protocol::Blocks,
        Protocol::Transactions => wire::Protocol::Bodies,
        Protocol::Votes => wire::Protocol::Votes,
    }
}

/// Maps the chain's topic to the network's.
pub(super) fn topic_of(topic: wire::Topic) -> Topic {
    match topic {
        wire::Topic::Votes => Topic::Votes,
        wire::Topic::Proposals => Topic::Proposals,
        wire::Topic::Certificates => Topic::Certificates,
        wire::Topic::Evidence => Topic::Evidence,
        wire::Topic::Transactions => Topic::Transactions,
        wire::Topic::Presences => Topic::Presences,
    }
}

/// Maps the network's topic to the chain's.
pub(super) fn chain_topic(topic: Topic) -> wire::Topic {
    match topic {
        Topic::Votes => wire::Topic::Votes,
        Topic::Proposals => wire::Topic::Proposals,
        Topic::Certificates => wire::Topic::Certificates,
        Topic::Evidence => wire::Topic::Evidence,
        Topic::Transactions => wire::Topic::Transactions,
        Topic::Presences => wire::Topic::Presences,
    }
}

/// The response of a peer, or why there is none.
pub(super) struct Answered {
    pub(super) from: PeerId,
    pub(super) request: Request,
    pub(super) response: Result<Bytes, RequestError>,
}

/// Sends a request to a peer; the response, or why there is none, goes to the loop.
pub(super) async fn ask(
    network: NetworkHandle,
    peer: PeerId,
    request: Request,
    responses: mpsc::Sender<Answered>,
) {
    let protocol = protocol_of(request.protocol());
    let response = network.request(peer, protocol, request.encode().into()).await;
    // The loop ends only when the node stops.
    drop(responses.send(Answered { from: peer, request, response }).await);
}

/// Answers requests from the store, off the loop.
#[derive(Clone)]
pub(super) struct Librarian {
    chain: Arc<Chain>,
    store: Arc<Store>,
    tasks: TaskTracker,
    /// The peers being served. Locked only for an insertion or a removal.
    readers: Arc<Mutex<BTreeSet<(PeerId, wire::Protocol)>>>,
}

impl Librarian {
    pub(super) fn new(chain: Arc<Chain>, store: Arc<Store>, tasks: TaskTracker) -> Self {
        Self { chain, store, tasks, readers: Arc::default() }
    }

    /// Answers a request for the status or for blocks; `Busy` while too many are being answered.
    pub(super) fn serve(&self, from: PeerId, request: Request, reply: Reply) {
        let reader = (from, request.protocol());
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let others = readers.iter().filter(|(_, protocol)| *protocol == reader.1).count();
        if others >= READERS || !readers.insert(reader) {
            return reply.busy();
        }
        let librarian = self.clone();
        self.tasks.spawn_blocking(move || {
            match librarian.read(&request) {
                Ok(Some(response)) => reply.send(response.encode().into()),
                Ok(None) | Err(_) => reply.busy(),
            }
            librarian.readers.lock().unwrap_or_else(PoisonError::into_inner).remove(&reader);
        });
    }

    fn read(&self, request: &Request) -> Result<Option<Response>, StoreError> {
        Ok(match request {
            Request::Status => {
                Some(Response::Status(self.chain.hash, self.store.tip_certificate()?))
            }
            Request::Blocks(range) => {
                let count = range.count.min(SYNC_BLOCKS_MAX);
                let bytes = SYNC_BYTES_MAX - FRAMING_BYTES;
                Some(Response::Blocks(self.store.blocks(range.from, count, bytes)?))
            }
            Request::Bodies(_) | Request::Votes(_) => None,
        })
    }
}
