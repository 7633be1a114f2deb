//! Transactions on their way into the mempool: rules first, signatures off the loop, rules again.
//!
//! A child that arrives while its parent is still being checked waits for it. So does the same
//! transaction again: its witnesses may be others, and say nothing about each other.
use super::{Effect, Engine, Source, Ticket, out::Out, pool::Pool, tip::Tip};
use crate::{
    crypto::Verified,
    ledger::{LedgerView, ViewError},
    limits::WAITING_MAX,
    mempool::{AdmitError, Reject},
    rules::{RuleError, Spend},
    types::{Now, Transaction, TxId, WTxId},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Transactions that came together and are answered together.
#[derive(Debug)]
struct Batch {
    source: Source,
    results: Vec<Option<Result<TxId, Reject>>>,
    /// Indices of those whose signatures are being checked, in the order of the check.
    checking: Vec<(usize, TxId)>,
    /// Those that are, or whose parents are, being checked.
    waiting: Vec<(usize, Transaction)>,
}

/// Everything between arrival and admission.
#[derive(Debug, Default)]
pub(super) struct Admissions {
    batches: BTreeMap<Ticket, Batch>,
    in_flight: BTreeSet<TxId>,
    waiting: usize,
}

impl Admissions {
    /// Transactions that wait for a parent.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

/// What the rules said before signatures.
enum Checked {
    Spend(TxId, Spend),
    Waits(Transaction),
    Rejected(Reject),
}

/// A transaction that was admitted: a block that is being gathered may miss it.
type Admitted = (WTxId, Arc<Transaction>);

impl Pool {
    /// New transactions: what keeps the rules goes to the verifiers.
    pub(super) fn take<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        (source, ticket): (Source, Ticket),
        transactions: Vec<Transaction>,
        out: &mut Out,
    ) -> Result<(), ViewError> {
        let mut batch = Batch {
            source,
            results: transactions.iter().map(|_| None).collect(),
            checking: Vec::new(),
            waiting: Vec::new(),
        };
        let numbered = transactions.into_iter().enumerate().collect();
        let spends = self.check_rules(tip, &mut batch, numbered)?;
        self.continue_batch(ticket, batch, spends, out);
        Ok(())
    }

    /// Signatures of a batch are judged: admits those that are sound. None where no such batch waits.
    pub(super) fn admit_checked<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        now: Now,
        ticket: Ticket,
        results: Vec<Result<Verified<Spend>, RuleError>>,
    ) -> Result<Option<Vec<Admitted>>, ViewError> {
        let Some(mut batch) = self.admissions.batches.remove(&ticket) else { return Ok(None) };
        let mut admitted = Vec::new();
        for ((index, txid), result) in std::mem::take(&mut batch.checking).into_iter().zip(results)
        {
            self.admissions.in_flight.remove(&txid);
            let result = match result {
                Ok(spend) => self.admit(tip, now, batch.source, spend)?,
                Err(error) => Err(Reject::Rule(error)),
            };
            if let Some(entry) = result.iter().find_map(|txid| self.mempool.get_by_txid(txid)) {
                admitted.push((entry.wtxid(), entry.transaction().clone()));
            }
            batch.results[index] = Some(result);
        }
        self.admissions.batches.insert(ticket, batch);
        Ok(Some(admitted))
    }

    /// What waited in this batch goes on, then the batches that waited only for parents in it.
    pub(super) fn release<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        ticket: Ticket,
        out: &mut Out,
    ) -> Result<(), ViewError> {
        self.release_batch(tip, ticket, out)?;
        let idle = |batch: &Batch| batch.checking.is_empty();
        let tickets: Vec<Ticket> =
            self.admissions.batches.iter().filter(|(_, b)| idle(b)).map(|(t, _)| *t).collect();
        tickets.into_iter().try_for_each(|ticket| self.release_batch(tip, ticket, out))
    }

    fn release_batch<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        ticket: Ticket,
        out: &mut Out,
    ) -> Result<(), ViewError> {
        let Some(mut batch) = self.admissions.batches.remove(&ticket) else { return Ok(()) };
        let waiting = std::mem::take(&mut batch.waiting);
        self.admissions.waiting -= waiting.len();
        let spends = self.check_rules(tip, &mut batch, waiting)?;
        self.continue_batch(ticket, batch, spends, out);
        Ok(())
    }

    /// Sends the spends to be verified, or answers the batch when nothing is left to wait for.
    fn continue_batch(&mut self, ticket: Ticket, batch: Batch, spends: Vec<Spend>, out: &mut Out) {
        if !spends.is_empty() {
            out.push(Effect::Verify { ticket, spends });
        }
        if batch.checking.is_empty() && batch.waiting.is_empty() {
            let results = batch.results.into_iter().flatten().collect();
            out.push(Effect::Admission { ticket, results });
        } else {
            self.admissions.waiting += batch.waiting.len();
            self.admissions.batches.insert(ticket, batch);
        }
    }

    /// The rules before signatures, for each of a batch. Returns what is to be verified.
    fn check_rules<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        batch: &mut Batch,
        transactions: Vec<(usize, Transaction)>,
    ) -> Result<Vec<Spend>, ViewError> {
        let mut spends = Vec::new();
        for (index, transaction) in transactions {
            match self.check_one(tip, batch, transaction)? {
                Checked::Spend(txid, spend) => {
                    self.admissions.in_flight.insert(txid);
                    batch.checking.push((index, txid));
                    spends.push(spend);
                }
                Checked::Waits(transaction) => batch.waiting.push((index, transaction)),
                Checked::Rejected(reject) => batch.results[index] = Some(Err(reject)),
            }
        }
        Ok(spends)
    }

    fn check_one<V: LedgerView>(
        &self,
        tip: &Tip<V>,
        batch: &Batch,
        transaction: Transaction,
    ) -> Result<Checked, ViewError> {
        let txid = transaction.txid();
        let in_flight = &self.admissions.in_flight;
        let has_room = self.admissions.waiting + batch.waiting.len() < WAITING_MAX;
        let mut parents = transaction.body.inputs.iter().map(|input| input.txid);
        if has_room && (in_flight.contains(&txid) || parents.any(|id| in_flight.contains(&id))) {
            return Ok(Checked::Waits(transaction));
        }
        if in_flight.contains(&txid) {
            return Ok(Checked::Rejected(Reject::AlreadyKnown { txid }));
        }
        match self.mempool.check(&tip.view, tip.next_height(), transaction) {
            Ok(spend) => Ok(Checked::Spend(txid, spend)),
            // Its inputs are spent: by itself, in a block that is being written.
            Err(AdmitError::Reject(_)) if tip.stack.holds(&txid) => {
                Ok(Checked::Rejected(Reject::AlreadyKnown { txid }))
            }
            Err(AdmitError::Reject(reject)) => Ok(Checked::Rejected(reject)),
            Err(AdmitError::View(error)) => Err(error),
        }
    }

    fn admit<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        now: Now,
        source: Source,
        spend: Verified<Spend>,
    ) -> Result<Result<TxId, Reject>, ViewError> {
        let txid = spend.transaction.txid();
        let admitted = match self.mempool.admit(&tip.view, tip.next_height(), now.mono, spend) {
            Ok(admitted) => admitted,
            Err(AdmitError::Reject(_)) if tip.stack.holds(&txid) => {
                return Ok(Err(Reject::AlreadyKnown { txid }));
            }
            Err(AdmitError::Reject(reject)) => return Ok(Err(reject)),
            Err(AdmitError::View(error)) => return Err(error),
        };
        if source == Source::Local {
            self.local.insert(admitted.txid);
        }
        Ok(Ok(admitted.txid))
    }
}

impl<V: LedgerView> Engine<V> {
    pub(super) fn on_transactions(
        &mut self,
        source: Source,
        ticket: Ticket,
        transactions: Vec<Transaction>,
    ) {
        let taken = self.pool.take(&self.tip, (source, ticket), transactions, &mut self.out);
        self.out.or_halt(taken);
    }

    pub(super) fn on_checked(
        &mut self,
        now: Now,
        ticket: Ticket,
        results: Vec<Result<Verified<Spend>, RuleError>>,
    ) {
        let admitted = self.pool.admit_checked(&self.tip, now, ticket, results);
        let Some(Some(admitted)) = self.out.or_halt(admitted) else { return };
        for (id, body) in admitted {
            self.offer_body(id, &body, true);
        }
        let released = self.pool.release(&self.tip, ticket, &mut self.out);
        self.out.or_halt(released);
        if !self.pool.mempool.is_empty() {
            self.hurry(now);
        }
    }
}
