//! The function that runs the scheduler: started by a cron beat or a nudge.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lambda_http::lambda_runtime::{self, Diagnostic, LambdaEvent, service_fn};
use manager_svc::tick::{Occasion, TickReport, linger, take_work};
use manager_svc::{clock, store};
use serde_json::Value;
use tokio::time::Instant;

use crate::function::{Function, refuse};
use crate::{invoke, metrics};

/// What is kept of an invocation's time for its answer.
const MARGIN_MS: u64 = 1_000;

/// Runs the scheduler at each event of this process's function, until the process is ended.
///
/// An event is a cron beat, whatever it says, or a nudge: `{"source": "nudge", "handoffs": n}`. The answer is the
/// tick's report. An error, which Lambda does not try again, is left to the next beat.
pub async fn tick() -> ExitCode {
    let function = match Function::start(take_work).await {
        Ok(function) => Arc::new(function),
        Err(error) => return refuse(&error),
    };
    let handler = service_fn(move |event: LambdaEvent<Value>| {
        let function = Arc::clone(&function);
        async move { invoked(&function, event).await.map_err(|error| failed(&error)) }
    });
    match lambda_runtime::run(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(error.as_ref()),
    }
}

async fn invoked(
    function: &Function,
    event: LambdaEvent<Value>,
) -> Result<TickReport, store::Error> {
    let LambdaEvent { payload, context } = event;
    let app = function.app(context.deadline).await?;
    let left_ms = context.deadline.saturating_sub(clock::now_ms()).saturating_sub(MARGIN_MS);
    let occasion = Occasion {
        handoffs: invoke::handoffs(&payload),
        deadline: Instant::now() + Duration::from_millis(left_ms),
    };
    let report = linger(app, occasion, &function.nudger).await?;
    metrics::publish(app, &context.env_config.function_name, &report).await;
    Ok(report)
}

fn failed(error: &store::Error) -> Diagnostic {
    tracing::error!(%error, "the tick broke off");
    Diagnostic { error_type: "store".to_owned(), error_message: error.to_string() }
}
