//! The duties of an honest node, given what it knows, checked from its engine's inputs and outputs.
//!
//! - It votes only for blocks that it has executed itself.
//! - It signs nothing for a height that it was shown to be final.
//! - It sends no message for the first time unless its durable record holds it.
//! - It asks for one vote per slot: its guard never has to refuse a second one.
//! - After a restart it resumes at once with the block that its record proves decided.
//! - It does not wait for a timeout after a polka for nil.
//! - It proposes no new block if it was shown a polka for one that it has executed.
//! - Its mempool drops transactions that no block can include any more.
use crate::{
    oracle::{Violation, votes},
    world::World,
};
use timecoin_chain::{
    engine::{Input, NilWhy, Refusal, Report, SafetyRecord},
    types::{ConsensusMessage, Proposal, Vote},
};

/// Rounds after which a polka may be forgotten.
const PAST_ROUNDS: u32 = 8;

impl World {
    /// An input goes into a node's engine.
    pub(crate) fn takes(&mut self, node: usize, input: &Input) {
        match input {
            Input::Done(outcome) => {
                let verified = outcome.verified().iter();
                verified.for_each(|message| self.is_shown(node, message));
            }
            Input::Executed { block, result: Ok(_) } => {
                let duties = &mut self.nodes[node].duties;
                duties.checked.insert(*block);
                duties.executed.insert(*block);
            }
            _ => {}
        }
    }

    /// A verified message reaches a node.
    fn is_shown(&mut self, node: usize, message: &ConsensusMessage) {
        let ConsensusMessage::Certificate(certificate) = message else { return };
        if certificate.is_commit() {
            let shown = &mut self.nodes[node].duties.shown;
            *shown = (*shown).max(certificate.height);
        }
        let deciding = self.nodes[node].running.as_ref().map(|running| running.engine.height());
        if let Some(block) = certificate.block
            && certificate.is_polka()
            && Some(certificate.height) == deciding
        {
            let polka = &mut self.nodes[node].duties.polka;
            *polka = (*polka).max(Some((certificate.height, certificate.round, block)));
        }
    }

    /// A node signed something and makes its record durable.
    pub(crate) fn signs(&mut self, node: usize, record: &SafetyRecord) {
        let shown = self.nodes[node].duties.shown;
        if self.is_honest(node) && record.height <= shown {
            let detail = format!("node {node} signs for {} and was shown {shown}", record.height);
            self.expect(Err(Violation::new("nothing is signed for a final height", detail)));
        }
        if let Some(proposal) = &record.proposal {
            self.check_proposal(node, proposal);
        }
    }

    /// A node signs a proposal.
    fn check_proposal(&mut self, node: usize, proposal: &Proposal) {
        let duties = &mut self.nodes[node].duties;
        let place = (proposal.height(), proposal.round);
        if duties.proposed.replace(place) == Some(place) {
            return;
        }
        let Some((height, round, block)) = duties.polka else { return };
        let rests_on = proposal.valid_round.map_or(0, |rests_on| rests_on.0 + 1);
        let leaves = height == proposal.height()
            && (rests_on..proposal.round.0).contains(&round.0)
            && proposal.round.0 - round.0 <= PAST_ROUNDS
            && duties.executed.contains(&block);
        if leaves && self.is_honest(node) {
            let to = proposal.round;
            let detail = format!("node {node} at {height}/{to} leaves {block:?} of round {round}");
            self.expect(Err(Violation::new("a polka is proposed again", detail)));
        }
    }

    /// A vote leaves its own node.
    pub(crate) fn votes(&mut self, node: usize, vote: &Vote) {
        if !self.is_honest(node) {
            return;
        }
        let knows = vote.block.is_none_or(|block| self.nodes[node].duties.checked.contains(&block));
        if !knows {
            let Vote { kind, height, round, block, .. } = vote;
            let detail = format!("node {node} at {height}/{round}: {kind:?} for {block:?}");
            self.expect(Err(Violation::new("votes are for executed blocks", detail)));
        }
        let record = self.nodes[node].disk.record();
        let is_durable = record.is_some_and(|record| {
            let place = (record.height, record.round);
            let held = [&record.prevote, &record.precommit];
            place > (vote.height, vote.round) || held.into_iter().flatten().any(|own| own == vote)
        });
        if !is_durable {
            let Vote { kind, height, round, .. } = vote;
            let detail = format!("node {node}: {kind:?} at {height}/{round}");
            self.expect(Err(Violation::new("durable before it is published", detail)));
        }
    }

    /// A node has started.
    pub(crate) fn check_restart(&mut self, node: usize) {
        let owed = self.nodes[node].duties.owed.take();
        let running = self.nodes[node].running.as_ref();
        if let (Some(block), Some(false)) = (owed, running.map(|it| it.stall.is_persisting())) {
            let detail = format!("node {node} leaves {block:?}");
            self.expect(Err(Violation::new("what is decided is taken up again", detail)));
        }
    }

    /// A node reports.
    pub(crate) fn reports(&mut self, node: usize, report: &Report) {
        if !self.is_honest(node) {
            return;
        }
        match report {
            Report::Refused { height, round, refusal: Refusal::Conflict } => {
                let detail = format!("node {node} at {height}/{round}");
                self.expect(Err(Violation::new("one vote is wanted in one slot", detail)));
            }
            Report::Nil { height, round, why: NilWhy::NoPolka { nil, .. }, .. }
                if self.oracle.is_quorum(votes::members_of(nil.iter().copied())) =>
            {
                let detail = format!("node {node} at {height}/{round}: nil from {nil:?}");
                self.expect(Err(Violation::new("a polka for nil is not waited out", detail)));
            }
            _ => {}
        }
    }

    /// A node was told that a block is durable.
    pub(crate) fn check_expired(&mut self, node: usize) {
        let Some(running) = &self.nodes[node].running else { return };
        let next = running.engine.height();
        let mempool = running.engine.mempool();
        let expired = mempool.iter().find(|entry| entry.expiry_height() < next);
        let expired = expired.map(|entry| entry.txid());
        if let Some(txid) = expired {
            let detail = format!("node {node} at {next} holds {txid}");
            self.expect(Err(Violation::new("the mempool forgets what expired", detail)));
        }
    }
}
