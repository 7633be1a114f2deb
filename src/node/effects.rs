//! Carries out effects, one after the other. A later effect starts only when an earlier one that must
//! be durable is.
use super::{
    clock,
    handle::FinalBlock,
    inbound, log, outbox, requests,
    run_loop::{End, Shell, Waiting},
};
use std::sync::Arc;
use timecoin_chain::{
    codec,
    engine::{Effect, PeerAnswer, Report, Ticket},
    mempool::Reject,
    types::{ConsensusMessage, Height, Millis, TxId},
};
use timecoin_network::{Topic, Verdict};

impl Shell {
    pub(super) async fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), End> {
        for effect in effects {
            self.carry_out_one(effect).await?;
        }
        Ok(())
    }

    async fn carry_out_one(&mut self, effect: Effect) -> Result<(), End> {
        match effect {
            Effect::Persist { record, blocks } => {
                self.workers.persist(record, blocks).await.map_err(End::Store)?;
            }
            Effect::Publish { message, attempt } => self.publish(&message, attempt),
            Effect::Regossip { transactions, attempt } => {
                for batch in outbox::batches(&transactions) {
                    self.gossip(Topic::Transactions, batch, attempt);
                }
            }
            Effect::Request { to, request } => {
                if let Some(peer) = self.peers.id(to) {
                    let (chain, network) = (self.chain.clone(), self.network.clone());
                    let events = self.events.clone();
                    tokio::spawn(requests::ask(chain, network, peer, request, events));
                }
            }
            Effect::Answer { ticket, answer } => self.answer(ticket, answer),
            Effect::Verify { ticket, spends } => self.workers.verify(ticket, spends),
            Effect::Admission { ticket, results } => self.admitted(ticket, results),
            Effect::Execute { block, parent, layers, verified } => {
                self.workers.execute(block, parent, layers, verified);
            }
            Effect::Commit { block, certificate, delta } => {
                self.committing = Some((block.clone(), certificate.clone()));
                self.workers.commit(block, certificate, delta);
            }
            Effect::SetTimer { timer, at } => self.timers.set(timer, at),
            Effect::Report(report) => self.report(&report),
            Effect::Halt { kind, reason } => return Err(End::Halted(kind, reason)),
        }
        Ok(())
    }

    fn publish(&self, message: &ConsensusMessage, attempt: u8) {
        self.gossip(inbound::topic_of(message), codec::encode(message), attempt);
    }

    /// A message that does not leave now is repeated by the engine, or asked for by a peer.
    fn gossip(&self, topic: Topic, bytes: Vec<u8>, attempt: u8) {
        if let Err(error) = self.network.publish(topic, bytes.into(), attempt) {
            tracing::debug!("not gossiped: {error}");
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: PeerAnswer) {
        let Some(reply) = self.replies.remove(&ticket) else { return };
        self.workers.encode(move || {
            let bytes = match answer {
                PeerAnswer::Bodies(bodies) => outbox::encode_batch(&bodies),
                PeerAnswer::Votes(votes) => codec::encode(&votes),
            };
            reply.send(bytes.into());
        });
    }

    fn admitted(&mut self, ticket: Ticket, results: Vec<Result<TxId, Reject>>) {
        match self.waiting.remove(&ticket) {
            Some(Waiting::Caller(reply)) => {
                for txid in results.iter().flatten() {
                    self.send_later(txid);
                }
                // A caller that has gone away needs no answer.
                drop(reply.send(results));
                self.flush_outbox();
            }
            Some(Waiting::Gossip(ticket)) => {
                let verdict = verdict_on(&results);
                ticket.judge(verdict);
                if verdict == Verdict::Ignore {
                    for txid in results.iter().flatten() {
                        self.send_later(txid);
                    }
                    self.flush_outbox();
                }
            }
            None => {}
        }
    }

    fn send_later(&mut self, txid: &TxId) {
        let Some(entry) = self.engine.mempool().get_by_txid(txid) else { return };
        let (transaction, bytes) = (entry.transaction().clone(), entry.bytes());
        if let Some(batch) = self.outbox.add(transaction, bytes) {
            self.gossip(Topic::Transactions, batch, 0);
        }
    }

    pub(super) fn flush_outbox(&mut self) {
        if let Some(batch) = self.outbox.take_due() {
            self.gossip(Topic::Transactions, batch, 0);
        }
    }

    fn report(&mut self, report: &Report) {
        log::report(report);
        (self.on_report)(report);
        if let Report::Committed { height, block, weight, took, .. } = report {
            self.announce(*height, *block, *weight, *took);
        }
    }

    fn announce(
        &mut self,
        height: Height,
        hash: timecoin_chain::types::BlockHash,
        weight: u64,
        took: Millis,
    ) {
        let Some((block, certificate)) = self.committing.take() else { return };
        if block.header.height != height {
            return;
        }
        if self.blocks.receiver_count() == 0 {
            return;
        }
        let txids = block.transactions.iter().map(|tx| tx.txid()).collect();
        let at = clock::wall();
        let block = FinalBlock { block, hash, certificate, txids, weight, took, at };
        // Without a reader there is nobody to tell.
        drop(self.blocks.send(Arc::new(block)));
    }
}

/// The verdict on a gossiped batch. One transaction that no honest node passes on condemns it. It goes
/// on as it is only if all of it was checked here: whoever gets it from this node may know more, and
/// would blame this node for what it had no reason to check. Otherwise what is new goes on by itself.
fn verdict_on(results: &[Result<TxId, Reject>]) -> Verdict {
    let is_checked =
        |result: &Result<TxId, Reject>| matches!(result, Ok(_) | Err(Reject::AlreadyKnown { .. }));
    if results.iter().any(|result| matches!(result, Err(Reject::Rule(rule)) if rule.is_malice())) {
        Verdict::Reject("a transaction that breaks a rule at any height")
    } else if results.iter().any(Result::is_ok) && results.iter().all(is_checked) {
        Verdict::Accept
    } else {
        Verdict::Ignore
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use timecoin_chain::{rules::RuleError, types::OutPoint};

    #[test]
    fn a_batch_goes_on_as_it_is_only_if_all_of_it_was_checked() {
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
