//! Rules of votes, certificates and proposals: a valid one, one thing broken, exactly its error.
mod certificate;
mod proposal;
mod round;

use crate::fixture::{Fixture, precommit_of, prevote_of};
use timecoin_chain::{
    crypto::{Ed25519, Signature},
    rules::{VoteError, verify_vote, verify_votes},
    types::{Block, BlockHash, Height, Round, Vote, VoteKind},
};

/// A fixture and the block that is voted on.
fn scene() -> (Fixture, Block) {
    let fixture = Fixture::at_height(1);
    let block = fixture.block(vec![]);
    (fixture, block)
}

fn judge_vote(fixture: &Fixture, vote: &Vote) -> Result<Vote, VoteError> {
    let (hash, set) = (&fixture.chain.hash, &fixture.chain.masternodes);
    verify_vote(&Ed25519, hash, set, vote.clone()).map(|vote| vote.into_inner())
}

#[test]
fn a_vote_of_each_member_of_each_kind_is_accepted() {
    let (fixture, block) = scene();
    let precommit = precommit_of(&block);
    let prevote = prevote_of(&block, Round(3));
    let votes = [
        precommit.clone(),
        Vote { block: None, ..precommit },
        Vote { block: None, ..prevote.clone() },
        Vote { valid_round: Some(Round(2)), ..prevote.clone() },
        Vote { valid_round: Some(Round(0)), ..prevote.clone() },
        prevote,
    ];
    for vote in votes {
        for signer in 0..4 {
            let signed = fixture.vote(signer, vote.clone());
            assert_eq!(judge_vote(&fixture, &signed), Ok(signed));
        }
    }
}

#[test]
fn a_vote_that_breaks_one_rule_gives_exactly_its_error() {
    let (fixture, block) = scene();
    let members = 4;
    let stranger = |signer| VoteError::UnknownSigner { signer, members };
    let early = |valid_round, round| VoteError::ValidRoundNotEarlier { valid_round, round };
    type Change = fn(&mut Vote);
    // The fields that are signed change before the signature, so only the rule can refuse them.
    let signed_rows: [(Change, VoteError); 4] = [
        (|v| v.valid_round = Some(v.round), early(Round(3), Round(3))),
        (|v| v.valid_round = Some(Round(4)), early(Round(4), Round(3))),
        (|v| (v.block, v.valid_round) = (None, Some(Round(0))), VoteError::UnexpectedValidRound),
        (
            |v| (v.kind, v.valid_round) = (VoteKind::Precommit, Some(Round(0))),
            VoteError::UnexpectedValidRound,
        ),
    ];
    for (change, error) in signed_rows {
        let mut vote = prevote_of(&block, Round(3));
        change(&mut vote);
        let vote = fixture.vote(0, vote);
        assert_eq!(judge_vote(&fixture, &vote), Err(error), "{vote:?}");
    }
    let rows: [(Change, VoteError); 11] = [
        (|v| v.signer = 4, stranger(4)),
        (|v| v.signer = u16::MAX, stranger(u16::MAX)),
        (|v| v.signer = 1, VoteError::BadSignature),
        (|v| v.kind = VoteKind::Precommit, VoteError::BadSignature),
        (|v| v.height = Height(3), VoteError::BadSignature),
        (|v| v.round = Round(4), VoteError::BadSignature),
        (|v| v.block = None, VoteError::BadSignature),
        (|v| v.block = Some(BlockHash([9; 32])), VoteError::BadSignature),
        (|v| v.valid_round = Some(Round(1)), VoteError::BadSignature),
        (
            |v| {
                let mut bytes = v.signature.to_bytes();
                bytes[63] ^= 0x01;
                v.signature = Signature::from_bytes(&bytes);
            },
            VoteError::BadSignature,
        ),
        (|v| v.signature = Signature::from_bytes(&[0; 64]), VoteError::BadSignature),
    ];
    for (change, error) in rows {
        let mut vote = fixture.vote(0, prevote_of(&block, Round(3)));
        assert!(judge_vote(&fixture, &vote).is_ok());
        change(&mut vote);
        assert_eq!(judge_vote(&fixture, &vote), Err(error), "{vote:?}");
    }
    let mut other_chain = fixture.clone();
    other_chain.chain.hash.0[31] ^= 1;
    let vote = fixture.vote(0, precommit_of(&block));
    assert_eq!(judge_vote(&other_chain, &vote), Err(VoteError::BadSignature));
}

#[test]
fn a_signature_of_a_proposal_is_not_one_of_a_vote() {
    let (fixture, block) = scene();
    let proposal = fixture.propose(&block, Round(0), None);
    let signer = fixture.chain.masternodes.proposer(block.header.height, Round(0));
    for kind in [VoteKind::Prevote, VoteKind::Precommit] {
        let signature = proposal.signature;
        let vote = Vote { kind, signer, signature, ..precommit_of(&block) };
        assert_eq!(judge_vote(&fixture, &vote), Err(VoteError::BadSignature));
    }
}

#[test]
fn votes_judged_together_get_the_answers_they_get_alone() {
    let (fixture, block) = scene();
    let good = |signer| fixture.vote(signer, precommit_of(&block));
    let votes = vec![
        good(0),
        Vote { signer: 9, ..good(1) },
        Vote { signer: 2, ..good(1) },
        good(3),
        Vote { valid_round: Some(Round(0)), ..good(2) },
        good(2),
        good(2),
        Vote { block: None, ..good(1) },
    ];
    let alone: Vec<_> = votes.iter().map(|vote| judge_vote(&fixture, vote)).collect();
    for turn in 0..votes.len() {
        let (mut votes, mut alone) = (votes.clone(), alone.clone());
        votes.rotate_left(turn);
        alone.rotate_left(turn);
        let (hash, set) = (&fixture.chain.hash, &fixture.chain.masternodes);
        let together: Vec<_> = verify_votes(&Ed25519, hash, set, votes)
            .into_iter()
            .map(|answer| answer.map(|vote| vote.into_inner()))
            .collect();
        assert_eq!(together, alone);
    }
    assert_eq!(alone.iter().filter(|answer| answer.is_ok()).count(), 4);
}
