//! A chain of four masternodes with real keys, its ledger, and valid blocks and transactions for it.
use crate::generate::Source;
use std::collections::{BTreeMap, BTreeSet};
use timecoin_chain::{
    crypto::{Ed25519, PublicKey, SecretKey, Signature, Signer, hash},
    genesis::{Allocation, Chain, Genesis, Network, Params, Timeout},
    ledger::{BlockDelta, ExecuteError, LedgerState, MemoryView, execute, genesis_delta},
    types::{
        Amount, Block, Certificate, Header, Height, Lock, Masternode, Millis, OutPoint, Output,
        Proposal, Round, SignerSet, Timestamp, Transaction, TxBody, TxKind, Vote, VoteKind,
        Witness, signing_message,
    },
};

/// What every hash lock of the tests hashes.
pub(crate) const PREIMAGE: [u8; 32] = [0x50; 32];
/// Genesis coins of each of [`OWNERS`] keys.
pub(crate) const COINS_EACH: u64 = 4;
/// Numbers of the keys that own genesis coins.
pub(crate) const OWNERS: [u8; 3] = [1, 2, 3];
/// Number of the treasury's key.
pub(crate) const TREASURY: u8 = 9;
/// What every genesis coin is worth.
pub(crate) const COIN: Amount = Amount::from_time(100);
/// Bytes of one block at the most.
pub(crate) const BLOCK_BYTES: usize = 256 * 1024;
/// From one block to the next.
pub(crate) const SPACING_MS: u64 = 1_000;

/// The secret with this number.
pub(crate) fn secret(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32])
}

/// Its key.
pub(crate) fn key(number: u8) -> PublicKey {
    secret(number).public_key()
}

/// These keys in ascending order.
pub(crate) fn sorted_keys(numbers: &[u8]) -> Vec<PublicKey> {
    let mut keys: Vec<_> = numbers.iter().map(|&number| key(number)).collect();
    keys.sort_unstable();
    keys
}

/// A lock that two of the keys 1, 2 and 3 open.
pub(crate) fn two_of_three() -> Lock {
    Lock::Multi { threshold: 2, keys: sorted_keys(&[1, 2, 3]) }
}

/// A lock that [`PREIMAGE`] and key 1 open, and key 2 from a height on.
pub(crate) fn hash_lock(refund_height: u64) -> Lock {
    Lock::HashLock {
        hash: hash("tc/preimage", &[&PREIMAGE]),
        claim: key(1),
        refund_height: Height(refund_height),
        refund: key(2),
    }
}

/// An output of whole TIME for key 3.
pub(crate) fn pay(time: u64) -> Output {
    Output { value: Amount::from_time(time), lock: Lock::Key(key(3)) }
}

pub(crate) fn params() -> Params {
    Params {
        block_interval: Millis(10_000),
        min_block_spacing: Millis(100),
        propose_timeout: Timeout { base: Millis(3_000), step: Millis(500) },
        vote_timeout: Timeout { base: Millis(1_000), step: Millis(500) },
        timeout_max: Millis(60_000),
        clock_drift_max: Millis(10_000),
        epoch_blocks: 3,
        evidence_age_blocks: 5,
        block_bytes_max: BLOCK_BYTES as u64,
        min_relay_fee: 1,
        issuance_per_day: Amount::from_time(14_400),
        treasury: Lock::Key(key(TREASURY)),
    }
}

/// Masternodes have the secrets 101 and up, in ascending order of key.
fn masternode_secrets(count: usize) -> Vec<SecretKey> {
    let mut secrets: Vec<SecretKey> =
        (0..count).map(|index| secret(101 + u8::try_from(index).unwrap())).collect();
    secrets.sort_unstable_by_key(|secret| secret.public_key());
    secrets
}

pub(crate) fn genesis(weights: &[u64]) -> Genesis {
    let masternodes = masternode_secrets(weights.len())
        .iter()
        .zip(weights)
        .map(|(secret, &weight)| Masternode {
            key: secret.public_key(),
            weight,
            payout: Lock::Key(secret.public_key()),
        })
        .collect();
    let allocations = OWNERS.map(|owner| Allocation {
        lock: Lock::Key(key(owner)),
        value: COIN,
        outputs: COINS_EACH,
    });
    Genesis {
        network: Network::Dev,
        time: Timestamp(1_000_000),
        params: params(),
        masternodes,
        allocations: allocations.to_vec(),
    }
}

