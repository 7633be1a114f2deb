//! Executes a block over a view: returns a delta, or the rule that the block breaks.
//!
//! Invariant: deterministic. The same block, parent state and coins give the same delta and the
//! same first error, whichever signatures were verified before.
use super::{
    BlockDelta, LedgerState, LedgerView, PositionedCoin, TransactionRecord, ViewError, rewards,
};
use crate::{
    crypto::{SIGNATURE_BATCH, SignatureScheme},
    genesis::Chain,
    rules::{self, CertifiedBlock, RuleError, Spend},
    types::{Amount, Block, Coin, OutPoint, Output, Transaction, TxId, WTxId},
};
use std::collections::{BTreeMap, BTreeSet};

/// Why a block was not executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError {
    /// The block is invalid: the fault of its proposer.
    #[error("invalid block: {0}")]
    Rule(#[from] RuleError),
    /// The ledger could not be read: our fault.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The verdict is no longer needed: nobody's fault.
    #[error("the execution was cancelled")]
    Cancelled,
}

/// Applies a block to the state after its parent.
///
/// `verified` holds the transactions whose signatures were verified at admission; they are not
/// verified again. The signatures of the others are verified last, so a block that breaks another
/// rule costs no signature verification. Returns [`ExecuteError::Cancelled`] early when the scheme
/// is cancelled.
pub fn execute(
    scheme: &dyn SignatureScheme,
    chain: &Chain,
    view: &dyn LedgerView,
    parent: &LedgerState,
    block: &Block,
    verified: &BTreeSet<WTxId>,
) -> Result<BlockDelta, ExecuteError> {
    rules::check_block(scheme, chain, &parent.context(), block)?;
    apply(scheme, chain, view, parent, block, verified)
}

/// Like [`execute`], for a final block, whose body already matches its header.
pub fn execute_certified(
    scheme: &dyn SignatureScheme,
    chain: &Chain,
    view: &dyn LedgerView,
    parent: &LedgerState,
    certified: &CertifiedBlock,
    verified: &BTreeSet<WTxId>,
) -> Result<BlockDelta, ExecuteError> {
    rules::check_certified_block(scheme, chain, &parent.context(), certified)?;
    apply(scheme, chain, view, parent, certified.block(), verified)
}

fn apply(
    scheme: &dyn SignatureScheme,
    chain: &Chain,
    view: &dyn LedgerView,
    parent: &LedgerState,
    block: &Block,
    verified: &BTreeSet<WTxId>,
) -> Result<BlockDelta, ExecuteError> {
    let mut run = Run::new(chain, view, parent, block);
    for (index, tx) in block.transactions.iter().enumerate() {
        if index % SIGNATURE_BATCH == 0 && scheme.is_cancelled() {
            return Err(ExecuteError::Cancelled);
        }
        run.transaction(index, tx, verified).map_err(|error| match error {
            ExecuteError::Rule(error) => {
                ExecuteError::Rule(RuleError::InTransaction { index, error: Box::new(error) })
            }
            ours => ours,
        })?;
    }
    run.check_signatures(scheme)?;
    run.finish(parent)
}

/// The state of an execution in progress.
struct Run<'a> {
    chain: &'a Chain,
    view: &'a dyn LedgerView,
    block: &'a Block,
    state: LedgerState,
    spent: BTreeMap<OutPoint, PositionedCoin>,
    created: BTreeMap<u64, PositionedCoin>,
    positions: BTreeMap<OutPoint, u64>,
    transactions: Vec<TransactionRecord>,
    unverified: Vec<(usize, Spend)>,
    spent_here: BTreeSet<OutPoint>,
    fees: Amount,
}

impl<'a> Run<'a> {
    fn new(
        chain: &'a Chain,
        view: &'a dyn LedgerView,
        parent: &LedgerState,
        block: &'a Block,
    ) -> Self {
        let state = LedgerState {
            height: block.header.height,
            block: block.hash(),
            timestamp: block.header.timestamp,
            ..parent.clone()
        };
        Self {
            chain,
            view,
            block,
            state,
            spent: BTreeMap::new(),
            created: BTreeMap::new(),
            positions: BTreeMap::new(),
            transactions: Vec::with_capacity(block.transactions.len()),
            unverified: Vec::new(),
            spent_here: BTreeSet::new(),
            fees: Amount::ZERO,
        }
    }

