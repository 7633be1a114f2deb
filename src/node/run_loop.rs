//! The one loop: an event at a time into the engine, its effects out in order.
use super::{
    clock::{Clock, Timers},
    handle::{Acceptable, Command, FinalBlock, OnReport, PooledTransaction},
    log,
    outbox::Outbox,
    peers::Peers,
    workers::{Answer, Workers},
};
use std::{collections::BTreeMap, sync::Arc};
use timecoin_chain::{
    crypto::{Ed25519, Verified},
    engine::{Ask, Engine, EngineStatus, HaltKind, Input, Peer, Request, Source, Ticket},
    genesis::Chain,
    mempool::{AdmitError, Reject},
    rules,
    types::{Block, Certificate, ConsensusMessage, Millis, Now, Transaction, TxId},
};
use timecoin_network::{NetworkHandle, PeerEvent, PeerId, Reply};
use timecoin_store::{Store, StoreError};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Batches of transactions whose signatures are being checked at a time.
const BATCHES_MAX: usize = 64;

/// Snapshots for readers at the most this often, but after each block.
const STATUS_PERIOD: Millis = Millis(50);

/// Something from outside the engine.
pub(super) enum Event {
    /// A checked consensus message.
    Message { from: PeerId, message: Verified<ConsensusMessage> },
    /// Unchecked transactions from gossip.
    Transactions { from: PeerId, batch: Vec<Transaction>, ticket: timecoin_network::Ticket },
    /// A peer said how far it is.
    Status { from: PeerId, tip: Option<Verified<Certificate>> },
    /// A peer sent blocks.
    Blocks { from: PeerId, blocks: Vec<(Block, Verified<Certificate>)> },
    /// A peer sent bodies.
    Bodies { from: PeerId, transactions: Vec<Transaction> },
    /// A peer did not answer.
    RequestFailed { from: PeerId, request: Request },
    /// A peer asks.
    Ask { ask: Ask, reply: Reply },
}

/// Why the loop ended.
#[derive(Debug)]
pub(super) enum End {
    /// It was asked to.
    Stopped,
    /// The engine will not go on.
    Halted(HaltKind, String),
    /// The disk failed.
    Store(StoreError),
}

/// Where an answer about transactions goes.
pub(super) enum Waiting {
    /// To a caller of RPC.
    Caller(oneshot::Sender<Vec<Result<TxId, Reject>>>),
    /// To gossip, as a verdict.
    Gossip(timecoin_network::Ticket),
}

/// Where events come from.
pub(super) struct Sources {
    pub(super) answers: mpsc::Receiver<Answer>,
    pub(super) consensus: mpsc::Receiver<Event>,
    pub(super) peers: mpsc::Receiver<PeerEvent>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) bulk: mpsc::Receiver<Event>,
}

/// The loop's own state.
pub(super) struct Shell {
    pub(super) chain: Arc<Chain>,
    pub(super) engine: Engine<Arc<Store>>,
    pub(super) clock: Clock,
    pub(super) timers: Timers,
    pub(super) peers: Peers,
    pub(super) network: NetworkHandle,
    pub(super) workers: Workers,
    pub(super) outbox: Outbox,
    pub(super) on_report: OnReport,
    pub(super) status: watch::Sender<Arc<EngineStatus>>,
    pub(super) blocks: broadcast::Sender<Arc<FinalBlock>>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) tickets: u64,
    pub(super) waiting: BTreeMap<Ticket, Waiting>,
    pub(super) replies: BTreeMap<Ticket, Reply>,
    pub(super) committing: Option<(Arc<Block>, Arc<Certificate>)>,
    pub(super) status_at: Millis,
}

impl Shell {
    /// Runs until stopped or failed.
    pub(super) async fn run(mut self, mut sources: Sources, stop: CancellationToken) -> End {
        if let Err(end) = self.handle(Input::Start).await {
            return end;
        }
        loop {
            let result = tokio::select! {
                biased;
                () = stop.cancelled() => return End::Stopped,
                Some(answer) = sources.answers.recv() => self.on_answer(answer).await,
                () = self.timers.due(&self.clock) => self.on_timers().await,
                Some(event) = sources.consensus.recv() => self.on_event(event).await,
                Some(event) = sources.peers.recv() => self.on_peer(event).await,
                () = self.outbox.due() => { self.flush_outbox(); Ok(()) }
                Some(command) = sources.commands.recv() => self.on_command(command).await,
                // More than these wait in the network's queue, which drops what does not fit.
                Some(event) = sources.bulk.recv(), if self.waiting.len() < BATCHES_MAX => {
                    self.on_event(event).await
                }
            };
            if let Err(end) = result {
                return end;
            }
        }
    }

    /// One input through the engine, and what follows from it.
    pub(super) async fn handle(&mut self, input: Input) -> Result<(), End> {
        let (now, height) = (self.clock.now(), self.engine.height());
        let effects = self.engine.handle(now, input);
        self.carry_out(effects).await?;
        // What is let in from gossip depends on the height.
        self.publish_status(now, self.engine.height() != height);
        Ok(())
    }

    pub(super) fn publish_status(&mut self, now: Now, at_once: bool) {
        if at_once || now.mono.since(self.status_at) >= STATUS_PERIOD {
            self.status_at = now.mono;
            let status = self.engine.status(now);
            log::stall(&self.status.borrow(), &status);
            self.status.send_replace(Arc::new(status));
        }
    }

