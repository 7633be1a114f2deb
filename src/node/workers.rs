//! Work that takes time, off the async threads: signatures, execution, writing.
//!
//! Each job sends its answer back into the loop as an input. The loop is never blocked by a worker; a
//! worker may wait for the loop.
use std::sync::Arc;
use timecoin_chain::{
    crypto::Ed25519,
    engine::{Input, SafetyRecord},
    genesis::Chain,
    inbound::Job,
    ledger::{self, BlockDelta, Layer, LedgerState, Overlay},
    mempool::{self, Acceptable, Reject, Trial, VerifiedSpend},
    types::{Block, Certificate, WTxId},
    wire::Ticket,
};
use timecoin_store::{Store, StoreError};
use tokio::sync::{mpsc, oneshot};

/// Spends verified in one job: large enough for a batch to pay, small enough to share the cores.
const CHUNK: usize = 128;

/// What a worker has to say.
#[derive(Debug)]
pub(super) enum Answer {
    /// For the engine.
    Input(Box<Input>),
    /// The disk failed: the node stops.
    Failed(StoreError),
}

/// Hands out the work.
#[derive(Clone)]
pub(super) struct Workers {
    pub(super) chain: Arc<Chain>,
    pub(super) store: Arc<Store>,
    /// For what peers sent: consensus does not wait for the signatures of payments.
    pub(super) door: Arc<rayon::ThreadPool>,
    /// For payments.
    pub(super) signatures: Arc<rayon::ThreadPool>,
    pub(super) answers: mpsc::Sender<Answer>,
    pub(super) tasks: tokio_util::task::TaskTracker,
}

impl Workers {
    /// Runs a job of the door.
    pub(super) fn run(&self, job: Job) {
        let workers = self.clone();
        self.door.spawn_fifo(move || {
            workers.send(Input::Done(job.run(&Ed25519, &workers.chain)));
        });
    }

    /// Says whether a transaction would be admitted.
    pub(super) fn try_out(&self, trial: Trial, reply: oneshot::Sender<Result<Acceptable, Reject>>) {
        let chain = self.chain.clone();
        // A caller that has gone away needs no answer.
        self.signatures.spawn(move || drop(reply.send(trial.run(&Ed25519, &chain))));
    }

    /// Checks signatures in batches on all cores.
    pub(super) fn verify(&self, ticket: Ticket, spends: Vec<mempool::Spend>) {
        let workers = self.clone();
        self.signatures.spawn(move || {
            let results = verify_in_chunks(&workers.chain, spends);
            workers.send(Input::Checked { ticket, results });
        });
    }

    /// Executes a block on its parent, which may not be in the store yet.
    pub(super) fn execute(
        &self,
        block: Arc<Block>,
        parent: Arc<LedgerState>,
        layers: Vec<Arc<Layer>>,
        verified: std::collections::BTreeSet<WTxId>,
    ) {
        let workers = self.clone();
        self.tasks.spawn_blocking(move || {
            let view = Overlay::new(workers.store.clone(), layers);
            let result =
                ledger::execute(&Ed25519, &workers.chain, &view, &parent, &block, &verified);
            workers.send(Input::Executed { block: block.hash(), result: result.map(Box::new) });
        });
    }

    /// Writes a final block.
    pub(super) fn commit(
        &self,
        block: Arc<Block>,
        certificate: Arc<Certificate>,
        delta: Arc<BlockDelta>,
    ) {
        let workers = self.clone();
        self.tasks.spawn_blocking(move || {
            match workers.store.commit(&block, &certificate, &delta) {
                Ok(()) => workers.send(Input::Committed { height: delta.height }),
                Err(error) => workers.fail(error),
            }
        });
    }

    /// Encodes and sends an answer, which may be megabytes long.
    pub(super) fn encode(&self, job: impl FnOnce() + Send + 'static) {
        self.tasks.spawn_blocking(job);
    }

    /// Makes a safety record durable. Returns when it is.
    pub(super) async fn persist(
        &self,
        record: Arc<SafetyRecord>,
        blocks: Vec<Arc<Block>>,
    ) -> Result<(), StoreError> {
        let store = self.store.clone();
        let job = move || {
            let blocks: Vec<&Block> = blocks.iter().map(|block| &**block).collect();
            store.persist_safety(&record, &blocks)
        };
        match tokio::task::spawn_blocking(job).await {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    fn send(&self, input: Input) {
        // The loop is gone only when the node stops.
        let _stopped = self.answers.blocking_send(Answer::Input(Box::new(input)));
    }

    fn fail(&self, error: StoreError) {
        let _stopped = self.answers.blocking_send(Answer::Failed(error));
    }
}

fn verify_in_chunks(chain: &Chain, mut spends: Vec<mempool::Spend>) -> Vec<VerifiedSpend> {
    use rayon::prelude::*;
    if spends.len() <= CHUNK {
        return mempool::verify(&Ed25519, chain, spends);
    }
    let mut chunks = Vec::with_capacity(spends.len().div_ceil(CHUNK));
    while !spends.is_empty() {
        let rest = spends.split_off(spends.len().min(CHUNK));
        chunks.push(std::mem::replace(&mut spends, rest));
    }
    let verify = |chunk| mempool::verify(&Ed25519, chain, chunk);
    chunks.into_par_iter().flat_map_iter(verify).collect()
}
