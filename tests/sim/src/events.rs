//! Each event becomes an input of an engine, unless the node or the connection is gone meanwhile.
use crate::{
    coverage::Met,
    instances::Class,
    node::{Call, Ticketed},
    oracle::Oracle,
    wire::{Gossip, Payload, Reply},
    world::{Event, World},
};
use std::rc::Rc;
use timecoin_chain::{
    engine::{Held, Input, Timer},
    limits::SYNC_BLOCKS_MAX,
    types::ConsensusMessage,
    wire::{Peer, Protocol, Request, Response, Ticket},
};

/// Marks the connection of somebody who changes what honest nodes send.
const STRANGER: u64 = 1 << 62;

impl World {
    pub(crate) fn dispatch(&mut self, event: Event) {
        let Some(event) = self.waits(event) else { return };
        match event {
            Event::Gossip { to, connection, gossip, passes_cache } => {
                self.on_gossip(to, connection, &gossip, passes_cache);
            }
            Event::Question { to, connection, call, protocol, bytes, id } => {
                self.on_question(to, (connection, call), protocol, &bytes, &id);
            }
            Event::Reply { to, connection, call, reply } => {
                self.on_reply(to, connection, call, &reply);
            }
            Event::Busy { to, connection, call } => self.on_busy(to, connection, call),
            Event::CallTimeout { node, incarnation, call } if self.is_up(node, incarnation) => {
                self.fail_call(node, call);
            }
            Event::Timer { node, incarnation, timer, generation }
                if self.is_up(node, incarnation) =>
            {
                self.on_timer(node, timer, generation);
            }
            Event::Work { node, incarnation, work } if self.is_up(node, incarnation) => {
                self.on_work(node, work);
            }
            Event::PeerDown { node, incarnation, connection } if self.is_up(node, incarnation) => {
                self.on_peer_down(node, connection);
            }
            Event::Input { node, incarnation, input } if self.is_up(node, incarnation) => {
                self.feed(node, input);
            }
            Event::Durable { node, incarnation } if self.is_up(node, incarnation) => {
                self.on_durable(node);
            }
            Event::Wake { node, incarnation } if self.is_up(node, incarnation) => self.wake(node),
            Event::CallTimeout { .. }
            | Event::Timer { .. }
            | Event::Work { .. }
            | Event::PeerDown { .. }
            | Event::Input { .. }
            | Event::Durable { .. }
            | Event::Wake { .. } => {}
            Event::Connect { a, b } => self.on_connect(a, b),
            Event::Boot { node } => self.on_boot(node),
            Event::Parcel { node, incarnation, parcel } if self.is_up(node, incarnation) => {
                self.send_parcel(node, parcel);
            }
            Event::Parcel { .. } => {}
            Event::Tick { node } => self.on_tick(node),
            Event::Stranger { stranger } => self.on_stranger(stranger),
            Event::Schism { cut } => self.on_schism(cut),
            Event::Verdict => self.on_verdict(),
            Event::Payment => self.on_payment(),
            Event::Partition => self.on_partition(),
            Event::Heal => self.on_heal(),
            Event::Crash => self.on_crash(),
            Event::CrashAll => self.on_crash_all(),
            Event::Clog => self.on_clog(),
            Event::Filter => self.on_filter(),
            Event::Pause => self.on_pause(),
            Event::ClockFault => self.on_clock_fault(),
            Event::ClockSet { node } => self.on_clock_set(node),
            Event::SecondHost => self.on_second_host(),
            Event::Slow => self.on_slow(),
            Event::EndOfStorm => self.end_storm(),
            Event::Deadline => self.deadline(),
        }
    }

    fn is_up(&self, node: usize, incarnation: u64) -> bool {
        self.nodes[node].running.is_some() && self.nodes[node].incarnation == incarnation
    }

    /// Notes an event of a node in the digest and the trace.
    pub(crate) fn note(
        &mut self,
        node: usize,
        kind: u8,
        content: &[u8],
        line: impl FnOnce() -> String,
    ) {
        self.auditor.event(self.time, node, kind, content);
        if self.trace.is_wanted() {
            let (time, now) = (self.time, self.nodes[node].clocks(self.time));
            let place = self.nodes[node].running.as_ref().map_or("down".into(), |running| {
                let status = running.engine.status(now);
                format!("{}/{}/{:?}", status.deciding, status.round, status.step)
            });
            let line = line();
            let (number, ms) = (self.auditor.events, time / 1_000);
            self.trace.line(|| {
                format!("{number:>6} {ms:>7}.{:03} ms  n{node}  {place:<14} {line}", time % 1_000)
            });
        }
    }

