//! Where hosts are: in network namespaces behind a router of the test's own, or on the loopback.
//!
//! The program starts itself again in a new process, mount and network namespace (`unshare`), as process 1.
//! That namespace is the router; each host is a namespace with one link to it. Nothing of it is visible
//! outside, and the kernel ends and deletes everything with the program, however that ends.
//! No file of the machine is written and no name of a namespace is used.
use crate::{command::run, host::Host, outcome::Outcome};
use std::{
    fs,
    net::IpAddr,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
};

/// The argument that says that this process is the one in the namespace.
pub(crate) const INSIDE: &str = "--inside";

/// Where hosts are.
#[derive(Debug)]
pub(crate) struct Ground {
    has_namespaces: bool,
    hosts: AtomicU16,
}

impl Ground {
    /// The ground of a process that was started with [`INSIDE`], or without.
    pub(crate) fn new(is_inside: bool) -> Outcome<Self> {
        if is_inside {
            run("ip", &["link", "set", "lo", "up"], "")?;
            for key in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                fs::write(format!("/proc/sys/net/{key}"), "1")?;
            }
        }
        Ok(Self { has_namespaces: is_inside, hosts: AtomicU16::new(0) })
    }

    /// Whether hosts have addresses that the internet routes, links and firewalls.
    pub(crate) fn has_namespaces(&self) -> bool {
        self.has_namespaces
    }

    /// A host with these addresses, or with one loopback address.
    pub(crate) fn host(&self, addresses: &[IpAddr]) -> Outcome<Host> {
        let number = self.hosts.fetch_add(1, Relaxed);
        match self.has_namespaces {
            true => Host::in_namespace(number, addresses),
            false => Ok(Host::on_loopback(number)),
        }
    }
}

/// Replaces this process by the same program in new namespaces. Returns why if that is not possible.
pub(crate) fn enter_namespaces() -> String {
    let probe = "ip link add a0 type veth peer name b0 && ip link set a0 up && nft list ruleset && tc qdisc add dev a0 root tbf rate 1mbit burst 16kb latency 50ms";
    let tried = unshare().args(["sh", "-c", probe]).stdin(Stdio::null()).output();
    match tried {
        Err(error) => return format!("unshare: {error}"),
        Ok(tried) if !tried.status.success() => {
            let words = String::from_utf8_lossy(&tried.stderr);
            return words.lines().last().unwrap_or("unshare failed").to_owned();
        }
        Ok(_) => {}
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error.to_string(),
    };
    unshare().arg(program).args(std::env::args_os().skip(1)).arg(INSIDE).exec().to_string()
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command
}
