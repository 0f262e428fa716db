//! Settling an attempt, whoever learned of its end: the dispatcher from a reply, a handler from `/complete`.
//!
//! The same script that settles may claim what follows; then the caller goes on with it, or hands it over.

use bytes::Bytes;

use crate::app::{App, new_nonce, new_token};
use crate::domain::action::Status;
use crate::domain::{Action, Failure, Nonce, Token, TokenHash, backoff};
use crate::store::{
    Claimed, ClaimedDelivery, Ending, Error, Finished, HandOver, Output, Settled, Why,
};
use crate::wake::{Room, Work};

/// What the settling script claimed: work for a loop of this process.
pub(crate) type Follow = Option<Work>;

/// An attempt that failed, as its end was told.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) retryable: bool,
    pub(crate) retry_after_ms: Option<u64>,
}

/// Settles an attempt that succeeded. `room` is for the attempt that may follow; `input` is the step's
/// input where the caller has it, for output that leaves the data as it was.
///
/// # Errors
/// When the store is away: the same call, with the same nonce, may be made again.
pub(crate) async fn succeed(
    app: &App,
    action: &Action,
    token: &TokenHash,
    output: &Output,
    input: Option<&Bytes>,
    room: &mut Option<Room>,
) -> Result<Settled<Follow>, Error> {
    let mut after = action.clone();
    let settled = if let Some(next) = action.next_job() {
        let candidates =
            if room.is_some() { app.registry.candidates(next.target.as_str()) } else { Vec::new() };
        let token_of_next = new_token();
        let wish =
            (!candidates.is_empty()).then(|| HandOver { candidates, token: token_of_next.hash() });
        match app.store.advance(action, token, output, wish.as_ref()).await? {
            Settled::Accepted(advanced) => {
                after.settle(advanced.now, None);
                after.step += 1;
                after.tries = 0;
                take_output(&mut after, output);
                match advanced.claim {
                    Some(assignment) => {
                        let hash = token_of_next.hash();
                        after.claim(hash, assignment.processor.clone(), advanced.now);
                        let data = payload(app, &after, output, input).await?;
                        Settled::Accepted(data.zip(room.take()).map(|(data, room)| {
                            let token = token_of_next;
                            let claimed = Claimed { action: after, assignment, token, data };
                            Work::Attempt(Box::new(claimed), room)
                        }))
                    }
                    None => {
                        app.wake.nudge();
                        Settled::Accepted(None)
                    }
                }
            }
            refused => refused.map(|_| None),
        }
    } else {
        let send = Send::prepare(app, action);
        match app.store.finish(action, token, output, send.ending(app)).await? {
            Settled::Accepted(finished) => {
                after.settle(finished.now, None);
                after.status = Status::Succeeded;
                take_output(&mut after, output);
                Settled::Accepted(send.follow(app, after, &finished, Some(output), input).await?)
            }
            refused => refused.map(|_| None),
        }
    };
    if matches!(settled, Settled::Accepted(_)) {
        app.wake.freed();
    }
    Ok(settled)
}

/// Settles an attempt that failed: another one after a backoff, or the end of the action.
///
/// # Errors
/// When the store is away: the same call, with the same nonce, may be made again.
pub(crate) async fn fail(
    app: &App,
    action: &Action,
    why: Why<'_>,
    nonce: &Nonce,
    failed: &Failed,
    input: Option<&Bytes>,
) -> Result<Settled<Follow>, Error> {
    let again =
        failed.retryable && why != Why::Deadline && action.tries < action.job().max_attempts;
    let settled = if again {
        let backoff = backoff::after_attempt(action.tries, rand::random())
            .max(failed.retry_after_ms.unwrap_or(0));
        let retried = app.store.retry(action, why, nonce, backoff, &failed.failure).await?;
        retried.map(|_| None)
    } else {
        let send = Send::prepare(app, action);
        let ending = send.ending(app);
        match app.store.fail(action, why, nonce, &failed.failure, ending).await? {
            Settled::Accepted(finished) => {
                let mut after = action.clone();
                after.settle(finished.now, Some(failed.failure.clone()));
                after.status = Status::Failed;
                after.error = Some(failed.failure.clone());
                Settled::Accepted(send.follow(app, after, &finished, None, input).await?)
            }
            refused => refused.map(|_| None),
        }
    };
    if matches!(settled, Settled::Accepted(_)) {
        app.wake.freed();
    }
    Ok(settled)
}

/// A delivery that may be claimed with the outcome.
struct Send {
    room: Option<Room>,
    token: TokenHash,
}

impl Send {
    fn prepare(app: &App, action: &Action) -> Self {
        let room = action.receiver.as_ref().and_then(|_| app.wake.delivery_room());
        Self { room, token: Token::hash(&new_token()) }
    }

    fn ending(&self, app: &App) -> Ending<'_> {
        Ending {
            token: self.room.as_ref().map(|_| &self.token),
            lease_ms: delivery_lease_ms(app),
            retention_ms: app.config.retention.retention_ms,
        }
    }

    async fn follow(
        self,
        app: &App,
        mut after: Action,
        finished: &Finished,
        output: Option<&Output>,
        input: Option<&Bytes>,
    ) -> Result<Follow, Error> {
        app.wake.outcome();
        after.ended_at = Some(finished.now);
        let Some(room) = self.room.filter(|_| finished.claimed) else {
            if after.receiver.is_some() {
                app.wake.nudge();
            }
            return Ok(None);
        };
        after.delivery.tries = 1;
        let data = match output {
            Some(output) => payload(app, &after, output, input).await?,
            None => match input {
                Some(data) => Some(data.clone()),
                None => app.store.payload(&after.id, &after.data).await?,
            },
        };
        Ok(data.map(|data| {
            let claimed = ClaimedDelivery { action: after, data, token: self.token };
            Work::Delivery(Box::new(claimed), room)
        }))
    }
}

/// How long a delivery may take before another manager sends it again, in milliseconds.
pub(crate) fn delivery_lease_ms(app: &App) -> u64 {
    app.config.delivery.timeout_ms + 10_000
}

fn take_output(after: &mut Action, output: &Output) {
    if output.data.is_some() {
        after.data = output.nonce.clone();
    }
}

/// What the next step gets: the output, or the input where that stays.
async fn payload(
    app: &App,
    after: &Action,
    output: &Output,
    input: Option<&Bytes>,
) -> Result<Option<Bytes>, Error> {
    match output.data.as_ref().or(input) {
        Some(data) => Ok(Some(data.clone())),
        None => app.store.payload(&after.id, &after.data).await,
    }
}

/// The output of one request to settle.
pub(crate) fn output(data: Option<Bytes>) -> Output {
    Output { nonce: new_nonce(), data }
}
