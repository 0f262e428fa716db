//! `GET /metrics`, read by a Prometheus parser, against `GET /meta`.

use std::collections::BTreeMap;

use baton_wire::manager::{ManagerMeta, ProcessorOut, ProcessorStatus};
use baton_wire::processor::Usage;
use kit::{Gate, Reply, action, until};
use prometheus_parse::{Scrape, Value};

use crate::world::World;

/// Each sample by its name and labels, as in `name{a="b",c="d"}`.
type Samples = BTreeMap<String, Value>;

async fn scrape(world: &World) -> Samples {
    let answer = world.baton.fetch("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.ends_with('\n'));
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.count(), scrape.samples.len(), "a line is no sample: {text}");
    let mut samples = Samples::new();
    for sample in scrape.samples {
        assert!(scrape.docs.contains_key(&sample.metric), "{} has no help", sample.metric);
        assert_eq!(
            matches!(sample.value, Value::Counter(_)),
            sample.metric.ends_with("_total"),
            "{} has the wrong type or name",
            sample.metric
        );
        let labels = sample.labels.to_string();
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let name = format!("{}{labels}", sample.metric);
        assert!(samples.insert(name.clone(), sample.value).is_none(), "{name} is there twice");
    }
    samples
}

fn is(samples: &Samples, name: &str, expected: f64) {
    let found = match samples.get(name) {
        Some(Value::Counter(found) | Value::Gauge(found)) => *found,
        other => panic!("{name} is {other:?}: {samples:#?}"),
    };
    assert!((found - expected).abs() < 1e-9, "{name} is {found}, and not {expected}");
}

fn count(number: u64) -> f64 {
    u32::try_from(number).unwrap().into()
}

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

fn agrees_on_queues(samples: &Samples, meta: &ManagerMeta) {
    let queues = &meta.queues;
    for (name, size) in [
        ("baton_queue_actions{queue=\"input\"}", queues.input),
        ("baton_queue_actions{queue=\"pending\"}", queues.pending),
        ("baton_queue_actions{queue=\"delayed\"}", queues.delayed),
        ("baton_queue_actions{queue=\"output\"}", queues.output),
        ("baton_queue_actions{queue=\"failed\"}", queues.failed),
        ("baton_live_actions", queues.live),
        ("baton_full_receivers", 0),
        ("baton_store_above_mark", 0),
        ("baton_repaired_total", meta.repaired),
    ] {
        is(samples, name, count(size));
    }
    assert!(queues.full_receivers.is_empty() && !meta.store.above_mark, "{meta:?}");
}

fn agrees_on_processor(samples: &Samples, p: &ProcessorOut) {
    let of =
        |metric: &str| format!("baton_processor_{metric}{{id=\"{}\",name=\"{}\"}}", p.id, p.name);
    is(samples, &of("in_flight"), count(p.in_flight));
    is(samples, &of("capacity"), p.capacity.into());
    is(samples, &of("processed_total"), count(p.processed));
    is(samples, &of("failed_total"), count(p.failed));
    is(samples, &of("connected_timestamp_seconds"), seconds(p.connected_on));
    let timed = [("average_seconds", p.average_ms), ("last_seconds", p.last_ms)];
    for (metric, ms) in timed {
        match ms {
            Some(ms) => is(samples, &of(metric), seconds(ms)),
            None => assert!(!samples.contains_key(&of(metric)), "{samples:#?}"),
        }
    }
    match p.usage {
        Some(usage) => {
            is(samples, &of("cpu_cores"), usage.cpu_percent / 100.0);
            is(samples, &of("memory_bytes"), count(usage.memory_bytes));
        }
        None => assert!(!samples.contains_key(&of("memory_bytes")), "{samples:#?}"),
    }
    for (name, status) in [
        ("active", ProcessorStatus::Active),
        ("unhealthy", ProcessorStatus::Unhealthy),
        ("paused", ProcessorStatus::Paused),
        ("draining", ProcessorStatus::Draining),
    ] {
        let labels = format!("id=\"{}\",name=\"{}\",status=\"{name}\"", p.id, p.name);
        let expected = f64::from(u8::from(p.status == status));
        is(samples, &format!("baton_processor_status{{{labels}}}"), expected);
    }
}

