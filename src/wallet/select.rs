//! Chooses the coins that a payment spends: the largest first, until they cover the payment and its
//! fee.
//!
//! The fee is exactly the rate times the bytes, or more if the change would be too small to be worth
//! an output.
use timecoin_chain::{
    limits::TX_BYTES_MAX,
    types::{Amount, OutPoint},
};

/// The maximum number of coins in one payment, so that it fits in a transaction.
pub const INPUTS_MAX: usize = 500;
/// The bytes that spending an output costs later: an outpoint and a signature.
pub const INPUT_BYTES: u64 = 34 + 68;

const _: () = assert!(INPUTS_MAX * 102 + 1_024 < TX_BYTES_MAX);

/// A coin that may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coin {
    /// Which output it is.
    pub outpoint: OutPoint,
    /// What it is worth.
    pub value: Amount,
}

/// The coins of a payment and how their value is divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Largest first.
    pub coins: Vec<Coin>,
    /// Change to the payer; `None` if it would not be worth an output.
    pub change: Option<Amount>,
    /// What is left for the proposer.
    pub fee: Amount,
}

/// Why no coins cover a payment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// Nothing to pay.
    #[error("the amount is zero")]
    Zero,
    /// There is not enough money.
    #[error(
        "the wallet holds {available} TIME (coins: {coins}), and {amount} TIME with a fee of {fee} TIME are needed"
    )]
    NotEnough {
        /// All of it.
        available: Amount,
        /// In how many coins.
        coins: usize,
        /// What was to be paid.
        amount: Amount,
        /// The fee for spending all of it.
        fee: Amount,
    },
    /// There is enough, but in too many small coins.
    #[error(
        "the {INPUTS_MAX} largest coins hold {available} TIME, less than {amount} TIME with the fee: pay part of it to yourself first"
    )]
    TooManyCoins {
        /// What they hold.
        available: Amount,
        /// What was to be paid.
        amount: Amount,
    },
    /// A sum that exceeds 64 bits.
    #[error("the amounts overflow")]
    Overflow,
}

/// Chooses coins. `bytes` returns the encoded length of a transaction with these numbers of inputs and outputs.
pub fn select(
    mut coins: Vec<Coin>,
    amount: Amount,
    fee_rate: u64,
    bytes: impl Fn(usize, usize) -> u64,
) -> Result<Selection, SelectError> {
    if amount == Amount::ZERO {
        return Err(SelectError::Zero);
    }
    coins.sort_by_key(|coin| (std::cmp::Reverse(coin.value), coin.outpoint));
    let fee = |inputs, outputs| {
        fee_rate.checked_mul(bytes(inputs, outputs)).map(Amount).ok_or(SelectError::Overflow)
    };
    // Below this an output costs more than it is worth.
    let change_min = Amount(fee_rate.saturating_mul(INPUT_BYTES).max(1));
    let mut total = Amount::ZERO;
    for (index, coin) in coins.iter().take(INPUTS_MAX).enumerate() {
        let inputs = index + 1;
        total = total.checked_add(coin.value).ok_or(SelectError::Overflow)?;
        let rest = |fee: Amount| total.checked_sub(amount)?.checked_sub(fee);
        let with_change = fee(inputs, 2)?;
        if let Some(change) = rest(with_change).filter(|change| *change >= change_min) {
            coins.truncate(inputs);
            return Ok(Selection { coins, change: Some(change), fee: with_change });
        }
        let without_change = fee(inputs, 1)?;
        if let Some(dust) = rest(without_change) {
            let fee = without_change.checked_add(dust).ok_or(SelectError::Overflow)?;
            coins.truncate(inputs);
            return Ok(Selection { coins, change: None, fee });
        }
    }
    let spendable = coins.len().min(INPUTS_MAX);
    if spendable < coins.len() {
        return Err(SelectError::TooManyCoins { available: total, amount });
    }
    let fee = fee(spendable.max(1), 1)?;
    Err(SelectError::NotEnough { available: total, coins: coins.len(), amount, fee })
}

#[cfg(test)]
mod tests {
    use super::*;
    use timecoin_chain::types::TxId;

    fn coins(values: &[u64]) -> Vec<Coin> {
        let coin = |(vout, &value): (u16, &u64)| Coin {
            outpoint: OutPoint { txid: TxId([0; 32]), vout },
            value: Amount(value),
        };
        (0..).zip(values).map(coin).collect()
    }

    /// 100 bytes an input, 10 an output: easy to add.
    fn bytes(inputs: usize, outputs: usize) -> u64 {
        (inputs * 100 + outputs * 10) as u64
    }

    fn chosen(values: &[u64], amount: u64) -> Result<(Vec<u64>, Option<u64>, u64), SelectError> {
        let selection = select(coins(values), Amount(amount), 1, bytes)?;
        let spent = selection.coins.iter().map(|coin| coin.value.0).collect();
        Ok((spent, selection.change.map(|change| change.0), selection.fee.0))
    }

    #[test]
    fn the_largest_coins_are_spent_until_they_cover_the_payment_and_its_fee() {
        let cases = [
            (vec![500, 9_000, 70], 1_000, vec![9_000], Some(7_880), 120),
            (vec![1_000, 1_000], 1_000, vec![1_000, 1_000], Some(780), 220),
            // The rest would be 101, less than spending it costs.
            (vec![1_221], 1_000, vec![1_221], None, 221),
            (vec![1_222], 1_000, vec![1_222], Some(102), 120),
            (vec![1_110], 1_000, vec![1_110], None, 110),
        ];
        for (values, amount, spent, change, fee) in cases {
            assert_eq!(chosen(&values, amount), Ok((spent, change, fee)), "{values:?} {amount}");
        }
    }

    #[test]
    fn what_cannot_be_paid_says_why() {
        assert_eq!(chosen(&[5], 0), Err(SelectError::Zero));
        let error = chosen(&[1_109], 1_000);
        assert!(matches!(error, Err(SelectError::NotEnough { fee: Amount(110), .. })), "{error:?}");
        assert!(matches!(chosen(&[], 1), Err(SelectError::NotEnough { coins: 0, .. })));
        let many = vec![200; INPUTS_MAX + 1];
        let error = chosen(&many, 100 * INPUTS_MAX as u64);
        assert!(matches!(error, Err(SelectError::TooManyCoins { .. })), "{error:?}");
        assert_eq!(chosen(&[u64::MAX, u64::MAX], u64::MAX), Err(SelectError::Overflow));
    }

    #[test]
    fn nothing_is_lost_or_made() {
        for amount in 1..2_000 {
            let Ok((spent, change, fee)) = chosen(&[700, 650, 400, 300, 111], amount) else {
                assert!(amount > 700 + 650 + 400 + 300 + 111 - 510, "{amount}");
                continue;
            };
            let total: u64 = spent.iter().sum();
            assert_eq!(total, amount + change.unwrap_or(0) + fee);
            assert!(fee >= bytes(spent.len(), if change.is_some() { 2 } else { 1 }));
        }
    }
}