    fn transaction(
        &mut self,
        index: usize,
        tx: &Transaction,
        verified: &BTreeSet<WTxId>,
    ) -> Result<(), ExecuteError> {
        rules::check_transaction(self.chain.id(), tx)?;
        let spent = self.spend_inputs(tx)?;
        let fee = rules::check_spend(self.state.height, tx, &spent)?;
        self.fees = self.fees.checked_add(fee).ok_or(RuleError::SupplyOverflow)?;
        if !verified.contains(&tx.wtxid()) {
            self.unverified.push((index, Spend { transaction: tx.clone(), spent }));
        }
        let index = u32::try_from(index).expect("a block holds at most BLOCK_TRANSACTIONS_MAX");
        self.create(tx.txid(), Some(index), &tx.body.outputs);
        Ok(())
    }

    fn spend_inputs(&mut self, tx: &Transaction) -> Result<Vec<Output>, ExecuteError> {
        let mut spent = Vec::with_capacity(tx.body.inputs.len());
        for &outpoint in &tx.body.inputs {
            if !self.spent_here.insert(outpoint) {
                return Err(RuleError::DoubleSpend { outpoint }.into());
            }
            let own = self.positions.get(&outpoint).and_then(|at| self.created.remove(at));
            let output = match own {
                // Created and spent in the same block: it never reaches the store.
                Some(coin) => coin.coin.output,
                None => {
                    let coin = self.view.coin(&outpoint)?;
                    let coin = coin.ok_or(RuleError::MissingInput { outpoint })?;
                    let output = coin.coin.output.clone();
                    self.spent.insert(outpoint, coin);
                    output
                }
            };
            spent.push(output);
        }
        Ok(spent)
    }

    fn create(&mut self, txid: TxId, index: Option<u32>, outputs: &[Output]) {
        let first_position = self.state.next_position;
        self.transactions.push(TransactionRecord { txid, first_position, index });
        for (vout, output) in outputs.iter().enumerate() {
            let outpoint = Transaction::outpoint(txid, vout);
            let coin = Coin { outpoint, height: self.state.height, output: output.clone() };
            let position = self.state.next_position;
            self.positions.insert(outpoint, position);
            self.created.insert(position, PositionedCoin { position, coin });
            self.state.next_position += 1;
        }
    }

    /// One bad signature makes the block invalid: verification stops at the first one.
    fn check_signatures(&mut self, scheme: &dyn SignatureScheme) -> Result<(), ExecuteError> {
        let (indices, spends): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.unverified).into_iter().unzip();
        let bad = rules::first_bad_spend(scheme, &self.chain.hash, &spends);
        if scheme.is_cancelled() {
            return Err(ExecuteError::Cancelled);
        }
        bad.map_or(Ok(()), |bad| {
            let (index, error) = (indices[bad], Box::new(RuleError::BadSignature));
            Err(RuleError::InTransaction { index, error }.into())
        })
    }

    /// Each offence is verified and is the first of its offender.
    fn record_offences(&mut self) {
        for evidence in &self.block.evidence {
            let offence = self.state.offences.get_mut(usize::from(evidence.offender()));
            *offence.expect("the offender was found in the set") = Some(self.state.height);
        }
    }

    fn finish(mut self, parent: &LedgerState) -> Result<BlockDelta, ExecuteError> {
        self.record_offences();
        rewards::accrue(self.chain, &mut self.state, parent.timestamp, self.block, self.fees)?;
        let rewards = rewards::pay(self.chain, &mut self.state);
        if !rewards.is_empty() {
            let txid = rewards::reward_txid(self.chain, self.state.height);
            self.create(txid, None, &rewards);
        }
        let mut spent: Vec<PositionedCoin> = self.spent.into_values().collect();
        spent.sort_unstable_by_key(|coin| coin.position);
        let created: Vec<PositionedCoin> = self.created.into_values().collect();
        for coin in &spent {
            self.state.coins.remove(&coin.element());
        }
        for coin in &created {
            self.state.coins.add(&coin.element());
        }
        Ok(BlockDelta {
            height: self.state.height,
            block: self.state.block,
            spent,
            created,
            transactions: self.transactions,
            state: self.state,
        })
    }
}
