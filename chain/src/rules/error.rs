//! Every rule that a transaction or block can break, one variant per rule.
use crate::types::{Amount, Height, OutPoint, Timestamp};

/// A broken rule: the fault of the creator of the transaction or block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message names its fields")]
pub enum RuleError {
    // The transaction alone.
    #[error("transaction version {version} is not supported, this chain uses {supported}")]
    TransactionVersion { version: u16, supported: u16 },
    #[error("transaction is for chain {found}, this chain is {expected}")]
    WrongChain { found: String, expected: String },
    #[error("transaction has no inputs")]
    NoInputs,
    #[error("transaction has no outputs")]
    NoOutputs,
    #[error("{inputs} inputs exceed the {max} allowed")]
    TooManyInputs { inputs: usize, max: usize },
    #[error("{outputs} outputs exceed the {max} allowed")]
    TooManyOutputs { outputs: usize, max: usize },
    #[error("transaction of {bytes} bytes exceeds the {max} allowed")]
    TransactionTooLarge { bytes: usize, max: usize },
    #[error("input {outpoint} stands twice")]
    DuplicateInput { outpoint: OutPoint },
    #[error("output {index} has no value")]
    ZeroOutput { index: usize },
    #[error("the sum of the outputs overflows")]
    OutputOverflow,
    #[error("output {index} has a lock that can never be spent: {reason}")]
    BadLock { index: usize, reason: &'static str },
    #[error("{witnesses} witnesses for {inputs} inputs")]
    WitnessCount { witnesses: usize, inputs: usize },
    #[error(
        "it may not stand in a block before height {not_before}, after its last height {expiry}"
    )]
    EmptyHeightRange { not_before: Height, expiry: Height },

    // The transaction and what it spends.
    #[error("input {outpoint} does not exist or is already spent")]
    MissingInput { outpoint: OutPoint },
    #[error("input {outpoint} is spent twice in this block")]
    DoubleSpend { outpoint: OutPoint },
    #[error("height {height} is before its first height {not_before}")]
    NotYetValid { height: Height, not_before: Height },
    #[error("height {height} is after its last height {expiry}")]
    Expired { height: Height, expiry: Height },
    #[error("the sum of the inputs overflows")]
    InputOverflow,
    #[error("outputs {outputs} exceed inputs {inputs}")]
    Overspend { inputs: Amount, outputs: Amount },
    #[error("the witness of input {index} does not fit its lock: {reason}")]
    WrongWitness { index: usize, reason: &'static str },
    #[error("input {index} is locked until height {until}, this is height {height}")]
    Locked { index: usize, until: Height, height: Height },
    #[error("a signature of the transaction is not valid for what it spends")]
    BadSignature,

    // The block.
    #[error("block version {version} is not supported, this chain uses {supported}")]
    BlockVersion { version: u16, supported: u16 },
    #[error("block is for chain {found}, this chain is {expected}")]
    BlockWrongChain { found: String, expected: String },
    #[error("block has height {found}, the next is {expected}")]
    WrongHeight { found: Height, expected: Height },
    #[error("block names another parent than the last final block")]
    WrongParent,
    #[error("timestamp {timestamp:?} is not after the parent's {parent:?}")]
    TimeNotAfterParent { timestamp: Timestamp, parent: Timestamp },
    #[error("proposer {proposer} is not in the masternode set of {members}")]
    UnknownProposer { proposer: u16, members: usize },
    #[error("state root differs from the ledger's after the parent")]
    WrongStateRoot,
    #[error("masternode set hash differs from the ledger's")]
    WrongMasternodes,
    #[error("transactions root does not match the transactions")]
    WrongTransactionsRoot,
    #[error("witnesses root does not match the witnesses")]
    WrongWitnessesRoot,
    #[error("last commit hash does not match the certificate")]
    WrongLastCommitHash,
    #[error("evidence hash does not match the evidence")]
    WrongEvidenceHash,
    #[error("block carries {count} pieces of evidence, {max} are allowed")]
    TooMuchEvidence { count: usize, max: usize },
    #[error("evidence {index} is not in strictly ascending order of offender")]
    EvidenceOrder { index: usize },
    #[error("evidence of height {height} is from after this block's height {block}")]
    EvidenceFromFuture { height: Height, block: Height },
    #[error("evidence of height {height} is too old, the oldest allowed is {oldest}")]
    EvidenceTooOld { height: Height, oldest: Height },
    #[error("an offence of masternode {offender} is already recorded, at height {recorded}")]
    OffenceRecorded { offender: u16, recorded: Height },
    #[error("evidence {index} proves nothing: {reason}")]
    WrongEvidence { index: usize, reason: String },
    #[error("the parent's certificate is missing, or height 1 has one")]
    LastCommitPresence,
    #[error("the certificate is not for the parent: {reason}")]
    WrongLastCommit { reason: String },
    #[error("{count} transactions exceed the {max} allowed in a block")]
    TooManyTransactions { count: usize, max: usize },
    #[error("{signatures} signatures exceed the {max} allowed in a block")]
    TooManySignatures { signatures: usize, max: usize },
    #[error("block of {bytes} bytes exceeds the {max} allowed")]
    BlockTooLarge { bytes: usize, max: usize },
    #[error("transaction {index}: {error}")]
    InTransaction { index: usize, error: Box<RuleError> },
    #[error("the supply overflows")]
    SupplyOverflow,
}

impl RuleError {
    /// Whether a transaction breaks this rule at any height and in any ledger state: no honest node
    /// relays such a transaction.
    pub fn is_malice(&self) -> bool {
        !matches!(
            self,
            Self::MissingInput { .. }
                | Self::DoubleSpend { .. }
                | Self::NotYetValid { .. }
                | Self::Expired { .. }
                | Self::Locked { .. }
        )
    }

    /// A stable name for metrics and clients, independent of the message text.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TransactionVersion { .. } => "version",
            Self::WrongChain { .. } | Self::BlockWrongChain { .. } => "wrong-chain",
            Self::NoInputs => "bad-txns-vin-empty",
            Self::NoOutputs => "bad-txns-vout-empty",
            Self::TooManyInputs { .. } => "too-many-inputs",
            Self::TooManyOutputs { .. } => "too-many-outputs",
            Self::TransactionTooLarge { .. } => "tx-size",
            Self::DuplicateInput { .. } => "bad-txns-inputs-duplicate",
            Self::ZeroOutput { .. } => "bad-txns-vout-zero",
            Self::OutputOverflow => "bad-txns-txouttotal-toolarge",
            Self::BadLock { .. } => "bad-lock",
            Self::WitnessCount { .. } => "witness-count",
            Self::EmptyHeightRange { .. } => "empty-height-range",
            Self::MissingInput { .. } => "bad-txns-inputs-missingorspent",
            Self::DoubleSpend { .. } => "double-spend",
            Self::NotYetValid { .. } => "non-final",
            Self::Expired { .. } => "expired",
            Self::InputOverflow => "bad-txns-inputvalues-outofrange",
            Self::Overspend { .. } => "bad-txns-in-belowout",
            Self::WrongWitness { .. } => "wrong-witness",
            Self::Locked { .. } => "locked",
            Self::BadSignature => "bad-signature",
            Self::InTransaction { error, .. } => error.code(),
            _ => "bad-block",
        }
    }
}
