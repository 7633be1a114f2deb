//! A local network: several nodes as processes on this machine, in one directory.
//!
//! | file | what it does |
//! |---|---|
//! | `layout` | the paths of its files |
//! | `state` | the file that names the nodes |
//! | `create` | keys, wallets, genesis and configurations of a new network |
//! | `compose` | the same for containers, with the Compose file that runs them |
//! | `find` | clients of its nodes |
//! | `processes` | starts and signals processes; never a process that is not of this network |
//! | `ports` | whether ports are free |
pub(crate) mod compose;
pub(crate) mod create;
mod find;
mod layout;
pub(crate) mod ports;
pub(crate) mod processes;
mod state;

pub(crate) use find::{client, patient_client};
pub(crate) use layout::{DEFAULT_NET, Layout};
pub(crate) use state::{NodeEntry, TestnetState};
