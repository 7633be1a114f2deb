//! The nouns of the chain. Data and identity only: whether a value is allowed is decided in `rules`.
mod amount;
mod block;
mod certificate;
mod evidence;
mod height;
mod masternode;
mod message;
mod proposal;
mod transaction;
mod vote;

pub use amount::{Amount, AmountError};
pub use block::{Block, BlockHash, Header};
pub use certificate::{Certificate, RoundCertificate, SignerSet};
pub(crate) use evidence::is_amnesia;
pub use evidence::{Evidence, EvidenceKind, ProposalStatement};
pub use height::{Height, Millis, Now, Round, Timestamp};
pub use masternode::{Masternode, MasternodeSet, SetError};
pub use message::{
    BlocksAnswer, BlocksRequest, BodiesRequest, ConsensusMessage, Status, TransactionBatch,
    VotesAnswer, VotesRequest,
};
pub use proposal::Proposal;
pub use transaction::{
    Coin, Lock, OutPoint, Output, Transaction, TxBody, TxId, TxKind, WTxId, Witness,
    signing_message,
};
pub use vote::{Vote, VoteKind};
