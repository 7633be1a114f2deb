//! A view of a global state: what each masternode has sent, and so what can be delivered.
//!
//! Messages are never lost and may be delayed for ever: any sent message may be delivered to anyone
//! at any later time, so the network has no state other than what the masternodes have sent.
use super::{
    local::{At, KINDS, Local, MEMBERS, QUORUM, Said, kind_index},
    machine::{Batch, Lane, Slot},
};
use timecoin_chain::types::VoteKind;

/// Honest masternodes.
pub(super) const HONEST: usize = 3;

/// Three honest masternodes and a Byzantine one.
pub(super) struct View<'a> {
    pub(super) locals: [&'a Local; HONEST],
    pub(super) members: [u16; HONEST],
    /// Rounds that are explored.
    pub(super) rounds: u8,
    /// Everything that a proposal may say, by round.
    pub(super) proposable: &'a [Vec<Said>],
    /// Whether the Byzantine one has stopped sending.
    pub(super) is_silent: bool,
}

impl View<'_> {
    /// All batches for one of the three.
    pub(super) fn batches(&self, place: usize) -> Vec<Batch> {
        let here = self.locals[place].core.round;
        let alone = |lane| Batch { proposal: None, lane: Some(lane) };
        let mut batches = Vec::with_capacity(16);
        if here >= self.rounds {
            // Beyond the last round only effects of earlier ones are explored.
            let past = (0..self.rounds).flat_map(|round| KINDS.map(|kind| (round, kind)));
            batches.extend(past.map(|(round, kind)| alone(self.lane(round, &[kind]))));
            return batches;
        }
        batches.push(Batch { proposal: None, lane: None });
        for proposal in self.proposals(here) {
            let lane = proposal.valid_round.map(|r| self.lane(r, &[VoteKind::Prevote]));
            batches.push(Batch { proposal: Some(proposal), lane });
        }
        for round in 0..=here {
            batches.extend(KINDS.map(|kind| alone(self.lane(round, &[kind]))));
        }
        batches.extend((here + 1..self.rounds).map(|round| alone(self.lane(round, &KINDS))));
        batches
    }

    /// Whether a proposal of this round says this.
    pub(super) fn is_proposed(&self, round: u8, said: Said) -> bool {
        self.proposals(round).contains(&said)
    }

    /// Whether messages of more than two thirds that say this can be shown.
    pub(super) fn has_quorum(&self, kind: VoteKind, round: u8, said: Said) -> bool {
        let honest = self.locals.iter().filter(|local| local.vote(kind, round) == Some(said));
        honest.count() + 1 >= QUORUM
    }

    /// Whether a block can be shown to have a polka in a round.
    pub(super) fn has_polka(&self, (round, block): At) -> bool {
        let valid_rounds = std::iter::once(None).chain((0..round).map(Some));
        valid_rounds.into_iter().any(|valid_round| {
            self.has_quorum(VoteKind::Prevote, round, Said { block: Some(block), valid_round })
        })
    }

    /// How many others can be shown to have voted in a round.
    pub(super) fn voters(&self, round: u8, kinds: &[VoteKind]) -> usize {
        let votes = |local: &&&Local| kinds.iter().any(|&kind| local.vote(kind, round).is_some());
        self.locals.iter().filter(votes).count() + 1
    }

    fn proposals(&self, round: u8) -> Vec<Said> {
        let proposer = u16::from(round);
        match self.members.iter().position(|&member| member == proposer) {
            Some(place) => self.locals[place].proposals[usize::from(round)].into_iter().collect(),
            None if self.is_silent => Vec::new(),
            None => self.proposable[usize::from(round)].clone(),
        }
    }

    fn lane(&self, round: u8, kinds: &[VoteKind]) -> Lane {
        let byzantine = (0..MEMBERS).find(|member| !self.members.contains(member));
        let mut slots = [[Slot::Nothing; 2]; MEMBERS as usize];
        for &kind in kinds {
            for (member, local) in self.members.iter().zip(self.locals) {
                let said = local.vote(kind, round).map_or(Slot::Nothing, Slot::One);
                slots[usize::from(*member)][kind_index(kind)] = said;
            }
            if let Some(member) = byzantine
                && (!self.is_silent || self.was_shown(kind, round))
            {
                slots[usize::from(member)][kind_index(kind)] = Slot::Any;
            }
        }
        Lane { round, slots }
    }

    /// Whether an honest masternode acted on votes of the Byzantine one, and so shows them to others:
    /// with a commit, with the polka of its valid block, or with what justified its round.
    fn was_shown(&self, kind: VoteKind, round: u8) -> bool {
        self.locals.iter().any(|local| {
            let polka = local.core.valid.is_some_and(|(valid, _)| valid == round);
            let commit = local.decided.is_some_and(|(decided, _)| decided == round);
            local.core.round > round
                || (local.core.round == round && round > 0)
                || (kind == VoteKind::Prevote && polka)
                || (kind == VoteKind::Precommit && commit)
        })
    }
}
