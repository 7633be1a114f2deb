//! Eviction from a full pool: the lowest fee rate leaves first, with all its descendants.
use super::{
    Mempool, Rate, Reject,
    entry::{Package, Seq},
};
use std::collections::BTreeSet;

/// What leaves a full pool.
#[derive(Default)]
pub(super) struct Eviction {
    pub(super) entries: BTreeSet<Seq>,
    /// The highest rate among the evicted: it raises the minimum fee.
    pub(super) rate: Option<Rate>,
}

impl Mempool {
    /// What must leave so that the transaction fits once those it replaces are gone. Everything
    /// evicted is worth less than the transaction and is not one of its ancestors.
    pub(super) fn make_room(
        &self,
        own: Package,
        ancestors: &BTreeSet<Seq>,
        replaced: &BTreeSet<Seq>,
    ) -> Result<Eviction, Reject> {
        let mut eviction = Eviction::default();
        let mut left = replaced
            .iter()
            .fold(self.index.total(), |left, seq| left.minus(self.index.get(*seq).alone()));
        let mut candidates = self.index.worst_first();
        while !self.fits(left, own) {
            let worst = candidates.next().map(|seq| (seq, self.index.get(seq)));
            let (seq, worth) = match worst {
                Some((seq, entry)) if entry.worth() < own.rate() => (seq, entry.worth()),
                _ => return Err(self.full(own)),
            };
            let is_gone = replaced.contains(&seq) || eviction.entries.contains(&seq);
            if is_gone || ancestors.contains(&seq) {
                continue;
            }
            let family = self.index.descendants(seq).into_iter().chain([seq]);
            for member in family.filter(|member| !replaced.contains(member)) {
                if eviction.entries.insert(member) {
                    left = left.minus(self.index.get(member).alone());
                }
            }
            eviction.rate = eviction.rate.max(Some(worth));
        }
        Ok(eviction)
    }

    fn fits(&self, left: Package, own: Package) -> bool {
        left.count < self.limits.transactions_max
            && left.bytes.saturating_add(own.bytes) <= self.limits.bytes_max
    }

    fn full(&self, own: Package) -> Reject {
        Reject::Full {
            transactions: self.len(),
            pool_bytes: self.bytes(),
            fee: own.fee,
            bytes: own.bytes,
        }
    }

    /// Whether less than half of the pool is used, so that no minimum fee above the base is needed.
    pub(super) fn is_half_empty(&self) -> bool {
        self.len() < self.limits.transactions_max.div_ceil(2)
            && self.bytes() < self.limits.bytes_max.div_ceil(2)
    }
}
