//! A locked node, and the valid block that it proposes again.
use super::*;

#[test]
fn a_locked_node_refuses_another_block_without_a_later_polka() {
    let mut machine = locked_on_a();
    table(
        &mut machine,
        vec![
            ("verdict on B", valid(B), vec![]),
            ("L23", proposal(1, B, None), vec![cast(Prevote, 1, None, Some(NilReason::Locked))]),
        ],
    );
}

/// Otherwise it could prevote a block on a polka earlier than its lock, which is amnesia.
#[test]
fn even_the_locked_block_needs_a_polka_no_earlier_than_the_lock() {
    let mut machine = locked_on_a();
    let nil = cast(Prevote, 1, None, Some(NilReason::Locked));
    table(&mut machine, vec![("L23", proposal(1, A, None), vec![nil])]);
}

#[test]
fn a_locked_node_prevotes_its_own_block_again() {
    let mut machine = locked_on_a();
    let again = Output::Cast {
        kind: Prevote,
        round: Round(1),
        block: Some(A),
        valid_round: Some(Round(0)),
        nil: None,
    };
    assert_eq!(machine.handle(proposal(1, A, Some(0))), [again]);
}

#[test]
fn a_later_polka_unlocks() {
    let mut machine = locked_on_a();
    machine.handle(valid(B));
    machine.handle(timeout(1, Step::Propose));
    // The others form a polka for B in round 1 while this node prevoted nil; then round 2 proposes
    // B again.
    table(
        &mut machine,
        vec![
            ("B in round 1", prevote(1, Some(B), 0), vec![]),
            ("B in round 1", prevote(1, Some(B), 1), vec![]),
            (
                "L36 moves the lock",
                prevote(1, Some(B), 2),
                vec![Locked(polka(1, B, &[0, 1, 2])), cast(Precommit, 1, Some(B), None)],
            ),
        ],
    );
    assert_eq!(machine.resume().locked, Some((Round(1), B)));
}

#[test]
fn a_re_proposal_with_a_polka_after_the_lock_is_prevoted() {
    let mut machine = locked_on_a();
    machine.handle(timeout(1, Step::Propose)); // Nil in round 1: the proposal never came.
    machine.handle(prevote(2, None, 0));
    machine.handle(prevote(2, None, 1)); // Two of four are in round 2: join.
    assert_eq!(machine.round(), Round(2));
    table(
        &mut machine,
        vec![
            ("verdict", valid(B), vec![]),
            ("L28 waits for the polka it names", proposal(2, B, Some(1)), vec![]),
            (
                "the polka, whole",
                Input::Certificate(polka(1, B, &[0, 1, 2])),
                vec![Output::Cast {
                    kind: Prevote,
                    round: Round(2),
                    block: Some(B),
                    valid_round: Some(Round(1)),
                    nil: None,
                }],
            ),
        ],
    );
    assert_eq!(machine.resume().locked, Some((Round(0), A)), "a prevote does not move the lock");
}

#[test]
fn the_proposer_proposes_the_valid_block_again() {
    let mut machine = locked_on_a();
    let _ = machine.handle(prevote(2, None, 0));
    let _ = machine.handle(prevote(2, None, 1));
    let votes = vec![vote(Prevote, 3, None, 0), vote(Prevote, 3, None, 1)];
    let outputs =
        machine.handle(Input::Round(RoundCertificate { height: H, round: Round(3), votes }));
    let propose = Output::Propose { round: Round(3), valid: Some(polka(0, A, &[0, 1, 3])) };
    assert_eq!(outputs, [started(3, RoundReason::Skip), set_timer(3, Step::Propose), propose]);
}

#[test]
fn a_polka_that_comes_to_light_when_its_round_is_over_is_proposed_again() {
    let mut machine = machine(2);
    let nobody_decides = |round| {
        let precommits = [0, 1, 3].map(|signer| precommit(round, None, signer));
        [timeout(round, Step::Propose), timeout(round, Step::Prevote)]
            .into_iter()
            .chain(precommits)
            .chain([timeout(round, Step::Precommit)])
    };
    nobody_decides(0).for_each(|input| drop(machine.handle(input)));
    let shown = polka(0, A, &[0, 1, 3]);
    assert_eq!(machine.handle(Input::Certificate(shown.clone())), []);
    assert_eq!(machine.valid(), None, "its block is not known to be valid");
    machine.handle(valid(A));
    assert_eq!((machine.valid(), machine.resume().locked), (Some(&shown), None));
    let outputs: Vec<Output> = nobody_decides(1).flat_map(|input| machine.handle(input)).collect();
    let again = Output::Propose { round: Round(2), valid: Some(shown) };
    assert!(outputs.contains(&again), "{outputs:?}");
}
