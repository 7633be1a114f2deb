//! Everything that was ever signed and sent, by whomever: who said what in which round.
//!
//! Counts with its own arithmetic. Invariants: an honest key says one thing in one slot, across all
//! crashes; what an honest key says leaves its own node first.
use super::Violation;
use crate::setup::Setup;
use std::collections::BTreeMap;
use timecoin_chain::types::{
    BlockHash, Certificate, Height, Masternode, Proposal, Round, SignerSet, Vote, VoteKind,
};

/// What a vote says: the block or nil, and the valid round it rests on.
type Value = (Option<BlockHash>, Option<Round>);

/// Masternodes as bits; a set has at most a hundred.
pub(crate) type Members = u128;

/// Who is behind each value of one kind of message in one round.
#[derive(Debug, Default)]
struct Said(Vec<(Value, Members)>);

#[derive(Debug, Default)]
struct Book {
    proposals: Said,
    prevotes: Said,
    precommits: Said,
}

/// The book of all rounds.
pub(super) struct Votes {
    weights: Vec<u64>,
    total: u128,
    honest: Members,
    books: BTreeMap<(Height, Round), Book>,
    /// Each vote once, as it was first sent.
    all: Vec<Vote>,
}

impl Said {
    /// Notes who says a value. Returns who had not said it before.
    fn add(&mut self, value: Value, members: Members) -> Members {
        match self.0.iter_mut().find(|(known, _)| *known == value) {
            Some((_, known)) => {
                let new = members & !*known;
                *known |= new;
                new
            }
            None => {
                self.0.push((value, members));
                members
            }
        }
    }

    /// What else one of these has said.
    fn other_than(&self, value: Value, members: Members) -> Option<Value> {
        let other = self.0.iter().find(|(other, who)| *other != value && who & members != 0);
        other.map(|(other, _)| *other)
    }

    fn of(&self, member: u16) -> impl Iterator<Item = Value> + '_ {
        let says = move |who: &Members| who & bit(member) != 0;
        self.0.iter().filter(move |(_, who)| says(who)).map(|(value, _)| *value)
    }
}

impl Book {
    fn said(&self, kind: VoteKind) -> &Said {
        match kind {
            VoteKind::Prevote => &self.prevotes,
            VoteKind::Precommit => &self.precommits,
        }
    }

    fn said_mut(&mut self, kind: VoteKind) -> &mut Said {
        match kind {
            VoteKind::Prevote => &mut self.prevotes,
            VoteKind::Precommit => &mut self.precommits,
        }
    }
}

impl Votes {
    pub(super) fn new(setup: &Setup) -> Self {
        let members = setup.chain.masternodes.members();
        let weights: Vec<u64> = members.iter().map(|member: &Masternode| member.weight).collect();
        let honest = (0..).take(weights.len()).fold(0, |honest, member| honest | bit(member));
        let total = weights.iter().map(|weight| u128::from(*weight)).sum();
        Self { weights, total, honest, books: BTreeMap::new(), all: Vec::new() }
    }

    /// This key may say whatever it likes from now on.
    pub(super) fn corrupt(&mut self, member: u16) {
        self.honest &= !bit(member);
    }

    pub(super) fn is_honest(&self, member: u16) -> bool {
        self.honest & bit(member) != 0
    }

    /// Each vote that was ever sent, once.
    pub(super) fn all(&self) -> &[Vote] {
        &self.all
    }

    /// More than two thirds of the weight.
    pub(super) fn is_quorum(&self, members: Members) -> bool {
        3 * self.weight(members) > 2 * self.total
    }

    /// More than a third of the weight.
    pub(super) fn is_third(&self, members: Members) -> bool {
        3 * self.weight(members) > self.total
    }

    fn weight(&self, members: Members) -> u128 {
        let in_set = (0..).zip(&self.weights).filter(|(member, _)| members & bit(*member) != 0);
        in_set.map(|(_, weight)| u128::from(*weight)).sum()
    }

    /// A proposal leaves a node.
    pub(super) fn propose(
        &mut self,
        from: Option<u16>,
        proposer: u16,
        proposal: &Proposal,
    ) -> Result<(), Violation> {
        let (height, round) = (proposal.height(), proposal.round);
        let value = (Some(proposal.block_hash()), proposal.valid_round);
        let said = &mut self.books.entry((height, round)).or_default().proposals;
        let new = said.add(value, bit(proposer));
        let conflict = said.other_than(value, new & self.honest);
        self.first(from, new, "proposal", (height, round))?;
        once(conflict, value, format!("{proposer} proposes at {height}/{round}"))
    }

