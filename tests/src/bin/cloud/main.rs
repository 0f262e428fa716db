//! The functions on one machine, behind an HTTP API and with a schedule. It is started, configured and stopped like
//! `baton serve`, so that every scenario runs against either.
//!
//! HTTP requests become events by the routes of `infra/terraform/functions.json`; a cron beat and asynchronous
//! invocations start `tick`.
//!
//! `CLOUD_CRON_MS` is the time between cron beats (a second when unset, 0 for none), `CLOUD_FUNCTIONS` where the
//! functions' binaries are, when not beside this one, `CLOUD_LOG` the file that all of them write.
#![allow(clippy::panic, reason = "a broken set-up ends the program")]
#![allow(clippy::disallowed_methods, reason = "the test cloud is outside of the manager's layers")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use kit::binary;
use kit::lambda::{Functions, Inventory, Program, gateway};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let dir = PathBuf::from(env::var("BATON_DATA_DIR").expect("BATON_DATA_DIR is set"));
    let inventory = Inventory::of_deployment();
    let bind = env::var("BATON_BIND").unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    // Before the functions, which are told where.
    let at = TcpListener::bind(bind).await.expect("BATON_BIND is a free address");
    let url = format!("http://{}", at.local_addr().expect("a bound listener has an address"));
    let log = env::var_os("CLOUD_LOG").map_or_else(|| dir.join("cloud.log"), PathBuf::from);
    let functions = Functions::new(programs(&inventory), configuration(&dir, &url), &log);
    let _api = gateway(at, &functions, &inventory);
    tokio::spawn(beat(Arc::clone(&functions)));
    publish(&dir, &url);

    let mut terminate = signal(SignalKind::terminate()).expect("signals can be listened to");
    terminate.recv().await;
    functions.stop().await;
}

fn programs(inventory: &Inventory) -> BTreeMap<String, Program> {
    let built = env::var_os("CLOUD_FUNCTIONS").map(PathBuf::from);
    let path = |name: &str| built.as_ref().map_or_else(|| binary(name), |dir| dir.join(name));
    let program =
        |(name, timeout): (&str, _)| (name.to_owned(), Program { path: path(name), timeout });
    inventory.functions().map(program).collect()
}

/// What every process is told: this process's configuration, and where it is.
fn configuration(dir: &Path, url: &str) -> Vec<(String, String)> {
    let own = ["BATON_BIND", "BATON_DATA_DIR"];
    let mut configuration: BTreeMap<String, String> = [
        // What the local server allows by itself, and a function only when it is told.
        ("BATON_PROCESSOR_CIDRS", "127.0.0.0/8 ::1/128"),
        ("BATON_RESPONSE_CIDRS", "127.0.0.0/8 ::1/128"),
        ("BATON_PUBLIC_URL", url),
        ("BATON_TICK_FUNCTION", "tick"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    configuration.extend(secrets(dir));
    configuration.extend(env::vars().filter(|(name, _)| {
        let told = name.starts_with("BATON_") || name == "REDIS_URL" || name == "REDIS_PASSWORD";
        told && !own.contains(&name.as_str())
    }));
    configuration.into_iter().collect()
}

/// The signing secrets, made and kept as the local server does.
fn secrets(dir: &Path) -> [(String, String); 2] {
    [("BATON_PROCESSOR_SECRETS", "processor.secret"), ("BATON_WEBHOOK_SECRETS", "webhook.secret")]
        .map(|(variable, file)| {
            let path = dir.join(file);
            let secret = fs::read_to_string(&path).unwrap_or_else(|_| {
                let secret = "whsec_bG9jYWwtY2xvdWQtc2VjcmV0LW9mLXRoaXM=".to_owned();
                fs::write(&path, &secret).expect("the secret can be written");
                secret
            });
            (variable.to_owned(), secret)
        })
}

/// The schedule.
async fn beat(functions: Arc<Functions>) {
    let every = env::var("CLOUD_CRON_MS").map_or(1_000, |ms| ms.parse().expect("milliseconds"));
    if every == 0 {
        return;
    }
    let event = json!({"version": "0", "source": "aws.scheduler", "detail": {}}).to_string();
    let mut beats = tokio::time::interval(Duration::from_millis(every));
    loop {
        beats.tick().await;
        functions.start("tick", event.clone().into());
    }
}

/// Whole or not at all.
fn publish(dir: &Path, url: &str) {
    let aside = dir.join("url.new");
    fs::write(&aside, url).and_then(|()| fs::rename(&aside, dir.join("url"))).expect("the URL");
}
