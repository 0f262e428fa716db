//! Transitions that are asked for while another one is under way go together in one script.
//!
//! Most of what a script costs the server is calls that are the same for every action in it: the clock, the processor,
//! the queues. So what waits for the store is sent as one, as databases commit in groups; while little is under way
//! nobody waits. Each is made as if it were alone: whether it is refused is its own affair.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;
use deadpool_redis::redis::{Arg, Cmd, Pipeline, RedisError, ServerError, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::link::Link;
use super::script::{self, Args as _, Script};
use super::{Error, keys, reply};

/// How many are under way at most: one in the server, one on its way, one being made.
const FLIGHTS: usize = 3;
/// How many transitions go together at most: more would hardly be cheaper each, and let the rest stand still.
const MOST: usize = 24;
/// A server may refuse a request with more arguments (ElastiCache Serverless: 3,999).
const ARGUMENTS: usize = 3_000;
/// What is sent in one write, in bytes of payloads and arguments, unless one transition alone has more.
const BYTES: usize = 1 << 20;

/// The scripts that take several transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Actions are accepted.
    Submission,
    /// An attempt is settled.
    Attempt,
    /// A delivery is settled.
    Delivery,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Attempt, Self::Delivery, Self::Submission];

    /// The script, and the keys before those of each transition.
    fn script(self) -> (&'static Script, &'static [&'static str]) {
        match self {
            Self::Submission => (
                &script::SUBMIT_ACTIONS,
                &[keys::SEQ, keys::LIVE, keys::TARGETS, keys::DELAYED, keys::MARKS],
            ),
            Self::Attempt => (
                &script::SETTLE_ATTEMPTS,
                &[keys::SEQ, keys::TARGETS, keys::LIVE, keys::DONE, keys::RECEIVERS],
            ),
            Self::Delivery => (&script::SETTLE_DELIVERIES, &[keys::RECEIVERS]),
        }
    }
}

/// One transition: its part of a script's keys and arguments.
#[derive(Debug)]
pub(super) struct Transition {
    pub(super) kind: Kind,
    /// Payloads to be written before, each with its key.
    pub(super) payloads: Vec<(String, Bytes)>,
    pub(super) keys: Vec<String>,
    /// No command, but what is appended to one.
    pub(super) arguments: Cmd,
}

impl Transition {
    /// What no other transition of the same script may touch: the (first) action, the idempotency record.
    fn alone(&self) -> impl Iterator<Item = &str> {
        let names = match self.kind {
            Kind::Submission => 2,
            Kind::Attempt | Kind::Delivery => 1,
        };
        self.keys.iter().take(names).map(String::as_str).filter(|key| *key != keys::NONE)
    }

    fn arguments(&self) -> usize {
        self.keys.len() + self.arguments.args_iter().len()
    }

    fn bytes(&self) -> usize {
        let payloads = self.payloads.iter().map(|(_, data)| data.len()).sum::<usize>();
        let length = |argument| match argument {
            Arg::Simple(bytes) => <[u8]>::len(bytes),
            _ => 0,
        };
        payloads + self.arguments.args_iter().map(length).sum::<usize>()
    }
}

/// Where transitions are asked for. Cheap to clone.
#[derive(Clone)]
pub(super) struct Together(mpsc::UnboundedSender<Asked>);

struct Asked {
    transition: Transition,
    answer: oneshot::Sender<Result<Value, Error>>,
}

impl Asked {
    fn tell(self, answer: Result<Value, Error>) {
        // A caller that is gone has no use for it.
        let _ = self.answer.send(answer);
    }
}

impl Together {
    /// Starts to send what is asked for, until nobody can ask any more.
    pub(super) fn over(link: Link) -> Self {
        let (asked, queue) = mpsc::unbounded_channel();
        tokio::spawn(send_on(link, queue));
        Self(asked)
    }

    /// Makes a transition; answers its part of the script's answer.
    pub(super) async fn make(&self, transition: Transition) -> Result<Value, Error> {
        let (answer, answered) = oneshot::channel();
        let closed = Error::Answer("the store is closed");
        self.0.send(Asked { transition, answer }).map_err(|_| closed.clone())?;
        answered.await.map_err(|_| closed)?
    }
}

async fn send_on(link: Link, mut queue: mpsc::UnboundedReceiver<Asked>) {
    let (mut waiting, mut flights) = (VecDeque::new(), JoinSet::new());
    loop {
        while flights.len() < FLIGHTS && !waiting.is_empty() {
            flights.spawn(answer(link.clone(), next(&mut waiting)));
        }
        tokio::select! {
            asked = queue.recv() => match asked {
                Some(asked) => waiting.push_back(asked),
                None => return,
            },
            Some(landed) = flights.join_next() => match landed {
                Ok(Ok(())) => {}
                // What waits would only meet the same, later: its callers know how long they try.
                Ok(Err(away)) => waiting.drain(..).for_each(|asked| asked.tell(Err(away.clone()))),
                Err(error) => tracing::error!(%error, "sending to the store ended"),
            }
        }
        while let Ok(more) = queue.try_recv() {
            waiting.push_back(more);
        }
        waiting.retain(|asked| !asked.answer.is_closed());
    }
}

