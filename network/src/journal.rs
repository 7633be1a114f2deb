//! What the network noticed recently, for operators: who was turned away and why, who left, who is slow.
//!
//! Decides nothing. Invariants: it has one entry for each [`Why`] and at most [`DEPARTURES_MAX`]
//! departures and notes of peers that are leaving; a text of a peer is printable and short.

use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    time::{Duration, Instant, SystemTime},
};

use libp2p::{
    PeerId,
    swarm::{ConnectionDenied, DialError},
};

use crate::{address, gate::Refusal, stats::Stats, why::Why};

/// Departures that are remembered.
const DEPARTURES_MAX: usize = 32;
/// Characters of a reason that are kept.
const REASON_CHARS: usize = 240;

/// How often a reason applied, and when last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The reason.
    pub why: Why,
    /// How often.
    pub count: u64,
    /// How long ago it applied last.
    pub last: Option<Duration>,
}

/// A peer that disconnected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Who.
    pub peer: PeerId,
    /// Why: what this node decided, or what the connection reported.
    pub reason: String,
    /// When.
    pub at: SystemTime,
}

/// The last time that a peer did not take its messages in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slow {
    /// Who.
    pub peer: PeerId,
    /// How long ago.
    pub last: Duration,
}

/// The notes.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    refused_at: [Option<Instant>; Why::ALL.len()],
    slow_at: Option<(PeerId, Instant)>,
    departures: VecDeque<Departure>,
    /// Why this node ends the connections of these peers.
    leaving: HashMap<PeerId, String>,
}

impl Journal {
    /// A connection or a peer was turned away.
    pub(crate) fn refused(&mut self, why: Why, stats: &Stats, now: Instant) {
        stats.refused[why.index()].add_one();
        self.refused_at[why.index()] = Some(now);
    }

    /// A peer does not take its messages in time.
    pub(crate) fn slow(&mut self, peer: PeerId, now: Instant) {
        self.slow_at = Some((peer, now));
    }

    /// This node is about to end the connections of a peer.
    pub(crate) fn leaves(&mut self, peer: PeerId, reason: &str) {
        if self.leaving.len() < DEPARTURES_MAX {
            self.leaving.insert(peer, short(reason));
        }
    }

    /// Why a connection of the peer closed: what this node decided, or else what was reported.
    pub(crate) fn reason(&self, peer: &PeerId, reported: String) -> String {
        self.leaving.get(peer).cloned().unwrap_or(reported)
    }

    /// The last connection of a peer closed. It is remembered if the peer counted as connected.
    pub(crate) fn gone(&mut self, peer: PeerId, reason: &str, was_known: bool) {
        self.leaving.remove(&peer);
        if !was_known {
            return;
        }
        if self.departures.len() == DEPARTURES_MAX {
            self.departures.pop_front();
        }
        let (reason, at) = (short(reason), SystemTime::now());
        self.departures.push_back(Departure { peer, reason, at });
    }

    /// How often each reason applied.
    pub(crate) fn refusals(&self, stats: &Stats, now: Instant) -> Vec<Refused> {
        let counts = stats.snapshot();
        let refused = |why: Why| Refused {
            why,
            count: counts.refused(why),
            last: self.refused_at[why.index()].map(|at| now.saturating_duration_since(at)),
        };
        Why::ALL.into_iter().map(refused).collect()
    }

    /// The last slow peer.
    pub(crate) fn last_slow(&self, now: Instant) -> Option<Slow> {
        let (peer, at) = self.slow_at?;
        Some(Slow { peer, last: now.saturating_duration_since(at) })
    }

    /// The last departures, the latest last.
    pub(crate) fn departures(&self) -> Vec<Departure> {
        self.departures.iter().cloned().collect()
    }
}