    /// A vote leaves a node. Returns whether it is new.
    pub(super) fn vote(&mut self, from: Option<u16>, vote: &Vote) -> Result<bool, Violation> {
        let (place, value) = ((vote.height, vote.round), (vote.block, vote.valid_round));
        let said = self.books.entry(place).or_default().said_mut(vote.kind);
        let new = said.add(value, bit(vote.signer));
        if new == 0 {
            return Ok(false);
        }
        let conflict = said.other_than(value, new & self.honest);
        self.all.push(vote.clone());
        self.first(from, new, "vote", place)?;
        let Vote { kind, height, round, signer, .. } = vote;
        once(conflict, value, format!("{signer} at {height}/{round} {kind:?}"))?;
        Ok(true)
    }

    /// The votes of a certificate that are new.
    pub(super) fn new_in(&self, certificate: &Certificate) -> Vec<Vote> {
        let value = (certificate.block, certificate.valid_round);
        let book = self.books.get(&(certificate.height, certificate.round));
        let known = book.and_then(|book| {
            let said = &book.said(certificate.kind).0;
            said.iter().find(|(known, _)| *known == value).map(|(_, members)| *members)
        });
        match members(&certificate.signers) & !known.unwrap_or(0) {
            0 => Vec::new(),
            new => certificate.votes().filter(|vote| new & bit(vote.signer) != 0).collect(),
        }
    }

    /// Nobody but its own node is the first to send what an honest key signed.
    fn first(
        &self,
        from: Option<u16>,
        new: Members,
        what: &str,
        (height, round): (Height, Round),
    ) -> Result<(), Violation> {
        match new & self.honest & !from.map_or(0, bit) {
            0 => Ok(()),
            members => {
                let detail =
                    format!("{what} at {height}/{round} of members {members:b}, sent by {from:?}");
                Err(Violation::new("no signature from nowhere", detail))
            }
        }
    }

    /// Whether a block has more than two thirds of the prevotes of a round, all resting on one thing.
    pub(super) fn has_polka(&self, height: Height, round: Round, block: BlockHash) -> bool {
        self.books.get(&(height, round)).is_some_and(|book| {
            let mut for_block = book.prevotes.0.iter().filter(|((of, _), _)| *of == Some(block));
            for_block.any(|(_, members)| self.is_quorum(*members))
        })
    }

    /// The first height at which two blocks have more than two thirds of the precommits of some round.
    pub(super) fn fork(&self) -> Option<Height> {
        let mut finals: BTreeMap<Height, BlockHash> = BTreeMap::new();
        self.books.iter().find_map(|((height, _), book)| {
            let mut committed = book.precommits.0.iter().filter(|(_, who)| self.is_quorum(*who));
            committed.find_map(|((block, _), _)| {
                let block = (*block)?;
                (*finals.entry(*height).or_insert(block) != block).then_some(*height)
            })
        })
    }

    /// What a member voted at a height in these rounds, should it have voted for a block.
    pub(super) fn votes_of(
        &self,
        member: u16,
        kind: VoteKind,
        height: Height,
        rounds: std::ops::Range<Round>,
    ) -> impl Iterator<Item = (Round, BlockHash, Option<Round>)> + '_ {
        let books = self.books.range((height, rounds.start)..(height, rounds.end));
        books.flat_map(move |((_, round), book)| {
            let values = book.said(kind).of(member);
            values.filter_map(|(block, valid)| Some((*round, block?, valid)))
        })
    }
}

/// The members of a bitmap.
pub(super) fn members(signers: &SignerSet) -> Members {
    members_of(signers.iter())
}

/// These members, each once.
pub(crate) fn members_of(signers: impl Iterator<Item = u16>) -> Members {
    signers.fold(0, |members, signer| members | bit(signer))
}

fn bit(member: u16) -> Members {
    1_u128.checked_shl(member.into()).unwrap_or(0)
}

fn once(before: Option<Value>, value: Value, what: String) -> Result<(), Violation> {
    match before {
        None => Ok(()),
        Some(before) => {
            let detail = format!("masternode {what}: {before:?}, then {value:?}");
            Err(Violation::new("no double signing", detail))
        }
    }
}
