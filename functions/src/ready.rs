//! Configuration of a function: the environment, and what it points to.

use manager_svc::config::{Config, Variables};
use manager_svc::nudge::{Nudger, StartError as NudgeError};
use manager_svc::store::Logins;

#[cfg(feature = "aws")]
use crate::aws as cloud;
use crate::function::StartError;
use crate::invoke;
#[cfg(not(feature = "aws"))]
use crate::plain as cloud;

/// What a cold start finds out before anything is connected.
pub(crate) struct Ready {
    pub(crate) config: Config,
    /// Who logs in to Redis, when its URL does not say so.
    pub(crate) logins: Option<Logins>,
    pub(crate) nudger: Nudger,
    /// Host and port of the Runtime API, which no response URL may be.
    pub(crate) runtime_api: String,
}

/// Reads everything.
pub(crate) async fn ready() -> Result<Ready, StartError> {
    let mut variables = Variables::of_process();
    let runtime_api =
        variables.get("AWS_LAMBDA_RUNTIME_API").ok_or(StartError::NotLambda)?.to_owned();
    let mut cloud = cloud::Cloud::new();
    if let Some(arn) = variables.get("BATON_SECRET_ARN").map(str::to_owned) {
        variables.add_secret(&cloud.secret(&arn).await?)?;
    }
    let config = Config::for_function(&variables)?;
    let logins = match &config.cloud.redis_iam {
        Some(iam) => Some(cloud.logins(iam).await?),
        None => None,
    };
    let nudger = match &config.cloud.tick_function {
        Some(function) => {
            let start = cloud.invoker(function, &variables).await?;
            Nudger::new(Box::new(move |handoffs| {
                let started = start(invoke::event(handoffs));
                Box::pin(async move { started.await.map_err(NudgeError) })
            }))
        }
        None => Nudger::none(),
    };
    Ok(Ready { config, logins, nudger, runtime_api })
}
