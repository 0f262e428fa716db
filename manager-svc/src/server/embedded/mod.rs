//! A Redis of the server's own, on a socket in the data directory: found on PATH, started by whoever comes
//! first, joined by whoever comes later, and stopped by whoever leaves last. `place` says who is there.

mod error;
mod line;
mod place;
mod program;
mod residents;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::stop::Stop;
pub(super) use error::Error;
use line::Line;
use place::{ALIVE, Gate, LOG, PID, Place};

/// How often a lock or a socket is tried again.
const POLL: Duration = Duration::from_millis(20);
/// How long somebody else may take to start or stop it.
const GATE_WITHIN: Duration = Duration::from_secs(20);
/// How long a living one may say nothing at all. One that loads its file says so, and may take its time.
const SILENT_WITHIN: Duration = Duration::from_secs(30);
/// How often is said that it still loads.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How long before a stop's deadline one that still lives is killed. It loses nothing that was answered: all
/// of that is with the system, which brings it to disk.
const KILLED_BEFORE: Duration = Duration::from_millis(500);
/// The longest wait between two starts that failed.
const RETRY_AT_MOST: Duration = Duration::from_secs(5);

/// One server's use of the Redis in its data directory. Without [`Embedded::stop`], as after a crash, the
/// Redis stays, and the next server joins it.
pub(super) struct Embedded {
    place: Arc<Place>,
    user: File,
    keeper: JoinHandle<()>,
}

impl Embedded {
    /// Starts the Redis of a directory or joins the one that lives there, and returns when it answers.
    /// `None` when the stop began first.
    ///
    /// # Errors
    /// When there is no program, or the Redis does not start; its log's last words are in the error.
    pub(super) async fn start(data_dir: &Path, stop: &Stop) -> Result<Option<Self>, Error> {
        let place = Arc::new(Place::open(data_dir)?);
        let enter = async {
            let gate = place.gate(Instant::now() + GATE_WITHIN).await?;
            place.enter(&gate, Instant::now() + GATE_WITHIN).await
        };
        let user = tokio::select! {
            user = enter => user?,
            () = stop.begun() => return Ok(None),
        };
        let up = tokio::select! {
            up = bring_up(&place) => up.map(Some),
            () = stop.begun() => Ok(None),
        };
        if let Ok(Some(line)) = up {
            let keeper = tokio::spawn(keep(Arc::clone(&place), line));
            return Ok(Some(Self { place, user, keeper }));
        }
        let left = leave(&place, &user, stop.deadline()).await;
        up?;
        left.map(|()| None)
    }

    /// Its URL, as Redis clients read it.
    pub(super) fn url(&self) -> String {
        self.place.url().to_owned()
    }

    /// Ends the use; the last one stops the Redis, and returns when its process is gone: by the deadline,
    /// if need be by force.
    ///
    /// # Errors
    /// When another process is in the way until then, or it cannot even be killed.
    pub(super) async fn stop(self, deadline: Instant) -> Result<(), Error> {
        self.keeper.abort();
        // Its gate must be open before ours; that it was aborted is no news.
        let _ = self.keeper.await;
        leave(&self.place, &self.user, deadline).await
    }
}

/// Starts the Redis again whenever it ends, as long as this server uses it.
async fn keep(place: Arc<Place>, mut line: Line) {
    loop {
        line.closed().await;
        tracing::warn!("the embedded Redis is gone: starting it again");
        let mut wait = POLL;
        line = loop {
            sleep(wait).await;
            match bring_up(&place).await {
                Ok(line) => break line,
                Err(error) => tracing::error!(%error, "the embedded Redis is still gone"),
            }
            wait = (wait * 4).min(RETRY_AT_MOST);
        };
    }
}

