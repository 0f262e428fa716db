//! The requests of the Redis protocol (its second version).

/// One command on its way to Redis: its name and its arguments.
#[derive(Debug, Clone)]
pub struct Command(pub(crate) Vec<Vec<u8>>);

impl Command {
    /// The argument at `index` as text; the command's name is argument 0.
    #[must_use]
    pub fn text(&self, index: usize) -> &str {
        self.0.get(index).and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default()
    }

    /// Whether it is this command, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.text(0).eq_ignore_ascii_case(name)
    }

    /// Whether any argument contains `needle`.
    #[must_use]
    pub fn mentions(&self, needle: &str) -> bool {
        let needle = needle.as_bytes();
        self.0.iter().any(|part| part.windows(needle.len()).any(|window| window == needle))
    }

    /// Puts `by` in the place of every argument that is `what`; answers whether there was one.
    pub fn replace(&mut self, what: &str, by: &str) -> bool {
        let mut replaced = false;
        for part in self.0.iter_mut().skip(1).filter(|part| **part == *what.as_bytes()) {
            *part = by.as_bytes().to_vec();
            replaced = true;
        }
        replaced
    }
}

/// A command as it travels.
pub(crate) fn pack(command: &Command) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.0.len()).into_bytes();
    for part in &command.0 {
        bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The first command of `bytes` and its length, if it is there whole.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Command, usize)> {
    let (count, mut at) = header(bytes, b'*')?;
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, used) = header(bytes.get(at..)?, b'$')?;
        at += used;
        parts.push(bytes.get(at..at + length)?.to_vec());
        at += length + 2;
    }
    (at <= bytes.len()).then_some((Command(parts), at))
}

/// A line of a mark and a number: the number, and the line's length.
fn header(bytes: &[u8], mark: u8) -> Option<(usize, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (first, digits) = bytes[..end].split_first()?;
    assert_eq!(*first, mark, "clients send arrays of bulk strings");
    let number = std::str::from_utf8(digits).ok()?.parse().expect("a length");
    Some((number, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_parsed_only_when_it_is_whole() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*1\r\n";
        for end in 0..23 {
            assert!(parse(&bytes[..end]).is_none(), "{end}");
        }
        let (command, length) = parse(bytes).unwrap();
        assert_eq!(length, 23);
        assert!(command.is("get") && command.mentions("\r\n"));
        assert_eq!(command.text(1), "a\r\nb");
    }
}
