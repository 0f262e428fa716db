//! What a script is called with, and what it answers.

use crate::state::{Claim, Nonce, Token, View, plain};

plain! {
    /// A transition without a token of the attempt. It carries what its caller saw, and a nonce.
    pub(crate) enum Ask { Redrive, Redeliver, Cancel, Deadline }

    /// Why an attempt goes back: its processor was started again, or a report says that it is busy.
    pub(crate) enum Back { Restart, Busy(u8) }

    /// What somebody read of an action, some time ago, to act on it.
    pub(crate) struct Look {
        pub(crate) action: u8,
        pub(crate) ask: Ask,
        pub(crate) nonce: u8,
        pub(crate) run: u8,
        pub(crate) running: Option<View>,
        /// Whether the version is still the same.
        pub(crate) fresh: bool,
    }

    /// One script call, with all it has in KEYS and ARGV.
    pub(crate) enum Call {
        Submit { hand: Option<u8> },
        /// Its token is named after the dispatch that it saw would be next: that is its version.
        Claim { processor: u8, token: Token },
        Succeed {
            view: View,
            report: u8,
            name: u8,
            hand: Option<u8>,
            token: Token,
            deliver: bool,
        },
        /// `last` when no attempt is left, or none would help.
        Fail { view: View, nonce: Nonce, last: bool, hand: Option<u8>, deliver: bool },
        HandBack { view: View, back: Back },
        Act { look: Look, deliver: bool },
        ClaimDelivery { token: u8 },
        SettleDelivery { token: u8, end: End },
    }

    pub(crate) enum End { Delivered, Retry, Exhausted }

    pub(crate) struct Request {
        pub(crate) action: u8,
        pub(crate) manager: u8,
        pub(crate) call: Call,
    }

    pub(crate) enum Answer { Done(Option<Claim>), Duplicate, Stale, Missing, Nothing }

    /// A call that will run a second time.
    pub(crate) struct Again {
        pub(crate) request: Request,
        pub(crate) first: Answer,
        /// Whether its sender had the first answer already: then nobody reads the second.
        pub(crate) read: bool,
        pub(crate) written: bool,
    }
}

impl Look {
    /// Whether it is the same reader.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (self.action, self.ask, self.nonce) == (other.action, other.ask, other.nonce)
    }
}
