//! Going through actions, newest first: a bounded number of records per request, and a cursor to go on.

use crate::app::App;
use crate::domain::{Action, Cursor, IdError};
use crate::error::{ApiError, Kind};
use crate::store::{BATCH, Begin, Index};

/// How many records one request looks at.
pub(super) const LOOKED_AT: usize = 1_000;

/// Where to go through, and how far.
#[derive(Debug)]
pub(super) struct Walk {
    /// Lists that follow one another; each is some indexes as one.
    pub(super) parts: &'static [&'static [Index]],
    /// Where to begin: the part, and the place in it.
    pub(super) part: usize,
    /// See `part`.
    pub(super) begin: Begin,
    /// The lowest time of an entry, in milliseconds since the Unix epoch.
    pub(super) since: u64,
}

/// What a part of the way brought.
#[derive(Debug)]
pub(super) struct Found {
    /// What was taken.
    pub(super) actions: Vec<Action>,
    /// Where to go on; nothing at the end of the way.
    pub(super) cursor: Option<Cursor>,
}

impl Walk {
    /// A way over these lists, from a cursor on or from their beginning.
    pub(super) fn over(
        parts: &'static [&'static [Index]],
        text: Option<&str>,
        field: &str,
    ) -> Result<Self, ApiError> {
        let (part, begin) = match cursor(text, field)? {
            None => (0, Begin::Start),
            Some(Cursor { part, place: None }) => (part, Begin::Start),
            Some(Cursor { part, place: Some(place) }) => (part, Begin::After(place)),
        };
        if part >= parts.len() {
            let message = "is the cursor of another list";
            return Err(ApiError::field(Kind::InvalidRequest, field, message));
        }
        Ok(Self { parts, part, begin, since: 0 })
    }

    /// Takes at most `most` actions out of the next `looks` entries, or of as many as there are.
    pub(super) async fn go(
        &mut self,
        app: &App,
        most: usize,
        looks: usize,
        wanted: impl Fn(&Action) -> bool,
    ) -> Result<Found, ApiError> {
        let (mut taken, mut looked) = (Vec::new(), 0);
        while self.part < self.parts.len() && taken.len() < most && looked < looks {
            // Often every entry is wanted; when not, few round trips are better than few records.
            let size = if looked == 0 { most } else { BATCH }.min(BATCH).min(looks - looked);
            let mut places = app.store.newest(self.parts[self.part], &self.begin, size).await?;
            let is_last = places.len() < size;
            places.retain(|(at, _)| *at >= self.since);
            let ids: Vec<_> = places.iter().map(|(_, id)| id.clone()).collect();
            looked += ids.len();
            let seen = if ids.is_empty() { Vec::new() } else { app.store.actions(&ids).await? };
            for (place, action) in places.into_iter().zip(seen) {
                if taken.len() == most {
                    return Ok(Found { actions: taken, cursor: self.cursor() });
                }
                taken.extend(action.filter(&wanted));
                self.begin = Begin::After(place);
            }
            if is_last || ids.len() < size {
                self.part += 1;
                self.begin = Begin::Start;
            }
        }
        Ok(Found { actions: taken, cursor: self.cursor() })
    }

    fn cursor(&self) -> Option<Cursor> {
        let place = match &self.begin {
            Begin::After(place) => Some(place.clone()),
            Begin::Start | Begin::AtMost(_) => None,
        };
        (self.part < self.parts.len()).then_some(Cursor { part: self.part, place })
    }

    /// Only entries of at least and at most so long ago, where that is given, in milliseconds.
    pub(super) fn within(&mut self, now: u64, older: Option<u64>, newer: Option<u64>) {
        if let (Begin::Start, Some(older)) = (&self.begin, older) {
            self.begin = Begin::AtMost(now.saturating_sub(older));
        }
        self.since = newer.map_or(0, |newer| now.saturating_sub(newer));
    }
}

/// Reads a cursor, if there is one.
fn cursor(text: Option<&str>, field: &str) -> Result<Option<Cursor>, ApiError> {
    let refuse = |error: IdError| ApiError::field(Kind::InvalidRequest, field, error.to_string());
    text.map(Cursor::parse).transpose().map_err(refuse)
}