    pub(super) fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    async fn on_answer(&mut self, answer: Answer) -> Result<(), End> {
        match answer {
            Answer::Input(input) => {
                let is_commit = matches!(*input, Input::Committed { .. });
                let result = self.handle(*input).await;
                if is_commit {
                    self.publish_status(self.clock.now(), true);
                }
                result
            }
            Answer::Failed(error) => Err(End::Store(error)),
        }
    }

    async fn on_timers(&mut self) -> Result<(), End> {
        while let Some(timer) = self.timers.take_due(self.clock.now().mono) {
            self.handle(Input::Timer(timer)).await?;
        }
        Ok(())
    }

    async fn on_peer(&mut self, event: PeerEvent) -> Result<(), End> {
        match event {
            PeerEvent::Connected { peer, address, inbound } => {
                tracing::debug!(%peer, %address, inbound, "peer connected");
                let peer = self.peers.add(peer);
                self.handle(Input::PeerUp(peer)).await
            }
            PeerEvent::Disconnected { peer, reason } => {
                tracing::debug!(%peer, "peer gone: {reason}");
                match self.peers.remove(&peer) {
                    Some(peer) => self.handle(Input::PeerDown(peer)).await,
                    None => Ok(()),
                }
            }
            PeerEvent::Refused { peer, reason } => {
                tracing::warn!(%peer, "peer refused: {reason}");
                Ok(())
            }
        }
    }

    async fn on_event(&mut self, event: Event) -> Result<(), End> {
        let Some(input) = self.input_of(event) else { return Ok(()) };
        self.handle(input).await
    }

    /// The input for an event; nothing where its peer is gone.
    fn input_of(&mut self, event: Event) -> Option<Input> {
        let number = |peers: &Peers, id: PeerId| -> Option<Peer> { peers.number(&id) };
        Some(match event {
            Event::Message { from, message } => {
                Input::Message { from: number(&self.peers, from)?, message }
            }
            Event::Transactions { from, batch, ticket: gossip } => {
                let source = Source::Peer(number(&self.peers, from)?);
                let ticket = self.next_ticket();
                self.waiting.insert(ticket, Waiting::Gossip(gossip));
                Input::Transactions { source, ticket, transactions: batch }
            }
            Event::Status { from, tip } => Input::Status { from: number(&self.peers, from)?, tip },
            Event::Blocks { from, blocks } => {
                Input::Blocks { from: number(&self.peers, from)?, blocks }
            }
            Event::Bodies { from, transactions } => {
                Input::Bodies { from: number(&self.peers, from)?, transactions }
            }
            Event::RequestFailed { from, request } => {
                Input::RequestFailed { from: number(&self.peers, from)?, request }
            }
            Event::Ask { ask, reply } => {
                let ticket = self.next_ticket();
                self.replies.insert(ticket, reply);
                Input::Ask { ticket, ask }
            }
        })
    }

    async fn on_command(&mut self, command: Command) -> Result<(), End> {
        let now = self.clock.now();
        let mempool = self.engine.mempool();
        // A caller that has gone away needs no answer.
        match command {
            Command::Submit { transactions, reply } => {
                let ticket = self.next_ticket();
                self.waiting.insert(ticket, Waiting::Caller(reply));
                let source = Source::Local;
                return self.handle(Input::Transactions { source, ticket, transactions }).await;
            }
            Command::Test { transaction, reply } => match self.test(*transaction) {
                Ok(answer) => drop(reply.send(answer)),
                Err(error) => return Err(End::Halted(HaltKind::Contradiction, error)),
            },
            Command::MempoolIds { limit, reply } => {
                drop(reply.send(mempool.iter().take(limit).map(|entry| entry.txid()).collect()));
            }
            Command::MempoolEntry { txid, reply } => {
                let entry = self.engine.pending(&txid).map(|entry| PooledTransaction {
                    transaction: entry.transaction().clone(),
                    txid,
                    wtxid: entry.wtxid(),
                    bytes: entry.bytes(),
                    fee: entry.fee(),
                    waiting: now.mono.since(entry.added()),
                    height_added: entry.height_added(),
                });
                drop(reply.send(entry));
            }
            Command::MempoolStats { reply } => drop(reply.send(mempool.stats(now.mono))),
        }
        Ok(())
    }

    /// Whether a transaction would be taken. An error is the store's.
    fn test(&self, transaction: Transaction) -> Result<Result<Acceptable, Reject>, String> {
        let (txid, bytes) = (transaction.txid(), timecoin_chain::codec::encode(&transaction).len());
        let spend = match self.engine.mempool().check(
            self.engine.view(),
            self.engine.height(),
            transaction,
        ) {
            Ok(spend) => spend,
            Err(AdmitError::Reject(reject)) => return Ok(Err(reject)),
            Err(AdmitError::View(error)) => return Err(error.to_string()),
        };
        let fee = rules::fee_of(&spend.transaction, &spend.spent);
        let verified = rules::verify_spends(&Ed25519, &self.chain.hash, vec![spend]);
        let valid = verified.into_iter().try_for_each(|result| result.map(|_| ()));
        Ok(fee
            .and_then(|fee| valid.map(|()| Acceptable { txid, bytes, fee }))
            .map_err(Reject::Rule))
    }
}
