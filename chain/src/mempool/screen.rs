//! Checks of a transaction before its coins are looked up: its size and shape, its heights, and
//! whether it is already in the pool.
use super::{Mempool, Reject};
use crate::{
    crypto::Verified,
    rules::{self, Spend},
    types::{Height, OutPoint, Transaction, TxId},
};

/// A transaction that keeps every rule that needs no coins.
#[derive(Debug, Clone)]
pub struct Screened {
    pub(super) transaction: Transaction,
}

impl Screened {
    /// The transaction.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The id of its body.
    pub fn txid(&self) -> TxId {
        self.transaction.txid()
    }

    /// A transaction to be checked again: it was screened before signature verification.
    pub(crate) fn again(spend: Verified<Spend>) -> Self {
        Self { transaction: spend.into_inner().transaction }
    }
}

impl Mempool {
    /// Step 1: the rules that need no coins, for a block at `height`.
    ///
    /// # Errors
    /// If the transaction breaks a rule or is already in the pool.
    pub fn screen(&self, height: Height, transaction: Transaction) -> Result<Screened, Reject> {
        rules::check_transaction(self.chain, &transaction)?;
        self.check_unknown(&transaction)?;
        rules::check_height(height, &transaction)?;
        Ok(Screened { transaction })
    }

    /// The inputs that only the ledger can resolve: they are not outputs of transactions in the
    /// pool.
    pub fn ledger_inputs<'a>(
        &'a self,
        screened: &'a Screened,
    ) -> impl Iterator<Item = &'a OutPoint> {
        let inputs = screened.transaction.body.inputs.iter();
        inputs.filter(|outpoint| self.index.by_txid(&outpoint.txid).is_none())
    }

    pub(super) fn check_unknown(&self, tx: &Transaction) -> Result<(), Reject> {
        let txid = tx.txid();
        match self.get_by_txid(&txid) {
            None => Ok(()),
            Some(entry) if entry.wtxid() == tx.wtxid() => Err(Reject::AlreadyKnown { txid }),
            Some(entry) => Err(Reject::OtherWitnesses { txid, known: entry.wtxid() }),
        }
    }
}
