//! Jobs: what takes processor time: decoding large messages, checking signatures. The shell runs it on its pool and
//! hands the outcome back; the simulator does the same in virtual time.
//!
//! Pure: the same job has the same outcome wherever and whenever it runs. Never knows what became of the node
//! meanwhile.
use super::memory::{Digest, digest_of};
use crate::{
    codec,
    crypto::{SignatureScheme, Verified},
    genesis::Chain,
    limits::votes_answer_max,
    rules::{self, CertifiedBlock},
    types::{
        Attestation, Block, BlocksAnswer, BlocksRequest, BodiesRequest, Certificate,
        ConsensusMessage, MasternodeSet, Presence, Status, Transaction, TransactionBatch,
        VotesAnswer, WTxId,
    },
    wire::{Protocol, Topic},
};
use std::{collections::BTreeSet, sync::Arc};

/// Processor time to check one signature, in microseconds, roughly.
pub(super) const SIGNATURE_US: u64 = 60;
/// Bytes decoded in a microsecond, roughly.
const BYTES_EACH_US: u64 = 200;

/// Which job an outcome belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub(super) u64);

/// A unit of work for the pool.
#[derive(Debug, Clone)]
pub struct Job {
    pub(super) id: JobId,
    pub(super) task: Task,
}

/// What there is to do.
#[derive(Debug, Clone)]
pub(super) enum Task {
    /// Decode a gossiped message or batch.
    Gossip(Topic, Vec<u8>),
    /// Decode a response of these protocols, whose contents are judged afterwards.
    Response(Protocol, Vec<u8>),
    /// Verify messages; the first that is wrong ends it.
    Verify(Arc<MasternodeSet>, Vec<ConsensusMessage>),
    /// Verify a presence.
    Presence(Presence),
    /// Verify an attestation.
    Attestation(Arc<MasternodeSet>, Box<Attestation>),
    /// Decode, compare with the request and verify final blocks.
    Blocks(Arc<MasternodeSet>, BlocksRequest, Vec<u8>),
    /// Decode bodies and compare them with the request.
    Bodies(BodiesRequest, Vec<u8>),
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub(super) id: JobId,
    pub(super) result: Result<Found, Fault>,
}

impl Outcome {
    /// The consensus messages that it verified.
    pub fn verified(&self) -> &[Verified<ConsensusMessage>] {
        match &self.result {
            Ok(Found::Verified(messages)) => messages,
            _ => &[],
        }
    }
}

/// What was decoded or verified.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Message(Box<ConsensusMessage>, Digest),
    Presence(Presence),
    Present(Verified<Presence>),
    Transactions(Vec<Transaction>),
    Status(Option<Certificate>),
    Votes(Vec<ConsensusMessage>, Option<Box<Attestation>>),
    Attested(Verified<Attestation>),
    Verified(Vec<Verified<ConsensusMessage>>),
    Blocks(Vec<CertifiedBlock>),
    Bodies(Vec<Transaction>),
}

/// Why it is not what an honest node sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault(pub(super) &'static str);

impl Job {
    /// Processor time that it takes at most, in microseconds, roughly: signatures and bytes.
    pub fn price_us(&self) -> u64 {
        match &self.task {
            Task::Gossip(_, bytes) | Task::Response(_, bytes) | Task::Bodies(_, bytes) => {
                bytes_price(bytes.len())
            }
            Task::Verify(_, messages) => messages.iter().map(price).sum(),
            Task::Presence(_) => SIGNATURE_US,
            Task::Attestation(_, attestation) => {
                SIGNATURE_US * (1 + count(attestation.votes.len()))
            }
            Task::Blocks(set, request, bytes) => {
                let signatures = u64::from(request.count) * u64::try_from(set.len()).unwrap_or(0);
                bytes_price(bytes.len()) + SIGNATURE_US * signatures
            }
        }
    }

    /// Does it.
    pub fn run(self, scheme: &dyn SignatureScheme, chain: &Chain) -> Outcome {
        let Self { id, task } = self;
        let result = match task {
            Task::Gossip(topic, bytes) => decode_gossip(topic, &bytes),
            Task::Response(protocol, bytes) => decode_response(chain, protocol, &bytes),
            Task::Verify(set, messages) => verify_all(scheme, chain, &set, messages),
            Task::Attestation(set, attestation) => {
                rules::verify_attestation(scheme, &chain.hash, &set, *attestation)
                    .map(Found::Attested)
                    .map_err(|_| Fault("an attestation that is not valid"))
            }
            Task::Presence(presence) => rules::verify_presence(scheme, &chain.hash, presence)
                .map(Found::Present)
                .map_err(|_| Fault("a presence that its masternode did not sign")),
            Task::Blocks(set, request, bytes) => read_blocks(scheme, chain, &set, request, &bytes),
            Task::Bodies(request, bytes) => read_bodies(&request, &bytes),
        };
        Outcome { id, result }
    }
}

