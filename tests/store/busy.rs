//! The reconciler beside a store that is busy: however a look falls between transitions, what is right is never
//! touched.

use std::cell::Cell;

use manager_svc::domain::action::Status;
use manager_svc::domain::{ActionId, Failure};
use manager_svc::store::{Claimed, DeliveryEnd, Reconciler, StepEnd, Why};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::repairs::AT_ONCE;
use crate::world::{HOST, World, ending};

/// How many transitions are tried.
const MOVES: usize = 400;
/// The targets, with the processor that serves each.
const SERVED: [(&str, &str); 3] = [("work", "p"), ("work", "q"), ("more", "r")];

/// What moves actions on at random, as managers do.
struct Mover<'w> {
    world: &'w World,
    random: StdRng,
    running: Vec<Claimed>,
}

impl Mover<'_> {
    async fn step(&mut self) {
        match self.random.random_range(0..8) {
            0 | 1 => self.submit().await,
            2 | 3 => self.claim().await,
            4 | 5 => self.settle().await,
            6 => self.promote().await,
            _ => self.deliver().await,
        }
    }

    async fn submit(&mut self) {
        let jobs: &[&str] =
            if self.random.random() { &["work"] } else { &["work", "more", "work"] };
        let mut new = if self.random.random() {
            self.world.action(jobs)
        } else {
            self.world.action_to_host(jobs)
        };
        new.delay_ms = [0, 0, 1, 500_000][self.random.random_range(0..4)];
        self.world.submit(&new).await;
    }

    async fn claim(&mut self) {
        let (target, processor) = SERVED[self.random.random_range(0..SERVED.len())];
        let heads = self.world.store.heads(&[], &[(target, 3)]).await.unwrap();
        let ids: Vec<&ActionId> = heads.waiting[0].iter().map(|(_, id)| id).collect();
        self.running.extend(self.world.claim(processor, target, &ids).await);
    }

    async fn settle(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let at = self.random.random_range(0..self.running.len());
        let world = self.world;
        let (token, nonce) = (self.running[at].token.hash(), world.nonce());
        let (why, failure, end) = (Why::Token(&token), Failure::new("e", "no"), ending(None));
        let output = world.output("1");
        let done = StepEnd::succeeded(&token, &output);
        match self.random.random_range(0..5) {
            0 => {
                let action = &self.running[at].action;
                world.store.renew(action, &token, &nonce).await.unwrap();
            }
            1 => {
                let action = self.running.swap_remove(at).action;
                let backoff = [0, 500_000][self.random.random_range(0..2)];
                world.store.retry(&action, why, &nonce, backoff, &failure).await.unwrap();
            }
            2 => {
                let action = self.running.swap_remove(at).action;
                world.store.end(&action, why, &nonce, &failure, end).await.unwrap();
            }
            _ => {
                let action = self.running.swap_remove(at).action;
                if action.next_job().is_some() {
                    world.store.advance(&action, done, None).await.unwrap();
                } else {
                    world.store.finish(&action, done, Status::Succeeded, end).await.unwrap();
                }
            }
        }
    }

    async fn promote(&mut self) {
        let look = self.world.store.look().await.unwrap();
        let ids = look.delayed.into_iter().take_while(|(at, _)| *at <= look.now).map(|(_, id)| id);
        let ids: Vec<_> = ids.collect();
        if ids.is_empty() {
            return;
        }
        let records = self.world.store.actions(&ids).await.unwrap();
        let due = ids.into_iter().zip(records);
        let due: Vec<_> = due.map(|(id, of)| (id, of.unwrap().job().target.to_string())).collect();
        self.world.store.promote(&due).await.unwrap();
    }

    async fn deliver(&mut self) {
        let world = self.world;
        let queue = world.store.deliveries(&[HOST], 1).await.unwrap();
        let Some((_, id)) = queue[0].first() else { return };
        let asks = world.ask_delivery(id).await;
        for sent in world.store.claim_deliveries(&asks, 30_000).await.unwrap().whole {
            let end = match self.random.random_range(0..4) {
                0 => DeliveryEnd::Again(self.random.random_range(0..5), "later".to_owned()),
                1 => DeliveryEnd::Exhausted("never".to_owned()),
                _ => DeliveryEnd::Delivered,
            };
            let receiver = sent.action.receiver.as_ref().unwrap();
            let settled =
                world.store.settle_delivery(&sent.action, receiver, &sent.token, &end, 1_000_000);
            settled.await.unwrap();
        }
    }
}

async fn nothing_that_is_right_is_touched(world: World) {
    for (target, processor) in SERVED {
        world.register(processor, target, 20).await;
    }
    let busy = Cell::new(true);
    let moving = async {
        let random = StdRng::seed_from_u64(7);
        let mut mover = Mover { world: &world, random, running: Vec::new() };
        for _ in 0..MOVES {
            mover.step().await;
        }
        busy.set(false);
    };
    let repairing = async {
        let (mut memory, mut repaired, mut looks) = (Reconciler::default(), Vec::new(), 0);
        while busy.get() {
            repaired.extend(world.store.reconcile(&mut memory, AT_ONCE).await.unwrap());
            looks += 1;
        }
        (repaired, looks)
    };
    let ((), (repaired, looks)) = tokio::join!(moving, repairing);
    assert!(looks > 30, "{looks} looks are too few to have met it in the middle of anything");
    // An empty queue may be seen twice at a bad moment; its repair then finds nothing to do.
    let of_actions: Vec<_> = repaired.iter().filter(|one| one.of.starts_with("act_")).collect();
    assert!(of_actions.is_empty(), "{of_actions:#?}");
    assert_eq!(world.direct.repaired().await.unwrap(), 0, "{repaired:#?}");
    world.assert_sound().await;
}

#[tokio::test]
async fn nothing_that_is_right_is_touched_while_everything_moves() {
    nothing_that_is_right_is_touched(World::start().await).await;
}

#[tokio::test]
async fn nothing_that_is_right_is_touched_while_everything_moves_on_a_cluster() {
    nothing_that_is_right_is_touched(World::on_cluster().await).await;
}
