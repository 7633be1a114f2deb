//! A local network, started by `timecoin testnet up` and stopped when dropped.
use crate::{
    ports,
    process::{self, Ended, Process, has_ended, run, runs_with},
    room::Room,
    wait::eventually,
};
use nix::sys::signal::Signal;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Mutex, Once, PoisonError},
    thread,
};
use tempfile::TempDir;
use timecoin::{
    api::{Ask, GetBlockCount, GetBlockHash, GetNetworkInfo, GetPeerInfo},
    rpc_client::{RpcClient, RpcClientError, cookie_in},
};
use timecoin_chain::{genesis::GenesisHash, types::Amount};
use tokio::signal::unix::{SignalKind, signal};

/// Lines of each log that a failed test shows.
const TAIL_LINES: usize = 12;

/// Directories of the running networks, for cleanup after an interruption.
static RUNNING: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A network and its nodes, masternodes first.
pub(crate) struct Net {
    pub(crate) dir: PathBuf,
    pub(crate) nodes: Vec<Node>,
    /// The output of `testnet up --json`.
    pub(crate) up: Value,
    base_port: u16,
    _files: TempDir,
    _room: Room,
}

/// One node of a network.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) p2p: u16,
    pub(crate) rpc: u16,
    pub(crate) client: RpcClient,
}

