//! The wallet file, version 1: JSON with one plain secret. For test networks only.
//!
//! Never written for a main network, never overwritten, never read if other users may read it.
use crate::{
    durable,
    genesis_file::{network_by_name, network_name},
    keys::{self, KeyError},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use timecoin_chain::{
    address::address_of,
    crypto::{PublicKey, SecretKey, Signer},
    genesis::Network,
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const VERSION: u32 = 1;
/// Bytes of the longest file that is read.
const FILE_BYTES_MAX: u64 = 4_096;

/// Why a wallet was not read or made.
#[derive(Debug, thiserror::Error)]
pub enum WalletFileError {
    /// The file, as a file with a secret.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file holds its secret in plain text, which is not safe for real money.
    #[error(
        "wallet files of version 1 hold a plain secret and are for test networks only, not for `main`"
    )]
    MainNetwork,
    /// The file already exists.
    #[error("wallet {} exists already and wallets are never overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file does not exist.
    #[error("there is no wallet {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Not letters, digits, `-` and `_`.
    #[error("`{name}` is not the name of a wallet: use 1 to 64 letters, digits, `-` and `_`")]
    Name {
        /// The name.
        name: String,
    },
    /// The content is not a wallet of this version.
    #[error("wallet {}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system refused.
    #[error("wallet {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// A wallet in memory.
#[derive(Debug, Clone)]
pub struct WalletFile {
    /// The kind of network its address belongs to.
    pub network: Network,
    /// Its address.
    pub address: String,
    /// Its secret.
    pub secret: SecretKey,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    network: String,
    address: String,
    public_key: String,
    secret: String,
}

impl WalletFile {
    /// A new wallet with a fresh secret in a new file.
    pub fn create(path: &Path, network: Network) -> Result<Self, WalletFileError> {
        if network == Network::Main {
            return Err(WalletFileError::MainNetwork);
        }
        let secret = keys::random()?;
        let wallet = Self::of(network, secret);
        durable::create(path, &wallet.encode(path)?, 0o600).map_err(|error| {
            match error.kind() {
                io::ErrorKind::AlreadyExists => WalletFileError::Exists { path: path.into() },
                _ => WalletFileError::Io { path: path.into(), error },
            }
        })?;
        Ok(wallet)
    }

    /// Reads a wallet.
    pub fn load(path: &Path) -> Result<Self, WalletFileError> {
        let bytes = keys::read_private(path, FILE_BYTES_MAX).map_err(|error| match error {
            KeyError::Missing { path } => WalletFileError::Missing { path },
            other => other.into(),
        })?;
        let malformed = |reason: String| WalletFileError::Malformed { path: path.into(), reason };
        let content: Content =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if content.version != VERSION {
            return Err(malformed(format!("version {} is not known here", content.version)));
        }
        let network = network_by_name(&content.network)
            .ok_or_else(|| malformed(format!("network {} is not known here", content.network)))?;
        if network == Network::Main {
            return Err(WalletFileError::MainNetwork);
        }
        let mut secret = Zeroizing::new([0; 32]);
        hex::decode_to_slice(content.secret.as_bytes(), secret.as_mut_slice())
            .map_err(|_| malformed("the secret is not 64 hexadecimal digits".into()))?;
        let wallet = Self::of(network, SecretKey::from_bytes(&secret));
        if wallet.address != content.address || wallet.key().to_string() != content.public_key {
            return Err(malformed("the secret belongs to another address".into()));
        }
        Ok(wallet)
    }

    /// The key that its coins pay to.
    pub fn key(&self) -> PublicKey {
        self.secret.public_key()
    }

    fn of(network: Network, secret: SecretKey) -> Self {
        let address = address_of(network, &secret.public_key());
        Self { network, address, secret }
    }

    fn encode(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, WalletFileError> {
        let content = Content {
            version: VERSION,
            network: network_name(self.network).into(),
            address: self.address.clone(),
            public_key: self.key().to_string(),
            secret: hex::encode(*self.secret.to_bytes()),
        };
        let mut text = serde_json::to_vec_pretty(&content).map_err(|error| {
            WalletFileError::Malformed { path: path.into(), reason: error.to_string() }
        })?;
        text.push(b'\n');
        Ok(Zeroizing::new(text))
    }
}

/// The file of a wallet: `NAME.json` in the directory, or the path itself if the name is a path.
pub fn path_of(directory: &Path, name: &str) -> Result<PathBuf, WalletFileError> {
    if name.ends_with(".json") {
        return Ok(name.into());
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !(1..=64).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(WalletFileError::Name { name: name.into() });
    }
    Ok(directory.join(format!("{name}.json")))
}

/// The names of the wallets in a directory, in order. Empty if there is no directory.
pub fn list(directory: &Path) -> Result<Vec<String>, WalletFileError> {
    let failed = |error| WalletFileError::Io { path: directory.into(), error };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        let stem = name.strip_suffix(".json").filter(|stem| !stem.starts_with('.'));
        names.extend(stem.map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_wallet_is_read_as_it_was_made_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = path_of(dir.path(), "alice").unwrap();
        let made = WalletFile::create(&path, Network::Dev).unwrap();
        let read = WalletFile::load(&path).unwrap();
        assert_eq!((read.address, read.network), (made.address, Network::Dev));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = WalletFile::create(&path, Network::Dev);
        assert!(matches!(again, Err(WalletFileError::Exists { .. })));
        assert_eq!(list(dir.path()).unwrap(), ["alice"]);
    }

    #[test]
    fn a_main_network_has_no_plain_wallet() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alice.json");
        let made = WalletFile::create(&path, Network::Main);
        assert!(matches!(made, Err(WalletFileError::MainNetwork)));
        assert!(!path.exists());
    }

    #[test]
    fn a_changed_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = path_of(dir.path(), "alice").unwrap();
        WalletFile::create(&path, Network::Dev).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("\"version\": 1", "\"version\": 2"),
            ("\"network\": \"dev\"", "\"network\": \"test\""),
            ("\"network\": \"dev\"", "\"network\": \"main\""),
            ("\"secret\": \"", "\"secret\": \"0"),
            ("\"version\"", "\"extra\": 1, \"version\""),
        ] {
            let changed = dir.path().join("changed.json");
            durable::replace(&changed, text.replace(from, to).as_bytes(), 0o600).unwrap();
            assert!(WalletFile::load(&changed).is_err(), "{to}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let read = WalletFile::load(&path);
        assert!(matches!(read, Err(WalletFileError::Key(KeyError::Permissions { .. }))));
    }

    #[test]
    fn a_name_cannot_leave_the_directory() {
        for name in ["", "../alice", "a/b", "a b", ".alice"] {
            assert!(path_of(Path::new("wallets"), name).is_err(), "{name}");
        }
        assert_eq!(path_of(Path::new("w"), "bob").unwrap(), Path::new("w/bob.json"));
        assert_eq!(path_of(Path::new("w"), "/tmp/bob.json").unwrap(), Path::new("/tmp/bob.json"));
    }
}
