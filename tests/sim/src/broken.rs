//! Broken copies of honest blocks. Each breaks one rule and keeps every commitment of its header,
//! so that only that rule can refuse it: a Byzantine proposer could send it.
use crate::{oracle::Violation, setup::Setup};
use std::collections::BTreeSet;
use timecoin_chain::{
    crypto::Signature,
    ledger::{self, LedgerState, LedgerView},
    types::{
        Amount, Block, Lock, Output, SignerSet, Transaction, TxBody, TxParts, Witness,
        signing_message,
    },
};

/// Breaks a rule; none if the block has nothing to break it with.
type BreakIt = fn(&Copy<'_>, &mut Block) -> Option<()>;

const BREAKS: [(&str, BreakIt); 9] = [
    ("an output is spent twice", spend_twice),
    ("more is paid than is spent", overspend),
    ("a signature is wrong", forge),
    ("a transaction is past its last height", expire),
    ("its time is its parent's", stop_time),
    ("it names another parent", change_parent),
    ("it names another state root", change_root),
    ("its parent's certificate has no quorum", weaken_certificate),
    ("its parent's certificate has a wrong signature", forge_certificate),
];

struct Copy<'a> {
    setup: &'a Setup,
    view: &'a dyn LedgerView,
    parent: &'a LedgerState,
}

/// One in this many valid blocks is copied.
const ONE_OF: u8 = 2;

/// Whether a broken copy of a valid block is refused. The block's own hash decides what is broken.
pub(crate) fn refused(
    setup: &Setup,
    view: &dyn LedgerView,
    parent: &LedgerState,
    block: &Block,
) -> Result<(), Violation> {
    let hash = block.hash();
    let [draw, number, ..] = hash.0;
    if draw % ONE_OF != 0 {
        return Ok(());
    }
    let (what, break_it) = BREAKS[usize::from(number) % BREAKS.len()];
    let Some(copy) = broken(&Copy { setup, view, parent }, block, break_it) else { return Ok(()) };
    let (scheme, chain) = (&*setup.scheme, &*setup.chain);
    match ledger::execute(scheme, chain, view, parent, &copy, &BTreeSet::new()) {
        Err(_) => Ok(()),
        Ok(_) => {
            let detail = format!("a copy of {hash:?}: {what}");
            Err(Violation::new("broken blocks are refused", detail))
        }
    }
}

fn broken(copy: &Copy<'_>, block: &Block, break_it: BreakIt) -> Option<Block> {
    let mut block = block.clone();
    break_it(copy, &mut block)?;
    let ids: Vec<_> = block.transactions.iter().map(Transaction::wtxid).collect();
    block.header.transactions_root = Block::transactions_root(&block.transactions);
    block.header.witnesses_root = Block::witnesses_root(&ids);
    block.header.last_commit = Block::last_commit_hash(block.last_commit.as_ref());
    Some(block)
}

fn spend_twice(copy: &Copy<'_>, block: &mut Block) -> Option<()> {
    let mut again = block.transactions.first()?.body.clone();
    let output = again.outputs.first_mut()?;
    output.value = Amount(output.value.0.checked_sub(1)?);
    block.transactions.push(copy.signed(again)?);
    Some(())
}

fn overspend(copy: &Copy<'_>, block: &mut Block) -> Option<()> {
    let mut richer = block.transactions.pop()?.body.clone();
    let output = richer.outputs.first_mut()?;
    output.value = Amount(output.value.0.checked_add(100_000_000_000)?);
    block.transactions.push(copy.signed(richer)?);
    Some(())
}

fn forge(_: &Copy<'_>, block: &mut Block) -> Option<()> {
    let mut parts = TxParts::clone(&*block.transactions.pop()?);
    *parts.witnesses.first_mut()? = Witness::Key(Signature::from_bytes(&[7; 64]));
    block.transactions.push(parts.into());
    Some(())
}

fn expire(copy: &Copy<'_>, block: &mut Block) -> Option<()> {
    let mut old = block.transactions.pop()?.body.clone();
    old.expiry_height = copy.parent.height;
    block.transactions.push(copy.signed(old)?);
    Some(())
}

fn stop_time(copy: &Copy<'_>, block: &mut Block) -> Option<()> {
    block.header.timestamp = copy.parent.timestamp;
    Some(())
}

fn change_parent(_: &Copy<'_>, block: &mut Block) -> Option<()> {
    block.header.parent.0[0] ^= 1;
    Some(())
}

fn change_root(_: &Copy<'_>, block: &mut Block) -> Option<()> {
    block.header.state_root[0] ^= 1;
    Some(())
}

fn weaken_certificate(copy: &Copy<'_>, block: &mut Block) -> Option<()> {
    let members = copy.setup.masternodes.len();
    let commit = block.last_commit.as_mut().filter(|_| members > 1)?;
    let first = commit.signers.iter().next()?;
    commit.signers = SignerSet::empty(members);
    commit.signers.insert(first);
    commit.signatures.truncate(1);
    Some(())
}

fn forge_certificate(_: &Copy<'_>, block: &mut Block) -> Option<()> {
    let signature = block.last_commit.as_mut()?.signatures.first_mut()?;
    *signature = Signature::from_bytes(&[7; 64]);
    Some(())
}

impl Copy<'_> {
    /// A transaction signed by the owners of its inputs, if accounts own them all.
    fn signed(&self, body: TxBody) -> Option<Transaction> {
        let spent: Vec<Output> = body
            .inputs
            .iter()
            .map(|input| self.view.coin(input).ok()?.map(|coin| coin.coin.output))
            .collect::<Option<_>>()?;
        let message = signing_message(&self.setup.chain.hash, &body, &spent);
        let witnesses = spent
            .iter()
            .map(|output| {
                let owns = |key| output.lock == Lock::Key(key);
                let mut accounts = self.setup.accounts.iter();
                let owner = accounts.find(|account| owns(account.public_key()))?;
                Some(Witness::Key(owner.sign(&message)))
            })
            .collect::<Option<_>>()?;
        Some(Transaction::new(body, witnesses))
    }
}
