//! Does a URL point at this very manager?

use std::net::IpAddr;

use url::{Host, Origin};

/// Equal scheme, port and host, where every way to name this machine is one host: a manager bound to
/// `0.0.0.0` is reached as `localhost` too.
pub(super) fn same_origin(own: &Origin, other: &Origin) -> bool {
    match (own, other) {
        (Origin::Tuple(scheme, host, port), Origin::Tuple(scheme2, host2, port2)) => {
            scheme == scheme2 && port == port2 && same_host(host, host2)
        }
        (Origin::Opaque(_), _) | (_, Origin::Opaque(_)) => false,
    }
}

/// Whether a name stands for the machine that resolves it (RFC 6761, section 6.3).
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

fn same_host(a: &Host<String>, b: &Host<String>) -> bool {
    match (a, b) {
        (Host::Domain(a), Host::Domain(b))
            if a.trim_end_matches('.') == b.trim_end_matches('.') =>
        {
            true
        }
        (a, b) => a == b || (is_local(a) && is_local(b)),
    }
}

fn is_local(host: &Host<String>) -> bool {
    let ip: IpAddr = match host {
        Host::Domain(name) => return is_localhost(name),
        Host::Ipv4(ip) => (*ip).into(),
        Host::Ipv6(ip) => (*ip).into(),
    };
    let ip = ip.to_canonical();
    ip.is_loopback() || ip.is_unspecified()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn is_own(text: &str) -> bool {
        let origin = |text| Url::parse(text).unwrap().origin();
        ["http://0.0.0.0:8080", "https://baton.example/"]
            .iter()
            .any(|own| same_origin(&origin(own), &origin(text)))
    }

    #[test]
    fn every_way_to_name_the_manager_is_its_own() {
        for url in [
            "http://0.0.0.0:8080/",
            "http://127.0.0.1:8080/action",
            "http://127.9.9.9:8080/",
            "http://localhost:8080/",
            "http://a.localhost.:8080/",
            "http://[::1]:8080/",
            "http://[::ffff:127.0.0.1]:8080/",
            "https://baton.example/action",
            "https://BATON.example.:443/",
        ] {
            assert!(is_own(url), "{url}");
        }
    }

    #[test]
    fn another_scheme_host_or_port_is_not() {
        for url in [
            "https://127.0.0.1:8080/",
            "http://127.0.0.1:8081/",
            "http://10.0.0.1:8080/",
            "http://baton.example/",
            "https://baton.example:8443/",
            "https://www.baton.example/",
            "data:text/plain,x",
        ] {
            assert!(!is_own(url), "{url}");
        }
    }
}
