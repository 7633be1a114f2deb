//! A key without its record: it signs nothing, and finds out whether it signs elsewhere.
use super::*;

#[test]
fn without_its_record_a_key_signs_nothing_however_long_it_is_not_heard() {
    let mut now = Fixture::at_height(1);
    let (me, mut node) = unrecorded(&now);
    assert!(matches!(node.signing(), Signing::Observing { .. }));
    for _ in 0..3 {
        node.now.wall.0 += LATER_MS;
        let block = now.block_at(node.now.wall, vec![]);
        node.watches(me, &mut now, &block);
        assert_eq!(node.signing(), Signing::Observing { own_key: None });
    }
    assert_eq!((node.height(), node.votes(), node.record()), (Height(5), vec![], None));
    assert_eq!(node.stop_reason(), None);
}

#[test]
fn what_may_have_been_decided_before_the_start_proves_nothing() {
    // A height that this node's clock says is old: somebody may replay what it slept through.
    // The other was certainly proposed after the start.
    for (age_ms, is_proof) in [(20_000, false), (0, true)] {
        let mut now = Fixture::at_height(1);
        let (me, mut node) = unrecorded(&now);
        let block = now.block_at(Timestamp(node.now.wall.0 - age_ms), vec![]);
        node.watches(me, &mut now, &block);
        let next = now.block_at(Timestamp(node.now.wall.0 + 1_000), vec![]);
        node.vote(me, &prevote_of(&next, Round(0)));
        assert_eq!(node.stop_reason().is_some(), is_proof);
        assert_eq!(node.votes(), []);
    }
}

#[test]
fn a_block_that_came_by_sync_dates_nothing() {
    let mut now = Fixture::at_height(1);
    let (me, mut node) = unrecorded(&now);
    let late = now.block_at(node.now.wall, vec![]);
    let certificate = now.certify_by(&others(me), &late);
    now.apply(&late);
    node.syncs(certificate.clone(), vec![(late, certificate)]);
    assert_eq!(node.height(), Height(3), "it is the chain all the same");
    let next = now.block_at(Timestamp(node.now.wall.0 + 1_000), vec![]);
    node.vote(me, &prevote_of(&next, Round(0)));
    assert_eq!(node.stop_reason(), None);
}

#[test]
fn the_earliest_possible_timestamp_does_not_date_a_block() {
    let mut now = Fixture::at_height(1);
    let me = quiet(&now);
    let mut ahead = now.state.clone();
    ahead.timestamp.0 += 10 * LATER_MS;
    now.state = ahead;
    let mut node = Node::with_record(now.clone(), me, None);
    node.input(Input::PeerUp(PEER));
    // The chain's time is far ahead of this clock.
    node.now.wall.0 = now.state.timestamp.0 - 5 * LATER_MS;
    let block = now.block_at(Timestamp(now.state.timestamp.0 + 1), vec![]);
    node.watches(me, &mut now, &block);
    let next = now.block_at(Timestamp(now.state.timestamp.0 + 1), vec![]);
    node.vote(me, &prevote_of(&next, Round(0)));
    assert_eq!(node.stop_reason(), None);
}

/// Its host is slow: everybody decides without it, and its votes come when the height is over.
#[test]
fn signatures_that_come_after_the_decision_show_that_the_key_signs_elsewhere() {
    for late in 0..3 {
        let mut now = Fixture::at_height(1);
        let (me, mut node) = unrecorded(&now);
        for _ in 0..2 {
            let block = now.block_at(Timestamp(node.now.wall.0 + 1_000), vec![]);
            node.watches(me, &mut now, &block);
            node.now.wall.0 += 1_000;
        }
        assert_eq!((node.height(), node.stop_reason()), (Height(4), None));
        let last = Vote { height: Height(3), ..precommit_of(&now.block(vec![])) };
        match late {
            0 => node.vote(me, &last),
            1 => node.vote(me, &Vote { block: None, ..last }),
            // The next proposer saw it, and its block is paying for it.
            _ => {
                let mut tip = now.commit.clone().unwrap();
                let vote = Vote { signer: me, ..tip.votes().next().unwrap() };
                tip.add(&now.vote(me, vote));
                now.commit = Some(tip);
                let block = now.block_at(Timestamp(node.now.wall.0 + 1_000), vec![]);
                node.watches(me, &mut now, &block);
            }
        }
        assert!(node.stop_reason().unwrap().contains("signed at height 3 round 0"), "{late}");
        assert_eq!(node.votes(), []);
    }
}

#[test]
fn while_its_key_signs_elsewhere_a_node_without_a_record_signs_nothing_and_then_stops() {
    let mut now = Fixture::at_height(1);
    let (me, mut node) = unrecorded(&now);
    let block = now.block_at(node.now.wall, vec![]);
    node.vote(me, &prevote_of(&block, Round(0)));
    node.watches(me, &mut now, &block);
    assert_eq!(node.signing(), Signing::Observing { own_key: Some(Height(2)) });
    assert_eq!(node.stop_reason(), None, "it may be this node's own, from before the start");
    let next = now.block_at(Timestamp(node.now.wall.0 + 1_000), vec![]);
    node.vote(me, &prevote_of(&next, Round(0)));
    assert!(node.stop_reason().unwrap().contains("signed at height 3 round 0, and not here"));
    assert_eq!((node.votes(), node.signing()), (vec![], Signing::Stopped));
}
