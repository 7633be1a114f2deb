//! What a peer sends, as a shell hands it to the engine: bytes.
use timecoin_chain::{
    engine::{Input, Peer, Request, Ticket},
    types::{ConsensusMessage, Transaction},
    wire::{Response, Topic, encode_message, encode_transactions},
};

/// The only peer of most tests.
pub(crate) const PEER: Peer = Peer(7);
/// The time in milliseconds after which the door delivers a repeated message again.
pub(crate) const REPEAT_MS: u64 = 400;

/// The peer gossips a message.
pub(crate) fn gossip(ticket: Ticket, message: &ConsensusMessage) -> Input {
    let (topic, bytes) = encode_message(message);
    Input::Gossip { from: PEER, topic, bytes, ticket }
}

/// The peer gossips a batch of transactions.
pub(crate) fn gossip_batch(ticket: Ticket, transactions: &[Transaction]) -> Input {
    let (topic, bytes) = (Topic::Transactions, encode_transactions(transactions));
    Input::Gossip { from: PEER, topic, bytes, ticket }
}

/// A peer responds to a request of the node.
pub(crate) fn respond(from: Peer, request: Request, response: Response) -> Input {
    Input::Response { from, request, bytes: response.encode() }
}
