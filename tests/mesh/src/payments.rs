//! Payments to a running network, and how long each takes to be final.
use crate::{
    node::Node,
    outcome::{Outcome, failed},
    watch::{Finality, Watch},
};
use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};
use timecoin::{
    rpc_client::RpcClient,
    wallet::{Coin, PaymentRequest, pay},
};
use timecoin_chain::{
    codec,
    crypto::{PublicKey, SecretKey, Signer},
    genesis::Chain,
    ledger::genesis_delta,
    types::{Amount, Height, Lock, Output, Transaction, TxBody, TxKind, Witness, signing_message},
};

/// How long the last payment may take.
const STRAGGLERS_WITHIN: Duration = Duration::from_secs(20);

/// How long large payments may take.
const FILLED_WITHIN: Duration = Duration::from_secs(90);
/// Outputs of a large payment, and keys of each.
const FAT_OUTPUTS: u64 = 180;
const FAT_KEYS: usize = 16;
/// Its fee and its other outputs.
const FAT_FEE: u64 = 200_000;

/// Signed payments, each of a genesis coin of its own.
pub(crate) struct Payments {
    signed: VecDeque<(String, String)>,
}

impl Payments {
    pub(crate) fn sign(chain: &Chain, purse: &SecretKey, count: usize) -> Outcome<Self> {
        let own = Lock::Key(purse.public_key());
        let sign = |coin: Coin| {
            let request = PaymentRequest {
                genesis: chain.hash,
                to: own.clone(),
                amount: Amount(coin.value.0 / 2),
                fee_rate: chain.params().min_relay_fee.max(1),
                expiry_height: Height(u64::MAX),
            };
            Ok(encoded(&pay(&request, purse, vec![coin])?.transaction))
        };
        let signed = coins(chain, purse).take(count).map(sign);
        Ok(Self { signed: signed.collect::<Outcome<_>>()? })
    }

    /// Payments as long as they may be, which do not compress: `count` times 95 KB, of the last coins.
    pub(crate) fn fat(chain: &Chain, purse: &SecretKey, count: usize) -> Self {
        let coins: Vec<Coin> = coins(chain, purse).collect();
        let last = &coins[coins.len().saturating_sub(count)..];
        let signed = (1..).zip(last).map(|(seed, coin)| encoded(&fat(chain, purse, *coin, seed)));
        Self { signed: signed.collect() }
    }

    /// Sends all of them, and waits until they are final; the heights of their blocks are among those told.
    pub(crate) fn send_all(&mut self, node: &Node) -> Outcome<Finality> {
        let watch = Watch::begin(node)?;
        let client = node.client();
        for (id, bytes) in self.signed.drain(..) {
            watch.expect(id, Instant::now());
            node.host.enter(|| client.call::<serde_json::Value>("sendrawtransaction", &[bytes]))?;
        }
        let told = watch.end(FILLED_WITHIN);
        if told.lost > 0 {
            return Err(failed(format!("{} large payments are not final", told.lost)));
        }
        Ok(told)
    }

    /// Sends payments to this node for a while, and waits until the node tells that they are final.
    pub(crate) fn measure(
        &mut self,
        node: &Node,
        span: Duration,
        per_second: u32,
    ) -> Outcome<Finality> {
        let watch = Watch::begin(node)?;
        node.host.enter(|| self.send(&node.client(), span, per_second, &watch))?;
        Ok(watch.end(STRAGGLERS_WITHIN))
    }

    fn send(
        &mut self,
        client: &RpcClient,
        span: Duration,
        per_second: u32,
        watch: &Watch,
    ) -> Outcome<()> {
        let begun = Instant::now();
        let period = Duration::from_secs(1) / per_second.max(1);
        for number in 0.. {
            let due = period * number;
            if due > span {
                return Ok(());
            }
            thread::sleep(due.saturating_sub(begun.elapsed()));
            let Some((id, bytes)) = self.signed.pop_front() else {
                return Err(failed("there are too few coins: enlarge the shape's `coins`"));
            };
            // From when it was due: a node that does not answer makes it late.
            watch.expect(id, begun + due);
            client.call::<serde_json::Value>("sendrawtransaction", &[bytes])?;
        }
        Ok(())
    }
}

fn coins(chain: &Chain, purse: &SecretKey) -> impl Iterator<Item = Coin> + use<> {
    let own = Lock::Key(purse.public_key());
    let created = genesis_delta(chain).created.into_iter().map(|created| created.coin);
    let own = created.filter(move |coin| coin.output.lock == own);
    own.map(|coin| Coin { outpoint: coin.outpoint, value: coin.output.value })
}

/// The id and the bytes.
fn encoded(transaction: &Transaction) -> (String, String) {
    (transaction.txid().to_string(), hex::encode(codec::encode(transaction)))
}

fn fat(chain: &Chain, purse: &SecretKey, coin: Coin, seed: u64) -> Transaction {
    let output = |number: u64| {
        let noise = timecoin_hostile::noise(seed * 1_000 + number, 32 * FAT_KEYS);
        let mut keys: Vec<PublicKey> =
            noise.as_chunks().0.iter().map(|bytes| PublicKey(*bytes)).collect();
        keys.sort_unstable();
        Output { value: Amount(1), lock: Lock::Multi { threshold: 1, keys } }
    };
    let spent = [Output { value: coin.value, lock: Lock::Key(purse.public_key()) }];
    let change = Output { value: Amount(coin.value.0 - FAT_FEE), lock: spent[0].lock.clone() };
    let body = TxBody {
        version: TxBody::VERSION,
        chain: chain.id(),
        inputs: vec![coin.outpoint],
        outputs: (0..FAT_OUTPUTS).map(output).chain([change]).collect(),
        not_before: Height(0),
        expiry_height: Height(u64::MAX),
        kind: TxKind::Transfer,
    };
    let signature = purse.sign(&signing_message(&chain.hash, &body, &spent));
    Transaction::new(body, vec![Witness::Key(signature)])
}
