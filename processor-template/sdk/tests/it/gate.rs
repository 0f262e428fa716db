//! A function that works for as long as the test wants.

use std::sync::Arc;

use baton_sdk::{Failure, Job, Processor};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::manager::PATIENCE;

/// What the test sees and steers.
pub(crate) struct Gate {
    started: mpsc::UnboundedReceiver<Job>,
    cancelled: mpsc::UnboundedReceiver<()>,
    open: Arc<Semaphore>,
}

/// A processor whose function answers `"done"` once the gate lets it.
pub(crate) fn gated() -> (Processor, Gate) {
    let (to_started, started) = mpsc::unbounded_channel();
    let (to_cancelled, cancelled) = mpsc::unbounded_channel();
    let open = Arc::new(Semaphore::new(0));
    let gate = Gate { started, cancelled, open: Arc::clone(&open) };
    let function = move |job: Job| {
        let (started, open) = (to_started.clone(), Arc::clone(&open));
        let mut guard = Guard(Some(to_cancelled.clone()));
        async move {
            started.send(job)?;
            open.acquire().await?.forget();
            guard.disarm();
            Ok::<_, Failure>("done")
        }
    };
    (Processor::new("test", function), gate)
}

/// Reports a function that was dropped before its end.
struct Guard(Option<mpsc::UnboundedSender<()>>);

impl Guard {
    fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(cancelled) = self.0.take() {
            // The test may be over.
            let _ = cancelled.send(());
        }
    }
}

impl Gate {
    /// Waits until the function has been started once more.
    pub(crate) async fn started(&mut self) -> Job {
        timeout(PATIENCE, self.started.recv()).await.unwrap().unwrap()
    }

    /// Whether it was started and nobody has asked.
    pub(crate) fn has_started(&mut self) -> bool {
        self.started.try_recv().is_ok()
    }

    /// Waits until a run was stopped before its end.
    pub(crate) async fn cancelled(&mut self) {
        timeout(PATIENCE, self.cancelled.recv()).await.unwrap().unwrap();
    }

    /// Lets one run end.
    pub(crate) fn release(&self) {
        self.open.add_permits(1);
    }
}
