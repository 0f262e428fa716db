mod stops;

use std::fs::TryLockError;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A directory of a test's own.
struct Dir(PathBuf, PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let unique = format!("baton-embedded-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(unique);
        fs::create_dir_all(root.join(name)).unwrap();
        Self(root.join(name), root)
    }

    async fn start(&self) -> Embedded {
        Embedded::start(&self.0, &Stop::new()).await.unwrap().unwrap()
    }

    fn place(&self) -> Place {
        Place::open(&self.0).unwrap()
    }

    async fn ask(&self, command: &str) -> String {
        Line::connect(self.place().socket()).await.unwrap().ask(command).await.unwrap()
    }

    fn pid(&self) -> String {
        fs::read_to_string(self.0.join(PID)).unwrap().trim().to_owned()
    }

    fn kill9(&self) {
        assert!(Command::new("kill").args(["-9", &self.pid()]).status().unwrap().success());
    }

    /// Whether no process of a Redis is left, by what the kernel knows.
    async fn is_vacant(&self) -> bool {
        let place = self.place();
        let gate = place.gate(later()).await.unwrap();
        place.vacant(&gate).unwrap().is_some()
    }

    /// How often a Redis was started here.
    fn starts(&self) -> usize {
        fs::read_to_string(self.0.join(LOG)).unwrap().matches("ready to accept connections").count()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // What a failed test leaves behind. Without its lock the process id may be somebody else's by now.
        let lives = File::open(self.0.join("redis.alive"))
            .is_ok_and(|alive| matches!(alive.try_lock(), Err(TryLockError::WouldBlock)));
        if lives && let Ok(pid) = fs::read_to_string(self.0.join(PID)) {
            let _ = Command::new("kill").args(["-9", pid.trim()]).status();
        }
        let _ = fs::remove_dir_all(&self.1);
    }
}

/// A deadline that is never met: a stop that needs it fails its test.
fn later() -> Instant {
    Instant::now() + GATE_WITHIN
}

/// What `kill -9` of a server leaves: its locks are gone, its Redis is not.
async fn crash(server: Embedded) {
    server.keeper.abort();
    let _ = server.keeper.await;
    // Unlocked and not just closed: a test beside this one may be spawning, with a copy of the file.
    server.user.unlock().unwrap();
}

#[tokio::test]
async fn a_second_server_joins_and_the_last_to_leave_stops_it() {
    let dir = Dir::new("data");
    let first = dir.start().await;
    let pid = dir.pid();
    let second = dir.start().await;
    assert_eq!(dir.pid(), pid);
    assert_eq!(first.url(), second.url());
    first.stop(later()).await.unwrap();
    assert_eq!(dir.ask("SET kept 1").await, "+OK");
    second.stop(later()).await.unwrap();
    assert!(dir.is_vacant().await);
    assert_eq!(dir.starts(), 1);

    let third = dir.start().await;
    assert_eq!(dir.ask("EXISTS kept").await, ":1");
    third.stop(later()).await.unwrap();
    assert!(dir.is_vacant().await);
}

#[tokio::test]
async fn it_is_private_durable_and_never_evicts() {
    let dir = Dir::new("data");
    let server = dir.start().await;
    let mode = fs::metadata(dir.0.join(place::SOCKET)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let client = deadpool_redis::redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for (name, expected) in [
        ("port", "0"),
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("save", ""),
        ("maxmemory-policy", "noeviction"),
    ] {
        let mut ask = deadpool_redis::redis::Cmd::new();
        ask.arg("CONFIG").arg("GET").arg(name);
        let answer: (String, String) = ask.query_async(&mut connection).await.unwrap();
        assert_eq!(answer, (name.to_owned(), expected.to_owned()));
    }
    assert_eq!(dir.place().dir(), dir.0.canonicalize().unwrap());
    server.stop(later()).await.unwrap();
}

#[tokio::test]
async fn a_signal_for_the_servers_process_group_does_not_reach_it() {
    let dir = Dir::new("data");
    let server = dir.start().await;
    let pid = rustix::process::Pid::from_raw(dir.pid().parse().unwrap()).unwrap();
    assert_eq!(rustix::process::getpgid(Some(pid)).unwrap(), pid);
    server.stop(later()).await.unwrap();
}

#[tokio::test]
async fn only_one_decides_at_a_time() {
    let dir = Dir::new("data");
    let (one, other) = (dir.place(), dir.place());
    let gate = one.gate(later()).await.unwrap();
    let busy = other.gate(Instant::now()).await.err().unwrap();
    assert!(matches!(&busy, Error::Busy { path } if path.ends_with("redis.lock")), "{busy}");
    drop(gate);
    other.gate(later()).await.unwrap();
}

#[tokio::test]
async fn servers_that_start_and_stop_together_agree() {
    let dir = Dir::new("data");
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let path = dir.0.clone();
            tokio::spawn(
                async move { Embedded::start(&path, &Stop::new()).await.unwrap().unwrap() },
            )
        })
        .collect();
    let mut servers = Vec::new();
    for start in starts {
        servers.push(start.await.unwrap());
    }
    assert_eq!(dir.starts(), 1);
    let stops: Vec<_> =
        servers.into_iter().map(|server| tokio::spawn(server.stop(later()))).collect();
    for stop in stops {
        stop.await.unwrap().unwrap();
    }
    assert!(dir.is_vacant().await);
}

