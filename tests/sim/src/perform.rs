//! Connects actors to the world: what they receive, when they run, and how their parcels are sent.
use crate::{
    byzantine::{self, Actor, Parcel, Role, Stage},
    events::describe,
    wire,
    world::{Event, SECOND, World},
};
use std::rc::Rc;
use timecoin_chain::{
    rules,
    types::ConsensusMessage,
    wire::{Protocol, Request, Response},
};

/// Between two ticks of an actor.
const TICK: u64 = SECOND / 4;

impl World {
    /// Whether a node keeps the rules. Twins of one key do not, even if each is honest by itself.
    pub(crate) fn is_honest(&self, node: usize) -> bool {
        self.nodes[node].key.is_none_or(|key| self.oracle.is_honest(key))
    }

    /// Assigns roles to masternodes with less than a third of the total weight.
    pub(crate) fn assign(&mut self, role: Role) {
        let members = self.setup.masternodes.len();
        let set = self.setup.chain.masternodes.clone();
        let (first, mut weight) = (self.actors.index(members), 0);
        for place in 0..members {
            let node = (first + place) % members;
            let Some(key) = self.nodes[node].key else { continue };
            let with = weight + set.weight_of([key]);
            if 3 * with >= set.total_weight() {
                return;
            }
            weight = with;
            self.corrupt(node, key, role);
            // One more, or as many as there may be.
            if self.actors.chance(500) {
                return;
            }
        }
    }

    pub(crate) fn corrupt(&mut self, node: usize, key: u16, role: Role) {
        self.oracle.corrupt(key);
        self.nodes[node].actor =
            byzantine::actor(role, &mut self.actors).map(|actor| (role, actor));
        self.trace.line(|| format!("n{node} is Byzantine: {role:?}"));
        match role {
            Role::Twin => {
                self.coverage.met(role.met());
                let twin = self.nodes[node].twin(&self.setup);
                self.nodes.push(twin);
            }
            _ => self.after(TICK, Event::Tick { node }),
        }
    }

    /// The engine of a Byzantine node wants to send this. False if the node is honest.
    pub(crate) fn speaks(&mut self, node: usize, message: &ConsensusMessage, attempt: u8) -> bool {
        let message = message.clone();
        self.act(node, |actor, stage| actor.speak(stage, message, attempt))
    }

    /// A Byzantine node sees an input before its engine does.
    pub(crate) fn hears(&mut self, node: usize, message: &ConsensusMessage) {
        self.act(node, |actor, stage| actor.hear(stage, message));
    }

    /// Whether a node answers at all.
    pub(crate) fn answers(&self, node: usize) -> bool {
        self.nodes[node].actor.as_ref().is_none_or(|(_, actor)| actor.answers())
    }

    /// What a Byzantine node answers instead of its engine.
    pub(crate) fn reply_of_actor(
        &self,
        node: usize,
        protocol: Protocol,
        bytes: &[u8],
    ) -> Option<Response> {
        let (_, actor) = self.nodes[node].actor.as_ref()?;
        actor.reply(&Request::decode(protocol, bytes)?)
    }

    /// Whether a node withholds an answer.
    pub(crate) fn hides(&self, node: usize, response: &Response) -> bool {
        self.nodes[node].actor.is_some() && matches!(response, Response::Votes(_))
    }

    pub(crate) fn on_tick(&mut self, node: usize) {
        self.after(TICK, Event::Tick { node });
        self.act(node, |actor, stage| actor.tick(stage));
    }

    fn act(&mut self, node: usize, play: impl FnOnce(&mut dyn Actor, &mut Stage)) -> bool {
        let round = self.round_of(node);
        let Some((role, mut actor)) = self.nodes[node].actor.take() else { return false };
        let (Some(running), Some(me)) = (&self.nodes[node].running, self.nodes[node].key) else {
            self.nodes[node].actor = Some((role, actor));
            return true;
        };
        let mut stage = Stage {
            setup: &self.setup,
            rng: &mut self.actors,
            me,
            height: running.engine.height(),
            round,
            others: running.peers.values().copied().collect(),
            parcels: Vec::new(),
            is_at_work: false,
        };
        play(&mut *actor, &mut stage);
        let Stage { parcels, is_at_work, .. } = stage;
        self.nodes[node].actor = Some((role, actor));
        if is_at_work {
            self.coverage.met(role.met());
        }
        for parcel in parcels {
            self.post(node, parcel);
        }
        true
    }

    fn post(&mut self, node: usize, parcel: Parcel) {
        match parcel.after {
            0 => self.send_parcel(node, parcel),
            after => {
                let incarnation = self.nodes[node].incarnation;
                self.after(after, Event::Parcel { node, incarnation, parcel });
            }
        }
    }

    /// Sends anything: every receiver's door judges it.
    pub(crate) fn send_parcel(&mut self, node: usize, parcel: Parcel) {
        let Parcel { message, attempt, to, .. } = parcel;
        let gossip = Rc::new(wire::gossip_message(&message, attempt));
        let Some(running) = &self.nodes[node].running else { return };
        let peers: Vec<(u64, usize)> = running.peers.iter().map(|(&c, &peer)| (c, peer)).collect();
        let peers: Vec<_> = peers.into_iter().filter(|(_, peer)| to.contains(peer)).collect();
        if peers.is_empty() {
            return;
        }
        self.auditor.detail(30, &gossip.id);
        self.trace.append(|| format!(" | to {to:?}: {}", describe(&gossip.payload)));
        // The oracle hears what is signed as it says; the rest every door rejects.
        let (scheme, chain) = (&*self.setup.scheme, &*self.setup.chain);
        if rules::verify_message(scheme, &chain.hash, &chain.masternodes, message.clone()).is_ok() {
            self.leaves(node, &message);
        }
        for (connection, peer) in peers {
            self.transmit(node, connection, peer, &gossip);
        }
    }
}
