//! The checker of the invariants: each clause is broken by hand, and it says which and where.

use manager_svc::domain::action::Status;
use manager_svc::domain::{ActionId, Failure};
use manager_svc::store::{IdempotencyKey, StepEnd, Why};

use crate::world::{PLENTY, World, ending};

/// What breaks (commands on keys without their tag, separated by `;`, a blank in a value written `%`), the
/// invariant, and what is named.
///
/// `@a` waits, `@b` runs at `p`, `@c` is delayed, `@d` has an outcome to deliver, `@e` has ended; `@a_data` is the
/// name of `@a`'s payload.
pub(crate) const BREAKS: &[(&str, u8, &str)] = &[
    ("ZREM live @a", 1, "@a"),
    ("ZADD live 5 @a", 1, "@a"),
    ("ZREM input:work @a", 1, "@a"),
    ("ZREM input:work @a; SREM targets work", 1, "@a"),
    ("ZREM pending:p @b", 1, "@b"),
    ("ZREM delayed @c", 1, "@c"),
    ("ZADD delayed 5 @a", 1, "@a"),
    ("ZADD pending:p 9000000000000 @a", 1, "@a"),
    ("ZADD input:work 9 @b", 1, "@b"),
    ("ZREM input:work @a; ZADD input:else 1 @a; SREM targets work; SADD targets else", 1, "@a"),
    ("ZADD done 5 @a", 1, "@a"),
    ("ZADD failed 5 @a", 1, "@a"),
    ("ZADD output:h:80 5 @a", 1, "@a"),
    ("ZADD live 5 @d", 1, "@d"),
    ("ZADD delayed 5 @d", 1, "@d"),
    ("ZREM done @d", 1, "@d"),
    ("ZADD failed 5 @d", 1, "@d"),
    ("ZREM done @d; ZADD failed 5 @d", 1, "@d"),
    ("ZREM output:h:80 @d", 1, "@d"),
    ("ZREM output:h:80 @d; ZREM receivers h:80", 1, "@d"),
    ("ZADD output:other:80 5 @d; ZADD receivers 5 other:80", 1, "@d"),
    (
        "ZREM output:h:80 @d; ZADD output:o:80 5 @d; ZREM receivers h:80; ZADD receivers 5 o:80",
        1,
        "@d",
    ),
    ("SREM targets work", 1, "work"),
    ("SADD targets empty", 1, "empty"),
    ("ZREM receivers h:80", 1, "h:80"),
    ("ZADD receivers 5 empty:80", 1, "empty:80"),
    ("UNLINK action:@a", 1, "@a"),
    ("UNLINK action:@b", 1, "@b"),
    ("UNLINK action:@c", 1, "@c"),
    ("UNLINK action:@d", 1, "@d"),
    ("HSET action:@a token t held p%1%-%5", 2, "@a"),
    ("HSET action:@b token ", 2, "@b"),
    ("HSET action:@b held q%1%-%5", 2, "@b"),
    ("ZREM pending:p @b; ZADD pending:q 9000000000000 @b", 2, "@b"),
    ("ZADD pending:p 5 @b", 2, "@b"),
    ("HSET action:@a step 5", 3, "@a"),
    ("HSET action:@a step 1", 3, "@a"),
    ("HSET action:@a step 1 a:1 0\tp\t1\t2\t{}", 3, "@a"),
    ("HSET action:@a step 1 a:1 0\tp\t1\t2 a:2 0\tp\t1\t2", 3, "@a"),
    (r#"HSET action:@a step 1 jobs [{"target":"work","skip":true},"work"]"#, 3, "@a"),
    ("ZADD output:h:80 5 @e", 4, "@e"),
    ("PEXPIRE action:@a 500000", 5, "@a"),
    ("PEXPIRE action:@d 500000", 5, "@d"),
    ("PEXPIRE @a_data 500000", 5, "@a"),
    ("UNLINK @a_data", 5, "@a"),
    ("PERSIST action:@e", 5, "@e"),
    ("PERSIST @e_data", 5, "@e"),
    ("SET data:@a:orphan 1", 5, "{p0}:data:@a:orphan"),
    ("SET data:nobody:orphan 1", 5, "{p0}:data:nobody:orphan"),
    ("PEXPIRE idempotency:key 500000", 5, "@a"),
    ("UNLINK idempotency:key", 5, "@a"),
];

/// One action in each place, by letter.
pub(crate) async fn scene(world: &World) -> Vec<(char, ActionId)> {
    world.register("p", "work", 9).await;
    let failure = Failure::new("e", "no");
    let delayed = world.claimed(&world.action(&["work"])).await;
    let token = delayed.token.hash();
    let why = Why::Token(&token);
    world.store.retry(&delayed.action, why, &world.nonce(), 500_000, &failure).await.unwrap();
    let deliver = world.claimed(&world.action_to_host(&["work"])).await;
    let token = deliver.token.hash();
    world
        .store
        .finish(
            &deliver.action,
            StepEnd::succeeded(&token, &world.output("1")),
            Status::Succeeded,
            ending(None),
        )
        .await
        .unwrap();
    let ended = world.claimed(&world.action(&["work"])).await;
    let token = ended.token.hash();
    world
        .store
        .finish(
            &ended.action,
            StepEnd::succeeded(&token, &world.output("1")),
            Status::Succeeded,
            ending(None),
        )
        .await
        .unwrap();
    let running = world.claimed(&world.action(&["work"])).await;
    let key = IdempotencyKey { key: "key".to_owned(), body: "body".to_owned() };
    let mut waits = world.action(&["work", "more"]);
    waits.action.idempotency = Some(key.key.clone());
    world.store.submit(std::slice::from_ref(&waits), Some(&key), PLENTY, None).await.unwrap();
    vec![
        ('a', waits.action.id),
        ('b', running.action.id),
        ('c', delayed.action.id),
        ('d', deliver.action.id),
        ('e', ended.action.id),
    ]
}

/// The texts with the ids of actions in place of their letters.
pub(crate) async fn with_names(
    world: &World,
    actions: &[(char, ActionId)],
    texts: &[&str],
) -> Vec<String> {
    let mut texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
    for (letter, id) in actions {
        let data = format!("data:{id}:{}", world.record(id).await.data.as_str());
        for text in &mut texts {
            *text = text.replace(&format!("@{letter}_data"), &data);
            *text = text.replace(&format!("@{letter}"), id.as_str());
        }
    }
    texts
}

/// Runs commands that are written like those of [`BREAKS`].
pub(crate) async fn run(world: &World, commands: &str) {
    for command in commands.split("; ") {
        let mut parts: Vec<_> = command.split(' ').map(|part| part.replace('%', " ")).collect();
        parts[1] = format!("{{p0}}:{}", parts[1]);
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        let _: redis::Value = world.redis.query(&parts).await;
    }
}

async fn every_clause_is_checked(mut world: World) {
    for (commands, invariant, of) in BREAKS {
        let actions = scene(&world).await;
        world.assert_sound().await;
        let named = with_names(&world, &actions, &[commands, of]).await;
        run(&world, &named[0]).await;
        let of = &named[1];
        let found = world.direct.violations().await.unwrap();
        let named = found.iter().any(|found| found.invariant == *invariant && found.of == *of);
        assert!(named, "{commands}: {invariant} is not named for {of} in {found:#?}");
        world = world.emptied().await;
    }
}

#[tokio::test]
async fn every_clause_that_is_broken_by_hand_is_named() {
    every_clause_is_checked(World::start().await).await;
}

#[tokio::test]
async fn every_clause_that_is_broken_by_hand_is_named_on_a_cluster() {
    every_clause_is_checked(World::on_cluster().await).await;
}
