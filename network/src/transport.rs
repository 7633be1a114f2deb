//! TCP with noise and yamux, and QUIC, over names or addresses, and the rules for their use.
//!
//! Invariants: a connection attempt ends soon, so that the next one can follow; a connection ends
//! soon after its link does; without `allow_private` no private address is dialled, whatever its
//! source; a dial never uses the listening port, because two nodes that dial each other from their
//! listening ports open a single TCP connection in which both act as the dialler.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use libp2p::{
    Multiaddr, PeerId, Transport,
    core::{
        muxing::{StreamMuxer, StreamMuxerBox},
        transport::{Boxed, DialOpts, ListenerId, PortUse, TransportError, TransportEvent},
        upgrade::Version,
    },
    dns,
    identity::Keypair,
    noise, quic, tcp, yamux,
};

use crate::{
    address,
    config::NetworkConfig,
    error::NetworkError,
    silence::{SILENCE_MAX, Silence, watch_link},
    traffic::{Counted, Traffic},
};

/// Leaves time for a second SYN, which the system sends after a second if the first is lost. The
/// third would follow three seconds later: a new attempt is sooner.
const CONNECT_WITHIN: Duration = Duration::from_millis(1_500);
/// Streams of one connection, each of which may hold 256 KiB that nobody reads. All protocols together need fewer.
const STREAMS_MAX: u32 = 128;
/// Bytes of QUIC that nobody reads: of one stream, and of one connection.
const QUIC_STREAM_BYTES: u32 = 1024 * 1024;
const QUIC_CONNECTION_BYTES: u32 = 4 * QUIC_STREAM_BYTES;
/// A QUIC handshake is done by then; it sends its own repetitions.
const QUIC_CONNECT_WITHIN: Duration = Duration::from_secs(3);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Containers return under another address while their name server's old answer stays valid for
/// minutes.
const NAME_TTL_MAX: Duration = Duration::from_secs(1);

type Connections = Boxed<(PeerId, StreamMuxerBox)>;

pub(crate) fn build(
    keypair: &Keypair,
    config: &NetworkConfig,
    traffic: &Traffic,
) -> Result<Connections, NetworkError> {
    let tcp = tcp(keypair, config.allow_private, traffic.clone())?;
    let all = match config.reach.quic {
        true => tcp
            .or_transport(quic(keypair, config.allow_private, traffic.clone()))
            .map(|either, _| either.into_inner())
            .boxed(),
        false => tcp,
    };
    let (resolver, options) = resolver();
    Ok(dns::tokio::Transport::custom(all, resolver, options).boxed())
}

fn tcp(
    keypair: &Keypair,
    allow_private: bool,
    traffic: Traffic,
) -> Result<Connections, NetworkError> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::new().nodelay(true));
    let watched = tcp.map(|stream, _| {
        watch_link(&stream.0);
        Silence::new(stream, SILENCE_MAX)
    });
    let guarded = Guarded { inner: watched, allow_private, connect_within: CONNECT_WITHIN };
    let noise =
        noise::Config::new(keypair).map_err(|error| NetworkError::Build(error.to_string()))?;
    let mut streams = yamux::Config::default();
    streams.set_max_num_streams(usize::try_from(STREAMS_MAX).expect("128 fits"));
    let encrypted = guarded.upgrade(Version::V1Lazy).authenticate(noise).multiplex(streams);
    let timely = encrypted.timeout(HANDSHAKE_TIMEOUT);
    Ok(timely.map(move |(peer, muxer), _| (peer, counted(peer, muxer, &traffic))).boxed())
}

fn quic(keypair: &Keypair, allow_private: bool, traffic: Traffic) -> Connections {
    let mut config = quic::Config::new(keypair);
    config.max_idle_timeout = u32::try_from(SILENCE_MAX.as_millis()).expect("some seconds");
    config.max_concurrent_stream_limit = STREAMS_MAX;
    config.max_stream_data = QUIC_STREAM_BYTES;
    config.max_connection_data = QUIC_CONNECTION_BYTES;
    let quic = quic::tokio::Transport::new(config).map_err(io::Error::other);
    let guarded = Guarded { inner: quic, allow_private, connect_within: QUIC_CONNECT_WITHIN };
    guarded.map(move |(peer, muxer), _| (peer, counted(peer, muxer, &traffic))).boxed()
}

fn counted<M>(peer: PeerId, muxer: M, traffic: &Traffic) -> StreamMuxerBox
where
    M: StreamMuxer<Substream: Unpin + Send + 'static> + Unpin + Send + 'static,
    M::Error: Send + Sync + 'static,
{
    StreamMuxerBox::new(Counted::new(muxer, traffic.flow(peer)))
}

fn resolver() -> (ResolverConfig, ResolverOpts) {
    let (config, mut options) = hickory_resolver::system_conf::read_system_conf().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read the name servers of this system; addresses with names will not resolve");
        Default::default()
    });
    options.positive_max_ttl = Some(NAME_TTL_MAX);
    options.negative_max_ttl = Some(NAME_TTL_MAX);
    (config, options)
}

/// A transport behind the rules of this file.
struct Guarded<T> {
    inner: T,
    allow_private: bool,
    connect_within: Duration,
}

impl<T> Transport for Guarded<T>
where
    T: Transport<Error = io::Error> + Unpin,
    T::Dial: Send + 'static,
{
    type Output = T::Output;
    type Error = io::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = BoxFuture<'static, io::Result<T::Output>>;

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
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        if !self.allow_private && address::is_private(&address) {
            return Err(TransportError::Other(io::Error::other(
                "the address is private and allow_private is off",
            )));
        }
        let options = DialOpts { port_use: PortUse::New, ..options };
        let dial = self.inner.dial(address, options)?;
        let connected = tokio::time::timeout(self.connect_within, dial);
        Ok(Box::pin(async {
            connected.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        }))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<T::ListenerUpgrade, io::Error>> {
        Pin::new(&mut self.inner).poll(context)
    }
}
