//! How full the gate is, in connections and in memory.

use libp2p::PeerId;

use super::{Gate, Refusal};
use crate::config::PeerLimits;

/// Connections and their limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// Established connections that others opened.
    pub inbound: usize,
    /// Connections that this node opened, dials included.
    pub outbound: usize,
    /// Inbound handshakes in progress.
    pub pending: usize,
    /// What they are limited to.
    pub limits: PeerLimits,
    /// Peers that always find a place, ordered by id.
    pub reserved: Vec<PeerId>,
}

impl Gate {
    pub(super) fn check_memory(&self, peer: &PeerId) -> Result<(), Refusal> {
        let is_refused = self.is_out_of_memory && !self.has_place(peer);
        if is_refused { Err(Refusal::Memory) } else { Ok(()) }
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        let mut reserved: Vec<PeerId> = self.reserved.iter().copied().collect();
        reserved.sort();
        Occupancy {
            inbound: self.count(|connection| connection.is_inbound && connection.peer.is_some()),
            outbound: self.count(|connection| !connection.is_inbound && !connection.is_dial_back),
            pending: self.count(|connection| connection.is_inbound && connection.peer.is_none()),
            limits: self.limits,
            reserved,
        }
    }
}
