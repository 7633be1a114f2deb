//! Reads the database on blocking threads, a bounded number at a time: a slow disk delays callers,
//! never consensus.
use super::error::RpcError;
use crate::api::Code;
use std::sync::Arc;
use timecoin_chain::{
    genesis::Chain,
    ledger::ViewError,
    types::{Block, BlockHash, Certificate, Height},
};
use timecoin_store::{Store, StoreError};
use tokio::sync::Semaphore;

/// Jobs that run at the same time.
const READS_MAX: usize = 16;

/// Access to the store.
pub(super) struct Reads {
    store: Arc<Store>,
    running: Arc<Semaphore>,
}

impl Reads {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, running: Arc::new(Semaphore::new(READS_MAX)) }
    }

    /// Runs a closure on a blocking thread.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let store = self.store.clone();
        self.off_thread(move || read(&store)).await?
    }

    /// Runs any job on a blocking thread.
    pub(super) async fn off_thread<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RpcError> {
        let running = self.running.clone();
        let permit = running.acquire_owned().await.map_err(RpcError::store)?;
        let task = tokio::task::spawn_blocking(move || {
            // Held by the job itself: it continues if its caller stops waiting.
            let _permit = permit;
            job()
        });
        task.await.map_err(RpcError::store)
    }
}

impl From<StoreError> for RpcError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoAddressIndex => {
                Self::new(Code::Misc, format_args!("{error}. Next: {}", error.next()))
                    .because("no-address-index")
            }
            error => Self::store(error),
        }
    }
}

impl From<ViewError> for RpcError {
    fn from(error: ViewError) -> Self {
        Self::store(error)
    }
}

/// A block that must exist.
pub(super) fn block_at(store: &Store, height: Height) -> Result<(Block, Certificate), RpcError> {
    store.block(height)?.ok_or_else(|| {
        let text = match height {
            Height::GENESIS => "height 0 is the genesis: it has no block".into(),
            height => format!("the database has no block at height {height}"),
        };
        RpcError::new(Code::NotFound, text).because("no-block")
    })
}

/// The hash of the block at a height; at height 0 the genesis hash.
pub(super) fn hash_at(
    store: &Store,
    chain: &Chain,
    height: Height,
) -> Result<Option<BlockHash>, RpcError> {
    match height {
        Height::GENESIS => Ok(Some(BlockHash(chain.hash.0))),
        height => Ok(store.hash_at(height)?),
    }
}
