use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const KEY: &str = "00112233445566778899aabbccddeeff";
const OTHER_KEY: &str = "ffeeddccbbaa99887766554433221100";
const THIRD_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let get =
        |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    Config::from_lookup(get, pairs.iter().map(|(name, _)| (*name).to_owned()))
}

fn refusal(pairs: &[(&str, &str)]) -> String {
    read(pairs).map(|config| format!("accepted: {config:?}")).unwrap_err().to_string()
}

#[test]
fn an_empty_environment_gives_the_defaults() {
    let config = read(&[("PATH", "/bin"), ("HOME", "/")]).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    assert_eq!(config.server.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.data_dir, PathBuf::from(".baton"));
    assert_eq!(config.limits.max_data_bytes, 262_144);
    assert_eq!((config.limits.max_queued, config.limits.max_queued_per_host), (1_000_000, 100_000));
    assert_eq!(config.delivery.schedule_ms[..3], [0, 5_000, 300_000]);
    let kept = &config.retention;
    assert_eq!((kept.retention_ms, kept.max, kept.min_age_ms), (86_400_000, 100_000, 600_000));
    let loopback = |ip: &str| {
        let ip: IpAddr = ip.parse().unwrap();
        config.egress.processor_cidrs.iter().any(|net| net.contains(&ip))
    };
    assert!(loopback("127.1.2.3") && loopback("::1") && !loopback("10.0.0.1"));
}

#[test]
fn every_variable_is_read() {
    let config = read(&[
        ("REDIS_URL", "rediss://user:secret@cache:6380/0"),
        ("BATON_REDIS_DURABILITY", "async"),
        ("BATON_BIND", " [::1]:0 "),
        ("BATON_PUBLIC_URL", "https://baton.example.com/"),
        ("BATON_DATA_DIR", "/var/lib/baton"),
        ("BATON_LOG", "debug,hyper=warn"),
        ("BATON_LOG_FORMAT", "json"),
        ("BATON_CALLER_KEYS", KEY),
        ("BATON_OPERATOR_KEYS", OTHER_KEY),
        ("BATON_PROCESSOR_KEYS", THIRD_KEY),
        ("BATON_PROCESSOR_SECRETS", SECRET),
        ("BATON_WEBHOOK_SECRETS", SECRET),
        ("BATON_PROCESSOR_CIDRS", "10.0.0.0/8, fd00::/8"),
        ("BATON_RESPONSE_CIDRS", ""),
        ("BATON_EGRESS_PORTS", "443"),
        ("BATON_PROCESSOR_HOSTS", "Workers.example.com"),
        ("BATON_RESPONSE_HOSTS", "example.com, *.example.org 9.9.9.9"),
        ("BATON_MAX_DATA_BYTES", "4194304"),
        ("BATON_MAX_QUEUED", "5"),
        ("BATON_MAX_QUEUED_PER_HOST", "3"),
        ("BATON_DISPATCH_WAIT_MS", "500"),
        ("BATON_HEALTH_INTERVAL_MS", "1000"),
        ("BATON_DELIVERY_SCHEDULE_MS", "0 100\t200"),
        ("BATON_RETENTION_MS", "60000"),
        ("BATON_RETENTION_MAX", "0"),
        ("BATON_RETENTION_MIN_AGE_MS", "60000"),
    ])
    .unwrap();
    assert_eq!(config.redis.url.as_deref(), Some("rediss://user:secret@cache:6380/0"));
    assert_eq!(config.redis.durability, Some(Durability::Async));
    assert_eq!(config.server.bind.to_string(), "[::1]:0");
    assert_eq!(config.server.public_url.as_deref(), Some("https://baton.example.com"));
    assert_eq!(config.server.data_dir, PathBuf::from("/var/lib/baton"));
    assert_eq!(config.log.filter, "debug,hyper=warn");
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(config.secrets.processor.is_some() && config.secrets.webhook.is_some());
    let access = &config.access;
    assert!(access.caller.hold(&digest(KEY)) && access.operator.hold(&digest(OTHER_KEY)));
    assert!(access.processor.hold(&digest(THIRD_KEY)) && !access.processor.hold(&digest(KEY)));
    assert_eq!(config.egress.processor_cidrs.len(), 2);
    assert!(config.egress.response_cidrs.is_empty());
    assert_eq!(config.egress.ports, [443]);
    assert_eq!(config.egress.processor_hosts, ["workers.example.com"]);
    assert_eq!(config.egress.response_hosts, ["example.com", "*.example.org", "9.9.9.9"]);
    assert_eq!(config.limits.max_data_bytes, 4_194_304);
    assert_eq!((config.limits.max_queued, config.limits.max_queued_per_host), (5, 3));
    assert_eq!(config.limits.dispatch_wait_ms, 500);
    assert_eq!(config.health.interval_ms, 1_000);
    assert_eq!(config.delivery.schedule_ms, [0, 100, 200]);
    let kept = &config.retention;
    assert_eq!((kept.retention_ms, kept.max, kept.min_age_ms), (60_000, 0, 60_000));
    let debug = format!("{config:?}");
    assert!(!debug.contains("secret@") && !debug.contains("MfKQ"), "{debug}");
    assert!(!debug.contains(KEY), "{debug}");
}

