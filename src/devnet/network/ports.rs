//! Checks whether the ports of a network are free, and suggests others.
use super::{layout::Layout, state::NodeEntry};
use crate::terminal::{CliError, Exit};
use std::net::{Ipv4Addr, TcpListener};

/// Ports from one suggestion to the next.
const SUGGESTION_STEP: u16 = 1_000;

/// Fails if a port of these nodes is taken, and suggests other ports.
pub(crate) fn check<'a>(
    layout: &Layout,
    nodes: impl Iterator<Item = &'a NodeEntry>,
    base_port: u16,
    all: u16,
) -> Result<(), CliError> {
    for node in nodes {
        for (port, what) in [(node.p2p, "p2p"), (node.rpc, "rpc")] {
            if !is_free(port) {
                let taken = format!("port {port} is taken, {} needs it for {what}", node.name);
                return Err(CliError::new(Exit::AddressInUse, taken)
                    .why("another process listens on 127.0.0.1")
                    .next(format!(
                        "timecoin testnet up{} --base-port {}",
                        layout.dir_flag(),
                        suggestion(base_port, all)
                    )));
            }
        }
    }
    Ok(())
}

/// The first of these bases with free ports for this number of nodes.
pub(crate) fn first_free(mut bases: impl Iterator<Item = u16>, nodes: u16) -> Option<u16> {
    bases.find(|base| {
        (0..nodes).all(|index| {
            let port = base.saturating_add(index.saturating_mul(10));
            is_free(port) && is_free(port.saturating_add(1))
        })
    })
}

fn suggestion(base_port: u16, nodes: u16) -> u16 {
    let bases =
        (1..20).filter_map(|step| base_port.checked_add(SUGGESTION_STEP.checked_mul(step)?));
    first_free(bases, nodes).unwrap_or(base_port.wrapping_add(SUGGESTION_STEP))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::path::Path;

    #[test]
    fn a_taken_port_is_named_with_another_base() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let node = NodeEntry {
            name: "val0".into(),
            consensus_key: None,
            peer_id: String::new(),
            p2p: taken.local_addr().unwrap().port(),
            rpc: 0,
            pid: None,
        };
        let layout = Layout::new(Path::new("testnet"));
        let error = check(&layout, [&node].into_iter(), 21_000, 5).unwrap_err();
        assert_eq!(error.exit(), Exit::AddressInUse);
        let text = error.to_string();
        assert!(text.contains(&format!("port {} is taken", node.p2p)), "{text}");
        assert!(text.contains("--base-port 2"), "{text}");
        drop(taken);
        assert!(check(&layout, [&node].into_iter(), 21_000, 5).is_ok());
    }
}
