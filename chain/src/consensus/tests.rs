//! The state machine against the paper: each test feeds inputs and compares all outputs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod lock;
mod other_rounds;

use super::*;
use crate::{
    crypto::{PublicKey, Signature},
    types::{Lock, Masternode},
};

const A: BlockHash = BlockHash([0xaa; 32]);
const B: BlockHash = BlockHash([0xbb; 32]);
const H: Height = Height(4); // Its proposers are 0, 1, 2, 3 in rounds 0, 1, 2, 3.

fn set() -> Arc<MasternodeSet> {
    let member = |byte: u8| {
        let key = PublicKey([byte; 32]);
        Masternode { key, weight: 1, payout: Lock::Key(key) }
    };
    Arc::new(MasternodeSet::new((0..4).map(member).collect()).unwrap())
}

/// The machine of masternode `me` in round 0, after its first outputs.
fn machine(me: u16) -> Consensus {
    let mut machine = Consensus::new(set(), Some(me), H);
    machine.start(None);
    machine
}

fn vote(kind: VoteKind, round: u32, block: Option<BlockHash>, signer: u16) -> Vote {
    let signature = Signature::from_bytes(&[0; 64]);
    Vote { kind, height: H, round: Round(round), block, valid_round: None, signer, signature }
}

fn prevote(round: u32, block: Option<BlockHash>, signer: u16) -> Input {
    Input::Vote(vote(VoteKind::Prevote, round, block, signer))
}

fn precommit(round: u32, block: Option<BlockHash>, signer: u16) -> Input {
    Input::Vote(vote(VoteKind::Precommit, round, block, signer))
}

fn proposal(round: u32, block: BlockHash, valid_round: Option<u32>) -> Input {
    Input::Proposal { round: Round(round), block, valid_round: valid_round.map(Round) }
}

fn valid(block: BlockHash) -> Input {
    Input::Validity { block, valid: true }
}

fn timeout(round: u32, step: Step) -> Input {
    Input::Timeout { round: Round(round), step }
}

fn certificate(
    kind: VoteKind,
    round: u32,
    block: Option<BlockHash>,
    signers: &[u16],
) -> Certificate {
    let votes: Vec<Vote> = signers.iter().map(|&signer| vote(kind, round, block, signer)).collect();
    Certificate::collect(4, &votes).unwrap()
}

fn polka(round: u32, block: BlockHash, signers: &[u16]) -> Certificate {
    certificate(VoteKind::Prevote, round, Some(block), signers)
}

fn cast(kind: VoteKind, round: u32, block: Option<BlockHash>, nil: Option<NilReason>) -> Output {
    Output::Cast { kind, round: Round(round), block, valid_round: None, nil }
}

fn set_timer(round: u32, step: Step) -> Output {
    Output::SetTimer { round: Round(round), step }
}

fn started(round: u32, reason: RoundReason) -> Output {
    Output::RoundStarted { round: Round(round), reason }
}

/// Feeds inputs; each row lists the expected outputs.
fn table(machine: &mut Consensus, rows: Vec<(&str, Input, Vec<Output>)>) {
    for (description, input, expected) in rows {
        assert_eq!(machine.handle(input), expected, "{description}");
    }
}

use Output::{Decide, Locked};
use VoteKind::{Precommit, Prevote};

#[test]
fn the_proposer_of_round_zero_is_asked_for_a_block() {
    let mut machine = Consensus::new(set(), Some(0), H);
    let propose = Output::Propose { round: Round(0), valid: None };
    let expected = vec![started(0, RoundReason::NewHeight), set_timer(0, Step::Propose), propose];
    assert_eq!(machine.start(None), expected);
}

#[test]
fn a_good_round_decides() {
    let mut machine = machine(3);
    table(
        &mut machine,
        vec![
            ("a proposal waits for its verdict", proposal(0, A, None), vec![]),
            ("valid: prevote it", valid(A), vec![cast(Prevote, 0, Some(A), None)]),
            ("one prevote", prevote(0, Some(A), 0), vec![]),
            ("two prevotes", prevote(0, Some(A), 1), vec![]),
            (
                "three of four: lock and precommit",
                prevote(0, Some(A), 3),
                vec![Locked(polka(0, A, &[0, 1, 3])), cast(Precommit, 0, Some(A), None)],
            ),
            ("one precommit", precommit(0, Some(A), 3), vec![]),
            ("two precommits", precommit(0, Some(A), 0), vec![]),
            (
                "three of four: decided",
                precommit(0, Some(A), 1),
                vec![Decide(certificate(Precommit, 0, Some(A), &[0, 1, 3]))],
            ),
            ("nothing moves it after", precommit(0, Some(A), 2), vec![]),
        ],
    );
}

#[test]
fn without_a_proposal_the_round_ends_with_nil_and_the_next_begins() {
    let mut machine = machine(3);
    table(
        &mut machine,
        vec![
            (
                "L57",
                timeout(0, Step::Propose),
                vec![cast(Prevote, 0, None, Some(NilReason::NoProposal))],
            ),
            ("own vote back", prevote(0, None, 3), vec![]),
            ("second", prevote(0, None, 0), vec![]),
            (
                "L44: nil polka",
                prevote(0, None, 1),
                vec![cast(Precommit, 0, None, Some(NilReason::NilPolka))],
            ),
            ("own", precommit(0, None, 3), vec![]),
            ("second", precommit(0, None, 0), vec![]),
            (
                "L47: a quorum of nil only sets the timer",
                precommit(0, None, 1),
                vec![set_timer(0, Step::Precommit)],
            ),
            (
                "L65",
                timeout(0, Step::Precommit),
                vec![started(1, RoundReason::NoDecision), set_timer(1, Step::Propose)],
            ),
            ("a stale timer of round 0 does nothing", timeout(0, Step::Propose), vec![]),
        ],
    );
    assert_eq!(machine.entry().map(|entry| entry.votes.len()), Some(3));
}

