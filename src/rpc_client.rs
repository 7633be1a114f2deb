//! The blocking client of a node's RPC server: one address, plain HTTP, the node's cookie. The command
//! line, the benchmark and the whole-node tests use it.
//!
//! Every call and every read has a time limit. A client keeps its connection open between calls. It reads
//! the cookie again when the server refuses it, because a node writes a new cookie at each start. It
//! reads amounts digit by digit, never as floating point.
mod events;
mod status;

pub use events::{Event, Events};
pub use status::NodeStatus;

use crate::api::{Ask, Code, Failure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};
use ureq::{Agent, Body, http::Response};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long a call may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The longest idle time of an event stream. The server sends a comment every 15 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Bytes of the longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of the longest cookie that is read.
const COOKIE_BYTES_MAX: u64 = 4_096;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum RpcClientError {
    /// Nobody answers.
    #[error("no node answers at {address}: {reason}")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// The server does not accept the cookie.
    #[error("the node at {address} refuses the cookie {}", cookie.as_deref().map_or_else(|| "(none given)".into(), |path| path.display().to_string()))]
    Refused {
        /// Where.
        address: SocketAddr,
        /// The cookie file that was read.
        cookie: Option<PathBuf>,
    },
    /// The server is not a JSON-RPC server, or has another version.
    #[error("{address} answered {method} with something else: {reason}")]
    Malformed {
        /// Where.
        address: SocketAddr,
        /// What was asked.
        method: String,
        /// What came.
        reason: String,
    },
    /// The node refused the request.
    #[error("{method}: {message} (code {code})")]
    Answered {
        /// What was asked.
        method: String,
        /// What kind of failure.
        code: Code,
        /// In words.
        message: String,
        /// A stable name, independent of the message.
        reason: Option<String>,
    },
}

impl RpcClientError {
    /// Whether the node runs but is not ready yet.
    pub fn is_warming_up(&self) -> bool {
        matches!(self, Self::Answered { code: Code::WarmingUp, .. })
    }

    /// Whether the node does not know the method.
    pub fn is_unknown_method(&self) -> bool {
        matches!(self, Self::Answered { code: Code::MethodNotFound, .. })
    }
}

/// A node to talk to.
#[derive(Debug)]
pub struct RpcClient {
    address: SocketAddr,
    cookie: Option<PathBuf>,
    agent: Agent,
    /// The last `Authorization` header that worked. Readers of one client may be on several threads.
    authorization: Mutex<Option<String>>,
}

#[derive(Serialize)]
struct Call<'a, P: ?Sized> {
    jsonrpc: &'static str,
    id: u32,
    method: &'a str,
    params: &'a P,
}

#[derive(Deserialize)]
struct RpcResponse {
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<Failure>,
}

impl RpcClient {
    /// A client of the node at an address. A server on all interfaces is reached on the loopback.
    pub fn new(address: SocketAddr, cookie: Option<PathBuf>) -> Self {
        Self::patient(address, cookie, ANSWER_WITHIN)
    }

