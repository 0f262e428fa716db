//! The function that takes the reports of processors.

use std::process::ExitCode;

use functions::{routes, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    serve(routes::complete).await
}
