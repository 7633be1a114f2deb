//! Step tables of the rooms: each alone, without an engine. Describe, feed, compare what comes out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod body_requests;
mod height;
mod key;
mod peers;
mod pool;
mod queue;
mod watch;

use super::{Effect, context::Context, height::HeightState, out::Out, tip::Tip};
use crate::{
    crypto::{PublicKey, SecretKey, Signature, Signer},
    genesis::{Allocation, Chain, Genesis, Network, Params, Timeout},
    ledger::{MemoryView, genesis_delta},
    types::{
        Amount, Block, BlockHash, ConsensusMessage, Header, Height, Lock, Masternode, Millis, Now,
        Proposal, Round, Timestamp, Transaction, Vote, VoteKind,
    },
};
use std::sync::Arc;

const SPACING: Millis = Millis(100);
const INTERVAL: Millis = Millis(10_000);
const DRIFT: Millis = Millis(5_000);
/// The first height: the one that the fixtures decide.
const H: Height = Height(1);
const A: BlockHash = BlockHash([0xaa; 32]);
const B: BlockHash = BlockHash([0xbb; 32]);

fn secrets() -> Vec<SecretKey> {
    let mut secrets: Vec<_> = (1..=4).map(|byte| SecretKey::from_bytes(&[byte; 32])).collect();
    secrets.sort_unstable_by_key(|secret| secret.public_key());
    secrets
}

fn params() -> Params {
    let timeout = Timeout { base: Millis(1_000), step: Millis(500) };
    Params {
        block_interval: INTERVAL,
        min_block_spacing: SPACING,
        propose_timeout: timeout,
        vote_timeout: timeout,
        timeout_max: Millis(60_000),
        clock_drift_max: DRIFT,
        epoch_blocks: 10,
        evidence_age_blocks: 5,
        block_bytes_max: 256 * 1024,
        min_relay_fee: 1,
        issuance_per_day: Amount::ZERO,
        treasury: Lock::Key(PublicKey([1; 32])),
    }
}

/// Four equal masternodes, as one of them or an observer sees them.
fn context(me: Option<u16>) -> Context {
    let lock = |secret: &SecretKey| Lock::Key(secret.public_key());
    let masternode = |secret: &SecretKey| Masternode {
        key: secret.public_key(),
        weight: 1,
        payout: lock(secret),
    };
    let chain = Chain::new(Genesis {
        network: Network::Dev,
        time: Timestamp(1_000_000),
        params: params(),
        masternodes: secrets().iter().map(masternode).collect(),
        allocations: vec![Allocation {
            lock: lock(&secrets()[0]),
            value: Amount::from_time(100),
            outputs: 4,
        }],
    });
    let chain = Arc::new(chain.unwrap());
    Context { set: Arc::new(chain.masternodes.clone()), chain, me }
}

/// Genesis.
fn tip(ctx: &Context) -> Tip<MemoryView> {
    let delta = genesis_delta(&ctx.chain);
    let mut view = MemoryView::default();
    view.apply(&delta);
    Tip::new(view, delta.state, None)
}

/// The first height, in round 0.
fn height(ctx: &Context) -> HeightState {
    let mut height = HeightState::new(ctx, H, Millis(0), Millis(0), false);
    height.consensus.start(None);
    height
}

fn at(ms: u64) -> Now {
    Now { mono: Millis(ms), wall: Timestamp(1_000_000 + ms) }
}

fn vote(kind: VoteKind, round: u32, block: Option<BlockHash>, signer: u16) -> Vote {
    let signature = Signature::from_bytes(&[0; 64]);
    Vote { kind, height: H, round: Round(round), block, valid_round: None, signer, signature }
}

/// A block of the first height, told apart by its timestamp. Its header does not commit to its body.
fn block(ctx: &Context, number: u64, transactions: Vec<Transaction>) -> Block {
    let header = Header {
        version: Header::VERSION,
        chain: ctx.chain.id(),
        height: H,
        parent: BlockHash(ctx.chain.hash.0),
        timestamp: Timestamp(1_000_000 + number),
        proposer: ctx.proposer(H, Round(0)),
        state_root: [0; 32],
        masternodes: ctx.set.hash(),
        transactions_root: [0; 32],
        witnesses_root: [0; 32],
        last_commit: [0; 32],
        evidence: [0; 32],
    };
    Block { header, transactions, last_commit: None, evidence: vec![] }
}

fn proposal(block: &Block) -> Proposal {
    let ids = block.transactions.iter().map(Transaction::wtxid).collect();
    Proposal::of_block(block, ids, Round(0), None, Signature::from_bytes(&[0; 64]))
}

/// The effects so far, each in a few words.
fn said(out: &mut Out) -> Vec<String> {
    out.take().iter().map(brief).collect()
}

fn brief(effect: &Effect) -> String {
    match effect {
        Effect::Persist { record, blocks } => {
            format!("persist {}/{} with {} blocks", record.height, record.round, blocks.len())
        }
        Effect::Publish { message, attempt } => format!("publish {} {attempt}", kind_of(message)),
        Effect::Announce(presence) => format!("announce until {}", presence.expires.0),
        Effect::KeepPlaces(nodes) => format!("keep places for {}", nodes.len()),
        Effect::Regossip { transactions, .. } => format!("regossip {}", transactions.len()),
        Effect::Request { to, request } => format!("ask {} {request:?}", to.0),
        Effect::Respond { ticket, .. } => format!("respond {}", ticket.0),
        Effect::Serve { ticket, request } => format!("serve {} {request:?}", ticket.0),
        Effect::Refuse { ticket } => format!("refuse {}", ticket.0),
        Effect::Judge { ticket, verdict } => format!("judge {} {verdict:?}", ticket.0),
        Effect::Blame { peer, reason } => format!("blame {} {reason}", peer.0),
        Effect::Run(job) => format!("run {} us", job.price_us()),
        Effect::Relay { transactions } => format!("relay {}", transactions.len()),
        Effect::LookUp { ticket, inputs } => format!("look up {} {}", ticket.0, inputs.len()),
        Effect::Verify { ticket, spends } => format!("verify {} {}", ticket.0, spends.len()),
        Effect::Admission { ticket, results } => {
            let admitted = results.iter().filter(|result| result.is_ok()).count();
            format!("admission {} {admitted}/{}", ticket.0, results.len())
        }
        Effect::Execute(execution) => format!("execute, {} verified", execution.verified.len()),
        Effect::Cancel { block } => format!("cancel {block:?}"),
        Effect::Commit { certificate, .. } => format!("commit {}", certificate.height),
        Effect::SetTimer { timer, at } => format!("{timer:?} at {}", at.0),
        Effect::Report(report) => format!("report {report}"),
        Effect::Stop { reason, .. } => format!("stop: {reason}"),
    }
}

fn kind_of(message: &ConsensusMessage) -> &'static str {
    match message {
        ConsensusMessage::Vote(_) => "vote",
        ConsensusMessage::Proposal(_) => "proposal",
        ConsensusMessage::Certificate(_) => "certificate",
        ConsensusMessage::Round(_) => "round",
        ConsensusMessage::Evidence(_) => "evidence",
    }
}
