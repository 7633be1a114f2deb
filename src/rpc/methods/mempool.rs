//! The transactions that wait.
use crate::{
    node::PooledTransaction,
    rpc::{
        context::{Answer, Context, json},
        error::{Code, RpcError},
        params::Params,
        view::Money,
    },
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use timecoin_chain::types::{Amount, TxId};

/// Ids in one answer.
const IDS_MAX: u64 = 100_000;
/// Entries in one answer: each is a question to the node's loop.
const ENTRIES_MAX: u64 = 1_000;

#[derive(Serialize)]
struct MempoolInfo {
    loaded: bool,
    size: usize,
    bytes: usize,
    usage: usize,
    total_fee: Money,
    maxmempool: usize,
    max_transactions: usize,
    mempoolminfee: Money,
    minrelaytxfee: Money,
    incrementalrelayfee: Money,
    min_fee_rate: u64,
    unbroadcastcount: usize,
    fullrbf: bool,
}

pub(in crate::rpc) async fn info(context: &Context, _: Params<'_>) -> Answer {
    let stats = context.node.mempool_stats().await?;
    let relay = per_thousand(context.node.chain.params().min_relay_fee);
    json(&MempoolInfo {
        loaded: true,
        size: stats.transactions,
        bytes: stats.bytes,
        usage: stats.bytes,
        total_fee: Money(stats.fees),
        maxmempool: stats.bytes_max,
        max_transactions: stats.transactions_max,
        mempoolminfee: per_thousand(stats.min_fee_rate),
        minrelaytxfee: relay,
        incrementalrelayfee: relay,
        min_fee_rate: stats.min_fee_rate,
        unbroadcastcount: 0,
        fullrbf: true,
    })
}

/// Units for one byte as TIME for 1,000.
pub(in crate::rpc) fn per_thousand(units_per_byte: u64) -> Money {
    Money(Amount(units_per_byte.saturating_mul(1_000)))
}

#[derive(Serialize)]
struct EntryView {
    txid: String,
    wtxid: String,
    size: usize,
    vsize: usize,
    fee: Money,
    waiting_ms: u64,
    height: u64,
    expiry_height: u64,
}

impl EntryView {
    fn new(entry: &PooledTransaction) -> Self {
        Self {
            txid: entry.txid.to_string(),
            wtxid: entry.wtxid.to_string(),
            size: entry.bytes,
            vsize: entry.bytes,
            fee: Money(entry.fee),
            waiting_ms: entry.waiting.0,
            height: entry.height_added.0,
            expiry_height: entry.transaction.body.expiry_height.0,
        }
    }
}

/// Entries by id, in the pool's order.
struct ById(Vec<EntryView>);

impl Serialize for ById {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for entry in &self.0 {
            map.serialize_entry(&entry.txid, entry)?;
        }
        map.end()
    }
}

pub(in crate::rpc) async fn list(context: &Context, params: Params<'_>) -> Answer {
    let verbose = params.boolean("verbose")?.unwrap_or_default();
    let max = if verbose { ENTRIES_MAX } else { IDS_MAX };
    let limit = params.number("limit")?.unwrap_or(max);
    if limit > max {
        let text = format!("limit {limit} is above the {max} allowed");
        return Err(RpcError::new(Code::InvalidParameter, text));
    }
    let ids = context.node.mempool_ids(usize::try_from(limit).unwrap_or(usize::MAX)).await?;
    if !verbose {
        return json(&ids.iter().map(ToString::to_string).collect::<Vec<String>>());
    }
    let mut entries = Vec::with_capacity(ids.len());
    for txid in ids {
        // One that left meanwhile is no longer an answer.
        entries.extend(context.node.mempool_entry(txid).await?.as_ref().map(EntryView::new));
    }
    json(&ById(entries))
}

pub(in crate::rpc) async fn entry(context: &Context, params: Params<'_>) -> Answer {
    let txid: TxId = params.id("txid")?;
    match context.node.mempool_entry(txid).await? {
        Some(entry) => json(&EntryView::new(&entry)),
        None => {
            let text = format!("Transaction not in mempool: {txid} does not wait here");
            Err(RpcError::new(Code::NotFound, text).because("unknown-transaction"))
        }
    }
}
