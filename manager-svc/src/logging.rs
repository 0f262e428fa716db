//! Logs: `tracing` to standard error, for people or for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Sets the process's logging up. Once; a second call changes nothing.
pub fn init(config: &LogConfig) {
    // The configuration was parsed, so the filter is one.
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_default();
    // A reader that goes away (`baton serve 2>&1 | head`) takes the lines with it, not the server: told of
    // its own failure, the subscriber would print to the same closed pipe, and panic.
    let builder = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let _ = match config.format {
        LogFormat::Text => {
            builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
