//! Processes of our own: started, signalled and reaped by id.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait::Patience;

/// How many lines of its log a process shows when its test fails.
const LOG_TAIL: usize = 40;

/// A child process whose output goes to a file. It is killed when dropped.
#[derive(Debug)]
pub struct Child {
    process: Process,
    name: String,
    log: PathBuf,
    /// Whether it leads a group of its own, which then is signalled as a whole.
    leads: bool,
}

impl Child {
    /// Starts `command` with a group of its own: what it starts is paused and killed along with it.
    pub fn spawn_leader(name: &str, command: &mut Command, log: &Path) -> Self {
        let mut child = Self::spawn(name, command.process_group(0), log);
        child.leads = true;
        child
    }

    /// Starts `command` and appends what it prints to `log`.
    pub fn spawn(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("the log opens");
        let process = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the log's handle is cloned"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {command:?}: {error}"));
        Self { process, name: name.to_owned(), log: log.to_owned(), leads: false }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Stops it where it stands (SIGSTOP), until [`Child::resume`].
    pub fn pause(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal_all(Signal::CONT);
    }

    fn signal_all(&self, signal: Signal) {
        if self.leads {
            send_group(self.pid(), signal);
        } else {
            self.signal(signal);
        }
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill9(&mut self) {
        if self.leads {
            self.signal_all(Signal::KILL);
        }
        // Both fail only when it was reaped before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Its exit status, if it has exited.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().expect("a child of ours can be waited for")
    }

    /// Waits for its exit; panics when it takes longer than `bound`.
    pub async fn exited(&mut self, bound: Duration) -> ExitStatus {
        let deadline = Instant::now() + bound;
        let mut patience = Patience::new(format!("{} exits", self.name));
        loop {
            if let Some(status) = self.status() {
                return status;
            }
            assert!(Instant::now() < deadline, "{} did not exit within {bound:?}", self.name);
            patience.pause().await;
        }
    }

    /// What it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n");
            eprintln!("--- {}, last lines of its log ---\n{tail}", self.name);
        }
    }
}

/// Stops a process where it stands (SIGSTOP); it may be gone already.
pub fn freeze(pid: u32) {
    send(pid, Signal::STOP);
}

/// Lets it go on (SIGCONT).
pub fn thaw(pid: u32) {
    send(pid, Signal::CONT);
}

/// Kills a process (SIGKILL); it may be gone already.
pub fn kill(pid: u32) {
    send(pid, Signal::KILL);
}

/// Sends a signal to a process, which may be gone already.
pub(crate) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Sends a signal to every process of a group, by the id of its leader.
pub(crate) fn send_group(leader: u32, signal: Signal) {
    if let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(leader, signal);
    }
}

/// The path of a binary that cargo built beside this test, as `baton`.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    built(&profile_dir().join(name))
}

/// The path of an example that cargo built beside this test.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    built(&profile_dir().join("examples").join(name))
}

fn built(path: &Path) -> PathBuf {
    assert!(
        path.is_file(),
        "{} is not there: run `make test`, or `cargo build --workspace --bins --examples`",
        path.display()
    );
    path.to_owned()
}

/// `target/<profile>`: a test runs in `deps` below it, a binary in it.
fn profile_dir() -> PathBuf {
    let exe = std::env::current_exe().expect("this program has a path");
    let dir = exe.parent().expect("a program is in a directory");
    if dir.ends_with("deps") { dir.parent().expect("deps is in a directory") } else { dir }
        .to_owned()
}
