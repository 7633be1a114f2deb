//! The processor of a node: what a piece of work costs, and when it is done.
//!
//! The node runs the door's jobs, the signatures of payments and blocks on pools of two threads
//! each, on two cores. Work waits for a thread of its pool. The pools share the cores, so each
//! other pool that is busy at its start adds the price once more.
use std::collections::BTreeSet;
use timecoin_chain::{
    rules::Spend,
    types::{Block, Transaction, WTxId, Witness},
};

/// Processor time to check one signature, in microseconds.
const SIGNATURE_US: u64 = 60;
/// The most that a job costs in which no signature was checked: its message has more signers than the set, and stands
/// for one in a network of 100 masternodes.
const UNCHECKED_US_MAX: u64 = 100 * SIGNATURE_US;
/// Bytes hashed and looked up in a microsecond.
const BYTES_EACH_US: u64 = 200;

/// The pool for a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Jobs of the door.
    Door,
    /// Signatures of payments.
    Payments,
    /// Blocks that are executed.
    Blocks,
}

/// When each thread of each pool becomes idle.
#[derive(Debug, Default)]
pub struct Cores([[u64; 2]; 3]);

impl Cores {
    /// Takes on work of this price in microseconds. Returns how long it takes from now on.
    pub fn take(&mut self, now: u64, pool: Pool, price: u64) -> u64 {
        let is_idle = |threads: &[u64; 2]| threads.iter().all(|until| *until <= now);
        let others = (0..).zip(&self.0).filter(|(other, _)| *other != pool as usize);
        let busy = others.filter(|(_, threads)| !is_idle(threads)).count() as u64;
        let thread = self.0[pool as usize].iter_mut().min().expect("a pool has threads");
        *thread = now.max(*thread) + price * (1 + busy);
        *thread - now
    }
}

/// Processor time of a job of the door that checked so many signatures. Its own estimate counts where it checked none.
pub fn price_of_job(checked: u64, estimate: u64) -> u64 {
    match checked {
        0 => estimate.min(UNCHECKED_US_MAX),
        _ => SIGNATURE_US * checked,
    }
}

/// Processor time to check the signatures of payments.
pub fn price_of_spends(spends: &[Spend]) -> u64 {
    SIGNATURE_US * spends.iter().map(|spend| signatures(&spend.transaction)).sum::<u64>()
}

/// Processor time to execute a block of which some transactions were verified before.
pub fn price_of_block(block: &Block, verified: &BTreeSet<WTxId>) -> u64 {
    let price = |transaction: &Transaction| {
        let outputs = transaction.body.outputs.len() + transaction.body.inputs.len();
        let bytes = 64 * outputs as u64 / BYTES_EACH_US;
        match verified.contains(&transaction.wtxid()) {
            true => bytes,
            false => bytes + SIGNATURE_US * signatures(transaction),
        }
    };
    block.transactions.iter().map(price).sum()
}

fn signatures(transaction: &Transaction) -> u64 {
    let of = |witness: &Witness| match witness {
        Witness::Multi(signatures) => signatures.len() as u64,
        _ => 1,
    };
    transaction.witnesses.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_waits_for_a_thread_of_its_pool_and_shares_the_cores_with_the_others() {
        let mut cores = Cores::default();
        assert_eq!(cores.take(100, Pool::Door, 10), 10);
        assert_eq!(cores.take(100, Pool::Door, 20), 20, "the second thread");
        assert_eq!(cores.take(100, Pool::Door, 10), 20, "after the first one");
        assert_eq!(cores.take(100, Pool::Payments, 50), 100, "beside the door");
        assert_eq!(cores.take(200, Pool::Door, 10), 10, "all are idle again");
    }
}
