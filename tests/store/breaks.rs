//! A check taken out of a script is missed: without it happens what the other tests say never does.

use kit::{Break, Scripts};
use manager_svc::domain::Failure;
use manager_svc::store::{DeliveryEnd, Settled, StepEnd, Why};

use crate::world::{World, ending};

/// Whether what the check guards against happens.
async fn happens(world: &World, which: Break) -> bool {
    world.register("p", "work", 9).await;
    let claimed = world.claimed(&world.action_to_host(&["work", "work"])).await;
    let (token, other) = (claimed.token.hash(), world.token().hash());
    let (action, output, failure) = (&claimed.action, world.output("1"), Failure::new("e", "no"));
    match which {
        Break::Token => {
            let settled = world
                .store
                .advance(action, StepEnd::succeeded(&other, &output), None)
                .await
                .unwrap();
            matches!(settled, Settled::Accepted(_))
        }
        Break::Persist => {
            world.store.advance(action, StepEnd::succeeded(&token, &output), None).await.unwrap();
            let found = world.direct.violations().await.unwrap();
            found.iter().any(|found| found.invariant == 5 && found.of == action.id.as_str())
        }
        Break::Lease => {
            let (why, nonce) = (Why::Lease(&token), world.nonce());
            let settled = world.store.retry(action, why, &nonce, 9, &failure).await.unwrap();
            matches!(settled, Settled::Accepted(_))
        }
        Break::Delivery => {
            let why = Why::Token(&token);
            let end = ending(None);
            world.store.end(action, why, &world.nonce(), &failure, end).await.unwrap();
            let receiver = action.receiver.as_ref().unwrap();
            let end = DeliveryEnd::Delivered;
            world.store.settle_delivery(action, receiver, &other, &end, 9_000).await.unwrap()
        }
    }
}

#[tokio::test]
async fn what_a_check_guards_against_happens_only_without_it() {
    for which in Break::ALL {
        let world = World::start().await;
        assert!(!happens(&world, which).await, "{which:?} is not checked");
        let world = World::start().await;
        let scripts = Scripts::edited(move |name, source| which.edit(name, source));
        let world = world.behind(scripts).await;
        assert!(happens(&world, which).await, "{which:?} is checked twice");
    }
}
