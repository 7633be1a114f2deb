//! Composes the protocols of one node.
//!
//! Order matters: libp2p asks each field in turn whether to allow a connection. A field that agrees
//! keeps state even if a later field denies the connection, so the fields that deny come first.

use std::{num::NonZeroUsize, time::Duration};

use libp2p::{
    PeerId, StreamProtocol,
    allow_block_list::{self, BlockedPeers},
    autonat::v2::server as dial_back,
    identify,
    identity::Keypair,
    kad, mdns, ping,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
    upnp,
};

use crate::{
    config::NetworkConfig,
    error::NetworkError,
    exchange,
    gate::Gate,
    gossip,
    meter::Meter,
    no_records::NoRecords,
    probe::Probe,
    silence::BROKEN,
    stats::Stats,
    topic::{Lane, Names, Protocol, Topics},
};

/// Both ends send bytes at least this often, so that `silence` notices a broken link.
const PING_INTERVAL: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
const QUERY_TIMEOUT: Duration = Duration::from_secs(15);

const _: () = assert!(PING_INTERVAL.as_millis() * 3 <= BROKEN.as_millis());

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    // Denies connections.
    pub(crate) blocked: allow_block_list::Behaviour<BlockedPeers>,
    pub(crate) gate: Gate,
    // Knows peers.
    ping: ping::Behaviour,
    identify: identify::Behaviour,
    pub(crate) kademlia: kad::Behaviour<NoRecords>,
    mdns: Toggle<mdns::tokio::Behaviour>,
    // Learns whether others reach this node.
    pub(crate) probe: Toggle<Probe>,
    dial_back: Toggle<dial_back::Behaviour>,
    upnp: Toggle<upnp::tokio::Behaviour>,
    // Carries bytes.
    pub(crate) fast: Meter,
    pub(crate) bulk: Meter,
    pub(crate) status: exchange::Behaviour,
    pub(crate) blocks: exchange::Behaviour,
    pub(crate) transactions: exchange::Behaviour,
    pub(crate) votes: exchange::Behaviour,
    pub(crate) records: exchange::Behaviour,
}

impl Behaviour {
    pub(crate) fn new(
        config: &NetworkConfig,
        names: &Names,
        topics: &Topics,
        keypair: &Keypair,
        stats: &Stats,
    ) -> Result<Self, NetworkError> {
        let gossip = |lane| gossip::behaviour(names, topics, lane, config.allow_private, stats);
        let exchange = |protocol| exchange::behaviour(names, protocol, config, stats);
        // A local network has no router in between, and a private one does not want to be reached.
        let is_public = !config.allow_private && config.only.is_empty();
        let autonat = config.reach.autonat && is_public;
        let upnp = config.reach.upnp && is_public;
        Ok(Behaviour {
            blocked: allow_block_list::Behaviour::default(),
            gate: Gate::new(config),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT),
            ),
            identify: identify::Behaviour::new(identity(config, names, keypair)),
            kademlia: kademlia(names, keypair.public().to_peer_id())?,
            mdns: config.reach.mdns.then(|| mdns(keypair)).transpose()?.into(),
            probe: autonat.then(Probe::default).into(),
            dial_back: autonat.then(dial_back::Behaviour::default).into(),
            upnp: upnp.then(upnp::tokio::Behaviour::default).into(),
            fast: gossip(Lane::Fast)?,
            bulk: gossip(Lane::Bulk)?,
            status: exchange(Protocol::Status)?,
            blocks: exchange(Protocol::Blocks)?,
            transactions: exchange(Protocol::Transactions)?,
            votes: exchange(Protocol::Votes)?,
            records: exchange::records(names, stats)?,
        })
    }

    pub(crate) fn gossip(&mut self, lane: Lane) -> &mut Meter {
        match lane {
            Lane::Fast => &mut self.fast,
            Lane::Bulk => &mut self.bulk,
        }
    }

    pub(crate) fn exchange(&mut self, protocol: Protocol) -> &mut exchange::Behaviour {
        match protocol {
            Protocol::Status => &mut self.status,
            Protocol::Blocks => &mut self.blocks,
            Protocol::Transactions => &mut self.transactions,
            Protocol::Votes => &mut self.votes,
        }
    }
}

fn identity(config: &NetworkConfig, names: &Names, keypair: &Keypair) -> identify::Config {
    identify::Config::new_with_signed_peer_record(names.tag().to_owned(), keypair)
        .with_agent_version(config.agent.clone())
        .with_push_listen_addr_updates(true)
        .with_cache_size(0)
}

fn mdns(keypair: &Keypair) -> Result<mdns::tokio::Behaviour, NetworkError> {
    mdns::tokio::Behaviour::new(mdns::Config::default(), keypair.public().to_peer_id())
        .map_err(|error| NetworkError::Mdns(error.to_string()))
}

/// Only a routing table: no records, no providers, and only peers that `discovery` inserts.
fn kademlia(names: &Names, local: PeerId) -> Result<kad::Behaviour<NoRecords>, NetworkError> {
    let name = StreamProtocol::try_from_owned(names.kademlia())
        .map_err(|error| NetworkError::Build(error.to_string()))?;
    let mut config = kad::Config::new(name);
    config
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_record_ttl(None)
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None)
        .set_periodic_bootstrap_interval(None)
        .set_query_timeout(QUERY_TIMEOUT)
        .set_kbucket_size(NonZeroUsize::new(20).expect("20 is not 0"));
    let mut behaviour = kad::Behaviour::with_config(local, NoRecords, config);
    behaviour.set_mode(Some(kad::Mode::Server));
    Ok(behaviour)
}
