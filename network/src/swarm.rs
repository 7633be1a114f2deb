//! The one task that owns the swarm.
//!
//! Invariants: it awaits only its own select; every queue it writes to is bounded and written with
//! `try_send`; no source of work can starve another, because each iteration takes a bounded number
//! of items from each.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Swarm,
    gossipsub::{MessageAcceptance, PublishError as GossipError},
    request_response::{InboundRequestId, OutboundRequestId},
    swarm::{
        ConnectionId, DialError as SwarmDialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::MissedTickBehavior,
};

use crate::{
    address,
    behaviour::Behaviour,
    budget::Budget,
    discovery::{Connections, Discovery},
    error::{DialError, RequestError},
    exchange::{Answered, InboundRequest, Response},
    gossip::{Gossip, Judged, Open, Tickets, Verdict},
    handle::{Command, Publication},
    journal::{self, Journal},
    memory::Memory,
    peers::Peers,
    rate::Rates,
    ration::Rations,
    reach::{Evidence, Reachability},
    records,
    saved::Saved,
    standing::{Offence, Party, Sentence},
    stats::Stats,
    topic::{Lane, Names, Protocol, Topic, Topics},
    why::Why,
};

/// Gossipsub 0.50 re-arms its heartbeat without registering for the wake-up, so on a quiet swarm
/// nothing polls it and mesh repair, score decay and message expiry stop. Each tick polls the swarm
/// again; ticks must be much more frequent than the heartbeat of 700 ms.
const TICK: Duration = Duration::from_millis(250);
const EVENTS_PER_TURN: usize = 64;
const HIGH_PER_TURN: usize = 64;
const LOW_PER_TURN: usize = 32;
const GOODBYE: Duration = Duration::from_millis(400);
/// How long a peer of another chain is refused without a check.
const REFUSED_FOR: Duration = Duration::from_secs(5);
const REFUSED_MAX: usize = 256;
/// The longest interval between two looks at what the next start is given.
const SAVE_PAUSE_MAX: Duration = Duration::from_secs(60);
/// Outbound peers that the next start dials first: those that were connected longest.
pub(crate) const ANCHORS: usize = 2;

/// The sources of work.
pub(crate) struct Inlets {
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) high: mpsc::Receiver<Command>,
    pub(crate) low: mpsc::Receiver<Command>,
    pub(crate) bulk: mpsc::Receiver<Command>,
    pub(crate) replies: mpsc::Receiver<Answered>,
    pub(crate) fast_verdicts: mpsc::Receiver<Judged>,
    pub(crate) bulk_verdicts: mpsc::Receiver<Judged>,
}

/// The destinations of results.
pub(crate) struct Outlets {
    pub(crate) fast: mpsc::Sender<Gossip>,
    pub(crate) bulk: mpsc::Sender<Gossip>,
    pub(crate) requests: mpsc::Sender<InboundRequest>,
    pub(crate) replies: mpsc::Sender<Answered>,
    pub(crate) listen: watch::Sender<Vec<Multiaddr>>,
    pub(crate) reach: watch::Sender<Reachability>,
    pub(crate) saved: watch::Sender<Arc<Saved>>,
}

pub(crate) type Asked =
    HashMap<(Protocol, OutboundRequestId), oneshot::Sender<Result<Bytes, RequestError>>>;

/// The swarm and its state.
pub(crate) struct Node {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) names: Names,
    pub(crate) topics: Topics,
    pub(crate) allow_private: bool,
    pub(crate) version_max: u32,
    pub(crate) stats: Stats,
    pub(crate) peers: Peers,
    pub(crate) discovery: Discovery,
    pub(crate) rates: Rates,
    pub(crate) evidence: Evidence,
    pub(crate) fast_tickets: Tickets,
    pub(crate) bulk_tickets: Tickets,
    pub(crate) asked: Asked,
    /// Answers that are being built or that peers have not read yet.
    pub(crate) answers: Budget<(Protocol, InboundRequestId)>,
    pub(crate) dials:
        HashMap<ConnectionId, (Multiaddr, oneshot::Sender<Result<PeerId, DialError>>)>,
    /// Peers of other chains and when they may connect again.
    pub(crate) refused: VecDeque<(Instant, PeerId)>,
    pub(crate) outlets: Outlets,
    pub(crate) journal: Journal,
    pub(crate) memory: Memory,
    pub(crate) rations: Rations,
    /// When to look next whether the state for the next start has changed.
    pub(crate) save_at: Instant,
    /// From then to the next look: longer and longer.
    pub(crate) save_pause: Duration,
}

