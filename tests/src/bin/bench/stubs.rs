//! The processors and the receiver, shared by the ceiling and Baton.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;

use crate::board::Board;
use crate::http1::{reply, serve};
use crate::payload;

/// How many attempts each processor takes at a time: more than are ever under way.
pub(crate) const CAPACITY: u32 = 1024;

/// One processor.
#[derive(Debug)]
pub(crate) struct Processor {
    /// Its id, which jobs name.
    pub(crate) id: String,
    /// Where it is.
    pub(crate) url: String,
}

/// Starts one processor for each step.
pub(crate) async fn processors() -> Vec<Processor> {
    let mut all = Vec::new();
    for number in 1..=payload::STEPS {
        let id = format!("bench-{number}");
        let meta = Bytes::from(format!("{{\"id\":\"{id}\",\"name\":\"bench\"}}"));
        let address = serve(move |method, path, body| match (method, path) {
            (&Method::POST, "/process") => payload::find(&body)
                .map_or_else(|| reply(422, ""), |item| reply(200, payload::step(item))),
            (&Method::GET, "/meta") => reply(200, meta.clone()),
            (&Method::OPTIONS, "/process") => reply(204, ""),
            _ => reply(404, ""),
        });
        all.push(Processor { id, url: format!("http://{}", address.await) });
    }
    all
}

/// Starts the receiver, which verifies what arrives; returns its URL.
pub(crate) async fn receiver(board: Arc<Board>) -> String {
    let address = serve(move |_, _, body| {
        board.arrive(payload::find(&body).and_then(payload::verified));
        reply(204, "")
    });
    format!("http://{}/hook", address.await)
}
