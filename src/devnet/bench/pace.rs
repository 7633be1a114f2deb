//! When a payment of the open loop is due. Late payments are sent at once and never skipped: a slow
//! network still gets the full load.
use std::time::Duration;

/// Payments per second on one connection, which allows 40 ms for each call.
const PER_CONNECTION: u64 = 25;
/// The maximum number of connections to one node. The server takes 64 calls at a time.
const PER_NODE_MAX: usize = 16;

/// When the payment with this index is due, from the start.
pub(super) fn due(index: usize, rate: u64) -> Duration {
    let nanos = index as u128 * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Connections for a rate: a multiple of the nodes, so that each connection serves one node.
pub(super) fn connections(rate: u64, nodes: usize) -> usize {
    let needed = usize::try_from(rate.div_ceil(PER_CONNECTION)).unwrap_or(usize::MAX);
    nodes * needed.div_ceil(nodes.max(1)).clamp(1, PER_NODE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payments_are_due_evenly() {
        assert_eq!(due(0, 50), Duration::ZERO);
        assert_eq!(due(1, 50), Duration::from_millis(20));
        assert_eq!(due(175, 50), Duration::from_millis(3_500));
        assert_eq!(due(3_000_000, 3), Duration::from_secs(1_000_000));
        assert_eq!(due(1, 3), Duration::from_nanos(333_333_333));
    }

    #[test]
    fn each_node_gets_the_same_number_of_connections() {
        let cases =
            [(1, 4, 4), (50, 4, 4), (101, 4, 8), (1_000, 4, 40), (100_000, 4, 64), (60, 1, 3)];
        for (rate, nodes, expected) in cases {
            assert_eq!(connections(rate, nodes), expected, "{rate} to {nodes}");
        }
    }
}
