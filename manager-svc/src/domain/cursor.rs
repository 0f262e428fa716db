//! Where a list was left: opaque to whoever holds it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::id::{ActionId, IdError};

/// The last place that was looked at. It has a time and an id, no rank, so it stays true while entries come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Which of the lists that follow one another.
    pub part: usize,
    /// The time by which that list is ordered, and the action among those of the same time; nothing at its beginning.
    pub place: Option<(u64, ActionId)>,
}

impl Cursor {
    /// The cursor as text.
    #[must_use]
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(match &self.place {
            None => self.part.to_string(),
            Some((at, id)) => format!("{} {at} {id}", self.part),
        })
    }

    /// Reads a cursor.
    ///
    /// # Errors
    /// When it cannot be one that this system gave out.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let read = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let mut words = text.split(' ');
            let part = words.next()?.parse().ok()?;
            let place = match words.next() {
                None => None,
                Some(at) => Some((at.parse().ok()?, ActionId::parse(words.next()?).ok()?)),
            };
            words.next().is_none().then_some(Self { part, place })
        };
        read().ok_or(IdError("is not a cursor: take it from the answer before"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_written_and_nothing_else_does() {
        for place in [None, Some((u64::MAX, ActionId::from_random(7)))] {
            let cursor = Cursor { part: 1, place };
            assert_eq!(Cursor::parse(&cursor.encode()), Ok(cursor));
        }
        let id = ActionId::from_random(1);
        for bad in ["", "a", "-1", "0 1", "0 1 act", &format!("0 -1 {id}"), &format!("0 1 {id} 2")]
        {
            assert!(Cursor::parse(&URL_SAFE_NO_PAD.encode(bad)).is_err(), "{bad}");
            assert!(Cursor::parse(bad).is_err(), "{bad}");
        }
    }
}
