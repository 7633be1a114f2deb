//! The file that carries a safety record to another host.
//!
//! A digest protects it against damage. It never holds a stopped record: a record from this file may sign.
use serde::{Deserialize, Serialize};
use timecoin_chain::{
    codec,
    crypto::{PublicKey, hash_of},
    engine::{Recovered, SafetyRecord},
    genesis::GenesisHash,
    types::Block,
};

/// The form of the file.
const FORMAT: &str = "timecoin-safety-record/1";
/// Bytes of the file: a record and two blocks as hexadecimal digits.
pub(super) const EXPORT_BYTES_MAX: u64 = 24 * 1024 * 1024;

/// The digest covers `record` and `blocks`; the other fields are for people.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    format: String,
    genesis: String,
    key: String,
    height: u64,
    round: u32,
    record: String,
    blocks: Vec<String>,
    digest: String,
}

/// The text of the file, for a record that is not stopped.
pub(super) fn encode(genesis: &GenesisHash, found: &Recovered) -> serde_json::Result<Vec<u8>> {
    let Recovered { record, blocks } = found;
    let export = Export {
        format: FORMAT.into(),
        genesis: genesis.to_string(),
        key: record.key.to_string(),
        height: record.height.0,
        round: record.round.0,
        record: hex::encode(codec::encode(record)),
        blocks: blocks.iter().map(|block| hex::encode(codec::encode(block))).collect(),
        digest: digest(genesis, found),
    };
    serde_json::to_vec_pretty(&export)
}

/// Decodes the text, or says why it is not a record of this chain and key that may sign.
pub(super) fn decode(
    text: &str,
    genesis: &GenesisHash,
    key: &PublicKey,
) -> Result<Recovered, String> {
    let export: Export = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if export.format != FORMAT {
        return Err(format!("its format is {}, not {FORMAT}", export.format));
    }
    if export.genesis != genesis.to_string() {
        return Err(format!("it is of chain {}, and this node's is {genesis}", export.genesis));
    }
    let record: SafetyRecord = value(&export.record)?;
    if record.key != *key || export.key != key.to_string() {
        return Err(format!("it is of key {}, and this node's is {key}", record.key));
    }
    let blocks = export.blocks.iter().map(|text| value::<Block>(text)).collect::<Result<_, _>>()?;
    let found = Recovered { record, blocks };
    if export.digest != digest(genesis, &found) {
        return Err("its digest is not that of its record and blocks: it was damaged".into());
    }
    let record = &found.record;
    if (export.height, export.round) != (record.height.0, record.round.0) {
        return Err("its height and round are not those of its record: it was edited".into());
    }
    if record.stopped.is_some() {
        return Err("its record is stopped: the key signed with another one since".into());
    }
    Ok(found)
}

fn value<T: codec::Canonical>(text: &str) -> Result<T, String> {
    let bytes = hex::decode(text).map_err(|error| error.to_string())?;
    codec::decode(&bytes).map_err(|error| error.to_string())
}

fn digest(genesis: &GenesisHash, Recovered { record, blocks }: &Recovered) -> String {
    hex::encode(hash_of("tc/safety-export", &(genesis, record, blocks)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use timecoin_chain::{
        crypto::{SecretKey, Signer},
        engine::Stop,
        genesis::ChainId,
        types::{BlockHash, Header, Height, Round, Timestamp},
    };

    const GENESIS: GenesisHash = GenesisHash([7; 32]);

    fn found() -> Recovered {
        let header = Header {
            version: Header::VERSION,
            chain: ChainId([1; 4]),
            height: Height(4),
            parent: BlockHash([2; 32]),
            timestamp: Timestamp(3),
            proposer: 0,
            state_root: [3; 32],
            masternodes: [4; 32],
            transactions_root: [5; 32],
            witnesses_root: [6; 32],
            last_commit: [7; 32],
            evidence: [8; 32],
        };
        let block = Block { header, transactions: vec![], last_commit: None, evidence: vec![] };
        let key = SecretKey::from_bytes(&[3; 32]).public_key();
        let record = SafetyRecord {
            locked: Some((Round(1), block.hash())),
            ..SafetyRecord::blank(key, Height(5), Round(2))
        };
        Recovered { record, blocks: vec![block] }
    }

    fn text_of(found: &Recovered) -> String {
        String::from_utf8(encode(&GENESIS, found).unwrap()).unwrap()
    }

    #[test]
    fn what_is_written_reads_back_and_no_flipped_digit_passes() {
        let (found, text) = (found(), text_of(&found()));
        let key = found.record.key;
        assert_eq!(decode(&text, &GENESIS, &key), Ok(found));
        let mut damaged = 0;
        for (index, digit) in text.char_indices().filter(|(_, c)| c.is_ascii_hexdigit()) {
            let other = if digit == '0' { "1" } else { "0" };
            let mut flipped = text.clone();
            flipped.replace_range(index..=index, other);
            let why = decode(&flipped, &GENESIS, &key).expect_err(&flipped);
            damaged += u32::from(why.contains("it was damaged"));
        }
        // Most digits of a record and a block still decode when changed.
        assert!(damaged > 500, "{damaged}");
    }

    #[test]
    fn a_stopped_record_does_not_come_back() {
        for stop in [Stop::Exported, Stop::Foreign(Height(6), Round(0))] {
            let mut found = found();
            found.record.stopped = Some(stop);
            let why = decode(&text_of(&found), &GENESIS, &found.record.key).unwrap_err();
            assert!(why.contains("its record is stopped"), "{why}");
        }
    }
}
