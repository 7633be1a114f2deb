//! Why a measurement failed.
use crate::rpc_client::RpcClientError;

/// Why a measurement was aborted.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A call failed, or the events cannot be followed.
    #[error("{node}: {error}")]
    Rpc {
        /// Which node.
        node: String,
        /// Why.
        error: RpcClientError,
    },
    /// A node's answer cannot be parsed.
    #[error("{node} answered with something else: {reason}")]
    Answer {
        /// Which node.
        node: String,
        /// The answer.
        reason: String,
    },
    /// A node's events ended while they were needed.
    #[error("the events of {node} ended: {reason}")]
    Events {
        /// Which node.
        node: String,
        /// Why.
        reason: String,
    },
    /// A node does not say what it has sent.
    #[error("{node} does not say what it has sent to other nodes: {reason}")]
    Totals {
        /// Which node.
        node: String,
        /// Why.
        reason: String,
    },
    /// The system does not report a node's usage.
    #[error("/proc does not tell about process {pid}: it ended, or this is not Linux")]
    Usage {
        /// Which process.
        pid: u32,
    },
    /// A payment cannot be made.
    #[error("a payment cannot be made: {0}")]
    Payment(#[from] crate::wallet::PaymentError),
    /// The wallet has fewer coins than there are payments to make.
    #[error("the wallet has {there} genesis coins, {needed} are needed")]
    Coins {
        /// How many there are.
        there: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A thread of the generator died.
    #[error("a thread of the load generator died")]
    Thread,
    /// The program was asked to stop.
    #[error("interrupted before the measurement was complete")]
    Interrupted,
}
