//! Identifiers of chains and blocks. Almost every other type contains them; they depend on none.
use serde::{Deserialize, Serialize};

crate::crypto::id! {
    /// The identifier of a chain: the tagged hash of its genesis.
    GenesisHash
}

impl GenesisHash {
    /// The short form in every transaction and header.
    pub fn chain_id(&self) -> ChainId {
        let mut id = [0; 4];
        id.copy_from_slice(&self.0[..4]);
        ChainId(id)
    }
}

/// The first four bytes of the genesis hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChainId(pub [u8; 4]);

impl std::fmt::Display for ChainId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

crate::crypto::id! {
    /// The identifier of a block: the tagged hash of its header.
    BlockHash
}
