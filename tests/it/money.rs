//! Signed payments without the command line: one coin each, so that none depends on another.
use crate::net::{Net, Node};
use std::collections::VecDeque;
use timecoin::{
    api::{ListUnspent, Unspent},
    wallet::{Coin, PaymentRequest, WalletFile, path_of, pay},
};
use timecoin_chain::{
    codec,
    crypto::{SecretKey, Signer},
    genesis::GenesisHash,
    types::{Amount, Height, Lock, Output, Transaction, TxBody, Witness, signing_message},
};

/// A wallet's key and its coins.
pub(crate) struct Purse {
    pub(crate) genesis: GenesisHash,
    pub(crate) secret: SecretKey,
    pub(crate) address: String,
    pub(crate) coins: VecDeque<Coin>,
}

impl Purse {
    /// A wallet of a network, with all its coins.
    pub(crate) fn open(net: &Net, name: &str) -> Self {
        let path = path_of(&net.dir.join("wallets"), name).unwrap();
        let WalletFile { address, secret, .. } = WalletFile::load(&path).unwrap();
        let coins = coins(&net.nodes[0], &address);
        Self { genesis: net.genesis(), secret, address, coins }
    }

    /// Pays from the next coin, which is then no longer in the purse.
    pub(crate) fn pay(&mut self, to: &Lock, amount: Amount) -> Transaction {
        let coin = self.coins.pop_front().expect("the test was given enough coins");
        self.pay_from(coin, to, amount)
    }

    /// Pays from one coin.
    pub(crate) fn pay_from(&self, coin: Coin, to: &Lock, amount: Amount) -> Transaction {
        let request = PaymentRequest {
            genesis: self.genesis,
            to: to.clone(),
            amount,
            fee_rate: 1,
            expiry_height: Height(u64::MAX),
        };
        pay(&request, &self.secret, vec![coin]).unwrap().transaction
    }

    /// The condition for spending coins of this purse.
    pub(crate) fn lock(&self) -> Lock {
        Lock::Key(self.secret.public_key())
    }

    /// Signs a body that spends these coins of this purse, valid or not.
    pub(crate) fn sign(&self, body: TxBody, coins: &[Coin]) -> Transaction {
        let spent: Vec<Output> =
            coins.iter().map(|coin| Output { value: coin.value, lock: self.lock() }).collect();
        let signature = self.secret.sign(&signing_message(&self.genesis, &body, &spent));
        Transaction::new(body, vec![Witness::Key(signature); coins.len()])
    }
}

/// The encoding that RPC takes.
pub(crate) fn hex_of(transaction: &Transaction) -> String {
    hex::encode(codec::encode(transaction))
}

/// The final coins of an address at a node.
pub(crate) fn coins(node: &Node, address: &str) -> VecDeque<Coin> {
    let addresses = Some(vec![address.to_owned()]);
    let unspent = node.ask(&ListUnspent { addresses, limit: Some(10_000), ..Default::default() });
    let coin =
        |unspent: &Unspent| Coin { outpoint: unspent.outpoint().unwrap(), value: unspent.amount.0 };
    unspent.iter().map(coin).collect()
}
