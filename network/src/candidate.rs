//! One peer that may be dialled: its addresses, and which of them may be tried again.
//!
//! Anyone can sign a record that names a stranger's addresses. So an address is tried once, and
//! again only if it was configured, was reached under this peer's key, or is on the host that the
//! peer itself connects from.

use std::time::Instant;

use bytes::Bytes;
use libp2p::{Multiaddr, PeerId};

use crate::{
    address::{self, ADDRESSES_MAX},
    origin::{Origin, Prefix},
    saved::SavedPeer,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// In the configuration, or proved to be the peer's.
    Proved,
    Untried,
    /// Tried once without success.
    Tried,
}

#[derive(Clone, Debug)]
struct Known {
    address: Multiaddr,
    trust: Trust,
}

/// A peer that may be dialled.
#[derive(Debug)]
pub(crate) struct Candidate {
    addresses: Vec<Known>,
    /// The newest record of the peer, to be passed on, and its sequence number.
    record: Option<(u64, Bytes)>,
    pub(crate) bootstrap: bool,
    /// Was connected as a peer of our chain, and is dialled as soon as it is lost.
    pub(crate) met: bool,
    /// Was connected once, perhaps before a restart.
    pub(crate) tried: bool,
    /// When it was last connected.
    pub(crate) met_at: Instant,
    pub(crate) failures: u32,
    /// Dials that failed since it was connected last.
    pub(crate) dials_failed: u32,
    /// Why the last dial failed; none since it was met.
    pub(crate) last_error: Option<String>,
    pub(crate) dial_at: Instant,
    /// Other events do not shorten this: the peer was refused, or the application disconnected it.
    pub(crate) not_before: Instant,
}

impl Candidate {
    pub(crate) fn new(bootstrap: bool, now: Instant) -> Self {
        Candidate {
            addresses: Vec::new(),
            record: None,
            bootstrap,
            met: false,
            tried: false,
            met_at: now,
            failures: 0,
            dials_failed: 0,
            last_error: None,
            dial_at: now,
            not_before: now,
        }
    }

    /// Adds an address of the configuration.
    pub(crate) fn configure(&mut self, address: Multiaddr) {
        self.addresses.push(Known { address, trust: Trust::Proved });
    }

    /// Takes a newer record with its filtered addresses; proved ones stay.
    pub(crate) fn renew(&mut self, (seq, bytes): (u64, Bytes), addresses: Vec<Multiaddr>) {
        if self.record.as_ref().is_some_and(|(known, _)| *known >= seq) {
            return;
        }
        self.record = Some((seq, bytes));
        let is_listed = |known: &Known| addresses.contains(&known.address);
        self.addresses.retain(|known| known.trust == Trust::Proved || is_listed(known));
        addresses.into_iter().for_each(|address| self.hear(address));
    }

    /// Takes an address that nothing proves.
    pub(crate) fn hear(&mut self, address: Multiaddr) {
        let is_new = self.addresses.iter().all(|known| known.address != address);
        if is_new && self.addresses.len() < ADDRESSES_MAX {
            self.addresses.push(Known { address, trust: Trust::Untried });
        }
    }

    /// The peer was reached at this address, or it connected from this address's host.
    pub(crate) fn prove(&mut self, via: &Multiaddr, is_dialled: bool) {
        let host = |address: &Multiaddr| address::ip(address).map(|ip| Origin::of(ip).host);
        for known in &mut self.addresses {
            let is_same = known.address == *via;
            let is_host = host(via).is_some() && host(&known.address) == host(via);
            if is_same && is_dialled || is_host && !is_dialled {
                known.trust = Trust::Proved;
            }
        }
    }

    /// The addresses to dial now, of one transport. Those that are not proved are asked for with `may_try`, once.
    pub(crate) fn take_addresses(
        &mut self,
        mut may_try: impl FnMut(&Multiaddr) -> bool,
    ) -> Vec<Multiaddr> {
        let is_quic = self.is_quic_next();
        let mut taken = Vec::new();
        let of_transport = |known: &&mut Known| address::is_quic(&known.address) == is_quic;
        for known in self.addresses.iter_mut().filter(of_transport) {
            let goes = match known.trust {
                Trust::Proved => true,
                Trust::Untried => may_try(&known.address),
                Trust::Tried => false,
            };
            if goes {
                if known.trust == Trust::Untried {
                    known.trust = Trust::Tried;
                }
                taken.push(known.address.clone());
            }
        }
        taken
    }

