//! The last resort: killing an embedded Redis that does not stop.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// Kills every process whose standard input is this lock file, and answers which: the Redis of the directory
/// and what it has forked. Nobody else has it there, so a process id that was given again is left alone.
/// Where the system does not show processes as files there is nobody to be found.
pub(super) fn kill(alive: &Path) -> Vec<i32> {
    let mut killed = Vec::new();
    let Ok(lock) = fs::metadata(alive) else { return killed };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let name = process.file_name();
        let id = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let input = fs::metadata(process.path().join("fd/0"));
        if let (Some(id), Ok(input)) = (id, input)
            && (input.dev(), input.ino()) == (lock.dev(), lock.ino())
            && kill_process(id, Signal::KILL).is_ok()
        {
            killed.push(id.as_raw_nonzero().get());
        }
    }
    killed
}
