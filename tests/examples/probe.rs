//! A function that does what its event says, to find out what surrounds it.
//!
//! | field of the event | what it does |
//! | --- | --- |
//! | `hang` | never answers |
//! | `await_file` | answers when this file exists |
//! | `reply_bytes` | answers with so long a body |
//! | `invoke`, `invoke_bytes` | invokes this function asynchronously with the same event, made so long; the answer has the status |
//! | `note` | appends its process id to this file |
#![allow(clippy::disallowed_methods, reason = "this program is outside of the manager's layers")]
#![allow(clippy::unwrap_used, reason = "a broken set-up ends the program")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use lambda_http::lambda_runtime::{self, Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let payload = event.payload;
    // What comes through an HTTP API has it in the body.
    let wish = payload["body"]
        .as_str()
        .map_or(payload.clone(), |body| serde_json::from_str(body).unwrap());
    if let Some(path) = wish["note"].as_str() {
        let file = std::fs::File::options().create(true).append(true).open(path);
        file.unwrap().write_all(format!("{}\n", std::process::id()).as_bytes()).unwrap();
    }
    let mut status = Value::Null;
    if let Some(function) = wish["invoke"].as_str() {
        status = json!(invoke(function, &wish));
    }
    if wish["hang"] == true {
        std::future::pending::<()>().await;
    }
    if let Some(path) = wish["await_file"].as_str() {
        while !Path::new(path).exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let bytes = usize::try_from(wish["reply_bytes"].as_u64().unwrap_or(0)).unwrap();
    let body = json!({"pid": std::process::id(), "status": status, "x": "x".repeat(bytes)});
    Ok(json!({"statusCode": 200, "body": body.to_string()}))
}

fn invoke(function: &str, wish: &Value) -> u16 {
    let endpoint = std::env::var("AWS_ENDPOINT_URL_LAMBDA").unwrap();
    let authority = endpoint.trim_start_matches("http://");
    let mut event = wish.clone();
    let fill = usize::try_from(wish["invoke_bytes"].as_u64().unwrap_or(0)).unwrap();
    event["fill"] = "".into();
    let missing = fill.saturating_sub(event.to_string().len());
    event["fill"] = "x".repeat(missing).into();
    let event = event.to_string();
    let head = format!(
        "POST /2015-03-31/functions/{function}/invocations HTTP/1.1\r\nhost: {authority}\r\n\
         x-amz-invocation-type: Event\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        event.len()
    );
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.write_all(format!("{head}{event}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
