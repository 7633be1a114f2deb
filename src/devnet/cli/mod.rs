//! The commands of a local network.
pub(crate) mod bench;
pub(crate) mod testnet;
