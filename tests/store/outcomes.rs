//! Actions with an outcome, as operators find them.

use manager_svc::domain::action::Status;
use manager_svc::domain::{Action, Failure, TokenHash};
use manager_svc::store::{
    ClaimedDelivery, DeliveryEnd, Finished, IdempotencyKey, NewAction, Settled, StepEnd, Submitted,
    Why,
};

use crate::world::{PLENTY, World, ending};

pub(crate) fn failure() -> Failure {
    Failure::new("e", "no")
}

impl World {
    /// Registers `p`, which serves `work`, once.
    pub(crate) async fn with_processor(&self) {
        if self.direct.processor("p").await.unwrap().is_none() {
            self.register("p", "work", 9).await;
        }
    }

    /// An action of one step that failed at `p`; its delivery may be claimed with `send`.
    pub(crate) async fn failed(&self, new: &NewAction, send: Option<&TokenHash>) -> Action {
        self.with_processor().await;
        let claimed = self.claimed(new).await;
        self.fail(&claimed.action, &claimed.token.hash(), send).await
    }

    /// Fails the attempt for good.
    pub(crate) async fn fail(
        &self,
        action: &Action,
        token: &TokenHash,
        send: Option<&TokenHash>,
    ) -> Action {
        self.end(action, Why::Token(token), send).await
    }

    /// Ends it as failed, on this ground.
    pub(crate) async fn end(
        &self,
        action: &Action,
        why: Why<'_>,
        send: Option<&TokenHash>,
    ) -> Action {
        let (nonce, failure) = (self.nonce(), failure());
        let answer = self.store.end(action, why, &nonce, &failure, ending(send)).await.unwrap();
        assert!(matches!(answer, Settled::Accepted(_)), "{answer:?}");
        self.record(&action.id).await
    }

    /// An action of one step that succeeded at `p` with `1`; its delivery may be claimed with `send`.
    pub(crate) async fn succeeded(&self, new: &NewAction, send: Option<&TokenHash>) -> Action {
        self.with_processor().await;
        let claimed = self.claimed(new).await;
        let (token, output) = (claimed.token.hash(), self.output("1"));
        let end = StepEnd::succeeded(&token, &output);
        let finish = self.store.finish(&claimed.action, end, Status::Succeeded, ending(send));
        let answer = finish.await.unwrap();
        assert!(matches!(answer, Settled::Accepted(_)), "{answer:?}");
        self.record(&claimed.action.id).await
    }

    /// Cancels it as it was seen; asked again, that must be answered the same and change nothing.
    pub(crate) async fn cancel(&self, action: &Action, send: Option<&TokenHash>) -> Finished {
        let (nonce, failure) = (self.nonce(), failure());
        let ask = || self.store.end(action, Why::Cancel, &nonce, &failure, ending(send));
        let answer = ask().await.unwrap();
        assert_eq!(self.assert_unchanged(ask()).await.unwrap(), answer);
        let Settled::Accepted(finished) = answer else { panic!("{answer:?}") };
        finished
    }

    /// Redrives it as it was seen; asked again, that must be answered the same and change nothing.
    pub(crate) async fn redrive(&self, action: &Action) -> Action {
        let nonce = self.nonce();
        let ask = || self.store.redrive(action, &nonce);
        let answer = ask().await.unwrap();
        assert_eq!(answer, Settled::Accepted(action.run + 1));
        assert_eq!(self.assert_unchanged(ask()).await.unwrap(), answer);
        self.record(&action.id).await
    }

    /// Redelivers it as it was seen; asked again, that must be answered the same and change nothing.
    pub(crate) async fn redeliver(&self, action: &Action) -> Action {
        let nonce = self.nonce();
        let ask = || self.store.redeliver(action, &nonce);
        let answer = ask().await.unwrap();
        assert!(matches!(answer, Settled::Accepted(_)), "{answer:?}");
        assert_eq!(self.assert_unchanged(ask()).await.unwrap(), answer);
        self.record(&action.id).await
    }

    /// Claims the delivery of an outcome that is due.
    pub(crate) async fn claim_delivery(&self, action: &Action) -> ClaimedDelivery {
        let asks = self.ask_delivery(&action.id).await;
        self.store.claim_deliveries(&asks, 30_000).await.unwrap().whole.pop().unwrap()
    }

    /// Whether the end of a send was recorded.
    pub(crate) async fn settle(
        &self,
        action: &Action,
        token: &TokenHash,
        end: &DeliveryEnd,
    ) -> bool {
        let receiver = action.receiver.as_ref().unwrap();
        self.store.settle_delivery(action, receiver, token, end, 1_000_000).await.unwrap()
    }

    /// Sends the outcome, which must be due, with this end.
    pub(crate) async fn send(&self, action: &Action, end: &DeliveryEnd) -> (Action, TokenHash) {
        let claimed = self.claim_delivery(action).await;
        assert!(self.settle(&claimed.action, &claimed.token, end).await);
        (self.record(&action.id).await, claimed.token)
    }

    /// Submits them under the idempotency key `key`.
    pub(crate) async fn submit_once(&self, actions: &mut [NewAction]) {
        let key = IdempotencyKey { key: "key".to_owned(), body: "body".to_owned() };
        for new in actions.iter_mut() {
            new.action.idempotency = Some(key.key.clone());
        }
        let answer = self.store.submit(actions, Some(&key), PLENTY, None).await.unwrap();
        assert!(matches!(answer, Submitted::Accepted { .. }), "{answer:?}");
    }

    /// Asserts how many of the actions of the idempotency key `key` are open, and that its record has a TTL
    /// exactly when none is.
    #[track_caller]
    pub(crate) fn assert_open(&self, open: u32) -> impl Future<Output = ()> + '_ {
        let caller = std::panic::Location::caller();
        async move {
            let (keyspace, record) = (self.keyspace().await, "{p0}:idempotency:key");
            let now = &keyspace.content(record).unwrap()["open"];
            assert_eq!((now, keyspace.expires(record)), (&open.to_string(), open == 0), "{caller}");
        }
    }
}

pub(crate) fn exhausted() -> DeliveryEnd {
    DeliveryEnd::Exhausted("410".to_owned())
}
