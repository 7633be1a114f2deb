//! Evidence: what proves an offence, what does not, and that a fork names more than a third.
use crate::{
    fixture::{Fixture, genesis, prevote_of},
    generate::Source,
};
use std::collections::BTreeMap;
use timecoin_chain::{
    crypto::{Ed25519, Signature},
    rules::{EvidenceError, Testimony, VoteError, accuse, verify_evidence},
    types::{
        BlockHash, Certificate, Evidence, EvidenceKind, Height, ProposalStatement, Round, Vote,
        VoteKind,
    },
};

const A: Option<BlockHash> = Some(BlockHash([0xa; 32]));
const B: Option<BlockHash> = Some(BlockHash([0xb; 32]));
const C: Option<BlockHash> = Some(BlockHash([0xc; 32]));

fn prevote(round: u32, block: Option<BlockHash>, valid_round: Option<u32>) -> Vote {
    Vote {
        kind: VoteKind::Prevote,
        height: Height(1),
        round: Round(round),
        block,
        valid_round: valid_round.map(Round),
        signer: 0,
        signature: Signature::from_bytes(&[0; 64]),
    }
}

fn precommit(round: u32, block: Option<BlockHash>) -> Vote {
    Vote { kind: VoteKind::Precommit, ..prevote(round, block, None) }
}

fn verify(fixture: &Fixture, evidence: Evidence) -> Result<(), EvidenceError> {
    let chain = &fixture.chain;
    verify_evidence(&Ed25519, &chain.hash, &chain.masternodes, evidence).map(|_| ())
}

/// A proposal's statement by the round's proposer.
fn proposal(
    fixture: &Fixture,
    round: u32,
    time: u64,
    valid_round: Option<u32>,
) -> ProposalStatement {
    let mut block = fixture.block(vec![]);
    block.header.timestamp.0 += time;
    let proposer = fixture.chain.masternodes.proposer(block.header.height, Round(round));
    let polka =
        valid_round.map(|round| fixture.certificate(&[0, 1, 2], &prevote_of(&block, Round(round))));
    fixture.propose(&block, Round(round), polka).statement(proposer)
}

#[test]
fn each_kind_of_offence_is_proven_whichever_half_came_first() {
    let fixture = Fixture::new();
    let by = |vote: Vote| fixture.vote(2, vote);
    let pairs = [
        (prevote(1, A, None), prevote(1, B, None), EvidenceKind::Votes, 1),
        (prevote(1, A, None), prevote(1, None, None), EvidenceKind::Votes, 1),
        (prevote(1, A, None), prevote(1, A, Some(0)), EvidenceKind::Votes, 1),
        (precommit(3, A), precommit(3, None), EvidenceKind::Votes, 3),
        (precommit(1, A), prevote(2, B, None), EvidenceKind::Amnesia, 2),
        (precommit(1, A), prevote(9, B, Some(0)), EvidenceKind::Amnesia, 9),
    ];
    for (one, other, kind, round) in pairs {
        let (one, other) = (by(one), by(other));
        let evidence = Evidence::of_votes(&one, &other).unwrap();
        assert_eq!(Evidence::of_votes(&other, &one).as_ref(), Some(&evidence));
        let told = (evidence.kind(), evidence.offender(), evidence.height(), evidence.round());
        assert_eq!(told, (kind, 2, Height(1), Round(round)));
        assert_eq!(verify(&fixture, evidence), Ok(()));
    }
    let (one, other) = (proposal(&fixture, 1, 0, None), proposal(&fixture, 1, 1, None));
    for other in [other, proposal(&fixture, 1, 0, Some(0))] {
        let evidence = Evidence::of_proposals(&one, &other).unwrap();
        assert_eq!(Evidence::of_proposals(&other, &one).as_ref(), Some(&evidence));
        assert_eq!((evidence.kind(), evidence.round()), (EvidenceKind::Proposals, Round(1)));
        assert_eq!(evidence.offender(), one.proposer);
        assert_eq!(verify(&fixture, evidence), Ok(()));
    }
}

