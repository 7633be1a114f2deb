//! The one door for bytes: everything that a peer sends becomes a checked input here, or nothing.
//!
//! For gossip in this order: decoding, the window of heights and rounds, what was said before, a fair queue, and
//! signatures. A verdict goes back for each message, and only what is accepted is forwarded. Responses are decoded,
//! held against their request and verified.
//!
//! | file | what it does |
//! |---|---|
//! | `action` | what follows from what comes to the door |
//! | `window` | the heights and rounds that are let in |
//! | `memory` | what was said and verified before |
//! | `queue` | what waits: bounded, and served fairly |
//! | `response` | what answers this node's requests |
//! | `job` | decoding and verification, to be run on a pool |
//!
//! A message is rejected only if no honest node sends it: wrong encoding, form or signature. Whatever may be a
//! matter of timing is ignored. Never verifies a signature itself: that is a [`Job`]. Invariants: an honest peer is
//! never rejected; every gossiped message gets one verdict; what waits is bounded, whatever is sent.
mod action;
mod job;
mod memory;
mod queue;
mod response;
mod window;

pub use action::{Action, Verdict};
pub use job::{Job, JobId, Outcome};
pub use window::{Presences, Window};

use crate::{
    crypto::Verified,
    genesis::Chain,
    limits::{INBOUND_BATCHES_MAX, INBOUND_PEER_MESSAGES_MAX},
    types::{ConsensusMessage, Height, MasternodeSet, Millis, Presence, Round},
    wire::{Peer, Request, Ticket, Topic},
};
use job::{Fault, Found, Task};
use memory::{Digest, Memory};
use queue::{Queue, Waiting};
use std::{collections::BTreeMap, sync::Arc};
use window::Worth;

/// Messages up to this length are decoded at once: votes, certificates and small proposals.
const INLINE_BYTES_MAX: usize = 16 * 1024;
/// Processor time of gossip that is in work at a time, in microseconds: what comes next waits no longer than this.
const WORK_US_MAX: u64 = 8_000;
/// After this time the verdict of a message is of no use: gossip has given it up.
const VERDICT_LIFE: Millis = Millis(3_500);
/// For so long nothing is taken from a peer whose message was rejected.
const REJECTED_FOR: Millis = Millis(10_000);
/// Peers that are remembered for it.
const REJECTED_MAX: usize = 1_024;

/// A gossiped message on its way through the queue.
#[derive(Debug)]
enum Content {
    Encoded(Vec<u8>),
    Message(Box<ConsensusMessage>, Digest),
    Presence(Presence),
}

/// What a job is for.
#[derive(Debug)]
enum Purpose {
    Decode(Waiting<()>),
    Verify(Waiting<Digest>),
    Presence(Waiting<()>),
    Response(Peer, Request),
    /// Messages of a response: the known ones, and the digests of those that are being verified.
    Messages(Peer, Request, Vec<Verified<ConsensusMessage>>, Vec<Digest>),
}

/// The door of a node.
#[derive(Debug)]
pub struct Door {
    chain: Arc<Chain>,
    set: Arc<MasternodeSet>,
    memory: Memory,
    queue: Queue<Content>,
    jobs: BTreeMap<JobId, Purpose>,
    last_job: u64,
    /// Processor time of the gossip in work.
    in_work_us: u64,
    /// Batches of transactions that the engine has not judged.
    batches: BTreeMap<Ticket, Waiting<()>>,
    /// Peers whose message was rejected, and until when nothing is taken from them.
    rejected: BTreeMap<Peer, Millis>,
}

impl Door {
    /// A door that has seen nothing.
    pub fn new(chain: Arc<Chain>, set: Arc<MasternodeSet>) -> Self {
        Self {
            chain,
            set,
            memory: Memory::default(),
            queue: Queue::default(),
            jobs: BTreeMap::new(),
            last_job: 0,
            in_work_us: 0,
            batches: BTreeMap::new(),
            rejected: BTreeMap::new(),
        }
    }

    /// Something comes to a node whose window is this: what follows, in order.
    pub fn handle(
        &mut self,
        now: Millis,
        window: &Window,
        comes: impl FnOnce(&mut Pass<'_>),
    ) -> Vec<Action> {
        let mut pass = Pass { now, window, door: self, actions: Vec::new() };
        comes(&mut pass);
        pass.serve_queue();
        pass.actions
    }

    /// The node has moved on to this height and round: what is outside its window is forgotten.
    pub fn forget_before(&mut self, height: Height, round: Round) {
        self.memory.forget_before(height, round);
    }

    /// Gossiped messages and bytes that wait or are in work.
    pub fn load(&self) -> (usize, usize) {
        self.queue.load()
    }

    /// Whether messages are being verified.
    pub fn is_verifying(&self) -> bool {
        self.jobs.values().any(|purpose| matches!(purpose, Purpose::Verify(_)))
    }

    /// Whether the engine has room for a batch of transactions.
    pub fn takes_batches(&self) -> bool {
        self.batches.len() < INBOUND_BATCHES_MAX
    }

    /// Messages of one peer that may wait on a topic. All votes of a height may come from one peer at once.
    fn messages_max(&self, topic: Topic) -> usize {
        match topic {
            Topic::Votes => INBOUND_PEER_MESSAGES_MAX.max(2 * self.set.len()),
            _ => INBOUND_PEER_MESSAGES_MAX,
        }
    }
}

/// What comes to the door, on its way through it.
pub struct Pass<'a> {
    now: Millis,
    window: &'a Window,
    door: &'a mut Door,
    actions: Vec<Action>,
}

