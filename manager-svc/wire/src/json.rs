//! Is a text JSON that others can read? Without building the value.

use serde::de::IgnoredAny;

/// How deep arrays and objects may nest: what common parsers read, serde's among them.
pub const MAX_DEPTH: usize = 128;

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// There is nothing but white space.
    #[error("is empty")]
    Empty,
    /// It is not UTF-8.
    #[error("is not UTF-8")]
    Utf8,
    /// It is not one JSON value.
    #[error("is not one JSON value (line {line}, column {column})")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// It nests deeper than [`MAX_DEPTH`].
    #[error("nests deeper than {MAX_DEPTH} levels")]
    Depth,
}

/// Checks that the text is one JSON value; answers it without the white space around it.
///
/// # Errors
/// Says why it is not.
pub fn check(bytes: &[u8]) -> Result<&str, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Utf8)?;
    let value = text.trim_matches([' ', '\t', '\n', '\r']);
    if value.is_empty() {
        return Err(JsonError::Empty);
    }
    // `IgnoredAny` takes any depth, because it keeps its own stack.
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return Err(JsonError::Syntax { line: error.line(), column: error.column() });
    }
    if is_too_deep(value) {
        return Err(JsonError::Depth);
    }
    Ok(value)
}

/// Whether a JSON text nests deeper than [`MAX_DEPTH`].
#[must_use]
pub fn is_too_deep(text: &str) -> bool {
    let text = text.as_bytes();
    // Most texts have fewer brackets than would be needed; counting them is vectorised.
    if text.iter().filter(|b| matches!(b, b'[' | b'{')).count() <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_accepted_without_the_white_space_around_it() {
        for (text, value) in [
            ("null", "null"),
            (" {\"a\": [1, 2]}\r\n", "{\"a\": [1, 2]}"),
            ("\"\\u00e9 é\"", "\"\\u00e9 é\""),
            ("-1.5e3\t", "-1.5e3"),
        ] {
            assert_eq!(check(text.as_bytes()).unwrap(), value);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "{",
            "{} {}",
            "nul",
            "{a:1}",
            "[1,]",
            "01",
            "NaN",
            "'a'",
            "\"a\nb\"",
            "{\"a\":1}x",
            "\u{feff}{}",
            "<html>",
            "\u{a0}1",
        ] {
            assert!(matches!(check(text.as_bytes()), Err(JsonError::Syntax { .. })), "{text}");
        }
        assert_eq!(check(b""), Err(JsonError::Empty));
        assert_eq!(check(b" \n"), Err(JsonError::Empty));
        assert_eq!(check(b"\"\xff\""), Err(JsonError::Utf8));
    }

    #[test]
    fn depth_is_limited_and_brackets_in_strings_do_not_count() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check(nested(128).as_bytes()).is_ok());
        assert_eq!(check(nested(129).as_bytes()), Err(JsonError::Depth));
        assert_eq!(check(nested(1_000_000).as_bytes()), Err(JsonError::Depth));
        let wide = format!("[{}]", vec!["{}"; 1000].join(","));
        assert!(check(wide.as_bytes()).is_ok());
        let quoted = format!("[\"\\\"{}\", []]", "[".repeat(500));
        assert!(check(quoted.as_bytes()).is_ok());
    }
}
