//! Rules of the commit certificate of its parent that a block carries.
use super::*;
use crate::fixture::prevote_of;
use timecoin_chain::{
    rules::VoteError,
    types::{Round, SignerSet, Vote},
};

#[test]
fn a_certificate_of_any_three_of_four_is_accepted() {
    let mut fixture = Fixture::at_height(1);
    let parent = fixture.block(vec![]);
    let before = fixture.clone();
    fixture.apply(&parent);
    for voters in [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]] {
        fixture.commit = Some(before.certify_by(&voters, &parent));
        assert!(fixture.execute(&valid_block(&fixture)).is_ok(), "{voters:?}");
    }
}

pub(super) fn last_commit_rows() -> Vec<Row> {
    let mut rows = presence_rows();
    rows.extend(statement_rows());
    rows.extend(certificate_rows());
    rows
}

fn wrong(reason: &str) -> RuleError {
    RuleError::WrongLastCommit { reason: reason.into() }
}

fn presence_rows() -> Vec<Row> {
    let mut first = Fixture::new();
    let mut with_commit = first.block(vec![]);
    with_commit.last_commit = Some(first.certify(&with_commit));
    seal(&mut with_commit);
    first.commit = None;
    vec![
        Row {
            name: "a certificate at height 1",
            fixture: first,
            block: with_commit,
            error: RuleError::LastCommitPresence,
        },
        contents(
            "no certificate after height 1",
            |_, b| b.last_commit = None,
            RuleError::LastCommitPresence,
        ),
    ]
}

/// Valid certificates for something other than the parent.
fn statement_rows() -> Vec<Row> {
    let other = || wrong("it certifies something else");
    vec![
        contents(
            "a certificate for another block",
            |f, b| {
                let vote = Vote { block: Some(BlockHash([7; 32])), ..parent_vote(f) };
                b.last_commit = Some(f.certificate(&[0, 1, 2, 3], &vote));
            },
            other(),
        ),
        contents(
            "a certificate for another height",
            |f, b| {
                let vote = Vote { height: Height(1), ..parent_vote(f) };
                b.last_commit = Some(f.certificate(&[0, 1, 2, 3], &vote));
            },
            other(),
        ),
        contents(
            "a certificate for no block",
            |f, b| {
                let vote = Vote { block: None, ..parent_vote(f) };
                b.last_commit = Some(f.certificate(&[0, 1, 2, 3], &vote));
            },
            other(),
        ),
        contents(
            "a polka instead of a commit certificate",
            |f, b| {
                let kind = prevote_of(b, Round(0)).kind;
                let vote = Vote { kind, ..parent_vote(f) };
                b.last_commit = Some(f.certificate(&[0, 1, 2, 3], &vote));
            },
            other(),
        ),
    ]
}

/// Certificates that are not valid.
fn certificate_rows() -> Vec<Row> {
    let because = |error: VoteError| wrong(&error.to_string());
    vec![
        contents(
            "two of four",
            |f, b| b.last_commit = Some(f.certificate(&[1, 3], &parent_vote(f))),
            because(VoteError::NotEnoughWeight { weight: 2, total: 4 }),
        ),
        contents(
            "a signature that is not valid",
            |_, b| b.last_commit.as_mut().unwrap().signatures.swap(0, 1),
            because(VoteError::BadSignature),
        ),
        contents(
            "a signature for another chain",
            |f, b| {
                let mut other = f.clone();
                other.chain.hash.0[31] ^= 1;
                b.last_commit = Some(other.certificate(&[0, 1, 2, 3], &parent_vote(f)));
            },
            because(VoteError::BadSignature),
        ),
        contents(
            "a bitmap with a bit beyond the set",
            |_, b| {
                let commit = b.last_commit.as_mut().unwrap();
                commit.signers = SignerSet::empty(8);
                (0..3).chain([7]).for_each(|index| commit.signers.insert(index));
            },
            because(VoteError::BadBitmap),
        ),
        contents(
            "more signatures than signers",
            |_, b| {
                let commit = b.last_commit.as_mut().unwrap();
                commit.signatures.push(commit.signatures[0]);
            },
            because(VoteError::SignatureCount { signatures: 5, signers: 4 }),
        ),
        contents(
            "a certificate that names a valid round",
            |_, b| b.last_commit.as_mut().unwrap().valid_round = Some(Round(0)),
            because(VoteError::UnexpectedValidRound),
        ),
    ]
}

/// The precommit for the last final block.
fn parent_vote(fixture: &Fixture) -> Vote {
    let vote = fixture.commit.as_ref().unwrap().votes().next();
    vote.unwrap()
}