#[tokio::test]
async fn metrics_say_what_meta_says() {
    let world = World::with(&[("BATON_HEALTH_INTERVAL_MS", "200")]).await;
    let gate = Gate::closed();
    let held = gate.clone();
    let work = world.processor(world.spec("p").name("kind").capacity(2), move |call| {
        let held = held.clone();
        async move {
            match call.data().as_str().unwrap() {
                "fail" => Reply::status(400),
                "hold" => {
                    held.pass().await;
                    Reply::json(&1)
                }
                _ => Reply::json(&1),
            }
        }
    });
    let p = work.await;
    let usage = Usage { cpu_percent: 42.5, memory_bytes: 77_000_000 };
    p.set_meta(|meta| meta.usage = Some(usage));
    let _fresh = world.adder("fresh").await;
    world.baton.switch("fresh", "pause").await.unwrap();
    for data in ["good", "good", "fail"] {
        let id = world.baton.submit(&action(&data, &["p"], None)).await;
        world.baton.ended(&id).await;
    }
    let mut later = action(&"good", &["p"], None);
    later.delay_ms = Some(3_600_000);
    world.baton.submit(&later).await;
    let ids = world.baton.submit_all(&vec![action(&"hold", &["kind"], None); 5]).await;
    p.wait_for(5).await;
    until("the usage has arrived", async || {
        world.baton.meta().await.processors.iter().any(|shown| shown.usage == Some(usage))
    })
    .await;

    // Nothing moves but ages and last signs of life.
    let (meta, samples) = (world.baton.meta().await, scrape(&world).await);
    let queues = &meta.queues;
    assert_eq!([queues.input, queues.pending, queues.delayed, queues.failed], [3, 2, 1, 1]);
    agrees_on_queues(&samples, &meta);
    let [unused, used] = meta.processors.as_slice() else { panic!("{meta:?}") };
    assert_eq!((used.processed, used.failed, used.usage), (2, 1, Some(usage)));
    assert_eq!((unused.id.as_str(), unused.status), ("fresh", ProcessorStatus::Paused));
    agrees_on_processor(&samples, used);
    agrees_on_processor(&samples, unused);
    let oldest = |samples: &Samples| match samples["baton_queue_oldest_seconds"] {
        Value::Gauge(seconds) => seconds,
        ref other => panic!("{other:?}"),
    };
    assert!(oldest(&samples) >= seconds(queues.oldest_ms.unwrap()));
    let info = format!("baton_manager_info{{id=\"{}\",version=\"{}\"}}", meta.id, meta.version);
    is(&samples, &info, 1.0);
    let (kind, version) = (&meta.store.kind, &meta.store.version);
    is(&samples, &format!("baton_store_info{{kind=\"{kind}\",version=\"{version}\"}}"), 1.0);
    assert!(samples.contains_key("baton_manager_memory_bytes"), "{samples:#?}");
    assert!(samples.contains_key("baton_store_memory_bytes"), "{samples:#?}");
    assert_eq!(meta.store.memory_limit_bytes, None);
    assert!(!samples.contains_key("baton_store_memory_limit_bytes"), "{samples:#?}");

    gate.open();
    for id in &ids {
        world.baton.ended(id).await;
    }
    let (meta, samples) = (world.baton.meta().await, scrape(&world).await);
    agrees_on_queues(&samples, &meta);
    is(&samples, "baton_processor_processed_total{id=\"p\",name=\"kind\"}", 7.0);
    is(&samples, "baton_queue_oldest_seconds", 0.0);
}

#[tokio::test]
async fn without_its_store_metrics_are_an_error_and_no_zeros() {
    let mut world = World::start().await;
    world.redis.kill9();
    let refusal = world.baton.fetch("/metrics").await.refusal();
    assert_eq!((refusal.status, refusal.problem.code.as_str()), (503, "store_unavailable"));
}