#[tokio::test]
async fn what_a_killed_server_leaves_is_joined_and_then_stopped() {
    let dir = Dir::new("data");
    crash(dir.start().await).await;
    assert!(!dir.is_vacant().await);
    let pid = dir.pid();
    let next = dir.start().await;
    assert_eq!(dir.pid(), pid);
    next.stop(later()).await.unwrap();
    assert!(dir.is_vacant().await);
}

#[tokio::test]
async fn a_killed_server_does_not_count_as_a_user() {
    let dir = Dir::new("data");
    let (first, second) = (dir.start().await, dir.start().await);
    crash(first).await;
    second.stop(later()).await.unwrap();
    assert!(dir.is_vacant().await);
}

#[tokio::test]
async fn a_killed_redis_is_started_again_by_the_server_that_uses_it() {
    let dir = Dir::new("data");
    let server = dir.start().await;
    let killed = dir.pid();
    assert_eq!(dir.ask("SET kept 1").await, "+OK");
    let gone = Line::connect(dir.place().socket()).await.unwrap();
    dir.kill9();
    gone.closed().await;
    // Nobody else starts or joins here: only the keeper can bring it back.
    let (place, give_up) = (dir.place(), Instant::now() + SILENT_WITHIN);
    while !matches!(greet(&place).await, Ok((_, greeting)) if greeting == "+PONG") {
        assert!(Instant::now() < give_up, "it is not started again");
        sleep(POLL).await;
    }
    assert_eq!(dir.ask("EXISTS kept").await, ":1");
    assert_ne!(dir.pid(), killed);
    server.stop(later()).await.unwrap();
    assert!(dir.is_vacant().await);
}

#[tokio::test]
async fn a_killed_redis_comes_back_once_with_what_it_held() {
    let dir = Dir::new("data");
    let (first, second) = (dir.start().await, dir.start().await);
    assert_eq!(dir.ask("SET kept 1").await, "+OK");
    let gone = Line::connect(dir.place().socket()).await.unwrap();
    dir.kill9();
    gone.closed().await;
    // Whoever asks meanwhile waits for the same one.
    let third = dir.start().await;
    assert_eq!(dir.ask("EXISTS kept").await, ":1");
    assert_eq!(dir.starts(), 2);
    for server in [first, second, third] {
        server.stop(later()).await.unwrap();
    }
    assert!(dir.is_vacant().await);
    assert_eq!(dir.starts(), 2);
}

#[tokio::test]
async fn a_redis_killed_after_its_servers_is_started_again_over_its_stale_socket() {
    let dir = Dir::new("data");
    let server = dir.start().await;
    assert_eq!(dir.ask("SET kept 1").await, "+OK");
    crash(server).await;
    dir.kill9();
    assert!(dir.0.join(place::SOCKET).exists());
    let next = dir.start().await;
    assert_eq!(dir.ask("EXISTS kept").await, ":1");
    next.stop(later()).await.unwrap();
    assert!(dir.is_vacant().await);
}

#[tokio::test]
async fn long_and_strange_directories_work() {
    for name in [&"long".repeat(40), "with space", "100% \"odd\" #1?"] {
        let dir = Dir::new(name);
        let server = dir.start().await;
        let client = deadpool_redis::redis::Client::open(server.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let ping = deadpool_redis::redis::Cmd::ping();
        assert_eq!(ping.query_async::<String>(&mut connection).await.unwrap(), "PONG", "{name}");
        server.stop(later()).await.unwrap();
        assert!(dir.is_vacant().await, "{name}");
    }
}

#[tokio::test]
async fn one_that_does_not_start_says_why_and_leaves_nothing() {
    let dir = Dir::new("data");
    dir.start().await.stop(later()).await.unwrap();
    let manifest = dir.0.join("appendonlydir/appendonly.aof.manifest");
    fs::write(manifest, "nonsense").unwrap();
    let error = Embedded::start(&dir.0, &Stop::new()).await.err().unwrap();
    assert!(matches!(&error, Error::Ended { tail, .. } if tail.contains("manifest")), "{error}");
    assert!(dir.is_vacant().await);
}

#[tokio::test]
async fn a_missing_or_old_program_is_refused_with_the_remedy() {
    let missing = program::find(&["no-such-server"]).await.unwrap_err().to_string();
    for part in ["apt-get install redis-server", "dnf install valkey", "brew install", "REDIS_URL"]
    {
        assert!(missing.contains(part), "{missing}");
    }
    let dir = Dir::new("bin");
    let old = dir.0.join("redis-server");
    fs::write(&old, "#!/bin/sh\necho 'Redis server v=6.0.16 sha=0'\n").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    let old = old.to_str().unwrap();
    let error = program::find(&["no-such-server", old]).await.unwrap_err();
    assert!(matches!(&error, Error::TooOld { .. }) && error.to_string().contains("7.0"), "{error}");
    let found = program::find(&[old, "redis-server"]).await.unwrap();
    assert_eq!(found, "redis-server");
}
