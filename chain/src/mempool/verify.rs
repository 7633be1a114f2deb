//! Signature verification between the last two steps of admission: work for the pool.
//!
//! Never reads the mempool, which may have changed in the meantime.
use super::Reject;
use crate::{
    crypto::{SignatureScheme, Verified},
    genesis::Chain,
    rules::{self, RuleError, Spend},
    types::{Amount, TxId},
};

/// The result of verifying one transaction.
pub type VerifiedSpend = Result<Verified<Spend>, RuleError>;

/// Verifies the signatures of transactions. One result for each, in order.
pub fn verify(
    scheme: &dyn SignatureScheme,
    chain: &Chain,
    spends: Vec<Spend>,
) -> Vec<VerifiedSpend> {
    rules::verify_spends(scheme, &chain.hash, spends)
}

/// A transaction that passed every admission rule except signatures, and is not to be admitted.
#[derive(Debug, Clone)]
pub struct Trial(pub(crate) Spend);

/// The fee and size of an acceptable transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acceptable {
    /// The id of its body.
    pub txid: TxId,
    /// Its encoded length.
    pub bytes: usize,
    /// Its fee.
    pub fee: Amount,
}

impl Trial {
    /// Whether the transaction would be admitted.
    pub fn run(self, scheme: &dyn SignatureScheme, chain: &Chain) -> Result<Acceptable, Reject> {
        let Spend { transaction, spent } = &self.0;
        let fee = rules::fee_of(transaction, spent).map_err(Reject::Rule)?;
        let (txid, bytes) = (transaction.txid(), transaction.encoded_len());
        let verified = verify(scheme, chain, vec![self.0]);
        verified.into_iter().try_for_each(|result| result.map(|_| ())).map_err(Reject::Rule)?;
        Ok(Acceptable { txid, bytes, fee })
    }
}
