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
mod batch;
mod body_requests;
mod candidate;
mod candidates;
mod commit;
mod context;
mod door;
mod drain;
mod effect;
mod evidence;
mod exchange;
mod fork;
mod gathering;
mod health;
mod height;
mod held;
mod input;
mod later;
mod license;
mod licensing;
mod listening;
mod misses;
mod out;
mod overdue;
mod own_key;
mod peers;
mod pool;
mod presence;
mod proposal;
mod propose;
mod recent;
mod repeat;
mod report;
mod round;
mod round_trip;
mod safety;
mod shown;
mod signing;
mod status;
#[cfg(test)]
mod tests;
mod timing;
mod tip;
mod verdict;
mod voting;
mod why;
mod work;

pub use crate::wire::{Peer, Request, Ticket};
pub use effect::{Effect, StopKind};
pub use health::Trouble;
pub use held::Held;
pub use input::{Input, Timer};
pub use report::Report;
pub use safety::{Recovered, Refusal, SafetyRecord, Stop};
pub use signing::Signing;
pub use status::{EngineStatus, MasternodeStatus};
pub use why::{NilWhy, RoundWhy};

use crate::{
    crypto::Signer,
    genesis::Chain,
    inbound::Door,
    ledger::{LedgerState, LedgerView, Overlay},
    mempool::{Entry, Mempool, MempoolLimits},
    types::{Certificate, Height, MasternodeSet, Millis, NodeKey, Now, TxId},
};
use batch::Source;
use context::Context;
use evidence::Watch;
use health::Health;
use height::HeightState;
use later::LaterMessages;
use out::Out;
use own_key::OwnKey;
use peers::Peers;
use pool::{MEMPOOL_PERIOD, Pool};
use presence::PresenceRoom;
use std::sync::Arc;
use timing::Timing;
use tip::Tip;
use work::Queue;

/// What a node is made of.
pub struct EngineConfig {
    /// The chain it follows.
    pub chain: Arc<Chain>,
    /// Its consensus key; without one, or with one that is not a masternode's, it only observes.
    pub signer: Option<Arc<dyn Signer>>,
    /// Its identity in the network, which a masternode tells the others; none if it is to stay unknown.
    pub node: Option<NodeKey>,
    /// Bounds of its mempool.
    pub mempool: MempoolLimits,
    /// Whether the safety record is doubted: peers are asked for signatures of this key that it does
    /// not hold, and one of them stops the node. Only simulated twins, which share a key on purpose,
    /// believe it.
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

/// The node: rooms, each of which owns its fields, and the work between them.
///
/// A method of a room takes what it reads of the others as arguments. The methods of the engine join
/// rooms: they decide the order and nothing else.
pub struct Engine<V> {
    ctx: Context,
    tip: Tip<V>,
    height: HeightState,
    own: OwnKey,
    pool: Pool,
    peers: Peers,
    watch: Watch,
    door: Door,
    presence: PresenceRoom,
    later: LaterMessages,
    timing: Timing,
    health: Health,
    work: Queue,
    out: Out,
}

impl<V: LedgerView> Engine<V> {
    /// A node that has done nothing yet. The first input is [`Input::Start`].
    pub fn new(config: EngineConfig, view: V, stored: Stored) -> Self {
        let EngineConfig { chain, signer, node, mempool, doubts_record } = config;
        let set = Arc::new(chain.masternodes.clone());
        let me = signer.as_ref().and_then(|signer| set.index_of(&signer.public_key()));
        let members = set.len();
        let door = Door::new(chain.clone(), set.clone());
        let ctx = Context { chain, set, me };
        let tip = Tip::new(view, stored.state, stored.tip);
        Self {
            height: HeightState::new(&ctx, tip.next_height(), NOT_STARTED, NOT_STARTED, false),
            own: OwnKey::new(&ctx, signer, stored.safety, doubts_record),
            pool: Pool::new(ctx.chain.id(), mempool),
            peers: Peers::default(),
            watch: Watch::default(),
            door,
            presence: PresenceRoom::new(node),
            later: LaterMessages::default(),
            timing: Timing::new(members),
            health: Health::new(members),
            work: Queue::default(),
            out: Out::default(),
            ctx,
            tip,
        }
    }

