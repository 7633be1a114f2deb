//! Votes of one kind in one round: one slot for each masternode, and the weight behind each value.
//!
//! Invariant: only a masternode's first vote counts; memory is bounded by the set.
use crate::types::{BlockHash, Certificate, MasternodeSet, Round, Vote};
use std::collections::BTreeMap;

/// What prevotes must share to form a polka.
type Value = (Option<BlockHash>, Option<Round>);

#[derive(Debug, Clone)]
pub(super) struct Tally {
    slots: Vec<Option<Vote>>,
    weights: BTreeMap<Value, u64>,
}

impl Tally {
    pub(super) fn new(members: usize) -> Self {
        Self { slots: vec![None; members], weights: BTreeMap::new() }
    }

    /// Counts a vote if its slot is free.
    pub(super) fn add(&mut self, vote: Vote, weight: u64) {
        if let Some(slot) = self.slots.get_mut(usize::from(vote.signer))
            && slot.is_none()
        {
            *self.weights.entry(value_of(&vote)).or_default() += weight;
            *slot = Some(vote);
        }
    }

    /// The weight of all signers.
    pub(super) fn weight(&self) -> u64 {
        self.weights.values().sum()
    }

    /// The weight of all signers that voted for this block.
    pub(super) fn weight_for(&self, block: &BlockHash) -> u64 {
        let for_block = self.weights.iter().filter(|((value, _), _)| value.as_ref() == Some(block));
        for_block.map(|(_, weight)| weight).sum()
    }

    pub(super) fn votes(&self) -> impl Iterator<Item = &Vote> {
        self.slots.iter().flatten()
    }

    /// The certificate for the value that has a quorum, if one has.
    pub(super) fn certificate(&self, set: &MasternodeSet) -> Option<Certificate> {
        let (value, _) = self.weights.iter().find(|(_, weight)| set.is_quorum(**weight))?;
        let votes = self.votes().filter(|vote| value_of(vote) == *value);
        Certificate::collect(set.len(), votes)
    }
}

fn value_of(vote: &Vote) -> Value {
    (vote.block, vote.valid_round)
}
