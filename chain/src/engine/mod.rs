//! The whole node as a function: `handle(now, input) -> effects`.
//!
//! Joins consensus, mempool, ledger and sync. The shell in `src/` carries effects out over libp2p and
//! redb; the simulator carries out the same effects in virtual time.
//!
//! Never does anything itself: no clock, no socket, no disk, no log. Never waits: what takes time is
//! an effect whose answer is an input.
//!
//! Invariants: a signed message is published only after the record that holds it was persisted; the next
//! height may begin before a block is durable, but no precommit is signed for it; a node that knows a
//! later final height signs nothing, nor does one whose key is not licensed (`license.rs`).
mod admission;
mod bodies;
mod candidate;
mod commit;
mod effect;
mod evidence;
mod held;
mod input;
mod later;
mod license;
mod peers;
mod propose;
mod repeat;
mod report;
mod safety;
mod status;
mod timing;
mod voting;
mod why;

pub use effect::{Effect, HaltKind, PeerAnswer};
pub use held::Held;
pub use input::{Ask, Input, Peer, Request, Source, Ticket, Timer};
pub use license::Signing;
pub use report::Report;
pub use safety::{Recovered, Refusal, SafetyRecord, Stop};
pub use status::{EngineStatus, MasternodeStatus, Trouble};
pub use why::{NilWhy, RoundWhy};

use crate::{
    consensus::{self, Consensus, NilReason, Output, Step},
    crypto::Signer,
    genesis::Chain,
    ledger::{LedgerState, LedgerView, Overlay},
    mempool::{Entry, Mempool, MempoolLimits},
    sync::Planner,
    types::{BlockHash, Certificate, Height, MasternodeSet, Millis, Now, Round, TxId, VoteKind},
};
use admission::Admissions;
use candidate::Candidates;
use commit::Stack;
use evidence::Watch;
use later::LaterMessages;
use license::License;
use safety::Guard;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};
use timing::Timing;
use voting::OwedVote;

/// What a node is made of.
pub struct EngineConfig {
    /// The chain it follows.
    pub chain: Arc<Chain>,
    /// Its consensus key; without one, or with one that is not a masternode's, it only observes.
    pub signer: Option<Arc<dyn Signer>>,
    /// Bounds of its mempool.
    pub mempool: MempoolLimits,
    /// Whether the safety record is doubted: peers are asked for signatures of this key that it does
    /// not hold, and one of them stops the node. Only simulated twins, which share a key on purpose,
    /// and planted faults believe it.
    pub doubts_record: bool,
}

/// What the store held at start.
pub struct Stored {
    /// The ledger state after the last committed block.
    pub state: LedgerState,
    /// The certificate of that block; none at genesis.
    pub tip: Option<Certificate>,
    /// The safety record. A key begins with one: where there is none, it is lost.
    pub safety: Option<Recovered>,
}

/// The node.
pub struct Engine<V> {
    chain: Arc<Chain>,
    set: Arc<MasternodeSet>,
    me: Option<u16>,
    /// The coins after the last decided block.
    view: Overlay<V>,
    /// The state after it.
    state: Arc<LedgerState>,
    /// What decided it.
    tip: Option<Arc<Certificate>>,
    /// Decided blocks that are not durable yet.
    stack: Stack,
    guard: Option<Guard>,
    license: License,
    doubts_record: bool,
    recovered: Option<Recovered>,
    consensus: Consensus,
    candidates: Candidates,
    decided: Option<Arc<Certificate>>,
    later: LaterMessages,
    watch: Watch,
    mempool: Mempool,
    admissions: Admissions,
    sync: Planner<Peer>,
    /// What proved the planner's target.
    proof: Option<Certificate>,
    /// The round in which this node still owes a proposal.
    owes_proposal: Option<Round>,
    /// Whether the propose timer of this height already counts from a transaction's arrival.
    hurried: bool,
    /// How often the propose timer of the current round was set again.
    patience: u32,
    /// By how much a proposal of the current round is ahead of this node's clock.
    skewed: Option<(Round, Millis)>,
    timing: Timing,
    /// From where the spacing to the next block is counted.
    spacing_from: Millis,
    height_started: Millis,
    /// The blocks that were made durable with the last record.
    persisted_blocks: BTreeSet<BlockHash>,
    /// Votes that wait for a block to become durable.
    owed_votes: Vec<OwedVote>,
    repeats: u64,
    turns: BTreeMap<peers::Turn, Peer>,
    /// Whether a laggard was helped, or a status asked for on a hint, since the last timer.
    helped: bool,
    hinted: bool,
    /// Own transactions that are not in a block yet.
    local: BTreeSet<TxId>,
    regossips: u8,
    last_heard: Vec<Option<Millis>>,
    halted: Option<String>,
    troubles: VecDeque<Trouble>,
    effects: Vec<Effect>,
}

