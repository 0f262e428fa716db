//! The function that works on many actions at a time.

use std::process::ExitCode;

use functions::{routes, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    serve(routes::operate).await
}
