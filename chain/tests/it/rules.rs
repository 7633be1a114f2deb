//! One row for each rule: a valid thing, one thing broken in it, and exactly the error of that rule.
mod block;
mod certified;
mod transaction;

use std::collections::BTreeSet;
use timecoin_chain::rules::RuleError;

macro_rules! variants {
    ($($name:ident),* $(,)?) => {
        /// The name of a variant. Every variant must be here, or this does not compile.
        fn variant(error: &RuleError) -> &'static str {
            match error {
                $(RuleError::$name { .. } => stringify!($name),)*
            }
        }
        const VARIANTS: &[&str] = &[$(stringify!($name)),*];
    };
}
variants!(
    TransactionVersion,
    WrongChain,
    NoInputs,
    NoOutputs,
    TooManyInputs,
    TooManyOutputs,
    TransactionTooLarge,
    DuplicateInput,
    ZeroOutput,
    OutputOverflow,
    BadLock,
    WitnessCount,
    EmptyHeightRange,
    MissingInput,
    DoubleSpend,
    NotYetValid,
    Expired,
    InputOverflow,
    Overspend,
    WrongWitness,
    Locked,
    BadSignature,
    BlockVersion,
    BlockWrongChain,
    WrongHeight,
    WrongParent,
    TimeNotAfterParent,
    UnknownProposer,
    WrongStateRoot,
    WrongMasternodes,
    WrongTransactionsRoot,
    WrongWitnessesRoot,
    WrongLastCommitHash,
    WrongEvidenceHash,
    TooMuchEvidence,
    EvidenceOrder,
    EvidenceFromFuture,
    EvidenceTooOld,
    OffenceRecorded,
    WrongEvidence,
    LastCommitPresence,
    WrongLastCommit,
    TooManyTransactions,
    TooManySignatures,
    BlockTooLarge,
    InTransaction,
    SupplyOverflow,
);

#[test]
fn every_rule_has_a_row() {
    let mut seen = BTreeSet::from(["InTransaction"]);
    seen.extend(transaction::rows().iter().map(|row| variant(&row.error)));
    for row in block::rows() {
        match &row.error {
            RuleError::InTransaction { error, .. } => seen.insert(variant(error)),
            error => seen.insert(variant(error)),
        };
    }
    let missing: Vec<_> = VARIANTS.iter().filter(|name| !seen.contains(*name)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}
