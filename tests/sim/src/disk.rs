//! A disk that loses all or some of the writes that are not durable. Records pass through the real
//! codec.
//!
//! Blocks and the safety record are two files, as in the node. A write is one transaction of one
//! file: a crash leaves all of it or nothing. Writes to one file complete in the order they began,
//! so of several blocks in flight a crash may keep the first ones, never only a later one.
use crate::{faults::Unsynced, rng::Rng};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
    sync::Arc,
};
use timecoin_chain::{
    codec,
    crypto::PublicKey,
    engine::{Recovered, SafetyRecord, Stored},
    genesis::Chain,
    ledger::{
        BlockDelta, LedgerState, LedgerView, MemoryView, PositionedCoin, ViewError, genesis_delta,
    },
    types::{Block, BlockHash, Certificate, Height, OutPoint},
};

/// A planted fault, to check that the oracle notices it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flaw {
    /// None.
    #[default]
    None,
    /// After a crash the safety record is the first one again, and the node believes it.
    ForgetsRecord,
    /// Blocks that were reported durable do not survive a crash.
    ForgetsBlocks,
}

/// The coins as engine and disk share them.
#[derive(Debug, Clone, Default)]
pub struct SharedView(Rc<RefCell<MemoryView>>);

impl LedgerView for SharedView {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError> {
        self.0.borrow().coin(outpoint)
    }

    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError> {
        self.0.borrow().certificate(height)
    }
}

/// A decided block and its changes, being written.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The block.
    pub block: Arc<Block>,
    /// Its commit certificate.
    pub certificate: Arc<Certificate>,
    /// Its changes.
    pub delta: Arc<BlockDelta>,
}

/// A write that began and is not durable yet.
#[derive(Debug, Clone)]
enum Write {
    Record { bytes: Vec<u8>, named: BTreeSet<BlockHash>, blocks: Vec<Arc<Block>> },
    Commit(Commit),
}

/// The outcome of a crash for the writes in flight.
#[derive(Debug, Default)]
pub struct Wreck {
    /// Blocks that survived although none was reported durable.
    pub kept: Vec<Commit>,
    /// Blocks that were lost.
    pub lost: usize,
    /// Whether the record in flight survived, if there was one.
    pub record_kept: Option<bool>,
}

/// The durable state of one node.
#[derive(Debug)]
pub struct Disk {
    view: SharedView,
    state: Arc<LedgerState>,
    blocks: BTreeMap<Height, (Arc<Block>, Arc<Certificate>)>,
    /// None if it is lost, or if there is no key.
    record: Option<Vec<u8>>,
    safety_blocks: BTreeMap<BlockHash, Arc<Block>>,
    writing: VecDeque<Write>,
    /// The first record of a new key.
    first: Option<Vec<u8>>,
}

impl Disk {
    /// A new disk with the genesis, and the first record of a key.
    pub fn new(chain: &Chain, key: Option<PublicKey>) -> Self {
        let first = key.map(|key| codec::encode(&SafetyRecord::first(key)));
        let genesis = genesis_delta(chain);
        let view = SharedView::default();
        view.0.borrow_mut().apply(&genesis);
        Self {
            view,
            state: Arc::new(genesis.state),
            blocks: BTreeMap::new(),
            record: first.clone(),
            safety_blocks: BTreeMap::new(),
            writing: VecDeque::new(),
            first,
        }
    }

    /// The safety record is not on this disk.
    pub fn lose_record(&mut self) {
        (self.record, self.first) = (None, None);
    }

    /// The last durable height.
    pub fn height(&self) -> Height {
        self.state.height
    }

    /// The ledger's state after it.
    pub fn state(&self) -> &LedgerState {
        &self.state
    }

    /// The durable record.
    pub fn record(&self) -> Option<SafetyRecord> {
        codec::decode(self.record.as_ref()?).ok()
    }

    /// The coins after it.
    pub fn view(&self) -> &SharedView {
        &self.view
    }

    /// All coins after it.
    pub fn coins(&self) -> Vec<PositionedCoin> {
        self.view.0.borrow().coins().cloned().collect()
    }

    /// The certificate of the last block.
    pub fn tip(&self) -> Option<&Arc<Certificate>> {
        self.blocks.get(&self.height()).map(|(_, certificate)| certificate)
    }

    /// Final blocks from a height on, ascending.
    pub fn blocks(&self, from: Height, count: u32) -> Vec<(Block, Certificate)> {
        let count = usize::try_from(count).expect("32 bits fit");
        let found = self.blocks.range(from..).take(count);
        found.map(|(_, (block, commit))| ((**block).clone(), (**commit).clone())).collect()
    }

