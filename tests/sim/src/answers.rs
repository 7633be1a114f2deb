//! What strangers answer to a node's requests: nothing, garbage, what does not fit, or too much of it.
//!
//! Does not know nodes: `siege` carries the answers.
use crate::{
    rng::Rng,
    wire::{self, Reply},
};
use timecoin_chain::{
    engine::Request,
    genesis::GenesisHash,
    types::{Certificate, ConsensusMessage, MasternodeSet, SignerSet, Vote, VotesAnswer},
    wire::Response,
};

/// Messages in an answer at most.
const MESSAGES_MAX: u64 = 100;

/// What strangers know of the chain.
pub(crate) struct Known<'a> {
    pub(crate) genesis: GenesisHash,
    pub(crate) set: &'a MasternodeSet,
    /// What decided the last block; everybody may have it.
    pub(crate) tip: Option<Certificate>,
}

/// The certificate with the votes for it that are not in it.
pub(crate) fn with_votes<'a>(
    mut certificate: Certificate,
    votes: impl Iterator<Item = &'a Vote>,
) -> Certificate {
    let place = (certificate.kind, certificate.height, certificate.round, certificate.block);
    for vote in votes.filter(|vote| (vote.kind, vote.height, vote.round, vote.block) == place) {
        if !certificate.signers.contains(vote.signer) {
            let before = certificate.signers.iter().filter(|signer| *signer < vote.signer).count();
            certificate.signers.insert(vote.signer);
            certificate.signatures.insert(before, vote.signature);
        }
    }
    certificate
}

/// The answer of a stranger; none if it does not answer.
pub(crate) fn draw(rng: &mut Rng, request: &Request, known: &Known) -> Option<Reply> {
    let nothing = || VotesAnswer { messages: Vec::new(), attestation: None };
    Some(match rng.below(6) {
        0 => return None,
        1 => wire::garbage_reply(
            (0..rng.between(1, 2_000)).map(|_| rng.number().to_le_bytes()[0]).collect(),
        ),
        // Of another protocol.
        2 => wire::reply(match request {
            Request::Votes(_) => Response::Blocks(Vec::new()),
            _ => Response::Votes(nothing()),
        }),
        3 => wire::reply(match request {
            Request::Status => Response::Status(known.genesis, None),
            Request::Blocks(_) => Response::Blocks(Vec::new()),
            Request::Bodies(_) => Response::Bodies(Vec::new()),
            Request::Votes(_) => Response::Votes(nothing()),
        }),
        kind => match (request, &known.tip) {
            (Request::Votes(_), Some(tip)) => {
                let count = rng.between(2, MESSAGES_MAX);
                let copy = |rng: &mut Rng| match kind {
                    4 => tip.clone(),
                    _ => with_fewer(rng, known.set, tip.clone()),
                };
                let copies = (0..count).map(|_| ConsensusMessage::Certificate(copy(rng)));
                let messages = copies.collect();
                wire::reply(Response::Votes(VotesAnswer { messages, attestation: None }))
            }
            (Request::Status, tip) => wire::reply(Response::Status(known.genesis, tip.clone())),
            _ => return None,
        },
    })
}

/// A certificate for the same thing with other signers: without any of them that a quorum does not need.
fn with_fewer(rng: &mut Rng, set: &MasternodeSet, mut certificate: Certificate) -> Certificate {
    for _ in 0..rng.below(4) {
        let signers: Vec<u16> = certificate.signers.iter().collect();
        let left_out = rng.index(signers.len());
        let rest = (0..).zip(&signers).filter(|(place, _)| *place != left_out);
        let rest: Vec<u16> = rest.map(|(_, signer)| *signer).collect();
        if !set.is_quorum(set.weight_of(rest.iter().copied())) {
            break;
        }
        certificate.signers = SignerSet::empty(set.len());
        rest.into_iter().for_each(|signer| certificate.signers.insert(signer));
        certificate.signatures.remove(left_out);
    }
    certificate
}
