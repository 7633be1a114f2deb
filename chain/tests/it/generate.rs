//! Values of every chain type from a seed: the same seed gives the same value for ever, because the
//! conformance hashes in `tests/vectors` are taken over them.
//!
//! The values are well-formed, not valid: they keep no rule but their type.
use timecoin_chain::{
    crypto::{LtHash, PublicKey, Signature},
    genesis::{Allocation, ChainId, Genesis, GenesisHash, Network, Params, Timeout},
    ledger::LedgerState,
    types::{
        Amount, Attestation, Block, BlockHash, BlocksAnswer, BlocksRequest, BodiesRequest,
        Certificate, Coin, ConsensusMessage, Evidence, Header, Height, Inquiry, Lock, Masternode,
        Millis, NodeKey, OutPoint, Output, Presence, Proposal, ProposalStatement, Round,
        RoundCertificate, SignerSet, Status, Timestamp, Transaction, TransactionBatch, TxBody,
        TxId, TxKind, TxParts, Vote, VoteKind, VotesAnswer, VotesRequest, WTxId, Witness,
    },
};

/// A stream of numbers (SplitMix64).
pub(crate) struct Source(u64);

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An index into a list of `len`, which is not empty.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    pub(crate) fn one<T: Generate>(&mut self) -> T {
        T::generate(self)
    }
}

pub(crate) trait Generate: Sized {
    fn generate(source: &mut Source) -> Self;
}

/// Every width is as likely as any other, and the ends are frequent.
impl Generate for u64 {
    fn generate(source: &mut Source) -> Self {
        match source.below(8) {
            0 => 0,
            1 => u64::MAX,
            _ => {
                let shift = source.below(64);
                source.next() >> shift
            }
        }
    }
}

macro_rules! narrow {
    ($($number:ty),*) => {$(
        impl Generate for $number {
            fn generate(source: &mut Source) -> Self {
                match source.below(8) {
                    0 => 0,
                    1 => Self::MAX,
                    _ => source.next().to_le_bytes()[0] as Self * (Self::MAX / 255),
                }
            }
        }
    )*};
}
narrow!(u8, u16, u32);

impl Generate for bool {
    fn generate(source: &mut Source) -> Self {
        source.below(2) == 1
    }
}

impl Generate for [u8; 32] {
    fn generate(source: &mut Source) -> Self {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&source.next().to_le_bytes());
        }
        bytes
    }
}

impl Generate for [u8; 4] {
    fn generate(source: &mut Source) -> Self {
        let [a, b, c, d, ..] = source.next().to_le_bytes();
        [a, b, c, d]
    }
}

impl<T: Generate> Generate for Option<T> {
    fn generate(source: &mut Source) -> Self {
        (source.below(2) == 1).then(|| source.one())
    }
}

impl<T: Generate> Generate for Vec<T> {
    fn generate(source: &mut Source) -> Self {
        (0..source.below(4)).map(|_| source.one()).collect()
    }
}

impl<T: Generate> Generate for Box<T> {
    fn generate(source: &mut Source) -> Self {
        Self::new(source.one())
    }
}

macro_rules! newtypes {
    ($($name:ident),* $(,)?) => {$(
        impl Generate for $name {
            fn generate(source: &mut Source) -> Self {
                Self(source.one())
            }
        }
    )*};
}
newtypes!(
    Amount,
    BlockHash,
    BlocksAnswer,
    BodiesRequest,
    ChainId,
    GenesisHash,
    Height,
    Millis,
    NodeKey,
    PublicKey,
    Round,
    Timestamp,
    TransactionBatch,
    TxId,
    WTxId,
);

impl Generate for Transaction {
    fn generate(source: &mut Source) -> Self {
        source.one::<TxParts>().into()
    }
}

