//! Rules that need the outputs a transaction spends and the height of its block.
use super::RuleError;
use crate::{
    crypto::{PublicKey, Signature, SignatureCheck, SignatureScheme, Verified, hash},
    types::{Amount, GenesisHash, Height, Lock, Output, Transaction, Witness, signing_message},
};

/// A transaction with the outputs it spends, in the order of its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// The transaction.
    pub transaction: Transaction,
    /// What each input spends.
    pub spent: Vec<Output>,
}

/// Checks all rules except the signatures. Returns the fee.
pub fn check_spend(
    height: Height,
    tx: &Transaction,
    spent: &[Output],
) -> Result<Amount, RuleError> {
    check_height(height, tx)?;
    check_locks(height, tx, spent)?;
    fee_of(tx, spent)
}

/// Whether a block at this height may contain the transaction.
pub fn check_height(height: Height, tx: &Transaction) -> Result<(), RuleError> {
    let (not_before, expiry) = (tx.body.not_before, tx.body.expiry_height);
    if height < not_before {
        return Err(RuleError::NotYetValid { height, not_before });
    }
    if height > expiry {
        return Err(RuleError::Expired { height, expiry });
    }
    Ok(())
}

fn check_locks(height: Height, tx: &Transaction, spent: &[Output]) -> Result<(), RuleError> {
    for (index, (witness, output)) in tx.witnesses.iter().zip(spent).enumerate() {
        let wrong = |reason| Err(RuleError::WrongWitness { index, reason });
        let locked_until = |until| match height < until {
            true => Err(RuleError::Locked { index, until, height }),
            false => Ok(()),
        };
        match (&output.lock, witness) {
            (Lock::Key(_), Witness::Key(_)) => {}
            (Lock::Timelock { height: until, .. }, Witness::Key(_)) => locked_until(*until)?,
            (Lock::HashLock { hash: lock, .. }, Witness::Claim { preimage, .. }) => {
                if hash("tc/preimage", &[preimage]) != *lock {
                    return wrong("the preimage does not hash to the lock");
                }
            }
            (Lock::HashLock { refund_height, .. }, Witness::Refund(_)) => {
                locked_until(*refund_height)?
            }
            (Lock::Multi { threshold, keys }, Witness::Multi(parts)) => {
                if parts.len() != usize::from(*threshold) {
                    return wrong("exactly the threshold of signatures is needed");
                }
                let ascending = parts.is_sorted_by(|a, b| a.0 < b.0);
                if !ascending || parts.iter().any(|(key, _)| usize::from(*key) >= keys.len()) {
                    return wrong("key indices must be strictly ascending and exist");
                }
            }
            _ => return wrong("another kind of witness is needed"),
        }
    }
    Ok(())
}

/// The inputs minus the outputs: the proposer's fee.
pub fn fee_of(tx: &Transaction, spent: &[Output]) -> Result<Amount, RuleError> {
    let inputs = Amount::checked_sum(spent.iter().map(|output| output.value))
        .ok_or(RuleError::InputOverflow)?;
    let outputs = Amount::checked_sum(tx.body.outputs.iter().map(|output| output.value))
        .ok_or(RuleError::OutputOverflow)?;
    inputs.checked_sub(outputs).ok_or(RuleError::Overspend { inputs, outputs })
}

/// Verifies the signatures of many transactions in one batch. Each result is the same as from
/// single verification.
pub fn verify_spends(
    scheme: &dyn SignatureScheme,
    genesis: &GenesisHash,
    spends: Vec<Spend>,
) -> Vec<Result<Verified<Spend>, RuleError>> {
    let checks: Vec<Vec<SignatureCheck>> =
        spends.iter().map(|spend| signature_checks(genesis, spend)).collect();
    let flat: Vec<SignatureCheck> = checks.iter().flatten().copied().collect();
    let answers = scheme.each_valid(&flat);
    let mut answers = answers.into_iter();
    spends
        .into_iter()
        .zip(checks)
        .map(|(spend, checks)| {
            let invalid = answers.by_ref().take(checks.len()).filter(|valid| !valid).count();
            if invalid == 0 { Ok(Verified::checked(spend)) } else { Err(RuleError::BadSignature) }
        })
        .collect()
}

/// The index of the first transaction with a bad signature, which makes a whole block invalid.
/// Meaningless once the scheme is cancelled.
pub(crate) fn first_bad_spend(
    scheme: &dyn SignatureScheme,
    genesis: &GenesisHash,
    spends: &[Spend],
) -> Option<usize> {
    let (mut checks, mut ends) = (Vec::new(), Vec::with_capacity(spends.len()));
    for spend in spends {
        checks.extend(signature_checks(genesis, spend));
        ends.push(checks.len());
    }
    let bad = scheme.first_invalid(&checks)?;
    Some(ends.partition_point(|end| *end <= bad))
}

fn signature_checks(genesis: &GenesisHash, spend: &Spend) -> Vec<SignatureCheck> {
    let message = signing_message(genesis, &spend.transaction.body, &spend.spent);
    let check = |key: &PublicKey, signature: &Signature| SignatureCheck {
        key: *key,
        message,
        signature: *signature,
    };
    // `check_spend` has already rejected a witness that does not fit; a check that always fails
    // makes sure.
    let never = check(&PublicKey::default(), &Signature::from_bytes(&[0; 64]));
    let mut checks = Vec::with_capacity(spend.spent.len());
    if spend.spent.len() != spend.transaction.witnesses.len() {
        checks.push(never);
    }
    for (output, witness) in spend.spent.iter().zip(&spend.transaction.witnesses) {
        match (&output.lock, witness) {
            (Lock::Key(key) | Lock::Timelock { key, .. }, Witness::Key(signature)) => {
                checks.push(check(key, signature));
            }
            (Lock::HashLock { claim, .. }, Witness::Claim { signature, .. }) => {
                checks.push(check(claim, signature));
            }
            (Lock::HashLock { refund, .. }, Witness::Refund(signature)) => {
                checks.push(check(refund, signature));
            }
            (Lock::Multi { threshold, keys }, Witness::Multi(parts)) => {
                let is_enough = parts.len() == usize::from(*threshold);
                checks.extend((!is_enough).then_some(never));
                checks.extend(parts.iter().map(|(index, signature)| {
                    keys.get(usize::from(*index)).map_or(never, |key| check(key, signature))
                }));
            }
            _ => checks.push(never),
        }
    }
    checks
}