    fn on_gossip(&mut self, to: usize, connection: u64, gossip: &Rc<Gossip>, passes_cache: bool) {
        let Some(running) = &mut self.nodes[to].running else { return };
        let from = running.peers.get(&connection).copied();
        if from.is_none() && !running.strangers.contains(&connection) {
            return;
        }
        let is_new = running.seen.insert(gossip.id);
        if !is_new && !passes_cache {
            return;
        }
        self.note(to, 1, &gossip.id, || {
            let from = from.map_or("a stranger".into(), |from| format!("n{from}"));
            format!("<- {from} {}", describe(&gossip.payload))
        });
        // Who changes what honest nodes send has a connection of its own: links are authenticated.
        let peer = if gossip.is_altered { connection | STRANGER } else { connection };
        let arrived = self.time;
        let ticketed = Ticketed::Gossiped { gossip: gossip.clone(), peer, from, arrived, is_new };
        let ticket = self.ticket(to, ticketed);
        self.arrives_at_door(to, peer, gossip.topic);
        let (topic, bytes) = (gossip.topic, gossip.bytes.clone());
        self.feed(to, Input::Gossip { from: Peer(peer), topic, bytes, ticket });
    }

    fn on_question(
        &mut self,
        to: usize,
        (connection, call): (u64, u64),
        protocol: Protocol,
        bytes: &[u8],
        id: &[u8; 32],
    ) {
        let Some(running) = &self.nodes[to].running else { return };
        if running.strangers.contains(&connection) {
            return self.on_strange_question(to, (connection, call), protocol, bytes);
        }
        let Some(&from) = running.peers.get(&connection) else { return };
        self.note(to, 2, id, || format!("<- n{from} asks: {protocol:?}"));
        if !self.answers(to) {
            return;
        }
        if let Some(response) = self.reply_of_actor(to, protocol, bytes) {
            return self.send_reply(to, connection, call, response);
        }
        let ticket = self.ticket(to, Ticketed::Question { connection, call });
        if self.trial.is_some()
            && let Some(request @ (Request::Status | Request::Blocks(_))) =
                Request::decode(protocol, bytes)
        {
            // A node that stopped because of the fork still tells what its disk holds.
            return self.serve(to, ticket, &request);
        }
        let (from, bytes) = (Peer(connection), bytes.to_vec());
        self.feed(to, Input::Request { from, protocol, bytes, ticket });
    }

    /// Answers from the disk.
    pub(crate) fn serve(&mut self, node: usize, ticket: Ticket, request: &Request) {
        let Some(Ticketed::Question { connection, call }) = self.take_ticket(node, ticket) else {
            return;
        };
        if matches!(request, Request::Blocks(_)) && self.is_busy() {
            return self.send_busy(node, connection, call);
        }
        let disk = &self.nodes[node].disk;
        let (shown, response) = match request {
            Request::Status => {
                let tip = disk.tip().map(|tip| (**tip).clone());
                (Some(disk.height()), Response::Status(self.setup.chain.hash, tip))
            }
            Request::Blocks(range) => {
                let blocks = disk.blocks(range.from, range.count.min(SYNC_BLOCKS_MAX));
                let last = blocks.last().map(|(last, _)| last.header.height);
                (last, Response::Blocks(blocks))
            }
            Request::Bodies(_) | Request::Votes(_) => return,
        };
        if let Some(height) = shown {
            self.nodes[node].shows(height);
        }
        self.send_reply(node, connection, call, response);
    }

    fn on_reply(&mut self, to: usize, connection: u64, call: u64, reply: &Reply) {
        let Some(running) = &mut self.nodes[to].running else { return };
        let peer = running.peers.get(&connection).copied();
        if peer.is_none() && !running.strangers.contains(&connection) {
            return;
        }
        let Some(Call { request, .. }) = running.calls.remove(&call) else { return };
        self.note(to, 3, &reply.id, || {
            let peer = peer.map_or("a stranger".into(), |peer| format!("n{peer}"));
            format!("<- {peer} answers {}", reply.name)
        });
        let (from, bytes) = (Peer(connection), reply.bytes.clone());
        if peer.is_none() {
            self.coverage.met(Met::StrangerAnswered);
            self.answering = Some(call);
        }
        self.feed(to, Input::Response { from, request, bytes });
        self.answering = None;
    }

    fn is_busy(&mut self) -> bool {
        self.faults.busy > 0 && self.fate(Class::Busy, self.faults.busy)
    }

