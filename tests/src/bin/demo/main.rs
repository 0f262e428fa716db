//! The demo: a manager, three processors and a webhook receiver; the README goes through
//! `clean`, `count` (which answers later) and `top`, and comes back on the webhook.
//!
//! Exits with 0 only if the webhook verifies and holds the words that the demo counts itself.
#![allow(clippy::print_stdout, reason = "the demo shows what happens")]
#![allow(clippy::disallowed_methods, reason = "the demo is outside of the manager's layers")]

mod show;
mod words;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime};

use baton_wire::signature::{Secrets, WEBHOOK_SIGNATURE};
use baton_wire::webhook::WebhookOut;
use kit::{Baton, BatonSpec, Child, Reply, Request, Server, action, example, until};
use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::mpsc;

const JOBS: [&str; 3] = ["clean", "count", "top"];
/// How long the way through three processors may take before something is broken.
const PATIENCE: Duration = Duration::from_secs(60);
const STOP_BOUND: Duration = Duration::from_secs(15);

/// What the demo was told to do.
#[derive(Debug, Default)]
struct Options {
    file: Option<PathBuf>,
    /// To show that the check bites: damage the signature of the webhook before it is verified.
    flip_signature: bool,
    /// To show that the check bites: damage the result before it is compared.
    wrong_word: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options::default();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--flip-signature" => options.flip_signature = true,
            "--wrong-word" => options.wrong_word = true,
            flag if flag.starts_with('-') => {
                eprintln!("usage: demo [FILE]: a Markdown file; README.md when none is named");
                return ExitCode::from(2);
            }
            file => options.file = Some(file.into()),
        }
    }
    match Box::pin(run(options)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("\nFAILED: {reason}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), String> {
    let readme = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).with_file_name("README.md");
    let file = options.file.clone().unwrap_or_else(readme);
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;

    let mut baton = BatonSpec::embedded().start().await;
    show::manager(&baton);
    let mut processors = start_processors(&baton);
    until("all processors are registered", async || {
        baton.meta().await.processors.len() == processors.len()
    })
    .await;
    show::processors(&baton.meta().await);

    let (verified, mut webhooks) = mpsc::unbounded_channel();
    let (secrets, flip) = (baton.webhook_secrets(), options.flip_signature);
    let receiver = Server::start(move |request| {
        let outcome = verify(&secrets, request, flip);
        let reply = Reply::status(if outcome.is_ok() { 204 } else { 401 });
        let _ = verified.send(outcome);
        async { reply }
    });
    let receiver = receiver.await;

    let id = baton.submit(&action(&text, &JOBS, Some(&receiver.url()))).await;
    show::submitted(&file, text.len(), &id);
    let webhook = tokio::time::timeout(PATIENCE, webhooks.recv()).await;
    let checked = match webhook {
        Ok(Some(Ok(webhook))) => {
            show::timeline(&baton.ended(&id).await);
            check(&webhook, &id, &text, options.wrong_word)
        }
        Ok(Some(Err(reason))) => Err(format!("the webhook does not verify: {reason}")),
        Ok(None) | Err(_) => {
            show::timeline(&baton.get(&id).await);
            Err(format!("no webhook within {PATIENCE:?}"))
        }
    };
    stop(&mut baton, &mut processors).await?;
    checked
}

fn start_processors(baton: &Baton) -> Vec<Child> {
    let secret = baton.data_dir().read("processor.secret").expect("the manager keeps its secret");
    let start = |name: &str| {
        let mut command = Command::new(example(name));
        command.env("MANAGER_URL", baton.url()).env("PROCESSOR_SECRETS", &secret);
        command.env("PROCESSOR_NAME", name).env("PROCESSOR_ID", format!("{name}-1"));
        command.env("BIND", "127.0.0.1:0").env_remove("PUBLIC_URL").env_remove("PROCESSOR_KEY");
        Child::spawn(name, &mut command, &baton.data_dir().file(&format!("{name}.log")))
    };
    JOBS.into_iter().map(start).collect()
}

/// Verifies a webhook as any receiver does.
fn verify(secrets: &Secrets, mut request: Request, flip: bool) -> Result<WebhookOut, String> {
    if flip {
        let signature = request.header(WEBHOOK_SIGNATURE).unwrap_or_default();
        let (head, last) = signature.split_at(signature.len().saturating_sub(5));
        let flipped = if last.starts_with('A') { 'B' } else { 'A' };
        let damaged = format!("{head}{flipped}{}", last.get(1..).unwrap_or_default());
        request.headers.insert(WEBHOOK_SIGNATURE, damaged.parse().expect("a header value"));
    }
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_secs();
    let verified = secrets.verify(|name| request.header(name), &request.body, now);
    verified.map_err(|error| error.to_string())?;
    serde_json::from_slice(&request.body).map_err(|error| error.to_string())
}

fn check(webhook: &WebhookOut, id: &str, text: &str, wrong_word: bool) -> Result<(), String> {
    if webhook.kind != "action.succeeded" || webhook.data.action_id != id {
        return Err(format!("the webhook says {} of {}", webhook.kind, webhook.data.action_id));
    }
    let result = webhook.data.result.get();
    let mut result: Value = serde_json::from_str(result).map_err(|error| error.to_string())?;
    if wrong_word {
        result[0]["word"] = Value::from("wrong");
    }
    show::words(&result);
    let expected = words::most_frequent(text);
    if result != expected {
        return Err(format!("the demo itself counts other words: {expected}"));
    }
    println!("\nThe webhook's signature verifies, and the demo itself counts the same words.");
    Ok(())
}

/// Stops everything, and looks for processes that are left.
async fn stop(baton: &mut Baton, processors: &mut [Child]) -> Result<(), String> {
    for processor in processors.iter() {
        processor.signal(Signal::TERM);
    }
    for processor in processors {
        let status = processor.exited(STOP_BOUND).await;
        if !status.success() {
            return Err(format!("a processor stopped with {status}:\n{}", processor.log()));
        }
    }
    baton.stop().await;
    let left = baton.data_dir().processes();
    if left.is_empty() { Ok(()) } else { Err(format!("processes {left:?} are left")) }
}
