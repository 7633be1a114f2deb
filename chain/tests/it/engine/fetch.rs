//! What a node asks for, of whom and how often: blocks of polkas, bodies, final blocks; and what it sends of its own.
use super::*;
use timecoin_chain::engine::Report;

const SECOND: Peer = Peer(8);
const THIRD: Peer = Peer(9);

/// Somebody who proposes in neither of the first two rounds.
fn listener(fixture: &Fixture) -> u16 {
    (bystander(fixture) + 2) % 4
}

/// What was asked since this was called last, and of whom.
fn asked(node: &mut Node) -> Vec<(Peer, Request)> {
    let sent = std::mem::take(&mut node.sent).into_iter().filter_map(|effect| match effect {
        Effect::Request { to, request } => Some((to, request)),
        _ => None,
    });
    sent.collect()
}

/// Of whom bodies were asked.
fn asked_for_bodies(node: &mut Node) -> Vec<Peer> {
    let requests = asked(node).into_iter();
    requests
        .filter(|(_, request)| matches!(request, Request::Bodies(_)))
        .map(|(to, _)| to)
        .collect()
}

/// All others prevote a block in round 0, which this node does not know.
fn polka(node: &Node, me: u16, block: &Block) -> Certificate {
    let votes: Vec<Vote> = others(me)
        .into_iter()
        .map(|signer| node.fixture.vote(signer, prevote_of(block, Round(0))))
        .collect();
    Certificate::collect(4, &votes).unwrap()
}

/// Of whom the proposal of round 0 was asked.
fn asked_for_round_0(node: &mut Node) -> Vec<Peer> {
    let requests = asked(node).into_iter().filter(|(_, request)| {
        let Request::Votes(request) = request else { return false };
        request.round == Round(0) && !request.has_proposal
    });
    requests.map(|(to, _)| to).collect()
}

#[test]
fn the_block_of_a_polka_of_a_past_round_is_asked_for_and_becomes_the_valid_one() {
    let fixture = Fixture::at_height(1);
    let me = listener(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let (height, block) = (node.height(), fixture.block(vec![]));
    let nil = Vote { kind: VoteKind::Precommit, block: None, ..prevote_of(&block, Round(0)) };
    node.input(Input::Timer(Timer::Step(height, Round(0), Step::Propose)));
    for signer in others(me) {
        node.vote(signer, &nil);
    }
    node.input(Input::Timer(Timer::Step(height, Round(0), Step::Precommit)));
    assert_eq!(node.engine.status(node.now).round, Round(1));
    asked(&mut node);
    let polka = polka(&node, me, &block);
    node.certificate(polka.clone());
    assert_eq!(asked_for_round_0(&mut node), [PEER], "at once, of the peer that showed it");
    node.now.mono.0 += REPEAT_MS;
    node.certificate(polka.clone());
    assert_eq!(asked_for_round_0(&mut node), [], "once");
    fire(&mut node, Timer::Rebroadcast(height));
    assert_eq!(asked_for_round_0(&mut node), [PEER], "and with each repetition");

    node.proposal(fixture.propose(&block, Round(0), None));
    let mut request = nothing_of(height);
    request.round = Round(1);
    let Response::Votes(votes) = node.answer(Request::Votes(request)) else { panic!() };
    let shown = ConsensusMessage::Certificate(polka);
    assert!(votes.messages.contains(&shown), "the block is valid and has a polka: {votes:?}");
    node.sent.clear();
    fire(&mut node, Timer::Rebroadcast(height));
    assert_eq!(asked_for_round_0(&mut node), [], "it is here");
}

/// A node whose clock is far behind, and a proposal of now.
fn behind() -> (Node, u16, Block) {
    let fixture = Fixture::at_height(1);
    let me = listener(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let tip = fixture.state.timestamp;
    node.now.wall = Timestamp(tip.0 - 20_000);
    let mut block = fixture.block(vec![]);
    block.header.timestamp = Timestamp(tip.0 + 2);
    seal(&mut block);
    node.proposal(fixture.propose(&block, Round(0), None));
    assert_eq!(node.votes(), [], "it is ahead of the clock");
    (node, me, block)
}

#[test]
fn a_proposal_ahead_of_the_clock_is_not_prevoted_and_its_polka_is_followed() {
    let (mut node, me, block) = behind();
    node.input(Input::Timer(Timer::Step(node.height(), Round(0), Step::Propose)));
    assert_eq!(node.votes(), [(VoteKind::Prevote, Round(0), None)]);
    for signer in others(me) {
        node.vote(signer, &prevote_of(&block, Round(0)));
    }
    let followed = (VoteKind::Precommit, Round(0), Some(block.hash()));
    assert!(node.votes().contains(&followed), "{:?}", node.votes());
}

#[test]
fn a_proposal_ahead_of_the_clock_is_decided_by_a_commit_certificate() {
    let (mut node, me, block) = behind();
    node.certificate(node.fixture.certify_by(&others(me), &block));
    assert_eq!(node.height(), Height(3));
}

#[test]
fn a_proposal_is_prevoted_when_the_clock_has_got_there_in_time() {
    let (mut node, _, block) = behind();
    node.now.wall.0 += 40_000;
    node.input(Input::Timer(Timer::Step(node.height(), Round(0), Step::Propose)));
    assert_eq!(node.votes(), [(VoteKind::Prevote, Round(0), Some(block.hash()))]);
}

#[test]
fn a_clock_that_is_ahead_of_a_third_of_the_weight_is_reported_once_a_minute() {
    let mut now = Fixture::at_height(1);
    let me = (0..4).find(|me| proposers(&now).all(|proposer| proposer != *me)).unwrap();
    let mut node = Node::new(now.clone(), me);
    node.now.wall = Timestamp(now.state.timestamp.0 + 60_000);
    for (wait, reported) in [(0, 0), (0, 1), (60_000, 1)] {
        node.now.mono.0 += wait;
        node.sent.clear();
        node.decide(me, &mut now);
        let is_ahead =
            |effect: &&Effect| matches!(effect, Effect::Report(Report::ClockAhead { .. }));
        assert_eq!(node.sent.iter().filter(is_ahead).count(), reported, "height {}", node.height());
    }
}

#[test]
fn a_peer_without_the_bodies_is_not_asked_at_once_again_and_the_next_one_is() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::new(fixture.clone(), listener(&fixture));
    [SECOND, THIRD].into_iter().for_each(|peer| node.input(Input::PeerUp(peer)));
    let body = large(&fixture, 0);
    let block = fixture.block(vec![body.clone()]);
    let request = BodiesRequest(vec![body.wtxid()]);
    node.proposal(fixture.propose(&block, Round(0), None));
    asked(&mut node);
    let timer = Timer::Bodies(block.hash());
    fire(&mut node, timer);
    assert_eq!(asked_for_bodies(&mut node), [PEER], "first the peer that sent the proposal");
    let nothing = |from| respond(from, Request::Bodies(request.clone()), Response::Bodies(vec![]));
    node.input(nothing(PEER));
    assert_eq!(asked_for_bodies(&mut node), [SECOND]);
    node.input(Input::RequestFailed { from: SECOND, request: Request::Bodies(request.clone()) });
    assert_eq!(asked_for_bodies(&mut node), [THIRD]);
    node.input(nothing(THIRD));
    assert_eq!(asked_for_bodies(&mut node), [], "nobody is left");
    fire(&mut node, timer);
    assert_eq!(asked_for_bodies(&mut node), [PEER], "after a pause");
    node.input(Input::Timer(timer));
    assert_eq!(asked_for_bodies(&mut node), [], "they are on their way");
    fire(&mut node, timer);
    fire(&mut node, timer);
    assert_eq!(asked_for_bodies(&mut node), [SECOND], "a lost answer is replaced");
}

#[test]
fn an_empty_answer_about_final_blocks_is_not_asked_for_at_once_again() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let mut later = fixture.clone();
    let block = later.block(vec![]);
    later.apply(&block);
    let tip = later.certify_by(&others(me), &later.block(vec![]));
    let blocks = |node: &mut Node| -> Vec<Request> {
        let requests = asked(node).into_iter().map(|(_, request)| request);
        requests.filter(|request| matches!(request, Request::Blocks(_))).collect()
    };
    node.status(tip);
    let [request] = &blocks(&mut node)[..] else { panic!() };
    for pause in [100, 200, 400] {
        node.input(respond(PEER, request.clone(), Response::Blocks(vec![])));
        assert_eq!(blocks(&mut node), []);
        assert_eq!(node.timers[&Timer::Blocks].since(node.now.mono), Millis(pause));
        fire(&mut node, Timer::Blocks);
        assert_eq!(&blocks(&mut node)[..], std::slice::from_ref(request));
    }
}

