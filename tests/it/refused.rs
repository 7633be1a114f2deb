//! Transactions that RPC refuses: each with its reason, and none leaves a trace.
use crate::{
    money::{Purse, coins, hex_of},
    net::{Net, Refusal},
    room::Room,
    wait::eventually,
};
use nix::sys::signal::Signal;
use serde_json::json;
use timecoin::{
    api::{FinalityStatus, GetFinality},
    wallet::Coin,
};
use timecoin_chain::{
    crypto::{SecretKey, Signature},
    genesis::ChainId,
    limits::TX_BYTES_MAX,
    types::{Amount, Height, Lock, OutPoint, Output, Transaction, TxBody, TxId, TxKind, Witness},
};

/// Bitcoin Core's answer in the same case.
const DECODE: i64 = -22;
const MISSING: i64 = -25;
const REJECTED: i64 = -26;
const IN_CHAIN: i64 = -27;

#[test]
fn a_transaction_that_breaks_a_rule_is_refused_by_name_and_leaves_nothing_behind() {
    let net = Net::up(Room::one(), 1, 1, &[]);
    let purse = Purse::open(&net, "alice");
    let before = coins(&net.nodes[0], &purse.address);
    for (hex, code, reason, words) in broken(&purse) {
        for node in &net.nodes {
            let refusal = node.refusal("sendrawtransaction", json!([hex]));
            assert_eq!((refusal.code, refusal.reason.as_str()), (code, reason), "{refusal:?}");
            assert!(refusal.message.contains(words), "no `{words}` in {refusal:?}");
            assert_eq!(node.call::<Vec<String>>("getrawmempool", json!([])), [""; 0]);
            assert_eq!(coins(node, &purse.address), before, "after {refusal:?}");
        }
        println!("{code} {reason}: {words}");
    }
    let balance = net.wallet(&["balance", "alice"]).json();
    assert_eq!(balance["balance"], "1000000.00000000");
    net.assert_sound();
}

/// Bytes, code, reason and words of each refusal.
fn broken(purse: &Purse) -> Vec<(String, i64, &'static str, &'static str)> {
    let coin = purse.coins[0];
    let sound = body(purse, &[coin], &[coin.value.0 - 1_000]);
    let signed = |body: TxBody| hex_of(&purse.sign(body, &[coin]));
    let sound_hex = signed(sound.clone());
    let of = |outputs: &[u64]| signed(body(purse, &[coin], outputs));
    let with = |change: fn(&mut TxBody)| {
        let mut body = sound.clone();
        change(&mut body);
        signed(body)
    };

    let mut forged = purse.sign(sound.clone(), &[coin]);
    forged.edit(|tx| {
        let Witness::Key(signature) = &mut tx.witnesses[0] else { return };
        let mut bytes = signature.to_bytes();
        bytes[63] ^= 1;
        *signature = Signature::from_bytes(&bytes);
    });
    let thief = Purse { secret: SecretKey::from_bytes(&[7; 32]), ..empty(purse) };
    let stolen = hex_of(&thief.sign(sound.clone(), &[coin]));
    let twice = hex_of(&purse.sign(body(purse, &[coin, coin], &[1_000]), &[coin, coin]));
    let unknown = Coin { outpoint: OutPoint { txid: TxId([9; 32]), vout: 0 }, ..coin };
    let unknown = hex_of(&purse.sign(body(purse, &[unknown], &[1_000]), &[unknown]));

    vec![
        (of(&[coin.value.0 + 1]), REJECTED, "bad-txns-in-belowout", "exceed inputs"),
        (of(&[u64::MAX, u64::MAX]), REJECTED, "bad-txns-txouttotal-toolarge", "overflows"),
        (of(&[0]), REJECTED, "bad-txns-vout-zero", "output 0 has no value"),
        (of(&[]), REJECTED, "bad-txns-vout-empty", "no outputs"),
        (of(&[coin.value.0]), REJECTED, "min relay fee not met", "is below"),
        (hex_of(&forged), REJECTED, "bad-signature", "not valid"),
        (stolen, REJECTED, "bad-signature", "not valid"),
        (twice, REJECTED, "bad-txns-inputs-duplicate", "stands twice"),
        (unknown, MISSING, "bad-txns-inputs-missingorspent", "does not exist or is already spent"),
        (with(|body| body.chain = ChainId([1; 4])), REJECTED, "wrong-chain", "for chain 01010101"),
        (with(|body| body.version = 2), REJECTED, "version", "version 2 is not supported"),
        (with(|body| body.expiry_height = Height(0)), REJECTED, "expired", "after its last height"),
        (with(|body| body.not_before = Height(1 << 40)), REJECTED, "non-final", "before its first"),
        (format!("{sound_hex}00"), DECODE, "tx-decode", "1 trailing bytes"),
        (sound_hex[..sound_hex.len() - 2].into(), DECODE, "tx-decode", "malformed"),
        (sound_hex[..sound_hex.len() - 1].into(), DECODE, "tx-decode", "Odd number of digits"),
        (sound_hex.replace('0', "x"), DECODE, "tx-decode", "Invalid character"),
        (oversized(purse, coin), DECODE, "tx-decode", "bytes exceed the 100000 allowed"),
    ]
}

