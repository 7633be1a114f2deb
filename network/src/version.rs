//! Protocol versions and features: how nodes of different releases work together.
//!
//! Each protocol name ends in a version, and a node offers every version that it speaks, the newest first. A
//! release that changes a protocol speaks both versions, so that a network is upgraded one node after
//! the other; a later release may drop the old one. Features are bits that change no message: a node
//! ignores those that it does not know.
//!
//! | version | what changed |
//! |---|---|
//! | 1 | the first |
//! | 2 | a `status` answer begins with the features of the node, 8 bytes big-endian |

use std::{fmt, ops::RangeInclusive};

use crate::topic::{Names, Protocol};

/// The oldest version that this program speaks.
pub const VERSION_MIN: u32 = 1;
/// The newest version that this program speaks.
pub const VERSION_MAX: u32 = 2;

/// What a node offers. Bits as in Bitcoin's `services`, where the meaning is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(pub u64);

impl Features {
    /// It serves every block since the genesis.
    pub const NETWORK: Features = Features(1);

    /// The names of the bits that this program knows.
    pub fn names(self) -> Vec<&'static str> {
        let known = [(Features::NETWORK, "NETWORK")];
        known.into_iter().filter(|(bit, _)| self.0 & bit.0 != 0).map(|(_, name)| name).collect()
    }
}

impl fmt::Display for Features {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// Why two nodes share no version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Apart {
    /// This node is too old for the peer.
    PeerIsNewer(RangeInclusive<u32>),
    /// The peer is too old for this node.
    PeerIsOlder(RangeInclusive<u32>),
}

impl fmt::Display for Apart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (theirs, advice) = match self {
            Apart::PeerIsNewer(theirs) => {
                (theirs, "install a newer release; the data of this node stays as it is")
            }
            Apart::PeerIsOlder(theirs) => (theirs, "its operator must install a newer release"),
        };
        let (from, to) = (theirs.start(), theirs.end());
        write!(
            formatter,
            "speaks protocol versions {from} to {to}, this node {VERSION_MIN} to {VERSION_MAX}: {advice}"
        )
    }
}

/// The newest version that both speak, by the protocols that the peer names. A peer that names none is taken
/// for one of version 1: it only listens.
pub(crate) fn agree<'a>(
    names: &Names,
    theirs: impl Iterator<Item = &'a str>,
    newest: u32,
) -> Result<u32, Apart> {
    let prefix = names.exchange_prefix(Protocol::Status);
    let versions: Vec<u32> =
        theirs.filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect();
    let (Some(from), Some(to)) = (versions.iter().min(), versions.iter().max()) else {
        return Ok(VERSION_MIN);
    };
    let ours = VERSION_MIN..=newest;
    match versions.iter().filter(|version| ours.contains(version)).max() {
        Some(version) => Ok(*version),
        None if *from > newest => Err(Apart::PeerIsNewer(*from..=*to)),
        None => Err(Apart::PeerIsOlder(*from..=*to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_spoken_and_the_older_node_is_told() {
        let names = Names::new("tc-test");
        let cases: [(&[u32], u32, Result<u32, &str>); 7] = [
            (&[1], 2, Ok(1)),
            (&[2, 1], 2, Ok(2)),
            (&[2, 1], 1, Ok(1)),
            (&[3, 2], 2, Ok(2)),
            (&[], 2, Ok(1)),
            (&[4, 3], 2, Err("install a newer release; the data of this node stays")),
            (&[0], 2, Err("its operator must install")),
        ];
        for (theirs, newest, expected) in cases {
            let theirs: Vec<String> = theirs
                .iter()
                .map(|version| names.exchange(Protocol::Status, *version))
                .chain(["/other/status/9".to_owned()])
                .collect();
            let agreed = agree(&names, theirs.iter().map(String::as_str), newest);
            let agreed = agreed.map_err(|apart| apart.to_string());
            let is_expected = match (&agreed, expected) {
                (Ok(version), Ok(expected)) => *version == expected,
                (Err(reason), Err(words)) => reason.contains(words),
                _ => false,
            };
            assert!(is_expected, "{theirs:?}: {agreed:?}, not {expected:?}");
        }
    }

    #[test]
    fn unknown_features_are_kept_and_not_named() {
        let features = Features(Features::NETWORK.0 | 1 << 40);
        assert_eq!(features.names(), ["NETWORK"]);
        assert_eq!(features.to_string(), "0000010000000001");
    }
}
