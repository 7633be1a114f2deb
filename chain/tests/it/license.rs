//! Whether a key may sign: without its record, with an old one, and beside a second host.
use crate::{
    engine::{Node, PEER, bystander, others},
    fixture::{Fixture, precommit_of, prevote_of},
};
use timecoin_chain::{
    crypto::Signer,
    engine::{Effect, HaltKind, Input, Request, SafetyRecord, Signing, Stop},
    rules,
    types::{Block, Height, Round, Timestamp, Vote, VoteKind},
};

/// More than the clocks of a chain may differ.
const LATER_MS: u64 = 30_000;
/// Ticks of listening that suffice in any case.
const TICKS: usize = 8;

impl Node {
    fn signing(&self) -> Signing {
        self.engine.status(self.now).signing
    }

    /// Everybody else decides a block of this node's height.
    fn watches(&mut self, me: u16, now: &mut Fixture, block: &Block) {
        self.proposal(now.propose(block, Round(0), None));
        let certificate = self.checked(now.certify_by(&others(me), block));
        self.message(certificate);
        now.apply(block);
    }

    /// A vote with this node's key that this node did not sign.
    fn shows_own(&mut self, me: u16, vote: &Vote) {
        let vote = self.fixture.vote(me, Vote { signer: me, ..vote.clone() });
        let chain = &self.fixture.chain;
        let scheme = &timecoin_chain::crypto::Ed25519;
        let vote = rules::verify_vote(scheme, &chain.hash, &chain.masternodes, vote).unwrap();
        self.message(vote);
    }

    /// The record that was made durable last.
    fn record(&self) -> Option<SafetyRecord> {
        let mut records = self.sent.iter().rev().filter_map(|effect| match effect {
            Effect::Persist { record, .. } => Some((**record).clone()),
            _ => None,
        });
        records.next()
    }

    /// Why it stopped.
    fn halt(&self) -> Option<&str> {
        self.sent.iter().find_map(|effect| match effect {
            Effect::Halt { kind: HaltKind::KeyElsewhere, reason } => Some(reason.as_str()),
            Effect::Halt { reason, .. } => panic!("{reason}"),
            _ => None,
        })
    }
}

/// A masternode without a record that was started long ago.
fn unrecorded(now: &Fixture) -> (u16, Node) {
    let me = quiet(now);
    let mut node = Node::with_record(now.clone(), me, None);
    node.input(Input::PeerUp(PEER));
    node.now.wall.0 += LATER_MS;
    (me, node)
}

/// Who proposes at none of the next three heights.
fn quiet(fixture: &Fixture) -> u16 {
    let heights = (1..=3).map(|ahead| Height(fixture.state.height.0 + ahead));
    let proposers: Vec<u16> =
        heights.map(|height| fixture.chain.masternodes.proposer(height, Round(0))).collect();
    (0..4).find(|me| !proposers.contains(me)).unwrap()
}

/// A record that ends where the chain of the fixture ends.
fn record_of(now: &Fixture, me: u16) -> SafetyRecord {
    let tip = now.commit.clone().unwrap();
    let votes = tip.votes();
    let precommit = votes.into_iter().find(|vote| vote.signer == me);
    let key = now.secrets[usize::from(me)].public_key();
    SafetyRecord { precommit, ..SafetyRecord::blank(key, tip.height, tip.round) }
}

#[test]
fn without_its_record_a_key_signs_after_one_height_was_decided_without_it() {
    let mut now = Fixture::at_height(1);
    let (me, mut node) = unrecorded(&now);
    assert!(matches!(node.signing(), Signing::Observing { .. }));
    let block = now.block_at(node.now.wall, vec![]);
    node.watches(me, &mut now, &block);
    assert_eq!(node.signing(), Signing::Yes);
    assert_eq!(node.votes(), [], "nothing was signed for the height that was watched");
    let key = now.secrets[usize::from(me)].public_key();
    let record = node.record().unwrap();
    assert_eq!((record.key, record.height, record.is_blank()), (key, Height(3), true));

    let next = now.block_at(Timestamp(node.now.wall.0 + 1_000), vec![]);
    node.proposal(now.propose(&next, Round(0), None));
    assert_eq!(node.votes(), [(VoteKind::Prevote, Round(0), Some(next.hash()))]);
}

#[test]
fn what_may_have_been_decided_before_the_start_is_not_watched() {
    // A height that this node's clock says is old: somebody may replay what it slept through.
    let mut now = Fixture::at_height(1);
    let (me, mut node) = unrecorded(&now);
    let start = node.now.wall.0 - LATER_MS;
    let block = now.block_at(Timestamp(start + 10_000), vec![]);
    node.watches(me, &mut now, &block);
    assert!(matches!(node.signing(), Signing::Observing { .. }), "the timestamp may be older");
    // A block that nobody proposed here came by sync.
    let late = now.block_at(Timestamp(node.now.wall.0), vec![]);
    let certified = node.certified(late.clone(), now.certify_by(&others(me), &late));
    node.input(Input::Blocks { from: PEER, blocks: vec![certified] });
    assert_eq!(node.height(), Height(4), "it is the chain all the same");
    assert!(matches!(node.signing(), Signing::Observing { .. }), "it was not watched");
    assert_eq!(node.votes(), []);
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
    assert!(matches!(node.signing(), Signing::Observing { .. }));
}