/// Connects to the Redis when it is ready; starts it once when none lives here.
async fn bring_up(place: &Place) -> Result<Line, Error> {
    let begun = Instant::now();
    let (mut started, mut heard, mut told) = (false, begun, begun);
    loop {
        let answer = greet(place).await;
        match answer {
            Ok((line, greeting)) if greeting == "+PONG" => {
                let process = process(place);
                tracing::info!(
                    url = place.url(),
                    process,
                    joined = !started,
                    "the embedded Redis is ready"
                );
                return Ok(line);
            }
            // It loads its file, or is otherwise busy.
            Ok(_) => heard = Instant::now(),
            Err(_) => {
                let gate = place.gate(Instant::now() + GATE_WITHIN).await?;
                match place.vacant(&gate)? {
                    Some(_) if started => return Err(ended(place)),
                    Some(alive) => {
                        launch(place, &gate, alive).await?;
                        (started, heard) = (true, Instant::now());
                    }
                    None if heard.elapsed() > SILENT_WITHIN => {
                        return Err(Error::Silent {
                            process: process(place),
                            log: place.file(LOG),
                        });
                    }
                    None => {}
                }
            }
        }
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            tracing::info!("the embedded Redis is not ready yet");
        }
        sleep(POLL).await;
    }
}

async fn greet(place: &Place) -> std::io::Result<(Line, String)> {
    let line = Line::connect(place.socket()).await?;
    let greeting = line.ask("PING").await?;
    Ok((line, greeting))
}

async fn launch(place: &Place, _gate: &Gate, alive: File) -> Result<(), Error> {
    let program = program::find(&program::NAMES).await?;
    let mut child = program::spawn(program, place, alive)?;
    tracing::info!(program, pid = child.id(), "the embedded Redis starts");
    // Waited for, so that it is no zombie when it ends before we do. Whoever needs to know sees its lock.
    tokio::spawn(async move {
        if let Ok(status) = child.wait().await {
            tracing::info!(%status, "the embedded Redis ended");
        }
    });
    Ok(())
}

async fn leave(place: &Place, user: &File, deadline: Instant) -> Result<(), Error> {
    let gate = place.gate(deadline).await?;
    if !place.leave(&gate, user)? {
        tracing::info!("the embedded Redis stays: another server uses it");
        return Ok(());
    }
    let kill_at = deadline - KILLED_BEFORE;
    let (mut told, mut killed) = (false, false);
    while place.vacant(&gate)?.is_none() {
        if Instant::now() >= deadline {
            return Err(Error::Lingers { process: process(place), log: place.file(LOG) });
        } else if Instant::now() >= kill_at {
            // Again each time: one that is killed while it forks may leave a child.
            for pid in residents::kill(&place.file(ALIVE)) {
                if !killed {
                    tracing::warn!(pid, log = %place.file(LOG).display(), "the embedded Redis does not stop: killed");
                }
            }
            killed = true;
        } else if !told {
            // One that has only just started has no socket yet.
            told = timeout_at(kill_at, shut_down(place)).await.unwrap_or(true);
        }
        sleep(POLL).await;
    }
    Ok(())
}

/// Tells it to stop; answers whether it was heard. A stop that it refuses because its file cannot be
/// written is forced: what it holds is lost either way, and it must not stay behind.
async fn shut_down(place: &Place) -> bool {
    let Ok(line) = Line::connect(place.socket()).await else { return false };
    // It closes the connection instead of answering.
    if let Ok(refusal) = line.ask("SHUTDOWN NOSAVE NOW").await {
        tracing::error!(refusal, log = %place.file(LOG).display(), "the embedded Redis is forced to stop");
        let _ = line.ask("SHUTDOWN NOSAVE NOW FORCE").await;
    }
    true
}

fn process(place: &Place) -> String {
    match fs::read_to_string(place.file(PID)) {
        Ok(pid) => format!("process {}", pid.trim()),
        Err(_) => "process unknown".to_owned(),
    }
}

fn ended(place: &Place) -> Error {
    const LINES: usize = 4;
    let log = place.file(LOG);
    let text = fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(LINES)..].join("\n");
    Error::Ended { log, tail }
}
