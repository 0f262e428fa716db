//! How managers and processors fail.

use crate::calls::Call;
use crate::state::{Nonce, REPORTS, Slot, State, Submission, Work};

impl State {
    /// A manager dies. What it held in memory is gone; what it sent has run or will never run.
    pub(crate) fn crash(&mut self, manager: u8, calls_survive: bool) {
        self.left.crashes -= 1;
        self.up[usize::from(manager)] = false;
        for action in &mut self.actions {
            if action.submission == Submission::Written(manager) {
                action.submission = Submission::Gone;
            }
            for work in &mut action.works {
                if let Some(mut left) = *work {
                    left.abandon(manager, calls_survive);
                    *work = (left.slots != [Slot::Idle; REPORTS]).then_some(left);
                }
            }
            for send in &mut action.sends {
                *send = send.filter(|send| send.manager != manager);
            }
        }
        if let Some(again) = self.again.filter(|a| !a.read && a.request.manager == manager) {
            self.again = None;
            let entry = self.action(again.request.action);
            if entry.record.is_none() {
                entry.submission = Submission::Gone;
            }
            let report = match again.request.call {
                Call::Succeed { view, .. } | Call::Fail { view, nonce: Nonce::Report(_), .. } => {
                    Some(view)
                }
                _ => None,
            };
            if let Some(view) = report.filter(|_| calls_survive) {
                self.set_slot(again.request.action, &view, REPORTS - 1, Slot::Running(None));
            }
        }
    }
}

impl State {
    /// A processor was started again. Its earlier start's calls come to nothing, or their results are on
    /// their way already.
    pub(crate) fn restart(&mut self, processor: u8, lost: bool) {
        self.left.restarts -= 1;
        for action in self.actions.iter_mut().filter(|_| lost) {
            for work in &mut action.works {
                if let Some(mut left) = work.filter(|work| work.view.holder == processor) {
                    left.lose();
                    *work = (left.slots != [Slot::Idle; REPORTS]).then_some(left);
                }
            }
        }
    }
}

impl Work {
    /// What a manager has the result of is not lost.
    fn lose(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| matches!(slot, Slot::Running(_))) {
            *slot = Slot::Idle;
        }
    }

    /// The manager is gone: a processor that saw its call go reports again elsewhere, with a new nonce
    /// when the manager had the result already.
    fn abandon(&mut self, manager: u8, calls_survive: bool) {
        for report in 0..REPORTS {
            match self.slots[report] {
                Slot::Running(Some(by)) if by == manager => {
                    self.slots[report] =
                        if calls_survive { Slot::Running(None) } else { Slot::Idle };
                }
                Slot::Written(by, _) if by == manager => {
                    self.slots[report] = Slot::Idle;
                    if calls_survive {
                        self.slots[REPORTS - 1] = Slot::Running(None);
                    }
                }
                Slot::Idle | Slot::Running(_) | Slot::Written(..) => {}
            }
        }
    }
}
