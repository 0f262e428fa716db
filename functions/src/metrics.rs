//! What a tick tells CloudWatch: one line of the embedded metric format on standard output.

use std::io::Write as _;

use manager_svc::app::App;
use manager_svc::clock;
use manager_svc::store::{Error, Processor, QueueSizes};
use manager_svc::tick::TickReport;
use serde_json::{Map, Value, json};

const NAMESPACE: &str = "Baton";

/// Writes the line; without the store there is none.
pub(crate) async fn publish(app: &App, function: &str, report: &TickReport) {
    let line = match read(app).await {
        Ok((sizes, processors)) => {
            line(clock::now_ms(), function, &values(&sizes, &processors, report))
        }
        Err(error) => {
            tracing::warn!(%error, "no metrics");
            return;
        }
    };
    // One write, so that no other line gets in between. Nobody is left to tell when standard output is closed.
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}

async fn read(app: &App) -> Result<(QueueSizes, Vec<Processor>), Error> {
    let processors = app.store.processors().await?;
    let ids: Vec<String> = processors.iter().map(|p| p.id.clone()).collect();
    Ok((app.store.queue_sizes(&ids).await?, processors))
}

/// Name, unit and value of each metric. Those of one tick add up over ticks; those that end in `Total` only grow
/// while the processors stay the same: look at their rate.
fn values(
    sizes: &QueueSizes,
    processors: &[Processor],
    report: &TickReport,
) -> Vec<(&'static str, &'static str, u64)> {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let total = |of: fn(&Processor) -> u64| processors.iter().map(of).sum();
    vec![
        ("InputActions", "Count", sizes.input),
        ("PendingActions", "Count", sizes.pending),
        ("DelayedActions", "Count", sizes.delayed),
        ("OutputActions", "Count", sizes.output),
        ("FailedActions", "Count", sizes.failed),
        ("LiveActions", "Count", sizes.live),
        ("OldestInputAge", "Milliseconds", sizes.oldest_ms.unwrap_or(0)),
        ("Dispatches", "Count", count(report.claimed)),
        ("Deliveries", "Count", count(report.delivering)),
        ("LapsedAttempts", "Count", count(report.lapsed)),
        ("ExpiredActions", "Count", count(report.expired)),
        ("RepairedRecords", "Count", count(report.repaired)),
        ("SucceededAttemptsTotal", "Count", total(|p| p.processed)),
        ("FailedAttemptsTotal", "Count", total(|p| p.failed)),
    ]
}

fn line(now_ms: u64, function: &str, values: &[(&str, &str, u64)]) -> Value {
    let metrics: Vec<Value> =
        values.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let mut line: Map<String, Value> =
        values.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))).collect();
    line.insert("FunctionName".to_owned(), json!(function));
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now_ms,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["FunctionName"]],
                "Metrics": metrics,
            }],
        }),
    );
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_declared_and_has_a_value() {
        let sizes =
            QueueSizes { input: 3, failed: 2, oldest_ms: Some(1_500), ..Default::default() };
        let report = TickReport { claimed: 7, delivering: 4, ..Default::default() };
        let line = line(1_700_000_000_000, "baton-tick", &values(&sizes, &[], &report));
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], 1_700_000_000_000_u64);
        assert_eq!(directive["Namespace"], "Baton");
        assert_eq!(directive["Dimensions"], json!([["FunctionName"]]));
        assert_eq!(line["FunctionName"], "baton-tick");
        let declared = directive["Metrics"].as_array().unwrap();
        for metric in declared {
            let name = metric["Name"].as_str().unwrap();
            assert!(line[name].is_u64(), "{name} has no value");
        }
        // Besides the metrics there are the directive and the dimension.
        assert_eq!(line.as_object().unwrap().len(), declared.len() + 2);
        let told = ["InputActions", "FailedActions", "OldestInputAge", "Dispatches", "Deliveries"];
        assert_eq!(told.map(|name| line[name].as_u64().unwrap()), [3, 2, 1_500, 7, 4]);
    }
}
