//! Simulated users: they pay each other with any coins that they know of, some of them twice.
use crate::{fold::Fold, node::Node, rng::Rng, setup::Setup};
use std::collections::BTreeMap;
use timecoin_chain::{
    crypto::Signature,
    types::{
        Amount, Height, Lock, OutPoint, Output, Transaction, TxBody, TxId, TxKind, Witness,
        signing_message,
    },
};

/// The maximum number of payments of one seed.
const PAYMENTS_MAX: usize = 60;

struct KnownCoin {
    outpoint: OutPoint,
    output: Output,
    owner: usize,
    is_spent: bool,
}

/// A payment that a node accepted.
struct Accepted {
    expiry: Height,
    /// Where, and in which of its lives.
    by: Vec<(usize, u64)>,
}

/// How a payment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// In a final block.
    Final,
    /// No block can include it any more.
    Lost,
    /// Every node that accepted it crashed since, or another payment took its place in a mempool.
    Forgotten,
    /// Still pending.
    Open,
}

/// All users together.
pub struct Payments {
    coins: Vec<KnownCoin>,
    sent: BTreeMap<TxId, (Vec<OutPoint>, Height)>,
    accepted: BTreeMap<TxId, Accepted>,
}

impl Payments {
    /// Users who know of the first coins.
    pub fn new(setup: &Setup, genesis: &Fold) -> Self {
        let mut payments =
            Self { coins: Vec::new(), sent: BTreeMap::new(), accepted: BTreeMap::new() };
        for (outpoint, output) in &genesis.coins {
            payments.learn(setup, *outpoint, output);
        }
        payments
    }

    fn learn(&mut self, setup: &Setup, outpoint: OutPoint, output: &Output) {
        let owner =
            setup.accounts.iter().position(|key| output.lock == Lock::Key(key.public_key()));
        if let Some(owner) = owner {
            let output = output.clone();
            self.coins.push(KnownCoin { outpoint, output, owner, is_spent: false });
        }
    }

    /// The next payment. `height` is where the chain is.
    pub fn draw(&mut self, rng: &mut Rng, setup: &Setup, height: Height) -> Option<Transaction> {
        if self.sent.len() >= PAYMENTS_MAX {
            return None;
        }
        let twice = rng.chance(150);
        let usable: Vec<usize> = (0..self.coins.len())
            .filter(|&index| self.coins[index].is_spent == twice)
            .filter(|&index| self.coins[index].output.value.0 > 100_000)
            .collect();
        let index = *usable.get(rng.index(usable.len().max(1)))?;
        let coin = &mut self.coins[index];
        coin.is_spent = true;
        let fee = if rng.chance(50) { 10 } else { rng.between(400, 8_000) };
        let change = rng.between(1, coin.output.value.0 - fee - 1);
        let receiver = setup.accounts[rng.index(setup.accounts.len())].public_key();
        let output = |value, key| Output { value: Amount(value), lock: Lock::Key(key) };
        let owner = &setup.accounts[coin.owner];
        let body = TxBody {
            version: TxBody::VERSION,
            chain: setup.chain.id(),
            inputs: vec![coin.outpoint],
            outputs: vec![
                output(coin.output.value.0 - fee - change, receiver),
                output(change, owner.public_key()),
            ],
            not_before: Height(0),
            expiry_height: Height(height.0 + if rng.chance(100) { 3 } else { 1_000 }),
            kind: TxKind::Transfer,
        };
        let message = signing_message(&setup.chain.hash, &body, std::slice::from_ref(&coin.output));
        let signature = match rng.chance(30) {
            true => Signature::from_bytes(&[7; 64]),
            false => owner.sign(&message),
        };
        let tx = Transaction::new(body, vec![Witness::Key(signature)]);
        let txid = tx.txid();
        for (vout, output) in tx.body.outputs.iter().enumerate() {
            self.learn(setup, Transaction::outpoint(txid, vout), output);
        }
        self.sent.insert(txid, (tx.body.inputs.clone(), tx.body.expiry_height));
        Some(tx)
    }

    /// A node accepted a payment of its own user.
    pub fn accepted(&mut self, txid: TxId, node: usize, incarnation: u64) {
        let Some((_, expiry)) = self.sent.get(&txid) else { return };
        self.accepted
            .entry(txid)
            .or_insert_with(|| Accepted { expiry: *expiry, by: Vec::new() })
            .by
            .push((node, incarnation));
    }

    /// The outcome of every accepted payment.
    pub fn fates<'a>(
        &'a self,
        ledger: &'a Fold,
        nodes: &'a [Node],
    ) -> impl Iterator<Item = (TxId, Fate)> + 'a {
        self.accepted.iter().map(|(txid, accepted)| {
            let is_remembered = |&(node, incarnation): &(usize, u64)| {
                nodes[node].running.is_some() && nodes[node].incarnation == incarnation
            };
            let fate = if ledger.transactions.contains_key(txid) {
                Fate::Final
            } else if accepted.expiry <= ledger.height || self.is_lost(txid, ledger) {
                Fate::Lost
            } else if self.is_contested(txid) || !accepted.by.iter().any(is_remembered) {
                Fate::Forgotten
            } else {
                Fate::Open
            };
            (*txid, fate)
        })
    }

    /// Whether another payment spends what it, or a parent, spends: either may replace the other, and
    /// the one that did may expire.
    fn is_contested(&self, txid: &TxId) -> bool {
        let Some((inputs, _)) = self.sent.get(txid) else { return false };
        inputs.iter().any(|input| {
            let spends = |(other, (theirs, _)): (&TxId, &(Vec<OutPoint>, _))| {
                other != txid && theirs.contains(input)
            };
            self.sent.iter().any(spends) || self.is_contested(&input.txid)
        })
    }

    /// Whether a final block spends one of its inputs, or of its parents' inputs, otherwise.
    fn is_lost(&self, txid: &TxId, ledger: &Fold) -> bool {
        let Some((inputs, expiry)) = self.sent.get(txid) else { return false };
        if ledger.transactions.contains_key(txid) {
            return false;
        }
        *expiry <= ledger.height
            || inputs.iter().any(|input| {
                ledger.spent.get(input).is_some_and(|spender| spender != txid)
                    || self.is_lost(&input.txid, ledger)
            })
    }
}
