//! Measures commits: time and bytes for ledgers of several sizes, with and without the address index.
//!
//! `cargo run --release -p timecoin-store --example commit`. Ends within 20 seconds. Times depend on
//! the disk below the temporary directory: compare the ratios. Bodies of blocks are empty here; a
//! block adds its own bytes and nothing else.
#![allow(clippy::print_stdout, reason = "a program that prints a table")]
use std::{
    error::Error,
    time::{Duration, Instant},
};
use timecoin_chain::{
    crypto::{PublicKey, hash},
    engine::SafetyRecord,
    genesis::{Allocation, Chain, Genesis, Network, Params, Timeout},
    ledger::{BlockDelta, LedgerState, LedgerView as _, PositionedCoin, TransactionRecord},
    types::{
        Amount, Block, Certificate, Coin, Header, Height, Lock, Masternode, Millis, OutPoint,
        Output, Round, SignerSet, Timestamp, Transaction, TxId, VoteKind,
    },
};
use timecoin_store::{Store, StoreOptions};

/// After this no new case is begun.
const BUDGET: Duration = Duration::from_secs(12);
/// One case commits no longer than this.
const CASE: Duration = Duration::from_millis(1_000);
/// (genesis coins, transactions in a block, address index)
const CASES: [(u64, usize, bool); 6] = [
    (20_000, 100, false),
    (20_000, 100, true),
    (20_000, 1_000, false),
    (20_000, 1_000, true),
    (200_000, 1_000, false),
    (200_000, 1_000, true),
];

fn main() -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    println!(
        "   coins   tx index blocks   ms/commit     max  us/tx  rows B/tx  disk B/tx  amplified"
    );
    for (coins, transactions, address_index) in CASES {
        if began.elapsed() > BUDGET {
            println!("stopped: the time is up");
            break;
        }
        commits(coins, transactions, address_index)?;
    }
    signatures_and_reads()
}

fn commits(coins: u64, transactions: usize, address_index: bool) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let options = StoreOptions { address_index, ..StoreOptions::default() };
    let store = Store::open(dir.path(), &chain(coins), options)?;
    let mut ledger = Ledger::of(&store, coins)?;
    let before = store.stats();
    let (mut total, mut longest, mut blocks) = (Duration::ZERO, Duration::ZERO, 0_u32);
    while total < CASE && ledger.unspent.len() > transactions {
        let (block, certificate, delta) = ledger.next_block(transactions);
        let start = Instant::now();
        store.commit(&block, &certificate, &delta)?;
        let took = start.elapsed();
        (total, longest, blocks) = (total + took, longest.max(took), blocks + 1);
    }
    let after = store.stats();
    let (rows, pages) =
        (after.bytes_written - before.bytes_written, after.bytes_flushed - before.bytes_flushed);
    let transactions_all = u64::from(blocks) * transactions as u64;
    println!(
        "{coins:8} {transactions:4} {index:>5} {blocks:6} {mean:11.2} {longest:7.1} {each:6.1} {rows:10} {disk:10} {times:9}x",
        index = if address_index { "yes" } else { "no" },
        mean = total.as_secs_f64() * 1e3 / f64::from(blocks),
        longest = longest.as_secs_f64() * 1e3,
        each = total.as_secs_f64() * 1e6 / f64::from(blocks) / transactions as f64,
        rows = rows / transactions_all,
        disk = pages / transactions_all,
        times = pages / rows,
    );
    Ok(())
}

fn signatures_and_reads() -> Result<(), Box<dyn Error>> {
    let (coins, times) = (100_000, 200_u32);
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path(), &chain(coins), StoreOptions::default())?;
    let ledger = Ledger::of(&store, coins)?;
    let (start, before) = (Instant::now(), store.stats().flushes);
    for round in 0..times {
        store.persist_safety(&record(Round(round)), &[])?;
    }
    let (each, flushes) = (start.elapsed() / times, store.stats().flushes - before);
    println!(
        "safety record durable: {each:?} each, {:.1} syncs",
        flushes as f64 / f64::from(times)
    );
    let start = Instant::now();
    let mut read = 0_u32;
    for coin in ledger.unspent.iter().step_by(7) {
        store.coin(&coin.coin.outpoint)?.ok_or("a coin is missing")?;
        read += 1;
    }
    println!("coin by outpoint: {:?} each", start.elapsed() / read);
    let start = Instant::now();
    drop(store);
    println!("close: {:?}", start.elapsed());
    let start = Instant::now();
    let _store = Store::open(dir.path(), &chain(coins), StoreOptions::default())?;
    println!("open with {coins} coins: {:?}", start.elapsed());
    Ok(())
}