impl<V: LedgerView> Engine<V> {
    /// A node that has done nothing yet. The first input is [`Input::Start`].
    pub fn new(config: EngineConfig, view: V, stored: Stored) -> Self {
        let EngineConfig { chain, signer, mempool, doubts_record } = config;
        let set = Arc::new(chain.masternodes.clone());
        let me = signer.as_ref().and_then(|signer| set.index_of(&signer.public_key()));
        let record = stored.safety.as_ref().map(|recovered| recovered.record.clone());
        let state = Arc::new(stored.state);
        let next = state.height.next();
        let (license, guard) = match signer.zip(me) {
            Some((signer, me)) => License::at_start(signer, me, chain.hash, record),
            None => (License::Granted, None),
        };
        Self {
            consensus: Consensus::new(set.clone(), me, next),
            mempool: Mempool::new(chain.id(), mempool),
            last_heard: vec![None; set.len()],
            timing: Timing::new(set.len()),
            chain,
            set,
            me,
            view: Overlay::new(view, Vec::new()),
            stack: Stack::new(state.clone()),
            state,
            tip: stored.tip.map(Arc::new),
            guard,
            license,
            doubts_record,
            recovered: stored.safety,
            candidates: Candidates::default(),
            decided: None,
            later: LaterMessages::default(),
            watch: Watch::default(),
            admissions: Admissions::default(),
            sync: Planner::default(),
            proof: None,
            owes_proposal: None,
            hurried: false,
            patience: 0,
            skewed: None,
            spacing_from: Millis::default(),
            height_started: Millis::default(),
            persisted_blocks: BTreeSet::new(),
            owed_votes: Vec::new(),
            repeats: 0,
            turns: BTreeMap::new(),
            helped: false,
            hinted: false,
            local: BTreeSet::new(),
            regossips: 0,
            halted: None,
            troubles: VecDeque::new(),
            effects: Vec::new(),
        }
    }

