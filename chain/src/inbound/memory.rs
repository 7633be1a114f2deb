//! What was said and verified recently: the door's duplicate memory.
//!
//! Gossip tells messages apart by their bytes, and the same thing can be said in any number of bytes: with another
//! attempt, in a certificate with other signers, in an answer. Here the same thing counts once in a [`PERIOD`], a
//! message whose exact bytes were verified is not verified again, and each slot of a masternode has one value that
//! is forwarded. A second value is delivered to this node only, where it becomes evidence; further ones are ignored.
//!
//! Honest nodes say one thing in a slot and repeat it less often than once in a period, so nothing they need is left
//! out. Invariant: only verified messages are noted, so nobody can take another's place.
use super::window::Worth;
use crate::{
    codec,
    crypto::hash,
    limits::ROUNDS_KEPT,
    types::{
        BlockHash, ConsensusMessage, Height, MasternodeSet, Millis, Round, RoundCertificate,
        VoteKind,
    },
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Half of the time between two repetitions of an honest node.
pub(super) const PERIOD: Millis = Millis(400);
/// Verified messages that are remembered: with 100 masternodes some twenty heights of votes.
const VERIFIED_MAX: usize = 4_096;

/// The digest of a message's canonical bytes.
pub(super) type Digest = [u8; 32];

/// The digest by which a verified message is remembered.
pub(super) fn digest(message: &ConsensusMessage) -> Digest {
    digest_of(&codec::encode(message))
}

/// The same of the bytes that it was decoded from: an encoding has one form.
pub(super) fn digest_of(bytes: &[u8]) -> Digest {
    hash("tc/inbound", &[bytes])
}

/// What a message says, independent of its encoding and of the signers of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Statement {
    Vote(u16, Value),
    Proposal(Value),
    Certificate(Value),
    /// And whether its votes end the round, which is more than that some are in it.
    Round(Height, Round, bool),
    /// Against whom: one piece is enough for each.
    Evidence(u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    kind: VoteKind,
    height: Height,
    round: Round,
    block: Option<BlockHash>,
    valid_round: Option<Round>,
}

/// A place in which a masternode says one thing. A proposal's has no kind.
type Slot = (Height, Round, Option<VoteKind>, u16);

/// The first value verified for a slot, and the second one that contradicts it.
#[derive(Debug, Clone, Copy)]
struct Said {
    first: Value,
    second: Option<Value>,
}

/// Recently verified statements, slots and digests.
#[derive(Debug, Default)]
pub(super) struct Memory {
    since: Millis,
    heard: BTreeSet<Statement>,
    slots: BTreeMap<Slot, Said>,
    verified: BTreeSet<Digest>,
    /// The digests in the order in which they came.
    order: VecDeque<Digest>,
}

impl Memory {
    /// What a message is still worth, given what was verified before.
    pub(super) fn worth(
        &mut self,
        now: Millis,
        set: &MasternodeSet,
        message: &ConsensusMessage,
    ) -> Worth {
        if now.since(self.since) >= PERIOD {
            self.since = now;
            self.heard.clear();
        }
        let statement = statement(set, message);
        if self.heard.contains(&statement) {
            return Worth::Nothing;
        }
        let Some((slot, value)) = slot(set, statement) else { return Worth::Forward };
        match self.slots.get(&slot) {
            None => Worth::Forward,
            Some(said) if said.first == value => Worth::Forward,
            Some(said) if said.second.is_none() => Worth::Local,
            Some(_) => Worth::Nothing,
        }
    }

    /// Whether exactly this message was verified before.
    pub(super) fn is_verified(&self, digest: &Digest) -> bool {
        self.verified.contains(digest)
    }

    /// Notes a verified message, and says what it is worth now: nothing when the same was noted while it was verified.
    pub(super) fn note(
        &mut self,
        set: &MasternodeSet,
        message: &ConsensusMessage,
        digest: Digest,
    ) -> Worth {
        let statement = statement(set, message);
        self.remember(digest);
        if !self.heard.insert(statement) {
            return Worth::Nothing;
        }
        let Some((slot, value)) = slot(set, statement) else { return Worth::Forward };
        let said = self.slots.entry(slot).or_insert(Said { first: value, second: None });
        if said.first == value {
            return Worth::Forward;
        }
        match said.second.replace(value) {
            None => Worth::Local,
            Some(_) => Worth::Nothing,
        }
    }

    /// Remembers the exact bytes of a verified message.
    pub(super) fn remember(&mut self, digest: Digest) {
        if self.verified.insert(digest) {
            self.order.push_back(digest);
        }
        while self.order.len() > VERIFIED_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.verified.remove(&oldest);
            }
        }
    }

    /// Forgets the slots that are outside the window.
    pub(super) fn forget_before(&mut self, height: Height, round: Round) {
        let before = Height(height.0.saturating_sub(1));
        let oldest = Round(round.0.saturating_sub(ROUNDS_KEPT));
        self.slots.retain(|(of, at, ..), _| *of >= before && (*of != height || *at >= oldest));
    }

    /// How many slots and digests are held.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.slots.len(), self.verified.len())
    }
}

