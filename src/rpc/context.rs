//! The context of methods.
use super::{error::RpcError, reads::Reads};
use crate::{api::Ask, node::NodeHandle};
use timecoin_chain::genesis::Network;

/// Everything a method may use.
pub(super) struct Context {
    pub(super) node: NodeHandle,
    pub(super) reads: Reads,
}

impl Context {
    pub(super) fn new(node: NodeHandle) -> Self {
        Self { reads: Reads::new(node.store.clone()), node }
    }

    pub(super) fn network(&self) -> Network {
        self.node.chain.genesis.network
    }
}

/// A request that this server answers.
pub(super) trait Serve: Ask {
    /// Whether the answer may be megabytes of JSON, which are written off the async threads.
    const IS_LARGE: bool = false;

    fn serve(
        self,
        context: &Context,
    ) -> impl Future<Output = Result<Self::Answer, RpcError>> + Send;
}
