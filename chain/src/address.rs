//! Addresses: bech32m (BIP-350) over a lock kind byte and 32 bytes, with a prefix per network.
//!
//! The checksum covers the network prefix, so an address of one network never pays on another.
use crate::{crypto::PublicKey, genesis::Network, types::Lock};
use bech32::{Bech32m, Hrp, primitives::decode::CheckedHrpstring};

const KEY: u8 = 0;

/// Why a text is not an address of this network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not bech32m, usually because of a typing error.
    #[error("not an address: {reason}")]
    Malformed {
        /// What the bech32m decoder reported.
        reason: String,
    },
    /// An address of another network.
    #[error("address prefix `{found}` belongs to another network, this one uses `{expected}`")]
    WrongNetwork {
        /// Prefix in the text.
        found: String,
        /// Prefix of this network.
        expected: &'static str,
    },
    /// A lock kind this version does not know, or a payload of the wrong length.
    #[error("address kind {kind} with {bytes} bytes is not known to this version")]
    UnknownKind {
        /// First payload byte.
        kind: u8,
        /// Payload length.
        bytes: usize,
    },
}

/// The address that pays to a key.
pub fn address_of(network: Network, key: &PublicKey) -> String {
    let mut payload = vec![KEY];
    payload.extend_from_slice(&key.0);
    bech32::encode::<Bech32m>(hrp(network), &payload).expect("33 bytes fit in one bech32m string")
}

/// The address of a lock, if it has one. In this version only single-key locks do.
pub fn address_of_lock(network: Network, lock: &Lock) -> Option<String> {
    match lock {
        Lock::Key(key) => Some(address_of(network, key)),
        Lock::Multi { .. } | Lock::Timelock { .. } | Lock::HashLock { .. } => None,
    }
}

/// The lock that an address names.
pub fn parse_address(network: Network, text: &str) -> Result<Lock, AddressError> {
    let checked = CheckedHrpstring::new::<Bech32m>(text)
        .map_err(|error| AddressError::Malformed { reason: error.to_string() })?;
    let expected = prefix(network);
    if checked.hrp() != hrp(network) {
        return Err(AddressError::WrongNetwork { found: checked.hrp().to_lowercase(), expected });
    }
    let payload: Vec<u8> = checked.byte_iter().collect();
    match payload.split_first() {
        Some((&KEY, key)) if key.len() == 32 => {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(key);
            Ok(Lock::Key(PublicKey(bytes)))
        }
        kind => Err(AddressError::UnknownKind {
            kind: kind.map_or(0, |(kind, _)| *kind),
            bytes: payload.len(),
        }),
    }
}

fn prefix(network: Network) -> &'static str {
    match network {
        Network::Main => "time",
        Network::Test => "ttime",
        Network::Dev => "dtime",
    }
}

fn hrp(network: Network) -> Hrp {
    Hrp::parse_unchecked(prefix(network))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_round_trips_and_names_its_network() {
        let key = PublicKey([7; 32]);
        let text = address_of(Network::Dev, &key);
        assert!(text.starts_with("dtime1"), "{text}");
        assert_eq!(parse_address(Network::Dev, &text), Ok(Lock::Key(key)));
        assert!(matches!(
            parse_address(Network::Main, &text),
            Err(AddressError::WrongNetwork { .. })
        ));
    }

    #[test]
    fn every_single_character_error_is_caught() {
        let text = address_of(Network::Test, &PublicKey([7; 32]));
        for at in 6..text.len() {
            for replacement in ['q', 'p'] {
                let mut wrong: Vec<char> = text.chars().collect();
                if wrong[at] != replacement {
                    wrong[at] = replacement;
                    let wrong: String = wrong.into_iter().collect();
                    assert!(parse_address(Network::Test, &wrong).is_err(), "{wrong}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_kind_is_named() {
        let text = bech32::encode::<Bech32m>(hrp(Network::Dev), &[9, 1, 2]).expect("short");
        assert_eq!(
            parse_address(Network::Dev, &text),
            Err(AddressError::UnknownKind { kind: 9, bytes: 3 })
        );
    }
}