fn statement(set: &MasternodeSet, message: &ConsensusMessage) -> Statement {
    match message {
        ConsensusMessage::Vote(vote) => Statement::Vote(
            vote.signer,
            Value {
                kind: vote.kind,
                height: vote.height,
                round: vote.round,
                block: vote.block,
                valid_round: vote.valid_round,
            },
        ),
        ConsensusMessage::Proposal(proposal) => Statement::Proposal(Value {
            kind: VoteKind::Prevote,
            height: proposal.height(),
            round: proposal.round,
            block: Some(proposal.block_hash()),
            valid_round: proposal.valid_round,
        }),
        ConsensusMessage::Certificate(certificate) => Statement::Certificate(Value {
            kind: certificate.kind,
            height: certificate.height,
            round: certificate.round,
            block: certificate.block,
            valid_round: certificate.valid_round,
        }),
        ConsensusMessage::Round(certificate) => {
            Statement::Round(certificate.height, certificate.round, is_end(set, certificate))
        }
        ConsensusMessage::Evidence(evidence) => Statement::Evidence(evidence.offender()),
    }
}

/// The slot that a vote or a proposal fills, and with what.
fn slot(set: &MasternodeSet, statement: Statement) -> Option<(Slot, Value)> {
    match statement {
        Statement::Vote(signer, value) => {
            Some(((value.height, value.round, Some(value.kind), signer), value))
        }
        Statement::Proposal(value) => {
            let proposer = set.proposer(value.height, value.round);
            Some(((value.height, value.round, None, proposer), value))
        }
        Statement::Certificate(_) | Statement::Round(..) | Statement::Evidence(_) => None,
    }
}

/// Whether more than two thirds of the weight precommitted.
fn is_end(set: &MasternodeSet, certificate: &RoundCertificate) -> bool {
    let precommits = certificate.votes.iter().filter(|vote| vote.kind == VoteKind::Precommit);
    set.is_quorum(set.weight_of(precommits.map(|vote| vote.signer)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crypto::{PublicKey, Signature},
        types::{Lock, Masternode, Vote},
    };

    fn set() -> MasternodeSet {
        let member = |byte: u8| {
            let key = PublicKey([byte; 32]);
            Masternode { key, weight: 1, payout: Lock::Key(key) }
        };
        MasternodeSet::new((0..4).map(member).collect()).expect("four different keys are a set")
    }

    fn vote(height: u64, round: u32) -> ConsensusMessage {
        ConsensusMessage::Vote(Vote {
            kind: VoteKind::Prevote,
            height: Height(height),
            round: Round(round),
            block: None,
            valid_round: None,
            signer: 1,
            signature: Signature::from_bytes(&[0; 64]),
        })
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (set, mut memory) = (set(), Memory::default());
        for height in 0..10_000 {
            let vote = vote(height, 0);
            memory.note(&set, &vote, digest(&vote));
            memory.forget_before(Height(height), Round(0));
        }
        assert_eq!(memory.len(), (2, VERIFIED_MAX));
        assert!(!memory.is_verified(&digest(&vote(0, 0))), "the oldest is forgotten");
        assert!(memory.is_verified(&digest(&vote(9_999, 0))));
    }

    #[test]
    fn slots_of_rounds_long_past_are_forgotten() {
        let (set, mut memory) = (set(), Memory::default());
        for round in 0..100 {
            let vote = vote(5, round);
            memory.note(&set, &vote, digest(&vote));
            memory.forget_before(Height(5), Round(round));
        }
        assert_eq!(memory.len().0, usize::try_from(ROUNDS_KEPT).expect("few") + 1);
    }
}