impl Node {
    /// Runs until it is asked to stop or every handle is dropped. `ended` closes after the
    /// teardown.
    pub(crate) async fn run(mut self, mut inlets: Inlets, ended: watch::Sender<()>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = inlets.stop.wait_for(|stop| *stop) => break,
                Some(command) = inlets.high.recv() => self.on_command(command),
                Some(judged) = inlets.fast_verdicts.recv() => self.on_verdict(Lane::Fast, judged),
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(answered) = inlets.replies.recv() => self.on_answered(answered),
                Some(command) = inlets.low.recv() => self.on_command(command),
                Some(judged) = inlets.bulk_verdicts.recv() => self.on_verdict(Lane::Bulk, judged),
                Some(command) = inlets.bulk.recv() => self.on_command(command),
                due = tick.tick() => self.on_tick(due.into_std()),
            }
            self.catch_up(&mut inlets);
        }
        self.save(Instant::now());
        self.say_goodbye().await;
        // When `ended` closes, every port is free and every queue is closed.
        drop(self);
        drop(inlets);
        drop(ended);
    }

    /// Handles other ready items, a bounded number from each source: with a biased select alone, a
    /// busy source would starve all later ones.
    fn catch_up(&mut self, inlets: &mut Inlets) {
        self.stats.counters.loop_turns.add_one();
        for _ in 0..EVENTS_PER_TURN {
            self.catch_up_fast(inlets);
            match self.swarm.select_next_some().now_or_never() {
                Some(event) => self.on_event(event),
                None => break,
            }
        }
        for _ in 0..LOW_PER_TURN {
            let Ok(answered) = inlets.replies.try_recv() else { break };
            self.on_answered(answered);
        }
        for _ in 0..LOW_PER_TURN {
            let Ok(command) = inlets.low.try_recv() else { break };
            self.on_command(command);
        }
        for _ in 0..LOW_PER_TURN {
            let Ok(judged) = inlets.bulk_verdicts.try_recv() else { break };
            self.on_verdict(Lane::Bulk, judged);
        }
        for _ in 0..LOW_PER_TURN {
            self.catch_up_fast(inlets);
            let Ok(command) = inlets.bulk.try_recv() else { break };
            self.on_command(command);
        }
        self.peers.tell();
    }

    fn catch_up_fast(&mut self, inlets: &mut Inlets) {
        for _ in 0..HIGH_PER_TURN {
            let Ok(command) = inlets.high.try_recv() else { break };
            self.on_command(command);
        }
        for _ in 0..HIGH_PER_TURN {
            let Ok(judged) = inlets.fast_verdicts.try_recv() else { break };
            self.on_verdict(Lane::Fast, judged);
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Publish(publication) => self.publish(publication),
            Command::Request { peer, protocol, bytes, answer } => {
                self.request(peer, protocol, bytes, answer)
            }
            Command::Dial { peer, address, outcome } => {
                self.dial_for_application(peer, address, outcome)
            }
            Command::Disconnect { peer, outcome } => {
                self.discovery.postpone(&peer, Instant::now());
                self.note_departure(peer, "disconnected by the operator");
                // The application may have stopped waiting.
                let _ = outcome.send(self.swarm.disconnect_peer_id(peer).is_ok());
            }
            Command::Blame { peer } => self.blame(peer, Offence::Invalid, Instant::now()),
            Command::KeepPlaces { peers } => self.swarm.behaviour_mut().gate.keep_places(&peers),
            Command::Ban { party, reason, duration, outcome } => {
                let now = Instant::now();
                self.swarm.behaviour_mut().gate.standings.ban(party, reason, duration, now);
                self.on_banned(party);
                let _ = outcome.send(());
            }
            Command::Unban { party, outcome } => {
                let now = Instant::now();
                let was_banned = self.swarm.behaviour_mut().gate.standings.unban(&party, now);
                self.save(now);
                let _ = outcome.send(was_banned);
            }
            Command::Bans { outcome } => {
                let _ = outcome.send(self.swarm.behaviour().gate.standings.bans(Instant::now()));
            }
            Command::Ask(question) => self.on_question(question, Instant::now()),
        }
    }

    fn publish(&mut self, publication: Publication) {
        let Publication { topic, wire } = publication;
        let hash = self.topics.hash(topic);
        let counters = &self.stats.counters;
        match self.swarm.behaviour_mut().gossip(topic.lane()).publish(hash, wire) {
            Ok(_) => self.stats.topic(topic).published.add_one(),
            Err(GossipError::Duplicate) => counters.publish_duplicate.add_one(),
            Err(GossipError::NoPeersSubscribedToTopic) => counters.no_peers_subscribed.add_one(),
            Err(GossipError::AllQueuesFull(_)) => counters.all_queues_full.add_one(),
            Err(error) => {
                counters.publish_failed.add_one();
                tracing::debug!(%topic, %error, "gossipsub refused a message");
            }
        }
    }

    fn request(
        &mut self,
        peer: PeerId,
        protocol: Protocol,
        bytes: Bytes,
        answer: oneshot::Sender<Result<Bytes, RequestError>>,
    ) {
        if answer.is_closed() {
            return;
        }
        if !self.swarm.is_connected(&peer) {
            let _ = answer.send(Err(RequestError::NotConnected { peer }));
            return;
        }
        self.peers.expect(&peer, protocol.response_bytes_max());
        self.stats.protocol(protocol).sent.add_one();
        let exchange = self.swarm.behaviour_mut().exchange(protocol);
        let id = exchange.send_request(&peer, bytes);
        self.asked.insert((protocol, id), answer);
    }

    fn dial_for_application(
        &mut self,
        peer: PeerId,
        address: Multiaddr,
        outcome: oneshot::Sender<Result<PeerId, DialError>>,
    ) {
        if self.swarm.is_connected(&peer) {
            let _ = outcome.send(Ok(peer));
            return;
        }
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Disconnected)
            .addresses(vec![address.clone()])
            .build();
        let id = options.connection_id();
        self.swarm.behaviour_mut().gate.permit(id);
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(id, (address, outcome));
            }
            Err(error) => {
                self.note_denied(&error, Instant::now());
                let reason = journal::dial_reason(&error);
                let _ = outcome.send(Err(DialError::Failed { address, reason }));
            }
        }
    }

    fn on_answered(&mut self, answered: Answered) {
        let Answered { protocol, id, channel, answer } = answered;
        let answer = match answer {
            // The asker is gone.
            Response::Bytes(bytes) if !self.answers.settle(&(protocol, id), bytes.len()) => return,
            Response::Busy => {
                self.answers.release(&(protocol, id));
                Response::Busy
            }
            answer => answer,
        };
        // An error means that the asker disconnected or timed out; the failure event counts it.
        let exchange = self.swarm.behaviour_mut().exchange(protocol);
        if exchange.send_response(channel, answer).is_err() {
            self.answers.release(&(protocol, id));
        }
    }

    pub(crate) fn tickets(&mut self, lane: Lane) -> &mut Tickets {
        match lane {
            Lane::Fast => &mut self.fast_tickets,
            Lane::Bulk => &mut self.bulk_tickets,
        }
    }

    fn on_verdict(&mut self, lane: Lane, judged: Judged) {
        let Judged { id, verdict } = judged;
        let Some(Open { from, topic }) = self.tickets(lane).close(&id) else {
            return;
        };
        let counters = self.stats.topic(topic);
        match verdict {
            Verdict::Accept => {
                counters.accepted.add_one();
                self.swarm.behaviour_mut().gate.was_useful(&from, Instant::now());
            }
            Verdict::Ignore => counters.ignored.add_one(),
            Verdict::Reject(reason) => {
                counters.rejected.add_one();
                tracing::debug!(%topic, peer = %from, reason, "rejected a message");
                self.blame(from, Offence::Invalid, Instant::now());
            }
        }
        self.swarm.behaviour_mut().gossip(lane).report_message_validation_result(
            &id,
            &from,
            MessageAcceptance::from(verdict),
        );
    }

    fn on_tick(&mut self, due: Instant) {
        let now = Instant::now();
        self.measure_lag(due, now);
        self.watch_memory(now);
        for lane in [Lane::Fast, Lane::Bulk] {
            self.expire_tickets(lane, now);
        }
        self.readmit(now);
        self.swarm.behaviour_mut().gate.close_dial_backs(now);
        self.turn_away_offenders(now);
        self.turn_away_silent(now);
        self.look_around(now);
        self.refresh_views(now);
        self.tell_reach(now);
        self.refresh_gauges(now);
        if self.save_at <= now {
            self.save(now);
        }
    }

    /// Publishes what the next start is given, if it has changed.
    fn save(&mut self, now: Instant) {
        self.save_at = now + self.save_pause;
        self.save_pause = (2 * self.save_pause).min(SAVE_PAUSE_MAX);
        let anchors = self.peers.oldest_outbound(ANCHORS);
        let bans = self.swarm.behaviour().gate.standings.bans(now);
        let saved = Arc::new(Saved::new(self.discovery.saved(&anchors), &bans));
        self.outlets.saved.send_if_modified(|last| {
            let is_new = !last.is_like(&saved);
            if is_new {
                *last = saved;
            }
            is_new
        });
    }

    fn expire_tickets(&mut self, lane: Lane, now: Instant) {
        while let Some((id, open)) = self.tickets(lane).expire(now) {
            self.stats.topic(open.topic).unanswered.add_one();
            self.swarm.behaviour_mut().gossip(lane).report_message_validation_result(
                &id,
                &open.from,
                MessageAcceptance::Ignore,
            );
        }
    }

    /// Disconnects a peer and refuses its id for a few seconds.
    pub(crate) fn turn_away(&mut self, peer: PeerId, now: Instant) {
        if self.refused.len() >= REFUSED_MAX
            && let Some((_, oldest)) = self.refused.pop_front()
        {
            self.swarm.behaviour_mut().blocked.unblock_peer(oldest);
        }
        // Blocking closes the peer's connections.
        if self.swarm.behaviour_mut().blocked.block_peer(peer) {
            self.refused.push_back((now + REFUSED_FOR, peer));
        }
    }

    fn readmit(&mut self, now: Instant) {
        while let Some((until, peer)) = self.refused.front().copied() {
            if until > now {
                return;
            }
            self.refused.pop_front();
            self.swarm.behaviour_mut().blocked.unblock_peer(peer);
        }
    }

    /// Disconnects the peers that a meter reported.
    fn turn_away_offenders(&mut self, now: Instant) {
        for lane in [Lane::Fast, Lane::Bulk] {
            for (peer, offence) in self.swarm.behaviour_mut().gossip(lane).take_offences() {
                self.blame(peer, offence, now);
            }
        }
    }

    /// Charges an offence to a peer, which may be disconnected or banned for it.
    pub(crate) fn blame(&mut self, peer: PeerId, offence: Offence, now: Instant) {
        let via = self.peers.last_via(&peer).cloned();
        let gate = &mut self.swarm.behaviour_mut().gate;
        let reason = offence.reason();
        match gate.blame(peer, via.as_ref(), offence, now) {
            Sentence::Nothing => {}
            Sentence::Disconnect => {
                self.journal.refused(Why::Offence, &self.stats, now);
                self.note_departure(peer, reason);
                tracing::debug!(%peer, reason, "disconnected a peer");
                self.peers.refused(peer, reason.to_owned());
                self.turn_away(peer, now);
            }
            Sentence::Ban(party) => {
                self.journal.refused(Why::Offence, &self.stats, now);
                self.peers.refused(peer, format!("{party} is banned: {reason}"));
                self.on_banned(party);
            }
        }
    }

    /// Ends the connections of a party that is banned from now on. Useful peers on a banned host stay.
    pub(crate) fn on_banned(&mut self, party: Party) {
        self.stats.counters.banned.add_one();
        self.save(Instant::now());
        let connected: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in connected {
            let via = self.peers.via(&peer).and_then(|(via, _)| address::ip(via));
            let standings = &self.swarm.behaviour().gate.standings;
            let is_liked = standings.score(Party::Peer(peer), Instant::now()) > 0.0;
            let is_of_host = via.map(Party::host) == Some(party) && !is_liked;
            if party == Party::Peer(peer) {
                self.discovery.forget(&peer);
            }
            if party == Party::Peer(peer) || is_of_host {
                self.note_departure(peer, "banned");
                // It may have left meanwhile.
                let _ = self.swarm.disconnect_peer_id(peer);
            }
        }
    }

    fn turn_away_silent(&mut self, now: Instant) {
        for peer in self.peers.silent(now) {
            self.journal.refused(Why::Silent, &self.stats, now);
            self.peers.refused(peer, "did not identify itself in time".to_owned());
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    /// Dials peers that are due and looks for new ones.
    fn look_around(&mut self, now: Instant) {
        let connections = Connections {
            outbound: self.peers.outbound_count(),
            connected: self.peers.known_count(),
            room: self.swarm.behaviour().gate.outbound_room(),
        };
        let peers = &self.peers;
        let groups = self.peers.outbound_groups();
        let due = self.discovery.due(connections, groups, |peer| peers.has_connection(peer), now);
        for (peer, addresses) in due {
            self.dial(peer, addresses, now);
        }
        if self.discovery.lookup_due(connections, now) {
            // One query: refreshing every bucket (`bootstrap`) names the same peers in a network of this kind, and
            // costs a query for each bucket.
            self.swarm.behaviour_mut().kademlia.get_closest_peers(PeerId::random());
            self.ask_for_records();
        }
    }

    /// Asks one of the connected peers for the records of others.
    fn ask_for_records(&mut self) {
        let connected: Vec<PeerId> = self.peers.known().collect();
        let Some(peer) = any_of(&connected) else { return };
        let wanted = records::encode_wanted(&self.discovery.take_wishes());
        self.swarm.behaviour_mut().records.send_request(&peer, wanted);
    }

    fn dial(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, now: Instant) {
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(addresses)
            .build();
        self.stats.counters.dials.add_one();
        self.swarm.behaviour_mut().gate.permit(options.connection_id());
        match self.swarm.dial(options) {
            // Kademlia may be dialling the same peer.
            Ok(()) | Err(SwarmDialError::DialPeerConditionFalse(_)) => {}
            Err(error) => {
                tracing::debug!(%peer, %error, "cannot dial");
                self.stats.counters.dials_failed.add_one();
                self.note_denied(&error, now);
                self.discovery.note_error(&peer, &journal::dial_reason(&error));
                self.discovery.failed(&peer, now);
            }
        }
    }

    fn refresh_views(&self, now: Instant) {
        let behaviour = self.swarm.behaviour();
        let mut meshes: HashMap<PeerId, Vec<Topic>> = HashMap::new();
        for topic in Topic::ALL {
            let instance = match topic.lane() {
                Lane::Fast => &behaviour.fast,
                Lane::Bulk => &behaviour.bulk,
            };
            for peer in instance.mesh_peers(&self.topics.hash(topic)) {
                meshes.entry(*peer).or_default().push(topic);
            }
        }
        let mesh_of = |peer: &PeerId| meshes.remove(peer).unwrap_or_default();
        self.peers.refresh(mesh_of, &behaviour.gate, now);
        let known = u64::try_from(self.peers.known_count()).unwrap_or(u64::MAX);
        self.stats.counters.peers_gauge.set(known);
    }

    /// Closes connections properly, so that peers see a clean close, not an error.
    async fn say_goodbye(&mut self) {
        let connected: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in connected {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let all_closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(GOODBYE, all_closed).await;
    }
}

/// One of these, each as likely as the others.
fn any_of(peers: &[PeerId]) -> Option<PeerId> {
    let random = RandomState::new().hash_one(()) % u64::try_from(peers.len()).ok()?.max(1);
    peers.get(usize::try_from(random).ok()?).copied()
}
