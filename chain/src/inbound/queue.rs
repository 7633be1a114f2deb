//! Gossip that waits to be verified: bounded by count and bytes, for each peer and in all, and served fairly.
//!
//! Each topic is a lane. The lane that has used the least processor time is served next, and within a lane the peers
//! take turns: a flood of expensive messages on one topic, or of cheap ones by one peer, delays the others by one
//! turn. When the queue is full, the peer that holds the most bytes loses its newest message.
//!
//! Never looks at what a message says.
use crate::{
    limits::{INBOUND_BYTES_MAX, INBOUND_PEER_BYTES_MAX},
    types::Millis,
    wire::{Peer, Ticket, Topic},
};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound::{Excluded, Unbounded},
};

/// A message that waits.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    pub(super) from: Peer,
    pub(super) topic: Topic,
    pub(super) ticket: Ticket,
    pub(super) arrived: Millis,
    /// The length of its encoding.
    pub(super) bytes: usize,
    /// Processor time to verify it, in microseconds.
    pub(super) price: u64,
    pub(super) content: T,
}

impl<T> Waiting<T> {
    /// The same with other content, at this price.
    pub(super) fn with<U>(self, price: u64, content: U) -> Waiting<U> {
        let Self { from, topic, ticket, arrived, bytes, .. } = self;
        Waiting { from, topic, ticket, arrived, bytes, price, content }
    }

    /// The content apart from the rest.
    pub(super) fn split(self) -> (Waiting<()>, T) {
        let Self { from, topic, ticket, arrived, bytes, price, content } = self;
        (Waiting { from, topic, ticket, arrived, bytes, price, content: () }, content)
    }
}

/// The messages of one topic.
#[derive(Debug)]
struct Lane<T> {
    peers: BTreeMap<Peer, VecDeque<Waiting<T>>>,
    /// Who was served last.
    last: Option<Peer>,
    /// Processor time used so far, in microseconds.
    used: u64,
}

/// What a peer has of a topic in the queue and in work.
#[derive(Debug, Default)]
struct Share {
    messages: usize,
    bytes: usize,
}

/// All lanes.
#[derive(Debug)]
pub(super) struct Queue<T> {
    lanes: BTreeMap<Topic, Lane<T>>,
    shares: BTreeMap<(Peer, Topic), Share>,
    bytes: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { lanes: BTreeMap::new(), shares: BTreeMap::new(), bytes: 0 }
    }
}

impl<T> Queue<T> {
    /// Takes a message of a peer that may have `messages_max` on this topic. Returns what has no room: this one, or the
    /// newest of the peers that hold the most bytes.
    pub(super) fn push(&mut self, messages_max: usize, waiting: Waiting<T>) -> Vec<Waiting<T>> {
        let share = self.shares.entry((waiting.from, waiting.topic)).or_default();
        let is_over =
            share.messages >= messages_max || share.bytes + waiting.bytes > INBOUND_PEER_BYTES_MAX;
        if is_over {
            return vec![waiting];
        }
        share.messages += 1;
        share.bytes += waiting.bytes;
        self.bytes += waiting.bytes;
        self.lane_for(waiting.topic).add(waiting);
        let mut evicted = Vec::new();
        while self.bytes > INBOUND_BYTES_MAX
            && let Some(waiting) = self.evict()
        {
            evicted.push(waiting);
        }
        evicted
    }

    /// The next message to verify. It counts as its peer's until it is judged: [`Queue::judged`].
    ///
    /// `is_open` says which topics are served at the moment.
    pub(super) fn pop(&mut self, is_open: impl Fn(Topic) -> bool) -> Option<Waiting<T>> {
        let busy = self.lanes.iter_mut().filter(|(_, lane)| !lane.peers.is_empty());
        let open = busy.filter(|(topic, _)| is_open(**topic));
        open.min_by_key(|(_, lane)| lane.used)?.1.take_next()
    }

