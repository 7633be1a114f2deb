//! Transactions on their way into the mempool, in four steps: the rules that need no coin; the coins, looked up off the
//! loop; the other rules; the signatures, verified off the loop, and the rules again.
//!
//! A child that arrives while its parent is still being checked waits for it. So does the same
//! transaction again: its witnesses may be others, and say nothing about each other.
//!
//! Never reads the disk: coins are as they were found, with what was decided since (`recent.rs`).
use super::{
    Effect, Engine,
    batch::{Batch, Source, Stage},
    out::Out,
    pool::Pool,
    recent::{Current, Recent},
    tip::Tip,
    verdict::verdict_on,
};
use crate::{
    crypto::Verified,
    inbound::Verdict,
    ledger::{FoundCoins, LedgerView, ViewError},
    limits::WAITING_MAX,
    mempool::{Reject, Screened},
    rules::{RuleError, Spend},
    types::{Now, OutPoint, Transaction, TxId},
    wire::{Peer, Ticket},
};

/// How often the coins of a batch are looked up, at most. Once is enough unless many blocks are decided meanwhile.
const LOOKUPS_MAX: u32 = 3;

/// What the rules said before the coins.
enum Checked {
    Screened(Screened),
    Waits(Transaction),
    Rejected(Reject),
}

impl Pool {
    /// New transactions. Those of a peer that has used up its share of misses are ignored.
    pub(super) fn take<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        now: Now,
        (source, ticket): (Source, Ticket),
        transactions: Vec<Transaction>,
        out: &mut Out,
    ) {
        if let Source::Peer(peer) = source
            && self.misses.used_up(now.mono, peer)
        {
            return self.give_verdict(ticket, Verdict::Ignore, out);
        }
        let batch = Batch {
            source,
            results: transactions.iter().map(|_| None).collect(),
            stage: Stage::Idle,
            waiting: transactions.into_iter().enumerate().collect(),
            found: FoundCoins::default(),
            found_at: tip.recent.height(),
            lookups: 0,
        };
        self.admissions.insert(ticket, batch);
        self.proceed(tip, now, ticket, out);
        self.release(tip, now, out);
    }

    /// The coins of a batch were looked up.
    pub(super) fn coins_found<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        now: Now,
        ticket: Ticket,
        coins: FoundCoins,
        out: &mut Out,
    ) {
        let looked_up = self.admissions.take_at(ticket, Stage::looked_up);
        let Some((mut batch, screened)) = looked_up else { return };
        if tip.recent.reaches(batch.found_at) {
            batch.found.extend(coins);
            self.verify(tip, now, (ticket, batch), screened, out);
        } else {
            self.look_up_again(tip, now, (ticket, batch), screened, out);
        }
        self.release(tip, now, out);
    }

    /// Signatures of a batch are judged: admits those that are sound and returns them, since a
    /// block that is being gathered may lack them.
    pub(super) fn admit_verified<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        now: Now,
        ticket: Ticket,
        results: Vec<Result<Verified<Spend>, RuleError>>,
        out: &mut Out,
    ) -> Vec<Transaction> {
        let verified = self.admissions.take_at(ticket, Stage::verified);
        let Some((mut batch, verifying)) = verified else { return Vec::new() };
        let is_current = tip.recent.reaches(batch.found_at);
        let (mut admitted, mut overtaken) = (Vec::new(), Vec::new());
        for ((index, txid), result) in verifying.into_iter().zip(results) {
            let result = match result {
                Ok(spend) if !is_current => {
                    overtaken.push((index, Screened::again(spend)));
                    continue;
                }
                Ok(spend) => self.admit(tip, now, &batch, spend),
                Err(error) => Err(Reject::Rule(error)),
            };
            self.admissions.free(&txid);
            if let Some(entry) = result.iter().find_map(|txid| self.mempool.get_by_txid(txid)) {
                admitted.push(entry.transaction().clone());
            }
            batch.results[index] = Some(result);
        }
        match overtaken.is_empty() {
            true => self.keep_or_answer(ticket, batch, out),
            false => self.look_up_again(tip, now, (ticket, batch), overtaken, out),
        }
        self.release(tip, now, out);
        admitted
    }

    /// The batches that only waited go on when what they may have waited for is judged.
    fn release<V: LedgerView>(&mut self, tip: &Tip<V>, now: Now, out: &mut Out) {
        loop {
            let tickets = self.admissions.released();
            if tickets.is_empty() {
                return;
            }
            tickets.into_iter().for_each(|ticket| self.proceed(tip, now, ticket, out));
        }
    }

    /// Takes up what waits in an idle batch.
    fn proceed<V: LedgerView>(&mut self, tip: &Tip<V>, now: Now, ticket: Ticket, out: &mut Out) {
        let Some(mut batch) = self.admissions.remove(ticket) else { return };
        let waiting = std::mem::take(&mut batch.waiting);
        let mut screened = Vec::new();
        for (index, transaction) in waiting {
            match self.screen(tip, &batch, transaction) {
                Checked::Screened(next) => {
                    self.admissions.in_flight.insert(next.txid());
                    screened.push((index, next));
                }
                Checked::Waits(transaction) => batch.waiting.push((index, transaction)),
                Checked::Rejected(reject) => batch.results[index] = Some(Err(reject)),
            }
        }
        batch.lookups = 0;
        self.look_up(tip, now, (ticket, batch), screened, out);
    }

    fn screen<V: LedgerView>(
        &self,
        tip: &Tip<V>,
        batch: &Batch,
        transaction: Transaction,
    ) -> Checked {
        let txid = transaction.txid();
        let in_flight = &self.admissions.in_flight;
        let has_room = self.admissions.waiting() + batch.waiting.len() < WAITING_MAX;
        let mut parents = transaction.body.inputs.iter().map(|input| input.txid);
        if has_room && (in_flight.contains(&txid) || parents.any(|id| in_flight.contains(&id))) {
            return Checked::Waits(transaction);
        }
        if in_flight.contains(&txid) {
            return Checked::Rejected(Reject::AlreadyKnown { txid });
        }
        match self.mempool.screen(tip.next_height(), transaction) {
            Ok(screened) => Checked::Screened(screened),
            Err(reject) => Checked::Rejected(or_decided(&tip.recent, txid, reject)),
        }
    }

    /// Asks for the coins that neither a waiting transaction nor a recent block creates.
    fn look_up<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        now: Now,
        (ticket, mut batch): (Ticket, Batch),
        screened: Vec<(usize, Screened)>,
        out: &mut Out,
    ) {
        batch.found_at = tip.recent.height();
        batch.found = FoundCoins::default();
        let mut inputs = Vec::new();
        for (_, screened) in &screened {
            let unknown = self.unknown_inputs(&tip.recent, screened, &mut batch.found);
            if !unknown.is_empty() {
                inputs.push(unknown);
            }
        }
        if inputs.is_empty() {
            return self.verify(tip, now, (ticket, batch), screened, out);
        }
        batch.lookups += 1;
        batch.stage = Stage::LookingUp(screened);
        self.admissions.insert(ticket, batch);
        out.push(Effect::LookUp { ticket, inputs });
    }

    fn unknown_inputs(
        &self,
        recent: &Recent,
        screened: &Screened,
        found: &mut FoundCoins,
    ) -> Vec<OutPoint> {
        let mut unknown = Vec::new();
        for outpoint in self.mempool.ledger_inputs(screened) {
            match recent.output(outpoint) {
                Some(Some(output)) => found.insert(*outpoint, output.clone()),
                Some(None) => {}
                None => unknown.push(*outpoint),
            }
        }
        unknown
    }

    /// So many blocks were decided that what the coins were found to be says nothing any more.
    fn look_up_again<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        now: Now,
        (ticket, mut batch): (Ticket, Batch),
        screened: Vec<(usize, Screened)>,
        out: &mut Out,
    ) {
        let lookups = batch.lookups;
        if lookups < LOOKUPS_MAX {
            return self.look_up(tip, now, (ticket, batch), screened, out);
        }
        for (index, screened) in screened {
            self.admissions.free(&screened.txid());
            batch.results[index] = Some(Err(Reject::Overtaken { lookups }));
        }
        self.keep_or_answer(ticket, batch, out);
    }

    /// The rules that need coins. What keeps them goes to the verifiers.
    fn verify<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        now: Now,
        (ticket, mut batch): (Ticket, Batch),
        screened: Vec<(usize, Screened)>,
        out: &mut Out,
    ) {
        let (mut spends, mut verifying) = (Vec::new(), Vec::new());
        for (index, screened) in screened {
            let (txid, inputs) = (screened.txid(), screened.transaction().body.inputs.len());
            let (found, found_at) = (&batch.found, batch.found_at);
            let coins = Current { recent: &tip.recent, found, found_at };
            match self.mempool.check(&coins, tip.next_height(), screened) {
                Ok(spend) => {
                    verifying.push((index, txid));
                    spends.push(spend);
                }
                Err(reject) => {
                    self.admissions.free(&txid);
                    let reject = or_decided(&tip.recent, txid, reject);
                    if let Source::Peer(peer) = batch.source {
                        self.charge(now, peer, inputs, &reject);
                    }
                    batch.results[index] = Some(Err(reject));
                }
            }
        }
        if !spends.is_empty() {
            batch.stage = Stage::Verifying(verifying);
            out.push(Effect::Verify { ticket, spends });
        }
        self.keep_or_answer(ticket, batch, out);
    }

    /// What was read for nothing is the share of the peer that sent it.
    fn charge(&mut self, now: Now, peer: Peer, inputs: usize, reject: &Reject) {
        if matches!(reject, Reject::Rule(RuleError::MissingInput { .. }) | Reject::FeeTooLow { .. })
        {
            self.misses.charge(now.mono, peer, inputs);
        }
    }

    /// Answers a batch when nothing is left to wait for.
    fn keep_or_answer(&mut self, ticket: Ticket, batch: Batch, out: &mut Out) {
        if !matches!(batch.stage, Stage::Idle) || !batch.waiting.is_empty() {
            return self.admissions.insert(ticket, batch);
        }
        let results: Vec<_> = batch.results.into_iter().flatten().collect();
        for reject in results.iter().filter_map(|result| result.as_ref().err()) {
            *self.rejected.entry(reject.code()).or_default() += 1;
        }
        match batch.source {
            Source::Local => out.push(Effect::Admission { ticket, results }),
            Source::Peer(_) => self.judge(ticket, &results, out),
        }
    }

    /// The verdict on a gossiped batch. What is good in one that is not forwarded goes on by itself.
    fn judge(&mut self, ticket: Ticket, results: &[Result<TxId, Reject>], out: &mut Out) {
        let verdict = verdict_on(results);
        self.give_verdict(ticket, verdict, out);
        if verdict != Verdict::Accept {
            let new = results.iter().flatten().filter_map(|txid| self.mempool.get_by_txid(txid));
            let transactions: Vec<_> = new.map(|entry| entry.transaction().clone()).collect();
            if !transactions.is_empty() {
                out.push(Effect::Relay { transactions });
            }
        }
    }

    fn give_verdict(&mut self, ticket: Ticket, verdict: Verdict, out: &mut Out) {
        out.push(Effect::Judge { ticket, verdict });
        self.admissions.judged.push(ticket);
    }

    fn admit<V: LedgerView>(
        &mut self,
        tip: &Tip<V>,
        now: Now,
        batch: &Batch,
        spend: Verified<Spend>,
    ) -> Result<TxId, Reject> {
        let txid = spend.transaction.txid();
        let (found, found_at) = (&batch.found, batch.found_at);
        let coins = Current { recent: &tip.recent, found, found_at };
        let admitted = self.mempool.admit(&coins, tip.next_height(), now.mono, spend);
        admitted.map_err(|reject| or_decided(&tip.recent, txid, reject))?;
        if batch.source == Source::Local {
            self.local.insert(txid);
        }
        Ok(txid)
    }
}