#[test]
fn what_an_honest_masternode_may_sign_proves_nothing() {
    let fixture = Fixture::new();
    let pairs = [
        ("the same vote twice", prevote(1, A, None), prevote(1, A, None)),
        ("both kinds", prevote(1, A, None), precommit(1, B)),
        ("two rounds", prevote(1, A, None), prevote(2, B, None)),
        ("nil after a lock", precommit(1, A), prevote(2, None, None)),
        ("no lock", precommit(1, None), prevote(2, B, None)),
        ("its own block", precommit(1, A), prevote(2, A, None)),
        ("a polka of the lock's round", precommit(1, A), prevote(2, B, Some(1))),
        ("a later polka", precommit(1, A), prevote(4, B, Some(3))),
        ("the prevote came before", precommit(2, A), prevote(1, B, None)),
        ("the lock is of the prevote's round", precommit(2, A), prevote(2, B, None)),
        ("a later lock", precommit(1, A), precommit(2, B)),
    ];
    for (name, one, other) in pairs {
        let (one, other) = (fixture.vote(0, one), fixture.vote(0, other));
        assert_eq!(Evidence::of_votes(&one, &other), None, "{name}");
        let votes = verify(&fixture, Evidence::Votes(one.clone(), other.clone()));
        assert_eq!(votes, Err(EvidenceError::NoConflict), "{name}");
        let amnesia = verify(&fixture, Evidence::Amnesia { precommit: one, prevote: other });
        assert_eq!(amnesia, Err(EvidenceError::NoAmnesia), "{name}");
    }
    let elsewhere = |vote: Vote| Vote { height: Height(2), ..vote };
    let others = [
        (fixture.vote(0, prevote(1, A, None)), fixture.vote(1, prevote(1, B, None))),
        (fixture.vote(0, precommit(1, A)), fixture.vote(1, prevote(2, B, None))),
        (fixture.vote(0, prevote(1, A, None)), fixture.vote(0, elsewhere(prevote(1, B, None)))),
        (fixture.vote(0, precommit(1, A)), fixture.vote(0, elsewhere(prevote(2, B, None)))),
    ];
    for (one, other) in others {
        assert_eq!(Evidence::of_votes(&one, &other), None);
    }
    let one = proposal(&fixture, 1, 0, None);
    for other in [one.clone(), proposal(&fixture, 2, 1, None)] {
        assert_eq!(Evidence::of_proposals(&one, &other), None);
        let evidence = Evidence::Proposals(one.clone(), other);
        assert_eq!(verify(&fixture, evidence), Err(EvidenceError::NoConflict));
    }
}

#[test]
fn a_broken_proof_gives_exactly_its_error() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.vote(0, prevote(1, A, None)), fixture.vote(0, prevote(1, B, None)));
    let unsigned = Vote { signature: one.signature, ..other.clone() };
    let stranger = |vote: &Vote| Vote { signer: 4, ..vote.clone() };
    let odd = fixture.vote(0, Vote { kind: VoteKind::Precommit, ..prevote(1, A, Some(0)) });
    let nil = fixture.vote(0, precommit(1, None));
    let (first, second) = match Evidence::of_proposals(
        &proposal(&fixture, 1, 0, None),
        &proposal(&fixture, 1, 1, None),
    ) {
        Some(Evidence::Proposals(first, second)) => (first, second),
        other => panic!("{other:?}"),
    };
    let (expected, proposer) = (first.proposer, (first.proposer + 1) % 4);
    let posed = |statement: &ProposalStatement| ProposalStatement { proposer, ..statement.clone() };
    let late = |statement: &ProposalStatement| {
        let valid_round = Some(statement.round);
        ProposalStatement { valid_round, ..statement.clone() }
    };
    let rows = [
        (Evidence::Votes(other.clone(), one.clone()), EvidenceError::WrongOrder),
        (Evidence::Votes(one.clone(), unsigned), EvidenceError::BadSignature),
        (
            Evidence::Votes(stranger(&one), stranger(&other)),
            EvidenceError::Vote(VoteError::UnknownSigner { signer: 4, members: 4 }),
        ),
        (Evidence::Votes(nil, odd), EvidenceError::Vote(VoteError::UnexpectedValidRound)),
        (Evidence::Proposals(second.clone(), first.clone()), EvidenceError::WrongOrder),
        (
            Evidence::Proposals(posed(&first), posed(&second)),
            EvidenceError::WrongProposer { proposer, expected },
        ),
        (
            Evidence::Proposals(late(&first), late(&second)),
            EvidenceError::ValidRoundNotEarlier { valid_round: Round(1), round: Round(1) },
        ),
        (
            Evidence::Proposals(ProposalStatement { signature: second.signature, ..first }, second),
            EvidenceError::BadSignature,
        ),
    ];
    for (evidence, error) in rows {
        assert_eq!(verify(&fixture, evidence), Err(error));
    }
}

