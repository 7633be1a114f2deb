//! A second decoder of transactions, written from the format and not from the first one: the oracle
//! of the differential tests, and the description of the bytes in code.
use timecoin_chain::{
    crypto::{PublicKey, Signature},
    genesis::ChainId,
    limits::TX_BYTES_MAX,
    types::{Amount, Height, Lock, OutPoint, Output, Transaction, TxBody, TxId, TxKind, Witness},
};

/// Reads a transaction from exactly these bytes. Integers are little-endian and of fixed width, a
/// list begins with its length in 8 bytes, a choice with its number in 4.
pub(crate) fn decode_transaction(bytes: &[u8]) -> Option<Transaction> {
    if bytes.len() > TX_BYTES_MAX {
        return None;
    }
    let mut bytes = Bytes(bytes);
    let transaction = Transaction::new(body(&mut bytes)?, bytes.list(witness)?);
    bytes.0.is_empty().then_some(transaction)
}

fn body(bytes: &mut Bytes<'_>) -> Option<TxBody> {
    Some(TxBody {
        version: u16::from_le_bytes(bytes.array()?),
        chain: ChainId(bytes.array()?),
        inputs: bytes.list(outpoint)?,
        outputs: bytes.list(output)?,
        not_before: Height(bytes.u64()?),
        expiry_height: Height(bytes.u64()?),
        kind: match bytes.choice()? {
            0 => TxKind::Transfer,
            _ => return None,
        },
    })
}

fn outpoint(bytes: &mut Bytes<'_>) -> Option<OutPoint> {
    Some(OutPoint { txid: TxId(bytes.array()?), vout: u16::from_le_bytes(bytes.array()?) })
}

fn output(bytes: &mut Bytes<'_>) -> Option<Output> {
    Some(Output { value: Amount(bytes.u64()?), lock: lock(bytes)? })
}

fn lock(bytes: &mut Bytes<'_>) -> Option<Lock> {
    match bytes.choice()? {
        0 => Some(Lock::Key(key(bytes)?)),
        1 => Some(Lock::Multi { threshold: bytes.u8()?, keys: bytes.list(key)? }),
        2 => Some(Lock::Timelock { height: Height(bytes.u64()?), key: key(bytes)? }),
        3 => Some(Lock::HashLock {
            hash: bytes.array()?,
            claim: key(bytes)?,
            refund_height: Height(bytes.u64()?),
            refund: key(bytes)?,
        }),
        _ => None,
    }
}

fn witness(bytes: &mut Bytes<'_>) -> Option<Witness> {
    match bytes.choice()? {
        0 => Some(Witness::Key(signature(bytes)?)),
        1 => Some(Witness::Multi(bytes.list(|bytes| Some((bytes.u8()?, signature(bytes)?)))?)),
        2 => Some(Witness::Claim { preimage: bytes.array()?, signature: signature(bytes)? }),
        3 => Some(Witness::Refund(signature(bytes)?)),
        _ => None,
    }
}

fn key(bytes: &mut Bytes<'_>) -> Option<PublicKey> {
    bytes.array().map(PublicKey)
}

fn signature(bytes: &mut Bytes<'_>) -> Option<Signature> {
    bytes.array().map(|bytes| Signature::from_bytes(&bytes))
}

/// What is not yet read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn choice(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.u64()?).map(|_| item(self)).collect()
    }
}
