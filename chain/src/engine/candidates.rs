//! The proposed blocks of one height: their bodies as they come, and what is known of each.
use super::Peer;
use crate::{
    ledger::BlockDelta,
    mempool::Mempool,
    rules::RuleError,
    types::{Block, BlockHash, Millis, Proposal, Round, Transaction, WTxId},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How far a candidate is.
#[derive(Debug)]
pub(super) enum State {
    /// Bodies are missing.
    Gathering,
    /// Complete, but too costly to be executed before it is backed.
    Waiting,
    /// Being executed.
    Executing,
    /// Keeps the rules; this is what it does.
    Valid(Arc<BlockDelta>),
    /// Breaks this rule.
    Invalid(String),
}

/// Transactions of a block; `true` where the signatures were checked at admission.
pub(super) type Bodies = BTreeMap<WTxId, (Transaction, bool)>;

/// Who wants room for a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// A proposal of the current round, one of this node's own, or a block that is final.
    Needed,
    /// Any other proposal.
    Others,
}

/// One block.
#[derive(Debug)]
pub(super) struct Candidate {
    seen: Millis,
    from: Option<Peer>,
    pub(super) proposal: Option<Proposal>,
    pub(super) block: Option<Arc<Block>>,
    /// Bodies gathered so far.
    pub(super) bodies: Bodies,
    /// Their encoded length.
    bytes: usize,
    /// Signatures in those of them that were not verified at admission.
    pub(super) unseen: usize,
    pub(super) missing: BTreeSet<WTxId>,
    pub(super) state: State,
}

/// The blocks of one height.
#[derive(Debug, Default)]
pub(super) struct Candidates(pub(super) BTreeMap<BlockHash, Candidate>);

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

    /// The proposal of a round for those who missed it, best that of this block, of whatever round.
    pub(super) fn proposal(&self, round: Round, block: Option<BlockHash>) -> Option<&Proposal> {
        let of_round = |candidate: &&Candidate| {
            candidate.proposal.as_ref().is_some_and(|proposal| proposal.round == round)
        };
        let wanted = block.and_then(|block| self.0.get(&block)?.proposal.as_ref());
        wanted.or_else(|| self.0.values().find(of_round)?.proposal.as_ref())
    }

    /// How many blocks were proposed last in this round.
    pub(super) fn proposed_in(&self, round: Round) -> usize {
        let proposals = self.0.values().filter_map(|candidate| candidate.proposal.as_ref());
        proposals.filter(|proposal| proposal.round == round).count()
    }

    /// A body that some candidate holds.
    pub(super) fn body(&self, id: &WTxId) -> Option<&Transaction> {
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

    pub(super) fn entry(&mut self, hash: BlockHash, now: Millis) -> &mut Candidate {
        self.0.entry(hash).or_insert_with(|| Candidate {
            seen: now,
            from: None,
            proposal: None,
            block: None,
            bodies: BTreeMap::new(),
            bytes: 0,
            unseen: 0,
            missing: BTreeSet::new(),
            state: State::Gathering,
        })
    }

    /// The oldest but these.
    pub(super) fn oldest_but(&self, keep: &BTreeSet<BlockHash>) -> Option<BlockHash> {
        let others = self.0.iter().filter(|(hash, _)| !keep.contains(*hash));
        others.min_by_key(|(_, candidate)| candidate.seen).map(|(hash, _)| *hash)
    }

    /// Those that are being executed.
    pub(super) fn executing(&self) -> impl Iterator<Item = BlockHash> {
        self.0.iter().filter(|(_, candidate)| candidate.is_executing()).map(|(hash, _)| *hash)
    }

    /// Those that wait to be backed.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&BlockHash, &Candidate)> {
        self.0.iter().filter(|(_, candidate)| matches!(candidate.state, State::Waiting))
    }
}

impl Candidate {
    fn is_executing(&self) -> bool {
        matches!(self.state, State::Executing)
    }

    fn add_body(&mut self, body: Transaction, is_verified: bool) {
        let id = body.wtxid();
        self.missing.remove(&id);
        let signatures = body.signatures();
        match self.bodies.get_mut(&id) {
            None => {
                self.bytes = self.bytes.saturating_add(body.encoded_len());
                self.unseen += if is_verified { 0 } else { signatures };
                self.bodies.insert(id, (body, is_verified));
            }
            Some((_, was_verified)) if is_verified && !*was_verified => {
                *was_verified = true;
                self.unseen -= signatures;
            }
            Some(_) => {}
        }
    }

    /// Whether this body is missing, or its signatures are yet to be checked with the block.
    fn lacks(&self, id: &WTxId, is_verified: bool) -> bool {
        let is_open = matches!(self.state, State::Gathering | State::Waiting);
        let is_unseen = || self.bodies.get(id).is_some_and(|(_, ok)| !ok);
        is_open && (self.missing.contains(id) || is_verified && is_unseen())
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
                    candidate.add_body(entry.transaction().clone(), true);
                }
                None => {
                    candidate.missing.insert(*id);
                }
            }
        }
    }

    /// A body has come. Returns the candidates that lacked it.
    pub(super) fn add_body(&mut self, body: &Transaction, is_verified: bool) -> Vec<BlockHash> {
        let id = body.wtxid();
        let mut waited = Vec::new();
        for (hash, candidate) in &mut self.0 {
            if candidate.lacks(&id, is_verified) {
                candidate.add_body(body.clone(), is_verified);
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
        let Some(proposal) = candidate.proposal.as_ref().filter(|_| candidate.block.is_none())
        else {
            return Gathered::Nothing;
        };
        let transactions = proposal
            .transactions
            .iter()
            .filter_map(|id| candidate.bodies.get(id))
            .map(|(body, _)| body.clone())
            .collect();
        Gathered::Block(Arc::new(Block {
            header: proposal.header.clone(),
            transactions,
            last_commit: proposal.last_commit.clone(),
            evidence: proposal.evidence.clone(),
        }))
    }

    /// A block is complete: it waits until it is worth executing.
    pub(super) fn set_complete(&mut self, hash: &BlockHash, block: Arc<Block>) {
        if let Some(candidate) = self.0.get_mut(hash) {
            candidate.block = Some(block);
            candidate.state = State::Waiting;
        }
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
