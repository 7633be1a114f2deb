//! The JSON-RPC vocabulary: one type for each request and each result, shared by server, client,
//! command line and tests.
//!
//! | file | methods |
//! |---|---|
//! | `chain` | blocks and the state of the chain |
//! | `coins` | unspent outputs and addresses |
//! | `consensus` | the height being decided, masternodes, evidence |
//! | `control` | help, stop, uptime |
//! | `mempool`, `network`, `transactions` | what their names say |
//! | `events` | server-sent events |
//! | `ask` | what every request is |
//! | `number` | amounts and seconds, written digit by digit; levels of detail |
//! | `code` | errors and their codes |
//!
//! Names and shapes follow Bitcoin Core where the meaning is the same. Ids, keys and bytes are
//! lower-case hexadecimal; `time` is in seconds and `time_ms` in milliseconds. Invariant: an amount
//! never passes through a float. `tests` pins the JSON of every result.
mod ask;
mod chain;
mod code;
mod coins;
mod consensus;
mod control;
mod events;
mod mempool;
mod mesh;
mod network;
mod number;
#[cfg(test)]
pub(crate) mod tests;
mod transactions;

pub use ask::Ask;
pub use chain::*;
pub use code::{Code, Failure, Reason};
pub use coins::*;
pub use consensus::*;
pub use control::*;
pub use events::*;
pub use mempool::*;
pub use mesh::*;
pub use network::*;
pub use number::{JsonAmount, Level, Seconds};
pub use transactions::*;
