//! What can happen.

use crate::calls::{Ask, Call, End, Request};
use crate::guards::Config;
use crate::scripts::output;
use crate::state::{ATTEMPTS, Via};

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
    /// A reaper reads an action whose time is up; or somebody reads what he wants to end, or have again.
    Look {
        action: u8,
        ask: Ask,
    },
    /// A processor is paused or resumed, by somebody who saw so many switches.
    Switch {
        processor: u8,
        pause: bool,
        seen: u8,
    },
    /// The instance with that epoch takes its leave.
    Drain {
        processor: u8,
        epoch: u8,
    },
    /// A processor registers that is draining or gone.
    Register {
        processor: u8,
    },
    /// A processor was started again, and Baton knows: by a check, or because it registered. What the earlier
    /// start did is lost, unless its results are on their way.
    Restart {
        processor: u8,
        registers: bool,
        lost: bool,
    },
    /// A health check finds nothing new; or it asked before the last restart, and answers late.
    Check {
        processor: u8,
        old: bool,
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
        | Call::HandBack { .. }
        | Call::Act { .. }
        | Call::ClaimDelivery { .. }
        | Call::SettleDelivery { .. } => None,
    }
}

/// How a send ends, the first of a delivery being number one, by what the receiver answered.
pub(crate) fn end_of(tries: u8, received: bool) -> End {
    match received {
        true => End::Delivered,
        false if tries < ATTEMPTS => End::Retry,
        false => End::Exhausted,
    }
}
