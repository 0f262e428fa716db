//! What must be true of every action and every processor, however calls follow on each other: kept apart from what
//! the store holds, and compared with it after each call.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use kit::Keyspace;
use manager_svc::domain::action::{DeliveryStatus, Status};
use manager_svc::domain::{Action, ActionId, Nonce};

use super::call::{Answer, Call};
use super::draw::PROCESSORS;
use super::say::short;

/// The payload of this name: each says its own.
pub(super) fn named(nonce: &Nonce) -> Bytes {
    Bytes::from(format!("\"{}\"", nonce.as_str()))
}

/// What is known of one action.
struct Known {
    record: Rc<Action>,
    /// The name of the data that each step had; the one after the last is the result.
    data: BTreeMap<u32, Nonce>,
}

/// What is known of all that was accepted.
#[derive(Default)]
pub(super) struct Oracle {
    known: BTreeMap<String, Known>,
    forgotten: BTreeSet<String>,
}

impl Oracle {
    /// The actions as they were after the last call.
    pub(super) fn records(&self) -> impl Iterator<Item = &Rc<Action>> {
        self.known.values().map(|known| &known.record)
    }

    pub(super) fn record(&self, id: &ActionId) -> &Rc<Action> {
        &self.known[id.as_str()].record
    }

    pub(super) fn has_forgotten(&self, id: &ActionId) -> bool {
        self.forgotten.contains(id.as_str())
    }

    /// The ids of which there must be a record after a call.
    pub(super) fn ids(&self, call: &Call, answer: &Answer) -> Vec<ActionId> {
        let mut ids: Vec<_> = self.records().map(|record| record.id.clone()).collect();
        if let Call::Submit { new, .. } = call
            && answer.accepted
        {
            let new = new.iter().map(|new| new.action.id.clone());
            let is_new =
                |id: &ActionId| !self.known.contains_key(id.as_str()) && !self.has_forgotten(id);
            ids.extend(new.filter(is_new));
        }
        ids
    }

    /// Compares what the store holds after a call with what was known, and takes it for known.
    pub(super) fn follow(
        &mut self,
        call: &Call,
        found: Vec<(ActionId, Option<Action>)>,
        keyspace: &Keyspace,
    ) {
        let claims = Claims { before: self, call, keyspace };
        for (id, after) in &found {
            claims.is_in_order(id, after.as_ref());
        }
        for (id, after) in found {
            match (self.known.remove(id.as_str()), after) {
                (_, None) => {
                    assert!(matches!(call, Call::Forget { .. }), "{} is lost", short(&id));
                    self.forgotten.insert(id.as_str().to_owned());
                }
                (before, Some(after)) => {
                    let mut known = before.map_or_else(
                        || Known { record: Rc::new(after.clone()), data: BTreeMap::new() },
                        |before| {
                            follows(call, &before.record, &after);
                            before
                        },
                    );
                    known.takes(call, after, keyspace);
                    self.known.insert(id.as_str().to_owned(), known);
                }
            }
        }
        for (id, _, capacity) in PROCESSORS {
            let pending = keyspace.content(&format!("{{p0}}:pending:{id}"));
            let in_flight = pending.map_or(0, BTreeMap::len);
            assert!(in_flight <= capacity as usize, "{id} has {in_flight} in flight");
        }
    }
}

impl Known {
    /// Takes what is found now; the data of a step is settled once, whatever the run.
    fn takes(&mut self, call: &Call, after: Action, keyspace: &Keyspace) {
        let (id, name) = (short(&after.id), after.data.as_str());
        let succeeded = matches!(after.status, Status::Succeeded | Status::Partial);
        let step = after.step + u32::from(succeeded);
        let expected = match (self.data.get(&step), call) {
            (Some(data), _) => Some(data.clone()),
            (None, Call::GoOn { output, .. }) if output.data.is_some() => {
                Some(output.nonce.clone())
            }
            (None, Call::GoOn { .. }) => step.checked_sub(1).map(|step| self.data[&step].clone()),
            (None, Call::Submit { .. }) => None,
            (None, _) => panic!("the data of {id} at step {step} comes from nowhere"),
        };
        assert!(
            expected.as_ref().is_none_or(|expected| *expected == after.data),
            "{id} has the data {name} at step {step}, not {expected:?}"
        );
        let key = format!("{{p0}}:data:{}:{name}", after.id);
        let content = keyspace.content(&key).and_then(|content| content.get(""));
        assert_eq!(content.map(String::as_bytes), Some(&*named(&after.data)), "the data of {id}");
        self.data.insert(step, after.data.clone());
        self.record = Rc::new(after);
    }
}

