//! The text format of Prometheus, version 0.0.4: families of samples, each with labels and a value.

use std::fmt::{self, Display, Write};

/// The media type of the format.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the values of a family mean.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A text in the making.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Begins a family; samples that follow belong to it. `help` is one line without backslashes.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        push(&mut self.0, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family { text: &mut self.0, name }
    }

    /// The whole text.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// A family in the making.
#[derive(Debug)]
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Family<'_> {
    /// Adds a sample.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.name);
        for (place, (name, value)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            push(self.text, format_args!("{before}{name}=\"{}\"", Escaped(value)));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        push(self.text, format_args!(" {value}\n"));
    }
}

/// Milliseconds, written as seconds: exact, unlike a division of floating point numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds {
    /// How many milliseconds.
    pub(super) ms: u64,
}

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.ms / 1_000, self.ms % 1_000)
    }
}

/// A label's value as it stands between quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

fn push(text: &mut String, what: fmt::Arguments<'_>) {
    // A `String` takes everything.
    let _ = text.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_help_its_type_and_its_samples() {
        let mut text = Exposition::default();
        text.family("a_total", Kind::Counter, "How many.").sample(&[], 3);
        let mut family = text.family("b_seconds", Kind::Gauge, "How long.");
        family.sample(&[("id", "x"), ("name", "y")], Seconds { ms: 1_005 });
        family.sample(&[("id", "z")], Seconds { ms: 20 });
        let expected = "# HELP a_total How many.\n# TYPE a_total counter\na_total 3\n\
            # HELP b_seconds How long.\n# TYPE b_seconds gauge\n\
            b_seconds{id=\"x\",name=\"y\"} 1.005\nb_seconds{id=\"z\"} 0.020\n";
        assert_eq!(text.into_text(), expected);
    }

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        let mut text = Exposition::default();
        text.family("a", Kind::Gauge, "A.").sample(&[("id", "1\"} 2\n\\é")], 1);
        assert!(text.into_text().ends_with("\na{id=\"1\\\"} 2\\n\\\\é\"} 1\n"));
    }
}