impl Pass<'_> {
    /// A gossiped message, at most as long as its topic allows. Each gets one verdict.
    pub fn on_gossip(&mut self, from: Peer, topic: Topic, bytes: Vec<u8>, ticket: Ticket) {
        if self.door.rejected.get(&from).is_some_and(|until| self.now < *until) {
            return self.judge(ticket, Verdict::Ignore);
        }
        let (arrived, length) = (self.now, bytes.len());
        let waiting =
            Waiting { from, topic, ticket, arrived, bytes: length, price: 0, content: () };
        if topic == Topic::Transactions || length > INLINE_BYTES_MAX {
            let price = job::bytes_price(length);
            return self.enqueue(waiting.with(price, Content::Encoded(bytes)));
        }
        match job::decode_gossip(topic, &bytes) {
            Ok(Found::Message(message, digest)) => self.admit(waiting, message, digest),
            Ok(Found::Presence(presence)) if self.is_worth(&presence) => {
                self.enqueue(waiting.with(job::SIGNATURE_US, Content::Presence(presence)));
            }
            Ok(_) => self.judge(ticket, Verdict::Ignore),
            Err(fault) => self.reject(&waiting, fault),
        }
    }

    /// A decoded message: only what is of use, and was not verified before, waits to be verified.
    fn admit(&mut self, waiting: Waiting<()>, message: Box<ConsensusMessage>, digest: Digest) {
        if self.worth(&message) == Worth::Nothing {
            return self.judge(waiting.ticket, Verdict::Ignore);
        }
        if self.door.memory.is_verified(&digest) {
            return self.pass_on(&waiting, Verified::checked(*message), digest);
        }
        let price = job::price(&message);
        self.enqueue(waiting.with(price, Content::Message(message, digest)));
    }

    fn is_worth(&self, presence: &Presence) -> bool {
        self.window.worth_of_presence(&self.door.set, presence) == Worth::Forward
    }

    fn worth(&mut self, message: &ConsensusMessage) -> Worth {
        let worth = self.window.worth(message);
        match worth {
            Worth::Nothing => worth,
            _ => worth.min(self.door.memory.worth(self.now, &self.door.set, message)),
        }
    }

    fn enqueue(&mut self, waiting: Waiting<Content>) {
        let messages_max = self.door.messages_max(waiting.topic);
        for dropped in self.door.queue.push(messages_max, waiting) {
            self.judge(dropped.ticket, Verdict::Ignore);
        }
    }

    /// Hands out work while little is being done.
    fn serve_queue(&mut self) {
        while self.door.in_work_us < WORK_US_MAX {
            let takes_batches = self.door.takes_batches();
            let is_open = |topic| topic != Topic::Transactions || takes_batches;
            let Some(waiting) = self.door.queue.pop(is_open) else { return };
            if self.now.since(waiting.arrived) > VERDICT_LIFE {
                self.drop_waiting(&waiting);
                continue;
            }
            let (waiting, content) = waiting.split();
            match content {
                Content::Encoded(bytes) => {
                    self.start_gossip(Task::Gossip(waiting.topic, bytes), waiting.price, |price| {
                        Purpose::Decode(waiting.with(price, ()))
                    });
                }
                Content::Message(message, digest) => self.verify(waiting, message, digest),
                // Another one may have come meanwhile.
                Content::Presence(presence) if !self.is_worth(&presence) => {
                    self.drop_waiting(&waiting);
                }
                Content::Presence(presence) => {
                    self.start_gossip(Task::Presence(presence), waiting.price, |price| {
                        Purpose::Presence(waiting.with(price, ()))
                    });
                }
            }
        }
    }

    /// Verifies a message that has waited, unless it is of no use any more.
    fn verify(&mut self, waiting: Waiting<()>, message: Box<ConsensusMessage>, digest: Digest) {
        if self.worth(&message) == Worth::Nothing {
            self.drop_waiting(&waiting);
        } else if self.door.memory.is_verified(&digest) {
            self.door.queue.judged(&waiting);
            self.pass_on(&waiting, Verified::checked(*message), digest);
        } else {
            let task = Task::Verify(self.door.set.clone(), vec![*message]);
            self.start_gossip(task, waiting.price, |price| {
                Purpose::Verify(waiting.with(price, digest))
            });
        }
    }

    fn start_gossip(&mut self, task: Task, price: u64, purpose: impl FnOnce(u64) -> Purpose) {
        self.door.in_work_us += price;
        self.start(task, purpose(price));
    }

    fn start(&mut self, task: Task, purpose: Purpose) {
        self.door.last_job += 1;
        let id = JobId(self.door.last_job);
        self.door.jobs.insert(id, purpose);
        self.actions.push(Action::Run(Job { id, task }));
    }

    /// The outcome of a job.
    pub fn on_done(&mut self, outcome: Outcome) {
        let Some(purpose) = self.door.jobs.remove(&outcome.id) else { return };
        match purpose {
            Purpose::Decode(waiting) => self.on_decoded(waiting, outcome.result),
            Purpose::Verify(waiting) => self.on_verified(waiting, outcome.result),
            Purpose::Presence(waiting) => self.on_present(&waiting, outcome.result),
            Purpose::Response(from, request) => self.on_read(from, request, outcome.result),
            Purpose::Messages(from, request, known, digests) => match outcome.result {
                Ok(Found::Verified(verified)) => {
                    digests.into_iter().for_each(|digest| self.door.memory.remember(digest));
                    self.deliver(from, &request, known.into_iter().chain(verified));
                }
                Err(fault) => self.fail(from, request, fault),
                Ok(_) => self.actions.push(Action::Failed(from, request)),
            },
        }
    }

    fn on_decoded(&mut self, waiting: Waiting<()>, result: Result<Found, Fault>) {
        self.door.in_work_us = self.door.in_work_us.saturating_sub(waiting.price);
        match result {
            Ok(Found::Transactions(transactions)) => {
                let (from, ticket) = (waiting.from, waiting.ticket);
                self.door.batches.insert(ticket, waiting);
                self.actions.push(Action::Transactions(from, ticket, transactions));
            }
            Ok(Found::Message(message, digest)) => {
                self.door.queue.judged(&waiting);
                self.admit(waiting, message, digest);
            }
            Ok(_) => self.drop_waiting(&waiting),
            Err(fault) => {
                self.door.queue.judged(&waiting);
                self.reject(&waiting, fault);
            }
        }
    }

    fn on_verified(&mut self, waiting: Waiting<Digest>, result: Result<Found, Fault>) {
        self.door.in_work_us = self.door.in_work_us.saturating_sub(waiting.price);
        self.door.queue.judged(&waiting);
        let (waiting, digest) = waiting.split();
        match result {
            Ok(Found::Verified(messages)) => {
                messages.into_iter().for_each(|message| self.pass_on(&waiting, message, digest));
            }
            Ok(_) => self.judge(waiting.ticket, Verdict::Ignore),
            Err(fault) => self.reject(&waiting, fault),
        }
    }

    fn on_present(&mut self, waiting: &Waiting<()>, result: Result<Found, Fault>) {
        self.door.in_work_us = self.door.in_work_us.saturating_sub(waiting.price);
        self.door.queue.judged(waiting);
        match result {
            Ok(Found::Present(presence)) if self.is_worth(&presence) => {
                self.judge(waiting.ticket, Verdict::Accept);
                self.actions.push(Action::Presence(presence));
            }
            Ok(_) => self.judge(waiting.ticket, Verdict::Ignore),
            Err(fault) => self.reject(waiting, fault),
        }
    }

    /// A verified message: to gossip, and to the engine.
    fn pass_on(
        &mut self,
        waiting: &Waiting<()>,
        message: Verified<ConsensusMessage>,
        digest: Digest,
    ) {
        let noted = self.door.memory.note(&self.door.set, &message, digest);
        let worth = noted.min(self.window.worth(&message));
        let verdict = if worth == Worth::Forward { Verdict::Accept } else { Verdict::Ignore };
        self.judge(waiting.ticket, verdict);
        if worth != Worth::Nothing {
            self.actions.push(Action::Message(waiting.from, message));
        }
    }

    /// The engine has judged a batch of transactions.
    pub fn on_judged(&mut self, ticket: Ticket) {
        if let Some(waiting) = self.door.batches.remove(&ticket) {
            self.door.queue.judged(&waiting);
        }
    }

    fn drop_waiting<T>(&mut self, waiting: &Waiting<T>) {
        self.door.queue.judged(waiting);
        self.judge(waiting.ticket, Verdict::Ignore);
    }

    /// No honest node sends this: nothing more of the peer is looked at for a while.
    fn reject(&mut self, waiting: &Waiting<()>, Fault(reason): Fault) {
        self.judge(waiting.ticket, Verdict::Reject(reason));
        let now = self.now;
        self.door.rejected.retain(|_, until| now < *until);
        if self.door.rejected.len() == REJECTED_MAX {
            // Who was rejected first has most likely left, and came back under another identity.
            let first = self.door.rejected.iter().min_by_key(|(_, until)| **until);
            let first = first.map(|(peer, _)| *peer).expect("as many as REJECTED_MAX");
            self.door.rejected.remove(&first);
        }
        self.door.rejected.insert(waiting.from, now.plus(REJECTED_FOR));
        for dropped in self.door.queue.drain(waiting.from) {
            self.judge(dropped.ticket, Verdict::Ignore);
        }
    }

    fn judge(&mut self, ticket: Ticket, verdict: Verdict) {
        self.actions.push(Action::Judge(ticket, verdict));
    }
}
