//! Requests and responses: the codec of the four protocols, and what the application sees of them.
//!
//! On the wire a frame is `[length u32 be][bytes]`. A request's bytes are an envelope; an answer's first byte says
//! whether an envelope follows (0) or the peer is busy (1, nothing follows). From version 2 of `status` on, the
//! features of the answering node (u64 be) come before the envelope.
//!
//! Invariants: a frame's length is compared with its protocol's limit before a byte of it is allocated; packing and
//! unpacking happen in the connection's task, never in the swarm's.

use std::{io, time::Instant};

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{
    PeerId, StreamProtocol,
    request_response::{self as exchange, InboundRequestId, ProtocolSupport, ResponseChannel},
};
use tokio::sync::mpsc;

use crate::{
    config::NetworkConfig,
    envelope::{self, EnvelopeError},
    error::NetworkError,
    records,
    stats::Stats,
    topic::{Names, Protocol},
    version::{Features, VERSION_MIN},
};

/// Exchanges of records in flight on one connection.
const RECORDS_STREAMS: usize = 2;
/// Bytes of the length before a frame.
const LENGTH_BYTES: usize = 4;
const ANSWER: u8 = 0;
const BUSY: u8 = 1;

/// A request from a peer.
#[derive(Debug)]
pub struct InboundRequest {
    /// The peer that asks.
    pub from: PeerId,
    /// Which protocol.
    pub protocol: Protocol,
    /// The request, at most [`Protocol::request_bytes_max`] bytes.
    pub bytes: Bytes,
    /// Where the answer goes.
    pub reply: Reply,
}

/// Responds to the asker. Dropping it answers "busy". An answer later than [`Protocol::TIMEOUT`] is
/// discarded.
#[derive(Debug)]
pub struct Reply {
    protocol: Protocol,
    id: InboundRequestId,
    channel: Option<ResponseChannel<Response>>,
    replies: mpsc::Sender<Answered>,
    stats: Stats,
}

impl Reply {
    pub(crate) fn new(
        (protocol, id): (Protocol, InboundRequestId),
        channel: ResponseChannel<Response>,
        replies: mpsc::Sender<Answered>,
        stats: Stats,
    ) -> Self {
        Reply { protocol, id, channel: Some(channel), replies, stats }
    }

    /// Answers. More than [`Protocol::response_bytes_max`] bytes are a bug in the caller: the bug
    /// is logged and counted, and the asker receives "busy".
    pub fn send(mut self, bytes: Bytes) {
        let limit = self.protocol.response_bytes_max();
        if bytes.len() > limit {
            self.stats.protocol(self.protocol).answer_too_large.add_one();
            if let Some(others) = self.stats.may_warn_of_answers(Instant::now()) {
                tracing::warn!(protocol = %self.protocol, bytes = bytes.len(), limit, others, "an answer exceeds its limit and is not sent");
            }
            return;
        }
        self.answer(Response::Bytes(bytes));
    }

    /// Asks the peer to try later or elsewhere.
    pub fn busy(mut self) {
        self.refuse();
    }

    fn refuse(&mut self) {
        if self.channel.is_some() {
            self.stats.protocol(self.protocol).busy.add_one();
            self.answer(Response::Busy);
        }
    }

    fn answer(&mut self, answer: Response) {
        if let Some(channel) = self.channel.take() {
            // The queue has room for an answer to every open request. If the swarm has stopped, the
            // asker is disconnected anyway.
            let (protocol, id) = (self.protocol, self.id);
            let _ = self.replies.try_send(Answered { protocol, id, channel, answer });
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.refuse();
    }
}

/// An answer on its way back to the swarm.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) protocol: Protocol,
    pub(crate) id: InboundRequestId,
    pub(crate) channel: ResponseChannel<Response>,
    pub(crate) answer: Response,
}

/// The content of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    Bytes(Bytes),
    /// The same with the features of the answering node. Never sent as such: the codec adds them.
    Featured(Features, Bytes),
    Busy,
}

pub(crate) type Behaviour = exchange::Behaviour<Codec>;

pub(crate) fn behaviour(
    names: &Names,
    protocol: Protocol,
    config: &NetworkConfig,
    stats: &Stats,
) -> Result<Behaviour, NetworkError> {
    let codec = Codec {
        request_max: protocol.request_bytes_max(),
        response_max: protocol.response_bytes_max(),
        compressible: protocol.compressible(),
        features: config.features,
        tally: Tally { stats: stats.clone(), protocol: Some(protocol) },
    };
    let versions = (VERSION_MIN..=protocol.version().min(config.version_max)).rev();
    let names = versions.map(|version| names.exchange(protocol, version));
    build(names.collect(), codec, protocol.streams_max())
}

