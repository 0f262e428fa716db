//! Logins that are issued for a short time.

use std::sync::{Arc, Mutex};

use kit::{Redis, until};
use manager_svc::store::{Error, Login, LoginError, Logins, Store};

const USER: &str = "issued";

/// A source whose next logins the test decides: a password, or why there is none.
#[derive(Clone)]
struct Source(Arc<Mutex<Result<&'static str, &'static str>>>);

impl Source {
    fn new(password: &'static str) -> Self {
        Self(Arc::new(Mutex::new(Ok(password))))
    }

    fn issue(&self, next: Result<&'static str, &'static str>) {
        *self.0.lock().unwrap() = next;
    }

    fn logins(&self) -> Logins {
        let source = self.clone();
        Logins::new(Box::new(move || {
            let next = *source.0.lock().unwrap();
            let login = next
                .map(|password| Login { user: USER.to_owned(), password: password.to_owned() })
                .map_err(|why| LoginError(why.to_owned()));
            Box::pin(std::future::ready(login))
        }))
    }
}

/// From now on this password and no other; who is connected stays so.
async fn set_password(redis: &Redis, password: &str) {
    let password = format!(">{password}");
    let rule = ["ACL", "SETUSER", USER, "on", "resetpass", &password, "~*", "&*", "+@all"];
    redis.on_every_server(&rule).await;
}

/// Ends every connection that was logged in.
async fn hang_up(redis: &Redis) {
    redis.on_every_server(&["CLIENT", "KILL", "USER", USER]).await;
}

async fn comes_back(store: &Store) {
    until("the store is reached", async || store.ping().await.is_ok()).await;
}

async fn each_connect_has_a_login_of_its_own(redis: Redis) {
    let source = Source::new("one");
    set_password(&redis, "one").await;
    let store = Store::connect_as(&redis.url(), Some(source.logins())).await.unwrap();
    store.ping().await.unwrap();
    set_password(&redis, "two").await;
    source.issue(Ok("two"));
    hang_up(&redis).await;
    comes_back(&store).await;
}

#[tokio::test]
async fn a_connection_that_is_made_again_logs_in_with_what_is_issued_then() {
    each_connect_has_a_login_of_its_own(Redis::start().await).await;
}

#[tokio::test]
async fn on_a_cluster_too_a_connection_that_is_made_again_logs_in_with_what_is_issued_then() {
    each_connect_has_a_login_of_its_own(Redis::cluster().await).await;
}

#[tokio::test]
async fn a_refused_login_is_not_the_last_one() {
    let redis = Redis::start().await;
    let source = Source::new("one");
    set_password(&redis, "one").await;
    let store = Store::connect_as(&redis.url(), Some(source.logins())).await.unwrap();
    set_password(&redis, "two").await;
    hang_up(&redis).await;
    // Once the lost connection was noticed, the old login is what is refused.
    until("the old login is refused", async || {
        store.ping().await.is_err_and(|error| error.to_string().contains("authentication failed"))
    })
    .await;
    assert!(matches!(store.ping().await, Err(Error::Away(_))));
    source.issue(Err("the credentials have expired"));
    until("there is no login", async || {
        store.ping().await.is_err_and(|error| error.to_string().contains("have expired"))
    })
    .await;
    source.issue(Ok("two"));
    comes_back(&store).await;
}

#[tokio::test]
async fn a_store_that_refuses_the_first_login_is_away() {
    let redis = Redis::start().await;
    set_password(&redis, "one").await;
    let wrong = Source::new("wrong");
    let refused = Store::connect_as(&redis.url(), Some(wrong.logins())).await;
    assert!(matches!(refused, Err(Error::Away(_))));
    wrong.issue(Err("nobody signs"));
    let refused = Store::connect_as(&redis.url(), Some(wrong.logins())).await.unwrap_err();
    assert!(refused.to_string().contains("nobody signs"), "{refused}");
}
