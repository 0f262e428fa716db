//! The demo's own answer: the words of a Markdown text, counted without any of the processors' code.

use std::collections::HashMap;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::{Value, json};

const MOST: usize = 20;

/// The 20 most frequent words of what a reader of the rendered page sees: runs of letters and
/// digits in lower case, most frequent first, alphabetically where counts are equal.
pub(crate) fn most_frequent(markdown: &str) -> Value {
    let mut counts: HashMap<String, u64> = HashMap::new();
    let mut word = String::new();
    for character in visible(markdown).chars().chain([' ']) {
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        } else if !word.is_empty() {
            *counts.entry(std::mem::take(&mut word)).or_default() += 1;
        }
    }
    let mut words: Vec<(String, u64)> = counts.into_iter().collect();
    words.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    let entry = |(word, count): &(String, u64)| json!({ "word": word, "count": count });
    words.iter().take(MOST).map(entry).collect()
}

/// What a reader sees, with a space wherever words cannot run together.
fn visible(markdown: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut text = String::new();
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. })
            | Event::End(
                TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link,
            )
            | Event::Start(Tag::Image { .. })
            | Event::End(TagEnd::Image)
            | Event::InlineHtml(_)
            | Event::Html(_) => {}
            _ => text.push(' '),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_as_a_reader_sees_them() {
        let markdown =
            "# To *be*\n\nor not [to](http://to.be) **b**e, `2x`\n\n- a\n  - 2X\n<!-- be -->";
        let expected = [("2x", 2), ("be", 2), ("to", 2), ("a", 1), ("not", 1), ("or", 1)];
        let expected = expected.map(|(word, count)| json!({ "word": word, "count": count }));
        assert_eq!(most_frequent(markdown), Value::from_iter(expected));
    }
}