#[test]
fn a_coin_is_spent_once_whether_the_first_spend_is_pending_or_final() {
    let net = Net::up(Room::one(), 1, 1, &[]);
    let full = net.node("full0");
    let purse = Purse::open(&net, "alice");
    let coin = purse.coins[0];
    let spend = |value: u64| purse.sign(body(&purse, &[coin], &[value]), &[coin]);
    let [first, second] = [coin.value.0 - 5_000, coin.value.0 - 5_001].map(spend);

    // Without its only masternode the chain stands still, so the first spend stays pending.
    net.signal("val0", Signal::SIGSTOP);
    let txid: String = full.call("sendrawtransaction", json!([hex_of(&first)]));
    assert_eq!(txid, first.txid().to_string());
    let again: String = full.call("sendrawtransaction", json!([hex_of(&first)]));
    assert_eq!(again, txid, "the same transaction is no second spend");
    let refusal = full.refusal("sendrawtransaction", json!([hex_of(&second)]));
    assert_refused(&refusal, REJECTED, "insufficient fee", "a replacement must pay");
    println!("while it is pending: {}", refusal.message);
    assert_eq!(full.call::<Vec<String>>("getrawmempool", json!([])), [txid.as_str()]);
    assert_eq!(state_of(&net, &second), FinalityStatus::Unknown);
    net.signal("val0", Signal::SIGCONT);

    eventually("the first spend is final", || {
        let state = state_of(&net, &first);
        match state {
            FinalityStatus::Final => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let refusal = full.refusal("sendrawtransaction", json!([hex_of(&second)]));
    assert_refused(&refusal, MISSING, "bad-txns-inputs-missingorspent", "already spent");
    println!("once it is final: {}", refusal.message);
    let refusal = full.refusal("sendrawtransaction", json!([hex_of(&first)]));
    assert_refused(&refusal, IN_CHAIN, "txn-already-known", "already final at height");
    assert_eq!(full.call::<Vec<String>>("getrawmempool", json!([])), [""; 0]);
    assert_eq!(state_of(&net, &second), FinalityStatus::Unknown);
    let balance = net.wallet(&["balance", "alice", "--node", "full0"]).json();
    assert_eq!(balance["balance"], "999999.99995000", "only the first fee is paid");
    net.assert_sound();
}

fn assert_refused(refusal: &Refusal, code: i64, reason: &str, words: &str) {
    assert_eq!((refusal.code, refusal.reason.as_str()), (code, reason), "{refusal:?}");
    assert!(refusal.message.contains(words), "no `{words}` in {refusal:?}");
}

fn state_of(net: &Net, transaction: &Transaction) -> FinalityStatus {
    net.node("full0").ask(&GetFinality { txid: transaction.txid().to_string() }).status
}

/// A body that spends these coins and pays these values back to the purse.
fn body(purse: &Purse, coins: &[Coin], outputs: &[u64]) -> TxBody {
    let output = |value: &u64| Output { value: Amount(*value), lock: purse.lock() };
    TxBody {
        version: TxBody::VERSION,
        chain: purse.genesis.chain_id(),
        inputs: coins.iter().map(|coin| coin.outpoint).collect(),
        outputs: outputs.iter().map(output).collect(),
        not_before: Height::GENESIS,
        expiry_height: Height(u64::MAX),
        kind: TxKind::Transfer,
    }
}

/// As few outputs as possible, each with the largest lock.
fn oversized(purse: &Purse, coin: Coin) -> String {
    let keys: Vec<_> = (0..16).map(|byte| timecoin_chain::crypto::PublicKey([byte; 32])).collect();
    let lock = Lock::Multi { threshold: 16, keys };
    let mut body = body(purse, &[coin], &[1; 200]);
    for output in &mut body.outputs {
        output.lock = lock.clone();
    }
    let hex = hex_of(&purse.sign(body, &[coin]));
    assert!(hex.len() > 2 * TX_BYTES_MAX);
    hex
}

fn empty(purse: &Purse) -> Purse {
    Purse {
        genesis: purse.genesis,
        secret: purse.secret.clone(),
        address: purse.address.clone(),
        coins: Default::default(),
    }
}
