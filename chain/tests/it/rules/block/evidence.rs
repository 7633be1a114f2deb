//! Rules of the evidence that a block carries.
use super::*;
use crate::fixture::precommit_of;
use timecoin_chain::{
    limits::EVIDENCE_PER_BLOCK_MAX,
    rules::EvidenceError,
    types::{Evidence, Vote},
};

/// A block and nil, precommitted by one masternode in one round.
pub(super) fn double_vote(fixture: &Fixture, signer: u16, height: u64) -> Evidence {
    let vote = Vote { height: Height(height), ..precommit_of(&fixture.block(vec![])) };
    let nil = fixture.vote(signer, Vote { block: None, ..vote.clone() });
    Evidence::of_votes(&fixture.vote(signer, vote), &nil).unwrap()
}

/// At height 3, with a block at height 2 that recorded an offence of masternode 1.
fn with_record(name: &'static str, evidence: fn(&Fixture) -> Evidence, error: RuleError) -> Row {
    let mut fixture = Fixture::at_height(1);
    let mut block = fixture.block(vec![]);
    block.evidence = vec![double_vote(&fixture, 1, 1)];
    seal(&mut block);
    fixture.apply(&block);
    let mut block = valid_block(&fixture);
    block.evidence = vec![evidence(&fixture)];
    seal(&mut block);
    Row { name, fixture, block, error }
}

pub(super) fn evidence_rows() -> Vec<Row> {
    let wrong = |index, error: EvidenceError| {
        let reason = error.to_string();
        RuleError::WrongEvidence { index, reason }
    };
    let late = Fixture::at_height(7);
    let mut too_old = valid_block(&late);
    too_old.evidence = vec![double_vote(&late, 0, 2)];
    seal(&mut too_old);
    vec![
        contents(
            "more evidence than a block may carry",
            |f, b| b.evidence = vec![double_vote(f, 0, 1); EVIDENCE_PER_BLOCK_MAX + 1],
            RuleError::TooMuchEvidence { count: 9, max: 8 },
        ),
        contents(
            "one offender twice",
            |f, b| b.evidence = vec![double_vote(f, 0, 1), double_vote(f, 0, 2)],
            RuleError::EvidenceOrder { index: 1 },
        ),
        contents(
            "offenders out of order",
            |f, b| b.evidence = [1, 2, 0].map(|signer| double_vote(f, signer, 1)).to_vec(),
            RuleError::EvidenceOrder { index: 2 },
        ),
        contents(
            "evidence of a later height",
            |f, b| b.evidence = vec![double_vote(f, 0, 4)],
            RuleError::EvidenceFromFuture { height: Height(4), block: Height(3) },
        ),
        Row {
            name: "evidence of six blocks ago",
            fixture: late,
            block: too_old,
            error: RuleError::EvidenceTooOld { height: Height(2), oldest: Height(3) },
        },
        with_record(
            "another offence of a masternode that is recorded",
            |f| double_vote(f, 1, 2),
            RuleError::OffenceRecorded { offender: 1, recorded: Height(2) },
        ),
        contents(
            "evidence that somebody else signed",
            |f, b| {
                let Evidence::Votes(one, other) = double_vote(f, 0, 1) else { panic!() };
                let stolen = |vote| Vote { signer: 1, ..vote };
                b.evidence =
                    vec![double_vote(f, 0, 1), Evidence::Votes(stolen(one), stolen(other))];
            },
            wrong(1, EvidenceError::BadSignature),
        ),
    ]
}

#[test]
fn evidence_of_the_oldest_height_allowed_and_of_the_block_s_own_is_recorded() {
    let fixture = Fixture::at_height(7);
    let mut block = valid_block(&fixture);
    block.evidence = vec![double_vote(&fixture, 0, 3), double_vote(&fixture, 2, 8)];
    seal(&mut block);
    let delta = fixture.execute(&block).unwrap();
    assert_eq!(delta.state.offences, [Some(Height(8)), None, Some(Height(8)), None]);
    let without = fixture.execute(&valid_block(&fixture)).unwrap();
    assert_ne!(delta.state.root(), without.state.root(), "the root commits to the record");
}