/// A chain and everything a node knows after its last block.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) chain: Chain,
    pub(crate) secrets: Vec<SecretKey>,
    pub(crate) view: MemoryView,
    pub(crate) state: LedgerState,
    pub(crate) commit: Option<Certificate>,
}

impl Fixture {
    /// Four equal masternodes.
    pub(crate) fn new() -> Self {
        Self::of(genesis(&[1, 1, 1, 1]))
    }

    /// Four equal masternodes and some empty blocks.
    pub(crate) fn at_height(height: u64) -> Self {
        let mut fixture = Self::new();
        for _ in 0..height {
            let block = fixture.block(vec![]);
            fixture.apply(&block);
        }
        fixture
    }

    pub(crate) fn of(genesis: Genesis) -> Self {
        let secrets = masternode_secrets(genesis.masternodes.len());
        let chain = Chain::new(genesis).unwrap();
        let delta = genesis_delta(&chain);
        let mut view = MemoryView::default();
        view.apply(&delta);
        Self { chain, secrets, view, state: delta.state, commit: None }
    }

    /// The next block, valid if its transactions are.
    pub(crate) fn block(&self, transactions: Vec<Transaction>) -> Block {
        self.block_at(Timestamp(self.state.timestamp.0 + SPACING_MS), transactions)
    }

    pub(crate) fn block_at(&self, timestamp: Timestamp, transactions: Vec<Transaction>) -> Block {
        let height = self.state.height.next();
        let header = Header {
            version: Header::VERSION,
            chain: self.chain.id(),
            height,
            parent: self.state.block,
            timestamp,
            proposer: self.chain.masternodes.proposer(height, Round(0)),
            state_root: self.state.root(),
            masternodes: self.chain.masternodes.hash(),
            transactions_root: [0; 32],
            witnesses_root: [0; 32],
            last_commit: [0; 32],
            evidence: [0; 32],
        };
        let last_commit = self.commit.clone();
        let mut block = Block { header, transactions, last_commit, evidence: vec![] };
        seal(&mut block);
        block
    }

    pub(crate) fn vote(&self, signer: u16, vote: Vote) -> Vote {
        let message = vote.signing_message(&self.chain.hash);
        let signature = self.secrets[usize::from(signer)].sign(&message);
        Vote { signer, signature, ..vote }
    }

    /// Precommits of all masternodes for a block.
    pub(crate) fn certify(&self, block: &Block) -> Certificate {
        let voters: Vec<u16> = (0..u16::try_from(self.secrets.len()).unwrap()).collect();
        self.certify_by(&voters, block)
    }

    /// Precommits of these masternodes, given in ascending order.
    pub(crate) fn certify_by(&self, voters: &[u16], block: &Block) -> Certificate {
        self.certificate(voters, &precommit_of(block))
    }

    /// One vote signed by these masternodes, given in ascending order.
    pub(crate) fn certificate(&self, voters: &[u16], vote: &Vote) -> Certificate {
        let mut signers = SignerSet::empty(self.secrets.len());
        let mut signatures = vec![];
        for &voter in voters {
            signers.insert(voter);
            signatures.push(self.vote(voter, vote.clone()).signature);
        }
        Certificate {
            kind: vote.kind,
            height: vote.height,
            round: vote.round,
            block: vote.block,
            valid_round: vote.valid_round,
            signers,
            signatures,
        }
    }

    pub(crate) fn execute(&self, block: &Block) -> Result<BlockDelta, ExecuteError> {
        execute(&Ed25519, &self.chain, &self.view, &self.state, block, &BTreeSet::new())
    }

    /// Makes a valid block final.
    pub(crate) fn apply(&mut self, block: &Block) -> BlockDelta {
        let delta = self.execute(block).unwrap();
        self.commit = Some(self.certify(block));
        self.view.apply(&delta);
        self.state = delta.state.clone();
        delta
    }

    /// A coin that this key owned at the start, by number below [`COINS_EACH`].
    pub(crate) fn coin(&self, owner: u8, number: usize) -> (OutPoint, Output) {
        let lock = Lock::Key(key(owner));
        let coin = self.view.coins().filter(|coin| coin.coin.output.lock == lock).nth(number);
        let coin = &coin.unwrap().coin;
        (coin.outpoint, coin.output.clone())
    }

    /// A body that spends and creates these, without bounds of height.
    pub(crate) fn body(&self, spent: &[(OutPoint, Output)], outputs: Vec<Output>) -> TxBody {
        TxBody {
            version: TxBody::VERSION,
            chain: self.chain.id(),
            inputs: spent.iter().map(|(outpoint, _)| *outpoint).collect(),
            outputs,
            not_before: Height(0),
            expiry_height: Height(u64::MAX),
            kind: TxKind::Transfer,
        }
    }

