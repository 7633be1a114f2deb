//! Measures what a bad block costs a node: processor time of `ledger::execute`, by what the block holds.
//!
//! `cargo run --release -p timecoin-store --example bad_block`. Ends within 30 seconds. Each block is as
//! large as the rules allow, and its last signature is bad or, in the last rows, all of them are.
#![allow(clippy::print_stdout, reason = "a program that prints a table")]
use std::{collections::BTreeSet, error::Error, fs};
use timecoin_chain::{
    crypto::{
        Ed25519, SIGNATURE_BATCH, SecretKey, Signature, SignatureCheck, SignatureScheme, Signer,
    },
    genesis::{Allocation, Chain, Genesis, Network, Params, Timeout},
    ledger::{LedgerState, execute},
    limits::BLOCK_BYTES_MAX,
    types::{
        Amount, Block, Header, Height, Lock, Masternode, Millis, OutPoint, Output, Timestamp,
        Transaction, TxBody, TxKind, Witness, signing_message,
    },
};
use timecoin_store::{Store, StoreOptions};

/// What a block is filled with.
struct Case {
    name: &'static str,
    keys: u8,
    transactions: usize,
    inputs: usize,
    /// Of so many transactions the signatures were checked at admission.
    seen: usize,
    /// Whether all signatures that were not are bad, or only the last.
    all_bad: bool,
}

const CASES: [Case; 7] = [
    Case::new("20,000 payments, all seen but one", 1, 20_000, 1, 19_999),
    Case::new("20,000 payments, 3,000 unseen", 1, 20_000, 1, 17_000),
    Case::new("4,000 payments, none seen", 1, 4_000, 1, 0),
    Case::new("20,000 payments, none seen", 1, 20_000, 1, 0),
    Case::new("45 sweeps of 700 coins, none seen", 1, 45, 700, 0),
    Case::new("21 sweeps of 90 16-of-16 locks", 16, 21, 90, 0),
    Case { all_bad: true, ..Case::new("20,000 payments, all bad", 1, 20_000, 1, 0) },
];

impl Case {
    const fn new(
        name: &'static str,
        keys: u8,
        transactions: usize,
        inputs: usize,
        seen: usize,
    ) -> Self {
        Self { name, keys, transactions, inputs, seen, all_bad: false }
    }

    /// Keys differ within a batch, as those of many people do.
    fn owners(&self) -> u64 {
        if self.keys == 1 { 4_096 } else { 256 }
    }

    fn coins_each(&self) -> u64 {
        ((self.transactions * self.inputs) as u64).div_ceil(self.owners())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    batches()?;
    println!("{:>36} {:>11} {:>8} {:>9}", "block", "signatures", "KiB", "ms");
    for case in &CASES {
        measure(case)?;
    }
    Ok(())
}

/// Signatures with a key each, by the size of the batch.
fn batches() -> Result<(), Box<dyn Error>> {
    let checks: Vec<SignatureCheck> = (0..1_024_u64)
        .map(|number| {
            let key = secret(number);
            let message = [1; 32];
            SignatureCheck { key: key.public_key(), message, signature: key.sign(&message) }
        })
        .collect();
    for size in [1, 64, SIGNATURE_BATCH, 256, 1_024] {
        let before = processor_ms()?;
        let valid = checks.chunks(size).all(|batch| Ed25519.all_valid(batch));
        let each = (processor_ms()? - before) * 1e3 / checks.len() as f64;
        println!("batches of {size:4}: {each:5.1} us a signature, {valid}");
    }
    let before = processor_ms()?;
    let bad: Vec<_> =
        checks.iter().map(|check| SignatureCheck { message: [2; 32], ..*check }).collect();
    let none = Ed25519.each_valid(&bad).iter().all(|valid| !valid);
    let each = (processor_ms()? - before) * 1e3 / checks.len() as f64;
    println!("each of a flood of bad ones: {each:.1} us a signature, {none}");
    Ok(())
}

fn measure(case: &Case) -> Result<(), Box<dyn Error>> {
    let chain = chain(case)?;
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path(), &chain, StoreOptions::default())?;
    let state = store.state()?;
    let transactions = transactions(case, &chain, &state);
    let seen: BTreeSet<_> = transactions.iter().take(case.seen).map(|tx| tx.wtxid()).collect();
    let block = block(&chain, &state, transactions);
    let bytes = timecoin_chain::codec::encode(&block).len();
    let signatures: usize = block.transactions.iter().map(|tx| tx.signatures()).sum();
    let before = processor_ms()?;
    let result = execute(&Ed25519, &chain, &store, &state, &block, &seen).map(|_| ());
    let took = processor_ms()? - before;
    let error = result.err().map_or_else(|| "valid".into(), |error| error.to_string());
    println!("{:>36} {signatures:11} {:8} {took:9.1}  {error}", case.name, bytes / 1_024);
    Ok(())
}

