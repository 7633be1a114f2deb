//! A chain with one masternode, its ledger in memory, and short helpers to build transactions.
use crate::{
    crypto::{PublicKey, Signature, SignatureCheck, SignatureScheme},
    genesis::{Allocation, Chain, Genesis, Network, Params, Timeout},
    ledger::{self, BlockDelta, ExecuteError, LedgerState, MemoryView},
    mempool::{Admitted, Mempool, MempoolLimits, Reject},
    rules,
    types::{
        Amount, Block, Certificate, Header, Height, Lock, Masternode, Millis, OutPoint, Output,
        Round, SignerSet, Timestamp, Transaction, TxBody, TxKind, VoteKind, WTxId, Witness,
    },
};
use std::collections::BTreeSet;

/// The value of each genesis coin.
pub(super) const COIN: u64 = 10_000_000;
/// The encoded bytes of a transaction with one input and one output.
pub(super) const SMALL: usize = 196;
/// Its minimum fee.
pub(super) const SMALL_FEE: u64 = 10 * SMALL as u64;

/// Accepts every signature.
pub(super) struct Blind;

impl SignatureScheme for Blind {
    fn all_valid(&self, _: &[SignatureCheck]) -> bool {
        true
    }
}

pub(super) struct Ledger {
    pub(super) chain: Chain,
    pub(super) view: MemoryView,
    pub(super) state: LedgerState,
    last_commit: Option<Certificate>,
}

impl Ledger {
    pub(super) fn new(coins: u64) -> Self {
        Self::owned_by(Lock::Key(PublicKey([9; 32])), coins)
    }

    pub(super) fn owned_by(owner: Lock, coins: u64) -> Self {
        let timeout = Timeout { base: Millis(1_000), step: Millis(500) };
        let params = Params {
            block_interval: Millis(2_000),
            min_block_spacing: Millis(100),
            propose_timeout: timeout,
            vote_timeout: timeout,
            timeout_max: Millis(60_000),
            clock_drift_max: Millis(10_000),
            epoch_blocks: 1_000_000,
            evidence_age_blocks: 100,
            block_bytes_max: 4 * 1024 * 1024,
            min_relay_fee: 10,
            issuance_per_day: Amount::ZERO,
            treasury: owner.clone(),
        };
        let key = PublicKey([1; 32]);
        let genesis = Genesis {
            network: Network::Dev,
            time: Timestamp(1),
            params,
            masternodes: vec![Masternode { key, weight: 1, payout: owner.clone() }],
            allocations: vec![Allocation { lock: owner, value: Amount(COIN), outputs: coins }],
        };
        let chain = Chain::new(genesis).unwrap();
        let delta = ledger::genesis_delta(&chain);
        let mut view = MemoryView::default();
        view.apply(&delta);
        Self { chain, view, state: delta.state, last_commit: None }
    }

    /// The unspent outputs with their values, by position.
    pub(super) fn coins(&self) -> Vec<(OutPoint, u64)> {
        let mut coins: Vec<_> = self.view.coins().collect();
        coins.sort_unstable_by_key(|coin| coin.position);
        coins.iter().map(|coin| (coin.coin.outpoint, coin.coin.output.value.0)).collect()
    }

    pub(super) fn next_height(&self) -> Height {
        self.state.height.next()
    }

    /// A block with these transactions on the current state.
    pub(super) fn block(&self, transactions: Vec<Transaction>) -> Block {
        let ids: Vec<WTxId> = transactions.iter().map(Transaction::wtxid).collect();
        let header = Header {
            version: Header::VERSION,
            chain: self.chain.id(),
            height: self.next_height(),
            parent: self.state.block,
            timestamp: Timestamp(self.state.timestamp.0 + 1),
            proposer: 0,
            state_root: self.state.root(),
            masternodes: self.chain.masternodes.hash(),
            transactions_root: Block::transactions_root(&transactions),
            witnesses_root: Block::witnesses_root(&ids),
            last_commit: Block::last_commit_hash(self.last_commit.as_ref()),
            evidence: Block::evidence_hash(&[]),
        };
        let last_commit = self.last_commit.clone();
        Block { header, transactions, last_commit, evidence: Vec::new() }
    }

