//! Transactions, what they spend and what they create.
//!
//! `txid` covers the body, `wtxid` the body and the witnesses. A third party cannot change a
//! witness, and nobody can change a body without changing every signature.
use super::{Amount, ChainId, GenesisHash, Height};
use crate::{
    codec::{self, Canonical},
    crypto::{PublicKey, Signature, hash, hash_of},
    limits::{MULTI_KEYS_MAX, STORED_BYTES_MAX, TX_BYTES_MAX},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

crate::crypto::id! {
    /// The identifier of a transaction's body.
    TxId
}
crate::crypto::id! {
    /// The identifier of a transaction with its witnesses.
    WTxId
}

/// A reference to an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutPoint {
    /// The transaction that creates it.
    pub txid: TxId,
    /// The output's index, from 0.
    pub vout: u16,
}

impl std::fmt::Display for OutPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.txid, self.vout)
    }
}

/// The condition for spending an output. The order of variants is part of the encoding; new kinds
/// are appended. An unknown kind does not decode, so it cannot be created.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lock {
    /// A signature of this key.
    Key(PublicKey),
    /// Signatures of `threshold` of these keys, which are strictly ascending.
    Multi {
        /// Signatures needed.
        threshold: u8,
        /// Keys that may sign.
        keys: Vec<PublicKey>,
    },
    /// A signature of this key, in a block at or above this height.
    Timelock {
        /// First height at which it can be spent.
        height: Height,
        /// The key.
        key: PublicKey,
    },
    /// The preimage of a tagged hash with a signature of one key, or, from a given height, a
    /// signature of the other key.
    HashLock {
        /// `hash("tc/preimage", preimage)`.
        hash: [u8; 32],
        /// The key that claims with the preimage.
        claim: PublicKey,
        /// First height at which it can be refunded.
        refund_height: Height,
        /// The key that is refunded.
        refund: PublicKey,
    },
}

impl Lock {
    /// Whether an output or the genesis may create this lock; otherwise why not.
    pub fn check(&self) -> Result<(), &'static str> {
        let Self::Multi { threshold, keys } = self else { return Ok(()) };
        if keys.len() > MULTI_KEYS_MAX {
            return Err("more keys than allowed");
        }
        if *threshold == 0 || usize::from(*threshold) > keys.len() {
            return Err("the threshold must be between one and the number of keys");
        }
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err("keys must be strictly ascending");
        }
        Ok(())
    }
}

/// An amount and who may spend it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Output {
    /// How much.
    pub value: Amount,
    /// Who may spend it.
    pub lock: Lock,
}

/// What a transaction does apart from moving coins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TxKind {
    /// Nothing else.
    Transfer,
}

/// The part of a transaction that its signatures cover.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TxBody {
    /// Format version, 1.
    pub version: u16,
    /// The chain it is for.
    pub chain: ChainId,
    /// Outputs it spends.
    pub inputs: Vec<OutPoint>,
    /// Outputs it creates.
    pub outputs: Vec<Output>,
    /// First height at which a block may contain it.
    pub not_before: Height,
    /// Last height at which a block may contain it.
    pub expiry_height: Height,
    /// What else it does.
    pub kind: TxKind,
}

impl TxBody {
    /// The version that this program writes and accepts.
    pub const VERSION: u16 = 1;

    /// The identifier of this body.
    pub fn txid(&self) -> TxId {
        TxId(hash_of("tc/tx", self))
    }
}

/// What satisfies the lock of one input.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Witness {
    /// For [`Lock::Key`] and [`Lock::Timelock`].
    Key(Signature),
    /// For [`Lock::Multi`]: exactly `threshold` signatures by strictly ascending key index.
    Multi(Vec<(u8, Signature)>),
    /// For [`Lock::HashLock`] before the refund.
    Claim {
        /// The preimage of the lock's hash.
        preimage: [u8; 32],
        /// The signature of the claiming key.
        signature: Signature,
    },
    /// For [`Lock::HashLock`] from the refund height on.
    Refund(Signature),
}