    /// QUIC is dialled after a failure, or where there is nothing else: the end of a process closes its
    /// TCP connections at once, but a QUIC connection only when it times out.
    fn is_quic_next(&self) -> bool {
        let is_open = |known: &&Known| known.trust != Trust::Tried;
        let mut open = self.addresses.iter().filter(is_open).map(|known| &known.address);
        let has_quic = open.clone().any(address::is_quic);
        has_quic && (self.dials_failed % 2 == 1 || open.all(address::is_quic))
    }

    /// Takes over what an earlier start knew. An anchor is dialled like a peer that was just lost.
    pub(crate) fn restore(&mut self, saved: &SavedPeer) {
        self.tried |= saved.tried;
        self.met |= saved.anchor;
        for known in &mut self.addresses {
            if saved.proved.iter().any(|proved| *proved == known.address.to_string()) {
                known.trust = Trust::Proved;
            }
        }
    }

    /// What the next start is given; none without a signed record.
    pub(crate) fn saved(&self, peer: PeerId, anchor: bool) -> Option<SavedPeer> {
        let (_, record) = self.record.as_ref()?;
        let proved = self.addresses.iter().filter(|known| known.trust == Trust::Proved);
        Some(SavedPeer {
            peer: peer.to_string(),
            record: hex::encode(record),
            tried: self.tried,
            anchor,
            proved: proved.map(|known| known.address.to_string()).collect(),
        })
    }

    /// Its addresses, and which of them are proved.
    pub(crate) fn known_addresses(&self) -> impl Iterator<Item = (&Multiaddr, bool)> {
        self.addresses.iter().map(|known| (&known.address, known.trust == Trust::Proved))
    }

    /// The netgroup of its first public address.
    pub(crate) fn group(&self) -> Option<Prefix> {
        group(self.addresses.iter().map(|known| &known.address))
    }

    /// Whether it can ever be dialled again without a new record.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.addresses.iter().all(|known| known.trust == Trust::Tried)
    }

    /// The record, if the peer is worth passing on: it was connected.
    pub(crate) fn record(&self) -> Option<Bytes> {
        self.record.as_ref().filter(|_| self.met).map(|(_, bytes)| bytes.clone())
    }
}

/// The netgroup of the first of these that is public.
pub(crate) fn group<'a>(mut addresses: impl Iterator<Item = &'a Multiaddr>) -> Option<Prefix> {
    let public = |address| address::ip(address).filter(|ip| address::is_global(*ip));
    addresses.find_map(public).map(|ip| Origin::of(ip).group)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_tried_once_unless_it_is_proved() {
        let now = Instant::now();
        let [good, bad] = ["/ip4/9.9.9.9/tcp/1", "/ip4/8.8.8.8/tcp/1"].map(address);
        let mut candidate = Candidate::new(false, now);
        candidate.renew((1, Bytes::new()), vec![good.clone(), bad.clone()]);
        assert!(candidate.take_addresses(|_| false).is_empty(), "no feeler was free");
        assert_eq!(candidate.take_addresses(|_| true), [good.clone(), bad.clone()]);
        assert!(candidate.take_addresses(|_| true).is_empty() && candidate.is_exhausted());
        candidate.prove(&good, true);
        assert_eq!(candidate.take_addresses(|_| true), std::slice::from_ref(&good));
        // The same record again, or an older one, frees nothing.
        candidate.renew((1, Bytes::new()), vec![bad.clone()]);
        assert_eq!(candidate.take_addresses(|_| true), std::slice::from_ref(&good));
        candidate.renew((2, Bytes::new()), vec![bad]);
        assert_eq!(candidate.take_addresses(|_| true), [good], "a known address stays tried");
    }

    #[test]
    fn quic_is_dialled_when_tcp_has_failed() {
        let mut candidate = Candidate::new(false, Instant::now());
        let [tcp, quic] = ["/ip4/9.9.9.9/tcp/1", "/ip4/9.9.9.9/udp/1/quic-v1"].map(address);
        candidate.configure(quic.clone());
        assert_eq!(candidate.take_addresses(|_| true), std::slice::from_ref(&quic));
        candidate.configure(tcp.clone());
        for (failures, expected) in [(0, &tcp), (1, &quic), (2, &tcp)] {
            candidate.dials_failed = failures;
            assert_eq!(candidate.take_addresses(|_| true), std::slice::from_ref(expected));
        }
    }

    #[test]
    fn a_peer_that_connects_proves_its_host_and_no_other() {
        let mut candidate = Candidate::new(false, Instant::now());
        let [here, there] = ["/ip4/9.9.9.9/tcp/24000", "/ip4/8.8.8.8/tcp/24000"].map(address);
        candidate.renew((1, Bytes::new()), vec![here.clone(), there]);
        candidate.prove(&address("/ip4/9.9.9.9/tcp/50123"), false);
        assert_eq!(candidate.take_addresses(|_| false), [here]);
    }
}
