//! What was said and checked of late.
//!
//! Gossip tells messages apart by their bytes, and the same thing can be said in endlessly many bytes:
//! with another attempt, packed another way, in a certificate with other signers. Each would be checked
//! and passed on by every node. And a masternode can sign as many votes as it likes.
//!
//! Here the same thing counts once in a [`PERIOD`], and everybody has a share of it. Honest nodes repeat
//! themselves less often and say less, so what is left out is never needed, and nobody is blamed for it.
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};
use timecoin_chain::types::{
    BlockHash, ConsensusMessage, Height, MasternodeSet, Round, RoundCertificate, VoteKind,
};

/// Half of what lies between two repetitions of an honest node.
const PERIOD: Duration = Duration::from_millis(400);
/// Votes of one masternode at one height in a period: many rounds' worth. By height, because blocks may
/// come faster than any period allows for, and only the heights near the tip are let in at all.
const VOTES_MAX: usize = 64;
/// Proposals of one masternode at one height in a period, whatever their rounds: it can sign one for
/// every round that is ever its turn, and each may name as many transactions as a block holds.
const PROPOSALS_MAX: usize = 4;

/// What a message says, whatever its bytes and, for a certificate, whoever signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Said {
    Vote(u16, Value),
    Proposal(Value),
    Certificate(Value),
    /// And whether its votes end the round, which is more than that some are in it.
    Round(Height, Round, bool),
    /// Against whom: one piece is enough for each.
    Evidence(u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Value {
    kind: VoteKind,
    height: Height,
    round: Round,
    block: Option<BlockHash>,
    valid_round: Option<Round>,
}

/// Whose share something takes. Certificates need the weight of many and have no bound of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Speaker {
    Voter(u16, Height),
    Proposer(u16, Height),
}

/// A period's messages.
#[derive(Debug)]
pub(super) struct Recent<'a> {
    set: &'a MasternodeSet,
    since: Instant,
    said: HashSet<Said>,
    shares: HashMap<Speaker, usize>,
}

impl<'a> Recent<'a> {
    pub(super) fn new(set: &'a MasternodeSet, now: Instant) -> Self {
        Self { set, since: now, said: HashSet::new(), shares: HashMap::new() }
    }

    /// Whether a message is worth checking.
    pub(super) fn admits(&mut self, now: Instant, message: &ConsensusMessage) -> bool {
        if now.saturating_duration_since(self.since) >= PERIOD {
            *self = Self::new(self.set, now);
        }
        !self.said.contains(&self.said(message))
            && self.speaker(message).is_none_or(|speaker| {
                self.shares.get(&speaker).is_none_or(|share| *share < share_of(speaker))
            })
    }

    /// Notes a message whose signatures are valid: nobody else can use up a masternode's share.
    pub(super) fn note(&mut self, message: &ConsensusMessage) {
        self.said.insert(self.said(message));
        if let Some(speaker) = self.speaker(message) {
            *self.shares.entry(speaker).or_default() += 1;
        }
    }

    fn said(&self, message: &ConsensusMessage) -> Said {
        match message {
            ConsensusMessage::Vote(vote) => {
                let (kind, height, round) = (vote.kind, vote.height, vote.round);
                let (block, valid_round) = (vote.block, vote.valid_round);
                Said::Vote(vote.signer, Value { kind, height, round, block, valid_round })
            }
            ConsensusMessage::Proposal(proposal) => Said::Proposal(Value {
                kind: VoteKind::Prevote,
                height: proposal.height(),
                round: proposal.round,
                block: Some(proposal.block_hash()),
                valid_round: proposal.valid_round,
            }),
            ConsensusMessage::Certificate(certificate) => {
                let (kind, height, round) =
                    (certificate.kind, certificate.height, certificate.round);
                let (block, valid_round) = (certificate.block, certificate.valid_round);
                Said::Certificate(Value { kind, height, round, block, valid_round })
            }
            ConsensusMessage::Round(certificate) => {
                Said::Round(certificate.height, certificate.round, self.is_end(certificate))
            }
            ConsensusMessage::Evidence(evidence) => Said::Evidence(evidence.offender()),
        }
    }

    fn speaker(&self, message: &ConsensusMessage) -> Option<Speaker> {
        match message {
            ConsensusMessage::Vote(vote) => Some(Speaker::Voter(vote.signer, vote.height)),
            ConsensusMessage::Proposal(proposal) => {
                let (height, round) = (proposal.height(), proposal.round);
                Some(Speaker::Proposer(self.set.proposer(height, round), height))
            }
            ConsensusMessage::Certificate(_)
            | ConsensusMessage::Round(_)
            | ConsensusMessage::Evidence(_) => None,
        }
    }

    /// Whether more than two thirds precommitted.
    fn is_end(&self, certificate: &RoundCertificate) -> bool {
        let precommits = certificate.votes.iter().filter(|vote| vote.kind == VoteKind::Precommit);
        self.set.is_quorum(self.set.weight_of(precommits.map(|vote| vote.signer)))
    }
}

