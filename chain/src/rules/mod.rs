//! The rule book: one rule, one check, one error.
//!
//! | file | what it needs to know |
//! |---|---|
//! | `transaction` | the transaction alone |
//! | `spend` | the coins it spends and the height |
//! | `block` | the block, its parent and the chain |
//! | `certified` | a block and the certificate that makes it final |
//! | `commit` | a certificate, a vote or a proposal and the masternode set |
//! | `evidence` | two signed statements and the masternode set |
//! | `message` | a consensus message of any kind and the masternode set |
//! | `accuse` | everything said at one height |
//!
//! Never reads a clock, a store or another rule's result; the same input gives the same verdict.
mod accuse;
mod block;
mod certified;
mod commit;
mod commitments;
mod error;
mod evidence;
mod message;
mod spend;
mod transaction;

pub use accuse::{Testimony, accuse};
pub(crate) use block::check_evidence_place;
pub use block::{BlockContext, check_block, check_certified_block};
pub use certified::{CertifiedBlock, CertifyError};
pub use commit::{
    VoteError, verify_attestation, verify_certificate, verify_presence, verify_proposal,
    verify_round_certificate, verify_vote, verify_votes,
};
pub use commitments::check_commitments;
pub use error::RuleError;
pub use evidence::{EvidenceError, verify_evidence};
pub use message::{MessageError, verify_message};
pub(crate) use spend::first_bad_spend;
pub use spend::{Spend, check_height, check_spend, fee_of, verify_spends};
pub use transaction::check_transaction;
