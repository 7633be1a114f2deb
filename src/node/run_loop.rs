//! The main loop: passes one event at a time to the engine and carries out its effects in order.
use super::{
    clock::{Clock, Timers},
    handle::{Command, FinalBlock, OnReport, PooledTransaction},
    log,
    outbox::Outbox,
    peers::Peers,
    refusals::Refusals,
    requests::{self, Answered, Librarian},
    workers::{Executions, Finished, Workers},
};
use std::{collections::BTreeMap, sync::Arc};
use timecoin_chain::{
    engine::{Engine, EngineStatus, Input, StopKind},
    mempool::Reject,
    types::{Block, Certificate, Millis, Now, TxId},
    wire::Ticket,
};
use timecoin_network::{
    Gossip, InboundRequest, NetworkHandle, PeerEvent, PeerId, Reply, RequestError,
};
use timecoin_store::{Store, StoreError};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Snapshots for readers are at least this far apart, except after a block.
const STATUS_PERIOD: Millis = Millis(50);
/// And at most this far, also where nothing happens: a halt is told soon.
const STATUS_PERIOD_MAX: Millis = Millis(250);
/// The maximum number of gossiped messages handled before a due timer.
const BEFORE_TIMERS_MAX: usize = 256;
/// How long a due timer waits for the verification of messages that arrived before it.
const TIMER_GRACE: Millis = Millis(50);

/// Why the loop ended.
#[derive(Debug)]
pub(super) enum End {
    /// The node was asked to stop.
    Stopped,
    /// The engine stopped for good.
    EngineStopped(StopKind, String),
    /// The disk failed.
    Store(StoreError),
}

/// What waits for an effect of the engine, by ticket.
#[derive(Default)]
pub(super) struct Waiting {
    last: u64,
    /// Callers that submitted transactions.
    pub(super) callers: BTreeMap<Ticket, oneshot::Sender<Vec<Result<TxId, Reject>>>>,
    /// Gossiped messages without a verdict.
    pub(super) gossip: BTreeMap<Ticket, timecoin_network::Ticket>,
    /// Peers' requests.
    pub(super) requests: BTreeMap<Ticket, (PeerId, Reply)>,
}

impl Waiting {
    fn ticket(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }
}

/// The sources of events.
pub(super) struct Sources {
    pub(super) finished: mpsc::Receiver<Finished>,
    pub(super) fast: mpsc::Receiver<Gossip>,
    pub(super) responses: mpsc::Receiver<Answered>,
    pub(super) peers: mpsc::Receiver<PeerEvent>,
    pub(super) requests: mpsc::Receiver<InboundRequest>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) bulk: mpsc::Receiver<Gossip>,
}

/// The loop's own state.
pub(super) struct Shell {
    pub(super) engine: Engine<Arc<Store>>,
    pub(super) clock: Clock,
    pub(super) timers: Timers,
    pub(super) peers: Peers,
    pub(super) refusals: Refusals,
    pub(super) network: NetworkHandle,
    pub(super) workers: Workers,
    pub(super) executions: Executions,
    pub(super) librarian: Librarian,
    pub(super) outbox: Outbox,
    pub(super) on_report: OnReport,
    pub(super) status: watch::Sender<Arc<EngineStatus>>,
    pub(super) blocks: broadcast::Sender<Arc<FinalBlock>>,
    pub(super) responses: mpsc::Sender<Answered>,
    pub(super) waiting: Waiting,
    pub(super) committing: Option<(Arc<Block>, Arc<Certificate>)>,
    pub(super) status_at: Millis,
    pub(super) halts: log::Halts,
}

impl Shell {
    /// Runs until stopped or failed.
    pub(super) async fn run(mut self, mut sources: Sources, stop: CancellationToken) -> End {
        if let Err(end) = self.handle(Input::Start).await {
            return end;
        }
        loop {
            let grace = if self.engine.is_verifying() { TIMER_GRACE } else { Millis(0) };
            let result = tokio::select! {
                biased;
                () = stop.cancelled() => return End::Stopped,
                Some(finished) = sources.finished.recv() => self.on_finished(finished).await,
                () = self.timers.due(&self.clock, grace) => {
                    self.on_timers(&mut sources.fast).await
                }
                Some(gossip) = sources.fast.recv() => self.on_gossip(gossip).await,
                Some(answered) = sources.responses.recv() => self.on_answered(answered).await,
                Some(event) = sources.peers.recv() => self.on_peer(event).await,
                Some(request) = sources.requests.recv() => self.on_request(request).await,
                () = self.outbox.due() => { self.flush_outbox(); Ok(()) }
                () = self.clock.until(self.status_at.plus(STATUS_PERIOD_MAX)) => {
                    self.publish_status(self.clock.now(), true);
                    Ok(())
                }
                Some(command) = sources.commands.recv() => self.on_command(command).await,
                // Further messages wait in the network's queue, which drops what does not fit.
                Some(gossip) = sources.bulk.recv(), if self.engine.takes_batches() => {
                    self.on_gossip(gossip).await
                }
            };
            if let Err(end) = result {
                return end;
            }
        }
    }

