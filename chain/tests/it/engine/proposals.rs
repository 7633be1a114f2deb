//! Proposals: floods of them, bodies that are missing, and how long the node waits.
use super::*;

#[test]
fn a_flood_of_proposals_does_not_take_the_block_from_under_a_lock() {
    let fixture = Fixture::at_height(1);
    // Its own proposals for these rounds would be another host's.
    let me = (bystander(&fixture) + 2) % 4;
    let mut node = Node::new(fixture.clone(), me);
    let block = fixture.block(vec![]);
    node.proposal(fixture.propose(&block, Round(0), None));
    for round in [0, 1, 2].map(Round) {
        node.shows(proposals(&fixture, round).skip(1).take(20).collect());
    }
    for signer in others(me) {
        node.vote(signer, &prevote_of(&block, Round(0)));
    }
    let mine = (VoteKind::Precommit, Round(0), Some(block.hash()));
    assert!(node.votes().contains(&mine), "{:?}", node.votes());
}

#[test]
fn a_flood_of_proposals_leaves_room_for_ones_own_and_no_more() {
    let fixture = Fixture::at_height(1);
    let me = fixture.chain.masternodes.proposer(fixture.state.height.next(), Round(1));
    let mut node = Node::new(fixture.clone(), me);
    let prevote = prevote_of(&fixture.block(vec![]), Round(0));
    for round in (0..5).map(Round) {
        let height = node.height();
        let near = [round, round.next(), round.next().next()].into_iter();
        for of in near.filter(|of| fixture.chain.masternodes.proposer(height, *of) != me) {
            node.shows(proposals(&fixture, of).take(3).collect());
        }
        for signer in others(me) {
            let vote = Vote { kind: VoteKind::Precommit, round, block: None, ..prevote.clone() };
            node.vote(signer, &vote);
        }
        node.now.wall.0 += 1; // Each of its own blocks is another.
        node.input(Input::Timer(Timer::Step(node.height(), round, Step::Precommit)));
        let held = node.engine.held();
        assert!(held.is_within(&Held::most(4)), "{held:?}");
    }
    let proposed = node.sent.iter().any(|effect| {
        matches!(effect, Effect::Publish { message: ConsensusMessage::Proposal(_), .. })
    });
    assert!(proposed, "its rounds are among them");
}

#[test]
fn a_verdict_on_a_block_that_was_dropped_says_nothing_of_one_whose_bodies_are_missing() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let payment = fixture.spend(&[fixture.coin(1, 0)], vec![pay(1)]);
    let block = fixture.block(vec![payment]);
    let parent = &fixture.state;
    let delta = execute(&Ed25519, &fixture.chain, &fixture.view, parent, &block, &BTreeSet::new());
    assert!(delta.is_ok(), "{delta:?}");
    node.proposal(fixture.propose(&block, Round(0), None));
    node.input(Input::Executed { block: block.hash(), result: delta.map(Box::new) });
    assert_eq!(node.votes(), []);
}

#[test]
fn bodies_are_gathered_up_to_the_size_of_a_block() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    // Bodies that nobody has checked, each almost as large as a transaction may be.
    let bodies: Vec<Transaction> = (0..5).map(|number| large(&fixture, number)).collect();
    let block = fixture.block(bodies.clone());
    node.proposal(fixture.propose(&block, Round(0), None));
    fire(&mut node, Timer::Bodies(block.hash()));
    for body in &bodies[..3] {
        node.respond(Response::Bodies(vec![body.clone()]));
    }
    assert_eq!(node.votes(), [(VoteKind::Prevote, Round(0), None)]);
    let first = BodiesRequest(vec![bodies[0].wtxid()]);
    let Response::Bodies(kept) = node.answer(Request::Bodies(first)) else { panic!() };
    assert_eq!(kept, [], "what cannot become a block is let go");
}

#[test]
fn a_proposal_that_is_being_gathered_is_waited_for_but_not_for_ever() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::new(fixture.clone(), bystander(&fixture));
    let block = fixture.block(vec![large(&fixture, 0)]);
    node.proposal(fixture.propose(&block, Round(0), None));
    let timer = Timer::Step(node.height(), Round(0), Step::Propose);
    node.now.mono = node.timers[&timer];
    node.input(Input::Timer(timer));
    assert_eq!(node.votes(), [], "the proposal is here");
    assert!(node.timers[&timer] > node.now.mono, "and there is a next moment to give up");
    node.input(Input::Timer(timer));
    assert_eq!(node.votes(), [(VoteKind::Prevote, Round(0), None)]);
}

#[test]
fn a_proposal_that_never_came_is_not_waited_for() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::new(fixture.clone(), bystander(&fixture));
    node.input(Input::Timer(Timer::Step(node.height(), Round(0), Step::Propose)));
    assert_eq!(node.votes(), [(VoteKind::Prevote, Round(0), None)]);
}

#[test]
fn the_earliest_possible_block_is_never_ahead_of_the_clock() {
    let fixture = Fixture::at_height(1);
    let tip = fixture.state.timestamp;
    for (after, is_accepted) in [(1, true), (2, false)] {
        let mut node = Node::new(fixture.clone(), bystander(&fixture));
        node.now.wall = Timestamp(tip.0 - 20_000);
        let mut block = fixture.block(vec![]);
        block.header.timestamp = Timestamp(tip.0 + after);
        seal(&mut block);
        node.proposal(fixture.propose(&block, Round(0), None));
        let prevote = (VoteKind::Prevote, Round(0), Some(block.hash()));
        assert_eq!(node.votes().contains(&prevote), is_accepted, "{after} ms after the parent");
    }
}
