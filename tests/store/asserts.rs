//! What tests say of all that the store holds.

use std::panic::Location;

use kit::Keyspace;

use crate::states::describe;
use crate::world::World;

impl World {
    /// Asserts every invariant, and that nothing was different when it was sent twice.
    pub(crate) async fn assert_sound(&self) {
        let found = self.direct.violations().await.unwrap();
        assert!(found.is_empty(), "{found:#?}");
        if let Some(proxy) = &self.proxy {
            let findings = proxy.findings();
            assert!(findings.is_empty(), "{}", findings.join("\n"));
        }
    }

    pub(crate) async fn keyspace(&self) -> Keyspace {
        self.redis.keyspace().await
    }

    /// Asserts everything the store holds of actions, in lines of [`crate::states`].
    #[track_caller]
    pub(crate) fn assert_states<'a>(
        &'a self,
        expected: &'a [&str],
    ) -> impl Future<Output = ()> + 'a {
        let caller = Location::caller();
        async move {
            let keyspace = self.keyspace().await;
            let lines = describe(&keyspace, &self.names.lock().unwrap());
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert!(
                lines == expected,
                "at {caller}\nthe store holds:\n  {}\nnot:\n  {}",
                lines.join("\n  "),
                expected.join("\n  ")
            );
        }
    }

    /// Asserts that `call` changes nothing at all, and answers what it answered.
    #[track_caller]
    pub(crate) fn assert_unchanged<'a, T: 'a>(
        &'a self,
        call: impl Future<Output = T> + 'a,
    ) -> impl Future<Output = T> + 'a {
        let caller = Location::caller();
        async move {
            let before = self.keyspace().await;
            let answer = call.await;
            let changes = self.keyspace().await.changes_since(&before);
            assert!(changes.is_empty(), "at {caller}: changed\n{changes}");
            answer
        }
    }
}
