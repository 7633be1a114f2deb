//! The data types of the chain: content, identity and form. `rules` decides whether a block may
//! contain a value.
mod amount;
mod block;
mod certificate;
mod evidence;
mod height;
mod id;
mod masternode;
mod message;
mod presence;
mod proposal;
mod statement;
mod transaction;
mod vote;

pub use amount::{Amount, AmountError};
pub use block::{Block, Header};
pub use certificate::{Certificate, RoundCertificate, SignerSet};
pub(crate) use evidence::is_amnesia;
pub use evidence::{Evidence, EvidenceKind};
pub use height::{Height, Millis, Now, Round, Timestamp};
pub use id::{BlockHash, ChainId, GenesisHash};
pub use masternode::{Masternode, MasternodeSet, SetError};
pub use message::{
    Attestation, BlocksAnswer, BlocksRequest, BodiesRequest, ConsensusMessage, Inquiry, Status,
    TransactionBatch, VotesAnswer, VotesRequest,
};
pub use presence::{NodeKey, Presence};
pub use proposal::Proposal;
pub use statement::ProposalStatement;
pub use transaction::{
    Coin, Lock, OutPoint, Output, Transaction, TxBody, TxId, TxKind, TxParts, WTxId, Witness,
    signing_message,
};
pub use vote::{Vote, VoteKind};
