//! Rules of a block against its parent and its own body. `ledger::execute` checks what its
//! transactions do to the ledger.
use super::{CertifiedBlock, RuleError, check_commitments, verify_certificate, verify_evidence};
use crate::{
    codec,
    crypto::SignatureScheme,
    genesis::Chain,
    limits::{BLOCK_SIGNATURES_MAX, BLOCK_TRANSACTIONS_MAX, EVIDENCE_PER_BLOCK_MAX},
    types::{Block, BlockHash, Evidence, Header, Height, Timestamp},
};

/// What a block is checked against: the parent block and the ledger after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockContext {
    /// The parent's height.
    pub height: Height,
    /// Its hash; for genesis the genesis hash.
    pub block: BlockHash,
    /// Its timestamp; for genesis the genesis time.
    pub timestamp: Timestamp,
    /// The state root after it.
    pub state_root: [u8; 32],
    /// For each masternode, the height at which its offence was recorded.
    pub offences: Vec<Option<Height>>,
}

/// Checks all rules of a block except those of its transactions.
pub fn check_block(
    scheme: &dyn SignatureScheme,
    chain: &Chain,
    parent: &BlockContext,
    block: &Block,
) -> Result<(), RuleError> {
    check_header(chain, parent, &block.header)?;
    check_sizes(chain, block)?;
    check_commitments(block)?;
    check_evidence(scheme, chain, parent, block)?;
    check_last_commit(scheme, chain, parent, block)
}

/// Like [`check_block`], for a final block, whose body already matches its header.
pub fn check_certified_block(
    scheme: &dyn SignatureScheme,
    chain: &Chain,
    parent: &BlockContext,
    certified: &CertifiedBlock,
) -> Result<(), RuleError> {
    let block = certified.block();
    check_header(chain, parent, &block.header)?;
    check_sizes(chain, block)?;
    check_evidence(scheme, chain, parent, block)?;
    check_last_commit(scheme, chain, parent, block)
}

fn check_header(chain: &Chain, parent: &BlockContext, header: &Header) -> Result<(), RuleError> {
    let (version, supported) = (header.version, Header::VERSION);
    if version != supported {
        return Err(RuleError::BlockVersion { version, supported });
    }
    if header.chain != chain.id() {
        let (found, expected) = (header.chain.to_string(), chain.id().to_string());
        return Err(RuleError::BlockWrongChain { found, expected });
    }
    let (found, expected) = (header.height, parent.height.next());
    if found != expected {
        return Err(RuleError::WrongHeight { found, expected });
    }
    if header.parent != parent.block {
        return Err(RuleError::WrongParent);
    }
    let (timestamp, before) = (header.timestamp, parent.timestamp);
    if timestamp <= before {
        return Err(RuleError::TimeNotAfterParent { timestamp, parent: before });
    }
    let (proposer, members) = (header.proposer, chain.masternodes.len());
    if usize::from(proposer) >= members {
        return Err(RuleError::UnknownProposer { proposer, members });
    }
    if header.state_root != parent.state_root {
        return Err(RuleError::WrongStateRoot);
    }
    if header.masternodes != chain.masternodes.hash() {
        return Err(RuleError::WrongMasternodes);
    }
    Ok(())
}

fn check_sizes(chain: &Chain, block: &Block) -> Result<(), RuleError> {
    let (count, max) = (block.transactions.len(), BLOCK_TRANSACTIONS_MAX);
    if count > max {
        return Err(RuleError::TooManyTransactions { count, max });
    }
    let signatures = block.transactions.iter().map(|tx| tx.signatures()).sum();
    let max = BLOCK_SIGNATURES_MAX;
    if signatures > max {
        return Err(RuleError::TooManySignatures { signatures, max });
    }
    let bytes = codec::encode(block).len();
    let max = usize::try_from(chain.params().block_bytes_max).unwrap_or(usize::MAX);
    if bytes > max {
        return Err(RuleError::BlockTooLarge { bytes, max });
    }
    Ok(())
}

fn check_evidence(
    scheme: &dyn SignatureScheme,
    chain: &Chain,
    parent: &BlockContext,
    block: &Block,
) -> Result<(), RuleError> {
    check_evidence_list(&block.evidence)?;
    for (index, evidence) in block.evidence.iter().enumerate() {
        check_evidence_place(chain, parent.height, &parent.offences, evidence)?;
        let (genesis, set) = (&chain.hash, &chain.masternodes);
        verify_evidence(scheme, genesis, set, evidence.clone())
            .map_err(|error| RuleError::WrongEvidence { index, reason: error.to_string() })?;
    }
    Ok(())
}

/// A bounded list, each offender once.
fn check_evidence_list(evidence: &[Evidence]) -> Result<(), RuleError> {
    let (count, max) = (evidence.len(), EVIDENCE_PER_BLOCK_MAX);
    if count > max {
        return Err(RuleError::TooMuchEvidence { count, max });
    }
    let mut pairs = evidence.windows(2);
    match pairs.position(|pair| pair[0].offender() >= pair[1].offender()) {
        Some(index) => Err(RuleError::EvidenceOrder { index: index + 1 }),
        None => Ok(()),
    }
}

/// Whether the block after `parent` may contain this evidence: its height is not too old, and no
/// offence of its offender is recorded.
pub(crate) fn check_evidence_place(
    chain: &Chain,
    parent: Height,
    offences: &[Option<Height>],
    evidence: &Evidence,
) -> Result<(), RuleError> {
    let (height, block) = (evidence.height(), parent.next());
    if height > block {
        return Err(RuleError::EvidenceFromFuture { height, block });
    }
    let oldest = Height(block.0.saturating_sub(chain.params().evidence_age_blocks));
    if height < oldest {
        return Err(RuleError::EvidenceTooOld { height, oldest });
    }
    let offender = evidence.offender();
    match offences.get(usize::from(offender)).copied().flatten() {
        Some(recorded) => Err(RuleError::OffenceRecorded { offender, recorded }),
        None => Ok(()),
    }
}

fn check_last_commit(
    scheme: &dyn SignatureScheme,
    chain: &Chain,
    parent: &BlockContext,
    block: &Block,
) -> Result<(), RuleError> {
    let is_first = parent.height == Height::GENESIS;
    let commit = match &block.last_commit {
        None if is_first => return Ok(()),
        Some(commit) if !is_first => commit,
        _ => return Err(RuleError::LastCommitPresence),
    };
    let wrong = |reason: &str| RuleError::WrongLastCommit { reason: reason.into() };
    if !commit.is_commit() || commit.height != parent.height || commit.block != Some(parent.block) {
        return Err(wrong("it certifies something else"));
    }
    verify_certificate(scheme, &chain.hash, &chain.masternodes, commit.clone())
        .map(|_| ())
        .map_err(|error| wrong(&error.to_string()))
}
