//! Running the author's function: once for each idempotency key, within the capacity.

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tracing::Instrument as _;

use crate::failure::Failure;
use crate::job::Job;
use crate::output::Output;

/// What the author's function came to.
pub(crate) type Outcome = Result<Output, Failure>;
/// The author's function.
pub(crate) type Function =
    Arc<dyn Fn(Job) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;
/// Action, step and idempotency key. The header alone would do, but it is not signed.
type Key = (String, u32, String);

/// All capacity is taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// What this processor works on.
pub(crate) struct Works {
    function: Function,
    slots: Arc<Semaphore>,
    running: Mutex<HashMap<Key, Weak<Work>>>,
}

/// One run of the function. Whoever drops it last stops it.
#[derive(Debug)]
pub(crate) struct Work {
    outcome: watch::Receiver<Option<Arc<Outcome>>>,
    task: AbortHandle,
}

impl Works {
    /// Room for `capacity` runs of a function.
    pub(crate) fn new(function: Function, capacity: u16) -> Self {
        let slots = Arc::new(Semaphore::new(capacity.into()));
        Self { function, slots, running: Mutex::default() }
    }

    /// Starts the function, or joins the run with the same key: an earlier attempt's, whose lease has
    /// ended, or whose result has not reached the manager yet. A run that failed is not joined.
    ///
    /// # Errors
    /// When all capacity is taken.
    pub(crate) fn start_or_join(&self, job: Job) -> Result<Arc<Work>, Full> {
        let key = (job.action_id.clone(), job.step, job.idempotency_key.clone());
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(work) = running.get(&key).and_then(Weak::upgrade)
            && !work.has_failed()
        {
            tracing::info!(action_id = job.action_id, step = job.step, "joined the running work");
            return Ok(work);
        }
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| Full)?;
        let (done, outcome) = watch::channel(None);
        let (action_id, step, attempt) = (&job.action_id, job.step, job.attempt);
        let span = tracing::info_span!("job", %action_id, step, attempt);
        let function = Arc::clone(&self.function);
        let run = async move {
            let outcome = guarded(&function, job).await;
            // Before anybody hears of it: the manager may dispatch the next job at once.
            drop(slot);
            done.send_replace(Some(Arc::new(outcome)));
        };
        let task = tokio::spawn(run.instrument(span)).abort_handle();
        let work = Arc::new(Work { outcome, task });
        running.retain(|_, work| work.strong_count() > 0);
        running.insert(key, Arc::downgrade(&work));
        Ok(work)
    }
}

impl Work {
    /// Waits for what the function comes to.
    pub(crate) async fn outcome(&self) -> Arc<Outcome> {
        let mut outcome = self.outcome.clone();
        let done = outcome.wait_for(Option::is_some).await.ok().and_then(|done| done.clone());
        // The task ends without an outcome only when the runtime does.
        done.unwrap_or_else(|| Arc::new(Err(Failure::retryable("the processor has stopped"))))
    }

    fn has_failed(&self) -> bool {
        self.outcome.borrow().as_ref().is_some_and(|outcome| outcome.is_err())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A panic in the function is a failed attempt, and not the end of the processor.
async fn guarded(function: &Function, job: Job) -> Outcome {
    let run = AssertUnwindSafe(async { function(job).await });
    run.catch_unwind().await.unwrap_or_else(|panic| {
        tracing::error!("the function panicked: {}", panic_message(panic.as_ref()));
        // What a panic says is meant for the log alone.
        Err(Failure::retryable("the processor panicked; its log says more").code("panicked"))
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
