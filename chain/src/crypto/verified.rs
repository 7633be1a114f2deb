//! A value whose signatures were checked. Its type is the proof; nothing else carries it.

/// A checked value. Only the functions of this crate that check signatures make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Wraps a value whose signatures the caller has just checked. Private to this crate, and
    /// called only from functions named `verify`.
    pub(crate) fn checked(value: T) -> Self {
        Self(value)
    }

    /// The same checked content in another shape.
    pub(crate) fn map<U>(self, wrap: impl FnOnce(T) -> U) -> Verified<U> {
        Verified(wrap(self.0))
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
