//! Transactions between arrival and admission, in the batches in which they came.
//!
//! Never decides what becomes of one: `admission.rs` does.
use crate::{
    ledger::FoundCoins,
    mempool::{Reject, Screened},
    types::{Height, Transaction, TxId},
    wire::{Peer, Ticket},
};
use std::collections::{BTreeMap, BTreeSet};

/// Where transactions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// This node's own RPC: remembered and sent again until they are in a block.
    Local,
    /// A peer.
    Peer(Peer),
}

/// Transactions that came together and are answered together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) source: Source,
    pub(super) results: Vec<Option<Result<TxId, Reject>>>,
    pub(super) stage: Stage,
    /// Those that are, or whose parents are, being checked.
    pub(super) waiting: Vec<(usize, Transaction)>,
    /// The coins of those that are being checked.
    pub(super) found: FoundCoins,
    /// The last decided height when their lookup began.
    pub(super) found_at: Height,
    pub(super) lookups: u32,
}

/// What is being done for a batch, off the loop.
#[derive(Debug)]
pub(super) enum Stage {
    Idle,
    LookingUp(Vec<(usize, Screened)>),
    /// Their indices, in the order of the signatures.
    Verifying(Vec<(usize, TxId)>),
}

impl Stage {
    /// What was looked up, or the stage as it is.
    pub(super) fn looked_up(self) -> Result<Vec<(usize, Screened)>, Self> {
        match self {
            Self::LookingUp(screened) => Ok(screened),
            other => Err(other),
        }
    }

    /// What was verified, or the stage as it is.
    pub(super) fn verified(self) -> Result<Vec<(usize, TxId)>, Self> {
        match self {
            Self::Verifying(verifying) => Ok(verifying),
            other => Err(other),
        }
    }
}

/// Everything between arrival and admission.
#[derive(Debug, Default)]
pub(super) struct Admissions {
    batches: BTreeMap<Ticket, Batch>,
    /// What is being looked up or verified.
    pub(super) in_flight: BTreeSet<TxId>,
    waiting: usize,
    /// Whether something left `in_flight`, for which others may wait.
    has_freed: bool,
    /// Gossiped batches that were judged during this input.
    pub(super) judged: Vec<Ticket>,
}

impl Admissions {
    /// Transactions that wait for a parent.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn insert(&mut self, ticket: Ticket, batch: Batch) {
        self.waiting += batch.waiting.len();
        self.batches.insert(ticket, batch);
    }

    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<Batch> {
        let batch = self.batches.remove(&ticket)?;
        self.waiting -= batch.waiting.len();
        Some(batch)
    }

    /// Removes a batch whose work of one stage is done. A batch at another stage is kept.
    pub(super) fn take_at<T>(
        &mut self,
        ticket: Ticket,
        done: impl FnOnce(Stage) -> Result<T, Stage>,
    ) -> Option<(Batch, T)> {
        let mut batch = self.remove(ticket)?;
        match done(std::mem::replace(&mut batch.stage, Stage::Idle)) {
            Ok(work) => Some((batch, work)),
            Err(stage) => {
                batch.stage = stage;
                self.insert(ticket, batch);
                None
            }
        }
    }

    /// A transaction is judged.
    pub(super) fn free(&mut self, txid: &TxId) {
        self.has_freed |= self.in_flight.remove(txid);
    }

    /// Batches for which nothing is done, if something was judged for which they may wait.
    pub(super) fn released(&mut self) -> Vec<Ticket> {
        if !std::mem::take(&mut self.has_freed) {
            return Vec::new();
        }
        let idle = |batch: &Batch| matches!(batch.stage, Stage::Idle);
        self.batches.iter().filter(|(_, batch)| idle(batch)).map(|(ticket, _)| *ticket).collect()
    }
}