/// The exchange of peer records, which the application does not see.
pub(crate) fn records(names: &Names, stats: &Stats) -> Result<Behaviour, NetworkError> {
    let codec = Codec {
        request_max: records::REQUEST_BYTES_MAX,
        response_max: records::RESPONSE_BYTES_MAX,
        compressible: false,
        features: Features::default(),
        tally: Tally { stats: stats.clone(), protocol: None },
    };
    build(vec![names.records()], codec, RECORDS_STREAMS)
}

fn build(names: Vec<String>, codec: Codec, streams: usize) -> Result<Behaviour, NetworkError> {
    let name = |name| {
        let name = StreamProtocol::try_from_owned(name);
        let name = name.map_err(|error| NetworkError::Build(error.to_string()))?;
        Ok((name, ProtocolSupport::Full))
    };
    let names = names.into_iter().map(name).collect::<Result<Vec<_>, NetworkError>>()?;
    let config = exchange::Config::default()
        .with_request_timeout(Protocol::TIMEOUT)
        .with_max_concurrent_streams(streams);
    Ok(exchange::Behaviour::with_codec(codec, names, config))
}

/// Counts the bytes of one protocol; none is the exchange of records.
#[derive(Clone, Debug)]
struct Tally {
    stats: Stats,
    protocol: Option<Protocol>,
}

impl Tally {
    fn received(&self, frame: &[u8]) {
        let bytes = LENGTH_BYTES + frame.len();
        match self.protocol {
            Some(protocol) => self.stats.protocol(protocol).bytes_in.add_size(bytes),
            None => self.stats.counters.records_bytes_in.add_size(bytes),
        }
    }

    fn sent(&self, bytes: usize) {
        match self.protocol {
            Some(protocol) => self.stats.protocol(protocol).bytes_out.add_size(bytes),
            None => self.stats.counters.records_bytes_out.add_size(bytes),
        }
    }
}

/// Reads and writes the frames of one protocol.
#[derive(Clone, Debug)]
pub(crate) struct Codec {
    request_max: usize,
    response_max: usize,
    compressible: bool,
    features: Features,
    tally: Tally,
}

/// Whether an answer of this protocol begins with features.
fn is_featured(name: &StreamProtocol) -> bool {
    name.as_ref().ends_with("/status/2")
}

impl exchange::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Response;

    async fn read_request<T>(&mut self, _name: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        let limit = self.request_max;
        let frame = read_frame(io, limit + envelope::HEADER_BYTES).await?;
        self.tally.received(&frame);
        envelope::decode(&frame, limit).map_err(malformed)
    }

    async fn read_response<T>(&mut self, name: &StreamProtocol, io: &mut T) -> io::Result<Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        let limit = self.response_max;
        let head = envelope::HEADER_BYTES + 1 + size_of::<Features>();
        let frame = read_frame(io, limit + head).await?;
        self.tally.received(&frame);
        match frame.split_first() {
            Some((&ANSWER, rest)) if is_featured(name) => {
                let (features, wire) =
                    rest.split_first_chunk().ok_or(io::ErrorKind::InvalidData)?;
                let features = Features(u64::from_be_bytes(*features));
                let bytes = envelope::decode(wire, limit).map_err(malformed)?;
                Ok(Response::Featured(features, bytes))
            }
            Some((&ANSWER, wire)) => {
                envelope::decode(wire, limit).map(Response::Bytes).map_err(malformed)
            }
            Some((&BUSY, [])) => Ok(Response::Busy),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the answer is neither bytes nor busy",
            )),
        }
    }

    async fn write_request<T>(
        &mut self,
        _name: &StreamProtocol,
        io: &mut T,
        request: Bytes,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let wire = envelope::encode(&request, 0, self.compressible);
        write_frame(io, &[], &wire, &self.tally).await
    }

    async fn write_response<T>(
        &mut self,
        name: &StreamProtocol,
        io: &mut T,
        answer: Response,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match answer {
            Response::Busy => write_frame(io, &[BUSY], &[], &self.tally).await,
            Response::Bytes(bytes) | Response::Featured(_, bytes) => {
                let wire = envelope::encode(&bytes, 0, self.compressible);
                // A slow reader holds one copy, not two.
                drop(bytes);
                let mut head = vec![ANSWER];
                if is_featured(name) {
                    head.extend(self.features.0.to_be_bytes());
                }
                write_frame(io, &head, &wire, &self.tally).await
            }
        }
    }
}

async fn read_frame<T>(io: &mut T, limit: usize) -> io::Result<Vec<u8>>
where
    T: AsyncRead + Unpin + Send,
{
    let mut length = [0; LENGTH_BYTES];
    io.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > limit {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("frame of {length} bytes exceeds the limit of {limit}"),
        ));
    }
    let mut frame = vec![0; length];
    io.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write_frame<T>(io: &mut T, head: &[u8], body: &[u8], tally: &Tally) -> io::Result<()>
