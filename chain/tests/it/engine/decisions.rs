//! Decisions: how a node hears of them, passes them on, and goes on before its disk has them.
use super::*;

#[test]
fn a_commit_that_only_a_status_shows_is_acted_on_and_passed_on() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let block = fixture.block(vec![]);
    let certificate = fixture.certify_by(&others(me), &block);
    node.status(certificate.clone());
    let Response::Votes(votes) = node.answer(Request::Votes(nothing_of(node.height()))) else {
        panic!()
    };
    assert!(votes.messages.contains(&ConsensusMessage::Certificate(certificate)), "{votes:?}");
    node.proposal(fixture.propose(&block, Round(0), None));
    assert_eq!(node.height(), Height(3), "the block came and was decided already");
}

#[test]
fn the_last_votes_of_a_height_are_not_answered_and_a_laggard_is_helped_by_one() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let block = node.decide(me, &mut fixture.clone());
    let shown = |node: &Node| {
        let is_shown = |effect: &&Effect| {
            matches!(effect, Effect::Publish { message: ConsensusMessage::Certificate(_), .. })
        };
        node.sent.iter().filter(is_shown).count()
    };
    let late = prevote_of(&block, Round(0));
    node.vote(others(me)[0], &late);
    assert_eq!(shown(&node), 0, "it is only late");
    node.now.mono.0 += 1_000;
    node.vote(others(me)[0], &late);
    node.vote(others(me)[1], &late);
    assert_eq!(shown(&node), 1, "who repeats a vote is behind");
    node.input(Input::Timer(Timer::Rebroadcast(node.height())));
    node.now.mono.0 += REPEAT_MS;
    node.certificate(fixture.certify_by(&others(me), &block));
    node.vote(others(me)[0], &late);
    assert_eq!(shown(&node), 1, "somebody else has shown it");
}

#[test]
fn a_commit_of_a_later_height_decides_when_the_node_gets_there() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let mut later = fixture.clone();
    let mut blocks = vec![];
    for _ in 0..3 {
        let block = later.block(vec![]);
        blocks.push((block.clone(), later.certify_by(&others(me), &block)));
        later.apply(&block);
        later.commit = Some(later.certify_by(&others(me), &block));
    }
    let (_, last) = blocks.pop().unwrap();
    node.syncs(last.clone(), blocks);
    assert_eq!(node.height(), Height(4));
    let Response::Votes(votes) = node.answer(Request::Votes(nothing_of(Height(4)))) else {
        panic!()
    };
    assert!(votes.messages.contains(&ConsensusMessage::Certificate(last)), "{votes:?}");
}

#[test]
fn above_an_undurable_block_it_prevotes_and_its_precommit_waits() {
    let mut now = Fixture::at_height(1);
    let me = (0..4).find(|me| proposers(&now).all(|proposer| proposer != *me)).unwrap();
    let mut node = Node::new(now.clone(), me);
    node.writing = Some(VecDeque::new());
    node.decide(me, &mut now);
    assert_eq!(node.height(), Height(3), "the next height began");
    let block = now.block(vec![]);
    node.proposal(now.propose(&block, Round(0), None));
    for signer in others(me) {
        node.vote(signer, &prevote_of(&block, Round(0)));
    }
    let vote = |kind| (kind, Round(0), Some(block.hash()));
    assert!(node.votes().contains(&vote(VoteKind::Prevote)), "{:?}", node.votes());
    assert!(!node.votes().contains(&vote(VoteKind::Precommit)), "{:?}", node.votes());
    node.written();
    assert!(node.votes().contains(&vote(VoteKind::Precommit)), "{:?}", node.votes());
}

#[test]
fn above_two_undurable_blocks_nothing_is_signed_and_a_third_waits() {
    let mut now = Fixture::at_height(1);
    let me = (0..4).find(|me| proposers(&now).all(|proposer| proposer != *me)).unwrap();
    let mut node = Node::new(now.clone(), me);
    node.writing = Some(VecDeque::new());
    node.decide(me, &mut now);
    node.decide(me, &mut now);
    assert_eq!(node.height(), Height(4));
    let third = node.decide(me, &mut now);
    assert_eq!(node.height(), Height(4), "there is no room for a third");
    assert!(!node.votes().iter().any(|(_, _, block)| *block == Some(third.hash())));
    node.written();
    assert_eq!(node.height(), Height(5));
    node.written();
    node.written();
    assert_eq!(node.height(), Height(5));
    assert_eq!(node.writing.unwrap().len(), 0, "each was written once");
}
