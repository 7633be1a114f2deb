//! What people and programs talk to: JSON-RPC with Bitcoin Core's envelopes, server-sent events,
//! health and metrics.
//!
//! | file | what it does |
//! |---|---|
//! | `server` | the HTTP listener: routes, limits, shutdown |
//! | `connection` | limits the number of connections and their idle time |
//! | `origin` | refuses requests of foreign web pages |
//! | `auth` | the cookie file and HTTP Basic |
//! | `envelope` | requests and replies as bytes, both dialects |
//! | `dispatch` | one request or a batch, in order |
//! | `params` | arguments by position or by name |
//! | `catalog` | every method with its documentation |
//! | `calls` | which request a method reads, and what it runs |
//! | `methods` | what the methods do |
//! | `view` | the ledger's types as the types of `crate::api` |
//! | `reads` | the database, off the async threads |
//! | `events`, `health` | `/events`, `/livez` and `/readyz` |
//!
//! Invariants: requests reach the engine only as bounded messages; a read of the database never
//! runs on an async thread; every queue, body, batch and answer has a limit; an amount is never a
//! float.
mod auth;
mod calls;
mod catalog;
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
mod view;

pub use auth::{Auth, AuthError};
pub use server::{RpcOptions, RpcServerError, serve};

#[cfg(test)]
pub(crate) use health::tests;
