//! `GET /livez` and `GET /readyz`: whether to restart the node, and whether to route users to it.
//!
//! Alive means that the process answers. Ready means that it follows the chain now; otherwise the
//! body says why. `?verbose` lists every check.
use timecoin_chain::engine::{EngineStatus, Signing};

/// One check in words.
#[derive(Debug, PartialEq, Eq)]
struct Check {
    passed: bool,
    text: String,
}

/// Whether the node is ready, and the body that says so.
pub(super) fn readiness(status: &EngineStatus, peers: usize, verbose: bool) -> (bool, String) {
    let checks = [
        engine(status),
        sync(status, peers),
        consensus(status),
        signing(status),
        connected(status, peers),
    ];
    let is_ready = checks.iter().all(|check| check.passed);
    if is_ready && !verbose {
        return (true, "ok\n".into());
    }
    let lines = checks.iter().filter(|check| verbose || !check.passed).map(|check| {
        let mark = if check.passed { "[+]" } else { "[!]" };
        format!("{mark} {}\n", check.text)
    });
    (is_ready, lines.collect())
}

fn engine(status: &EngineStatus) -> Check {
    match &status.stopped {
        None => Check { passed: true, text: "engine running".into() },
        Some(reason) => Check { passed: false, text: format!("engine stopped: {reason}") },
    }
}

fn sync(status: &EngineStatus, peers: usize) -> Check {
    let (height, target) = (status.durable, status.sync_target);
    match status.is_syncing() {
        true => Check {
            passed: false,
            text: format!("syncing to height {target}, at {height}, {} to go", target - height),
        },
        false if peers == 0 && !is_alone(status) => Check {
            passed: false,
            text: format!("at height {height}, with no peer to compare with"),
        },
        false => Check { passed: true, text: format!("synced at height {height}") },
    }
}

fn consensus(status: &EngineStatus) -> Check {
    match status.halt_reason() {
        Some(reason) => Check { passed: false, text: reason },
        None => Check {
            passed: true,
            text: format!(
                "consensus at height {} round {}, {}/{} weight online",
                status.durable.next(),
                status.round,
                status.online_weight,
                status.total_weight
            ),
        },
    }
}

/// Listening takes seconds after each start; observing has no time limit, and a record that begins later may never end.
fn signing(status: &EngineStatus) -> Check {
    let passed =
        matches!(status.signing, Signing::NotMasternode | Signing::Yes | Signing::Listening);
    Check { passed, text: format!("signing: {}", status.signing) }
}

/// A chain with one masternode needs no peers, if this node is it.
fn connected(status: &EngineStatus, peers: usize) -> Check {
    let text = match peers {
        0 => "no peers connected".into(),
        peers => format!("{peers} peers connected"),
    };
    Check { passed: peers > 0 || is_alone(status), text }
}

fn is_alone(status: &EngineStatus) -> bool {
    status.me.is_some() && status.masternodes.len() == 1
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use timecoin_chain::{
        consensus::Step,
        crypto::PublicKey,
        engine::{Held, MasternodeStatus},
        types::{BlockHash, Height, Millis, Round, Timestamp},
    };

    pub(crate) fn status() -> EngineStatus {
        let masternode = |index: u16| MasternodeStatus {
            index,
            key: PublicKey([u8::try_from(index).expect("few"); 32]),
            weight: 1,
            silent_for: (index < 2).then_some(Millis(10)),
            online: index < 2,
            prevoted: false,
            precommitted: false,
            offence: None,
        };
        EngineStatus {
            durable: Height(11),
            deciding: Height(11).next(),
            block: BlockHash([1; 32]),
            timestamp: Timestamp(5_000),
            state_root: [0; 32],
            round: Round(0),
            step: Step::Propose,
            proposer: 1,
            me: Some(0),
            locked: None,
            masternodes: (0..4).map(masternode).collect(),
            total_weight: 4,
            online_weight: 2,
            clock_ahead_ms: Some(-40),
            height_age: Millis(7),
            proposal_due_in: None,
            undurable: 0,
            held: Held::default(),
            troubles: Vec::new(),
            halted: false,
            sync_target: Height(11),
            mempool_transactions: 3,
            mempool_bytes: 600,
            mempool_rejected: [("min relay fee not met", 2)].into(),
            evidence: Vec::new(),
            signing: Signing::Yes,
            stopped: None,
        }
    }

    #[test]
    fn a_node_that_follows_the_chain_is_ready() {
        assert_eq!(readiness(&status(), 3, false), (true, "ok\n".into()));
        let (is_ready, text) = readiness(&status(), 3, true);
        assert!(is_ready);
        assert_eq!(
            text,
            "[+] engine running\n[+] synced at height 11\n[+] consensus at height 12 round 0, 2/4 \
             weight online\n[+] signing: yes\n[+] 3 peers connected\n"
        );
    }

    #[test]
    fn a_node_that_is_not_ready_says_why() {
        type Case = (fn(&mut EngineStatus), usize, &'static str);
        let cases: [Case; 6] = [
            (|_| {}, 0, "[!] at height 11, with no peer to compare with\n[!] no peers connected\n"),
            (
                |status| status.signing = Signing::Observing { own_key: Some(Height(11)) },
                1,
                "[!] signing: observing: the key's safety record is missing and the key signed at \
                 height 11, so nothing is signed. If the key runs on another host, stop one of \
                 them; `timecoin keys guard import` or `reset` lets it sign here\n",
            ),
            (
                |status| status.signing = Signing::From(Height(5_000)),
                1,
                "[!] signing: from height 5000, where the key's safety record begins; nothing is \
                 signed before. If that is too high, stop the node: `timecoin keys guard reset` \
                 with a lower height corrects it\n",
            ),
            (
                |status| status.sync_target = Height(50),
                1,
                "[!] syncing to height 50, at 11, 39 to go\n",
            ),
            (
                |status| status.stopped = Some("two certificates for height 3".into()),
                1,
                "[!] engine stopped: two certificates for height 3\n",
            ),
            (
                |status| status.halted = true,
                1,
                "[!] halted at height 12: 2/4 weight online, need more than 2/3; missing: \
                 masternode 2 (02020202), masternode 3 (03030303). Nothing is lost; it resumes \
                 when enough return\n",
            ),
        ];
        for (change, peers, expected) in cases {
            let mut status = status();
            change(&mut status);
            assert_eq!(readiness(&status, peers, false), (false, expected.into()));
        }
    }

    #[test]
    fn the_only_masternode_needs_no_peers() {
        let mut status = status();
        status.masternodes.truncate(1);
        assert!(readiness(&status, 0, false).0);
        status.me = None;
        assert!(!readiness(&status, 0, false).0);
    }
}
