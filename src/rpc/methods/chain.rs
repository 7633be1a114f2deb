//! The chain of final blocks.
use crate::{
    genesis_file::network_name,
    rpc::{
        context::{Answer, Context, json},
        error::{Code, RpcError},
        params::{Params, parse_id},
        reads::{block_at, hash_at},
        view::{BlockView, CommitView, Money},
    },
};
use serde::Serialize;
use timecoin_chain::{
    codec,
    types::{BlockHash, Height},
};
use timecoin_store::Store;

#[derive(Serialize)]
struct ChainInfo {
    chain: &'static str,
    genesis: String,
    chain_id: String,
    blocks: u64,
    headers: u64,
    bestblockhash: String,
    time: u64,
    time_ms: u64,
    state_root: String,
    supply: Money,
    coins: Option<u64>,
    verificationprogress: f64,
    initialblockdownload: bool,
    size_on_disk: u64,
    pruned: bool,
    warnings: Vec<String>,
}

pub(in crate::rpc) async fn info(context: &Context, _: Params<'_>) -> Answer {
    let (state, stats) = context.reads.run(|store| Ok((store.state()?, store.stats()))).await?;
    let status = context.node.status();
    let chain = &context.node.chain;
    let headers = status.sync_target.max(state.height);
    json(&ChainInfo {
        chain: network_name(context.network()),
        genesis: chain.hash.to_string(),
        chain_id: chain.id().to_string(),
        blocks: state.height.0,
        headers: headers.0,
        bestblockhash: state.block.to_string(),
        time: state.timestamp.0 / 1_000,
        time_ms: state.timestamp.0,
        state_root: hex::encode(state.root()),
        supply: Money(state.supply),
        coins: stats.coins,
        verificationprogress: progress(state.height, headers),
        initialblockdownload: status.is_syncing(),
        size_on_disk: stats.bytes_on_disk,
        pruned: false,
        warnings: status.halted.iter().cloned().chain(status.stall_reason()).collect(),
    })
}

#[allow(clippy::cast_precision_loss, reason = "a ratio for people")]
fn progress(height: Height, target: Height) -> f64 {
    if target == Height::GENESIS { 1.0 } else { height.0 as f64 / target.0 as f64 }
}

pub(in crate::rpc) async fn block_count(context: &Context, _: Params<'_>) -> Answer {
    let height = context.reads.run(|store| Ok(store.state()?.height)).await?;
    json(&height.0)
}

pub(in crate::rpc) async fn best_block_hash(context: &Context, _: Params<'_>) -> Answer {
    let hash = context.reads.run(|store| Ok(store.state()?.block)).await?;
    json(&hash.to_string())
}

pub(in crate::rpc) async fn block_hash(context: &Context, params: Params<'_>) -> Answer {
    let height = Height(params.number("height")?.unwrap_or_default());
    let chain = context.node.chain.clone();
    let hash = context
        .reads
        .run(move |store| match hash_at(store, &chain, height)? {
            Some(hash) => Ok(hash),
            None => Err(out_of_range(store, height)),
        })
        .await?;
    json(&hash.to_string())
}

pub(in crate::rpc) async fn block(context: &Context, params: Params<'_>) -> Answer {
    let which = Which::read(&params)?;
    let level = params.level("verbosity", 1)?;
    if level > 2 {
        let text = format!("verbosity {level} is not known, 0 to 2 are");
        return Err(RpcError::new(Code::InvalidParameter, text));
    }
    let chain = context.node.chain.clone();
    let read = move |store: &Store| {
        let height = which.height(store)?;
        let found = block_at(store, height)?;
        if level == 0 {
            return json(&hex::encode(codec::encode(&found.0)));
        }
        let tip = store.state()?.height;
        let next = store.hash_at(height.next())?.map(|hash| hash.to_string());
        json(&BlockView::new(&chain, &found, tip, next, level == 2))
    };
    context.reads.run(read).await
}

pub(in crate::rpc) async fn commit(context: &Context, params: Params<'_>) -> Answer {
    let which = Which::read(&params)?;
    let chain = context.node.chain.clone();
    let read = move |store: &Store| {
        let height = which.height(store)?;
        let certificate = store.certificate(height)?.ok_or_else(|| {
            let text = format!("height {height} has no certificate: it is the genesis");
            RpcError::new(Code::NotFound, text).because("no-block")
        })?;
        json(&CommitView::new(&chain.masternodes, &certificate))
    };
    context.reads.run(read).await
}

/// Which block is meant.
enum Which {
    Hash(BlockHash),
    Height(Height),
}

impl Which {
    /// A hash, a height, or a height written as a text, as command lines send it.
    fn read(params: &Params<'_>) -> Result<Self, RpcError> {
        let name = "block";
        let is_text = params.raw(name).is_some_and(|raw| raw.get().starts_with('"'));
        if !is_text {
            return Ok(Self::Height(Height(params.number(name)?.unwrap_or_default())));
        }
        let text = params.text(name)?.unwrap_or_default();
        match text.parse() {
            Ok(height) if text.len() < 20 => Ok(Self::Height(Height(height))),
            _ => Ok(Self::Hash(parse_id(name, &text)?)),
        }
    }

    /// A height that is final here.
    fn height(&self, store: &Store) -> Result<Height, RpcError> {
        match self {
            Self::Height(height) if *height > store.state()?.height => {
                Err(out_of_range(store, *height))
            }
            Self::Height(height) => Ok(*height),
            Self::Hash(hash) => store.height_of(hash)?.ok_or_else(|| {
                let text = format!("Block not found: no final block has the hash {hash}");
                RpcError::new(Code::NotFound, text).because("no-block")
            }),
        }
    }
}

fn out_of_range(store: &Store, height: Height) -> RpcError {
    match store.state() {
        Ok(state) => {
            let text = format!(
                "Block height out of range: {height} is asked for, {} is the last final height",
                state.height
            );
            RpcError::new(Code::InvalidParameter, text).because("height-out-of-range")
        }
        Err(error) => error.into(),
    }
}