#[test]
fn split_prevotes_wait_for_the_timer_then_precommit_nil() {
    let mut machine = machine(3);
    machine.handle(timeout(0, Step::Propose));
    table(
        &mut machine,
        vec![
            ("own nil", prevote(0, None, 3), vec![]),
            ("one for A", prevote(0, Some(A), 0), vec![]),
            (
                "L34: any quorum sets the timer once",
                prevote(0, Some(A), 1),
                vec![set_timer(0, Step::Prevote)],
            ),
            (
                "L61",
                timeout(0, Step::Prevote),
                vec![cast(Precommit, 0, None, Some(NilReason::NoPolka))],
            ),
        ],
    );
}

#[test]
fn an_invalid_block_is_prevoted_nil() {
    let mut machine = machine(3);
    machine.handle(proposal(0, A, None));
    let outputs = machine.handle(Input::Validity { block: A, valid: false });
    assert_eq!(outputs, [cast(Prevote, 0, None, Some(NilReason::InvalidBlock))]);
}

/// Masternode 3, locked on A in round 0, now in round 1.
fn locked_on_a() -> Consensus {
    let mut machine = machine(3);
    for input in [
        proposal(0, A, None),
        valid(A),
        prevote(0, Some(A), 0),
        prevote(0, Some(A), 1),
        prevote(0, Some(A), 3),
    ] {
        machine.handle(input);
    }
    assert_eq!(machine.resume().locked, Some((Round(0), A)));
    for input in [
        precommit(0, Some(A), 3),
        precommit(0, None, 0),
        precommit(0, None, 1),
        timeout(0, Step::Precommit),
    ] {
        machine.handle(input);
    }
    assert_eq!(machine.round(), Round(1));
    machine
}

#[test]
fn prevotes_that_name_different_valid_rounds_make_no_polka() {
    let mut machine = machine(3);
    machine.handle(proposal(0, A, None));
    machine.handle(valid(A));
    machine.handle(prevote(0, Some(A), 3));
    machine.handle(prevote(0, Some(A), 0));
    let other = Vote { valid_round: Some(Round(0)), ..vote(Prevote, 0, Some(A), 1) };
    assert_eq!(machine.handle(Input::Vote(other)), [set_timer(0, Step::Prevote)]);
}

#[test]
fn an_equivocating_proposer_does_not_stop_the_round() {
    let mut machine = machine(3);
    table(
        &mut machine,
        vec![
            ("first", proposal(0, A, None), vec![]),
            ("second", proposal(0, B, None), vec![]),
            ("B is known first", valid(B), vec![cast(Prevote, 0, Some(B), None)]),
            ("A", valid(A), vec![]),
            ("polka for the other", prevote(0, Some(A), 0), vec![]),
            ("polka for the other", prevote(0, Some(A), 1), vec![]),
            (
                "still locks it",
                prevote(0, Some(A), 2),
                vec![Locked(polka(0, A, &[0, 1, 2])), cast(Precommit, 0, Some(A), None)],
            ),
        ],
    );
}

#[test]
fn a_node_resumes_where_its_record_left_it() {
    let resume = Resume {
        round: Round(1),
        step: Step::Precommit,
        locked: Some((Round(1), A)),
        valid: Some(polka(1, A, &[0, 1, 2])),
        entry: None,
    };
    let mut machine = Consensus::new(set(), Some(3), H);
    assert_eq!(machine.start(Some(resume)), [started(1, RoundReason::Resumed)]);
    table(
        &mut machine,
        vec![
            ("a proposal of a round it voted in changes nothing", proposal(1, B, None), vec![]),
            ("verdict", valid(B), vec![]),
            ("a quorum of precommits sets the timer", precommit(1, None, 0), vec![]),
            ("second", precommit(1, None, 1), vec![]),
            ("third", precommit(1, None, 2), vec![set_timer(1, Step::Precommit)]),
        ],
    );
}

/// Its prevote waited for the disk, and the polka arrived in the meantime.
#[test]
fn a_node_that_comes_back_with_the_polka_of_its_round_precommits_its_block() {
    let mut machine = Consensus::new(set(), Some(3), H);
    machine.start(Some(Resume {
        round: Round(0),
        step: Step::Prevote,
        locked: Some((Round(0), A)),
        valid: Some(polka(0, A, &[0, 1, 2])),
        entry: None,
    }));
    let outputs = machine.handle(valid(A));
    assert!(outputs.contains(&cast(Precommit, 0, Some(A), None)), "{outputs:?}");
}

#[test]
fn messages_of_another_height_or_a_stranger_change_nothing() {
    let mut machine = machine(3);
    let before = format!("{machine:?}");
    let other_height = Vote { height: Height(5), ..vote(Prevote, 0, Some(A), 0) };
    machine.handle(Input::Vote(other_height));
    machine.handle(Input::Vote(vote(Prevote, 0, Some(A), 9)));
    assert_eq!(format!("{machine:?}"), before);
}
