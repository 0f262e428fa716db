//! Strips Markdown: a string with it becomes a string of plain text.
//!
//! What a reader of the rendered page would see stays: text, code, the description of an image. Links
//! lose their address, and HTML is dropped.

use std::process::ExitCode;

use baton_sdk::{Failure, Job};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

async fn clean(job: Job) -> Result<String, Failure> {
    let markdown: String = job.data()?;
    Ok(plain(&markdown))
}

fn plain(markdown: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut text = String::with_capacity(markdown.len());
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::SoftBreak | Event::HardBreak => text.push('\n'),
            Event::End(TagEnd::TableCell) => text.push('\t'),
            // A nested list begins in the middle of an item.
            Event::Start(Tag::List(_)) if !text.is_empty() && !text.ends_with('\n') => {
                text.push('\n');
            }
            Event::End(end) if ends_line(end) && !text.is_empty() && !text.ends_with('\n') => {
                text.truncate(text.trim_end().len());
                text.push('\n');
            }
            _ => {}
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// Everything but what stands inside a line of text.
fn ends_line(end: TagEnd) -> bool {
    !matches!(
        end,
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image
    )
}

#[tokio::main]
async fn main() -> ExitCode {
    baton_sdk::run("clean", clean).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_sees_stays_and_the_markup_goes() {
        let markdown = "# A *title*\n\nSome **bold**text and `code`,\nand [a link](http://x.y).\n\n\
            - one\n  - nested\n- two\n\n```sh\nmake demo\n```\n\n<b>not</b> <!-- seen -->\n\n\
            | a | b |\n| --- | --- |\n| 1 | 2 |\n\n![a picture](p.png)\n";
        let text = "A title\nSome boldtext and code,\nand a link.\none\nnested\ntwo\nmake demo\nnot\n\
            a\tb\n1\t2\na picture";
        assert_eq!(plain(markdown), text);
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(plain("to be, or not to be"), "to be, or not to be");
        assert_eq!(plain(""), "");
    }
}
