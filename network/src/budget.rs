//! Limits the memory of answers that are being built or that peers have not read yet.
//!
//! The largest answer of the protocol is reserved before the application builds it, and the rest is
//! released when its length is known. Blocks, transactions and votes have a pool each: readers of
//! blocks, however many and slow, leave the other answers their room.
//!
//! Blocks may have a limit in bytes a second as well. An answer may take more than is left, and then
//! there is none until that is paid off, so the average holds whatever the length of an answer. With
//! such a limit, answers of blocks are built one after the other: together they would take a multiple of it.
//!
//! Invariants: the sum of a pool covers its answers in progress and never exceeds its size; while a
//! peer has an answer in a pool, it gets no other that would take it over its share of the pool.

use std::{collections::HashMap, hash::Hash, time::Instant};

use libp2p::PeerId;

use crate::{
    rate::{Bucket, Quota},
    topic::Protocol,
};

const MIB: usize = 1024 * 1024;

/// A share of the memory for some protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    Blocks,
    Transactions,
    /// Votes and status.
    Votes,
}

impl Pool {
    const fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Blocks => Pool::Blocks,
            Protocol::Transactions => Pool::Transactions,
            Protocol::Status | Protocol::Votes => Pool::Votes,
        }
    }

    /// Bytes of all its answers.
    const fn size(self) -> usize {
        match self {
            // One more reader of the largest answers than twelve.
            Pool::Blocks => 13 * Protocol::Blocks.response_bytes_max(),
            Pool::Transactions => 64 * MIB,
            Pool::Votes => 24 * MIB,
        }
    }

    /// Bytes of one peer's answers, if there are more than one.
    const fn share(self) -> usize {
        match self {
            Pool::Blocks => Protocol::Blocks.response_bytes_max(),
            Pool::Transactions => 2 * Protocol::Transactions.response_bytes_max(),
            Pool::Votes => 4 * MIB,
        }
    }
}

#[derive(Debug)]
struct Answer {
    peer: PeerId,
    pool: Pool,
    bytes: usize,
    /// Whether its length is known.
    is_settled: bool,
}

/// The answers in progress.
#[derive(Debug)]
pub(crate) struct Budget<K> {
    open: HashMap<K, Answer>,
    /// Bytes of blocks that may be sent; none if that is not limited.
    upload: Option<Bucket>,
}

impl<K: Eq + Hash> Budget<K> {
    /// Limits the blocks that are sent to so many bytes a second on average; 0 is no limit.
    pub(crate) fn new(upload: u64, now: Instant) -> Self {
        let quota = Quota::per_second(upload, upload);
        Budget { open: HashMap::new(), upload: (upload > 0).then(|| Bucket::full(quota, now)) }
    }

    /// Bytes of blocks that are sent in a second on average; 0 is no limit.
    pub(crate) fn upload_bytes(&self) -> u64 {
        self.upload.as_ref().map_or(0, |upload| upload.quota().tokens)
    }

    /// Whether that limit delays answers now.
    pub(crate) fn upload_is_spent(&mut self, now: Instant) -> bool {
        self.upload.as_mut().is_some_and(|upload| upload.is_empty(now))
    }

    /// Reserves the largest answer of this protocol; returns false and reserves nothing if it does
    /// not fit.
    pub(crate) fn reserve(
        &mut self,
        id: K,
        peer: PeerId,
        protocol: Protocol,
        now: Instant,
    ) -> bool {
        let (pool, bytes) = (Pool::of(protocol), protocol.response_bytes_max());
        let sum = |counts: &dyn Fn(&Answer) -> bool| -> usize {
            let answers = self.open.values().filter(|answer| answer.pool == pool);
            answers.filter(|answer| counts(answer)).map(|answer| answer.bytes).sum()
        };
        let own = sum(&|answer| answer.peer == peer);
        let fits = sum(&|_| true) + bytes <= pool.size();
        let is_fair = own == 0 || own + bytes <= pool.share();
        let upload = self.upload.as_mut().filter(|_| pool == Pool::Blocks);
        let is_building = |answer: &Answer| answer.pool == Pool::Blocks && !answer.is_settled;
        let may_upload = upload
            .is_none_or(|upload| !upload.is_empty(now) && !self.open.values().any(is_building));
        let is_reserved = fits && is_fair && may_upload;
        if is_reserved {
            self.open.insert(id, Answer { peer, pool, bytes, is_settled: false });
        }
        is_reserved
    }

