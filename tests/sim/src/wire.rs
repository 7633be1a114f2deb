//! Messages as they travel: bytes, and what the simulator itself wants to know of them. Every receiver's own door
//! decodes and verifies the bytes.
use crate::rng::Rng;
use sha2::{Digest, Sha256};
use std::rc::Rc;
use timecoin_chain::{
    codec,
    types::{BlocksAnswer, ConsensusMessage, Presence, Transaction},
    wire::{self, Request, Response, Topic},
};

/// The digest of a message's bytes.
pub type Id = [u8; 32];

/// What its sender put into gossip, for the trace, the oracle and the faults. No receiver sees it.
#[derive(Debug, Clone)]
pub enum Payload {
    /// A consensus message.
    Consensus(Box<ConsensusMessage>),
    /// Transactions.
    Transactions(usize),
    /// A presence.
    Presence,
    /// Bytes that say nothing.
    Garbage,
}

/// A gossiped message.
#[derive(Debug, Clone)]
pub struct Gossip {
    /// What the duplicate cache knows it by: a digest of content and attempt.
    pub id: Id,
    /// Its topic.
    pub topic: Topic,
    /// What its sender put into it.
    pub payload: Payload,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it was changed in transit: then it is no evidence against its sender.
    pub is_altered: bool,
}

/// A response on its way.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The digest of its bytes.
    pub id: Id,
    /// What it is, for the trace.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A consensus message as gossip.
pub fn gossip_message(message: &ConsensusMessage, attempt: u8) -> Gossip {
    let (topic, bytes) = wire::encode_message(message);
    let payload = Payload::Consensus(Box::new(message.clone()));
    Gossip { id: digest(attempt, &bytes), topic, payload, bytes, is_altered: false }
}

/// Transactions as gossip.
pub fn gossip_transactions(transactions: &[Transaction], attempt: u8) -> Gossip {
    let bytes = wire::encode_transactions(transactions);
    let payload = Payload::Transactions(transactions.len());
    let id = digest(attempt, &bytes);
    Gossip { id, topic: Topic::Transactions, payload, bytes, is_altered: false }
}

/// A presence as gossip.
pub fn gossip_presence(presence: &Presence) -> Gossip {
    let (topic, bytes) = wire::encode_presence(presence);
    let id = digest(0, &bytes);
    Gossip { id, topic, payload: Payload::Presence, bytes, is_altered: false }
}

/// Bytes that say nothing, as gossip.
pub fn garbage(topic: Topic, bytes: Vec<u8>) -> Gossip {
    Gossip { id: digest(10, &bytes), topic, payload: Payload::Garbage, bytes, is_altered: false }
}

/// A request's bytes and their digest.
pub fn request(request: &Request) -> (Rc<Vec<u8>>, Id) {
    let bytes = request.encode();
    let salt = request.protocol() as u8;
    let id = if bytes.is_empty() { [0; 32] } else { digest(salt, &bytes) };
    (Rc::new(bytes), id)
}

/// A response.
pub fn reply(response: Response) -> Reply {
    let (salt, name) = match response {
        Response::Status(..) => (4, "with its status"),
        Response::Blocks(_) => (5, "with blocks"),
        Response::Bodies(_) => (6, "with bodies"),
        Response::Votes(_) => (7, "with votes"),
    };
    let bytes = response.encode();
    Reply { id: digest(salt, &bytes), name, bytes }
}

/// Bytes that say nothing, as a response.
pub fn garbage_reply(bytes: Vec<u8>) -> Reply {
    Reply { id: digest(11, &bytes), name: "with garbage", bytes }
}

/// Gossip of which some bits flipped.
pub fn corrupt_gossip(rng: &mut Rng, gossip: &Gossip) -> Gossip {
    let bytes = flipped(rng, gossip.bytes.clone());
    Gossip { id: digest(8, &bytes), bytes, is_altered: true, ..gossip.clone() }
}

/// The same with a response.
pub fn corrupt_reply(rng: &mut Rng, reply: &Reply) -> Reply {
    let bytes = flipped(rng, reply.bytes.clone());
    Reply { id: digest(9, &bytes), bytes, ..reply.clone() }
}

/// The same with a request.
pub fn corrupt_request(rng: &mut Rng, bytes: &[u8]) -> Rc<Vec<u8>> {
    Rc::new(flipped(rng, bytes.to_vec()))
}

/// Flips one to four bits.
fn flipped(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.is_empty() {
        for _ in 0..rng.between(1, 4) {
            let place = rng.index(bytes.len());
            bytes[place] ^= 1 << rng.below(8);
        }
    }
    bytes
}

/// A lying peer's version of a gossiped proposal, with one transaction less.
pub fn tamper_gossip(gossip: &Gossip) -> Option<Gossip> {
    let Payload::Consensus(message) = &gossip.payload else { return None };
    let ConsensusMessage::Proposal(proposal) = &**message else { return None };
    let mut proposal = proposal.clone();
    proposal.transactions.pop()?;
    let tampered = gossip_message(&ConsensusMessage::Proposal(proposal), 0);
    Some(Gossip { is_altered: true, ..tampered })
}

/// The same with final blocks.
pub fn tamper_reply(reply: &Reply) -> Option<Reply> {
    let BlocksAnswer(mut blocks) = codec::decode(&reply.bytes).ok()?;
    blocks.last_mut()?.0.transactions.pop()?;
    let bytes = codec::encode(&BlocksAnswer(blocks));
    Some(Reply { id: digest(9, &bytes), bytes, ..reply.clone() })
}

fn digest(salt: u8, bytes: &[u8]) -> Id {
    Sha256::new().chain_update([salt]).chain_update(bytes).finalize().into()
}
