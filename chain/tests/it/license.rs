//! Whether a key may sign: without its record, with an old one, and beside a second host.
mod listening;
mod records;
mod unrecorded;

use crate::{
    engine::{Node, bystander, nothing_of, others},
    fixture::{Fixture, precommit_of, prevote_of},
    peer::PEER,
};
use timecoin_chain::{
    crypto::Signer,
    engine::{Effect, Input, Request, SafetyRecord, Signing, Stop, StopKind},
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
    fn stop_reason(&self) -> Option<&str> {
        self.sent.iter().find_map(|effect| match effect {
            Effect::Stop { kind: StopKind::KeyElsewhere, reason } => Some(reason.as_str()),
            Effect::Stop { reason, .. } => panic!("{reason}"),
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