    /// One event: what is to be done about it, in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        if !self.out.is_stopped() {
            self.dispatch(now, input);
            self.drain(now);
            self.health.note_troubles(now, self.out.reports());
        }
        self.out.take()
    }

    fn dispatch(&mut self, now: Now, input: Input) {
        match input {
            Input::Start => self.on_start(now),
            Input::PeerUp(peer) => self.on_peer_up(now, peer),
            Input::PeerDown(peer) => self.peers.down(peer),
            Input::Gossip { from, topic, bytes, ticket } => {
                self.at_door(now, |pass| pass.on_gossip(from, topic, bytes, ticket));
            }
            Input::Response { from, request, bytes } => {
                self.at_door(now, |pass| pass.on_response(from, request, bytes));
            }
            Input::Request { from, protocol, bytes, ticket } => {
                self.on_request(now, (from, ticket), protocol, &bytes);
            }
            Input::Done(outcome) => self.at_door(now, |pass| pass.on_done(outcome)),
            Input::Transactions { ticket, transactions } => {
                self.on_transactions(now, Source::Local, ticket, transactions);
            }
            Input::CoinsFound { ticket, coins } => self.on_coins_found(now, ticket, coins),
            Input::Verified { ticket, results } => self.on_verified_spends(now, ticket, results),
            Input::Executed { block, result } => self.on_executed(block, result),
            Input::Durable { height } => self.on_durable(now, height),
            Input::Timer(timer) => self.on_timer(now, timer),
            Input::PeerBusy { from, request } => self.on_peer_busy(now, from, &request),
            Input::RequestFailed { from, request } => self.on_request_failed(now, from, &request),
        }
    }

    fn on_timer(&mut self, now: Now, timer: Timer) {
        let here = self.height();
        match timer {
            Timer::Step(height, round, step) => self.on_step_timer(now, height, round, step),
            Timer::Due(height) if height == here => self.try_propose(now),
            Timer::Rebroadcast(height) if height == here => self.rebroadcast(now),
            Timer::Due(_) | Timer::Rebroadcast(_) => {}
            Timer::Bodies(block) => self.ask_for_bodies(now, block),
            Timer::Listen => self.listen(now),
            Timer::Sync => self.on_sync_timer(now),
            Timer::Blocks => self.advance_sync(now),
            Timer::Mempool => self.pool.on_timer(now, &mut self.out),
            Timer::Presence => {
                self.presence.on_timer(&self.ctx, &self.own.license, now, &mut self.out);
            }
        }
    }

    fn on_start(&mut self, now: Now) {
        self.out.set_timer(Timer::Sync, now.mono.plus(SYNC_PERIOD));
        self.out.set_timer(Timer::Mempool, now.mono.plus(MEMPOOL_PERIOD));
        self.presence.hasten(now, &mut self.out);
        self.begin_signing(now);
        self.start_height(now);
    }

    /// The height being decided.
    pub fn height(&self) -> Height {
        self.tip.next_height()
    }

    /// The mempool, to read.
    pub fn mempool(&self) -> &Mempool {
        &self.pool.mempool
    }

    /// A transaction that this node took and that is not final yet: in the mempool, or in a block that
    /// is decided and being written.
    pub fn pending(&self, txid: &TxId) -> Option<&Entry> {
        self.pool.mempool.get_by_txid(txid).or_else(|| self.tip.stack.entry(txid))
    }

    /// The coins after the last decided block, which may not be durable yet.
    pub fn view(&self) -> &Overlay<V> {
        &self.tip.view
    }

    /// The masternode set that votes now.
    pub fn masternodes(&self) -> &Arc<MasternodeSet> {
        &self.ctx.set
    }
}

const NOT_STARTED: Millis = Millis(0);
const SYNC_PERIOD: Millis = Millis(1_000);
