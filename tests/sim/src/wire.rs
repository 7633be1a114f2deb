//! Messages as they travel: every one is encoded, decoded and checked by the real code before anyone
//! receives it. That happens once for each message and not once for each receiver.
use crate::{rng::Rng, setup::Setup};
use sha2::{Digest, Sha256};
use timecoin_chain::{
    codec::{self, Canonical},
    crypto::Verified,
    engine::{PeerAnswer, Request},
    rules,
    types::{
        Block, BlocksAnswer, BlocksRequest, BodiesRequest, Certificate, ConsensusMessage, Status,
        Transaction, TransactionBatch, VotesAnswer, VotesRequest,
    },
};

/// The digest of a message's bytes.
pub type Id = [u8; 32];

/// What gossip carries.
#[derive(Debug, Clone)]
pub enum Payload {
    /// A checked consensus message.
    Consensus(Verified<ConsensusMessage>),
    /// Unchecked transactions.
    Transactions(Vec<Transaction>),
}

/// A gossiped message.
#[derive(Debug, Clone)]
pub struct Gossip {
    /// What the duplicate cache knows it by: a digest of content and attempt.
    pub id: Id,
    /// What it carries.
    pub payload: Payload,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether somebody on the way changed it: then it says nothing against its sender.
    pub is_altered: bool,
}

/// What answers a request.
#[derive(Debug, Clone)]
pub enum Payback {
    /// How far the peer is.
    Status(Option<Verified<Certificate>>),
    /// Final blocks.
    Blocks(Vec<(Block, Verified<Certificate>)>),
    /// Bodies.
    Bodies(Vec<Transaction>),
    /// Votes.
    Votes(Vec<Verified<ConsensusMessage>>),
}

/// An answer on its way.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The digest of its bytes.
    pub id: Id,
    /// What it carries.
    pub payback: Payback,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A message that an honest node sent and an honest node would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// A consensus message as gossip.
pub fn gossip_message(
    setup: &Setup,
    message: &ConsensusMessage,
    attempt: u8,
) -> Result<Gossip, Refused> {
    let (message, id, bytes) = pass(message, attempt)?;
    let payload = Payload::Consensus(check(setup, message)?);
    Ok(Gossip { id, payload, bytes, is_altered: false })
}

/// Transactions as gossip.
pub fn gossip_transactions(batch: &TransactionBatch, attempt: u8) -> Result<Gossip, Refused> {
    let (batch, id, bytes) = pass(batch, attempt)?;
    let payload = Payload::Transactions(batch.0);
    Ok(Gossip { id, payload, bytes, is_altered: false })
}

/// A request, the digest of its bytes and their number.
pub fn request(request: &Request) -> Result<(Request, Id, usize), Refused> {
    Ok(match request {
        Request::Status => (Request::Status, [0; 32], 0),
        Request::Blocks(blocks) => {
            let (blocks, id, bytes): (BlocksRequest, Id, _) = pass(blocks, 1)?;
            (Request::Blocks(blocks), id, bytes.len())
        }
        Request::Bodies(bodies) => {
            let (bodies, id, bytes): (BodiesRequest, Id, _) = pass(bodies, 2)?;
            (Request::Bodies(bodies), id, bytes.len())
        }
        Request::Votes(votes) => {
            let (votes, id, bytes): (VotesRequest, Id, _) = pass(votes, 3)?;
            (Request::Votes(votes), id, bytes.len())
        }
    })
}

/// A status as an answer.
pub fn reply_status(setup: &Setup, tip: Option<Certificate>) -> Result<Reply, Refused> {
    let status = Status { genesis: setup.chain.hash, tip };
    let (status, id, bytes) = pass(&status, 4)?;
    Ok(Reply { id, payback: check_status(setup, status)?, bytes })
}

/// Blocks as an answer.
pub fn reply_blocks(setup: &Setup, blocks: Vec<(Block, Certificate)>) -> Result<Reply, Refused> {
    let (answer, id, bytes) = pass(&BlocksAnswer(blocks), 5)?;
    Ok(Reply { id, payback: check_blocks(setup, answer)?, bytes })
}

/// What the engine answers.
pub fn reply(setup: &Setup, answer: &PeerAnswer) -> Result<Reply, Refused> {
    Ok(match answer {
        PeerAnswer::Bodies(bodies) => {
            let batch = TransactionBatch(bodies.iter().map(|body| (**body).clone()).collect());
            let (batch, id, bytes): (TransactionBatch, Id, _) = pass(&batch, 6)?;
            Reply { id, payback: Payback::Bodies(batch.0), bytes }
        }
        PeerAnswer::Votes(votes) => {
            let (votes, id, bytes): (VotesAnswer, Id, _) = pass(votes, 7)?;
            Reply { id, payback: check_votes(setup, votes)?, bytes }
        }
    })
}

fn check_status(setup: &Setup, status: Status) -> Result<Payback, Refused> {
    if status.genesis != setup.chain.hash {
        return Err(Refused("a status of another chain".into()));
    }
    let tip = status.tip.map(|tip| check_certificate(setup, tip)).transpose()?;
    Ok(Payback::Status(tip))
}

