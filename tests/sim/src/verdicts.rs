//! What honest nodes do with the gossip that reaches their doors: how long votes wait for a
//! verdict, what hostile masternodes make them forward, and how much verification a rejected peer
//! gets.
//!
//! Measured outside the door, with independent constants.
use crate::oracle::Violation;
use std::collections::BTreeMap;
use timecoin_chain::{
    types::{BlockHash, ConsensusMessage, Height, Round, VoteKind},
    wire::Topic,
};

/// How long an honest vote may wait for its verdict at the 99th percentile, in microseconds.
const VOTE_WAIT_US: u64 = 50_000;
/// Fewer votes than this say nothing about a percentile.
const VOTES_MIN: usize = 200;
/// Votes and proposals are accepted up to this many rounds ahead.
const ROUNDS_AHEAD: u32 = 2;
/// The same statement is forwarded at most this often in a second.
const FORWARDS_A_SECOND: u32 = 4;
/// Processor time to check one signature, in microseconds.
const SIGNATURE_US: u64 = 60;
/// The maximum processor time for a peer whose messages are all rejected: the work in progress at
/// the first rejection.
const REJECTED_US: u64 = 16_000;
/// The maximum processor time for the unseen signatures of a block.
const BLOCK_US: u64 = 200_000;
/// Messages of a peer on a topic that may be without a verdict, or as many as all votes of a height.
const OPEN_MAX: usize = 64;

/// Votes of one key in an answer to its inquiry.
const OWN_VOTES: u64 = 64;

const SECOND: u64 = 1_000_000;

/// One start of a node.
pub(crate) type Life = (usize, u64);
type Slot = (Height, Round, Option<VoteKind>, u16);
type Value = (Option<BlockHash>, Option<Round>);

/// What was forwarded of a slot: its value, and how often in the current second.
struct Forwarded {
    value: Value,
    second: u64,
    times: u32,
}

/// Observations at all doors.
#[derive(Default)]
pub(crate) struct Verdicts {
    waits: BTreeMap<usize, Vec<u64>>,
    forwarded: BTreeMap<(Life, Slot), Forwarded>,
    rejected: BTreeMap<(Life, u64), u64>,
    open: BTreeMap<(Life, u64, Topic), usize>,
    answers: BTreeMap<u64, u64>,
    blocks: BTreeMap<(Life, BlockHash), u64>,
}

impl Verdicts {
    /// A message of a peer waits for its verdict.
    pub(crate) fn arrives(
        &mut self,
        life: Life,
        (peer, topic): (u64, Topic),
        members: usize,
    ) -> Result<(), Violation> {
        let open = self.open.entry((life, peer, topic)).or_default();
        *open += 1;
        // The message being verified is not counted.
        if *open <= OPEN_MAX.max(2 * members) + 1 {
            return Ok(());
        }
        let detail = format!("node {}: {open} messages of peer {peer} on {topic:?}", life.0);
        Err(Violation::new("messages without a verdict are bounded", detail))
    }

    /// A message got its verdict.
    pub(crate) fn judged(&mut self, life: Life, (peer, topic): (u64, Topic)) {
        if let Some(open) = self.open.get_mut(&(life, peer, topic)) {
            *open -= 1;
        }
    }

    /// Records how long an honest vote waited at a node.
    pub(crate) fn waited(&mut self, node: usize, span: u64) {
        self.waits.entry(node).or_default().push(span);
    }

    /// A message of a hostile masternode is forwarded by an honest node that decides this height in this round.
    pub(crate) fn forwards(
        &mut self,
        life: Life,
        now: u64,
        (height, round): (Height, Round),
        message: &ConsensusMessage,
        member: u16,
    ) -> Result<(), Violation> {
        let Some((slot, value)) = slot(message, member) else { return Ok(()) };
        let rounds_max = match slot.0.cmp(&height) {
            // The height was decided meanwhile.
            std::cmp::Ordering::Less => u32::MAX,
            std::cmp::Ordering::Equal => round.0.saturating_add(ROUNDS_AHEAD),
            std::cmp::Ordering::Greater => ROUNDS_AHEAD,
        };
        if slot.1.0 > rounds_max || slot.0 > height.next() || slot.0.0 + 2 < height.0 {
            let detail = format!("node {} at {height}/{round} forwards {slot:?}", life.0);
            return Err(Violation::new("what is forwarded is near", detail));
        }
        let second = now / SECOND;
        let forwarded =
            self.forwarded.entry((life, slot)).or_insert(Forwarded { value, second, times: 0 });
        if forwarded.second != second {
            (forwarded.second, forwarded.times) = (second, 0);
        }
        forwarded.times += 1;
        if forwarded.value != value || forwarded.times > FORWARDS_A_SECOND {
            let detail = format!(
                "node {} forwards {slot:?} for the {} time: {value:?} after {:?}",
                life.0, forwarded.times, forwarded.value
            );
            return Err(Violation::new("one value of a slot is forwarded", detail));
        }
        Ok(())
    }

