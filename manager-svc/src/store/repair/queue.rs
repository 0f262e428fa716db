//! The sorted sets that an action may stand in.

use std::fmt;

use super::super::keys;

/// A sorted set of actions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Queue {
    Live,
    Delayed,
    Done,
    Failed,
    /// Of a target.
    Input(String),
    /// Of a processor.
    Pending(String),
    /// Of a host.
    Output(String),
}

impl Queue {
    /// Those of which there is one.
    pub(super) const INDEXES: [Self; 4] = [Self::Live, Self::Delayed, Self::Done, Self::Failed];

    pub(super) fn key(&self) -> String {
        match self {
            Self::Live => keys::LIVE.to_owned(),
            Self::Delayed => keys::DELAYED.to_owned(),
            Self::Done => keys::DONE.to_owned(),
            Self::Failed => keys::FAILED.to_owned(),
            Self::Input(target) => keys::input(target),
            Self::Pending(processor) => keys::pending(processor),
            Self::Output(host) => keys::output(host),
        }
    }

    /// The queue of a target, processor or host that has this key.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        let kinds = [
            (Self::Input as fn(String) -> Self, keys::input("")),
            (Self::Pending, keys::pending("")),
            (Self::Output, keys::output("")),
        ];
        kinds
            .into_iter()
            .find_map(|(queue, prefix)| Some(queue(key.strip_prefix(&prefix)?.to_owned())))
    }

    /// The kind and name by which a list names it while it is not empty.
    pub(super) fn listed_as(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Input(target) => Some(("input", target)),
            Self::Output(host) => Some(("output", host)),
            Self::Live | Self::Delayed | Self::Done | Self::Failed | Self::Pending(_) => None,
        }
    }

    /// Whether it holds actions with an outcome, which are kept there for a time.
    pub(super) fn keeps_the_past(&self) -> bool {
        match self {
            Self::Done | Self::Failed => true,
            Self::Live | Self::Delayed | Self::Input(_) | Self::Pending(_) | Self::Output(_) => {
                false
            }
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str("live"),
            Self::Delayed => f.write_str("delayed"),
            Self::Done => f.write_str("done"),
            Self::Failed => f.write_str("failed"),
            Self::Input(target) => write!(f, "input:{target}"),
            Self::Pending(processor) => write!(f, "pending:{processor}"),
            Self::Output(host) => write!(f, "output:{host}"),
        }
    }
}
