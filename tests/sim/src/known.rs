//! What a node was shown and has executed, which determines its duties.
use std::collections::BTreeSet;
use timecoin_chain::types::{BlockHash, Height, Round};

/// What a node knows.
#[derive(Debug, Default)]
pub struct Duties {
    /// Blocks that it has executed, in all its lives.
    pub(crate) checked: BTreeSet<BlockHash>,
    /// The greatest height that it was shown to be final since it started.
    pub(crate) shown: Height,
    /// A block that its record proves decided, until the node resumes with it.
    pub(crate) owed: Option<BlockHash>,
    /// Blocks that it has executed since it started.
    pub(crate) executed: BTreeSet<BlockHash>,
    /// The latest polka that it was shown since it started, at the height that it was deciding.
    pub(crate) polka: Option<(Height, Round, BlockHash)>,
    /// Its last proposal, in all its lives.
    pub(crate) proposed: Option<(Height, Round)>,
}

impl Duties {
    /// The node starts again, with a record that proves this block decided.
    pub fn restart(&mut self, owed: Option<BlockHash>) {
        let checked = std::mem::take(&mut self.checked);
        *self = Self { checked, owed, proposed: self.proposed, ..Self::default() };
    }

    /// The node has a block executed.
    pub fn executes(&mut self, block: BlockHash) {
        self.owed = self.owed.filter(|owed| *owed != block);
    }
}
