//! Whether a key may sign: without its record, with an old one, and beside a second host.
use crate::{
    engine::{Node, bystander, nothing_of, others},
    fixture::{Fixture, precommit_of, prevote_of},
    peer::PEER,
};
use timecoin_chain::{
    crypto::Signer,
    engine::{Effect, HaltKind, Input, Request, SafetyRecord, Signing, Stop},
    rules,
    types::{Height, Inquiry, Round, Timestamp, Vote, VoteKind, VotesRequest},
    wire::Response,
};

/// More than the clocks of a chain may differ.
const LATER_MS: u64 = 30_000;
/// More ticks of listening than any rule asks for.
const TICKS: usize = 100;

impl Node {
    fn signing(&self) -> Signing {
        self.engine.status(self.now).signing
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
    assert_eq!(node.halt(), None);
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
        assert_eq!(node.halt().is_some(), is_proof);
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
    assert_eq!(node.halt(), None);
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
    assert_eq!(node.halt(), None);
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
        assert_eq!((node.height(), node.halt()), (Height(4), None));
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
        assert!(node.halt().unwrap().contains("signed at height 3 round 0"), "{late}");
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
    assert_eq!(node.halt(), None, "it may be this node's own, from before the start");
    let next = now.block_at(Timestamp(node.now.wall.0 + 1_000), vec![]);
    node.vote(me, &prevote_of(&next, Round(0)));
    assert!(node.halt().unwrap().contains("signed at height 3 round 0, and not here"));
    assert_eq!((node.votes(), node.signing()), (vec![], Signing::Stopped));
}

#[test]
fn after_a_start_a_node_listens_and_then_signs_what_it_owes() {
    // How many masternodes attest, how many heights behind, and the ticks after which that is enough.
    let cases = [(2, 0, Some(0)), (2, 1, Some(4)), (1, 0, Some(20)), (0, 0, None)];
    for (attesting, behind, ticks) in cases {
        let now = Fixture::at_height(1);
        let me = bystander(&now);
        let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
        assert_eq!(node.signing(), Signing::Listening);
        node.input(Input::PeerUp(PEER));
        let inquiry = node.inquiry().expect("it asks for its own votes");
        assert_eq!(inquiry.of, me);
        let block = now.block(vec![]);
        node.proposal(now.propose(&block, Round(0), None));
        for by in others(me).into_iter().take(attesting) {
            assert_eq!((node.signing(), node.votes()), (Signing::Listening, vec![]));
            node.attestation(inquiry, by, Height(2 - behind), vec![]);
        }
        for tick in 0..ticks.unwrap_or(TICKS) {
            assert_eq!((node.signing(), node.votes()), (Signing::Listening, vec![]), "{tick}");
            node.tick();
        }
        let votes = match ticks {
            Some(_) => vec![(VoteKind::Prevote, Round(0), Some(block.hash()))],
            None => vec![],
        };
        assert_eq!(node.votes(), votes, "{attesting} masternodes, {behind} behind");
    }
}

#[test]
fn strangers_and_old_answers_do_not_end_the_listening() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
    let peers = [1, 2, 3, 4, 5].map(timecoin_chain::engine::Peer);
    peers.into_iter().for_each(|peer| node.input(Input::PeerUp(peer)));
    let inquiry = node.inquiry().unwrap();
    let [a, b, c] = others(me)[..] else { panic!() };
    // Of an earlier start, of another key, and by this key itself.
    for by in [a, b, c] {
        node.attestation(Inquiry { nonce: [7; 32], ..inquiry }, by, Height(2), vec![]);
        node.attestation(Inquiry { of: a, ..inquiry }, by, Height(2), vec![]);
    }
    node.attestation(inquiry, me, Height(2), vec![]);
    // What they could have heard from anybody.
    let block = now.block(vec![]);
    node.proposal(now.propose(&block, Round(0), None));
    [a, b].into_iter().for_each(|voter| node.vote(voter, &prevote_of(&block, Round(0))));
    for _ in 0..TICKS {
        node.tick();
        assert_eq!((node.signing(), node.votes()), (Signing::Listening, vec![]));
    }
    [a, b].into_iter().for_each(|by| node.attestation(inquiry, by, Height(2), vec![]));
    assert_eq!(node.signing(), Signing::Yes);
}

#[test]
fn each_start_asks_with_another_number() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let asked = |later: u64| {
        let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
        node.now.wall.0 += later;
        node.input(Input::Start);
        node.input(Input::PeerUp(PEER));
        node.inquiry().unwrap().nonce
    };
    assert_ne!(asked(0), asked(1));
}

#[test]
fn a_lock_of_long_ago_is_attested_whatever_the_round() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let mut node = Node::new(now.clone(), me);
    let [a, b, c] = others(me)[..] else { panic!() };
    let block = now.block(vec![]);
    let lock = Vote { round: Round(3), ..precommit_of(&block) };
    for round in 1..=50 {
        for voter in [a, b] {
            let nil = Vote { block: None, ..prevote_of(&block, Round(round)) };
            node.vote(voter, &nil);
        }
        if round == 3 {
            node.vote(c, &lock);
        }
    }
    assert_eq!(node.engine.status(node.now).round, Round(50));
    let inquiry = Inquiry { of: c, nonce: [7; 32] };
    let ask = VotesRequest { inquiry: Some(inquiry), ..nothing_of(Height(2)) };
    let Response::Votes(answer) = node.answer(Request::Votes(ask)) else { panic!() };
    let attestation = answer.attestation.expect("by a masternode");
    let held: Vec<_> = attestation.votes.iter().map(|vote| (vote.kind, vote.round)).collect();
    assert_eq!(held, [(VoteKind::Precommit, Round(3))]);
    let (hash, set) = (&now.chain.hash, &now.chain.masternodes);
    let scheme = &timecoin_chain::crypto::Ed25519;
    let is_valid = |attestation| rules::verify_attestation(scheme, hash, set, attestation).is_ok();
    assert!(is_valid(attestation.clone()));
    let mut without = attestation.clone();
    without.votes.clear();
    assert!(!is_valid(without), "nobody on the way can leave a vote out");
    assert!(!is_valid(timecoin_chain::types::Attestation { by: a, ..attestation }));

    // The backup of before the lock that is put back there finds it.
    let key = now.secrets[usize::from(c)].public_key();
    let record = SafetyRecord::blank(key, Height(2), Round(1));
    let mut back = Node::with_record(now.clone(), c, Some(record));
    back.input(Input::PeerUp(PEER));
    let votes = vec![now.vote(c, Vote { signer: c, ..lock })];
    back.attestation(back.inquiry().unwrap(), me, Height(2), votes);
    assert!(back.halt().unwrap().contains("signed at height 2 round 3, and not here"));
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
    node.vote(me, &prevote_of(&block, Round(0)));
    assert!(node.halt().is_some());
}

#[test]
fn an_old_backup_is_found_out_while_it_listens() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
    node.input(Input::PeerUp(PEER));
    // Before the backup was put back, this node had prevoted.
    node.vote(me, &prevote_of(&now.block(vec![]), Round(1)));
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
    let tip = now.certify_by(&others(me), &block);
    node.syncs(tip, vec![(block.clone(), now.certify(&block))]);
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
    back.vote(me, &own);
    let older = Vote { height: Height(1), ..precommit_of(&block) };
    back.vote(me, &older);
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
        node.vote(me, &vote);
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
