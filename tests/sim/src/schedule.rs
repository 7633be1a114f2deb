//! What can happen, and in which order: one heap of events in virtual time.
use crate::{
    byzantine::Parcel,
    net::Cut,
    wire::{Gossip, Reply},
};
use std::{cmp::Reverse, collections::BinaryHeap, rc::Rc};
use timecoin_chain::{
    engine::{Input, Timer},
    inbound::Outcome,
    ledger::Execution,
    rules::Spend,
    types::{Height, OutPoint},
    wire::{Protocol, Ticket},
};

/// Work that a shell does off its loop.
pub(crate) enum Work {
    Execute {
        number: u64,
        execution: Execution,
    },
    LookUp {
        ticket: Ticket,
        inputs: Vec<Vec<OutPoint>>,
    },
    Verify {
        ticket: Ticket,
        spends: Vec<Spend>,
    },
    /// With the call, if it judges the answer of a stranger.
    Job(Outcome, Option<u64>),
    Commit,
    Committed {
        height: Height,
    },
}

/// What can happen.
pub(crate) enum Event {
    Gossip {
        to: usize,
        connection: u64,
        gossip: Rc<Gossip>,
        passes_cache: bool,
    },
    Question {
        to: usize,
        connection: u64,
        call: u64,
        protocol: Protocol,
        bytes: Rc<Vec<u8>>,
        id: [u8; 32],
    },
    Reply {
        to: usize,
        connection: u64,
        call: u64,
        reply: Rc<Reply>,
    },
    Busy {
        to: usize,
        connection: u64,
        call: u64,
    },
    CallTimeout {
        node: usize,
        incarnation: u64,
        call: u64,
    },
    Timer {
        node: usize,
        incarnation: u64,
        timer: Timer,
        generation: u64,
    },
    Work {
        node: usize,
        incarnation: u64,
        work: Work,
    },
    PeerDown {
        node: usize,
        incarnation: u64,
        connection: u64,
    },
    Input {
        node: usize,
        incarnation: u64,
        input: Input,
    },
    Durable {
        node: usize,
        incarnation: u64,
    },
    Wake {
        node: usize,
        incarnation: u64,
    },
    Connect {
        a: usize,
        b: usize,
    },
    Boot {
        node: usize,
    },
    Parcel {
        node: usize,
        incarnation: u64,
        parcel: Parcel,
    },
    Tick {
        node: usize,
    },
    Stranger {
        stranger: usize,
    },
    Schism {
        cut: Cut,
    },
    Verdict,
    Payment,
    Partition,
    Heal,
    Crash,
    CrashAll,
    Clog,
    Filter,
    Pause,
    ClockFault,
    ClockSet {
        node: usize,
    },
    SecondHost,
    Slow,
    EndOfStorm,
    Deadline,
}

impl Event {
    /// The node whose loop handles it; none for an event that happens to a node or to the world.
    pub(crate) fn handled_by(&self) -> Option<usize> {
        match self {
            Self::Gossip { to, .. }
            | Self::Question { to, .. }
            | Self::Reply { to, .. }
            | Self::Busy { to, .. } => Some(*to),
            Self::CallTimeout { node, .. }
            | Self::Timer { node, .. }
            | Self::Work { node, .. }
            | Self::PeerDown { node, .. }
            | Self::Input { node, .. } => Some(*node),
            _ => None,
        }
    }

    /// Whether a full queue may drop it.
    pub(crate) fn is_gossip(&self) -> bool {
        matches!(self, Self::Gossip { .. })
    }
}

/// Events by time; events at the same time in the order in which they were planned.
#[derive(Default)]
pub(crate) struct Schedule {
    queue: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

impl Schedule {
    /// Plans an event.
    pub(crate) fn push(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        let event = Box::new(event);
        self.queue.push(Reverse(Entry { time, sequence: self.sequence, event }));
    }

    /// The next event and its time.
    pub(crate) fn pop(&mut self) -> Option<(u64, Event)> {
        self.queue.pop().map(|Reverse(entry)| (entry.time, *entry.event))
    }
}

struct Entry {
    time: u64,
    sequence: u64,
    /// Elsewhere, because the queue moves its entries all the time.
    event: Box<Event>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.sequence).cmp(&(other.time, other.sequence))
    }
}
