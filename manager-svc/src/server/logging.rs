//! Logs: `tracing` to standard error, for people or for machines.

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Sets the process's logging up. Once; a second call changes nothing.
pub(crate) fn init(config: &LogConfig) {
    // The configuration was parsed, so the filter is one.
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_default();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match config.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