/// Sends what goes together and tells each caller; fails when the store is away.
async fn answer(link: Link, batch: Vec<Asked>) -> Result<(), Error> {
    let (transitions, callers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|asked| (asked.transition, asked.answer)).unzip();
    let made = make(&link, &transitions).await;
    let (answers, landed) = match made {
        Ok(answers) => (answers.into_iter().map(reply::checked).collect(), Ok(())),
        Err(error) => (vec![Err(error.clone()); callers.len()], Err(error)),
    };
    for (caller, answer) in callers.into_iter().zip::<Vec<_>>(answers) {
        // A caller that is gone has no use for it.
        let _ = caller.send(answer);
    }
    landed
}

/// Takes what goes together from what waits. What is passed over keeps its place, and none of its kind or name
/// overtakes it.
fn next(waiting: &mut VecDeque<Asked>) -> Vec<Asked> {
    let (mut batch, mut rest) = (Vec::new(), VecDeque::new());
    let (mut names, mut full, mut bytes) = (HashSet::new(), HashSet::new(), 0);
    let mut sizes: HashMap<Kind, (usize, usize)> = HashMap::new();
    for asked in waiting.drain(..) {
        let one = &asked.transition;
        let (count, arguments) = sizes.get(&one.kind).copied().unwrap_or_default();
        let (more, heavier) = (arguments + one.arguments(), bytes + one.bytes());
        let alone =
            one.alone().filter(|name| !names.insert((one.kind, (*name).to_owned()))).count() == 0;
        let has_room = count < MOST && more <= ARGUMENTS && heavier <= BYTES;
        if batch.is_empty() || alone && has_room && !full.contains(&one.kind) {
            sizes.insert(one.kind, (count + 1, more));
            bytes = heavier;
            batch.push(asked);
        } else {
            if !has_room {
                full.insert(one.kind);
            }
            rest.push_back(asked);
        }
    }
    *waiting = rest;
    batch
}

/// Makes transitions that go together: one round trip.
async fn make(link: &Link, transitions: &[Transition]) -> Result<Vec<Value>, Error> {
    let of_kind =
        |kind| (0..transitions.len()).filter(|at| transitions[*at].kind == kind).collect();
    let mut groups: Vec<Vec<usize>> = Kind::ALL.map(of_kind).into();
    groups.retain(|group| !group.is_empty());
    let mut answers = vec![Value::Nil; transitions.len()];
    let failed = send(link, transitions, &groups, &mut answers).await?;
    if !failed.is_empty() {
        // One of them makes the script fail (a damaged record), and must not be the others' affair: each by itself.
        let each: Vec<_> = failed.into_iter().map(|at| vec![at]).collect();
        send(link, transitions, &each, &mut answers).await?;
    }
    Ok(answers)
}

/// Sends one script for each group, and notes the answers. Answers which had company in a script that failed.
async fn send(
    link: &Link,
    transitions: &[Transition],
    groups: &[Vec<usize>],
    answers: &mut [Value],
) -> Result<Vec<usize>, Error> {
    let mut pipeline = Pipeline::new();
    for (key, data) in groups.iter().flatten().flat_map(|at| &transitions[*at].payloads) {
        pipeline.add_command(set_payload(key, data));
    }
    let payloads = pipeline.len();
    for group in groups {
        pipeline.add_command(command(group.iter().map(|at| &transitions[*at])));
    }
    let replies = link.all(&pipeline).await?;
    let mut failed = Vec::new();
    for (group, reply) in groups.iter().zip(replies.into_iter().skip(payloads)) {
        match reply {
            Value::Array(items) if items.len() == group.len() => {
                for (at, item) in group.iter().zip(items) {
                    answers[*at] = item;
                }
            }
            // The server's affair, and so everybody's: they all may be sent again.
            Value::ServerError(error) if is_away(&error) => {
                for at in group {
                    answers[*at] = Value::ServerError(error.clone());
                }
            }
            _ if group.len() > 1 => failed.extend(group),
            other => answers[group[0]] = other,
        }
    }
    Ok(failed)
}

fn is_away(error: &ServerError) -> bool {
    matches!(Error::from(RedisError::from(error.clone())), Error::Away(_) | Error::Full(_))
}

/// The script's call for transitions of one kind.
fn command<'t>(group: impl ExactSizeIterator<Item = &'t Transition> + Clone) -> Cmd {
    let Some(kind) = group.clone().next().map(|first| first.kind) else { return Cmd::new() };
    let (script, first) = kind.script();
    let each = group.clone().flat_map(|transition| transition.keys.iter().map(String::as_str));
    let keys: Vec<&str> = first.iter().copied().chain(each).collect();
    let mut cmd = script.call(&keys).with(group.len());
    for argument in group.flat_map(|transition| transition.arguments.args_iter()) {
        // There are no cursors in here.
        if let Arg::Simple(bytes) = argument {
            cmd.arg(bytes);
        }
    }
    cmd
}

/// Writes a payload under its own name. `NX`: sent again, it must not put a TTL on a payload in use.
fn set_payload(key: &str, data: &[u8]) -> Cmd {
    let mut cmd = Cmd::with_capacity(6, key.len() + data.len() + 32);
    cmd.arg("SET").arg(key).arg(data).arg("NX").arg("PX").arg(600_000);
    cmd
}
