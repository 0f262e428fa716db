//! A body that never ends.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Interval, interval};

/// The same piece, again and again.
pub(crate) struct Endless {
    piece: Bytes,
    /// Without one it comes as fast as it is taken.
    pause: Option<Interval>,
}

impl Endless {
    pub(crate) fn new(piece: Bytes, pause: Duration) -> Self {
        Self { piece, pause: (!pause.is_zero()).then(|| interval(pause)) }
    }
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.poll_tick(context));
        }
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }
}