    /// A message is judged or dropped: it takes no room any more.
    pub(super) fn judged<U>(&mut self, waiting: &Waiting<U>) {
        let (key, bytes) = ((waiting.from, waiting.topic), waiting.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(share) = self.shares.get_mut(&key) {
            share.messages = share.messages.saturating_sub(1);
            share.bytes = share.bytes.saturating_sub(bytes);
            if share.messages == 0 {
                self.shares.remove(&key);
            }
        }
    }

    /// Takes out everything that a peer has waiting.
    pub(super) fn drain(&mut self, from: Peer) -> Vec<Waiting<T>> {
        let lanes = self.lanes.values_mut();
        let drained: Vec<_> = lanes.filter_map(|lane| lane.peers.remove(&from)).flatten().collect();
        for waiting in &drained {
            self.judged(waiting);
        }
        drained
    }

    /// Messages and bytes that wait or are in work.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.shares.values().map(|share| share.messages).sum(), self.bytes)
    }

    /// The lane of a topic. One that was idle has saved nothing up.
    fn lane_for(&mut self, topic: Topic) -> &mut Lane<T> {
        let busy = self.lanes.values().filter(|lane| !lane.peers.is_empty());
        let least = busy.map(|lane| lane.used).min().unwrap_or(0);
        let lane = self.lanes.entry(topic).or_insert_with(|| Lane {
            peers: BTreeMap::new(),
            last: None,
            used: 0,
        });
        if lane.peers.is_empty() {
            lane.used = lane.used.max(least);
        }
        lane
    }

    fn evict(&mut self) -> Option<Waiting<T>> {
        let mut holders: Vec<(usize, Peer, Topic)> =
            self.shares.iter().map(|((peer, topic), share)| (share.bytes, *peer, *topic)).collect();
        holders.sort_unstable();
        // The largest holder may have everything in work and nothing waiting.
        let evicted = holders
            .into_iter()
            .rev()
            .find_map(|(_, peer, topic)| self.lanes.get_mut(&topic)?.take_newest(peer))?;
        self.judged(&evicted);
        Some(evicted)
    }
}

impl<T> Lane<T> {
    fn add(&mut self, waiting: Waiting<T>) {
        self.peers.entry(waiting.from).or_default().push_back(waiting);
    }

    fn take_next(&mut self) -> Option<Waiting<T>> {
        let after = self.last.and_then(|last| {
            self.peers.range((Excluded(last), Unbounded)).next().map(|(peer, _)| *peer)
        });
        let peer = after.or_else(|| self.peers.keys().next().copied())?;
        self.last = Some(peer);
        let messages = self.peers.get_mut(&peer)?;
        let next = messages.pop_front();
        if messages.is_empty() {
            self.peers.remove(&peer);
        }
        self.used += next.as_ref().map_or(0, |waiting| waiting.price);
        next
    }

    fn take_newest(&mut self, peer: Peer) -> Option<Waiting<T>> {
        let messages = self.peers.get_mut(&peer)?;
        let newest = messages.pop_back();
        if messages.is_empty() {
            self.peers.remove(&peer);
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::INBOUND_PEER_MESSAGES_MAX;

    fn waiting(peer: u64, bytes: usize) -> Waiting<()> {
        let (from, ticket) = (Peer(peer), Ticket(0));
        let topic = Topic::Proposals;
        Waiting { from, topic, ticket, arrived: Millis(0), bytes, price: 1, content: () }
    }

    #[test]
    fn a_large_message_takes_the_room_of_many_small_ones() {
        const SMALL: usize = INBOUND_PEER_BYTES_MAX / INBOUND_PEER_MESSAGES_MAX;
        let mut queue = Queue::default();
        for peer in 0..16 {
            for _ in 0..INBOUND_PEER_MESSAGES_MAX {
                let evicted = queue.push(INBOUND_PEER_MESSAGES_MAX, waiting(peer, SMALL));
                assert!(evicted.is_empty(), "there is room");
            }
        }
        assert_eq!(queue.load(), (16 * INBOUND_PEER_MESSAGES_MAX, INBOUND_BYTES_MAX));
        let evicted = queue.push(INBOUND_PEER_MESSAGES_MAX, waiting(16, 10 * SMALL));
        assert_eq!(evicted.len(), 10);
        assert!(evicted.iter().all(|waiting| waiting.bytes == SMALL), "of those who hold most");
        assert_eq!(queue.load().1, INBOUND_BYTES_MAX);
    }
}
