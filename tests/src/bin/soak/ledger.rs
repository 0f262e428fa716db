//! What was accepted, what every action must come to, and what was delivered: written by submitter,
//! processors and receivers, never read from the manager.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::data::{Data, expected};
use crate::plan::{self, Receiver};

/// A delivery that was taken is sent again only when its lease is over, which is later than this: the
/// manager that sent it died before it could note the answer.
const TAKEN_FOR: Duration = Duration::from_secs(8);
/// How many findings are kept in words.
const KEPT: usize = 20;
/// The most steps of an action.
const STEPS: usize = 3;

/// One action.
#[derive(Debug, Default)]
struct Entry {
    /// The id it has, by whoever learned it first.
    id: Option<Box<str>>,
    accepted: bool,
    /// The highest attempt of each step that has arrived anywhere.
    attempts: [u32; STEPS],
    webhook_id: Option<Box<str>>,
    /// How often its outcome has arrived.
    arrivals: u32,
    taken: Option<Instant>,
    /// What was delivered, to be looked at once more at the end.
    delivered: Option<(Box<str>, Data)>,
    wrong: bool,
    forked: bool,
}

#[derive(Debug, Default)]
struct Book {
    entries: Vec<Entry>,
    findings: Vec<String>,
    wrong: usize,
}

/// The book of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    seed: u64,
    book: Mutex<Book>,
}

/// An outcome as it arrived.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) number: u64,
    pub(crate) action_id: &'a str,
    pub(crate) webhook_id: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) result: Data,
}

/// The account of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) accepted: usize,
    pub(crate) succeeded: usize,
    pub(crate) failed: usize,
    pub(crate) partial: usize,
    pub(crate) lost: usize,
    pub(crate) wrong: usize,
    pub(crate) dup_new_id: usize,
    /// Deliveries of what had been taken before.
    pub(crate) repeated: usize,
}