    /// Begins to write a record.
    pub fn begin_record(&mut self, record: &SafetyRecord, bytes: Vec<u8>, blocks: Vec<Arc<Block>>) {
        self.writing.push_back(Write::Record { bytes, named: record.blocks(), blocks });
    }

    /// The record in flight is durable.
    pub fn finish_record(&mut self) {
        let is_record = |write: &Write| matches!(write, Write::Record { .. });
        let first = self.writing.iter().position(is_record);
        if let Some(write) = first.and_then(|index| self.writing.remove(index)) {
            self.apply(write);
        }
    }

    /// Whether the store would take this record: the blocks that it names are stored with it.
    pub fn holds_blocks(&self, record: &SafetyRecord, new: &[Arc<Block>]) -> bool {
        let new: BTreeSet<BlockHash> = new.iter().map(|block| block.hash()).collect();
        record
            .blocks()
            .iter()
            .all(|hash| new.contains(hash) || self.safety_blocks.contains_key(hash))
    }

    /// Whether a block is being written.
    pub fn is_writing_block(&self) -> bool {
        self.writing.iter().any(|write| matches!(write, Write::Commit(_)))
    }

    /// Begins to write a block.
    pub fn begin_commit(&mut self, commit: Commit) {
        self.writing.push_back(Write::Commit(commit));
    }

    /// The first block in flight is durable.
    pub fn finish_commit(&mut self) -> Option<Commit> {
        let is_commit = |write: &Write| matches!(write, Write::Commit(_));
        let first = self.writing.iter().position(is_commit)?;
        let Some(Write::Commit(commit)) = self.writing.remove(first) else { return None };
        self.apply(Write::Commit(commit.clone()));
        Some(commit)
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Record { bytes, named, blocks } => {
                self.record = Some(bytes);
                self.safety_blocks.extend(blocks.into_iter().map(|block| (block.hash(), block)));
                self.safety_blocks.retain(|hash, _| named.contains(hash));
            }
            Write::Commit(Commit { block, certificate, delta }) => {
                self.view.0.borrow_mut().apply(&delta);
                self.view.0.borrow_mut().keep((*certificate).clone());
                self.state = Arc::new(delta.state.clone());
                self.blocks.insert(delta.height, (block, certificate));
            }
        }
    }

    /// A crash: of the writes in flight none survive, the first ones do, or any possible subset
    /// does.
    pub fn crash(&mut self, rng: &mut Rng, unsynced: Unsynced) -> Wreck {
        let writes = std::mem::take(&mut self.writing);
        let first_ones = rng.index(writes.len() + 1);
        let mut wreck = Wreck::default();
        for (index, write) in writes.into_iter().enumerate() {
            let survives = match unsynced {
                Unsynced::Lost => false,
                Unsynced::Prefix => index < first_ones,
                Unsynced::Subset => rng.chance(500),
            };
            match &write {
                Write::Record { .. } => wreck.record_kept = Some(survives),
                Write::Commit(commit) if survives && wreck.lost == 0 => {
                    wreck.kept.push(commit.clone());
                }
                Write::Commit(_) => {
                    wreck.lost += 1;
                    continue;
                }
            }
            if survives {
                self.apply(write);
            }
        }
        wreck
    }

    /// The effect of a planted fault in a crash.
    pub fn spoil(&mut self, flaw: Flaw, chain: &Chain) {
        match flaw {
            Flaw::None => {}
            Flaw::ForgetsRecord => self.record.clone_from(&self.first),
            Flaw::ForgetsBlocks => {
                let fresh = Self::new(chain, None);
                (self.view, self.state, self.blocks) = (fresh.view, fresh.state, fresh.blocks);
            }
        }
    }

    /// The block after the last durable one, if the record proves it decided.
    pub fn lost_decision(&self) -> Option<BlockHash> {
        let parent = self.record()?.parent?;
        parent.block.filter(|_| parent.height == self.height().next())
    }

    /// What a node reads at start.
    pub fn load(&self) -> Stored {
        let safety = self.record.as_ref().map(|bytes| {
            let record: SafetyRecord =
                codec::decode(bytes).expect("the record was encoded by this codec");
            let blocks = self.safety_blocks.values().map(|block| (**block).clone()).collect();
            Recovered { record, blocks }
        });
        let tip = self.tip().map(|certificate| (**certificate).clone());
        Stored { state: (*self.state).clone(), tip, safety }
    }
}
