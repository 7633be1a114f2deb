//! Blocks that may be decided at this height: from a compact proposal to a checked delta.
//!
//! Invariant: at most `CANDIDATES_MAX` at a time, each with bodies of at most one block; the block of
//! the valid polka is never dropped, and one that is dropped is no longer known to be valid.
use super::{Effect, Engine, Peer, Report, Timer};
use crate::{
    codec,
    consensus::{self, Step},
    ledger::{BlockDelta, ExecuteError, LedgerView},
    limits::CANDIDATES_MAX,
    rules::RuleError,
    types::{Block, BlockHash, Millis, Now, Proposal, Round, Timestamp, Transaction, WTxId},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How often the propose timer is set again for a proposal that is being executed here.
const EXECUTING_PATIENCE: u32 = 3;
/// The same for one whose bodies are missing: less, for its proposer may be withholding them.
const GATHERING_PATIENCE: u32 = 1;

/// How far a candidate is.
#[derive(Debug)]
enum State {
    /// Bodies are missing.
    Gathering,
    /// Being executed.
    Executing,
    /// Keeps the rules; this is what it does.
    Valid(Arc<BlockDelta>),
    /// Breaks this rule.
    Invalid(String),
}

/// Transactions of a block; `true` where the signatures were checked at admission.
pub(super) type Bodies = BTreeMap<WTxId, (Arc<Transaction>, bool)>;

/// Who wants room for a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// This node: its own proposal, or a block that is final.
    Ours,
    /// Whoever sends proposals.
    Others,
}

/// One block.
#[derive(Debug)]
struct Candidate {
    seen: Millis,
    from: Option<Peer>,
    proposal: Option<Proposal>,
    block: Option<Arc<Block>>,
    /// Bodies gathered so far.
    bodies: Bodies,
    /// Their encoded length.
    bytes: usize,
    missing: BTreeSet<WTxId>,
    state: State,
}

/// The blocks of one height.
#[derive(Debug, Default)]
pub(super) struct Candidates(BTreeMap<BlockHash, Candidate>);

impl Candidates {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn block(&self, hash: &BlockHash) -> Option<Arc<Block>> {
        self.0.get(hash)?.block.clone()
    }

    pub(super) fn delta(&self, hash: &BlockHash) -> Option<Arc<BlockDelta>> {
        match &self.0.get(hash)?.state {
            State::Valid(delta) => Some(delta.clone()),
            _ => None,
        }
    }

    pub(super) fn is_invalid(&self, hash: &BlockHash) -> bool {
        matches!(self.0.get(hash).map(|candidate| &candidate.state), Some(State::Invalid(_)))
    }

    /// The rule that the block breaks.
    pub(super) fn broken_rule(&self, hash: &BlockHash) -> Option<&str> {
        match &self.0.get(hash)?.state {
            State::Invalid(rule) => Some(rule),
            _ => None,
        }
    }

    /// The parent of a block that does not follow this one.
    pub(super) fn other_parent(&self, hash: &BlockHash, tip: BlockHash) -> Option<BlockHash> {
        let parent = self.0.get(hash)?.block.as_ref()?.header.parent;
        (parent != tip).then_some(parent)
    }

    pub(super) fn is_known(&self, hash: &BlockHash) -> bool {
        self.0.get(hash).is_some_and(|candidate| candidate.block.is_some())
    }

    pub(super) fn seen(&self, hash: &BlockHash) -> Option<Millis> {
        self.0.get(hash).map(|candidate| candidate.seen)
    }

    /// Whether the block came by sync: nobody proposed it to this node.
    pub(super) fn is_synced(&self, hash: &BlockHash) -> bool {
        self.0.get(hash).is_some_and(|candidate| candidate.proposal.is_none())
    }

    /// Who sent the proposal, once: the next to be asked is another.
    pub(super) fn take_from(&mut self, hash: &BlockHash) -> Option<Peer> {
        self.0.get_mut(hash)?.from.take()
    }

