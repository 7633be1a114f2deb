//! What evidence must show, derived independently from the paper, not from the chain's rules.
use crate::setup::Setup;
use timecoin_chain::{
    crypto::{Signature, SignatureCheck},
    types::{Evidence, Proposal, Vote, VoteKind},
};

/// Whether evidence shows that its offender signed what no honest masternode signs.
pub fn check(setup: &Setup, evidence: &Evidence) -> Result<(), String> {
    match evidence {
        Evidence::Votes(one, other) => {
            let slot = |vote: &Vote| (vote.signer, vote.height, vote.round, vote.kind);
            ensure(slot(one) == slot(other), "the votes are of two slots")?;
            let differ = one.block != other.block || one.valid_round != other.valid_round;
            ensure(differ, "the votes say the same")?;
            votes_are_signed(setup, [one, other])
        }
        Evidence::Amnesia { precommit, prevote } => {
            ensure(precommit.kind == VoteKind::Precommit, "the lock is no precommit")?;
            ensure(prevote.kind == VoteKind::Prevote, "the vote against it is no prevote")?;
            let who = |vote: &Vote| (vote.signer, vote.height);
            ensure(who(precommit) == who(prevote), "the votes are of two masternodes or heights")?;
            ensure(precommit.round < prevote.round, "the prevote came first")?;
            let (Some(locked), Some(voted)) = (precommit.block, prevote.block) else {
                return Err("one vote is nil".into());
            };
            ensure(locked != voted, "both votes are for one block")?;
            let unlocks = prevote.valid_round.is_some_and(|round| round >= precommit.round);
            ensure(!unlocks, "a later polka allows it")?;
            votes_are_signed(setup, [precommit, prevote])
        }
        Evidence::Proposals(one, other) => {
            let round = (one.height, one.round);
            ensure(round == (other.height, other.round), "the proposals are of two rounds")?;
            let differ = one.block != other.block || one.valid_round != other.valid_round;
            ensure(differ, "the proposals say the same")?;
            let proposer = setup.proposer(round.0, round.1);
            for statement in [one, other] {
                ensure(statement.proposer == proposer, "somebody else proposes in this round")?;
                let genesis = &setup.chain.hash;
                let (valid_round, block) = (statement.valid_round, statement.block);
                let message = Proposal::message(genesis, round.0, round.1, valid_round, block);
                is_signed(setup, proposer, message, statement.signature)?;
            }
            Ok(())
        }
    }
}

fn votes_are_signed(setup: &Setup, votes: [&Vote; 2]) -> Result<(), String> {
    votes.into_iter().try_for_each(|vote| {
        let message = vote.signing_message(&setup.chain.hash);
        is_signed(setup, vote.signer, message, vote.signature)
    })
}

fn is_signed(
    setup: &Setup,
    index: u16,
    message: [u8; 32],
    signature: Signature,
) -> Result<(), String> {
    let member = setup.chain.masternodes.members().get(usize::from(index));
    let key = member.ok_or("there is no such masternode")?.key;
    let check = SignatureCheck { key, message, signature };
    ensure(setup.scheme.all_valid(&[check]), "a signature is wrong")
}

fn ensure(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
