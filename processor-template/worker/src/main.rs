//! A processor to copy and edit. It turns a text into upper case; put your own work in its place.

use std::process::ExitCode;

use baton_sdk::{Failure, Job};
use serde::{Deserialize, Serialize};

/// What a job may ask for, as in `{"target": "shout", "params": {"marks": 3}}`.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    /// How many exclamation marks to end with.
    marks: usize,
}

/// The work: from the job's data to the data that the next step gets.
///
/// What you return may be any serialisable value. An error that you pass on with `?` makes Baton try
/// again later, with longer and longer pauses; `Failure::permanent` ends the action at once.
async fn shout(job: Job) -> Result<String, Failure> {
    // Data or parameters of another shape fail for good: another attempt could not read them either.
    let text: String = job.data()?;
    let params: Params = job.params()?.unwrap_or_default();
    if text.is_empty() {
        return Err(Failure::permanent("there is nothing to shout").code("text_empty"));
    }
    Ok(text.to_uppercase() + &"!".repeat(params.marks.min(100)))
}

#[tokio::main]
async fn main() -> ExitCode {
    // For work that always takes longer than some seconds:
    // `baton_sdk::Processor::new("shout", shout).asynchronous().run().await`
    baton_sdk::run("shout", shout).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_text_is_shouted_with_as_many_marks_as_asked_for() {
        let job = Job::for_test(&"hello").unwrap();
        assert_eq!(shout(job.clone()).await.unwrap(), "HELLO");
        let job = job.with_params(&Params { marks: 2 }).unwrap();
        assert_eq!(shout(job).await.unwrap(), "HELLO!!");
    }

    #[tokio::test]
    async fn an_empty_text_fails_for_good() {
        let failure = shout(Job::for_test(&"").unwrap()).await.unwrap_err();
        assert_eq!(failure, Failure::permanent("there is nothing to shout").code("text_empty"));
    }
}
