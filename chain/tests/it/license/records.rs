//! Old, exported and foreign records, and a second host with the same key.
use super::*;

#[test]
fn a_record_that_signed_nothing_may_be_the_oldest_backup() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let key = now.secrets[usize::from(me)].public_key();
    let record = SafetyRecord::blank(key, Height(2), Round(0));
    let mut node = Node::with_record(now.clone(), me, Some(record));
    node.input(Input::PeerUp(PEER));
    let block = now.block(vec![]);
    node.proposal(now.propose(&block, Round(0), None));
    assert_eq!((node.signing(), node.votes()), (Signing::Listening, vec![]));
    node.vote(me, &prevote_of(&block, Round(0)));
    assert!(node.stop_reason().is_some());
}

#[test]
fn an_old_backup_is_found_out_while_it_listens() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
    node.input(Input::PeerUp(PEER));
    // Before the backup was put back, this node had prevoted.
    node.vote(me, &prevote_of(&now.block(vec![]), Round(1)));
    let reason = node.stop_reason().unwrap();
    assert!(reason.contains("signed at height 2 round 1, and not here"), "{reason}");
    assert!(reason.contains("ends at height 1 round 0"), "{reason}");
    assert_eq!(node.votes(), []);

    let marked = node.record().unwrap();
    assert_eq!(marked.stopped, Some(Stop::Foreign(Height(2), Round(1))));
    let again = Node::with_record(now.clone(), me, Some(marked));
    assert!(again.stop_reason().is_some(), "a restart does not make it sign again");
}

#[test]
fn an_exported_record_signs_nothing_and_says_that_it_was_exported() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let record = SafetyRecord { stopped: Some(Stop::Exported), ..record_of(&now, me) };
    let node = Node::with_record(now.clone(), me, Some(record));
    let reason = node.stop_reason().unwrap();
    assert!(reason.contains("was exported") && !reason.contains("another host runs"), "{reason}");
    assert_eq!((node.votes(), node.signing()), (vec![], Signing::Stopped));
}

#[test]
fn an_old_record_beside_a_newer_ledger_is_found_out_at_once() {
    let now = Fixture::at_height(3);
    let me = bystander(&now);
    let node = Node::with_record(now.clone(), me, Some(record_of(&Fixture::at_height(1), me)));
    assert!(node.stop_reason().unwrap().contains("signed at height 3"));
}

#[test]
fn an_old_record_is_found_out_by_the_blocks_that_its_key_signed() {
    let mut now = Fixture::at_height(1);
    let me = quiet(&now);
    let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
    node.input(Input::PeerUp(PEER));
    let block = now.block(vec![]);
    now.apply(&block);
    let tip = now.certify_by(&others(me), &block);
    node.syncs(tip, vec![(block.clone(), now.certify(&block))]);
    assert!(node.stop_reason().unwrap().contains("signed at height 2"));
}

#[test]
fn a_plain_crash_is_no_foreign_signature() {
    let mut now = Fixture::at_height(1);
    let me = quiet(&now);
    let mut node = Node::new(now.clone(), me);
    let block = now.block(vec![]);
    node.watches(me, &mut now, &block);
    // It comes back with the ledger of before, as after a crash.
    let record = node.record().unwrap();
    assert_eq!(record.height, Height(2));
    let mut back = Node::with_record(Fixture::at_height(1), me, Some(record.clone()));
    back.input(Input::PeerUp(PEER));
    let own = record.prevote.expect("it prevoted");
    back.vote(me, &own);
    let older = Vote { height: Height(1), ..precommit_of(&block) };
    back.vote(me, &older);
    assert_eq!(back.stop_reason(), None, "its own votes, and what is too old to judge");
}

#[test]
fn the_key_on_a_second_host_stops_a_node_at_any_time() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let block = now.block(vec![]);
    let other = now.block_at(Timestamp(now.state.timestamp.0 + 2_000), vec![]);
    for (vote, is_foreign) in [
        (prevote_of(&block, Round(0)), false),
        (prevote_of(&other, Round(0)), true),
        (prevote_of(&block, Round(1)), true),
        (precommit_of(&block), true),
        (Vote { height: Height(3), ..prevote_of(&block, Round(0)) }, true),
    ] {
        let mut node = Node::new(now.clone(), me);
        node.proposal(now.propose(&block, Round(0), None));
        assert_eq!(node.votes().len(), 1);
        node.vote(me, &vote);
        assert_eq!(node.stop_reason().is_some(), is_foreign, "{vote:?}");
        let after = node.sent.len();
        for signer in others(me) {
            node.vote(signer, &prevote_of(&block, Round(0)));
        }
        let precommits = node.votes().iter().filter(|vote| vote.0 == VoteKind::Precommit).count();
        assert_eq!(precommits, usize::from(!is_foreign));
        assert_eq!(node.sent.len() == after, is_foreign, "nothing follows a stop");
    }
}

#[test]
fn the_record_of_another_key_is_none() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let other = record_of(&now, (me + 1) % 4);
    let node = Node::with_record(now.clone(), me, Some(other));
    assert!(matches!(node.signing(), Signing::Observing { .. }));
}
