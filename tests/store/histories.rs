//! Random histories: whatever calls follow on each other, early, late and twice, every invariant holds after each, a
//! refusal changes nothing, and what counts once does so.

mod call;
mod draw;
mod operate;
mod oracle;
mod say;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use kit::Keyspace;
use manager_svc::domain::action::Status;
use manager_svc::domain::{Action, TokenHash};
use manager_svc::store::Registration;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::world::{World, registration};
use call::{Answer, Call, Ground, INTERVAL};
use draw::PROCESSORS;
use oracle::Oracle;

/// How many calls a history has.
const CALLS: usize = 300;
/// How many of them are told when one is wrong.
const TOLD: usize = 40;
/// How many earlier states of actions are remembered.
const PAST: usize = 40;
/// The histories that everybody sees; [`KINDS`] are all met in them.
const SEEDS: [u64; 3] = [1, 2, 3];
/// What is done at least once in the histories of [`SEEDS`], and sent again at least once after that.
const KINDS: [&str; 27] = [
    "submit",
    "claim",
    "advance",
    "finish",
    "skip by token",
    "skip by lease",
    "retry by token",
    "retry by lease",
    "fail by token",
    "fail by lease",
    "expire",
    "cancel",
    "hand back after a restart",
    "hand back by a busy processor",
    "renew",
    "promote",
    "redrive",
    "redeliver",
    "claim a delivery",
    "deliver",
    "give a delivery up",
    "delay a delivery",
    "pause",
    "resume",
    "drain",
    "register",
    "forget",
];

/// A call that was sent, with what became of it.
struct Sent {
    call: Rc<Call>,
    answer: Answer,
    /// Whether it changed anything when it was accepted.
    counted: bool,
}

/// A history as far as it has come. Dropped by a failure it tells what came before.
struct History<'w> {
    world: &'w World,
    seed: u64,
    random: StdRng,
    oracle: Oracle,
    /// Earlier states of actions, as somebody may still see them.
    past: VecDeque<Rc<Action>>,
    /// Whether the next call is made by somebody who sees one of them.
    late: bool,
    sent: Vec<Sent>,
    /// Deliveries that were claimed.
    sends: Vec<(Rc<Action>, TokenHash)>,
    /// When each processor last started.
    boots: BTreeMap<&'static str, u64>,
    keyspace: Keyspace,
    told: VecDeque<String>,
    /// What was accepted, and what was accepted and then sent again.
    done: [BTreeSet<&'static str>; 2],
}

impl Drop for History<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let told = self.told.make_contiguous().join("\n  ");
            eprintln!("a history of SEED={} ended with\n  {told}", self.seed);
        }
    }
}

impl<'w> History<'w> {
    async fn begin(world: &'w World, seed: u64) -> Self {
        for (id, name, capacity) in PROCESSORS {
            let registration =
                Registration { started_at: Some(1), ..registration(id, name, capacity) };
            world.store.register(&registration, &world.nonce(), INTERVAL).await.unwrap();
        }
        Self {
            world,
            seed,
            random: StdRng::seed_from_u64(seed),
            oracle: Oracle::default(),
            past: VecDeque::new(),
            late: false,
            sent: Vec::new(),
            sends: Vec::new(),
            boots: PROCESSORS.map(|(id, ..)| (id, 1)).into(),
            keyspace: world.keyspace().await,
            told: VecDeque::new(),
            done: Default::default(),
        }
    }

    /// The next call: a new one or, one time in five, one that was sent before.
    async fn step(&mut self) {
        if self.random.random_ratio(1, 5)
            && let Some(index) = self.copy()
        {
            return self.send_again(index).await;
        }
        let call = Rc::new(self.draw().await);
        let (answer, counted) = self.send(&call, "").await;
        self.sent.push(Sent { call, answer, counted });
    }

    /// What is sent again: half of the time what was accepted and never was, else something of late, or anything.
    fn copy(&mut self) -> Option<usize> {
        let all = self.sent.len();
        let never = |sent: &Sent| sent.answer.accepted && !self.done[1].contains(sent.call.kind());
        let never: Vec<_> = (0..all).filter(|at| never(&self.sent[*at])).collect();
        let of_late: Vec<_> = (all.saturating_sub(10)..all).collect();
        let any: Vec<_> = (0..all).collect();
        let from = match self.random.random_range(0..4) {
            0 | 1 if !never.is_empty() => never,
            0..3 => of_late,
            _ => any,
        };
        let index = *from.choose(&mut self.random)?;
        // An action is kept far longer than any copy of its submission is under way.
        let forgotten = match &*self.sent[index].call {
            Call::Submit { new, key: None, .. } => {
                new.iter().any(|new| self.oracle.has_forgotten(&new.action.id))
            }
            _ => false,
        };
        (!forgotten).then_some(index)
    }

