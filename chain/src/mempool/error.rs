//! Every reason for which the pool rejects a transaction, with its numbers.
use crate::{
    rules::RuleError,
    types::{Amount, OutPoint, TxId, WTxId},
};

/// Why the pool rejects a transaction. All variants except [`Reject::Rule`] are local policy and do
/// not blame the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message names its fields")]
pub enum Reject {
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error("transaction {txid} is already in the mempool")]
    AlreadyKnown { txid: TxId },
    #[error("transaction {txid} is already in a decided block")]
    Decided { txid: TxId },
    #[error("too many blocks were decided while it was checked, {lookups} times: send it again")]
    Overtaken { lookups: u32 },
    #[error("transaction {txid} is already in the mempool with other witnesses, as {known}")]
    OtherWitnesses { txid: TxId, known: WTxId },
    #[error("fee {fee} for {bytes} bytes is below {needed}: {rate} units per byte are relayed")]
    FeeTooLow { fee: Amount, needed: Amount, bytes: usize, rate: u64 },
    #[error(
        "fee {fee} for {bytes} bytes is below {needed}: the mempool takes {rate} units per byte now"
    )]
    PoolFeeTooLow { fee: Amount, needed: Amount, bytes: usize, rate: u64 },
    #[error(
        "it and what it depends on are {ancestors} unconfirmed transactions, {max} are allowed"
    )]
    TooManyAncestors { ancestors: usize, max: usize },
    #[error("{descendants} unconfirmed transactions would depend on {ancestor}, {max} are allowed")]
    TooManyDescendants { ancestor: TxId, descendants: usize, max: usize },
    #[error("it would replace at least {evicts} transactions, {max} are allowed")]
    ReplacementTooMany { evicts: usize, max: usize },
    #[error("it depends on {replaced}, which it would replace")]
    ReplacementSpendsReplaced { replaced: TxId },
    #[error("a replacement may not add the unconfirmed input {outpoint}")]
    ReplacementAddsUnconfirmed { outpoint: OutPoint },
    #[error(
        "a replacement must pay {needed}, it offers {offered}: what it replaces ({evicts} in all) pays \
         {replaced}, the rest is for its {bytes} bytes"
    )]
    ReplacementFeeTooLow {
        offered: Amount,
        needed: Amount,
        replaced: Amount,
        evicts: usize,
        bytes: usize,
    },
    #[error(
        "a replacement must pay more per byte than {conflict}: {fee} for {bytes} bytes is not \
         above {conflict_fee} for {conflict_bytes}"
    )]
    ReplacementRateTooLow {
        conflict: TxId,
        fee: Amount,
        bytes: usize,
        conflict_fee: Amount,
        conflict_bytes: usize,
    },
    #[error(
        "the mempool is full with {transactions} transactions of {pool_bytes} bytes, and fee {fee} \
         for {bytes} bytes is not above the rate of what would have to leave"
    )]
    Full { transactions: usize, pool_bytes: usize, fee: Amount, bytes: usize },
}

impl Reject {
    /// A stable name for metrics and clients, independent of the message text: Bitcoin Core's name
    /// if it has one.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rule(error) => error.code(),
            Self::AlreadyKnown { .. } => "txn-already-in-mempool",
            Self::Decided { .. } => "txn-already-known",
            Self::Overtaken { .. } => "chain-moved-on",
            Self::OtherWitnesses { .. } => "txn-same-nonwitness-data-in-mempool",
            Self::FeeTooLow { .. } => "min relay fee not met",
            Self::PoolFeeTooLow { .. } => "mempool min fee not met",
            Self::TooManyAncestors { .. } | Self::TooManyDescendants { .. } => {
                "too-long-mempool-chain"
            }
            Self::ReplacementTooMany { .. } => "too many potential replacements",
            Self::ReplacementSpendsReplaced { .. } => "bad-txns-spends-conflicting-tx",
            Self::ReplacementAddsUnconfirmed { .. } => "replacement-adds-unconfirmed",
            Self::ReplacementFeeTooLow { .. } | Self::ReplacementRateTooLow { .. } => {
                "insufficient fee"
            }
            Self::Full { .. } => "mempool full",
        }
    }
}
