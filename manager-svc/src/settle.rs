//! Settling an attempt, whoever learned of its end: the dispatcher from a reply, a handler from `/complete`.
//!
//! The same script that settles may claim what follows; then this process goes on with it.

use bytes::Bytes;

use crate::app::{App, new_nonce, new_token};
use crate::domain::action::Status;
use crate::domain::{Action, Failure, Nonce, OnFailure, Token, TokenHash, backoff};
use crate::store::{
    Candidate, Claimed, ClaimedDelivery, Ending, Error, Finished, HandOver, Output, Settled,
    StepEnd, Why,
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
    /// A new request. What follows is claimed along where this process has room for it; a stop ends chains
    /// too: then what is next waits in its queue.
    pub(crate) fn new(app: &App, action: &Action) -> Self {
        let next = action.next_job().map(|job| job.target.as_str());
        let dispatch = next.and_then(|target| app.wake.dispatch_room(target));
        let candidates = match (&dispatch, next) {
            (Some(_), Some(target)) => app.registry.candidates(target),
            _ => Vec::new(),
        };
        let receiver = action.receiver.as_ref().filter(|_| next.is_none());
        let delivery = receiver.and_then(|receiver| app.wake.delivery_room(&receiver.host));
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
    go_on(app, action, request, StepEnd::succeeded(token, &output), input).await
}

/// Settles an attempt that failed: another one after a backoff, or else what the job says, the end of the
/// action or the next step.
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
    let of_attempt = match why {
        Why::Token(_) | Why::Lease(_) => true,
        Why::Deadline | Why::Cancel => false,
    };
    if of_attempt && failed.retryable && action.tries < action.job().max_attempts {
        let backoff = backoff::after_attempt(action.tries, rand::random())
            .max(failed.retry_after_ms.unwrap_or(0).min(backoff::MAX_MS));
        let retried = app.store.retry(action, why, &request.nonce, backoff, &failed.failure);
        let settled = retried.await?.map(|_| Follow::Nothing);
        // When it is ready again a loop must know, also one that sleeps until something else is due.
        app.wake.nudge();
        freed(app, action);
        return Ok(settled);
    }
    if of_attempt && action.job().on_failure == OnFailure::Skip {
        let output = Output { nonce: request.nonce.clone(), data: None };
        let end = StepEnd { why, output: &output, skipped: Some(&failed.failure) };
        return go_on(app, action, request, end, input).await;
    }
    let hash = request.follow.hash();
    let ending = ending(app, request, &hash);
    let ended = app.store.end(action, why, &request.nonce, &failed.failure, ending).await?;
    let settled = match ended {
        Settled::Accepted(finished) => {
            let mut after = action.clone();
            after.settle(finished.now, Some(failed.failure.clone()));
            after.status = if why == Why::Cancel { Status::Cancelled } else { Status::Failed };
            after.error = Some(failed.failure.clone());
            Settled::Accepted(outcome(app, after, &finished, hash, input).await?)
        }
        refused => refused.map(|_| Follow::Nothing),
    };
    freed(app, action);
    Ok(settled)
}

/// Settles a step that the action goes on from: with the next step, or the outcome.
async fn go_on(
    app: &App,
    action: &Action,
    request: &Request,
    end: StepEnd<'_>,
    input: Option<&Bytes>,
) -> Result<Settled<Follow>, Error> {
    let data = end.output.data.as_ref().or(input);
    let mut after = action.clone();
    if end.output.data.is_some() {
        after.data = end.output.nonce.clone();
    }
    let settled = if action.next_job().is_some() {
        let hand_over = request.hand_over();
        match app.store.advance(action, end, hand_over.as_ref()).await? {
            Settled::Accepted(advanced) => {
                after.settle(advanced.now, end.skipped.cloned());
                after.step += 1;
                after.tries = 0;
                if let Some(assignment) = advanced.claim {
                    let token = request.follow.clone();
                    after.claim(token.hash(), assignment.processor.clone(), advanced.now);
                    let data = payload(app, &after, data).await?;
                    Settled::Accepted(data.map_or(Follow::Nothing, |data| {
                        Follow::Attempt(Box::new(Claimed {
                            action: after,
                            assignment,
                            token,
                            data,
                        }))
                    }))
                } else {
                    app.wake.nudge();
                    Settled::Accepted(Follow::Nothing)
                }
            }
            refused => refused.map(|_| Follow::Nothing),
        }
    } else {
        let partial = end.skipped.is_some() || action.has_skipped();
        let status = if partial { Status::Partial } else { Status::Succeeded };
        let hash = request.follow.hash();
        match app.store.finish(action, end, status, ending(app, request, &hash)).await? {
            Settled::Accepted(finished) => {
                after.settle(finished.now, end.skipped.cloned());
                after.status = status;
                Settled::Accepted(outcome(app, after, &finished, hash, data).await?)
            }
            refused => refused.map(|_| Follow::Nothing),
        }
    };
    freed(app, action);
    Ok(settled)
}

/// Whoever held the attempt has room again.
fn freed(app: &App, action: &Action) {
    if let Some(running) = &action.attempt {
        app.wake.freed(&running.processor);
    }
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
    app.wake.outcome(&after.id);
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
