//! Unspent outputs.
use crate::{
    api::{Code, GetTxOut, JsonAmount, ListUnspent, TxOut, Unspent, ValidateAddress, Validated},
    rpc::{
        context::{Context, Serve},
        error::RpcError,
        params::{parse_id, parse_lock},
        view::{self, confirmations},
    },
};
use timecoin_chain::{
    address::{address_of_lock, parse_address},
    ledger::{LedgerView, PositionedCoin},
    types::{Height, Lock, OutPoint, Output, TxId},
};
use timecoin_store::Store;

/// Coins in one answer.
const COINS_MAX: u64 = 10_000;
const COINS_DEFAULT: u64 = 1_000;
/// Coins read from the index at a time.
const PAGE: usize = 1_000;
/// Addresses in one request.
const ADDRESSES_MAX: usize = 1_000;

impl Serve for GetTxOut {
    async fn serve(self, context: &Context) -> Result<Option<TxOut>, RpcError> {
        let txid: TxId = parse_id("txid", &self.txid)?;
        // No transaction has an output beyond 16 bits.
        let Ok(vout) = u16::try_from(self.n) else { return Ok(None) };
        let outpoint = OutPoint { txid, vout };
        let read = move |store: &Store| {
            let coin = store.coin(&outpoint)?;
            let has_body = store.transaction(&txid)?.is_some_and(|place| place.index.is_some());
            Ok((store.state()?, coin, has_body))
        };
        // The mempool first: a transaction that enters a block between the two reads is found in
        // the block.
        let waiting = match self.include_mempool.unwrap_or(true) {
            true => context.node.mempool_entry(txid).await?,
            false => None,
        };
        let (state, coin, has_body) = context.reads.run(read).await?;
        let network = context.network();
        let bestblock = state.block.to_string();
        if let Some(PositionedCoin { position, coin }) = coin {
            return Ok(Some(TxOut {
                bestblock,
                confirmations: confirmations(state.height, coin.height),
                value: JsonAmount(coin.output.value),
                lock: view::lock(network, &coin.output.lock),
                height: Some(coin.height.0),
                position: Some(position),
                coinbase: !has_body,
            }));
        }
        let output: Option<&Output> = waiting
            .as_ref()
            .and_then(|entry| entry.transaction.body.outputs.get(usize::from(vout)));
        Ok(output.map(|output| TxOut {
            bestblock,
            confirmations: 0,
            value: JsonAmount(output.value),
            lock: view::lock(network, &output.lock),
            height: None,
            position: None,
            coinbase: false,
        }))
    }
}

impl Serve for ListUnspent {
    const IS_LARGE: bool = true;

    async fn serve(self, context: &Context) -> Result<Vec<Unspent>, RpcError> {
        let network = context.network();
        let addresses = self.addresses.unwrap_or_default();
        if addresses.is_empty() {
            let text = "name at least one address: this node keeps no wallet";
            return Err(RpcError::new(Code::InvalidParameter, text).because("no-address"));
        }
        if addresses.len() > ADDRESSES_MAX {
            let count = addresses.len();
            let text = format!("addresses has {count} entries, {ADDRESSES_MAX} are allowed");
            return Err(RpcError::new(Code::InvalidParameter, text));
        }
        let locks = addresses
            .iter()
            .map(|text| parse_lock(network, text))
            .collect::<Result<Vec<_>, _>>()?;
        let limit = self.limit.unwrap_or(COINS_DEFAULT);
        if !(1..=COINS_MAX).contains(&limit) {
            let text = format!("limit {limit} is not between 1 and {COINS_MAX}");
            return Err(RpcError::new(Code::InvalidParameter, text));
        }
        let query = Query {
            minconf: self.minconf.unwrap_or(1),
            maxconf: self.maxconf.unwrap_or(u64::MAX),
            after: self.after_position,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        };
        let read = move |store: &Store| {
            let tip = store.state()?.height;
            let mut coins = Vec::new();
            for lock in &locks {
                coins.extend(query.coins_of(store, tip, lock)?);
            }
            coins.sort_by_key(|coin| coin.position);
            // An address that was named twice counts once.
            coins.dedup_by_key(|coin| coin.position);
            coins.truncate(query.limit);
            Ok(coins.iter().map(|coin| view::unspent(network, tip, coin)).collect())
        };
        context.reads.run(read).await
    }
}

/// Which coins are asked for.
struct Query {
    minconf: u64,
    maxconf: u64,
    after: Option<u64>,
    limit: usize,
}

impl Query {
    /// The first coins of one lock, as many as the whole answer may hold.
    fn coins_of(
        &self,
        store: &Store,
        tip: Height,
        lock: &Lock,
    ) -> Result<Vec<PositionedCoin>, RpcError> {
        let (mut found, mut after) = (Vec::new(), self.after);
        loop {
            let page = store.coins_of(lock, after, PAGE)?;
            after = page.last().map(|coin| coin.position);
            let is_last = page.len() < PAGE;
            found.extend(page.into_iter().filter(|coin| self.wants(tip, coin.coin.height)));
            if is_last || found.len() >= self.limit {
                found.truncate(self.limit);
                return Ok(found);
            }
        }
    }

    fn wants(&self, tip: Height, height: Height) -> bool {
        (self.minconf..=self.maxconf).contains(&confirmations(tip, height))
    }
}

impl Serve for ValidateAddress {
    async fn serve(self, context: &Context) -> Result<Validated, RpcError> {
        let (text, network) = (self.address, context.network());
        Ok(match parse_address(network, &text) {
            Ok(lock) => Validated {
                isvalid: true,
                address: address_of_lock(network, &lock).unwrap_or(text),
                lock: Some(view::lock(network, &lock)),
                error: None,
            },
            Err(error) => {
                let error = Some(error.to_string());
                Validated { isvalid: false, address: text, lock: None, error }
            }
        })
    }
}
