//! A consensus message of any kind: what is sound comes back as it was, what is forged does not.
use crate::fixture::{Fixture, precommit_of, prevote_of};
use timecoin_chain::{
    crypto::{Ed25519, Signature},
    rules::{EvidenceError, MessageError, VoteError, verify_message},
    types::{BlockHash, ConsensusMessage, Evidence, Round, RoundCertificate, Vote},
};

#[test]
fn every_kind_of_message_is_verified_by_its_own_rule() {
    let fixture = Fixture::at_height(1);
    let block = fixture.block(vec![]);
    let vote = fixture.vote(1, precommit_of(&block));
    let proposal = fixture.propose(&block, Round(0), None);
    let certificate = fixture.certify(&block);
    let (height, round) = (block.header.height, Round(2));
    let votes: Vec<Vote> =
        (0..3).map(|signer| fixture.vote(signer, prevote_of(&block, round))).collect();
    let entry = RoundCertificate { height, round, votes };
    let other = Vote { block: Some(BlockHash([7; 32])), ..precommit_of(&block) };
    let evidence = Evidence::of_votes(&vote, &fixture.vote(1, other)).unwrap();

    let nobody = Signature::from_bytes(&[0; 64]);
    let mut forged =
        (vote.clone(), proposal.clone(), certificate.clone(), entry.clone(), evidence.clone());
    forged.0.signature = nobody;
    forged.1.signature = nobody;
    forged.2.signatures[0] = nobody;
    forged.3.votes[0].signature = nobody;
    if let Evidence::Votes(one, _) = &mut forged.4 {
        one.signature = nobody;
    }
    let bad_vote = MessageError::Vote(VoteError::BadSignature);
    let bad_evidence = MessageError::Evidence(EvidenceError::BadSignature);
    for (sound, forged, error) in [
        (ConsensusMessage::Vote(vote), ConsensusMessage::Vote(forged.0), &bad_vote),
        (
            ConsensusMessage::Proposal(Box::new(proposal)),
            ConsensusMessage::Proposal(Box::new(forged.1)),
            &bad_vote,
        ),
        (
            ConsensusMessage::Certificate(certificate),
            ConsensusMessage::Certificate(forged.2),
            &bad_vote,
        ),
        (ConsensusMessage::Round(entry), ConsensusMessage::Round(forged.3), &bad_vote),
        (ConsensusMessage::Evidence(evidence), ConsensusMessage::Evidence(forged.4), &bad_evidence),
    ] {
        let judge = |message: ConsensusMessage| {
            let (hash, set) = (&fixture.chain.hash, &fixture.chain.masternodes);
            verify_message(&Ed25519, hash, set, message).map(|message| message.into_inner())
        };
        assert_eq!(judge(sound.clone()), Ok(sound));
        assert_eq!(judge(forged).as_ref(), Err(error));
    }
}