/// Processor time to verify a message, in microseconds.
pub(super) fn price(message: &ConsensusMessage) -> u64 {
    let of = |certificate: &Certificate| certificate.signatures.len();
    let signatures = match message {
        ConsensusMessage::Vote(_) => 1,
        ConsensusMessage::Proposal(proposal) => {
            let ids = bytes_price(proposal.transactions.len() * size_of::<WTxId>());
            return ids + SIGNATURE_US * (1 + count(proposal.polka.as_ref().map_or(0, of)));
        }
        ConsensusMessage::Certificate(certificate) => of(certificate),
        ConsensusMessage::Round(certificate) => certificate.votes.len(),
        ConsensusMessage::Evidence(_) => 2,
    };
    SIGNATURE_US * count(signatures)
}

pub(super) fn bytes_price(bytes: usize) -> u64 {
    count(bytes) / BYTES_EACH_US
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// Decodes what came on a topic.
pub(super) fn decode_gossip(topic: Topic, bytes: &[u8]) -> Result<Found, Fault> {
    if topic == Topic::Transactions {
        let batch = codec::decode::<TransactionBatch>(bytes).ok();
        let batch = batch.map(|batch| batch.0).filter(|batch| !batch.is_empty());
        return batch.map(Found::Transactions).ok_or(Fault("not a batch of transactions"));
    }
    if topic == Topic::Presences {
        let presence = codec::decode::<Presence>(bytes);
        return presence.map(Found::Presence).map_err(|_| Fault("not a presence"));
    }
    let message = codec::decode::<ConsensusMessage>(bytes);
    let message = message.map_err(|_| Fault("not a consensus message"))?;
    match Topic::of(&message) == topic {
        true => Ok(Found::Message(Box::new(message), digest_of(bytes))),
        false => Err(Fault("a message of another topic")),
    }
}

/// Decodes a response whose signatures are judged by the message.
pub(super) fn decode_response(
    chain: &Chain,
    protocol: Protocol,
    bytes: &[u8],
) -> Result<Found, Fault> {
    if protocol == Protocol::Status {
        let status: Status = codec::decode(bytes).map_err(|_| Fault("not a status"))?;
        return match status.genesis == chain.hash {
            true => Ok(Found::Status(status.tip)),
            false => Err(Fault("the status of another chain")),
        };
    }
    let VotesAnswer { messages, attestation } =
        codec::decode(bytes).map_err(|_| Fault("not an answer of votes"))?;
    match messages.len() <= votes_answer_max(chain.masternodes.len()) {
        true => Ok(Found::Votes(messages, attestation.map(Box::new))),
        false => Err(Fault("more messages than an honest node answers")),
    }
}

fn verify_all(
    scheme: &dyn SignatureScheme,
    chain: &Chain,
    set: &MasternodeSet,
    messages: Vec<ConsensusMessage>,
) -> Result<Found, Fault> {
    let verify = |message| rules::verify_message(scheme, &chain.hash, set, message);
    let verified = messages.into_iter().map(verify).collect::<Result<Vec<_>, _>>();
    verified.map(Found::Verified).map_err(|_| Fault("a signature or the form of a message"))
}

fn read_blocks(
    scheme: &dyn SignatureScheme,
    chain: &Chain,
    set: &MasternodeSet,
    request: BlocksRequest,
    bytes: &[u8],
) -> Result<Found, Fault> {
    let BlocksAnswer(blocks) = codec::decode(bytes).map_err(|_| Fault("not blocks"))?;
    let count = u64::try_from(blocks.len()).unwrap_or(u64::MAX);
    if count > u64::from(request.count) {
        return Err(Fault("more blocks than were asked for"));
    }
    // What costs little first, for all blocks.
    let is_fitting = |(height, (block, certificate)): (u64, &(Block, Certificate))| {
        block.header.height.0 == height && certificate.height.0 == height
    };
    if !(request.from.0..).zip(&blocks).all(is_fitting) {
        return Err(Fault("other blocks than were asked for"));
    }
    let verify = |(block, certificate)| {
        CertifiedBlock::verify(scheme, &chain.hash, set, block, certificate).ok()
    };
    let verified = blocks.into_iter().map(verify).collect::<Option<Vec<_>>>();
    verified.map(Found::Blocks).ok_or(Fault("a block that is not final"))
}

fn read_bodies(request: &BodiesRequest, bytes: &[u8]) -> Result<Found, Fault> {
    let TransactionBatch(bodies) = codec::decode(bytes).map_err(|_| Fault("not transactions"))?;
    let mut asked: BTreeSet<&WTxId> = request.0.iter().collect();
    // Computing an id takes a while: a peer that sends more than was asked for is not heard.
    let fits = bodies.len() <= asked.len() && bodies.iter().all(|body| asked.remove(&body.wtxid()));
    match fits {
        true => Ok(Found::Bodies(bodies)),
        false => Err(Fault("bodies that were not asked for")),
    }
}
