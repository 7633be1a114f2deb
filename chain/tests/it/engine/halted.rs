//! A chain that waits for weight: how soon this is told, who is named, and when it is over.
use super::*;

#[test]
fn a_halt_is_told_half_a_second_after_the_wait_for_votes_is_over() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let [away, back, proposer] = [1, 2, 3].map(|more| (me + more) % 4);
    let mut node = Node::new(fixture, me);
    node.now.mono = Millis(3_000);
    let block = node.fixture.block(vec![]);
    let prevote = prevote_of(&block, Round(0));
    for signer in [away, back] {
        node.vote(signer, &Vote { kind: VoteKind::Precommit, block: None, ..prevote.clone() });
    }
    node.now.mono = Millis(3_400);
    node.proposal(node.fixture.propose(&block, Round(0), None));
    node.vote(proposer, &prevote);
    let wait = node.fixture.chain.params().vote_timeout.base;

    node.now.mono = Millis(3_400).plus(wait).plus(Millis(500));
    let status = node.engine.status(node.now);
    assert_eq!((status.halted, status.online_weight), (false, 4), "votes may still come");

    node.now.mono = node.now.mono.plus(Millis(1));
    let status = node.engine.status(node.now);
    assert_eq!((status.halted, status.online_weight), (true, 2), "two were heard before only");
    let reason = status.halt_reason().expect("it is halted");
    for index in [away, back] {
        assert!(reason.contains(&format!("masternode {index} (")), "{reason}");
    }

    node.vote(back, &prevote);
    let status = node.engine.status(node.now);
    assert!(!status.halted, "a quorum is there again");
    assert_eq!(status.halt_reason(), None);
}
