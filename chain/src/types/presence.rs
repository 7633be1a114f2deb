//! A masternode says which node of the network is its own, so that other nodes keep a place for it.
//!
//! Not consensus: nothing that is voted on depends on it, and a node that never hears one works the same.
use super::{GenesisHash, Millis, Timestamp};
use crate::{
    codec::{self, Canonical},
    crypto::{PublicKey, Signature, hash},
};
use serde::{Deserialize, Serialize};

/// The public key of a node's identity in the network, which is not its consensus key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeKey(pub [u8; 32]);

/// The masternode with this consensus key is the node with that key, for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The masternode's consensus key.
    pub masternode: PublicKey,
    /// Its node.
    pub node: NodeKey,
    /// When this is void. A later one replaces an earlier one.
    pub expires: Timestamp,
    /// By the consensus key.
    pub signature: Signature,
}

impl Presence {
    /// How long a presence is valid after it was signed.
    pub const LIFE: Millis = Millis(10 * 60 * 1_000);

    /// The message that the signature signs.
    pub fn message(genesis: &GenesisHash, node: NodeKey, expires: Timestamp) -> [u8; 32] {
        hash("tc/presence", &[&genesis.0, &codec::encode(&(node, expires))])
    }
}

impl Canonical for Presence {
    const BYTES_MAX: usize = 256;
}
