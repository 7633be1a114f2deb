//! Transactions on their way into the mempool: rules first, signatures off the loop, rules again.
//!
//! A child that arrives while its parent is still being checked waits for it. So does the same
//! transaction again: its witnesses may be others, and say nothing about each other.
use super::{Effect, Engine, Source, Ticket};
use crate::{
    crypto::Verified,
    ledger::{LedgerView, ViewError},
    limits::WAITING_MAX,
    mempool::{AdmitError, Reject},
    rules::{RuleError, Spend},
    types::{Now, Transaction, TxId},
};
use std::collections::{BTreeMap, BTreeSet};

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

impl<V: LedgerView> Engine<V> {
    pub(super) fn on_transactions(
        &mut self,
        now: Now,
        source: Source,
        ticket: Ticket,
        transactions: Vec<Transaction>,
    ) {
        let mut batch = Batch {
            source,
            results: transactions.iter().map(|_| None).collect(),
            checking: Vec::new(),
            waiting: Vec::new(),
        };
        let numbered = transactions.into_iter().enumerate().collect();
        match self.check_rules(&mut batch, numbered) {
            Ok(spends) => self.continue_batch(now, ticket, batch, spends),
            Err(error) => self.halt(error.to_string()),
        }
    }

    pub(super) fn on_checked(
        &mut self,
        now: Now,
        ticket: Ticket,
        results: Vec<Result<Verified<Spend>, RuleError>>,
    ) {
        let Some(mut batch) = self.admissions.batches.remove(&ticket) else { return };
        for ((index, txid), result) in std::mem::take(&mut batch.checking).into_iter().zip(results)
        {
            self.admissions.in_flight.remove(&txid);
            let result = match result {
                Ok(spend) => self.admit(now, batch.source, spend),
                Err(error) => Ok(Err(Reject::Rule(error))),
            };
            match result {
                Ok(result) => batch.results[index] = Some(result),
                Err(error) => return self.halt(error.to_string()),
            }
        }
        let waiting = std::mem::take(&mut batch.waiting);
        self.admissions.waiting -= waiting.len();
        match self.check_rules(&mut batch, waiting) {
            Ok(spends) => self.continue_batch(now, ticket, batch, spends),
            Err(error) => return self.halt(error.to_string()),
        }
        self.release_waiting(now);
        if !self.mempool.is_empty() {
            self.hurry(now);
        }
    }

    /// Batches that waited only for parents of other batches go on.
    fn release_waiting(&mut self, now: Now) {
        let idle = |batch: &Batch| batch.checking.is_empty();
        let tickets: Vec<Ticket> =
            self.admissions.batches.iter().filter(|(_, b)| idle(b)).map(|(t, _)| *t).collect();
        for ticket in tickets {
            let Some(mut batch) = self.admissions.batches.remove(&ticket) else { continue };
            let waiting = std::mem::take(&mut batch.waiting);
            self.admissions.waiting -= waiting.len();
            match self.check_rules(&mut batch, waiting) {
                Ok(spends) => self.continue_batch(now, ticket, batch, spends),
                Err(error) => return self.halt(error.to_string()),
            }
        }
    }

    /// Sends the spends to be verified, or answers the batch when nothing is left to wait for.
    fn continue_batch(&mut self, _now: Now, ticket: Ticket, batch: Batch, spends: Vec<Spend>) {
        if !spends.is_empty() {
            self.effects.push(Effect::Verify { ticket, spends });
        }
        if batch.checking.is_empty() && batch.waiting.is_empty() {
            let results = batch.results.into_iter().flatten().collect();
            self.effects.push(Effect::Admission { ticket, results });
        } else {
            self.admissions.waiting += batch.waiting.len();
            self.admissions.batches.insert(ticket, batch);
        }
    }

    /// The rules before signatures, for each of a batch. Returns what is to be verified.
    fn check_rules(
        &mut self,
        batch: &mut Batch,
        transactions: Vec<(usize, Transaction)>,
    ) -> Result<Vec<Spend>, ViewError> {
        let mut spends = Vec::new();
        for (index, transaction) in transactions {
            match self.check_one(batch, transaction)? {
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

    fn check_one(&self, batch: &Batch, transaction: Transaction) -> Result<Checked, ViewError> {
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
        match self.mempool.check(&self.view, self.height(), transaction) {
            Ok(spend) => Ok(Checked::Spend(txid, spend)),
            // Its inputs are spent: by itself, in a block that is being written.
            Err(AdmitError::Reject(_)) if self.stack.holds(&txid) => {
                Ok(Checked::Rejected(Reject::AlreadyKnown { txid }))
            }
            Err(AdmitError::Reject(reject)) => Ok(Checked::Rejected(reject)),
            Err(AdmitError::View(error)) => Err(error),
        }
    }

    fn admit(
        &mut self,
        now: Now,
        source: Source,
        spend: Verified<Spend>,
    ) -> Result<Result<TxId, Reject>, ViewError> {
        let (height, txid) = (self.height(), spend.transaction.txid());
        let admitted = match self.mempool.admit(&self.view, height, now.mono, spend) {
            Ok(admitted) => admitted,
            Err(AdmitError::Reject(_)) if self.stack.holds(&txid) => {
                return Ok(Err(Reject::AlreadyKnown { txid }));
            }
            Err(AdmitError::Reject(reject)) => return Ok(Err(reject)),
            Err(AdmitError::View(error)) => return Err(error),
        };
        let txid = admitted.txid;
        if source == Source::Local {
            self.local.insert(txid);
        }
        if let Some(entry) = self.mempool.get_by_txid(&txid) {
            let (id, body) = (entry.wtxid(), entry.transaction().clone());
            self.offer_body(now, id, &body, true);
        }
        Ok(Ok(txid))
    }
}
