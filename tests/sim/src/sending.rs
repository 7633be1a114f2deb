//! Sends what a node publishes, asks and answers: each message meets the faults of its link.
use crate::{
    coverage::Met,
    instances::Class,
    net::Arrival,
    node::{Call, Node},
    obstacles::{Kind, Label},
    wire::{self, Gossip},
    world::{Event, SECOND, World},
};
use std::rc::Rc;
use timecoin_chain::{
    engine::Request,
    wire::{Peer, Response},
};

/// After this time a request has failed.
const CALL_TIMEOUT: u64 = 5 * SECOND;

impl World {
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
            let gossip = self.corrupted(&gossip);
            // What the duplicate cache will drop need not arrive.
            if passes_cache || gossip.is_altered || !is_known {
                self.at(at, Event::Gossip { to, connection, gossip, passes_cache });
            }
            self.replay_past(to, connection, at);
        }
    }

    /// When a message sent now arrives.
    pub(crate) fn arrivals(
        &mut self,
        link: (usize, usize),
        label: Label,
        bytes: usize,
    ) -> Vec<Arrival> {
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
    pub(crate) fn fate(&mut self, class: Class, permille: u64) -> bool {
        self.network.chance(permille) && self.instances.strikes(class)
    }

    /// Gossip of which bits may have flipped.
    fn corrupted(&mut self, gossip: &Rc<Gossip>) -> Rc<Gossip> {
        if !self.fate(Class::Corrupt, self.faults.corrupt) {
            return gossip.clone();
        }
        self.note_corruption();
        Rc::new(wire::corrupt_gossip(&mut self.network, gossip))
    }

    fn note_corruption(&mut self) {
        let number = self.instances.last(Class::Corrupt);
        self.trace.append(|| format!(" | bits flip (Corrupt {number})"));
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
        let Some(tampered) = wire::tamper_gossip(gossip) else {
            return gossip.clone();
        };
        self.trace.append(|| " | tampered with".into());
        Rc::new(tampered)
    }

    pub(crate) fn request(&mut self, node: usize, to: Peer, request: &Request) {
        let (bytes, id) = wire::request(request);
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
        let is_stranger = running.strangers.contains(&connection);
        self.after(CALL_TIMEOUT, Event::CallTimeout { node, incarnation, call });
        if is_stranger {
            return self.strange_answer(node, (connection, call), request);
        }
        let Some(peer) = peer.filter(|peer| self.lets_question_pass(node, *peer)) else { return };
        let arrivals = self.arrivals((node, peer), Label::of(Kind::Question), bytes.len());
        let Some(&Arrival { at, .. }) = arrivals.first() else { return };
        let bytes = match self.fate(Class::Corrupt, self.faults.corrupt) {
            true => wire::corrupt_request(&mut self.network, &bytes),
            false => bytes,
        };
        let protocol = request.protocol();
        self.at(at, Event::Question { to: peer, connection, call, protocol, bytes, id });
    }

    pub(crate) fn send_reply(
        &mut self,
        node: usize,
        connection: u64,
        call: u64,
        response: Response,
    ) {
        if let Response::Votes(votes) = &response {
            votes.messages.iter().for_each(|message| self.leaves(node, message));
            let attested = votes.attestation.iter().flat_map(|attestation| &attestation.votes);
            attested.for_each(|vote| self.shows_vote(node, vote));
        }
        let mut reply = wire::reply(response);
        self.auditor.detail(27, &reply.id);
        let Some(running) = &self.nodes[node].running else { return };
        let Some(&to) = running.peers.get(&connection) else { return };
        if self.fate(Class::Tamper, self.faults.tamper)
            && let Some(tampered) = wire::tamper_reply(&reply)
        {
            self.coverage.met(Met::TamperedBlock);
            reply = tampered;
        }
        let arrivals = self.arrivals((node, to), Label::of(Kind::Reply), reply.bytes.len());
        let Some(&Arrival { at, .. }) = arrivals.first() else { return };
        if self.fate(Class::Corrupt, self.faults.corrupt) {
            self.note_corruption();
            reply = wire::corrupt_reply(&mut self.network, &reply);
        }
        self.at(at, Event::Reply { to, connection, call, reply: Rc::new(reply) });
    }

    pub(crate) fn send_busy(&mut self, node: usize, connection: u64, call: u64) {
        let Some(running) = &self.nodes[node].running else { return };
        let Some(&to) = running.peers.get(&connection) else { return };
        let arrivals = self.arrivals((node, to), Label::of(Kind::Reply), 1);
        if let Some(&Arrival { at, .. }) = arrivals.first() {
            self.at(at, Event::Busy { to, connection, call });
        }
    }
}
