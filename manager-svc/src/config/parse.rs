//! Values: each says what would be right. None repeats a value that may be secret.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use baton_wire::signature::Secrets;
use ipnet::IpNet;

use super::{Durability, LogFormat, RedisIamKind};

pub(super) fn redis_url(text: &str) -> Result<String, String> {
    // Not repeated in the error: it may carry a password.
    let schemes = ["redis://", "rediss://", "redis+unix://", "unix://"];
    if schemes.iter().any(|scheme| text.starts_with(scheme)) {
        Ok(text.to_owned())
    } else {
        Err("does not begin with `redis://`, `rediss://` or `redis+unix://`; write such a URL, \
             or remove it to have the local server run its own Redis"
            .to_owned())
    }
}

pub(super) fn password(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("is empty: write the password, or remove it".to_owned());
    }
    Ok(text.to_owned())
}

/// The URL with a password, which must have none yet.
pub(super) fn with_password(url: &str, password: &str) -> Result<String, &'static str> {
    let mut url = url::Url::parse(url).map_err(|_| "cannot be put into this REDIS_URL")?;
    if url.password().is_some() {
        return Err("is set, and REDIS_URL has a password too");
    }
    url.set_password(Some(password)).map_err(|()| "cannot be put into this REDIS_URL")?;
    Ok(url.into())
}

pub(super) fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("is not a name: write it without spaces, or remove it".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn iam_kind(text: &str) -> Result<RedisIamKind, String> {
    match text {
        "elasticache" => Ok(RedisIamKind::ElastiCache),
        "elasticache-serverless" => Ok(RedisIamKind::ElastiCacheServerless),
        "memorydb" => Ok(RedisIamKind::MemoryDb),
        _ => Err(format!(
            "`{text}` is not a service: write `elasticache`, `elasticache-serverless` or `memorydb`"
        )),
    }
}

pub(super) fn durability(text: &str) -> Result<Durability, String> {
    match text {
        "sync" => Ok(Durability::Sync),
        "async" => Ok(Durability::Async),
        "none" => Ok(Durability::None),
        _ => Err(format!("`{text}` is no durability: write `sync`, `async` or `none`")),
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not an address and port, as in `127.0.0.1:8080`"))
}

pub(super) fn http_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    // Not repeated in the error: it may carry credentials.
    url.map(|url| url.as_str().trim_end_matches('/').to_owned()).ok_or_else(|| {
        "is not an http or https URL without credentials and query, as in `https://baton.example.com`"
            .to_owned()
    })
}

/// Whether a URL that [`http_url`] took names this machine.
pub(super) fn is_on_loopback(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    })
}

pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("is empty: name a directory, as in `/var/lib/baton`".to_owned());
    }
    Ok(PathBuf::from(text))
}

pub(super) fn filter(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| {
        format!("`{text}` is not a filter ({error}): say `info` or `debug,hyper=warn`")
    })
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("`{text}` is not a format: write `text` or `json`")),
    }
}

pub(super) fn secrets(text: &str) -> Result<Secrets, String> {
    Secrets::parse(text).map_err(|error| format!("is refused: {error}"))
}

pub(super) fn nets(text: &str) -> Result<Vec<IpNet>, String> {
    items(text)
        .map(|item| {
            item.parse()
                .map_err(|_| format!("has `{item}`, which is not a CIDR, as in `10.0.0.0/8`"))
        })
        .collect()
}

pub(super) fn net(address: IpAddr, prefix: u8) -> IpNet {
    // Prefixes written in the code fit their addresses.
    IpNet::new(address, prefix).unwrap_or_else(|_| IpNet::from(address))
}

pub(super) fn hosts(text: &str) -> Result<Vec<String>, String> {
    let is_host = |item: &&str| {
        let name = item.strip_prefix("*.").unwrap_or(item);
        let letters = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        name.split('.').all(letters)
    };
    if let Some(item) = items(text).find(|item| !is_host(item)) {
        return Err(format!(
            "has `{item}`, which is not a host, as in `example.com *.example.org`"
        ));
    }
    let hosts: Vec<_> = items(text).map(str::to_ascii_lowercase).collect();
    if hosts.is_empty() {
        return Err("is empty: name hosts, or remove it to allow all".to_owned());
    }
    Ok(hosts)
}

pub(super) fn ports(text: &str) -> Result<Vec<u16>, String> {
    items(text)
        .map(|item| match item.parse() {
            Ok(0) | Err(_) => Err(format!("has `{item}`, which is not a port, as in `443 8443`")),
            Ok(port) => Ok(port),
        })
        .collect()
}

pub(super) fn schedule(text: &str) -> Result<Vec<u64>, String> {
    let delays: Vec<u64> = items(text)
        .map(|item| {
            item.parse().map_err(|_| {
                format!(
                    "has `{item}`, which is not a number of milliseconds, as in `0 5000 300000`"
                )
            })
        })
        .collect::<Result<_, _>>()?;
    const LONGEST: u64 = 30 * 24 * 3_600_000;
    if delays.is_empty() || delays.len() > 50 || delays.iter().any(|delay| *delay > LONGEST) {
        return Err(format!("must have 1 to 50 delays of at most {LONGEST} milliseconds"));
    }
    if delays[0] != 0 {
        return Err("must begin with 0: the first send is at once".to_owned());
    }
    Ok(delays)
}

pub(super) fn within<T: FromStr + PartialOrd + Display + Copy>(
    text: &str,
    least: T,
    most: T,
) -> Result<T, String> {
    text.parse()
        .ok()
        .filter(|value| *value >= least && *value <= most)
        .ok_or_else(|| format!("`{text}` is not a whole number from {least} to {most}"))
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|item| !item.is_empty())
}
