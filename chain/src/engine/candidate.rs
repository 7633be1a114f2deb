//! Which of the blocks that may be decided at this height are executed, and when.
//!
//! Invariants: at most `CANDIDATES_MAX` at a time, each with bodies of at most one block; the block of
//! the valid polka is never dropped, and one that is dropped is no longer known to be valid. A proposal
//! of the current round always finds room.
//!
//! A proposal of another masternode is executed at once only if it is the first of its round and few of
//! its signatures are unseen here. Otherwise it waits until it is backed: decided, or prevoted by more
//! than a third of the weight, so that an honest masternode has executed it. So one bad block costs a
//! bounded amount of work, and its proposer can cause it once a round.
use super::{
    Effect, Report,
    candidates::{Candidate, State, Whose},
    height::HeightState,
    out::Out,
    pool::Pool,
    tip::Tip,
};
use crate::{
    consensus::Step,
    ledger::{Executable, Execution, LedgerView},
    limits::{CANDIDATES_MAX, ROUNDS_AHEAD_MAX, UNSEEN_SIGNATURES_MAX},
    rules::RuleError,
    types::{BlockHash, Round, WTxId},
};
use std::{collections::BTreeSet, sync::Arc};

/// How often the propose timer is set again for a proposal that is being executed here.
const EXECUTING_PATIENCE: u32 = 3;
/// The same for one whose bodies are missing: less, for its proposer may be withholding them.
const GATHERING_PATIENCE: u32 = 1;

impl HeightState {
    /// The propose timer ran out while the round's proposal is here and being gathered or executed: a
    /// large block on a busy machine. Then the proposer is not at fault, and a nil vote would cost
    /// everyone a round. True, a bounded number of times, where the timer is to be set again.
    pub(super) fn has_patience(&mut self, round: Round) -> bool {
        let patience = |block| match self.candidates.0.get(&block).map(|found| &found.state) {
            Some(State::Executing) => EXECUTING_PATIENCE,
            Some(State::Gathering | State::Waiting) => GATHERING_PATIENCE,
            _ => 0,
        };
        let waits = round == self.consensus.round()
            && self.consensus.step() == Step::Propose
            && self.consensus.blocks_in(round).any(|block| self.patience < patience(block));
        self.patience += u32::from(waits);
        waits
    }

    /// Makes room for this candidate: the execution of another ends. False where all are needed: never
    /// for a proposal of the current round, what is our own or final.
    pub(super) fn make_room(&mut self, block: BlockHash, whose: Whose, out: &mut Out) -> bool {
        if self.candidates.0.contains_key(&block) || self.candidates.0.len() < CANDIDATES_MAX {
            return true;
        }
        let valid = self.consensus.valid().and_then(|polka| polka.block);
        let mut needed: BTreeSet<BlockHash> =
            valid.into_iter().chain(self.decided_block()).collect();
        let round = self.consensus.round();
        needed.extend(self.consensus.blocks_in(round));
        needed.extend(self.consensus.past_polkas().next().map(|(_, block)| block));
        let mut wanted = needed.clone();
        for ahead in 1..=ROUNDS_AHEAD_MAX {
            wanted.extend(self.consensus.blocks_in(Round(round.0.saturating_add(ahead))));
        }
        let spare = self.candidates.oldest_but(&wanted);
        let of_later = || self.candidates.oldest_but(&needed).filter(|_| whose == Whose::Needed);
        let Some(oldest) = spare.or_else(of_later) else { return false };
        if self.candidates.is_executing(&oldest) {
            out.push(Effect::Cancel { block: oldest });
        }
        self.candidates.0.remove(&oldest);
        // Without its body a block must not be locked, whatever was known of it.
        self.consensus.forget(&oldest);
        true
    }

    /// The height is over: nobody waits for the verdict on its other blocks.
    pub(super) fn cancel_executions(&self, out: &mut Out) {
        for block in self.candidates.executing() {
            out.push(Effect::Cancel { block });
        }
    }

    /// Has the blocks executed that waited and are backed by now, or whose signatures were seen since.
    pub(super) fn execute_backed<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        pool: &Pool,
        out: &mut Out,
    ) {
        let ready: Vec<_> = self
            .candidates
            .waiting()
            .filter(|(hash, candidate)| self.is_worth_executing(hash, candidate))
            .filter_map(|(_, candidate)| candidate.block.clone())
            .collect();
        for block in ready {
            self.execute(tip, pool, block, out);
        }
    }

    fn is_worth_executing(&self, hash: &BlockHash, candidate: &Candidate) -> bool {
        let round = candidate.proposal.as_ref().map(|proposal| proposal.round);
        let is_first = round.is_some_and(|round| self.consensus.is_first_of(round, hash));
        is_first && candidate.unseen <= UNSEEN_SIGNATURES_MAX
            || self.decided_block() == Some(*hash)
            || self.consensus.is_backed(hash)
    }

    fn decided_block(&self) -> Option<BlockHash> {
        self.decided.as_ref().and_then(|certificate| certificate.block)
    }

    /// Has a complete block executed, unless it is or was already.
    pub(super) fn execute<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        pool: &Pool,
        block: impl Into<Executable>,
        out: &mut Out,
    ) {
        let executable = block.into();
        let block = Arc::clone(executable.block());
        let hash = block.hash();
        self.make_room(hash, Whose::Needed, out);
        let candidate = self.candidates.entry(hash, self.started);
        if !matches!(candidate.state, State::Gathering | State::Waiting) {
            return;
        }
        candidate.state = State::Executing;
        candidate.missing.clear();
        // Recovered, synced or our own: peers may ask for its bodies as for any other's.
        if candidate.bodies.len() < block.transactions.len() {
            for transaction in &block.transactions {
                let id = transaction.wtxid();
                let is_verified = pool.mempool.get(&id).is_some();
                let body = || (transaction.clone(), is_verified);
                candidate.bodies.entry(id).or_insert_with(body);
            }
        }
        candidate.block = Some(block);
        let verified: BTreeSet<WTxId> =
            candidate.bodies.iter().filter(|(_, (_, ok))| *ok).map(|(id, _)| *id).collect();
        let parent = tip.state.clone();
        let layers = tip.view.layers().to_vec();
        out.push(Effect::Execute(Execution { executable, parent, layers, verified }));
    }

    /// A block breaks a rule. False where it is not known.
    pub(super) fn refuse(&mut self, block: BlockHash, error: &RuleError, out: &mut Out) -> bool {
        let height = self.height();
        let Some(candidate) = self.candidates.0.get_mut(&block) else { return false };
        let error = error.to_string();
        candidate.state = State::Invalid(error.clone());
        candidate.bodies.clear();
        candidate.missing.clear();
        out.report(Report::InvalidBlock { height, block, error });
        true
    }
}
