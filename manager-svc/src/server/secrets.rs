//! The local server's own secrets: made once, kept in the data directory.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use baton_wire::signature::{SecretError, Secrets, generate_secret};

/// Why a kept secret could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{path}: {source}; remove the file to have a new secret made")]
    Content {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: SecretError,
    },
}

/// Reads the secret of a file; makes it first when there is none. Two servers that start together agree:
/// the file is written aside and linked into place, and whoever comes second reads the first one's.
///
/// # Errors
/// When the file cannot be read or written, or holds something else.
pub(super) fn keep(path: &Path) -> Result<Secrets, Error> {
    let file = |source| Error::File { path: path.to_owned(), source };
    if !path.exists() {
        // A name that nobody else has: process ids repeat between containers that share the directory.
        let aside = path.with_extension(format!("{:016x}.new", rand::random::<u64>()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut new = options.open(&aside).map_err(file)?;
        writeln!(new, "{}", generate_secret()).and_then(|()| new.sync_all()).map_err(file)?;
        let linked = fs::hard_link(&aside, path);
        let _ = fs::remove_file(&aside);
        if let Err(error) = linked
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(file(error));
        }
    }
    let text = fs::read_to_string(path).map_err(file)?;
    Secrets::parse(&text).map_err(|source| Error::Content { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("baton-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_secret_is_made_once_and_then_kept() {
        let dir = directory("secrets");
        let path = dir.join("webhook.secret");
        let first = keep(&path).unwrap().sign("id", 1, b"x");
        assert_eq!(keep(&path).unwrap().sign("id", 1, b"x"), first);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "something").unwrap();
        let error = keep(&path).unwrap_err().to_string();
        assert!(error.contains("remove the file") && !error.contains("something"), "{error}");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn starters_that_race_agree_and_leave_one_file() {
        let dir = directory("secrets-race");
        let path = dir.join("webhook.secret");
        let signatures: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..16).map(|_| scope.spawn(|| keep(&path).unwrap().sign("id", 1, b"x"))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(signatures.iter().all(|signature| *signature == signatures[0]));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }
}
