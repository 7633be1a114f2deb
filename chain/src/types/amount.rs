//! Money: an unsigned count of units, 100,000,000 to one TIME. Arithmetic is checked or absent.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An amount in units.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Amount(pub u64);

impl Amount {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// Units in one TIME.
    pub const UNITS_PER_TIME: u64 = 100_000_000;

    /// A whole number of TIME, for constants.
    pub const fn from_time(time: u64) -> Self {
        Self(time * Self::UNITS_PER_TIME)
    }

    /// The sum; none on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference; none if negative.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum of many; none on overflow.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08}", self.0 / Self::UNITS_PER_TIME, self.0 % Self::UNITS_PER_TIME)
    }
}

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not digits with at most one point.
    #[error("`{text}` is not an amount: write digits with at most one point, such as 12.5")]
    Malformed {
        /// The text.
        text: String,
    },
    /// More than eight decimals.
    #[error("`{text}` has more than 8 decimals: the smallest amount is 0.00000001")]
    TooPrecise {
        /// The text.
        text: String,
    },
    /// More than 64 bits can hold.
    #[error("`{text}` is more TIME than can exist")]
    TooLarge {
        /// The text.
        text: String,
    },
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let malformed = || AmountError::Malformed { text: text.into() };
        let too_large = || AmountError::TooLarge { text: text.into() };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(decimals) || text.ends_with('.') {
            return Err(malformed());
        }
        if decimals.len() > 8 {
            return Err(AmountError::TooPrecise { text: text.into() });
        }
        let whole: u64 = whole.parse().map_err(|_| too_large())?;
        let decimals: u64 = format!("{decimals:0<8}").parse().map_err(|_| malformed())?;
        whole
            .checked_mul(Self::UNITS_PER_TIME)
            .and_then(|units| units.checked_add(decimals))
            .map(Self)
            .ok_or_else(too_large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_units_agree() {
        for (text, units) in
            [("0", 0), ("12.5", 1_250_000_000), ("0.00000001", 1), ("1", 100_000_000)]
        {
            assert_eq!(text.parse(), Ok(Amount(units)));
        }
        assert_eq!(Amount(1_250_000_000).to_string(), "12.50000000");
        assert_eq!(Amount(u64::MAX).to_string().parse(), Ok(Amount(u64::MAX)));
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "1e3", "1,5", " 1", "+1", "0x1"] {
            assert!(matches!(text.parse::<Amount>(), Err(AmountError::Malformed { .. })), "{text}");
        }
        assert!(matches!("0.000000001".parse::<Amount>(), Err(AmountError::TooPrecise { .. })));
        assert!(matches!("184467440738".parse::<Amount>(), Err(AmountError::TooLarge { .. })));
    }
}
