//! Which heights and rounds a node listens to at the moment.
//!
//! Votes and proposals are let in for the height being decided and the next one, up to [`ROUNDS_AHEAD_MAX`] rounds
//! ahead; what one masternode can sign alone has no use beyond. Certificates carry the weight of many and may come
//! from any later round; a commit certificate from any later height, because it proves itself.
use crate::{
    crypto::PublicKey,
    ledger::LedgerState,
    limits::{ROUNDS_AHEAD_MAX, ROUNDS_KEPT},
    types::{
        BlockHash, Certificate, ConsensusMessage, Height, MasternodeSet, Millis, NodeKey, Presence,
        Round, Timestamp, Vote, VoteKind,
    },
    wire::Request,
};
use std::{collections::BTreeMap, sync::Arc};

/// How far ahead of this node's clock a masternode's may be.
const CLOCK_SKEW_MAX: Millis = Millis(60_000);
/// A presence that is renewed more often is not forwarded.
const RENEWAL_MIN: Millis = Millis(10_000);

/// The node of each masternode, and until when that is known.
pub type Presences = BTreeMap<PublicKey, (NodeKey, Timestamp)>;

/// What a message is worth to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// Nothing: it is ignored.
    Nothing,
    /// It is delivered here and not forwarded.
    Local,
    /// It is delivered here and forwarded.
    Forward,
}

/// Where the node is.
#[derive(Debug, Clone)]
pub struct Window {
    /// The height being decided.
    pub height: Height,
    /// Its round.
    pub round: Round,
    /// The index of this node's key in the masternode set, if it is there.
    pub me: Option<u16>,
    /// The round and block that decided the height before.
    pub tip: Option<(Round, BlockHash)>,
    /// Heights for which evidence counts, back from `height`.
    pub evidence_age: u64,
    /// The state before `height`: whose offence is recorded there.
    pub ledger: Arc<LedgerState>,
    /// The wall clock, for presences.
    pub wall: Timestamp,
    /// The last presence of each masternode.
    pub presences: Arc<Presences>,
}

impl Window {
    /// What a message of this height and round is worth now.
    pub(super) fn worth(&self, message: &ConsensusMessage) -> Worth {
        match message {
            ConsensusMessage::Vote(vote) => self.worth_of_vote(vote),
            ConsensusMessage::Proposal(proposal) => {
                forward_if(self.is_open(proposal.height(), proposal.round))
            }
            ConsensusMessage::Certificate(certificate) => {
                forward_if(self.takes_certificate(certificate))
            }
            ConsensusMessage::Round(certificate) => {
                forward_if(self.is_near(certificate.height) && certificate.height >= self.height)
            }
            ConsensusMessage::Evidence(evidence) => {
                let offence = self.ledger.offences.get(usize::from(evidence.offender()));
                let age = self.height.0.saturating_sub(evidence.height().0);
                forward_if(
                    offence == Some(&None)
                        && self.is_near(evidence.height())
                        && age <= self.evidence_age,
                )
            }
        }
    }

    /// What the presence of a member of the set is worth: something if it is renewed, and not too often.
    pub(super) fn worth_of_presence(&self, set: &MasternodeSet, presence: &Presence) -> Worth {
        let is_member = set.index_of(&presence.masternode).is_some();
        let latest = self.wall.0.saturating_add(Presence::LIFE.0 + CLOCK_SKEW_MAX.0);
        let is_valid = (self.wall.0..=latest).contains(&presence.expires.0);
        let known = self.presences.get(&presence.masternode);
        let is_due = known.is_none_or(|(_, expires)| {
            presence.expires.0 >= expires.0.saturating_add(RENEWAL_MIN.0)
        });
        forward_if(is_member && is_valid && is_due)
    }

    /// Whether a message of a response is of use. A node that has just started asks for everything that its own key
    /// signed at this height, whatever the round; one that knows a polka of a round long past asks for its proposal.
    pub(super) fn takes_response(&self, request: &Request, message: &ConsensusMessage) -> bool {
        let is_asked_for = match (request, message) {
            (_, ConsensusMessage::Vote(vote)) => {
                Some(vote.signer) == self.me && vote.height == self.height
            }
            (Request::Votes(asked), ConsensusMessage::Proposal(proposal)) => {
                let rounds = asked.round..=self.round;
                proposal.height() == self.height && rounds.contains(&proposal.round)
            }
            _ => false,
        };
        is_asked_for || self.worth(message) != Worth::Nothing
    }

    fn worth_of_vote(&self, vote: &Vote) -> Worth {
        if self.is_open(vote.height, vote.round) {
            return Worth::Forward;
        }
        let Some((round, block)) = self.tip.filter(|_| vote.height.next() == self.height) else {
            return Worth::Nothing;
        };
        // A late precommit for the last block: the next block may include it.
        if (vote.kind, vote.round, vote.block) == (VoteKind::Precommit, round, Some(block)) {
            return Worth::Forward;
        }
        // Its signer has not heard of the decision: a neighbour shows it.
        match is_round_near(vote.round, round) {
            true => Worth::Local,
            false => Worth::Nothing,
        }
    }

    /// Whether single votes and proposals of this height and round are let in.
    fn is_open(&self, height: Height, round: Round) -> bool {
        if height == self.height {
            return is_round_near(round, self.round);
        }
        height == self.height.next() && round.0 <= ROUNDS_AHEAD_MAX
    }

    fn is_near(&self, height: Height) -> bool {
        height <= self.height.next()
    }

    fn takes_certificate(&self, certificate: &Certificate) -> bool {
        match certificate.is_commit() {
            true => certificate.height.next() >= self.height,
            false => certificate.height >= self.height && self.is_near(certificate.height),
        }
    }
}

fn is_round_near(round: Round, current: Round) -> bool {
    let oldest = current.0.saturating_sub(ROUNDS_KEPT);
    (oldest..=current.0.saturating_add(ROUNDS_AHEAD_MAX)).contains(&round.0)
}

fn forward_if(is_wanted: bool) -> Worth {
    if is_wanted { Worth::Forward } else { Worth::Nothing }
}
