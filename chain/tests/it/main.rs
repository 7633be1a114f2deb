//! Tests of the core through its public face: rules, ledger, encoding and the signature rule.
//!
//! Values come from `generate`, chains with real keys from `fixture`. Frozen bytes are in
//! `tests/vectors`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod codec;
mod commit;
mod engine;
mod evidence;
mod fixture;
mod generate;
mod genesis;
mod golden;
mod inbound;
mod ledger;
mod license;
mod message;
mod peer;
mod rules;
mod signature_rule;
mod transaction_decoder;
