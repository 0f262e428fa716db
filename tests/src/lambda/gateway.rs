//! The HTTP API in front of the functions.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::time::timeout;

use super::event::{decoded, http_event, reply};
use super::functions::{Functions, InvokeError};
use super::inventory::Inventory;
use super::{ANSWER_WITHIN, MAX_BYTES};
use crate::server::{Reply, Request, Server};

/// Answers requests by the routes of the inventory: explicit ones only, there is no catch-all.
#[must_use]
pub fn gateway(at: TcpListener, functions: &Arc<Functions>, inventory: &Inventory) -> Server {
    let (functions, inventory) = (Arc::clone(functions), inventory.clone());
    Server::on(at, move |request| answer(Arc::clone(&functions), inventory.clone(), request))
}

async fn answer(functions: Arc<Functions>, inventory: Inventory, request: Request) -> Reply {
    let path = decoded(request.uri.path());
    let Some(route) = inventory.route(request.method.as_str(), &path) else {
        // What no route of the API names never reaches a function.
        return Reply::raw(404, r#"{"message":"Not Found"}"#);
    };
    let event = http_event(&request, &route.key);
    if event.len() > MAX_BYTES {
        return Reply::raw(413, r#"{"message":"Request Too Long"}"#);
    }
    // The function goes on when the API has given up.
    let invoked =
        tokio::spawn(async move { functions.invoke(&route.function, event.into()).await });
    match timeout(ANSWER_WITHIN, invoked).await {
        Ok(Ok(Ok(answer))) => reply(&answer).unwrap_or_else(bad_gateway),
        Ok(Ok(Err(InvokeError::TimedOut))) | Err(_) => {
            Reply::raw(503, r#"{"message":"Service Unavailable"}"#)
        }
        Ok(Ok(Err(InvokeError::Failed(_))) | Err(_)) => bad_gateway(),
    }
}

fn bad_gateway() -> Reply {
    Reply::raw(502, r#"{"message":"Internal Server Error"}"#)
}
