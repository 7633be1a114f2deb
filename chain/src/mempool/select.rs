//! Selects transactions for a block.
//!
//! Greedy: the entry with the highest score goes in next, after its ancestors that are not yet in.
//! The descendants of what went in are then scored again, because they have fewer missing
//! ancestors. A score is the lower of the own rate and the rate with the missing ancestors.
use super::{
    Entry, Mempool,
    entry::{Key, Package, Seq},
    index::Index,
};
use crate::{limits::BLOCK_SIGNATURES_MAX, types::Height};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    iter::Peekable,
};

/// After this many consecutive misfits the selection ends, once little space is left.
const MISFITS_MAX: usize = 1_000;
/// Below this many bytes left, hardly anything fits.
const NEARLY_FULL_BYTES: usize = 4_000;
/// Below this many signatures left, hardly anything fits.
const NEARLY_FULL_SIGNATURES: usize = 32;

impl Mempool {
    /// Transactions for a block at `height`, in a valid order: parents before children, otherwise
    /// by score. Their encoded bytes are at most `bytes_max` together, and their signatures at most
    /// those that a block may hold.
    pub fn select(&self, height: Height, bytes_max: usize, count_max: usize) -> Vec<&Entry> {
        let mut selection = Selection {
            index: &self.index,
            height,
            bytes_left: bytes_max,
            count_left: count_max,
            signatures_left: BLOCK_SIGNATURES_MAX,
            chosen: Vec::new(),
            included: BTreeSet::new(),
            missing: BTreeMap::new(),
            rescored: BTreeSet::new(),
        };
        let mut fixed = self.index.best_first().peekable();
        let mut misfits = 0;
        while let Some(seq) = selection.next(&mut fixed) {
            misfits = if selection.include(seq) { 0 } else { misfits + 1 };
            let is_nearly_full = selection.bytes_left < NEARLY_FULL_BYTES
                || selection.signatures_left < NEARLY_FULL_SIGNATURES;
            if selection.count_left == 0 || (misfits >= MISFITS_MAX && is_nearly_full) {
                break;
            }
        }
        selection.chosen
    }
}

/// A selection in progress.
struct Selection<'a> {
    index: &'a Index,
    height: Height,
    bytes_left: usize,
    count_left: usize,
    signatures_left: usize,
    chosen: Vec<&'a Entry>,
    /// Selected entries that have relatives; the others are never looked up again.
    included: BTreeSet<Seq>,
    /// For entries with some ancestors already in: the missing ones, itself included.
    missing: BTreeMap<Seq, Package>,
    /// The same entries by their new score, until they are tried with it.
    rescored: BTreeSet<Key>,
}

impl<'a> Selection<'a> {
    /// The best entry not yet tried with its current score.
    fn next(&mut self, fixed: &mut Peekable<impl Iterator<Item = Key>>) -> Option<Seq> {
        let is_stale = |Reverse(seq): Reverse<Seq>| {
            self.included.contains(&seq) || self.missing.contains_key(&seq)
        };
        while fixed.next_if(|(_, seq)| is_stale(*seq)).is_some() {}
        let is_rescored_better = self.rescored.last() > fixed.peek();
        let best = if is_rescored_better { self.rescored.pop_last() } else { fixed.next() };
        best.map(|(_, Reverse(seq))| seq)
    }

    /// Adds an entry after its missing ancestors, if all of them are valid and fit.
    fn include(&mut self, seq: Seq) -> bool {
        let entry = self.index.get(seq);
        let package = self.missing.get(&seq).copied().unwrap_or(entry.ancestors);
        if package.bytes > self.bytes_left || package.count > self.count_left {
            return false;
        }
        let mut members = self.index.ancestors(seq);
        members.insert(seq);
        members.retain(|member| !self.included.contains(member));
        if !members.iter().all(|member| self.index.get(*member).is_valid_at(self.height)) {
            return false;
        }
        let of = |member: &Seq| self.index.get(*member).transaction.signatures();
        let signatures: usize = members.iter().map(of).sum();
        if signatures > self.signatures_left {
            return false;
        }
        self.signatures_left -= signatures;
        self.bytes_left -= package.bytes;
        self.count_left -= package.count;
        for member in members {
            self.put(member);
        }
        true
    }

    fn put(&mut self, seq: Seq) {
        let entry = self.index.get(seq);
        self.chosen.push(entry);
        if entry.parents.is_empty() && entry.children.is_empty() {
            return;
        }
        self.included.insert(seq);
        if let Some(missing) = self.missing.remove(&seq) {
            self.rescored.remove(&(entry.score(missing), Reverse(seq)));
        }
        for descendant in self.index.descendants(seq) {
            self.rescore(descendant, entry.alone());
        }
    }

    /// An ancestor of this entry went in: updates its score.
    fn rescore(&mut self, seq: Seq, ancestor: Package) {
        let entry = self.index.get(seq);
        let before = self.missing.get(&seq).copied().unwrap_or(entry.ancestors);
        let missing = before.minus(ancestor);
        self.missing.insert(seq, missing);
        self.rescored.remove(&(entry.score(before), Reverse(seq)));
        self.rescored.insert((entry.score(missing), Reverse(seq)));
    }
}