where
    T: AsyncWrite + Unpin + Send,
{
    let length = u32::try_from(head.len() + body.len()).map_err(io::Error::other)?;
    let mut start = length.to_be_bytes().to_vec();
    start.extend_from_slice(head);
    io.write_all(&start).await?;
    io.write_all(body).await?;
    tally.sent(start.len() + body.len());
    Ok(())
}

fn malformed(error: EnvelopeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;

    use super::*;

    const NAME: StreamProtocol = StreamProtocol::new("/test/1");

    fn codec() -> Codec {
        counting(&Stats::default())
    }

    fn counting(stats: &Stats) -> Codec {
        let protocol = Protocol::Blocks;
        Codec {
            request_max: protocol.request_bytes_max(),
            response_max: protocol.response_bytes_max(),
            compressible: protocol.compressible(),
            features: Features(7),
            tally: Tally { stats: stats.clone(), protocol: Some(protocol) },
        }
    }

    #[tokio::test]
    async fn the_features_come_with_a_status_of_version_2_and_not_before() {
        let bytes = Bytes::from_static(b"a tip");
        for (name, expected) in [
            ("/timecoin/tc/status/1", Response::Bytes(bytes.clone())),
            ("/timecoin/tc/status/2", Response::Featured(Features(7), bytes.clone())),
        ] {
            let name = StreamProtocol::new(name);
            let mut wire = Cursor::new(Vec::new());
            codec().write_response(&name, &mut wire, Response::Bytes(bytes.clone())).await.unwrap();
            wire.set_position(0);
            assert_eq!(codec().read_response(&name, &mut wire).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn requests_and_answers_come_back() {
        let mut wire = Cursor::new(Vec::new());
        let request = Bytes::from_static(b"from 7, 3 of them");
        codec().write_request(&NAME, &mut wire, request.clone()).await.unwrap();
        wire.set_position(0);
        assert_eq!(codec().read_request(&NAME, &mut wire).await.unwrap(), request);

        let large = Bytes::from(vec![5; Protocol::Blocks.response_bytes_max()]);
        for answer in [Response::Busy, Response::Bytes(Bytes::new()), Response::Bytes(large)] {
            let mut wire = Cursor::new(Vec::new());
            codec().write_response(&NAME, &mut wire, answer.clone()).await.unwrap();
            wire.set_position(0);
            assert_eq!(codec().read_response(&NAME, &mut wire).await.unwrap(), answer);
        }
    }

    #[tokio::test]
    async fn bytes_are_counted_as_they_travel() {
        let (stats, mut wire) = (Stats::default(), Cursor::new(Vec::new()));
        let mut codec = counting(&stats);
        codec.write_request(&NAME, &mut wire, Bytes::from_static(b"from 7")).await.unwrap();
        codec.write_response(&NAME, &mut wire, Response::Busy).await.unwrap();
        let sent = u64::try_from(wire.get_ref().len()).unwrap();
        assert_eq!(stats.snapshot().protocol(Protocol::Blocks).bytes_out, sent);
        wire.set_position(0);
        codec.read_request(&NAME, &mut wire).await.unwrap();
        codec.read_response(&NAME, &mut wire).await.unwrap();
        let counted = stats.snapshot().protocol(Protocol::Blocks);
        assert_eq!((counted.bytes_in, counted.bytes_out), (sent, sent));
        codec.tally.protocol = None;
        wire.set_position(0);
        codec.read_request(&NAME, &mut wire).await.unwrap();
        assert_eq!(stats.snapshot().protocol(Protocol::Blocks), counted);
        assert!(stats.snapshot().records_bytes_in > 6);
    }

    #[tokio::test]
    async fn a_frame_over_the_limit_is_refused_by_its_length() {
        let mut wire = Cursor::new(u32::MAX.to_be_bytes().to_vec());
        let error = codec().read_request(&NAME, &mut wire).await.unwrap_err();
        assert!(error.to_string().contains("exceeds the limit"), "{error}");
        wire.set_position(0);
        let error = codec().read_response(&NAME, &mut wire).await.unwrap_err();
        assert!(error.to_string().contains("exceeds the limit"), "{error}");
    }

    #[tokio::test]
    async fn cut_and_foreign_frames_are_refused() {
        let frames: [&[u8]; 6] = [
            b"",
            b"\x00\x00",
            b"\x00\x00\x00\x09\x00",
            b"\x00\x00\x00\x00",
            b"\x00\x00\x00\x02\x01\x00",
            b"\x00\x00\x00\x01\x02",
        ];
        for frame in frames {
            let mut wire = Cursor::new(frame.to_vec());
            assert!(codec().read_response(&NAME, &mut wire).await.is_err(), "{frame:?}");
        }
    }
}
