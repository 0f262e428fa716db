//! What the demo prints.

use std::path::Path;

use baton_wire::action::ActionOut;
use baton_wire::manager::ManagerMeta;
use kit::Baton;
use serde_json::Value;

/// The manager that was started.
pub(crate) fn manager(baton: &Baton) {
    println!("manager     {} with an embedded Redis", baton.url());
}

/// The processors that have registered.
pub(crate) fn processors(meta: &ManagerMeta) {
    for processor in &meta.processors {
        println!("processor   {:<9} {:<7} {}", processor.id, processor.name, processor.url);
    }
}

/// The action that was submitted.
pub(crate) fn submitted(file: &Path, bytes: usize, id: &str) {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    println!("submitted   {name}, {bytes} bytes, as {id}");
}

/// What happened to the action, in milliseconds after it was accepted.
pub(crate) fn timeline(action: &ActionOut) {
    let since = |time: u64| time.saturating_sub(action.created_at);
    println!("\n{:>9}  accepted", "0 ms");
    for step in &action.steps {
        for attempt in &step.attempts {
            let end = attempt.ended_at.map_or_else(|| "…".to_owned(), |end| since(end).to_string());
            let status = format!("{:?}", attempt.status).to_lowercase();
            let from = since(attempt.started_at);
            println!(
                "{end:>6} ms  {:<6} {status} at {}, begun at {from} ms",
                step.target, attempt.processor
            );
            if let Some(error) = &attempt.error {
                println!("{:>9}  {}: {}", "", error.code, error.message);
            }
        }
    }
    let end = action.ended_at.map_or_else(|| "…".to_owned(), |end| since(end).to_string());
    let (status, delivery) = (action.status, action.delivery.status);
    println!("{end:>6} ms  {}, webhook {}", lower(&status), lower(&delivery));
}

/// The words and their counts, four in a row.
pub(crate) fn words(result: &Value) {
    println!();
    let rows: Vec<&Value> = result.as_array().map(|all| all.iter().collect()).unwrap_or_default();
    for row in rows.chunks(4) {
        let cells = row.iter().map(|entry| {
            let word = entry["word"].as_str().unwrap_or_default();
            format!("{:>5} {word:<14}", entry["count"].to_string())
        });
        println!("{}", cells.collect::<String>().trim_end());
    }
}

fn lower(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}