    /// A signed transaction for the next block.
    pub(crate) fn spend(&self, spent: &[(OutPoint, Output)], outputs: Vec<Output>) -> Transaction {
        let body = self.body(spent, outputs);
        let spent: Vec<Output> = spent.iter().map(|(_, output)| output.clone()).collect();
        self.sign(self.state.height.next(), body, &spent)
    }

    /// A body with the witnesses that open what it spends at a height.
    pub(crate) fn sign(&self, height: Height, body: TxBody, spent: &[Output]) -> Transaction {
        let message = signing_message(&self.chain.hash, &body, spent);
        let witnesses = spent.iter().map(|output| open(&output.lock, height, &message)).collect();
        Transaction::new(body, witnesses)
    }

    /// A fresh proposal of a block in the round of its header's proposer.
    pub(crate) fn propose(
        &self,
        block: &Block,
        round: Round,
        polka: Option<Certificate>,
    ) -> Proposal {
        let ids = block.transactions.iter().map(Transaction::wtxid).collect();
        let height = block.header.height;
        let valid_round = polka.as_ref().map(|polka| polka.round);
        let hash = &self.chain.hash;
        let message = Proposal::message(hash, height, round, valid_round, block.hash());
        let proposer = self.chain.masternodes.proposer(height, round);
        let signature = self.secrets[usize::from(proposer)].sign(&message);
        Proposal::of_block(block, ids, round, polka, signature)
    }
}

/// A precommit for a block in round 0, not yet signed.
pub(crate) fn precommit_of(block: &Block) -> Vote {
    Vote {
        kind: VoteKind::Precommit,
        height: block.header.height,
        round: Round(0),
        block: Some(block.hash()),
        valid_round: None,
        signer: 0,
        signature: Signature::from_bytes(&[0; 64]),
    }
}

/// A prevote for a block in a round, not yet signed.
pub(crate) fn prevote_of(block: &Block, round: Round) -> Vote {
    Vote { kind: VoteKind::Prevote, round, ..precommit_of(block) }
}

/// Makes the header commit to the body as it is.
pub(crate) fn seal(block: &mut Block) {
    let ids: Vec<_> = block.transactions.iter().map(Transaction::wtxid).collect();
    block.header.transactions_root = Block::transactions_root(&block.transactions);
    block.header.witnesses_root = Block::witnesses_root(&ids);
    block.header.last_commit = Block::last_commit_hash(block.last_commit.as_ref());
    block.header.evidence = Block::evidence_hash(&block.evidence);
}

/// The witness that opens a lock of the tests' keys at a height.
pub(crate) fn open(lock: &Lock, height: Height, message: &[u8; 32]) -> Witness {
    let by = |key: &PublicKey| sign_by(key, message);
    match lock {
        Lock::Key(key) | Lock::Timelock { key, .. } => Witness::Key(by(key)),
        Lock::Multi { threshold, keys } => {
            let parts = (0..*threshold).zip(keys).map(|(index, key)| (index, by(key)));
            Witness::Multi(parts.collect())
        }
        Lock::HashLock { refund_height, refund, .. } if height >= *refund_height => {
            Witness::Refund(by(refund))
        }
        Lock::HashLock { claim, .. } => Witness::Claim { preimage: PREIMAGE, signature: by(claim) },
    }
}

/// A signature by whoever has this key; by key 0 where nobody of the tests does.
fn sign_by(key: &PublicKey, message: &[u8; 32]) -> Signature {
    static SECRETS: std::sync::LazyLock<BTreeMap<PublicKey, SecretKey>> =
        std::sync::LazyLock::new(|| {
            (0..=u8::MAX).map(|number| (self::key(number), secret(number))).collect()
        });
    SECRETS.get(key).unwrap_or(&SECRETS[&self::key(0)]).sign(message)
}

/// A lock of any kind that the tests can open, some only later.
pub(crate) fn any_lock(source: &mut Source, height: Height) -> Lock {
    let owner = OWNERS[source.index(OWNERS.len())];
    match source.below(8) {
        0 => two_of_three(),
        1 => Lock::Timelock { height: Height(height.0 + source.below(3)), key: key(owner) },
        2 => hash_lock(height.0 + source.below(3)),
        _ => Lock::Key(key(owner)),
    }
}
