//! The faults that befall managers, Redis and the network between them.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use kit::{Baton, Break, Command, Proxy, Redis};
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::processors::{MANAGERS, Processor, Shop};

/// How long a fault waits for the moment at which it hurts.
const MOMENT: Duration = Duration::from_secs(2);
/// How long Redis stands still before it dies, once it was sent something to write.
const UNANSWERED: Duration = Duration::from_millis(10);
/// How many connections of callers are cut at a time.
const CALLERS_CUT: usize = 8;

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SIGKILL of a manager, which is started again.
    KillManager,
    /// SIGKILL of Redis, which is started again on its files.
    KillRedis,
    /// SIGKILL of one of the processors that die, as far as its connections show.
    KillProcessor,
    /// A manager's connection to Redis is cut before a transition.
    CutBefore,
    /// The same, after the transition was made.
    CutAfter,
    /// A manager's commands reach Redis late, from the output of a step with a short lease on: the lease
    /// may be over by then, and another attempt begun.
    HoldOutput,
    /// Lapses reach Redis late: heartbeats may be faster.
    HoldLapse,
    /// A manager learns late that a delivery was put off, and sends the same again.
    HoldAnswer,
    /// Connections between callers and managers are cut.
    CutCallers,
}

/// One fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    kind: Kind,
    /// Whom it befalls: a manager, or a processor.
    whom: usize,
    /// How long it lasts.
    time: Duration,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} for {:?}", self.kind, self.whom, self.time)
    }
}

impl Fault {
    /// What happens before anything happens again.
    pub(crate) const DECK: [Kind; 13] = [
        Kind::KillManager,
        Kind::KillManager,
        Kind::KillRedis,
        Kind::KillProcessor,
        Kind::CutBefore,
        Kind::CutAfter,
        Kind::HoldOutput,
        Kind::HoldOutput,
        Kind::HoldLapse,
        Kind::HoldAnswer,
        Kind::CutCallers,
        Kind::CutCallers,
        Kind::CutCallers,
    ];
}

impl Kind {
    /// What hurts most where this check is missing; nothing in particular when it is missed at once.
    pub(crate) fn without(check: Break) -> Option<Self> {
        match check {
            Break::Token => Some(Self::HoldOutput),
            Break::Lease => Some(Self::HoldLapse),
            Break::Delivery => Some(Self::HoldAnswer),
            Break::Persist => None,
        }
    }

    /// One fault of this kind.
    pub(crate) fn of(self, random: &mut StdRng) -> Fault {
        let ms = match self {
            Self::KillManager => random.random_range(200..600),
            Self::KillRedis => random.random_range(100..400),
            Self::KillProcessor => random.random_range(500..1_500),
            Self::HoldOutput => random.random_range(1_500..3_200),
            Self::HoldLapse => random.random_range(600..900),
            // Longer than a manager waits for an answer.
            Self::HoldAnswer => random.random_range(2_200..2_800),
            Self::CutBefore | Self::CutAfter | Self::CutCallers => 0,
        };
        let whom = random.random_range(0..MANAGERS);
        Fault { kind: self, whom, time: Duration::from_millis(ms) }
    }
}

/// Everything that faults befall.
pub(crate) struct World {
    pub(crate) redis: Redis,
    /// One before Redis for each manager.
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) managers: Vec<Baton>,
    pub(crate) front: Arc<Front>,
    pub(crate) processors: Vec<Processor>,
    pub(crate) shop: Arc<Shop>,
}

impl World {
    /// Lets a fault take effect; answers when what was killed is there again.
    pub(crate) async fn befall(&mut self, Fault { kind, whom, time }: Fault) {
        let (effects, proxy) = (Arc::clone(&self.shop.effects), &self.proxies[whom]);
        match kind {
            Kind::KillManager => {
                let held = &self.shop.held[whom];
                moment(|| held.load(SeqCst) > 0).await;
                let leases = held.load(SeqCst) > 0;
                self.managers[whom].kill9();
                effects.count(&effects.kills);
                if leases {
                    effects.count(&effects.kills_with_leases);
                }
                sleep(time).await;
                self.managers[whom].restart().await;
            }
            Kind::KillRedis => {
                // Stopped wherever it is; what managers write from then on stays unanswered for good.
                self.redis.pause();
                let writes = || self.proxies.iter().map(Proxy::writes).sum::<usize>();
                let before = writes();
                moment(|| writes() > before).await;
                sleep(UNANSWERED).await;
                self.redis.kill9();
                effects.count(&effects.redis_kills);
                sleep(time).await;
                self.redis.restart().await;
            }
            Kind::KillProcessor => {
                let mut mortal = self.processors.iter_mut().filter(|one| one.is_mortal());
                if let Some(processor) = mortal.nth(whom) {
                    processor.die(time).await;
                    effects.count(&effects.deaths);
                }
            }
            Kind::CutBefore => {
                proxy.cut_before(transition);
                struck(proxy).await;
            }
            Kind::CutAfter => {
                proxy.cut_after(transition);
                struck(proxy).await;
            }
            Kind::HoldOutput => {
                proxy.hold_at(time, |command| {
                    command.is("SET") && command.mentions(r#""hasty":true"#)
                });
                struck(proxy).await;
            }
            Kind::HoldLapse => {
                proxy.hold_at(time, |command| {
                    command.is("EVALSHA") && command.mentions("no_reply_no_completion")
                });
                struck(proxy).await;
            }
            Kind::HoldAnswer => {
                proxy.answer_late(time, |command| {
                    command.is("EVALSHA") && (3..32).any(|part| command.text(part) == "pending")
                });
                struck(proxy).await;
            }
            Kind::CutCallers => {
                let front = &self.front;
                moment(|| front.cut(CALLERS_CUT)).await;
            }
        }
    }

    /// Nothing befalls anybody any more.
    pub(crate) fn calm(&self) {
        self.proxies.iter().for_each(Proxy::disarm);
    }
}

/// A script that changes an action.
fn transition(command: &Command) -> bool {
    command.is("EVALSHA") && command.mentions("action:")
}

/// Waits until what is armed has struck, and disarms it when its command does not come.
async fn struck(proxy: &Proxy) {
    moment(|| !proxy.is_armed()).await;
    proxy.disarm();
}

/// Waits for a condition, for a while.
async fn moment(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + MOMENT;
    while !condition() && Instant::now() < deadline {
        sleep(Duration::from_millis(1)).await;
    }
}
