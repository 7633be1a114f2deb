//! Transactions, their locks and witnesses, and coins.
use super::*;

pub(super) fn transactions(lines: &mut Lines) {
    for (name, lock) in locks() {
        let tx = transaction(std::slice::from_ref(&lock), &[]);
        lines.value(&format!("transaction.lock.{name}"), &tx);
        lines.hash(&format!("transaction.lock.{name}.txid"), &tx.txid().0);
        let outpoint = OutPoint { txid: TxId(bytes(0x31)), vout: 0x0201 };
        let output = Output { value: Amount(0x0102), lock };
        lines.value(&format!("coin.{name}"), &Coin { outpoint, height: Height(0x0304), output });
    }
    for (name, witness) in witnesses() {
        let tx = transaction(&[], &[witness]);
        lines.value(&format!("transaction.witness.{name}"), &tx);
        lines.hash(&format!("transaction.witness.{name}.wtxid"), &tx.wtxid().0);
    }
    let tx = full_transaction();
    lines.value("transaction", &tx);
    lines.hash("transaction.txid", &tx.txid().0);
    lines.hash("transaction.wtxid", &tx.wtxid().0);
    let spent: Vec<Output> =
        locks().map(|(_, lock)| Output { value: Amount(0x0506), lock }).to_vec();
    let message = signing_message(&GenesisHash(bytes(0x40)), &tx.body, &spent);
    lines.hash("transaction.signing_message", &message);
    lines.hash("preimage", &hash("tc/preimage", &[&bytes::<32>(0x23)]));
    lines.value("transaction_batch", &TransactionBatch(vec![tx.clone(), tx]));
}

pub(super) fn locks() -> [(&'static str, Lock); 4] {
    [
        ("key", Lock::Key(public(0x10))),
        ("multi", Lock::Multi { threshold: 2, keys: vec![public(0x11), public(0x12)] }),
        ("timelock", Lock::Timelock { height: Height(0x0102_0304_0506_0708), key: public(0x13) }),
        (
            "hashlock",
            Lock::HashLock {
                hash: bytes(0x14),
                claim: public(0x15),
                refund_height: Height(0x1112_1314_1516_1718),
                refund: public(0x16),
            },
        ),
    ]
}

fn witnesses() -> [(&'static str, Witness); 4] {
    [
        ("key", Witness::Key(signature(0x20))),
        ("multi", Witness::Multi(vec![(0, signature(0x21)), (3, signature(0x22))])),
        ("claim", Witness::Claim { preimage: bytes(0x23), signature: signature(0x24) }),
        ("refund", Witness::Refund(signature(0x25))),
    ]
}

pub(super) fn transaction(locks: &[Lock], witnesses: &[Witness]) -> Transaction {
    let inputs = (0..witnesses.len())
        .map(|index| OutPoint {
            txid: TxId(bytes(0x30)),
            vout: 0x0100 + u16::try_from(index).unwrap(),
        })
        .collect();
    let outputs = locks
        .iter()
        .map(|lock| Output { value: Amount(0x0807_0605_0403_0201), lock: lock.clone() })
        .collect();
    let body = TxBody {
        version: TxBody::VERSION,
        chain: ChainId([0xc0, 0xc1, 0xc2, 0xc3]),
        inputs,
        outputs,
        not_before: Height(0x0a0b),
        expiry_height: Height(u64::MAX),
        kind: TxKind::Transfer,
    };
    Transaction::new(body, witnesses.to_vec())
}

pub(super) fn full_transaction() -> Transaction {
    transaction(&locks().map(|(_, lock)| lock), &witnesses().map(|(_, witness)| witness))
}
