//! Whom votes prove guilty, as plainly as possible: every two votes of one signer are compared.
use std::collections::BTreeSet;
use timecoin_chain::types::{Height, Vote, VoteKind};

/// Everybody who signed two things in one slot, or who precommitted a block and later prevoted another
/// that rests on no polka as late, at this height.
pub fn guilty(votes: &[Vote], height: Height) -> BTreeSet<u16> {
    let here: Vec<&Vote> = votes.iter().filter(|vote| vote.height == height).collect();
    let mut guilty = BTreeSet::new();
    for one in &here {
        let of_same = here.iter().filter(|other| other.signer == one.signer);
        if of_same.copied().any(|other| contradicts(one, other) || forgets(one, other)) {
            guilty.insert(one.signer);
        }
    }
    guilty
}

fn contradicts(one: &Vote, other: &Vote) -> bool {
    let same_slot = (one.kind, one.round) == (other.kind, other.round);
    same_slot && (one.block, one.valid_round) != (other.block, other.valid_round)
}

fn forgets(lock: &Vote, vote: &Vote) -> bool {
    let is_lock = lock.kind == VoteKind::Precommit && lock.block.is_some();
    let is_later = vote.kind == VoteKind::Prevote && vote.round > lock.round;
    let is_other = vote.block.is_some() && vote.block != lock.block;
    is_lock && is_later && is_other && vote.valid_round < Some(lock.round)
}
