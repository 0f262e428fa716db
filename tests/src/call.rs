//! One request in the hands of a processor's closure.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use baton_wire::RawValue;
use baton_wire::process::{CompleteIn, CompleteOut, CompleteStatus, ProcessIn};
use serde::Serialize;
use serde_json::Value;

use crate::answer::Refusal;
use crate::client::Client;
use crate::wait::Patience;

/// A request in the hands of the processor's closure. It counts as work until it is dropped or
/// reported as done.
#[derive(Debug)]
pub struct Call {
    /// The body.
    pub process: ProcessIn,
    http: Client,
    busy: Option<Busy>,
}

impl Call {
    /// Counts a request as work from now on.
    pub(crate) fn new(process: ProcessIn, http: reqwest::Client, load: &Arc<Load>) -> Self {
        let http = Client::with(http, &process.complete_url);
        Self { process, http, busy: Some(Busy::start(load)) }
    }

    /// The data item.
    #[must_use]
    pub fn data(&self) -> Value {
        serde_json::from_str(self.process.data.get()).expect("a raw value is JSON")
    }

    /// The report that this attempt is in `status`, to be completed with data or an error.
    #[must_use]
    pub fn report(&self, status: CompleteStatus) -> CompleteIn {
        CompleteIn {
            action_id: self.process.action_id.clone(),
            token: self.process.token.clone(),
            status,
            data: None,
            error: None,
            retryable: None,
            retry_after_ms: None,
        }
    }

    /// Posts a report to the attempt's `complete_url`. One that settles the attempt ends its work.
    ///
    /// # Errors
    /// The manager's refusal.
    pub async fn complete(&mut self, report: &CompleteIn) -> Result<CompleteOut, Refusal> {
        if report.status != CompleteStatus::Running {
            // Before it is sent: the manager may dispatch the next one before its answer is here.
            self.busy = None;
        }
        self.http.post("", report).await.read()
    }

    /// Reports success with `output`.
    ///
    /// # Errors
    /// The manager's refusal.
    pub async fn succeed(&mut self, output: &impl Serialize) -> Result<CompleteOut, Refusal> {
        let report = self.success(output);
        self.complete(&report).await
    }

    /// Reports success again and again while the manager or its store is away. A refusal that stands
    /// (the lease had ended) is for the test to see in its outcome: the step goes out again.
    pub async fn succeed_at_last(&mut self, output: &impl Serialize) {
        let report = self.success(output);
        self.busy = None;
        let mut patience = Patience::new("the manager takes a report");
        while self.http.try_post("", &report).await.is_none_or(|answer| answer.status >= 500) {
            patience.pause().await;
        }
    }

    fn success(&self, output: &impl Serialize) -> CompleteIn {
        let text = serde_json::to_string(output).expect("an output is JSON");
        let data = RawValue::from_string(text).expect("serialised JSON is JSON");
        CompleteIn { data: Some(data), ..self.report(CompleteStatus::Succeeded) }
    }
}

/// One unit of work under way.
#[derive(Debug)]
struct Busy(Arc<Load>);

/// How much work a processor has under way, and the most it ever had.
#[derive(Debug, Default)]
pub(crate) struct Load {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Load {
    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Busy {
    fn start(load: &Arc<Load>) -> Self {
        let now = 1 + load.now.fetch_add(1, Ordering::SeqCst);
        load.most.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(load))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}