#[test]
fn a_bad_value_is_named_with_its_variable_and_the_remedy() {
    let cases = [
        ("REDIS_URL", "http://cache", "`redis://`"),
        ("REDIS_URL", "", "or remove it"),
        ("BATON_REDIS_DURABILITY", "high", "write `sync`, `async` or `none`"),
        ("BATON_BIND", "localhost:8080", "as in `127.0.0.1:8080`"),
        ("BATON_BIND", "0.0.0.0:8080", "anybody may do everything: set BATON_CALLER_KEYS"),
        ("BATON_BIND", "[::]:0", "or bind to 127.0.0.1"),
        ("BATON_PUBLIC_URL", "baton.example.com", "as in `https://baton.example.com`"),
        ("BATON_PUBLIC_URL", "ftp://baton.example.com", "not an http or https URL"),
        ("BATON_PUBLIC_URL", "https://baton.example.com/?a=b", "without credentials and query"),
        ("BATON_DATA_DIR", " ", "name a directory"),
        ("BATON_DATA_DIR", "b\u{fffd}ton", "not UTF-8"),
        ("BATON_LOG", "loud=noise=", "say `info`"),
        ("BATON_LOG_FORMAT", "xml", "write `text` or `json`"),
        ("BATON_CALLER_KEYS", "too-short", "`openssl rand -hex 32` makes one"),
        ("BATON_OPERATOR_KEYS", "", "`openssl rand -hex 32` makes one"),
        ("BATON_PROCESSOR_KEYS", "00112233445566778899aabbccddee\"f", "letters, digits and"),
        ("BATON_PROCESSOR_SECRETS", "", "write at least one"),
        ("BATON_WEBHOOK_SECRETS", "whsec_MTIz", "24 to 64"),
        ("BATON_PROCESSOR_CIDRS", "10.0.0.0/40", "as in `10.0.0.0/8`"),
        ("BATON_RESPONSE_CIDRS", "10.0.0.0/8;::1/128", "as in `10.0.0.0/8`"),
        ("BATON_PROCESSOR_HOSTS", "https://example.com", "as in `example.com *.example.org`"),
        ("BATON_PROCESSOR_HOSTS", "a.*.example.com", "as in `example.com *.example.org`"),
        ("BATON_RESPONSE_HOSTS", "*", "as in `example.com *.example.org`"),
        ("BATON_RESPONSE_HOSTS", "", "name hosts, or remove it"),
        ("BATON_EGRESS_PORTS", "https", "as in `443 8443`"),
        ("BATON_EGRESS_PORTS", "0", "as in `443 8443`"),
        ("BATON_MAX_DATA_BYTES", "4194305", "from 1 to 4194304"),
        ("BATON_MAX_QUEUED", "0", "from 1 to"),
        ("BATON_MAX_QUEUED_PER_HOST", "0", "from 1 to"),
        ("BATON_DISPATCH_WAIT_MS", "25001", "from 100 to 25000"),
        ("BATON_HEALTH_INTERVAL_MS", "10s", "from 100 to 3600000"),
        ("BATON_DELIVERY_SCHEDULE_MS", "-1", "as in `0 5000 300000`"),
        ("BATON_DELIVERY_SCHEDULE_MS", ",", "1 to 50 delays"),
        ("BATON_DELIVERY_SCHEDULE_MS", "5 10", "must begin with 0"),
        ("BATON_RETENTION_MS", "1", "from 1000 to"),
        ("BATON_RETENTION_MAX", "-1", "from 0 to"),
        ("BATON_RETENTION_MIN_AGE_MS", "10m", "from 0 to"),
        ("BATON_RETENTION_MIN_AGE_MS", "86400001", "is above BATON_RETENTION_MS"),
    ];
    for (name, value, remedy) in cases {
        let error = refusal(&[(name, value)]);
        assert!(error.starts_with(name) && error.contains(remedy), "{name}={value}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn what_is_kept_for_a_shorter_time_than_the_least_age_by_default_has_no_other_least_age() {
    let config = read(&[("BATON_RETENTION_MS", "5000")]).unwrap();
    assert_eq!(config.retention.min_age_ms, 5_000);
    let error = refusal(&[("BATON_RETENTION_MS", "5000"), ("BATON_RETENTION_MIN_AGE_MS", "5001")]);
    assert!(error.contains("lower it, or raise BATON_RETENTION_MS"), "{error}");
}

#[test]
fn every_problem_is_told_at_once() {
    let error = refusal(&[("BATON_BIND", "?"), ("BATON_LOG_FORMAT", "xml"), ("BATON_NOPE", "1")]);
    assert_eq!(error.lines().count(), 3, "{error}");
}

#[test]
fn an_unknown_name_is_refused_with_the_one_that_was_meant() {
    let cases = [
        ("BATON_WEBHOK_SECRETS", "mean `BATON_WEBHOOK_SECRETS`?"),
        ("BATON_DATADIR", "mean `BATON_DATA_DIR`?"),
        ("BATON_MAX_DATA", "mean `BATON_MAX_DATA_BYTES`?"),
        ("BATON_REDIS_URL", "mean `REDIS_URL`?"),
        ("BATON_CALER_KEYS", "mean `BATON_CALLER_KEYS`?"),
        ("BATON_", "remove it"),
    ];
    for (name, expected) in cases {
        let error = refusal(&[(name, "1")]);
        assert!(error.starts_with(name) && error.contains(expected), "{error}");
    }
}

#[test]
fn with_a_key_of_any_kind_the_server_may_listen_beyond_loopback() {
    for name in ["BATON_CALLER_KEYS", "BATON_OPERATOR_KEYS", "BATON_PROCESSOR_KEYS"] {
        let config = read(&[("BATON_BIND", "0.0.0.0:8080"), (name, KEY)]).unwrap();
        assert!(!config.access.is_open());
    }
}

#[test]
fn a_key_has_one_kind() {
    let kinds = ["BATON_CALLER_KEYS", "BATON_OPERATOR_KEYS", "BATON_PROCESSOR_KEYS"];
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let both = format!("{OTHER_KEY} {KEY}");
        let error = refusal(&[(kinds[one], KEY), (kinds[other], &both)]);
        assert!(error.contains("has a key of another kind"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn no_refusal_shows_a_secret() {
    for (name, value) in [
        ("REDIS_URL", "http://user:hush@cache"),
        ("BATON_PUBLIC_URL", "https://user:hush@baton.example.com"),
        ("BATON_PUBLIC_URL", "https://:hush@baton.example.com"),
        ("BATON_PROCESSOR_SECRETS", "hush"),
        ("BATON_WEBHOOK_SECRETS", "whsec_hush"),
        ("BATON_WEBHOOK_SECRET", "hush"),
        ("BATON_CALLER_KEYS", "hush"),
    ] {
        let error = refusal(&[(name, value)]);
        assert!(!error.contains("hush"), "{error}");
    }
}
