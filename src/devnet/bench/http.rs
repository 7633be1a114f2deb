//! One connection to a node's server that stays open. Does only what a load needs: requests with a body and
//! the stream of events.
use super::{BenchError, Node, chunked::Chunked};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Bytes of the longest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of the longest line of a head that is read.
const LINE_BYTES_MAX: u64 = 8 * 1024;

/// Sends calls, one after the other.
#[derive(Debug)]
pub(super) struct Connection {
    name: String,
    stream: BufReader<TcpStream>,
    /// All of a request up to its length.
    head: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    pub(super) fn open(node: &Node) -> Result<Self, BenchError> {
        let stream = connect(node)?;
        let head = format!(
            "POST / HTTP/1.1\r\n{}Content-Type: application/json\r\nContent-Length: ",
            fields(node)?
        );
        let stream = BufReader::new(stream);
        Ok(Self { name: node.name.clone(), stream, head, request: Vec::new(), answer: Vec::new() })
    }

    /// Sends a body and reads the answer.
    pub(super) fn post(&mut self, body: &[u8]) -> Result<&[u8], BenchError> {
        self.request.clear();
        self.request.extend_from_slice(self.head.as_bytes());
        self.request.extend_from_slice(format!("{}\r\n\r\n", body.len()).as_bytes());
        self.request.extend_from_slice(body);
        let failed = |error| BenchError::Connection { node: self.name.clone(), error };
        self.stream.get_mut().write_all(&self.request).map_err(failed)?;
        let head = read_head(&mut self.stream).map_err(failed)?;
        let length = head.length.filter(|length| *length <= ANSWER_BYTES_MAX);
        let Some(length) = length.filter(|_| head.status == 200) else {
            let reason = format!("HTTP {}", head.status);
            return Err(BenchError::Answer { node: self.name.clone(), reason });
        };
        self.answer.resize(length, 0);
        self.stream.read_exact(&mut self.answer).map_err(failed)?;
        Ok(&self.answer)
    }
}

/// The events of a node, and how to end them from another thread.
pub(super) struct EventStream {
    pub(super) lines: BufReader<Chunked<BufReader<TcpStream>>>,
}

/// Ends a stream of events: its reader sees the end of the stream.
#[derive(Debug)]
pub(super) struct Hangup(TcpStream);

impl Hangup {
    pub(super) fn now(&self) {
        // A connection that is gone already has ended too.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Follows final blocks and transactions from now on.
pub(super) fn subscribe(node: &Node) -> Result<(EventStream, Hangup), BenchError> {
    let failed = |error| BenchError::Connection { node: node.name.clone(), error };
    let mut stream = connect(node)?;
    let request = format!("GET /events?topics=block,tx HTTP/1.1\r\n{}\r\n", fields(node)?);
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let hangup = Hangup(stream.try_clone().map_err(failed)?);
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    let head = read_head(&mut stream).map_err(failed)?;
    if head.status != 200 || head.length.is_some() {
        let reason = format!("HTTP {} for /events", head.status);
        return Err(BenchError::Answer { node: node.name.clone(), reason });
    }
    // Comments keep an idle stream alive, so that a silent one is broken.
    stream.get_ref().set_read_timeout(Some(ANSWER_WITHIN)).map_err(failed)?;
    let lines = BufReader::with_capacity(64 * 1024, Chunked::new(stream));
    Ok((EventStream { lines }, hangup))
}

fn connect(node: &Node) -> Result<TcpStream, BenchError> {
    let open = || {
        let stream = TcpStream::connect_timeout(&node.rpc, CONNECT_WITHIN)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        Ok(stream)
    };
    open().map_err(|error| BenchError::Connection { node: node.name.clone(), error })
}

/// The fields of every request.
fn fields(node: &Node) -> Result<String, BenchError> {
    let cookie = fs::read_to_string(&node.cookie)
        .map_err(|error| BenchError::Connection { node: node.name.clone(), error })?;
    let credentials = STANDARD.encode(cookie.trim());
    Ok(format!("Host: {}\r\nAuthorization: Basic {credentials}\r\n", node.rpc))
}

/// What is needed of the head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    length: Option<usize>,
}

fn read_head(stream: &mut impl BufRead) -> io::Result<Head> {
    let mut head = Head { status: 0, length: None };
    let mut line = String::new();
    loop {
        line.clear();
        if stream.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end();
        if text.is_empty() {
            return Ok(head);
        }
        if let Some(status) = text.strip_prefix("HTTP/1.1 ") {
            head.status = status.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
        } else if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            head.length = value.trim().parse().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::{net::TcpListener, thread};

    #[test]
    fn a_head_is_read_up_to_the_empty_line() {
        let mut stream = "HTTP/1.1 200 OK\r\ncontent-LENGTH: 12\r\nx: y\r\n\r\nbody".as_bytes();
        assert_eq!(read_head(&mut stream).ok(), Some(Head { status: 200, length: Some(12) }));
        assert_eq!(stream, b"body");
        assert!(read_head(&mut "HTTP/1.1 200 OK\r\n".as_bytes()).is_err());
    }

    #[test]
    fn one_connection_carries_many_calls() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let cookie = dir.path().join("cookie");
        fs::write(&cookie, "a:b\n").unwrap();
        let rpc = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            for answer in
                ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes", "HTTP/1.1 503 No\r\n\r\n"]
            {
                let head = read_head(&mut stream).unwrap();
                let mut body = vec![0; head.length.unwrap()];
                stream.read_exact(&mut body).unwrap();
                assert_eq!(body, b"[1]");
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        let node = Node { name: "val0".into(), pid: 1, rpc, cookie };
        let mut connection = Connection::open(&node).unwrap();
        assert_eq!(connection.post(b"[1]").unwrap(), b"yes");
        let error = connection.post(b"[1]").unwrap_err();
        assert_eq!(error.to_string(), "val0 answered with something else: HTTP 503");
        server.join().unwrap();
    }
}
