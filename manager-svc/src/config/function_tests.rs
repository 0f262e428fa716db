use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const LEAST: [(&str, &str); 5] = [
    ("REDIS_URL", "rediss://cache:6379"),
    ("BATON_PUBLIC_URL", "https://baton.example.com/prod"),
    ("BATON_PROCESSOR_SECRETS", SECRET),
    ("BATON_WEBHOOK_SECRETS", SECRET),
    ("BATON_CALLER_KEYS", "00112233445566778899aabbccddeeff"),
];

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What a function has to be told, and more.
fn with(more: &[(&str, &str)]) -> Variables {
    variables(&[&LEAST, more].concat())
}

fn refusal(more: &[(&str, &str)]) -> String {
    let config = Config::for_function(&with(more));
    config.map(|config| format!("accepted: {config:?}")).unwrap_err().to_string()
}

#[test]
fn a_function_logs_for_machines_and_allows_no_network_but_the_public_one() {
    let config = Config::for_function(&with(&[])).unwrap();
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(config.egress.processor_cidrs.is_empty() && config.egress.response_cidrs.is_empty());
    assert_eq!(config.cloud, CloudConfig::default());
    assert_eq!(config.server.public_url.as_deref(), Some("https://baton.example.com/prod"));
    let config = Config::for_function(&with(&[
        ("BATON_LOG_FORMAT", "text"),
        ("BATON_PROCESSOR_CIDRS", "10.0.0.0/8"),
    ]))
    .unwrap();
    assert_eq!(config.log.format, LogFormat::Text);
    assert_eq!(config.egress.processor_cidrs.len(), 1);
}

