//! Stops that meet something in their way.

use tokio::time::timeout;

use super::*;

#[tokio::test]
async fn a_stop_while_it_starts_leaves_nothing() {
    let dir = Dir::new("data");
    // Stopped as soon as a Redis lives there, whether it answers yet or not.
    let place = dir.place();
    let appears = async {
        loop {
            let vacant = {
                let gate = place.gate(later()).await.unwrap();
                place.vacant(&gate).unwrap().is_some()
            };
            if !vacant {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
    };
    let stop = Stop::new();
    let begin = async {
        appears.await;
        stop.begin();
    };
    let (started, ()) = tokio::join!(Embedded::start(&dir.0, &stop), begin);
    if let Some(server) = started.unwrap() {
        server.stop(later()).await.unwrap();
    }
    assert!(dir.is_vacant().await);
}

#[tokio::test]
async fn a_stop_while_it_waits_for_the_gate_ends_the_start() {
    let dir = Dir::new("data");
    let _gate = dir.place().gate(later()).await.unwrap();
    let stop = Stop::new();
    stop.begin();
    assert!(Embedded::start(&dir.0, &stop).await.unwrap().is_none());
}

#[tokio::test]
async fn one_that_does_not_stop_is_killed_by_the_deadline_with_what_it_forked() {
    let dir = Dir::new("data");
    let server = dir.start().await;
    assert_eq!(dir.ask("SET kept 1").await, "+OK");
    assert!(Command::new("kill").args(["-STOP", &dir.pid()]).status().unwrap().success());
    // Its standard input, as a child of it has.
    let input = File::open(dir.0.join(place::ALIVE)).unwrap();
    let mut child = Command::new("sleep").arg("600").stdin(input).spawn().unwrap();
    server.stop(Instant::now() + 2 * KILLED_BEFORE).await.unwrap();
    child.wait().unwrap();
    assert!(dir.is_vacant().await);
    let next = dir.start().await;
    assert_eq!(dir.ask("EXISTS kept").await, ":1");
    next.stop(later()).await.unwrap();
}

#[tokio::test]
async fn nobody_who_holds_the_gate_holds_a_stop_up_beyond_its_deadline() {
    let dir = Dir::new("data");
    let server = dir.start().await;
    let gate = dir.place().gate(later()).await.unwrap();
    // The gate stays closed, so only the deadline can end it.
    let stopped = timeout(GATE_WITHIN / 2, server.stop(Instant::now())).await;
    let busy = stopped.expect("it ends at its deadline").unwrap_err();
    assert!(matches!(&busy, Error::Busy { .. }), "{busy}");
    drop(gate);
    dir.start().await.stop(later()).await.unwrap();
    assert!(dir.is_vacant().await);
}
