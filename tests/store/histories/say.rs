//! What there is to say of a call.

use std::fmt;

use manager_svc::domain::{Action, ActionId};
use manager_svc::store::{Back, DeliveryEnd, Switch};

use super::call::{Answer, Call, Ground};

impl Call {
    /// What it is called in a count of what was done.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Submit { .. } => "submit",
            Self::Claim(_) => "claim",
            Self::GoOn { at, ground, skipped, .. } => {
                match (at.next_job().is_some(), ground, skipped) {
                    (true, _, false) => "advance",
                    (false, _, false) => "finish",
                    (_, Ground::Lease, true) => "skip by lease",
                    (_, _, true) => "skip by token",
                }
            }
            Self::Retry { ground: Ground::Lease, .. } => "retry by lease",
            Self::Retry { .. } => "retry by token",
            Self::End { ground: Ground::Token, .. } => "fail by token",
            Self::End { ground: Ground::Lease, .. } => "fail by lease",
            Self::End { ground: Ground::Deadline, .. } => "expire",
            Self::End { ground: Ground::Cancel, .. } => "cancel",
            Self::GiveBack { back: Back::Restart, .. } => "hand back after a restart",
            Self::GiveBack { .. } => "hand back by a busy processor",
            Self::Renew { .. } => "renew",
            Self::Promote(_) => "promote",
            Self::Redrive { .. } => "redrive",
            Self::Redeliver { .. } => "redeliver",
            Self::ClaimDeliveries { .. } => "claim a delivery",
            Self::SettleDelivery { end: DeliveryEnd::Delivered, .. } => "deliver",
            Self::SettleDelivery { end: DeliveryEnd::Exhausted(_), .. } => "give a delivery up",
            Self::SettleDelivery { end: DeliveryEnd::Again(..), .. } => "delay a delivery",
            Self::Switch { wanted: Switch::Pause, .. } => "pause",
            Self::Switch { wanted: Switch::Resume, .. } => "resume",
            Self::Drain { .. } => "drain",
            Self::Register { .. } => "register",
            Self::Check { .. } => "check",
            Self::Forget { .. } => "forget",
        }
    }

    /// Whether, sent again after this answer, it must change nothing whatever happened in between.
    pub(super) fn counts_once(&self, first: &Answer) -> bool {
        match self {
            // Each of those that were not taken the first time may be taken by a copy.
            Self::Claim(ask) => first.claimed.len() == ask.actions.len(),
            Self::ClaimDeliveries { ask, .. } => first.claimed.len() == ask.actions.len(),
            // These say how something is to be from now on, and are harmless at any time.
            Self::Promote(_) | Self::Renew { .. } | Self::Drain { .. } | Self::Check { .. } => {
                false
            }
            _ => true,
        }
    }

    /// The action as it was seen, of a call that is about one.
    pub(super) fn at(&self) -> Option<&Action> {
        match self {
            Self::GoOn { at, .. }
            | Self::Retry { at, .. }
            | Self::End { at, .. }
            | Self::GiveBack { at, .. }
            | Self::Renew { at, .. }
            | Self::Redrive { at, .. }
            | Self::Redeliver { at, .. }
            | Self::SettleDelivery { at, .. } => Some(at),
            _ => None,
        }
    }
}

/// The end of an id, which tells the actions of a history apart.
pub(super) fn short(id: &ActionId) -> &str {
    &id.as_str()[id.as_str().len() - 4..]
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())?;
        if let Some(at) = self.at() {
            let Action { id, version, run, step, .. } = at;
            write!(f, " {} as of v{version} run {run} step {step}", short(id))?;
        }
        match self {
            Self::Submit { new, key, wish } => {
                for new in new {
                    let jobs: Vec<_> =
                        new.action.jobs.iter().map(|job| job.target.as_str()).collect();
                    write!(f, " {} {jobs:?} delay {}", short(&new.action.id), new.delay_ms)?;
                    write!(f, " expires in {}", new.action.expires_in_ms)?;
                }
                let key = key.as_ref().map(|key| (&key.key, &key.body));
                write!(f, " key {key:?} hand over {}", wish.is_some())
            }
            Self::Claim(ask) => {
                write!(f, " for {} seen at {}", ask.processor.id, ask.seen_at)?;
                ask.actions.iter().try_for_each(|(id, seq, _)| write!(f, " {}@{seq}", short(id)))
            }
            Self::GoOn { output, wish, send, .. } => {
                let data = output.data.as_ref().map(|_| output.nonce.as_str());
                write!(f, " data {data:?} hand over {} {}", wish.is_some(), send.is_some())
            }
            Self::Retry { backoff, .. } => write!(f, " after {backoff}"),
            Self::End { send, .. } => write!(f, " hand over {}", send.is_some()),
            Self::GiveBack { back, .. } => write!(f, " {back:?}"),
            Self::Promote(due) => due.iter().try_for_each(|(id, _)| write!(f, " {}", short(id))),
            Self::ClaimDeliveries { ask, lease } => {
                write!(f, " for {lease}")?;
                ask.actions.iter().try_for_each(|(id, due, _)| write!(f, " {}@{due}", short(id)))
            }
            Self::SettleDelivery { end, .. } => write!(f, " {end:?}"),
            Self::Switch { id, seen, .. } => write!(f, " {id} seen {seen}"),
            Self::Drain { id, epoch, .. } => write!(f, " {id} epoch {epoch:?}"),
            Self::Register { registration, .. } => {
                write!(f, " {} seen {:?}", registration.id, registration.seen)
            }
            Self::Check { processor, found, .. } => write!(f, " {} {found:?}", processor.id),
            Self::Forget { index, seen } => {
                write!(f, " {index:?}")?;
                seen.iter().try_for_each(|(_, id, _)| write!(f, " {}", short(id)))
            }
            Self::Renew { .. } | Self::Redrive { .. } | Self::Redeliver { .. } => Ok(()),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.text)?;
        self.claimed.iter().try_for_each(|id| write!(f, " {}", short(id)))
    }
}
