//! `baton serve`: the local server.

use std::io::Write;
use std::process::ExitCode;

use manager_svc::config::Config;
use manager_svc::server;

/// Half of a request's own work is small allocations, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
usage: baton serve      run the manager: every endpoint and the scheduler
       baton --version
       baton --help

Configuration is by environment: REDIS_URL, BATON_BIND, BATON_PUBLIC_URL, …; the README lists every variable.
";

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let arguments: Vec<String> =
        arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve"] => serve(),
        ["--version" | "-V"] => say(&format!("baton {}\n", env!("CARGO_PKG_VERSION"))),
        ["--help" | "-h" | "help"] => say(USAGE),
        _ => complain(USAGE, 2),
    }
}

fn serve() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => return complain(&format!("baton: refused to start\n{error}\n"), 1),
    };
    // Half of the cores: Redis and the peers on this machine want the others, and waking a second thread
    // for a few microseconds of work costs as much as the work.
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.worker_threads(threads).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("baton: {error}\n"), 1),
    };
    let ended = runtime.block_on(server::run(config));
    // Without waiting: a name lookup that hangs has a thread, which nobody can cancel.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("baton: {error}\n"), 1),
    }
}

fn say(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str, code: u8) -> ExitCode {
    // Nobody is left to tell when standard error is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(code)
}
