//! Rules of a genesis: a valid one, one thing broken, exactly its error.
use crate::fixture::{Fixture, genesis, key, sorted_keys};
use timecoin_chain::{
    codec::{Canonical, encode},
    genesis::{Chain, Genesis, GenesisError},
    types::{Amount, Coin, Height, Lock, Millis, SetError},
};

#[test]
fn a_genesis_that_breaks_one_rule_gives_exactly_its_error() {
    type Change = fn(&mut Genesis);
    let allocation = |index| GenesisError::Allocation { index };
    let lock = |owner, index, reason| GenesisError::Lock { owner, index, reason };
    let threshold = "the threshold must be between one and the number of keys";
    let rows: [(Change, GenesisError); 13] = [
        (|g| g.masternodes.clear(), SetError::Count { count: 0, max: 100 }.into()),
        (|g| g.masternodes.swap(1, 2), SetError::Order { index: 2 }.into()),
        (
            |g| g.masternodes[3].weight = 0,
            SetError::Weight { index: 3, weight: 0, max: 100 }.into(),
        ),
        (|g| g.allocations[0].outputs = 0, allocation(0)),
        (|g| g.allocations[1].value = Amount::ZERO, allocation(1)),
        (|g| g.allocations[1].value = Amount(u64::MAX), allocation(1)),
        (|g| g.allocations[2].value = Amount(u64::MAX / 4), allocation(2)),
        (
            |g| g.allocations[0].outputs = 2_000_000,
            GenesisError::Outputs { outputs: 2_000_008, max: 2_000_000 },
        ),
        (
            |g| g.allocations[0].outputs = u64::MAX,
            GenesisError::Outputs { outputs: u64::MAX, max: 2_000_000 },
        ),
        (|g| g.masternodes[1].payout = multi(0, 2), lock("masternode", 1, threshold)),
        (|g| g.allocations[2].lock = multi(3, 2), lock("allocation", 2, threshold)),
        (|g| g.allocations[0].lock = multi(1, 17), lock("allocation", 0, "more keys than allowed")),
        (
            |g| {
                let keys = vec![key(1), key(1)];
                g.params.treasury = Lock::Multi { threshold: 1, keys };
            },
            lock("treasury", 0, "keys must be strictly ascending"),
        ),
    ];
    for (change, error) in rows {
        let mut broken = genesis(&[1, 1, 1, 1]);
        assert!(Chain::new(broken.clone()).is_ok());
        change(&mut broken);
        assert_eq!(Chain::new(broken).map(|chain| chain.hash), Err(error));
    }
}

#[test]
fn a_parameter_that_makes_no_sense_is_named() {
    type Change = fn(&mut Genesis);
    let rows: [(Change, &str); 11] = [
        (|g| g.params.min_block_spacing = Millis(0), "min_block_spacing"),
        (|g| g.params.block_interval = Millis(99), "block_interval"),
        (|g| g.params.propose_timeout.base = Millis(0), "propose_timeout"),
        (|g| g.params.vote_timeout.base = Millis(0), "vote_timeout"),
        (|g| g.params.timeout_max = Millis(2_999), "timeout_max"),
        (|g| g.params.epoch_blocks = 0, "epoch_blocks"),
        (|g| g.params.evidence_age_blocks = 0, "evidence_age_blocks"),
        (|g| g.params.block_bytes_max = 100_000, "block_bytes_max"),
        (|g| g.params.block_bytes_max = 4 * 1024 * 1024 + 1, "block_bytes_max"),
        (|g| g.params.issuance_per_day = Amount(u64::MAX), "issuance_per_day"),
        (|g| g.params.issuance_per_day.0 = 100_000_000_000_000_001, "issuance_per_day"),
    ];
    for (change, expected) in rows {
        let mut broken = genesis(&[1, 1, 1, 1]);
        change(&mut broken);
        let error = Chain::new(broken).map(|chain| chain.hash);
        let found = matches!(error, Err(GenesisError::Parameter { name, .. }) if name == expected);
        assert!(found, "{expected}: {error:?}");
    }
}

#[test]
fn the_largest_coin_that_can_exist_fits_where_coins_are_stored() {
    let mut largest = genesis(&[1, 1, 1, 1]);
    largest.allocations[0].lock = multi(16, 16);
    let fixture = Fixture::of(largest);
    let coins =
        fixture.view.coins().map(|coin| Coin { height: Height(u64::MAX), ..coin.coin.clone() });
    let bytes = coins.map(|coin| encode(&coin).len()).max().unwrap();
    assert!(bytes <= Coin::BYTES_MAX, "{bytes} bytes");
}

fn multi(threshold: u8, keys: u8) -> Lock {
    let numbers: Vec<u8> = (1..=keys).collect();
    Lock::Multi { threshold, keys: sorted_keys(&numbers) }
}
