//! A swarm that identifies itself like a node, and does one thing more.

use std::{error::Error, net::IpAddr, time::Duration};

use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, Transport, core::upgrade::Version, identify,
    identity::Keypair, multiaddr::Protocol, noise, ping, swarm::NetworkBehaviour, yamux,
};

use crate::from::From;

/// How long a connection without a stream is kept.
const IDLE_WITHIN: Duration = Duration::from_secs(3_600);
const PING_INTERVAL: Duration = Duration::from_millis(500);

/// What every hostile peer speaks, and one thing more.
#[derive(NetworkBehaviour)]
pub struct Hostile<B: NetworkBehaviour> {
    /// It says that it is of the chain.
    pub identify: identify::Behaviour,
    /// Without it nodes close the connection.
    pub ping: ping::Behaviour,
    /// What it is hostile with.
    pub trick: B,
}

/// A hostile peer that listens at an address. Its connections leave from there too.
pub fn hostile<B: NetworkBehaviour>(
    keypair: Keypair,
    tag: &str,
    from: IpAddr,
    hides: bool,
    trick: impl FnOnce(PeerId) -> B,
) -> Result<Swarm<Hostile<B>>, Box<dyn Error + Send + Sync>> {
    let identify = identify::Config::new_with_signed_peer_record(tag.to_owned(), &keypair)
        .with_hide_listen_addrs(hides);
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_other_transport(|keypair| {
            let upgrade = From::new(from).upgrade(Version::V1Lazy);
            Ok(upgrade
                .authenticate(noise::Config::new(keypair)?)
                .multiplex(yamux::Config::default()))
        })?
        .with_behaviour(|keypair| Hostile {
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
            trick: trick(keypair.public().to_peer_id()),
        })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_WITHIN))
        .build();
    swarm.listen_on(Multiaddr::from(from).with(Protocol::Tcp(0)))?;
    Ok(swarm)
}