    pub(super) fn missing(&self, hash: &BlockHash) -> Option<&BTreeSet<WTxId>> {
        self.0.get(hash).map(|candidate| &candidate.missing)
    }

    /// The proposal of a round for those who missed it, best that of this block.
    pub(super) fn proposal(&self, round: Round, block: Option<BlockHash>) -> Option<&Proposal> {
        let of_round = |candidate: &&Candidate| {
            candidate.proposal.as_ref().is_some_and(|proposal| proposal.round == round)
        };
        let wanted = block.and_then(|block| self.0.get(&block)).filter(of_round);
        wanted.or_else(|| self.0.values().find(of_round))?.proposal.as_ref()
    }

    /// A body that some candidate holds.
    pub(super) fn body(&self, id: &WTxId) -> Option<&Arc<Transaction>> {
        self.0.values().find_map(|candidate| candidate.bodies.get(id)).map(|(body, _)| body)
    }

    /// Takes the bodies of a block that is decided.
    pub(super) fn take_bodies(&mut self, hash: &BlockHash) -> Bodies {
        self.0
            .get_mut(hash)
            .map(|candidate| std::mem::take(&mut candidate.bodies))
            .unwrap_or_default()
    }

    pub(super) fn note_proposal(&mut self, now: Millis, from: Option<Peer>, proposal: &Proposal) {
        let candidate = self.entry(proposal.block_hash(), now);
        candidate.from = candidate.from.or(from);
        if candidate.proposal.as_ref().is_none_or(|known| known.round < proposal.round) {
            candidate.proposal = Some(proposal.clone());
        }
    }

    fn entry(&mut self, hash: BlockHash, now: Millis) -> &mut Candidate {
        self.0.entry(hash).or_insert_with(|| Candidate {
            seen: now,
            from: None,
            proposal: None,
            block: None,
            bodies: BTreeMap::new(),
            bytes: 0,
            missing: BTreeSet::new(),
            state: State::Gathering,
        })
    }

    /// The oldest but these; one that is being executed only if there is no other.
    fn oldest_but(&self, keep: &BTreeSet<BlockHash>) -> Option<(BlockHash, bool)> {
        let others = self.0.iter().filter(|(hash, _)| !keep.contains(*hash));
        let rank = |candidate: &Candidate| (candidate.is_executing(), candidate.seen);
        let oldest = others.min_by_key(|(_, candidate)| rank(candidate));
        oldest.map(|(hash, candidate)| (*hash, candidate.is_executing()))
    }
}

impl Candidate {
    fn is_executing(&self) -> bool {
        matches!(self.state, State::Executing)
    }

    fn add_body(&mut self, id: WTxId, body: Arc<Transaction>, bytes: usize, is_verified: bool) {
        self.missing.remove(&id);
        if self.bodies.insert(id, (body, is_verified)).is_none() {
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }
}

impl<V: LedgerView> Engine<V> {
    /// A checked proposal of this height, from a peer or our own from before a restart.
    pub(super) fn on_proposal(&mut self, now: Now, from: Option<Peer>, proposal: Proposal) {
        let (round, valid_round) = (proposal.round, proposal.valid_round);
        if !self.consensus.admits_round(round) || proposal.header.parent != self.state.block {
            return;
        }
        if let Some(polka) = proposal.polka.clone() {
            self.drive(now, consensus::Input::Certificate(polka));
        }
        let block = proposal.block_hash();
        if !self.consensus.admits_proposal(round, block, valid_round) {
            return; // A proposer that signs more than two for one round gets no more room.
        }
        if valid_round.is_none() && self.is_ahead_of_clock(now, &proposal) {
            return;
        }
        let is_new = self.candidates.0.get(&block).is_none_or(|c| c.proposal.is_none());
        if !self.make_room(block, Whose::Others) {
            return;
        }
        self.candidates.note_proposal(now.mono, from, &proposal);
        self.drive(now, consensus::Input::Proposal { round, block, valid_round });
        if is_new && !self.candidates.is_known(&block) {
            self.gather(now, block, &proposal);
        }
    }

