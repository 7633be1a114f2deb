//! Maps the engine's peer numbers to the network's peer ids. A number belongs to one peer id for good; a peer that
//! reconnects soon gets its number back, and with it what the engine remembers of its failures.
use std::collections::{BTreeMap, HashMap, VecDeque};
use timecoin_chain::engine::Peer;
use timecoin_network::PeerId;

/// Peers that are gone and whose numbers are remembered.
const GONE_MAX: usize = 1_024;

#[derive(Debug, Default)]
pub(super) struct Peers {
    next: u64,
    by_id: HashMap<PeerId, Peer>,
    by_number: BTreeMap<Peer, PeerId>,
    /// The last ones that are gone, latest last.
    gone: VecDeque<(PeerId, Peer)>,
}

impl Peers {
    /// A peer connected.
    pub(super) fn add(&mut self, id: PeerId) -> Peer {
        let known = self.gone.iter().position(|(gone, _)| *gone == id);
        let known = known.and_then(|place| self.gone.remove(place)).map(|(_, peer)| peer);
        let peer = known.unwrap_or(Peer(self.next));
        self.next += u64::from(known.is_none());
        self.by_id.insert(id, peer);
        self.by_number.insert(peer, id);
        peer
    }

    /// A peer disconnected.
    pub(super) fn remove(&mut self, id: &PeerId) -> Option<Peer> {
        let peer = self.by_id.remove(id)?;
        self.by_number.remove(&peer);
        if self.gone.len() == GONE_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back((*id, peer));
        Some(peer)
    }

    pub(super) fn number(&self, id: &PeerId) -> Option<Peer> {
        self.by_id.get(id).copied()
    }

    pub(super) fn id(&self, peer: Peer) -> Option<PeerId> {
        self.by_number.get(&peer).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_comes_back_has_its_number_again() {
        let (one, other) = (PeerId::random(), PeerId::random());
        let mut peers = Peers::default();
        let first = peers.add(one);
        peers.remove(&one);
        assert_ne!(peers.add(other), first);
        assert_eq!(peers.add(one), first);
        assert_eq!(peers.id(first), Some(one));
        for _ in 0..2 * GONE_MAX {
            let stranger = PeerId::random();
            peers.add(stranger);
            peers.remove(&stranger);
        }
        assert_eq!(peers.gone.len(), GONE_MAX);
    }
}
