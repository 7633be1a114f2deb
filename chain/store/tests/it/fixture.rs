//! A small chain with real keys, random valid blocks for it, and what the store must say after each.
use std::collections::BTreeSet;
use timecoin_chain::{
    consensus::Step,
    crypto::{Ed25519, PublicKey, SecretKey, Signature, Signer as _},
    engine::SafetyRecord,
    genesis::{Allocation, Chain, Genesis, Network, Params, Timeout},
    ledger::{BlockDelta, LedgerState, MemoryView, PositionedCoin, execute, genesis_delta},
    types::{
        Amount, Block, Certificate, Header, Height, Lock, Masternode, Millis, OutPoint, Output,
        Round, SignerSet, Timestamp, Transaction, TxBody, TxKind, Vote, VoteKind, Witness,
        signing_message,
    },
};

pub(crate) const OWNERS: u8 = 4;
const MASTERNODE: u8 = 100;

/// xorshift64*: every failure names its seed.
#[derive(Debug, Clone)]
pub(crate) struct Source(u64);

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    pub(crate) fn flip(&mut self) -> bool {
        self.below(2) == 0
    }
}

pub(crate) fn secret(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32])
}

pub(crate) fn lock(number: u8) -> Lock {
    Lock::Key(secret(number).public_key())
}

fn owner_of(lock: &Lock) -> Option<u8> {
    (1..=OWNERS).find(|&owner| *lock == self::lock(owner))
}

pub(crate) fn chain(time: u64) -> Chain {
    let timeout = Timeout { base: Millis(1_000), step: Millis(500) };
    let params = Params {
        block_interval: Millis(1_000),
        min_block_spacing: Millis(100),
        propose_timeout: timeout,
        vote_timeout: timeout,
        timeout_max: Millis(60_000),
        clock_drift_max: Millis(10_000),
        epoch_blocks: 3,
        evidence_age_blocks: 100,
        block_bytes_max: 1024 * 1024,
        min_relay_fee: 1,
        issuance_per_day: Amount::from_time(14_400),
        treasury: lock(1),
    };
    let key = secret(MASTERNODE).public_key();
    let allocations = (1..=OWNERS).map(|owner| Allocation {
        lock: lock(owner),
        value: Amount::from_time(100),
        outputs: 6,
    });
    Chain::new(Genesis {
        network: Network::Dev,
        time: Timestamp(time),
        params,
        masternodes: vec![Masternode { key, weight: 1, payout: lock(2) }],
        allocations: allocations.collect(),
    })
    .unwrap()
}

/// A committed block and all that is true after it.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    pub(crate) block: Block,
    pub(crate) certificate: Certificate,
    pub(crate) delta: BlockDelta,
    pub(crate) view: MemoryView,
}

/// A chain that grows by random valid blocks.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    pub(crate) chain: Chain,
    pub(crate) view: MemoryView,
    pub(crate) state: LedgerState,
    pub(crate) commit: Option<Certificate>,
    source: Source,
}

impl Fixture {
    pub(crate) fn new(seed: u64) -> Self {
        let chain = chain(1_000_000);
        let delta = genesis_delta(&chain);
        let mut view = MemoryView::default();
        view.apply(&delta);
        Self { chain, view, state: delta.state, commit: None, source: Source::new(seed) }
    }

    /// The next blocks, applied here.
    pub(crate) fn grow(&mut self, blocks: usize) -> Vec<Committed> {
        (0..blocks).map(|_| self.next()).collect()
    }

    pub(crate) fn next(&mut self) -> Committed {
        let transactions = self.transactions();
        let block = self.block(transactions);
        let none = BTreeSet::new();
        let delta = execute(&Ed25519, &self.chain, &self.view, &self.state, &block, &none).unwrap();
        let certificate = self.certify(VoteKind::Precommit, Round(0), &block);
        self.view.apply(&delta);
        self.state = delta.state.clone();
        self.commit = Some(certificate.clone());
        Committed { block, certificate, delta, view: self.view.clone() }
    }

