//! What was submitted, compared with what was delivered.

use std::collections::{BTreeMap, BTreeSet};

use baton_wire::action::Status;
use serde_json::Value;

use crate::receiver::Receiver;

/// The results that are expected, by action.
#[derive(Debug, Default)]
pub struct Ledger(BTreeMap<String, (&'static str, Value)>);

/// What became of the expected results. Every list holds action ids.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Not delivered at all.
    pub lost: Vec<String>,
    /// Delivered with another outcome or result.
    pub wrong: Vec<String>,
    /// Delivered more than once under one `webhook-id`, as a crash permits.
    pub repeated: Vec<String>,
    /// Delivered under two `webhook-id`s: settled twice.
    pub forked: Vec<String>,
    /// Delivered, but never submitted.
    pub unknown: Vec<String>,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Expects `id` to succeed with `result`.
    pub fn expect(&mut self, id: &str, result: Value) {
        self.expect_outcome(id, Status::Succeeded, result);
    }

    /// Expects `id` to end as `status` with `result`.
    pub fn expect_outcome(&mut self, id: &str, status: Status, result: Value) {
        let kind = match status {
            Status::Succeeded => "action.succeeded",
            Status::Partial => "action.partial",
            Status::Failed => "action.failed",
            Status::Cancelled => "action.cancelled",
            Status::Queued | Status::Running | Status::Ended => panic!("{status:?} is no outcome"),
        };
        let before = self.0.insert(id.to_owned(), (kind, result));
        assert!(before.is_none(), "{id} was handed out twice");
    }

    /// How many actions are expected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is expected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares with what the receiver has got so far.
    #[must_use]
    pub fn compare(&self, receiver: &Receiver) -> Verdict {
        let mut verdict = Verdict::default();
        let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut wrong = BTreeSet::new();
        for delivery in receiver.deliveries() {
            let id = delivery.body.data.action_id.clone();
            let Some((kind, result)) = self.0.get(&id) else {
                verdict.unknown.push(id);
                continue;
            };
            if delivery.body.kind != *kind || delivery.result() != *result {
                wrong.insert(id.clone());
            }
            *counts.entry(id.clone()).or_default() += 1;
            ids.entry(id).or_default().insert(delivery.webhook_id);
        }
        let of = |wanted: &dyn Fn(usize, usize) -> bool| {
            let seen = |id: &String| (counts.get(id).copied(), ids.get(id).map(BTreeSet::len));
            let all = self.0.keys().filter(|id| {
                let (count, distinct) = seen(id);
                wanted(count.unwrap_or(0), distinct.unwrap_or(0))
            });
            all.cloned().collect::<Vec<_>>()
        };
        verdict.lost = of(&|count, _| count == 0);
        verdict.repeated = of(&|count, distinct| count > 1 && distinct == 1);
        verdict.forked = of(&|_, distinct| distinct > 1);
        verdict.wrong = wrong.into_iter().collect();
        verdict
    }

    /// Asserts that every action was delivered, correctly and exactly once.
    pub fn assert_delivered_once(&self, receiver: &Receiver) {
        assert_eq!(self.compare(receiver), Verdict::default());
    }

    /// Asserts that every action was delivered correctly under one `webhook-id`, once or more.
    pub fn assert_delivered(&self, receiver: &Receiver) {
        let verdict = Verdict { repeated: Vec::new(), ..self.compare(receiver) };
        assert_eq!(verdict, Verdict::default());
    }
}
