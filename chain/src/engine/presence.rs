//! Which nodes the masternodes are: this node's masternode says so now and then, and what others say is kept
//! until it expires. The shell keeps places for these nodes.
//!
//! Never consensus: nothing that is voted on depends on it. A node that is behind sentries says nothing.
//!
//! Invariant: at most one node for each member of the set.
use super::{Effect, Timer, context::Context, license::License, out::Out};
use crate::{
    crypto::{PublicKey, Verified},
    inbound::Presences,
    types::{Millis, NodeKey, Now, Presence, Timestamp},
};
use std::{collections::BTreeSet, sync::Arc};

/// Between two presences of this node.
const PERIOD: Millis = Millis(60_000);
/// The same after a peer has connected, which may know none.
const PERIOD_MIN: Millis = Millis(15_000);
/// From the start, or from a new peer, to the next presence.
const SOON: Millis = Millis(1_000);

/// What is known, and when this node said so last.
#[derive(Debug)]
pub(super) struct PresenceRoom {
    /// This node, unless it does not tell.
    node: Option<NodeKey>,
    known: Arc<Presences>,
    announced: Option<Millis>,
    due: Millis,
}

impl PresenceRoom {
    pub(super) fn new(node: Option<NodeKey>) -> Self {
        Self { node, known: Arc::default(), announced: None, due: Millis(0) }
    }

    /// The last presence of each masternode.
    pub(super) fn known(&self) -> Arc<Presences> {
        self.known.clone()
    }

    /// A peer is here, which may know nothing: the next presence comes soon.
    pub(super) fn hasten(&mut self, now: Now, out: &mut Out) {
        let earliest = self.announced.map_or(Millis(0), |at| at.plus(PERIOD_MIN));
        let soon = now.mono.plus(SOON).max(earliest);
        if soon < self.due || self.due <= now.mono {
            self.schedule(soon, out);
        }
    }

    fn schedule(&mut self, at: Millis, out: &mut Out) {
        self.due = at;
        out.set_timer(Timer::Presence, at);
    }

    /// Says that this node is here, and forgets who has not said so for long.
    pub(super) fn on_timer(&mut self, ctx: &Context, license: &License, now: Now, out: &mut Out) {
        self.forget_expired(now);
        // Again: the shell forgets it when it is behind.
        self.tell(out);
        let own = self.own(ctx, license, now);
        let is_not_yet = own.is_none() && ctx.me.is_some() && self.node.is_some();
        self.schedule(now.mono.plus(if is_not_yet { SOON } else { PERIOD }), out);
        if let Some(presence) = own {
            self.announced = Some(now.mono);
            out.push(Effect::Announce(presence));
        }
    }

    /// This node's presence, if its key may sign.
    fn own(&self, ctx: &Context, license: &License, now: Now) -> Option<Presence> {
        let node = self.node.filter(|_| ctx.me.is_some() && license.is_granted())?;
        let signer = license.signer()?;
        let expires = Timestamp(now.wall.0.saturating_add(Presence::LIFE.0));
        let signature = signer.sign(&Presence::message(&ctx.chain.hash, node, expires));
        Some(Presence { masternode: signer.public_key(), node, expires, signature })
    }

    /// A member of the set says which node it is.
    pub(super) fn hear(&mut self, presence: Verified<Presence>, out: &mut Out) {
        let Presence { masternode, node, expires, .. } = presence.into_inner();
        let before = Arc::make_mut(&mut self.known).insert(masternode, (node, expires));
        if before.is_none_or(|(known, _)| known != node) {
            self.tell(out);
        }
    }

    fn forget_expired(&mut self, now: Now) {
        let is_over = |(_, expires): &(NodeKey, Timestamp)| *expires < now.wall;
        if self.known.values().any(is_over) {
            Arc::make_mut(&mut self.known).retain(|_: &PublicKey, known| !is_over(known));
        }
    }

    fn tell(&self, out: &mut Out) {
        let nodes: BTreeSet<NodeKey> = self.known.values().map(|(node, _)| *node).collect();
        out.push(Effect::KeepPlaces(nodes));
    }
}
