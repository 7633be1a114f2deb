//! What outlives a restart: known peers with their signed records, the anchors, and bans.
//!
//! Text, so that an operator can read it. Holds nothing that must not be lost: a node without it
//! joins through its bootstrap nodes. Never trusted: signatures of records are verified again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::standing::{BAN_TIME_MAX, BANS_MAX, Ban};

const VERSION: u32 = 1;
/// Bytes that are read at most.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why bytes are no saved state.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Longer than any saved state.
    #[error("{0} bytes are more than a saved state has")]
    TooLong(usize),
    /// Not the expected text.
    #[error("not a saved state: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a newer program.
    #[error("version {0} is newer than this program")]
    Newer(u32),
}

/// The state at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    pub(crate) peers: Vec<SavedPeer>,
    bans: Vec<SavedBan>,
}

/// One known peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct SavedPeer {
    pub(crate) peer: String,
    /// The signed envelope as hexadecimal.
    pub(crate) record: String,
    /// Was connected once.
    pub(crate) tried: bool,
    /// Dialled first after a restart.
    pub(crate) anchor: bool,
    /// Addresses that were proved to be the peer's.
    pub(crate) proved: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SavedBan {
    party: String,
    reason: String,
    /// Unix time in seconds.
    until: u64,
    times: u32,
}

impl Default for Saved {
    fn default() -> Self {
        Saved { version: VERSION, peers: Vec::new(), bans: Vec::new() }
    }
}

impl Saved {
    pub(crate) fn new(mut peers: Vec<SavedPeer>, bans: &[Ban]) -> Self {
        peers.sort();
        let now = unix_now();
        let bans = bans.iter().map(|ban| SavedBan {
            party: ban.party.to_string(),
            reason: ban.reason.clone(),
            until: (now + ban.remaining).as_secs(),
            times: ban.times,
        });
        Saved { version: VERSION, peers, bans: bans.collect() }
    }

    /// Whether a restart could not tell them apart. The ends of bans are rounded to seconds.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let key = |ban: &SavedBan| (ban.party.clone(), ban.times);
        self.peers == other.peers && self.bans.iter().map(key).eq(other.bans.iter().map(key))
    }

    /// The bans that are still in force.
    pub(crate) fn bans(&self) -> impl Iterator<Item = Ban> {
        let now = unix_now();
        self.bans.iter().take(BANS_MAX).filter_map(move |ban| {
            let remaining = Duration::from_secs(ban.until).checked_sub(now)?.min(BAN_TIME_MAX);
            let (party, reason) = (ban.party.parse().ok()?, ban.reason.clone());
            Some(Ban { party, reason, remaining, times: ban.times })
        })
    }

    /// Reads what [`Saved::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SavedError> {
        if bytes.len() > BYTES_MAX {
            return Err(SavedError::TooLong(bytes.len()));
        }
        let saved: Saved = serde_json::from_slice(bytes)?;
        match saved.version <= VERSION {
            true => Ok(saved),
            false => Err(SavedError::Newer(saved.version)),
        }
    }

    /// The bytes to keep.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("strings and numbers are always JSON")
    }
}

fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use libp2p::PeerId;

    use super::*;
    use crate::standing::Party;

    fn saved() -> Saved {
        let peer = SavedPeer {
            peer: PeerId::random().to_string(),
            record: "00".to_owned(),
            tried: true,
            anchor: false,
            proved: vec!["/ip4/9.9.9.9/tcp/1".to_owned()],
        };
        let remaining = Duration::from_secs(100);
        let party = Party::Peer(PeerId::random());
        Saved::new(vec![peer], &[Ban { party, reason: "noise".to_owned(), remaining, times: 2 }])
    }

    #[test]
    fn what_is_written_is_read() {
        let saved = saved();
        let read = Saved::from_bytes(&saved.to_bytes()).unwrap();
        assert_eq!(read, saved);
        let ban = read.bans().next().unwrap();
        assert_eq!((ban.reason.as_str(), ban.times), ("noise", 2));
        assert!((98..=100).contains(&ban.remaining.as_secs()), "{:?}", ban.remaining);
    }

    #[test]
    fn what_is_something_else_is_refused() {
        let newer = Saved { version: VERSION + 1, ..saved() };
        assert!(matches!(Saved::from_bytes(&newer.to_bytes()), Err(SavedError::Newer(2))));
        assert!(matches!(Saved::from_bytes(b"{"), Err(SavedError::Malformed(_))));
        let long = vec![b' '; BYTES_MAX + 1];
        assert!(matches!(Saved::from_bytes(&long), Err(SavedError::TooLong(_))));
    }

    #[test]
    fn bans_that_are_over_are_forgotten() {
        let mut saved = saved();
        saved.bans[0].until = 1;
        assert_eq!(saved.bans().count(), 0);
        saved.bans[0].until = u64::MAX;
        assert_eq!(saved.bans().next().unwrap().remaining, BAN_TIME_MAX);
    }
}
