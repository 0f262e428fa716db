//! Listing actions, newest first: a place in an index is a score and an id, so that a page goes on where the one
//! before it ended, whatever came or went meanwhile.

use deadpool_redis::redis::Pipeline;

use super::look::{actions, readable};
use super::{BATCH, Error, Store, keys, reply};
use crate::domain::ActionId;

/// What lists actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Those without outcome, by their deadline.
    Live,
    /// Those with an outcome other than failed, by when it was reached.
    Done,
    /// The failed ones, by when they failed.
    Failed,
}

impl Index {
    fn key(self) -> &'static str {
        match self {
            Self::Live => keys::LIVE,
            Self::Done => keys::DONE,
            Self::Failed => keys::FAILED,
        }
    }
}

/// Where an action is in an index: its score, and its id among those of one score.
pub type Place = (u64, ActionId);

impl Store {
    /// The first entries of some indexes as one list, highest score first, from one on that comes after a place
    /// or has at most a score: at most `most` (at most [`BATCH`]).
    ///
    /// # Errors
    /// When the store is away.
    pub async fn newest(
        &self,
        indexes: &[Index],
        from: &Begin,
        most: usize,
    ) -> Result<Vec<Place>, Error> {
        let most = most.min(BATCH);
        let mut places = Vec::new();
        for index in indexes {
            places.extend(self.entries(*index, from, most).await?);
        }
        places.sort_by(|(at, id), (other, of)| (other, of.as_str()).cmp(&(at, id.as_str())));
        places.truncate(most);
        Ok(places)
    }

    async fn entries(&self, index: Index, from: &Begin, most: usize) -> Result<Vec<Place>, Error> {
        let highest = match from {
            Begin::Start => "+inf".to_owned(),
            Begin::AtMost(score) | Begin::After((score, _)) => score.to_string(),
        };
        let (mut found, mut offset) = (Vec::new(), 0);
        // What has the score of the place, but comes before it, is passed over: as many as reached it in one
        // millisecond.
        loop {
            let mut pipeline = Pipeline::with_capacity(1);
            let command = pipeline.cmd("ZRANGE").arg(index.key()).arg(&highest).arg("-inf");
            command.arg("BYSCORE").arg("REV").arg("LIMIT").arg(offset).arg(BATCH).arg("WITHSCORES");
            let answers = self.link.all(&pipeline).await?;
            let answer = reply::at(&answers, 0)?;
            let entries = readable(index.key(), reply::list(answer).map(<[_]>::len))? / 2;
            let read = actions(readable(index.key(), reply::scored(answer))?);
            found.extend(read.into_iter().filter(|place| from.is_before(place)));
            if found.len() >= most || entries < BATCH {
                found.truncate(most);
                return Ok(found);
            }
            offset += BATCH;
        }
    }
}

/// Where a list begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// With the highest score.
    Start,
    /// With the first that has at most this score.
    AtMost(u64),
    /// With the first after this place.
    After(Place),
}

impl Begin {
    fn is_before(&self, (score, id): &Place) -> bool {
        match self {
            Self::Start => true,
            Self::AtMost(most) => score <= most,
            Self::After((at, of)) => (score, id.as_str()) < (at, of.as_str()),
        }
    }
}
