//! Messages of rounds other than the current one.
use super::*;

#[test]
fn more_than_a_third_in_a_later_round_pulls_along() {
    let mut machine = machine(3);
    table(
        &mut machine,
        vec![
            ("one is not enough", precommit(2, None, 0), vec![]),
            (
                "two of four are",
                prevote(2, None, 1),
                vec![started(2, RoundReason::Skip), set_timer(2, Step::Propose)],
            ),
        ],
    );
    assert_eq!(machine.entry().map(|entry| entry.round), Some(Round(2)));
}

#[test]
fn single_votes_far_ahead_are_dropped_and_certificates_are_not() {
    let mut machine = machine(3);
    for signer in [0, 1, 2] {
        assert_eq!(machine.handle(prevote(3, None, signer)), []);
    }
    assert_eq!(machine.round(), Round(0));
    let votes = vec![vote(Prevote, 900, None, 0), vote(Prevote, 900, None, 1)];
    let certificate = RoundCertificate { height: H, round: Round(900), votes };
    let outputs = machine.handle(Input::Round(certificate));
    assert_eq!(outputs[0], started(900, RoundReason::Skip));
}

#[test]
fn certificates_of_rounds_long_past_are_kept_only_as_far_as_a_proposal_rests_on_them() {
    let mut machine = machine(3);
    machine.handle(valid(A));
    let votes = vec![vote(Prevote, 40, None, 0), vote(Prevote, 40, None, 1)];
    machine.handle(Input::Round(RoundCertificate { height: H, round: Round(40), votes }));
    for round in 0..30 {
        machine.handle(Input::Certificate(polka(round, B, &[0, 1, 2])));
        assert!(machine.books().is_within(&Books::most(4)), "{:?}", machine.books());
    }
    machine.handle(Input::Certificate(polka(5, A, &[0, 1, 2])));
    machine.handle(proposal(40, A, Some(5)));
    let prevoted = machine.votes(Round(40), Prevote).count();
    assert_eq!((machine.step(), prevoted), (Step::Prevote, 2), "it rests on a polka of round 5");
}

#[test]
fn a_commit_certificate_decides_from_any_round_and_step() {
    let mut machine = machine(3);
    let commit = certificate(Precommit, 700, Some(A), &[0, 1, 2]);
    assert_eq!(machine.handle(Input::Certificate(commit.clone())), [Decide(commit)]);
}

#[test]
fn a_decision_of_a_past_round_counts() {
    let mut machine = locked_on_a();
    table(
        &mut machine,
        vec![
            ("two are", precommit(0, Some(A), 2), vec![]),
            // 0 and 1 precommitted nil in round 0: their other votes are equivocation and do not
            // count.
            ("an equivocator's other vote", precommit(0, Some(A), 0), vec![]),
        ],
    );
    assert_eq!(machine.round(), Round(1));
    let commit = certificate(Precommit, 0, Some(A), &[0, 2, 3]);
    let outputs = machine.handle(Input::Certificate(commit.clone()));
    assert_eq!(outputs.last(), Some(&Decide(commit)), "a certificate counts whole");
}
