//! What a function asks of AWS: one secret, logins to Redis, and to have `tick` run.
//!
//! Credentials, region and endpoints come from the environment, as the SDK reads them.

mod login;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use manager_svc::config::{RedisIam, Variables};
use manager_svc::store::Logins;

use crate::function::StartError;
use crate::invoke::Invoke;

/// How long one call may take, with what is tried again.
const CALL: Duration = Duration::from_secs(5);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(2);

/// The SDK's configuration, read when something needs it.
pub(crate) struct Cloud(Option<SdkConfig>);

impl Cloud {
    pub(crate) fn new() -> Self {
        Self(None)
    }

    /// The text of a secret.
    pub(crate) async fn secret(&mut self, arn: &str) -> Result<String, StartError> {
        let client = aws_sdk_secretsmanager::Client::new(self.sdk().await);
        let secret = client.get_secret_value().secret_id(arn).send().await;
        let secret =
            secret.map_err(|error| StartError::Secret(DisplayErrorContext(error).to_string()))?;
        let text = secret.secret_string;
        text.ok_or_else(|| StartError::Secret("it is binary: write a JSON object".to_owned()))
    }

    /// Signed logins to Redis.
    pub(crate) async fn logins(&mut self, iam: &RedisIam) -> Result<Logins, StartError> {
        login::logins(self.sdk().await, iam)
    }

    /// Invokes a function asynchronously.
    pub(crate) async fn invoker(
        &mut self,
        function: &str,
        _: &Variables,
    ) -> Result<Invoke, StartError> {
        let client = aws_sdk_lambda::Client::new(self.sdk().await);
        let function = function.to_owned();
        Ok(Box::new(move |event| {
            let call = client.invoke().function_name(&function);
            let call = call.invocation_type(InvocationType::Event).payload(Blob::new(event));
            Box::pin(async move {
                let accepted = call.send().await;
                accepted.map(|_| ()).map_err(|error| DisplayErrorContext(error).to_string())
            })
        }))
    }

    async fn sdk(&mut self) -> &SdkConfig {
        match self.0.take() {
            Some(sdk) => self.0.insert(sdk),
            None => {
                let client = aws_smithy_http_client::Builder::new()
                    .tls_provider(Provider::Rustls(CryptoMode::Ring))
                    .build_https();
                let timeouts = TimeoutConfig::builder()
                    .connect_timeout(CONNECT)
                    .operation_timeout(CALL)
                    .build();
                let sdk = aws_config::defaults(BehaviorVersion::latest())
                    .http_client(client)
                    .timeout_config(timeouts)
                    .load()
                    .await;
                self.0.insert(sdk)
            }
        }
    }
}
