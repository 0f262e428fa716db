//! The receivers of outcomes: they verify, enter into the ledger, and answer as the plan says.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton_wire::signature::{Secrets, WEBHOOK_ID};
use kit::{Reply, Request, Server};
use serde::Deserialize;

use crate::data::Data;
use crate::effects::Effects;
use crate::ledger::{Arrival, Ledger};
use crate::plan::Receiver;

/// How long a receiver that hangs keeps the connection: longer than a delivery waits.
const HANG: Duration = Duration::from_secs(25);

/// What a receiver reads of a webhook.
#[derive(Deserialize)]
struct Webhook<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    data: WebhookData<'a>,
}

#[derive(Deserialize)]
struct WebhookData<'a> {
    action_id: &'a str,
    result: Data,
    #[serde(borrow)]
    labels: Labels<'a>,
}

#[derive(Deserialize)]
struct Labels<'a> {
    n: &'a str,
}

/// Starts one; it answers for as long as it is kept.
pub(crate) async fn start(secrets: Secrets, ledger: Arc<Ledger>, effects: Arc<Effects>) -> Server {
    let secrets = Arc::new(secrets);
    Server::start(move |request| {
        let answer = receive(&request, &secrets, &ledger);
        let effects = Arc::clone(&effects);
        async move {
            match answer {
                Receiver::Take => Reply::status(204),
                Receiver::Refuse(status, _) => {
                    effects.count(&effects.refusals);
                    let reply = Reply::status(status);
                    if status == 429 { reply.with("retry-after", "1") } else { reply }
                }
                Receiver::Hang => {
                    effects.count(&effects.receiver_hangs);
                    tokio::time::sleep(HANG).await;
                    Reply::Cut
                }
                Receiver::Cut => {
                    effects.count(&effects.refusals);
                    Reply::Cut
                }
            }
        }
    })
    .await
}

fn receive(request: &Request, secrets: &Secrets, ledger: &Ledger) -> Receiver {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_secs();
    if let Err(error) = secrets.verify(|name| request.header(name), &request.body, now) {
        ledger
            .wrong(0, &format!("or another one came with a webhook that does not verify: {error}"));
        return Receiver::Refuse(401, u32::MAX);
    }
    let webhook = serde_json::from_slice::<Webhook<'_>>(&request.body);
    let number = webhook.as_ref().ok().and_then(|webhook| webhook.data.labels.n.parse().ok());
    let (Ok(webhook), Some(number)) = (webhook, number) else {
        let text = String::from_utf8_lossy(&request.body);
        ledger.wrong(0, &format!("or another one came with a webhook that cannot be read: {text}"));
        return Receiver::Refuse(422, u32::MAX);
    };
    ledger.arrive(Arrival {
        number,
        action_id: webhook.data.action_id,
        webhook_id: request.header(WEBHOOK_ID).unwrap_or_default(),
        kind: webhook.kind,
        result: webhook.data.result,
    })
}
