//! Every bound of the chain in one place, with the relations between them checked at compile time.
//!
//! A bound here is a rule of the network (a block or message above it is invalid) unless its
//! comment says that it is a local limit.

/// Bytes of one encoded transaction, witnesses included.
pub const TX_BYTES_MAX: usize = 100_000;
/// Inputs of one transaction.
pub const TX_INPUTS_MAX: usize = 700;
/// Outputs of one transaction.
pub const TX_OUTPUTS_MAX: usize = 1_000;
/// Keys of one multi-signature lock.
pub const MULTI_KEYS_MAX: usize = 16;
/// Bytes of one encoded block with all transactions.
pub const BLOCK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Transactions of one block.
pub const BLOCK_TRANSACTIONS_MAX: usize = 20_000;
/// Signatures in the witnesses of one block. A full block of payments with two inputs each holds
/// 29,000; one of 16-of-16 locks would hold 61,000, and every node must verify each of them.
pub const BLOCK_SIGNATURES_MAX: usize = 32_000;
/// Masternodes that vote in one epoch.
pub const MASTERNODES_MAX: usize = 100;
/// Weight of one masternode (the Gold tier).
pub const MASTERNODE_WEIGHT_MAX: u64 = 100;
/// Bytes of one encoded vote.
pub const VOTE_BYTES_MAX: usize = 256;
/// Bytes of one encoded piece of evidence: two votes or two proposal statements, and a number.
pub const EVIDENCE_BYTES_MAX: usize = 2 * VOTE_BYTES_MAX + 4;
/// Pieces of evidence in one block. Each costs every node two signature verifications.
pub const EVIDENCE_PER_BLOCK_MAX: usize = 8;
/// Bytes of one encoded certificate: a signature per masternode and a fixed part.
pub const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of one encoded round certificate: a vote per masternode.
pub const ROUND_CERTIFICATE_BYTES_MAX: usize = 32 * 1024;
/// Bytes of one encoded compact proposal: an id per transaction and two certificates.
pub const PROPOSAL_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of one gossiped batch of transactions.
pub const TX_BATCH_BYTES_MAX: usize = 128 * 1024;
/// Blocks in one sync answer; the server stops earlier at [`SYNC_BYTES_MAX`].
pub const SYNC_BLOCKS_MAX: u32 = 32;
/// Bytes of one sync answer: at least one whole block with its certificate.
pub const SYNC_BYTES_MAX: usize = BLOCK_BYTES_MAX + 512 * 1024;
/// Transaction bodies per request.
pub const BODIES_PER_REQUEST_MAX: usize = 512;
/// Bytes of one answer with transaction bodies.
pub const BODIES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Rounds ahead of the current one whose single votes are kept; further ahead only certificates
/// count.
pub const ROUNDS_AHEAD_MAX: u32 = 2;
/// Rounds before the current one whose votes are kept.
pub const ROUNDS_KEPT: u32 = 8;
/// Votes of one key in one answer to its inquiry (local limit).
pub const OWN_VOTES_MAX: usize = 64;
/// Messages in one answer to a request for votes that are no votes: two certificates, a round
/// certificate and a proposal. Each may hold a signature of every masternode (local limit).
pub const ANSWER_CERTIFICATES_MAX: usize = 4;
/// Messages in one answer to a request for votes: those, the votes of a round, and all votes of one
/// key (local limit).
pub fn votes_answer_max(members: usize) -> usize {
    ANSWER_CERTIFICATES_MAX + 2 * members + OWN_VOTES_MAX
}
/// Proposals kept for one round: the first two distinct ones.
pub const PROPOSALS_PER_ROUND_MAX: usize = 2;
/// Bytes of one encoded genesis.
pub const GENESIS_BYTES_MAX: usize = 1024 * 1024;
/// Outputs created by a genesis.
pub const GENESIS_OUTPUTS_MAX: u64 = 2_000_000;
/// Bytes of one encoded safety record without its block: a proposal, a polka, a
/// round certificate, its parent's certificate and two votes.
pub const SAFETY_BYTES_MAX: usize = PROPOSAL_BYTES_MAX + 128 * 1024;
/// Stacked blocks: decided and not yet durable (local limit).
pub const UNDURABLE_MAX: usize = 2;
/// Candidates of one height held at a time: the proposals of the current round and of later ones,
/// the block of the valid polka and the decided one (local limit).
pub const CANDIDATES_MAX: usize = 8;
/// Signatures of a proposed block that this node did not verify at admission. Above this bound the
/// node executes the block only after it knows that an honest masternode has. They take 65 ms of
/// one core; the other rules of a full block take another 250 ms (`examples/bad_block` of the
/// store) (local limit).
pub const UNSEEN_SIGNATURES_MAX: usize = 3_000;
/// Heights ahead of the tip for which synced blocks are held (local limit).
pub const SYNC_WINDOW: u64 = 128;
/// Decided blocks whose changes are kept for transactions on their way into the mempool (local
/// limit).
pub const RECENT_BLOCKS_MAX: usize = 16;
/// Total coins that the kept blocks change, if there are more than [`UNDURABLE_MAX`] blocks (local
/// limit).
pub const RECENT_CHANGES_MAX: usize = 200_000;
/// Transactions that wait for a parent whose verification is in progress (local limit).
pub const WAITING_MAX: usize = 10_000;
/// Gossiped messages of one peer on one topic that wait for their verdict (local limit). Higher for
/// votes if the masternode set is large.
pub const INBOUND_PEER_MESSAGES_MAX: usize = 64;
/// Bytes of the gossiped messages of one peer on one topic that wait for their verdict (local
/// limit).
pub const INBOUND_PEER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of all gossiped messages that wait for their verdict (local limit).
pub const INBOUND_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Batches of transactions in the engine at a time (local limit).
pub const INBOUND_BATCHES_MAX: usize = 64;
/// Maximum bytes of any stored or decoded value.
pub const STORED_BYTES_MAX: usize = 16 * 1024 * 1024;

