//! Rules of certificates.
use super::*;
use crate::fixture::genesis;
use timecoin_chain::{
    codec::encode,
    rules::verify_certificate,
    types::{Certificate, SignerSet},
};

fn judge_certificate(fixture: &Fixture, it: &Certificate) -> Result<Certificate, VoteError> {
    let (hash, set) = (&fixture.chain.hash, &fixture.chain.masternodes);
    verify_certificate(&Ed25519, hash, set, it.clone()).map(|it| it.into_inner())
}

#[test]
fn a_certificate_needs_more_than_two_thirds_of_the_weight() {
    let rows: [(&[u64], &[u16], bool); 12] = [
        (&[1], &[0], true),
        (&[1], &[], false),
        (&[1, 1, 1], &[0, 1], false),
        (&[1, 1, 1], &[0, 1, 2], true),
        (&[1, 1, 1, 1], &[2, 3], false),
        (&[1, 1, 1, 1], &[1, 2, 3], true),
        (&[10, 10, 10], &[1, 2], false),
        (&[100, 100, 1], &[0, 1], true),
        (&[100, 100, 100, 1], &[0, 1], false),
        (&[100, 49, 1], &[0], false),
        (&[100, 48, 1], &[0], true),
        (&[1; 9], &[0, 1, 2, 3, 4, 5, 8], true),
    ];
    for (weights, voters, enough) in rows {
        let fixture = Fixture::of(genesis(weights));
        let vote = precommit_of(&fixture.block(vec![]));
        let certificate = fixture.certificate(voters, &vote);
        let (weight, total) = (
            voters.iter().map(|&voter| weights[usize::from(voter)]).sum::<u64>(),
            weights.iter().sum::<u64>(),
        );
        let expected = match enough {
            true => Ok(certificate.clone()),
            false => Err(VoteError::NotEnoughWeight { weight, total }),
        };
        assert_eq!(judge_certificate(&fixture, &certificate), expected, "{weights:?} {voters:?}");
    }
}

#[test]
fn a_certificate_of_each_kind_is_accepted_and_gives_back_its_votes() {
    let (fixture, block) = scene();
    let prevote = prevote_of(&block, Round(2));
    let kinds = [
        precommit_of(&block),
        prevote.clone(),
        Vote { valid_round: Some(Round(1)), ..prevote.clone() },
        Vote { block: None, ..prevote },
        Vote { block: None, ..precommit_of(&block) },
    ];
    for kind in kinds {
        let certificate = fixture.certificate(&[0, 1, 3], &kind);
        assert_eq!(judge_certificate(&fixture, &certificate), Ok(certificate.clone()));
        let votes: Vec<Vote> = certificate.votes().collect();
        assert_eq!(votes.iter().map(|vote| vote.signer).collect::<Vec<_>>(), [0, 1, 3]);
        assert!(votes.iter().all(|vote| judge_vote(&fixture, vote).is_ok()));
        assert_eq!(Certificate::collect(4, &votes), Some(certificate));
    }
}

#[test]
fn a_certificate_that_breaks_one_rule_gives_exactly_its_error() {
    let (fixture, block) = scene();
    type Change = fn(&mut Certificate);
    let count = |signatures| VoteError::SignatureCount { signatures, signers: 3 };
    let early = |valid_round| VoteError::ValidRoundNotEarlier { valid_round, round: Round(2) };
    let rows: [(&str, Change, VoteError); 20] = [
        ("an empty bitmap", |c| c.signers = SignerSet::empty(0), VoteError::BadBitmap),
        ("a bitmap too long", |c| c.signers = signers(9, &[0, 1, 2]), VoteError::BadBitmap),
        ("a long bitmap", |c| c.signers = signers(60_000, &[0, 1, 2]), VoteError::BadBitmap),
        ("a bit beyond the set", |c| c.signers = signers(8, &[0, 1, 4]), VoteError::BadBitmap),
        ("the last bit", |c| c.signers = signers(8, &[0, 1, 7]), VoteError::BadBitmap),
        ("one stray bit more", |c| c.signers.insert(5), VoteError::BadBitmap),
        ("a signature too few", |c| _ = c.signatures.pop(), count(2)),
        ("a signature too many", |c| c.signatures.push(c.signatures[2]), count(4)),
        ("no signatures", |c| c.signatures.clear(), count(0)),
        ("a signer twice", |c| c.signatures.insert(1, c.signatures[0]), count(4)),
        ("another signer", |c| c.signers = signers(4, &[0, 1, 3]), VoteError::BadSignature),
        ("signatures out of order", |c| c.signatures.swap(1, 2), VoteError::BadSignature),
        ("one repeated", |c| c.signatures[1] = c.signatures[0], VoteError::BadSignature),
        ("another block", |c| c.block = Some(BlockHash([9; 32])), VoteError::BadSignature),
        ("no block", |c| c.block = None, VoteError::BadSignature),
        ("another kind", |c| c.kind = VoteKind::Precommit, VoteError::BadSignature),
        ("another round", |c| c.round = Round(5), VoteError::BadSignature),
        ("another valid round", |c| c.valid_round = Some(Round(0)), VoteError::BadSignature),
        ("its own valid round", |c| c.valid_round = Some(Round(2)), early(Round(2))),
        ("a later valid round", |c| c.valid_round = Some(Round(3)), early(Round(3))),
    ];
    let valid = fixture.certificate(&[0, 1, 2], &prevote_of(&block, Round(2)));
    assert!(judge_certificate(&fixture, &valid).is_ok());
    for (name, change, error) in rows {
        let mut certificate = valid.clone();
        change(&mut certificate);
        assert_eq!(judge_certificate(&fixture, &certificate), Err(error), "{name}");
    }
    for (kind, block) in
        [(VoteKind::Precommit, valid.block), (VoteKind::Precommit, None), (VoteKind::Prevote, None)]
    {
        let named = Certificate { kind, block, valid_round: Some(Round(0)), ..valid.clone() };
        let error = Err(VoteError::UnexpectedValidRound);
        assert_eq!(judge_certificate(&fixture, &named), error, "{kind:?} {block:?}");
    }
    let mut other_chain = fixture.clone();
    other_chain.chain.hash.0[31] ^= 1;
    assert_eq!(judge_certificate(&other_chain, &valid), Err(VoteError::BadSignature));
}

#[test]
fn a_signer_cannot_be_written_twice() {
    let (fixture, block) = scene();
    let mut once = fixture.certificate(&[0, 1, 2], &precommit_of(&block));
    let bytes = encode(&once);
    once.signers.insert(1);
    assert_eq!(encode(&once), bytes);
    assert_eq!(once.weight(&fixture.chain.masternodes), 3);
    assert_eq!(once.signers.iter().collect::<Vec<_>>(), [0, 1, 2]);
}

fn signers(members: usize, indices: &[u16]) -> SignerSet {
    let mut set = SignerSet::empty(members);
    indices.iter().for_each(|&index| set.insert(index));
    set
}