/// The inputs of a decided transaction are spent: by itself.
fn or_decided(recent: &Recent, txid: TxId, reject: Reject) -> Reject {
    if recent.holds(&txid) { Reject::Decided { txid } } else { reject }
}

impl<V: LedgerView> Engine<V> {
    pub(super) fn on_transactions(
        &mut self,
        now: Now,
        source: Source,
        ticket: Ticket,
        transactions: Vec<Transaction>,
    ) {
        self.pool.take(&self.tip, now, (source, ticket), transactions, &mut self.out);
        self.tell_door(now);
    }

    pub(super) fn on_coins_found(
        &mut self,
        now: Now,
        ticket: Ticket,
        coins: Result<FoundCoins, ViewError>,
    ) {
        let Some(coins) = self.out.or_stop(coins) else { return };
        self.pool.coins_found(&self.tip, now, ticket, coins, &mut self.out);
        self.tell_door(now);
    }

    pub(super) fn on_verified_spends(
        &mut self,
        now: Now,
        ticket: Ticket,
        results: Vec<Result<Verified<Spend>, RuleError>>,
    ) {
        let admitted = self.pool.admit_verified(&self.tip, now, ticket, results, &mut self.out);
        for body in admitted {
            self.offer_body(&body, true);
        }
        self.tell_door(now);
        if !self.pool.mempool.is_empty() {
            self.bring_proposal_forward(now);
        }
    }

    /// The door has room for other batches.
    fn tell_door(&mut self, now: Now) {
        for ticket in std::mem::take(&mut self.pool.admissions.judged) {
            self.at_door(now, |pass| pass.on_judged(ticket));
        }
    }
}
