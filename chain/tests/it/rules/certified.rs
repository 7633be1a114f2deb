//! What makes a block and a certificate a final block.
use crate::fixture::{Fixture, pay, precommit_of, prevote_of};
use timecoin_chain::{
    crypto::{Ed25519, Signature},
    rules::{CertifiedBlock, CertifyError, RuleError, VoteError},
    types::{Block, Certificate},
};

fn verify(
    fixture: &Fixture,
    block: &Block,
    certificate: Certificate,
) -> Result<CertifiedBlock, CertifyError> {
    let chain = &fixture.chain;
    let (genesis, set) = (&chain.hash, &chain.masternodes);
    CertifiedBlock::verify(&Ed25519, genesis, set, block.clone(), certificate)
}

#[test]
fn a_final_block_has_a_sound_commit_of_its_header_and_its_headers_body() {
    let fixture = Fixture::at_height(1);
    let payment = fixture.spend(&[fixture.coin(1, 0)], vec![pay(1)]);
    let block = fixture.block(vec![payment]);
    let commit = fixture.certify(&block);
    let certified = verify(&fixture, &block, commit.clone()).unwrap();
    assert_eq!((&**certified.block(), &**certified.certificate()), (&block, &commit));

    let polka = fixture.certificate(&[0, 1, 2], &prevote_of(&block, precommit_of(&block).round));
    let of_another = fixture.certify(&fixture.block(vec![]));
    for wrong in [polka, of_another] {
        assert_eq!(verify(&fixture, &block, wrong), Err(CertifyError::OtherBlock));
    }
    let mut forged = commit.clone();
    forged.signatures[0] = Signature::from_bytes(&[7; 64]);
    let error = CertifyError::Certificate(VoteError::BadSignature);
    assert_eq!(verify(&fixture, &block, forged), Err(error));

    let mut robbed = block.clone();
    robbed.transactions.pop();
    let error = CertifyError::Body(RuleError::WrongTransactionsRoot);
    assert_eq!(verify(&fixture, &robbed, commit), Err(error));
}