#[test]
fn while_its_key_signs_elsewhere_a_node_without_a_record_signs_nothing_and_then_stops() {
    let mut now = Fixture::at_height(1);
    let (me, mut node) = unrecorded(&now);
    let block = now.block_at(node.now.wall, vec![]);
    node.shows_own(me, &prevote_of(&block, Round(0)));
    node.watches(me, &mut now, &block);
    assert_eq!(node.signing(), Signing::Observing { own_key: Some(Height(2)) });
    assert_eq!(node.halt(), None, "it may be this node's own, from before the start");
    let next = now.block_at(Timestamp(node.now.wall.0 + 1_000), vec![]);
    node.shows_own(me, &prevote_of(&next, Round(0)));
    assert!(node.halt().unwrap().contains("signed at height 3 round 0, and not here"));
    assert_eq!((node.votes(), node.signing()), (vec![], Signing::Stopped));
}

#[test]
fn after_a_start_a_node_listens_and_then_signs_what_it_owes() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
    assert_eq!(node.signing(), Signing::Listening);
    for _ in 0..TICKS {
        node.tick();
        assert_eq!(node.signing(), Signing::Listening, "without a peer nobody answers");
    }
    node.input(Input::PeerUp(PEER));
    let block = now.block(vec![]);
    node.proposal(now.propose(&block, Round(0), None));
    let began = node.now.mono;
    while node.signing() == Signing::Listening {
        assert_eq!(node.votes(), []);
        node.tick();
    }
    let listened = node.now.mono.since(began).0;
    let timeout = now.chain.params().vote_timeout.base.0;
    assert!((4 * timeout..=5 * timeout).contains(&listened), "{listened} ms");
    assert_eq!(node.votes(), [(VoteKind::Prevote, Round(0), Some(block.hash()))]);
    let asks = node.sent.iter().any(|effect| {
        matches!(effect, Effect::Request { request: Request::Votes(votes), .. }
            if votes.signer == Some(me) && votes.height == Height(2))
    });
    assert!(asks, "it asked for its own votes");
}

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
    node.shows_own(me, &prevote_of(&block, Round(0)));
    assert!(node.halt().is_some());
}

#[test]
fn an_old_backup_is_found_out_while_it_listens() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
    node.input(Input::PeerUp(PEER));
    // Before the backup was put back, this node had prevoted.
    node.shows_own(me, &prevote_of(&now.block(vec![]), Round(1)));
    let reason = node.halt().unwrap();
    assert!(reason.contains("signed at height 2 round 1, and not here"), "{reason}");
    assert!(reason.contains("ends at height 1 round 0"), "{reason}");
    assert_eq!(node.votes(), []);

    let marked = node.record().unwrap();
    assert_eq!(marked.stopped, Some(Stop::Foreign(Height(2), Round(1))));
    let again = Node::with_record(now.clone(), me, Some(marked));
    assert!(again.halt().is_some(), "a restart does not make it sign again");
}

#[test]
fn an_exported_record_signs_nothing_and_says_that_it_was_exported() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let record = SafetyRecord { stopped: Some(Stop::Exported), ..record_of(&now, me) };
    let node = Node::with_record(now.clone(), me, Some(record));
    let reason = node.halt().unwrap();
    assert!(reason.contains("was exported") && !reason.contains("another host runs"), "{reason}");
    assert_eq!((node.votes(), node.signing()), (vec![], Signing::Stopped));
}

#[test]
fn an_old_record_beside_a_newer_ledger_is_found_out_at_once() {
    let now = Fixture::at_height(3);
    let me = bystander(&now);
    let node = Node::with_record(now.clone(), me, Some(record_of(&Fixture::at_height(1), me)));
    assert!(node.halt().unwrap().contains("signed at height 3"));
}

#[test]
fn an_old_record_is_found_out_by_the_blocks_that_its_key_signed() {
    let mut now = Fixture::at_height(1);
    let me = quiet(&now);
    let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
    node.input(Input::PeerUp(PEER));
    let block = now.block(vec![]);
    now.apply(&block);
    let certified = node.certified(block.clone(), now.certify(&block));
    node.input(Input::Blocks { from: PEER, blocks: vec![certified] });
    assert!(node.halt().unwrap().contains("signed at height 2"));
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
    back.shows_own(me, &own);
    let older = Vote { height: Height(1), ..precommit_of(&block) };
    back.shows_own(me, &older);
    assert_eq!(back.halt(), None, "its own votes, and what is too old to judge");
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
        node.shows_own(me, &vote);
        assert_eq!(node.halt().is_some(), is_foreign, "{vote:?}");
        let after = node.sent.len();
        for signer in others(me) {
            node.vote(signer, &prevote_of(&block, Round(0)));
        }
        let precommits = node.votes().iter().filter(|vote| vote.0 == VoteKind::Precommit).count();
        assert_eq!(precommits, usize::from(!is_foreign));
        assert_eq!(node.sent.len() == after, is_foreign, "nothing follows a halt");
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
