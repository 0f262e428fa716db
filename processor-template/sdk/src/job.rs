//! What a job's function is given.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use baton_wire::RawValue;
use baton_wire::process::ProcessIn;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::now_ms;
use crate::failure::Failure;

/// One step of an action, to be done.
#[derive(Clone)]
pub struct Job {
    pub(crate) action_id: String,
    pub(crate) step: u32,
    pub(crate) steps: u32,
    pub(crate) attempt: u32,
    pub(crate) data: Box<RawValue>,
    pub(crate) params: Option<Box<RawValue>>,
    pub(crate) expires_at_ms: u64,
    pub(crate) idempotency_key: String,
    pub(crate) traceparent: Option<String>,
}

impl Job {
    /// A job to test a function with: the first attempt of an action's only step, with no parameters
    /// and an hour's time.
    ///
    /// # Errors
    /// When the data has no JSON form.
    pub fn for_test(data: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self {
            action_id: "act_test".to_owned(),
            step: 0,
            steps: 1,
            attempt: 1,
            data: serde_json::value::to_raw_value(data)?,
            params: None,
            expires_at_ms: now_ms() + 3_600_000,
            idempotency_key: "key_test".to_owned(),
            traceparent: None,
        })
    }

    /// The same with parameters, to test a function with.
    ///
    /// # Errors
    /// When the parameters have no JSON form.
    pub fn with_params(mut self, params: &impl Serialize) -> Result<Self, serde_json::Error> {
        self.params = Some(serde_json::value::to_raw_value(params)?);
        Ok(self)
    }

    /// Takes what the job needs of a request.
    pub(crate) fn new(
        process: &mut ProcessIn,
        idempotency_key: Option<&str>,
        traceparent: Option<&str>,
    ) -> Self {
        let (action_id, step) = (process.action_id.clone(), process.step);
        Self {
            idempotency_key: idempotency_key
                .map_or_else(|| format!("{action_id}_{step}"), str::to_owned),
            traceparent: traceparent.map(str::to_owned),
            action_id,
            step,
            steps: process.steps,
            attempt: process.attempt,
            data: std::mem::take(&mut process.data),
            params: process.params.take(),
            expires_at_ms: process.expires_at,
        }
    }

    /// The data item, read as `T`.
    ///
    /// # Errors
    /// A permanent failure with the code `data_invalid` when the data is no `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(self.data.get()).map_err(|error| {
            Failure::permanent(format!("the data is not what this processor takes: {error}"))
                .code("data_invalid")
        })
    }

    /// The data item as the JSON text that it came in.
    #[must_use]
    pub fn raw_data(&self) -> &RawValue {
        &self.data
    }

    /// The job's parameters, read as `T`; `None` when the job has none.
    ///
    /// # Errors
    /// A permanent failure with the code `params_invalid` when they are no `T`.
    pub fn params<T: DeserializeOwned>(&self) -> Result<Option<T>, Failure> {
        let read = |raw: &RawValue| {
            serde_json::from_str(raw.get()).map_err(|error| {
                Failure::permanent(format!("params are not what this processor takes: {error}"))
                    .code("params_invalid")
            })
        };
        self.params.as_deref().map(read).transpose()
    }

    /// The id of the action that this is a step of.
    #[must_use]
    pub fn action_id(&self) -> &str {
        &self.action_id
    }

    /// The step's number, from 0.
    #[must_use]
    pub fn step(&self) -> u32 {
        self.step
    }

    /// How many steps the action has.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// The attempt's number, from 1. Later attempts that joined this work are not counted.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The same for all attempts of this step: hand it to whatever must not act twice.
    #[must_use]
    pub fn idempotency_key(&self) -> &str {
        &self.idempotency_key
    }

    /// The W3C trace context of the action, to be carried on.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// When the action expires: a result that comes later is of no use.
    #[must_use]
    pub fn deadline(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.expires_at_ms)
    }

    /// How much time is left until the action expires.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        Duration::from_millis(self.expires_at_ms.saturating_sub(now_ms()))
    }
}

/// Without data and parameters, which may be large, and private.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("action_id", &self.action_id)
            .field("step", &self.step)
            .field("steps", &self.steps)
            .field("attempt", &self.attempt)
            .field("idempotency_key", &self.idempotency_key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(data: &str, params: Option<&str>) -> Job {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let mut process = ProcessIn {
            action_id: "act_1".to_owned(),
            step: 1,
            steps: 3,
            attempt: 2,
            token: "tok_secret".to_owned(),
            data: raw(data),
            params: params.map(raw),
            complete_url: "http://manager/complete".to_owned(),
            lease_ms: 1000,
            expires_at: now_ms() + 3_600_000,
        };
        Job::new(&mut process, None, Some("00-trace"))
    }

    #[test]
    fn data_and_params_are_read_as_the_author_asks() {
        let job = job("\"a \\\"b\\\"\"", Some("{\"n\": 3}"));
        assert_eq!(job.data::<String>().unwrap(), "a \"b\"");
        assert_eq!(job.params::<serde_json::Value>().unwrap().unwrap()["n"], 3);
        assert_eq!((job.action_id(), job.step(), job.steps(), job.attempt()), ("act_1", 1, 3, 2));
        assert_eq!(job.traceparent(), Some("00-trace"));
        assert_eq!(job.idempotency_key(), "act_1_1");
        assert!(job.time_left() > Duration::from_secs(3000));
    }

    #[test]
    fn data_of_another_shape_fails_for_good_and_says_where() {
        let failure = job("[1, 2, \"x\"]", None).data::<Vec<u32>>().unwrap_err();
        assert!(!failure.is_retryable());
        assert_eq!(failure.code, "data_invalid");
        assert!(failure.message.contains("column 10"), "{}", failure.message);
        let failure = job("1", Some("[]")).params::<u32>().unwrap_err();
        assert_eq!(failure.code, "params_invalid");
    }

    #[test]
    fn a_job_to_test_with_reads_like_one_that_was_sent() {
        let job = Job::for_test(&"text").unwrap().with_params(&[1, 2]).unwrap();
        assert_eq!(job.data::<String>().unwrap(), "text");
        assert_eq!(job.params::<Vec<u8>>().unwrap(), Some(vec![1, 2]));
    }

    #[test]
    fn absent_params_are_none() {
        assert_eq!(job("1", None).params::<u32>().unwrap(), None);
    }

    #[test]
    fn debug_shows_neither_data_nor_params() {
        let text = format!("{:?}", job("\"private\"", Some("\"hidden\"")));
        assert!(!text.contains("private") && !text.contains("hidden"), "{text}");
    }
}