#[test]
fn a_function_is_told_what_the_server_makes_up() {
    for (missing, _) in LEAST {
        let rest: Vec<_> = LEAST.into_iter().filter(|(name, _)| *name != missing).collect();
        let error = Config::for_function(&variables(&rest)).unwrap_err().to_string();
        assert!(error.starts_with(missing) && error.contains("is missing"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_function_needs_no_keys_where_nobody_else_reaches_it() {
    for url in ["http://127.0.0.1:4566/_aws/x", "http://localhost:1", "http://[::1]:1"] {
        let mut open = LEAST[..4].to_vec();
        open[1] = ("BATON_PUBLIC_URL", url);
        assert!(Config::for_function(&variables(&open)).unwrap().access.is_open());
    }
}

#[test]
fn every_variable_of_functions_is_read() {
    let config = Config::for_function(&with(&[
        ("BATON_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:1:secret:baton"),
        ("BATON_REDIS_IAM_USER", "baton"),
        ("BATON_REDIS_IAM_CACHE", "orders"),
        ("BATON_REDIS_IAM_KIND", "memorydb"),
        ("BATON_TICK_FUNCTION", "baton-tick"),
    ]))
    .unwrap();
    let cloud = &config.cloud;
    assert_eq!(cloud.tick_function.as_deref(), Some("baton-tick"));
    assert!(cloud.secret_arn.as_ref().is_some_and(|arn| arn.starts_with("arn:")));
    let (user, cache) = ("baton".to_owned(), "orders".to_owned());
    assert_eq!(cloud.redis_iam, Some(RedisIam { user, cache, kind: RedisIamKind::MemoryDb }));
    let iam = [("BATON_REDIS_IAM_USER", "baton"), ("BATON_REDIS_IAM_CACHE", "orders")];
    let iam = Config::for_function(&with(&iam)).unwrap().cloud.redis_iam.unwrap();
    assert_eq!(iam.kind, RedisIamKind::ElastiCache);
}

#[test]
fn what_cannot_work_in_a_function_is_refused_in_words() {
    const IAM: [(&str, &str); 2] =
        [("BATON_REDIS_IAM_USER", "baton"), ("BATON_REDIS_IAM_CACHE", "orders")];
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("BATON_BIND", "127.0.0.1:0")], "BATON_BIND is for the local server"),
        (&[("BATON_DATA_DIR", "x")], "BATON_DATA_DIR is for the local server"),
        (&[("BATON_TICK_FUNCTIONS", "tick")], "mean `BATON_TICK_FUNCTION`?"),
        (&[("BATON_TICK_FUNCTION", "")], "BATON_TICK_FUNCTION is not a name"),
        (&[("BATON_MAX_DATA_BYTES", "2621441")], "at most 2621440"),
        (&IAM[..1], "set both BATON_REDIS_IAM_USER and BATON_REDIS_IAM_CACHE"),
        (&IAM[1..], "set both BATON_REDIS_IAM_USER and BATON_REDIS_IAM_CACHE"),
        (&[("BATON_REDIS_IAM_KIND", "memorydb")], "or no BATON_REDIS_IAM_ variable"),
        (&[IAM[0], IAM[1], ("BATON_REDIS_IAM_KIND", "redis")], "write `elasticache`"),
        (&[IAM[0], IAM[1], ("REDIS_PASSWORD", "hush")], "say one way to log in"),
        (&[IAM[0], IAM[1], ("REDIS_URL", "redis://cache")], "write `rediss://`"),
    ];
    for (more, expected) in cases {
        let error = refusal(more);
        assert!(error.contains(expected), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
}

#[test]
fn the_local_server_refuses_what_is_for_functions() {
    for name in CloudConfig::NAMES {
        let error = Config::from_lookup(
            |asked| (asked == *name).then(|| "x".to_owned()),
            [(*name).to_owned()],
        );
        let error = error.unwrap_err().to_string();
        assert_eq!(error, format!("{name} is for functions, not for the local server: remove it"));
    }
}

#[test]
fn a_password_of_its_own_becomes_part_of_the_url() {
    let url = |url: &str, password: &str| {
        let pairs = [("REDIS_URL", url), ("REDIS_PASSWORD", password)];
        let get = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Config::from_lookup(get, []).map(|config| config.redis.url.unwrap())
    };
    assert_eq!(
        url("rediss://cache:6380/0", "p@ss/word"),
        Ok("rediss://:p%40ss%2Fword@cache:6380/0".to_owned())
    );
    assert_eq!(url("redis://me@cache", "x"), Ok("redis://me:x@cache".to_owned()));
    for (base, password, problem) in [
        ("redis://:other@cache", "hush", "REDIS_URL has a password too"),
        ("redis+unix:///run/redis.sock", "hush", "cannot be put into this REDIS_URL"),
        ("redis://cache", "", "is empty"),
    ] {
        let error = url(base, password).unwrap_err().to_string();
        assert!(error.starts_with("REDIS_PASSWORD") && error.contains(problem), "{error}");
        assert!(!error.contains("hush") && !error.contains("other"), "{error}");
    }
    let alone = Config::from_lookup(|name| (name == "REDIS_PASSWORD").then(|| "x".to_owned()), []);
    assert!(alone.unwrap_err().to_string().contains("without REDIS_URL"));
}

#[test]
fn the_fields_of_a_secret_are_variables() {
    let mut variables = variables(&LEAST[..2]);
    let secret = format!(
        r#"{{"BATON_PROCESSOR_SECRETS": "{SECRET}", "BATON_WEBHOOK_SECRETS": "{SECRET}",
        "BATON_OPERATOR_KEYS": "hush-112233445566778899aabbccddeeff", "REDIS_PASSWORD": "hush"}}"#
    );
    variables.add_secret(&secret).unwrap();
    let config = Config::for_function(&variables).unwrap();
    assert!(config.secrets.processor.is_some() && config.secrets.webhook.is_some());
    assert!(!config.access.is_open() && !format!("{config:?}").contains("hush"));
    assert_eq!(config.redis.url.as_deref(), Some("rediss://:hush@cache:6379"));
    assert!(!format!("{variables:?}").contains("hush"));
}

#[test]
fn a_secret_that_is_not_one_is_refused_without_showing_it() {
    for (secret, expected) in [
        ("hush", "not a JSON object"),
        (r#"["hush"]"#, "not a JSON object"),
        (r#"{"REDIS_URL": "hush"}"#, "`REDIS_URL` is in the environment too"),
        (r#"{"PASSWORD": "hush"}"#, "`PASSWORD` is no variable of Baton"),
        (r#"{"REDIS_PASSWORD": ["hush"]}"#, "`REDIS_PASSWORD` is not a string"),
    ] {
        let error = with(&[]).add_secret(secret).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("hush"), "{error}");
    }
    // A misspelt one is found with those of the environment.
    let mut variables = with(&[]);
    variables.add_secret(r#"{"BATON_CALLER_KEY_S": "hush"}"#).unwrap();
    let error = Config::for_function(&variables).unwrap_err().to_string();
    assert!(error.contains("BATON_CALLER_KEY_S") && !error.contains("hush"), "{error}");
}
