//! A value whose signatures hold. The type itself is the proof.

/// A verified value. Only the functions of this crate that verify signatures create one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Wraps a value whose signatures the caller has just verified. Private to this crate, and
    /// called only from functions named `verify`.
    pub(crate) fn checked(value: T) -> Self {
        Self(value)
    }

    /// The same verified content in another type.
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
