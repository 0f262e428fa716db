//! What can happen.

use crate::guards::Config;
use crate::scripts::output;
use crate::state::{ATTEMPTS, Call, End, Request, Via};

/// What becomes of a script's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    /// The connection drops; the client sends the script again before it does anything else.
    Lost,
    /// The connection drops before the script runs; it is sent again and answered, and the first copy
    /// still runs later.
    LateCopy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A manager sends the payload of a submission; `lost` when Redis refuses it alone.
    WriteInput {
        action: u8,
        manager: u8,
        lost: bool,
    },
    /// A manager has a report with data, and sends its payload.
    WriteOutput {
        action: u8,
        dispatch: usize,
        report: u8,
        manager: u8,
        via: Via,
        lost: bool,
    },
    Script {
        request: Request,
        fate: Fate,
    },
    WriteAgain,
    ScriptAgain,
    Promote {
        action: u8,
    },
    /// The processor's heartbeat.
    Renew {
        action: u8,
    },
    /// A second report of one attempt is on its way.
    Echo {
        action: u8,
        dispatch: usize,
    },
    /// The receiver answers a send.
    Answer {
        action: u8,
        send: usize,
        received: bool,
    },
    LeaseEnds {
        action: u8,
    },
    SendLeaseEnds {
        action: u8,
    },
    PayloadExpires {
        action: u8,
        name: u8,
    },
    /// A reaper reads an action whose time is up.
    LookAtDeadline {
        action: u8,
    },
    /// A manager dies; the processors it called go on and report elsewhere, or fall silent.
    Crash {
        manager: u8,
        calls_survive: bool,
    },
}

/// The payload in a request's pipeline: action, name, content.
pub(crate) fn payload_of(config: &Config, request: &Request) -> Option<(u8, u8, u8)> {
    match request.call {
        Call::Submit { .. } => Some((request.action, 0, 0)),
        Call::Succeed { view, report, name, .. } if name != view.before => {
            let (_, content) = output(&config.guards, &view, report);
            Some((request.action, name, content))
        }
        Call::Succeed { .. }
        | Call::Claim { .. }
        | Call::Fail { .. }
        | Call::Deadline { .. }
        | Call::ClaimDelivery { .. }
        | Call::SettleDelivery { .. } => None,
    }
}

/// How a send ends, by what the receiver answered.
pub(crate) fn end_of(send: usize, received: bool) -> End {
    match received {
        true => End::Delivered,
        false if send + 1 < usize::from(ATTEMPTS) => End::Retry,
        false => End::Exhausted,
    }
}