macro_rules! structs {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl Generate for $name {
            fn generate(source: &mut Source) -> Self {
                Self { $($field: source.one()),* }
            }
        }
    )*};
}
structs! {
    OutPoint { txid, vout }
    Output { value, lock }
    TxBody { version, chain, inputs, outputs, not_before, expiry_height, kind }
    TxParts { body, witnesses }
    Coin { outpoint, height, output }
    Vote { kind, height, round, block, valid_round, signer, signature }
    ProposalStatement { height, round, valid_round, block, proposer, signature }
    Certificate { kind, height, round, block, valid_round, signers, signatures }
    RoundCertificate { height, round, votes }
    Header {
        version, chain, height, parent, timestamp, proposer, state_root, masternodes,
        transactions_root, witnesses_root, last_commit, evidence,
    }
    Block { header, transactions, last_commit, evidence }
    Proposal {
        round, valid_round, header, transactions, last_commit, evidence, polka, signature,
    }
    VotesRequest { height, round, prevotes, precommits, has_proposal, inquiry }
    Inquiry { of, nonce }
    Attestation { inquiry, height, votes, by, signature }
    VotesAnswer { messages, attestation }
    Presence { masternode, node, expires, signature }
    BlocksRequest { from, count }
    Status { genesis, tip }
    Masternode { key, weight, payout }
    Timeout { base, step }
    Params {
        block_interval, min_block_spacing, propose_timeout, vote_timeout, timeout_max,
        clock_drift_max, epoch_blocks, evidence_age_blocks, block_bytes_max, min_relay_fee,
        issuance_per_day, treasury,
    }
    Allocation { lock, value, outputs }
    Genesis { network, time, params, masternodes, allocations }
    LedgerState {
        height, block, timestamp, coins, next_position, supply, accrued, accrued_treasury, offences,
        params,
    }
}

impl Generate for Signature {
    fn generate(source: &mut Source) -> Self {
        let halves: [[u8; 32]; 2] = [source.one(), source.one()];
        let mut bytes = [0; 64];
        bytes.copy_from_slice(halves.as_flattened());
        Self::from_bytes(&bytes)
    }
}

impl Generate for SignerSet {
    fn generate(source: &mut Source) -> Self {
        let members = source.below(101);
        let mut set = Self::empty(usize::try_from(members).unwrap());
        for index in 0..u16::try_from(members).unwrap() {
            if source.below(3) > 0 {
                set.insert(index);
            }
        }
        set
    }
}

impl Generate for LtHash {
    fn generate(source: &mut Source) -> Self {
        let mut set = Self::default();
        for _ in 0..source.below(3) {
            set.add(&source.one::<[u8; 32]>());
        }
        set
    }
}

impl Generate for Lock {
    fn generate(source: &mut Source) -> Self {
        match source.below(4) {
            0 => Self::Key(source.one()),
            1 => Self::Multi { threshold: source.one(), keys: source.one() },
            2 => Self::Timelock { height: source.one(), key: source.one() },
            _ => Self::HashLock {
                hash: source.one(),
                claim: source.one(),
                refund_height: source.one(),
                refund: source.one(),
            },
        }
    }
}

impl<A: Generate, B: Generate> Generate for (A, B) {
    fn generate(source: &mut Source) -> Self {
        (source.one(), source.one())
    }
}

impl Generate for Witness {
    fn generate(source: &mut Source) -> Self {
        match source.below(4) {
            0 => Self::Key(source.one()),
            1 => Self::Multi(source.one()),
            2 => Self::Claim { preimage: source.one(), signature: source.one() },
            _ => Self::Refund(source.one()),
        }
    }
}

impl Generate for TxKind {
    fn generate(_: &mut Source) -> Self {
        Self::Transfer
    }
}

impl Generate for VoteKind {
    fn generate(source: &mut Source) -> Self {
        if source.below(2) == 0 { Self::Prevote } else { Self::Precommit }
    }
}

impl Generate for Evidence {
    fn generate(source: &mut Source) -> Self {
        match source.below(3) {
            0 => Self::Votes(source.one(), source.one()),
            1 => Self::Proposals(source.one(), source.one()),
            _ => Self::Amnesia { precommit: source.one(), prevote: source.one() },
        }
    }
}

impl Generate for ConsensusMessage {
    fn generate(source: &mut Source) -> Self {
        match source.below(5) {
            0 => Self::Vote(source.one()),
            1 => Self::Proposal(source.one()),
            2 => Self::Certificate(source.one()),
            3 => Self::Round(source.one()),
            _ => Self::Evidence(source.one()),
        }
    }
}

impl Generate for Network {
    fn generate(source: &mut Source) -> Self {
        match source.below(3) {
            0 => Self::Main,
            1 => Self::Test,
            _ => Self::Dev,
        }
    }
}

/// Calls a macro with every type that has a canonical encoding.
macro_rules! each_canonical_type {
    ($call:ident) => {
        $call! {
            Transaction, Block, Vote, Evidence, Certificate, RoundCertificate, Proposal,
            ConsensusMessage, TransactionBatch, BodiesRequest, VotesRequest, VotesAnswer,
            BlocksRequest, BlocksAnswer, Status, Presence, Genesis, LedgerState, Coin,
        }
    };
}
pub(crate) use each_canonical_type;
