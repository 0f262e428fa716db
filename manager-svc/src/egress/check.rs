//! Reading URLs that others hand in.

use std::net::IpAddr;

use url::{Host, Origin, Url};

use super::origin::{is_localhost, same_origin};
use super::policy::{Policy, Reach};

/// The longest URL, in bytes.
const MAX_LEN: usize = 2048;

/// A response URL that the policy accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseUrl {
    /// The URL as it will be called.
    pub url: String,
    /// Host and port: what its output queue is called.
    pub host: String,
}

/// Why a URL was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is longer than 2,048 bytes.
    #[error("is longer than {MAX_LEN} bytes")]
    TooLong,
    /// It is not an absolute URL with a host.
    #[error("is not an absolute URL, as in `https://example.com/path`")]
    Invalid,
    /// Its scheme is neither http nor https.
    #[error("must start with `http://` or `https://`")]
    Scheme,
    /// It carries a user name or a password.
    #[error("must not carry a user name or password")]
    Credentials,
    /// It ends in a fragment.
    #[error("must not have a fragment (`#…`)")]
    Fragment,
    /// It has a query, and `/process` is to be appended.
    #[error("must not have a query (`?…`)")]
    Query,
    /// The policy demands https on a listed port and host there.
    #[error(
        "must be https on an allowed port and host outside of the networks that the manager allows"
    )]
    NotAllowed,
    /// The policy refuses the address it names.
    #[error("names an address that the manager may not call")]
    Address,
    /// It points at this manager.
    #[error("points at the manager itself")]
    Own,
}

/// See [`super::Egress::check_processor_url`].
pub(super) fn processor_url(text: &str, policy: &Policy) -> Result<String, UrlError> {
    let url = read(text, policy)?;
    if url.query().is_some() {
        return Err(UrlError::Query);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// See [`super::Egress::check_response_url`].
pub(super) fn response_url(
    text: &str,
    policy: &Policy,
    own: &[Origin],
) -> Result<ResponseUrl, UrlError> {
    let url = read(text, policy)?;
    if own.iter().any(|own| same_origin(own, &url.origin())) {
        return Err(UrlError::Own);
    }
    let (host, port) = url.host_str().zip(url.port_or_known_default()).ok_or(UrlError::Invalid)?;
    // With its final dot a host would have a second queue, and a second share.
    let host = format!("{}:{port}", host.trim_end_matches('.'));
    Ok(ResponseUrl { url: url.into(), host })
}

/// What every outgoing URL must satisfy. The url crate has turned every notation of an IPv4 address
/// (decimal, hexadecimal, octal, shortened) into the one of four numbers by now.
fn read(text: &str, policy: &Policy) -> Result<Url, UrlError> {
    if text.len() > MAX_LEN {
        return Err(UrlError::TooLong);
    }
    let url = Url::parse(text).map_err(|_| UrlError::Invalid)?;
    let https = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(UrlError::Scheme),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    if url.fragment().is_some() {
        return Err(UrlError::Fragment);
    }
    if url.as_str().len() > MAX_LEN {
        return Err(UrlError::TooLong);
    }
    let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(UrlError::Invalid)?;
    // What the hot path will parse again must parse.
    if url.as_str().parse::<http::Uri>().is_err() {
        return Err(UrlError::Invalid);
    }
    let (host, name) = url.host().zip(url.host_str()).ok_or(UrlError::Invalid)?;
    permit(&host, policy, policy.reach(https, name, port))?;
    Ok(url)
}

/// A literal is judged now; a name can only be judged once it is resolved, except where no address
/// could make it right.
fn permit(host: &Host<&str>, policy: &Policy, reach: Reach) -> Result<(), UrlError> {
    let ip: IpAddr = match host {
        Host::Ipv4(ip) => (*ip).into(),
        Host::Ipv6(ip) => (*ip).into(),
        Host::Domain(name) => {
            if !is_host_name(name) {
                return Err(UrlError::Invalid);
            }
            if reach == Reach::Allowed && policy.allowed.is_empty() {
                return Err(UrlError::NotAllowed);
            }
            if is_localhost(name) && !policy.permits_loopback(reach) {
                return Err(UrlError::Address);
            }
            return Ok(());
        }
    };
    if policy.permits(reach, ip) {
        return Ok(());
    }
    // Tell a wrong scheme or port from a wrong address.
    let right = reach == Reach::Allowed && policy.permits(Reach::Public, ip);
    Err(if right { UrlError::NotAllowed } else { UrlError::Address })
}

/// Letters, digits, `-`, `_` and dots: the URL standard lets braces through, which are no host name
/// and would be read as a hash tag in a Redis key.
fn is_host_name(name: &str) -> bool {
    name.len() <= 254
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::UrlError::{Address, NotAllowed, Query};
    use super::*;

    fn public() -> Policy {
        Policy::default()
    }

    fn local() -> Policy {
        Policy { allowed: vec!["127.0.0.0/8".parse().unwrap()], ..Policy::default() }
    }

    #[test]
    fn what_is_too_long_as_it_came_or_as_it_is_called_is_refused() {
        let long = format!("https://example.com/{}", "a".repeat(MAX_LEN));
        assert_eq!(response_url(&long, &public(), &[]), Err(UrlError::TooLong));
        let grows = format!("https://example.com/{}", "é".repeat(MAX_LEN / 3));
        assert_eq!(response_url(&grows, &public(), &[]), Err(UrlError::TooLong));
    }

    #[test]
    fn a_response_url_keeps_its_query_and_names_its_queue() {
        let cases = [
            ("https://Example.COM/hook?a=1", "https://example.com/hook?a=1", "example.com:443"),
            ("https://example.com.:8443/", "https://example.com.:8443/", "example.com:8443"),
            (
                "https://bücher.example",
                "https://xn--bcher-kva.example/",
                "xn--bcher-kva.example:443",
            ),
            ("https://1.1.1.1/", "https://1.1.1.1/", "1.1.1.1:443"),
            ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/", "[2606:4700::1111]:443"),
        ];
        for (text, url, host) in cases {
            let expected = ResponseUrl { url: url.into(), host: host.into() };
            assert_eq!(response_url(text, &public(), &[]), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_processor_url_loses_its_trailing_slash_and_may_have_no_query() {
        let ok = |text| processor_url(text, &local());
        assert_eq!(ok("http://127.0.0.1:9000/"), Ok("http://127.0.0.1:9000".into()));
        assert_eq!(ok("http://2130706433:9000/a/b//"), Ok("http://127.0.0.1:9000/a/b".into()));
        assert_eq!(ok("http://localhost:9000"), Ok("http://localhost:9000".into()));
        assert_eq!(ok("http://worker.internal:9000/p"), Ok("http://worker.internal:9000/p".into()));
        assert_eq!(ok("http://127.0.0.1:9000/?a=1"), Err(Query));
        assert_eq!(ok("http://10.0.0.1:9000/"), Err(Address));
        assert_eq!(processor_url("http://worker.internal:9000/", &public()), Err(NotAllowed));
    }

    #[test]
    fn the_managers_own_origin_is_no_response_url() {
        let own = [Url::parse("http://127.0.0.1:8080").unwrap().origin()];
        let check = |text| response_url(text, &local(), &own);
        assert_eq!(check("http://localhost:8080/hook"), Err(UrlError::Own));
        assert_eq!(check("http://localhost:8081/hook").unwrap().host, "localhost:8081");
    }
}
