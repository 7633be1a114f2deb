//! The upper limit that signatures set on this machine: no network can decide more than its cores
//! can verify.
use serde::Serialize;
use std::{
    num::NonZeroUsize,
    thread,
    time::{Duration, Instant},
};
use timecoin_chain::crypto::{Ed25519, SecretKey, SignatureCheck, SignatureScheme, Signer};

/// Signatures in a batch.
const BATCH: usize = 256;

/// Signatures a second when all cores do nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ceiling {
    /// Cores that verified.
    pub cores: usize,
    /// With one key for the whole batch, as in this benchmark, whose payments all come from one wallet. A batch
    /// decodes and multiplies a key once.
    pub one_key_per_second: f64,
    /// With a key for each signature, as payments of many people have them.
    pub many_keys_per_second: f64,
}

impl Ceiling {
    /// Verifies on all cores for about this long, half of it for each kind.
    pub fn measure(within: Duration) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            cores,
            one_key_per_second: per_second(&batch(|_| 0), cores, within / 2),
            many_keys_per_second: per_second(&batch(|index| index), cores, within / 2),
        }
    }

    /// Payments per second that `nodes` nodes can verify on these cores, with the one key of this benchmark.
    pub fn one_key_per_node(&self, nodes: usize) -> f64 {
        self.one_key_per_second / nodes.max(1) as f64
    }

    /// The same with a key for each payment.
    pub fn many_keys_per_node(&self, nodes: usize) -> f64 {
        self.many_keys_per_second / nodes.max(1) as f64
    }
}

fn batch(key_of: impl Fn(usize) -> usize) -> Vec<SignatureCheck> {
    let numbered = |index: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(index as u64 + 1).to_le_bytes());
        bytes
    };
    (0..BATCH)
        .map(|index| {
            let key = SecretKey::from_bytes(&numbered(key_of(index)));
            let message = numbered(index);
            SignatureCheck { key: key.public_key(), message, signature: key.sign(&message) }
        })
        .collect()
}

fn per_second(batch: &[SignatureCheck], cores: usize, within: Duration) -> f64 {
    let begun = Instant::now();
    let verify = || {
        let mut verified = 0_usize;
        while begun.elapsed() < within {
            if std::hint::black_box(Ed25519.all_valid(batch)) {
                verified += batch.len();
            }
        }
        verified
    };
    let verified: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(verify)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).sum()
    });
    verified as f64 / begun.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batches_are_valid_and_differ_in_their_keys() {
        let (one, many) = (batch(|_| 0), batch(|index| index));
        assert!(Ed25519.all_valid(&one) && Ed25519.all_valid(&many));
        let keys = |batch: &[SignatureCheck]| {
            batch.iter().map(|check| check.key).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!((keys(&one), keys(&many)), (1, BATCH));
    }

    #[test]
    fn the_ceiling_is_shared_by_the_nodes() {
        let ceiling = Ceiling { cores: 2, one_key_per_second: 100.0, many_keys_per_second: 60.0 };
        assert_eq!(ceiling.one_key_per_node(4), 25.0);
        assert_eq!(ceiling.many_keys_per_node(4), 15.0);
    }
}