    pub(super) fn execute(&self, block: &Block) -> Result<BlockDelta, ExecuteError> {
        ledger::execute(&Blind, &self.chain, &self.view, &self.state, block, &BTreeSet::new())
    }

    /// Makes a block with these transactions final.
    pub(super) fn commit(&mut self, transactions: Vec<Transaction>) -> Block {
        let block = self.block(transactions);
        let delta = self.execute(&block).unwrap();
        self.view.apply(&delta);
        self.state = delta.state;
        let mut signers = SignerSet::empty(1);
        signers.insert(0);
        self.last_commit = Some(Certificate {
            kind: VoteKind::Precommit,
            height: block.header.height,
            round: Round(0),
            block: Some(block.hash()),
            valid_round: None,
            signers,
            signatures: vec![Signature::from_bytes(&[0; 64])],
        });
        block
    }

    pub(super) fn pool(&self, limits: MempoolLimits) -> Mempool {
        Mempool::new(self.chain.id(), limits)
    }

    /// Spends the full value of these outputs minus the fee into this many outputs.
    pub(super) fn spend(&self, inputs: &[(OutPoint, u64)], outputs: u64, fee: u64) -> Transaction {
        let value = inputs.iter().map(|(_, value)| value).sum::<u64>() - fee;
        let values = (0..outputs).map(|index| value / outputs + u64::from(index < value % outputs));
        let lock = Lock::Key(PublicKey([9; 32]));
        let body = TxBody {
            version: TxBody::VERSION,
            chain: self.chain.id(),
            inputs: inputs.iter().map(|(outpoint, _)| *outpoint).collect(),
            outputs: values
                .map(|value| Output { value: Amount(value), lock: lock.clone() })
                .collect(),
            not_before: Height(0),
            expiry_height: Height(u64::MAX),
            kind: TxKind::Transfer,
        };
        let witness = Witness::Key(Signature::from_bytes(&[0; 64]));
        Transaction::new(body, vec![witness; inputs.len()])
    }

    /// All steps of an admission, with every signature accepted. Asserts that the invariants hold
    /// afterwards, and that a rejection changes nothing and is the same in all steps.
    pub(super) fn admit(
        &self,
        pool: &mut Mempool,
        now: Millis,
        tx: Transaction,
    ) -> Result<Admitted, Reject> {
        let height = self.next_height();
        let before: Vec<WTxId> = pool.iter().map(|entry| entry.wtxid()).collect();
        let screened = pool.screen(height, tx)?;
        let spend = pool.check(&self.view, height, screened)?;
        let verified = rules::verify_spends(&Blind, &self.chain.hash, vec![spend]).remove(0);
        let result = pool.admit(&self.view, height, now, verified.unwrap());
        if result.is_err() {
            assert!(pool.iter().map(|entry| entry.wtxid()).eq(before), "{result:?}");
        }
        pool.check_invariants();
        result
    }

    /// Admits at time zero and returns the first output, for a child to spend.
    pub(super) fn must_admit(&self, pool: &mut Mempool, tx: Transaction) -> (OutPoint, u64) {
        let first = output(&tx, 0);
        self.admit(pool, Millis(0), tx).unwrap();
        first
    }

    /// The code with which a transaction is rejected.
    pub(super) fn refusal(&self, pool: &mut Mempool, tx: Transaction) -> &'static str {
        code(self.admit(pool, Millis(0), tx).unwrap_err())
    }
}

/// An output of a transaction and its value.
pub(super) fn output(tx: &Transaction, index: usize) -> (OutPoint, u64) {
    (Transaction::outpoint(tx.txid(), index), tx.body.outputs[index].value.0)
}

pub(super) fn code(reject: Reject) -> &'static str {
    reject.code()
}