    /// One event: what is to be done about it, in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        if self.halted.is_none() {
            self.dispatch(now, input);
            while self.advance(now) {}
            self.note_troubles(now);
        }
        let mut effects = std::mem::take(&mut self.effects);
        if self.halted.is_some() {
            // What was wanted after the stop is not done.
            let stop = effects.iter().position(|effect| matches!(effect, Effect::Halt { .. }));
            effects.truncate(stop.map_or(0, |stop| stop + 1));
        }
        effects
    }

    fn dispatch(&mut self, now: Now, input: Input) {
        match input {
            Input::Start => self.on_start(now),
            Input::PeerUp(peer) => self.on_peer_up(now, peer),
            Input::PeerDown(peer) => self.on_peer_down(peer),
            Input::Message { from, message } => self.on_message(now, from, message),
            Input::Transactions { source, ticket, transactions } => {
                self.on_transactions(now, source, ticket, transactions);
            }
            Input::Checked { ticket, results } => self.on_checked(now, ticket, results),
            Input::Executed { block, result } => self.on_executed(now, block, result),
            Input::Committed { height } => self.on_committed(now, height),
            Input::Timer(timer) => self.on_timer(now, timer),
            Input::Status { from, tip } => self.on_status(now, from, tip),
            Input::Blocks { from, blocks } => self.on_blocks(from, blocks),
            Input::Bodies { from: _, transactions } => self.on_bodies(now, transactions),
            Input::RequestFailed { from, request } => self.on_request_failed(from, &request),
            Input::Ask { ticket, ask } => self.on_ask(ticket, &ask),
        }
    }

    /// The height being decided.
    pub fn height(&self) -> Height {
        self.state.height.next()
    }

    /// The mempool, to read.
    pub fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    /// A transaction that this node took and that is not final yet: in the mempool, or in a block that
    /// is decided and being written.
    pub fn pending(&self, txid: &TxId) -> Option<&Entry> {
        self.mempool.get_by_txid(txid).or_else(|| self.stack.entry(txid))
    }

    /// The coins after the last decided block, which may not be durable yet.
    pub fn view(&self) -> &Overlay<V> {
        &self.view
    }

    /// The masternode set that votes now.
    pub fn masternodes(&self) -> &Arc<MasternodeSet> {
        &self.set
    }

    fn on_start(&mut self, now: Now) {
        self.set_timer(Timer::Sync, now.mono.plus(SYNC_PERIOD));
        self.set_timer(Timer::Mempool, now.mono.plus(MEMPOOL_PERIOD));
        self.begin_signing(now);
        self.start_height(now);
    }

    /// Begins the height after the decided one.
    fn start_height(&mut self, now: Now) {
        let height = self.height();
        self.candidates = Candidates::default();
        self.decided = None;
        self.owes_proposal = None;
        self.owed_votes.clear();
        self.hurried = !self.mempool.is_empty();
        self.repeats = 0;
        self.height_started = now.mono;
        self.forget_old_evidence();
        self.license_at_height(height);
        self.consensus = Consensus::new(self.set.clone(), self.me, height);
        let resume = self.take_recovered(height);
        let outputs = self.consensus.start(resume);
        self.run(now, outputs);
        self.recount_own_messages(now);
        self.recover_decision(now, height);
        self.set_rebroadcast(now);
        for message in self.later.take(height) {
            self.apply_message(now, None, message);
        }
        if let Some(proof) = self.proof.take_if(|proof| proof.height == height) {
            self.drive(now, consensus::Input::Certificate(proof));
        }
        self.advance_sync();
    }

    fn on_timer(&mut self, now: Now, timer: Timer) {
        match timer {
            Timer::Step(height, round, step) if height == self.height() => {
                if step != Step::Propose || !self.waits_for_own_verdict(now, round) {
                    self.drive(now, consensus::Input::Timeout { round, step });
                }
            }
            Timer::Due(height) if height == self.height() => self.try_propose(now),
            Timer::Rebroadcast(height) if height == self.height() => self.rebroadcast(now),
            Timer::Step(..) | Timer::Due(_) | Timer::Rebroadcast(_) => {}
            Timer::Bodies(block) => self.ask_for_bodies(now, block),
            Timer::Listen => self.listen(now),
            Timer::Sync => self.on_sync_timer(now),
            Timer::Mempool => self.on_mempool_timer(now),
        }
    }

    fn drive(&mut self, now: Now, input: consensus::Input) {
        let outputs = self.consensus.handle(input);
        self.run(now, outputs);
    }

    /// Carries out what the state machine wants; own votes go back into it at once, after the record
    /// that makes them durable.
    fn run(&mut self, now: Now, outputs: Vec<Output>) {
        let mut queue = VecDeque::from(outputs);
        while let Some(output) = queue.pop_front() {
            match output {
                Output::RoundStarted { round, reason } => self.on_round_started(round, reason),
                Output::Propose { round, .. } => self.on_propose(now, round),
                Output::Cast { kind, round, block, valid_round, nil } => {
                    self.report_nil(kind, round, nil);
                    self.note_cast(now, kind, round, nil);
                    let vote = OwedVote { kind, round, block, valid_round };
                    if let Some(vote) = self.cast(vote) {
                        queue.extend(self.consensus.handle(consensus::Input::Vote(vote)));
                    }
                }
                Output::SetTimer { round, step } => self.set_step_timer(now, round, step),
                // In round 0 everyone has the votes; later, somebody may have missed them.
                Output::Locked(polka) if polka.round > Round(0) => self.publish_certificate(polka),
                Output::Locked(_) => {}
                Output::Decide(certificate) => {
                    if certificate.round == self.consensus.round() {
                        self.timing.quorum(VoteKind::Precommit, now.mono);
                    }
                    self.on_decided(certificate);
                }
            }
        }
    }

    fn set_step_timer(&mut self, now: Now, round: Round, step: Step) {
        let params = self.chain.params();
        let (from, span) = match step {
            Step::Propose => {
                let is_first = round == Round(0);
                let due = if is_first { self.proposal_due(now) } else { now.mono };
                if self.patience == 0 {
                    self.timing.round(due);
                }
                (due, self.timing.propose_timeout(params, &self.set, round))
            }
            Step::Prevote => (now.mono, self.timing.vote_timeout(params, VoteKind::Prevote, round)),
            Step::Precommit => {
                (now.mono, self.timing.vote_timeout(params, VoteKind::Precommit, round))
            }
        };
        self.set_timer(Timer::Step(self.height(), round, step), from.plus(span));
    }

    /// What a vote of the state machine says about how long the round took so far.
    fn note_cast(&mut self, now: Now, kind: VoteKind, round: Round, nil: Option<NilReason>) {
        self.timing.cast(kind, now.mono);
        let proposer = self.set.proposer(self.height(), round);
        match (kind, nil) {
            (VoteKind::Prevote, Some(NilReason::NoProposal)) => {
                self.timing.missed(proposer, now.mono);
            }
            (VoteKind::Prevote, _) => self.timing.proposed(proposer, now.mono),
            (VoteKind::Precommit, None | Some(NilReason::NilPolka)) => {
                self.timing.quorum(VoteKind::Prevote, now.mono);
            }
            (VoteKind::Precommit, _) => {}
        }
    }

    fn set_timer(&mut self, timer: Timer, at: Millis) {
        self.effects.push(Effect::SetTimer { timer, at });
    }

    fn halt(&mut self, reason: String) {
        self.stop(HaltKind::Contradiction, reason);
    }

    fn stop(&mut self, kind: HaltKind, reason: String) {
        self.halted = Some(reason.clone());
        self.effects.push(Effect::Halt { kind, reason });
    }
}

const SYNC_PERIOD: Millis = Millis(1_000);
const MEMPOOL_PERIOD: Millis = Millis(3_000);
