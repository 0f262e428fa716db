//! What a build without the feature `aws` does in its place: it asks for no secret and signs nothing, so that it can
//! nudge only where nobody checks who asks, as on a developer's machine.

use manager_svc::config::{RedisIam, Variables};
use manager_svc::store::Logins;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::function::StartError;
use crate::invoke::Invoke;

/// The longest answer that is read, in bytes: its first line is all that counts.
const ANSWER: u64 = 1024;

/// Nothing is shared between its calls.
pub(crate) struct Cloud(());

#[expect(clippy::unused_async, reason = "the same signatures as with the feature `aws`")]
impl Cloud {
    pub(crate) fn new() -> Self {
        Self(())
    }

    pub(crate) async fn secret(&mut self, _: &str) -> Result<String, StartError> {
        Err(StartError::Unable("BATON_SECRET_ARN needs a build with the feature `aws`"))
    }

    pub(crate) async fn logins(&mut self, _: &RedisIam) -> Result<Logins, StartError> {
        Err(StartError::Unable("BATON_REDIS_IAM_USER needs a build with the feature `aws`"))
    }

    /// Invokes by an unsigned request over plain HTTP.
    pub(crate) async fn invoker(
        &mut self,
        function: &str,
        variables: &Variables,
    ) -> Result<Invoke, StartError> {
        let endpoint = variables.get("AWS_ENDPOINT_URL_LAMBDA").unwrap_or_default();
        let authority = endpoint.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let Some(authority) = authority.filter(|rest| !rest.contains('/')) else {
            return Err(StartError::Unable(
                "BATON_TICK_FUNCTION needs a build with the feature `aws`, \
                 or AWS_ENDPOINT_URL_LAMBDA as `http://HOST:PORT`",
            ));
        };
        let authority = authority.to_owned();
        let head = format!(
            "POST /2015-03-31/functions/{function}/invocations HTTP/1.1\r\nhost: {authority}\r\n\
             x-amz-invocation-type: Event\r\ncontent-type: application/json\r\nconnection: close\r\n"
        );
        Ok(Box::new(move |event| {
            let (authority, head) = (authority.clone(), head.clone());
            Box::pin(async move {
                let answer = post(&authority, &head, &event).await.map_err(|e| e.to_string())?;
                let status = answer.split(' ').nth(1).unwrap_or_default();
                if status == "202" { Ok(()) } else { Err(format!("it was answered {status}")) }
            })
        }))
    }
}

async fn post(authority: &str, head: &str, body: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority).await?;
    let mut request = format!("{head}content-length: {}\r\n\r\n", body.len()).into_bytes();
    request.extend_from_slice(body);
    stream.write_all(&request).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn variables(endpoint: &str) -> Variables {
        [("AWS_ENDPOINT_URL_LAMBDA".to_owned(), endpoint.to_owned())].into_iter().collect()
    }

    /// Answers one request with this first line; gives the request.
    async fn invoke(answer: &'static str) -> (Result<(), String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"{}") {
                stream.read_buf(&mut request).await.unwrap();
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        let invoke = Cloud::new().invoker("tick", &variables(&url)).await;
        let Ok(invoke) = invoke else { panic!("refused {url}") };
        let answered = invoke(b"{}".to_vec()).await;
        (answered, server.await.unwrap())
    }

    #[tokio::test]
    async fn an_invocation_is_asynchronous_and_must_be_accepted() {
        let (accepted, request) = invoke("HTTP/1.1 202 Accepted\r\n\r\n").await;
        assert_eq!(accepted, Ok(()));
        assert!(request.starts_with("POST /2015-03-31/functions/tick/invocations HTTP/1.1\r\n"));
        assert!(request.contains("\r\nx-amz-invocation-type: Event\r\n"), "{request}");
        assert!(request.ends_with("\r\ncontent-length: 2\r\n\r\n{}"), "{request}");
        let (refused, _) = invoke("HTTP/1.1 429 Too Many Requests\r\n\r\n").await;
        assert_eq!(refused, Err("it was answered 429".to_owned()));
        let (cut, _) = invoke("").await;
        assert!(cut.is_err());
    }

    #[tokio::test]
    async fn what_would_have_to_be_signed_is_refused() {
        for endpoint in ["", "https://lambda.example", "http://127.0.0.1:1/x"] {
            assert!(
                Cloud::new().invoker("tick", &variables(endpoint)).await.is_err(),
                "{endpoint}"
            );
        }
        assert!(Cloud::new().secret("arn").await.is_err());
    }
}
