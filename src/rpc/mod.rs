//! The door for people and programs: JSON-RPC with Bitcoin Core's envelopes, server-sent events,
//! health and metrics.
//!
//! | file | what it does |
//! |---|---|
//! | `server` | the HTTP listener: routes, limits, the end |
//! | `connection` | how many connections there may be, and how slow |
//! | `origin` | keeps web pages of others out |
//! | `auth` | the cookie file and HTTP Basic |
//! | `envelope` | requests and replies as bytes, both dialects |
//! | `dispatch` | one request or a batch, in order |
//! | `params` | arguments by position or by name |
//! | `table` | every method with its documentation |
//! | `methods` | what the methods do |
//! | `view` | the shapes of the answers |
//! | `reads` | the database, off the async threads |
//! | `events`, `health` | `/events`, `/livez` and `/readyz` |
//!
//! Invariants: no request reaches the engine other than as a bounded message; a read of the database
//! never runs on an async thread; every queue, body, batch and answer has a limit; an amount is never
//! a float.
mod auth;
mod connection;
mod context;
mod dispatch;
mod envelope;
mod error;
mod events;
mod health;
mod methods;
mod origin;
mod params;
mod reads;
mod server;
mod table;
mod view;

pub use auth::{Auth, AuthError};
pub use server::{RpcOptions, RpcServerError, serve};

#[cfg(test)]
pub(crate) use health::tests;
