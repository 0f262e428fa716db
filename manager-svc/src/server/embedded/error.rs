//! What can go wrong with the embedded Redis, in words that say what to do.

use std::io;
use std::path::PathBuf;

/// Why the embedded Redis cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No program is on PATH.
    #[error(
        "there is no REDIS_URL, and neither `valkey-server` nor `redis-server` is on PATH; install one:\n  \
         Debian, Ubuntu   sudo apt-get install redis-server\n  \
         Fedora, RHEL     sudo dnf install valkey\n  \
         macOS            brew install valkey\n\
         or set REDIS_URL to a server that runs elsewhere"
    )]
    Missing,
    /// The one that is installed is too old, or no Redis at all.
    #[error(
        "`{program}` is too old (`{told}`): Redis 7.0 or Valkey 7.2 is the oldest that works; \
         install a newer one, or set REDIS_URL to one that runs elsewhere"
    )]
    TooOld {
        /// Which program.
        program: String,
        /// What it says about itself.
        told: String,
    },
    /// The program cannot be run.
    #[error("`{program}` cannot be run: {source}")]
    Program {
        /// Which program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The directory cannot be used.
    #[error("BATON_DATA_DIR {path}: {source}")]
    Directory {
        /// Which directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory's path is too long for a socket in it.
    #[error("BATON_DATA_DIR {path} is too long for a socket in it: {most} bytes at most")]
    TooLong {
        /// Which directory.
        path: PathBuf,
        /// How long it may be, in bytes.
        most: usize,
    },
    /// A file in it cannot be locked.
    #[error("{path} cannot be locked: {source}")]
    Lock {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody holds a lock for too long.
    #[error("{path} is held by another process: is a server there that hangs?")]
    Busy {
        /// Which file.
        path: PathBuf,
    },
    /// It ended before it was ready.
    #[error("the embedded Redis ended before it was ready; {log} says:\n{tail}")]
    Ended {
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// It runs and does not answer.
    #[error("the embedded Redis ({process}) does not answer; see {log}")]
    Silent {
        /// Which process.
        process: String,
        /// Its log.
        log: PathBuf,
    },
    /// It was told to stop and did not, and could not be killed.
    #[error("the embedded Redis ({process}) does not stop; see {log}")]
    Lingers {
        /// Which process.
        process: String,
        /// Its log.
        log: PathBuf,
    },
}
