//! Authentication: a caller must be able to read the cookie file in the data directory.
//!
//! The file holds `__cookie__:<64 hexadecimal characters>`, is new at every start, readable only by
//! its owner, and removed by a graceful stop. Clients send it by HTTP Basic, as for Bitcoin Core.
//! It is created only under the lock of the data directory, so that two nodes do not overwrite each
//! other's.
use crate::durable;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

const FILE: &str = ".cookie";
const USER: &str = "__cookie__";
/// Longer headers hold no credentials of this server.
const HEADER_MAX: usize = 512;

/// The credentials that a caller must send.
#[derive(Debug)]
pub struct Auth {
    path: PathBuf,
    /// Only the hash stays in memory.
    credentials: [u8; 32],
}

/// Why there is no cookie.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The file could not be written.
    #[error("writing the RPC cookie {path} failed: {source}")]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system returned no random bytes.
    #[error("the system gave no random bytes for the RPC cookie: {0}")]
    Random(getrandom::Error),
}

impl Auth {
    /// Makes new credentials and writes them to the cookie file of a data directory.
    ///
    /// # Errors
    /// When the system gives no random bytes or the file cannot be written.
    pub fn create(dir: &Path) -> Result<Self, AuthError> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice()).map_err(AuthError::Random)?;
        let cookie = Zeroizing::new(format!("{USER}:{}", hex::encode(*secret)));
        let path = Self::path_in(dir);
        let write = |source| AuthError::Write { path: path.clone(), source };
        durable::replace(&path, cookie.as_bytes(), 0o600).map_err(write)?;
        Ok(Self { credentials: Sha256::digest(cookie.as_bytes()).into(), path })
    }

    /// Where the cookie file of a data directory is.
    pub fn path_in(dir: &Path) -> PathBuf {
        dir.join(FILE)
    }

    /// Removes the cookie file.
    pub fn remove(&self) {
        // The file may already be gone.
        let _ = fs::remove_file(&self.path);
    }

    /// Whether the value of an `Authorization` header is right.
    pub(super) fn accepts(&self, header: Option<&[u8]>) -> bool {
        let Some(given) = header.filter(|header| header.len() <= HEADER_MAX).and_then(basic) else {
            return false;
        };
        // Hashes have one length, and comparing them in constant time reveals nothing about the
        // secret.
        let given: [u8; 32] = Sha256::digest(given.as_slice()).into();
        given.ct_eq(&self.credentials).into()
    }
}

fn basic(header: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    scheme.eq_ignore_ascii_case("basic").then(|| Zeroizing::new(decoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(credentials: &str) -> String {
        format!("Basic {}", STANDARD.encode(credentials))
    }

    #[test]
    fn the_cookie_opens_and_nothing_else_does() {
        let dir = tempfile::tempdir().expect("a directory");
        let auth = Auth::create(dir.path()).expect("a cookie");
        let cookie = fs::read_to_string(dir.path().join(FILE)).expect("the file");
        let secret = cookie.strip_prefix("__cookie__:").expect("the user name");
        assert_eq!(secret.len(), 64);
        assert!(secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(auth.accepts(Some(header(&cookie).as_bytes())));
        assert!(auth.accepts(Some(header(&cookie).replace("Basic", "basic").as_bytes())));

        assert!(!auth.accepts(None));
        for wrong in [
            header(""),
            header("__cookie__:"),
            header(secret),
            header(&format!("{cookie}0")),
            header(&cookie[..cookie.len() - 1]),
            header(&cookie.to_uppercase()),
            header(&cookie).replace("Basic", "Bearer"),
            cookie.clone(),
            "Basic".into(),
            "Basic !".into(),
            format!("{}{}", header(&cookie), "A".repeat(1_000)),
        ] {
            assert!(!auth.accepts(Some(wrong.as_bytes())), "{wrong}");
        }
        assert!(!auth.accepts(Some(b"Basic \xff")));
    }

    #[test]
    fn only_its_owner_reads_the_cookie_and_a_stop_removes_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = Auth::path_in(dir.path());
        fs::write(&path, "left by a crash").expect("written");
        let auth = Auth::create(dir.path()).expect("a cookie");
        let mode = fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        auth.remove();
        assert!(!path.exists());
        auth.remove();
    }

    #[test]
    fn every_start_has_its_own_cookie() {
        let dir = tempfile::tempdir().expect("a directory");
        let read = || fs::read_to_string(Auth::path_in(dir.path())).expect("the file");
        let first = Auth::create(dir.path()).expect("a cookie");
        let old = read();
        Auth::create(dir.path()).expect("a cookie");
        assert_ne!(old, read());
        assert!(!first.accepts(Some(header(&read()).as_bytes())));
    }
}
