//! One node: its directory, its process, and what it answers.
use crate::{
    host::Host,
    outcome::{Outcome, failed, need, until},
    process::Process,
};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::File,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};
use timecoin::{
    api::{Ask, GetBlockCount, GetPeerInfo, PeerView},
    rpc_client::{RpcClient, cookie_in},
};

/// How long a node may take to answer for the first time.
const START_WITHIN: Duration = Duration::from_secs(60);
const P2P: u16 = 24_200;
const RPC: u16 = 24_201;

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) host: Arc<Host>,
    pub(crate) peer_id: String,
    pub(crate) is_masternode: bool,
    dir: PathBuf,
    client: RpcClient,
    process: Option<Process>,
}

impl Node {
    pub(crate) fn new(
        name: &str,
        dir: &Path,
        host: Arc<Host>,
        peer_id: String,
        is_masternode: bool,
    ) -> Self {
        let client = RpcClient::new(rpc_of(&host), Some(cookie_in(&dir.join("data"))));
        let (name, dir) = (name.to_owned(), dir.to_owned());
        Self { name, host, peer_id, is_masternode, dir, client, process: None }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its address, for `network.bootstrap`.
    pub(crate) fn address(&self) -> String {
        self.address_of(false)
    }

    /// The same, of one kind of addresses.
    pub(crate) fn address_of(&self, is_ipv6: bool) -> String {
        format!("{}/p2p/{}", listen_of(&self.host)[usize::from(is_ipv6)], self.peer_id)
    }

    /// Starts its process.
    pub(crate) fn start(&mut self, program: &Program) -> Outcome<()> {
        let log = File::options().create(true).append(true).open(self.dir.join("node.log"))?;
        let mut command = program.command();
        command.args(["start", "--config"]).arg(self.dir.join("config.toml"));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.process = Some(self.host.enter(|| Process::spawn(&mut command))?);
        Ok(())
    }

    /// Waits until it answers.
    pub(crate) fn is_up(&self) -> Outcome<()> {
        let look = || self.ask(&GetBlockCount {}).ok();
        need(&self.name, START_WITHIN, look).map(|_| ()).map_err(|error| self.with_log(&error))
    }

    fn with_log(&self, error: &dyn std::fmt::Display) -> Box<dyn std::error::Error + Send + Sync> {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        failed(format!("{error}\n  {}", lines[lines.len().saturating_sub(8)..].join("\n  ")))
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    pub(crate) fn process(&self) -> Outcome<&Process> {
        self.process.as_ref().ok_or_else(|| failed(format!("{} does not run", self.name)))
    }

    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.dir.join("node.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Calls a method.
    pub(crate) fn ask<A: Ask + Sync>(&self, request: &A) -> Outcome<A::Answer>
    where
        A::Answer: Send,
    {
        Ok(self.host.enter(|| self.client.ask(request))?)
    }

    /// Calls a method by its name.
    pub(crate) fn call(&self, method: &str, params: &Value) -> Outcome<Value> {
        Ok(self.host.enter(|| self.client.call(method, params))?)
    }

    /// A client with a connection of its own; it works on the host only.
    pub(crate) fn client(&self) -> RpcClient {
        RpcClient::new(rpc_of(&self.host), Some(cookie_in(&self.dir.join("data"))))
    }

    pub(crate) fn height(&self) -> Outcome<u64> {
        self.ask(&GetBlockCount {})
    }

    pub(crate) fn peers(&self) -> Outcome<Vec<PeerView>> {
        self.ask(&GetPeerInfo {})
    }

    /// How long it took to reach this height; none after the limit.
    pub(crate) fn reaches(&self, height: u64, limit: Duration) -> Option<Duration> {
        let there = || self.height().ok().filter(|there| *there >= height);
        until(limit, there).map(|(_, after)| after)
    }

    /// The sum of a counter over its labels.
    pub(crate) fn counter(&self, name: &str) -> Outcome<u64> {
        let (_, text) = self.host.enter(|| self.client.get("/metrics"))?;
        let of_name = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with([' ', '{']))
        };
        let values = text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next());
        Ok(values.filter_map(|value| value.parse::<u64>().ok()).sum())
    }

    /// Bytes of memory.
    pub(crate) fn resident_bytes(&self) -> Outcome<u64> {
        self.process()?.resident_bytes()
    }
}

/// Netgroups of these peers: /16 or IPv6 /32.
pub(crate) fn netgroups(peers: &[PeerView]) -> BTreeSet<[u8; 4]> {
    peers.iter().filter_map(|peer| ip_of(&peer.addr)).map(netgroup).collect()
}

fn netgroup(ip: IpAddr) -> [u8; 4] {
    match ip {
        IpAddr::V4(ip) => [4, 0, ip.octets()[0], ip.octets()[1]],
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.octets();
            [a, b, c, d]
        }
    }
}

/// The address at the beginning of a multiaddress.
pub(crate) fn ip_of(address: &str) -> Option<IpAddr> {
    address.split('/').nth(2)?.parse().ok()
}

/// Where a node of this host listens.
pub(crate) fn listen_of(host: &Host) -> Vec<String> {
    let at = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => format!("/ip4/{ip}/tcp/{P2P}"),
        IpAddr::V6(ip) => format!("/ip6/{ip}/tcp/{P2P}"),
    };
    host.addresses().iter().map(at).collect()
}

/// Where its RPC server listens: loopback addresses of a namespace are its own.
pub(crate) fn rpc_of(host: &Host) -> SocketAddr {
    let own = host.addresses().first().copied().filter(IpAddr::is_loopback);
    SocketAddr::new(own.unwrap_or(IpAddr::from([127, 0, 0, 1])), RPC)
}

/// What runs a node: another program, or this one, which holds the same code as `timecoin`.
#[derive(Debug, Clone)]
pub(crate) struct Program(pub(crate) Option<PathBuf>);

impl Program {
    fn command(&self) -> Command {
        let mut command = match &self.0 {
            Some(path) => Command::new(path),
            None => {
                let mut command = Command::new("/proc/self/exe");
                command.arg("timecoin");
                command
            }
        };
        let own = std::env::vars_os().map(|(key, _)| key);
        for key in own.filter(|key| key.to_string_lossy().starts_with("TIMECOIN_")) {
            command.env_remove(key);
        }
        command
    }
}
