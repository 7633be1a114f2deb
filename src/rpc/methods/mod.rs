//! What the methods do, by subject. Each reads its arguments, asks the node or the database, and
//! shapes the answer.
pub(super) mod chain;
pub(super) mod coins;
pub(super) mod consensus;
pub(super) mod control;
pub(super) mod evidence;
pub(super) mod mempool;
pub(super) mod mesh;
pub(super) mod network;
pub(super) mod tx;
