//! Reads the events of one node. A transaction costs a comparison of a few bytes and one search:
//! there may be tens of thousands a second.
use super::{BenchError, payments::Payments, track::Track};
use crate::rpc_client::Events;
use serde::Deserialize;

/// How the data of an event about a transaction begins; the id in hex follows.
const TRANSACTION: &[u8] = b"data: {\"txid\":\"";
const BLOCK: &[u8] = b"data: {\"height\":";
const LAGGED: &[u8] = b"data: {\"missed\":";
const DATA: &[u8] = b"data: ";

/// A block that one node reported final and durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeenBlock {
    pub(super) at_us: u64,
    pub(super) height: u64,
    pub(super) round: u32,
    pub(super) transactions: usize,
}

/// What one line says.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// The first eight bytes of the id of a final transaction.
    Transaction(u64),
    Block {
        height: u64,
        round: u32,
        transactions: usize,
    },
    Lagged(u64),
}

#[derive(Deserialize)]
struct BlockData {
    height: u64,
    round: u32,
    txs: usize,
}

#[derive(Deserialize)]
struct LaggedData {
    missed: u64,
}

/// Reads until the measurement ends; returns the blocks in their order. A stream that ends earlier
/// is a failure.
pub(super) fn follow(
    name: &str,
    mut events: Events,
    payments: &Payments,
    track: &Track,
) -> Vec<SeenBlock> {
    let mut blocks = Vec::new();
    let mut line = Vec::with_capacity(512);
    loop {
        line.clear();
        let read = events.read_line(&mut line);
        if track.has_ended() {
            return blocks;
        }
        if matches!(read, Ok(0) | Err(_)) {
            let reason = read.err().map_or("end of stream".into(), |error| error.to_string());
            track.fail(BenchError::Events { node: name.into(), reason });
            return blocks;
        }
        match understand(&line) {
            Some(Told::Transaction(id)) => {
                if let Some(payment) = payments.find(id) {
                    track.reported(payment);
                }
            }
            Some(Told::Block { height, round, transactions }) => {
                blocks.push(SeenBlock { at_us: track.now_us(), height, round, transactions });
            }
            Some(Told::Lagged(blocks)) => track.missed(blocks),
            None => {}
        }
    }
}

fn understand(line: &[u8]) -> Option<Told> {
    if let Some(id) = line.strip_prefix(TRANSACTION) {
        return Some(Told::Transaction(first_bytes(id)?));
    }
    let data = line.strip_prefix(DATA)?;
    if line.starts_with(BLOCK) {
        let BlockData { height, round, txs } = serde_json::from_slice(data).ok()?;
        return Some(Told::Block { height, round, transactions: txs });
    }
    if line.starts_with(LAGGED) {
        let LaggedData { missed } = serde_json::from_slice(data).ok()?;
        return Some(Told::Lagged(missed));
    }
    None
}

/// The first sixteen hex digits as a number.
fn first_bytes(hex: &[u8]) -> Option<u64> {
    hex.get(..16)?.iter().try_fold(0, |number: u64, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some(number << 4 | u64::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_matter_are_understood() {
        let block = br#"data: {"height":5,"hash":"09","time":1,"time_ms":1,"txs":2,"round":1,"proposer":2,"weight":3,"total":4,"took_ms":87}"#;
        let told = understand(block);
        assert_eq!(told, Some(Told::Block { height: 5, round: 1, transactions: 2 }));
        let id = "0123456789abcdef".repeat(4);
        let transaction = format!("data: {{\"txid\":\"{id}\",\"height\":5,\"block\":\"09\"}}\n");
        let told = understand(transaction.as_bytes());
        assert_eq!(told, Some(Told::Transaction(0x0123_4567_89ab_cdef)));
        assert_eq!(understand(b"data: {\"missed\":3}\n"), Some(Told::Lagged(3)));
        for line in ["event: tx\n", "id: 5\n", "\n", ":\n", "data: {\"txid\":\"xy\"}\n", "data: 1"]
        {
            assert_eq!(understand(line.as_bytes()), None, "{line}");
        }
    }
}
