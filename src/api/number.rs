//! Numbers that are written and read digit by digit.
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::value::RawValue;
use timecoin_chain::types::Amount;

/// An amount as a JSON number with eight decimals. A text is read as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonAmount(pub Amount);

impl Serialize for JsonAmount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonAmount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        raw.get().trim_matches('"').parse().map(Self).map_err(D::Error::custom)
    }
}

/// Microseconds as a JSON number of seconds with six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub u64);

/// Microseconds in a second.
const SECOND: u64 = 1_000_000;

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = format!("{}.{:06}", self.0 / SECOND, self.0 % SECOND);
        RawValue::from_string(text).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        let (whole, decimals) = raw.get().split_once('.').unwrap_or((raw.get(), ""));
        let read = || {
            let micros = format!("{decimals:0<6}");
            let whole: u64 = whole.parse().ok()?;
            whole.checked_mul(SECOND)?.checked_add(micros.get(..6)?.parse().ok()?)
        };
        read().map(Self).ok_or_else(|| D::Error::custom("not a number of seconds"))
    }
}

/// A level of detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Level {
    /// `false` for 0, `true` for 1.
    Flag(bool),
    /// The level itself.
    Number(u64),
}

impl Level {
    /// The level as a number.
    pub fn number(self) -> u64 {
        match self {
            Self::Flag(flag) => flag.into(),
            Self::Number(number) => number,
        }
    }
}
