//! A data directory, and whatever process still lives in it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::process::Signal;

use crate::child::send;

/// A temporary directory. When it is dropped, processes that still live in it (an embedded Redis
/// whose manager was killed) are killed, and it is removed.
#[derive(Debug)]
pub struct DataDir(tempfile::TempDir);

impl DataDir {
    /// A new, empty directory.
    #[must_use]
    pub fn new() -> Self {
        let mode = fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().prefix("baton-").permissions(mode).tempdir();
        Self(dir.expect("a temporary directory can be made"))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The text of a file in it, without white space at the ends; `None` while there is none.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.file(name)).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The processes that work in this directory or were started with a path in it.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let own = std::process::id();
        let entries = fs::read_dir("/proc").expect("/proc can be read").flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|&pid| pid != own && is_alive(pid) && self.houses(pid))
            .collect()
    }

    fn houses(&self, pid: u32) -> bool {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let works_here =
            fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.path()));
        let names_it = || -> io::Result<bool> {
            let line = String::from_utf8_lossy(&fs::read(proc.join("cmdline"))?).into_owned();
            Ok(line.contains(&*self.path().to_string_lossy()))
        };
        works_here || names_it().unwrap_or(false)
    }
}

impl Default for DataDir {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        for pid in self.processes() {
            send(pid, Signal::KILL);
        }
    }
}

/// Whether a process runs: it exists and is not a zombie that nobody has reaped yet.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The state follows the name, which is in parentheses and may contain any character.
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}
