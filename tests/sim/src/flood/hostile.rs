//! Everything that a masternode can sign, and all messages of others that it can repeat, one after
//! the other.
use crate::{
    rng::Rng,
    setup::{GENESIS_MS, Setup},
    shells::Shells,
};
use std::sync::Arc;
use timecoin_chain::{
    crypto::{Signature, Signer},
    genesis::Chain,
    types::{
        Block, BlockHash, ConsensusMessage, Header, Height, Proposal, Round, RoundCertificate,
        Timestamp, Vote, VoteKind, WTxId,
    },
};

/// The last masternode of the set.
pub(super) struct Hostile {
    chain: Arc<Chain>,
    signer: Arc<dyn Signer>,
    index: u16,
    rng: Rng,
    number: u64,
}

impl Hostile {
    pub(super) fn new(setup: &Setup, rng: Rng) -> Self {
        let index = setup.masternodes.len() - 1;
        Self {
            chain: setup.chain.clone(),
            signer: setup.masternodes[index].clone(),
            index: u16::try_from(index).expect("four masternodes"),
            rng,
            number: 0,
        }
    }

    /// The next message. All differ.
    pub(super) fn next(&mut self, shells: &Shells) -> ConsensusMessage {
        self.number += 1;
        let (height, round) = shells.place();
        let near = Round(self.rng.below(u64::from(round.0) + 4).try_into().unwrap_or(0));
        let far = Round(u32::MAX - u32::try_from(self.number % 1_000_000).unwrap_or(0));
        match self.number % 10 {
            0 | 1 => self.vote(height, near),
            2 => self.vote(height, far),
            3 => self.vote(height.next(), near),
            4 => self.vote(Height(height.0 + 2 + self.number), near),
            5 => self.vote(Height(height.0.saturating_sub(1 + self.number % 8)), near),
            6 => self.proposal(shells, height, near),
            7 => self.proposal(shells, height.next(), near),
            8 => self.round_certificate(shells, height),
            _ => self.replay(shells, height),
        }
    }

    /// A value that was not used before.
    fn block(&self) -> BlockHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        BlockHash(bytes)
    }

    fn vote(&mut self, height: Height, round: Round) -> ConsensusMessage {
        ConsensusMessage::Vote(self.signed(height, round))
    }

    fn signed(&mut self, height: Height, round: Round) -> Vote {
        let is_prevote = self.rng.chance(500);
        let valid_round = (is_prevote && round.0 > 0 && self.rng.chance(300)).then_some(Round(0));
        let is_nil = valid_round.is_none() && self.rng.chance(50);
        let mut vote = Vote {
            kind: if is_prevote { VoteKind::Prevote } else { VoteKind::Precommit },
            height,
            round,
            block: (!is_nil).then(|| self.block()),
            valid_round,
            signer: self.index,
            signature: Signature::from_bytes(&[0; 64]),
        };
        vote.signature = self.signer.sign(&vote.signing_message(&self.chain.hash));
        vote
    }

    /// An empty block in the first round from here on that is this masternode's turn: valid at the
    /// height being decided, except for every second one, whose parent does not exist.
    fn proposal(&mut self, shells: &Shells, height: Height, round: Round) -> ConsensusMessage {
        let set = &self.chain.masternodes;
        let mut turns = (round.0..round.0 + 8).map(Round);
        let turn = turns.find(|round| set.proposer(height, *round) == self.index);
        let Some(round) = turn else { return self.vote(height, round) };
        let (tip, state_root) = shells.tip();
        let parent = tip.as_ref().and_then(|tip| tip.block).filter(|_| self.rng.chance(500));
        let header = Header {
            version: Header::VERSION,
            chain: self.chain.id(),
            height,
            parent: parent.unwrap_or_else(|| self.block()),
            timestamp: Timestamp(GENESIS_MS + shells.ms() + self.number % 5_000),
            proposer: self.index,
            state_root,
            masternodes: set.hash(),
            transactions_root: Block::transactions_root(&[]),
            witnesses_root: Block::witnesses_root(&[] as &[WTxId]),
            last_commit: Block::last_commit_hash(tip.as_ref()),
            evidence: Block::evidence_hash(&[]),
        };
        let message = Proposal::message(&self.chain.hash, height, round, None, header.hash());
        let block = Block { header, transactions: vec![], last_commit: tip, evidence: vec![] };
        let signature = self.signer.sign(&message);
        ConsensusMessage::Proposal(Box::new(Proposal::of_block(
            &block,
            vec![],
            round,
            None,
            signature,
        )))
    }

    /// A new vote of its own beside one that an honest masternode cast.
    fn round_certificate(&mut self, shells: &Shells, height: Height) -> ConsensusMessage {
        let honest = shells.said().iter().rev().find_map(|message| match message {
            ConsensusMessage::Vote(vote) if vote.height == height => Some(vote.clone()),
            _ => None,
        });
        let Some(honest) = honest else { return self.vote(height, Round(0)) };
        let round = honest.round;
        let votes = vec![honest, self.signed(height, round)];
        ConsensusMessage::Round(RoundCertificate { height, round, votes })
    }

    /// A recent message of an honest masternode.
    fn replay(&mut self, shells: &Shells, height: Height) -> ConsensusMessage {
        match shells.said() {
            [] => self.vote(height, Round(0)),
            said => said[self.rng.index(said.len())].clone(),
        }
    }
}
