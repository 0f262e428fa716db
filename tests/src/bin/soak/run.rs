//! One run: the world is set up, loaded and hurt, and left alone until it is at rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use baton_wire::signature::Secrets;
use kit::{BatonSpec, Break, Command, Proxy, Redis, ScriptProxy, Scripts};
use tokio::time::{Instant, sleep};

use crate::caller::Caller;
use crate::effects::Effects;
use crate::faults::World;
use crate::front::Front;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::plan;
use crate::processors::{MANAGERS, Processor, Shop};
use crate::receiver;
use crate::report::{self, Report};

/// A delivery that hung or whose manager died comes again after its lease; this is longer.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long an outcome that is not at rest when all are delivered may take.
const REST: Duration = Duration::from_secs(40);
/// What a payload may live before its action knows of it, in milliseconds: compressed, as the schedule is,
/// so that what keeps its expiry shows within a run.
const PAYLOAD_MS: &str = "4000";
const PROCESSOR_SECRET: &str = "whsec_c29hay1wcm9jZXNzb3Itc2VjcmV0LW9mLTMyLWJ5dGVz";
const WEBHOOK_SECRET: &str = "whsec_c29hay13ZWJob29rLXNlY3JldC10aGF0LWlzLWxvbmc=";

/// What a run is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) time: Duration,
    pub(crate) rate: u32,
    pub(crate) breaks: Option<Break>,
}

/// Runs, and reports; answers whether all is well.
pub(crate) async fn run(settings: Settings) -> bool {
    println!("soak: SEED={} for {:?}", settings.seed, settings.time);
    let ledger = Arc::new(Ledger::new(settings.seed));
    let (mut world, _script_proxy) = world(&settings, &ledger).await;
    let secrets = Secrets::parse(WEBHOOK_SECRET).expect("a well-formed secret");
    let (mut receivers, mut urls) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let effects = Arc::clone(&world.shop.effects);
        let receiver = receiver::start(secrets.clone(), Arc::clone(&ledger), effects).await;
        urls.push(format!("{}/hook", receiver.url()));
        receivers.push(receiver);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let load = Load {
        shop: Arc::clone(&world.shop),
        receivers: urls,
        rate: settings.rate,
        time: settings.time,
        stop: Arc::clone(&stop),
    };
    let start = Instant::now();
    let mut load = tokio::spawn(load.run());
    for (pause, fault) in plan::faults(settings.seed, settings.breaks) {
        sleep(Duration::from_millis(pause)).await;
        if start.elapsed() >= settings.time || stop.load(SeqCst) {
            break;
        }
        let (accepted, taken) = ledger.progress();
        let at = start.elapsed().as_secs_f64();
        println!("{at:>7.1} s  {accepted:>6} accepted, {taken:>6} delivered; {fault}");
        world.befall(fault).await;
        // A broken check that was noticed need not be noticed again.
        stop.store(settings.breaks.is_some() && ledger.is_damaged(), SeqCst);
    }
    let seconds = start.elapsed().min(settings.time).as_secs_f64();
    world.calm();
    let offered = tokio::time::timeout(PATIENCE, &mut load).await;
    // What is broken and was noticed need not be waited for.
    let noticed = settings.breaks.is_some() && ledger.is_damaged();
    let unrest = match offered {
        Err(_) => Some("actions were not accepted in the end".to_owned()),
        Ok(_) if noticed => None,
        Ok(_) => rest(&world, &ledger, start).await,
    };
    let repaired = repaired(&world).await;
    let (account, findings) = ledger.close(!noticed);
    let effects = report::effects(&world);
    let report =
        Report { seed: settings.seed, account, findings, unrest, repaired, seconds, effects };
    report.print();
    report.is_good()
}

