//! In which form the managers of this run are started.

use std::path::PathBuf;

use crate::child::binary;

/// What `KIT_FORM` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One process, `baton serve`; so too where nothing is said.
    Server,
    /// `functions`: the functions on a test cloud of the kit's own.
    Functions,
    /// `deployed`: a deployment that stands, and takes over what a manager is started with. `KIT_CLOUD_ATTACH` names
    /// the program that sees to it, in a manager's place.
    Deployed,
}

impl Form {
    /// The form of this run.
    #[must_use]
    pub fn of_run() -> Self {
        match std::env::var("KIT_FORM").as_deref() {
            Ok("functions") => Self::Functions,
            Ok("deployed") => Self::Deployed,
            Ok(other) => panic!("KIT_FORM={other}: functions or deployed"),
            Err(_) => Self::Server,
        }
    }

    /// Whether an HTTP API stands before the manager, which answers in words of its own what it does not let pass.
    #[must_use]
    pub fn has_gateway(self) -> bool {
        self != Self::Server
    }

    /// How many a scenario of `many` has in this form, in hundreds: on a deployment one in ten, because there each
    /// request of a processor costs the local cloud some ten milliseconds.
    #[must_use]
    pub fn share(self, many: usize) -> usize {
        if self == Self::Deployed { (many / 10).next_multiple_of(100) } else { many }
    }

    /// What is started for a manager.
    pub(crate) fn program(self) -> PathBuf {
        match self {
            Self::Server => binary("baton"),
            Self::Functions => binary("cloud"),
            Self::Deployed => {
                std::env::var_os("KIT_CLOUD_ATTACH").expect("KIT_CLOUD_ATTACH is set").into()
            }
        }
    }
}
