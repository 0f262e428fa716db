//! Claimers that race: two stores, many tasks.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use kit::Redis;
use manager_svc::domain::action::Status;
use manager_svc::domain::{ActionId, Nonce, Token};
use manager_svc::store::{ClaimAsk, Output, Settled, StepEnd, Store};
use tokio::task::JoinSet;

use crate::world::{World, candidate, ending};

const ACTIONS: usize = 400;
const TASKS: usize = 8;

/// What the claimers share and note.
#[derive(Default)]
struct Notes {
    /// Ids in the order in which their claims were seen.
    claimed: Mutex<Vec<ActionId>>,
    in_flight: AtomicU32,
    most: AtomicU32,
    seed: AtomicU32,
}

impl Notes {
    fn random(&self) -> u128 {
        // Far from what the world gives out.
        u128::from(self.seed.fetch_add(1, Ordering::Relaxed)) + (1 << 60)
    }
}

/// Claims up to three at a time and settles them, until all were claimed.
async fn claim_all(store: Store, notes: Arc<Notes>) {
    while notes.claimed.lock().unwrap().len() < ACTIONS {
        let heads = store.heads(&[], &[("work", 3)]).await.unwrap();
        let actions: Vec<_> = heads
            .waiting
            .concat()
            .into_iter()
            .map(|(seq, id)| (id, seq, Token::from_random(notes.random())))
            .collect();
        if actions.is_empty() {
            tokio::task::yield_now().await;
            continue;
        }
        let (processor, seen_at) = (candidate("p", "work"), heads.seen_at);
        let ask = ClaimAsk { processor, seen_at, actions };
        let claims = store.claim_attempts(&[ask]).await.unwrap().whole;
        {
            let mut claimed = notes.claimed.lock().unwrap();
            claimed.extend(claims.iter().map(|claim| claim.action.id.clone()));
            let more = u32::try_from(claims.len()).unwrap();
            let now = notes.in_flight.fetch_add(more, Ordering::SeqCst) + more;
            notes.most.fetch_max(now, Ordering::SeqCst);
        }
        for claim in claims {
            // Before, so that what is noted is never more than what Redis holds.
            notes.in_flight.fetch_sub(1, Ordering::SeqCst);
            let output = Output { nonce: Nonce::from_random(notes.random()), data: None };
            let end = ending(None);
            let settled = store
                .finish(
                    &claim.action,
                    StepEnd::succeeded(&claim.token.hash(), &output),
                    Status::Succeeded,
                    end,
                )
                .await;
            assert!(matches!(settled, Ok(Settled::Accepted(_))), "{settled:?}");
        }
    }
}

async fn race(redis: Redis, capacity: u32) -> (Vec<ActionId>, Vec<ActionId>, u32) {
    let world = World::on(redis).await;
    let other = Store::connect(&world.redis.url()).await.unwrap();
    world.register("p", "work", capacity).await;
    let mut submitted = Vec::new();
    for _ in 0..ACTIONS / 100 {
        let new: Vec<_> = (0..100).map(|_| world.action(&["work"])).collect();
        world.store.submit(&new, None, 10_000, None).await.unwrap();
        submitted.extend(new.into_iter().map(|new| new.action.id));
    }
    let notes = Arc::new(Notes::default());
    let mut claimers = JoinSet::new();
    for n in 0..TASKS {
        let store = if n % 2 == 0 { &world.store } else { &other };
        claimers.spawn(claim_all(store.clone(), Arc::clone(&notes)));
    }
    while let Some(ended) = claimers.join_next().await {
        ended.unwrap();
    }
    world.assert_sound().await;
    assert_eq!(world.processor("p").await.processed, ACTIONS as u64);
    let claimed = notes.claimed.lock().unwrap().clone();
    (submitted, claimed, notes.most.load(Ordering::SeqCst))
}

async fn no_action_is_claimed_twice_and_capacity_holds(redis: Redis) {
    const CAPACITY: u32 = 4;
    let (submitted, claimed, most) = race(redis, CAPACITY).await;
    assert_eq!(claimed.len(), ACTIONS);
    let names = |ids: &[ActionId]| ids.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(names(&claimed), names(&submitted));
    assert!(most <= CAPACITY, "{most} in flight");
    assert!(most > 1, "nothing ran at the same time");
}

async fn claims_keep_the_order_of_submission(redis: Redis) {
    // One at a time, so that the order in which claims are seen is the order in which they were made.
    let (submitted, claimed, most) = race(redis, 1).await;
    assert_eq!((claimed == submitted, most), (true, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_claimers_claim_nothing_twice_and_keep_to_the_capacity() {
    no_action_is_claimed_twice_and_capacity_holds(Redis::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_claimers_claim_nothing_twice_and_keep_to_the_capacity_on_a_cluster() {
    no_action_is_claimed_twice_and_capacity_holds(Redis::cluster().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_claimers_keep_the_order_of_submission() {
    claims_keep_the_order_of_submission(Redis::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_claimers_keep_the_order_of_submission_on_a_cluster() {
    claims_keep_the_order_of_submission(Redis::cluster().await).await;
}
