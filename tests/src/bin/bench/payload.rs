//! The data item of the bench: 1 KB of JSON that every stub can find, change and check cheaply.

use std::sync::LazyLock;

/// The length of a data item in bytes.
pub(crate) const LENGTH: usize = 1024;
/// The steps of every action.
pub(crate) const STEPS: u8 = 3;

const MARK: &[u8] = b"{\"hop\":";
const HOP_AT: usize = MARK.len();
const SEQ_AT: usize = HOP_AT + b"0,\"seq\":\"".len();
const SEQ_DIGITS: usize = 8;

/// An item of hop 0 and sequence number 0: all others differ from it in these digits only.
static BLANK: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let head = "{\"hop\":0,\"seq\":\"00000000\",\"pad\":\"";
    let tail = "\"}";
    let pad = "baton ".chars().cycle().take(LENGTH - head.len() - tail.len());
    [head, &pad.collect::<String>(), tail].concat().into_bytes()
});

/// Appends the item with this sequence number, before its first step.
pub(crate) fn push(sequence: usize, text: &mut Vec<u8>) {
    let start = text.len();
    text.extend_from_slice(&BLANK);
    let digits = format!("{sequence:0SEQ_DIGITS$}");
    text[start + SEQ_AT..start + SEQ_AT + SEQ_DIGITS].copy_from_slice(digits.as_bytes());
}

/// The item within a message.
pub(crate) fn find(message: &[u8]) -> Option<&[u8]> {
    let at = message.windows(MARK.len()).position(|window| window == MARK)?;
    message.get(at..at + LENGTH)
}

/// The digits of an item's sequence number: unique while the action lasts.
pub(crate) fn id(item: &[u8]) -> &str {
    std::str::from_utf8(&item[SEQ_AT..SEQ_AT + SEQ_DIGITS]).unwrap_or_default()
}

/// What a processor makes of an item: one hop more.
pub(crate) fn step(item: &[u8]) -> Vec<u8> {
    let mut next = item.to_vec();
    next[HOP_AT] += 1;
    next
}

/// The sequence number of an item that has passed every step unharmed.
pub(crate) fn verified(item: &[u8]) -> Option<usize> {
    let (head, tail) = (..HOP_AT, SEQ_AT + SEQ_DIGITS..);
    let whole = item.len() == LENGTH
        && item[HOP_AT] == b'0' + STEPS
        && item[head] == BLANK[head]
        && item[HOP_AT + 1..SEQ_AT] == BLANK[HOP_AT + 1..SEQ_AT]
        && item[tail.clone()] == BLANK[tail];
    if !whole {
        return None;
    }
    id(item).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_verified_after_its_last_step_only() {
        let mut message = b"{\"data\":".to_vec();
        push(42, &mut message);
        message.extend_from_slice(b"}");
        let mut item = find(&message).unwrap().to_vec();
        for _ in 0..STEPS {
            assert_eq!(verified(&item), None);
            item = step(&item);
        }
        assert_eq!(verified(&item), Some(42));
        item[LENGTH / 2] ^= 1;
        assert_eq!(verified(&item), None);
    }
}
