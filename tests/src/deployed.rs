//! A deployment on a local cloud, seen from beside it: its URL and secrets, its processes, and its schedule's firings.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use baton_wire::signature::Secrets;
use rustix::process::Signal;
use serde_json::Value;

use crate::child::{kill, send_group};
use crate::client::Client;
use crate::form::Form;

/// What `KIT_CLOUD` names: a file in which whoever deployed it says what it is.
#[derive(Debug)]
pub struct Deployed {
    said: Value,
}

impl Deployed {
    /// The deployment of this run.
    #[must_use]
    pub fn of_run() -> Self {
        let path = env::var("KIT_CLOUD").expect("KIT_CLOUD is set: run `make cloud`");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { said: serde_json::from_str(&text).expect("what is said of the deployment is JSON") }
    }

    fn text(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap_or_else(|| panic!("{name} is not said of the deployment"))
    }

    /// A client of its API, with an operator's key.
    #[must_use]
    pub fn client(&self) -> Client {
        let key = self.text("operator_keys").split_whitespace().next();
        Client::new(self.text("url")).keyed(key)
    }

    /// The URL of the Redis behind its store's endpoint.
    #[must_use]
    pub fn redis_url(&self) -> &str {
        self.text("redis_url")
    }

    /// The secrets that processors verify its requests with.
    #[must_use]
    pub fn processor_secrets(&self) -> Secrets {
        Secrets::parse(self.text("processor_secrets")).expect("well-formed secrets")
    }

    /// The secrets that receivers verify its webhooks with.
    #[must_use]
    pub fn webhook_secrets(&self) -> Secrets {
        Secrets::parse(self.text("webhook_secrets")).expect("well-formed secrets")
    }

    /// How often the schedule has fired `tick` so far, by the local cloud's own log.
    #[must_use]
    pub fn firings(&self) -> usize {
        let log = fs::read(self.text("log")).expect("the local cloud's log can be read");
        let dispatched = format!("Lambda {}: dispatched", self.text("tick"));
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains(&dispatched)).count()
    }

    /// The processes that run `tick` at present.
    #[must_use]
    pub fn ticks(&self) -> Vec<u32> {
        self.functions(self.text("tick"))
    }

    /// What its functions have logged since they were last configured.
    pub(crate) fn log() -> String {
        let asked = Command::new(Form::Deployed.program()).arg("log").output();
        let asked = asked.expect("the program that attaches can be started");
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
        String::from_utf8_lossy(&asked.stdout).into_owned()
    }

    /// Stops the local cloud and every function where they stand (SIGSTOP).
    pub(crate) fn pause(&self) {
        send_group(self.pid(), Signal::STOP);
    }

    /// Lets them go on (SIGCONT).
    pub(crate) fn resume(&self) {
        send_group(self.pid(), Signal::CONT);
    }

    /// Kills every function's process; the next event starts another.
    pub(crate) fn kill9(&self) {
        self.functions("").into_iter().for_each(kill);
    }

    fn pid(&self) -> u32 {
        self.said["pid"].as_u64().and_then(|pid| pid.try_into().ok()).expect("its process id")
    }

    /// The processes of functions whose names begin in this way.
    fn functions(&self, name: &str) -> Vec<u32> {
        let (cloud, named) = (self.pid().to_string(), format!("AWS_LAMBDA_FUNCTION_NAME={name}"));
        let entries = fs::read_dir("/proc").expect("/proc can be read").flatten();
        let function = |path: PathBuf| -> Option<u32> {
            let stat = fs::read_to_string(path.join("stat")).ok()?;
            // State and parent follow the name, which is in parentheses and may contain any character.
            let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
            let environment = fs::read(path.join("environ")).ok()?;
            let mut variables = environment.split(|byte| *byte == 0);
            let is = parent == cloud && variables.any(|v| v.starts_with(named.as_bytes()));
            is.then(|| path.file_name()?.to_str()?.parse().ok())?
        };
        entries.filter_map(|entry| function(entry.path())).collect()
    }
}
