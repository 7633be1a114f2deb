//! Work that takes time, off the async threads: lookups, signatures, execution, writing.
//!
//! Each job sends its answer back into the loop as an input. The loop is never blocked by a worker; a
//! worker may wait for the loop.
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};
use timecoin_chain::{
    crypto::{Ed25519, SIGNATURE_BATCH, SignatureCheck, SignatureScheme},
    engine::{Input, SafetyRecord},
    genesis::Chain,
    inbound::Job,
    ledger::{self, BlockDelta, ExecuteError, Execution},
    mempool::{self, Acceptable, Reject, Trial, VerifiedSpend},
    types::{Block, BlockHash, Certificate, OutPoint},
    wire::Ticket,
};
use timecoin_store::{Store, StoreError};
use tokio::sync::{mpsc, oneshot};

/// Spends verified in one job: large enough for a batch to pay, small enough to share the cores.
const CHUNK: usize = 128;

/// The result of a worker.
#[derive(Debug)]
pub(super) enum Finished {
    /// An input for the engine.
    Input(Box<Input>),
    /// The disk failed: the node stops.
    Failed(StoreError),
}

/// Distributes the work.
#[derive(Clone)]
pub(super) struct Workers {
    pub(super) chain: Arc<Chain>,
    pub(super) store: Arc<Store>,
    /// For peers' messages: consensus does not wait for the signatures of payments.
    pub(super) door: Arc<rayon::ThreadPool>,
    /// For payments.
    pub(super) signatures: Arc<rayon::ThreadPool>,
    pub(super) finished: mpsc::Sender<Finished>,
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
        // The caller may have stopped waiting.
        self.signatures.spawn(move || drop(reply.send(trial.run(&Ed25519, &chain))));
    }

    /// Looks coins up in the store.
    pub(super) fn look_up(&self, ticket: Ticket, inputs: Vec<Vec<OutPoint>>) {
        let workers = self.clone();
        self.tasks.spawn_blocking(move || {
            let coins = ledger::look_up(&*workers.store, inputs);
            workers.send(Input::CoinsFound { ticket, coins });
        });
    }

    /// Checks signatures in batches on all cores.
    pub(super) fn verify(&self, ticket: Ticket, spends: Vec<mempool::Spend>) {
        let workers = self.clone();
        self.signatures.spawn(move || {
            let results = verify_in_chunks(&workers.chain, spends);
            workers.send(Input::Verified { ticket, results });
        });
    }

    /// Executes a block on its parent, which may not be in the store yet. Sends no result if the
    /// work is cancelled.
    pub(super) fn execute(&self, execution: Execution, cancelled: Arc<AtomicBool>) {
        let workers = self.clone();
        self.tasks.spawn_blocking(move || {
            let block = execution.block().hash();
            let scheme = Pooled { pool: &workers.signatures, cancelled };
            let result = execution.run(&scheme, &workers.chain, workers.store.clone());
            if result != Err(ExecuteError::Cancelled) {
                workers.send(Input::Executed { block, result: result.map(Box::new) });
            }
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
                Ok(()) => workers.send(Input::Durable { height: delta.height }),
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
        // The loop ends only when the node stops.
        let _stopped = self.finished.blocking_send(Finished::Input(Box::new(input)));
    }

    fn fail(&self, error: StoreError) {
        let _stopped = self.finished.blocking_send(Finished::Failed(error));
    }
}

/// The blocks being executed, each with its cancellation flag.
#[derive(Debug, Default)]
pub(super) struct Executions(BTreeMap<BlockHash, Weak<AtomicBool>>);

impl Executions {
    /// Adds an execution and returns its flag.
    pub(super) fn begin(&mut self, block: BlockHash) -> Arc<AtomicBool> {
        self.0.retain(|_, flag| flag.strong_count() > 0);
        let flag = Arc::new(AtomicBool::new(false));
        self.0.insert(block, Arc::downgrade(&flag));
        flag
    }

    /// Cancels an execution that still runs.
    pub(super) fn cancel(&mut self, block: &BlockHash) {
        if let Some(flag) = self.0.remove(block).and_then(|flag| flag.upgrade()) {
            flag.store(true, Ordering::Relaxed);
        }
    }
}

/// Ed25519 on all cores, until it is cancelled.
struct Pooled<'a> {
    pool: &'a rayon::ThreadPool,
    cancelled: Arc<AtomicBool>,
}

impl SignatureScheme for Pooled<'_> {
    fn all_valid(&self, checks: &[SignatureCheck]) -> bool {
        Ed25519.all_valid(checks)
    }

    fn first_invalid(&self, checks: &[SignatureCheck]) -> Option<usize> {
        use rayon::prelude::*;
        let judge = |(number, batch): (usize, &[SignatureCheck])| {
            let first = number * SIGNATURE_BATCH;
            match self.is_cancelled() {
                true => Some(first),
                false => Some(first + self.first_invalid_of_batch(batch)?),
            }
        };
        let judge_all = || checks.par_chunks(SIGNATURE_BATCH).enumerate().find_map_first(judge);
        // A few signatures are not worth a hand-over to another thread.
        if checks.len() <= SIGNATURE_BATCH {
            return checks.chunks(SIGNATURE_BATCH).enumerate().find_map(judge);
        }
        self.pool.install(judge_all)
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use timecoin_chain::crypto::{SecretKey, Signer};

    fn checks(count: usize) -> Vec<SignatureCheck> {
        let key = SecretKey::from_bytes(&[1; 32]);
        let message = [1; 32];
        let signature = key.sign(&message);
        vec![SignatureCheck { key: key.public_key(), message, signature }; count]
    }

    #[test]
    fn many_threads_find_the_first_bad_signature_that_one_finds() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let scheme = Pooled { pool: &pool, cancelled: Arc::default() };
        for at in [0, 100, 130, 500, 999] {
            let mut checks = checks(1_000);
            checks[at].message = [2; 32];
            checks[999].message = [2; 32];
            assert_eq!(scheme.first_invalid(&checks), Some(at));
            assert_eq!(Ed25519.first_invalid(&checks), Some(at));
        }
        assert_eq!(scheme.first_invalid(&checks(1_000)), None);
    }

    #[test]
    fn a_cancelled_execution_is_told_so_and_a_new_one_of_the_block_is_not() {
        let (mut executions, block) = (Executions::default(), BlockHash([1; 32]));
        let first = executions.begin(block);
        executions.cancel(&block);
        let second = executions.begin(block);
        assert!(first.load(Ordering::Relaxed) && !second.load(Ordering::Relaxed));
        drop(second);
        executions.begin(BlockHash([2; 32]));
        assert_eq!(executions.0.len(), 1, "those that ended are forgotten");
    }
}
