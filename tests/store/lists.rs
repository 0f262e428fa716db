//! Lists of actions: every entry once, newest first, also when very many have one score.

use manager_svc::domain::ActionId;
use manager_svc::store::{BATCH, Begin, Index, Place};

use crate::world::World;

cases! {
    two_indexes_are_listed_as_one_and_every_page_goes_on_after_the_last
    a_list_begins_at_a_score_or_after_a_place_that_is_gone
    what_is_no_id_is_passed_over
}

/// Lists these with one score.
async fn add(world: &World, index: &str, score: u64, ids: &[ActionId]) {
    let (key, score) = (format!("{{p0}}:{index}"), score.to_string());
    let mut command = vec!["ZADD", &key];
    for id in ids {
        command.extend([score.as_str(), id.as_str()]);
    }
    let () = world.redis.query(&command).await;
}

fn some(from: u128, to: u128) -> Vec<ActionId> {
    (from..to).map(ActionId::from_random).collect()
}

async fn pages(world: &World, indexes: &[Index], mut begin: Begin, size: usize) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    loop {
        let page = world.store.newest(indexes, &begin, size).await.unwrap();
        assert!(page.len() <= size);
        let Some(last) = page.last().cloned() else { return places };
        places.extend(page);
        begin = Begin::After(last);
    }
}

async fn two_indexes_are_listed_as_one_and_every_page_goes_on_after_the_last(world: &World) {
    const SAME: u128 = 2 * BATCH as u128 + 50;
    let mut expected: Vec<Place> = Vec::new();
    for (index, score, ids) in [
        ("done", 7, some(0, SAME)),
        ("failed", 7, some(SAME, SAME + 20)),
        ("failed", 9, some(500, 501)),
        ("done", 8, some(501, 502)),
        ("failed", 3, some(502, 505)),
    ] {
        add(world, index, score, &ids).await;
        expected.extend(ids.into_iter().map(|id| (score, id)));
    }
    add(world, "live", 10, &some(600, 601)).await;
    expected.sort_by(|(a, x), (b, y)| (b, y.as_str()).cmp(&(a, x.as_str())));
    for size in [7, BATCH] {
        let found = pages(world, &[Index::Done, Index::Failed], Begin::Start, size).await;
        assert_eq!(found, expected);
    }
    // Nothing of this is an action.
    let () = world.redis.query(&["DEL", "{p0}:live", "{p0}:done", "{p0}:failed"]).await;
}

async fn a_list_begins_at_a_score_or_after_a_place_that_is_gone(world: &World) {
    let ids = some(0, 6);
    for (id, score) in ids.iter().zip([1, 2, 2, 2, 3, 4]) {
        add(world, "done", score, std::slice::from_ref(id)).await;
    }
    let from = async |begin| pages(world, &[Index::Done], begin, 2).await;
    let scores = |places: Vec<Place>| places.into_iter().map(|(at, _)| at).collect::<Vec<_>>();
    assert_eq!(scores(from(Begin::AtMost(2)).await), [2, 2, 2, 1]);
    assert_eq!(scores(from(Begin::AtMost(0)).await), [0; 0]);
    assert_eq!(from(Begin::After((1, ids[0].clone()))).await, []);
    let () = world.redis.query(&["ZREM", "{p0}:done", ids[2].as_str()]).await;
    let rest = from(Begin::After((2, ids[2].clone()))).await;
    assert_eq!(rest, [(2, ids[1].clone()), (1, ids[0].clone())]);
}

async fn what_is_no_id_is_passed_over(world: &World) {
    let ids = some(0, 2);
    add(world, "done", 5, &ids).await;
    let () = world.redis.query(&["ZADD", "{p0}:done", "6", "odd", "5", "zzz"]).await;
    let found = world.store.newest(&[Index::Done], &Begin::Start, 2).await.unwrap();
    assert_eq!(found, [(5, ids[1].clone()), (5, ids[0].clone())]);
    let () = world.redis.query(&["DEL", "{p0}:done"]).await;
}
