//! The function that submits, reads and cancels actions.

use std::process::ExitCode;

use functions::{routes, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    serve(routes::action).await
}