/// A refusal by RPC.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: i64,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Net {
    /// Four masternodes and a full node.
    pub(crate) fn five(room: Room) -> Self {
        Self::up(room, 4, 1, &[])
    }

    /// A network with one masternode and no other node.
    pub(crate) fn single(room: Room) -> Self {
        Self::up(room, 1, 0, &[])
    }

    pub(crate) fn up(room: Room, validators: u16, full: u16, more: &[&str]) -> Self {
        end_all_when_interrupted();
        let files = tempfile::tempdir().unwrap();
        let dir = files.path().canonicalize().unwrap().join("net");
        let base_port = ports::free_base(validators + full);
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(dir.clone());
        let up = Value::Null;
        let mut net = Self { dir, nodes: Vec::new(), up, base_port, _files: files, _room: room };
        let (validators, full) = (validators.to_string(), full.to_string());
        let shape = ["--validators", &validators, "--full", &full];
        net.up = net.bring_up(&[&shape[..], more].concat());
        net.nodes = net.up["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| Node::new(&net.dir, node))
            .collect();
        net
    }

    /// Starts the nodes that do not run; returns the command's output.
    pub(crate) fn up_again(&self) -> Value {
        self.bring_up(&[])
    }

    fn bring_up(&self, more: &[&str]) -> Value {
        let base_port = self.base_port.to_string();
        let words = ["up", "--detach", "--json", "--base-port", &base_port];
        self.testnet(&[&words[..], more].concat()).json()
    }

    /// `timecoin testnet ... --dir` of this network.
    pub(crate) fn testnet(&self, words: &[&str]) -> Ended {
        let dir = self.dir.to_str().unwrap();
        run(&[&["testnet"], words, &["--dir", dir]].concat())
    }

    /// `timecoin ... --net` of this network.
    pub(crate) fn command(&self, words: &[&str]) -> Ended {
        run(&[words, &["--net", self.dir.to_str().unwrap()]].concat())
    }

    pub(crate) fn wallet(&self, words: &[&str]) -> Ended {
        self.command(&[&["wallet", "--json"], words].concat())
    }

    /// Pays from alice and waits until it is final; returns the wallet's output.
    pub(crate) fn pay_and_wait(&self, to: &str, time: &str) -> Value {
        let payment = ["send", "--from", "alice", "--to", to, time];
        self.wallet(&[&payment[..], &["--yes", "--wait", "--timeout", "90"]].concat()).json()
    }

    pub(crate) fn node(&self, name: &str) -> &Node {
        self.nodes.iter().find(|node| node.name == name).unwrap()
    }

    pub(crate) fn genesis(&self) -> GenesisHash {
        self.up["genesis"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn genesis_file(&self) -> PathBuf {
        self.dir.join("genesis.json")
    }

    /// The process of a node, whether or not it still runs.
    pub(crate) fn pid(&self, name: &str) -> u32 {
        let entry = entries(&self.dir).into_iter().find(|entry| entry["name"] == name).unwrap();
        u32::try_from(entry["pid"].as_u64().unwrap()).unwrap()
    }

    /// A node's entry in `testnet.json`.
    pub(crate) fn entry(&self, name: &str) -> Value {
        entries(&self.dir).into_iter().find(|entry| entry["name"] == name).unwrap()
    }

    pub(crate) fn signal(&self, name: &str, signal: Signal) {
        assert!(process::send(self.pid(name), signal), "{name} runs");
    }

    /// `timecoin testnet kill`, and waits until the process has released its ports and locks.
    pub(crate) fn kill(&self, name: &str) {
        let pid = self.pid(name);
        self.testnet(&["kill", name]).ok();
        eventually(&format!("the end of {name}"), || {
            has_ended(pid).then_some(()).ok_or_else(|| format!("process {pid} is there"))
        });
    }

    /// Kills every node at once and waits until all have ended.
    pub(crate) fn kill_all(&self) {
        kill_all(&self.dir);
    }

    /// Asserts that all nodes have the same blocks from a height to the lowest tip; returns that
    /// height.
    pub(crate) fn assert_one_chain(&self, from: u64) -> u64 {
        let last = self.nodes.iter().map(Node::height).min().unwrap();
        for height in from..=last {
            let hash = self.nodes[0].hash_at(height);
            for node in &self.nodes[1..] {
                assert_eq!(node.hash_at(height), hash, "height {height} at {}", node.name);
            }
        }
        last
    }

    /// Asserts that no node has panicked or found a masternode that broke the rules.
    pub(crate) fn assert_sound(&self) {
        for node in &self.nodes {
            let log = node.log();
            for sign in ["panicked at", "signed two ", "forgot its lock", "breaks a rule"] {
                let found = log.lines().find(|line| line.contains(sign));
                assert_eq!(found, None, "in the log of {}", node.name);
            }
        }
    }
}

/// The nodes of a network that a command keeps in a directory: dropping this ends them if the
/// command does not.
pub(crate) struct Orphans(PathBuf);

impl Orphans {
    pub(crate) fn of(dir: &Path) -> Self {
        end_all_when_interrupted();
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(dir.to_owned());
        Self(dir.to_owned())
    }
}

impl Drop for Orphans {
    fn drop(&mut self) {
        kill_all(&self.0);
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if thread::panicking() {
            for node in &self.nodes {
                let log = node.log();
                let lines: Vec<&str> = log.lines().collect();
                let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
                eprintln!("{}:\n  {}", node.name, tail.join("\n  "));
            }
        }
        kill_all(&self.dir);
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.dir);
    }
}

impl Node {
    fn new(net: &Path, view: &Value) -> Self {
        let port = |key: &str| u16::try_from(view[key].as_u64().unwrap()).unwrap();
        let name = view["name"].as_str().unwrap().to_owned();
        Self::at(name.clone(), net.join(name), port("p2p"), port("rpc"))
    }

    /// A node with its files in a directory.
    pub(crate) fn at(name: String, dir: PathBuf, p2p: u16, rpc: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, rpc));
        let client = RpcClient::new(address, Some(cookie_in(&dir.join("data"))));
        Self { name, dir, p2p, rpc, client }
    }

    /// Starts it with its configuration on its own ports, as a child of the test.
    pub(crate) fn start(&self, more: &[&str]) -> Process {
        let listen = format!("network.listen=/ip4/127.0.0.1/tcp/{}", self.p2p);
        let rpc = format!("127.0.0.1:{}", self.rpc);
        let own = ["--set", &listen, "--rpc-listen", &rpc];
        Process::node(&self.config(), &[&own[..], more].concat())
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// Calls a method that must succeed.
    pub(crate) fn call<T: DeserializeOwned>(&self, method: &str, params: impl Serialize) -> T {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    pub(crate) fn try_call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: impl Serialize,
    ) -> Result<T, RpcClientError> {
        self.client.call(method, &params)
    }

    /// Sends a request that must succeed.
    pub(crate) fn ask<A: Ask>(&self, request: &A) -> A::Answer {
        self.client.ask(request).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Calls a method that must be refused.
    pub(crate) fn refusal(&self, method: &str, params: impl Serialize) -> Refusal {
        match self.try_call::<Value>(method, params) {
            Err(RpcClientError::Answered { code, message, reason, .. }) => {
                Refusal { code: code.into(), reason: reason.unwrap_or_default(), message }
            }
            other => panic!("{}: {method} was not refused: {other:?}", self.name),
        }
    }

    pub(crate) fn height(&self) -> u64 {
        self.ask(&GetBlockCount {})
    }

    pub(crate) fn hash_at(&self, height: u64) -> String {
        self.ask(&GetBlockHash { height })
    }

    /// Waits until it has this height; returns its height.
    pub(crate) fn reaches(&self, height: u64) -> u64 {
        eventually(&format!("height {height} at {}", self.name), || {
            match self.client.ask(&GetBlockCount {}) {
                Ok(there) if there >= height => Ok(there),
                Ok(there) => Err(format!("height {there}")),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    /// Its connected peers.
    pub(crate) fn peers(&self) -> BTreeSet<String> {
        self.ask(&GetPeerInfo {}).into_iter().map(|peer| peer.peer).collect()
    }

    pub(crate) fn peer_id(&self) -> String {
        self.ask(&GetNetworkInfo {}).peer_id
    }

    /// Its address as a bootstrap node.
    pub(crate) fn address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", self.p2p, self.peer_id())
    }

    /// A value from `/metrics` by its name and labels.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let (_, text) = self.client.get("/metrics").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no metric {name}")).parse().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.dir.join("node.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until its log has a line with these words; returns the line.
    pub(crate) fn logs(&self, words: &str) -> String {
        eventually(&format!("`{words}` in the log of {}", self.name), || {
            let log = self.log();
            let line = log.lines().find(|line| line.contains(words));
            line.map(str::to_owned).ok_or_else(|| format!("{} lines", log.lines().count()))
        })
    }
}

/// An amount as `wallet --json` prints it.
pub(crate) fn amount(value: &Value) -> Amount {
    value.as_str().unwrap().parse().unwrap()
}

fn entries(dir: &Path) -> Vec<Value> {
    let text = fs::read(dir.join("testnet.json")).unwrap_or_default();
    let state: Value = serde_json::from_slice(&text).unwrap_or_default();
    state["nodes"].as_array().cloned().unwrap_or_default()
}

/// Kills the nodes of a network, each by its process id, and waits until they have ended.
fn kill_all(dir: &Path) {
    let running: Vec<(u32, PathBuf)> = entries(dir)
        .iter()
        .filter_map(|entry| {
            let config = dir.join(entry["name"].as_str()?).join("config.toml");
            Some((u32::try_from(entry["pid"].as_u64()?).ok()?, config))
        })
        .filter(|(pid, config)| runs_with(*pid, config))
        .collect();
    for (pid, _) in &running {
        process::send(*pid, Signal::SIGKILL);
    }
    while !running.iter().all(|(pid, _)| has_ended(*pid)) {
        thread::yield_now();
    }
}

/// Nodes have their own process groups: Ctrl-C reaches only this program, which stops them.
fn end_all_when_interrupted() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let mut interrupt = signal(SignalKind::interrupt()).unwrap();
                let mut terminate = signal(SignalKind::terminate()).unwrap();
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            });
            for dir in RUNNING.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                kill_all(dir);
                // The directory belongs to this network alone, so leftover files disturb no other
                // test.
                let _ = fs::remove_dir_all(dir.parent().unwrap());
            }
            std::process::exit(130);
        });
    });
}
