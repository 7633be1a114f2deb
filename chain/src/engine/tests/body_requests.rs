//! Which bodies are asked for, of whom, and how often.
use super::{A, B};
use crate::{
    engine::{Peer, body_requests::BodyRequests},
    types::{Millis, WTxId},
};
use std::collections::BTreeSet;

const PATIENCE: Millis = Millis(400);

fn ids(range: std::ops::Range<u8>) -> Vec<WTxId> {
    range.map(|number| WTxId([number; 32])).collect()
}

#[test]
fn ids_on_their_way_are_not_asked_for_again_before_the_answer_is_overdue() {
    let mut requests = BodyRequests::default();
    let missing: BTreeSet<WTxId> = ids(0..4).into_iter().collect();
    requests.ask(Millis(0), A, Peer(1), ids(0..3), PATIENCE);
    for (now, unasked) in [(0, ids(3..4)), (399, ids(3..4)), (400, ids(0..4))] {
        assert_eq!(requests.unasked(Millis(now), &missing), unasked, "at {now} ms");
    }
    assert!(requests.owes_answer(A, Peer(1)) && !requests.owes_answer(B, Peer(1)));
    assert_eq!(requests.retry_at(Millis(300)), PATIENCE);
    let late = requests.answered(Millis(900), Peer(1), &ids(0..3), true);
    assert_eq!(late, Some((A, Millis(900))), "a late answer is measured");
    assert_eq!(requests.answered(Millis(900), Peer(1), &ids(0..3), true), None, "once");
}

#[test]
fn a_peer_that_has_nothing_of_a_block_is_not_asked_for_it_for_a_while() {
    let mut requests = BodyRequests::default();
    requests.ask(Millis(0), A, Peer(1), ids(0..1), PATIENCE);
    requests.answered(Millis(10), Peer(1), &ids(0..1), false);
    for (now, block, peer, may) in [
        (10, A, 1, false),
        (259, A, 1, false),
        (260, A, 1, true),
        (10, B, 1, true),
        (10, A, 2, true),
    ] {
        assert_eq!(requests.may_ask(Millis(now), block, Peer(peer)), may, "at {now} ms");
    }
}

#[test]
fn requests_for_a_block_are_bounded_at_a_time_and_in_time() {
    let mut requests = BodyRequests::default();
    for number in 0..8 {
        assert_eq!(requests.room(Millis(0), &A), 8 - usize::from(number));
        requests.ask(Millis(0), A, Peer(1), ids(number..number + 1), PATIENCE);
    }
    assert_eq!((requests.room(Millis(0), &A), requests.room(Millis(0), &B)), (0, 8));
    for number in 0..8 {
        requests.answered(Millis(1), Peer(1), &ids(number..number + 1), false);
        requests.ask(Millis(1), A, Peer(2), ids(number..number + 1), PATIENCE);
        requests.answered(Millis(2), Peer(2), &ids(number..number + 1), false);
    }
    assert_eq!(requests.room(Millis(2), &A), 0, "nothing is on its way, and nobody has anything");
    assert_eq!(requests.room(Millis(250), &A), 8);
    for _ in 0..1_000 {
        requests.ask(Millis(0), A, Peer(3), ids(0..1), PATIENCE);
    }
    assert!(requests.remembered() <= 128);
}
