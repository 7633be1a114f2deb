//! Each event becomes an input of an engine, unless the node or the connection is gone meanwhile.
use crate::{
    broken,
    coverage::Met,
    disk::Commit,
    node::Ticketed,
    oracle::{Oracle, Violation},
    wire::{self, Gossip, Payback, Payload, Reply},
    world::{Event, Work, World},
};
use std::rc::Rc;
use timecoin_chain::{
    engine::{Ask, Held, Input, Peer, Request, Source, Ticket, Timer},
    ledger::{self, ExecuteError, Overlay},
    limits::SYNC_BLOCKS_MAX,
    rules,
    types::{ConsensusMessage, Height},
};

impl World {
    pub(crate) fn dispatch(&mut self, event: Event) {
        let Some(event) = self.waits(event) else { return };
        match event {
            Event::Gossip { to, connection, gossip, passes_cache } => {
                self.on_gossip(to, connection, &gossip, passes_cache);
            }
            Event::Question { to, connection, call, request, id } => {
                self.on_question(to, connection, call, &request, &id);
            }
            Event::Reply { to, connection, call, reply } => {
                self.on_reply(to, connection, call, &reply);
            }
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
        let Some(&from) = running.peers.get(&connection) else { return };
        let is_new = running.seen.insert(gossip.id);
        if !is_new && !passes_cache {
            return;
        }
        self.note(to, 1, &gossip.id, || format!("<- n{from} {}", describe(&gossip.payload)));
        let input = match &gossip.payload {
            Payload::Consensus(message) => {
                Input::Message { from: Peer(connection), message: message.clone() }
            }
            Payload::Transactions(transactions) => Input::Transactions {
                source: Source::Peer(Peer(connection)),
                ticket: self.ticket(to, Ticketed::Gossiped(gossip.clone())),
                transactions: transactions.clone(),
            },
        };
        // Real gossip forwards a consensus message as soon as it is checked.
        let forwards = self.faults.forward && is_new && self.nodes[to].actor.is_none();
        if forwards && matches!(gossip.payload, Payload::Consensus(_)) {
            self.spread(to, gossip, Some(from));
        }
        self.feed(to, input);
    }

    fn on_question(
        &mut self,
        to: usize,
        connection: u64,
        call: u64,
        request: &Request,
        id: &[u8; 32],
    ) {
        let Some(running) = &self.nodes[to].running else { return };
        let Some(&from) = running.peers.get(&connection) else { return };
        self.note(to, 2, id, || format!("<- n{from} asks {request:?}"));
        let reply = match request {
            _ if !self.answers(to) => return,
            Request::Status => {
                let disk = &self.nodes[to].disk;
                let (height, tip) = (disk.height(), disk.tip().map(|tip| (**tip).clone()));
                self.nodes[to].shows(height);
                wire::reply_status(&self.setup, tip)
            }
            Request::Blocks(blocks) => {
                let count = blocks.count.min(SYNC_BLOCKS_MAX);
                let blocks = self.nodes[to].disk.blocks(blocks.from, count);
                if let Some((last, _)) = blocks.last() {
                    self.nodes[to].shows(last.header.height);
                }
                wire::reply_blocks(&self.setup, blocks)
            }
            Request::Bodies(bodies) => {
                return self.ask_engine(to, connection, call, Ask::Bodies(bodies.clone()));
            }
            Request::Votes(votes) => {
                return self.ask_engine(to, connection, call, Ask::Votes(votes.clone()));
            }
        };
        self.send_reply(to, connection, call, reply);
    }

    fn ask_engine(&mut self, node: usize, connection: u64, call: u64, ask: Ask) {
        let ticket = self.ticket(node, Ticketed::Question { connection, call });
        self.feed(node, Input::Ask { ticket, ask });
    }

    fn on_reply(&mut self, to: usize, connection: u64, call: u64, reply: &Reply) {
        let Some(running) = &mut self.nodes[to].running else { return };
        let Some(&peer) = running.peers.get(&connection) else { return };
        if running.calls.remove(&call).is_none() {
            return;
        }
        self.note(to, 3, &reply.id, || format!("<- n{peer} answers {}", reply.payback.describe()));
        let from = Peer(connection);
        match reply.payback.clone() {
            Payback::Status(tip) => self.feed(to, Input::Status { from, tip }),
            Payback::Blocks(blocks) => self.feed(to, Input::Blocks { from, blocks }),
            Payback::Bodies(transactions) => self.feed(to, Input::Bodies { from, transactions }),
            Payback::Votes(messages) => {
                let incarnation = self.nodes[to].incarnation;
                for message in messages {
                    if self.is_up(to, incarnation) {
                        self.feed(to, Input::Message { from, message });
                    }
                }
            }
        }
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

    fn on_work(&mut self, node: usize, work: Work) {
        match work {
            Work::Execute { block, parent, layers, verified } => {
                let (setup, disk) = (&self.setup, &self.nodes[node].disk);
                let (scheme, chain) = (&*setup.scheme, &*setup.chain);
                let view = Overlay::new(disk.view().clone(), layers);
                let result = ledger::execute(scheme, chain, &view, &parent, &block, &verified);
                let hash = block.hash();
                // The ledger may have moved on: then nobody waits for this verdict any more.
                let is_current = self.nodes[node].disk.height() <= parent.height;
                let is_honest = self.oracle.is_honest(block.header.proposer);
                if let (Err(ExecuteError::Rule(error)), true) = (&result, is_current && is_honest) {
                    let detail = format!("node {node}: {hash:?} of an honest proposer: {error}");
                    self.expect(Err(Violation::new("honest block", detail)));
                }
                if result.is_ok() {
                    let broken = broken::refused(&self.setup, &view, &parent, &block);
                    self.expect(broken);
                }
                self.note(node, 6, &hash.0, || format!("executed {hash:?}: {}", result.is_ok()));
                self.feed(node, Input::Executed { block: hash, result: result.map(Box::new) });
            }
            Work::Verify { ticket, spends } => {
                let results =
                    rules::verify_spends(&*self.setup.scheme, &self.setup.chain.hash, spends);
                self.note(node, 7, &ticket.0.to_le_bytes(), || "checked payments".into());
                self.feed(node, Input::Checked { ticket, results });
            }
            Work::Commit => {
                let Some(commit) = self.nodes[node].disk.finish_commit() else { return };
                let height = commit.delta.height;
                self.became_durable(node, &commit);
                let pause = self.labour.below(2_000);
                self.work_in(node, pause, Work::Committed { height });
            }
            Work::Committed { height } => self.on_committed(node, height),
        }
    }

    /// A block is on a node's disk.
    pub(crate) fn became_durable(&mut self, node: usize, commit: &Commit) {
        let Commit { block, certificate, delta } = commit;
        let root = delta.state.root();
        self.note(node, 8, &root, || format!("durable {} {:?}", delta.height, delta.block));
        self.testify(node, certificate.votes());
        let result = self.oracle.committed(&self.setup, block, certificate, &delta.state);
        let result = result.or_else(|violation| self.judge(violation));
        self.expect(result);
        if self.nodes[node].key.is_none() {
            self.coverage.met(Met::ObserverCommitted);
        }
    }

    fn on_committed(&mut self, node: usize, height: Height) {
        self.note(node, 9, &height.0.to_le_bytes(), || format!("told that {height} is durable"));
        self.feed(node, Input::Committed { height });
        let Some(running) = &self.nodes[node].running else { return };
        let ledger = &self.oracle.ledger;
        let is_tip = ledger.height == self.nodes[node].disk.height();
        let is_spent = |input: &_| is_tip && ledger.spent.contains_key(input);
        let result = Oracle::mempool_spends(node, running.engine.mempool(), is_spent);
        self.expect(result);
        self.check_expired(node);
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
            self.feed(node, Input::Transactions { source: Source::Local, ticket, transactions });
        }
    }

    /// A ticket of a node.
    fn ticket(&mut self, node: usize, ticketed: Ticketed) -> Ticket {
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

    /// Plans work of a node.
    pub(crate) fn work_in(&mut self, node: usize, span: u64, work: Work) {
        let incarnation = self.nodes[node].incarnation;
        self.after(span, Event::Work { node, incarnation, work });
    }
}

impl Payback {
    fn describe(&self) -> String {
        match self {
            Self::Status(tip) => {
                format!("status {}", tip.as_ref().map_or(0, |certificate| certificate.height.0))
            }
            Self::Blocks(blocks) => format!("{} blocks", blocks.len()),
            Self::Bodies(bodies) => format!("{} bodies", bodies.len()),
            Self::Votes(messages) => format!("{} messages", messages.len()),
        }
    }
}

/// A payload in a few words.
pub(crate) fn describe(payload: &Payload) -> String {
    let short = |block: &Option<_>| match block {
        Some(block) => format!("{block:?}"),
        None => "nil".into(),
    };
    let message = match payload {
        Payload::Transactions(transactions) => {
            return format!("{} transactions", transactions.len());
        }
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
