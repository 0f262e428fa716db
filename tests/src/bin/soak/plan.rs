//! What every action asks for, and what becomes of it: all by the seed and the action's number.

use kit::Break;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::faults::{Fault, Kind};

/// The kinds of work, which are the names that processors share.
pub(crate) const KINDS: [&str; 4] = ["ash", "birch", "cedar", "doum"];
/// The processors of each kind.
pub(crate) const INSTANCES: usize = 2;
/// The kind whose processors die and come back.
pub(crate) const MORTAL: usize = 3;
/// The lease of steps that hang, in milliseconds.
const SHORT_LEASE_MS: u64 = 1_000;
/// The lease of all others, in milliseconds: what a killed manager held comes back after it.
const LEASE_MS: u64 = 4_000;

/// One action.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) receiver: Receiver,
    /// Which of the two receivers gets the outcome.
    pub(crate) host: usize,
    /// Whether the caller asks for a delay, in milliseconds.
    pub(crate) delay_ms: u64,
}

/// One step of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Which kind of work.
    pub(crate) kind: usize,
    /// Which processor of the kind, if the job names one.
    pub(crate) instance: Option<usize>,
    pub(crate) conduct: Conduct,
    pub(crate) lease_ms: u64,
    /// A step that fails for good is passed over.
    pub(crate) skip: bool,
    /// How long the processor takes for its first attempt, in milliseconds.
    pub(crate) takes_ms: u64,
}

/// How the processor conducts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// Answers with the output.
    Reply,
    /// Answers 202 and completes.
    Complete,
    /// As `Reply`, with a short lease: whatever is held up on its way comes too late.
    Hasty,
    /// Fails its first attempts, then replies.
    Fail(u32),
    /// Completes its first attempt as failed, with a wish for the retry.
    CompleteFailed,
    /// Is silent for its first attempts, then replies.
    Hang(u32),
    /// Completes its first attempt when the second one is there.
    Late,
    /// Completes twice, the second time with another output.
    Twice,
    /// Completes, and replies with another output.
    TwiceByReply,
    /// Takes longer than its lease, and says so in time.
    Beat,
    /// Says so when its lease is over, and completes if it still may.
    LateBeat,
    /// Replies 400.
    Refuse,
    /// Completes as failed for good.
    CompleteRefused,
}

/// How the receiver answers the first arrivals of an outcome; later ones it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// Takes it.
    Take,
    /// Answers so many with this status.
    Refuse(u16, u32),
    /// Does not answer the first.
    Hang,
    /// Cuts the connection of the first.
    Cut,
}

impl Step {
    /// What the job names.
    pub(crate) fn target(&self) -> String {
        match self.instance {
            Some(instance) => id(self.kind, instance),
            None => KINDS[self.kind].to_owned(),
        }
    }

    /// Whether the step fails for good.
    pub(crate) fn fails(&self) -> bool {
        matches!(self.conduct, Conduct::Refuse | Conduct::CompleteRefused)
    }
}

/// The id of a processor.
pub(crate) fn id(kind: usize, instance: usize) -> String {
    format!("{}-{instance}", KINDS[kind])
}

/// The action with this number.
pub(crate) fn action(seed: u64, number: u64) -> Plan {
    let mut random = StdRng::seed_from_u64(mix(seed, number));
    let count = match random.random_range(0..100) {
        0..40 => 1,
        40..75 => 2,
        _ => 3,
    };
    let mut steps: Vec<Step> = (0..count).map(|_| healthy(&mut random)).collect();
    if let Some(conduct) = fault(&mut random) {
        let step = random.random_range(0..count);
        steps[step].conduct = conduct;
        let short = !matches!(conduct, Conduct::Fail(_) | Conduct::Twice | Conduct::TwiceByReply);
        if short {
            steps[step].lease_ms = SHORT_LEASE_MS;
            // What is promised to a processor holds only until it says that it was started anew.
            steps[step].kind %= MORTAL;
        }
        steps[step].takes_ms = match conduct {
            Conduct::LateBeat => SHORT_LEASE_MS + random.random_range(0..1_000),
            _ => random.random_range(0..30),
        };
        steps[step].skip = steps[step].fails() && random.random_bool(0.5);
    }
    let receiver = match random.random_range(0..10_000) {
        0..50 => Receiver::Refuse(500, 1),
        50..90 => Receiver::Refuse(500, random.random_range(2..5)),
        90..130 => Receiver::Refuse(429, 1),
        130..133 => Receiver::Hang,
        133..160 => Receiver::Cut,
        _ => Receiver::Take,
    };
    let delay_ms = if random.random_bool(0.005) { random.random_range(1..2_000) } else { 0 };
    Plan { steps, receiver, host: random.random_range(0..2), delay_ms }
}

fn healthy(random: &mut StdRng) -> Step {
    let named = random.random_bool(0.2).then(|| random.random_range(0..INSTANCES));
    Step {
        kind: random.random_range(0..KINDS.len()),
        instance: named,
        conduct: if random.random_bool(0.05) { Conduct::Complete } else { Conduct::Reply },
        lease_ms: LEASE_MS,
        skip: false,
        takes_ms: 0,
    }
}

fn fault(random: &mut StdRng) -> Option<Conduct> {
    Some(match random.random_range(0..10_000) {
        0..60 => Conduct::Fail(random.random_range(1..3)),
        60..90 => Conduct::CompleteFailed,
        90..120 => Conduct::Hang(random.random_range(1..3)),
        120..150 => Conduct::Late,
        150..210 => Conduct::Twice,
        210..250 => Conduct::TwiceByReply,
        250..280 => Conduct::Beat,
        280..480 => Conduct::LateBeat,
        480..550 => Conduct::Refuse,
        550..600 => Conduct::CompleteRefused,
        600..900 => Conduct::Hasty,
        _ => return None,
    })
}

/// The faults of a run, in order, with the pause before each in milliseconds: all of them, in an order of
/// the seed's own, again and again. Where a check is missing every second one is what it guards against.
pub(crate) fn faults(seed: u64, missing: Option<Break>) -> impl Iterator<Item = (u64, Fault)> {
    let mut random = StdRng::seed_from_u64(mix(seed, u64::MAX));
    let mut deck = Vec::new();
    let (favoured, mut turn) = (missing.and_then(Kind::without), false);
    std::iter::from_fn(move || {
        if deck.is_empty() {
            deck = Fault::DECK.to_vec();
            deck.shuffle(&mut random);
        }
        turn = !turn;
        let kind = favoured.filter(|_| turn).or_else(|| deck.pop())?;
        let fault = kind.of(&mut random);
        Some((random.random_range(200..600), fault))
    })
}

/// One number of two: neighbours have nothing in common.
fn mix(seed: u64, number: u64) -> u64 {
    let mut mixed = seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 27)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_the_same_for_the_same_seed_and_number_only() {
        let of = |seed| (0..200).map(|n| format!("{:?}", action(seed, n))).collect::<Vec<_>>();
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        let faults = |seed| format!("{:?}", faults(seed, None).take(40).collect::<Vec<_>>());
        assert_eq!(faults(7), faults(7));
        assert_ne!(faults(7), faults(8));
    }
}
