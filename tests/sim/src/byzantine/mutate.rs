//! Changes a field of what honest code made. What carries its own signature is signed again and must be
//! survived; what carries others' must be refused before it reaches an engine.
use super::{Actor, Stage};
use timecoin_chain::types::{
    Certificate, ConsensusMessage, Evidence, Height, Proposal, Round, RoundCertificate, SignerSet,
    Timestamp, Vote, VoteKind,
};

/// Of so many messages of its own, in thousandths, one goes out changed as well.
const OWN: u64 = 500;
/// Of so many messages of others, in thousandths.
const OTHERS: u64 = 100;

/// A masternode that bends what passes through it.
pub(super) struct Mutator;

impl Actor for Mutator {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        if stage.rng.chance(OWN) {
            stage.works();
            let changed = match message.clone() {
                ConsensusMessage::Vote(vote) => {
                    let vote = change_vote(stage, vote);
                    stage.sign_vote(&vote)
                }
                ConsensusMessage::Proposal(proposal) => {
                    let proposal = change_proposal(stage, *proposal);
                    ConsensusMessage::Proposal(Box::new(stage.sign_proposal(proposal)))
                }
                other => change_held(stage, other),
            };
            let some = match stage.rng.chance(500) {
                true => stage.others.clone(),
                false => stage.halves().0,
            };
            stage.tell(&some, changed, attempt);
            if stage.rng.chance(500) {
                return;
            }
        }
        stage.say(message, attempt);
    }

    fn hear(&mut self, stage: &mut Stage, message: &ConsensusMessage) {
        if !stage.rng.chance(OTHERS) {
            return;
        }
        let changed = match message.clone() {
            ConsensusMessage::Vote(vote) => ConsensusMessage::Vote(change_vote(stage, vote)),
            ConsensusMessage::Proposal(proposal) => {
                let proposal = change_proposal(stage, *proposal);
                ConsensusMessage::Proposal(Box::new(proposal))
            }
            ConsensusMessage::Evidence(evidence) => {
                ConsensusMessage::Evidence(change_evidence(stage, evidence))
            }
            held => change_held(stage, held),
        };
        stage.say(changed, 0);
    }
}

fn change_vote(stage: &mut Stage, mut vote: Vote) -> Vote {
    match stage.rng.below(7) {
        0 => vote.height = change_height(stage, vote.height),
        1 => vote.round = change_round(stage, vote.round),
        2 => vote.block = None,
        3 => vote.block.get_or_insert_default().0[0] ^= 1,
        4 => vote.valid_round = Some(change_round(stage, vote.round)),
        5 => vote.kind = other_kind(vote.kind),
        _ => vote.signer = vote.signer.wrapping_add(1),
    }
    vote
}

fn change_proposal(stage: &mut Stage, mut proposal: Proposal) -> Proposal {
    let header = &mut proposal.header;
    match stage.rng.below(16) {
        0 => header.version ^= 1,
        1 => header.height = change_height(stage, header.height),
        2 => header.parent.0[0] ^= 1,
        3 => header.timestamp = Timestamp(header.timestamp.0 + stage.rng.below(60_000)),
        4 => header.timestamp = Timestamp(stage.rng.number()),
        5 => header.proposer = header.proposer.wrapping_add(1),
        6 => header.state_root[0] ^= 1,
        7 => header.masternodes[0] ^= 1,
        8 => header.transactions_root[0] ^= 1,
        9 => header.witnesses_root[0] ^= 1,
        10 => header.last_commit[0] ^= 1,
        11 => header.evidence[0] ^= 1,
        12 => proposal.round = change_round(stage, proposal.round),
        13 => drop(proposal.transactions.pop()),
        14 => change_last_commit(stage, &mut proposal),
        _ => proposal.valid_round = Some(change_round(stage, proposal.round)),
    }
    proposal
}

/// The certificate of the parent with a signer less, or a wrong one, and a header that fits it.
fn change_last_commit(stage: &mut Stage, proposal: &mut Proposal) {
    if let Some(commit) = proposal.last_commit.take() {
        let changed = change_certificate(stage, commit);
        proposal.header.last_commit =
            timecoin_chain::types::Block::last_commit_hash(Some(&changed));
        proposal.last_commit = Some(changed);
    }
}

fn change_held(stage: &mut Stage, message: ConsensusMessage) -> ConsensusMessage {
    match message {
        ConsensusMessage::Certificate(held) => {
            ConsensusMessage::Certificate(change_certificate(stage, held))
        }
        ConsensusMessage::Round(held) => ConsensusMessage::Round(change_votes(stage, held)),
        other => other,
    }
}

/// Somebody else's offence, another offence, or none.
fn change_evidence(stage: &mut Stage, evidence: Evidence) -> Evidence {
    match evidence {
        Evidence::Votes(one, other) => match stage.rng.below(3) {
            0 => Evidence::Votes(other, one),
            1 => Evidence::Amnesia { precommit: one, prevote: other },
            _ => Evidence::Votes(one, change_vote(stage, other)),
        },
        Evidence::Amnesia { precommit, prevote } => match stage.rng.below(2) {
            0 => Evidence::Amnesia { precommit: change_vote(stage, precommit), prevote },
            _ => Evidence::Amnesia { precommit, prevote: change_vote(stage, prevote) },
        },
        Evidence::Proposals(mut one, mut other) => {
            match stage.rng.below(3) {
                0 => std::mem::swap(&mut one, &mut other),
                1 => one.round = change_round(stage, one.round),
                _ => {
                    let proposer = one.proposer.wrapping_add(1);
                    (one.proposer, other.proposer) = (proposer, proposer);
                }
            }
            Evidence::Proposals(one, other)
        }
    }
}

fn change_certificate(stage: &mut Stage, mut held: Certificate) -> Certificate {
    match stage.rng.below(7) {
        0 => held.height = change_height(stage, held.height),
        1 => held.round = change_round(stage, held.round),
        2 => held.block.get_or_insert_default().0[0] ^= 1,
        3 => held.kind = other_kind(held.kind),
        4 => held.valid_round = Some(change_round(stage, held.round)),
        5 => held.signatures.reverse(),
        _ => {
            // One signer and signature less.
            let last = held.signers.iter().last();
            let mut signers = SignerSet::empty(stage.members());
            held.signers
                .iter()
                .filter(|signer| Some(*signer) != last)
                .for_each(|signer| signers.insert(signer));
            held.signers = signers;
            held.signatures.pop();
        }
    }
    held
}

fn change_votes(stage: &mut Stage, mut held: RoundCertificate) -> RoundCertificate {
    match stage.rng.below(4) {
        0 => held.round = change_round(stage, held.round),
        1 => held.votes.reverse(),
        2 => drop(held.votes.pop()),
        _ => {
            // One signer twice, and nobody else.
            held.votes.truncate(1);
            held.votes.extend(held.votes.first().cloned());
        }
    }
    held
}

fn change_height(stage: &mut Stage, height: Height) -> Height {
    match stage.rng.below(3) {
        0 => height.next(),
        1 => Height(height.0.saturating_sub(1)),
        _ => Height(stage.rng.number()),
    }
}

fn change_round(stage: &mut Stage, round: Round) -> Round {
    match stage.rng.below(3) {
        0 => round.next(),
        1 => Round(round.0.saturating_sub(1)),
        _ => Round(u32::try_from(stage.rng.below(1 << 32)).unwrap_or(u32::MAX)),
    }
}

fn other_kind(kind: VoteKind) -> VoteKind {
    match kind {
        VoteKind::Prevote => VoteKind::Precommit,
        VoteKind::Precommit => VoteKind::Prevote,
    }
}
