//! Maps the engine's peer numbers to the network's peer ids. A number is never used twice.
use std::collections::{BTreeMap, HashMap};
use timecoin_chain::engine::Peer;
use timecoin_network::PeerId;

#[derive(Debug, Default)]
pub(super) struct Peers {
    next: u64,
    by_id: HashMap<PeerId, Peer>,
    by_number: BTreeMap<Peer, PeerId>,
}

impl Peers {
    /// A peer connected.
    pub(super) fn add(&mut self, id: PeerId) -> Peer {
        let peer = Peer(self.next);
        self.next += 1;
        self.by_id.insert(id, peer);
        self.by_number.insert(peer, id);
        peer
    }

    /// A peer disconnected.
    pub(super) fn remove(&mut self, id: &PeerId) -> Option<Peer> {
        let peer = self.by_id.remove(id)?;
        self.by_number.remove(&peer);
        Some(peer)
    }

    pub(super) fn number(&self, id: &PeerId) -> Option<Peer> {
        self.by_id.get(id).copied()
    }

    pub(super) fn id(&self, peer: Peer) -> Option<PeerId> {
        self.by_number.get(&peer).copied()
    }
}
