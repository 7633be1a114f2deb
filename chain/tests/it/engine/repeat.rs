//! Messages get lost: what a node sends again in a later round, and what it answers who lacks votes.
use super::*;

/// Somebody who proposes in neither of the first two rounds.
fn listener(fixture: &Fixture) -> u16 {
    (bystander(fixture) + 2) % 4
}

/// All others prevote a block, and this node locks it.
fn lock(node: &mut Node, me: u16) -> Block {
    let block = node.fixture.block(vec![]);
    node.proposal(node.fixture.propose(&block, Round(0), None));
    for signer in others(me) {
        node.vote(signer, &prevote_of(&block, Round(0)));
    }
    block
}

fn nil(kind: VoteKind, round: Round, block: &Block) -> Vote {
    Vote { kind, block: None, ..prevote_of(block, round) }
}

/// The messages that left since this was asked last, with how often each had been sent before.
fn published(node: &mut Node) -> Vec<(ConsensusMessage, u8)> {
    let sent = std::mem::take(&mut node.sent).into_iter().filter_map(|effect| match effect {
        Effect::Publish { message, attempt } => Some((message, attempt)),
        _ => None,
    });
    sent.collect()
}

#[test]
fn in_a_later_round_its_reason_the_polka_and_own_votes_are_sent_again() {
    let fixture = Fixture::at_height(1);
    let me = listener(&fixture);
    let mut node = Node::new(fixture, me);
    let block = lock(&mut node, me);
    for signer in others(me) {
        node.vote(signer, &nil(VoteKind::Precommit, Round(0), &block));
    }
    let height = node.height();
    node.input(Input::Timer(Timer::Step(height, Round(0), Step::Precommit)));
    node.input(Input::Timer(Timer::Step(height, Round(1), Step::Propose)));
    for signer in others(me) {
        node.vote(signer, &nil(VoteKind::Prevote, Round(1), &block));
    }
    let status = node.engine.status(node.now);
    assert_eq!((status.round, status.step), (Round(1), Step::Precommit));
    let first = published(&mut node);
    assert!(first.iter().all(|(_, attempt)| *attempt == 0), "nothing was sent again yet");
    let mut attempts = BTreeSet::new();
    for _ in 0..2 {
        node.now.mono = node.timers[&Timer::Rebroadcast(height)];
        node.input(Input::Timer(Timer::Rebroadcast(height)));
        let again = published(&mut node);
        attempts.extend(again.iter().map(|(_, attempt)| *attempt));
        let [
            (ConsensusMessage::Round(entry), _),
            (ConsensusMessage::Certificate(polka), _),
            votes @ ..,
        ] = &again[..]
        else {
            panic!("{again:?}")
        };
        assert_eq!(entry.round, Round(0), "whose precommits began round 1");
        let is_polka = polka.is_polka() && polka.round == Round(0);
        assert!(is_polka && polka.block == Some(block.hash()), "{polka:?}");
        let votes: Vec<_> = votes
            .iter()
            .map(|(message, _)| match message {
                ConsensusMessage::Vote(vote) => (vote.kind, vote.round, vote.signer),
                other => panic!("{other:?}"),
            })
            .collect();
        let own = [VoteKind::Prevote, VoteKind::Precommit].map(|kind| (kind, Round(1), me));
        assert_eq!(votes, own);
        assert!(again.iter().all(|(message, _)| first.iter().any(|(sent, _)| sent == message)));
    }
    assert_eq!(attempts.len(), 2, "each repetition is a message of its own");
    assert!(!attempts.contains(&0), "which is the first sending");
}

#[test]
fn who_asks_for_votes_is_not_told_those_that_it_has() {
    let fixture = Fixture::at_height(1);
    let me = listener(&fixture);
    let mut node = Node::new(fixture, me);
    let block = lock(&mut node, me);
    let [a, b, c] = others(me)[..] else { panic!() };
    for signer in [a, b] {
        node.vote(signer, &nil(VoteKind::Precommit, Round(0), &block));
    }
    let mut ask = |prevotes: &[u16], precommits: &[u16], has_proposal| {
        let mut request = VotesRequest { has_proposal, ..nothing_of(node.height()) };
        prevotes.iter().for_each(|&voter| request.prevotes.insert(voter));
        precommits.iter().for_each(|&voter| request.precommits.insert(voter));
        let Response::Votes(answer) = node.answer(Request::Votes(request)) else { panic!() };
        let mut votes = BTreeSet::new();
        let mut proposals = 0;
        for message in answer.messages {
            match message {
                ConsensusMessage::Vote(vote) => assert!(votes.insert((vote.kind, vote.signer))),
                ConsensusMessage::Proposal(_) => proposals += 1,
                _ => {}
            }
        }
        (votes, proposals)
    };
    let (prevote, precommit) = (VoteKind::Prevote, VoteKind::Precommit);
    let all = [a, b, c, me].map(|voter| (prevote, voter)).into_iter();
    let all = all.chain([a, b, me].map(|voter| (precommit, voter)));
    assert_eq!(ask(&[], &[], false), (all.collect(), 1));
    let lacks = [(prevote, b), (prevote, c), (precommit, a), (precommit, me)];
    assert_eq!(ask(&[a, me], &[b], true), (lacks.into(), 0));
    assert_eq!(ask(&[a, b, c, me], &[a, b, me], true), (BTreeSet::new(), 0));
}