    /// A message of a peer without a key is rejected.
    pub(crate) fn rejects(
        &mut self,
        life: Life,
        peer: u64,
        message: &ConsensusMessage,
    ) -> Result<(), Violation> {
        let spent = self.rejected.entry((life, peer)).or_default();
        *spent += SIGNATURE_US * signatures(message);
        if *spent <= REJECTED_US {
            return Ok(());
        }
        let detail = format!("node {}: {spent} us on rejected messages of {peer}", life.0);
        Err(Violation::new("a rejected peer is not verified", detail))
    }

    /// A job for the answer of a stranger checked so many signatures, in a set of so many masternodes.
    pub(crate) fn answer_costs(
        &mut self,
        call: u64,
        (checked, members): (u64, u64),
    ) -> Result<(), Violation> {
        let spent = self.answers.entry(call).or_default();
        *spent += checked;
        // Two certificates, the votes of two rounds, a proposal with its polka, and the votes of one key.
        if *spent <= 7 * members + 1 + OWN_VOTES {
            return Ok(());
        }
        let detail = format!("{spent} signatures of the answer to call {call} were checked");
        Err(Violation::new("the work for an answer is bounded", detail))
    }

    /// So many signatures were checked to execute a block.
    pub(crate) fn block_costs(
        &mut self,
        life: Life,
        block: BlockHash,
        checked: u64,
    ) -> Result<(), Violation> {
        let spent = self.blocks.entry((life, block)).or_default();
        *spent += SIGNATURE_US * checked;
        if *spent <= BLOCK_US {
            return Ok(());
        }
        let detail = format!("node {}: {} ms on {block:?}", life.0, *spent / 1_000);
        Err(Violation::new("the work for a block is bounded", detail))
    }

    /// How long votes waited for their verdict at the 99th percentile of the slowest node, in microseconds.
    pub(crate) fn vote_wait(&self) -> Option<u64> {
        let measured = self.waits.values().filter(|waits| waits.len() >= VOTES_MIN);
        let percentile = |waits: &Vec<u64>| {
            let mut waits = waits.clone();
            waits.sort_unstable();
            waits[waits.len() * 99 / 100]
        };
        measured.map(percentile).max()
    }

    /// Honest votes got their verdicts in time.
    pub(crate) fn check_waits(&self) -> Result<(), Violation> {
        match self.vote_wait() {
            Some(wait) if wait > VOTE_WAIT_US => {
                let detail = format!("{} ms at the 99th percentile", wait / 1_000);
                Err(Violation::new("votes get their verdicts in time", detail))
            }
            _ => Ok(()),
        }
    }
}

/// What a masternode says, and where, if it is its own vote or proposal.
fn slot(message: &ConsensusMessage, member: u16) -> Option<(Slot, Value)> {
    match message {
        ConsensusMessage::Vote(vote) => Some((
            (vote.height, vote.round, Some(vote.kind), member),
            (vote.block, vote.valid_round),
        )),
        ConsensusMessage::Proposal(proposal) => Some((
            (proposal.height(), proposal.round, None, member),
            (Some(proposal.block_hash()), proposal.valid_round),
        )),
        _ => None,
    }
}

fn signatures(message: &ConsensusMessage) -> u64 {
    let signatures = match message {
        ConsensusMessage::Vote(_) => 1,
        ConsensusMessage::Proposal(proposal) => {
            1 + proposal.polka.as_ref().map_or(0, |polka| polka.signatures.len())
        }
        ConsensusMessage::Certificate(certificate) => certificate.signatures.len(),
        ConsensusMessage::Round(certificate) => certificate.votes.len(),
        ConsensusMessage::Evidence(_) => 2,
    };
    signatures as u64
}
