//! Bodies, out and in.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, timeout_at};

/// The most that is read of a body that only explains a status.
const NOTE_BYTES: usize = 16 * 1024;
/// How long such a body may take: the status has said what matters.
const NOTE_WAIT: Duration = Duration::from_millis(250);

/// Whether a request has been given to a connection. From then on the peer may have read it.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent(Arc<AtomicBool>);

impl Sent {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A request's body: one piece, which notes when hyper takes it to write it.
#[derive(Debug)]
pub(super) struct Payload {
    data: Option<Bytes>,
    sent: Sent,
}

impl Payload {
    pub(super) fn new(data: Bytes) -> (Self, Sent) {
        let sent = Sent::default();
        (Self { data: Some(data), sent: sent.clone() }, sent)
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent.0.store(true, Ordering::Release);
        Poll::Ready(self.data.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64))
    }
}

/// Why a reply's body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is, or says it is, longer than the cap.
    TooLarge,
    /// The connection ended before it did.
    Lost,
}

/// Reads a body of at most `cap` bytes. One that comes in one piece is not copied.
pub(super) async fn read<B>(mut body: B, cap: usize) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > cap as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Lost)?.into_data() else { continue };
        if first.len().max(all.len()) + data.len() > cap {
            return Err(BodyError::TooLarge);
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            // What is still announced, known to be under the cap, or the two pieces at hand.
            let rest = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(cap);
            all.reserve(first.len() + data.len() + rest);
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Reads a body that only explains a status, if it is short and comes soon. Having read it to its
/// end is also what lets the connection be used again.
pub(super) async fn read_note<B>(body: B, deadline: Instant) -> Option<Bytes>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return None;
    }
    let deadline = deadline.min(Instant::now() + NOTE_WAIT);
    timeout_at(deadline, read(body, NOTE_BYTES)).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A body of given pieces that announces no length.
    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|data| Ok(Frame::data(data))))
        }
    }

    fn pieces(all: &[&'static str]) -> Pieces {
        Pieces(all.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect())
    }

    #[tokio::test]
    async fn pieces_are_joined_up_to_the_cap_and_not_beyond() {
        for (all, cap, expected) in [
            (&[][..], 0, Ok("")),
            (&["", "ab"][..], 2, Ok("ab")),
            (&["ab", "", "cd", "e"][..], 5, Ok("abcde")),
            (&["ab", "cd", "e"][..], 4, Err(BodyError::TooLarge)),
            (&["abcde"][..], 4, Err(BodyError::TooLarge)),
        ] {
            let read = read(pieces(all), cap).await;
            assert_eq!(read, expected.map(|text| Bytes::from_static(text.as_bytes())), "{all:?}");
        }
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let body = Bytes::from(vec![b'x'; 100]);
        let read = read(Pieces([body.clone()].into()), 100).await.unwrap();
        assert_eq!(read.as_ptr(), body.as_ptr());
    }

    #[tokio::test]
    async fn an_announced_length_over_the_cap_is_refused_unread() {
        let (payload, sent) = Payload::new(Bytes::from_static(b"12345"));
        assert_eq!(read(payload, 4).await, Err(BodyError::TooLarge));
        assert!(!sent.get());
        let (payload, sent) = Payload::new(Bytes::from_static(b"12345"));
        assert_eq!(read(payload, 5).await.unwrap(), "12345");
        assert!(sent.get());
    }
}
