//! The functions on one machine: a small Lambda Runtime API behind an HTTP front, with the limits of the real
//! thing. It is started, configured and stopped like `baton serve`, so that every scenario runs against either.
//!
//! HTTP requests become events of payload format 2.0, by the routes of `infra/terraform/functions.json`; a cron
//! beat and asynchronous invocations start `tick`. A function's process handles one event at a time and is
//! frozen (SIGSTOP) after its reply, as in the cloud.
//!
//! `CLOUD_CRON_MS` is the time between cron beats (a second when unset, 0 for none), `CLOUD_FUNCTIONS` where the
//! functions' binaries are, when not beside this one.
#![allow(clippy::panic, reason = "a broken set-up ends the program")]
#![allow(clippy::disallowed_methods, reason = "the test cloud is outside of the manager's layers")]

mod event;
mod function;
mod inventory;
mod runtime;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use http::StatusCode;
use kit::{Reply, Request, Server};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::function::{Functions, InvokeError};
use crate::inventory::Inventory;

/// What an HTTP API waits for a function at most.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The largest event or reply of a synchronous invocation.
const MAX_BYTES: usize = 6 * 1024 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let dir = PathBuf::from(env::var("BATON_DATA_DIR").expect("BATON_DATA_DIR is set"));
    let bind = env::var("BATON_BIND").unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    let bind: SocketAddr = bind.parse().expect("BATON_BIND is an address");
    let functions = Arc::new(Functions::new(&dir));
    let front = {
        let (functions, inventory) = (Arc::clone(&functions), Inventory::read());
        Server::start_at(bind, move |request| {
            answer(Arc::clone(&functions), inventory.clone(), request)
        })
    };
    let front = front.await;
    let control = {
        let functions = Arc::clone(&functions);
        Server::start(move |request| std::future::ready(invoke(Arc::clone(&functions), request)))
            .await
    };
    functions.configure(&front.url(), &control.url(), &secrets(&dir));
    tokio::spawn(beat(Arc::clone(&functions)));
    publish(&dir, &front.url());

    let mut terminate = signal(SignalKind::terminate()).expect("signals can be listened to");
    terminate.recv().await;
    functions.stop().await;
}

/// One request to the HTTP API.
async fn answer(functions: Arc<Functions>, inventory: Inventory, request: Request) -> Reply {
    let Some(route) = inventory.route(&request) else {
        // What no route of the API names never reaches a function.
        return Reply::raw(404, r#"{"message":"Not Found"}"#);
    };
    let event = event::of(&request, &route);
    if event.len() > MAX_BYTES {
        return Reply::raw(413, r#"{"message":"Request Too Long"}"#);
    }
    match functions.invoke(&route.function, event.into(), ANSWER_WITHIN).await {
        Ok(reply) if reply.len() > MAX_BYTES => bad_gateway(),
        Ok(reply) => event::reply(&reply).unwrap_or_else(bad_gateway),
        Err(InvokeError::TimedOut) => Reply::raw(503, r#"{"message":"Service Unavailable"}"#),
        Err(InvokeError::Failed(_)) => bad_gateway(),
    }
}

fn bad_gateway() -> Reply {
    Reply::raw(502, r#"{"message":"Internal Server Error"}"#)
}

/// `POST /2015-03-31/functions/{name}/invocations`, asynchronous.
fn invoke(functions: Arc<Functions>, request: Request) -> Reply {
    let name = request.uri.path().split('/').nth(3).unwrap_or_default().to_owned();
    let name = name.rsplit(':').next().unwrap_or_default().to_owned();
    if request.header("x-amz-invocation-type") != Some("Event") {
        return Reply::raw(400, r#"{"message":"only Event is known here"}"#);
    }
    tokio::spawn(async move {
        let timeout = functions.timeout(&name);
        // Retries are off, as the deployment sets them.
        let _ = functions.invoke(&name, request.body, timeout).await;
    });
    Reply::status(StatusCode::ACCEPTED.as_u16())
}

/// The schedule.
async fn beat(functions: Arc<Functions>) {
    let every = env::var("CLOUD_CRON_MS").map_or(1_000, |ms| ms.parse().expect("milliseconds"));
    if every == 0 {
        return;
    }
    let mut beats = tokio::time::interval(Duration::from_millis(every));
    loop {
        beats.tick().await;
        let functions = Arc::clone(&functions);
        tokio::spawn(async move {
            let event =
                json!({"version": "0", "source": "aws.scheduler", "detail": {}}).to_string();
            let timeout = functions.timeout("tick");
            let _ = functions.invoke("tick", event.into(), timeout).await;
        });
    }
}

/// The signing secrets: given, or made and kept as the local server does.
fn secrets(dir: &Path) -> Vec<(String, String)> {
    [("BATON_PROCESSOR_SECRETS", "processor.secret"), ("BATON_WEBHOOK_SECRETS", "webhook.secret")]
        .into_iter()
        .map(|(variable, file)| {
            let path = dir.join(file);
            let secret = env::var(variable).ok().or_else(|| fs::read_to_string(&path).ok());
            let secret = secret.unwrap_or_else(|| {
                let secret = format!("whsec_{}", "bG9jYWwtY2xvdWQtc2VjcmV0LW9mLXRoaXM=");
                fs::write(&path, &secret).expect("the secret can be written");
                secret
            });
            (variable.to_owned(), secret)
        })
        .collect()
}

/// Whole or not at all.
fn publish(dir: &Path, url: &str) {
    let aside = dir.join("url.new");
    fs::write(&aside, url).and_then(|()| fs::rename(&aside, dir.join("url"))).expect("the URL");
}
