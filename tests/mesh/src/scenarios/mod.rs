//! The scenarios. Each makes a network of its own, does one thing to it, and returns figures.
mod forged;
mod honest;
mod liars;
mod newcomer;
mod noise;
mod one_host;
mod rebirth;
pub(crate) mod run;
mod sixty;
mod slow_link;
mod slow_readers;
mod strangers;
mod sybils;

use crate::{outcome::Outcome, row::Figure};
use run::Run;

/// One scenario.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// One sentence.
    pub(crate) about: &'static str,
    pub(crate) needs_namespaces: bool,
    pub(crate) run: fn(&Run<'_>) -> Outcome<Vec<Figure>>,
}

/// All of them, in the order of `all`.
pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "newcomer",
        about: "A node with one address joins a mesh of 30; another one that nobody can reach follows too.",
        needs_namespaces: false,
        run: newcomer::run,
    },
    Scenario {
        name: "rebirth",
        about: "Every node is killed at once and those that others joined through stay away.",
        needs_namespaces: false,
        run: rebirth::run,
    },
    Scenario {
        name: "strangers",
        about: "Idle strangers, of 12 addresses and of one /64, while masternodes restart one after another.",
        needs_namespaces: true,
        run: strangers::run,
    },
    Scenario {
        name: "sybils",
        about: "60 sybils in 30 /24s take every place of a node that others want to reach.",
        needs_namespaces: true,
        run: sybils::run,
    },
    Scenario {
        name: "one_host",
        about: "200 identities on one address, each of which can be dialled back.",
        needs_namespaces: true,
        run: one_host::run,
    },
    Scenario {
        name: "noise",
        about: "One peer sends 10 MB/s on topics that are unknown, unused and known, then 20,000 ignored and duplicate votes a second.",
        needs_namespaces: true,
        run: noise::run,
    },
    Scenario {
        name: "forged",
        about: "50 Mbit/s of forged certificates by new identities, and one address with a new identity every 8 of them.",
        needs_namespaces: true,
        run: forged::run,
    },
    Scenario {
        name: "liars",
        about: "Ten peers place others that do not exist at a victim's addresses, and one says that it is there.",
        needs_namespaces: true,
        run: liars::run,
    },
    Scenario {
        name: "slow_readers",
        about: "28 peers ask for the largest answers and read nothing of them.",
        needs_namespaces: true,
        run: slow_readers::run,
    },
    Scenario {
        name: "honest",
        about: "Honest nodes stop, stand still and lose their links; nobody blames them.",
        needs_namespaces: false,
        run: honest::run,
    },
    Scenario {
        name: "slow_link",
        about: "Four nodes sync over a link of 10 Mbit/s from a node with a cap of 5 Mbit/s.",
        needs_namespaces: true,
        run: slow_link::run,
    },
    Scenario {
        name: "sixty",
        about: "60 nodes: how soon all have a block, and what each costs.",
        needs_namespaces: true,
        run: sixty::run,
    },
];
