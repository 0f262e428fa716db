//! What a job's function may return.

use baton_wire::RawValue;
use serde::Serialize;

use crate::failure::Failure;

/// The output of a job, for the cases where a plain value does not say it.
#[derive(Debug, Clone)]
pub struct Output(pub(crate) Option<Box<RawValue>>);

impl Output {
    /// The data stays as it was: nothing is sent back.
    #[must_use]
    pub fn unchanged() -> Self {
        Self(None)
    }

    /// JSON text that is passed on as it is.
    #[must_use]
    pub fn raw(json: Box<RawValue>) -> Self {
        Self(Some(json))
    }

    /// A value, as JSON.
    ///
    /// # Errors
    /// A permanent failure when the value has no JSON form (a map whose keys are no strings, say).
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, Failure> {
        match serde_json::value::to_raw_value(value) {
            Ok(raw) => Ok(Self(Some(raw))),
            Err(error) => Err(Failure::permanent(format!("the output has no JSON form: {error}"))
                .code("output_not_json")),
        }
    }
}

/// What a job's function may return on success: every [`Serialize`] value, or an [`Output`].
pub trait IntoOutput {
    /// Turns the value into the job's output.
    ///
    /// # Errors
    /// The failure that it is when the value has no JSON form.
    fn into_output(self) -> Result<Output, Failure>;
}

impl<T: Serialize> IntoOutput for T {
    fn into_output(self) -> Result<Output, Failure> {
        Output::json(&self)
    }
}

impl IntoOutput for Output {
    fn into_output(self) -> Result<Output, Failure> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn values_become_json_and_raw_text_stays_as_it_is() {
        let text = |output: Output| output.0.map(|raw| raw.get().to_owned());
        assert_eq!(text(vec![1, 2].into_output().unwrap()).unwrap(), "[1,2]");
        assert_eq!(text(().into_output().unwrap()).unwrap(), "null");
        let raw = RawValue::from_string("{\"a\": 1e2}".to_owned()).unwrap();
        assert_eq!(text(raw.clone().into_output().unwrap()).unwrap(), "{\"a\": 1e2}");
        assert_eq!(text(Output::raw(raw)).unwrap(), "{\"a\": 1e2}");
        assert_eq!(text(Output::unchanged().into_output().unwrap()), None);
    }

    #[test]
    fn a_value_without_a_json_form_fails_for_good() {
        let failure = BTreeMap::from([((1, 2), 3)]).into_output().unwrap_err();
        assert!(!failure.is_retryable());
        assert_eq!(failure.code, "output_not_json");
    }
}
