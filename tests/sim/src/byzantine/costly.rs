//! Proposes invalid blocks that cost as much as possible to refuse: each payment has sixteen signatures that
//! nobody has seen, and only the last signature of the block is wrong.
use super::{Actor, Stage};
use crate::fold::Fold;
use std::collections::BTreeMap;
use timecoin_chain::{
    crypto::Signature,
    limits::TX_BATCH_BYTES_MAX,
    types::{
        Amount, Block, ConsensusMessage, Header, Height, OutPoint, Output, Proposal, Transaction,
        TxBody, TxKind, WTxId, Witness, signing_message,
    },
    wire::{Request, Response},
};

/// Paid by each payment.
const FEE: u64 = 100_000;

/// A masternode that proposes such blocks whenever it is its turn.
#[derive(Default)]
pub(super) struct CostlyProposer {
    /// Its last proposal; it proposes one block in a round.
    last: Option<Proposal>,
    bodies: BTreeMap<WTxId, Transaction>,
}

impl Actor for CostlyProposer {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        let ConsensusMessage::Proposal(like) = message else { return stage.say(message, attempt) };
        let place = |proposal: &Proposal| (proposal.height(), proposal.round);
        let repeated = self.last.take().filter(|last| place(last) == place(&like));
        let proposal = repeated.unwrap_or_else(|| self.propose(stage, &like));
        self.last = Some(proposal.clone());
        stage.say(ConsensusMessage::Proposal(Box::new(proposal)), attempt);
        stage.works();
    }

    fn reply(&self, request: &Request) -> Option<Response> {
        let Request::Bodies(request) = request else { return None };
        let mut left = TX_BATCH_BYTES_MAX - 1_000;
        let known = request.0.iter().filter_map(|id| self.bodies.get(id));
        let fit = known.take_while(|body| {
            let fits = body.encoded_len() <= left;
            left = left.saturating_sub(body.encoded_len());
            fits
        });
        let bodies: Vec<Transaction> = fit.cloned().collect();
        (!bodies.is_empty()).then_some(Response::Bodies(bodies))
    }
}

impl CostlyProposer {
    /// A block of new payments: sometimes a few, sometimes as many as may be executed unseen, sometimes more.
    fn propose(&mut self, stage: &mut Stage, like: &Proposal) -> Proposal {
        let coins = Fold::new(stage.setup).coins.into_iter();
        let coins: Vec<_> = coins.filter(|(_, output)| output.lock == stage.setup.hoard()).collect();
        let count = [coins.len() / 8, coins.len() * 3 / 4, coins.len()][stage.rng.index(3)];
        let mut payments: Vec<Transaction> =
            coins.into_iter().take(count).map(|coin| self::payment(stage, coin)).collect();
        if let Some(last) = payments.last_mut() {
            *last = forged(last);
        }
        let ids: Vec<WTxId> = payments.iter().map(Transaction::wtxid).collect();
        let header = Header {
            transactions_root: Block::transactions_root(&payments),
            witnesses_root: Block::witnesses_root(&ids),
            ..like.header.clone()
        };
        self.bodies = ids.iter().copied().zip(payments).collect();
        let like = Proposal { transactions: ids, ..like.clone() };
        stage.fresh_proposal(&like, like.round, header)
    }
}

/// A payment that differs from all others of this coin by its expiry.
fn payment(stage: &mut Stage, (coin, spent): (OutPoint, Output)) -> Transaction {
    let body = TxBody {
        version: TxBody::VERSION,
        chain: stage.setup.chain.id(),
        inputs: vec![coin],
        outputs: vec![Output { value: Amount(spent.value.0 - FEE), lock: spent.lock.clone() }],
        not_before: Height(0),
        expiry_height: Height(stage.rng.between(1_000, u64::from(u32::MAX))),
        kind: TxKind::Transfer,
    };
    let message = signing_message(&stage.setup.chain.hash, &body, &[spent]);
    let signatures = (0..).zip(&stage.setup.hoarders);
    let signatures = signatures.map(|(index, key)| (index, key.sign(&message))).collect();
    Transaction::new(body, vec![Witness::Multi(signatures)])
}

/// The same payment, but its last signature is wrong.
fn forged(payment: &Transaction) -> Transaction {
    let mut witnesses = payment.witnesses.clone();
    if let Some(Witness::Multi(signatures)) = witnesses.last_mut()
        && let Some((_, signature)) = signatures.last_mut()
    {
        *signature = Signature::from_bytes(&[7; 64]);
    }
    Transaction::new(payment.body.clone(), witnesses)
}