    async fn send_again(&mut self, index: usize) {
        let Sent { call, answer: first, counted } = &self.sent[index];
        let (call, first, counted) = (Rc::clone(call), first.clone(), *counted);
        let (answer, changed) = self.send(&call, "again: ").await;
        if !first.accepted {
            self.sent[index] = Sent { call, answer, counted: changed };
            return;
        }
        self.done[1].insert(call.kind());
        if counted && call.counts_once(&first) {
            assert!(!changed, "what was sent again was done again");
            let known = |id| first.claimed.contains(id);
            assert!(!answer.accepted || answer.text == first.text, "first: {first}");
            assert!(answer.claimed.iter().all(known), "first: {first}");
        }
    }

    /// Sends a call, and checks all that must be true after it; answers whether it changed anything.
    async fn send(&mut self, call: &Call, how: &str) -> (Answer, bool) {
        self.tell(format!("{how}{call}"));
        let answer = call.send(self.world).await;
        if let Some(line) = self.told.back_mut() {
            line.push_str(&format!(" -> {answer}"));
        }
        let keyspace = self.world.keyspace().await;
        let changes = keyspace.changes_since(&self.keyspace);
        // Whoever looks at a host's queue says when it is to be looked at next, whatever is claimed.
        let looked = |line: &&str| {
            !matches!(call, Call::ClaimDeliveries { .. }) || !line.contains("{p0}:receivers")
        };
        let changes: Vec<_> = changes.lines().filter(looked).collect();
        assert!(answer.accepted || changes.is_empty(), "a refusal changed\n{}", changes.join("\n"));
        self.world.assert_sound().await;
        self.follow(call, &answer, &keyspace).await;
        if answer.accepted {
            self.done[0].insert(call.kind());
        }
        let changed = !changes.is_empty();
        self.keyspace = keyspace;
        (answer, changed)
    }

    async fn follow(&mut self, call: &Call, answer: &Answer, keyspace: &Keyspace) {
        let ids = self.oracle.ids(call, answer);
        // Nothing to ask for is no question to the store.
        let found = if ids.is_empty() {
            Vec::new()
        } else {
            self.world.direct.actions(&ids).await.unwrap()
        };
        let before: Vec<_> = self.oracle.records().cloned().collect();
        self.oracle.follow(call, ids.into_iter().zip(found).collect(), keyspace);
        for old in before {
            let now = self.oracle.records().find(|now| now.id == old.id);
            if now.is_none_or(|now| now.version != old.version) {
                self.past.push_back(old);
            }
        }
        while self.past.len() > PAST {
            self.past.pop_front();
        }
        for (id, token) in &answer.sends {
            if !self.sends.iter().any(|(_, known)| known == token) {
                self.sends.push((Rc::clone(self.oracle.record(id)), token.clone()));
            }
        }
    }

    fn tell(&mut self, line: String) {
        self.told.push_back(line);
        if self.told.len() > TOLD {
            self.told.pop_front();
        }
    }

    /// Whatever has happened, what is live can still be ended.
    async fn end(&mut self) {
        let live: Vec<_> = self.oracle.records().cloned().collect();
        for at in live {
            if matches!(at.status, Status::Queued | Status::Running) {
                let (ground, nonce) = (Ground::Cancel, self.world.nonce());
                let cancel = Call::End { at, ground, nonce, send: None };
                let (answer, _) = self.send(&cancel, "").await;
                assert!(answer.accepted, "a live action cannot be cancelled");
            }
        }
    }
}

/// Lives through the history of a seed; answers what was accepted, and what was then sent again.
async fn live_through(world: &World, seed: u64) -> [BTreeSet<&'static str>; 2] {
    let mut history = History::begin(world, seed).await;
    for _ in 0..CALLS {
        history.step().await;
    }
    history.end().await;
    std::mem::take(&mut history.done)
}

/// What nobody has seen yet, unless `SEED` says which it is.
fn any_seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    eprintln!("SEED={seed}");
    seed
}

#[tokio::test]
async fn the_histories_of_known_seeds_are_sound_and_meet_everything() {
    let mut world = World::start().await;
    let mut done: [BTreeSet<&str>; 2] = Default::default();
    for seed in SEEDS {
        for (done, new) in done.iter_mut().zip(live_through(&world, seed).await) {
            done.extend(new);
        }
        world = world.emptied().await;
    }
    for (done, what) in done.iter().zip(["accepted", "accepted and then sent again"]) {
        let missing: Vec<_> = KINDS.iter().filter(|kind| !done.contains(*kind)).collect();
        assert!(missing.is_empty(), "never {what}: {missing:?}");
    }
}

#[tokio::test]
async fn the_history_of_any_seed_is_sound() {
    live_through(&World::start().await, any_seed()).await;
}

#[tokio::test]
async fn a_history_on_a_cluster_is_sound() {
    live_through(&World::on_cluster().await, 5).await;
}

#[tokio::test]
async fn a_history_with_declared_keys_alone_and_every_pipeline_sent_twice_is_sound() {
    live_through(&World::start().await.behind_proxy().await, 6).await;
}
