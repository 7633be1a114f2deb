//! The entries in all their orders. Only `insert` and `remove` change it, and each keeps every
//! order and every family figure correct.
use super::entry::{Entry, Key, Package, Seq};
use crate::types::{Height, OutPoint, TxId, WTxId};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// The entries and their orders.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    entries: BTreeMap<Seq, Entry>,
    by_txid: BTreeMap<TxId, Seq>,
    by_wtxid: BTreeMap<WTxId, Seq>,
    spenders: BTreeMap<OutPoint, Seq>,
    by_score: BTreeSet<Key>,
    by_worth: BTreeSet<Key>,
    by_expiry: BTreeSet<(Height, Seq)>,
    total: Package,
    next: Seq,
}

impl Index {
    /// Adds an entry whose parents and ancestor figures are set. Nothing in the pool may spend its
    /// outputs or inputs.
    pub(super) fn insert(&mut self, entry: Entry, ancestors: &BTreeSet<Seq>) {
        let seq = self.next;
        self.next = Seq(seq.0.checked_add(1).expect("2^64 admissions do not happen"));
        let own = entry.alone();
        for &ancestor in ancestors {
            self.change(ancestor, |entry| entry.descendants = entry.descendants.plus(own));
        }
        for parent in &entry.parents {
            self.get_mut(*parent).children.insert(seq);
        }
        self.by_txid.insert(entry.txid(), seq);
        self.by_wtxid.insert(entry.wtxid(), seq);
        for outpoint in &entry.transaction.body.inputs {
            self.spenders.insert(*outpoint, seq);
        }
        self.by_score.insert(score_key(seq, &entry));
        self.by_worth.insert(worth_key(seq, &entry));
        self.by_expiry.insert((entry.expiry_height(), seq));
        self.total = self.total.plus(own);
        self.entries.insert(seq, entry);
    }

    /// Removes an entry and updates the figures of its whole family. Of several entries of one
    /// family, remove confirmed ones in ascending and all others in descending order, so that the
    /// family stays connected.
    pub(super) fn remove(&mut self, seq: Seq) -> Entry {
        let (ancestors, descendants) = (self.ancestors(seq), self.descendants(seq));
        let entry = self.entries.remove(&seq).expect("callers take numbers from the index");
        let own = entry.alone();
        for ancestor in ancestors {
            self.change(ancestor, |entry| entry.descendants = entry.descendants.minus(own));
        }
        for descendant in descendants {
            self.change(descendant, |entry| entry.ancestors = entry.ancestors.minus(own));
        }
        for parent in &entry.parents {
            self.get_mut(*parent).children.remove(&seq);
        }
        for child in &entry.children {
            self.get_mut(*child).parents.remove(&seq);
        }
        self.by_txid.remove(&entry.txid());
        self.by_wtxid.remove(&entry.wtxid());
        for outpoint in &entry.transaction.body.inputs {
            self.spenders.remove(outpoint);
        }
        self.by_score.remove(&score_key(seq, &entry));
        self.by_worth.remove(&worth_key(seq, &entry));
        self.by_expiry.remove(&(entry.expiry_height(), seq));
        self.total = self.total.minus(own);
        entry
    }

    /// Removes entries together with all their descendants.
    pub(super) fn remove_with_descendants(&mut self, seqs: BTreeSet<Seq>) -> Vec<Entry> {
        let mut all = seqs;
        for seq in all.clone() {
            all.append(&mut self.descendants(seq));
        }
        all.into_iter().rev().map(|seq| self.remove(seq)).collect()
    }

    /// Changes family figures and the orders that depend on them.
    fn change(&mut self, seq: Seq, change: impl FnOnce(&mut Entry)) {
        let entry = self.get_mut(seq);
        let (old_score, old_worth) = (score_key(seq, entry), worth_key(seq, entry));
        change(entry);
        let (score, worth) = (score_key(seq, entry), worth_key(seq, entry));
        if score != old_score {
            self.by_score.remove(&old_score);
            self.by_score.insert(score);
        }
        if worth != old_worth {
            self.by_worth.remove(&old_worth);
            self.by_worth.insert(worth);
        }
    }

    pub(super) fn get(&self, seq: Seq) -> &Entry {
        self.entries.get(&seq).expect("callers take numbers from the index")
    }

    fn get_mut(&mut self, seq: Seq) -> &mut Entry {
        self.entries.get_mut(&seq).expect("families name entries of the index")
    }

    pub(super) fn by_txid(&self, id: &TxId) -> Option<Seq> {
        self.by_txid.get(id).copied()
    }

    pub(super) fn by_wtxid(&self, id: &WTxId) -> Option<Seq> {
        self.by_wtxid.get(id).copied()
    }

    pub(super) fn spender(&self, outpoint: &OutPoint) -> Option<Seq> {
        self.spenders.get(outpoint).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The sums over all entries.
    pub(super) fn total(&self) -> Package {
        self.total
    }

    /// Entries in order of admission.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Seq, &Entry)> {
        self.entries.iter().map(|(seq, entry)| (*seq, entry))
    }

    /// Highest score first.
    pub(super) fn best_first(&self) -> impl Iterator<Item = Key> {
        self.by_score.iter().rev().copied()
    }

    /// First to be evicted first.
    pub(super) fn worst_first(&self) -> impl Iterator<Item = Seq> {
        self.by_worth.iter().map(|(_, Reverse(seq))| *seq)
    }

    /// Entries whose last height is below this one.
    pub(super) fn expired_at(&self, height: Height) -> impl Iterator<Item = Seq> {
        self.by_expiry.range(..(height, Seq::default())).map(|(_, seq)| *seq)
    }

    /// All ancestors of an entry, without itself.
    pub(super) fn ancestors(&self, seq: Seq) -> BTreeSet<Seq> {
        self.reach(self.get(seq).parents.clone(), |entry| &entry.parents)
    }

    /// All descendants of an entry, without itself.
    pub(super) fn descendants(&self, seq: Seq) -> BTreeSet<Seq> {
        self.reach(self.get(seq).children.clone(), |entry| &entry.children)
    }

    /// These parents and all their ancestors.
    pub(super) fn with_ancestors(&self, parents: BTreeSet<Seq>) -> BTreeSet<Seq> {
        self.reach(parents, |entry| &entry.parents)
    }

    fn reach(&self, from: BTreeSet<Seq>, step: fn(&Entry) -> &BTreeSet<Seq>) -> BTreeSet<Seq> {
        let mut pending: Vec<Seq> = from.iter().copied().collect();
        let mut reached = from;
        while let Some(seq) = pending.pop() {
            pending.extend(step(self.get(seq)).iter().filter(|next| reached.insert(**next)));
        }
        reached
    }
}

fn score_key(seq: Seq, entry: &Entry) -> Key {
    (entry.score(entry.ancestors), Reverse(seq))
}

fn worth_key(seq: Seq, entry: &Entry) -> Key {
    (entry.worth(), Reverse(seq))
}

#[cfg(test)]
mod invariants;
