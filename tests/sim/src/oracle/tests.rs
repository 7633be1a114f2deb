//! The oracle bites: each rule has a history that breaks it, and one next to it that does not.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::{faults::Faults, rng::Rng};
use timecoin_chain::{
    crypto::Signature,
    types::{Round, VoteKind},
};

const A: BlockHash = BlockHash([0xaa; 32]);
const B: BlockHash = BlockHash([0xbb; 32]);

fn oracle() -> Oracle {
    Oracle::new(&Setup::draw(&mut Rng::new(1), &Faults::none(), 4))
}

fn vote(kind: VoteKind, round: u32, block: BlockHash, valid: Option<u32>, signer: u16) -> Vote {
    let signature = Signature::from_bytes(&[0; 64]);
    let (block, valid_round) = (Some(block), valid.map(Round));
    Vote { kind, height: Height(1), round: Round(round), block, valid_round, signer, signature }
}

/// Sends votes, each from its own node. The property that did not hold, if one did not.
fn send(oracle: &mut Oracle, votes: impl IntoIterator<Item = Vote>) -> Option<&'static str> {
    let mut sent = votes.into_iter().map(|vote| oracle.vote_leaves(Some(vote.signer), &vote));
    sent.find_map(|result| result.err().map(|violation| violation.property))
}

fn polka(round: u32, block: BlockHash, signers: &[u16]) -> Vec<Vote> {
    signers.iter().map(|&signer| vote(VoteKind::Prevote, round, block, None, signer)).collect()
}

#[test]
fn a_precommit_needs_a_polka_of_its_round() {
    let precommit = vote(VoteKind::Precommit, 0, A, None, 0);
    for (signers, found) in [(&[0, 1][..], Some("lock rule")), (&[0, 1, 2], None)] {
        let mut oracle = oracle();
        assert_eq!(send(&mut oracle, polka(0, A, signers)), None);
        assert_eq!(send(&mut oracle, [precommit.clone()]), found, "{signers:?}");
    }
}

#[test]
fn two_halves_that_rest_on_different_rounds_are_no_polka() {
    let mut oracle = oracle();
    assert_eq!(send(&mut oracle, polka(0, A, &[0, 1, 2])), None);
    let again = |signer| vote(VoteKind::Prevote, 1, A, Some(0), signer);
    assert_eq!(send(&mut oracle, [again(0), again(1)]), None);
    assert_eq!(send(&mut oracle, polka(1, A, &[2])), None);
    let precommit = vote(VoteKind::Precommit, 1, A, None, 0);
    assert_eq!(send(&mut oracle, [precommit]), Some("lock rule"));
}

#[test]
fn a_locked_masternode_prevotes_only_what_rests_on_its_lock_or_later() {
    for (block, valid, found) in [
        (A, Some(0), None),
        (A, None, Some("lock rule")),
        (B, None, Some("lock rule")),
        (B, Some(0), Some("lock rule")),
    ] {
        let mut oracle = oracle();
        assert_eq!(send(&mut oracle, polka(0, A, &[0, 1, 2])), None);
        assert_eq!(send(&mut oracle, [vote(VoteKind::Precommit, 0, A, None, 0)]), None);
        let prevote = vote(VoteKind::Prevote, 1, block, valid, 0);
        assert_eq!(send(&mut oracle, [prevote]), found, "{block:?} {valid:?}");
    }
}

#[test]
fn the_order_in_which_a_broken_lock_is_seen_does_not_matter() {
    let mut oracle = oracle();
    assert_eq!(send(&mut oracle, polka(0, A, &[0, 1, 2])), None);
    assert_eq!(send(&mut oracle, polka(1, B, &[0])), None);
    let late = vote(VoteKind::Precommit, 0, A, None, 0);
    assert_eq!(send(&mut oracle, [late]), Some("lock rule"));
}

#[test]
fn one_key_says_one_thing_in_one_slot() {
    let mut oracle = oracle();
    assert_eq!(send(&mut oracle, polka(0, A, &[0, 0])), None);
    assert_eq!(send(&mut oracle, polka(0, B, &[0])), Some("no double signing"));
}

#[test]
fn a_corrupt_key_may_say_anything() {
    let mut oracle = oracle();
    oracle.corrupt(0);
    assert_eq!(send(&mut oracle, polka(0, A, &[0])), None);
    assert_eq!(send(&mut oracle, polka(0, B, &[0])), None);
    assert_eq!(send(&mut oracle, [vote(VoteKind::Precommit, 3, A, None, 0)]), None);
    assert_eq!(oracle.votes().len(), 3);
}

#[test]
fn what_an_honest_key_signed_leaves_its_own_node_first() {
    let mut oracle = oracle();
    let prevote = vote(VoteKind::Prevote, 0, A, None, 0);
    let result = oracle.vote_leaves(Some(1), &prevote).unwrap_err();
    assert_eq!(result.property, "no signature from nowhere");
}

#[test]
fn a_certificate_has_more_than_two_thirds_of_the_weight() {
    for (signers, found) in [(&[0, 1][..], Some("certificates have a quorum")), (&[0, 1, 2], None)]
    {
        let mut oracle = oracle();
        let votes = polka(0, A, signers);
        assert_eq!(send(&mut oracle, votes.clone()), None);
        let certificate = Certificate::collect(4, &votes).unwrap();
        let result = oracle.certificate(Some(0), &certificate);
        assert_eq!(result.err().map(|violation| violation.property), found);
    }
}

#[test]
fn two_votes_prove_double_signing_and_amnesia_and_nothing_less_does() {
    let (prevote, precommit) = (VoteKind::Prevote, VoteKind::Precommit);
    let lock = vote(precommit, 1, A, None, 0);
    for (one, other, is_guilty) in [
        (vote(prevote, 0, A, None, 0), vote(prevote, 0, B, None, 0), true),
        (vote(prevote, 1, A, None, 0), vote(prevote, 1, A, Some(0), 0), true),
        (vote(prevote, 0, A, None, 0), vote(prevote, 0, A, None, 0), false),
        (vote(prevote, 0, A, None, 0), vote(prevote, 0, B, None, 1), false),
        (vote(prevote, 0, A, None, 0), vote(precommit, 0, B, None, 0), false),
        (lock.clone(), vote(prevote, 2, B, None, 0), true),
        (lock.clone(), vote(prevote, 2, B, Some(0), 0), true),
        (lock.clone(), vote(prevote, 2, B, Some(1), 0), false),
        (lock.clone(), vote(prevote, 2, A, None, 0), false),
        (lock.clone(), vote(prevote, 0, B, None, 0), false),
        (lock.clone(), Vote { block: None, ..vote(prevote, 2, B, None, 0) }, false),
    ] {
        let found = guilty(&[one.clone(), other.clone()], Height(1));
        assert_eq!(!found.is_empty(), is_guilty, "{one:?} {other:?}");
    }
    assert!(guilty(&[lock], Height(2)).is_empty());
}
