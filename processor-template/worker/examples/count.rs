//! Counts words: a text becomes an object from each word, in lower case, to its frequency.
//!
//! A word is a run of letters and digits, of any script.

use std::collections::BTreeMap;
use std::process::ExitCode;

use baton_sdk::{Failure, Job, Processor};

async fn count(job: Job) -> Result<BTreeMap<String, u64>, Failure> {
    let text: String = job.data()?;
    Ok(frequencies(&text))
}

fn frequencies(text: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}

/// It answers every dispatch with 202 and reports its result: as work would that takes long.
#[tokio::main]
async fn main() -> ExitCode {
    Processor::new("count", count).asynchronous().run().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_script_are_counted_in_lower_case() {
        let counts = frequencies("To be, or not to be: ÄRGER ärger! 2x — 2x");
        let expected = [("2x", 2), ("be", 2), ("not", 1), ("or", 1), ("to", 2), ("ärger", 2)];
        assert_eq!(counts, expected.map(|(word, n)| (word.to_owned(), n)).into());
    }

    #[test]
    fn a_text_without_words_has_none() {
        assert!(frequencies(" — … ").is_empty());
    }
}
