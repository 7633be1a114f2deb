//! Rules of proposals, fresh ones and blocks that are proposed again.
use super::*;
use timecoin_chain::{
    crypto::{Signer, hash},
    limits::BLOCK_TRANSACTIONS_MAX,
    rules::verify_proposal,
    types::{Certificate, Proposal, WTxId},
};

fn judge_proposal(fixture: &Fixture, proposal: &Proposal) -> Result<Proposal, VoteError> {
    let (hash, set) = (&fixture.chain.hash, &fixture.chain.masternodes);
    verify_proposal(&Ed25519, hash, set, proposal.clone()).map(|it| it.into_inner())
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