async fn world(settings: &Settings, ledger: &Arc<Ledger>) -> (World, Option<ScriptProxy>) {
    let redis = Redis::synchronous().await;
    let script_proxy = match settings.breaks {
        Some(which) => {
            let scripts = Scripts::edited(move |name, source| which.edit(name, source));
            Some(ScriptProxy::start(&redis, scripts).await)
        }
        None => None,
    };
    let port = script_proxy.as_ref().map_or(redis.port(), |proxy| {
        let port = proxy.url().rsplit(':').next().and_then(|port| port.parse().ok());
        port.expect("a URL that ends in a port")
    });
    let (mut proxies, mut doors) = (Vec::new(), Vec::new());
    for _ in 0..MANAGERS {
        proxies.push(Proxy::rewriting(port, compress).await);
        doors.push(Front::door().await);
    }
    let urls: Vec<_> = doors
        .iter()
        .map(|door| format!("http://{}", door.local_addr().expect("a bound listener")))
        .collect();
    let mut managers = Vec::new();
    for (proxy, url) in proxies.iter().zip(&urls) {
        let spec = BatonSpec::on(&proxy.url())
            .env("BATON_PUBLIC_URL", url)
            .env("BATON_PROCESSOR_SECRETS", PROCESSOR_SECRET)
            .env("BATON_WEBHOOK_SECRETS", WEBHOOK_SECRET)
            .env("BATON_HEALTH_INTERVAL_MS", "500")
            .env("BATON_DELIVERY_SCHEDULE_MS", &schedule())
            .env("BATON_LOG", "warn");
        managers.push(spec.start().await);
    }
    let addresses: Vec<_> = managers
        .iter()
        .map(|m| m.url().trim_start_matches("http://").parse().expect("a URL with an address"))
        .collect();
    let front = Arc::new(Front::default());
    front.lead(doors, &addresses);
    let shop = Arc::new(Shop {
        ledger: Arc::clone(ledger),
        effects: Arc::new(Effects::default()),
        caller: Caller::new(),
        doors: urls,
        held: Default::default(),
    });
    let processors = Processor::start_all(&shop).await;
    for processor in &processors {
        processor.register(&managers[0].client()).await;
    }
    (World { redis, proxies, managers, front, processors, shop }, script_proxy)
}

/// The delays before each send of an outcome, in milliseconds: hours become seconds, and more sends than
/// any receiver refuses.
fn schedule() -> String {
    let tail = ["3000"; 40].join(" ");
    format!("0 100 200 400 800 1500 {tail}")
}

/// Compresses what a payload may live before its action knows of it.
fn compress(command: &mut Command) -> bool {
    command.is("SET") && command.replace("600000", PAYLOAD_MS)
}

/// Waits until everything accepted was delivered and the manager holds nothing that is under way; says
/// what is left when that does not come.
async fn rest(world: &World, ledger: &Ledger, start: Instant) -> Option<String> {
    let mut last = (0, Instant::now());
    loop {
        let (accepted, taken) = ledger.progress();
        if taken == accepted {
            break;
        }
        if taken > last.0 {
            last = (taken, Instant::now());
            println!(
                "{:>7.1} s  {accepted:>6} accepted, {taken:>6} delivered",
                start.elapsed().as_secs_f64()
            );
        } else if last.1.elapsed() > PATIENCE {
            return Some(format!("{} outcomes were not delivered", accepted - taken));
        }
        sleep(Duration::from_millis(500)).await;
    }
    let deadline = Instant::now() + REST;
    loop {
        let left = left(world).await;
        if left.is_none() || Instant::now() > deadline {
            return left;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// What the manager says it has under way, if anything.
async fn left(world: &World) -> Option<String> {
    let queues = world.managers[0].meta().await.queues;
    let left = queues.input + queues.pending + queues.delayed + queues.output + queues.live;
    (left > 0).then(|| format!("everything was delivered, and the manager still holds {queues:?}"))
}

/// How much the managers had to repair.
async fn repaired(world: &World) -> u64 {
    world.managers[0].meta().await.repaired
}
