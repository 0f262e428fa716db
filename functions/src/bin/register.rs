//! The function that lets processors come and go.

use std::process::ExitCode;

use functions::{routes, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    serve(routes::register).await
}
