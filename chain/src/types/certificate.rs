//! Certificates: more than two thirds of the weight signed one vote.
//!
//! A certificate is a bitmap over the ordered masternode set and signatures in index order, so its
//! encoding cannot count a signer twice.
use super::{BlockHash, GenesisHash, Height, MasternodeSet, Round, Vote, VoteKind};
use crate::{
    codec::Canonical,
    crypto::Signature,
    limits::{CERTIFICATE_BYTES_MAX, ROUND_CERTIFICATE_BYTES_MAX},
};
use serde::{Deserialize, Serialize};

/// A set of indices into the masternode set.
///
/// Canonical form: one byte for every eight masternodes, no bit beyond the last one. The length is
/// checked against the set before any bit is read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SignerSet(Vec<u8>);

impl SignerSet {
    /// The empty set, for this many members.
    pub fn empty(members: usize) -> Self {
        Self(vec![0; members.div_ceil(8)])
    }

    /// Adds an index; ignores one beyond the set.
    pub fn insert(&mut self, index: u16) {
        if let Some(byte) = self.0.get_mut(usize::from(index / 8)) {
            *byte |= 1 << (index % 8);
        }
    }

    /// Whether the set contains the index.
    pub fn contains(&self, index: u16) -> bool {
        self.0.get(usize::from(index / 8)).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
    }

    /// The indices in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..self.0.len()).flat_map(move |byte| {
            let first = u16::try_from(byte * 8).unwrap_or(u16::MAX);
            (first..first.saturating_add(8)).filter(|&index| self.contains(index))
        })
    }

    /// Number of indices.
    pub fn len(&self) -> usize {
        self.0.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this is the canonical form for a set with this many members.
    pub fn fits(&self, members: usize) -> bool {
        self.0.len() == members.div_ceil(8) && self.iter().all(|index| usize::from(index) < members)
    }
}

/// The same vote signed by many masternodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Prevotes form a polka; precommits for a block make it final.
    pub kind: VoteKind,
    /// The height voted on.
    pub height: Height,
    /// The round voted in.
    pub round: Round,
    /// The block, or nil.
    pub block: Option<BlockHash>,
    /// The valid round that all these prevotes name.
    pub valid_round: Option<Round>,
    /// Who signed.
    pub signers: SignerSet,
    /// Their signatures in index order.
    pub signatures: Vec<Signature>,
}

impl Canonical for Certificate {
    const BYTES_MAX: usize = CERTIFICATE_BYTES_MAX;
}

impl Certificate {
    /// Collects votes for one value, given in ascending order of signer.
    /// Returns none for an empty list.
    pub fn collect<'a>(members: usize, votes: impl IntoIterator<Item = &'a Vote>) -> Option<Self> {
        let mut votes = votes.into_iter().peekable();
        let first = (*votes.peek()?).clone();
        let mut signers = SignerSet::empty(members);
        let signatures = votes
            .map(|vote| {
                signers.insert(vote.signer);
                vote.signature
            })
            .collect();
        Some(Self {
            kind: first.kind,
            height: first.height,
            round: first.round,
            block: first.block,
            valid_round: first.valid_round,
            signers,
            signatures,
        })
    }

    /// Whether a vote has the same content and its signer is missing.
    pub fn lacks(&self, vote: &Vote) -> bool {
        (self.kind, self.height, self.round, self.block, self.valid_round)
            == (vote.kind, vote.height, vote.round, vote.block, vote.valid_round)
            && !self.signers.contains(vote.signer)
    }

    /// Adds a missing vote.
    pub fn add(&mut self, vote: &Vote) {
        let place = self.signers.iter().take_while(|&signer| signer < vote.signer).count();
        self.signers.insert(vote.signer);
        self.signatures.insert(place, vote.signature);
    }

    /// Whether this is a commit certificate: precommits for a block.
    pub fn is_commit(&self) -> bool {
        self.kind == VoteKind::Precommit && self.block.is_some()
    }

    /// Whether this is a polka: prevotes, for a block or nil.
    pub fn is_polka(&self) -> bool {
        self.kind == VoteKind::Prevote
    }

    /// The message that every signature signs.
    pub fn signing_message(&self, genesis: &GenesisHash) -> [u8; 32] {
        Vote::message(genesis, self.kind, self.height, self.round, self.block, self.valid_round)
    }

    /// The weight of the signers.
    pub fn weight(&self, set: &MasternodeSet) -> u64 {
        set.weight_of(self.signers.iter())
    }

    /// The single votes it holds, in index order.
    pub fn votes(&self) -> impl Iterator<Item = Vote> + '_ {
        self.signers.iter().zip(&self.signatures).map(|(signer, signature)| Vote {
            kind: self.kind,
            height: self.height,
            round: self.round,
            block: self.block,
            valid_round: self.valid_round,
            signer,
            signature: *signature,
        })
    }
}

/// Votes of more than a third of the weight in one round: at least one honest masternode is in it,
/// so nodes in an earlier round may join (arXiv 1807.04938, line 55).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundCertificate {
    /// The height of all votes.
    pub height: Height,
    /// The round of all votes.
    pub round: Round,
    /// One vote per signer, by strictly ascending signer.
    pub votes: Vec<Vote>,
}

impl Canonical for RoundCertificate {
    const BYTES_MAX: usize = ROUND_CERTIFICATE_BYTES_MAX;
}