    /// The propose timer ran out while the round's proposal is here and being gathered or executed: a
    /// large block on a busy machine. Then the proposer is not at fault, and a nil vote would cost
    /// everyone a round. Waits again, a bounded number of times.
    pub(super) fn waits_for_own_verdict(&mut self, now: Now, round: Round) -> bool {
        let patience = |block| match self.candidates.0.get(&block).map(|candidate| &candidate.state)
        {
            Some(State::Executing) => EXECUTING_PATIENCE,
            Some(State::Gathering) => GATHERING_PATIENCE,
            _ => 0,
        };
        let waits = round == self.consensus.round()
            && self.consensus.step() == Step::Propose
            && self.consensus.blocks_in(round).any(|block| self.patience < patience(block));
        if waits {
            self.patience += 1;
            self.set_step_timer(now, round, Step::Propose);
        }
        waits
    }

    /// Makes room for this candidate. False where all are needed: never for what is our own or final.
    pub(super) fn make_room(&mut self, block: BlockHash, whose: Whose) -> bool {
        if self.candidates.0.contains_key(&block) || self.candidates.0.len() < CANDIDATES_MAX {
            return true;
        }
        let valid = self.consensus.valid().and_then(|polka| polka.block);
        let mut keep: BTreeSet<BlockHash> = valid.into_iter().chain(self.decided_block()).collect();
        keep.extend(self.consensus.blocks_in(self.consensus.round()));
        let Some((oldest, is_executing)) = self.candidates.oldest_but(&keep) else { return false };
        // The work of others' proposals is bounded by those that are here.
        if is_executing && whose == Whose::Others {
            return false;
        }
        self.candidates.0.remove(&oldest);
        // Without its body a block must not be locked, whatever was known of it.
        self.consensus.forget(&oldest);
        true
    }

    fn is_ahead_of_clock(&mut self, now: Now, proposal: &Proposal) -> bool {
        let timestamp = proposal.header.timestamp;
        let drift = self.chain.params().clock_drift_max.0;
        // No block can be earlier than just after its parent: should clocks that were ahead have carried
        // the chain's time away, refusing that one would stop the chain until the clocks get there.
        let least = Timestamp(self.state.timestamp.0 + 1);
        let is_ahead = timestamp > least.max(Timestamp(now.wall.0.saturating_add(drift)));
        if is_ahead {
            self.skewed = Some((proposal.round, Millis(timestamp.0.saturating_sub(now.wall.0))));
            let (height, proposer) = (proposal.height(), proposal.header.proposer);
            let clock = now.wall;
            let report = Report::ClockSkew { height, proposer, timestamp, clock };
            self.effects.push(Effect::Report(report));
        }
        is_ahead
    }

    /// Collects the bodies from the mempool; what is not there may still arrive by gossip.
    fn gather(&mut self, now: Now, block: BlockHash, proposal: &Proposal) {
        let Some(candidate) = self.candidates.0.get_mut(&block) else { return };
        for id in &proposal.transactions {
            match self.mempool.get(id) {
                Some(entry) => {
                    candidate.add_body(*id, entry.transaction().clone(), entry.bytes(), true);
                }
                None => {
                    candidate.missing.insert(*id);
                }
            }
        }
        if !self.assemble(now, block) {
            self.set_timer(Timer::Bodies(block), now.mono.plus(super::bodies::PATIENCE));
        }
    }

    /// A body has come: from gossip with its signatures checked, or by request without.
    pub(super) fn offer_body(
        &mut self,
        now: Now,
        id: WTxId,
        body: &Arc<Transaction>,
        is_verified: bool,
    ) {
        let mut waited = Vec::new();
        for (hash, candidate) in &mut self.candidates.0 {
            if candidate.missing.contains(&id) {
                let bytes = codec::encode(&**body).len();
                candidate.add_body(id, body.clone(), bytes, is_verified);
                waited.push(*hash);
            }
        }
        for hash in waited {
            self.assemble(now, hash);
        }
    }