    /// Some coins are merged and split among owners, and some new coins are spent again at once.
    fn transactions(&mut self) -> Vec<Transaction> {
        let mut coins: Vec<(OutPoint, Output)> = self
            .view
            .coins()
            .filter(|coin| owner_of(&coin.coin.output.lock).is_some())
            .map(|coin| (coin.coin.outpoint, coin.coin.output.clone()))
            .collect();
        let mut transactions = vec![];
        for _ in 0..self.source.below(5) {
            let wanted = usize::try_from(1 + self.source.below(2)).unwrap().min(coins.len());
            let inputs: Vec<_> =
                (0..wanted).map(|_| coins.swap_remove(self.source.index(coins.len()))).collect();
            let value: u64 = inputs.iter().map(|(_, output)| output.value.0).sum();
            let parts = 1 + self.source.below(3);
            let fee = 10_000_000;
            if inputs.is_empty() || value < fee + 100_000_000 {
                continue;
            }
            let outputs: Vec<Output> = (0..parts)
                .map(|_| Output {
                    value: Amount((value - fee) / parts),
                    lock: lock(1 + u8::try_from(self.source.below(u64::from(OWNERS))).unwrap()),
                })
                .collect();
            let transaction = self.spend(&inputs, outputs);
            let txid = transaction.txid();
            for (vout, output) in transaction.body.outputs.iter().enumerate() {
                coins.push((Transaction::outpoint(txid, vout), output.clone()));
            }
            transactions.push(transaction);
        }
        transactions
    }

    fn spend(&self, inputs: &[(OutPoint, Output)], outputs: Vec<Output>) -> Transaction {
        let body = TxBody {
            version: TxBody::VERSION,
            chain: self.chain.id(),
            inputs: inputs.iter().map(|(outpoint, _)| *outpoint).collect(),
            outputs,
            not_before: Height(0),
            expiry_height: Height(u64::MAX),
            kind: TxKind::Transfer,
        };
        let spent: Vec<Output> = inputs.iter().map(|(_, output)| output.clone()).collect();
        let message = signing_message(&self.chain.hash, &body, &spent);
        let sign = |output: &Output| secret(owner_of(&output.lock).unwrap()).sign(&message);
        let witnesses = spent.iter().map(|output| Witness::Key(sign(output))).collect();
        Transaction::new(body, witnesses)
    }

    pub(crate) fn block(&self, transactions: Vec<Transaction>) -> Block {
        let height = self.state.height.next();
        let ids: Vec<_> = transactions.iter().map(Transaction::wtxid).collect();
        let header = Header {
            version: Header::VERSION,
            chain: self.chain.id(),
            height,
            parent: self.state.block,
            timestamp: Timestamp(self.state.timestamp.0 + 1_000),
            proposer: 0,
            state_root: self.state.root(),
            masternodes: self.chain.masternodes.hash(),
            transactions_root: Block::transactions_root(&transactions),
            witnesses_root: Block::witnesses_root(&ids),
            last_commit: Block::last_commit_hash(self.commit.as_ref()),
            evidence: Block::evidence_hash(&[]),
        };
        Block { header, transactions, last_commit: self.commit.clone(), evidence: vec![] }
    }

    pub(crate) fn certify(&self, kind: VoteKind, round: Round, block: &Block) -> Certificate {
        certificate(&self.chain, kind, round, block)
    }

    /// All coins by position.
    pub(crate) fn coins(&self) -> Vec<PositionedCoin> {
        by_position(&self.view)
    }
}

pub(crate) fn by_position(view: &MemoryView) -> Vec<PositionedCoin> {
    let mut coins: Vec<_> = view.coins().cloned().collect();
    coins.sort_unstable_by_key(|coin| coin.position);
    coins
}

pub(crate) fn certificate(
    chain: &Chain,
    kind: VoteKind,
    round: Round,
    block: &Block,
) -> Certificate {
    let (height, hash) = (block.header.height, Some(block.hash()));
    let message = Vote::message(&chain.hash, kind, height, round, hash, None);
    let mut signers = SignerSet::empty(1);
    signers.insert(0);
    Certificate {
        kind,
        height,
        round,
        block: hash,
        valid_round: None,
        signers,
        signatures: vec![secret(MASTERNODE).sign(&message)],
    }
}

/// A record of a height and round, with a polka for a block where one is given.
pub(crate) fn record(
    chain: &Chain,
    height: u64,
    round: u32,
    valid: Option<&Block>,
) -> SafetyRecord {
    let prevote = Vote {
        kind: VoteKind::Prevote,
        height: Height(height),
        round: Round(round),
        block: valid.map(Block::hash),
        valid_round: None,
        signer: 0,
        signature: Signature::from_bytes(&[7; 64]),
    };
    SafetyRecord {
        step: Step::Prevote,
        locked: valid.map(|block| (Round(round), block.hash())),
        valid: valid.map(|block| certificate(chain, VoteKind::Prevote, Round(round), block)),
        prevote: Some(prevote),
        ..SafetyRecord::blank(PublicKey([0; 32]), Height(height), Round(round))
    }
}

/// A key that owns nothing.
pub(crate) fn stranger() -> Lock {
    Lock::Key(PublicKey([0xee; 32]))
}