/// Processor time of this thread.
fn processor_ms() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = text.split(' ').next().ok_or("no figure")?.parse()?;
    Ok(nanoseconds as f64 / 1e6)
}

fn secret(number: u64) -> SecretKey {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    SecretKey::from_bytes(&bytes)
}

/// The keys of one owner's coins, ascending.
fn secrets(case: &Case, owner: u64) -> Vec<SecretKey> {
    let keys = u64::from(case.keys);
    let mut secrets: Vec<_> = (0..keys).map(|number| secret(owner * keys + number)).collect();
    secrets.sort_unstable_by_key(|secret| secret.public_key());
    secrets
}

fn lock(case: &Case, owner: u64) -> Lock {
    let mut keys: Vec<_> = secrets(case, owner).iter().map(|secret| secret.public_key()).collect();
    match keys.len() {
        1 => Lock::Key(keys.remove(0)),
        _ => Lock::Multi { threshold: case.keys, keys },
    }
}

fn chain(case: &Case) -> Result<Chain, Box<dyn Error>> {
    let lock_of = |owner| lock(case, owner);
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
        block_bytes_max: u64::try_from(BLOCK_BYTES_MAX)?,
        min_relay_fee: 1,
        issuance_per_day: Amount::ZERO,
        treasury: lock_of(0),
    };
    let outputs = case.coins_each();
    let allocation = |owner| Allocation { lock: lock_of(owner), value: Amount(1_000), outputs };
    let key = secret(0).public_key();
    Ok(Chain::new(Genesis {
        network: Network::Dev,
        time: Timestamp(0),
        params,
        masternodes: vec![Masternode { key, weight: 1, payout: lock_of(0) }],
        allocations: (0..case.owners()).map(allocation).collect(),
    })?)
}

fn transactions(case: &Case, chain: &Chain, state: &LedgerState) -> Vec<Transaction> {
    let coins = timecoin_chain::ledger::genesis_delta(chain).created;
    let owners: Vec<_> = (0..case.owners()).map(|owner| secrets(case, owner)).collect();
    let each = coins.len() / owners.len();
    // One coin of each owner, then the next of each.
    let coin = |number: usize| &coins[number % owners.len() * each + number / owners.len()].coin;
    let last = case.transactions - 1;
    let transaction = |number: usize| {
        let numbers = number * case.inputs..(number + 1) * case.inputs;
        let inputs: Vec<OutPoint> = numbers.clone().map(|n| coin(n).outpoint).collect();
        let spent: Vec<Output> = numbers.clone().map(|n| coin(n).output.clone()).collect();
        let body = TxBody {
            version: TxBody::VERSION,
            chain: chain.id(),
            inputs,
            outputs: vec![Output { value: Amount(1), lock: lock(case, 0) }],
            not_before: Height(0),
            expiry_height: Height(state.height.0 + 10),
            kind: TxKind::Transfer,
        };
        let message = signing_message(&chain.hash, &body, &spent);
        let is_bad = |n: usize| case.all_bad || number == last && n + 1 == numbers.end;
        let open = |n: usize| witness(&owners[n % owners.len()], &message, is_bad(n));
        let witnesses = numbers.clone().map(open).collect();
        Transaction::new(body, witnesses)
    };
    (0..case.transactions).map(transaction).collect()
}

/// With a bad one, its last signature is of another message.
fn witness(secrets: &[SecretKey], message: &[u8; 32], is_bad: bool) -> Witness {
    let last = secrets.len() - 1;
    let signed = |(index, secret): (usize, &SecretKey)| -> Signature {
        let message = if is_bad && index == last { &[0; 32] } else { message };
        secret.sign(message)
    };
    match secrets {
        [one] => Witness::Key(signed((0, one))),
        many => Witness::Multi((0..).zip(many.iter().enumerate().map(signed)).collect()),
    }
}

fn block(chain: &Chain, parent: &LedgerState, transactions: Vec<Transaction>) -> Block {
    let ids: Vec<_> = transactions.iter().map(|tx| tx.wtxid()).collect();
    let header = Header {
        version: Header::VERSION,
        chain: chain.id(),
        height: parent.height.next(),
        parent: parent.block,
        timestamp: Timestamp(parent.timestamp.0 + 1_000),
        proposer: 0,
        state_root: parent.root(),
        masternodes: chain.masternodes.hash(),
        transactions_root: Block::transactions_root(&transactions),
        witnesses_root: Block::witnesses_root(&ids),
        last_commit: Block::last_commit_hash(None),
        evidence: Block::evidence_hash(&[]),
    };
    Block { header, transactions, last_commit: None, evidence: vec![] }
}
