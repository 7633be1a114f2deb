//! What a node's effects do to the world, one effect after the other.
use crate::{
    coverage::Met,
    disk::Commit,
    events::describe,
    instances::Class,
    net::Arrival,
    node::{Call, Node, Ticketed},
    obstacles::{Kind, Label},
    oracle::Violation,
    trace,
    wire::{self, Gossip, Payback, Payload, Refused, Reply},
    world::{Event, SECOND, Work, World},
};
use std::rc::Rc;
use timecoin_chain::{
    engine::{Effect, Peer, Report, Request, Ticket},
    mempool::Reject,
    types::{
        ConsensusMessage, EvidenceKind, Height, Round, Transaction, TransactionBatch, TxId,
        VoteKind,
    },
};

/// After this time a request has failed.
const CALL_TIMEOUT: u64 = 5 * SECOND;

impl World {
    pub(crate) fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Persist { record, blocks } => self.begin_persist(node, &record, blocks),
            Effect::Publish { message, attempt } if self.speaks(node, &message, attempt) => {}
            Effect::Publish { message, attempt } => {
                let gossip = wire::gossip_message(&self.setup, &message, attempt);
                self.publish(node, gossip);
            }
            Effect::Regossip { transactions, attempt } => {
                let batch = transactions.iter().map(|tx| (**tx).clone()).collect();
                self.publish(node, wire::gossip_transactions(&TransactionBatch(batch), attempt));
            }
            Effect::Request { to, request } => self.request(node, to, &request),
            Effect::Answer { ticket, answer } => {
                if self.hides(node, &answer) {
                    return drop(self.take_ticket(node, ticket));
                }
                let reply = wire::reply(&self.setup, &answer);
                let ticketed = self.take_ticket(node, ticket);
                if let Some(Ticketed::Question { connection, call }) = ticketed {
                    self.send_reply(node, connection, call, reply);
                }
            }
            Effect::Verify { ticket, spends } => {
                self.auditor.detail(20, &ticket.0.to_le_bytes());
                let span = self.labour.exponential(self.faults.work);
                self.work_in(node, span, Work::Verify { ticket, spends });
            }
            Effect::Admission { ticket, results } => self.admission(node, ticket, &results),
            Effect::Execute { block, parent, layers, verified } => {
                self.auditor.detail(21, &block.hash().0);
                self.nodes[node].duties.executes(block.hash());
                let span = self.labour.exponential(self.faults.work);
                self.work_in(node, span, Work::Execute { block, parent, layers, verified });
            }
            Effect::Commit { block, certificate, delta } => {
                for evidence in &block.evidence {
                    self.coverage.met(match evidence.kind() {
                        EvidenceKind::Votes => Met::VotesRecorded,
                        EvidenceKind::Proposals => Met::ProposalsRecorded,
                        EvidenceKind::Amnesia => Met::AmnesiaRecorded,
                    });
                }
                self.begin_commit(node, Commit { block, certificate, delta });
            }
            Effect::SetTimer { timer, at } => {
                let generation = self.number();
                let incarnation = self.nodes[node].incarnation;
                let Some(running) = &mut self.nodes[node].running else { return };
                running.timers.insert(timer, (generation, at));
                let at = self.nodes[node].clock.moment(self.time, at);
                self.auditor.detail(23, &at.to_le_bytes());
                self.at(at, Event::Timer { node, incarnation, timer, generation });
            }
            Effect::Report(report) => self.report(node, &report),
            Effect::Halt { reason, .. } => {
                self.trace.append(|| format!(" | halts: {reason}"));
                if self.is_honest(node) {
                    let detail = format!("node {node}: {reason}");
                    let result = self.judge(Violation::new("no honest node halts", detail));
                    self.expect(result);
                }
            }
        }
    }

    fn publish(&mut self, node: usize, gossip: Result<Gossip, Refused>) {
        let gossip = match gossip {
            Ok(gossip) => Rc::new(gossip),
            Err(refused) => return self.sent_unacceptable(node, &refused),
        };
        self.auditor.detail(25, &gossip.id);
        self.trace.append(|| format!(" | publish {}", describe(&gossip.payload)));
        if let Payload::Consensus(message) = &gossip.payload {
            self.leaves(node, message);
        }
        let Some(running) = &mut self.nodes[node].running else { return };
        if running.seen.insert(gossip.id) {
            self.spread(node, &gossip, None);
        }
    }

    pub(crate) fn leaves(&mut self, node: usize, message: &ConsensusMessage) {
        let from = self.nodes[node].key;
        let result = self.oracle.message_leaves(&self.setup, from, message);
        self.expect(result);
        if let ConsensusMessage::Vote(vote) = message
            && Some(vote.signer) == from
        {
            self.votes(node, vote);
        }
        let durable = self.nodes[node].disk.height();
        if let ConsensusMessage::Vote(vote) = message
            && Some(vote.signer) == from
            && self.is_honest(node)
            && vote.height > durable.next()
        {
            self.coverage.met(Met::SignedOverUndurable);
            if vote.kind == VoteKind::Precommit {
                let detail =
                    format!("node {node} precommits {} with {durable} durable", vote.height);
                self.expect(Err(Violation::new("precommits stand on durable blocks", detail)));
            }
        }
        if let ConsensusMessage::Proposal(proposal) = message
            && proposal.valid_round.is_some()
        {
            self.coverage.met(Met::ProposedAgain);
        }
    }

    fn note_round(&mut self, node: usize, height: Height, round: Round) {
        self.rounds.insert((node, height), round);
        if round.0 >= 2 {
            self.coverage.met(Met::RoundTwo);
        }
        if round.0 >= 3 {
            self.coverage.met(Met::RoundThree);
        }
    }

    fn sent_unacceptable(&mut self, node: usize, refused: &Refused) {
        let detail = format!("node {node} sent what others refuse: {}", refused.0);
        self.expect(Err(Violation::new("honest messages are acceptable", detail)));
    }

    /// Sends gossip to all peers but the one it came from.
    pub(crate) fn spread(&mut self, node: usize, gossip: &Rc<Gossip>, except: Option<usize>) {
        let Some(running) = &self.nodes[node].running else { return };
        let peers: Vec<(u64, usize)> = running.peers.iter().map(|(&c, &peer)| (c, peer)).collect();
        for (connection, to) in peers.into_iter().filter(|(_, peer)| Some(*peer) != except) {
            self.transmit(node, connection, to, gossip);
        }
        if self.faults.replay > 0 {
            self.past.see(gossip);
        }
    }

    /// Sends gossip to one peer.
    pub(crate) fn transmit(
        &mut self,
        node: usize,
        connection: u64,
        to: usize,
        gossip: &Rc<Gossip>,
    ) {
        if !self.lets_gossip_pass(node, to, &gossip.payload) {
            return;
        }
        let label = Label::of_gossip(&gossip.payload);
        let gossip = match self.fate(Class::Tamper, self.faults.tamper) {
            true => self.tampered(gossip),
            false => gossip.clone(),
        };
        let is_known =
            |node: &Node| node.running.as_ref().is_some_and(|r| r.seen.contains(gossip.id));
        let is_known = is_known(&self.nodes[to]);
        for Arrival { at, passes_cache } in self.arrivals((node, to), label, gossip.bytes.len()) {
            let Some(gossip) = self.corrupted(&gossip) else { continue };
            // What the duplicate cache will drop need not arrive.
            if passes_cache || gossip.is_altered || !is_known {
                self.at(at, Event::Gossip { to, connection, gossip, passes_cache });
            }
            self.replay_past(to, connection, at);
        }
    }

    /// When a message sent now arrives.
    fn arrivals(&mut self, link: (usize, usize), label: Label, bytes: usize) -> Vec<Arrival> {
        let lost = self.instances.last(Class::Loss);
        let fates = (&self.faults, &mut self.instances);
        let arrivals = self.net.arrivals(&mut self.network, fates, self.time, link, label);
        let number = self.instances.last(Class::Loss);
        if number > lost && arrivals.is_empty() {
            self.trace.append(|| format!(" | lost to n{} (Loss {number})", link.1));
        }
        if let (Some(traffic), false) = (&mut self.traffic, arrivals.is_empty()) {
            traffic.sent(link, label.kind, bytes);
        }
        arrivals
    }

    /// Whether a fault with this chance strikes a message now.
    fn fate(&mut self, class: Class, permille: u64) -> bool {
        self.network.chance(permille) && self.instances.strikes(class)
    }

    /// What a receiver makes of gossip of which bits may have flipped; nothing where it refuses it.
    fn corrupted(&mut self, gossip: &Rc<Gossip>) -> Option<Rc<Gossip>> {
        if !self.fate(Class::Corrupt, self.faults.corrupt) {
            return Some(gossip.clone());
        }
        let corrupted = wire::corrupt_gossip(&self.setup, &mut self.network, gossip);
        self.note_corruption(corrupted.is_some());
        corrupted.map(Rc::new)
    }

    fn note_corruption(&mut self, passes: bool) {
        let number = self.instances.last(Class::Corrupt);
        self.trace.append(|| format!(" | bits flip (Corrupt {number}), taken: {passes}"));
        self.coverage.met(if passes { Met::CorruptionTaken } else { Met::CorruptionRefused });
    }

    /// Somebody sends a message of an earlier height again.
    fn replay_past(&mut self, to: usize, connection: u64, at: u64) {
        if !self.fate(Class::Replay, self.faults.replay) {
            return;
        }
        let before = self.nodes[to].disk.height();
        if let Some(gossip) = self.past.draw(&mut self.network, before) {
            self.coverage.met(Met::PastReplayed);
            self.at(at, Event::Gossip { to, connection, gossip, passes_cache: true });
        }
    }

    /// A tampered message that receivers take as checked, or the message itself.
    fn tampered(&mut self, gossip: &Rc<Gossip>) -> Rc<Gossip> {
        let Some(tampered) = wire::tamper_gossip(&self.setup, gossip) else {
            return gossip.clone();
        };
        self.trace.append(|| " | tampered with".into());
        Rc::new(tampered)
    }

    fn request(&mut self, node: usize, to: Peer, request: &Request) {
        let (request, id, bytes) = match wire::request(request) {
            Ok(passed) => passed,
            Err(refused) => return self.sent_unacceptable(node, &refused),
        };
        match request {
            Request::Bodies(_) => self.coverage.met(Met::BodiesAsked),
            Request::Votes(_) => self.coverage.met(Met::VotesAsked),
            Request::Status | Request::Blocks(_) => {}
        }
        self.auditor.detail(26, &id);
        self.trace.append(|| format!(" | ask {request:?}"));
        let (call, incarnation) = (self.number(), self.nodes[node].incarnation);
        let Some(running) = &mut self.nodes[node].running else { return };
        let connection = to.0;
        running.calls.insert(call, Call { connection, request: request.clone() });
        let peer = running.peers.get(&connection).copied();
        self.after(CALL_TIMEOUT, Event::CallTimeout { node, incarnation, call });
        let Some(peer) = peer.filter(|peer| self.lets_question_pass(node, *peer)) else { return };
        let arrivals = self.arrivals((node, peer), Label::of(Kind::Question), bytes);
        let Some(&Arrival { at, .. }) = arrivals.first() else { return };
        let request = match self.fate(Class::Corrupt, self.faults.corrupt) {
            true => wire::corrupt_request(&mut self.network, &request),
            false => Some(request),
        };
        match request.map(Rc::new) {
            Some(request) => {
                self.at(at, Event::Question { to: peer, connection, call, request, id });
            }
            None => self.at(at, Event::CallTimeout { node, incarnation, call }),
        }
    }

    pub(crate) fn send_reply(
        &mut self,
        node: usize,
        connection: u64,
        call: u64,
        reply: Result<Reply, Refused>,
    ) {
        let mut reply = match reply {
            Ok(reply) => reply,
            Err(refused) => return self.sent_unacceptable(node, &refused),
        };
        self.auditor.detail(27, &reply.id);
        if let Payback::Votes(messages) = &reply.payback {
            messages.iter().for_each(|message| self.leaves(node, message));
        }
        let Some(running) = &self.nodes[node].running else { return };
        let Some(&to) = running.peers.get(&connection) else { return };
        if self.fate(Class::Tamper, self.faults.tamper) && wire::tamper_reply(&mut reply) {
            self.coverage.met(Met::TamperedBlock);
        }
        let arrivals = self.arrivals((node, to), Label::of(Kind::Reply), reply.bytes.len());
        let Some(&Arrival { at, .. }) = arrivals.first() else { return };
        let reply = match self.fate(Class::Corrupt, self.faults.corrupt) {
            true => {
                let corrupted = wire::corrupt_reply(&self.setup, &mut self.network, &reply);
                self.note_corruption(corrupted.is_some());
                corrupted
            }
            false => Some(reply),
        };
        match reply.map(Rc::new) {
            Some(reply) => self.at(at, Event::Reply { to, connection, call, reply }),
            None => {
                // Nonsense: whoever asked sees that at once.
                let incarnation = self.nodes[to].incarnation;
                self.at(at, Event::CallTimeout { node: to, incarnation, call });
            }
        }
    }

    fn take_ticket(&mut self, node: usize, ticket: Ticket) -> Option<Ticketed> {
        self.nodes[node].running.as_mut()?.tickets.remove(&ticket.0)
    }

    fn admission(&mut self, node: usize, ticket: Ticket, results: &[Result<TxId, Reject>]) {
        let Some(ticketed) = self.take_ticket(node, ticket) else {
            let detail = format!("node {node} answered ticket {} twice or never got it", ticket.0);
            return self.expect(Err(Violation::new("one answer for a ticket", detail)));
        };
        let accepted: Vec<TxId> = results.iter().filter_map(|result| result.clone().ok()).collect();
        for result in results {
            self.auditor.detail(28, &[u8::from(result.is_ok())]);
            self.trace.append(|| match result {
                Ok(txid) => format!(" | accepted {txid:?}"),
                Err(reject) => format!(" | {}", reject.code()),
            });
            if result.is_err() {
                self.coverage.met(Met::PaymentRefused);
            }
        }
        match ticketed {
            Ticketed::Payments => {
                let incarnation = self.nodes[node].incarnation;
                for txid in &accepted {
                    if self.is_honest(node) {
                        self.payments.accepted(*txid, node, incarnation);
                    }
                }
                let Some(running) = &self.nodes[node].running else { return };
                let pool = running.engine.mempool();
                let batch: Vec<Transaction> = accepted
                    .iter()
                    .filter_map(|txid| pool.get_by_txid(txid))
                    .map(|entry| (**entry.transaction()).clone())
                    .collect();
                if !batch.is_empty() {
                    self.publish(node, wire::gossip_transactions(&TransactionBatch(batch), 0));
                }
            }
            Ticketed::Gossiped(gossip) => {
                let mut refused = results.iter().filter_map(|result| result.as_ref().err());
                if let Some(reject) = refused.find(|reject| is_blame(reject) && !gossip.is_altered)
                {
                    let detail = format!("node {node} refuses what another accepted: {reject}");
                    self.expect(Err(Violation::new("no honest node is blamed", detail)));
                }
                if self.faults.forward && !accepted.is_empty() {
                    self.spread(node, &gossip, None);
                }
            }
            Ticketed::Question { .. } => {
                let detail = format!("node {node} answered a question with an admission");
                self.expect(Err(Violation::new("one answer for a ticket", detail)));
            }
        }
    }

    fn report(&mut self, node: usize, report: &Report) {
        self.auditor.detail(29, format!("{report:?}").as_bytes());
        self.trace.append(|| format!(" | {}", trace::describe(report)));
        if let Some(traffic) = &mut self.traffic {
            traffic.reported(self.time, report);
        }
        self.reports(node, report);
        match report {
            Report::Round { height, round, .. } => self.note_round(node, *height, *round),
            Report::Committed { height, round, synced, .. } => {
                if self.rounds.get(&(node, *height)).is_some_and(|reached| reached > round) {
                    self.coverage.met(Met::DecidedPastRound);
                }
                if self.nodes[node].disk.is_writing_block() {
                    let detail = format!("node {node} writes on before it tells of {height}");
                    self.expect(Err(Violation::new("a block is told of in its turn", detail)));
                }
                self.nodes[node].shows(*height);
                if *synced {
                    self.coverage.met(Met::SyncedBlock);
                    if self.net.current_cut().is_some() {
                        self.coverage.met(Met::SyncedInPartition);
                    }
                }
            }
            Report::Evidence(evidence) => {
                if self.oracle.is_honest(evidence.offender()) {
                    let detail = format!("node {node}: {evidence:?}");
                    self.expect(Err(Violation::new("no evidence against honest keys", detail)));
                }
                if self.is_honest(node) {
                    self.coverage.met(Met::EvidenceFound);
                }
            }
            _ => {}
        }
    }
}

/// Whether a refusal says that the sender should have known better: no honest node forwards what
/// breaks a rule whatever the sender's height and mempool are.
fn is_blame(reject: &Reject) -> bool {
    matches!(reject, Reject::Rule(rule) if rule.is_malice())
}
