//! One connection to the embedded Redis, for what is no store command: is it there, did it go, stop.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long an answer may take; one that loads or runs a script answers these commands too.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A connection.
pub(super) struct Line(UnixStream);

impl Line {
    pub(super) async fn connect(socket: &Path) -> io::Result<Self> {
        Ok(Self(UnixStream::connect(socket).await?))
    }

    /// Sends a command, and waits for the line that it is answered with.
    pub(super) async fn ask(&self, command: &str) -> io::Result<String> {
        timeout(ANSWER_WITHIN, self.exchange(command)).await?
    }

    async fn exchange(&self, command: &str) -> io::Result<String> {
        let request = format!("{command}\r\n");
        let mut rest = request.as_bytes();
        while !rest.is_empty() {
            self.0.writable().await?;
            match self.0.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n") {
            let mut piece = [0; 256];
            self.0.readable().await?;
            match self.0.try_read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => answer.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
    }

    /// Waits until the other side is gone.
    pub(super) async fn closed(&self) {
        loop {
            if self.0.readable().await.is_err() {
                return;
            }
            match self.0.try_read(&mut [0; 256]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}
