//! Payments signed before the clock starts. Each spends one genesis coin, so none depends on
//! another.
use super::BenchError;
use crate::wallet::{Coin, PaymentRequest, pay};
use rayon::prelude::*;
use std::collections::HashMap;
use timecoin_chain::{
    codec,
    crypto::{SecretKey, Signer},
    genesis::Chain,
    ledger::genesis_delta,
    types::{Amount, Height, Lock},
};

/// Payments signed between two reports of progress.
const STEP: usize = 4_096;
/// The secret of the recipient. Its coins are never spent.
const PAID: [u8; 32] = [8; 32];

/// Signed payments, in the order in which they are sent.
#[derive(Debug, Default)]
pub struct Payments {
    encoded: Vec<Vec<u8>>,
    /// By the first eight bytes of the id.
    by_id: HashMap<u64, u32>,
}

impl Payments {
    /// Signs on all cores. Calls `progress` with the number done.
    pub fn sign(
        chain: &Chain,
        key: &SecretKey,
        count: usize,
        progress: impl Fn(usize),
    ) -> Result<Self, BenchError> {
        if count == 0 {
            return Ok(Self::default());
        }
        let coins = genesis_coins(chain, key);
        if coins.len() < count {
            return Err(BenchError::Coins { there: coins.len(), needed: count });
        }
        let mut payments = Self::default();
        for part in coins[..count].chunks(STEP) {
            let signed: Result<Vec<_>, BenchError> =
                part.par_iter().map(|coin| sign_one(chain, key, *coin)).collect();
            for (id, encoded) in signed? {
                payments.add(id, encoded);
            }
            progress(payments.len());
        }
        Ok(payments)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.encoded.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// The bytes of one.
    pub(super) fn bytes(&self, index: usize) -> &[u8] {
        self.encoded.get(index).map_or(&[], Vec::as_slice)
    }

    /// The payment whose id begins with these eight bytes.
    pub(super) fn find(&self, id: u64) -> Option<usize> {
        self.by_id.get(&id).map(|&index| index as usize)
    }

    /// Two ids with the same first eight bytes cannot be distinguished: the second payment is
    /// skipped.
    fn add(&mut self, id: u64, encoded: Vec<u8>) {
        let Ok(index) = u32::try_from(self.encoded.len()) else { return };
        if let std::collections::hash_map::Entry::Vacant(place) = self.by_id.entry(id) {
            place.insert(index);
            self.encoded.push(encoded);
        }
    }
}

fn genesis_coins(chain: &Chain, key: &SecretKey) -> Vec<Coin> {
    let own = Lock::Key(key.public_key());
    genesis_delta(chain)
        .created
        .into_iter()
        .map(|created| created.coin)
        .filter(|coin| coin.output.lock == own)
        .map(|coin| Coin { outpoint: coin.outpoint, value: coin.output.value })
        .collect()
}

/// Half of the coin goes to the recipient; the rest, less the fee, is change.
fn sign_one(chain: &Chain, key: &SecretKey, coin: Coin) -> Result<(u64, Vec<u8>), BenchError> {
    let request = PaymentRequest {
        genesis: chain.hash,
        to: Lock::Key(SecretKey::from_bytes(&PAID).public_key()),
        amount: Amount(coin.value.0 / 2),
        fee_rate: chain.params().min_relay_fee.max(1),
        expiry_height: Height(u64::MAX),
    };
    let transaction = pay(&request, key, vec![coin])?.transaction;
    let txid = transaction.txid();
    let mut id = [0; 8];
    id.copy_from_slice(&txid.0[..8]);
    Ok((u64::from_be_bytes(id), codec::encode(&transaction)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::genesis_file::devnet_params;
    use timecoin_chain::{
        genesis::{Allocation, Genesis, Network},
        types::{Masternode, Timestamp, Transaction},
    };

    fn chain(key: &SecretKey) -> Chain {
        let lock = |key: &SecretKey| Lock::Key(key.public_key());
        let other = SecretKey::from_bytes(&[2; 32]);
        let allocation = |lock, outputs| Allocation { lock, value: Amount::from_time(4), outputs };
        Chain::new(Genesis {
            network: Network::Dev,
            time: Timestamp(1_700_000_000_000),
            params: devnet_params(lock(&other)),
            masternodes: vec![Masternode {
                key: other.public_key(),
                weight: 1,
                payout: lock(&other),
            }],
            allocations: vec![allocation(lock(&other), 2), allocation(lock(key), 3)],
        })
        .unwrap()
    }

    #[test]
    fn each_payment_spends_a_coin_of_its_own() {
        let key = SecretKey::from_bytes(&[1; 32]);
        let chain = chain(&key);
        let payments = Payments::sign(&chain, &key, 3, |_| ()).unwrap();
        let mut spent = std::collections::BTreeSet::new();
        for index in 0..payments.len() {
            let payment: Transaction = codec::decode(payments.bytes(index)).unwrap();
            spent.extend(payment.body.inputs.clone());
            assert_eq!(payment.body.outputs.len(), 2);
            let id = u64::from_be_bytes(payment.txid().0[..8].try_into().unwrap());
            assert_eq!(payments.find(id), Some(index));
        }
        assert_eq!((payments.len(), spent.len()), (3, 3));
        assert_eq!(payments.find(7), None);
    }

    #[test]
    fn too_few_coins_are_reported() {
        let key = SecretKey::from_bytes(&[1; 32]);
        let error = Payments::sign(&chain(&key), &key, 4, |_| ()).unwrap_err();
        assert!(matches!(error, BenchError::Coins { there: 3, needed: 4 }));
        assert!(Payments::sign(&chain(&key), &key, 0, |_| ()).unwrap().is_empty());
    }
}