// A signature's bytes are its identity; `Hash` on the enclosing types follows them.
impl std::hash::Hash for Signature {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.to_bytes().hash(state);
    }
}

/// A body and a witness for each input: what a [`Transaction`] is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxParts {
    /// The signed part.
    pub body: TxBody,
    /// The witnesses, in the order of the inputs.
    pub witnesses: Vec<Witness>,
}

/// A transaction with its ids and encoded length, which are computed once: when it is built or
/// decoded. It cannot be changed; cloning it copies a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction(Arc<Sealed>);

#[derive(Debug, PartialEq, Eq)]
struct Sealed {
    wtxid: WTxId,
    txid: TxId,
    encoded_len: usize,
    parts: TxParts,
}

impl Canonical for Transaction {
    const BYTES_MAX: usize = TX_BYTES_MAX;
}

impl From<TxParts> for Transaction {
    fn from(parts: TxParts) -> Self {
        let mut bytes = codec::encode(&parts.body);
        let txid = TxId(hash("tc/tx", &[&bytes]));
        bytes.extend(codec::encode(&parts.witnesses));
        let wtxid = WTxId(hash("tc/wtx", &[&bytes]));
        Self(Arc::new(Sealed { wtxid, txid, encoded_len: bytes.len(), parts }))
    }
}

impl std::ops::Deref for Transaction {
    type Target = TxParts;

    fn deref(&self) -> &TxParts {
        &self.0.parts
    }
}

impl Serialize for Transaction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.parts.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Transaction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TxParts::deserialize(deserializer).map(Self::from)
    }
}

impl Transaction {
    /// Puts a body and its witnesses together.
    pub fn new(body: TxBody, witnesses: Vec<Witness>) -> Self {
        TxParts { body, witnesses }.into()
    }

    /// Replaces it with one that differs in this: its ids are others.
    pub fn edit(&mut self, change: impl FnOnce(&mut TxParts)) {
        let mut parts = self.0.parts.clone();
        change(&mut parts);
        *self = parts.into();
    }

    /// The identifier of the body.
    pub fn txid(&self) -> TxId {
        self.0.txid
    }

    /// The identifier of body and witnesses.
    pub fn wtxid(&self) -> WTxId {
        self.0.wtxid
    }

    /// The length of the encoding in bytes.
    pub fn encoded_len(&self) -> usize {
        self.0.encoded_len
    }

    /// Number of signatures in its witnesses: every node verifies each of them.
    pub fn signatures(&self) -> usize {
        let of = |witness: &Witness| match witness {
            Witness::Key(_) | Witness::Claim { .. } | Witness::Refund(_) => 1,
            Witness::Multi(signatures) => signatures.len(),
        };
        self.witnesses.iter().map(of).sum()
    }

    /// The outpoint of one output of the transaction with this id.
    pub fn outpoint(txid: TxId, index: usize) -> OutPoint {
        let vout = u16::try_from(index).expect("a transaction has at most TX_OUTPUTS_MAX outputs");
        OutPoint { txid, vout }
    }
}

/// The one message that every signature of a transaction signs. It covers the genesis, all spent
/// values and locks, and the whole body: no replay on another chain, no false claims about the fee.
pub fn signing_message(genesis: &GenesisHash, body: &TxBody, spent: &[Output]) -> [u8; 32] {
    let spent = codec::encode(&spent);
    let spent_hash = hash("tc/spent", &[&spent]);
    hash("tc/sig", &[&genesis.0, &spent_hash, &codec::encode(body)])
}

/// An unspent output in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coin {
    /// Which output it is.
    pub outpoint: OutPoint,
    /// The height of the block that created it.
    pub height: Height,
    /// Amount and lock.
    pub output: Output,
}

impl Canonical for Coin {
    const BYTES_MAX: usize = 2_048;
}

const _: () = assert!(Coin::BYTES_MAX < STORED_BYTES_MAX);
