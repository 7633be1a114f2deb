//! The genesis, the ledger state and a small chain.
use super::{transactions::locks, *};

pub(super) fn genesis(lines: &mut Lines) {
    let genesis = Genesis {
        network: Network::Test,
        time: Timestamp(0x0001_0203_0405_0607),
        params: params(),
        masternodes: [(0xa0, 1), (0xa1, 10), (0xa2, 100)]
            .map(|(first, weight)| Masternode {
                key: public(first),
                weight,
                payout: Lock::Key(public(first + 0x10)),
            })
            .to_vec(),
        allocations: locks()
            .map(|(_, lock)| Allocation { lock, value: Amount(0x0102_0304), outputs: 3 })
            .to_vec(),
    };
    lines.value("genesis", &genesis);
    let chain = Chain::new(genesis).unwrap();
    lines.hash("genesis.hash", &chain.hash.0);
    lines.bytes("genesis.chain_id", &chain.id().0);
    lines.hash("genesis.masternodes", &chain.masternodes.hash());
    let turns: Vec<u8> = (0..111)
        .map(|height| chain.masternodes.proposer(Height(height), Round(0)).to_le_bytes()[0])
        .collect();
    lines.bytes("genesis.proposers", &turns);
}

pub(super) fn ledger(lines: &mut Lines) {
    let mut coins = LtHash::default();
    lines.hash("lthash.empty", &coins.digest());
    coins.add(b"coin");
    let state = LedgerState {
        height: Height(0x0102),
        block: BlockHash(bytes(0xb0)),
        timestamp: Timestamp(0x0001_0203_0405_0607),
        coins,
        next_position: 0x0304,
        supply: Amount(0x0506),
        accrued: vec![Amount(0x0708), Amount(0x090a)],
        accrued_treasury: Amount(0x0b0c),
        offences: vec![None, Some(Height(0x0d0e))],
        params: bytes(0xb1),
    };
    lines.value("ledger_state", &state);
    lines.hash("ledger_state.coins", &state.coins.digest());
    lines.hash("ledger_state.root", &state.root());
    chain(lines);
}

/// Three blocks with real keys up to the end of an epoch: the ids of genesis and reward outputs, the
/// elements of the coin commitment and the split of rewards are in these roots.
fn chain(lines: &mut Lines) {
    let params = Params { epoch_blocks: 3, ..params() };
    let mut fixture = Fixture::of(Genesis { params, ..crate::fixture::genesis(&[1, 1, 10, 100]) });
    lines.hash("chain.genesis", &fixture.chain.hash.0);
    lines.hash("chain.root.0", &fixture.state.root());
    for (number, lock) in [Lock::Key(key(4)), two_of_three(), hash_lock(9)].into_iter().enumerate()
    {
        let output = Output { value: Amount(COIN.0 - 1_000), lock };
        let tx = fixture.spend(&[fixture.coin(1, 0)], vec![output]);
        let block = fixture.block(vec![tx]);
        let delta = fixture.apply(&block);
        let height = number + 1;
        lines.hash(&format!("chain.block.{height}"), &block.hash().0);
        lines.hash(&format!("chain.root.{height}"), &fixture.state.root());
        for made in &delta.transactions {
            lines.hash(&format!("chain.txid.{height}"), &made.txid.0);
        }
    }
}

fn params() -> Params {
    let span = |base, step| Timeout { base: Millis(base), step: Millis(step) };
    Params {
        block_interval: Millis(10_000),
        min_block_spacing: Millis(250),
        propose_timeout: span(3_000, 500),
        vote_timeout: span(1_000, 400),
        timeout_max: Millis(60_000),
        clock_drift_max: Millis(9_000),
        epoch_blocks: 720,
        evidence_age_blocks: 17_280,
        block_bytes_max: 2 * 1024 * 1024,
        min_relay_fee: 7,
        issuance_per_day: Amount::from_time(14_400),
        treasury: two_of_three(),
    }
}
