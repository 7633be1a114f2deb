//! Recomputes everything that the index keeps from its transactions alone.
use super::*;
use crate::{mempool::Mempool, rules::RuleError, types::Output};

impl Mempool {
    /// Panics if an order, a sum or a family figure differs from the recomputed one.
    pub(in crate::mempool) fn check_invariants(&self) {
        let index = &self.index;
        for (seq, entry) in index.iter() {
            index.check_identity(seq, entry);
            index.check_family(seq, entry);
            assert!(entry.ancestors.count <= self.limits.ancestors_max);
            assert!(entry.descendants.count <= self.limits.descendants_max);
        }
        index.check_orders();
        assert!(index.len() <= self.limits.transactions_max);
        assert!(index.total().bytes <= self.limits.bytes_max);
        assert!(index.iter().is_sorted_by_key(|(_, entry)| entry.added));
    }
}

impl Index {
    fn check_identity(&self, seq: Seq, entry: &Entry) {
        assert!(seq < self.next);
        assert_eq!(self.by_txid(&entry.txid()), Some(seq));
        assert_eq!(self.by_wtxid(&entry.wtxid()), Some(seq));
        for outpoint in &entry.transaction.body.inputs {
            assert_eq!(self.spender(outpoint), Some(seq), "{outpoint} is spent once");
        }
    }

    fn check_family(&self, seq: Seq, entry: &Entry) {
        let parents = entry.transaction.body.inputs.iter().filter_map(|outpoint| {
            let parent = self.by_txid(&outpoint.txid)?;
            let outputs: &[Output] = &self.get(parent).transaction.body.outputs;
            let missing = RuleError::MissingInput { outpoint: *outpoint };
            assert!(usize::from(outpoint.vout) < outputs.len(), "{missing}");
            Some(parent)
        });
        assert_eq!(entry.parents, parents.collect());
        let is_child = |child: &Entry| {
            child.transaction.body.inputs.iter().any(|outpoint| outpoint.txid == entry.txid())
        };
        let children = self.iter().filter(|(_, child)| is_child(child)).map(|(seq, _)| seq);
        assert_eq!(entry.children, children.collect());
        let older = entry.parents.last().is_none_or(|parent| *parent < seq);
        assert!(older, "parents come first");
        let sum = |relatives: BTreeSet<Seq>| {
            let packages = relatives.into_iter().map(|seq| self.get(seq).alone());
            packages.fold(entry.alone(), Package::plus)
        };
        assert_eq!(entry.ancestors, sum(self.ancestors(seq)));
        assert_eq!(entry.descendants, sum(self.descendants(seq)));
    }

    fn check_orders(&self) {
        let entries = || self.iter();
        let by_score: Vec<Key> = entries().map(|(seq, entry)| score_key(seq, entry)).collect();
        assert!(self.by_score.iter().eq(sorted(by_score).iter()));
        let by_worth: Vec<Key> = entries().map(|(seq, entry)| worth_key(seq, entry)).collect();
        assert!(self.by_worth.iter().eq(sorted(by_worth).iter()));
        let by_expiry = entries().map(|(seq, entry)| (entry.expiry_height(), seq));
        assert_eq!(self.by_expiry, by_expiry.collect());
        let inputs: usize = entries().map(|(_, entry)| entry.transaction.body.inputs.len()).sum();
        assert_eq!(self.spenders.len(), inputs);
        assert_eq!((self.by_txid.len(), self.by_wtxid.len()), (self.len(), self.len()));
        let total =
            entries().map(|(_, entry)| entry.alone()).fold(Package::default(), Package::plus);
        assert_eq!(self.total, total);
    }
}

fn sorted(mut keys: Vec<Key>) -> Vec<Key> {
    keys.sort_unstable();
    keys
}
