//! The replies of the Redis protocol (its second version), taken apart without being understood.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::command::{Command, pack};

/// A connection to Redis that sends commands and takes whole replies.
pub(crate) struct Upstream {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Upstream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Sends commands in one write and answers their replies as they came; `None` when Redis is gone.
    pub(crate) async fn ask(&mut self, commands: &[Command]) -> Option<Vec<Vec<u8>>> {
        let request: Vec<u8> = commands.iter().flat_map(pack).collect();
        self.stream.write_all(&request).await.ok()?;
        let mut replies = Vec::with_capacity(commands.len());
        while replies.len() < commands.len() {
            if let Some(length) = reply_length(&self.buffer) {
                replies.push(self.buffer.drain(..length).collect());
            } else if self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
        Some(replies)
    }
}

/// The length of the first reply in `bytes`, if it is there whole.
fn reply_length(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let number = || -> i64 {
        let digits = std::str::from_utf8(&bytes[1..end - 2]).expect("a length is text");
        digits.parse().expect("a length")
    };
    let length = match bytes[0] {
        b'+' | b'-' | b':' => end,
        b'$' => end + usize::try_from(number()).map_or(0, |length| length + 2),
        b'*' => {
            let mut at = end;
            for _ in 0..number().max(0) {
                at += reply_length(bytes.get(at..)?)?;
            }
            at
        }
        other => panic!("a reply begins with {:?}", char::from(other)),
    };
    (length <= bytes.len()).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_taken_only_when_it_is_whole() {
        for reply in [
            "+OK\r\n",
            "-ERR no\r\n",
            ":12\r\n",
            "$-1\r\n",
            "$3\r\na\r\n\r\n",
            "*2\r\n*0\r\n$0\r\n\r\n",
        ] {
            let followed = format!("{reply}:1\r\n");
            assert_eq!(reply_length(followed.as_bytes()), Some(reply.len()), "{reply:?}");
            for end in 0..reply.len() {
                assert_eq!(reply_length(&reply.as_bytes()[..end]), None, "{reply:?} {end}");
            }
        }
    }
}
