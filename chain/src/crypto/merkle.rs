//! Merkle root with distinct leaf and node tags and a hashed-in count, so that neither a duplicated
//! last leaf (CVE-2012-2459) nor an inner node presented as a leaf gives the same root.
use super::hash;

/// The root over 32-byte leaves in order. An odd node is promoted unchanged.
pub fn merkle_root<'a>(leaves: impl IntoIterator<Item = &'a [u8; 32]>) -> [u8; 32] {
    let mut level: Vec<[u8; 32]> =
        leaves.into_iter().map(|leaf| hash("tc/leaf", &[leaf])).collect();
    let count = level.len() as u64;
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => hash("tc/node", &[left, right]),
                _ => pair[0],
            })
            .collect();
    }
    let top = level.first().copied().unwrap_or_default();
    hash("tc/root", &[&count.to_le_bytes(), &top])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_last_leaf_changes_the_root() {
        let (a, b, c) = ([1; 32], [2; 32], [3; 32]);
        assert_ne!(merkle_root([&a, &b, &c]), merkle_root([&a, &b, &c, &c]));
        assert_ne!(merkle_root([&a]), merkle_root([&a, &a]));
        assert_ne!(merkle_root([]), merkle_root([&[0; 32]]));
    }

    #[test]
    fn an_inner_node_is_not_a_leaf() {
        let (a, b) = ([1; 32], [2; 32]);
        let inner = hash("tc/node", &[&hash("tc/leaf", &[&a]), &hash("tc/leaf", &[&b])]);
        assert_ne!(merkle_root([&a, &b]), merkle_root([&inner]));
    }

    #[test]
    fn order_matters() {
        assert_ne!(merkle_root([&[1; 32], &[2; 32]]), merkle_root([&[2; 32], &[1; 32]]));
    }
}
