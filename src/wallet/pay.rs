//! One payment: coins chosen, the transaction built, measured and signed.
use super::select::{Coin, SelectError, Selection, select};
use timecoin_chain::{
    codec,
    crypto::{SecretKey, Signature, Signer},
    genesis::GenesisHash,
    types::{
        Amount, Height, Lock, OutPoint, Output, Transaction, TxBody, TxKind, Witness,
        signing_message,
    },
};

/// What is to be paid, and how.
#[derive(Debug, Clone)]
pub struct PaymentRequest {
    /// The chain.
    pub genesis: GenesisHash,
    /// Who receives it.
    pub to: Lock,
    /// How much.
    pub amount: Amount,
    /// Units for each encoded byte.
    pub fee_rate: u64,
    /// The last height whose block may include it.
    pub expiry_height: Height,
}

/// A payment that is signed.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The transaction.
    pub transaction: Transaction,
    /// Its coins, change and fee.
    pub selection: Selection,
    /// Its encoded length.
    pub bytes: usize,
}

/// Why a payment was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaymentError {
    /// No coins cover it.
    #[error(transparent)]
    Select(#[from] SelectError),
}

/// Chooses coins of a key, builds the payment and signs it. The payment is the first output, the
/// change, if any, the second.
pub fn pay(
    request: &PaymentRequest,
    key: &SecretKey,
    coins: Vec<Coin>,
) -> Result<Payment, PaymentError> {
    let measure = |inputs, outputs| encoded_bytes(request, inputs, outputs);
    let selection = select(coins, request.amount, request.fee_rate, measure)?;
    let own = Lock::Key(key.public_key());
    let paid = Output { value: request.amount, lock: request.to.clone() };
    let change = selection.change.map(|value| Output { value, lock: own.clone() });
    let inputs = selection.coins.iter().map(|coin| coin.outpoint).collect();
    let body = body(request, inputs, std::iter::once(paid).chain(change).collect());
    let spent: Vec<Output> = selection
        .coins
        .iter()
        .map(|coin| Output { value: coin.value, lock: own.clone() })
        .collect();
    let signature = key.sign(&signing_message(&request.genesis, &body, &spent));
    let witnesses = vec![Witness::Key(signature); spent.len()];
    let transaction = Transaction::new(body, witnesses);
    let bytes = codec::encode(&transaction).len();
    Ok(Payment { transaction, selection, bytes })
}

fn body(request: &PaymentRequest, inputs: Vec<OutPoint>, outputs: Vec<Output>) -> TxBody {
    TxBody {
        version: TxBody::VERSION,
        chain: request.genesis.chain_id(),
        inputs,
        outputs,
        not_before: Height::GENESIS,
        expiry_height: request.expiry_height,
        kind: TxKind::Transfer,
    }
}

/// The encoded length of a payment with these numbers of inputs and outputs. The values do not matter: every integer
/// has a fixed width. The recipient's lock may be of any kind, so it is encoded as it is.
fn encoded_bytes(request: &PaymentRequest, inputs: usize, outputs: usize) -> u64 {
    let paid = Output { value: request.amount, lock: request.to.clone() };
    let change = Output { value: Amount(1), lock: Lock::Key(Default::default()) };
    let outputs = std::iter::once(paid).chain(std::iter::repeat_n(change, outputs - 1)).collect();
    let outpoint = OutPoint { txid: Default::default(), vout: 0 };
    let body = body(request, vec![outpoint; inputs], outputs);
    let witness = Witness::Key(Signature::from_bytes(&[0; 64]));
    let transaction = Transaction::new(body, vec![witness; inputs]);
    codec::encode(&transaction).len() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::wallet::select::{INPUT_BYTES, INPUTS_MAX};
    use timecoin_chain::{
        crypto::Ed25519,
        rules::{Spend, check_spend, check_transaction, verify_spends},
        types::TxId,
    };

    fn request(amount: u64) -> PaymentRequest {
        PaymentRequest {
            genesis: GenesisHash([3; 32]),
            to: Lock::Key(SecretKey::from_bytes(&[8; 32]).public_key()),
            amount: Amount(amount),
            fee_rate: 7,
            expiry_height: Height(1_000),
        }
    }

    fn coins(count: usize, value: u64) -> Vec<Coin> {
        let coin = |index: usize| Coin {
            outpoint: OutPoint { txid: TxId([5; 32]), vout: u16::try_from(index).unwrap() },
            value: Amount(value),
        };
        (0..count).map(coin).collect()
    }

    #[test]
    fn a_payment_keeps_the_rules_and_pays_exactly_its_rate() {
        let key = SecretKey::from_bytes(&[4; 32]);
        for (count, value, amount) in [(1, 1_000_000, 5_000), (3, 1_000_000, 2_500_000)] {
            let request = request(amount);
            let payment = pay(&request, &key, coins(count, value)).unwrap();
            let tx = &payment.transaction;
            check_transaction(request.genesis.chain_id(), tx).unwrap();
            let own = Lock::Key(key.public_key());
            let spent = Output { value: Amount(value), lock: own.clone() };
            let spent = vec![spent; tx.body.inputs.len()];
            let fee = check_spend(Height(9), tx, &spent).unwrap();
            assert_eq!(fee, payment.selection.fee);
            assert_eq!(fee.0, request.fee_rate * payment.bytes as u64);
            assert_eq!(tx.body.outputs[1].lock, own);
            let spend = Spend { transaction: tx.clone(), spent };
            let verified = verify_spends(&Ed25519, &request.genesis, vec![spend]);
            assert!(verified.iter().all(Result::is_ok));
        }
    }

    #[test]
    fn the_most_inputs_fit_in_a_transaction() {
        let request = request(5_000);
        let one = encoded_bytes(&request, 1, 2);
        assert_eq!(encoded_bytes(&request, 2, 2) - one, INPUT_BYTES);
        let most = encoded_bytes(&request, INPUTS_MAX, 2);
        assert!(most <= timecoin_chain::limits::TX_BYTES_MAX as u64, "{most}");
    }
}