fn record(round: Round) -> SafetyRecord {
    SafetyRecord::blank(PublicKey([1; 32]), Height(1), round)
}

/// Coins of a ledger as a list: blocks spend from random places, and each spent coin becomes two.
struct Ledger {
    state: LedgerState,
    unspent: Vec<PositionedCoin>,
    draws: u64,
}

impl Ledger {
    fn of(store: &Store, coins: u64) -> Result<Self, Box<dyn Error>> {
        let unspent = timecoin_chain::ledger::genesis_delta(&chain(coins)).created;
        Ok(Self { state: store.state()?, unspent, draws: 1 })
    }

    fn draw(&mut self) -> u64 {
        // xorshift64: only to spread over the coins.
        self.draws ^= self.draws << 13;
        self.draws ^= self.draws >> 7;
        self.draws ^= self.draws << 17;
        self.draws
    }

    fn next_block(&mut self, transactions: usize) -> (Block, Certificate, BlockDelta) {
        let height = self.state.height.next();
        let (block, certificate) = empty_block(&self.state, height);
        self.state.height = height;
        self.state.block = block.hash();
        let (mut spent, mut created, mut records) = (vec![], vec![], vec![]);
        for index in 0..transactions {
            let at = usize::try_from(self.draw() % self.unspent.len() as u64).unwrap_or(0);
            let input = self.unspent.swap_remove(at);
            let txid = TxId(hash("example", &[&input.element()]));
            let first_position = self.state.next_position;
            let index = u32::try_from(index).ok();
            records.push(TransactionRecord { txid, first_position, index });
            for vout in 0..2 {
                let outpoint = OutPoint { txid, vout };
                let lock = Lock::Key(PublicKey(hash("owner", &[&self.draw().to_le_bytes()])));
                let output = Output { value: Amount(1), lock };
                let position = self.state.next_position;
                created.push(PositionedCoin { position, coin: Coin { outpoint, height, output } });
                self.state.next_position += 1;
            }
            spent.push(input);
        }
        spent.sort_unstable_by_key(|coin| coin.position);
        self.unspent.extend(created.iter().cloned());
        let (block_hash, state) = (self.state.block, self.state.clone());
        let transactions = records;
        let delta = BlockDelta { height, block: block_hash, spent, created, transactions, state };
        (block, certificate, delta)
    }
}

fn empty_block(parent: &LedgerState, height: Height) -> (Block, Certificate) {
    let header = Header {
        version: Header::VERSION,
        chain: timecoin_chain::genesis::ChainId([0; 4]),
        height,
        parent: parent.block,
        timestamp: Timestamp(height.0),
        proposer: 0,
        state_root: [0; 32],
        masternodes: [0; 32],
        transactions_root: Block::transactions_root(&Vec::<Transaction>::new()),
        witnesses_root: [0; 32],
        last_commit: [0; 32],
        evidence: [0; 32],
    };
    let block = Block { header, transactions: vec![], last_commit: None, evidence: vec![] };
    let certificate = Certificate {
        kind: VoteKind::Precommit,
        height,
        round: Round(0),
        block: Some(block.hash()),
        valid_round: None,
        signers: SignerSet::empty(1),
        signatures: vec![],
    };
    (block, certificate)
}

fn chain(coins: u64) -> Chain {
    let lock = Lock::Key(PublicKey([1; 32]));
    let timeout = Timeout { base: Millis(1_000), step: Millis(500) };
    let params = Params {
        block_interval: Millis(1_000),
        min_block_spacing: Millis(100),
        propose_timeout: timeout,
        vote_timeout: timeout,
        timeout_max: Millis(60_000),
        clock_drift_max: Millis(10_000),
        epoch_blocks: 100,
        evidence_age_blocks: 100,
        block_bytes_max: 1024 * 1024,
        min_relay_fee: 1,
        issuance_per_day: Amount::ZERO,
        treasury: lock.clone(),
    };
    let key = PublicKey([1; 32]);
    Chain::new(Genesis {
        network: Network::Dev,
        time: Timestamp(0),
        params,
        masternodes: vec![Masternode { key, weight: 1, payout: lock.clone() }],
        allocations: vec![Allocation { lock, value: Amount(1), outputs: coins }],
    })
    .expect("the parameters above are valid")
}
