//! The shapes of answers. Amounts are numbers with exactly eight decimals, written digit by digit;
//! ids, keys and bytes are lower-case hexadecimal; `time` is in seconds as Bitcoin Core has it, with
//! `time_ms` beside it.
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;
use timecoin_chain::{
    address::{address_of, address_of_lock},
    codec,
    genesis::{Chain, Network},
    ledger::PositionedCoin,
    types::{
        Amount, Block, Certificate, Height, Lock, MasternodeSet, Transaction, TxKind, Witness,
    },
};

/// An amount as a JSON number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Money(pub(super) Amount);

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// A span of milliseconds as a JSON number of seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds(pub(super) u128);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        RawValue::from_string(text).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// How many final blocks include a height: 1 for the last one, 0 for one that is not there yet.
pub(super) fn confirmations(tip: Height, height: Height) -> u64 {
    if height > tip { 0 } else { tip - height + 1 }
}

/// Who may spend an output.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum LockView {
    Key { address: String, key: String },
    Multi { threshold: u8, keys: Vec<String> },
    Timelock { height: u64, key: String },
    HashLock { hash: String, claim: String, refund_height: u64, refund: String },
}

impl LockView {
    pub(super) fn new(network: Network, lock: &Lock) -> Self {
        match lock {
            Lock::Key(key) => Self::Key { address: address_of(network, key), key: key.to_string() },
            Lock::Multi { threshold, keys } => Self::Multi {
                threshold: *threshold,
                keys: keys.iter().map(ToString::to_string).collect(),
            },
            Lock::Timelock { height, key } => {
                Self::Timelock { height: height.0, key: key.to_string() }
            }
            Lock::HashLock { hash, claim, refund_height, refund } => Self::HashLock {
                hash: hex::encode(hash),
                claim: claim.to_string(),
                refund_height: refund_height.0,
                refund: refund.to_string(),
            },
        }
    }
}

/// What was shown to spend an output.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum WitnessView {
    Key { signature: String },
    Multi { signatures: Vec<IndexedSignature> },
    Claim { preimage: String, signature: String },
    Refund { signature: String },
}

#[derive(Debug, Serialize)]
struct IndexedSignature {
    key: u8,
    signature: String,
}

