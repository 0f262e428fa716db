//! What an hour without work costs: one short run a minute, and not a second of waiting.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;
use std::time::Duration;

use kit::{Command, PATIENCE, Redis};
use manager_svc::app::App;
use manager_svc::nudge::Nudger;
use manager_svc::tick::{TickReport, linger};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, pause, resume};

use crate::world::{Seen, World, beat, counting, is_announcement, is_hold, is_release, process};

const BEATS: usize = 60;
const MINUTE_MS: &str = "-60000";

/// One beat under a clock that stands still: the network goes on, and whoever waits for time to pass would wait for
/// the test's patience to end. Answers how long the tick took by that clock.
async fn timed(app: &App, nudger: &Nudger) -> (TickReport, Duration) {
    pause();
    let (ended, end) = mpsc::channel::<()>();
    // While a blocking task runs, the clock does not jump to the next timer.
    let patience = spawn_blocking(move || end.recv_timeout(PATIENCE));
    let begun = Instant::now();
    let report = linger(app, beat(), nudger).await.unwrap();
    let took = begun.elapsed();
    drop(ended);
    let _ = patience.await;
    resume();
    (report, took)
}

/// A minute passes for the health checks.
async fn a_minute_passes(redis: &Redis, processors: &[&str]) {
    for id in processors {
        let () = redis.query(&["ZINCRBY", "{p0}:processors", MINUTE_MS, id]).await;
    }
}

fn is_pass(command: &Command) -> bool {
    command.is("SMEMBERS") && command.text(1) == "{p0}:targets"
}

#[tokio::test]
async fn an_idle_hour_is_sixty_short_runs() {
    let world = World::start().await;
    let processors = [world.processor("p").await, world.processor("q").await];
    world.settle().await;
    let seen = Seen::default();
    let proxy = seen.proxy(&world.redis).await;
    let (nudger, handoffs) = counting();
    let (mut passes, mut commands, mut seconds) = (0, 0, Duration::ZERO);
    for _ in 0..BEATS {
        // Each beat may meet a new process: it costs the most.
        let app = process(&proxy.url()).await;
        a_minute_passes(&world.redis, &["p", "q"]).await;
        seen.clear();
        let (report, took) = timed(&app, &nudger).await;
        seconds += took;
        assert_eq!(report.checks + usize::from(report.checks == 1), 2, "{report:?}");
        assert_eq!((report.claimed, report.claimable), (0, false), "{report:?}");
        assert_eq!(seen.count(is_hold), 1, "it took its key, and never renewed it");
        assert_eq!(seen.count(is_release), 1);
        assert_eq!(seen.count(is_announcement), 0);
        assert!(app.calls.is_empty());
        passes += seen.count(is_pass);
        commands += seen.count(|_| true);
    }
    println!("an idle hour: {passes} passes, {commands} commands, {seconds:?} of waiting");
    assert_eq!(seconds, Duration::ZERO, "a tick waited for time to pass");
    assert!(passes <= 4 * BEATS, "{passes} passes in {BEATS} beats");
    assert_eq!(handoffs.load(SeqCst), 0);
    for processor in &processors {
        assert!(processor.arrivals().is_empty());
    }
    let checked = world.client.meta().await.processors;
    assert!(checked.iter().all(|p| p.status == baton_wire::manager::ProcessorStatus::Active));
}
