//! Where outgoing calls may go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::address;

/// The ports that may be called outside of the allowed networks, unless configured otherwise.
pub const DEFAULT_PORTS: [u16; 2] = [443, 8443];

/// Where calls of one kind may go. Inside an allowed network plain http and every port are allowed;
/// elsewhere only https, on the listed ports, to the listed hosts, at addresses of the public internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The networks where everything is allowed, private ones too.
    pub allowed: Vec<IpNet>,
    /// The ports allowed elsewhere.
    pub ports: Vec<u16>,
    /// The hosts allowed elsewhere: `example.com`, and `*.example.com` for all below it. Empty: all.
    pub hosts: Vec<String>,
}

impl Default for Policy {
    /// The public internet only, on [`DEFAULT_PORTS`].
    fn default() -> Self {
        Self { allowed: Vec::new(), ports: DEFAULT_PORTS.to_vec(), hosts: Vec::new() }
    }
}

/// How a policy's answer depends on the scheme, host and port, before an address is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Public addresses too.
    Public,
    /// Allowed networks only.
    Allowed,
}

impl Policy {
    /// What a URL of this scheme, host and port may reach.
    pub(super) fn reach(&self, https: bool, host: &str, port: u16) -> Reach {
        let listed = self.ports.contains(&port) && self.lists(host);
        if https && listed { Reach::Public } else { Reach::Allowed }
    }

    fn lists(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        self.hosts.is_empty()
            || self.hosts.iter().any(|listed| match listed.strip_prefix('*') {
                // The dot stays, so that it is a name below, and not one that ends in the same letters.
                Some(above) => host.len() > above.len() && host.ends_with(above),
                None => host == *listed,
            })
    }

    /// Whether a call with this reach may go to this address.
    pub(super) fn permits(&self, reach: Reach, ip: IpAddr) -> bool {
        let ip = address::canonical(ip);
        self.allowed.iter().any(|net| net.contains(&ip))
            || (reach == Reach::Public && address::is_public(ip))
    }

    /// Whether a call with this reach may go to the host's own loopback.
    pub(super) fn permits_loopback(&self, reach: Reach) -> bool {
        self.permits(reach, Ipv4Addr::LOCALHOST.into())
            || self.permits(reach, Ipv6Addr::LOCALHOST.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allowed: &[&str]) -> Policy {
        Policy {
            allowed: allowed.iter().map(|net| net.parse().unwrap()).collect(),
            ..Policy::default()
        }
    }

    #[test]
    fn outside_the_allowed_networks_only_https_on_listed_ports_to_public_addresses() {
        let policy = policy(&["10.1.0.0/16", "fd00:1::/32"]);
        let cases = [
            (true, 443, "8.8.8.8", true),
            (true, 8443, "2606:4700::1111", true),
            (true, 8444, "8.8.8.8", false),
            (true, 80, "8.8.8.8", false),
            (false, 443, "8.8.8.8", false),
            (false, 80, "8.8.8.8", false),
            (true, 443, "10.2.0.1", false),
            (true, 443, "fd00:2::1", false),
            (true, 443, "169.254.169.254", false),
            (false, 80, "10.1.2.3", true),
            (false, 9000, "::ffff:10.1.2.3", true),
            (true, 1, "fd00:1::5", true),
        ];
        for (https, port, ip, expected) in cases {
            let reach = policy.reach(https, ip, port);
            assert_eq!(policy.permits(reach, ip.parse().unwrap()), expected, "{https} {port} {ip}");
        }
    }

    #[test]
    fn outside_the_allowed_networks_only_listed_hosts_where_any_are() {
        let hosts = ["example.com", "*.example.org", "9.9.9.9"].map(str::to_owned).to_vec();
        let policy = Policy { hosts, ..policy(&["10.0.0.0/8"]) };
        for (host, ip, expected) in [
            ("example.com", "8.8.8.8", true),
            ("EXAMPLE.com.", "8.8.8.8", true),
            ("a.example.org", "8.8.8.8", true),
            ("a.b.example.org", "8.8.8.8", true),
            ("9.9.9.9", "9.9.9.9", true),
            ("www.example.com", "8.8.8.8", false),
            ("example.com.evil.example", "8.8.8.8", false),
            ("notexample.com", "8.8.8.8", false),
            ("example.org", "8.8.8.8", false),
            (".example.org", "8.8.8.8", false),
            ("evilexample.org", "8.8.8.8", false),
            ("8.8.8.8", "8.8.8.8", false),
            // A listed name opens no address that is not public, and a network needs no name.
            ("example.com", "127.0.0.1", false),
            ("worker", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.3", true),
        ] {
            let reach = policy.reach(true, host, 443);
            assert_eq!(policy.permits(reach, ip.parse().unwrap()), expected, "{host} {ip}");
        }
    }

    #[test]
    fn loopback_is_refused_until_a_network_allows_it() {
        for (allowed, expected) in
            [(&[][..], false), (&["127.0.0.0/8"][..], true), (&["::1/128"][..], true)]
        {
            let policy = policy(allowed);
            assert_eq!(
                policy.permits_loopback(policy.reach(true, "localhost", 443)),
                expected,
                "{allowed:?}"
            );
        }
    }
}
