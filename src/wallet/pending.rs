//! This wallet's payments that may not be final yet, in a file next to the wallet.
//!
//! Without it a second payment could spend a coin of the first and replace it with a higher fee, and one that no node
//! is known to have could not be sent again.
use crate::durable;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
};
use timecoin_chain::{codec, types::Transaction};

/// A payment that was sent and may not be final yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// Its txid.
    pub txid: String,
    /// As `txid:vout`.
    spends: BTreeSet<String>,
    /// The encoded transaction.
    #[serde(default)]
    pub hex: String,
    /// The address that it pays, and how much.
    #[serde(default)]
    pub pays: Option<(String, String)>,
    /// After this height it can be in no block.
    #[serde(default)]
    pub expires: u64,
}

/// The payments of one wallet that may not be final yet.
#[derive(Debug, Clone)]
pub struct Pending {
    path: PathBuf,
    sent: Vec<Sent>,
}

impl Pending {
    /// Reads them. A file that is missing holds none.
    pub fn load(wallet: &Path) -> io::Result<Self> {
        let path = wallet.with_extension("pending");
        let named = |error: &dyn Display, kind| {
            io::Error::new(kind, format!("{}: {error}", path.display()))
        };
        let sent = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| named(&error, io::ErrorKind::InvalidData))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(named(&error, error.kind())),
        };
        Ok(Self { path, sent })
    }

    /// Keeps those that may still become final.
    pub fn retain<E>(&mut self, mut waits: impl FnMut(&Sent) -> Result<bool, E>) -> Result<(), E> {
        let mut kept = Vec::with_capacity(self.sent.len());
        for sent in self.sent.drain(..) {
            if waits(&sent)? {
                kept.push(sent);
            }
        }
        self.sent = kept;
        Ok(())
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter()
    }

    /// The number of pending payments.
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether no payment is pending.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether a pending payment spends an output.
    pub fn spends(&self, outpoint: &timecoin_chain::types::OutPoint) -> bool {
        let outpoint = outpoint.to_string();
        self.sent.iter().any(|sent| sent.spends.contains(&outpoint))
    }

    /// Records a payment before it is sent; `pays` is the recipient and the amount.
    pub fn add(&mut self, transaction: &Transaction, pays: (String, String)) -> io::Result<()> {
        self.sent.push(Sent {
            txid: transaction.txid().to_string(),
            spends: transaction.body.inputs.iter().map(ToString::to_string).collect(),
            hex: hex::encode(codec::encode(transaction)),
            pays: Some(pays),
            expires: transaction.body.expiry_height.0,
        });
        self.write()
    }

    /// Removes a payment that is final, or that a node refused.
    pub fn remove(&mut self, txid: &str) -> io::Result<()> {
        self.sent.retain(|sent| sent.txid != txid);
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        durable::replace(&self.path, &serde_json::to_vec(&self.sent)?, 0o600)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use timecoin_chain::{
        genesis::ChainId,
        types::{Height, OutPoint, TxBody, TxId, TxKind},
    };

    #[test]
    fn what_waits_is_remembered_until_it_is_final_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let wallet = dir.path().join("alice.json");
        let outpoint = OutPoint { txid: TxId([7; 32]), vout: 3 };
        let body = TxBody {
            version: 1,
            chain: ChainId([0; 4]),
            inputs: vec![outpoint],
            outputs: vec![],
            not_before: Height(0),
            expiry_height: Height(9),
            kind: TxKind::Transfer,
        };
        let transaction = Transaction::new(body, vec![]);
        let pays = ("dtime1q".to_owned(), "12.5".to_owned());
        Pending::load(&wallet).unwrap().add(&transaction, pays.clone()).unwrap();
        let mut pending = Pending::load(&wallet).unwrap();
        let sent = pending.iter().next().unwrap();
        assert_eq!(hex::decode(&sent.hex).unwrap(), codec::encode(&transaction));
        assert_eq!((&sent.pays, sent.expires), (&Some(pays.clone()), 9));
        assert!(pending.spends(&outpoint));
        assert!(!pending.spends(&OutPoint { vout: 4, ..outpoint }));
        pending.remove(&transaction.txid().to_string()).unwrap();
        assert!(Pending::load(&wallet).unwrap().is_empty());
        pending.add(&transaction, pays).unwrap();
        pending.retain(|_| Ok::<_, ()>(false)).unwrap();
        assert!(!pending.spends(&outpoint));
        fs::write(wallet.with_extension("pending"), "[{").unwrap();
        assert!(Pending::load(&wallet).is_err(), "a damaged file is not no payment");
    }
}
