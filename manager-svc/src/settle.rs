//! Settling an attempt, whoever learned of its end: the dispatcher from a reply, a handler from `/complete`.
//!
//! The same script that settles may claim what follows; then this process goes on with it.

use bytes::Bytes;

use crate::app::{App, new_nonce, new_token};
use crate::domain::action::Status;
use crate::domain::{Action, Failure, Nonce, Token, TokenHash, backoff};
use crate::store::{
    Candidate, Claimed, ClaimedDelivery, Ending, Error, Finished, HandOver, Output, Settled, Why,
};
use crate::wake::{Room, Work};

/// All that one request to settle is made of, decided once: made again, it is the same request, and finds
/// what it claimed the first time.
#[derive(Debug)]
pub(crate) struct Request {
    nonce: Nonce,
    /// The token of the attempt or delivery that follows.
    follow: Token,
    candidates: Vec<Candidate>,
    dispatch: Option<Room>,
    delivery: Option<Room>,
}

/// What the settling script claimed.
#[derive(Debug)]
pub(crate) enum Follow {
    /// Nothing: it waits in a queue, or nothing follows.
    Nothing,
    /// The next step's attempt.
    Attempt(Box<Claimed>),
    /// The outcome's delivery.
    Delivery(Box<ClaimedDelivery>),
}

/// An attempt that failed, as its end was told.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) retryable: bool,
    pub(crate) retry_after_ms: Option<u64>,
}

impl Request {
    /// A new request. With room for an attempt the next step may be claimed along.
    pub(crate) fn new(app: &App, action: &Action, dispatch: Option<Room>) -> Self {
        let candidates = match (&dispatch, action.next_job()) {
            // A stop ends chains too: what is next waits in its queue.
            (Some(_), Some(next)) if !app.wake.is_closed() => {
                app.registry.candidates(next.target.as_str())
            }
            _ => Vec::new(),
        };
        let delivery = action.receiver.as_ref().and_then(|_| app.wake.delivery_room());
        Self { nonce: new_nonce(), follow: new_token(), candidates, dispatch, delivery }
    }

    /// What follows, with the room for it.
    pub(crate) fn into_work(self, follow: Follow) -> Option<Work> {
        match follow {
            Follow::Nothing => None,
            Follow::Attempt(claimed) => Some(Work::Attempt(claimed, self.dispatch?)),
            Follow::Delivery(claimed) => Some(Work::Delivery(claimed, self.delivery?)),
        }
    }

    fn hand_over(&self) -> Option<HandOver> {
        (!self.candidates.is_empty())
            .then(|| HandOver { candidates: self.candidates.clone(), token: self.follow.hash() })
    }
}

/// Settles an attempt that succeeded with `output`, or without one where the data stays as it was; `input`
/// is the step's input where the caller has it.
///
/// # Errors
/// When the store is away: the same request may be made again.
pub(crate) async fn succeed(
    app: &App,
    action: &Action,
    token: &TokenHash,
    request: &Request,
    output: Option<&Bytes>,
    input: Option<&Bytes>,
) -> Result<Settled<Follow>, Error> {
    let output = Output { nonce: request.nonce.clone(), data: output.cloned() };
    let data = output.data.as_ref().or(input);
    let mut after = action.clone();
    if output.data.is_some() {
        after.data = output.nonce.clone();
    }
    let settled = if action.next_job().is_some() {
        let hand_over = request.hand_over();
        match app.store.advance(action, token, &output, hand_over.as_ref()).await? {
            Settled::Accepted(advanced) => {
                after.settle(advanced.now, None);
                after.step += 1;
                after.tries = 0;
                let Some(assignment) = advanced.claim else {
                    app.wake.nudge();
                    app.wake.freed();
                    return Ok(Settled::Accepted(Follow::Nothing));
                };
                after.claim(request.follow.hash(), assignment.processor.clone(), advanced.now);
                let data = payload(app, &after, data).await?;
                let token = request.follow.clone();
                Settled::Accepted(data.map_or(Follow::Nothing, |data| {
                    Follow::Attempt(Box::new(Claimed { action: after, assignment, token, data }))
                }))
            }
            refused => refused.map(|_| Follow::Nothing),
        }
    } else {
        let hash = request.follow.hash();
        match app.store.finish(action, token, &output, ending(app, request, &hash)).await? {
            Settled::Accepted(finished) => {
                after.settle(finished.now, None);
                after.status = Status::Succeeded;
                Settled::Accepted(outcome(app, after, &finished, hash, data).await?)
            }
            refused => refused.map(|_| Follow::Nothing),
        }
    };
    app.wake.freed();
    Ok(settled)
}

/// Settles an attempt that failed: another one after a backoff, or the end of the action.
///
/// # Errors
/// When the store is away: the same request may be made again.
pub(crate) async fn fail(
    app: &App,
    action: &Action,
    why: Why<'_>,
    request: &Request,
    failed: &Failed,
    input: Option<&Bytes>,
) -> Result<Settled<Follow>, Error> {
    let again =
        failed.retryable && why != Why::Deadline && action.tries < action.job().max_attempts;
    let settled = if again {
        let backoff = backoff::after_attempt(action.tries, rand::random())
            .max(failed.retry_after_ms.unwrap_or(0).min(backoff::MAX_MS));
        let retried = app.store.retry(action, why, &request.nonce, backoff, &failed.failure);
        retried.await?.map(|_| Follow::Nothing)
    } else {
        let hash = request.follow.hash();
        let ending = ending(app, request, &hash);
        match app.store.fail(action, why, &request.nonce, &failed.failure, ending).await? {
            Settled::Accepted(finished) => {
                let mut after = action.clone();
                after.settle(finished.now, Some(failed.failure.clone()));
                after.status = Status::Failed;
                after.error = Some(failed.failure.clone());
                Settled::Accepted(outcome(app, after, &finished, hash, input).await?)
            }
            refused => refused.map(|_| Follow::Nothing),
        }
    };
    app.wake.freed();
    Ok(settled)
}

fn ending<'r>(app: &App, request: &'r Request, token: &'r TokenHash) -> Ending<'r> {
    Ending {
        token: request.delivery.as_ref().map(|_| token),
        lease_ms: delivery_lease_ms(app),
        retention_ms: app.config.retention.retention_ms,
    }
}

/// An outcome was reached: its delivery, if the script claimed it.
async fn outcome(
    app: &App,
    mut after: Action,
    finished: &Finished,
    token: TokenHash,
    data: Option<&Bytes>,
) -> Result<Follow, Error> {
    app.wake.outcome();
    if !finished.claimed {
        if after.receiver.is_some() {
            app.wake.nudge();
        }
        return Ok(Follow::Nothing);
    }
    after.ended_at = Some(finished.now);
    after.delivery.tries = 1;
    let data = payload(app, &after, data).await?;
    Ok(data.map_or(Follow::Nothing, |data| {
        Follow::Delivery(Box::new(ClaimedDelivery { action: after, data, token }))
    }))
}

/// How long a delivery may take before another manager sends it again, in milliseconds.
pub(crate) fn delivery_lease_ms(app: &App) -> u64 {
    app.config.delivery.timeout_ms + 10_000
}

/// The current payload: as the caller holds it, or as it is stored.
async fn payload(app: &App, action: &Action, held: Option<&Bytes>) -> Result<Option<Bytes>, Error> {
    match held {
        Some(data) => Ok(Some(data.clone())),
        None => app.store.payload(&action.id, &action.data).await,
    }
}