fn check_blocks(setup: &Setup, answer: BlocksAnswer) -> Result<Payback, Refused> {
    let mut checked = Vec::with_capacity(answer.0.len());
    for (block, certificate) in answer.0 {
        if !certificate.is_commit() || certificate.block != Some(block.hash()) {
            return Err(Refused("a certificate that does not name its block".into()));
        }
        checked.push((block, check_certificate(setup, certificate)?));
    }
    Ok(Payback::Blocks(checked))
}

fn check_votes(setup: &Setup, votes: VotesAnswer) -> Result<Payback, Refused> {
    let checked = votes.0.into_iter().map(|message| check(setup, message));
    Ok(Payback::Votes(checked.collect::<Result<_, _>>()?))
}

/// Gossip of which some bits flipped: what receivers make of it, or nothing where they refuse it.
pub fn corrupt_gossip(setup: &Setup, rng: &mut Rng, gossip: &Gossip) -> Option<Gossip> {
    let bytes = flipped(rng, gossip.bytes.clone());
    let payload = match &gossip.payload {
        Payload::Consensus(_) => {
            Payload::Consensus(check(setup, codec::decode(&bytes).ok()?).ok()?)
        }
        Payload::Transactions(_) => {
            Payload::Transactions(codec::decode::<TransactionBatch>(&bytes).ok()?.0)
        }
    };
    Some(Gossip { id: digest(8, &bytes), payload, bytes, is_altered: true })
}

/// The same with an answer.
pub fn corrupt_reply(setup: &Setup, rng: &mut Rng, reply: &Reply) -> Option<Reply> {
    let bytes = flipped(rng, reply.bytes.clone());
    let payback = match &reply.payback {
        Payback::Status(_) => check_status(setup, codec::decode(&bytes).ok()?).ok()?,
        Payback::Blocks(_) => check_blocks(setup, codec::decode(&bytes).ok()?).ok()?,
        Payback::Bodies(_) => Payback::Bodies(codec::decode::<TransactionBatch>(&bytes).ok()?.0),
        Payback::Votes(_) => check_votes(setup, codec::decode(&bytes).ok()?).ok()?,
    };
    Some(Reply { id: digest(9, &bytes), payback, bytes })
}

/// The same with a request. One for the status has no bytes.
pub fn corrupt_request(rng: &mut Rng, request: &Request) -> Option<Request> {
    let mut flip = |bytes| flipped(rng, bytes);
    Some(match request {
        Request::Status => Request::Status,
        Request::Blocks(asked) => Request::Blocks(codec::decode(&flip(codec::encode(asked))).ok()?),
        Request::Bodies(asked) => Request::Bodies(codec::decode(&flip(codec::encode(asked))).ok()?),
        Request::Votes(asked) => Request::Votes(codec::decode(&flip(codec::encode(asked))).ok()?),
    })
}

/// One to four bits are others.
fn flipped(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.is_empty() {
        for _ in 0..rng.between(1, 4) {
            let place = rng.index(bytes.len());
            bytes[place] ^= 1 << rng.below(8);
        }
    }
    bytes
}

/// What a lying peer makes of a gossiped proposal, should receivers take it: one transaction less.
pub fn tamper_gossip(setup: &Setup, gossip: &Gossip) -> Option<Gossip> {
    let Payload::Consensus(message) = &gossip.payload else { return None };
    let ConsensusMessage::Proposal(mut proposal) = (**message).clone() else { return None };
    proposal.transactions.pop()?;
    let gossip = gossip_message(setup, &ConsensusMessage::Proposal(proposal), 0).ok()?;
    Some(Gossip { is_altered: true, ..gossip })
}

/// The same with final blocks.
pub fn tamper_reply(reply: &mut Reply) -> bool {
    let Payback::Blocks(blocks) = &mut reply.payback else { return false };
    blocks.last_mut().is_some_and(|(block, _)| block.transactions.pop().is_some())
}

/// Encodes and decodes.
fn pass<T: Canonical>(value: &T, salt: u8) -> Result<(T, Id, Vec<u8>), Refused> {
    let bytes = codec::encode(value);
    let value = codec::decode(&bytes).map_err(|error| Refused(error.to_string()))?;
    Ok((value, digest(salt, &bytes), bytes))
}

fn digest(salt: u8, bytes: &[u8]) -> Id {
    Sha256::new().chain_update([salt]).chain_update(bytes).finalize().into()
}

fn check(setup: &Setup, message: ConsensusMessage) -> Result<Verified<ConsensusMessage>, Refused> {
    let (scheme, genesis, set) = (&*setup.scheme, &setup.chain.hash, &setup.chain.masternodes);
    rules::verify_message(scheme, genesis, set, message).map_err(|error| Refused(error.to_string()))
}

fn check_certificate(
    setup: &Setup,
    certificate: Certificate,
) -> Result<Verified<Certificate>, Refused> {
    rules::verify_certificate(
        &*setup.scheme,
        &setup.chain.hash,
        &setup.chain.masternodes,
        certificate,
    )
    .map_err(|error| Refused(error.to_string()))
}
