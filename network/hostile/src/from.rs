//! TCP whose dials leave from a given address: a host may have many, and the kernel chooses the first.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

use futures::{
    FutureExt, TryFutureExt,
    future::{BoxFuture, Either, MapOk},
};
use libp2p::{
    Multiaddr, Transport,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
    multiaddr::Protocol,
    tcp,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

type Inner = tcp::tokio::Transport;
type Heard = <Inner as Transport>::Output;
type Wire = Either<Heard, Compat<TcpStream>>;

/// The transport.
pub(crate) struct From {
    inner: Inner,
    ip: IpAddr,
}

impl From {
    pub(crate) fn new(ip: IpAddr) -> Self {
        From { inner: Inner::new(tcp::Config::new().nodelay(true)), ip }
    }
}

impl Transport for From {
    type Output = Wire;
    type Error = io::Error;
    type ListenerUpgrade = MapOk<<Inner as Transport>::ListenerUpgrade, fn(Heard) -> Wire>;
    type Dial = BoxFuture<'static, io::Result<Wire>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        _options: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        match socket_address(&address) {
            Some(to) => Ok(connect(self.ip, to).boxed()),
            None => Err(TransportError::MultiaddrNotSupported(address)),
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        let to_wire: fn(Heard) -> Wire = Either::Left;
        let event = Pin::new(&mut self.inner).poll(context);
        event.map(|event| event.map_upgrade(|upgrade| upgrade.map_ok(to_wire)))
    }
}

async fn connect(ip: IpAddr, to: SocketAddr) -> io::Result<Wire> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if ip.is_ipv4() == to.is_ipv4() {
        socket.bind(SocketAddr::new(ip, 0))?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(Either::Right(stream.compat()))
}

fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}
