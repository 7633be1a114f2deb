//! Blocks that may be decided at this height: from a compact proposal to a checked delta.
//!
//! Invariant: at most `CANDIDATES_MAX` at a time, each with bodies of at most one block; the block of
//! the valid polka is never dropped, and one that is dropped is no longer known to be valid.
use super::{Effect, Peer, Report, height::HeightState, out::Out, pool::Pool, tip::Tip};
use crate::{
    codec,
    consensus::Step,
    ledger::{BlockDelta, LedgerView},
    limits::CANDIDATES_MAX,
    mempool::Mempool,
    rules::RuleError,
    types::{Block, BlockHash, Millis, Proposal, Round, Transaction, WTxId},
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

impl HeightState {
    /// The propose timer ran out while the round's proposal is here and being gathered or executed: a
    /// large block on a busy machine. Then the proposer is not at fault, and a nil vote would cost
    /// everyone a round. True, a bounded number of times, where the timer is to be set again.
    pub(super) fn has_patience(&mut self, round: Round) -> bool {
        let patience = |block| match self.candidates.0.get(&block).map(|found| &found.state) {
            Some(State::Executing) => EXECUTING_PATIENCE,
            Some(State::Gathering) => GATHERING_PATIENCE,
            _ => 0,
        };
        let waits = round == self.consensus.round()
            && self.consensus.step() == Step::Propose
            && self.consensus.blocks_in(round).any(|block| self.patience < patience(block));
        self.patience += u32::from(waits);
        waits
    }

    /// Makes room for this candidate. False where all are needed: never for what is our own or final.
    pub(super) fn make_room(&mut self, block: BlockHash, whose: Whose) -> bool {
        if self.candidates.0.contains_key(&block) || self.candidates.0.len() < CANDIDATES_MAX {
            return true;
        }
        let valid = self.consensus.valid().and_then(|polka| polka.block);
        let decided = self.decided.as_ref().and_then(|certificate| certificate.block);
        let mut keep: BTreeSet<BlockHash> = valid.into_iter().chain(decided).collect();
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

    /// Has a complete block executed, unless it is or was already.
    pub(super) fn execute<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        pool: &Pool,
        block: Arc<Block>,
        out: &mut Out,
    ) {
        let hash = block.hash();
        self.make_room(hash, Whose::Ours);
        let candidate = self.candidates.entry(hash, self.started);
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
                let is_verified = pool.mempool.get(&id).is_some();
                let body = || (Arc::new(transaction.clone()), is_verified);
                candidate.bodies.entry(id).or_insert_with(body);
            }
        }
        let verified: BTreeSet<WTxId> =
            candidate.bodies.iter().filter(|(_, (_, ok))| *ok).map(|(id, _)| *id).collect();
        let parent = tip.state.clone();
        let layers = tip.view.layers().to_vec();
        out.push(Effect::Execute { block, parent, layers, verified });
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

/// What a gathered candidate is.
#[derive(Debug)]
pub(super) enum Gathered {
    /// Bodies are missing.
    No,
    /// There is nothing to put together.
    Nothing,
    /// Complete.
    Block(Arc<Block>),
    /// Larger than a block may be, whatever is still missing.
    TooLarge(RuleError),
}

impl Candidates {
    /// Notes which bodies a proposal needs; those of the mempool are there.
    pub(super) fn gather(&mut self, block: BlockHash, proposal: &Proposal, mempool: &Mempool) {
        let Some(candidate) = self.0.get_mut(&block) else { return };
        for id in &proposal.transactions {
            match mempool.get(id) {
                Some(entry) => {
                    candidate.add_body(*id, entry.transaction().clone(), entry.bytes(), true);
                }
                None => {
                    candidate.missing.insert(*id);
                }
            }
        }
    }

    /// A body has come. Returns the candidates that missed it.
    pub(super) fn add_body(
        &mut self,
        id: WTxId,
        body: &Arc<Transaction>,
        is_verified: bool,
    ) -> Vec<BlockHash> {
        let mut waited = Vec::new();
        for (hash, candidate) in &mut self.0 {
            if candidate.missing.contains(&id) {
                let bytes = codec::encode(&**body).len();
                candidate.add_body(id, body.clone(), bytes, is_verified);
                waited.push(*hash);
            }
        }
        waited
    }

    /// Puts a block of at most so many bytes together.
    pub(super) fn assemble(&self, hash: &BlockHash, max: usize) -> Gathered {
        let Some(candidate) = self.0.get(hash) else { return Gathered::Nothing };
        if candidate.bytes > max {
            // No use in gathering the rest: ids are short, and what they stand for may be large.
            return Gathered::TooLarge(RuleError::BlockTooLarge { bytes: candidate.bytes, max });
        }
        if !candidate.missing.is_empty() {
            return Gathered::No;
        }
        let Some(proposal) = &candidate.proposal else { return Gathered::Nothing };
        let transactions = proposal
            .transactions
            .iter()
            .filter_map(|id| candidate.bodies.get(id))
            .map(|(body, _)| (**body).clone())
            .collect();
        Gathered::Block(Arc::new(Block {
            header: proposal.header.clone(),
            transactions,
            last_commit: proposal.last_commit.clone(),
            evidence: proposal.evidence.clone(),
        }))
    }

    /// A block keeps the rules.
    pub(super) fn set_valid(&mut self, block: &BlockHash, delta: BlockDelta) {
        if let Some(candidate) = self.0.get_mut(block) {
            candidate.state = State::Valid(Arc::new(delta));
        }
    }

    /// Whether a verdict on this block is awaited. One that was dropped and is proposed again waits for
    /// its own execution.
    pub(super) fn is_executing(&self, block: &BlockHash) -> bool {
        self.0.get(block).is_some_and(Candidate::is_executing)
    }

    /// Whether a proposal of this block was noted.
    pub(super) fn has_proposal(&self, block: &BlockHash) -> bool {
        self.0.get(block).is_some_and(|candidate| candidate.proposal.is_some())
    }
}
