//! How the rest of the program talks to the running node: bounded messages in, snapshots out.
//!
//! Never gives access to the engine itself: a slow reader cannot delay consensus.
use std::{sync::Arc, time::Instant};
use timecoin_chain::{
    engine::{EngineStatus, Report},
    genesis::Chain,
    ledger::FoundCoins,
    mempool::{Acceptable, MempoolStats, Reject},
    types::{
        Amount, Block, BlockHash, Certificate, Height, Millis, Timestamp, Transaction, TxId, WTxId,
    },
};
use timecoin_network::NetworkHandle;
use timecoin_store::Store;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// A waiting transaction as RPC shows it.
#[derive(Debug, Clone)]
pub struct PooledTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// The id of its body.
    pub txid: TxId,
    /// Its id with witnesses.
    pub wtxid: WTxId,
    /// Its encoded length.
    pub bytes: usize,
    /// What it pays.
    pub fee: Amount,
    /// How long it has been waiting.
    pub waiting: Millis,
    /// The next height when it arrived.
    pub height_added: Height,
}

/// A query or command for the node's loop. Each is answered at once.
#[derive(Debug)]
pub enum Command {
    /// Take transactions into the mempool and gossip them.
    Submit {
        /// The transactions.
        transactions: Vec<Transaction>,
        /// One result for each, in order.
        reply: oneshot::Sender<Vec<Result<TxId, Reject>>>,
    },
    /// Say whether transactions would be taken, without taking them.
    Test {
        /// The transaction.
        transaction: Transaction,
        /// What it spends of the ledger, looked up a moment ago.
        found: FoundCoins,
        /// The answer.
        reply: oneshot::Sender<Result<Acceptable, Reject>>,
    },
    /// The ids of waiting transactions, at most this many, best first.
    MempoolIds {
        /// At most.
        limit: usize,
        /// The answer.
        reply: oneshot::Sender<Vec<TxId>>,
    },
    /// One waiting transaction.
    MempoolEntry {
        /// Which.
        txid: TxId,
        /// The answer.
        reply: oneshot::Sender<Option<PooledTransaction>>,
    },
    /// Figures of the mempool.
    MempoolStats {
        /// The answer.
        reply: oneshot::Sender<MempoolStats>,
    },
}

/// A block that became final and durable here.
#[derive(Debug, Clone)]
pub struct FinalBlock {
    /// The block.
    pub block: Arc<Block>,
    /// Its hash.
    pub hash: BlockHash,
    /// What made it final.
    pub certificate: Arc<Certificate>,
    /// The ids of its transactions, in order.
    pub txids: Vec<TxId>,
    /// The weight that signed.
    pub weight: u64,
    /// From the first sight of the proposal to durable, both here.
    pub took: Millis,
    /// The wall clock when it became durable here.
    pub at: Timestamp,
}

/// Why the node could not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The queue to the loop is full.
    #[error("the node is busy: its queue is full; try again in a moment")]
    Busy,
    /// The loop has ended.
    #[error("the node is stopping")]
    Stopping,
}

/// Receives every report of the engine, on the node's loop: it must not block.
pub type OnReport = Box<dyn Fn(&Report) + Send>;

/// The running node.
#[derive(Clone)]
pub struct NodeHandle {
    /// The chain it follows.
    pub chain: Arc<Chain>,
    /// Its database, to read.
    pub store: Arc<Store>,
    /// Its swarm, to read.
    pub network: NetworkHandle,
    /// When it began.
    pub started: Instant,
    pub(super) status: watch::Receiver<Arc<EngineStatus>>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) blocks: broadcast::Sender<Arc<FinalBlock>>,
    pub(super) stop: tokio_util::sync::CancellationToken,
}

impl NodeHandle {
    /// The engine's last snapshot.
    pub fn status(&self) -> Arc<EngineStatus> {
        self.status.borrow().clone()
    }

    /// Waits for snapshots.
    pub fn status_watch(&self) -> watch::Receiver<Arc<EngineStatus>> {
        self.status.clone()
    }

    /// Final blocks from now on. A reader that falls too far behind misses some and gets an error
    /// that says so.
    pub fn final_blocks(&self) -> broadcast::Receiver<Arc<FinalBlock>> {
        self.blocks.subscribe()
    }

    /// Sends transactions. One result for each, in order.
    pub async fn submit(
        &self,
        transactions: Vec<Transaction>,
    ) -> Result<Vec<Result<TxId, Reject>>, NodeError> {
        self.ask(|reply| Command::Submit { transactions, reply }).await
    }

    /// Whether a transaction would be taken. What it spends of the ledger was looked up just before.
    pub async fn test(
        &self,
        transaction: Transaction,
        found: FoundCoins,
    ) -> Result<Result<Acceptable, Reject>, NodeError> {
        self.ask(|reply| Command::Test { transaction, found, reply }).await
    }

    /// The ids of waiting transactions, at most `limit`.
    pub async fn mempool_ids(&self, limit: usize) -> Result<Vec<TxId>, NodeError> {
        self.ask(|reply| Command::MempoolIds { limit, reply }).await
    }

    /// One waiting transaction.
    pub async fn mempool_entry(&self, txid: TxId) -> Result<Option<PooledTransaction>, NodeError> {
        self.ask(|reply| Command::MempoolEntry { txid, reply }).await
    }

    /// Figures of the mempool.
    pub async fn mempool_stats(&self) -> Result<MempoolStats, NodeError> {
        self.ask(|reply| Command::MempoolStats { reply }).await
    }

    /// Asks the node to stop gracefully.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Resolves when the node is stopping.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NodeError::Busy,
            mpsc::error::TrySendError::Closed(_) => NodeError::Stopping,
        })?;
        answer.await.map_err(|_| NodeError::Stopping)
    }
}