/// Asserts that a call may have brought an action from one state to the other.
fn follows(call: &Call, before: &Action, after: &Action) {
    let id = short(&after.id);
    let live = |action: &Action| matches!(action.status, Status::Queued | Status::Running);
    let settled = |of: &Action| {
        matches!(of.delivery.status, DeliveryStatus::Delivered | DeliveryStatus::Exhausted)
    };
    assert!(before.version <= after.version, "the version of {id} shrinks");
    let (old, new) = (format!("{:?}", before.attempts), format!("{:?}", after.attempts));
    assert!(new.starts_with(old.trim_end_matches(']')), "{id} had {old}, and has {new}");
    let added = after.attempts.len() - before.attempts.len();
    assert!(added <= 1, "{id} settles {added} attempts at once");
    if after.run != before.run {
        assert!(matches!(call, Call::Redrive { .. }), "{id} begins a run");
        assert_eq!((before.run + 1, before.step), (after.run, after.step), "{id}");
        assert_eq!((before.status, after.status), (Status::Failed, Status::Queued), "{id}");
        return;
    }
    let steps = after.step.checked_sub(before.step);
    let goes_on = matches!(call, Call::GoOn { .. });
    assert!(steps == Some(0) || steps == Some(1) && goes_on, "{id} goes {steps:?} steps on");
    assert!(live(before) || before.status == after.status, "{id} has another outcome");
    assert!(
        before.status == after.status || after.status != Status::Queued,
        "{id} is queued as if it had never run"
    );
    let anew = settled(before) && before.delivery.status != after.delivery.status;
    assert!(!anew || matches!(call, Call::Redeliver { .. }), "the outcome of {id} is sent again");
}

/// The order of claims.
struct Claims<'c> {
    before: &'c Oracle,
    call: &'c Call,
    keyspace: &'c Keyspace,
}

impl Claims<'_> {
    /// Asserts that what was claimed overtook nothing.
    fn is_in_order(&self, id: &ActionId, after: Option<&Action>) {
        let Some(running) = after.and_then(|after| after.attempt.as_ref()) else { return };
        let before = self.before.known.get(id.as_str()).map(|known| &known.record);
        if before
            .and_then(|before| before.attempt.as_ref())
            .is_some_and(|b| b.token == running.token)
        {
            return;
        }
        match self.call {
            Call::Claim(ask) => {
                let seq = ask.actions.iter().find(|(asked, ..)| asked == id).unwrap().1;
                let target = &before.unwrap().job().target;
                let first = self.waiting(target.as_str());
                assert!(first.is_none_or(|first| seq < first), "{} overtakes", short(id));
            }
            // Handed over: nothing may wait for the processor.
            Call::Submit { .. } | Call::GoOn { .. } => {
                let of = PROCESSORS.iter().find(|(id, ..)| *id == running.processor).unwrap();
                let waits = self.waiting(of.0).or(self.waiting(of.1));
                assert_eq!(waits, None, "{} is handed over past what waits", short(id));
            }
            _ => panic!("{} is claimed by the wayside", short(id)),
        }
    }

    /// The first sequence number that waits for a target.
    fn waiting(&self, target: &str) -> Option<u64> {
        let queue = self.keyspace.content(&format!("{{p0}}:input:{target}"))?;
        queue.values().map(|seq| seq.parse().unwrap()).min()
    }
}