    fn on_busy(&mut self, node: usize, connection: u64, call: u64) {
        let Some(running) = &mut self.nodes[node].running else { return };
        if !running.peers.contains_key(&connection) {
            return;
        }
        let Some(Call { request, .. }) = running.calls.remove(&call) else { return };
        self.coverage.met(Met::PeerBusy);
        self.note(node, 36, &connection.to_le_bytes(), || format!("busy {request:?}"));
        self.feed(node, Input::PeerBusy { from: Peer(connection), request });
    }

    pub(crate) fn fail_call(&mut self, node: usize, call: u64) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let Some(call) = running.calls.remove(&call) else { return };
        let from = Peer(call.connection);
        self.note(node, 4, &call.connection.to_le_bytes(), || format!("failed {:?}", call.request));
        self.feed(node, Input::RequestFailed { from, request: call.request });
    }

    fn on_timer(&mut self, node: usize, timer: Timer, generation: u64) {
        let Some(running) = &self.nodes[node].running else { return };
        let Some(&(current, at)) = running.timers.get(&timer) else { return };
        if current != generation {
            return;
        }
        let moment = self.nodes[node].clock.moment(self.time, at);
        if moment > self.time {
            // The clock stood still meanwhile.
            let incarnation = self.nodes[node].incarnation;
            return self.at(moment, Event::Timer { node, incarnation, timer, generation });
        }
        let Some(running) = &mut self.nodes[node].running else { return };
        running.timers.remove(&timer);
        self.note(node, 5, format!("{timer:?}").as_bytes(), || format!("timer {timer:?}"));
        self.feed(node, Input::Timer(timer));
    }

    fn on_payment(&mut self) {
        let Some(mean) = self.faults.payment else { return };
        let after = self.users.exponential(mean) + 1_000;
        self.after(after, Event::Payment);
        let height = self.oracle.height();
        let Some(tx) = self.payments.draw(&mut self.users, &self.setup, height) else { return };
        let copies = if self.users.chance(100) { 2 } else { 1 };
        for _ in 0..copies {
            let node = self.users.index(self.nodes.len());
            if self.nodes[node].running.is_none() {
                continue;
            }
            let txid = tx.txid();
            self.note(node, 10, &txid.0, || format!("pays {txid:?}"));
            let ticket = self.ticket(node, Ticketed::Payments);
            let transactions = vec![tx.clone()];
            self.feed(node, Input::Transactions { ticket, transactions });
        }
    }

    /// A ticket of a node.
    pub(crate) fn ticket(&mut self, node: usize, ticketed: Ticketed) -> Ticket {
        let number = self.number();
        if let Some(running) = &mut self.nodes[node].running {
            running.tickets.insert(number, ticketed);
        }
        Ticket(number)
    }

    /// What an engine holds keeps its bounds.
    pub(crate) fn check_bounds(&mut self, node: usize) {
        let Some(running) = &self.nodes[node].running else { return };
        let mut result = Oracle::mempool(node, running.engine.mempool());
        // Counting goes through all votes: with a large set not after every input.
        let members = self.setup.masternodes.len();
        if members <= 10 || self.auditor.events.is_multiple_of(64) {
            let most = Held::most(members);
            result = result.and(Oracle::held(node, &running.engine.held(), &most));
        }
        self.expect(result);
    }
}

/// A payload in a few words.
pub(crate) fn describe(payload: &Payload) -> String {
    let short = |block: &Option<_>| match block {
        Some(block) => format!("{block:?}"),
        None => "nil".into(),
    };
    let message = match payload {
        Payload::Transactions(count) => return format!("{count} transactions"),
        Payload::Garbage => return "garbage".into(),
        Payload::Presence => return "a presence".into(),
        Payload::Consensus(message) => message,
    };
    match &**message {
        ConsensusMessage::Vote(vote) => format!(
            "{:?} of m{} {}/{} {}",
            vote.kind,
            vote.signer,
            vote.height,
            vote.round,
            short(&vote.block)
        ),
        ConsensusMessage::Proposal(proposal) => format!(
            "proposal {}/{} {:?} valid {:?}",
            proposal.height(),
            proposal.round,
            proposal.block_hash(),
            proposal.valid_round
        ),
        ConsensusMessage::Certificate(held) => {
            format!("{:?}s {}/{} {}", held.kind, held.height, held.round, short(&held.block))
        }
        ConsensusMessage::Round(held) => {
            format!("round certificate {}/{}", held.height, held.round)
        }
        ConsensusMessage::Evidence(held) => format!(
            "evidence of {} against m{} {}/{}",
            held.kind().name(),
            held.offender(),
            held.height(),
            held.round()
        ),
    }
}
