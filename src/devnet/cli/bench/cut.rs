//! Cuts the connection between nodes and restores it.
//!
//! In a network namespace of its own, where the program may set up routes, packets between the
//! sides vanish as on a broken cable: neither side is notified, connections stay open and
//! retransmit. Without a namespace (it needs `unshare`, `ip` and a kernel that lets users create
//! namespaces) one side is stopped instead, and the figures say so.
//!
//! Never touches the routes of the machine itself.
use crate::{
    devnet::network::{Layout, NodeEntry, processes::signal},
    terminal::{CliError, Exit},
};
use nix::sys::signal::Signal;
use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

/// Prepares a namespace. Packets routed to `hole` vanish.
const SETUP: &str = "link set lo up\nlink add hole type ifb\nlink set hole up\n";
const RULES: &str = "route add default dev hole table 77\n\
    rule add pref 2 lookup local\nrule add pref 10 lookup local\nrule del pref 0 lookup local\n";
/// Lets packets with addresses of this machine leave through `hole`.
const ROUTE_LOCALNET: &str = "/proc/sys/net/ipv4/conf/hole/route_localnet";
/// Makes everything reachable; precedes all other rules.
const OPEN: &str = "rule add pref 2 lookup local\n";
const SHUT: &str = "rule del pref 2 lookup local\n";

/// The means of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// Packets vanish.
    Routes,
    /// The processes of the smaller side are stopped.
    Stop,
}

impl Means {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Routes => "packets vanish",
            Self::Stop => "processes stand still: this system gives no network namespace",
        }
    }
}

/// Runs this program again in a namespace of its own, if possible; then it does not return.
pub(super) fn enter_namespace() {
    let fits = Command::new("unshare")
        .args(["-rn", "ip", "link", "add", "hole", "type", "ifb"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if let (Ok(true), Ok(program)) = (fits.map(|status| status.success()), std::env::current_exe())
    {
        let mut command = Command::new("unshare");
        command.arg("-rn").arg(program).args(std::env::args_os().skip(1)).arg("--in-namespace");
        // If this fails, the cut stops processes instead.
        let _ = command.exec();
    }
}

/// Prepares the namespace that this process is in.
pub(super) fn set_up_namespace() -> Result<(), CliError> {
    ip(SETUP)?;
    fs::write(ROUTE_LOCALNET, "1\n").map_err(|error| failed(&error))?;
    ip(RULES)
}

/// A cut in effect.
#[derive(Debug)]
pub(super) enum Cut {
    Routes { undo: String },
    Stop { nodes: Vec<NodeEntry> },
}

impl Cut {
    /// Cuts these nodes in two: those of `side`, and the others.
    pub(super) fn make(
        means: Means,
        layout: &Layout,
        nodes: &[NodeEntry],
        side: &[usize],
    ) -> Result<Self, CliError> {
        if means == Means::Stop {
            let nodes: Vec<NodeEntry> = side.iter().map(|&node| nodes[node].clone()).collect();
            nodes.iter().try_for_each(|node| signal(layout, node, Signal::SIGSTOP).map(drop))?;
            return Ok(Self::Stop { nodes });
        }
        let rules = rules(nodes, side);
        ip(&rules.iter().map(|rule| format!("rule add {rule}\n")).collect::<String>())?;
        let undo = rules.iter().map(|rule| format!("rule del {rule}\n")).collect();
        ip(SHUT)?;
        Ok(Self::Routes { undo })
    }

    /// Restores the connection.
    pub(super) fn heal(&self, layout: &Layout) -> Result<(), CliError> {
        match self {
            Self::Routes { .. } => ip(OPEN),
            Self::Stop { nodes } => {
                nodes.iter().try_for_each(|node| signal(layout, node, Signal::SIGCONT).map(drop))
            }
        }
    }

    /// Forgets the rules of a cut that is healed.
    pub(super) fn forget(self) -> Result<(), CliError> {
        match self {
            Self::Routes { undo } => ip(&undo),
            Self::Stop { .. } => Ok(()),
        }
    }
}

/// Connections within a side still work; all other packets between nodes vanish. All nodes share
/// one address, so the rules name ports: the opener of an existing connection is known, that of a
/// future one is not.
fn rules(nodes: &[NodeEntry], side: &[usize]) -> Vec<String> {
    let sockets: Vec<BTreeSet<String>> =
        nodes.iter().map(|node| node.pid.map(sockets_of).unwrap_or_default()).collect();
    let mut rules = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        for connection in node.pid.map(connections_of).unwrap_or_default() {
            let to = nodes.iter().position(|node| node.p2p == connection.remote);
            let Some(to) = to.filter(|_| sockets[index].contains(&connection.inode)) else {
                continue;
            };
            if side.contains(&index) == side.contains(&to) {
                let (here, there) = (connection.local, connection.remote);
                rules.push(format!("pref 4 ipproto tcp sport {here} dport {there} lookup local"));
                rules.push(format!("pref 4 ipproto tcp sport {there} dport {here} lookup local"));
            }
        }
        rules.push(format!("pref 5 ipproto tcp sport {} lookup 77", node.p2p));
        rules.push(format!("pref 5 ipproto tcp dport {} lookup 77", node.p2p));
    }
    rules
}

/// One line of `/proc/PID/net/tcp`, which holds the connections of all in the namespace.
#[derive(Debug, PartialEq, Eq)]
struct Connection {
    local: u16,
    remote: u16,
    inode: String,
}

fn connections_of(pid: u32) -> Vec<Connection> {
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    table.lines().filter_map(connection).collect()
}

fn connection(line: &str) -> Option<Connection> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let port = |word: &str| u16::from_str_radix(word.split_once(':')?.1, 16).ok();
    let (local, remote) = (port(words.get(1)?)?, port(words.get(2)?)?);
    Some(Connection { local, remote, inode: (*words.get(9)?).to_owned() })
}

/// The numbers of the sockets that a process has open.
fn sockets_of(pid: u32) -> BTreeSet<String> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files
        .filter_map(|file| {
            let target = fs::read_link(file.path()).ok()?;
            let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect()
}

/// Runs lines of `ip`.
fn ip(lines: &str) -> Result<(), CliError> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    let written = child.stdin.take().map(|mut input| input.write_all(lines.as_bytes()));
    let status = child.wait().map_err(|error| failed(&error))?;
    match (written, status.success()) {
        (Some(Ok(())), true) => Ok(()),
        _ => Err(failed(&status)),
    }
}

fn failed(error: &dyn std::fmt::Display) -> CliError {
    CliError::new(Exit::Failure, format!("the network was not cut: ip: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_of_connections_is_understood() {
        let line = "   1: 0100007F:D2A0 0100007F:5208 01 00000000:00000000 02:000002F8 00000000     0        0 87654 2 0000000000000000 20 4 30 10 -1";
        let expected = Connection { local: 53_920, remote: 21_000, inode: "87654".into() };
        assert_eq!(connection(line), Some(expected));
        assert_eq!(connection("  sl  local_address rem_address   st tx_queue"), None);
    }
}
