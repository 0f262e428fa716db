//! The program: which one is installed, and how it is started.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use tokio::process::{Child, Command};

use super::Error;
use super::place::{LOG, PID, Place, SOCKET};

/// What is looked for on PATH, the better first.
pub(super) const NAMES: [&str; 2] = ["valkey-server", "redis-server"];
/// The oldest Redis with what the scripts need, as major and minor version.
const OLDEST_REDIS: (u32, u32) = (7, 0);
/// The oldest Valkey there is.
const OLDEST_VALKEY: (u32, u32) = (7, 2);
/// A log longer than this is set aside at a start, in bytes.
const LONG_LOG: u64 = 1024 * 1024;

/// Private (a socket for this user, no port), durable (each second), and nothing is ever evicted. Payloads
/// come and go, so the file is rewritten late, and without spending time on compression.
const SETTINGS: [&str; 24] = [
    "--port",
    "0",
    "--unixsocket",
    SOCKET,
    "--unixsocketperm",
    "700",
    "--pidfile",
    PID,
    "--appendonly",
    "yes",
    "--appendfsync",
    "everysec",
    "--auto-aof-rewrite-min-size",
    "512mb",
    "--rdbcompression",
    "no",
    "--latency-tracking",
    "no",
    "--save",
    "",
    "--maxmemory-policy",
    "noeviction",
    "--daemonize",
    "no",
];

/// The first of these programs that is there and new enough.
pub(super) async fn find<'n>(names: &[&'n str]) -> Result<&'n str, Error> {
    let mut refused = None;
    for &program in names {
        let told = match Command::new(program).arg("--version").output().await {
            Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(Error::Program { program: program.to_owned(), source }),
        };
        if is_new_enough(&told) {
            return Ok(program);
        }
        refused.get_or_insert(Error::TooOld { program: program.to_owned(), told });
    }
    Err(refused.unwrap_or(Error::Missing))
}

/// Reads `Redis server v=7.0.15 sha=…`; Valkey says its own name, also when it is installed as Redis.
fn is_new_enough(told: &str) -> bool {
    let oldest = if told.starts_with("Valkey") { OLDEST_VALKEY } else { OLDEST_REDIS };
    let version = told.split_whitespace().find_map(|word| word.strip_prefix("v="));
    let mut numbers = version.unwrap_or_default().split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= oldest,
        _ => false,
    }
}

/// Starts it in the directory. `alive` is the lock that it holds as long as it lives.
pub(super) fn spawn(program: &str, place: &Place, alive: File) -> Result<Child, Error> {
    let failed = |source| Error::Program { program: program.to_owned(), source };
    let log = open_log(place).map_err(failed)?;
    // A group of its own: Ctrl-C in the terminal is for the server, which still has work to write down.
    Command::new(program)
        .args(SETTINGS)
        .current_dir(place.dir())
        .stdin(alive)
        .stdout(log.try_clone().map_err(failed)?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .map_err(failed)
}

fn open_log(place: &Place) -> io::Result<File> {
    let path = place.file(LOG);
    if fs::metadata(&path).is_ok_and(|log| log.len() > LONG_LOG) {
        fs::rename(&path, place.file("redis.log.old"))?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_say_them() {
        let cases = [
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d", true),
            ("Redis server v=8.2.1 sha=00000000:1 malloc=libc bits=64 build=1", true),
            ("Redis server v=6.2.16 sha=00000000:0", false),
            ("Valkey server v=7.2.4 sha=00000000:0", true),
            ("Valkey server v=9.0.0 sha=00000000:0", true),
            ("Valkey server v=7.1.0 sha=00000000:0", false),
            ("something else", false),
            ("", false),
        ];
        for (told, expected) in cases {
            assert_eq!(is_new_enough(told), expected, "{told}");
        }
    }
}