    /// The same with another limit for a call.
    pub fn patient(address: SocketAddr, cookie: Option<PathBuf>, within: Duration) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_WITHIN.min(within)))
            .timeout_global(Some(within))
            .user_agent(concat!("timecoin/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Self { address: reachable(address), cookie, agent, authorization: Mutex::default() }
    }

    /// Where the node is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request; its answer.
    pub fn ask<A: Ask>(&self, request: &A) -> Result<A::Answer, RpcClientError> {
        self.call(A::METHOD, request)
    }

    /// Calls a method and reads its result as a type. `params` is a list, or an object by name.
    pub fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &(impl Serialize + ?Sized),
    ) -> Result<T, RpcClientError> {
        let raw = self.call_raw(method, params)?;
        serde_json::from_str(raw.get()).map_err(|error| self.malformed(method, error))
    }

    /// Calls a method; the result as the server wrote it.
    pub fn call_raw(
        &self,
        method: &str,
        params: &(impl Serialize + ?Sized),
    ) -> Result<Box<RawValue>, RpcClientError> {
        let call = Call { jsonrpc: "2.0", id: 1, method, params };
        let text = serde_json::to_string(&call).map_err(|error| self.malformed(method, error))?;
        let (status, body) = self.send(text.as_bytes())?;
        let answer: RpcResponse = serde_json::from_slice(&body)
            .map_err(|_| self.malformed(method, format_args!("HTTP {status} {}", start(&body))))?;
        if let Some(Failure { code, message, data }) = answer.error {
            let (method, reason) = (method.to_owned(), data.map(|data| data.reason));
            return Err(RpcClientError::Answered { method, code, message, reason });
        }
        Ok(answer.result.unwrap_or_else(|| RawValue::NULL.to_owned()))
    }

    /// Sends a request body that is JSON-RPC already, such as a batch; the body of the answer.
    pub fn post(&self, body: &[u8]) -> Result<Vec<u8>, RpcClientError> {
        match self.send(body)? {
            (200, answer) => Ok(answer),
            (status, answer) => {
                Err(self.malformed("POST", format_args!("HTTP {status} {}", start(&answer))))
            }
        }
    }

    fn send(&self, body: &[u8]) -> Result<(u16, Vec<u8>), RpcClientError> {
        let mut response = self.with_authorization(|authorization| {
            let request = self.agent.post(self.url("/")).content_type("application/json");
            match authorization {
                Some(value) => request.header("authorization", value).send(body),
                None => request.send(body),
            }
        })?;
        Ok((response.status().as_u16(), self.read(&mut response)?))
    }

    /// Asks for a page without authorization, such as `/readyz`: its status and text.
    pub fn get(&self, path: &str) -> Result<(u16, String), RpcClientError> {
        let mut response =
            self.agent.get(self.url(path)).call().map_err(|error| self.unreachable(&error))?;
        let body = String::from_utf8_lossy(&self.read(&mut response)?).into_owned();
        Ok((response.status().as_u16(), body))
    }

    /// Follows the server's events of these topics: `block`, `tx` or both with a comma. Blocks until the
    /// server answers; then each read blocks.
    pub fn events(&self, topics: &str) -> Result<Events, RpcClientError> {
        let path = format!("/events?topics={topics}");
        let response = self.with_authorization(|authorization| {
            let request = self.agent.get(self.url(&path)).header("accept", "text/event-stream");
            let request = match authorization {
                Some(value) => request.header("authorization", value),
                None => request,
            };
            let config = request.config().timeout_global(None);
            config.timeout_per_read(Some(SILENCE_MAX)).build().call()
        })?;
        if response.status().as_u16() != 200 {
            return Err(self.malformed("/events", format_args!("HTTP {}", response.status())));
        }
        Ok(Events::new(response.into_body()))
    }

    /// Sends a request; if the server refuses the cookie, reads the cookie again and sends once more.
    fn with_authorization(
        &self,
        send: impl Fn(Option<String>) -> Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, RpcClientError> {
        let known = self.authorization.lock().ok().and_then(|value| value.clone());
        let was_known = known.is_some();
        let first = known.or_else(|| self.read_cookie());
        let response = send(first.clone()).map_err(|error| self.unreachable(&error))?;
        if response.status().as_u16() != 401 {
            self.remember(first, was_known);
            return Ok(response);
        }
        let again = self.read_cookie().filter(|value| Some(value) != first.as_ref());
        let refused =
            || RpcClientError::Refused { address: self.address, cookie: self.cookie.clone() };
        let again = again.ok_or_else(refused)?;
        let response = send(Some(again.clone())).map_err(|error| self.unreachable(&error))?;
        if response.status().as_u16() == 401 {
            return Err(refused());
        }
        self.remember(Some(again), false);
        Ok(response)
    }

    fn remember(&self, authorization: Option<String>, known: bool) {
        if !known && let Ok(mut value) = self.authorization.lock() {
            *value = authorization;
        }
    }

    fn read_cookie(&self) -> Option<String> {
        use std::io::Read;
        let mut cookie = String::new();
        let file = fs::File::open(self.cookie.as_deref()?).ok()?;
        file.take(COOKIE_BYTES_MAX).read_to_string(&mut cookie).ok()?;
        Some(format!("Basic {}", STANDARD.encode(cookie.trim())))
    }

    fn read(&self, response: &mut Response<Body>) -> Result<Vec<u8>, RpcClientError> {
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        body.map_err(|error| self.unreachable(&error))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn unreachable(&self, error: &ureq::Error) -> RpcClientError {
        let reason = match error {
            ureq::Error::Io(error) => match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "nothing listens there".into(),
                _ => error.to_string(),
            },
            ureq::Error::ConnectionFailed => "nothing listens there".into(),
            ureq::Error::Timeout(_) => "no answer in time".into(),
            other => other.to_string(),
        };
        RpcClientError::Unreachable { address: self.address, reason }
    }

    fn malformed(&self, method: &str, reason: impl ToString) -> RpcClientError {
        let (address, method) = (self.address, method.to_owned());
        RpcClientError::Malformed { address, method, reason: reason.to_string() }
    }
}

/// The cookie of a node by its data directory.
pub fn cookie_in(data_dir: &Path) -> PathBuf {
    data_dir.join(".cookie")
}

/// The beginning of an answer that cannot be parsed.
fn start(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(200).collect()
}

fn reachable(address: SocketAddr) -> SocketAddr {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpListener,
        thread,
    };

    /// The head of a request, and its body of the announced length.
    fn request(stream: &mut impl BufRead) -> (String, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    #[test]
    fn one_connection_carries_many_calls() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::write(cookie_in(dir.path()), "a:b\n").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            for answer in
                ["200 OK\r\nContent-Length: 3\r\n\r\nyes", "503 No\r\nContent-Length: 0\r\n\r\n"]
            {
                let (head, body) = request(&mut stream);
                assert!(head.contains("authorization: basic ytpi"), "{head}");
                assert_eq!(body, "[1]");
                write!(stream.get_mut(), "HTTP/1.1 {answer}").unwrap();
            }
        });
        let client = RpcClient::new(address, Some(cookie_in(dir.path())));
        assert_eq!(client.post(b"[1]").unwrap(), b"yes");
        let error = client.post(b"[1]").unwrap_err();
        assert!(error.to_string().contains("HTTP 503"), "{error}");
        server.join().unwrap();
    }
}