const _: () = assert!(UNDURABLE_MAX < RECENT_BLOCKS_MAX);
const _: () = assert!(2 * PROPOSAL_BYTES_MAX <= INBOUND_PEER_BYTES_MAX);
const _: () = assert!(8 * INBOUND_PEER_BYTES_MAX <= INBOUND_BYTES_MAX);
const _: () = assert!(TX_BYTES_MAX < TX_BATCH_BYTES_MAX);
const _: () = assert!(TX_BYTES_MAX < BLOCK_BYTES_MAX && BLOCK_BYTES_MAX < SYNC_BYTES_MAX);
const _: () = assert!(TX_INPUTS_MAX * 36 < TX_BYTES_MAX);
const _: () = assert!(BLOCK_TRANSACTIONS_MAX < BLOCK_SIGNATURES_MAX);
const _: () = assert!(TX_BYTES_MAX / 64 < UNSEEN_SIGNATURES_MAX);
const _: () = assert!(UNSEEN_SIGNATURES_MAX < BLOCK_SIGNATURES_MAX);
const _: () =
    assert!(2 + PROPOSALS_PER_ROUND_MAX * (ROUNDS_AHEAD_MAX as usize + 1) <= CANDIDATES_MAX);
const _: () = assert!(BLOCK_TRANSACTIONS_MAX * 32 + 4 * CERTIFICATE_BYTES_MAX < PROPOSAL_BYTES_MAX);
const _: () = assert!(MASTERNODES_MAX * 64 + 1_024 < CERTIFICATE_BYTES_MAX);
const _: () = assert!(MASTERNODES_MAX * VOTE_BYTES_MAX < ROUND_CERTIFICATE_BYTES_MAX);
const _: () = assert!(EVIDENCE_PER_BLOCK_MAX * EVIDENCE_BYTES_MAX < CERTIFICATE_BYTES_MAX);
const _: () = assert!(BODIES_PER_REQUEST_MAX * 32 + 64 < 32 * 1024);
const _: () = assert!(
    2 * CERTIFICATE_BYTES_MAX + ROUND_CERTIFICATE_BYTES_MAX + 2 * VOTE_BYTES_MAX + 1_024
        < SAFETY_BYTES_MAX - PROPOSAL_BYTES_MAX
);
const _: () = assert!(SYNC_BYTES_MAX < STORED_BYTES_MAX);
