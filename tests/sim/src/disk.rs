//! A disk that loses exactly what was not made durable. Records go through the real codec.
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};
use timecoin_chain::{
    codec,
    engine::{Recovered, SafetyRecord, Stored},
    genesis::Chain,
    ledger::{
        BlockDelta, LedgerState, LedgerView, MemoryView, PositionedCoin, ViewError, genesis_delta,
    },
    types::{Block, Certificate, Height, OutPoint},
};

/// A planted fault, to see whether the oracle notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flaw {
    /// None.
    #[default]
    None,
    /// The safety record does not survive a crash.
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
}

/// What is durable of one node.
#[derive(Debug)]
pub struct Disk {
    view: SharedView,
    state: Arc<LedgerState>,
    blocks: BTreeMap<Height, (Arc<Block>, Arc<Certificate>)>,
    record: Option<Vec<u8>>,
    valid_block: Option<Arc<Block>>,
}

impl Disk {
    /// A new disk with the genesis.
    pub fn new(chain: &Chain) -> Self {
        let genesis = genesis_delta(chain);
        let view = SharedView::default();
        view.0.borrow_mut().apply(&genesis);
        Self {
            view,
            state: Arc::new(genesis.state),
            blocks: BTreeMap::new(),
            record: None,
            valid_block: None,
        }
    }

    /// The last durable height.
    pub fn height(&self) -> Height {
        self.state.height
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

    /// Makes a record durable. Returns its bytes.
    pub fn persist(&mut self, record: &SafetyRecord, block: Option<Arc<Block>>) -> &[u8] {
        if block.is_some() {
            self.valid_block = block;
        }
        self.record.insert(codec::encode(record))
    }

    /// Whether the store would have taken this record: its valid block is beside it.
    pub fn holds_valid_block(&self, record: &SafetyRecord) -> bool {
        let held = || self.valid_block.as_deref().map(Block::hash);
        record.valid.as_ref().is_none_or(|polka| polka.block == held())
    }

    /// Makes a block durable.
    pub fn commit(&mut self, block: Arc<Block>, certificate: Arc<Certificate>, delta: &BlockDelta) {
        self.view.0.borrow_mut().apply(delta);
        self.state = Arc::new(delta.state.clone());
        self.blocks.insert(delta.height, (block, certificate));
    }

    /// What a planted fault does in a crash.
    pub fn crash(&mut self, flaw: Flaw, chain: &Chain) {
        match flaw {
            Flaw::None => {}
            Flaw::ForgetsRecord => self.record = None,
            Flaw::ForgetsBlocks => {
                let fresh = Self::new(chain);
                (self.view, self.state, self.blocks) = (fresh.view, fresh.state, fresh.blocks);
            }
        }
    }

    /// What a node finds at start.
    pub fn load(&self) -> Stored {
        let safety = self.record.as_ref().map(|bytes| {
            let record: SafetyRecord =
                codec::decode(bytes).expect("the record was encoded by this codec");
            let valid = record.valid.as_ref().and_then(|polka| polka.block);
            let block = self.valid_block.as_deref().filter(|block| Some(block.hash()) == valid);
            Recovered { block: block.cloned(), record }
        });
        let tip = self.tip().map(|certificate| (**certificate).clone());
        Stored { state: (*self.state).clone(), tip, safety }
    }
}
