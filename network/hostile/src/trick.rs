//! What a hostile peer does on a stream of its own.

use std::{
    collections::VecDeque,
    future::Future,
    io, iter,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{
        Endpoint, UpgradeInfo,
        transport::PortUse,
        upgrade::{OutboundUpgrade, ReadyUpgrade},
    },
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, OneShotHandler,
        OneShotHandlerConfig, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent,
        ToSwarm,
    },
};
use tokio::time::Instant;

use crate::{
    plan::{Act, Flood},
    wire,
};

/// How long a trick may take.
const TRICK_WITHIN: Duration = Duration::from_secs(3_600);
/// Bytes that are written at a time.
const BURST_BYTES: usize = 16 * 1024;

/// Between two requests of who reads the answers.
const ASK_PAUSE: Duration = Duration::from_millis(100);

/// Messages of this process so far: those of different identities differ too.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Numbers from here on were used by no process before.
fn first() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or_default() << 8
}

/// What is done on one stream.
#[derive(Clone, Debug)]
pub struct Trick {
    protocol: StreamProtocol,
    act: Act,
    sent: Arc<AtomicU64>,
}

impl Trick {
    /// A trick on the chain with this tag; it counts the bytes of the messages that it sends.
    pub fn new(tag: &str, act: Act, sent: Arc<AtomicU64>) -> Self {
        let name = match &act {
            Act::Idle => "none",
            Act::Flood(flood) => &flood.lane,
            Act::Ask { protocol, .. } => protocol,
        };
        let protocol = StreamProtocol::try_from_owned(format!("/timecoin/{tag}/{name}/1"))
            .expect("the name begins with a slash");
        Trick { protocol, act, sent }
    }

    async fn play(self, mut stream: Stream) -> io::Result<Played> {
        match &self.act {
            Act::Idle => {}
            Act::Flood(flood) => {
                self.flood(flood, &mut stream).await?;
                // The bytes are on their way when the stream is closed.
                stream.close().await?;
                return Ok(Played::Done);
            }
            Act::Ask { request, reads, .. } => {
                let begun = Instant::now();
                stream.write_all(&wire::request(request)).await?;
                stream.flush().await?;
                if *reads {
                    let mut answer = Vec::new();
                    stream.read_to_end(&mut answer).await?;
                    let (after, bytes) = (begun.elapsed(), answer.len());
                    tokio::time::sleep(ASK_PAUSE).await;
                    return Ok(Played::Answered { after, bytes });
                }
            }
        }
        Ok(Played::Kept { _stream: stream })
    }

    async fn flood(&self, flood: &Flood, stream: &mut Stream) -> io::Result<()> {
        let (begun, first) = (Instant::now(), first());
        let mut burst = Vec::with_capacity(2 * BURST_BYTES);
        let mut number = 0;
        while flood.messages == 0 || number < flood.messages {
            let unique = first.wrapping_add(NEXT.fetch_add(1, Relaxed));
            burst.extend(wire::rpc(&flood.topic, &wire::payload(&flood.payload, unique)));
            number += 1;
            let is_due = flood.per_second > 0 && number % (flood.per_second / 100 + 1) == 0;
            if burst.len() >= BURST_BYTES || is_due || number == flood.messages {
                stream.write_all(&burst).await?;
                stream.flush().await?;
                self.sent.fetch_add(u64::try_from(burst.len()).unwrap_or(u64::MAX), Relaxed);
                burst.clear();
            }
            if is_due {
                let micros = number.saturating_mul(1_000_000) / flood.per_second;
                tokio::time::sleep_until(begun + Duration::from_micros(micros)).await;
            }
        }
        Ok(())
    }
}

impl UpgradeInfo for Trick {
    type Info = StreamProtocol;
    type InfoIter = iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once(self.protocol.clone())
    }
}

impl OutboundUpgrade<Stream> for Trick {
    type Output = Played;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Played>> + Send>>;

    fn upgrade_outbound(self, stream: Stream, _info: StreamProtocol) -> Self::Future {
        Box::pin(self.play(stream))
    }
}

/// What became of a stream.
#[derive(Debug)]
pub enum Played {
    /// Everything was sent.
    Done,
    /// The request was answered.
    Answered {
        /// After how long.
        after: Duration,
        /// The length of the answer.
        bytes: usize,
    },
    /// It is kept and not read: a stream of our own that waits for an answer, or one of the target, for
    /// gossipsub hears nobody who refuses it.
    Kept {
        /// It is kept open.
        _stream: Stream,
    },
}

impl From<Stream> for Played {
    fn from(stream: Stream) -> Self {
        Played::Kept { _stream: stream }
    }
}

/// Plays its trick on every peer that it is connected to. Its events say that everything was sent, or that
/// a request was answered.
#[derive(Debug)]
pub struct Trickster {
    trick: Trick,
    targets: Vec<(PeerId, ConnectionId)>,
    kept: Vec<Played>,
    done: VecDeque<(PeerId, Played)>,
}

impl Trickster {
    /// Who plays this trick.
    pub fn new(trick: Trick) -> Self {
        Trickster { trick, targets: Vec::new(), kept: Vec::new(), done: VecDeque::new() }
    }
}

impl NetworkBehaviour for Trickster {
    type ConnectionHandler = OneShotHandler<ReadyUpgrade<StreamProtocol>, Trick, Played>;
    type ToSwarm = (PeerId, Played);

    fn handle_established_inbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _local: &Multiaddr,
        _remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(handler(&self.trick.protocol))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(handler(&self.trick.protocol))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionEstablished(established) = event {
            self.targets.push((established.peer_id, established.connection_id));
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Ok(kept @ Played::Kept { .. }) => self.kept.push(kept),
            Ok(played) => {
                if matches!(played, Played::Answered { .. }) {
                    self.targets.push((peer, connection));
                }
                self.done.push_back((peer, played));
            }
            // The target refused the stream or ended it.
            Err(_) => {}
        }
    }

    fn poll(
        &mut self,
        _context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(done) = self.done.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(done));
        }
        if matches!(self.trick.act, Act::Idle) {
            return Poll::Pending;
        }
        let Some((peer_id, connection)) = self.targets.pop() else { return Poll::Pending };
        let (handler, event) = (NotifyHandler::One(connection), self.trick.clone());
        Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event })
    }
}

fn handler(
    protocol: &StreamProtocol,
) -> OneShotHandler<ReadyUpgrade<StreamProtocol>, Trick, Played> {
    let config =
        OneShotHandlerConfig { outbound_substream_timeout: TRICK_WITHIN, ..Default::default() };
    let accept = ReadyUpgrade::new(protocol.clone());
    OneShotHandler::new(SubstreamProtocol::new(accept, ()), config)
}