    /// Passes one input to the engine and carries out its effects.
    pub(super) async fn handle(&mut self, input: Input) -> Result<(), End> {
        let (now, height) = (self.clock.now(), self.engine.height());
        let effects = self.engine.handle(now, input);
        self.carry_out(effects).await?;
        self.publish_status(now, self.engine.height() != height);
        Ok(())
    }

    pub(super) fn publish_status(&mut self, now: Now, at_once: bool) {
        if at_once || now.mono.since(self.status_at) >= STATUS_PERIOD {
            self.status_at = now.mono;
            let status = self.engine.status(now);
            self.halts.note(&status, now.mono);
            self.status.send_replace(Arc::new(status));
        }
    }

    async fn on_finished(&mut self, finished: Finished) -> Result<(), End> {
        match finished {
            Finished::Input(input) => {
                let is_commit = matches!(*input, Input::Durable { .. });
                let result = self.handle(*input).await;
                if is_commit {
                    self.publish_status(self.clock.now(), true);
                }
                result
            }
            Finished::Failed(error) => Err(End::Store(error)),
        }
    }

    /// Fires due timers after the messages that arrived before them: a loop that waited for the
    /// disk must not vote nil while a proposal is in its queue.
    async fn on_timers(&mut self, fast: &mut mpsc::Receiver<Gossip>) -> Result<(), End> {
        for _ in 0..BEFORE_TIMERS_MAX {
            let Ok(gossip) = fast.try_recv() else { break };
            self.on_gossip(gossip).await?;
        }
        let now = self.clock.now().mono;
        if self.engine.is_verifying() && !self.timers.is_overdue(now, TIMER_GRACE) {
            return Ok(());
        }
        while let Some(timer) = self.timers.take_due(self.clock.now().mono) {
            self.handle(Input::Timer(timer)).await?;
        }
        Ok(())
    }

    async fn on_gossip(&mut self, gossip: Gossip) -> Result<(), End> {
        // Dropping a ticket ignores its message.
        let Some(from) = self.peers.number(&gossip.from) else { return Ok(()) };
        let topic = requests::chain_topic(gossip.topic);
        let ticket = self.waiting.ticket();
        self.waiting.gossip.insert(ticket, gossip.ticket);
        let bytes = Vec::from(gossip.bytes);
        self.handle(Input::Gossip { from, topic, bytes, ticket }).await
    }

    async fn on_answered(&mut self, answered: Answered) -> Result<(), End> {
        let Answered { from, request, response } = answered;
        let Some(from) = self.peers.number(&from) else { return Ok(()) };
        self.handle(match response {
            Ok(bytes) => Input::Response { from, request, bytes: Vec::from(bytes) },
            Err(RequestError::Busy) => Input::PeerBusy { from, request },
            Err(_) => Input::RequestFailed { from, request },
        })
        .await
    }

    async fn on_request(&mut self, request: InboundRequest) -> Result<(), End> {
        let InboundRequest { from, protocol, bytes, reply } = request;
        // Dropped, a request gets no response.
        let Some(peer) = self.peers.number(&from) else { return Ok(()) };
        let ticket = self.waiting.ticket();
        self.waiting.requests.insert(ticket, (from, reply));
        let protocol = requests::chain_protocol(protocol);
        self.handle(Input::Request { from: peer, protocol, bytes: Vec::from(bytes), ticket }).await
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
                self.refusals.note(&peer, &reason);
                Ok(())
            }
        }
    }

    async fn on_command(&mut self, command: Command) -> Result<(), End> {
        let now = self.clock.now();
        let mempool = self.engine.mempool();
        // The caller may have stopped waiting.
        match command {
            Command::Submit { transactions, reply } => {
                let ticket = self.waiting.ticket();
                self.waiting.callers.insert(ticket, reply);
                return self.handle(Input::Transactions { ticket, transactions }).await;
            }
            Command::Test { transaction, found, reply } => {
                match self.engine.trial(transaction, &found) {
                    Ok(trial) => self.workers.try_out(trial, reply),
                    Err(reject) => drop(reply.send(Err(reject))),
                }
            }
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
}
