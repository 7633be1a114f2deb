//! Order statistics by nearest rank: every figure is a measured value.

/// The smallest value that at least `per_mille` of a thousand values do not exceed. The values are
/// ascending; `None` if there are none.
pub(super) fn percentile(ascending: &[u64], per_mille: usize) -> Option<u64> {
    let rank = (ascending.len() * per_mille).div_ceil(1_000).max(1);
    ascending.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<u64> = (1..=100).collect();
        for (per_mille, expected) in
            [(0, 1), (500, 50), (900, 90), (990, 99), (999, 100), (1_000, 100)]
        {
            assert_eq!(percentile(&hundred, per_mille), Some(expected), "{per_mille}");
        }
        assert_eq!(percentile(&[7], 500), Some(7));
        assert_eq!(percentile(&[7, 9], 500), Some(7));
        assert_eq!(percentile(&[7, 9], 510), Some(9));
        assert_eq!(percentile(&[], 500), None);
    }
}
