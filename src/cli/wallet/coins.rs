//! The coins of an address, as a node reports them, page by page.
use crate::{
    api::{ListUnspent, Unspent},
    rpc_client::RpcClient,
    terminal::{CliError, Exit},
    wallet::Coin,
};
use timecoin_chain::types::Amount;

/// Coins in one answer.
const PAGE: usize = 1_000;
/// Coins in one answer when all are read.
const LARGE_PAGE: usize = 10_000;

/// The coins of an address in pages, by ascending position.
pub(super) struct Pages<'a> {
    client: &'a RpcClient,
    address: &'a str,
    after: Option<u64>,
    size: usize,
    ended: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn new(client: &'a RpcClient, address: &'a str) -> Self {
        Self { client, address, after: None, size: PAGE, ended: false }
    }

    fn read(&mut self) -> Result<Vec<Unspent>, CliError> {
        let page = self.client.ask(&ListUnspent {
            addresses: Some(vec![self.address.to_owned()]),
            after_position: self.after,
            limit: Some(self.size as u64),
            ..ListUnspent::default()
        })?;
        self.ended = page.len() < self.size;
        self.after = page.last().map(|coin| coin.position);
        Ok(page)
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<Vec<Unspent>, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let page = self.read();
        self.ended |= page.is_err();
        Some(page)
    }
}

/// A coin for coin selection; `None` if its lock is not open yet.
pub(super) fn spendable(coin: &Unspent) -> Result<Option<Coin>, CliError> {
    let outpoint = coin.outpoint().ok_or_else(|| {
        CliError::new(Exit::Answered, format!("listunspent: `{}` is not an id", coin.txid))
    })?;
    Ok(coin.spendable.then_some(Coin { outpoint, value: coin.amount.0 }))
}

/// The sum of an address's coins, and how many there are.
pub(super) fn balance(client: &RpcClient, address: &str) -> Result<(Amount, usize), CliError> {
    let (mut total, mut coins) = (Amount::ZERO, 0);
    let mut pages = Pages { size: LARGE_PAGE, ..Pages::new(client, address) };
    while let Some(page) = pages.next().transpose()? {
        coins += page.len();
        for coin in page {
            total = total.checked_add(coin.amount.0).ok_or_else(|| {
                CliError::new(Exit::Answered, "listunspent: the amounts overflow")
            })?;
        }
    }
    Ok((total, coins))
}
