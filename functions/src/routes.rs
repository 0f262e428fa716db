//! The routes of each function.

use axum::Router;
use manager_svc::app::App;
use manager_svc::router::{Slice, slice};

/// Submitting, reading and cancelling actions, and sending their outcomes once more.
pub fn action(app: App) -> Router {
    slice(app, Slice::Action)
}

/// Reports of processors.
pub fn complete(app: App) -> Router {
    slice(app, Slice::Complete)
}

/// Processors coming and going.
pub fn register(app: App) -> Router {
    slice(app, Slice::Register)
}

/// The manager about itself.
pub fn meta(app: App) -> Router {
    slice(app, Slice::Meta)
}

/// Many actions at a time: listing, redriving, redelivering.
pub fn operate(app: App) -> Router {
    slice(app, Slice::Operate)
}
