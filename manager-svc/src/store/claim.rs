//! Claims: attempts of queued actions, and hand-over.

use bytes::Bytes;
use deadpool_redis::redis::{Cmd, Pipeline, Value};

use super::script::{self, Args};
use super::{Error, Store, codec, keys, reply};
use crate::domain::{Action, ActionId, Token, TokenHash};

/// A processor that might take the next step at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The wish to claim what becomes ready, in the same script.
#[derive(Debug, Clone)]
pub struct HandOver {
    /// At most four; more cost more than they find.
    pub candidates: Vec<Candidate>,
    /// The new attempt's (or delivery's) token.
    pub token: TokenHash,
}

/// Where a claimed attempt goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The processor's id.
    pub processor: String,
    /// Its URL at the time of the claim.
    pub url: String,
}

/// What to claim for one processor.
#[derive(Debug)]
pub struct ClaimAsk {
    /// The processor.
    pub processor: Candidate,
    /// When its queues were looked at, by the store's clock.
    pub seen_at: u64,
    /// Actions at the head of its queues, in the order to claim them, each with the sequence number that was
    /// seen and a new token.
    pub actions: Vec<(ActionId, u64, Token)>,
}

/// A claimed attempt with all that its dispatch needs.
#[derive(Debug)]
pub struct Claimed {
    /// The action, as claimed.
    pub action: Action,
    /// Where it goes.
    pub assignment: Assignment,
    /// Its token.
    pub token: Token,
    /// The step's input.
    pub data: Bytes,
}

/// What several claims brought.
#[derive(Debug)]
pub struct Claims<T> {
    /// What was claimed, each with its payload.
    pub whole: Vec<T>,
    /// Claimed, but the payload is gone, which no script does: with the token that settles it.
    pub bare: Vec<(Action, TokenHash)>,
}

impl<T> Default for Claims<T> {
    fn default() -> Self {
        Self { whole: Vec::new(), bare: Vec::new() }
    }
}

impl HandOver {
    /// The keys of the candidates, four each.
    pub(super) fn keys(&self) -> impl Iterator<Item = String> {
        self.candidates.iter().flat_map(|candidate| {
            [
                keys::processor(&candidate.id),
                keys::pending(&candidate.id),
                keys::input(&candidate.id),
                keys::input(&candidate.name),
            ]
        })
    }
}

/// Reads `number, url` of the candidate that was chosen, or `0`, from the third place of an answer.
pub(super) fn assignment(
    items: &[Value],
    hand_over: Option<&HandOver>,
) -> Result<Option<Assignment>, Error> {
    let Some(before) = reply::number(reply::at(items, 2)?)?.checked_sub(1) else { return Ok(None) };
    let unknown = Error::Answer("no candidate has this number");
    let candidates = hand_over.map_or(&[][..], |wish| &wish.candidates);
    let chosen = usize::try_from(before).ok().and_then(|at| candidates.get(at)).ok_or(unknown)?;
    Ok(Some(Assignment {
        processor: chosen.id.clone(),
        url: reply::text(reply::at(items, 3)?)?.to_owned(),
    }))
}

impl Store {
    /// Claims queued actions for several processors: one round trip for the claims, one for their payloads.
    /// A claim that the server refuses is reported, and does not hide the others.
    ///
    /// # Errors
    /// When the store is away: the same call may be made again; else leases bring back what was claimed.
    pub async fn claim_attempts(&self, asks: &[ClaimAsk]) -> Result<Claims<Claimed>, Error> {
        let mut pipeline = Pipeline::with_capacity(asks.len());
        for ask in asks {
            pipeline.add_command(claim_command(ask));
        }
        let answers = self.link.all(&pipeline).await?;
        let mut records = Vec::new();
        for (ask, answer) in asks.iter().zip(answers) {
            let read = claimed(ask, &answer);
            match read {
                Err(Error::Away(_) | Error::Full(_)) => return read.map(|_| Claims::default()),
                Err(error) => {
                    tracing::error!(processor = ask.processor.id, %error, "a claim was refused");
                }
                Ok(claimed) => records.extend(claimed),
            }
        }
        let keys: Vec<_> = records.iter().map(|(a, ..)| keys::data(&a.id, &a.data)).collect();
        let mut claims = Claims::default();
        for ((action, assignment, token), data) in
            records.into_iter().zip(self.payloads(&keys).await?)
        {
            match data {
                Some(data) => claims.whole.push(Claimed { action, assignment, token, data }),
                None => claims.bare.push((action, token.hash())),
            }
        }
        Ok(claims)
    }

    /// Reads payloads, all in one round trip.
    pub(super) async fn payloads(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut cmd = Cmd::new();
        cmd.arg("MGET").arg(keys);
        match self.link.one(cmd).await? {
            Value::Array(items) => items.into_iter().map(reply::payload).collect(),
            _ => Err(Error::Answer("a list of payloads was expected")),
        }
    }
}

/// Reads the answer to one ask.
fn claimed(ask: &ClaimAsk, answer: &Value) -> Result<Vec<(Action, Assignment, Token)>, Error> {
    let items = reply::list(answer)?;
    let url = reply::text(reply::at(items, 0)?)?;
    let mut claims = Vec::new();
    for ((id, _, token), record) in ask.actions.iter().zip(items.iter().skip(2)) {
        if let Some(action) = codec::decode_if_whole(id, &reply::fields(record)?) {
            let assignment =
                Assignment { processor: ask.processor.id.clone(), url: url.to_owned() };
            claims.push((action, assignment, token.clone()));
        }
    }
    Ok(claims)
}

fn claim_command(ask: &ClaimAsk) -> Cmd {
    let Candidate { id, name } = &ask.processor;
    let mut keys = vec![
        keys::processor(id),
        keys::pending(id),
        keys::input(id),
        keys::input(name),
        keys::TARGETS.to_owned(),
    ];
    keys.extend(ask.actions.iter().map(|(action, ..)| keys::action(action)));
    let cmd = script::CLAIM_ATTEMPTS.call(&keys).with(id).with(name).with(ask.seen_at);
    ask.actions.iter().fold(cmd, |cmd, (action, seq, token)| {
        cmd.with(action.as_str()).with(token.hash().as_str()).with(*seq)
    })
}
