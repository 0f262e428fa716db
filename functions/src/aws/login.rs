//! Logins to ElastiCache and MemoryDB: the password is a `connect` request, signed for 15 minutes (Signature
//! Version 4), without its `http://`.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use manager_svc::clock;
use manager_svc::config::{RedisIam, RedisIamKind};
use manager_svc::store::{Login, LoginError, Logins};
use url::Url;

use crate::function::StartError;

/// How long a token may be used for connecting: the longest that the services take.
const VALID: Duration = Duration::from_secs(900);

/// Logins that are signed anew at each connect, with the credentials of then.
pub(super) fn logins(sdk: &SdkConfig, iam: &RedisIam) -> Result<Logins, StartError> {
    let missing = "BATON_REDIS_IAM_USER needs AWS_REGION and credentials of AWS";
    let region = sdk.region().ok_or(StartError::Unable(missing))?.to_string();
    let provider = sdk.credentials_provider().ok_or(StartError::Unable(missing))?;
    let iam = iam.clone();
    Ok(Logins::new(Box::new(move || {
        let (iam, region, provider) = (iam.clone(), region.clone(), provider.clone());
        Box::pin(async move { login(&iam, &region, &provider).await.map_err(LoginError) })
    })))
}

async fn login(
    iam: &RedisIam,
    region: &str,
    provider: &SharedCredentialsProvider,
) -> Result<Login, String> {
    let credentials = provider.provide_credentials().await.map_err(|error| error.to_string())?;
    let password = token(iam, region, credentials, clock::now_ms() / 1_000)?;
    Ok(Login { user: iam.user.clone(), password })
}

/// The token of a moment, in seconds since the Unix epoch.
fn token(
    iam: &RedisIam,
    region: &str,
    credentials: Credentials,
    now_secs: u64,
) -> Result<String, String> {
    let service = match iam.kind {
        RedisIamKind::ElastiCache | RedisIamKind::ElastiCacheServerless => "elasticache",
        RedisIamKind::MemoryDb => "memorydb",
    };
    let mut url = Url::parse(&format!("http://{}/", iam.cache))
        .map_err(|error| format!("BATON_REDIS_IAM_CACHE is not the name of a cache: {error}"))?;
    url.query_pairs_mut().append_pair("Action", "connect").append_pair("User", &iam.user);
    if iam.kind == RedisIamKind::ElastiCacheServerless {
        url.query_pairs_mut().append_pair("ResourceType", "ServerlessCache");
    }
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(VALID);
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(UNIX_EPOCH + Duration::from_secs(now_secs))
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?;
    let body = SignableBody::Bytes(&[]);
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), body)
        .map_err(|error| error.to_string())?;
    let signed = sign(request, &params.into()).map_err(|error| error.to_string())?;
    let (instructions, _) = signed.into_parts();
    for (name, value) in instructions.params() {
        url.query_pairs_mut().append_pair(name, value);
    }
    Ok(url.as_str().trim_start_matches("http://").to_owned())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Made by another implementation: `tests/checks/redis_iam_vectors.py` says which, and makes them again.
    const VECTORS: &str = include_str!("login_vectors.json");

    #[derive(Deserialize)]
    struct Vector {
        kind: String,
        user: String,
        cache: String,
        region: String,
        access_key: String,
        secret_key: String,
        session_token: Option<String>,
        now_secs: u64,
        token: String,
    }

    /// Host, path and parameters: their order says nothing.
    fn parts(token: &str) -> (String, Vec<(String, String)>) {
        let url = Url::parse(&format!("http://{token}")).unwrap();
        let mut pairs: Vec<_> = url.query_pairs().into_owned().collect();
        pairs.sort();
        (format!("{}{}", url.authority(), url.path()), pairs)
    }

    #[test]
    fn tokens_are_those_of_another_implementation() {
        let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
        assert!(vectors.len() >= 4);
        for v in vectors {
            let kind = match v.kind.as_str() {
                "elasticache" => RedisIamKind::ElastiCache,
                "elasticache-serverless" => RedisIamKind::ElastiCacheServerless,
                "memorydb" => RedisIamKind::MemoryDb,
                other => panic!("unknown kind {other}"),
            };
            let iam = RedisIam { user: v.user, cache: v.cache, kind };
            let credentials =
                Credentials::new(v.access_key, v.secret_key, v.session_token, None, "a vector");
            let token = token(&iam, &v.region, credentials, v.now_secs).unwrap();
            assert_eq!(parts(&token), parts(&v.token), "{}", v.token);
        }
    }

    #[test]
    fn a_name_that_is_no_host_is_refused() {
        let iam =
            RedisIam { user: "u".into(), cache: "a b".into(), kind: RedisIamKind::ElastiCache };
        let credentials = Credentials::new("a", "b", None, None, "a test");
        let error = token(&iam, "eu-west-1", credentials, 0).unwrap_err();
        assert!(error.contains("BATON_REDIS_IAM_CACHE"), "{error}");
    }
}
