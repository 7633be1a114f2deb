//! The chain of final blocks.
use crate::{
    api::{
        BlockAnswer, BlockId, ChainInfo, Code, CommitView, GetBestBlockHash, GetBlock,
        GetBlockCount, GetBlockHash, GetBlockchainInfo, GetCommit, JsonAmount, Level,
    },
    genesis_file::network_name,
    rpc::{
        context::{Context, Serve},
        error::RpcError,
        params::parse_id,
        reads::{block_at, hash_at},
        view,
    },
};
use timecoin_chain::{
    codec,
    types::{BlockHash, Height},
};
use timecoin_store::Store;

impl Serve for GetBlockchainInfo {
    async fn serve(self, context: &Context) -> Result<ChainInfo, RpcError> {
        let (state, stats) = context.reads.run(|store| Ok((store.state()?, store.stats()))).await?;
        let status = context.node.status();
        let chain = &context.node.chain;
        let headers = status.sync_target.max(state.height);
        Ok(ChainInfo {
            chain: network_name(context.network()).into(),
            genesis: chain.hash.to_string(),
            chain_id: chain.id().to_string(),
            blocks: state.height.0,
            headers: headers.0,
            bestblockhash: state.block.to_string(),
            time: state.timestamp.0 / 1_000,
            time_ms: state.timestamp.0,
            state_root: hex::encode(state.root()),
            supply: JsonAmount(state.supply),
            coins: stats.coins,
            verificationprogress: progress(state.height, headers),
            initialblockdownload: status.is_syncing(),
            size_on_disk: stats.bytes_on_disk,
            pruned: false,
            warnings: status.stopped.iter().cloned().chain(status.halt_reason()).collect(),
        })
    }
}

#[allow(clippy::cast_precision_loss, reason = "a ratio for people")]
fn progress(height: Height, target: Height) -> f64 {
    if target == Height::GENESIS { 1.0 } else { height.0 as f64 / target.0 as f64 }
}

impl Serve for GetBlockCount {
    async fn serve(self, context: &Context) -> Result<u64, RpcError> {
        context.reads.run(|store| Ok(store.state()?.height.0)).await
    }
}

impl Serve for GetBestBlockHash {
    async fn serve(self, context: &Context) -> Result<String, RpcError> {
        context.reads.run(|store| Ok(store.state()?.block.to_string())).await
    }
}

impl Serve for GetBlockHash {
    async fn serve(self, context: &Context) -> Result<String, RpcError> {
        let (chain, height) = (context.node.chain.clone(), Height(self.height));
        let read = move |store: &Store| match hash_at(store, &chain, height)? {
            Some(hash) => Ok(hash.to_string()),
            None => Err(out_of_range(store, height)),
        };
        context.reads.run(read).await
    }
}

impl Serve for GetBlock {
    const IS_LARGE: bool = true;

    async fn serve(self, context: &Context) -> Result<BlockAnswer, RpcError> {
        let which = Which::read(&self.block)?;
        let level = self.verbosity.map_or(1, Level::number);
        if level > 2 {
            let text = format!("verbosity {level} is not known, 0 to 2 are");
            return Err(RpcError::new(Code::InvalidParameter, text));
        }
        let chain = context.node.chain.clone();
        let read = move |store: &Store| {
            let height = which.height(store)?;
            let found = block_at(store, height)?;
            if level == 0 {
                return Ok(BlockAnswer::Hex(hex::encode(codec::encode(&found.0))));
            }
            let tip = store.state()?.height;
            let next = store.hash_at(height.next())?.map(|hash| hash.to_string());
            Ok(BlockAnswer::Block(Box::new(view::block(&chain, &found, tip, next, level == 2))))
        };
        context.reads.run(read).await
    }
}

impl Serve for GetCommit {
    async fn serve(self, context: &Context) -> Result<CommitView, RpcError> {
        let which = Which::read(&self.block)?;
        let chain = context.node.chain.clone();
        let read = move |store: &Store| {
            let height = which.height(store)?;
            let certificate = store.certificate(height)?.ok_or_else(|| {
                let text = format!("height {height} has no certificate: it is the genesis");
                RpcError::new(Code::NotFound, text).because("no-block")
            })?;
            Ok(view::commit(&chain.masternodes, &certificate))
        };
        context.reads.run(read).await
    }
}

/// Which block is meant.
enum Which {
    Hash(BlockHash),
    Height(Height),
}

impl Which {
    fn read(id: &BlockId) -> Result<Self, RpcError> {
        let text = match id {
            BlockId::Height(height) => return Ok(Self::Height(Height(*height))),
            BlockId::Text(text) => text,
        };
        match text.parse() {
            Ok(height) if text.len() < 20 => Ok(Self::Height(Height(height))),
            _ => Ok(Self::Hash(parse_id("block", text)?)),
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
                "Block height out of range: height {height} was asked for, the last final height is {}",
                state.height
            );
            RpcError::new(Code::InvalidParameter, text).because("height-out-of-range")
        }
        Err(error) => error.into(),
    }
}
