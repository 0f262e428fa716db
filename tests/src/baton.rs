//! A manager: one `baton serve` process, and a client of it.

use std::ops::Deref;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use baton_wire::processor::RegisterOut;
use baton_wire::signature::Secrets;
use rustix::process::Signal;

use crate::child::Child;
use crate::client::Client;
use crate::data_dir::DataDir;
use crate::deployed::Deployed;
use crate::form::Form;
use crate::processor::Processor;
use crate::redis::Redis;
use crate::wait::Patience;

/// How long a stop may take, with room for a loaded machine around the promised 10 seconds.
const STOP_BOUND: Duration = Duration::from_secs(15);

/// How a manager is started.
#[derive(Debug, Clone)]
pub struct BatonSpec {
    data_dir: Arc<DataDir>,
    redis_url: Option<String>,
    bind: String,
    env: Vec<(String, String)>,
}

impl BatonSpec {
    /// With an embedded Redis, in a data directory of its own.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            data_dir: Arc::new(DataDir::new()),
            redis_url: None,
            bind: "127.0.0.1:0".to_owned(),
            env: Vec::new(),
        }
    }

    /// On the Redis at this URL, in a data directory of its own.
    #[must_use]
    pub fn on(redis_url: &str) -> Self {
        Self { redis_url: Some(redis_url.to_owned()), ..Self::embedded() }
    }

    /// With one more environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In an existing data directory.
    #[must_use]
    pub fn data_dir(mut self, data_dir: &Arc<DataDir>) -> Self {
        self.data_dir = Arc::clone(data_dir);
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Baton {
        self.try_start().await.unwrap_or_else(|log| panic!("baton does not start:\n{log}"))
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// What it printed, when it exits instead.
    pub async fn try_start(self) -> Result<Baton, String> {
        // A URL from an earlier start would be read before the new one is written.
        let _ = std::fs::remove_file(self.data_dir.file("url"));
        let mut process = self.launch();
        let mut patience = Patience::new("baton is ready or exits");
        loop {
            if process.status().is_some() {
                return Err(process.log());
            }
            if let Some(url) = self.data_dir.read("url") {
                let client = Client::new(&url).keyed(self.operator_key().as_deref());
                if client.is_ready().await {
                    return Ok(Baton { process, client, form: self.form(), spec: self });
                }
            }
            patience.pause().await;
        }
    }

    /// The first of the operators' keys, if there are any: as they were said, or as a deployment has them.
    fn operator_key(&self) -> Option<String> {
        let given = self.env.iter().rev().find(|(name, _)| name == "BATON_OPERATOR_KEYS");
        let keys =
            given.map(|(_, keys)| keys.clone()).or_else(|| self.data_dir.read("operator.keys"))?;
        keys.split_whitespace().next().map(str::to_owned)
    }

    /// An embedded Redis is the server's alone.
    fn form(&self) -> Form {
        if self.redis_url.is_some() { Form::of_run() } else { Form::Server }
    }

    fn launch(&self) -> Child {
        let form = self.form();
        let mut command = Command::new(form.program());
        command.current_dir(self.data_dir.path());
        if form == Form::Server {
            command.arg("serve");
        }
        for (name, _) in std::env::vars_os() {
            // What happens to be set around the test is not for this manager.
            if name.to_string_lossy().starts_with("BATON_") || name == "REDIS_URL" {
                command.env_remove(name);
            }
        }
        command.env("BATON_BIND", &self.bind).env("BATON_DATA_DIR", self.data_dir.path());
        if let Some(url) = &self.redis_url {
            command.env("REDIS_URL", url);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let log = format!("baton.{}.log", std::process::id());
        let log = self.data_dir.file(&log);
        if form == Form::Functions {
            command.env("CLOUD_LOG", &log);
        }
        if form == Form::Server {
            Child::spawn("baton", &mut command, &log)
        } else {
            Child::spawn_leader("cloud", &mut command, &log)
        }
    }
}

/// A running manager. It is killed when dropped, and with the last one in its data directory the
/// embedded Redis too. Dereferences to a [`Client`] of it.
#[derive(Debug)]
pub struct Baton {
    process: Child,
    client: Client,
    form: Form,
    spec: BatonSpec,
}

impl Baton {
    /// A manager on this Redis.
    pub async fn start(redis: &Redis) -> Self {
        BatonSpec::on(&redis.url()).start().await
    }

    /// Another manager on the same Redis, with the same secrets.
    pub async fn another(&self) -> Self {
        let url = self.spec.redis_url.as_deref().expect("a manager on a Redis of its own");
        let mut spec = BatonSpec::on(url);
        spec.env.clone_from(&self.spec.env);
        let processor = self.secret("processor.secret");
        let webhook = self.secret("webhook.secret");
        let spec = spec.env("BATON_PROCESSOR_SECRETS", &processor);
        spec.env("BATON_WEBHOOK_SECRETS", &webhook).start().await
    }

    /// A client of it, with an operator's key if it has any.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Arc<DataDir> {
        &self.spec.data_dir
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Forgets the most memory that the server had so far.
    pub fn reset_peak_memory(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("its own process");
    }

    /// The most memory that the server had at a time, in bytes, since that was forgotten.
    #[must_use]
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("its process is there");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        1024 * peak.expect("Linux says it in kilobytes")
    }

    /// What it has printed so far, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        match self.form {
            Form::Server | Form::Functions => self.process.log(),
            Form::Deployed => Deployed::log(),
        }
    }

    /// The secrets that processors verify its requests with.
    #[must_use]
    pub fn processor_secrets(&self) -> Secrets {
        Secrets::parse(&self.secret("processor.secret")).expect("well-formed secrets")
    }

    /// The secrets that receivers verify its webhooks with.
    #[must_use]
    pub fn webhook_secrets(&self) -> Secrets {
        Secrets::parse(&self.secret("webhook.secret")).expect("well-formed secrets")
    }

    /// Registers processors, which must be accepted.
    pub async fn register_all(&self, processors: &[&Processor]) -> Vec<RegisterOut> {
        let mut accepted = Vec::new();
        for processor in processors {
            accepted.push(processor.register(&self.client).await);
        }
        accepted
    }

    /// Stops it where it stands (SIGSTOP).
    pub fn pause(&self) {
        match self.form {
            Form::Server | Form::Functions => self.process.pause(),
            Form::Deployed => Deployed::of_run().pause(),
        }
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        match self.form {
            Form::Server | Form::Functions => self.process.resume(),
            Form::Deployed => Deployed::of_run().resume(),
        }
    }

    /// Kills it (SIGKILL): it cleans up nothing.
    pub fn kill9(&mut self) {
        self.process.kill9();
        if self.form == Form::Deployed {
            Deployed::of_run().kill9();
        }
    }

    /// Asks it to stop (SIGTERM), and returns when it has exited, which must be with success and
    /// within the bound.
    pub async fn stop(&mut self) {
        self.process.signal(Signal::TERM);
        let status = self.process.exited(STOP_BOUND).await;
        assert!(status.success(), "{status}:\n{}", self.log());
    }

    /// Starts it again after a stop or a kill, at the same address, so that what processors were
    /// told before stays true.
    pub async fn restart(&mut self) {
        self.kill9();
        let address = self.client.url().trim_start_matches("http://").to_owned();
        let spec = BatonSpec { bind: address, ..self.spec.clone() };
        *self = spec.start().await;
    }

    fn secret(&self, file: &str) -> String {
        let variable = match file {
            "processor.secret" => "BATON_PROCESSOR_SECRETS",
            _ => "BATON_WEBHOOK_SECRETS",
        };
        let given = self.spec.env.iter().rev().find(|(name, _)| name == variable);
        let text = given.map(|(_, value)| value.clone()).or_else(|| self.spec.data_dir.read(file));
        text.unwrap_or_else(|| panic!("{file} is not in the data directory"))
    }
}

impl Deref for Baton {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
