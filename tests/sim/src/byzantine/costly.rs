//! Proposes invalid blocks that cost as much as possible to refuse: each payment has sixteen signatures that
//! nobody has seen, and only the last signature of the block is wrong.
use super::{Actor, Stage};
use crate::{clock::SECOND, fold::Fold};
use std::collections::{BTreeMap, VecDeque};
use timecoin_chain::{
    crypto::Signature,
    limits::TX_BATCH_BYTES_MAX,
    types::{
        Amount, Block, ConsensusMessage, Header, Height, OutPoint, Output, Proposal, Round,
        Transaction, TxBody, TxKind, WTxId, Witness, signing_message,
    },
    wire::{Request, Response},
};

/// Paid by each payment.
const FEE: u64 = 100_000;

/// Rounds ahead for which others accept a proposal.
const ROUNDS_AHEAD: u32 = 2;
/// Blocks whose bodies it serves.
const BLOCKS_MAX: usize = 4;

/// A masternode that proposes such blocks whenever it is its turn, and for its turns in the rounds ahead.
#[derive(Default)]
pub(super) struct CostlyProposer {
    /// Its last proposals; it proposes one block in a round.
    proposals: VecDeque<Proposal>,
    bodies: VecDeque<BTreeMap<WTxId, Transaction>>,
}

impl Actor for CostlyProposer {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        let ConsensusMessage::Proposal(like) = message else { return stage.say(message, attempt) };
        let place = |proposal: &Proposal| (proposal.height(), proposal.round);
        let repeated = self.proposals.iter().find(|last| place(last) == place(&like)).cloned();
        let is_first = repeated.is_none();
        let proposal = repeated.unwrap_or_else(|| self.propose(stage, &like, like.round));
        let message = ConsensusMessage::Proposal(Box::new(proposal));
        match is_first && stage.rng.chance(300) {
            // Some begin the next round while others are still executing it.
            true => {
                let (some, others) = stage.halves();
                stage.tell(&some, message.clone(), attempt);
                let late = stage.rng.between(SECOND / 4, SECOND);
                stage.later(late, others, message, attempt);
            }
            false => stage.say(message, attempt),
        }
        stage.works();
    }

    fn hear(&mut self, stage: &mut Stage, message: &ConsensusMessage) {
        let ConsensusMessage::Proposal(like) = message else { return };
        let is_current = (like.height(), like.round) == (stage.height, stage.round);
        let mut ahead = (1..=ROUNDS_AHEAD).map(|ahead| Round(like.round.0 + ahead));
        let Some(round) = ahead.find(|round| stage.proposes(stage.height, *round)) else { return };
        let is_new = |last: &Proposal| (last.height(), last.round) != (stage.height, round);
        if is_current && self.proposals.iter().all(is_new) {
            let proposal = self.propose(stage, like, round);
            stage.say(ConsensusMessage::Proposal(Box::new(proposal)), 0);
        }
    }

    fn reply(&self, request: &Request) -> Option<Response> {
        let Request::Bodies(request) = request else { return None };
        let mut left = TX_BATCH_BYTES_MAX - 1_000;
        let known =
            request.0.iter().filter_map(|id| self.bodies.iter().find_map(|bodies| bodies.get(id)));
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
    fn propose(&mut self, stage: &mut Stage, like: &Proposal, round: Round) -> Proposal {
        let coins = Fold::new(stage.setup).coins.into_iter();
        let coins: Vec<_> =
            coins.filter(|(_, output)| output.lock == stage.setup.hoard()).collect();
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
        self.bodies.push_front(ids.iter().copied().zip(payments).collect());
        self.bodies.truncate(BLOCKS_MAX);
        let like = Proposal { transactions: ids, ..like.clone() };
        let proposal = stage.fresh_proposal(&like, round, header);
        self.proposals.push_front(proposal.clone());
        self.proposals.truncate(BLOCKS_MAX);
        proposal
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
