//! Redis over TLS, with a password, as managed ones are.

use std::net::TcpListener;

use kit::{BatonSpec, DataDir, Processor, ProcessorSpec, Receiver, Redis, action};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;

/// A Redis that also listens with TLS, by a certificate of an authority of its own.
struct Secured {
    _redis: Redis,
    dir: DataDir,
    port: u16,
}

impl Secured {
    async fn start() -> Self {
        let (redis, dir) = (Redis::start().await, DataDir::new());
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let trusted = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &issuer).unwrap();
        for (file, content) in
            [("ca", trusted.pem()), ("cert", certificate.pem()), ("key", key.serialize_pem())]
        {
            std::fs::write(dir.file(file), content).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = |name| dir.file(name).display().to_string();
        let (ca, cert, key, port_text) = (file("ca"), file("cert"), file("key"), port.to_string());
        let mut set = vec!["CONFIG", "SET", "tls-auth-clients", "no", "tls-port", &port_text];
        set.extend(["tls-ca-cert-file", &ca, "tls-cert-file", &cert, "tls-key-file", &key]);
        let () = redis.query(&set).await;
        let () = redis.query(&["ACL", "SETUSER", "default", "resetpass", ">p@ss/word"]).await;
        Self { _redis: redis, dir, port }
    }

    /// A manager that trusts the authority.
    fn manager(&self, url: &str) -> BatonSpec {
        BatonSpec::on(url).env("SSL_CERT_FILE", &self.dir.file("ca").display().to_string())
    }
}

async fn passes_an_action(spec: BatonSpec) {
    let baton = spec.start().await;
    let receiver = Receiver::start(baton.webhook_secrets()).await;
    let p = Processor::sync(ProcessorSpec::new("p"), |data| data).await;
    p.register(&baton).await;
    baton.submit(&action(&json!(1), &["p"], Some(&receiver.url()))).await;
    receiver.wait_for(1).await;
}

#[tokio::test]
async fn redis_is_reached_over_tls_with_the_password_of_its_url() {
    let secured = Secured::start().await;
    let url = format!("rediss://:p%40ss%2Fword@127.0.0.1:{}", secured.port);
    passes_an_action(secured.manager(&url)).await;
}

#[tokio::test]
async fn redis_is_reached_over_tls_with_a_password_of_its_own() {
    let secured = Secured::start().await;
    let url = format!("rediss://127.0.0.1:{}", secured.port);
    passes_an_action(secured.manager(&url).env("REDIS_PASSWORD", "p@ss/word")).await;
}

#[tokio::test]
async fn a_certificate_of_nobody_known_is_refused() {
    let secured = Secured::start().await;
    let url = format!("rediss://:p%40ss%2Fword@127.0.0.1:{}", secured.port);
    let refused = manager_svc::store::Store::connect(&url).await.unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
}
