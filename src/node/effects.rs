//! Carries out effects, one after the other. An effect starts only when every earlier one that must
//! be durable is durable.
use super::{
    clock,
    handle::FinalBlock,
    log, outbox,
    requests::{self, topic_of},
    run_loop::{End, Shell},
};
use std::sync::Arc;
use timecoin_chain::{
    engine::{Effect, Report},
    inbound::Verdict,
    mempool::Reject,
    types::{BlockHash, ConsensusMessage, Height, Millis, Transaction, TxId},
    wire::{self, Response, Ticket},
};
use timecoin_network::{Topic, peer_id_of_public_key};

impl Shell {
    pub(super) async fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), End> {
        // Timers count from the moment at which the record before them is durable.
        let mut waited = Millis(0);
        for effect in effects {
            match effect {
                Effect::Persist { record, blocks } => {
                    let began = self.clock.now().mono;
                    self.workers.persist(record, blocks).await.map_err(End::Store)?;
                    waited = waited.plus(self.clock.now().mono.since(began));
                }
                Effect::SetTimer { timer, at } => self.timers.set(timer, at.plus(waited)),
                Effect::Stop { kind, reason } => return Err(End::EngineStopped(kind, reason)),
                effect => self.carry_out_one(effect),
            }
        }
        Ok(())
    }

    fn carry_out_one(&mut self, effect: Effect) {
        match effect {
            Effect::Publish { message, attempt } => self.publish(&message, attempt),
            Effect::Announce(presence) => {
                let (topic, bytes) = wire::encode_presence(&presence);
                self.gossip(topic_of(topic), bytes, 0);
            }
            Effect::KeepPlaces(nodes) => {
                let peers = nodes.iter().filter_map(|node| peer_id_of_public_key(&node.0));
                self.network.keep_places(peers.collect());
            }
            Effect::Regossip { transactions, attempt } => {
                for batch in outbox::batches(&transactions) {
                    self.gossip(Topic::Transactions, batch, attempt);
                }
            }
            Effect::Relay { transactions } => {
                for transaction in transactions {
                    self.send_later(transaction);
                }
                self.flush_outbox();
            }
            Effect::Request { to, request } => {
                if let Some(peer) = self.peers.id(to) {
                    let (network, responses) = (self.network.clone(), self.responses.clone());
                    tokio::spawn(requests::ask(network, peer, request, responses));
                }
            }
            Effect::Respond { ticket, response } => self.respond(ticket, response),
            Effect::Serve { ticket, request } => {
                if let Some((from, reply)) = self.waiting.requests.remove(&ticket) {
                    self.librarian.serve(from, request, reply);
                }
            }
            // Dropping a reply answers "busy".
            Effect::Refuse { ticket } => drop(self.waiting.requests.remove(&ticket)),
            Effect::Judge { ticket, verdict } => self.judge(ticket, verdict),
            Effect::Blame { peer, reason } => {
                if let Some(peer) = self.peers.id(peer) {
                    self.network.blame(peer, reason);
                }
            }
            Effect::Run(job) => self.workers.run(job),
            Effect::LookUp { ticket, inputs } => self.workers.look_up(ticket, inputs),
            Effect::Verify { ticket, spends } => self.workers.verify(ticket, spends),
            Effect::Admission { ticket, results } => self.admitted(ticket, results),
            Effect::Execute(execution) => {
                let cancelled = self.executions.begin(execution.block().hash());
                self.workers.execute(execution, cancelled);
            }
            Effect::Cancel { block } => self.executions.cancel(&block),
            Effect::Commit { block, certificate, delta } => {
                self.committing = Some((block.clone(), certificate.clone()));
                self.workers.commit(block, certificate, delta);
            }
            Effect::Report(report) => self.report(&report),
            Effect::Persist { .. } | Effect::SetTimer { .. } | Effect::Stop { .. } => {
                unreachable!("carried out by the caller, which waits or ends")
            }
        }
    }

    fn publish(&self, message: &ConsensusMessage, attempt: u8) {
        let (topic, bytes) = wire::encode_message(message);
        self.gossip(topic_of(topic), bytes, attempt);
    }

    /// If a message is not sent now, the engine repeats it or a peer asks for it.
    fn gossip(&self, topic: Topic, bytes: Vec<u8>, attempt: u8) {
        if let Err(error) = self.network.publish(topic, bytes.into(), attempt) {
            tracing::debug!("not gossiped: {error}");
        }
    }

    fn judge(&mut self, ticket: Ticket, verdict: Verdict) {
        let Some(ticket) = self.waiting.gossip.remove(&ticket) else { return };
        match verdict {
            Verdict::Accept => ticket.accept(),
            Verdict::Ignore => ticket.ignore(),
            Verdict::Reject(reason) => ticket.reject(reason),
        }
    }

    fn respond(&mut self, ticket: Ticket, response: Response) {
        let Some((_, reply)) = self.waiting.requests.remove(&ticket) else { return };
        self.workers.encode(move || reply.send(response.encode().into()));
    }

    fn admitted(&mut self, ticket: Ticket, results: Vec<Result<TxId, Reject>>) {
        let Some(reply) = self.waiting.callers.remove(&ticket) else { return };
        for txid in results.iter().flatten() {
            if let Some(entry) = self.engine.mempool().get_by_txid(txid) {
                self.send_later(entry.transaction().clone());
            }
        }
        // The caller may have stopped waiting.
        drop(reply.send(results));
        self.flush_outbox();
    }

    fn send_later(&mut self, transaction: Transaction) {
        if let Some(batch) = self.outbox.add(transaction) {
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
        if let Report::Final { height, block, weight, took, .. } = report {
            self.announce(*height, *block, *weight, *took);
        }
    }

    fn announce(&mut self, height: Height, hash: BlockHash, weight: u64, took: Millis) {
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
        // There may be no reader.
        drop(self.blocks.send(Arc::new(block)));
    }
}
