//! LtHash16: a commitment to a set that is independent of order and updated in place (Bellare and
//! Micciancio 1997; Lewi et al., "Securing Update Propagation with Homomorphic Hashing", 2019).
//! 1,024 lanes of 16 bits, 2,048 bytes.
//!
//! Invariant: adding an element and removing it again gives the same state.
use super::hash;
use serde::{Deserialize, Serialize};

const LANES: usize = 1_024;

/// The running state. The empty set is all zero.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LtHash(Vec<u16>);

impl Default for LtHash {
    fn default() -> Self {
        Self(vec![0; LANES])
    }
}

impl LtHash {
    /// Adds an element, given by its canonical bytes.
    pub fn add(&mut self, element: &[u8]) {
        self.fold(element, u16::wrapping_add);
    }

    /// Removes an element that was added.
    pub fn remove(&mut self, element: &[u8]) {
        self.fold(element, u16::wrapping_sub);
    }

    /// A 32-byte digest of the set.
    pub fn digest(&self) -> [u8; 32] {
        let bytes: Vec<u8> = self.0.iter().flat_map(|lane| lane.to_le_bytes()).collect();
        hash("tc/lthash", &[&bytes])
    }

    fn fold(&mut self, element: &[u8], combine: fn(u16, u16) -> u16) {
        let mut expanded = [0; 2 * LANES];
        let mut hasher = blake3::Hasher::new_derive_key("timecoin 2026 lthash16 coin element");
        hasher.update(element);
        hasher.finalize_xof().fill(&mut expanded);
        for (lane, bytes) in self.0.iter_mut().zip(expanded.chunks_exact(2)) {
            *lane = combine(*lane, u16::from_le_bytes([bytes[0], bytes[1]]));
        }
    }
}

impl std::fmt::Debug for LtHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LtHash({})", &hex::encode(self.digest())[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_removal_undoes() {
        let (mut one, mut two) = (LtHash::default(), LtHash::default());
        one.add(b"a");
        one.add(b"b");
        two.add(b"b");
        two.add(b"c");
        two.add(b"a");
        assert_ne!(one.digest(), two.digest());
        two.remove(b"c");
        assert_eq!(one, two);
    }
}
