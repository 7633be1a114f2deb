//! Rules of votes, certificates and proposals: a valid one, one thing broken, exactly its error.
use crate::fixture::{Fixture, genesis, precommit_of, prevote_of};
use timecoin_chain::{
    codec::encode,
    crypto::{Ed25519, Signature, Signer, hash},
    limits::BLOCK_TRANSACTIONS_MAX,
    rules::{
        VoteError, verify_certificate, verify_proposal, verify_round_certificate, verify_vote,
        verify_votes,
    },
    types::{
        Block, BlockHash, Certificate, Height, Proposal, Round, RoundCertificate, SignerSet, Vote,
        VoteKind, WTxId,
    },
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

fn judge_certificate(fixture: &Fixture, it: &Certificate) -> Result<Certificate, VoteError> {
    let (hash, set) = (&fixture.chain.hash, &fixture.chain.masternodes);
    verify_certificate(&Ed25519, hash, set, it.clone()).map(|it| it.into_inner())
}

fn judge_round(fixture: &Fixture, it: &RoundCertificate) -> Result<RoundCertificate, VoteError> {
    let (hash, set) = (&fixture.chain.hash, &fixture.chain.masternodes);
    verify_round_certificate(&Ed25519, hash, set, it.clone()).map(|it| it.into_inner())
}

fn judge_proposal(fixture: &Fixture, proposal: &Proposal) -> Result<Proposal, VoteError> {
    let (hash, set) = (&fixture.chain.hash, &fixture.chain.masternodes);
    verify_proposal(&Ed25519, hash, set, proposal.clone()).map(|it| it.into_inner())
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

/// A block made by the proposer of a round.
fn block_of_round(fixture: &Fixture, round: Round) -> Block {
    let mut block = fixture.block(vec![]);
    block.header.proposer = fixture.chain.masternodes.proposer(block.header.height, round);
    block
}

#[test]
fn a_fresh_proposal_of_each_round_is_accepted() {
    let fixture = Fixture::at_height(1);
    for round in (0..9).map(Round) {
        let proposal = fixture.propose(&block_of_round(&fixture, round), round, None);
        assert_eq!(judge_proposal(&fixture, &proposal), Ok(proposal));
    }
}

#[test]
fn a_block_is_proposed_again_by_another_with_the_polka_of_an_earlier_round() {
    let (fixture, block) = scene();
    for (valid_round, round) in [(0, 1), (0, 7), (2, 3)] {
        let polka = fixture.certificate(&[0, 1, 2], &prevote_of(&block, Round(valid_round)));
        let proposal = fixture.propose(&block, Round(round), Some(polka));
        assert_eq!(proposal.valid_round, Some(Round(valid_round)));
        assert_eq!(judge_proposal(&fixture, &proposal), Ok(proposal));
    }
    // The polka may itself rest on an earlier one.
    let vote = Vote { valid_round: Some(Round(0)), ..prevote_of(&block, Round(2)) };
    let polka = fixture.certificate(&[1, 2, 3], &vote);
    let proposal = fixture.propose(&block, Round(3), Some(polka));
    assert_eq!(judge_proposal(&fixture, &proposal), Ok(proposal));
}

#[test]
fn a_fresh_proposal_that_breaks_one_rule_gives_exactly_its_error() {
    let (fixture, block) = scene();
    let valid = fixture.propose(&block, Round(0), None);
    assert!(judge_proposal(&fixture, &valid).is_ok());
    type Change = fn(&Fixture, &mut Proposal);
    let rows: [(&str, Change, VoteError); 8] = [
        (
            "a header of another proposer",
            |_, p| p.header.proposer = (p.header.proposer + 1) % 4,
            VoteError::WrongProposer,
        ),
        ("a header of a stranger", |_, p| p.header.proposer = 4, VoteError::WrongProposer),
        (
            "another round, and so another proposer",
            |_, p| p.round = Round(1),
            VoteError::WrongProposer,
        ),
        ("the same proposer's next turn", |_, p| p.round = Round(4), VoteError::BadSignature),
        ("another header", |_, p| p.header.timestamp.0 += 1, VoteError::BadSignature),
        (
            "signed by another",
            |f, p| {
                let (height, block) = (p.height(), p.block_hash());
                let message = Proposal::message(&f.chain.hash, height, p.round, None, block);
                p.signature = f.secrets[usize::from((p.header.proposer + 1) % 4)].sign(&message);
            },
            VoteError::BadSignature,
        ),
        (
            "a valid round without a polka",
            |_, p| p.valid_round = Some(Round(0)),
            VoteError::WrongPolka,
        ),
        (
            "a polka without a valid round",
            |f, p| {
                let vote = Vote { block: Some(p.block_hash()), ..prevote_like(p, Round(0)) };
                p.polka = Some(f.certificate(&[0, 1, 2], &vote));
            },
            VoteError::WrongPolka,
        ),
    ];
    for (name, change, error) in rows {
        let mut proposal = valid.clone();
        change(&fixture, &mut proposal);
        assert_eq!(judge_proposal(&fixture, &proposal), Err(error), "{name}");
    }
}

fn prevote_like(proposal: &Proposal, round: Round) -> Vote {
    Vote {
        kind: VoteKind::Prevote,
        height: proposal.height(),
        round,
        block: Some(proposal.block_hash()),
        valid_round: None,
        signer: 0,
        signature: Signature::from_bytes(&[0; 64]),
    }
}

#[test]
fn a_block_proposed_again_with_the_wrong_polka_gives_exactly_its_error() {
    let (fixture, block) = scene();
    let polka = |voters: &[u16], change: &dyn Fn(&mut Vote)| {
        let mut vote = prevote_of(&block, Round(1));
        change(&mut vote);
        fixture.certificate(voters, &vote)
    };
    let three = |change: &dyn Fn(&mut Vote)| polka(&[0, 1, 2], change);
    let other = Some(BlockHash([9; 32]));
    let early = |valid_round, round| VoteError::ValidRoundNotEarlier { valid_round, round };
    let few = VoteError::NotEnoughWeight { weight: 2, total: 4 };
    let bad =
        Certificate { signatures: three(&|v| v.height = Height(9)).signatures, ..three(&|_| {}) };
    let rows = [
        ("for another block", three(&|v| v.block = other), VoteError::WrongPolka),
        ("for no block", three(&|v| v.block = None), VoteError::WrongPolka),
        ("of another height", three(&|v| v.height = Height(1)), VoteError::WrongPolka),
        ("of another round", three(&|v| v.round = Round(0)), VoteError::WrongPolka),
        ("of precommits", three(&|v| v.kind = VoteKind::Precommit), VoteError::WrongPolka),
        ("of two of four", polka(&[0, 1], &|_| {}), few),
        ("with a bad signature", bad, VoteError::BadSignature),
        (
            "that rests on its own round",
            three(&|v| v.valid_round = Some(Round(1))),
            early(Round(1), Round(1)),
        ),
    ];
    let valid = fixture.propose(&block, Round(2), Some(three(&|_| {})));
    assert!(judge_proposal(&fixture, &valid).is_ok());
    for (name, polka, error) in rows {
        let proposal = Proposal { polka: Some(polka), ..valid.clone() };
        assert_eq!(judge_proposal(&fixture, &proposal), Err(error), "a polka {name}");
    }
    // Of its own round or a later one, even when everything is signed for it.
    for round in [Round(2), Round(3)] {
        let polka = fixture.certificate(&[0, 1, 2], &prevote_of(&block, round));
        let proposal = fixture.propose(&block, Round(2), Some(polka));
        assert_eq!(judge_proposal(&fixture, &proposal), Err(early(round, Round(2))));
    }
    // The round's proposer signs, not the one who made the block.
    let message = Proposal::message(
        &fixture.chain.hash,
        valid.height(),
        valid.round,
        valid.valid_round,
        valid.block_hash(),
    );
    let signature = fixture.secrets[usize::from(block.header.proposer)].sign(&message);
    let proposal = Proposal { signature, ..valid };
    assert_eq!(judge_proposal(&fixture, &proposal), Err(VoteError::BadSignature));
}

#[test]
fn a_proposal_that_names_a_transaction_twice_or_too_many_is_refused() {
    let fixture = Fixture::at_height(1);
    let named = |ids: Vec<WTxId>| {
        let mut block = fixture.block(vec![]);
        block.header.witnesses_root = Block::witnesses_root(&ids);
        Proposal { transactions: ids, ..fixture.propose(&block, Round(0), None) }
    };
    let id = |number: usize| WTxId(hash("test", &[&number.to_le_bytes()]));
    let twice = named(vec![id(1), id(2), id(1)]);
    let error = VoteError::RepeatedTransaction { id: id(1) };
    assert_eq!(judge_proposal(&fixture, &twice), Err(error));
    let (count, max) = (BLOCK_TRANSACTIONS_MAX + 1, BLOCK_TRANSACTIONS_MAX);
    let many = named((0..count).map(id).collect());
    let error = VoteError::TooManyTransactions { count, max };
    assert_eq!(judge_proposal(&fixture, &many), Err(error));
    let most = named((0..max).map(id).collect());
    assert_eq!(judge_proposal(&fixture, &most), Ok(most));
}
