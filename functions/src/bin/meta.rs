//! The function that tells of the manager.

use std::process::ExitCode;

use functions::{routes, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    serve(routes::meta).await
}
