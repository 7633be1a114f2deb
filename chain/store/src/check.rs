//! Checks a whole ledger for consistency: slow, for an operator who suspects a disk fault.
//!
//! Never changes anything and never trusts one table for the contents of another.
use crate::{
    Store,
    error::{Fault, StoreError},
    read,
    tables::{BLOCKS, CERTIFICATES, COINS, LOCKS, META_STATE},
};
use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _};
use timecoin_chain::{
    codec,
    crypto::LtHash,
    ledger::{LedgerState, PositionedCoin},
    types::{Amount, Block, BlockHash, Certificate, Coin, Height},
};

/// What a check covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// The last durable height; every block below it exists.
    pub height: Height,
    /// Unspent coins.
    pub coins: u64,
    /// Their total value.
    pub value: Amount,
}

impl Store {
    /// Reads every coin and every block. The coins must match the commitment of the state, each
    /// must be found by its outpoint, and the blocks with their certificates must form a chain up
    /// to the height of the state. Takes about 10 microseconds per coin.
    pub fn check(&self) -> Result<Checked, StoreError> {
        self.ledger.read(|txn| {
            let state = read::state(txn)?;
            check_blocks(txn, BlockHash(self.genesis.0), &state)?;
            let (coins, value) = check_coins(txn, &state)?;
            if self.address_index && txn.open_table(LOCKS)?.len()? != coins {
                return Err(Fault::corrupt("locks", "all", "not one row for each coin"));
            }
            Ok(Checked { height: state.height, coins, value })
        })
    }
}

fn check_coins(txn: &ReadTransaction, state: &LedgerState) -> Result<(u64, Amount), Fault> {
    let table = txn.open_table(COINS)?;
    let (mut all, mut value) = (LtHash::default(), Amount::ZERO);
    for row in table.iter()? {
        let (position, bytes) = row?;
        let position = position.value();
        let coin: Coin = codec::decode(bytes.value()).map_err(Fault::decode("coins", position))?;
        let too_much = || Fault::corrupt("coins", position, "the coins overflow the supply");
        value = value.checked_add(coin.output.value).ok_or_else(too_much)?;
        let coin = PositionedCoin { position, coin };
        all.add(&coin.element());
        if read::coin(txn, &coin.coin.outpoint)?.as_ref() != Some(&coin) {
            let reason = format!("not found by its outpoint {}", coin.coin.outpoint);
            return Err(Fault::corrupt("coins", position, reason));
        }
    }
    if all != state.coins {
        return Err(Fault::corrupt("coins", "all", "the state commits to other coins"));
    }
    if value > state.supply {
        return Err(Fault::corrupt("meta", META_STATE, "the coins are more than the supply"));
    }
    Ok((table.len()?, value))
}

fn check_blocks(
    txn: &ReadTransaction,
    genesis: BlockHash,
    state: &LedgerState,
) -> Result<(), Fault> {
    let (blocks, certificates) = (txn.open_table(BLOCKS)?, txn.open_table(CERTIFICATES)?);
    let mut tip = (Height::GENESIS, genesis);
    for row in blocks.iter()? {
        let (height, bytes) = row?;
        let height = height.value();
        let block: Block = codec::decode(bytes.value()).map_err(Fault::decode("blocks", height))?;
        if (block.header.height, block.header.parent) != (tip.0.next(), tip.1) {
            return Err(Fault::corrupt("blocks", height, "it does not follow the block before"));
        }
        let missing = || Fault::corrupt("certificates", height, "the row is missing");
        let bytes = certificates.get(height)?.ok_or_else(missing)?;
        let certificate: Certificate =
            codec::decode(bytes.value()).map_err(Fault::decode("certificates", height))?;
        tip = (block.header.height, block.hash());
        if certificate.block != Some(tip.1) {
            return Err(Fault::corrupt("certificates", height, "it is for another block"));
        }
    }
    match tip == (state.height, state.block) {
        true => Ok(()),
        false => Err(Fault::corrupt("meta", META_STATE, "the last block is another one")),
    }
}
