//! One host: its addresses, its link to the router, and its firewall.
//!
//! A host's only neighbour is the router, which has a route to each of its addresses: hosts of any
//! netgroup reach each other, and the neighbour tables stay small.
use crate::{
    command::run,
    outcome::{Outcome, failed},
};
use nix::sched::{CloneFlags, setns, unshare};
use std::{fmt::Write, fs::File, net::IpAddr, thread};

const ROUTER_4: &str = "169.254.1.1";
const ROUTER_6: &str = "fe80::1";

/// One host.
#[derive(Debug)]
pub(crate) struct Host {
    number: u16,
    namespace: Option<File>,
    addresses: Vec<IpAddr>,
}

impl Host {
    pub(super) fn on_loopback(number: u16) -> Self {
        // Runs at the same time share no address, as far as their process ids differ.
        let [low, high, ..] = std::process::id().to_le_bytes();
        let [number_low, number_high] = number.to_le_bytes();
        let third = high.wrapping_add(number_high);
        let address = [127, low.clamp(1, 254), third, number_low.saturating_add(1)];
        Self { number, namespace: None, addresses: vec![address.into()] }
    }

    pub(super) fn in_namespace(number: u16, addresses: &[IpAddr]) -> Outcome<Self> {
        let made = thread::scope(|scope| scope.spawn(new_namespace).join());
        let namespace = made.map_err(|_| failed("the thread of a namespace ended"))??;
        let host = Self { number, namespace: Some(namespace), addresses: addresses.to_vec() };
        let link = host.link();
        let mut inside = format!(
            "link set lo up\nlink add eth0 type veth peer name {link} netns 1\nlink set eth0 up\n"
        );
        let mut router = format!(
            "addr add {ROUTER_4}/32 dev {link}\naddr add {ROUTER_6}/64 dev {link} nodad\nlink set {link} up\n"
        );
        for ip in addresses {
            let whole = if ip.is_ipv4() { "32" } else { "128 nodad" };
            let _ = writeln!(inside, "addr add {ip}/{whole} dev eth0");
            let whole = if ip.is_ipv4() { "32" } else { "128" };
            let _ = writeln!(router, "route add {ip}/{whole} dev {link}");
        }
        let _ = writeln!(inside, "route add {ROUTER_4} dev eth0");
        let _ = writeln!(inside, "route add default via {ROUTER_4}");
        let _ = writeln!(inside, "route add ::/0 via {ROUTER_6} dev eth0");
        host.enter(|| run("ip", &["-batch", "-"], &inside))?;
        run("ip", &["-batch", "-"], &router)?;
        Ok(host)
    }

    /// Its addresses; the first is the main one.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Runs this on the host: sockets that it opens and processes that it starts are there.
    pub(crate) fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let Some(namespace) = &self.namespace else { return act() };
        let acted = thread::scope(|scope| {
            let acting = scope.spawn(|| {
                setns(namespace, CloneFlags::CLONE_NEWNET)
                    .expect("the namespace lives as long as its file is open");
                act()
            });
            acting.join()
        });
        acted.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Drops every packet from and to the host.
    pub(crate) fn cut(&self) -> Outcome<()> {
        self.firewall("iif lo accept", "oif lo accept\ndrop")
    }

    /// Drops connections from outside, as a router of a home does.
    pub(crate) fn refuse_inbound(&self) -> Outcome<()> {
        let rules =
            "iif lo accept\nct state established,related accept\nmeta l4proto icmpv6 accept";
        self.firewall(rules, "accept")
    }

    fn firewall(&self, input: &str, output: &str) -> Outcome<()> {
        let chain = |hook: &str, rules: &str, end: &str| {
            format!("chain {hook} {{\ntype filter hook {hook} priority 0;\n{rules}\n{end}\n}}\n")
        };
        let table = format!(
            "table inet t {{\n{}{}}}\n",
            chain("input", input, "drop"),
            chain("output", output, "")
        );
        self.enter(|| run("nft", &["-f", "-"], &table))
    }

    /// Lets every packet pass again.
    pub(crate) fn mend(&self) -> Outcome<()> {
        self.enter(|| run("nft", &["-f", "-"], "flush ruleset\n"))
    }

    /// Limits the link in both directions.
    pub(crate) fn limit(&self, mbit: u32) -> Outcome<()> {
        let limit = |device: &str| {
            let rate = format!("{mbit}mbit");
            let words = ["qdisc", "replace", "dev", device, "root", "tbf", "rate", &rate];
            run("tc", &[&words[..], &["burst", "64kb", "latency", "400ms"]].concat(), "")
        };
        self.enter(|| limit("eth0"))?;
        limit(&self.link())
    }

    /// Bytes that it received and sent over its link.
    pub(crate) fn traffic(&self) -> Outcome<(u64, u64)> {
        let text = self.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev"))?;
        let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:"));
        let words: Vec<u64> = line
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        match words[..] {
            [received, _, _, _, _, _, _, _, sent, ..] => Ok((received, sent)),
            _ => Err(failed("no counters of eth0")),
        }
    }

    /// The router's end of the link.
    fn link(&self) -> String {
        format!("v{}", self.number)
    }
}

/// The kernel deletes a namespace some time after its last file is closed; the next network has the same
/// addresses.
impl Drop for Host {
    fn drop(&mut self) {
        if self.namespace.is_some() {
            // It is gone with the program in any case.
            let _ = run("ip", &["link", "del", &self.link()], "");
        }
    }
}

/// A namespace of this thread, which is lost with its last file and process.
fn new_namespace() -> Outcome<File> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    Ok(File::open("/proc/thread-self/ns/net")?)
}
