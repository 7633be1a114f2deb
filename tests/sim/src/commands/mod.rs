//! The commands that need more than a few lines.
pub(crate) mod exhaust;
pub(crate) mod flood;
pub(crate) mod fork;
pub(crate) mod scale;
pub(crate) mod twins;
