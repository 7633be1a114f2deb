//! Masternodes that provably broke the rules.
//!
//! The ledger's state holds the height of the block that recorded each offender, so at most one block
//! for each masternode is read.
use crate::{
    api::{EvidenceView, ListEvidence, RecordedIn},
    rpc::{
        context::{Context, Serve},
        error::RpcError,
        reads::block_at,
    },
};
use std::collections::BTreeSet;
use timecoin_chain::{
    codec,
    types::{BlockHash, Evidence, Height, MasternodeSet},
};
use timecoin_store::Store;

/// Evidence and the block that holds it.
struct Recorded {
    evidence: Evidence,
    height: Height,
    hash: BlockHash,
}

impl Recorded {
    fn place(&self) -> RecordedIn {
        RecordedIn { height: self.height.0, hash: self.hash.to_string() }
    }
}

impl Serve for ListEvidence {
    async fn serve(self, context: &Context) -> Result<Vec<EvidenceView>, RpcError> {
        let status = context.node.status();
        let recorded = context.reads.run(recorded).await?;
        let set = &context.node.chain.masternodes;
        // The status may be older than the database.
        let known: BTreeSet<u16> = recorded.iter().map(|known| known.evidence.offender()).collect();
        let waiting =
            status.evidence.iter().filter(|evidence| !known.contains(&evidence.offender()));
        let mut views: Vec<EvidenceView> = recorded
            .iter()
            .map(|known| view(set, &known.evidence, Some(known.place())))
            .chain(waiting.map(|evidence| view(set, evidence, None)))
            .collect();
        views.sort_by_key(|view| view.offender);
        Ok(views)
    }
}

fn view(set: &MasternodeSet, evidence: &Evidence, recorded: Option<RecordedIn>) -> EvidenceView {
    let offender = evidence.offender();
    let member = set.get(offender);
    EvidenceView {
        offender,
        key: member.map(|member| member.key.to_string()),
        weight: member.map_or(0, |member| member.weight),
        kind: evidence.kind().name().into(),
        height: evidence.height().0,
        round: evidence.round().0.into(),
        text: evidence.to_string(),
        recorded,
        hex: hex::encode(codec::encode(evidence)),
    }
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
