//! Many votes and proposals: far heights and rounds, contradicting ones, many values in one slot, blocks with bodies
//! that nobody has, thousands of them. Bounded, as the network bounds what one peer may send.
use super::{Actor, Stage};
use crate::rng::Rng;
use timecoin_chain::types::{
    BlockHash, ConsensusMessage, Header, Height, Proposal, Round, Timestamp, VoteKind, WTxId,
};

/// Messages at a time, four times a second.
const AT_A_TIME: [usize; 4] = [6, 6, 12, 48];
/// Transactions that a large proposal names at most.
const IDS_MAX: u64 = 5_000;

/// A masternode that never stops talking.
pub(super) struct Flooder {
    at_a_time: usize,
    /// The last proposal it saw: its next ones look like it.
    like: Option<Proposal>,
}

impl Actor for Flooder {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        if let ConsensusMessage::Proposal(proposal) = &message {
            self.like = Some((**proposal).clone());
        }
        stage.say(message, attempt);
    }

    fn hear(&mut self, _stage: &mut Stage, message: &ConsensusMessage) {
        if let ConsensusMessage::Proposal(proposal) = message {
            self.like = Some((**proposal).clone());
        }
    }

    fn tick(&mut self, stage: &mut Stage) {
        for _ in 0..self.at_a_time {
            stage.works();
            let message = match stage.rng.chance(300) {
                true => self.proposal(stage),
                false => Some(vote(stage)),
            };
            let Some(message) = message else { continue };
            match stage.rng.chance(500) {
                true => stage.say(message, 0),
                false => {
                    let one = stage.some_masternodes(1);
                    stage.tell(&one, message, 0);
                }
            }
        }
    }
}

impl Flooder {
    /// One of any diligence.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        Self { at_a_time: AT_A_TIME[rng.index(AT_A_TIME.len())], like: None }
    }

    /// For any round of the next heights that is its own: in a large set most are far ahead.
    fn proposal(&self, stage: &mut Stage) -> Option<ConsensusMessage> {
        let like = self.like.as_ref()?;
        let height = Height(stage.height.0 + stage.rng.below(3));
        let ahead =
            if stage.rng.chance(200) { stage.rng.number() >> 40 } else { stage.rng.below(3) };
        let first = Round(stage.round.0 + u32::try_from(ahead).unwrap_or(0));
        let turns = u32::try_from(2 * stage.members()).unwrap_or(0);
        let mut rounds = (first.0..first.0 + turns).map(Round);
        let round = rounds.find(|round| stage.proposes(height, *round))?;
        let timestamp = Timestamp(like.header.timestamp.0 + stage.rng.below(5_000));
        let header = Header { height, timestamp, ..like.header.clone() };
        let proposal = stage.fresh_proposal(like, round, header);
        let is_large = stage.rng.chance(5);
        let count = stage.rng.below(if is_large { IDS_MAX } else { 4 });
        let ids = (0..count).map(|_| WTxId(bytes(stage))).collect();
        let proposal = match count {
            0 => proposal,
            _ => stage.with_transactions(&proposal, ids),
        };
        Some(ConsensusMessage::Proposal(Box::new(proposal)))
    }
}

fn vote(stage: &mut Stage) -> ConsensusMessage {
    let height = match stage.rng.below(8) {
        0 => Height(u64::MAX),
        1 => Height(stage.rng.number()),
        ahead => Height(stage.height.0 + ahead.saturating_sub(4)),
    };
    let round = match stage.rng.below(8) {
        0 => Round(u32::MAX),
        1 => Round(u32::try_from(stage.rng.number() >> 32).unwrap_or(0)),
        ahead => Round(stage.round.0.saturating_add(u32::try_from(ahead).unwrap_or(0) / 2)),
    };
    let kind = match stage.rng.chance(500) {
        true => VoteKind::Prevote,
        false => VoteKind::Precommit,
    };
    let block = match stage.rng.chance(800) {
        true => Some(BlockHash(bytes(stage))),
        false => None,
    };
    stage.vote(kind, (height, round), block, None)
}

fn bytes(stage: &mut Stage) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.chunks_mut(8).for_each(|part| part.copy_from_slice(&stage.rng.number().to_le_bytes()));
    bytes
}
