//! Rules of a transaction by itself.
use super::RuleError;
use crate::{
    limits::{TX_BYTES_MAX, TX_INPUTS_MAX, TX_OUTPUTS_MAX},
    types::{Amount, ChainId, Transaction, TxBody},
};
use std::collections::BTreeSet;

/// Checks all rules that need only the transaction and its chain.
pub fn check_transaction(chain: ChainId, tx: &Transaction) -> Result<(), RuleError> {
    check_version(tx)?;
    check_chain(chain, tx)?;
    check_counts(tx)?;
    check_witness_count(tx)?;
    check_size(tx)?;
    check_inputs_differ(tx)?;
    check_outputs(tx)?;
    check_locks(tx)?;
    check_height_range(tx)
}

fn check_version(tx: &Transaction) -> Result<(), RuleError> {
    let (version, supported) = (tx.body.version, TxBody::VERSION);
    if version != supported {
        return Err(RuleError::TransactionVersion { version, supported });
    }
    Ok(())
}

fn check_chain(chain: ChainId, tx: &Transaction) -> Result<(), RuleError> {
    if tx.body.chain != chain {
        let (found, expected) = (tx.body.chain.to_string(), chain.to_string());
        return Err(RuleError::WrongChain { found, expected });
    }
    Ok(())
}

fn check_counts(tx: &Transaction) -> Result<(), RuleError> {
    let (inputs, outputs) = (tx.body.inputs.len(), tx.body.outputs.len());
    if inputs == 0 {
        return Err(RuleError::NoInputs);
    }
    if outputs == 0 {
        return Err(RuleError::NoOutputs);
    }
    if inputs > TX_INPUTS_MAX {
        return Err(RuleError::TooManyInputs { inputs, max: TX_INPUTS_MAX });
    }
    if outputs > TX_OUTPUTS_MAX {
        return Err(RuleError::TooManyOutputs { outputs, max: TX_OUTPUTS_MAX });
    }
    Ok(())
}

fn check_witness_count(tx: &Transaction) -> Result<(), RuleError> {
    let (witnesses, inputs) = (tx.witnesses.len(), tx.body.inputs.len());
    if witnesses != inputs {
        return Err(RuleError::WitnessCount { witnesses, inputs });
    }
    Ok(())
}

fn check_size(tx: &Transaction) -> Result<(), RuleError> {
    let bytes = tx.encoded_len();
    if bytes > TX_BYTES_MAX {
        return Err(RuleError::TransactionTooLarge { bytes, max: TX_BYTES_MAX });
    }
    Ok(())
}

/// CVE-2018-17144: one output spent twice by one transaction.
fn check_inputs_differ(tx: &Transaction) -> Result<(), RuleError> {
    let mut seen = BTreeSet::new();
    match tx.body.inputs.iter().find(|outpoint| !seen.insert(**outpoint)) {
        Some(&outpoint) => Err(RuleError::DuplicateInput { outpoint }),
        None => Ok(()),
    }
}

/// CVE-2010-5139: outputs whose sum overflows.
fn check_outputs(tx: &Transaction) -> Result<(), RuleError> {
    if let Some(index) = tx.body.outputs.iter().position(|output| output.value == Amount::ZERO) {
        return Err(RuleError::ZeroOutput { index });
    }
    Amount::checked_sum(tx.body.outputs.iter().map(|output| output.value))
        .map(|_| ())
        .ok_or(RuleError::OutputOverflow)
}

fn check_locks(tx: &Transaction) -> Result<(), RuleError> {
    for (index, output) in tx.body.outputs.iter().enumerate() {
        output.lock.check().map_err(|reason| RuleError::BadLock { index, reason })?;
    }
    Ok(())
}

fn check_height_range(tx: &Transaction) -> Result<(), RuleError> {
    let (not_before, expiry) = (tx.body.not_before, tx.body.expiry_height);
    if not_before > expiry {
        return Err(RuleError::EmptyHeightRange { not_before, expiry });
    }
    Ok(())
}
