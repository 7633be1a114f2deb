//! A block to execute, as a unit of work: the engine creates it, the shell runs it on any thread
//! and returns the result.
use super::{
    BlockDelta, ExecuteError, Layer, LedgerState, LedgerView, Overlay, execute, execute_certified,
};
use crate::{
    crypto::SignatureScheme,
    genesis::Chain,
    rules::CertifiedBlock,
    types::{Block, WTxId},
};
use std::{collections::BTreeSet, sync::Arc};

/// What is executed.
#[derive(Debug, Clone)]
pub enum Executable {
    /// A proposed block: nothing is verified.
    Proposed(Arc<Block>),
    /// A final block.
    Certified(CertifiedBlock),
}

impl Executable {
    /// The block.
    pub fn block(&self) -> &Arc<Block> {
        match self {
            Self::Proposed(block) => block,
            Self::Certified(certified) => certified.block(),
        }
    }
}

impl From<Arc<Block>> for Executable {
    fn from(block: Arc<Block>) -> Self {
        Self::Proposed(block)
    }
}

impl From<CertifiedBlock> for Executable {
    fn from(certified: CertifiedBlock) -> Self {
        Self::Certified(certified)
    }
}

/// Everything that the execution of a block needs except the coins of durable blocks.
#[derive(Debug, Clone)]
pub struct Execution {
    /// What is executed.
    pub executable: Executable,
    /// The state after its parent.
    pub parent: Arc<LedgerState>,
    /// The coins of ancestors that may not be durable yet, oldest first.
    pub layers: Vec<Arc<Layer>>,
    /// Transactions whose signatures were verified at admission.
    pub verified: BTreeSet<WTxId>,
}

impl Execution {
    /// The block.
    pub fn block(&self) -> &Arc<Block> {
        self.executable.block()
    }

    /// Executes it over the coins of the durable blocks.
    pub fn run(
        self,
        scheme: &dyn SignatureScheme,
        chain: &Chain,
        durable: impl LedgerView,
    ) -> Result<BlockDelta, ExecuteError> {
        let view = Overlay::new(durable, self.layers);
        let (parent, verified) = (&self.parent, &self.verified);
        match &self.executable {
            Executable::Proposed(block) => execute(scheme, chain, &view, parent, block, verified),
            Executable::Certified(block) => {
                execute_certified(scheme, chain, &view, parent, block, verified)
            }
        }
    }
}
