//! A wallet of one key: its file, the choice of coins, and the payment that is signed.
//!
//! Pure except for the files: coins in, a transaction out. Never talks to a node.
mod file;
mod pay;
mod pending;
mod select;

pub use file::{WalletFile, WalletFileError, list, path_of};
pub use pay::{Payment, PaymentError, PaymentRequest, pay};
pub use pending::Pending;
pub use select::{Coin, INPUT_BYTES, INPUTS_MAX, SelectError, Selection, select};
