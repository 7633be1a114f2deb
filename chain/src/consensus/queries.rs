//! Queries of the state machine. They change nothing.
use super::{Consensus, Resume, Step, round::ProposalFact};
use crate::{
    limits::{ROUNDS_AHEAD_MAX, ROUNDS_KEPT},
    types::{BlockHash, Certificate, Height, Round, RoundCertificate, SignerSet, Vote, VoteKind},
};

impl Consensus {
    /// The height.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The current round.
    pub fn round(&self) -> Round {
        self.round
    }

    /// The current step.
    pub fn step(&self) -> Step {
        self.step
    }

    /// What must survive a crash.
    pub fn resume(&self) -> Resume {
        Resume {
            round: self.round,
            step: self.step,
            locked: self.locked,
            valid: self.valid.clone(),
            entry: self.entry.clone(),
        }
    }

    /// The latest polka for a valid block.
    pub fn valid(&self) -> Option<&Certificate> {
        self.valid.as_ref()
    }

    /// What justified entering the current round, for nodes that are behind. None in round 0.
    pub fn entry(&self) -> Option<&RoundCertificate> {
        self.entry.as_ref()
    }

    /// Whether single votes of this round are kept. For rounds further ahead only certificates
    /// count.
    pub fn admits_round(&self, round: Round) -> bool {
        round.0 <= self.round.0.saturating_add(ROUNDS_AHEAD_MAX)
            && round.0.saturating_add(ROUNDS_KEPT) >= self.round.0
    }

    /// Whether a proposal counts: it is among the first of its round, or its block has a polka in
    /// it.
    pub fn admits_proposal(
        &self,
        round: Round,
        block: BlockHash,
        valid_round: Option<Round>,
    ) -> bool {
        let proposal = ProposalFact { block, valid_round };
        self.rounds.get(&round).is_none_or(|book| book.admits(proposal))
            || self.has_polka_for(round, block)
    }

    /// Polkas for blocks in rounds that are over and later than the valid one, the latest first.
    pub fn past_polkas(&self) -> impl Iterator<Item = (Round, BlockHash)> {
        let first = self.valid.as_ref().map_or(Round(0), |valid| valid.round.next());
        let past = self.rounds.range(first.min(self.round)..self.round).rev();
        past.filter_map(|(round, book)| {
            Some((*round, book.certificate(&self.set, VoteKind::Prevote)?.block?))
        })
    }

    /// Whether this block has a polka in this round.
    pub fn is_polka_of(&self, round: Round, block: BlockHash) -> bool {
        self.has_polka_for(round, block)
    }

    /// Whether the proposal of this round is known: the one that has the round's polka, or any
    /// proposal if there is no polka.
    pub fn has_proposal(&self, round: Round) -> bool {
        let Some(book) = self.rounds.get(&round) else { return false };
        match self.polka(round).and_then(|polka| polka.block) {
            Some(block) => {
                self.validity.contains_key(&block)
                    || book.proposals().iter().any(|proposal| proposal.block == block)
            }
            None => !book.proposals().is_empty(),
        }
    }

    /// The blocks that may be voted on in a round: the proposed ones, and the one with a polka.
    pub fn blocks_in(&self, round: Round) -> impl Iterator<Item = BlockHash> {
        let books = self.rounds.get(&round).into_iter();
        let proposed = books.flat_map(|book| book.proposals()).map(|proposal| proposal.block);
        proposed.chain(self.polka(round).and_then(|polka| polka.block))
    }

    /// Who has cast a vote of this kind in this round.
    pub fn voters(&self, round: Round, kind: VoteKind) -> SignerSet {
        let mut voters = SignerSet::empty(self.set.len());
        for vote in self.votes(round, kind) {
            voters.insert(vote.signer);
        }
        voters
    }

    /// The votes of this kind in this round, by signer.
    pub fn votes(&self, round: Round, kind: VoteKind) -> impl Iterator<Item = &Vote> {
        self.rounds.get(&round).into_iter().flat_map(move |book| book.tally(kind).votes())
    }

    /// The polka of a round for a block or nil, if there is one.
    pub fn polka(&self, round: Round) -> Option<Certificate> {
        let book = self.rounds.get(&round)?;
        book.certificate(&self.set, VoteKind::Prevote)
    }

    /// Whether more than a third of the weight prevoted this block in one round. If so, an honest
    /// masternode executed it and found it valid.
    pub fn is_backed(&self, block: &BlockHash) -> bool {
        self.rounds.iter().any(|(round, book)| {
            let weight = book.tally(VoteKind::Prevote).weight_for(block);
            self.set.is_honest_part(weight) || self.has_polka_for(*round, *block)
        })
    }

    /// Whether this is the first proposal of its round received here.
    pub fn is_first_of(&self, round: Round, block: &BlockHash) -> bool {
        let book = self.rounds.get(&round);
        let first = book.and_then(|book| book.proposals().first());
        first.is_some_and(|first| first.block == *block)
    }
}