/// Why a behaviour denied a connection. The list of peers that were just turned away is the only
/// one besides the gate that does.
pub(crate) fn why(denied: &ConnectionDenied) -> Why {
    match denied.downcast_ref::<Refusal>() {
        Some(Refusal::Share(_)) => Why::Share,
        Some(Refusal::Rate(_)) => Why::Rate,
        Some(Refusal::Pending) => Why::Pending,
        Some(Refusal::Full) => Why::Full,
        Some(Refusal::Memory) => Why::Memory,
        Some(Refusal::Twice) => Why::Twice,
        Some(Refusal::Banned) => Why::Banned,
        Some(Refusal::Unlisted) => Why::Unlisted,
        Some(Refusal::Unwanted) => Why::Unwanted,
        None => Why::Again,
    }
}

/// Why a dial failed: for each address the innermost cause, without the layers around it.
pub(crate) fn dial_reason(error: &DialError) -> String {
    match error {
        DialError::Transport(errors) => {
            let causes = errors.iter().map(|(address, error)| {
                let address = address::without_peer(address);
                format!("{address}: {}", innermost(error))
            });
            causes.collect::<Vec<_>>().join("; ")
        }
        DialError::Denied { cause } => innermost(cause),
        error => error.to_string(),
    }
}

/// The last line of the innermost error: some list those that they contain.
fn innermost(mut error: &dyn Error) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches([' ', '-']).to_owned()
}

/// A text for a log and an operator: printable ASCII of bounded length.
pub(crate) fn short(text: &str) -> String {
    let printable = text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' });
    printable.take(REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::io;

    use libp2p::{Multiaddr, TransportError};

    use super::*;

    #[test]
    fn reasons_are_counted_with_their_last_time() {
        let (mut journal, stats, start) = (Journal::default(), Stats::default(), Instant::now());
        let later = start + Duration::from_secs(7);
        journal.refused(Why::Full, &stats, start);
        journal.refused(Why::Full, &stats, later);
        journal.refused(why(&ConnectionDenied::new(Refusal::Memory)), &stats, start);
        journal.refused(why(&ConnectionDenied::new("blocked")), &stats, start);
        let refusals = journal.refusals(&stats, later);
        let of = |why: Why| refusals[why.index()];
        assert!(Why::ALL.into_iter().all(|why| of(why).why == why));
        let ago = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!((of(Why::Full).count, of(Why::Full).last), (2, ago(0)));
        assert_eq!((of(Why::Memory).count, of(Why::Memory).last), (1, ago(7)));
        assert_eq!((of(Why::Again).count, of(Why::Silent).last), (1, None));
    }

    #[test]
    fn the_last_departures_are_kept_with_the_reason_of_this_node() {
        let mut journal = Journal::default();
        let peers: Vec<PeerId> = (0..DEPARTURES_MAX + 1).map(|_| PeerId::random()).collect();
        for peer in &peers {
            journal.leaves(*peer, "evicted");
            let reason = journal.reason(peer, "closed".to_owned());
            journal.gone(*peer, &reason, true);
            journal.gone(PeerId::random(), "a stranger", false);
        }
        let departures = journal.departures();
        assert_eq!(departures.len(), DEPARTURES_MAX);
        assert_eq!((departures[0].peer, departures[0].reason.as_str()), (peers[1], "evicted"));
        assert_eq!(journal.reason(&peers[0], "closed".to_owned()), "closed");
        journal.gone(peers[0], &"\u{1b}".repeat(1_000), true);
        let last = journal.departures().pop().unwrap();
        assert_eq!(last.reason, "?".repeat(REASON_CHARS));
    }

    #[test]
    fn a_failed_dial_is_told_by_its_innermost_cause() {
        let peer = PeerId::random();
        let address: Multiaddr = format!("/ip4/9.9.9.9/tcp/1/p2p/{peer}").parse().unwrap();
        let causes = [
            io::Error::other("Connection refused"),
            io::Error::other(io::Error::other("Multiple dial errors occurred:\n - timed out")),
        ];
        let errors = causes.map(|cause| (address.clone(), TransportError::Other(cause)));
        assert_eq!(
            dial_reason(&DialError::Transport(errors.into())),
            "/ip4/9.9.9.9/tcp/1: Connection refused; /ip4/9.9.9.9/tcp/1: timed out"
        );
        let cause = ConnectionDenied::new(Refusal::Full);
        assert_eq!(dial_reason(&DialError::Denied { cause }), "all places are taken");
    }
}
