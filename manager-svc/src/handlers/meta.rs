//! `GET /meta`: the manager, its queues, its store and its processors.

use axum::extract::State;
use axum::response::Response;
use baton_wire::manager::{
    ManagerMeta, ProcessorOut, ProcessorStatus as StatusOut, Queues, StoreMeta,
};
use baton_wire::processor::Usage;

use super::durability;
use crate::app::App;
use crate::error::ApiError;
use crate::reply;
use crate::store::{Marks, Processor, ProcessorStatus, QueueSizes, StoreInfo};

/// What the store says at one moment; `GET /metrics` tells the same in another language.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) processors: Vec<Processor>,
    pub(super) sizes: QueueSizes,
    pub(super) info: StoreInfo,
    pub(super) marks: Marks,
    pub(super) repaired: u64,
}

impl Snapshot {
    /// Reads it: some eight round trips.
    pub(super) async fn read(app: &App) -> Result<Self, ApiError> {
        let processors = app.store.processors().await?;
        let ids: Vec<_> = processors.iter().map(|p| p.id.clone()).collect();
        Ok(Self {
            sizes: app.store.queue_sizes(&ids).await?,
            info: app.store.info().await?,
            marks: app.store.marks().await?,
            repaired: app.store.repaired().await?,
            processors,
        })
    }
}

/// Everything an operator asks first.
pub(crate) async fn get_meta(State(app): State<App>) -> Result<Response, ApiError> {
    let Snapshot { processors, sizes, info, marks, repaired } = Snapshot::read(&app).await?;
    let durability = app.config.redis.durability.map(|configured| configured.in_words());
    Ok(reply::ok(&ManagerMeta {
        id: app.id.clone(),
        name: "baton".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        usage: app.usage.sample(),
        queues: Queues {
            input: sizes.input,
            pending: sizes.pending,
            delayed: sizes.delayed,
            output: sizes.output,
            failed: sizes.failed,
            live: sizes.live,
            oldest_ms: sizes.oldest_ms,
            full_receivers: marks.hosts.into_iter().collect(),
        },
        store: store(&info, marks.memory, durability),
        repaired,
        processors: processors.into_iter().map(processor).collect(),
    }))
}

fn processor(p: Processor) -> ProcessorOut {
    ProcessorOut {
        status: status(p.status),
        usage: p.usage.map(|(cpu_percent, memory_bytes)| Usage { cpu_percent, memory_bytes }),
        last_ms: p.last_ms,
        average_ms: p.sum_ms.checked_div(p.processed),
        id: p.id,
        name: p.name,
        url: p.url,
        processed: p.processed,
        failed: p.failed,
        in_flight: p.in_flight,
        capacity: p.capacity,
        connected_on: p.connected_on,
        last_seen: p.last_seen,
    }
}

/// A processor's status on the wire.
pub(super) fn status(status: ProcessorStatus) -> StatusOut {
    match status {
        ProcessorStatus::Active => StatusOut::Active,
        ProcessorStatus::Unhealthy => StatusOut::Unhealthy,
        ProcessorStatus::Paused => StatusOut::Paused,
        ProcessorStatus::Draining => StatusOut::Draining,
    }
}

fn store(info: &StoreInfo, above_mark: bool, configured: Option<&'static str>) -> StoreMeta {
    StoreMeta {
        kind: kind(info).to_owned(),
        version: info.version.clone(),
        memory_bytes: info.memory_bytes,
        memory_limit_bytes: info.memory_limit_bytes,
        above_mark,
        durability: durability::in_words(info, configured),
    }
}

/// `standalone` or `cluster`.
pub(super) fn kind(info: &StoreInfo) -> &'static str {
    if info.cluster { "cluster" } else { "standalone" }
}
