//! The secrets that Baton makes for itself when nobody gives it one: the master key and the API token.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use secrecy::SecretString;

/// What is shorter is guessed.
pub(super) const SHORTEST: usize = 16;

/// A secret that Baton makes for itself if nobody gives it one.
#[derive(Clone, Debug)]
pub enum OwnSecret {
    /// An operator gave it.
    Given(SecretString),
    /// It is in this file, or will be.
    Kept(PathBuf),
}

impl OwnSecret {
    /// The secret, if it is there by now. A file that holds next to nothing is an error: an empty token would open the door.
    pub fn read(&self) -> io::Result<SecretString> {
        let path = match self {
            OwnSecret::Given(secret) => return Ok(secret.clone()),
            OwnSecret::Kept(path) => path,
        };
        match std::fs::read_to_string(path) {
            Ok(text) if text.trim_end().len() < SHORTEST => {
                let problem = format!("{} holds no secret", path.display());
                Err(io::Error::new(io::ErrorKind::InvalidData, problem))
            }
            Ok(text) => Ok(text.trim_end().into()),
            Err(error) => Err(naming(path, error)),
        }
    }

    /// The secret; 32 random bytes in base64 if there is none yet. It is on disk before this returns, readable only to
    /// us, and never in part: of two processes that make it at once, both get the same one.
    ///
    /// A database that is older than its master key is a database whose key was lost: ask for [`OwnSecret::read`] there.
    pub fn read_or_make(&self) -> io::Result<SecretString> {
        if let OwnSecret::Kept(path) = self
            && !path.exists()
        {
            make(path).map_err(|error| naming(path, error))?;
        }
        self.read()
    }
}

/// The system's errors do not say which file.
fn naming(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn make(path: &Path) -> io::Result<()> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| io::Error::other("the system gives no random bytes"))?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // A temporary file is readable only to its owner from the first moment.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{}", BASE64_STANDARD.encode(bytes))?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => std::fs::File::open(folder)?.sync_all(),
        Err(lost) if lost.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(failed) => Err(failed.error),
    }
}
