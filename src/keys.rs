//! Key files: 32 secret bytes as hexadecimal and a newline, readable by their owner only.
//!
//! A node has a node key (its identity in the network) and, if it is a masternode, a consensus key
//! (it signs votes). Both have the same form. Two running nodes must never share a consensus key.
//!
//! Never overwrites a key, and never reads one that others on the machine may read.
mod record;

pub use record::begin_record;

use crate::durable;
use std::{
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use timecoin_chain::crypto::SecretKey;
use timecoin_network::Keypair;
use zeroize::Zeroizing;

/// Longest key file: 64 digits, a line end of one or two bytes, and one byte to notice more.
const FILE_BYTES_MAX: u64 = 67;

/// Why a key was not read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is already a key, and overwriting it may lose money or a vote.
    #[error("{} exists already and keys are never overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("key file {} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the file.
    #[error("key file {} has mode {mode:04o}: others on this machine can read the secret", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not a key.
    #[error("key file {} does not hold 64 hexadecimal digits", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("key file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {reason}")]
    Randomness {
        /// What it says.
        reason: String,
    },
}

impl KeyError {
    /// The next command to type.
    pub fn next(&self) -> String {
        match self {
            Self::Exists { path } => format!("timecoin keys show {}", path.display()),
            Self::Missing { path } => format!("timecoin keys new {}", path.display()),
            Self::Permissions { path, .. } => format!("chmod 600 {}", path.display()),
            Self::Malformed { path } => {
                format!("restore {} from a backup, or make another with `keys new`", path.display())
            }
            Self::Io { path, .. } => format!("ls -l {}", path.display()),
            Self::Randomness { .. } => "try again; a container needs /dev/urandom".into(),
        }
    }
}

/// Draws a fresh secret from the operating system.
pub fn random() -> Result<SecretKey, KeyError> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut_slice())
        .map_err(|error| KeyError::Randomness { reason: error.to_string() })?;
    Ok(SecretKey::from_bytes(&secret))
}

/// Makes a new key file with a fresh secret. Never overwrites.
pub fn create(path: &Path) -> Result<SecretKey, KeyError> {
    let secret = random()?;
    let mut text = Zeroizing::new(vec![0; 65]);
    hex::encode_to_slice(*secret.to_bytes(), &mut text[..64]).expect("64 digits hold 32 bytes");
    text[64] = b'\n';
    durable::create(path, &text, 0o600).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.into() },
        _ => KeyError::Io { path: path.into(), source: error },
    })?;
    Ok(secret)
}

/// Reads a key file.
pub fn load(path: &Path) -> Result<SecretKey, KeyError> {
    let text = read_private(path, FILE_BYTES_MAX)?;
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_ascii_end(), secret.as_mut_slice())
        .map_err(|_| KeyError::Malformed { path: path.into() })?;
    Ok(SecretKey::from_bytes(&secret))
}

/// Reads a node key as the network's identity.
pub fn load_node_key(path: &Path) -> Result<Keypair, KeyError> {
    Ok(node_identity(&load(path)?))
}

/// The network's identity of a node key.
pub fn node_identity(secret: &SecretKey) -> Keypair {
    timecoin_network::keypair_from_secret(*secret.to_bytes())
}

/// At most `bytes_max` bytes of a file that only its owner may read.
pub(crate) fn read_private(path: &Path, bytes_max: u64) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => KeyError::Missing { path: path.into() },
        _ => KeyError::Io { path: path.into(), source: error },
    };
    let file = fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Permissions { path: path.into(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    file.take(bytes_max).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use timecoin_chain::crypto::Signer;

    #[test]
    fn a_key_is_read_as_it_was_made_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        let made = create(&path).unwrap();
        assert_eq!(load(&path).unwrap().public_key(), made.public_key());
        assert_eq!(fs::read(&path).unwrap().len(), 65);
        assert!(matches!(create(&path), Err(KeyError::Exists { .. })));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_command_that_helps() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        create(&path).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = load(&path).unwrap_err();
            assert!(matches!(error, KeyError::Permissions { mode: found, .. } if found == mode));
            assert_eq!(error.next(), format!("chmod 600 {}", path.display()));
        }
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for (index, text) in
            ["", "00", &"0".repeat(65), &"g".repeat(64), &"0".repeat(200)].into_iter().enumerate()
        {
            let path = dir.path().join(index.to_string());
            durable::create(&path, text.as_bytes(), 0o600).unwrap();
            assert!(matches!(load(&path), Err(KeyError::Malformed { .. })), "{text}");
        }
        assert!(matches!(load(&dir.path().join("none")), Err(KeyError::Missing { .. })));
    }

    #[test]
    fn the_network_identity_is_the_same_key() {
        let secret = SecretKey::from_bytes(&[7; 32]);
        let peer = timecoin_network::peer_id_of(&node_identity(&secret));
        assert_eq!(timecoin_network::peer_id_of_public_key(&secret.public_key().0), Some(peer));
    }
}
