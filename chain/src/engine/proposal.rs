//! Proposals of others: from a verified message to a verdict on the block.
//!
//! Bodies that the mempool does not have are awaited from gossip for a moment, then asked for (`gathering.rs`).
use super::{Engine, Peer, Report, Timer, candidates::Whose, work::Work};
use crate::{
    consensus::{self, Consensus},
    ledger::{BlockDelta, Executable, ExecuteError, LedgerView},
    limits::PROPOSALS_PER_ROUND_MAX,
    rules::RuleError,
    types::{BlockHash, Millis, Now, Proposal, Round, Timestamp},
};

/// How long gossip may still bring a body before it is asked for.
const PATIENCE: Millis = Millis(40);

impl<V: LedgerView> Engine<V> {
    /// A verified proposal of this height, from a peer or our own from before a restart. The state
    /// machine hears its polka first.
    pub(super) fn hear_proposal(&mut self, from: Option<Peer>, proposal: Box<Proposal>) {
        if !self.follows_tip(&proposal) {
            return;
        }
        if let Some(polka) = proposal.polka.clone() {
            self.work.tell(consensus::Input::Certificate(polka));
        }
        self.work.push(Work::Proposal(from, proposal));
    }

    fn follows_tip(&self, proposal: &Proposal) -> bool {
        let consensus: &Consensus = &self.height.consensus;
        let is_near = || consensus.admits_round(proposal.round);
        let is_asked_for = || consensus.is_polka_of(proposal.round, proposal.block_hash());
        proposal.header.parent == self.tip.block() && (is_near() || is_asked_for())
    }

    pub(super) fn on_proposal(&mut self, now: Now, from: Option<Peer>, proposal: Proposal) {
        let (round, valid_round) = (proposal.round, proposal.valid_round);
        let block = proposal.block_hash();
        if !self.height.consensus.admits_proposal(round, block, valid_round) {
            return; // A proposer that signs more than two for one round gets no more room.
        }
        let is_ahead = valid_round.is_none() && self.is_ahead_of_clock(now, &proposal);
        let is_new = !self.height.candidates.has_proposal(&block);
        if is_new && is_ahead && !self.keeps_ahead(round, block) {
            return;
        }
        let is_current = round == self.height.consensus.round();
        let whose = if is_current { Whose::Needed } else { Whose::Others };
        if !self.height.make_room(block, whose, &mut self.out) {
            return;
        }
        self.height.candidates.note_proposal(now.mono, from, &proposal);
        if !is_ahead {
            self.work.tell(consensus::Input::Proposal { round, block, valid_round });
        }
        if is_new && valid_round.is_none() && is_current {
            let (proposer, timestamp) = (proposal.header.proposer, proposal.header.timestamp);
            let ahead = self.health.clock_compared(&self.ctx, now, proposer, timestamp);
            ahead.into_iter().for_each(|report| self.out.report(report));
        }
        if is_new && !self.height.candidates.is_known(&block) {
            self.height.candidates.gather(block, &proposal, &self.pool.mempool);
            if !self.assemble(block) {
                self.out.set_timer(Timer::Bodies(block), now.mono.plus(PATIENCE));
            }
        }
    }

    /// Whether a block that is ahead of the clock is kept, for this node to follow a polka or commit of others: not where
    /// as many of its round are here as one proposer may sign.
    fn keeps_ahead(&self, round: Round, block: BlockHash) -> bool {
        self.height.candidates.proposed_in(round) < PROPOSALS_PER_ROUND_MAX
            || self.height.consensus.is_polka_of(round, block)
    }

    /// The clock may have come to a proposal of the current round that was ahead of it: then, once, it is voted on as one
    /// that has just come. True where it has.
    pub(super) fn look_at_skewed_again(&mut self, now: Now) -> bool {
        let round = self.height.consensus.round();
        let skewed = self.height.skewed.take_if(|(skewed, _)| *skewed == round);
        let proposal = skewed.and_then(|_| self.height.candidates.proposal(round, None).cloned());
        let Some(proposal) = proposal else { return false };
        self.on_proposal(now, None, proposal);
        self.height.skewed.is_none()
    }

    fn is_ahead_of_clock(&mut self, now: Now, proposal: &Proposal) -> bool {
        let timestamp = proposal.header.timestamp;
        let drift = self.ctx.params().clock_drift_max.0;
        // No block can be earlier than just after its parent: if clocks that were ahead have carried the
        // chain's time away, refusing that one would stop the chain until the clocks get there.
        let latest = Timestamp(now.wall.0.saturating_add(drift));
        let is_ahead = timestamp > self.tip.least_timestamp().max(latest);
        if is_ahead {
            let by = Millis(timestamp.0.saturating_sub(now.wall.0));
            self.height.skewed = Some((proposal.round, by));
            let (height, proposer) = (proposal.height(), proposal.header.proposer);
            self.out.report(Report::ClockSkew { height, proposer, timestamp, clock: now.wall });
        }
        is_ahead
    }

    pub(super) fn execute(&mut self, block: impl Into<Executable>) {
        self.height.execute(&self.tip, &self.pool, block, &mut self.out);
    }

    pub(super) fn refuse_candidate(&mut self, block: BlockHash, error: &RuleError) {
        if self.height.refuse(block, error, &mut self.out) {
            self.work.tell(consensus::Input::Validity { block, valid: false });
        }
    }

    /// The verdict on a block. One of a height that has passed is no longer known and changes nothing.
    pub(super) fn on_executed(
        &mut self,
        block: BlockHash,
        result: Result<Box<BlockDelta>, ExecuteError>,
    ) {
        if !self.height.candidates.is_executing(&block) {
            return;
        }
        match result {
            Ok(delta) => {
                self.height.candidates.set_valid(&block, *delta);
                self.work.tell(consensus::Input::Validity { block, valid: true });
                self.work.push(Work::Propose);
            }
            Err(ExecuteError::Rule(error)) => self.refuse_candidate(block, &error),
            Err(ExecuteError::View(error)) => self.out.stop_on_contradiction(error.to_string()),
            // Of an execution that was wanted no more; the present one is still to come.
            Err(ExecuteError::Cancelled) => {}
        }
    }
}
