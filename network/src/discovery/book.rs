//! The address book as operators see it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, PeerId};

use super::Discovery;
use crate::candidate::Candidate;

/// Entries of one answer.
const ENTRIES_MAX: usize = 1_000;
/// Netgroups that are counted by name.
const NETGROUPS_MAX: usize = 16;

/// A peer that may be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookEntry {
    /// Who.
    pub peer: PeerId,
    /// Where; each with whether it is configured or was proved to be the peer's.
    pub addresses: Vec<(Multiaddr, bool)>,
    /// The netgroup of its first public address: a /16, or an IPv6 /32.
    pub netgroup: Option<String>,
    /// Whether it was connected once, perhaps before a restart.
    pub tried: bool,
    /// Whether it is connected now.
    pub connected: bool,
    /// Whether it is in the configuration.
    pub bootstrap: bool,
    /// Whether the next start dials it first.
    pub anchor: bool,
    /// Failed dials in a row.
    pub failures: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
    /// How long ago it was last connected, or learned of.
    pub seen: Duration,
    /// When it may be dialled next; none while it is connected.
    pub next_dial: Option<Duration>,
}

/// How many peers are in the address book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookCounts {
    /// Peers that were connected once.
    pub tried: usize,
    /// All others.
    pub new: usize,
    /// Peers of the configuration.
    pub bootstrap: usize,
    /// Netgroups.
    pub netgroups: usize,
    /// The largest of them with their peers, at most 16.
    pub largest: Vec<(String, usize)>,
}

/// A part of the address book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// All of it in numbers.
    pub counts: BookCounts,
    /// At most 1,000 peers: those of the configuration first, then those that were connected once.
    pub entries: Vec<BookEntry>,
}

impl Discovery {
    /// One peer, or as many as are wanted.
    pub(crate) fn book(
        &self,
        only: Option<PeerId>,
        count: usize,
        is_connected: impl Fn(&PeerId) -> bool,
        anchors: &[PeerId],
        now: Instant,
    ) -> Book {
        let wanted = |peer: &PeerId| only.is_none_or(|only| only == *peer);
        let mut chosen: Vec<(&PeerId, &Candidate)> =
            self.candidates.iter().filter(|(peer, _)| wanted(peer)).collect();
        chosen.sort_by_key(|(peer, c)| (!c.bootstrap, !c.tried, **peer));
        chosen.truncate(count.min(ENTRIES_MAX));
        let entry = |(peer, candidate): (&PeerId, &Candidate)| {
            let connected = is_connected(peer);
            let next = candidate.dial_at.max(candidate.not_before);
            BookEntry {
                peer: *peer,
                addresses: candidate
                    .known_addresses()
                    .map(|(address, is_proved)| (address.clone(), is_proved))
                    .collect(),
                netgroup: candidate.group().map(|group| group.to_string()),
                tried: candidate.tried,
                connected,
                bootstrap: candidate.bootstrap,
                anchor: anchors.contains(peer),
                failures: candidate.failures,
                last_error: candidate.last_error.clone().filter(|_| !connected),
                seen: match connected {
                    true => Duration::ZERO,
                    false => now.saturating_duration_since(candidate.met_at),
                },
                next_dial: (!connected).then(|| next.saturating_duration_since(now)),
            }
        };
        Book { counts: self.counts(), entries: chosen.into_iter().map(entry).collect() }
    }

    /// The peers that were connected once, and the others.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let tried = self.candidates.values().filter(|candidate| candidate.tried).count();
        (tried, self.candidates.len() - tried)
    }

    pub(crate) fn counts(&self) -> BookCounts {
        let mut groups: HashMap<String, usize> = HashMap::new();
        for group in self.candidates.values().filter_map(Candidate::group) {
            *groups.entry(group.to_string()).or_default() += 1;
        }
        let (tried, new) = self.sizes();
        let netgroups = groups.len();
        let mut largest: Vec<(String, usize)> = groups.into_iter().collect();
        largest.sort_by(|(one, few), (other, more)| more.cmp(few).then(one.cmp(other)));
        largest.truncate(NETGROUPS_MAX);
        let bootstrap = self.candidates.values().filter(|candidate| candidate.bootstrap).count();
        BookCounts { tried, new, bootstrap, netgroups, largest }
    }
}
