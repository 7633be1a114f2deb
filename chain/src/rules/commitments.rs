//! Compares a body with the commitments of its header, independent of the parent.
use super::RuleError;
use crate::types::Block;

/// Whether the body is the one that the header commits to. A certificate names the header only:
/// until this holds, a body from a peer says nothing about the validity of the block.
pub fn check_commitments(block: &Block) -> Result<(), RuleError> {
    let header = &block.header;
    if header.transactions_root != Block::transactions_root(&block.transactions) {
        return Err(RuleError::WrongTransactionsRoot);
    }
    let ids: Vec<_> = block.transactions.iter().map(|tx| tx.wtxid()).collect();
    if header.witnesses_root != Block::witnesses_root(&ids) {
        return Err(RuleError::WrongWitnessesRoot);
    }
    if header.last_commit != Block::last_commit_hash(block.last_commit.as_ref()) {
        return Err(RuleError::WrongLastCommitHash);
    }
    if header.evidence != Block::evidence_hash(&block.evidence) {
        return Err(RuleError::WrongEvidenceHash);
    }
    Ok(())
}