impl WitnessView {
    fn new(witness: &Witness) -> Self {
        match witness {
            Witness::Key(signature) => Self::Key { signature: hex::encode(signature.to_bytes()) },
            Witness::Multi(signatures) => Self::Multi {
                signatures: signatures
                    .iter()
                    .map(|(key, signature)| IndexedSignature {
                        key: *key,
                        signature: hex::encode(signature.to_bytes()),
                    })
                    .collect(),
            },
            Witness::Claim { preimage, signature } => Self::Claim {
                preimage: hex::encode(preimage),
                signature: hex::encode(signature.to_bytes()),
            },
            Witness::Refund(signature) => {
                Self::Refund { signature: hex::encode(signature.to_bytes()) }
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct InputView {
    txid: String,
    vout: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessView>,
}

#[derive(Debug, Serialize)]
struct OutputView {
    n: usize,
    value: Money,
    lock: LockView,
}

/// A transaction without its place.
#[derive(Debug, Serialize)]
pub(super) struct TransactionView {
    txid: String,
    wtxid: String,
    version: u16,
    chain: String,
    size: usize,
    kind: &'static str,
    not_before: u64,
    expiry_height: u64,
    vin: Vec<InputView>,
    vout: Vec<OutputView>,
}

impl TransactionView {
    pub(super) fn new(network: Network, transaction: &Transaction) -> Self {
        let body = &transaction.body;
        let witness = |index: usize| transaction.witnesses.get(index).map(WitnessView::new);
        Self {
            txid: transaction.txid().to_string(),
            wtxid: transaction.wtxid().to_string(),
            version: body.version,
            chain: body.chain.to_string(),
            size: codec::encode(transaction).len(),
            kind: match body.kind {
                TxKind::Transfer => "transfer",
            },
            not_before: body.not_before.0,
            expiry_height: body.expiry_height.0,
            vin: body
                .inputs
                .iter()
                .enumerate()
                .map(|(index, input)| InputView {
                    txid: input.txid.to_string(),
                    vout: input.vout,
                    witness: witness(index),
                })
                .collect(),
            vout: body
                .outputs
                .iter()
                .enumerate()
                .map(|(n, output)| OutputView {
                    n,
                    value: Money(output.value),
                    lock: LockView::new(network, &output.lock),
                })
                .collect(),
        }
    }
}

/// Where a transaction stands; nothing of it while it waits.
#[derive(Debug, Serialize)]
pub(super) struct Placed {
    pub(super) hex: String,
    #[serde(flatten)]
    pub(super) transaction: TransactionView,
    #[serde(rename = "final")]
    pub(super) is_final: bool,
    pub(super) confirmations: u64,
    #[serde(flatten)]
    pub(super) block: Option<InBlock>,
}

/// The block of a transaction.
#[derive(Debug, Serialize)]
pub(super) struct InBlock {
    pub(super) blockhash: String,
    pub(super) height: u64,
    pub(super) index: u32,
    pub(super) time: u64,
    pub(super) blocktime: u64,
    pub(super) time_ms: u64,
}

/// The transactions of a block, as far as they are asked for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Transactions {
    Ids(Vec<String>),
    Whole(Vec<TransactionView>),
}

/// A block.
#[derive(Debug, Serialize)]
pub(super) struct BlockView {
    hash: String,
    #[serde(rename = "final")]
    is_final: bool,
    confirmations: u64,
    height: u64,
    version: u16,
    chain: String,
    time: u64,
    time_ms: u64,
    proposer: u16,
    round: u32,
    weight: u64,
    total: u64,
    state_root: String,
    masternodes: String,
    merkleroot: String,
    witnesses_root: String,
    last_commit: String,
    evidence: String,
    previousblockhash: String,
    nextblockhash: Option<String>,
    size: usize,
    #[serde(rename = "nTx")]
    transactions: usize,
    tx: Transactions,
}

impl BlockView {
    pub(super) fn new(
        chain: &Chain,
        (block, certificate): &(Block, Certificate),
        tip: Height,
        next: Option<String>,
        whole: bool,
    ) -> Self {
        let header = &block.header;
        let network = chain.genesis.network;
        let transactions = &block.transactions;
        let tx = match whole {
            true => Transactions::Whole(
                transactions.iter().map(|tx| TransactionView::new(network, tx)).collect(),
            ),
            false => {
                Transactions::Ids(transactions.iter().map(|tx| tx.txid().to_string()).collect())
            }
        };
        Self {
            hash: header.hash().to_string(),
            is_final: true,
            confirmations: confirmations(tip, header.height),
            height: header.height.0,
            version: header.version,
            chain: header.chain.to_string(),
            time: header.timestamp.0 / 1_000,
            time_ms: header.timestamp.0,
            proposer: header.proposer,
            round: certificate.round.0,
            weight: certificate.weight(&chain.masternodes),
            total: chain.masternodes.total_weight(),
            state_root: hex::encode(header.state_root),
            masternodes: hex::encode(header.masternodes),
            merkleroot: hex::encode(header.transactions_root),
            witnesses_root: hex::encode(header.witnesses_root),
            last_commit: hex::encode(header.last_commit),
            evidence: hex::encode(header.evidence),
            previousblockhash: header.parent.to_string(),
            nextblockhash: next,
            size: codec::encode(block).len(),
            transactions: transactions.len(),
            tx,
        }
    }
}

/// What made a block final.
#[derive(Debug, Serialize)]
pub(super) struct CommitView {
    height: u64,
    hash: Option<String>,
    round: u32,
    weight: u64,
    total: u64,
    signers: Vec<u16>,
    missing: Vec<u16>,
    bitmap: String,
    signatures: Vec<String>,
    hex: String,
}

impl CommitView {
    pub(super) fn new(set: &MasternodeSet, certificate: &Certificate) -> Self {
        let signers: Vec<u16> = certificate.signers.iter().collect();
        let members = 0..u16::try_from(set.len()).unwrap_or(u16::MAX);
        let mut bitmap = vec![0_u8; set.len().div_ceil(8)];
        for signer in &signers {
            if let Some(byte) = bitmap.get_mut(usize::from(signer / 8)) {
                *byte |= 1 << (signer % 8);
            }
        }
        let signatures = certificate.signatures.iter();
        Self {
            height: certificate.height.0,
            hash: certificate.block.map(|hash| hash.to_string()),
            round: certificate.round.0,
            weight: certificate.weight(set),
            total: set.total_weight(),
            missing: members.filter(|index| !certificate.signers.contains(*index)).collect(),
            signers,
            bitmap: hex::encode(bitmap),
            signatures: signatures.map(|signature| hex::encode(signature.to_bytes())).collect(),
            hex: hex::encode(codec::encode(certificate)),
        }
    }
}

/// An unspent output.
#[derive(Debug, Serialize)]
pub(super) struct CoinView {
    txid: String,
    vout: u16,
    address: Option<String>,
    amount: Money,
    lock: LockView,
    height: u64,
    confirmations: u64,
    position: u64,
    spendable: bool,
}

impl CoinView {
    pub(super) fn new(network: Network, tip: Height, coin: &PositionedCoin) -> Self {
        let PositionedCoin { position, coin } = coin;
        Self {
            txid: coin.outpoint.txid.to_string(),
            vout: coin.outpoint.vout,
            address: address_of_lock(network, &coin.output.lock),
            amount: Money(coin.output.value),
            lock: LockView::new(network, &coin.output.lock),
            height: coin.height.0,
            confirmations: confirmations(tip, coin.height),
            position: *position,
            spendable: match &coin.output.lock {
                Lock::Timelock { height, .. } => *height <= tip.next(),
                _ => true,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use timecoin_chain::{
        crypto::PublicKey,
        genesis::ChainId,
        types::{OutPoint, Output, TxBody, TxId},
    };

    fn text(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("JSON")
    }

    #[test]
    fn an_amount_is_a_number_with_eight_decimals() {
        for (units, expected) in [
            (0, "0.00000000"),
            (1, "0.00000001"),
            (1_234_567_890, "12.34567890"),
            (9_007_199_254_740_993, "90071992.54740993"),
            (u64::MAX, "184467440737.09551615"),
        ] {
            assert_eq!(text(&Money(Amount(units))), expected);
        }
    }

    #[test]
    fn amounts_survive_inside_of_flattened_answers() {
        let transaction = Transaction {
            body: TxBody {
                version: 1,
                chain: ChainId([1, 2, 3, 4]),
                inputs: vec![OutPoint { txid: TxId([5; 32]), vout: 3 }],
                outputs: vec![Output {
                    value: Amount(150_000_000),
                    lock: Lock::Key(PublicKey([7; 32])),
                }],
                not_before: Height(0),
                expiry_height: Height(99),
                kind: TxKind::Transfer,
            },
            witnesses: vec![],
        };
        let placed = Placed {
            hex: "00".into(),
            transaction: TransactionView::new(Network::Dev, &transaction),
            is_final: false,
            confirmations: 0,
            block: None,
        };
        let text = text(&placed);
        assert!(text.contains(r#""value":1.50000000,"lock":{"type":"key","address":"dtime1"#));
        assert!(!text.contains("blockhash"), "{text}");
    }

    #[test]
    fn the_last_block_has_one_confirmation() {
        for (tip, height, expected) in [(5, 5, 1), (5, 1, 5), (5, 0, 6), (5, 6, 0)] {
            assert_eq!(confirmations(Height(tip), Height(height)), expected);
        }
    }
}
