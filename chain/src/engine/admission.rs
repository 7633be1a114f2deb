//! Transactions on their way into the mempool: rules first, signatures off the loop, rules again.
//!
//! A child that arrives while its parent is still being checked waits for it. So does the same
//! transaction again: its witnesses may be others, and say nothing about each other.
use super::{Effect, Engine, Source, out::Out, pool::Pool, tip::Tip};
use crate::{
    crypto::Verified,
    inbound::{Arrival, Verdict},
    ledger::{LedgerView, ViewError},
    limits::WAITING_MAX,
    mempool::{AdmitError, Reject},
    rules::{RuleError, Spend},
    types::{Now, Transaction, TxId, WTxId},
    wire::Ticket,
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
    /// Gossiped batches that were judged during this input.
    judged: Vec<Ticket>,
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
            let results: Vec<_> = batch.results.into_iter().flatten().collect();
            match batch.source {
                Source::Local => out.push(Effect::Admission { ticket, results }),
                Source::Peer(_) => self.judge(ticket, &results, out),
            }
        } else {
            self.admissions.waiting += batch.waiting.len();
            self.admissions.batches.insert(ticket, batch);
        }
    }

    /// The verdict on a gossiped batch. What is good in one that is not forwarded goes on by itself.
    fn judge(&mut self, ticket: Ticket, results: &[Result<TxId, Reject>], out: &mut Out) {
        let verdict = verdict_on(results);
        out.push(Effect::Judge { ticket, verdict });
        self.admissions.judged.push(ticket);
        if verdict != Verdict::Accept {
            let new = results.iter().flatten().filter_map(|txid| self.mempool.get_by_txid(txid));
            let transactions: Vec<_> = new.map(|entry| entry.transaction().clone()).collect();
            if !transactions.is_empty() {
                out.push(Effect::Relay { transactions });
            }
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
        now: Now,
        source: Source,
        ticket: Ticket,
        transactions: Vec<Transaction>,
    ) {
        let taken = self.pool.take(&self.tip, (source, ticket), transactions, &mut self.out);
        self.out.or_halt(taken);
        self.tell_door(now);
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
        self.tell_door(now);
        if !self.pool.mempool.is_empty() {
            self.hurry(now);
        }
    }

    /// The door has room for other batches.
    fn tell_door(&mut self, now: Now) {
        for ticket in std::mem::take(&mut self.pool.admissions.judged) {
            self.on_arrival(now, Arrival::Judged(ticket));
        }
    }
}

/// The verdict on a gossiped batch. One transaction that no honest node forwards condemns it. It is forwarded as a
/// whole only if all of it was verified here: the next node may know more, and would blame this one for what it had
/// no reason to verify.
fn verdict_on(results: &[Result<TxId, Reject>]) -> Verdict {
    let is_verified =
        |result: &Result<TxId, Reject>| matches!(result, Ok(_) | Err(Reject::AlreadyKnown { .. }));
    if results.iter().any(|result| matches!(result, Err(Reject::Rule(rule)) if rule.is_malice())) {
        Verdict::Reject("a transaction that breaks a rule at any height")
    } else if results.iter().any(Result::is_ok) && results.iter().all(is_verified) {
        Verdict::Accept
    } else {
        Verdict::Ignore
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::OutPoint;

    #[test]
    fn a_batch_is_forwarded_as_it_is_only_if_all_of_it_was_verified() {
        let txid = TxId::default();
        let (good, known) = (Ok(txid), Err(Reject::AlreadyKnown { txid }));
        let outpoint = OutPoint { txid, vout: 0 };
        let unchecked = Err(Reject::Rule(RuleError::MissingInput { outpoint }));
        let malice = Err(Reject::Rule(RuleError::BadSignature));
        let reject = Verdict::Reject("a transaction that breaks a rule at any height");
        let cases = [
            (vec![good.clone()], Verdict::Accept),
            (vec![good.clone(), known.clone()], Verdict::Accept),
            (vec![known], Verdict::Ignore),
            (vec![good.clone(), unchecked], Verdict::Ignore),
            (vec![good, malice], reject),
        ];
        for (results, verdict) in cases {
            assert_eq!(verdict_on(&results), verdict, "{results:?}");
        }
    }
}
