//! Bytes from peers into checked inputs: length and decoding by the codec, then the height window,
//! then what was said before, then known masternodes, then signatures. A verdict goes back to gossip for each message.
//!
//! Reject is for what no honest node sends: bad encoding, bad signature. Everything that may be a
//! matter of timing is ignored. Invariant: an honest peer is never rejected.
use super::{recent::Recent, run_loop::Event};
use std::{sync::Arc, time::Instant};
use timecoin_chain::{
    codec,
    crypto::Ed25519,
    engine::{EngineStatus, Message},
    genesis::Chain,
    rules,
    types::{ConsensusMessage, Height, TransactionBatch},
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
    let mut recent = Recent::new(Instant::now());
    while gossip.recv_many(&mut received, BATCH).await > 0 {
        let deciding = status.borrow().deciding;
        for message in received.drain(..) {
            let from = message.from;
            if let Some(message) = judge(&chain, deciding, &mut recent, message)
                && events.send(Event::Message { from, message }).await.is_err()
            {
                return;
            }
        }
    }
}

fn judge(chain: &Chain, deciding: Height, recent: &mut Recent, gossip: Gossip) -> Option<Message> {
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
    if !is_timely(deciding, &message) || !recent.admits(Instant::now(), &message) {
        ticket.ignore();
        return None;
    }
    match verify(chain, message.clone()) {
        Ok(Some(checked)) => {
            recent.note(&message);
            ticket.accept();
            Some(checked)
        }
        Ok(None) => {
            ticket.ignore();
            None
        }
        Err(_) => {
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
/// later height, for it proves itself.
fn is_timely(deciding: Height, message: &ConsensusMessage) -> bool {
    let height = message.height();
    let is_commit =
        matches!(message, ConsensusMessage::Certificate(certificate) if certificate.is_commit());
    height.next() >= deciding && (is_commit || height <= deciding.next())
}

/// Checks signatures. Nothing where this version has no use for the message.
pub(super) fn verify(
    chain: &Chain,
    message: ConsensusMessage,
) -> Result<Option<Message>, rules::VoteError> {
    let (genesis, set) = (&chain.hash, &chain.masternodes);
    Ok(Some(match message {
        ConsensusMessage::Vote(vote) => {
            Message::Vote(rules::verify_vote(&Ed25519, genesis, set, vote)?)
        }
        ConsensusMessage::Proposal(proposal) => {
            Message::Proposal(Box::new(rules::verify_proposal(&Ed25519, genesis, set, *proposal)?))
        }
        ConsensusMessage::Certificate(certificate) => {
            Message::Certificate(rules::verify_certificate(&Ed25519, genesis, set, certificate)?)
        }
        ConsensusMessage::Round(certificate) => {
            Message::Round(rules::verify_round_certificate(&Ed25519, genesis, set, certificate)?)
        }
        ConsensusMessage::Evidence(_) => return Ok(None),
    }))
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

/// A peer's answer with votes, certificates and a proposal, checked; what is wrong is left out.
pub(super) fn verify_all(
    chain: &Chain,
    from: PeerId,
    messages: Vec<ConsensusMessage>,
) -> Vec<Event> {
    messages
        .into_iter()
        .filter_map(|message| verify(chain, message).ok().flatten())
        .map(|message| Event::Message { from, message })
        .collect()
}
