//! The kit's Lambda, without a manager: it holds functions to the limits of the real one.

use std::sync::Arc;
use std::time::Duration;

use kit::lambda::{Functions, Inventory, MAX_ASYNC_BYTES, MAX_BYTES, MAX_CHAIN, Program, gateway};
use kit::{DataDir, Server, example, http_client, is_alive, until};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const INVENTORY: &str =
    r#"{"probe": {"routes": ["POST /probe"], "timeout_s": 120, "nudges": true}}"#;

/// One function that does what its event says, behind an API.
struct Lambda {
    functions: Arc<Functions>,
    api: Server,
    dir: DataDir,
}

impl Lambda {
    async fn start() -> Self {
        let (dir, inventory) = (DataDir::new(), Inventory::parse(INVENTORY));
        let program = Program { path: example("probe"), timeout: Duration::from_secs(120) };
        let programs = [("probe".to_owned(), program)].into();
        let functions = Functions::new(programs, Vec::new(), &dir.file("log"));
        let at = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = gateway(at, &functions, &inventory);
        Self { functions, api, dir }
    }

    /// Has the function do this; answers the body of its answer.
    async fn ask(&self, wish: Value) -> Value {
        let answer = self.functions.invoke("probe", wish.to_string().into()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
    }

    /// The same through the API; answers the status.
    async fn post(&self, body: String) -> u16 {
        let url = format!("{}/probe", self.api.url());
        http_client().post(url).body(body).send().await.unwrap().status().as_u16()
    }

    fn log(&self) -> String {
        self.dir.read("log").unwrap_or_default()
    }

    /// The processes that did a wish that is noted.
    fn noted(&self) -> Vec<u32> {
        let note = self.dir.read("note").unwrap_or_default();
        note.lines().map(|line| line.parse().unwrap()).collect()
    }
}

fn pid(answer: &Value) -> u32 {
    u32::try_from(answer["pid"].as_u64().unwrap()).unwrap()
}

/// What the system says of a process: `T` is stopped.
fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().chars().next().unwrap()
}

#[tokio::test]
async fn a_function_is_frozen_from_its_reply_to_its_next_event() {
    let lambda = Lambda::start().await;
    let first = pid(&lambda.ask(json!({})).await);
    until("it is frozen", async || state(first) == 'T').await;
    assert_eq!(pid(&lambda.ask(json!({})).await), first, "it is used again");
    until("it is frozen again", async || state(first) == 'T').await;
}

#[tokio::test]
async fn a_function_has_one_event_at_a_time_and_more_events_start_more_processes() {
    let lambda = Lambda::start().await;
    let go = lambda.dir.file("go");
    let held = {
        let (functions, wish) = (
            Arc::clone(&lambda.functions),
            json!({"await_file": go, "note": lambda.dir.file("note")}),
        );
        tokio::spawn(async move { functions.invoke("probe", wish.to_string().into()).await })
    };
    until("the first runs", async || lambda.noted().len() == 1).await;
    let second = pid(&lambda.ask(json!({})).await);
    assert!(!held.is_finished());
    std::fs::write(&go, "").unwrap();
    let first: Value = serde_json::from_slice(&held.await.unwrap().unwrap()).unwrap();
    let first: Value = serde_json::from_str(first["body"].as_str().unwrap()).unwrap();
    assert_ne!(pid(&first), second);
    let third = pid(&lambda.ask(json!({})).await);
    assert!([pid(&first), second].contains(&third), "an idle one is used before another starts");
}

#[tokio::test]
async fn a_request_or_a_reply_of_more_than_six_megabytes_does_not_pass() {
    let lambda = Lambda::start().await;
    let asks = |bytes: usize| json!({"reply_bytes": bytes}).to_string();
    // Around the text are the fields of the event, and of the answer.
    assert_eq!(lambda.post(asks(MAX_BYTES - 1_000)).await, 200);
    assert_eq!(lambda.post(asks(MAX_BYTES)).await, 502);
    assert!(lambda.log().contains("the reply is too large"), "{}", lambda.log());
    let long = |bytes: usize| json!({"reply_bytes": 0, "fill": "x".repeat(bytes)}).to_string();
    assert_eq!(lambda.post(long(MAX_BYTES - 4_000)).await, 200);
    assert_eq!(lambda.post(long(MAX_BYTES)).await, 413);
}

#[tokio::test]
async fn an_api_gives_up_on_a_function_that_takes_long_and_the_function_goes_on() {
    let lambda = Lambda::start().await;
    let note = lambda.dir.file("note");
    assert_eq!(lambda.post(json!({"hang": true, "note": note}).to_string()).await, 503);
    let [left] = lambda.noted().try_into().unwrap();
    assert!(is_alive(left) && state(left) != 'T', "{}", state(left));
}

#[tokio::test]
async fn an_event_of_more_than_a_megabyte_is_not_taken_asynchronously() {
    let lambda = Lambda::start().await;
    let asks = |bytes: usize| json!({"invoke": "probe", "invoke_bytes": bytes});
    assert_eq!(lambda.ask(asks(MAX_ASYNC_BYTES + 1)).await["status"], 413);
    let nobody = json!({"invoke": "nobody"});
    assert_eq!(lambda.ask(nobody).await["status"], 404);
    assert_eq!(lambda.ask(asks(MAX_ASYNC_BYTES)).await["status"], 202);
}

#[tokio::test]
async fn a_chain_of_functions_that_start_one_another_is_cut() {
    let lambda = Lambda::start().await;
    let wish = json!({"invoke": "probe", "note": lambda.dir.file("note")});
    assert_eq!(lambda.ask(wish).await["status"], 202);
    until("the chain is cut", async || lambda.log().contains("a chain of invocations was cut"))
        .await;
    assert_eq!(lambda.noted().len(), MAX_CHAIN as usize);
}
