//! Handles the events of the swarm.

use std::time::Instant;

use libp2p::{
    PeerId,
    gossipsub::{self, MessageAcceptance, MessageId},
    identify, mdns, ping,
    request_response::{
        self as exchange, InboundFailure, InboundRequestId, OutboundFailure, OutboundRequestId,
    },
    swarm::{ConnectionId, DialError as SwarmDialError, ListenError, SwarmEvent},
};
use tokio::sync::mpsc::error::TrySendError;

use crate::{
    address::{self, ADDRESSES_MAX},
    behaviour::BehaviourEvent,
    envelope,
    error::{DialError, RequestError},
    exchange::{InboundRequest, Reply, Response},
    gate,
    gossip::{Gossip, Open},
    journal,
    peers::{Closed, Identity, printable},
    records::{self, Record},
    standing::Offence,
    swarm::Node,
    topic::{Lane, Protocol, Topic},
    version::{self, Apart},
    why::Why,
};

type ExchangeEvent = exchange::Event<bytes::Bytes, Response>;

impl Node {
    pub(crate) fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let now = Instant::now();
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event, now),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                // The peer asked for a dial back, so it is no outbound peer.
                let is_dial_back = self.swarm.behaviour().gate.was_dial_back(&connection_id);
                self.peers.opened(peer_id, connection_id, &endpoint, is_dial_back, now);
                self.rates.add(peer_id, now);
                if let Some((_, outcome)) = self.dials.remove(&connection_id) {
                    let _ = outcome.send(Ok(peer_id));
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                let reason = cause.map_or_else(
                    || "the connection was closed".to_owned(),
                    |cause| cause.to_string(),
                );
                self.on_closed(peer_id, connection_id, reason, now);
            }
            SwarmEvent::OutgoingConnectionError { peer_id, connection_id, error } => {
                self.on_dial_failed(peer_id, connection_id, &error, now)
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                if let ListenError::Denied { cause } = &error {
                    self.stats.counters.inbound_denied.add_one();
                    self.journal.refused(journal::why(cause), &self.stats, now);
                }
                tracing::debug!(%error, "an inbound connection failed");
            }
            SwarmEvent::NewListenAddr { .. } | SwarmEvent::ExpiredListenAddr { .. } => {
                let addresses = self.swarm.listeners().cloned().collect();
                self.outlets.listen.send_replace(addresses);
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                tracing::warn!(
                    ?addresses,
                    ?reason,
                    "stopped listening; restart the node to be reachable again"
                );
            }
            SwarmEvent::ListenerError { error, .. } => {
                if let Some(others) = self.rations.listen.take(now) {
                    tracing::warn!(%error, others, "accepting connections failed; check the limit of open files");
                }
            }
            _ => {}
        }
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId, reason: String, now: Instant) {
        let reason = self.journal.reason(&peer, reason);
        match self.peers.closed(&peer, connection, reason.clone()) {
            Closed::StillConnected => return,
            Closed::Gone => {
                self.journal.gone(peer, &reason, true);
                self.discovery.lost(&peer, now);
            }
            Closed::NeverKnown => {
                self.journal.gone(peer, &reason, false);
                self.discovery.note_error(&peer, &reason);
                self.discovery.failed(&peer, now);
            }
        }
        self.rates.remove(&peer);
    }

    fn on_dial_failed(
        &mut self,
        peer: Option<PeerId>,
        connection: ConnectionId,
        error: &SwarmDialError,
        now: Instant,
    ) {
        if self.swarm.behaviour().gate.was_dial_back(&connection) {
            return;
        }
        self.note_denied(error, now);
        self.stats.counters.dials_failed.add_one();
        if let Some((address, outcome)) = self.dials.remove(&connection) {
            let reason = journal::dial_reason(error);
            let _ = outcome.send(Err(DialError::Failed { address, reason }));
        }
        if let Some(peer) = peer {
            tracing::debug!(%peer, %error, "dialling failed");
            self.discovery.note_error(&peer, &journal::dial_reason(error));
            self.discovery.failed(&peer, now);
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent, now: Instant) {
        match event {
            BehaviourEvent::Fast(event) => self.on_gossip(Lane::Fast, event, now),
            BehaviourEvent::Bulk(event) => self.on_gossip(Lane::Bulk, event, now),
            BehaviourEvent::Status(event) => self.on_exchange(Protocol::Status, event, now),
            BehaviourEvent::Blocks(event) => self.on_exchange(Protocol::Blocks, event, now),
            BehaviourEvent::Transactions(event) => {
                self.on_exchange(Protocol::Transactions, event, now);
            }
            BehaviourEvent::Votes(event) => self.on_exchange(Protocol::Votes, event, now),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_identified(peer_id, info, now);
            }
            BehaviourEvent::Records(event) => self.on_records(event, now),
            BehaviourEvent::Kademlia(_) => {}
            BehaviourEvent::Ping(event) => self.on_ping(event),
            BehaviourEvent::Gate(gate::Event::Evicted(peer)) => {
                self.stats.counters.evicted.add_one();
                tracing::debug!(%peer, "a peer leaves for another one");
                self.note_departure(peer, "left its place to another peer");
                self.discovery.postpone(&peer, now);
            }
            BehaviourEvent::Gate(gate::Event::Wish(peer)) => {
                self.journal.refused(Why::Unwanted, &self.stats, now);
                self.discovery.wish(peer);
            }
            BehaviourEvent::Probe(event) => {
                tracing::debug!(address = %event.tested_addr, server = %event.server, is_reached = event.result.is_ok(), "dialled back");
                self.evidence.tested(&event.tested_addr, event.result.is_ok());
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    self.discovery.hear(peer, address::without_peer(&address), now);
                }
            }
            BehaviourEvent::Upnp(event) => tracing::info!(?event, "the router answers"),
            BehaviourEvent::Identify(_)
            | BehaviourEvent::Blocked(_)
            | BehaviourEvent::Mdns(_)
            | BehaviourEvent::DialBack(_) => {}
        }
    }

    fn on_identified(&mut self, peer: PeerId, info: identify::Info, now: Instant) {
        if info.protocol_version != self.names.tag() {
            self.refuse_foreign(peer, &info, now);
            return;
        }
        let theirs = info.protocols.iter().map(AsRef::as_ref);
        let version = match version::agree(&self.names, theirs, self.version_max) {
            Ok(version) => version,
            Err(apart) => return self.refuse_version(peer, &apart, now),
        };
        let listen = self.useful_addresses(&peer, &info.listen_addrs);
        if let Some(record) = info.signed_peer_record.and_then(Record::verify) {
            self.discovery.learn(peer, (record.seq, record.bytes), listen.clone(), now);
        }
        if let Some((via, is_dialled)) = self.peers.via(&peer) {
            self.discovery.prove(&peer, &address::without_peer(via), is_dialled);
            match is_dialled {
                true => self.test_reach(&via.clone(), &info.observed_addr),
                false => self.evidence.entered(via, now),
            }
        }
        let kademlia_name = self.names.kademlia();
        let serves_kademlia = info.protocols.iter().any(|name| name.as_ref() == kademlia_name);
        if serves_kademlia && self.discovery.is_told(&peer) {
            let kademlia = &mut self.swarm.behaviour_mut().kademlia;
            // The peer's latest addresses replace its earlier ones; otherwise they would
            // accumulate.
            kademlia.remove_peer(&peer);
            for address in &listen {
                kademlia.add_address(&peer, address.clone());
            }
        }
        let identity = Identity {
            agent: printable(&info.agent_version),
            protocol_version: printable(&info.protocol_version),
            version,
            listen,
        };
        if self.peers.identified(peer, identity) {
            self.discovery.met(&peer, now);
        }
    }

    /// An outbound peer sees this node there: others may reach it there.
    fn test_reach(&mut self, via: &libp2p::Multiaddr, observed: &libp2p::Multiaddr) {
        let tests = self.evidence.observed(via, observed, self.swarm.listeners());
        if let Some(probe) = self.swarm.behaviour_mut().probe.as_mut() {
            tests.iter().for_each(|address| probe.test(address));
        }
    }

    fn refuse_foreign(&mut self, peer: PeerId, info: &identify::Info, now: Instant) {
        let theirs = printable(&info.protocol_version);
        let ours = self.names.tag();
        self.journal.refused(Why::Chain, &self.stats, now);
        let reason = format!(
            "serves the chain {theirs:?}, this node serves {ours:?}; compare the genesis files"
        );
        self.refuse(peer, reason, now);
    }

    fn refuse_version(&mut self, peer: PeerId, apart: &Apart, now: Instant) {
        let is_dialled = self.peers.via(&peer).is_some_and(|(_, is_dialled)| is_dialled);
        let why = match apart {
            // Anyone can connect and say so: only the word of peers that this node chose counts.
            Apart::PeerIsNewer(_) if is_dialled => Why::Newer,
            Apart::PeerIsNewer(_) | Apart::PeerIsOlder(_) => Why::Older,
        };
        self.journal.refused(why, &self.stats, now);
        self.refuse(peer, apart.to_string(), now);
    }

    fn refuse(&mut self, peer: PeerId, reason: String, now: Instant) {
        tracing::debug!(%peer, %reason, "refused a peer");
        self.peers.refused(peer, reason.clone());
        self.swarm.behaviour_mut().kademlia.remove_peer(&peer);
        self.discovery.refused(&peer, now);
        self.discovery.note_error(&peer, &reason);
        self.note_departure(peer, &reason);
        self.turn_away(peer, now);
    }

    fn useful_addresses(
        &self,
        peer: &PeerId,
        claimed: &[libp2p::Multiaddr],
    ) -> Vec<libp2p::Multiaddr> {
        let Some((via, _)) = self.peers.via(peer) else {
            return Vec::new();
        };
        claimed
            .iter()
            .map(address::without_peer)
            .filter(|claim| address::is_useful(claim, via, self.allow_private))
            .take(ADDRESSES_MAX)
            .collect()
    }

    fn on_records(&mut self, event: ExchangeEvent, now: Instant) {
        let exchange::Event::Message { peer, message, .. } = event else { return };
        match message {
            exchange::Message::Request { request, channel, .. } => {
                let response = self.answer_records(&peer, &request, now);
                let _ = self.swarm.behaviour_mut().records.send_response(channel, response);
            }
            exchange::Message::Response { response: Response::Bytes(bytes), .. } => {
                match records::decode_records(&bytes) {
                    Some(records) => self.learn_records(records, now),
                    None => self.blame(peer, Offence::Malformed, now),
                }
            }
            // Records have one version, without features.
            exchange::Message::Response {
                response: Response::Busy | Response::Featured(..),
                ..
            } => {}
        }
    }

    fn answer_records(&mut self, peer: &PeerId, request: &[u8], now: Instant) -> Response {
        match records::decode_wanted(request).filter(|_| self.rates.records(peer, now)) {
            Some(wanted) => {
                let found = self.discovery.records(&wanted, peer);
                Response::Bytes(records::encode_records(found.into_iter()))
            }
            None => Response::Busy,
        }
    }

    fn learn_records(&mut self, records: Vec<Record>, now: Instant) {
        for Record { peer, seq, addresses, bytes } in records {
            let addresses = address::dialable(&addresses, self.allow_private);
            self.discovery.learn(peer, (seq, bytes), addresses, now);
        }
    }

    fn on_ping(&mut self, event: ping::Event) {
        match event.result {
            Ok(rtt) => {
                self.peers.rtt(&event.peer, rtt);
                self.swarm.behaviour_mut().gate.measured(&event.peer, rtt);
            }
            Err(ping::Failure::Timeout) => {
                tracing::debug!(peer = %event.peer, "no answer to a ping; closing the connection");
                self.swarm.close_connection(event.connection);
            }
            Err(_) => {}
        }
    }

    fn on_gossip(&mut self, lane: Lane, event: gossipsub::Event, now: Instant) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                let verdict = self.admit(lane, propagation_source, &message_id, message, now);
                if let Some(acceptance) = verdict {
                    self.swarm.behaviour_mut().gossip(lane).report_message_validation_result(
                        &message_id,
                        &propagation_source,
                        acceptance,
                    );
                }
            }
            gossipsub::Event::SlowPeer { peer_id, .. } => {
                self.stats.counters.slow_peer.add_one();
                self.journal.slow(peer_id, now);
                tracing::debug!(peer = %peer_id, lane = lane.name(), "a peer does not take its messages in time");
            }
            _ => {}
        }
    }

    /// Hands a message to the application, or returns a verdict on it.
    fn admit(
        &mut self,
        lane: Lane,
        from: PeerId,
        id: &MessageId,
        message: gossipsub::Message,
        now: Instant,
    ) -> Option<MessageAcceptance> {
        // This node subscribes to no other topic.
        let Some(topic) = self.topics.of(&message.topic) else {
            return Some(MessageAcceptance::Ignore);
        };
        // What the meter emptied: over the quota.
        if message.data.is_empty() {
            return Some(MessageAcceptance::Ignore);
        }
        let bytes = match envelope::decode(&message.data, topic.bytes_max()) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.stats.topic(topic).malformed.add_one();
                tracing::debug!(%topic, peer = %from, %error, "rejected an envelope");
                self.blame(from, Offence::Malformed, now);
                return Some(MessageAcceptance::Reject);
            }
        };
        self.hand_over(lane, from, topic, id, bytes, now)
    }

    fn hand_over(
        &mut self,
        lane: Lane,
        from: PeerId,
        topic: Topic,
        id: &MessageId,
        bytes: bytes::Bytes,
        now: Instant,
    ) -> Option<MessageAcceptance> {
        let outlet = match lane {
            Lane::Fast => self.outlets.fast.clone(),
            Lane::Bulk => self.outlets.bulk.clone(),
        };
        let place = outlet.try_reserve().ok();
        let open = Open { from, topic };
        let ticket = place.is_some().then(|| self.tickets(lane).open(id, open, now)).flatten();
        let (Some(place), Some(ticket)) = (place, ticket) else {
            self.stats.topic(topic).dropped.add_one();
            return Some(MessageAcceptance::Ignore);
        };
        self.stats.topic(topic).received.add_one();
        place.send(Gossip { from, topic, bytes, ticket });
        None
    }

    fn on_exchange(&mut self, protocol: Protocol, event: ExchangeEvent, now: Instant) {
        match event {
            exchange::Event::Message { peer, message, .. } => match message {
                exchange::Message::Request { request_id, request, channel } => {
                    self.on_request((protocol, request_id), peer, request, channel, now)
                }
                exchange::Message::Response { request_id, response } => {
                    self.on_response(protocol, peer, request_id, response)
                }
            },
            exchange::Event::OutboundFailure { peer, request_id, error, .. } => {
                self.stats.protocol(protocol).failed.add_one();
                if let OutboundFailure::Io(error) = &error
                    && error.kind() == std::io::ErrorKind::InvalidData
                {
                    self.blame(peer, Offence::Malformed, now);
                }
                let error = request_error(peer, protocol, &error);
                self.answer_application(protocol, request_id, Err(error));
            }
            exchange::Event::InboundFailure { peer, request_id, error, .. } => {
                self.answers.release(&(protocol, request_id));
                if let InboundFailure::Io(error) = &error
                    && error.kind() == std::io::ErrorKind::InvalidData
                {
                    self.blame(peer, Offence::Malformed, now);
                }
                if !matches!(error, InboundFailure::ResponseOmission) {
                    tracing::debug!(%peer, %protocol, %error, "an answer did not reach its asker");
                }
            }
            exchange::Event::ResponseSent { request_id, .. } => {
                self.answers.release(&(protocol, request_id));
            }
        }
    }

    fn on_request(
        &mut self,
        (protocol, id): (Protocol, InboundRequestId),
        peer: PeerId,
        bytes: bytes::Bytes,
        channel: exchange::ResponseChannel<Response>,
        now: Instant,
    ) {
        let counters = self.stats.protocol(protocol);
        let refusal = if !self.rates.request(&peer, protocol, now) {
            Some(&counters.over_quota)
        } else if !self.answers.reserve((protocol, id), peer, protocol, now) {
            Some(&counters.busy)
        } else {
            None
        };
        if let Some(counter) = refusal {
            counter.add_one();
            let exchange = self.swarm.behaviour_mut().exchange(protocol);
            let _ = exchange.send_response(channel, Response::Busy);
            return;
        }
        let replies = self.outlets.replies.clone();
        let reply = Reply::new((protocol, id), channel, replies, self.stats.clone());
        let request = InboundRequest { from: peer, protocol, bytes, reply };
        match self.outlets.requests.try_send(request) {
            Ok(()) => self.stats.protocol(protocol).received.add_one(),
            Err(TrySendError::Full(request) | TrySendError::Closed(request)) => {
                request.reply.busy()
            }
        }
    }

    fn on_response(
        &mut self,
        protocol: Protocol,
        peer: PeerId,
        id: OutboundRequestId,
        answer: Response,
    ) {
        let result = match answer {
            Response::Bytes(bytes) => Ok(bytes),
            Response::Featured(features, bytes) => {
                self.peers.offers(&peer, features);
                Ok(bytes)
            }
            Response::Busy => {
                self.stats.protocol(protocol).refused.add_one();
                Err(RequestError::Busy)
            }
        };
        self.answer_application(protocol, id, result);
    }

    fn answer_application(
        &mut self,
        protocol: Protocol,
        id: OutboundRequestId,
        result: Result<bytes::Bytes, RequestError>,
    ) {
        if let Some(answer) = self.asked.remove(&(protocol, id)) {
            // The application may have stopped waiting.
            let _ = answer.send(result);
        }
    }
}

fn request_error(peer: PeerId, protocol: Protocol, error: &OutboundFailure) -> RequestError {
    match error {
        OutboundFailure::DialFailure => RequestError::NotConnected { peer },
        OutboundFailure::Timeout => RequestError::Timeout,
        OutboundFailure::ConnectionClosed => RequestError::Closed,
        OutboundFailure::UnsupportedProtocols => RequestError::Unsupported { protocol },
        OutboundFailure::Io(error) => RequestError::Malformed(error.to_string()),
    }
}
