//! Who has provably broken the rules.
//!
//! What is recorded is found through the ledger's state: it holds the height of the block for each
//! offender, so that at most one block for each masternode is read.
use crate::rpc::{
    context::{Answer, Context, json},
    error::RpcError,
    params::Params,
    reads::block_at,
};
use serde::Serialize;
use std::collections::BTreeSet;
use timecoin_chain::{
    codec,
    types::{BlockHash, Evidence, Height, MasternodeSet},
};
use timecoin_store::Store;

#[derive(Serialize)]
struct EvidenceView {
    offender: u16,
    key: Option<String>,
    weight: u64,
    kind: &'static str,
    height: u64,
    round: u32,
    text: String,
    /// The block that recorded it; none while it waits for one.
    recorded: Option<RecordedView>,
    /// Its canonical bytes, for whoever checks the signatures.
    hex: String,
}

#[derive(Serialize)]
struct RecordedView {
    height: u64,
    hash: String,
}

/// Evidence and the block that holds it.
struct Recorded {
    evidence: Evidence,
    height: Height,
    hash: BlockHash,
}

impl Recorded {
    fn view(&self) -> RecordedView {
        RecordedView { height: self.height.0, hash: self.hash.to_string() }
    }
}

impl EvidenceView {
    fn new(set: &MasternodeSet, evidence: &Evidence, recorded: Option<RecordedView>) -> Self {
        let offender = evidence.offender();
        let member = set.get(offender);
        Self {
            offender,
            key: member.map(|member| member.key.to_string()),
            weight: member.map_or(0, |member| member.weight),
            kind: evidence.kind().name(),
            height: evidence.height().0,
            round: evidence.round().0,
            text: evidence.to_string(),
            recorded,
            hex: hex::encode(codec::encode(evidence)),
        }
    }
}

pub(in crate::rpc) async fn list(context: &Context, _: Params<'_>) -> Answer {
    let status = context.node.status();
    let recorded = context.reads.run(recorded).await?;
    let set = &context.node.chain.masternodes;
    // The status may be older than the database.
    let known: BTreeSet<u16> = recorded.iter().map(|known| known.evidence.offender()).collect();
    let waiting = status.evidence.iter().filter(|evidence| !known.contains(&evidence.offender()));
    let mut views: Vec<EvidenceView> = recorded
        .iter()
        .map(|known| EvidenceView::new(set, &known.evidence, Some(known.view())))
        .chain(waiting.map(|evidence| EvidenceView::new(set, evidence, None)))
        .collect();
    views.sort_by_key(|view| view.offender);
    json(&views)
}

/// All recorded evidence.
fn recorded(store: &Store) -> Result<Vec<Recorded>, RpcError> {
    let heights: BTreeSet<Height> = store.state()?.offences.into_iter().flatten().collect();
    let mut found = Vec::new();
    for height in heights {
        let (block, _) = block_at(store, height)?;
        let hash = block.hash();
        found.extend(block.evidence.into_iter().map(|evidence| Recorded {
            evidence,
            height,
            hash,
        }));
    }
    Ok(found)
}
