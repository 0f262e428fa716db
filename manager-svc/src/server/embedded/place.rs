//! The data directory of an embedded Redis: its socket, and the locks that say who lives there.
//!
//! | file          | lock      | held by                                             |
//! | ------------- | --------- | --------------------------------------------------- |
//! | `redis.lock`  | exclusive | whoever decides to start or stop it, while it does  |
//! | `redis.users` | shared    | every server that uses it, as long as it lives      |
//! | `redis.alive` | exclusive | the Redis itself                                    |
//!
//! Redis inherits `redis.alive`, locked, as its standard input. So the kernel itself says whether one lives
//! here, from before its first instruction until the last of its processes is gone, however anybody died; a
//! process id in a file could be missing, stale, or somebody else's by now.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tokio::time::{Instant, sleep};
use url::Url;

use super::{Error, POLL};

/// The longest path that a socket's address holds everywhere: Linux has room for 107 bytes, macOS for 103.
const LONGEST_SOCKET_PATH: usize = 103;
/// The socket's name in the directory.
pub(super) const SOCKET: &str = "redis.sock";
/// The file where Redis writes its process id.
pub(super) const PID: &str = "redis.pid";
/// Its lock, which the Redis itself holds.
pub(super) const ALIVE: &str = "redis.alive";
/// What Redis says, for people.
pub(super) const LOG: &str = "redis.log";

/// A data directory.
pub(super) struct Place {
    dir: PathBuf,
    socket: PathBuf,
    url: String,
    /// Keeps the number valid that a long directory's socket path goes through.
    _handle: File,
}

/// The right to decide whether Redis starts or stops, until dropped.
pub(super) struct Gate(File);

impl Drop for Gate {
    fn drop(&mut self) {
        // Not left to closing: a process that is just being spawned has a copy until it runs its program.
        let _ = self.0.unlock();
    }
}

impl Place {
    /// The directory must be there.
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Directory { path: dir.to_owned(), source };
        let dir = dir.canonicalize().map_err(failed)?;
        let handle = File::open(&dir).map_err(failed)?;
        let socket = socket_path(&dir, &handle)?;
        // Redis URLs escape a path as file URLs do.
        let url = Url::from_file_path(&socket)
            .map_err(|()| failed(io::Error::other("it is not an absolute path")))?;
        let url = format!("redis+unix://{}", url.path());
        Ok(Self { dir, socket, url, _handle: handle })
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where Redis is reached, short enough for a socket's address.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The same as a URL.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Waits for the right to decide, until the deadline.
    pub(super) async fn gate(&self, deadline: Instant) -> Result<Gate, Error> {
        self.wait_for("redis.lock", File::try_lock, deadline).await.map(Gate)
    }

    /// Makes the caller a user of this Redis, until the file is closed, which a killed process's is too.
    pub(super) async fn enter(&self, _gate: &Gate, deadline: Instant) -> Result<File, Error> {
        self.wait_for("redis.users", File::try_lock_shared, deadline).await
    }

    /// Ends a use; answers whether it was the last one.
    pub(super) fn leave(&self, _gate: &Gate, user: &File) -> Result<bool, Error> {
        let failed = |source| Error::Lock { path: self.file("redis.users"), source };
        user.unlock().map_err(failed)?;
        match user.try_lock() {
            // Who enters next needs the gate first.
            Ok(()) => user.unlock().map(|()| true).map_err(failed),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// When no Redis lives here, the lock that the next one must inherit. Only who holds the gate may look:
    /// the look itself takes the lock.
    pub(super) fn vacant(&self, _gate: &Gate) -> Result<Option<File>, Error> {
        let path = self.file(ALIVE);
        let file = self.lock_file(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::Lock { path, source }),
        }
    }

    async fn wait_for(
        &self,
        name: &str,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
        deadline: Instant,
    ) -> Result<File, Error> {
        let path = self.file(name);
        let file = self.lock_file(&path)?;
        loop {
            match lock(&file) {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(POLL).await,
                Err(TryLockError::WouldBlock) => return Err(Error::Busy { path }),
                Err(TryLockError::Error(source)) => return Err(Error::Lock { path, source }),
            }
        }
    }

    fn lock_file(&self, path: &Path) -> Result<File, Error> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.open(path).map_err(|source| Error::Lock { path: path.to_owned(), source })
    }
}

/// Redis binds its socket by a relative path, which has no length to speak of. A path too long for the
/// connecting side goes through the open directory instead, where the system offers that.
fn socket_path(dir: &Path, handle: &File) -> Result<PathBuf, Error> {
    let plain = dir.join(SOCKET);
    let length = plain.as_os_str().as_bytes().len();
    if length <= LONGEST_SOCKET_PATH {
        return Ok(plain);
    }
    let through = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
    if through.is_dir() {
        return Ok(through.join(SOCKET));
    }
    let most = LONGEST_SOCKET_PATH - SOCKET.len() - 1;
    Err(Error::TooLong { path: dir.to_owned(), most })
}
