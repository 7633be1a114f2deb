//! Limits inbound connections per IP address. libp2p's own limits do not.
//!
//! Invariant: a connection counts from the first byte of its handshake until it closes, and the
//! table has an entry only for addresses with a count above zero.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::IpAddr,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, dummy,
    },
};

use crate::address;

/// The address already has the maximum number of connections.
#[derive(Debug, thiserror::Error)]
#[error("{ip} has {limit} inbound connections already")]
struct TooMany {
    ip: IpAddr,
    limit: u32,
}

pub(crate) struct PerIp {
    /// `None` counts nothing.
    limit: Option<u32>,
    counts: HashMap<IpAddr, u32>,
    connections: HashMap<ConnectionId, IpAddr>,
}

impl PerIp {
    pub(crate) fn new(limit: Option<u32>) -> Self {
        PerIp { limit, counts: HashMap::new(), connections: HashMap::new() }
    }

    fn admit(&mut self, connection: ConnectionId, remote: &Multiaddr) -> Result<(), TooMany> {
        let (Some(limit), Some(ip)) = (self.limit, address::ip(remote)) else {
            return Ok(());
        };
        let count = self.counts.get(&ip).copied().unwrap_or(0);
        if count >= limit {
            return Err(TooMany { ip, limit });
        }
        self.counts.insert(ip, count + 1);
        self.connections.insert(connection, ip);
        Ok(())
    }

    fn release(&mut self, connection: &ConnectionId) {
        let Some(ip) = self.connections.remove(connection) else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&ip) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&ip);
            }
        }
    }
}

impl NetworkBehaviour for PerIp {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.admit(connection, remote).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _local: &Multiaddr,
        _remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(closed) => self.release(&closed.connection_id),
            FromSwarm::ListenFailure(failure) => self.release(&failure.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _peer: PeerId,
        _connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(
        &mut self,
        _context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let mut limit = PerIp::new(Some(2));
        let remote: Multiaddr = "/ip4/9.9.9.9/tcp/5".parse().unwrap();
        let other: Multiaddr = "/ip4/9.9.9.8/tcp/5".parse().unwrap();
        let ids: Vec<ConnectionId> = (0..4).map(ConnectionId::new_unchecked).collect();
        limit.admit(ids[0], &remote).unwrap();
        limit.admit(ids[1], &remote).unwrap();
        assert!(limit.admit(ids[2], &remote).is_err());
        limit.admit(ids[3], &other).unwrap();
        limit.release(&ids[2]);
        assert!(limit.admit(ids[2], &remote).is_err());
        limit.release(&ids[0]);
        limit.admit(ids[2], &remote).unwrap();
        for id in &ids {
            limit.release(id);
        }
        assert!(limit.counts.is_empty() && limit.connections.is_empty());
    }

    #[test]
    fn a_local_network_is_not_limited() {
        let mut limit = PerIp::new(None);
        let remote: Multiaddr = "/ip4/127.0.0.1/tcp/5".parse().unwrap();
        for id in 0..100 {
            limit.admit(ConnectionId::new_unchecked(id), &remote).unwrap();
        }
        assert!(limit.counts.is_empty());
    }
}
