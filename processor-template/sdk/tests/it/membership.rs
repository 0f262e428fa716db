//! Registering, and being forgotten.

use baton_sdk::{Failure, Job, Processor};
use serde_json::json;

use crate::kit::{Running, http_client, spawn};
use crate::manager::Manager;

async fn idle(_: Job) -> Result<(), Failure> {
    Ok(())
}

fn processor() -> Processor {
    Processor::new("test", idle)
}

#[tokio::test]
async fn it_registers_once_it_can_be_called_back() {
    let mut manager = Manager::start(600_000).await;
    let variables = [("CAPACITY", "3"), ("PROCESSOR_KEY", "key-1"), ("PROCESSOR_NAME", "kind")];
    let (_stop, _task) = spawn(processor(), &manager.url, &variables);
    let registration = manager.registration().await;
    assert_eq!(
        (registration.body.id.as_str(), registration.body.name.as_str()),
        ("test-1", "kind")
    );
    assert_eq!(registration.body.capacity, Some(3));
    assert_eq!(registration.authorization.as_deref(), Some("Bearer key-1"));
    assert_eq!(registration.meta["id"], json!("test-1"));
    assert_eq!(registration.meta["name"], json!("kind"));
    assert_eq!(registration.options, (204, "OPTIONS, POST".to_owned()));
}

#[tokio::test]
async fn a_public_url_is_what_it_registers_with() {
    // The stand-in calls back there, so that the address must be the bound one.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut manager = Manager::start(600_000).await;
    let (bind, url) = (format!("0.0.0.0:{port}"), format!("http://localhost:{port}/"));
    let (_stop, _task) = spawn(processor(), &manager.url, &[("BIND", &bind), ("PUBLIC_URL", &url)]);
    assert_eq!(manager.registration().await.body.url, format!("http://localhost:{port}"));
}

#[tokio::test]
async fn it_tries_again_when_the_manager_refuses() {
    let mut manager = Manager::start(600_000).await;
    manager.answer_registrations(&[(503, None), (401, None)]);
    let (_stop, _task) = spawn(processor(), &manager.url, &[]);
    for _ in 0..3 {
        manager.registration().await;
    }
}

#[tokio::test]
async fn it_registers_again_when_no_health_check_comes() {
    let mut running = Running::with_manager(processor(), Manager::start(20).await, &[]).await;
    let first = running.url.clone();
    assert_eq!(running.manager.registration().await.body.url, first);
    assert_eq!(running.manager.registration().await.body.url, first);
}

#[tokio::test]
async fn health_checks_keep_it_registered() {
    // 60 checks span many times three intervals; only a check that takes that long could let it register.
    let mut running = Running::with_manager(processor(), Manager::start(500).await, &[]).await;
    let http = http_client();
    let url = format!("{}/meta", running.url);
    let checks = async {
        let mut beat = tokio::time::interval(std::time::Duration::from_millis(50));
        for _ in 0..60 {
            beat.tick().await;
            http.get(&url).send().await.unwrap();
        }
    };
    tokio::select! {
        () = checks => {}
        again = running.manager.registration() => panic!("{again:?}"),
    }
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (_stop, task) = spawn(processor(), "http://127.0.0.1:1", &[("BIND", &address)]);
    let error = task.await.unwrap().unwrap_err().to_string();
    assert!(error.contains(&address) && error.contains("BIND"), "{error}");
}