    /// Puts a block together and has it executed. False where bodies are missing.
    fn assemble(&mut self, now: Now, hash: BlockHash) -> bool {
        let max = usize::try_from(self.chain.params().block_bytes_max).unwrap_or(usize::MAX);
        let Some(candidate) = self.candidates.0.get_mut(&hash) else { return true };
        if candidate.bytes > max {
            // No use in gathering the rest: ids are short, and what they stand for may be large.
            let bytes = candidate.bytes;
            self.refuse_candidate(now, hash, &RuleError::BlockTooLarge { bytes, max });
            return true;
        }
        if !candidate.missing.is_empty() {
            return false;
        }
        let Some(proposal) = &candidate.proposal else { return true };
        let transactions = proposal
            .transactions
            .iter()
            .filter_map(|id| candidate.bodies.get(id))
            .map(|(body, _)| (**body).clone())
            .collect();
        let block = Block {
            header: proposal.header.clone(),
            transactions,
            last_commit: proposal.last_commit.clone(),
            evidence: proposal.evidence.clone(),
        };
        self.execute_candidate(Arc::new(block));
        true
    }

    /// A block breaks a rule.
    fn refuse_candidate(&mut self, now: Now, block: BlockHash, error: &RuleError) {
        let Some(candidate) = self.candidates.0.get_mut(&block) else { return };
        candidate.state = State::Invalid(error.to_string());
        candidate.bodies.clear();
        candidate.missing.clear();
        let (height, error) = (self.height(), error.to_string());
        self.effects.push(Effect::Report(Report::InvalidBlock { height, block, error }));
        self.drive(now, consensus::Input::Validity { block, valid: false });
    }

    /// Has a complete block executed, unless it is or was already.
    pub(super) fn execute_candidate(&mut self, block: Arc<Block>) {
        let hash = block.hash();
        self.make_room(hash, Whose::Ours);
        let candidate = self.candidates.entry(hash, self.height_started);
        if !matches!(candidate.state, State::Gathering) {
            return;
        }
        candidate.state = State::Executing;
        candidate.block = Some(block.clone());
        candidate.missing.clear();
        // Recovered, synced or our own: peers may ask for its bodies as for any other's.
        if candidate.bodies.len() < block.transactions.len() {
            for transaction in &block.transactions {
                let id = transaction.wtxid();
                let is_verified = self.mempool.get(&id).is_some();
                let body = || (Arc::new(transaction.clone()), is_verified);
                candidate.bodies.entry(id).or_insert_with(body);
            }
        }
        let verified: BTreeSet<WTxId> =
            candidate.bodies.iter().filter(|(_, (_, ok))| *ok).map(|(id, _)| *id).collect();
        let parent = self.state.clone();
        let layers = self.view.layers().to_vec();
        self.effects.push(Effect::Execute { block, parent, layers, verified });
    }

    /// The verdict on a block. One of a height that has passed is no longer known and changes nothing.
    pub(super) fn on_executed(
        &mut self,
        now: Now,
        block: BlockHash,
        result: Result<Box<BlockDelta>, ExecuteError>,
    ) {
        let found = self.candidates.0.get_mut(&block);
        // One that was dropped meanwhile and proposed again waits for its own execution.
        let Some(candidate) = found.filter(|found| matches!(found.state, State::Executing)) else {
            return;
        };
        match result {
            Ok(delta) => {
                candidate.state = State::Valid(Arc::new(*delta));
                self.drive(now, consensus::Input::Validity { block, valid: true });
                self.try_propose(now);
            }
            Err(ExecuteError::Rule(error)) => self.refuse_candidate(now, block, &error),
            Err(ExecuteError::View(error)) => self.halt(error.to_string()),
        }
    }

    fn decided_block(&self) -> Option<BlockHash> {
        self.decided.as_ref().and_then(|certificate| certificate.block)
    }
}
