//! Messages as they travel: every one is encoded, decoded and checked by the real code before anyone
//! receives it. That happens once for each message and not once for each receiver.
use crate::setup::Setup;
use sha2::{Digest, Sha256};
use timecoin_chain::{
    codec::{self, Canonical},
    crypto::Verified,
    engine::{Answer, Message, Request},
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
    Consensus(Message),
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
    Votes(Vec<Message>),
}

/// An answer on its way.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The digest of its bytes.
    pub id: Id,
    /// What it carries.
    pub payback: Payback,
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
    let (message, id) = pass(message, attempt)?;
    Ok(Gossip { id, payload: Payload::Consensus(check(setup, message)?) })
}

/// Transactions as gossip.
pub fn gossip_transactions(batch: &TransactionBatch, attempt: u8) -> Result<Gossip, Refused> {
    let (batch, id) = pass(batch, attempt)?;
    Ok(Gossip { id, payload: Payload::Transactions(batch.0) })
}

/// A request, and the digest of its bytes.
pub fn request(request: &Request) -> Result<(Request, Id), Refused> {
    Ok(match request {
        Request::Status => (Request::Status, [0; 32]),
        Request::Blocks(blocks) => {
            let (blocks, id): (BlocksRequest, Id) = pass(blocks, 1)?;
            (Request::Blocks(blocks), id)
        }
        Request::Bodies(bodies) => {
            let (bodies, id): (BodiesRequest, Id) = pass(bodies, 2)?;
            (Request::Bodies(bodies), id)
        }
        Request::Votes(votes) => {
            let (votes, id): (VotesRequest, Id) = pass(votes, 3)?;
            (Request::Votes(votes), id)
        }
    })
}

/// A status as an answer.
pub fn reply_status(setup: &Setup, tip: Option<Certificate>) -> Result<Reply, Refused> {
    let status = Status { genesis: setup.chain.hash, tip };
    let (status, id) = pass(&status, 4)?;
    if status.genesis != setup.chain.hash {
        return Err(Refused("a status of another chain".into()));
    }
    let tip = status.tip.map(|tip| check_certificate(setup, tip)).transpose()?;
    Ok(Reply { id, payback: Payback::Status(tip) })
}

/// Blocks as an answer.
pub fn reply_blocks(setup: &Setup, blocks: Vec<(Block, Certificate)>) -> Result<Reply, Refused> {
    let (answer, id) = pass(&BlocksAnswer(blocks), 5)?;
    let mut checked = Vec::with_capacity(answer.0.len());
    for (block, certificate) in answer.0 {
        if !certificate.is_commit() || certificate.block != Some(block.hash()) {
            return Err(Refused("a certificate that does not name its block".into()));
        }
        checked.push((block, check_certificate(setup, certificate)?));
    }
    Ok(Reply { id, payback: Payback::Blocks(checked) })
}

/// What the engine answers.
pub fn reply(setup: &Setup, answer: &Answer) -> Result<Reply, Refused> {
    Ok(match answer {
        Answer::Bodies(bodies) => {
            let batch = TransactionBatch(bodies.iter().map(|body| (**body).clone()).collect());
            let (batch, id): (TransactionBatch, Id) = pass(&batch, 6)?;
            Reply { id, payback: Payback::Bodies(batch.0) }
        }
        Answer::Votes(votes) => {
            let (votes, id): (VotesAnswer, Id) = pass(votes, 7)?;
            let checked = votes.0.into_iter().map(|message| check(setup, message));
            Reply { id, payback: Payback::Votes(checked.collect::<Result<_, _>>()?) }
        }
    })
}

/// What a lying peer makes of a gossiped proposal, should receivers take it: one transaction less.
pub fn tamper_gossip(setup: &Setup, gossip: &Gossip) -> Option<Gossip> {
    let Payload::Consensus(Message::Proposal(proposal)) = &gossip.payload else { return None };
    let mut proposal = (**proposal).clone().into_inner();
    proposal.transactions.pop()?;
    gossip_message(setup, &ConsensusMessage::Proposal(Box::new(proposal)), 0).ok()
}

/// The same with final blocks.
pub fn tamper_reply(reply: &mut Reply) -> bool {
    let Payback::Blocks(blocks) = &mut reply.payback else { return false };
    blocks.last_mut().is_some_and(|(block, _)| block.transactions.pop().is_some())
}

/// Encodes and decodes.
fn pass<T: Canonical>(value: &T, salt: u8) -> Result<(T, Id), Refused> {
    let bytes = codec::encode(value);
    let id = Sha256::new().chain_update([salt]).chain_update(&bytes).finalize().into();
    let value = codec::decode(&bytes).map_err(|error| Refused(error.to_string()))?;
    Ok((value, id))
}

fn check(setup: &Setup, message: ConsensusMessage) -> Result<Message, Refused> {
    let (scheme, genesis, set) = (&*setup.scheme, &setup.chain.hash, &setup.chain.masternodes);
    let refused = |error: rules::VoteError| Refused(error.to_string());
    Ok(match message {
        ConsensusMessage::Vote(vote) => {
            Message::Vote(rules::verify_vote(scheme, genesis, set, vote).map_err(refused)?)
        }
        ConsensusMessage::Proposal(proposal) => {
            let proposal = rules::verify_proposal(scheme, genesis, set, *proposal);
            Message::Proposal(Box::new(proposal.map_err(refused)?))
        }
        ConsensusMessage::Certificate(certificate) => {
            Message::Certificate(check_certificate(setup, certificate)?)
        }
        ConsensusMessage::Round(certificate) => Message::Round(
            rules::verify_round_certificate(scheme, genesis, set, certificate).map_err(refused)?,
        ),
        ConsensusMessage::Evidence(_) => {
            return Err(Refused("evidence is not gossiped in this version".into()));
        }
    })
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
