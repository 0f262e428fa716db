//! Picks the 20 most frequent words: from an object of words and their counts to an array of
//! `{"word": …, "count": …}`, most frequent first, and alphabetically where counts are equal.

use std::collections::BTreeMap;
use std::process::ExitCode;

use baton_sdk::{Failure, Job};
use serde::Serialize;

const MOST: usize = 20;

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Entry {
    word: String,
    count: u64,
}

async fn top(job: Job) -> Result<Vec<Entry>, Failure> {
    Ok(most_frequent(job.data()?))
}

fn most_frequent(counts: BTreeMap<String, u64>) -> Vec<Entry> {
    let mut entries: Vec<Entry> =
        counts.into_iter().map(|(word, count)| Entry { word, count }).collect();
    // Stable, and the map was in alphabetical order.
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.count));
    entries.truncate(MOST);
    entries
}

#[tokio::main]
async fn main() -> ExitCode {
    baton_sdk::run("top", top).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
        let counts = counts.iter().map(|(word, n)| ((*word).to_owned(), *n)).collect();
        most_frequent(counts).into_iter().map(|entry| (entry.word, entry.count)).collect()
    }

    #[test]
    fn the_most_frequent_come_first_and_equals_in_alphabetical_order() {
        let found = words(&[("b", 2), ("a", 2), ("c", 9), ("d", 1)]);
        let expected = [("c", 9), ("a", 2), ("b", 2), ("d", 1)];
        assert_eq!(found, expected.map(|(word, n)| (word.to_owned(), n)));
    }

    #[test]
    fn there_are_at_most_twenty() {
        let names: Vec<String> = (0..30).map(|n| format!("w{n:02}")).collect();
        let counts: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let found = words(&counts);
        assert_eq!(found.len(), 20);
        assert_eq!(found[19].0, "w19");
    }
}