impl Ledger {
    /// An empty one.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, book: Mutex::default() }
    }

    /// The seed of the run.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The manager has accepted the action.
    pub(crate) fn accepted(&self, number: u64, action_id: &str) {
        let mut book = self.lock();
        book.identify(number, action_id);
        book.entry(number).accepted = true;
    }

    /// An attempt has arrived at a processor.
    pub(crate) fn attempt(&self, number: u64, action_id: &str, step: usize, attempt: u32) {
        let mut book = self.lock();
        book.identify(number, action_id);
        let seen = &mut book.entry(number).attempts[step];
        *seen = attempt.max(*seen);
    }

    /// The highest attempt of a step that has arrived.
    pub(crate) fn last_attempt(&self, number: u64, step: usize) -> u32 {
        self.lock().entry(number).attempts[step]
    }

    /// An outcome has arrived; answers how many times now, and how it is to be answered.
    pub(crate) fn arrive(&self, arrival: Arrival<'_>) -> Receiver {
        let plan = plan::action(self.seed, arrival.number);
        let now = Instant::now();
        let mut book = self.lock();
        book.identify(arrival.number, arrival.action_id);
        let entry = book.entry(arrival.number);
        entry.arrivals += 1;
        let before = entry.webhook_id.get_or_insert_with(|| arrival.webhook_id.into());
        entry.forked |= **before != *arrival.webhook_id;
        let right = expected(&plan, &entry.attempts);
        let wrong = (right.kind != arrival.kind
            || arrival.result.n != arrival.number
            || arrival.result.marks != right.marks)
            .then(|| format!("came to {} {:?}, not {right:?}", arrival.kind, arrival.result));
        let early = entry
            .taken
            .filter(|taken| now - *taken < TAKEN_FOR)
            .map(|taken| format!("was sent again {:?} after it was taken", now - taken));
        let answer = match plan.receiver {
            Receiver::Refuse(_, times) if entry.arrivals > times => Receiver::Take,
            Receiver::Hang | Receiver::Cut if entry.arrivals > 1 => Receiver::Take,
            answer => answer,
        };
        entry.delivered = Some((arrival.kind.into(), arrival.result));
        if answer == Receiver::Take {
            entry.taken.get_or_insert(now);
        }
        for finding in wrong.into_iter().chain(early) {
            book.wrong(arrival.number, &finding);
        }
        answer
    }

    /// Notes what must not be.
    pub(crate) fn wrong(&self, number: u64, finding: &str) {
        self.lock().wrong(number, finding);
    }

    /// Whether something was found that must not be.
    pub(crate) fn is_damaged(&self) -> bool {
        self.lock().wrong > 0
    }

    /// How many actions were accepted, and how many of them have been delivered.
    pub(crate) fn progress(&self) -> (usize, usize) {
        let book = self.lock();
        let accepted = book.entries.iter().filter(|entry| entry.accepted);
        accepted.fold((0, 0), |(all, taken), entry| {
            (all + 1, taken + usize::from(entry.taken.is_some()))
        })
    }

    /// The account, and the first findings in words. Looks at every outcome once more: an attempt that was
    /// begun after it was delivered shows only now. Nothing counts as lost that was not given `time`.
    pub(crate) fn close(&self, time: bool) -> (Account, Vec<String>) {
        let mut book = self.lock();
        let mut account = Account::default();
        for number in 0..book.entries.len() {
            let n = number as u64;
            let entry = &book.entries[number];
            if !entry.accepted {
                if entry.id.is_some() {
                    book.wrong(n, "was begun, but never accepted");
                }
                continue;
            }
            account.accepted += 1;
            account.repeated += usize::from(entry.arrivals > 1 && entry.taken.is_some());
            if entry.taken.is_none() && !time {
                continue;
            }
            if entry.taken.is_none() {
                account.lost += 1;
                let arrivals = entry.arrivals;
                let plan = plan::action(self.seed, n);
                let (id, attempts) = (entry.id.clone(), entry.attempts);
                book.note(n, &format!(
                    "was lost: {id:?}, attempts {attempts:?}, outcome sent {arrivals} times, {plan:?}"
                ));
                continue;
            }
            account.dup_new_id += usize::from(entry.forked);
            let right = expected(&plan::action(self.seed, n), &entry.attempts);
            let Some((kind, result)) = &entry.delivered else { continue };
            match &**kind {
                "action.succeeded" => account.succeeded += 1,
                "action.partial" => account.partial += 1,
                _ => account.failed += 1,
            }
            if right.kind != &**kind || right.marks != result.marks {
                let finding = format!("came to {kind} {result:?}, in the end not {right:?}");
                book.wrong(n, &finding);
            }
        }
        account.wrong = book.wrong;
        (account, book.findings.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no holder panics")
    }
}

impl Book {
    fn entry(&mut self, number: u64) -> &mut Entry {
        let at = usize::try_from(number).expect("an action's number");
        if self.entries.len() <= at {
            self.entries.resize_with(at + 1, Entry::default);
        }
        &mut self.entries[at]
    }

    /// One number has one id, however often it is submitted.
    fn identify(&mut self, number: u64, action_id: &str) {
        let known = self.entry(number).id.get_or_insert_with(|| action_id.into()).clone();
        if *known != *action_id {
            self.wrong(number, &format!("is {known} and {action_id}"));
        }
    }

    /// Each action is wrong once.
    fn wrong(&mut self, number: u64, finding: &str) {
        let entry = self.entry(number);
        if !std::mem::replace(&mut entry.wrong, true) {
            self.wrong += 1;
        }
        self.note(number, finding);
    }

    fn note(&mut self, number: u64, finding: &str) {
        if self.findings.len() < KEPT {
            let id = self.entry(number).id.clone().unwrap_or_default();
            self.findings.push(format!("action {number} ({id}) {finding}"));
        }
    }
}
