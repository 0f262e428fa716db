//! The ceiling: the calls and the Redis commands that an orchestrator of this shape cannot do
//! without, and nothing else. What Baton's rate is divided by.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, pipe};

use crate::http1::{reply, serve};
use crate::payload;

#[derive(Clone)]
struct Ceiling {
    http: Client<HttpConnector, Full<Bytes>>,
    redis: MultiplexedConnection,
    processors: Vec<Uri>,
    receiver: Uri,
}

/// Serves until the process is killed. Writes its URL to `url_file` when it is ready.
pub(crate) async fn run(redis_url: &str, url_file: &Path, receiver: &str, processors: &[String]) {
    let uri = |text: &str| text.parse::<Uri>().expect("a URL");
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = redis::Client::open(redis_url).expect("a URL of Redis");
    let ceiling = Ceiling {
        http: Client::builder(TokioExecutor::new()).build(connector),
        redis: client.get_multiplexed_async_connection().await.expect("Redis answers"),
        processors: processors.iter().map(|url| uri(&format!("{url}/process"))).collect(),
        receiver: uri(receiver),
    };
    let address = serve(move |_, _, body| {
        tokio::spawn(ceiling.clone().action(body));
        reply(202, r#"{"action_id":"none","status":"queued"}"#)
    });
    fs::write(url_file, format!("http://{}", address.await)).expect("the URL can be written");
    std::future::pending().await
}

impl Ceiling {
    async fn action(mut self, body: Bytes) {
        let item = payload::find(&body).expect("an item");
        let mut item = body.slice_ref(item);
        let id = payload::id(&item).to_owned();
        let data = |step: usize| format!("ceiling:data:{id}:{step}");
        let record = format!("ceiling:action:{id}");
        for (step, processor) in self.processors.clone().iter().enumerate() {
            let mut group = pipe();
            group.set(data(step), &item[..]).ignore();
            group.hset(&record, "step", step).ignore();
            group.zadd("ceiling:pending", &id, step).ignore();
            if step == 0 {
                group.zadd("ceiling:live", &id, 1).ignore();
                group.incr("ceiling:sequence", 1).ignore();
            } else {
                group.unlink(data(step - 1)).ignore();
                group.zrem("ceiling:input", &id).ignore();
            }
            self.commit(&group).await;
            item = self.post(processor, item).await;
        }
        let last = self.processors.len();
        let mut group = pipe();
        group.set(data(last), &item[..]).ignore().unlink(data(last - 1)).ignore();
        group.hset(&record, "step", last).ignore().zrem("ceiling:pending", &id).ignore();
        self.commit(group.zadd("ceiling:output", &id, 1).ignore()).await;
        self.post(&self.receiver.clone(), item).await;
        let mut group = pipe();
        group.zrem("ceiling:output", &id).ignore().zrem("ceiling:live", &id).ignore();
        group.incr("ceiling:done", 1).ignore();
        self.commit(group.unlink(data(last)).ignore().unlink(&record).ignore()).await;
    }

    async fn commit(&mut self, group: &Pipeline) {
        let () = group.query_async(&mut self.redis).await.expect("Redis answers");
    }

    async fn post(&self, uri: &Uri, body: Bytes) -> Bytes {
        let request = Request::post(uri.clone()).body(Full::new(body)).expect("a request");
        let response = self.http.request(request).await.expect("a stub answers");
        response.into_body().collect().await.expect("a whole answer").to_bytes()
    }
}
