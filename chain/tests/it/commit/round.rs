//! Rules of round certificates.
use super::*;
use crate::fixture::genesis;
use timecoin_chain::{rules::verify_round_certificate, types::RoundCertificate};

fn judge_round(fixture: &Fixture, it: &RoundCertificate) -> Result<RoundCertificate, VoteError> {
    let (hash, set) = (&fixture.chain.hash, &fixture.chain.masternodes);
    verify_round_certificate(&Ed25519, hash, set, it.clone()).map(|it| it.into_inner())
}

/// Votes of one round that differ in what they are for.
fn round_certificate(fixture: &Fixture, block: &Block, voters: &[u16]) -> RoundCertificate {
    let kinds = [
        prevote_of(block, Round(2)),
        Vote { round: Round(2), block: None, ..precommit_of(block) },
        Vote { block: None, ..prevote_of(block, Round(2)) },
        Vote { valid_round: Some(Round(1)), ..prevote_of(block, Round(2)) },
    ];
    let votes = voters.iter().map(|&voter| fixture.vote(voter, kinds[usize::from(voter)].clone()));
    RoundCertificate { height: block.header.height, round: Round(2), votes: votes.collect() }
}

#[test]
fn a_round_certificate_needs_more_than_one_third_of_the_weight() {
    let rows: [(&[u64], &[u16], bool); 8] = [
        (&[1, 1, 1, 1], &[], false),
        (&[1, 1, 1, 1], &[3], false),
        (&[1, 1, 1, 1], &[0, 3], true),
        (&[1, 1, 1, 1], &[0, 1, 2, 3], true),
        (&[1, 1, 1], &[0], false),
        (&[1, 1, 1], &[0, 1], true),
        (&[100, 100, 100], &[2], false),
        (&[51, 50, 50], &[0], true),
    ];
    for (weights, voters, enough) in rows {
        let fixture = Fixture::of(genesis(weights));
        let certificate = round_certificate(&fixture, &fixture.block(vec![]), voters);
        let weight = voters.iter().map(|&voter| weights[usize::from(voter)]).sum();
        let expected = match enough {
            true => Ok(certificate.clone()),
            false => Err(VoteError::NotEnoughWeight { weight, total: weights.iter().sum() }),
        };
        assert_eq!(judge_round(&fixture, &certificate), expected, "{weights:?} {voters:?}");
    }
}

#[test]
fn a_round_certificate_that_breaks_one_rule_gives_exactly_its_error() {
    let (fixture, block) = scene();
    type Change = fn(&mut RoundCertificate);
    let rows: [(&str, Change, VoteError); 11] = [
        ("votes out of order", |c| c.votes.swap(0, 1), VoteError::MixedVotes),
        ("a signer twice", |c| c.votes.push(c.votes[2].clone()), VoteError::MixedVotes),
        ("only one, twice", |c| c.votes = vec![c.votes[0].clone(); 2], VoteError::MixedVotes),
        ("another height", |c| c.height = Height(3), VoteError::MixedVotes),
        ("another round", |c| c.round = Round(1), VoteError::MixedVotes),
        ("one vote of another round", |c| c.votes[1].round = Round(1), VoteError::MixedVotes),
        ("one vote of another height", |c| c.votes[1].height = Height(1), VoteError::MixedVotes),
        (
            "a stranger",
            |c| c.votes[2].signer = 4,
            VoteError::UnknownSigner { signer: 4, members: 4 },
        ),
        ("one vote for another block", |c| c.votes[0].block = None, VoteError::BadSignature),
        (
            "one bad signature",
            |c| c.votes[2].signature = c.votes[1].signature,
            VoteError::BadSignature,
        ),
        (
            "a nil vote with a valid round",
            |c| c.votes[2].valid_round = Some(Round(0)),
            VoteError::UnexpectedValidRound,
        ),
    ];
    let valid = round_certificate(&fixture, &block, &[0, 1, 2]);
    assert!(judge_round(&fixture, &valid).is_ok());
    for (name, change, error) in rows {
        let mut certificate = valid.clone();
        change(&mut certificate);
        assert_eq!(judge_round(&fixture, &certificate), Err(error), "{name}");
    }
    // Strangers weigh nothing: with them alone there is not even the weight.
    let mut strangers = round_certificate(&fixture, &block, &[2, 3]);
    strangers.votes[0].signer = 4;
    strangers.votes[1].signer = 5;
    let error = VoteError::NotEnoughWeight { weight: 0, total: 4 };
    assert_eq!(judge_round(&fixture, &strangers), Err(error));
}