    /// The length of an answer is known. False if nothing was reserved for it.
    pub(crate) fn settle(&mut self, id: &K, bytes: usize) -> bool {
        let Some(answer) = self.open.get_mut(id) else { return false };
        (answer.bytes, answer.is_settled) = (answer.bytes.min(bytes), true);
        if answer.pool == Pool::Blocks
            && let Some(upload) = &mut self.upload
        {
            upload.spend(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
        true
    }

    /// Releases the bytes of an answer that was read or dropped.
    pub(crate) fn release(&mut self, id: &K) {
        self.open.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn readers_of_blocks_leave_the_votes_their_room() {
        let mut budget = Budget::new(0, Instant::now());
        let readers = (0..28)
            .filter(|id| budget.reserve(*id, PeerId::random(), Protocol::Blocks, Instant::now()));
        assert_eq!(readers.count(), 13);
        assert!(budget.reserve(100, PeerId::random(), Protocol::Votes, Instant::now()));
        budget.release(&3);
        assert!(
            budget.reserve(101, PeerId::random(), Protocol::Blocks, Instant::now()),
            "one was read"
        );
    }

    #[test]
    fn a_peer_with_an_unread_answer_gets_no_more_than_its_share() {
        let mut budget = Budget::new(0, Instant::now());
        let (one, two) = (PeerId::random(), PeerId::random());
        assert!(budget.reserve(1, one, Protocol::Blocks, Instant::now()));
        assert!(
            !budget.reserve(2, one, Protocol::Blocks, Instant::now()),
            "the first may be as large as the share"
        );
        assert!(budget.reserve(3, two, Protocol::Blocks, Instant::now()));
        assert!(budget.settle(&1, 1_000) && !budget.settle(&2, 1_000));
        assert!(
            !budget.reserve(2, one, Protocol::Blocks, Instant::now()),
            "with the first it is over the share"
        );
        budget.release(&1);
        assert!(budget.reserve(2, one, Protocol::Blocks, Instant::now()));
        let votes =
            (10..30).filter(|id| budget.reserve(*id, one, Protocol::Votes, Instant::now())).count();
        assert_eq!(votes, 4 * MIB / Protocol::Votes.response_bytes_max());
    }

    #[test]
    fn blocks_keep_to_the_upload_limit_on_average() {
        const LIMIT: u64 = 625_000;
        let start = Instant::now();
        let mut budget = Budget::new(LIMIT, start);
        let (mut sent, mut id) = (0, 0);
        // Four peers ask all the time; the answers are of very different length.
        for millis in 0..600_000 {
            let now = start + Duration::from_millis(millis);
            id += 1;
            if budget.reserve(id, PeerId::random(), Protocol::Blocks, now) {
                let bytes = [10_000, 3_000_000, 80_000][usize::try_from(id % 3).unwrap_or(0)];
                assert!(budget.settle(&id, bytes));
                budget.release(&id);
                sent += bytes as u64;
            }
            assert!(budget.reserve(0, PeerId::random(), Protocol::Votes, now), "votes pass");
            budget.release(&0);
        }
        let percent = sent * 100 / (LIMIT * 600);
        assert!((99..=102).contains(&percent), "{percent} %");
    }

    #[test]
    fn peers_that_ask_at_once_get_one_answer_under_an_upload_limit() {
        let now = Instant::now();
        let mut budget = Budget::new(625_000, now);
        let mut ask = |id| budget.reserve(id, PeerId::random(), Protocol::Blocks, now);
        assert!(ask(1) && !ask(2), "the length of the first is not known");
        budget.release(&1);
        assert!(budget.reserve(2, PeerId::random(), Protocol::Blocks, now), "it was not sent");
        assert!(budget.settle(&2, 4_000_000));
        let then = now + Duration::from_secs(6);
        assert!(budget.reserve(3, PeerId::random(), Protocol::Blocks, then), "it is paid off");
    }

    #[test]
    fn what_is_released_is_forgotten() {
        let mut budget = Budget::new(0, Instant::now());
        assert!(budget.reserve(1, PeerId::random(), Protocol::Votes, Instant::now()));
        budget.release(&1);
        budget.release(&1);
        assert!(budget.open.is_empty());
    }
}
