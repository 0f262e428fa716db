//! The data item: whose it is, and what every step has left on it.

use serde::{Deserialize, Serialize};

use crate::plan::{KINDS, Plan};

/// What travels through an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Data {
    /// The number of the action.
    pub(crate) n: u64,
    /// One mark for each step that was applied, in order.
    pub(crate) marks: Vec<Mark>,
    /// The item belongs to a step with a short lease: the proxy finds it by this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hasty: bool,
}

/// What one step leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark(String);

impl Mark {
    /// The mark of an attempt.
    pub(crate) fn of(kind: usize, step: usize, attempt: u32) -> Self {
        Self(format!("{}.{step}.{attempt}", KINDS[kind]))
    }

    /// What must never become a result: the output of a completion that comes second.
    pub(crate) fn poison() -> Self {
        Self("poison".to_owned())
    }
}

impl Data {
    /// The item before its first step.
    pub(crate) fn new(n: u64) -> Self {
        Self { n, marks: Vec::new(), hasty: false }
    }

    /// The item with one mark more.
    pub(crate) fn with(&self, mark: Mark, hasty: bool) -> Self {
        let mut marks = self.marks.clone();
        marks.push(mark);
        Self { n: self.n, marks, hasty }
    }

    /// The JSON text.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("a data item is JSON")
    }
}

/// How an action ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The webhook's type.
    pub(crate) kind: &'static str,
    /// The marks of its result.
    pub(crate) marks: Vec<Mark>,
}

/// The right outcome, by the plan and the last attempt that was seen of each step: when an attempt was
/// begun, none before it can have been applied.
pub(crate) fn expected(plan: &Plan, attempts: &[u32]) -> Expected {
    let (mut kind, mut marks) = ("action.succeeded", Vec::new());
    for (number, step) in plan.steps.iter().enumerate() {
        if step.fails() && !step.skip {
            return Expected { kind: "action.failed", marks };
        }
        if step.fails() {
            kind = "action.partial";
        } else {
            marks.push(Mark::of(step.kind, number, attempts[number]));
        }
    }
    Expected { kind, marks }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Conduct, Receiver, Step};

    #[test]
    fn a_step_that_fails_ends_the_action_or_is_passed_over() {
        let step = |conduct, skip| Step {
            kind: 1,
            instance: None,
            conduct,
            lease_ms: 1,
            skip,
            takes_ms: 0,
        };
        let plan = |skip| Plan {
            steps: vec![
                step(Conduct::Reply, false),
                step(Conduct::Refuse, skip),
                step(Conduct::Late, false),
            ],
            receiver: Receiver::Take,
            host: 0,
            delay_ms: 0,
        };
        let (first, last) = (Mark::of(1, 0, 1), Mark::of(1, 2, 2));
        let failed = Expected { kind: "action.failed", marks: vec![first.clone()] };
        assert_eq!(expected(&plan(false), &[1, 1, 0]), failed);
        let partial = Expected { kind: "action.partial", marks: vec![first, last] };
        assert_eq!(expected(&plan(true), &[1, 1, 2]), partial);
    }
}
