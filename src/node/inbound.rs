//! Bytes from peers into checked inputs: length and decoding by the codec, then the height window,
//! then what was said before, then known masternodes, then signatures. A verdict goes back to gossip for each message.
//!
//! Reject is for what no honest node sends: bad encoding, bad signature. Everything that may be a
//! matter of timing is ignored. Invariant: an honest peer is never rejected.
use super::{recent::Recent, run_loop::Event};
use std::{sync::Arc, time::Instant};
use timecoin_chain::{
    codec,
    crypto::{Ed25519, Verified},
    engine::EngineStatus,
    genesis::Chain,
    limits::{ROUNDS_KEPT, votes_answer_max},
    rules,
    types::{ConsensusMessage, Round, TransactionBatch},
};
use timecoin_network::{Gossip, PeerId, Topic};
use tokio::sync::{mpsc, watch};

/// Messages verified before the loop is given them.
const BATCH: usize = 64;

/// Checks consensus messages from gossip until the network ends.
pub(super) async fn consensus(
    chain: Arc<Chain>,
    status: watch::Receiver<Arc<EngineStatus>>,
    mut gossip: mpsc::Receiver<Gossip>,
    events: mpsc::Sender<Event>,
) {
    let mut received = Vec::with_capacity(BATCH);
    let mut recent = Recent::new(&chain.masternodes, Instant::now());
    while gossip.recv_many(&mut received, BATCH).await > 0 {
        let status = status.borrow().clone();
        for message in received.drain(..) {
            let from = message.from;
            if let Some(message) = judge(&chain, &status, &mut recent, message)
                && events.send(Event::Message { from, message }).await.is_err()
            {
                return;
            }
        }
    }
}

fn judge(
    chain: &Chain,
    status: &EngineStatus,
    recent: &mut Recent<'_>,
    gossip: Gossip,
) -> Option<Verified<ConsensusMessage>> {
    let Gossip { topic, bytes, ticket, .. } = gossip;
    let decoded = codec::decode::<ConsensusMessage>(&bytes);
    let Ok(message) = decoded else {
        ticket.reject("not a consensus message");
        return None;
    };
    if !belongs(topic, &message) {
        ticket.reject("message of another topic");
        return None;
    }
    if !is_timely(chain, status, &message) || !recent.admits(Instant::now(), &message) {
        ticket.ignore();
        return None;
    }
    match verify(chain, message.clone()) {
        Some(checked) => {
            recent.note(&message);
            ticket.accept();
            Some(checked)
        }
        None => {
            ticket.reject("signature or form");
            None
        }
    }
}

fn belongs(topic: Topic, message: &ConsensusMessage) -> bool {
    topic == topic_of(message)
}

/// The topic that a consensus message travels on.
pub(super) fn topic_of(message: &ConsensusMessage) -> Topic {
    match message {
        ConsensusMessage::Vote(_) => Topic::Votes,
        ConsensusMessage::Proposal(_) => Topic::Proposals,
        ConsensusMessage::Certificate(_) | ConsensusMessage::Round(_) => Topic::Certificates,
        ConsensusMessage::Evidence(_) => Topic::Evidence,
    }
}

/// Votes and proposals of the last, this and the next height; a commit certificate may be of any
/// later height, for it proves itself. Evidence as long as a block may record it.
fn is_timely(chain: &Chain, status: &EngineStatus, message: &ConsensusMessage) -> bool {
    let (height, deciding) = (message.height(), status.deciding);
    let is_near = height <= deciding.next();
    match message {
        ConsensusMessage::Evidence(evidence) => {
            let offender = status.masternodes.get(usize::from(evidence.offender()));
            let is_known = offender.is_none_or(|offender| offender.offence.is_some());
            is_near && !is_known && deciding - height <= chain.params().evidence_age_blocks
        }
        ConsensusMessage::Certificate(certificate) if certificate.is_commit() => {
            height.next() >= deciding
        }
        ConsensusMessage::Vote(vote) if height == deciding && is_past(status, vote.round) => false,
        _ => is_near && height.next() >= deciding,
    }
}

/// Whether votes of this round are of no more use here. Replayed, they would take up the share of whoever
/// signed them.
fn is_past(status: &EngineStatus, round: Round) -> bool {
    round.0.saturating_add(ROUNDS_KEPT) < status.round.0
}

/// Checks signatures. Nothing where no honest node sends this.
pub(super) fn verify(
    chain: &Chain,
    message: ConsensusMessage,
) -> Option<Verified<ConsensusMessage>> {
    rules::verify_message(&Ed25519, &chain.hash, &chain.masternodes, message).ok()
}

/// Decodes transaction batches from gossip until the network ends.
pub(super) async fn transactions(mut gossip: mpsc::Receiver<Gossip>, events: mpsc::Sender<Event>) {
    while let Some(Gossip { from, topic, bytes, ticket }) = gossip.recv().await {
        if topic != Topic::Transactions {
            ticket.ignore();
            continue;
        }
        match codec::decode::<TransactionBatch>(&bytes) {
            Ok(TransactionBatch(batch)) if !batch.is_empty() => {
                let event = Event::Transactions { from, batch, ticket };
                if events.send(event).await.is_err() {
                    return;
                }
            }
            _ => ticket.reject("not a batch of transactions"),
        }
    }
}

/// A peer's answer with votes, certificates and a proposal, checked. Nothing at all where there are more
/// than an honest node sends, or from the first that is wrong: the rest is not worth checking.
pub(super) fn verify_all(
    chain: &Chain,
    from: PeerId,
    messages: Vec<ConsensusMessage>,
) -> Option<Vec<Event>> {
    if messages.len() > votes_answer_max(chain.masternodes.len()) {
        return None;
    }
    messages
        .into_iter()
        .map(|message| Some(Event::Message { from, message: verify(chain, message)? }))
        .collect()
}