/// A history of one height that ends in a fork.
struct Fork {
    name: &'static str,
    polkas: Vec<(Vote, &'static [u16])>,
    commits: [(Vote, &'static [u16]); 2],
}

/// Forks of four masternodes, of which 2 and 3 break the rules.
fn forks() -> Vec<Fork> {
    vec![
        Fork {
            name: "everything twice in one round",
            polkas: vec![(prevote(0, A, None), &[0, 2, 3]), (prevote(0, B, None), &[1, 2, 3])],
            commits: [(precommit(0, A), &[0, 2, 3]), (precommit(0, B), &[1, 2, 3])],
        },
        Fork {
            name: "the lock is forgotten in the next round",
            polkas: vec![(prevote(0, A, None), &[0, 2, 3]), (prevote(1, B, None), &[1, 2, 3])],
            commits: [(precommit(0, A), &[0, 2, 3]), (precommit(1, B), &[1, 2, 3])],
        },
        Fork {
            name: "forgotten for an older polka, and decided much later by way of another block",
            polkas: vec![
                (prevote(0, B, None), &[0, 1, 2]),
                (prevote(3, A, None), &[0, 2, 3]),
                (prevote(4, B, Some(0)), &[1, 2, 3]),
                (prevote(6, C, None), &[1, 2, 3]),
                (prevote(9, B, Some(4)), &[1, 2, 3]),
            ],
            commits: [(precommit(3, A), &[0, 2, 3]), (precommit(9, B), &[1, 2, 3])],
        },
        Fork {
            name: "a second polka in the round of the decision",
            polkas: vec![
                (prevote(2, A, None), &[0, 2, 3]),
                (prevote(2, B, None), &[1, 2, 3]),
                (prevote(5, B, Some(2)), &[1, 2, 3]),
            ],
            commits: [(precommit(2, A), &[0, 2, 3]), (precommit(5, B), &[1, 2, 3])],
        },
    ]
}

#[test]
fn a_fork_names_more_than_a_third_and_nobody_honest() {
    // The honest 0 and 1 are in one certificate each, so the others must be a third and more.
    for weights in [[1, 1, 1, 1], [5, 4, 10, 1], [3, 3, 2, 2]] {
        let fixture = Fixture::of(genesis(&weights));
        let set = &fixture.chain.masternodes;
        for fork in forks() {
            let signed = |(vote, signers): &(Vote, &[u16])| -> Certificate {
                let certificate = fixture.certificate(signers, vote);
                assert!(set.is_quorum(certificate.weight(set)), "{} {weights:?}", fork.name);
                certificate
            };
            let certificates: Vec<Certificate> =
                fork.polkas.iter().chain(&fork.commits).map(signed).collect();
            let votes = certificates.iter().flat_map(Certificate::votes);
            let accused = accuse(votes);
            let offenders: Vec<u16> = accused.iter().map(Evidence::offender).collect();
            assert_eq!(offenders, [2, 3], "{}", fork.name);
            assert!(set.is_honest_part(set.weight_of(offenders)), "{} {weights:?}", fork.name);
            // In whichever order it is heard.
            let reversed = certificates.iter().rev().flat_map(Certificate::votes);
            let offenders: Vec<u16> = accuse(reversed).iter().map(Evidence::offender).collect();
            assert_eq!(offenders, [2, 3], "{} reversed", fork.name);
            for evidence in accused {
                assert_eq!(verify(&fixture, evidence), Ok(()), "{}", fork.name);
            }
        }
    }
}

/// A masternode that keeps the strict lock rule and for the rest votes as chance wants.
#[derive(Default)]
struct Honest {
    lock: Option<(u32, Option<BlockHash>)>,
}

impl Honest {
    fn prevote(&self, source: &mut Source, round: u32) -> Vote {
        let block = [None, A, B, C][source.index(4)];
        let valid_round = u32::try_from(source.below(u64::from(round) + 1)).unwrap().checked_sub(1);
        let valid_round = valid_round.filter(|_| block.is_some());
        let allows = self.lock.is_none_or(|(locked, _)| valid_round.is_some_and(|vr| vr >= locked));
        match allows || block.is_none() {
            true => prevote(round, block, valid_round),
            false => prevote(round, None, None),
        }
    }

    fn precommit(&mut self, source: &mut Source, round: u32) -> Vote {
        let block = [None, A, B, C][source.index(4)];
        if block.is_some() {
            self.lock = Some((round, block));
        }
        precommit(round, block)
    }
}

#[test]
fn who_keeps_the_lock_rule_is_never_accused_whatever_it_votes_and_whoever_tells() {
    let mut locked = 0;
    for seed in 0..2_000 {
        let mut source = Source::new(seed);
        let mut votes = BTreeMap::new();
        for signer in 0..4 {
            let mut honest = Honest::default();
            for round in (0..12).filter(|_| source.below(3) > 0).collect::<Vec<u32>>() {
                for vote in
                    [honest.prevote(&mut source, round), honest.precommit(&mut source, round)]
                {
                    // Every order of arrival, and every vote more than once.
                    for _ in 0..=source.below(2) {
                        let vote = Vote { signer, ..vote.clone() };
                        votes.insert(source.below(u64::MAX), vote);
                    }
                }
            }
            locked += usize::from(honest.lock.is_some());
        }
        assert_eq!(accuse(votes.into_values()), [], "seed {seed}");
    }
    assert!(locked > 4_000, "{locked} of 8,000 were locked in the end");
}

#[test]
fn a_lock_is_remembered_when_its_round_is_forgotten() {
    let fixture = Fixture::new();
    let by = |vote| fixture.vote(1, vote);
    let mut testimony = Testimony::default();
    assert_eq!(testimony.hear(by(precommit(1, A))), None);
    assert_eq!(testimony.hear(by(prevote(2, None, None))), None);
    testimony.forget_before(Round(100));
    assert_eq!(testimony.votes().count(), 1, "and nothing else");
    let evidence = testimony.hear(by(prevote(101, B, None))).unwrap();
    assert_eq!(evidence.kind(), EvidenceKind::Amnesia);
}