#[test]
fn the_same_proposal_is_sent_to_the_same_peer_once_in_a_while() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::new(fixture.clone(), bystander(&fixture));
    node.proposal(fixture.propose(&fixture.block(vec![]), Round(0), None));
    for (wait, sent) in [(0, 1), (0, 0), (399, 0), (1, 1), (50, 0), (400, 1)] {
        node.now.mono.0 += wait;
        let request = VotesRequest { has_proposal: false, ..nothing_of(node.height()) };
        let Response::Votes(votes) = node.answer(Request::Votes(request)) else { panic!() };
        let proposals = votes.messages.iter();
        let proposals = proposals.filter(|found| matches!(found, ConsensusMessage::Proposal(_)));
        assert_eq!(proposals.count(), sent, "after {wait} ms");
    }
}

#[test]
fn a_proposal_is_repeated_less_and_less_often_and_not_once_two_thirds_have_prevoted() {
    for (voters, expected) in [(0, [1, 1, 0, 1, 0, 0, 0, 1]), (2, [1, 1, 0, 1, 0, 0, 0, 0])] {
        let fixture = Fixture::at_height(1);
        let me = (bystander(&fixture) + 3) % 4;
        let mut node = Node::new(fixture.clone(), me);
        let height = node.height();
        fire(&mut node, Timer::Due(height));
        let nil = Vote { block: None, ..prevote_of(&fixture.block(vec![]), Round(0)) };
        let mut repeated = vec![];
        for number in 0..expected.len() {
            if number == 4 {
                others(me).into_iter().take(voters).for_each(|signer| node.vote(signer, &nil));
            }
            node.sent.clear();
            fire(&mut node, Timer::Rebroadcast(height));
            let proposals = node.sent.iter().filter(|effect| {
                matches!(effect, Effect::Publish { message: ConsensusMessage::Proposal(_), .. })
            });
            repeated.push(proposals.count());
        }
        assert_eq!(repeated, expected, "{voters} others prevoted");
    }
}
