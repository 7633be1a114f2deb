//! What every room reads and none changes.
use crate::{
    genesis::{Chain, Params},
    types::{Height, MasternodeSet, Round},
};
use std::sync::Arc;

/// The chain, its masternodes and this node's place among them.
pub(super) struct Context {
    pub(super) chain: Arc<Chain>,
    pub(super) set: Arc<MasternodeSet>,
    /// This node's index in the set, if it is a masternode.
    pub(super) me: Option<u16>,
}

impl Context {
    pub(super) fn params(&self) -> &Params {
        self.chain.params()
    }

    pub(super) fn proposer(&self, height: Height, round: Round) -> u16 {
        self.set.proposer(height, round)
    }
}
