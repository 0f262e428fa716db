//! Who may call what: bearer keys; and while there are none, no web page in its visitor's name.
//!
//! The route table says of each route who it is for, and [`admit`] stands before each handler, so that neither the
//! server nor a function can leave it out. An operator's key opens every route.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use url::Url;

use crate::config::{AccessConfig, Config, Keys, digest};
use crate::error::{ApiError, Kind};

/// Whom a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody: it tells nothing, or what it is sent holds a credential of its own.
    Open,
    /// Who has a caller's key.
    Caller,
    /// Who has a processor's key.
    Processor,
    /// Who has an operator's key.
    Operator,
    /// Who has any key.
    AnyKey,
}

/// The keys that there are, and where this manager is known to be.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    keys: AccessConfig,
    /// Host and port of `BATON_PUBLIC_URL`, as a browser writes them.
    public: Option<String>,
}

impl Guard {
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        let url = config.server.public_url.as_deref().and_then(|url| Url::parse(url).ok());
        Arc::new(Self { keys: config.access.clone(), public: url.as_ref().and_then(authority) })
    }

    fn refusal(&self, access: Access, headers: &HeaderMap) -> Option<Kind> {
        if access == Access::Open {
            return None;
        }
        if self.keys.is_open() {
            // With keys this is no matter: a browser adds none by itself.
            let foreign = !self.knows_host(headers) || self.is_of_another_page(headers);
            return foreign.then_some(Kind::ForeignOrigin);
        }
        let Some(key) = bearer(headers) else { return Some(Kind::Unauthorized) };
        let key = digest(key);
        let held = |keys: &Keys| keys.hold(&key);
        // Each is asked, so that the time taken tells nothing of which one it is.
        let AccessConfig { caller, operator, processor } = &self.keys;
        let (caller, operator, processor) = (held(caller), held(operator), held(processor));
        let opens = match access {
            Access::Caller => caller | operator,
            Access::Processor => processor | operator,
            Access::Operator => operator,
            Access::Open | Access::AnyKey => true,
        };
        match caller | operator | processor {
            false => Some(Kind::Unauthorized),
            true => (!opens).then_some(Kind::Forbidden),
        }
    }

    /// Whether the host that was asked for is this one. Somebody else's name may be made to lead to this machine, and
    /// their page is then of the same origin; an address cannot, nor can `localhost`. No browser leaves the host out.
    fn knows_host(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(header::HOST) else { return true };
        let Ok(host) = host.to_str() else { return false };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        v6.map_or_else(|| name.parse::<Ipv4Addr>().is_ok(), |v6| v6.parse::<Ipv6Addr>().is_ok())
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.is_public(host)
    }

    /// Whether a page of another origin sends this; a browser says so of whatever may change something.
    fn is_of_another_page(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return false };
        let origin = origin.to_str().unwrap_or_default();
        let Some((_, page)) = origin.split_once("://") else { return true };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        !host.is_some_and(|host| host.eq_ignore_ascii_case(page)) && !self.is_public(page)
    }

    fn is_public(&self, host: &str) -> bool {
        self.public.as_ref().is_some_and(|public| public.eq_ignore_ascii_case(host))
    }
}

/// Lets a request through to its handler, or refuses it before anything of its body is read.
pub(crate) async fn admit(
    State((guard, access)): State<(Arc<Guard>, Access)>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match guard.refusal(access, request.headers()) {
        None => Ok(next.run(request).await),
        Some(kind @ Kind::ForeignOrigin) => Err(ApiError::new(kind).detail(
            "Without keys a request must name this manager by address, as localhost or as in BATON_PUBLIC_URL, \
             and come from no page of another site.",
        )),
        Some(kind) => Err(ApiError::new(kind)),
    }
}

/// The only key that a request carries.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let (scheme, key) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Host and port, without a port that the scheme implies.
fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests;