fn share_of(speaker: Speaker) -> usize {
    match speaker {
        Speaker::Voter(..) => VOTES_MAX,
        Speaker::Proposer(..) => PROPOSALS_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use timecoin_chain::{
        crypto::{PublicKey, Signature},
        genesis::ChainId,
        types::{Block, Evidence, Header, Lock, Masternode, Proposal, Timestamp, Vote},
    };

    fn set() -> MasternodeSet {
        let member = |byte: u8| {
            let key = PublicKey([byte; 32]);
            Masternode { key, weight: 1, payout: Lock::Key(key) }
        };
        MasternodeSet::new((0..4).map(member).collect()).expect("four different keys are a set")
    }

    fn vote(signer: u16, round: u32, signature: u8) -> ConsensusMessage {
        ConsensusMessage::Vote(Vote {
            kind: VoteKind::Prevote,
            height: Height(5),
            round: Round(round),
            block: None,
            valid_round: None,
            signer,
            signature: Signature::from_bytes(&[signature; 64]),
        })
    }

    fn proposal(round: u32) -> ConsensusMessage {
        let header = Header {
            version: Header::VERSION,
            chain: ChainId([0; 4]),
            height: Height(5),
            parent: BlockHash([0; 32]),
            timestamp: Timestamp(u64::from(round)),
            proposer: 0,
            state_root: [0; 32],
            masternodes: [0; 32],
            transactions_root: [0; 32],
            witnesses_root: [0; 32],
            last_commit: [0; 32],
            evidence: [0; 32],
        };
        let block = Block { header, transactions: vec![], last_commit: None, evidence: vec![] };
        let signature = Signature::from_bytes(&[1; 64]);
        let proposal = Proposal::of_block(&block, vec![], Round(round), None, signature);
        ConsensusMessage::Proposal(Box::new(proposal))
    }

    #[test]
    fn the_same_thing_counts_once_in_a_period() {
        let now = Instant::now();
        let set = set();
        let mut recent = Recent::new(&set, now);
        assert!(recent.admits(now, &vote(1, 0, 1)));
        assert!(recent.admits(now, &vote(1, 0, 1)), "what was not valid is not noted");
        recent.note(&vote(1, 0, 1));
        assert!(!recent.admits(now, &vote(1, 0, 2)), "whatever the signature's bytes");
        assert!(recent.admits(now, &vote(2, 0, 1)));
        assert!(recent.admits(now, &vote(1, 1, 1)));
        assert!(recent.admits(now + PERIOD, &vote(1, 0, 1)));
    }

    #[test]
    fn a_certificate_with_other_signers_is_the_same_thing() {
        let now = Instant::now();
        let set = set();
        let mut recent = Recent::new(&set, now);
        let round = |votes| {
            let (height, round) = (Height(5), Round(1));
            ConsensusMessage::Round(RoundCertificate { height, round, votes })
        };
        recent.note(&round(vec![]));
        let ConsensusMessage::Vote(other) = vote(1, 1, 1) else { unreachable!() };
        assert!(!recent.admits(now, &round(vec![other.clone()])));
        let precommit = |signer| Vote { kind: VoteKind::Precommit, signer, ..other.clone() };
        let end = round((0..3).map(precommit).collect());
        assert!(recent.admits(now, &end), "that some are in a round does not say that it is over");
        recent.note(&end);
        assert!(!recent.admits(now, &end));
    }

    #[test]
    fn one_masternode_cannot_take_the_others_share() {
        let now = Instant::now();
        let set = set();
        let mut recent = Recent::new(&set, now);
        let votes = (0..10_000).map(|round| vote(1, round, 1));
        let admitted = votes.filter(|vote| {
            let is_admitted = recent.admits(now, vote);
            if is_admitted {
                recent.note(vote);
            }
            is_admitted
        });
        assert_eq!(admitted.count(), VOTES_MAX);
        assert!(recent.admits(now, &vote(2, 0, 1)));
    }

    #[test]
    fn a_proposer_has_one_share_for_all_rounds() {
        let now = Instant::now();
        let set = set();
        let mut recent = Recent::new(&set, now);
        let mut admitted = [0; 4];
        for round in 0..400 {
            let proposal = proposal(round);
            if recent.admits(now, &proposal) {
                recent.note(&proposal);
                admitted[usize::from(set.proposer(Height(5), Round(round)))] += 1;
            }
        }
        assert_eq!(admitted, [PROPOSALS_MAX; 4]);
    }

    #[test]
    fn evidence_against_one_masternode_counts_once_whatever_it_is() {
        let now = Instant::now();
        let set = set();
        let mut recent = Recent::new(&set, now);
        let evidence = |signer, round| {
            let ConsensusMessage::Vote(one) = vote(signer, round, 1) else { unreachable!() };
            let other = Vote { block: Some(BlockHash([1; 32])), ..one.clone() };
            ConsensusMessage::Evidence(Evidence::of_votes(&one, &other).expect("they conflict"))
        };
        recent.note(&evidence(1, 0));
        assert!(!recent.admits(now, &evidence(1, 7)));
        assert!(recent.admits(now, &evidence(2, 0)));
        assert!(recent.admits(now, &vote(1, 0, 1)), "what it is about is another thing");
        assert!(recent.admits(now + PERIOD, &evidence(1, 7)));
    }

    #[test]
    fn blocks_may_come_faster_than_periods() {
        let now = Instant::now();
        let set = set();
        let mut recent = Recent::new(&set, now);
        for height in 0..1_000 {
            let ConsensusMessage::Vote(mut vote) = vote(1, 0, 1) else { unreachable!() };
            vote.height = Height(height);
            let vote = ConsensusMessage::Vote(vote);
            assert!(recent.admits(now, &vote), "height {height}");
            recent.note(&vote);
        }
    }
}
