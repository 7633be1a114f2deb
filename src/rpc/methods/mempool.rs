//! The transactions in the mempool.
use crate::{
    api::{
        Code, GetMempoolEntry, GetMempoolInfo, GetRawMempool, JsonAmount, MempoolAnswer,
        MempoolEntry, MempoolInfo,
    },
    node::PooledTransaction,
    rpc::{
        context::{Context, Serve},
        error::RpcError,
        params::parse_id,
    },
};
use timecoin_chain::types::{Amount, TxId};

/// Ids in one answer.
const IDS_MAX: u64 = 100_000;
/// Entries in one answer: each costs a query to the node's loop.
const ENTRIES_MAX: u64 = 1_000;

impl Serve for GetMempoolInfo {
    async fn serve(self, context: &Context) -> Result<MempoolInfo, RpcError> {
        let stats = context.node.mempool_stats().await?;
        let relay = per_thousand(context.node.chain.params().min_relay_fee);
        Ok(MempoolInfo {
            loaded: true,
            size: stats.transactions as u64,
            bytes: stats.bytes as u64,
            usage: stats.bytes as u64,
            total_fee: JsonAmount(stats.fees),
            maxmempool: stats.bytes_max as u64,
            max_transactions: stats.transactions_max as u64,
            mempoolminfee: per_thousand(stats.min_fee_rate),
            minrelaytxfee: relay,
            incrementalrelayfee: relay,
            min_fee_rate: stats.min_fee_rate,
            unbroadcastcount: 0,
            fullrbf: true,
        })
    }
}

/// Units for one byte as TIME for 1,000.
pub(in crate::rpc) fn per_thousand(units_per_byte: u64) -> JsonAmount {
    JsonAmount(Amount(units_per_byte.saturating_mul(1_000)))
}

fn entry(entry: &PooledTransaction) -> MempoolEntry {
    MempoolEntry {
        txid: entry.txid.to_string(),
        wtxid: entry.wtxid.to_string(),
        size: entry.bytes as u64,
        vsize: entry.bytes as u64,
        fee: JsonAmount(entry.fee),
        waiting_ms: entry.waiting.0,
        height: entry.height_added.0,
        expiry_height: entry.transaction.body.expiry_height.0,
    }
}

impl Serve for GetRawMempool {
    const IS_LARGE: bool = true;

    async fn serve(self, context: &Context) -> Result<MempoolAnswer, RpcError> {
        let verbose = self.verbose.unwrap_or_default();
        let max = if verbose { ENTRIES_MAX } else { IDS_MAX };
        let limit = self.limit.unwrap_or(max);
        if limit > max {
            let text = format!("limit {limit} is above the {max} allowed");
            return Err(RpcError::new(Code::InvalidParameter, text));
        }
        let ids = context.node.mempool_ids(usize::try_from(limit).unwrap_or(usize::MAX)).await?;
        if !verbose {
            return Ok(MempoolAnswer::Ids(ids.iter().map(ToString::to_string).collect()));
        }
        let mut entries = Vec::with_capacity(ids.len());
        for txid in ids {
            // Skips transactions that have left the pool since.
            entries.extend(context.node.mempool_entry(txid).await?.as_ref().map(entry));
        }
        Ok(MempoolAnswer::Entries(entries))
    }
}

impl Serve for GetMempoolEntry {
    async fn serve(self, context: &Context) -> Result<MempoolEntry, RpcError> {
        let txid: TxId = parse_id("txid", &self.txid)?;
        let found = context.node.mempool_entry(txid).await?;
        found.as_ref().map(entry).ok_or_else(|| {
            let text = format!("Transaction not in mempool: {txid} does not wait here");
            RpcError::new(Code::NotFound, text).because("unknown-transaction")
        })
    }
}
