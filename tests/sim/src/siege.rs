//! Connects strangers to the world: they connect, send, are disconnected when one of their messages
//! is rejected, and return with another identity.
use crate::{
    answers::{self, Known},
    coverage::Met,
    node::Ticketed,
    rng::Rng,
    strangers::{Missile, Sight, Strangers},
    world::{Event, SECOND, World},
};
use std::rc::Rc;
use timecoin_chain::{
    engine::{Input, Request},
    types::OutPoint,
    wire::{Peer, Protocol},
};

/// The random stream of strangers.
const STREAM: u64 = 7;
/// The interval between two sends of a stranger.
const PERIOD: u64 = SECOND / 20;
/// The mean delay of a stranger's answer.
const ANSWER: u64 = SECOND / 50;
/// The mean delay from the rejection of a stranger's message to the end of its connection.
const GOODBYE: u64 = SECOND / 25;

impl World {
    /// Strangers appear.
    pub(crate) fn begin_siege(&mut self) {
        let Some(flood) = self.faults.flood else { return };
        let rng = Rng::stream(self.seed, STREAM);
        let strangers = Strangers::draw(flood, rng, self.setup.masternodes.len());
        for stranger in 0..strangers.all.len() {
            let after = self.labour.between(SECOND, 3 * SECOND);
            self.after(after, Event::Stranger { stranger });
        }
        self.strangers = Some(strangers);
    }

    /// A stranger connects, leaves, or sends.
    pub(crate) fn on_stranger(&mut self, stranger: usize) {
        self.after(PERIOD, Event::Stranger { stranger });
        let Some(strangers) = &mut self.strangers else { return };
        let (pace, burst) = (strangers.flood.pace, strangers.flood.burst);
        let own = &mut strangers.all[stranger];
        let (node, now) = (own.target, self.time);
        if self.nodes[node].running.is_none() {
            own.link = None;
            return;
        }
        let life = self.nodes[node].incarnation;
        let is_over = own.leaves_at.is_some_and(|at| at <= now);
        match own.link.filter(|(of, _)| *of == life) {
            None => {
                self.come(stranger, node);
                self.send(stranger, node, burst);
            }
            Some((_, connection)) if is_over => {
                (own.link, own.leaves_at) = (None, None);
                self.coverage.met(Met::StrangerRefused);
                if let Some(running) = &mut self.nodes[node].running {
                    running.strangers.remove(&connection);
                    running.calls.retain(|_, open| open.connection != connection);
                }
                self.note(node, 34, &connection.to_le_bytes(), || "a stranger leaves".into());
                self.feed(node, Input::PeerDown(Peer(connection)));
                self.come(stranger, node);
                self.send(stranger, node, burst);
            }
            Some(_) => self.send(stranger, node, pace),
        }
    }

    /// A stranger's message was rejected.
    pub(crate) fn throw_out(&mut self, node: usize, peer: u64) {
        let Some(strangers) = &mut self.strangers else { return };
        let life = self.nodes[node].incarnation;
        let of = |link: Option<(u64, u64)>| link == Some((life, peer));
        if let Some(own) = strangers.all.iter_mut().find(|own| of(own.link)) {
            let after = strangers.rng.exponential(GOODBYE);
            own.leaves_at.get_or_insert(self.time + after);
        }
    }

    fn come(&mut self, stranger: usize, node: usize) {
        let Some(strangers) = &mut self.strangers else { return };
        let connection = strangers.connection();
        let own = &mut strangers.all[stranger];
        (own.link, own.leaves_at) = (Some((self.nodes[node].incarnation, connection)), None);
        if let Some(running) = &mut self.nodes[node].running {
            running.strangers.insert(connection);
        }
        self.note(node, 33, &connection.to_le_bytes(), || "a stranger connects".into());
        self.feed(node, Input::PeerUp(Peer(connection)));
    }

    fn send(&mut self, stranger: usize, node: usize, count: u64) {
        for _ in 0..count {
            let round = self.round_of(node);
            let Some(running) = &self.nodes[node].running else { return };
            let height = running.engine.height();
            let Some(strangers) = &mut self.strangers else { return };
            let Some((_, connection)) = strangers.all[stranger].link else { return };
            let coins = &self.oracle.ledger.coins;
            let coin: Option<OutPoint> = coins.keys().next().copied();
            let sight = Sight { setup: &self.setup, height, round, coin };
            match strangers.next(stranger, &sight) {
                Missile::Gossip(gossip) => {
                    let event = Event::Gossip { to: node, connection, gossip, passes_cache: false };
                    self.at(self.time, event);
                }
                Missile::Request(protocol, bytes) => {
                    let (call, id) = (self.number(), [protocol as u8; 32]);
                    let event = Event::Question { to: node, connection, call, protocol, bytes, id };
                    self.at(self.time, event);
                }
            }
        }
    }

    /// A stranger is asked.
    pub(crate) fn strange_answer(
        &mut self,
        node: usize,
        (connection, call): (u64, u64),
        request: &Request,
    ) {
        let Some(strangers) = &mut self.strangers else { return };
        let chain = &self.setup.chain;
        let tip = self.nodes[node].disk.tip().map(|tip| (**tip).clone());
        let tip = tip.map(|tip| answers::with_votes(tip, strangers.votes_heard()));
        let known = Known { genesis: chain.hash, set: &chain.masternodes, tip };
        if let Some(reply) = answers::draw(&mut strangers.rng, request, &known) {
            let after = strangers.rng.exponential(ANSWER);
            self.after(after, Event::Reply { to: node, connection, call, reply: Rc::new(reply) });
        }
    }

    /// A stranger sends a request.
    pub(crate) fn on_strange_question(
        &mut self,
        node: usize,
        (connection, call): (u64, u64),
        protocol: Protocol,
        bytes: &[u8],
    ) {
        self.note(node, 35, &[protocol as u8], || format!("<- a stranger asks: {protocol:?}"));
        let ticket = self.ticket(node, Ticketed::Question { connection, call });
        let (from, bytes) = (Peer(connection), bytes.to_vec());
        self.feed(node, Input::Request { from, protocol, bytes, ticket });
    }
}
