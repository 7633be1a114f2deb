//! The links of a network that is too large for a full mesh.
use crate::rng::Rng;
use std::collections::BTreeSet;

/// An undirected network: a ring, so that it is connected, and random links.
#[derive(Debug)]
pub struct Mesh {
    neighbours: Vec<BTreeSet<usize>>,
}

impl Mesh {
    /// A network in which nodes have about this many links on average.
    pub fn new(rng: &mut Rng, nodes: usize, degree: usize) -> Self {
        let mut mesh = Self { neighbours: vec![BTreeSet::new(); nodes] };
        for node in 0..nodes {
            mesh.link(node, (node + 1) % nodes);
            (1..degree / 2).for_each(|_| mesh.link(node, rng.index(nodes)));
        }
        mesh
    }

    /// The neighbours of a node while all nodes are up.
    pub fn neighbours(&self, node: usize) -> &BTreeSet<usize> {
        &self.neighbours[node]
    }

    fn link(&mut self, a: usize, b: usize) {
        if a != b {
            self.neighbours[a].insert(b);
            self.neighbours[b].insert(a);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_reached_and_links_are_few() {
        let mesh = Mesh::new(&mut Rng::new(1), 1_000, 8);
        let mut reached = BTreeSet::from([0]);
        let mut open = vec![0];
        while let Some(node) = open.pop() {
            open.extend(mesh.neighbours(node).iter().filter(|other| reached.insert(**other)));
        }
        assert_eq!(reached.len(), 1_000);
        let links: usize = (0..1_000).map(|node| mesh.neighbours(node).len()).sum();
        assert!((7_800..=8_000).contains(&links), "{links}");
    }
}
