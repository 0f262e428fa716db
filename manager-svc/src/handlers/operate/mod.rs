//! What callers and operators do with actions that are there: cancel, list, redrive, redeliver.

mod bulk;
mod cancel;
mod list;
mod redeliver;
mod redrive;
mod walk;

pub(crate) use cancel::cancel_action;
pub(crate) use list::list_actions;
pub(crate) use redeliver::{redeliver_action, redeliver_exhausted};
pub(crate) use redrive::redrive_failed;

/// How often an action is looked at again that changed between the look and the transition.
const LOOKS: usize = 10;
