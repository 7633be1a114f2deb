//! The ledger's types as the types of [`crate::api`].
use crate::api::{
    BlockView, CommitView, IndexedSignature, InputView, JsonAmount, LockView, OutputView,
    TransactionView, Transactions, Unspent, WitnessView,
};
use timecoin_chain::{
    address::{address_of, address_of_lock},
    codec,
    genesis::{Chain, Network},
    ledger::PositionedCoin,
    types::{Block, Certificate, Height, Lock, MasternodeSet, Transaction, TxKind, Witness},
};

/// How many final blocks include a height: 1 for the last one, 0 for one that is not final.
pub(super) fn confirmations(tip: Height, height: Height) -> u64 {
    if height > tip { 0 } else { tip - height + 1 }
}

pub(super) fn lock(network: Network, lock: &Lock) -> LockView {
    match lock {
        Lock::Key(key) => LockView::Key { address: address_of(network, key), key: key.to_string() },
        Lock::Multi { threshold, keys } => LockView::Multi {
            threshold: *threshold,
            keys: keys.iter().map(ToString::to_string).collect(),
        },
        Lock::Timelock { height, key } => {
            LockView::Timelock { height: height.0, key: key.to_string() }
        }
        Lock::HashLock { hash, claim, refund_height, refund } => LockView::HashLock {
            hash: hex::encode(hash),
            claim: claim.to_string(),
            refund_height: refund_height.0,
            refund: refund.to_string(),
        },
    }
}

fn witness(witness: &Witness) -> WitnessView {
    match witness {
        Witness::Key(signature) => {
            WitnessView::Key { signature: hex::encode(signature.to_bytes()) }
        }
        Witness::Multi(signatures) => WitnessView::Multi {
            signatures: signatures
                .iter()
                .map(|(key, signature)| IndexedSignature {
                    key: *key,
                    signature: hex::encode(signature.to_bytes()),
                })
                .collect(),
        },
        Witness::Claim { preimage, signature } => WitnessView::Claim {
            preimage: hex::encode(preimage),
            signature: hex::encode(signature.to_bytes()),
        },
        Witness::Refund(signature) => {
            WitnessView::Refund { signature: hex::encode(signature.to_bytes()) }
        }
    }
}

pub(super) fn transaction(network: Network, transaction: &Transaction) -> TransactionView {
    let body = &transaction.body;
    let inputs = body.inputs.iter().enumerate().map(|(index, input)| InputView {
        txid: input.txid.to_string(),
        vout: input.vout,
        witness: transaction.witnesses.get(index).map(witness),
    });
    let outputs = (0..).zip(&body.outputs).map(|(n, output)| OutputView {
        n,
        value: JsonAmount(output.value),
        lock: lock(network, &output.lock),
    });
    TransactionView {
        txid: transaction.txid().to_string(),
        wtxid: transaction.wtxid().to_string(),
        version: body.version.into(),
        chain: body.chain.to_string(),
        size: transaction.encoded_len() as u64,
        kind: match body.kind {
            TxKind::Transfer => "transfer".into(),
        },
        not_before: body.not_before.0,
        expiry_height: body.expiry_height.0,
        vin: inputs.collect(),
        vout: outputs.collect(),
    }
}

/// A final block; `whole` with its transactions, else with their ids.
pub(super) fn block(
    chain: &Chain,
    (block, certificate): &(Block, Certificate),
    tip: Height,
    next: Option<String>,
    whole: bool,
) -> BlockView {
    let header = &block.header;
    let network = chain.genesis.network;
    let transactions = block.transactions.iter();
    let tx = match whole {
        true => Transactions::Whole(transactions.map(|tx| transaction(network, tx)).collect()),
        false => Transactions::Ids(transactions.map(|tx| tx.txid().to_string()).collect()),
    };
    BlockView {
        hash: header.hash().to_string(),
        is_final: true,
        confirmations: confirmations(tip, header.height),
        height: header.height.0,
        version: header.version.into(),
        chain: header.chain.to_string(),
        time: header.timestamp.0 / 1_000,
        time_ms: header.timestamp.0,
        proposer: header.proposer,
        round: certificate.round.0.into(),
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
        size: codec::encode(block).len() as u64,
        transactions: block.transactions.len() as u64,
        tx,
    }
}

/// What made a block final.
pub(super) fn commit(set: &MasternodeSet, certificate: &Certificate) -> CommitView {
    let signers: Vec<u16> = certificate.signers.iter().collect();
    let members = 0..u16::try_from(set.len()).unwrap_or(u16::MAX);
    let mut bitmap = vec![0_u8; set.len().div_ceil(8)];
    for signer in &signers {
        if let Some(byte) = bitmap.get_mut(usize::from(signer / 8)) {
            *byte |= 1 << (signer % 8);
        }
    }
    let signatures = certificate.signatures.iter();
    CommitView {
        height: certificate.height.0,
        hash: certificate.block.map(|hash| hash.to_string()),
        round: certificate.round.0.into(),
        weight: certificate.weight(set),
        total: set.total_weight(),
        missing: members.filter(|index| !certificate.signers.contains(*index)).collect(),
        signers,
        bitmap: hex::encode(bitmap),
        signatures: signatures.map(|signature| hex::encode(signature.to_bytes())).collect(),
        hex: hex::encode(codec::encode(certificate)),
    }
}

/// An unspent output.
pub(super) fn unspent(network: Network, tip: Height, coin: &PositionedCoin) -> Unspent {
    let PositionedCoin { position, coin } = coin;
    Unspent {
        txid: coin.outpoint.txid.to_string(),
        vout: coin.outpoint.vout,
        address: address_of_lock(network, &coin.output.lock),
        amount: JsonAmount(coin.output.value),
        lock: lock(network, &coin.output.lock),
        height: coin.height.0,
        confirmations: confirmations(tip, coin.height),
        position: *position,
        spendable: match &coin.output.lock {
            Lock::Timelock { height, .. } => *height <= tip.next(),
            _ => true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Placed;
    use timecoin_chain::{
        crypto::PublicKey,
        genesis::ChainId,
        types::{Amount, OutPoint, Output, TxBody, TxId},
    };

    #[test]
    fn amounts_survive_inside_of_flattened_answers() {
        let body = TxBody {
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
        };
        let sent = Transaction::new(body, vec![]);
        let placed = Placed {
            hex: "00".into(),
            transaction: transaction(Network::Dev, &sent),
            is_final: false,
            confirmations: 0,
            block: None,
        };
        let text = serde_json::to_string(&placed).expect("JSON");
        assert_eq!(serde_json::from_str::<Placed>(&text).ok(), Some(placed));
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
