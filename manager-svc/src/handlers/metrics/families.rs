//! Which families there are: names carry the unit, and `docs/operations.md` says what to watch.

use std::fmt::Display;

use baton_wire::processor::Usage;

use super::super::meta::{Snapshot, kind};
use super::exposition::{Exposition, Kind, Seconds};
use crate::store::{Processor, ProcessorStatus};

const STATUSES: [(&str, ProcessorStatus); 4] = [
    ("active", ProcessorStatus::Active),
    ("unhealthy", ProcessorStatus::Unhealthy),
    ("paused", ProcessorStatus::Paused),
    ("draining", ProcessorStatus::Draining),
];

/// Everything, as text. `id` and `usage` are the answering process's.
pub(super) fn render(id: &str, usage: Usage, snapshot: &Snapshot) -> String {
    let mut text = Exposition::default();
    manager(&mut text, id, usage);
    queues(&mut text, snapshot);
    store(&mut text, snapshot);
    processors(&mut text, &snapshot.processors);
    text.into_text()
}

fn manager(text: &mut Exposition, id: &str, usage: Usage) {
    let version = env!("CARGO_PKG_VERSION");
    text.family("baton_manager_info", Kind::Gauge, "The manager process that answers; always 1.")
        .sample(&[("id", id), ("version", version)], 1);
    text.family("baton_manager_cpu_cores", Kind::Gauge, "Processor cores that it keeps busy.")
        .sample(&[], cores(usage.cpu_percent));
    text.family("baton_manager_memory_bytes", Kind::Gauge, "Its resident memory.")
        .sample(&[], usage.memory_bytes);
}

fn queues(text: &mut Exposition, snapshot: &Snapshot) {
    let sizes = &snapshot.sizes;
    let help = "Actions ready for a processor (input), dispatched (pending), waiting for a delay or backoff (delayed), \
        with an outcome to deliver (output), failed and kept (failed).";
    let mut family = text.family("baton_queue_actions", Kind::Gauge, help);
    for (queue, size) in [
        ("input", sizes.input),
        ("pending", sizes.pending),
        ("delayed", sizes.delayed),
        ("output", sizes.output),
        ("failed", sizes.failed),
    ] {
        family.sample(&[("queue", queue)], size);
    }
    text.family("baton_live_actions", Kind::Gauge, "Actions without an outcome.")
        .sample(&[], sizes.live);
    let help =
        "For how long the oldest action that is ready for a processor has been so; 0 when none is.";
    text.family("baton_queue_oldest_seconds", Kind::Gauge, help)
        .sample(&[], Seconds { ms: sizes.oldest_ms.unwrap_or_default() });
    let help =
        "Receiver hosts that too many outcomes wait for, so that submissions for them are refused.";
    text.family("baton_full_receivers", Kind::Gauge, help).sample(&[], snapshot.marks.hosts.len());
}

fn store(text: &mut Exposition, snapshot: &Snapshot) {
    let info = &snapshot.info;
    text.family("baton_store_info", Kind::Gauge, "The store; always 1.")
        .sample(&[("kind", kind(info)), ("version", &info.version)], 1);
    text.family("baton_store_memory_bytes", Kind::Gauge, "Memory that the store uses.")
        .sample(&[], info.memory_bytes);
    let help = "The store's memory limit; absent when it has none.";
    let mut family = text.family("baton_store_memory_limit_bytes", Kind::Gauge, help);
    if let Some(limit) = info.memory_limit_bytes {
        family.sample(&[], limit);
    }
    let help = "1 while so much memory is used by what has not ended that submissions are refused.";
    text.family("baton_store_above_mark", Kind::Gauge, help)
        .sample(&[], u8::from(snapshot.marks.memory));
    let help =
        "How often the store held what it never should, and was repaired; any is a bug to report.";
    text.family("baton_repaired_total", Kind::Counter, help).sample(&[], snapshot.repaired);
}

fn processors(text: &mut Exposition, all: &[Processor]) {
    // A family has one sample for each processor that has something to say.
    let mut family = |name, kind, help: &str, value: &dyn Fn(&Processor) -> Option<String>| {
        let mut family = text.family(name, kind, help);
        for p in all {
            if let Some(value) = value(p) {
                family.sample(&[("id", &p.id), ("name", &p.name)], value);
            }
        }
    };
    let (gauge, counter) = (Kind::Gauge, Kind::Counter);
    let some = |value: &dyn Display| Some(value.to_string());
    let seconds = |ms| Some(Seconds { ms }.to_string());

    let help = "Attempts that are pending at it.";
    family("baton_processor_in_flight", gauge, help, &|p| some(&p.in_flight));
    let help = "Attempts that it takes at a time.";
    family("baton_processor_capacity", gauge, help, &|p| some(&p.capacity));
    let help = "Attempts that succeeded.";
    family("baton_processor_processed_total", counter, help, &|p| some(&p.processed));
    let help = "Attempts that failed.";
    family("baton_processor_failed_total", counter, help, &|p| some(&p.failed));
    let help = "How long its succeeded attempts took, added up.";
    family("baton_processor_processed_seconds_total", counter, help, &|p| seconds(p.sum_ms));
    let help = "How long its succeeded attempts took on average.";
    family("baton_processor_average_seconds", gauge, help, &|p| {
        seconds(p.sum_ms.checked_div(p.processed)?)
    });
    let help = "How long its last settled attempt took.";
    family("baton_processor_last_seconds", gauge, help, &|p| seconds(p.last_ms?));
    let help = "Processor cores that it kept busy, as it last said.";
    family("baton_processor_cpu_cores", gauge, help, &|p| some(&cores(p.usage?.0)));
    let help = "Its resident memory, as it last said.";
    family("baton_processor_memory_bytes", gauge, help, &|p| some(&p.usage?.1));
    let help = "When it registered.";
    family("baton_processor_connected_timestamp_seconds", gauge, help, &|p| {
        seconds(p.connected_on)
    });
    let help = "When it last answered.";
    family("baton_processor_last_seen_timestamp_seconds", gauge, help, &|p| seconds(p.last_seen));
    let help = "Until when it gets no new work because it said that it is busy; 0 if it never did.";
    family("baton_processor_held_until_timestamp_seconds", gauge, help, &|p| seconds(p.held_until));

    let mut family =
        text.family("baton_processor_status", gauge, "1 for the status that it has, else 0.");
    for p in all {
        for (name, status) in STATUSES {
            let labels = [("id", p.id.as_str()), ("name", p.name.as_str()), ("status", name)];
            family.sample(&labels, u8::from(p.status == status));
        }
    }
}

fn cores(percent: f64) -> f64 {
    percent / 100.0
}
