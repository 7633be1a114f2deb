//! What every request is.
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::Error as _};
use serde_json::value::RawValue;

/// A request: its method, its arguments by name, and the type of its result.
pub trait Ask: Serialize + DeserializeOwned + Send {
    /// The method's name.
    const METHOD: &'static str;
    /// What the server answers.
    type Answer: Serialize + DeserializeOwned;
}

/// Declares which method a request calls and what it answers.
macro_rules! ask {
    ($($request:ident($method:literal) -> $answer:ty;)*) => {
        $(impl $crate::api::Ask for $request {
            const METHOD: &'static str = $method;
            type Answer = $answer;
        })*
    };
}
pub(super) use ask;

/// Reads one of two shapes. Numbers keep their digits, which an untagged enum would lose.
pub(super) fn either<'de, D: Deserializer<'de>, A: DeserializeOwned, B: DeserializeOwned, T>(
    from: D,
    first: fn(A) -> T,
    second: fn(B) -> T,
) -> Result<T, D::Error> {
    let raw = Box::<RawValue>::deserialize(from)?;
    match serde_json::from_str(raw.get()) {
        Ok(value) => Ok(first(value)),
        Err(_) => serde_json::from_str(raw.get()).map(second).map_err(D::Error::custom),
    }
}
